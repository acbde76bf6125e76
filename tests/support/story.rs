//! A story about one person: set the facts, let passes run, look at what went out.
//!
//! Compiled twice, beside the rules and for the cases, so it names its parts through `super`.
//! Between passes it does what the store and the courier do: it keeps the standing, the outbox
//! and the journal, and lets flags through the brakes. It decides nothing itself.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::return_self_not_must_use,
    reason = "shared by two test crates, each of which uses a part of it"
)]

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::age::ReportAge;
use super::assignment::{Assignment, Include, Selection};
use super::audit::{AuditEvent, AuditKind};
use super::brake::{self, MassHistory, WouldFlag};
use super::decide::decide;
use super::decision::Decision;
use super::effect::{Effect, Event, Message};
use super::facts::{
    ActKind, Activity, Channel, DeliveryFact, DeliveryOutcome, Freshness, NoticeBy, OperatorAct,
    PersonFacts, World,
};
use super::id::{GroupId, PolicyName, UserId};
use super::language::Manner;
use super::message::EventKind;
use super::notice;
use super::person::{AccountKind, Person, Presence};
use super::policy::{Enforce, Policy, StartOn, Step};
use super::reason::ReasonCode;
use super::registration::{Detail, Level, Registration, ReportRow};
use super::sign_in::{Block, Blocks, ResultCodes, Route, SignIn, SignInClass};
use super::standing::Standing;
use super::window::Run;

/// Midnight of a day of the story; it begins on Monday, 5 January 2026.
pub fn day(number: i64) -> Timestamp {
    hour(number, 0)
}

/// An hour of a day of the story.
pub fn hour(day: i64, hour: i64) -> Timestamp {
    Timestamp::from_second(1_767_571_200 + day * 86_400 + hour * 3_600).unwrap()
}

/// A length of so many days.
pub fn days(number: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * number)
}

/// A step as the configuration writes it.
pub fn step(text: &str) -> Step {
    Step::try_from(text.to_owned()).unwrap()
}

pub fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub fn group(name: &str) -> GroupId {
    GroupId::parse(name).unwrap()
}

/// Selected users.
pub fn users(names: &[&str]) -> Selection {
    Selection {
        users: names.iter().map(|name| user(name)).collect(),
        groups: BTreeSet::new(),
    }
}

/// Selected groups.
pub fn groups(names: &[&str]) -> Selection {
    Selection {
        users: BTreeSet::new(),
        groups: names.iter().map(|name| group(name)).collect(),
    }
}

/// The table of result codes that is shipped.
pub fn codes() -> ResultCodes {
    #[derive(serde::Deserialize)]
    struct Table {
        version: String,
        classes: BTreeMap<SignInClass, Vec<i64>>,
        blocked: BTreeMap<String, Block>,
    }
    let table: Table = toml::from_str(include_str!("../../src/domain/result_codes.toml")).unwrap();
    let classes = table
        .classes
        .into_iter()
        .flat_map(|(class, codes)| codes.into_iter().map(move |code| (code, class)))
        .collect();
    let blocked = table.blocked.iter();
    let blocks = Blocks {
        known: blocked
            .filter_map(|(code, block)| Some((code.parse().ok()?, block.clone())))
            .collect(),
        other: table.blocked["other"].clone(),
    };
    ResultCodes::new(table.version, classes, blocks)
}

/// All users, on since day 0, with the defaults of rule 7.20.
pub fn policy(name: &str) -> Policy {
    Policy {
        name: PolicyName::new(name),
        enforce: Enforce::On,
        assignment: Assignment {
            include: Include::AllUsers,
            exclude: groups(&["emergency"]),
            ..Assignment::default()
        },
        window: days(14),
        min_notice: days(3),
        reminders: ["0d", "-7d", "-3d", "-1d"].map(step).to_vec(),
        since: day(0),
        first_pass: day(0),
        on_again: None,
        guests: false,
        nested: true,
        accept_passwordless: true,
        start_on: StartOn::Prompted,
        strict: false,
    }
}

/// A window opened on day 0 in that very hour, of the policy's length.
pub fn run(policy: &Policy) -> Run {
    Run::open(
        day(0),
        Some("s0".to_owned()),
        policy.window,
        policy.window,
        day(0),
    )
}

/// What becomes of a mail in the pass that queues it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    Accepts,
    RefusesForGood,
    /// Nobody knows what became of it, and it is not sent any more.
    Loses,
    /// Nothing is known yet: the mail waits.
    Silent,
}

impl Server {
    fn outcome(self, now: Timestamp) -> DeliveryOutcome {
        match self {
            Self::Accepts => DeliveryOutcome::Accepted(now),
            Self::RefusesForGood => DeliveryOutcome::Refused(now),
            Self::Loses => DeliveryOutcome::Dropped(now),
            Self::Silent => DeliveryOutcome::Open,
        }
    }
}

/// One person, some policies, and what happens to them.
#[derive(Debug, Clone)]
pub struct Story {
    pub policies: Vec<Policy>,
    pub world: World,
    pub person: Person,
    pub groups: BTreeSet<GroupId>,
    pub registration: Option<Registration>,
    /// What a fresh report says at every pass; none: no report is read, the last one ages.
    pub level: Option<Level>,
    /// The users snapshot and the sign-in log are read at every pass.
    pub fresh: bool,
    pub sign_ins: Vec<SignIn>,
    pub activity: Activity,
    pub audits: Vec<AuditEvent>,
    pub acts: Vec<OperatorAct>,
    pub deliveries: Vec<DeliveryFact>,
    pub standings: BTreeMap<PolicyName, Standing>,
    pub server: Server,
    /// A mail to operators that named a refused address was their witness.
    pub witnessed: bool,
    /// Every mail, in the order of queueing.
    pub sent: Vec<(Timestamp, Message)>,
    /// The journal.
    pub journal: Vec<(Timestamp, PolicyName, Event)>,
    /// What operators were told.
    pub told_operators: Vec<String>,
    /// The decisions of the last pass, one per policy.
    pub decisions: Vec<Decision>,
}

impl Story {
    /// Ana, a member with a mailbox, in scope since day 0 and not registered.
    pub fn new(policy: Policy) -> Self {
        Self::under(vec![policy])
    }

    /// Ana under the policy with all defaults.
    pub fn default_policy() -> Self {
        Self::new(policy("everyone"))
    }

    pub fn under(policies: Vec<Policy>) -> Self {
        Self {
            policies,
            world: World {
                users: None,
                groups: None,
                registration: None,
                sign_ins: None,
                audits: None,
                log_gap: None,
                freshness: Freshness::default(),
                channel: Channel::Works,
                notice_by: NoticeBy::Mail,
                upn_domains: Vec::new(),
                codes: codes(),
                manner: Manner::default(),
            },
            person: Person {
                id: user("ana"),
                user_principal_name: "ana@contoso.com".to_owned(),
                display_name: Some("Ana".to_owned()),
                mail: Some("ana@contoso.com".to_owned()),
                kind: AccountKind::Member,
                enabled: true,
                created_at: None,
                preferred_language: None,
                last_sign_in_at: None,
                presence: Presence::Present,
            },
            groups: BTreeSet::new(),
            registration: None,
            level: Some(Level::Missing),
            fresh: true,
            sign_ins: Vec::new(),
            activity: Activity::default(),
            audits: Vec::new(),
            acts: Vec::new(),
            deliveries: Vec::new(),
            standings: BTreeMap::new(),
            server: Server::Accepts,
            witnessed: false,
            sent: Vec::new(),
            journal: Vec::new(),
            told_operators: Vec::new(),
            decisions: Vec::new(),
        }
    }

    pub fn policy(&mut self) -> &mut Policy {
        &mut self.policies[0]
    }

    pub fn sign_in(&mut self, at: Timestamp, code: i64) -> &mut Self {
        self.sign_in_by(at, code, Route::Interactive)
    }

    pub fn sign_in_by(&mut self, at: Timestamp, code: i64, route: Route) -> &mut Self {
        let id = format!("s{}", self.sign_ins.len());
        self.sign_ins.push(SignIn {
            id,
            user: self.person.id.clone(),
            at,
            code,
            route,
            app: Some("Office 365".to_owned()),
            multifactor_met: false,
        });
        self
    }

    pub fn audit(&mut self, at: Timestamp, kind: AuditKind) -> &mut Self {
        let id = format!("a{}", self.audits.len());
        let user = self.person.id.clone();
        self.audits.push(AuditEvent { id, user, at, kind });
        self
    }

    pub fn act(&mut self, at: Timestamp, kind: ActKind) -> &mut Self {
        let id = i64::try_from(self.acts.len()).unwrap() + 1;
        self.acts.push(OperatorAct {
            id,
            policy: None,
            kind,
            at,
            reason: "parental leave".to_owned(),
            by: "oscar".to_owned(),
            ticket: None,
        });
        self
    }

    /// A registration report of that time, with a row of the person.
    pub fn report(&mut self, as_of: Timestamp, level: Level) -> &mut Self {
        self.row(as_of, level, Detail::None)
    }

    pub fn row(&mut self, as_of: Timestamp, level: Level, detail: Detail) -> &mut Self {
        let user = self.person.id.clone();
        let row = ReportRow {
            user,
            level,
            detail,
        };
        self.registration = Some(match (&self.registration, self.world.report()) {
            (Some(known), Some(previous)) => known.then(&row, previous, as_of),
            _ => Registration::first(&row),
        });
        self.world.registration = Some(ReportAge::at(as_of));
        self
    }

    /// A registration report of that time, without the person.
    pub fn report_without(&mut self, as_of: Timestamp) -> &mut Self {
        let previous = self.world.report();
        if let Some(known) = &mut self.registration {
            known.absent_since = known.absent_since.or(previous);
        }
        self.world.registration = Some(ReportAge::at(as_of));
        self
    }

    /// From now on every report says so.
    pub fn reports_say(&mut self, level: Level) -> &mut Self {
        self.level = Some(level);
        self
    }

    /// No report is read any more; those that a story names itself still are.
    pub fn without_reports(&mut self) -> &mut Self {
        self.level = None;
        self
    }

    fn facts<'a>(&'a self, world: &'a World) -> PersonFacts<'a> {
        PersonFacts {
            world,
            person: &self.person,
            groups: &self.groups,
            registration: self.registration.as_ref(),
            sign_ins: &self.sign_ins,
            activity: self.activity,
            audits: &self.audits,
            acts: &self.acts,
            deliveries: self.deliveries.iter().collect(),
            standings: &self.standings,
        }
    }

    fn read_sources(&mut self, now: Timestamp) {
        if let Some(level) = self.level {
            self.report(now, level);
        }
        if self.fresh {
            self.world.users = Some(now);
            self.world.groups = Some(now);
            self.world.sign_ins = Some(now);
        }
    }

    /// What would be decided now, without anything coming of it.
    pub fn look(&self, now: Timestamp) -> Decision {
        let mut story = self.clone();
        story.read_sources(now);
        let world = story.world.clone();
        decide(&story.policies[0], &story.facts(&world), now)
    }

    /// A whole pass; gives the decision under the first policy.
    pub fn pass(&mut self, now: Timestamp) -> Decision {
        self.read_sources(now);
        let before = self.clone();
        let facts = before.facts(&before.world);
        let decisions: Vec<Decision> = self
            .policies
            .iter()
            .map(|policy| decide(policy, &facts, now))
            .collect();
        let flags = self.through_the_brakes(&decisions, now);
        let decisions: Vec<Decision> = self
            .policies
            .iter()
            .zip(decisions)
            .map(|(policy, decision)| {
                if flags.contains(&policy.name) {
                    decision.flagged(policy, &facts, now)
                } else {
                    decision
                }
            })
            .collect();
        self.commit(&decisions, now);
        self.decisions = decisions;
        self.decisions[0].clone()
    }

    /// A pass at midnight of each of these days; gives the last decision.
    pub fn daily(&mut self, days: std::ops::RangeInclusive<i64>) -> Decision {
        days.map(|number| self.pass(day(number))).last().unwrap()
    }

    fn through_the_brakes(&self, decisions: &[Decision], now: Timestamp) -> BTreeSet<PolicyName> {
        let mut holds = brake::world_holds(&self.world, now);
        holds.extend(self.policies.iter().filter_map(|policy| {
            brake::assignment_hold(&policy.name, &policy.assignment.unresolved)
        }));
        let would_be: Vec<WouldFlag> = decisions
            .iter()
            .filter(|decision| decision.would_flag)
            .filter(|decision| !holds.iter().any(|hold| hold.stops(&decision.policy)))
            .map(|decision| WouldFlag {
                policy: decision.policy.clone(),
                user: self.person.id.clone(),
            })
            .collect();
        if brake::frozen(&self.world, &would_be).is_some() {
            return BTreeSet::new();
        }
        let history = MassHistory {
            in_scope: 1,
            ..MassHistory::default()
        };
        let (go, _) = brake::mass(would_be, &history);
        go.into_iter().map(|flag| flag.policy).collect()
    }

    fn commit(&mut self, decisions: &[Decision], now: Timestamp) {
        let (mail, _) = notice::choose(decisions);
        for decision in decisions {
            self.standings
                .insert(decision.policy.clone(), decision.standing.clone());
            for effect in &decision.effects {
                match effect {
                    Effect::Event(event) => {
                        self.journal
                            .push((now, decision.policy.clone(), event.clone()));
                        if self.world.notice_by == NoticeBy::Webhook
                            && event.kind.announces()
                            && !event.rehearsed
                        {
                            self.withdraw(&decision.policy, now);
                            self.hook(&decision.policy, event, now);
                        }
                    }
                    Effect::WithdrawMessages => self.withdraw(&decision.policy, now),
                    Effect::TellOperators { line, .. } => self.told_operators.push(line.clone()),
                    Effect::Message(_) => {}
                }
            }
        }
        if let Some(mail) = mail {
            self.withdraw(&mail.policy, now);
            self.queue(mail.clone(), now);
        }
    }

    fn withdraw(&mut self, policy: &PolicyName, now: Timestamp) {
        for delivery in &mut self.deliveries {
            if delivery.policy == *policy && delivery.outcome == DeliveryOutcome::Open {
                delivery.outcome = DeliveryOutcome::Dropped(now);
            }
        }
    }

    fn queue(&mut self, mail: Message, now: Timestamp) {
        self.deliveries.push(DeliveryFact {
            by: NoticeBy::Mail,
            policy: mail.policy.clone(),
            sequence: mail.sequence,
            moves: mail.moves,
            kind: mail.kind,
            step: mail.step,
            address: mail.address.clone(),
            deadline: Some(mail.deadline),
            outcome: self.server.outcome(now),
            told: self.witnessed,
        });
        self.sent.push((now, mail));
    }

    /// A webhook that serves as notice; its body is written now.
    fn hook(&mut self, policy: &PolicyName, event: &Event, now: Timestamp) {
        self.deliveries.push(DeliveryFact {
            by: NoticeBy::Webhook,
            policy: policy.clone(),
            sequence: event.sequence,
            moves: event.moves,
            kind: event.kind,
            step: event.step,
            address: String::new(),
            deadline: event.deadline,
            outcome: self.server.outcome(now),
            told: false,
        });
    }

    /// The endpoint takes the webhooks that wait, as they were written.
    pub fn accept_webhooks(&mut self, at: Timestamp) -> &mut Self {
        for delivery in &mut self.deliveries {
            if delivery.outcome == DeliveryOutcome::Open {
                delivery.outcome = DeliveryOutcome::Accepted(at);
            }
        }
        self
    }

    /// The server accepts the mail that waits; one that announces names the deadline as of then.
    pub fn accept_what_waits(&mut self, at: Timestamp) -> &mut Self {
        let notice = self.policies[0].min_notice;
        for (delivery, (_, mail)) in self.deliveries.iter_mut().zip(&self.sent) {
            if delivery.outcome == DeliveryOutcome::Open {
                delivery.outcome = DeliveryOutcome::Accepted(at);
                let floor = if mail.announces { at + notice } else { at };
                delivery.deadline = delivery.deadline.max(Some(floor));
            }
        }
        self
    }

    /// The mails, as `d7 window.reminder -7d`.
    pub fn mails(&self) -> Vec<String> {
        self.sent
            .iter()
            .map(|(at, mail)| line(*at, mail.kind, mail.step))
            .collect()
    }

    /// The journal, as `d0 window.opened 0d`.
    pub fn events(&self) -> Vec<String> {
        self.journal
            .iter()
            .map(|(at, _, event)| line(*at, event.kind, event.step))
            .collect()
    }

    /// Whether an event of that kind is in the journal.
    pub fn happened(&self, kind: EventKind) -> bool {
        self.journal.iter().any(|(_, _, event)| event.kind == kind)
    }
}

fn line(at: Timestamp, kind: EventKind, step: Option<Step>) -> String {
    let hours = at.duration_since(day(0)).as_hours();
    let when = match (hours.div_euclid(24), hours.rem_euclid(24)) {
        (day, 0) => format!("d{day}"),
        (day, hour) => format!("d{day}+{hour}h"),
    };
    let step = step.map_or_else(String::new, |step| format!(" {step}"));
    format!("{when} {}{step}", kind.as_str())
}

/// Whether a decision gives that reason.
pub fn says(decision: &Decision, code: ReasonCode) -> bool {
    decision.reasons.iter().any(|reason| reason.code == code)
}
