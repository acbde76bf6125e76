//! Whether a person has registered: done, reported, missing or unknown — never a bare bool.
//!
//! Registering is believed at once; losing it is doubted until two complete reports at least
//! 24 hours apart agree, or an audit event explains it (rule 7.5). Being absent from a
//! report says nothing (rule 7.7). What a report says is a [`Level`]; which level is enough depends
//! on the policy, so each level keeps its own [`Track`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::audit::{AuditEvent, AuditKind};
use super::id::UserId;

/// Two reports that lie this far apart confirm a loss (rule 7.5).
pub const LOSS_CONFIRMED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// One row of the registration report, reduced to what decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Whose registration.
    pub user: UserId,
    /// How far the registration goes.
    pub level: Level,
    /// Why it goes no further, where it is not enough.
    pub detail: Detail,
}

/// How far a registration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// No method that counts.
    Missing,
    /// Only passwordless methods: enough where the policy accepts them (case 45).
    Passwordless,
    /// Capable of multifactor authentication.
    Capable,
}

/// What there is instead, where a registration is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Nothing to add.
    None,
    /// Registered, but the method is no longer allowed by the tenant's policy.
    MethodNotAllowed,
    /// Only self-service password reset methods (case 47).
    SsprOnly,
    /// Only a Temporary Access Pass (case 46).
    TemporaryAccessPassOnly,
}

/// What the reports have said about one level, over time. A loss is dated only where there was
/// something to lose.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Track {
    /// The last report that said registered before the present run of reports that do not; while
    /// there is no such run, a row that was asked for alone and is not in a report yet.
    pub done_as_of: Option<Timestamp>,
    /// The first of the present unbroken run of reports that say not registered.
    pub missing_since: Option<Timestamp>,
}

/// All that is remembered of the reports about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// What the last report that contained the person said.
    pub level: Level,
    /// Why it is not enough.
    pub detail: Detail,
    /// The accepted report that last contained the person, if not the newest one.
    pub absent_since: Option<Timestamp>,
    /// Capable of multifactor authentication, over time.
    pub capable: Track,
    /// Capable or passwordless, over time.
    pub passwordless: Track,
}

impl Registration {
    /// What is remembered after the first report that contains the person: nothing was lost yet.
    #[must_use]
    pub fn first(row: &ReportRow) -> Self {
        Self {
            level: row.level,
            detail: row.detail,
            absent_since: None,
            capable: Track::default(),
            passwordless: Track::default(),
        }
    }

    /// What a row says now, and what follows for each track by what is enough for it.
    fn step(&self, row: &ReportRow, step: impl Fn(Track, Level) -> Track) -> Self {
        Self {
            level: row.level,
            detail: row.detail,
            absent_since: None,
            capable: step(self.capable, Level::Capable),
            passwordless: step(self.passwordless, Level::Passwordless),
        }
    }

    /// What is remembered after one more report; `previous` is the time of the report before.
    #[must_use]
    pub fn then(&self, row: &ReportRow, previous: Timestamp, as_of: Timestamp) -> Self {
        let step = |track: Track, enough: Level| -> Track {
            match (self.level >= enough, row.level >= enough) {
                (_, true) => Track::default(),
                (true, false) => {
                    let last = self.absent_since.unwrap_or(previous);
                    let done_as_of = track.done_as_of.map_or(last, |asked| asked.max(last));
                    Track {
                        done_as_of: Some(done_as_of),
                        // A report as of a time before says nothing about what was there later.
                        missing_since: Some(as_of.max(done_as_of)),
                    }
                }
                (false, false) => track,
            }
        };
        self.step(row, step)
    }

    /// What is remembered once the report was asked about this person alone and said more than
    /// before; `as_of` is what that row is as of, and no report as of an earlier time unsays it.
    #[must_use]
    pub fn asked(&self, row: &ReportRow, as_of: Timestamp) -> Self {
        let step = |track: Track, enough: Level| -> Track {
            if row.level < enough {
                return track;
            }
            Track {
                done_as_of: Some(as_of),
                missing_since: None,
            }
        };
        self.step(row, step)
    }
}

/// What is believed of a person's registration, under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Registered.
    Done,
    /// A report says otherwise since then; one report alone is not believed.
    DoneUnconfirmed {
        /// The first report that says otherwise.
        missing_since: Timestamp,
        /// The last report that said registered.
        done_as_of: Timestamp,
    },
    /// Not registered, and never was.
    Missing,
    /// Was registered and confirmed is no more.
    Lost(LostRegistration),
    /// Nothing is known: no report contains the person.
    Unknown {
        /// The report that is known; none if there is no report at all.
        report: Option<Timestamp>,
    },
}

/// A confirmed loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostRegistration {
    /// The last report that said registered.
    pub done_as_of: Timestamp,
    /// The first report that does not.
    pub missing_since: Timestamp,
    /// Who caused it.
    pub cause: LossCause,
    /// The newest report no longer contains the person: the state is `unknown`.
    pub absent: bool,
}

/// Who caused a loss (rules T16 and T17).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LossCause {
    /// An administrator deleted security info.
    Admin,
    /// The person did.
    Person,
    /// Nobody knows.
    Unexplained,
}

/// What is believed under a policy that does, or does not, accept passwordless methods alone.
///
/// `report` is the time of the newest accepted report.
#[must_use]
pub fn verdict(
    registration: Option<&Registration>,
    audits: &[AuditEvent],
    accept_passwordless: bool,
    report: Option<Timestamp>,
) -> Verdict {
    let (Some(known), Some(as_of)) = (registration, report) else {
        return Verdict::Unknown { report };
    };
    let (enough, track) = if accept_passwordless {
        (Level::Passwordless, known.passwordless)
    } else {
        (Level::Capable, known.capable)
    };
    if known.level >= enough {
        return Verdict::Done;
    }
    let absent = known.absent_since.is_some();
    let (Some(done_as_of), Some(missing_since)) = (track.done_as_of, track.missing_since) else {
        return if absent {
            Verdict::Unknown { report }
        } else {
            Verdict::Missing
        };
    };
    let newest = known.absent_since.unwrap_or(as_of);
    match explanation(audits, done_as_of) {
        Some(cause) => Verdict::Lost(LostRegistration {
            done_as_of,
            missing_since,
            cause,
            absent,
        }),
        None if newest.duration_since(missing_since) >= LOSS_CONFIRMED_AFTER => {
            Verdict::Lost(LostRegistration {
                done_as_of,
                missing_since,
                cause: LossCause::Unexplained,
                absent,
            })
        }
        None => Verdict::DoneUnconfirmed {
            missing_since,
            done_as_of,
        },
    }
}

/// The latest deletion that explains a loss: no older than 24 hours before the last report that
/// said registered, since reports lag (rule 7.5).
fn explanation(audits: &[AuditEvent], done_as_of: Timestamp) -> Option<LossCause> {
    let earliest = super::window::later(done_as_of, -LOSS_CONFIRMED_AFTER);
    audits
        .iter()
        .filter(|event| event.at >= earliest)
        .filter_map(|event| match event.kind {
            AuditKind::AdminDeleted => Some((event.at, &event.id, LossCause::Admin)),
            AuditKind::UserDeleted => Some((event.at, &event.id, LossCause::Person)),
            AuditKind::Registered => None,
        })
        .max_by_key(|(at, id, _)| (*at, *id))
        .map(|(_, _, cause)| cause)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{day, hour, user};

    /// Reports of these times, each of a level or without the person.
    fn after(reports: &[(Timestamp, Option<Level>)]) -> (Option<Registration>, Timestamp) {
        let mut known: Option<Registration> = None;
        let mut previous = Timestamp::MIN;
        for &(as_of, level) in reports {
            known = match (known, level) {
                (known, Some(level)) => {
                    let row = ReportRow {
                        user: user("ana"),
                        level,
                        detail: Detail::None,
                    };
                    Some(match known {
                        Some(known) => known.then(&row, previous, as_of),
                        None => Registration::first(&row),
                    })
                }
                (Some(known), None) => Some(Registration {
                    absent_since: known.absent_since.or(Some(previous)),
                    ..known
                }),
                (None, None) => None,
            };
            previous = as_of;
        }
        (known, previous)
    }

    const DONE: Option<Level> = Some(Level::Capable);
    const KEY: Option<Level> = Some(Level::Passwordless);
    const GONE: Option<Level> = Some(Level::Missing);

    fn lost(done: Timestamp, missing: Timestamp, absent: bool) -> Verdict {
        Verdict::Lost(LostRegistration {
            done_as_of: done,
            missing_since: missing,
            cause: LossCause::Unexplained,
            absent,
        })
    }

    fn doubted(done: Timestamp, missing: Timestamp) -> Verdict {
        Verdict::DoneUnconfirmed {
            missing_since: missing,
            done_as_of: done,
        }
    }

    /// Reports, whether passwordless methods are accepted, and what is believed.
    type Row = (&'static str, Vec<(Timestamp, Option<Level>)>, bool, Verdict);

    fn believe(rows: Vec<Row>) {
        for (what, reports, accept, expected) in rows {
            let (known, newest) = after(&reports);
            let verdict = verdict(known.as_ref(), &[], accept, Some(newest));
            assert_eq!(verdict, expected, "{what}");
        }
    }

    #[test]
    fn registering_is_believed_at_once_and_losing_slowly() {
        believe(vec![
            (
                "first missing",
                vec![(day(0), GONE)],
                true,
                Verdict::Missing,
            ),
            ("first done", vec![(day(0), DONE)], true, Verdict::Done),
            (
                "then done",
                vec![(day(0), GONE), (day(1), DONE)],
                true,
                Verdict::Done,
            ),
            ("a key, accepted", vec![(day(0), KEY)], true, Verdict::Done),
            (
                "a key, not accepted",
                vec![(day(0), KEY)],
                false,
                Verdict::Missing,
            ),
            (
                "one report",
                vec![(day(0), DONE), (day(1), GONE)],
                true,
                doubted(day(0), day(1)),
            ),
            (
                "two within a day",
                vec![(day(0), DONE), (day(1), GONE), (hour(1, 23), GONE)],
                true,
                doubted(day(0), day(1)),
            ),
            (
                "two a day apart",
                vec![(day(0), DONE), (day(1), GONE), (day(2), GONE)],
                true,
                lost(day(0), day(1), false),
            ),
            (
                "registered in between",
                vec![
                    (day(0), DONE),
                    (day(1), GONE),
                    (hour(1, 12), DONE),
                    (day(2), GONE),
                ],
                true,
                doubted(hour(1, 12), day(2)),
            ),
            (
                "down to a key where keys do not count",
                vec![(day(0), DONE), (day(1), KEY), (day(2), KEY)],
                false,
                lost(day(0), day(1), false),
            ),
            (
                "down to a key where they do",
                vec![(day(0), DONE), (day(1), KEY), (day(2), KEY)],
                true,
                Verdict::Done,
            ),
        ]);
    }

    #[test]
    fn being_absent_from_a_report_says_nothing() {
        let unknown = |report| Verdict::Unknown {
            report: Some(report),
        };
        believe(vec![
            (
                "never in a report",
                vec![(day(0), None)],
                true,
                unknown(day(0)),
            ),
            (
                "missing, then absent",
                vec![(day(0), GONE), (day(1), None)],
                true,
                unknown(day(1)),
            ),
            (
                "done, then absent",
                vec![(day(0), DONE), (day(9), None)],
                true,
                Verdict::Done,
            ),
            (
                "doubted, then absent",
                vec![(day(0), DONE), (day(1), GONE), (day(9), None)],
                true,
                doubted(day(0), day(1)),
            ),
            (
                "lost, then absent",
                vec![
                    (day(0), DONE),
                    (day(1), GONE),
                    (day(2), GONE),
                    (day(9), None),
                ],
                true,
                lost(day(0), day(1), true),
            ),
            (
                "done, absent, then missing: the last that said registered is the one before",
                vec![(day(0), DONE), (day(5), None), (day(6), GONE)],
                true,
                doubted(day(0), day(6)),
            ),
        ]);
        assert_eq!(
            verdict(None, &[], true, None),
            Verdict::Unknown { report: None }
        );
    }

    #[test]
    fn a_report_as_of_a_time_before_a_row_that_was_asked_for_starts_no_loss_before_it() {
        let row = |level| ReportRow {
            user: user("ana"),
            level,
            detail: Detail::None,
        };
        let known = Registration::first(&row(Level::Missing));
        let asked = known.asked(&row(Level::Capable), hour(10, 9));
        let verdict = |known: &Registration, report| verdict(Some(known), &[], true, Some(report));
        assert_eq!(verdict(&asked, hour(9, 8)), Verdict::Done);
        // Read an hour after the question, and as of a day before.
        let behind = asked.then(&row(Level::Missing), hour(9, 8), hour(9, 10));
        let since = hour(10, 9);
        assert_eq!(verdict(&behind, hour(9, 10)), doubted(since, since));
        let behind = behind.then(&row(Level::Missing), hour(9, 10), hour(10, 10));
        assert_eq!(verdict(&behind, hour(10, 10)), doubted(since, since));
        assert_eq!(verdict(&behind, hour(11, 9)), lost(since, since, false));
        let whole = asked.then(&row(Level::Capable), hour(9, 8), hour(10, 10));
        assert_eq!(whole.capable, Track::default());
    }

    #[test]
    fn an_audit_event_of_the_last_day_before_explains_and_the_latest_counts() {
        use AuditKind::{AdminDeleted, Registered, UserDeleted};
        let (known, newest) = after(&[(day(5), DONE), (day(6), GONE)]);
        let just_too_old = day(4) - SignedDuration::from_secs(1);
        for (events, cause) in [
            (vec![], None),
            (vec![(hour(5, 1), Registered)], None),
            (vec![(day(4), AdminDeleted)], Some(LossCause::Admin)),
            (vec![(just_too_old, AdminDeleted)], None),
            (vec![(hour(5, 1), UserDeleted)], Some(LossCause::Person)),
            (
                vec![(hour(5, 2), AdminDeleted), (hour(5, 1), UserDeleted)],
                Some(LossCause::Admin),
            ),
            (
                vec![(hour(5, 1), AdminDeleted), (hour(5, 2), UserDeleted)],
                Some(LossCause::Person),
            ),
        ] {
            let audits: Vec<AuditEvent> = events
                .iter()
                .map(|&(at, kind)| AuditEvent {
                    id: "a".to_owned(),
                    user: user("ana"),
                    at,
                    kind,
                })
                .collect();
            let found = match verdict(known.as_ref(), &audits, true, Some(newest)) {
                Verdict::Lost(lost) => Some(lost.cause),
                _ => None,
            };
            assert_eq!(found, cause, "{events:?}");
        }
    }
}
