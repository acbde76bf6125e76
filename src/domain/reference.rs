//! How an exported group names its members: by user principal name, or by an id that may be a
//! person's or a group's. What becomes of a name that means nobody (rule 7.6).

use jiff::Timestamp;

/// What is remembered of a member that is named so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reference {
    /// It means somebody, or a group.
    Known,
    /// It has never meant anybody; the users snapshot of then was the first that lacked it.
    New {
        /// When that snapshot was accepted.
        lacked: Timestamp,
    },
    /// It meant somebody, or a group, and means nobody now.
    Lost,
    /// It means nobody, and an operator has approved that.
    Nobody,
}

impl Reference {
    /// What it is now, if the users snapshot accepted then is the newest.
    #[must_use]
    pub fn next(before: Option<Self>, is_known: bool, users: Timestamp) -> Self {
        match before {
            _ if is_known => Self::Known,
            None => Self::New { lacked: users },
            Some(Self::Known) => Self::Lost,
            Some(still) => still,
        }
    }

    /// Whether it stands for people who may be asked although they should not be: exports are not
    /// of one moment, so one that is new may be in the next users export.
    #[must_use]
    pub fn is_doubtful(self, users: Timestamp) -> bool {
        match self {
            Self::Known | Self::Nobody => false,
            Self::New { lacked } => lacked < users,
            Self::Lost => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::day;

    #[test]
    fn a_name_of_nobody_is_doubted_once_a_later_export_lacks_it_and_a_lost_one_at_once() {
        let new = Reference::New { lacked: day(1) };
        for (what, before, is_known, users, after, doubtful) in [
            ("found", None, true, day(1), Reference::Known, false),
            ("new", None, false, day(1), new, false),
            ("still of that export", Some(new), false, day(1), new, false),
            ("lacked again", Some(new), false, day(2), new, true),
            (
                "found after all",
                Some(new),
                true,
                day(2),
                Reference::Known,
                false,
            ),
            (
                "lost",
                Some(Reference::Known),
                false,
                day(1),
                Reference::Lost,
                true,
            ),
            (
                "stays lost",
                Some(Reference::Lost),
                false,
                day(1),
                Reference::Lost,
                true,
            ),
            (
                "back",
                Some(Reference::Lost),
                true,
                day(1),
                Reference::Known,
                false,
            ),
            (
                "approved",
                Some(Reference::Nobody),
                false,
                day(9),
                Reference::Nobody,
                false,
            ),
            (
                "somebody's now",
                Some(Reference::Nobody),
                true,
                day(9),
                Reference::Known,
                false,
            ),
        ] {
            let next = Reference::next(before, is_known, users);
            assert_eq!((next, next.is_doubtful(users)), (after, doubtful), "{what}");
        }
    }
}
