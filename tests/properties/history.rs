//! Random histories of a small organisation, and how they are told when one fails.
//!
//! A history is only what happens; what the program makes of it is [`super::rollout`]'s. Steps
//! name people and policies by number, taken modulo, so that shrinking may remove any of them.

use std::fmt;

use fortnight::domain::facts::ActKind;
use fortnight::domain::policy::Enforce;
use fortnight::domain::registration::Level;
use fortnight::domain::sign_in::Route;
use proptest::prelude::*;

use crate::support::world::day;

const NAMES: [&str; 14] = [
    "ana", "ben", "cleo", "dan", "eva", "fay", "gus", "hal", "ida", "jon", "kim", "leo", "mia",
    "ned",
];

/// The name of the nth person.
pub(crate) fn name(who: usize) -> &'static str {
    NAMES[who % NAMES.len()]
}

/// Everything that happens, in order.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) people: Vec<Start>,
    pub(crate) policies: Vec<Rule>,
    pub(crate) audit_feed: bool,
    /// What happens, and how many minutes after the step before.
    pub(crate) steps: Vec<(i64, Happening)>,
}

/// A person on the first day.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state"
)]
pub(crate) struct Start {
    pub(crate) mail: bool,
    pub(crate) guest: bool,
    pub(crate) enabled: bool,
    pub(crate) pilot: bool,
    pub(crate) emergency: bool,
    pub(crate) level: Level,
}

/// A policy on the first day.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state"
)]
pub(crate) struct Rule {
    pub(crate) everybody: bool,
    pub(crate) enforce: Enforce,
    pub(crate) window_days: i64,
    pub(crate) min_notice_days: Option<i64>,
    pub(crate) reminders: Vec<&'static str>,
    pub(crate) strict: bool,
    pub(crate) guests: bool,
    pub(crate) any_primary: bool,
    pub(crate) accept_passwordless: bool,
}

/// What a mail server does with mail to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mailbox {
    Accepts,
    Refuses,
    Defers,
    Loses,
}

/// A source of facts that can go stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Users,
    Registration,
    SignIns,
}

/// Whose doing a loss is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Doing {
    Admin,
    Person,
    Unexplained,
}

/// One thing that happens.
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    SignsIn {
        who: usize,
        route: Route,
        code: i64,
        minutes_ago: i64,
        seen_after_minutes: i64,
    },
    EverybodySignsIn,
    HintOfActivity {
        who: usize,
    },
    LogsLost {
        days: i64,
    },
    Registers {
        who: usize,
        level: Level,
        audited: bool,
    },
    LosesMethods {
        who: usize,
        by: Doing,
    },
    AuditOnly {
        who: usize,
        minutes_ago: i64,
    },
    MissingFromReport {
        who: usize,
        missing: bool,
    },
    ReportLags {
        hours: i64,
    },
    EmptyReport,
    EmptyDirectory,
    Stale {
        source: Source,
        stale: bool,
    },
    Enabled {
        who: usize,
        enabled: bool,
    },
    Present {
        who: usize,
        present: bool,
    },
    Pilot {
        who: usize,
        member: bool,
    },
    Emergency {
        who: usize,
        member: bool,
    },
    Exclude {
        who: usize,
        policy: usize,
        excluded: bool,
    },
    Address {
        who: usize,
        number: u8,
    },
    MailServer {
        who: usize,
        does: Mailbox,
    },
    Channel {
        works: bool,
    },
    Act {
        who: usize,
        kind: ActKind,
    },
    Window {
        policy: usize,
        days: i64,
    },
    MinNotice {
        policy: usize,
        days: i64,
    },
    Switch {
        policy: usize,
        enforce: Enforce,
    },
    Unresolved {
        policy: usize,
        unresolved: bool,
    },
    Approve,
    Pass,
    Quiet {
        days: i64,
        every_hours: i64,
    },
}

impl Happening {
    fn who(&self) -> Option<usize> {
        match self {
            Self::SignsIn { who, .. }
            | Self::HintOfActivity { who }
            | Self::Registers { who, .. }
            | Self::LosesMethods { who, .. }
            | Self::AuditOnly { who, .. }
            | Self::MissingFromReport { who, .. }
            | Self::Enabled { who, .. }
            | Self::Present { who, .. }
            | Self::Pilot { who, .. }
            | Self::Emergency { who, .. }
            | Self::Exclude { who, .. }
            | Self::Address { who, .. }
            | Self::MailServer { who, .. }
            | Self::Act { who, .. } => Some(*who),
            _ => None,
        }
    }
}

impl fmt::Debug for History {
    /// As a story: who and what there is, then one line per step.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "a history (audit feed: {})", self.audit_feed)?;
        for (who, person) in self.people.iter().enumerate() {
            writeln!(f, "  {}: {person:?}", name(who))?;
        }
        for (number, rule) in self.policies.iter().enumerate() {
            writeln!(f, "  policy {number}: {rule:?}")?;
        }
        let mut minutes = 0;
        for (after, step) in &self.steps {
            minutes += after;
            let (day, hour, minute) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
            let who = step.who().map(|who| name(who % self.people.len()));
            let who = who.map_or_else(String::new, |who| format!("{who}: "));
            writeln!(f, "  day {day} +{hour:02}:{minute:02}  {who}{step:?}")?;
            if let Happening::Quiet { days, .. } = step {
                minutes += days * 1_440;
            }
        }
        Ok(())
    }
}

/// Histories of 3 to 8 people; some in a hurry, and some with so many that a mass brake can act.
pub(crate) fn histories() -> impl Strategy<Value = History> {
    prop_oneof![
        10 => history(3..=8),
        5 => history(3..=8).prop_map(in_a_hurry),
        1 => history(12..=14),
    ]
}

/// Short windows and little notice, so that a flag is never far and only its other conditions
/// stand against it.
fn in_a_hurry(mut history: History) -> History {
    for rule in &mut history.policies {
        rule.window_days %= 3;
        rule.min_notice_days = rule.min_notice_days.map_or(Some(0), |days| Some(days % 2));
        rule.enforce = Enforce::On;
    }
    history
}

/// Histories in which a mass brake can act.
pub(crate) fn crowds() -> impl Strategy<Value = History> {
    history(11..=14)
}

fn history(people: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = History> {
    (
        prop::collection::vec(start(), people),
        prop::collection::vec(rule(), 1..=3),
        prop::bool::weighted(0.8),
        prop::collection::vec(steps(), 1..48),
    )
        .prop_map(|(people, policies, audit_feed, steps)| History {
            people,
            policies,
            audit_feed,
            steps: steps.into_iter().flatten().collect(),
        })
}

fn start() -> impl Strategy<Value = Start> {
    (
        usually(),
        prop::bool::weighted(0.1),
        usually(),
        usually(),
        prop::bool::weighted(0.1),
        prop_oneof![6 => Just(Level::Missing), 1 => Just(Level::Passwordless), 1 => Just(Level::Capable)],
    )
        .prop_map(|(mail, guest, enabled, pilot, emergency, level)| Start {
            mail,
            guest,
            enabled,
            pilot,
            emergency,
            level,
        })
}

/// Nine times of ten; shrinks to yes.
fn usually() -> impl Strategy<Value = bool> {
    prop_oneof![9 => Just(true), 1 => Just(false)]
}

fn rule() -> impl Strategy<Value = Rule> {
    (
        any::<bool>(),
        enforce(),
        window_days(),
        prop_oneof![3 => Just(None), 1 => (0..6i64).prop_map(Some)],
        prop_oneof![
            3 => Just(vec!["0d", "-7d", "-3d", "-1d"]),
            1 => Just(vec!["-7d", "-1d"]),
            1 => Just(vec!["0d", "1d", "3d", "30d", "-12h"]),
            1 => Just(vec!["0d"]),
            1 => Just(vec![]),
        ],
        prop::bool::weighted(0.25),
        any::<bool>(),
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(
            |(
                everybody,
                enforce,
                window_days,
                min_notice_days,
                reminders,
                strict,
                guests,
                any_primary,
                accept_passwordless,
            )| Rule {
                everybody,
                enforce,
                window_days,
                min_notice_days,
                reminders,
                strict,
                guests,
                any_primary,
                accept_passwordless,
            },
        )
}

fn enforce() -> impl Strategy<Value = Enforce> {
    prop_oneof![
        5 => Just(Enforce::On),
        2 => Just(Enforce::ReportOnly),
        1 => Just(Enforce::Off),
    ]
}

fn window_days() -> impl Strategy<Value = i64> {
    prop_oneof![1 => Just(0i64), 4 => 1..6i64, 3 => 6..22i64, 1 => 30..=90i64]
}

/// Minutes between two steps: at once, within the hour, or within three days.
fn gap() -> impl Strategy<Value = i64> {
    prop_oneof![2 => Just(0i64), 2 => 1..60i64, 6 => 60..4_320i64]
}

/// One thing that happens, or a detour: away, a pass that sees it, and back.
fn steps() -> impl Strategy<Value = Vec<(i64, Happening)>> {
    prop_oneof![
        12 => (gap(), happening()).prop_map(|step| vec![step]),
        1 => (gap(), gap(), detour()).prop_map(|(before, between, [away, back])| {
            let pass = || (0, Happening::Pass);
            vec![(before, away), pass(), (between, back), pass()]
        }),
    ]
}

fn detour() -> impl Strategy<Value = [Happening; 2]> {
    let whose = (who(), 0..3usize);
    (whose, 0..7usize).prop_map(|((who, policy), which)| match which {
        0 => [true, false].map(|excluded| Happening::Exclude {
            who,
            policy,
            excluded,
        }),
        1 => [true, false].map(|member| Happening::Emergency { who, member }),
        2 => [false, true].map(|enabled| Happening::Enabled { who, enabled }),
        3 => [false, true].map(|present| Happening::Present { who, present }),
        4 => [false, true].map(|member| Happening::Pilot { who, member }),
        5 => [ActKind::Close, ActKind::Reopen].map(|kind| Happening::Act { who, kind }),
        _ => [
            Happening::MailServer {
                who,
                does: Mailbox::Refuses,
            },
            Happening::Address { who, number: 2 },
        ],
    })
}

/// Anybody, but ana above all: what goes wrong mostly takes several things that happen to one.
fn who() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 0..NAMES.len()]
}

fn happening() -> impl Strategy<Value = Happening> {
    let people = prop_oneof![
        8 => sign_in(),
        2 => Just(Happening::EverybodySignsIn),
        1 => who().prop_map(|who| Happening::HintOfActivity { who }),
        2 => registers(),
        2 => (who(), doing()).prop_map(|(who, by)| Happening::LosesMethods { who, by }),
        1 => (who(), -4..3_000i64).prop_map(|(who, minutes_ago)| Happening::AuditOnly { who, minutes_ago }),
        1 => (who(), any::<bool>()).prop_map(|(who, missing)| Happening::MissingFromReport { who, missing }),
        2 => (who(), any::<bool>()).prop_map(|(who, enabled)| Happening::Enabled { who, enabled }),
        2 => (who(), any::<bool>()).prop_map(|(who, present)| Happening::Present { who, present }),
        2 => (who(), any::<bool>()).prop_map(|(who, member)| Happening::Pilot { who, member }),
        1 => (who(), any::<bool>()).prop_map(|(who, member)| Happening::Emergency { who, member }),
        2 => (who(), 0..3usize, any::<bool>()).prop_map(|(who, policy, excluded)| Happening::Exclude { who, policy, excluded }),
        2 => (who(), 0..3u8).prop_map(|(who, number)| Happening::Address { who, number }),
        3 => (who(), mailbox()).prop_map(|(who, does)| Happening::MailServer { who, does }),
        3 => (who(), act()).prop_map(|(who, kind)| Happening::Act { who, kind }),
    ];
    let surroundings = prop_oneof![
        1 => (1..6i64).prop_map(|days| Happening::LogsLost { days }),
        2 => (0..31i64).prop_map(|hours| Happening::ReportLags { hours }),
        1 => Just(Happening::EmptyReport),
        1 => Just(Happening::EmptyDirectory),
        4 => (source(), any::<bool>()).prop_map(|(source, stale)| Happening::Stale { source, stale }),
        1 => prop::bool::weighted(0.6).prop_map(|works| Happening::Channel { works }),
        2 => (0..3usize, window_days()).prop_map(|(policy, days)| Happening::Window { policy, days }),
        1 => (0..3usize, 0..9i64).prop_map(|(policy, days)| Happening::MinNotice { policy, days }),
        2 => (0..3usize, enforce()).prop_map(|(policy, enforce)| Happening::Switch { policy, enforce }),
        1 => (0..3usize, prop::bool::weighted(0.3)).prop_map(|(policy, unresolved)| Happening::Unresolved { policy, unresolved }),
        1 => Just(Happening::Approve),
    ];
    prop_oneof![
        6 => people,
        2 => surroundings,
        3 => Just(Happening::Pass),
        2 => (1..12i64, prop_oneof![Just(6i64), Just(12), Just(24)])
            .prop_map(|(days, every_hours)| Happening::Quiet { days, every_hours }),
    ]
}

fn sign_in() -> impl Strategy<Value = Happening> {
    let route = prop_oneof![
        8 => Just(Route::Interactive),
        1 => Just(Route::NonInteractive),
        1 => Just(Route::Legacy),
        1 => Just(Route::Ropc),
        1 => Just(Route::Passthrough),
    ];
    let code = prop_oneof![
        8 => Just(0i64),
        1 => Just(50_079i64),
        1 => Just(53_004i64),
        2 => prop::sample::select(vec![50_074i64, 65_001, 53_003, 50_058, 50_126, 700_082, 99_999]),
    ];
    let minutes_ago = prop_oneof![4 => Just(0i64), 1 => -8..0i64, 3 => 1..7_200i64];
    let seen_after = prop_oneof![3 => Just(0i64), 2 => 1..4_320i64];
    (who(), route, code, minutes_ago, seen_after).prop_map(
        |(who, route, code, minutes_ago, seen_after_minutes)| Happening::SignsIn {
            who,
            route,
            code,
            minutes_ago,
            seen_after_minutes,
        },
    )
}

fn registers() -> impl Strategy<Value = Happening> {
    let level = prop_oneof![3 => Just(Level::Capable), 1 => Just(Level::Passwordless)];
    (who(), level, any::<bool>()).prop_map(|(who, level, audited)| Happening::Registers {
        who,
        level,
        audited,
    })
}

fn doing() -> impl Strategy<Value = Doing> {
    prop_oneof![
        Just(Doing::Admin),
        Just(Doing::Person),
        Just(Doing::Unexplained)
    ]
}

fn mailbox() -> impl Strategy<Value = Mailbox> {
    prop_oneof![
        2 => Just(Mailbox::Accepts),
        1 => Just(Mailbox::Refuses),
        1 => Just(Mailbox::Defers),
        1 => Just(Mailbox::Loses),
    ]
}

fn source() -> impl Strategy<Value = Source> {
    prop_oneof![
        Just(Source::Users),
        Just(Source::Registration),
        Just(Source::SignIns)
    ]
}

fn act() -> impl Strategy<Value = ActKind> {
    prop_oneof![
        2 => (1..10u32).prop_map(|days| ActKind::Extend { days }),
        1 => (1..60i64).prop_map(|number| ActKind::ExtendUntil { until: day(number) }),
        1 => Just(ActKind::Reset),
        1 => Just(ActKind::Close),
        1 => Just(ActKind::Reopen),
    ]
}
