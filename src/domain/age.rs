//! How old a registration report is, and whether nobody can tell (rule 7.8).
//!
//! The service is behind the moment at which it is read, by up to a day, and a file may be a copy
//! of an old one. So a report is *as of* a time before its reading: by the lag that is configured,
//! or nearer where its own rows prove it. Proof of a deadline and the 24 hours of a doubted loss go
//! by that; only how fresh the source is goes by the reading.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::window::later;

/// A tenth of the rows: fewer may have been refreshed by themselves, and vouch for nobody else.
const VOUCHING: usize = 10;
/// And at least so many, or all where there are fewer: one row vouches for nobody else.
const VOUCHING_AT_LEAST: usize = 3;
/// A report whose newest row is older than this at its reading may be an old one copied on.
const ROWS_OLD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// So long after an event even the slowest report knows of it.
pub const EVENT_KNOWN_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// An operator's word for a report is good for this long.
const APPROVAL_GOOD: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What a report is as of: its reading less the lag, or a row date that a tenth of the rows
/// reach, whichever is later; and never before the report `before` it.
#[must_use]
pub fn as_of(
    reading: Timestamp,
    lag: SignedDuration,
    reached: Option<Timestamp>,
    before: Option<Timestamp>,
) -> Timestamp {
    let behind = later(reading, -lag);
    let reached = reached.filter(|at| *at <= reading);
    behind
        .max(reached.unwrap_or(behind))
        .max(before.unwrap_or(behind))
}

/// The dates of a report's rows, as they are read.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    rows: usize,
    dates: Vec<Timestamp>,
}

impl Rows {
    /// One more row, and its date if it bears one.
    pub fn add(&mut self, dated: Option<Timestamp>) {
        self.rows += 1;
        self.dates.extend(dated);
    }

    /// What the dates say of a report that was read then. Those that are later count for nothing.
    #[must_use]
    pub fn read_at(self, reading: Timestamp) -> RowDates {
        let (mut dates, ahead): (Vec<_>, Vec<_>) =
            self.dates.into_iter().partition(|at| *at <= reading);
        let newest = dates.iter().max().copied();
        let share = self
            .rows
            .div_ceil(VOUCHING)
            .max(VOUCHING_AT_LEAST.min(self.rows));
        let reached = (1..=dates.len()).contains(&share).then(|| {
            let (_, at, _) = dates.select_nth_unstable_by(share - 1, |a, b| b.cmp(a));
            *at
        });
        RowDates {
            newest,
            reached,
            ahead: ahead.len() as u64,
            latest_ahead: ahead.into_iter().max(),
        }
    }
}

/// What the dates of a report's rows say.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowDates {
    /// The newest that is not later than the reading.
    pub newest: Option<Timestamp>,
    /// The newest of these that at least a tenth of the rows reach.
    pub reached: Option<Timestamp>,
    /// How many rows bear a later date.
    pub ahead: u64,
    /// The latest of those.
    pub latest_ahead: Option<Timestamp>,
}

impl RowDates {
    /// Names the rows that are dated later than the reading.
    #[must_use]
    pub fn named_ahead(&self) -> Option<String> {
        let latest = self.latest_ahead?;
        Some(match self.ahead {
            1 => format!(
                "one row of the registration report is dated {latest}, later than it was read: that date counts for nothing"
            ),
            rows => format!(
                "{rows} rows of the registration report are dated later than it was read, up to {latest}: these dates count for nothing"
            ),
        })
    }
}

/// What is read, beside the report before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Another {
    /// The very files that were read before: their rows are joined anew.
    No,
    /// Something new; of files, what tells whether they have together the same bytes.
    Yes {
        /// The digest of the bytes, unpacked.
        digest: Option<String>,
    },
}

/// What is remembered of the report that was accepted last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastReport {
    /// What its rows' dates say.
    pub dates: RowDates,
    /// The digest of its files' bytes.
    pub digest: Option<String>,
    /// It has the bytes of the report before it: until an operator approves, the time of that one
    /// counts.
    pub copied: bool,
}

impl LastReport {
    /// What is remembered once another report was read.
    #[must_use]
    pub fn then(&self, another: Another, dates: RowDates) -> Self {
        match another {
            Another::No => Self {
                dates,
                ..self.clone()
            },
            Another::Yes { digest } => Self {
                dates,
                copied: digest.is_some() && digest == self.digest,
                digest,
            },
        }
    }

    /// What an approval of it covers: another newest row or other bytes end it.
    #[must_use]
    pub fn evidence(&self) -> String {
        let newest = self.dates.newest.map(|at| at.to_string());
        let (newest, digest) = (newest.as_deref(), self.digest.as_deref());
        format!("{} {}", newest.unwrap_or("-"), digest.unwrap_or("-"))
    }
}

/// An operator's word that the report is what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trust {
    /// What was approved, as [`LastReport::evidence`] says it.
    pub evidence: String,
    /// When.
    pub at: Timestamp,
}

impl Trust {
    /// Whether it still covers this report.
    #[must_use]
    pub fn covers(&self, report: &LastReport, now: Timestamp) -> bool {
        self.evidence == report.evidence()
            && self.at <= now
            && now.duration_since(self.at) < APPROVAL_GOOD
    }
}

/// The age of the registration report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportAge {
    /// When it was read, or its files were written (rule R9 goes by that).
    pub reading: Timestamp,
    /// What it is as of (the 24 hours of a doubted loss go by that).
    pub as_of: Timestamp,
    /// What it is as of by its own time: later only while it may be a copy of the report before,
    /// and then no flag that this would prove goes.
    pub own: Timestamp,
    /// Why it may be an old one, if it may.
    pub frozen: Option<Frozen>,
}

impl ReportAge {
    /// A report without any doubt, of that very moment.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self {
            reading: at,
            as_of: at,
            own: at,
            frozen: None,
        }
    }

    /// The age of a report read at `reading` that was taken for one as of `as_of`; `event` is the
    /// last registration that it should know of, and `trust` an operator's word for a report.
    #[must_use]
    pub fn of(
        report: &LastReport,
        (reading, as_of): (Timestamp, Timestamp),
        lag: SignedDuration,
        event: Option<Timestamp>,
        trust: Option<&Trust>,
        now: Timestamp,
    ) -> Self {
        let own = if report.copied {
            self::as_of(reading, lag, report.dates.reached, Some(as_of))
        } else {
            as_of
        };
        let trusted = trust.is_some_and(|trust| trust.covers(report, now));
        Self {
            reading,
            as_of: if trusted { own } else { as_of },
            own,
            frozen: (!trusted)
                .then(|| Frozen::of(report, reading, event))
                .flatten(),
        }
    }
}

/// Why a report may be an old one that is copied on, or of a service that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Frozen {
    /// Its files have the bytes of the report before.
    Copied,
    /// Its newest row is this old.
    Old {
        /// The newest row's date.
        newest: Timestamp,
    },
    /// Somebody in it registered, and two days later no row is as new as that.
    Overtaken {
        /// The newest row's date.
        newest: Timestamp,
        /// When somebody registered.
        event: Timestamp,
    },
}

impl Frozen {
    fn of(report: &LastReport, reading: Timestamp, event: Option<Timestamp>) -> Option<Self> {
        if report.copied {
            return Some(Self::Copied);
        }
        let newest = report.dates.newest?;
        if reading.duration_since(newest) > ROWS_OLD {
            return Some(Self::Old { newest });
        }
        let known_by = later(reading, -EVENT_KNOWN_AFTER);
        let event = event.filter(|at| *at <= known_by && newest < *at)?;
        Some(Self::Overtaken { newest, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{day, hour};

    const LAG: SignedDuration = SignedDuration::from_hours(24);

    fn dates(reading: Timestamp, rows: &[(usize, Option<Timestamp>)]) -> RowDates {
        let mut all = Rows::default();
        for (count, dated) in rows {
            (0..*count).for_each(|_| all.add(*dated));
        }
        all.read_at(reading)
    }

    #[test]
    fn a_row_date_counts_once_a_tenth_of_the_rows_reach_it() {
        let reading = day(10);
        let ahead = day(11);
        for (what, rows, reached, newest) in [
            ("none", vec![], None, None),
            ("no dates", vec![(5, None)], None, None),
            (
                "one of one",
                vec![(1, Some(day(9)))],
                Some(day(9)),
                Some(day(9)),
            ),
            (
                "two of two",
                vec![(1, Some(day(9))), (1, Some(day(8)))],
                Some(day(8)),
                Some(day(9)),
            ),
            (
                "one of ten vouches for nobody else",
                vec![(1, Some(day(9))), (9, Some(day(2)))],
                Some(day(2)),
                Some(day(9)),
            ),
            (
                "three of ten",
                vec![(3, Some(day(9))), (7, Some(day(2)))],
                Some(day(9)),
                Some(day(9)),
            ),
            (
                "four of forty, each with a date of its own",
                vec![
                    (1, Some(day(9))),
                    (1, Some(day(8))),
                    (1, Some(day(7))),
                    (1, Some(day(6))),
                    (36, Some(day(2))),
                ],
                Some(day(6)),
                Some(day(9)),
            ),
            (
                "three of thirty-one",
                vec![(3, Some(day(9))), (28, Some(day(2)))],
                Some(day(2)),
                Some(day(9)),
            ),
            (
                "rows without a date are rows",
                vec![(1, Some(day(9))), (10, None)],
                None,
                Some(day(9)),
            ),
            (
                "a date that is not later than the reading",
                vec![(1, Some(reading))],
                Some(reading),
                Some(reading),
            ),
            (
                "later ones count for nothing",
                vec![(5, Some(ahead)), (5, Some(day(3)))],
                Some(day(3)),
                Some(day(3)),
            ),
            ("nor all of them", vec![(5, Some(ahead))], None, None),
        ] {
            let found = dates(reading, &rows);
            assert_eq!((found.reached, found.newest), (reached, newest), "{what}");
        }
        let named = dates(reading, &[(2, Some(ahead)), (1, Some(day(40)))]).named_ahead();
        assert_eq!(
            named.as_deref(),
            Some(
                "3 rows of the registration report are dated later than it was read, up to 2026-02-14T00:00:00Z: these dates count for nothing"
            )
        );
        assert_eq!(dates(reading, &[(2, Some(day(9)))]).named_ahead(), None);
    }

    #[test]
    fn a_report_is_as_of_a_day_before_its_reading_or_of_what_its_rows_prove() {
        for (what, reached, before, expected) in [
            ("no dates", None, None, day(9)),
            ("older rows", Some(day(3)), None, day(9)),
            ("younger rows", Some(hour(9, 20)), None, hour(9, 20)),
            ("rows of the future", Some(day(11)), None, day(9)),
            (
                "never before the one before",
                None,
                Some(hour(9, 12)),
                hour(9, 12),
            ),
            (
                "which may be older",
                Some(hour(9, 20)),
                Some(day(8)),
                hour(9, 20),
            ),
        ] {
            assert_eq!(as_of(day(10), LAG, reached, before), expected, "{what}");
        }
        assert_eq!(as_of(day(10), SignedDuration::ZERO, None, None), day(10));
    }

    fn report(newest: Option<Timestamp>) -> LastReport {
        let dates = RowDates {
            newest,
            ..RowDates::default()
        };
        LastReport::default().then(digest("a"), dates)
    }

    fn digest(of: &str) -> Another {
        let digest = Some(of.to_owned());
        Another::Yes { digest }
    }

    fn frozen(report: &LastReport, event: Option<Timestamp>) -> Option<Frozen> {
        let times = (day(20), day(19));
        ReportAge::of(report, times, LAG, event, None, day(20)).frozen
    }

    #[test]
    fn a_report_may_be_an_old_one_by_its_bytes_its_rows_or_an_event() {
        let hours = |number| later(day(20), -SignedDuration::from_hours(number));
        let seven_days = hours(7 * 24);
        for (what, newest, event, expected) in [
            ("no dates", None, Some(day(15)), None),
            ("a row of today", Some(day(20)), None, None),
            ("just seven days", Some(seven_days), None, None),
            (
                "more",
                Some(hours(7 * 24 + 1)),
                None,
                Some(Frozen::Old {
                    newest: hours(7 * 24 + 1),
                }),
            ),
            (
                "an event before the newest row",
                Some(day(16)),
                Some(day(15)),
                None,
            ),
            (
                "an event after it",
                Some(day(14)),
                Some(day(18)),
                Some(Frozen::Overtaken {
                    newest: day(14),
                    event: day(18),
                }),
            ),
            ("not two days ago", Some(day(14)), Some(hour(18, 1)), None),
        ] {
            assert_eq!(frozen(&report(newest), event), expected, "{what}");
        }
        let once = report(Some(day(18)));
        let dates = once.dates.clone();
        let again = once.then(digest("a"), dates.clone());
        assert_eq!(frozen(&again, None), Some(Frozen::Copied));
        // Neither a new join of the same files nor a source without files says anything of bytes.
        assert_eq!(frozen(&once.then(Another::No, dates.clone()), None), None);
        assert_eq!(again.then(Another::No, dates.clone()), again);
        let of_graph = Another::Yes { digest: None };
        let graph = once.then(of_graph.clone(), dates.clone());
        assert_eq!(frozen(&graph.then(of_graph, dates.clone()), None), None);
        assert_eq!(frozen(&again.then(digest("b"), dates), None), None);
    }

    #[test]
    fn a_copy_counts_by_the_time_of_the_report_before_until_it_is_approved() {
        let copy = report(None).then(digest("a"), RowDates::default());
        let (reading, before) = (day(20), day(15));
        let age = |trust: Option<&Trust>, now| {
            let age = ReportAge::of(&copy, (reading, before), LAG, None, trust, now);
            (age.as_of, age.own, age.frozen)
        };
        assert_eq!(age(None, day(20)), (before, day(19), Some(Frozen::Copied)));
        let mut trust = Trust {
            evidence: copy.evidence(),
            at: day(20),
        };
        assert_eq!(age(Some(&trust), day(20)), (day(19), day(19), None));
        let last = later(day(27), -SignedDuration::from_secs(1));
        assert_eq!(age(Some(&trust), last), (day(19), day(19), None));
        assert_eq!(age(Some(&trust), day(27)).2, Some(Frozen::Copied));
        // A clock that was ahead gave it.
        assert_eq!(age(Some(&trust), day(19)).2, Some(Frozen::Copied));
        trust.evidence = report(Some(day(18))).evidence();
        assert_eq!(age(Some(&trust), day(20)).2, Some(Frozen::Copied));
    }
}
