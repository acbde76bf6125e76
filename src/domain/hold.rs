//! Holds: what stops new flags, what was seen, and what ends it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::{PolicyName, UserId};

/// What kind of thing stops flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Too many flags in one run (rule R10).
    Mass,
    /// Too many people lost their registration between two reports (rule R10).
    MissingGrowth,
    /// A snapshot or a membership collapsed and was not accepted (rule 7.6).
    Snapshot,
    /// An exclusion group is empty, missing or unreadable (rule 7.6).
    Exclusion,
    /// A name of the assignment matches nothing, or more than one group (rule 7.9).
    Assignment,
    /// A source is too old (rule R9).
    Stale,
    /// Proof is late (rule T8).
    Proof,
    /// A source may be a copy of an old one, or its service stand still (rule 7.8).
    Frozen,
    /// Mail does not work (rule 7.11).
    Channel,
    /// The clock went wrong (rule R3).
    Clock,
    /// The database is gone while its mark stands (rule 7.15).
    Database,
}

impl HoldKind {
    /// The name in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mass => "mass",
            Self::MissingGrowth => "missing_growth",
            Self::Snapshot => "snapshot",
            Self::Exclusion => "exclusion",
            Self::Assignment => "assignment",
            Self::Stale => "stale",
            Self::Proof => "proof",
            Self::Frozen => "frozen",
            Self::Channel => "channel",
            Self::Clock => "clock",
            Self::Database => "database",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Mass,
            Self::MissingGrowth,
            Self::Snapshot,
            Self::Exclusion,
            Self::Assignment,
            Self::Stale,
            Self::Proof,
            Self::Frozen,
            Self::Channel,
            Self::Clock,
            Self::Database,
        ]
        .into_iter()
        .find(|kind| kind.as_str() == name)
    }

    /// The kind of a hold, which its id begins with.
    #[must_use]
    pub fn of_hold(id: &str) -> Option<Self> {
        Self::parse(id.split_once(':').map_or(id, |(kind, _)| kind))
    }

    /// What can end it: an operator's approval, or only data.
    #[must_use]
    pub fn released_by(self) -> ReleasedBy {
        match self {
            Self::Mass
            | Self::MissingGrowth
            | Self::Snapshot
            | Self::Exclusion
            | Self::Frozen
            | Self::Clock => ReleasedBy::Approval,
            Self::Assignment | Self::Stale | Self::Proof | Self::Channel | Self::Database => {
                ReleasedBy::Data
            }
        }
    }

    /// The same of a hold with that evidence: an outage of the channel that no mail to operators can end has some.
    #[must_use]
    pub fn released_by_with(self, evidence: &str) -> ReleasedBy {
        if self == Self::Channel && !evidence.is_empty() {
            return ReleasedBy::Approval;
        }
        self.released_by()
    }

    /// What an operator can do about the hold of that id, in a sentence.
    #[must_use]
    pub fn remedy(self, id: &str) -> String {
        let approve = || {
            // The name of a policy may have blanks in it.
            let quote = if id.contains(' ') { "\"" } else { "" };
            format!("fortnight enforcement approve {quote}{id}{quote} --reason TEXT")
        };
        match self {
            Self::Mass => format!(
                "\"fortnight enforcement plan\" lists the people; to flag them: {}",
                approve()
            ),
            Self::MissingGrowth => {
                format!(
                    "A better report ends it. If this one is right: {}",
                    approve()
                )
            }
            Self::Snapshot | Self::Exclusion => {
                format!("Whole data ends it. If these are right: {}", approve())
            }
            Self::Frozen => format!(
                "A report with newer rows or other bytes ends it: see that the export is made anew. If this one is new, for seven days: {}",
                approve()
            ),
            Self::Clock => format!("Set the clock. If it is right: {}", approve()),
            Self::Assignment => {
                "Mend the name in the configuration; \"fortnight check\" shows the line.".to_owned()
            }
            Self::Stale => {
                "A newer reading ends it; \"fortnight doctor\" says whether one can be had."
                    .to_owned()
            }
            Self::Proof => "A newer registration report ends it.".to_owned(),
            Self::Channel => {
                "It ends when a message gets through; \"fortnight doctor\" tries the way there."
                    .to_owned()
            }
            Self::Database => "Restore the database from a backup.".to_owned(),
        }
    }
}

/// What ends a hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleasedBy {
    /// `enforcement approve HOLD --reason TEXT`; good data may do so earlier.
    Approval,
    /// Only data.
    Data,
}

/// A hold as a run sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Stable while it lasts: kind, and what it is about.
    pub id: String,
    /// What kind.
    pub kind: HoldKind,
    /// The policy whose flags it stops; none: all.
    pub policy: Option<PolicyName>,
    /// What was seen.
    pub text: String,
    /// The people whose flags wait for an approval.
    pub people: BTreeSet<(PolicyName, UserId)>,
}

impl Hold {
    /// A hold about `subject`.
    #[must_use]
    pub fn new(kind: HoldKind, subject: &str, policy: Option<&PolicyName>, text: String) -> Self {
        let id = if subject.is_empty() {
            kind.as_str().to_owned()
        } else {
            format!("{}:{subject}", kind.as_str())
        };
        Self {
            id,
            kind,
            policy: policy.cloned(),
            text,
            people: BTreeSet::new(),
        }
    }

    /// Whether it stops a new flag under the policy. Late proof and an outage of the channel stop
    /// only those who wait for them, and the decision about each says so.
    #[must_use]
    pub fn stops(&self, policy: &PolicyName) -> bool {
        !matches!(self.kind, HoldKind::Proof | HoldKind::Channel)
            && self.policy.as_ref().is_none_or(|held| held == policy)
    }
}

/// A hold as `status` and `cycle` list it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StandingHold {
    /// Its name for `enforcement approve`.
    pub id: String,
    /// What kind.
    pub kind: HoldKind,
    /// The policy whose flags it stops; null: all.
    pub policy: Option<PolicyName>,
    /// The pass that raised it.
    pub since: Timestamp,
    /// What was seen.
    pub text: String,
    /// What ends it.
    pub released_by: ReleasedBy,
    /// An operator approved it then; the next pass uses that.
    pub approved_at: Option<Timestamp>,
}
