//! Holds: what stops new flags, what was seen, and what ends it.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::id::{PolicyName, UserId};
use super::message::EventKind;
use super::seen::Seen;
use super::window::later;

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
    /// Every kind.
    pub const ALL: [Self; 11] = [
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
    ];

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
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The kind of a hold, which its id begins with.
    #[must_use]
    pub fn of_hold(id: &str) -> Option<Self> {
        Self::parse(id.split_once(':').map_or(id, |(kind, _)| kind))
    }

    /// The id of such a hold about `subject`.
    #[must_use]
    pub fn id_of(self, subject: &str) -> String {
        match subject {
            "" => self.as_str().to_owned(),
            subject => format!("{}:{subject}", self.as_str()),
        }
    }

    /// Whether operators hear of it in the pass that raises it: it does not come and go with what
    /// is read.
    fn is_told_at_once(self) -> bool {
        match self {
            Self::Mass | Self::Channel | Self::Clock | Self::Database => true,
            Self::MissingGrowth
            | Self::Snapshot
            | Self::Exclusion
            | Self::Assignment
            | Self::Stale
            | Self::Proof
            | Self::Frozen => false,
        }
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
        let approve = || approval_of(id);
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

/// The command that approves the hold of that id.
pub(super) fn approval_of(id: &str) -> String {
    command_on(id, "")
}

/// The command that takes an approval of that hold back.
#[must_use]
pub fn withdrawal_of(id: &str) -> String {
    command_on(id, "--withdraw ")
}

fn command_on(id: &str, option: &str) -> String {
    // The name of a policy may have blanks in it.
    let quote = if id.contains(' ') { "\"" } else { "" };
    format!("fortnight enforcement approve {quote}{id}{quote} {option}--reason TEXT")
}

/// An approval that was not used lapses after this (rule 4.3).
const APPROVAL_LAPSES: SignedDuration = SignedDuration::from_hours(24);

/// Until when an approval that no pass has used is good, that moment included.
#[must_use]
pub fn approval_lapses(approved_at: Timestamp) -> Timestamp {
    later(approved_at, APPROVAL_LAPSES)
}

/// No approval that was given before this is good any more.
#[must_use]
pub fn approvals_since(now: Timestamp) -> Timestamp {
    later(now, -APPROVAL_LAPSES)
}

/// Whether an approval that no pass has used is still good.
#[must_use]
pub fn is_approved(approved_at: Timestamp, now: Timestamp) -> bool {
    approved_at >= approvals_since(now)
}

/// A hold that comes back this soon is the same one.
const SAME_WITHIN: SignedDuration = SignedDuration::from_hours(24);
/// Operators hear of a hold that has stood this long, and of its end when it has been away so long.
const TOLD_AFTER: SignedDuration = SignedDuration::from_hours(1);

/// How a hold went so far, and what was told of it (rule 4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// The pass that raised it.
    pub since: Timestamp,
    /// From when on it stood, but for absences too short to be told.
    pub stood_from: Timestamp,
    /// The pass that no longer saw it.
    pub ended_at: Option<Timestamp>,
    /// Its beginning was told.
    pub told: bool,
    /// Its end was told, and nothing of it since.
    pub end_told: bool,
}

impl Course {
    /// Of a hold that was not there before.
    #[must_use]
    pub fn begin(now: Timestamp) -> Self {
        Self {
            since: now,
            stood_from: now,
            ended_at: None,
            told: false,
            end_told: false,
        }
    }

    /// A pass sees it.
    #[must_use]
    pub fn seen(self, now: Timestamp) -> Self {
        let Some(ended_at) = self.ended_at else {
            return self;
        };
        let away = now.duration_since(ended_at);
        if away > SAME_WITHIN {
            return Self::begin(now);
        }
        Self {
            stood_from: if away < TOLD_AFTER {
                self.stood_from
            } else {
                now
            },
            ended_at: None,
            ..self
        }
    }

    /// A pass does not see it.
    #[must_use]
    pub fn unseen(self, now: Timestamp) -> Self {
        Self {
            ended_at: self.ended_at.or(Some(now)),
            ..self
        }
    }

    /// What operators and endpoints are to hear now: of its beginning and of its end, each once.
    /// `rare` says that passes are more than an hour apart.
    pub fn tell(&mut self, kind: HoldKind, rare: bool, now: Timestamp) -> Option<EventKind> {
        let is_long = |since: Timestamp| now.duration_since(since) >= TOLD_AFTER;
        match self.ended_at {
            None if !self.told && (rare || kind.is_told_at_once() || is_long(self.stood_from)) => {
                self.told = true;
                Some(EventKind::HoldRaised)
            }
            // Who heard that it was over must not believe so for ever.
            None if self.end_told && now.duration_since(self.stood_from) >= SAME_WITHIN => {
                self.end_told = false;
                Some(EventKind::HoldRaised)
            }
            Some(ended_at) if self.told && !self.end_told && (rare || is_long(ended_at)) => {
                self.end_told = true;
                Some(EventKind::HoldCleared)
            }
            _ => None,
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
    /// What was seen, in words.
    pub text: String,
    /// What was seen; of a hold that an earlier version raised only the words are known.
    pub seen: Option<Seen>,
    /// The people whose flags wait for an approval.
    pub people: BTreeSet<(PolicyName, UserId)>,
}

impl Hold {
    /// A hold about `subject`.
    #[must_use]
    pub fn new(kind: HoldKind, subject: &str, policy: Option<&PolicyName>, seen: Seen) -> Self {
        Self {
            id: kind.id_of(subject),
            kind,
            policy: policy.cloned(),
            text: seen.text(),
            seen: Some(seen),
            people: BTreeSet::new(),
        }
    }

    /// Whether it stops a new flag under the policy. Late proof and an outage of the channel stop
    /// only those who wait for them, and the decision about each says so.
    #[must_use]
    pub fn stops(&self, policy: &PolicyName) -> bool {
        stops(self.kind, self.policy.as_ref(), policy)
    }
}

fn stops(kind: HoldKind, held: Option<&PolicyName>, policy: &PolicyName) -> bool {
    !matches!(kind, HoldKind::Proof | HoldKind::Channel) && held.is_none_or(|held| held == policy)
}

/// An approval that is still good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// The hold.
    pub hold: String,
    /// What was seen when it was approved, as the hold's evidence says.
    pub evidence: String,
    /// When it was given.
    pub at: Timestamp,
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
    /// What was seen, in words.
    pub text: String,
    /// What was seen, as far as it is known.
    #[serde(skip)]
    pub seen: Option<Seen>,
    /// What ends it.
    pub released_by: ReleasedBy,
    /// An operator approved it then; the next pass uses that.
    pub approved_at: Option<Timestamp>,
    /// Who did.
    #[serde(skip)]
    pub approved_by: Option<String>,
    /// Why, in the operator's words.
    #[serde(skip)]
    pub approved_because: Option<String>,
    /// Operators and endpoints were told.
    #[serde(skip)]
    pub told: bool,
}

impl StandingHold {
    /// Whether it stops a new flag under the policy.
    #[must_use]
    pub fn stops(&self, policy: &PolicyName) -> bool {
        stops(self.kind, self.policy.as_ref(), policy)
    }

    /// Whether it still is what somebody was shown before.
    #[must_use]
    pub fn is_still(&self, before: &Self) -> bool {
        let sees_the_same = match (&self.seen, &before.seen) {
            (Some(seen), Some(before)) => seen.is_still(before),
            (None, _) | (_, None) => self.text == before.text,
        };
        sees_the_same && (&self.id, self.since) == (&before.id, before.since)
    }

    /// Whether an approval of it is good, or was when it ended.
    #[must_use]
    pub fn is_approved(&self, now: Timestamp) -> bool {
        self.approved_at.is_some_and(|at| is_approved(at, now))
    }

    /// What an operator can do about it, in a sentence.
    #[must_use]
    pub fn remedy(&self) -> String {
        match (self.kind, self.released_by) {
            (HoldKind::Channel, ReleasedBy::Approval) => format!(
                "It ends when a message to somebody is accepted. If it is these addresses that are wrong: {}",
                approval_of(&self.id)
            ),
            _ => self.kind.remedy(&self.id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{day, hour};

    fn minutes(count: i64) -> Timestamp {
        day(0) + SignedDuration::from_mins(count)
    }

    /// What is told when, by passes that see the hold or do not.
    fn told(
        kind: HoldKind,
        rare: bool,
        passes: &[(Timestamp, bool)],
    ) -> Vec<(Timestamp, &'static str)> {
        let mut course: Option<Course> = None;
        let mut told = Vec::new();
        for (now, seen) in passes {
            let mut next = match (course, seen) {
                (None, false) => continue,
                (None, true) => Course::begin(*now),
                (Some(course), true) => course.seen(*now),
                (Some(course), false) => course.unseen(*now),
            };
            told.extend(
                next.tell(kind, rare, *now)
                    .map(|event| (*now, event.as_str())),
            );
            course = Some(next);
        }
        told
    }

    #[test]
    fn a_hold_is_told_after_an_hour_and_its_end_when_it_was_away_for_one() {
        let raised = |at| (at, "hold.raised");
        let cleared = |at| (at, "hold.cleared");
        let passes = [
            (0, true),
            (59, true),
            (60, true),
            (70, false),
            (129, false),
            (130, false),
        ];
        let passes = passes.map(|(at, seen)| (minutes(at), seen));
        assert_eq!(
            told(HoldKind::Stale, false, &passes),
            [raised(minutes(60)), cleared(minutes(130))]
        );
        for kind in [
            HoldKind::Mass,
            HoldKind::Channel,
            HoldKind::Clock,
            HoldKind::Database,
        ] {
            assert_eq!(
                told(kind, false, &passes),
                [raised(minutes(0)), cleared(minutes(130))]
            );
        }
        assert_eq!(
            told(HoldKind::Stale, true, &passes),
            [raised(minutes(0)), cleared(minutes(70))],
            "passes are rare"
        );
        let short = [
            (minutes(0), true),
            (minutes(59), false),
            (minutes(300), false),
        ];
        assert_eq!(
            told(HoldKind::Stale, false, &short),
            [],
            "too short to be told"
        );
    }

    #[test]
    fn a_hold_that_comes_back_within_a_day_is_the_same_and_told_no_more() {
        let flaps: Vec<_> = (0..40)
            .flat_map(|number| {
                [
                    (hour(0, 20 * number), true),
                    (hour(0, 20 * number + 2), false),
                ]
            })
            .collect();
        assert_eq!(
            told(HoldKind::Mass, false, &flaps),
            [(day(0), "hold.raised")]
        );
        let first = Course::begin(day(0)).unseen(hour(0, 1));
        assert_eq!(first.seen(hour(1, 1)).since, day(0));
        assert_eq!(first.seen(hour(1, 2)), Course::begin(hour(1, 2)));
    }

    #[test]
    fn who_heard_that_it_was_over_hears_of_one_that_stays_a_day_after_all() {
        let mut passes = vec![(day(0), true), (day(1), false)];
        passes.extend((2..9).map(|number| (day(number), true)));
        passes.push((day(9), false));
        assert_eq!(
            told(HoldKind::Stale, true, &passes),
            [
                (day(0), "hold.raised"),
                (day(1), "hold.cleared"),
                (day(3), "hold.raised"),
                (day(9), "hold.cleared"),
            ]
        );
    }

    #[test]
    fn an_absence_too_short_to_be_told_does_not_put_off_what_is() {
        let flaps: Vec<_> = (0..12)
            .map(|pass| (minutes(10 * pass), pass % 2 == 0))
            .collect();
        assert_eq!(
            told(HoldKind::Stale, false, &flaps),
            [(minutes(60), "hold.raised")]
        );
    }
}
