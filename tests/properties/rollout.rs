//! A small organisation living through a history, and passes over it.
//!
//! What the sources, the store and the courier do around [`decide`] is imitated here as plainly
//! as possible. What the checks compare with — who is where, what reports said — is computed
//! anew from the history, not asked of the code under test.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use fortnight::domain::brake::{self, MassHistory, WouldFlag};
use fortnight::domain::decide::decide;
use fortnight::domain::decision::Decision;
use fortnight::domain::effect::{Effect, Event, Message};
use fortnight::domain::facts::{
    Activity, Channel, DeliveryFact, DeliveryOutcome, Freshness, NoticeBy, World,
};
use fortnight::domain::hold::{self, Hold, HoldKind};
use fortnight::domain::id::{PolicyName, UserId};
use fortnight::domain::language::Manner;
use fortnight::domain::notice;
use fortnight::domain::person::Person;
use fortnight::domain::policy::{Enforce, Policy};
use fortnight::domain::sign_in::{Block, Blocks, Phrase, ResultCodes, SignInClass};
use fortnight::domain::standing::{Enforcement, Standing};
use fortnight::domain::state::State;
use fortnight::domain::window::GraceWindow;
use fortnight::store::load::Dossier;
use jiff::{SignedDuration, Timestamp};

use super::citizen::{Citizen, Configured, Place, beginning, place};
use super::history::{Happening, History, Mailbox, Source, name};

/// How the facts of a history reach the decisions; every way must come to the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Once and in order.
    Plain,
    /// Every source is read twice in every pass.
    Twice,
    /// In another order and in two parts, seeded.
    Shuffled(u64),
    /// A snapshot that is to be rejected does not come at all.
    RejectedDoNotCome,
    /// Only people with something new, or whose next look is due, are decided about.
    OnlyTheDue,
    /// Mail is not configured: webhooks are the notice, and nobody has an address.
    ByWebhook,
}

pub(crate) fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

pub(crate) fn hours(count: i64) -> SignedDuration {
    SignedDuration::from_hours(count)
}

pub(crate) fn days(count: i64) -> SignedDuration {
    hours(24 * count)
}

/// A mail that was queued.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) user: UserId,
    pub(crate) key: String,
    pub(crate) fact: DeliveryFact,
    not_after: Option<Timestamp>,
    announces: bool,
}

/// One person under one policy in one pass.
#[derive(Debug, Clone)]
pub(crate) struct Decided {
    pub(crate) policy: Rc<Policy>,
    pub(crate) user: UserId,
    pub(crate) who: usize,
    pub(crate) place: Place,
    pub(crate) before: Standing,
    pub(crate) decision: Decision,
    pub(crate) flagged: bool,
    pub(crate) approved: bool,
    pub(crate) held: bool,
}

impl Decided {
    pub(crate) fn is(&self, policy: &PolicyName, user: &UserId) -> bool {
        self.policy.name == *policy && self.user == *user
    }

    pub(crate) fn events(&self) -> impl Iterator<Item = &Event> {
        self.decision
            .effects
            .iter()
            .filter_map(|effect| match effect {
                Effect::Event(event) => Some(event),
                _ => None,
            })
    }

    pub(crate) fn messages(&self) -> impl Iterator<Item = &Message> {
        let effects = self.decision.effects.iter();
        effects.filter_map(|effect| match effect {
            Effect::Message(message) => Some(message),
            _ => None,
        })
    }

    /// "ana under p0", to begin a complaint with.
    pub(crate) fn whose(&self) -> String {
        format!("{} under {}", name(self.who), self.policy.name)
    }
}

/// What a pass did.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    pub(crate) at: Timestamp,
    pub(crate) world: World,
    pub(crate) decided: Vec<Decided>,
    pub(crate) holds: Vec<Hold>,
    pub(crate) in_scope: usize,
    /// People flagged in the 24 hours before whom no approval covered.
    pub(crate) recent: BTreeSet<UserId>,
    /// Every (policy, person)'s state, also of those not looked at.
    pub(crate) states: BTreeMap<(PolicyName, UserId), State>,
}

impl Pass {
    pub(crate) fn of(&self, policy: &PolicyName, user: &UserId) -> Option<&Decided> {
        self.decided.iter().find(|one| one.is(policy, user))
    }

    pub(crate) fn new_flags(&self) -> impl Iterator<Item = &Decided> {
        self.decided.iter().filter(|one| one.flagged)
    }

    /// Flags that count: those of policies that are on.
    pub(crate) fn real_flags(&self) -> impl Iterator<Item = &Decided> {
        self.new_flags()
            .filter(|one| one.policy.enforce == Enforce::On)
    }
}

/// The organisation, what the program remembers, and everything that was done so far.
#[derive(Debug, Clone)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not a state"
)]
pub(crate) struct Rollout {
    pub(crate) reading: Reading,
    pub(crate) now: Timestamp,
    pub(crate) people: Vec<Citizen>,
    pub(crate) policies: Vec<Configured>,
    pub(crate) last_policies: Vec<Rc<Policy>>,
    pub(crate) world: World,
    pub(crate) audit_feed: bool,
    pub(crate) lag: i64,
    pub(crate) stale: Vec<Source>,
    pub(crate) empty_report: bool,
    pub(crate) empty_directory: bool,
    pub(crate) everybody_changed: bool,
    pub(crate) ids: i64,
    pub(crate) standings: BTreeMap<(PolicyName, UserId), Standing>,
    pub(crate) next: BTreeMap<(PolicyName, UserId), Option<Timestamp>>,
    pub(crate) states: BTreeMap<(PolicyName, UserId), State>,
    pub(crate) listed: BTreeSet<(PolicyName, UserId)>,
    pub(crate) approved: BTreeSet<(PolicyName, UserId)>,
    pub(crate) approved_at: Option<Timestamp>,
    pub(crate) unapproved_flags: Vec<(Timestamp, UserId)>,
    pub(crate) mails: Vec<Mail>,
    /// Every pass so far; shared, because a repeated pass copies the rest.
    pub(crate) log: Rc<Vec<Pass>>,
}

/// Lives through a history; `check` looks at the rollout after every pass.
pub(crate) fn live<E>(
    history: &History,
    reading: Reading,
    mut check: impl FnMut(&Rollout) -> Result<(), E>,
) -> Result<Rollout, E> {
    let mut rollout = Rollout::new(history, reading);
    let end = [(
        60,
        Happening::Quiet {
            days: 3,
            every_hours: 12,
        },
    )];
    for (after, happening) in history.steps.iter().chain(&end) {
        rollout.now += minutes(*after);
        match happening {
            Happening::Pass => rollout.pass_and(&mut check)?,
            Happening::Quiet {
                days: length,
                every_hours,
            } => {
                let until = rollout.now + days(*length);
                while rollout.now + hours(*every_hours) <= until {
                    rollout.now += hours(*every_hours);
                    rollout.pass_and(&mut check)?;
                }
                rollout.now = until.max(rollout.now);
            }
            other => rollout.happens(other),
        }
    }
    Ok(rollout)
}

fn codes() -> ResultCodes {
    let classes = [
        (0, SignInClass::Completed),
        (50_079, SignInClass::RegistrationInterrupt),
        (53_004, SignInClass::RegistrationBlocked),
        (50_074, SignInClass::MfaChallenge),
        (65_001, SignInClass::PostPrimary),
        (53_003, SignInClass::PolicyBlock),
        (50_058, SignInClass::NotAuthenticated),
        (50_126, SignInClass::CredentialFailure),
        (700_082, SignInClass::TokenExpiry),
    ];
    let phrase = |text: &str| Phrase {
        en: text.to_owned(),
        de: text.to_owned(),
    };
    let blocks = Blocks {
        known: BTreeMap::new(),
        other: Block {
            meaning: phrase("blocked"),
            remedy: phrase("look"),
        },
    };
    ResultCodes::new("test".to_owned(), classes.into_iter().collect(), blocks)
}

impl Rollout {
    fn new(history: &History, reading: Reading) -> Self {
        let policies = history.policies.iter().enumerate();
        Self {
            reading,
            now: beginning(),
            people: history
                .people
                .iter()
                .enumerate()
                .map(|(who, start)| Citizen::new(who, start))
                .collect(),
            policies: policies
                .map(|(number, rule)| Configured {
                    name: PolicyName::new(&format!("p{number}")),
                    rule: rule.clone(),
                    excluded: BTreeSet::new(),
                    unresolved: false,
                    first_pass: None,
                    was_off: false,
                    on_again: None,
                })
                .collect(),
            last_policies: Vec::new(),
            world: World {
                users: None,
                groups: None,
                registration: None,
                sign_ins: None,
                audits: None,
                log_gap: None,
                freshness: Freshness::default(),
                channel: Channel::Works,
                notice_by: if reading == Reading::ByWebhook {
                    NoticeBy::Webhook
                } else {
                    NoticeBy::Mail
                },
                upn_domains: Vec::new(),
                codes: codes(),
                manner: Manner::default(),
            },
            audit_feed: history.audit_feed,
            lag: 0,
            stale: Vec::new(),
            empty_report: false,
            empty_directory: false,
            everybody_changed: false,
            ids: 0,
            standings: BTreeMap::new(),
            next: BTreeMap::new(),
            states: BTreeMap::new(),
            listed: BTreeSet::new(),
            approved: BTreeSet::new(),
            approved_at: None,
            unapproved_flags: Vec::new(),
            mails: Vec::new(),
            log: Rc::default(),
        }
    }

    /// Standings of everybody, as stored.
    pub(crate) fn standings(&self) -> &BTreeMap<(PolicyName, UserId), Standing> {
        &self.standings
    }

    /// The keys of all mails in the order in which they were queued.
    pub(crate) fn keys(&self) -> Vec<&str> {
        self.mails.iter().map(|mail| mail.key.as_str()).collect()
    }

    /// The newest pass.
    pub(crate) fn last(&self) -> &Pass {
        self.log.last().expect("a pass was made")
    }

    fn pass_and<E>(&mut self, check: &mut impl FnMut(&Self) -> Result<(), E>) -> Result<(), E> {
        self.deliver();
        let pass = self.pass();
        Rc::make_mut(&mut self.log).push(pass);
        check(self)?;
        self.now += minutes(1);
        self.deliver();
        Ok(())
    }

    /// The same pass once more, at the same time and with nothing new.
    pub(crate) fn repeated(&self) -> (Pass, Self) {
        let mut again = self.clone();
        let holds = self.last().holds.iter();
        let snapshots = holds.filter(|hold| hold.kind == HoldKind::Snapshot);
        let pass = again.decide_and_store(snapshots.cloned().collect());
        (pass, again)
    }

    fn pass(&mut self) -> Pass {
        let holds = self.read();
        if self.reading == Reading::Twice {
            self.read();
        }
        (self.empty_report, self.empty_directory) = (false, false);
        self.decide_and_store(holds)
    }

    /// What follows the reading: decides, brakes, stores and queues.
    fn decide_and_store(&mut self, mut holds: Vec<Hold>) -> Pass {
        let now = self.now;
        let policies: Vec<Rc<Policy>> = self
            .policies
            .iter_mut()
            .map(|configured| Rc::new(configured.policy(now)))
            .collect();
        if policies != self.last_policies {
            self.everybody_changed = true;
            self.last_policies.clone_from(&policies);
        }
        holds.extend(brake::world_holds(&self.world, now));
        holds.extend(policies.iter().filter_map(|policy| {
            brake::assignment_hold(&policy.name, &policy.assignment.unresolved)
        }));
        let mut decided = self.decide_all(&policies);
        let in_scope = self.in_scope(&policies);
        let recent: BTreeSet<UserId> = self
            .unapproved_flags
            .iter()
            .filter(|(at, _)| now.duration_since(*at) < days(1))
            .map(|(_, user)| user.clone())
            .collect();
        holds.extend(self.brake(&mut decided, &holds, in_scope, recent.clone()));
        self.store(&decided);
        self.everybody_changed = false;
        for citizen in &mut self.people {
            citizen.changed = false;
        }
        Pass {
            at: now,
            world: self.world.clone(),
            decided,
            holds,
            in_scope,
            recent,
            states: self.states.clone(),
        }
    }

    fn dossier(&self, citizen: &Citizen, person: &Person) -> Dossier {
        let mut facts = Dossier {
            groups: citizen.known_groups.clone(),
            registration: citizen.registration.clone(),
            sign_ins: citizen.sign_ins.values().cloned().collect(),
            activity: Activity {
                hinted: citizen.hinted,
                ..Activity::default()
            },
            audits: citizen.audits.values().cloned().collect(),
            acts: citizen.acts.clone(),
            deliveries: self
                .mails
                .iter()
                .filter(|mail| mail.user == citizen.id)
                .map(|mail| mail.fact.clone())
                .collect(),
            standings: self
                .standings
                .iter()
                .filter(|((_, user), _)| *user == citizen.id)
                .map(|((policy, _), standing)| (policy.clone(), standing.clone()))
                .collect(),
            ..Dossier::of(person.clone())
        };
        if let Reading::Shuffled(seed) = self.reading {
            let seed = seed.wrapping_add(self.log.len() as u64);
            shuffle(&mut facts.sign_ins, seed);
            shuffle(&mut facts.audits, seed ^ 1);
            shuffle(&mut facts.deliveries, seed ^ 2);
        }
        facts
    }

    fn decide_all(&self, policies: &[Rc<Policy>]) -> Vec<Decided> {
        let mut decided = Vec::new();
        for (who, citizen) in self.people.iter().enumerate() {
            let Some(person) = &citizen.known else {
                continue;
            };
            let dossier = self.dossier(citizen, person);
            let facts = dossier.facts(&self.world, true);
            for policy in policies {
                let key = (policy.name.clone(), citizen.id.clone());
                if !self.is_due(citizen, &key) {
                    continue;
                }
                let decision = decide(policy, &facts, self.now);
                decided.push(Decided {
                    place: place(policy, citizen, person),
                    before: self.standings.get(&key).cloned().unwrap_or_default(),
                    policy: policy.clone(),
                    user: key.1,
                    who,
                    decision,
                    flagged: false,
                    approved: false,
                    held: false,
                });
            }
        }
        decided
    }

    fn is_due(&self, citizen: &Citizen, key: &(PolicyName, UserId)) -> bool {
        self.reading != Reading::OnlyTheDue
            || citizen.changed
            || self.everybody_changed
            || self
                .next
                .get(key)
                .is_none_or(|next| next.is_some_and(|at| at <= self.now))
    }

    fn in_scope(&self, policies: &[Rc<Policy>]) -> usize {
        let on = || {
            policies
                .iter()
                .filter(|policy| policy.enforce == Enforce::On)
        };
        let is_in = |citizen: &&Citizen| {
            let known = citizen.known.as_ref();
            known.is_some_and(|person| on().any(|policy| place(policy, citizen, person).applies()))
        };
        self.people.iter().filter(is_in).count()
    }

    /// Flags whom no hold stops, and says whether the mass brake held.
    fn brake(
        &mut self,
        decided: &mut [Decided],
        holds: &[Hold],
        in_scope: usize,
        recent: BTreeSet<UserId>,
    ) -> Option<Hold> {
        let now = self.now;
        if self
            .approved_at
            .is_some_and(|at| !hold::is_approved(at, now))
        {
            self.approved.clear();
        }
        for one in decided.iter_mut() {
            one.held = holds.iter().any(|hold| hold.stops(&one.policy.name));
        }
        let would_be = |one: &Decided| one.decision.would_flag && !one.held;
        let real: Vec<WouldFlag> = decided
            .iter()
            .filter(|one| would_be(one) && one.policy.enforce == Enforce::On)
            .map(|one| WouldFlag {
                policy: one.policy.name.clone(),
                user: one.user.clone(),
            })
            .collect();
        let history = MassHistory {
            recent,
            approved: self.approved.clone(),
            in_scope,
        };
        let (go, hold) = brake::mass(real, &history);
        for one in decided.iter_mut() {
            let real = one.policy.enforce == Enforce::On;
            if !would_be(one) || (real && !go.iter().any(|flag| one.is(&flag.policy, &flag.user))) {
                continue;
            }
            let citizen = &self.people[one.who];
            let person = citizen
                .known
                .as_ref()
                .expect("only known people are decided about");
            let dossier = self.dossier(citizen, person);
            let facts = dossier.facts(&self.world, true);
            one.decision = one.decision.clone().flagged(&one.policy, &facts, now);
            one.flagged = true;
            one.approved = self
                .approved
                .contains(&(one.policy.name.clone(), one.user.clone()));
        }
        let flags = decided
            .iter()
            .filter(|one| one.flagged && one.policy.enforce == Enforce::On && !one.approved);
        self.unapproved_flags
            .extend(flags.map(|one| (now, one.user.clone())));
        self.listed = hold
            .as_ref()
            .map(|hold| hold.people.clone())
            .unwrap_or_default();
        hold
    }

    /// Keeps the standings, withdraws what is no longer true, and queues one mail per person.
    fn store(&mut self, decided: &[Decided]) {
        for one in decided {
            let key = (one.policy.name.clone(), one.user.clone());
            self.standings
                .insert(key.clone(), one.decision.standing.clone());
            self.next
                .insert(key.clone(), one.decision.next.map(|next| next.at));
            self.states.insert(key, one.decision.state);
            if one.decision.effects.contains(&Effect::WithdrawMessages) {
                self.drop_open(|mail| mail.user == one.user && mail.fact.policy == one.policy.name);
            }
            if self.reading == Reading::ByWebhook {
                self.announce(one);
            }
        }
        for user in self
            .people
            .iter()
            .map(|one| one.id.clone())
            .collect::<Vec<_>>()
        {
            let mut mine: Vec<Decision> = decided
                .iter()
                .filter(|one| one.user == user)
                .map(|one| one.decision.clone())
                .collect();
            if let Reading::Shuffled(_) = self.reading {
                mine.reverse();
            }
            let (Some(message), _) = notice::choose(&mine) else {
                continue;
            };
            self.drop_open(|mail| mail.user == user && mail.fact.policy == message.policy);
            self.mails.push(Mail {
                key: message.key(&user),
                user,
                fact: DeliveryFact {
                    by: NoticeBy::Mail,
                    policy: message.policy.clone(),
                    sequence: message.sequence,
                    moves: message.moves,
                    kind: message.kind,
                    step: message.step,
                    address: message.address.clone(),
                    deadline: Some(message.deadline),
                    outcome: DeliveryOutcome::Open,
                    told: false,
                },
                not_after: message.not_after,
                announces: message.announces,
            });
        }
    }

    /// Queues the webhooks that serve as notice, as they are worded now.
    fn announce(&mut self, one: &Decided) {
        let notices = one
            .events()
            .filter(|event| event.kind.announces() && !event.rehearsed);
        for event in notices {
            self.drop_open(|mail| mail.user == one.user && mail.fact.policy == one.policy.name);
            self.mails.push(Mail {
                key: event.key(&one.policy.name, &one.user),
                user: one.user.clone(),
                fact: DeliveryFact {
                    by: NoticeBy::Webhook,
                    policy: one.policy.name.clone(),
                    sequence: event.sequence,
                    moves: event.moves,
                    kind: event.kind,
                    step: event.step,
                    address: String::new(),
                    deadline: event.deadline,
                    outcome: DeliveryOutcome::Open,
                    told: false,
                },
                not_after: None,
                announces: false,
            });
        }
    }

    fn drop_open(&mut self, which: impl Fn(&Mail) -> bool) {
        let now = self.now;
        for mail in &mut self.mails {
            if mail.fact.outcome == DeliveryOutcome::Open && which(mail) {
                mail.fact.outcome = DeliveryOutcome::Dropped(now);
            }
        }
    }

    /// The courier tries what waits; an announcement names the deadline as of its attempt.
    fn deliver(&mut self) {
        let now = self.now;
        if self.world.channel != Channel::Works {
            return;
        }
        for mail in &mut self.mails {
            if mail.fact.outcome != DeliveryOutcome::Open {
                continue;
            }
            let Some(citizen) = self.people.iter_mut().find(|one| one.id == mail.user) else {
                continue;
            };
            if mail.not_after.is_some_and(|end| end < now) {
                mail.fact.outcome = DeliveryOutcome::Dropped(now);
                citizen.changed = true;
                continue;
            }
            let policy = self
                .last_policies
                .iter()
                .find(|one| one.name == mail.fact.policy);
            let key = (mail.fact.policy.clone(), mail.user.clone());
            if let (true, Some(policy), Some(standing)) =
                (mail.announces, policy, self.standings.get(&key))
                && let GraceWindow::Open(run) = &standing.window
                && standing.sequence == mail.fact.sequence
            {
                mail.fact.deadline = Some(run.deadline(policy, now));
            }
            mail.fact.outcome = match citizen.does {
                Mailbox::Accepts => DeliveryOutcome::Accepted(now),
                Mailbox::Refuses => DeliveryOutcome::Refused(now),
                // Lost, and once more: it is not sent again.
                Mailbox::Loses => DeliveryOutcome::Dropped(now),
                Mailbox::Defers => continue,
            };
            citizen.changed = true;
        }
    }
}

/// Whether a flag stands, of a policy that is on.
pub(crate) fn has_flag(standing: &Standing) -> bool {
    matches!(standing.enforcement, Enforcement::Needed { .. })
}

/// A shuffle that depends on the seed alone.
fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed | 1;
    for at in (1..items.len()).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from(state >> 33).unwrap_or(0) % (at + 1);
        items.swap(at, other);
    }
}
