//! What holds flags: the brakes that judge a whole run, and the holds they raise.
//!
//! A brake never delays a release; it stops only *new* flags. Every hold says what it saw and
//! what releases it (rules 4.3, 7.12, 7.13 and 7.16).

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use jiff::{SignedDuration, Timestamp};

use super::assignment::Unresolved;
use super::facts::{Freshness, World};
use super::hold::{Hold, HoldKind};
use super::id::{PolicyName, UserId};
use super::seen::{MailTrouble, Rows, Seen, Unsettled};
use super::window::later;

/// Fewer flags than this in one run are never a mass (rule R10).
const MASS_ABSOLUTE: usize = 10;
/// More than this share of the people in scope is a mass: one in twenty.
const MASS_SHARE: usize = 20;
/// Fewer people newly missing than this are no glitch of the report.
const GROWTH_ABSOLUTE: u64 = 10;
/// More than this share of those missing before is one: one in five.
const GROWTH_SHARE: u64 = 5;
/// Fewer absent objects than this are no collapse of a snapshot (rule 7.6).
const SHRINK_ABSOLUTE: u64 = 20;
/// More than this share of the objects is one: one in ten.
const SHRINK_SHARE: u64 = 10;
/// A late proof becomes a hold after this with an audit feed (rule T8) …
const PROOF_LATE_WITH_AUDITS: SignedDuration = SignedDuration::from_hours(6);
/// … and after this without one.
const PROOF_LATE: SignedDuration = SignedDuration::from_hours(24);

/// Sources too old to flag anybody (rule R9).
#[must_use]
pub fn world_holds(world: &World, now: Timestamp) -> Vec<Hold> {
    let registration = world.registration.as_ref().map(|report| report.reading);
    let Freshness {
        users,
        registration: report,
        sign_ins,
        ..
    } = world.freshness;
    let sources = [
        (Rows::Users, world.users, users),
        (Rows::Registration, registration, report),
        (Rows::SignIns, world.sign_ins, sign_ins),
    ];
    sources
        .into_iter()
        .filter(|(_, reading, limit)| reading.is_none_or(|at| now.duration_since(at) > *limit))
        .map(|(rows, reading, limit)| {
            let seen = Seen::Stale {
                rows,
                reading,
                limit_h: limit.as_hours(),
            };
            Hold::new(HoldKind::Stale, rows.name(), None, seen)
        })
        .collect()
}

/// People cannot be told by mail (rule 7.11).
#[must_use]
pub fn mail_hold(trouble: MailTrouble, unsettled: Option<Unsettled>) -> Hold {
    let seen = Seen::MailStuck { trouble, unsettled };
    Hold::new(HoldKind::Channel, "", None, seen)
}

/// People cannot be told by webhook (rule 7.11).
#[must_use]
pub fn webhook_hold() -> Hold {
    Hold::new(HoldKind::Channel, "", None, Seen::WebhookStuck)
}

/// Names that cannot be resolved degrade their policy (rule 7.9).
#[must_use]
pub fn assignment_hold(policy: &PolicyName, unresolved: &[Unresolved]) -> Option<Hold> {
    let names = unresolved.to_vec();
    (!names.is_empty()).then(|| {
        let seen = Seen::Unresolved { names };
        Hold::new(HoldKind::Assignment, policy.as_str(), Some(policy), seen)
    })
}

/// Whether a snapshot shrank so much that it is not believed: more than 20 objects *and* more
/// than one in ten, or all. Growth only opens windows and needs no brake.
#[must_use]
pub fn collapsed(before: u64, after: u64) -> bool {
    shrank(before, after) || before > 0 && after == 0
}

fn shrank(before: u64, after: u64) -> bool {
    let lost = before.saturating_sub(after);
    lost > SHRINK_ABSOLUTE && lost.saturating_mul(SHRINK_SHARE) > before
}

/// What a snapshot holds, beside the last one that was believed. Its text is what an approval of
/// it covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// All of it.
    pub rows: u64,
    /// Of these, what the last one has, too: whatever is new makes up for nothing that was lost.
    pub kept: u64,
}

impl Size {
    /// Whether so little of those before is no snapshot to be believed.
    #[must_use]
    pub fn is_collapse(self, before: u64) -> bool {
        collapsed(before, self.kept)
    }

    /// Whether so little is left of the members of a group: all of a few may well be others.
    #[must_use]
    pub fn is_collapsed_membership(self, before: u64) -> bool {
        shrank(before, self.kept) || before > 0 && self.rows == 0
    }

    /// Whether an operator who accepted `approved` accepted this, too: it did not shrink once more
    /// by as much (rule 4.3).
    #[must_use]
    pub fn is_covered_by(self, approved: Self) -> bool {
        !collapsed(approved.rows, self.rows) && !collapsed(approved.kept, self.kept)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows == self.kept {
            write!(f, "{}", self.rows)
        } else {
            write!(f, "{} {}", self.rows, self.kept)
        }
    }
}

impl FromStr for Size {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (rows, kept) = text.split_once(' ').unwrap_or((text, text));
        Ok(Self {
            rows: rows.parse()?,
            kept: kept.parse()?,
        })
    }
}

/// Whether a snapshot is not to be believed: it shrank too much, and no operator accepted that.
#[must_use]
pub fn not_believed(before: u64, size: Size, approved: Option<Size>) -> bool {
    size.is_collapse(before) && !approved.is_some_and(|approved| size.is_covered_by(approved))
}

/// Whether more people lost their registration since the yardstick than any rollout explains.
#[must_use]
pub fn missing_grew(missing_before: u64, newly_missing: u64) -> bool {
    newly_missing > GROWTH_ABSOLUTE && newly_missing.saturating_mul(GROWTH_SHARE) > missing_before
}

/// A person whom a run would flag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WouldFlag {
    /// Under which policy.
    pub policy: PolicyName,
    /// Whom.
    pub user: UserId,
}

/// What the mass brake knows of the runs before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MassHistory {
    /// People flagged less than 24 hours ago whom no approval covered.
    pub recent: BTreeSet<UserId>,
    /// People whom an approval covers that is still good.
    pub approved: BTreeSet<(PolicyName, UserId)>,
    /// The people in scope of all policies that are on.
    pub in_scope: usize,
}

/// The mass brake (rules R10 and 7.13): which flags go, and the hold for the rest.
///
/// The flags that an approval covers go in any case; the rest goes too unless, with the recent
/// flags nobody approved, it is more than 10 people *and* more than 5 % of those in scope.
#[must_use]
pub fn mass(would_be: Vec<WouldFlag>, history: &MassHistory) -> (Vec<WouldFlag>, Option<Hold>) {
    let (approved, rest): (Vec<WouldFlag>, Vec<WouldFlag>) =
        would_be.into_iter().partition(|flag| {
            history
                .approved
                .contains(&(flag.policy.clone(), flag.user.clone()))
        });
    let people: BTreeSet<&UserId> = rest
        .iter()
        .map(|flag| &flag.user)
        .chain(&history.recent)
        .collect();
    let count = people.len();
    if rest.is_empty() || count <= MASS_ABSOLUTE || count * MASS_SHARE <= history.in_scope {
        let mut all = approved;
        all.extend(rest);
        return (all, None);
    }
    let flagged: BTreeSet<&UserId> = rest.iter().map(|flag| &flag.user).collect();
    let seen = Seen::Mass {
        people: flagged.len(),
        recent: history.recent.len(),
        in_scope: history.in_scope,
    };
    let mut hold = Hold::new(HoldKind::Mass, "", None, seen);
    hold.people = rest
        .into_iter()
        .map(|flag| (flag.policy, flag.user))
        .collect();
    (approved, Some(hold))
}

/// A wait for proof of a deadline at this moment or before has become a hold: counted from the
/// deadline and the lag, since no report proves it sooner by its reading (rules T8 and 7.12).
#[must_use]
pub fn proofs_late_since(world: &World, now: Timestamp) -> Timestamp {
    let patience = if world.audits.is_some() {
        PROOF_LATE_WITH_AUDITS
    } else {
        PROOF_LATE
    };
    later(later(now, -world.freshness.registration_lag), -patience)
}

/// A report that may be an old one flags nobody (rule 7.8): the hold, if anybody would be flagged but
/// for it.
#[must_use]
pub fn frozen(world: &World, would_be: &[WouldFlag]) -> Option<Hold> {
    let report = world.registration.as_ref()?;
    let seen = Seen::Frozen {
        why: report.frozen.filter(|_| !would_be.is_empty())?,
        reading: report.reading,
    };
    Some(Hold::new(HoldKind::Frozen, "registration", None, seen))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::age::{Frozen, ReportAge};
    use crate::domain::assignment::NameList;
    use crate::domain::hold::ReleasedBy;
    use crate::domain::story::{Story, day, hour, user};

    fn name(text: &str) -> PolicyName {
        PolicyName::new(text)
    }

    fn flags(range: std::ops::Range<usize>) -> Vec<WouldFlag> {
        range
            .map(|number| WouldFlag {
                policy: name("everyone"),
                user: user(&format!("u{number}")),
            })
            .collect()
    }

    fn people(range: std::ops::Range<usize>) -> BTreeSet<UserId> {
        flags(range).into_iter().map(|flag| flag.user).collect()
    }

    fn approved(range: std::ops::Range<usize>) -> BTreeSet<(PolicyName, UserId)> {
        flags(range)
            .into_iter()
            .map(|flag| (flag.policy, flag.user))
            .collect()
    }

    #[test]
    fn a_mass_is_more_than_ten_and_more_than_one_in_twenty() {
        for (what, would_be, recent, approved, in_scope, go, held) in [
            ("nobody", 0..0, 0..0, 0..0, 5, 0, 0),
            ("ten of ten", 0..10, 0..0, 0..0, 10, 10, 0),
            ("eleven of eleven", 0..11, 0..0, 0..0, 11, 0, 11),
            ("exactly one in twenty", 0..11, 0..0, 0..0, 220, 11, 0),
            ("just more than that", 0..11, 0..0, 0..0, 219, 0, 11),
            ("with those of the last day", 0..6, 100..105, 0..0, 20, 0, 6),
            ("with fewer of the last day", 0..6, 100..104, 0..0, 20, 6, 0),
            ("the same person twice", 0..6, 0..6, 0..0, 20, 6, 0),
            ("all approved", 0..50, 0..0, 0..50, 60, 50, 0),
            ("the rest within the limit", 0..60, 0..0, 0..50, 60, 60, 0),
            ("the rest beyond it", 0..61, 0..0, 0..50, 61, 50, 11),
            ("approved and recent alone", 0..5, 100..150, 0..5, 60, 5, 0),
        ] {
            let history = MassHistory {
                recent: people(recent),
                approved: self::approved(approved),
                in_scope,
            };
            let (flagged, hold) = mass(flags(would_be), &history);
            assert_eq!(flagged.len(), go, "{what}");
            let waiting = hold.map_or(0, |hold| hold.people.len());
            assert_eq!(waiting, held, "{what}");
        }
    }

    #[test]
    fn people_are_counted_once_over_policies_and_all_their_flags_wait() {
        let mut would_be = flags(0..10);
        would_be.extend(flags(0..10).into_iter().map(|flag| WouldFlag {
            policy: name("admins"),
            ..flag
        }));
        let history = MassHistory {
            in_scope: 10,
            ..MassHistory::default()
        };
        assert_eq!(mass(would_be.clone(), &history).0.len(), 20);
        would_be.extend(flags(10..11));
        let (go, hold) = mass(would_be, &history);
        let hold = hold.unwrap();
        assert_eq!((go.len(), hold.people.len()), (0, 21));
        assert_eq!(hold.id, "mass");
        assert_eq!(
            hold.text,
            "11 people would be flagged in this run, of 10 in scope"
        );
    }

    #[test]
    fn a_snapshot_collapses_by_more_than_twenty_and_more_than_one_in_ten() {
        for (before, after, expected) in [
            (0, 0, false),
            (5, 0, true),
            (5, 1, false),
            (100, 80, false),
            (100, 79, true),
            (210, 189, false),
            (209, 188, true),
            (1_000, 900, false),
            (1_000, 899, true),
            (100, 5_000, false),
        ] {
            assert_eq!(collapsed(before, after), expected, "{before} → {after}");
        }
    }

    #[test]
    fn what_is_new_makes_up_for_nothing_that_was_lost() {
        let size = |rows, kept| Size { rows, kept };
        for (before, found, snapshot, membership) in [
            (300, size(300, 0), true, true),
            (300, size(5_000, 269), true, true),
            (300, size(5_000, 270), false, false),
            // All of a few members may be others, and no members are never believed.
            (1, size(1, 0), true, false),
            (20, size(20, 0), true, false),
            (1, size(0, 0), true, true),
            (0, size(9, 0), false, false),
        ] {
            assert_eq!(found.is_collapse(before), snapshot, "{before} → {found}");
            let judged = found.is_collapsed_membership(before);
            assert_eq!(judged, membership, "{before} → {found}");
        }
        for (approved, found, covered) in [
            (size(300, 0), size(300, 0), true),
            (size(300, 0), size(290, 0), true),
            // Nobody at all is less than others.
            (size(300, 0), size(0, 0), false),
            (size(300, 200), size(300, 190), true),
            (size(300, 200), size(300, 150), false),
            (size(75, 75), size(40, 40), false),
        ] {
            assert_eq!(
                found.is_covered_by(approved),
                covered,
                "{approved}: {found}"
            );
            assert_eq!(
                not_believed(300, found, Some(approved)),
                !covered,
                "{approved}: {found}"
            );
            assert_eq!(approved.to_string().parse(), Ok(approved));
        }
        assert_eq!("7".parse(), Ok(size(7, 7)));
    }

    #[test]
    fn the_missing_grow_by_more_than_ten_and_more_than_one_in_five() {
        for (before, newly, expected) in [
            (0, 0, false),
            (0, 10, false),
            (0, 11, true),
            (55, 11, false),
            (54, 11, true),
            (1_000, 200, false),
            (1_000, 201, true),
        ] {
            assert_eq!(missing_grew(before, newly), expected, "{newly} of {before}");
        }
    }

    #[test]
    fn holds_have_stable_ids_and_say_what_ends_them() {
        use HoldKind::{
            Assignment, Channel, Clock, Database, Exclusion, Frozen, Mass, MissingGrowth, Proof,
            Snapshot, Stale,
        };
        let approval = [Mass, MissingGrowth, Snapshot, Exclusion, Frozen, Clock];
        for kind in approval
            .into_iter()
            .chain([Assignment, Stale, Proof, Channel, Database])
        {
            let word = kind.as_str();
            assert_eq!(HoldKind::parse(word), Some(kind));
            assert_eq!(kind.id_of(""), word);
            let about = Hold::new(kind, "staff", None, Seen::WebhookStuck);
            assert_eq!(about.id, format!("{word}:staff"));
            let by = if approval.contains(&kind) {
                ReleasedBy::Approval
            } else {
                ReleasedBy::Data
            };
            assert_eq!(kind.released_by(), by, "{word}");
            let stops = !matches!(kind, Proof | Channel);
            assert_eq!(about.stops(&name("everyone")), stops, "{word}");
        }
        assert_eq!(HoldKind::parse("sunshine"), None);
    }

    #[test]
    fn facts_go_stale_after_their_limit_and_not_at_it() {
        let mut world = Story::default_policy().world;
        let stale = |world: &World| -> Vec<String> {
            world_holds(world, day(10))
                .into_iter()
                .map(|hold| hold.text)
                .collect()
        };
        assert_eq!(
            stale(&world),
            [
                "no reading of people has been accepted yet",
                "no reading of the registration report has been accepted yet",
                "no reading of sign-ins has been accepted yet",
            ]
        );
        world.users = Some(day(9));
        // The report is of a day before its reading, and as fresh as that.
        let age = |reading| ReportAge {
            as_of: day(7),
            ..ReportAge::at(reading)
        };
        world.registration = Some(age(hour(8, 12)));
        world.sign_ins = Some(day(9));
        assert_eq!(stale(&world), Vec::<String>::new());
        world.registration = Some(age(hour(8, 11)));
        assert_eq!(
            stale(&world),
            [format!(
                "the newest reading of the registration report is of {}, older than 36 h",
                hour(8, 11)
            )]
        );
    }

    #[test]
    fn a_late_proof_is_a_hold_after_six_hours_with_an_audit_feed_and_a_day_without() {
        let mut world = Story::default_policy().world;
        assert_eq!(proofs_late_since(&world, day(15)), day(13));
        world.audits = Some(day(1));
        assert_eq!(proofs_late_since(&world, day(15)), hour(13, 18));
        world.freshness.registration_lag = SignedDuration::ZERO;
        assert_eq!(proofs_late_since(&world, day(15)), hour(14, 18));
    }

    #[test]
    fn a_report_that_may_be_an_old_one_holds_only_where_it_would_flag() {
        let mut world = Story::default_policy().world;
        let would_be = flags(0..1);
        assert_eq!(frozen(&world, &would_be), None);
        world.registration = Some(ReportAge::at(day(20)));
        assert_eq!(frozen(&world, &would_be), None);
        world.registration = Some(ReportAge {
            frozen: Some(Frozen::Old { newest: day(10) }),
            ..ReportAge::at(day(20))
        });
        assert_eq!(frozen(&world, &[]), None);
        let hold = frozen(&world, &would_be).unwrap();
        assert_eq!(hold.id, "frozen:registration");
        assert!(hold.stops(&name("everyone")));
        assert_eq!(
            hold.text,
            "the newest row of the registration report of 2026-01-25T00:00:00Z is of 2026-01-15T00:00:00Z, \
             more than 7 days before: it may be an old one that is copied on, or the service stands still"
        );
    }

    #[test]
    fn a_policy_with_unresolved_names_is_held_and_says_which() {
        let unresolved = |list, matches| Unresolved {
            name: "Staff".to_owned(),
            list,
            matches,
        };
        assert_eq!(assignment_hold(&name("everyone"), &[]), None);
        let hold = assignment_hold(
            &name("everyone"),
            &[
                unresolved(NameList::IncludeUsers, 0),
                unresolved(NameList::ExcludeUsers, 0),
                unresolved(NameList::IncludeGroups, 0),
                unresolved(NameList::ExcludeGroups, 2),
            ],
        )
        .unwrap();
        assert_eq!(
            hold.text,
            "include.users names \"Staff\", which matches nothing; exclude.users names \"Staff\", which matches nothing; \
             include.groups names \"Staff\", which matches nothing; exclude.groups names \"Staff\", which matches 2 groups"
        );
        assert!(hold.stops(&name("everyone")));
        assert!(!hold.stops(&name("admins")));
    }
}
