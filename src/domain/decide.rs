//! The product in one function: one person under one policy, now.
//!
//! [`decide`] looks at facts and at what it remembered last time, follows the transitions of
//! domain 8.3 in the order in which they can affect one another, and says where the person
//! stands, why, what is to be done and when to look again. It never flags by itself: that a
//! person *would* be flagged is for [`super::brake`] to judge together with all others.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::assignment::Include;
use super::audit::AuditKind;
use super::effect::{Effect, Event};
use super::explain::days;
use super::facts::{ActKind, Channel, DeliveryFact, DeliveryOutcome, OperatorAct, PersonFacts};
use super::id::PolicyName;
use super::message::EventKind;
use super::notice;
use super::policy::{Enforce, Policy, Step};
use super::reason::{Reason, ReasonCode};
use super::registration::{LOSS_CONFIRMED_AFTER, LostRegistration, Verdict, verdict};
use super::scope::{PausedBy, Scope, scope};
use super::standing::{Enforcement, ScopeMemory, Standing};
use super::state::State;
use super::window::{DUE_SOON, GraceWindow, InvalidTransition, Told, Unreachable, later};

/// An event in the log holds reminders and the flag this long (T7, contract 7.12).
const REPORTED_HOLD: SignedDuration = SignedDuration::from_hours(24);
/// All such events of a window together hold no longer than this.
const REPORTED_HOLD_IN_ALL: SignedDuration = SignedDuration::from_hours(72);
/// An announcement that another mail displaced is looked at again this soon.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

/// What follows for one person under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which policy.
    pub policy: PolicyName,
    /// The one word for it.
    pub state: State,
    /// Why, in the order in which it was found out.
    pub reasons: Vec<Reason>,
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// What to remember.
    pub standing: Standing,
    /// When to look again, and for what.
    pub next: Option<Next>,
    /// Whether the person counts as registered.
    pub registered: bool,
    /// The deadline as of now, where a window is open, elapsed or closed.
    pub deadline: Option<Timestamp>,
    /// What is left, also of a paused window.
    pub remaining: Option<SignedDuration>,
    /// What keeps a person whose deadline has passed from being flagged.
    pub waits: Vec<Wait>,
    /// Everything is proven: the person is flagged unless a brake holds.
    pub would_flag: bool,
}

/// When to look again, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// For what.
    #[serde(flatten)]
    pub action: NextAction,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "action", content = "step", rename_all = "snake_case")]
pub enum NextAction {
    /// A step of the policy's reminders falls due.
    Reminder(Step),
    /// The deadline passes.
    Deadline,
    /// A flag is checked again at every pass.
    CheckFlag,
    /// A wait ends.
    WaitEnds,
    /// A sign-in dated in the future comes due.
    SignInDue,
    /// At most three days are left from then on.
    DueSoon,
}

/// What keeps a person whose deadline has passed from being flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Nobody knows whether the person is registered.
    RegistrationUnknown,
    /// The log says registered; until then.
    Reported(Timestamp),
    /// The registration report is older than this deadline (T8).
    Proof(Timestamp),
    /// No notice was accepted long enough ago (R7); until then, if it was accepted.
    Notice(Option<Timestamp>),
    /// Nobody can be reached; until then, while the channel works (R8).
    Unreachable(Timestamp),
    /// Registration was blocked a short while ago (R11); until then.
    Blocked(Timestamp),
    /// The person left an exclusion; a users snapshot of then or later is wanted.
    LeftExclusion(Timestamp),
    /// Mail does not connect or log in: every flag waits that does not go without notice (7.11).
    ChannelDown,
}

/// Decides about one person under one policy.
#[must_use]
pub fn decide(policy: &Policy, facts: &PersonFacts<'_>, now: Timestamp) -> Decision {
    let mut case = Case::new(policy, facts, now);
    case.follow_switch();
    // Before anything can move a deadline, since what was told is what moves.
    case.follow_deliveries();
    case.follow_acts();
    let scope = scope(policy, facts, case.standing.closed_by_operator);
    let verdict = verdict(
        facts.registration.as_ref(),
        &facts.audits,
        policy.accept_passwordless,
        facts.world.registration,
    );
    let applies = matches!(scope, Scope::In(_));
    case.since = case.follow_scope(&scope);
    case.follow_registration(&scope, verdict);
    case.since = case.since.max(case.since_memory());
    case.follow_length();
    if applies || scope == Scope::Disabled {
        // A sign-in made while enabled opens the window even if the person is disabled by now.
        case.follow_sign_ins(verdict);
    }
    if applies {
        // An act may have moved the deadline behind what an accepted mail names.
        case.follow_deliveries();
        case.tell();
        case.judge(verdict);
    } else {
        case.stop();
    }
    case.finish(&scope, verdict)
}

/// A decision in the making.
pub(super) struct Case<'a> {
    pub(super) policy: &'a Policy,
    pub(super) facts: &'a PersonFacts<'a>,
    pub(super) now: Timestamp,
    pub(super) standing: Standing,
    pub(super) reasons: Vec<Reason>,
    pub(super) effects: Vec<Effect>,
    pub(super) waits: Vec<Wait>,
    /// Sign-ins made earlier do not count (domain 8.2).
    pub(super) since: Timestamp,
    pub(super) reported_until: Option<Timestamp>,
    pub(super) would_flag: bool,
    pub(super) wake: Vec<Next>,
}

impl<'a> Case<'a> {
    fn new(policy: &'a Policy, facts: &'a PersonFacts<'a>, now: Timestamp) -> Self {
        Self {
            policy,
            facts,
            now,
            standing: facts
                .standings
                .get(&policy.name)
                .cloned()
                .unwrap_or_default(),
            reasons: Vec::new(),
            effects: Vec::new(),
            waits: Vec::new(),
            since: Timestamp::MAX,
            reported_until: None,
            would_flag: false,
            wake: Vec::new(),
        }
    }

    pub(super) fn because(
        &mut self,
        code: ReasonCode,
        text: impl Into<String>,
        at: impl Into<Option<Timestamp>>,
    ) {
        self.reasons.push(Reason::new(code, text, at));
    }

    pub(super) fn event(&mut self, kind: EventKind, step: Option<Step>) {
        let run = self.standing.window.run();
        self.effects.push(Effect::Event(Event {
            kind,
            step,
            sequence: self.standing.sequence,
            moves: run.map_or(0, |run| run.moves),
            opened_at: run.map(|run| run.opened_at),
            deadline: run.map(|run| run.deadline(self.policy, self.now)),
        }));
    }

    /// Applies a transition that the match before it has made sure of.
    pub(super) fn turn(
        &mut self,
        transition: impl FnOnce(GraceWindow) -> Result<GraceWindow, InvalidTransition>,
    ) -> bool {
        match transition(self.standing.window.clone()) {
            Ok(window) => {
                self.standing.window = window;
                true
            }
            Err(_) => false,
        }
    }

    /// Report-only → on forgets what was only rehearsed; whatever comes after on takes flags back
    /// (contract 7.19).
    fn follow_switch(&mut self) {
        let before = self.standing.enforce.replace(self.policy.enforce);
        match (before, self.policy.enforce) {
            (Some(Enforce::ReportOnly), Enforce::On) => {
                if let Enforcement::WouldNeed { .. } = self.standing.enforcement {
                    self.standing.enforcement = Enforcement::None;
                    self.turn(GraceWindow::unflag);
                }
                if let GraceWindow::Open(run) = &self.standing.window {
                    self.standing.window = GraceWindow::Open(run.clone().announced_anew(self.now));
                    self.because(ReasonCode::EnforceChanged, "the policy was switched from report-only to on; what was only rehearsed is announced now", self.now);
                    self.event(EventKind::WindowOpened, Some(Step::OPENING));
                }
            }
            (Some(Enforce::On), Enforce::ReportOnly | Enforce::Off) => {
                self.release("the policy is no longer on");
                self.effects.push(Effect::WithdrawMessages);
            }
            _ => {}
        }
    }

    /// Takes a flag back at once; no brake delays it (contract 7.5).
    pub(super) fn release(&mut self, why: &str) {
        match self.standing.enforcement {
            Enforcement::Needed { .. } => {
                self.turn(GraceWindow::unflag);
                self.standing.enforcement = Enforcement::Released { at: self.now };
                self.because(ReasonCode::Released, why, self.now);
                self.event(EventKind::EnforcementReleased, None);
                self.effects.push(Effect::WithdrawMessages);
            }
            Enforcement::WouldNeed { .. } => {
                self.turn(GraceWindow::unflag);
                self.standing.enforcement = Enforcement::None;
            }
            Enforcement::None | Enforcement::Released { .. } => {}
        }
    }

    /// What operators did since the last decision (T18).
    fn follow_acts(&mut self) {
        let facts = self.facts;
        for act in &facts.acts {
            let mine = act
                .policy
                .as_ref()
                .is_none_or(|policy| *policy == self.policy.name);
            if act.id > self.standing.last_act && mine {
                self.standing.last_act = act.id;
                self.apply(act);
            }
        }
    }

    fn apply(&mut self, act: &OperatorAct) {
        let did = match act.kind {
            ActKind::Extend { days } => {
                let by = SignedDuration::from_hours(24 * i64::from(days));
                let policy = self.policy;
                let extended = self.turn(|window| window.extend(policy, by, act.at));
                if extended {
                    if !matches!(self.standing.window, GraceWindow::Paused { .. }) {
                        self.event(EventKind::WindowExtended, None);
                    }
                    self.release("an operator extended the window");
                    format!("extended the window by {days} days")
                } else {
                    format!("extended by {days} days, but no window is open")
                }
            }
            ActKind::Reset => {
                self.release("an operator reset the window");
                self.effects.push(Effect::WithdrawMessages);
                self.standing.window = GraceWindow::default();
                self.standing.scope = self.counts_from(act.at);
                "reset the window: the next qualifying sign-in opens a full one".to_owned()
            }
            ActKind::Close => {
                self.standing.closed_by_operator = true;
                "closed the window until it is reopened".to_owned()
            }
            ActKind::Reopen => {
                self.standing.closed_by_operator = false;
                "reopened the window".to_owned()
            }
        };
        let text = format!("{} {did}: {}", act.by, act.reason);
        self.because(ReasonCode::OperatorAct, text, act.at);
    }

    /// Coming into scope and leaving it (T1, T11–T15). Says since when sign-ins count.
    fn follow_scope(&mut self, scope: &Scope) -> Timestamp {
        let memory = self.standing.scope;
        match scope {
            Scope::In(_) => return self.enter(memory, true),
            Scope::Disabled if !self.is_stopped() => return self.enter(memory, false),
            Scope::Exempt(_) => self.standing.scope = ScopeMemory::Excluded,
            Scope::Gone { .. } | Scope::Paused(PausedBy::Operator) => self.leave(memory),
            Scope::Disabled if self.standing.closed_by_operator => self.leave(memory),
            // Whoever was never in has nothing to remember.
            Scope::OutOfScope
            | Scope::NotEligible(_)
            | Scope::Disabled
            | Scope::Paused(PausedBy::Policy) => {
                if matches!(memory, ScopeMemory::Since(_)) {
                    self.leave(memory);
                }
            }
        }
        Timestamp::MAX
    }

    /// The policy is off or an operator closed the window: that outlasts being disabled.
    pub(super) fn is_stopped(&self) -> bool {
        self.policy.enforce == Enforce::Off || self.standing.closed_by_operator
    }

    fn leave(&mut self, memory: ScopeMemory) {
        if memory != ScopeMemory::Excluded {
            self.standing.scope = ScopeMemory::Out;
        }
    }

    fn enter(&mut self, memory: ScopeMemory, resume: bool) -> Timestamp {
        let policy = self.policy;
        let since = match memory {
            ScopeMemory::Since(since) => since,
            ScopeMemory::Unremarkable => {
                let by_name_or_group = !matches!(policy.assignment.include, Include::AllUsers);
                let since = self.first_since();
                if by_name_or_group {
                    self.standing.scope = ScopeMemory::Since(since);
                }
                since
            }
            ScopeMemory::Excluded | ScopeMemory::Out => {
                self.standing.scope = ScopeMemory::Since(self.now);
                self.now
            }
        };
        if memory == ScopeMemory::Excluded {
            self.standing.left_exclusion = self.facts.world.users.or(Some(self.now));
        }
        let now = self.now;
        if resume && matches!(self.standing.window, GraceWindow::Paused { .. }) {
            self.follow_length();
            self.turn(|window| window.resume(policy, now));
            self.event(EventKind::WindowResumed, None);
        }
        since
    }

    /// Since when somebody is in scope of whom nothing is remembered (contract 7.1).
    fn first_since(&self) -> Timestamp {
        let policy = self.policy;
        let by_name_or_group = !matches!(policy.assignment.include, Include::AllUsers);
        let seen_later = by_name_or_group && self.now > policy.first_pass;
        let begin = if seen_later { self.now } else { policy.since };
        begin
            .max(self.facts.person.created_at.unwrap_or(begin))
            .max(policy.on_again.unwrap_or(begin))
    }

    /// The memory after a reset: sign-ins made before it no longer count, but who is not in
    /// scope does not come into it that way, and nobody earlier than without it.
    fn counts_from(&self, at: Timestamp) -> ScopeMemory {
        match self.standing.scope {
            ScopeMemory::Since(since) => ScopeMemory::Since(since.max(at)),
            ScopeMemory::Unremarkable => ScopeMemory::Since(self.first_since().max(at)),
            out @ (ScopeMemory::Excluded | ScopeMemory::Out) => out,
        }
    }

    /// The memory may have moved since it was read: a reset or a confirmed loss counts from now.
    fn since_memory(&self) -> Timestamp {
        match self.standing.scope {
            ScopeMemory::Since(since) => since,
            ScopeMemory::Unremarkable | ScopeMemory::Excluded | ScopeMemory::Out => Timestamp::MIN,
        }
    }

    /// A longer window moves open ones out and adds to paused remainders (T19, contract 7.2).
    fn follow_length(&mut self) {
        let length = self.policy.window;
        match &mut self.standing.window {
            GraceWindow::Open(run) if length > run.length => {
                let told = run.told.is_some();
                let excess = length - run.length;
                *run = run.clone().lengthened(length);
                let text = format!("the configured window grew by {}", days(excess));
                self.because(ReasonCode::WindowLengthened, text, self.now);
                if told {
                    self.event(EventKind::WindowExtended, None);
                }
            }
            GraceWindow::Paused { run, remaining } => {
                *remaining += (length - run.length).max(SignedDuration::ZERO);
                run.length = run.length.max(length);
            }
            GraceWindow::Elapsed(run) => run.length = run.length.max(length),
            _ => {}
        }
    }

    /// What became of the mails: a notice fixes the deadline, a refusal starts R8's clock.
    fn follow_deliveries(&mut self) {
        let (facts, policy) = (self.facts, self.policy);
        let never_queued = self.announcement_was_never_queued() && !self.a_mail_waits();
        let (GraceWindow::Open(run) | GraceWindow::Elapsed(run)) = &mut self.standing.window else {
            return;
        };
        if run.told.is_none() {
            run.told = notice::accepted(run, policy, self.standing.sequence, &facts.deliveries);
        }
        if run.told.is_some() || facts.world.channel == Channel::None {
            run.unreachable = None;
            return;
        }
        let address = notice::address(facts);
        let found_an_address = address.is_some()
            && run
                .unreachable
                .as_ref()
                .is_some_and(|unreachable| unreachable.address.as_deref() != address);
        if found_an_address {
            run.unreachable = None;
        }
        if found_an_address || never_queued {
            run.begun = false;
            run.retry = true;
        }
        if run.unreachable.is_none() && policy.enforce == Enforce::On {
            run.unreachable = notice::refused(run.untold_since, address, &facts.deliveries);
        }
    }

    /// Another policy's mail was chosen instead of the announcement (contract 7.17), and neither
    /// it nor a step to come tells the person: without a second try nobody ever would.
    fn announcement_was_never_queued(&self) -> bool {
        let GraceWindow::Open(run) = &self.standing.window else {
            return false;
        };
        let own = |delivery: &DeliveryFact| {
            delivery.policy == self.policy.name
                && delivery.sequence == self.standing.sequence
                && delivery.moves == run.moves
        };
        self.policy.enforce == Enforce::On
            && run.begun
            && run.messages > 0
            && run.unreachable.is_none()
            && !self.facts.deliveries.iter().any(own)
            && !notice::a_later_step_tells(
                run,
                self.policy,
                self.now,
                run.deadline(self.policy, self.now),
            )
    }

    /// Whether a mail to the person waits, or did until this very pass: nothing is announced anew
    /// beside it, and a pass repeated at once queues nothing.
    fn a_mail_waits(&self) -> bool {
        self.facts
            .deliveries
            .iter()
            .any(|delivery| match delivery.outcome {
                DeliveryOutcome::Open => true,
                DeliveryOutcome::Dropped(at) => at >= self.now,
                DeliveryOutcome::Accepted(_) | DeliveryOutcome::Refused(_) => false,
            })
    }

    /// Queues the message that is due, if one is (contract 7.18).
    fn tell(&mut self) {
        let GraceWindow::Open(run) = &self.standing.window else {
            return;
        };
        // A sign-in may be dated a little ahead, and what is reported holds in the meantime too.
        self.reported_until = self
            .reported(run.opened_at.min(self.now))
            .filter(|until| *until > self.now);
        if let Some(until) = self.reported_until {
            self.wake.push(Next {
                at: until,
                action: NextAction::WaitEnds,
            });
            return;
        }
        let due = notice::due(run, self.policy, self.now);
        for step in &due.overtaken {
            let text = format!("the step {step} was overtaken");
            self.because(ReasonCode::StepOvertaken, text, self.now);
        }
        let GraceWindow::Open(run) = &mut self.standing.window else {
            return;
        };
        run.begun = true;
        run.retry = false;
        run.dealt.extend(due.overtaken);
        if let Some((kind, step)) = due.message {
            run.dealt.extend(step);
            if kind == EventKind::WindowReminder {
                self.event(kind, step);
            }
            self.message(kind, step);
        }
    }

    /// Until when events in the log hold reminders and the flag (T7, contract 7.12).
    fn reported(&self, begin: Timestamp) -> Option<Timestamp> {
        let mut events: Vec<Timestamp> = self
            .facts
            .audits
            .iter()
            .filter(|event| event.kind == AuditKind::Registered && event.at <= self.now)
            .map(|event| event.at)
            .collect();
        events.sort_unstable();
        let (mut left, mut until) = (REPORTED_HOLD_IN_ALL, None::<Timestamp>);
        for at in events {
            let from = until.unwrap_or(begin).max(at);
            let held = later(at, REPORTED_HOLD)
                .duration_since(from)
                .clamp(SignedDuration::ZERO, left);
            left -= held;
            until = Some(later(from, held));
        }
        until
    }

    /// A message to the person: queued, or in report-only taken as accepted (contract 7.19).
    pub(super) fn message(&mut self, kind: EventKind, step: Option<Step>) {
        let address = notice::address(self.facts).map(ToOwned::to_owned);
        let now = self.now;
        let policy = self.policy;
        let sequence = self.standing.sequence;
        let Some(run) = self.standing.window.run_mut() else {
            return;
        };
        let deadline = run.deadline(policy, now);
        let by_mail = self.facts.world.channel != Channel::None;
        if by_mail && address.is_none() {
            if run.told.is_none() && kind.announces() {
                run.unreachable.get_or_insert(Unreachable {
                    since: now,
                    address: None,
                });
            }
            return;
        }
        if policy.enforce == Enforce::ReportOnly {
            if kind.announces() {
                run.told.get_or_insert(Told { at: now, deadline });
                // A notice was taken as accepted: the person was reached.
                run.unreachable = None;
            }
            return;
        }
        let Some(address) = address.filter(|_| by_mail) else {
            return;
        };
        run.messages += 1;
        let message = notice::message(run, policy, sequence, kind, step, address, deadline, now);
        self.effects.push(Effect::Message(message));
    }

    /// The policy does not apply: the clock stops, a flag goes, what waits is withdrawn.
    fn stop(&mut self) {
        self.release("the policy no longer applies");
        let (policy, now) = (self.policy, self.now);
        if self.turn(|window| window.pause(policy, now)) {
            self.event(EventKind::WindowPaused, None);
            self.effects.push(Effect::WithdrawMessages);
        }
    }
}

impl Case<'_> {
    /// Derives the state, its reasons and the next look.
    fn finish(mut self, scope: &Scope, verdict: Verdict) -> Decision {
        self.explain_scope(scope);
        self.explain_registration(verdict);
        self.explain_window(scope, verdict);
        let state = self.state(scope, verdict);
        let now = self.now;
        let policy = self.policy;
        let (deadline, remaining) = match &self.standing.window {
            GraceWindow::NotOpened { .. } => (None, None),
            GraceWindow::Open(run) | GraceWindow::Elapsed(run) => {
                let deadline = run.deadline(policy, now);
                (
                    Some(deadline),
                    Some(deadline.duration_since(now).max(SignedDuration::ZERO)),
                )
            }
            GraceWindow::Paused { remaining, .. } => (None, Some(*remaining)),
            GraceWindow::Closed {
                deadline,
                remaining,
                ..
            } => (*deadline, Some(*remaining)),
        };
        self.wake_for_window(scope);
        self.wake_for_registration(scope, verdict);
        Decision {
            policy: policy.name.clone(),
            state,
            reasons: self.reasons,
            effects: self.effects,
            next: self.wake.into_iter().min_by_key(|next| next.at),
            registered: matches!(verdict, Verdict::Done | Verdict::DoneUnconfirmed { .. }),
            deadline,
            remaining,
            waits: self.waits,
            would_flag: self.would_flag,
            standing: self.standing,
        }
    }

    /// When the window wants to be looked at again.
    fn wake_for_window(&mut self, scope: &Scope) {
        let (GraceWindow::Open(run), Scope::In(_)) = (&self.standing.window, scope) else {
            return;
        };
        let now = self.now;
        let deadline = run.deadline(self.policy, now);
        if deadline <= now {
            self.wake.push(Next {
                at: deadline,
                action: NextAction::CheckFlag,
            });
            return;
        }
        self.wake.push(Next {
            at: deadline,
            action: NextAction::Deadline,
        });
        if self.announcement_was_never_queued() {
            self.wake.push(Next {
                at: later(now, LOOK_AGAIN),
                action: NextAction::WaitEnds,
            });
        }
        if run.told.is_none() && run.unreachable.is_none() {
            // The deadline moves on with the present, until steps longer than the window fit in.
            let length = deadline.duration_since(run.opened_at);
            let fits = self.policy.reminders.iter().filter_map(|step| match step {
                Step::BeforeDeadline(before) if *before > length => Some((
                    later(run.opened_at, *before - self.policy.notice_floor()),
                    *step,
                )),
                Step::BeforeDeadline(_) | Step::AfterOpening(_) => None,
            });
            self.wake.extend(fits.min().map(|(at, step)| Next {
                at,
                action: NextAction::Reminder(step),
            }));
        }
        if self.reported_until.is_none() {
            // What is past was dealt with when this pass chose what to tell.
            let step = notice::steps(run, self.policy, deadline)
                .filter(|(_, step)| !run.dealt.contains(step))
                .min();
            self.wake.extend(step.map(|(at, step)| Next {
                at,
                action: NextAction::Reminder(step),
            }));
        }
        let due_soon = later(deadline, -DUE_SOON);
        if due_soon > now {
            self.wake.push(Next {
                at: due_soon,
                action: NextAction::DueSoon,
            });
        }
    }

    /// When what is believed of the registration can change without a new fact about the person.
    fn wake_for_registration(&mut self, scope: &Scope, verdict: Verdict) {
        if let (Verdict::DoneUnconfirmed { missing_since, .. }, false) =
            (verdict, matches!(scope, Scope::Gone { .. }))
        {
            // The next report may confirm the loss by its date alone, its row being the same.
            self.wake.push(Next {
                at: later(missing_since, LOSS_CONFIRMED_AFTER),
                action: NextAction::WaitEnds,
            });
        }
        let no_window = matches!(
            self.standing.window,
            GraceWindow::NotOpened { .. } | GraceWindow::Closed { .. }
        );
        let facts = self.facts;
        let reported = facts
            .audits
            .iter()
            .filter(|event| event.kind == AuditKind::Registered)
            .flat_map(|event| {
                let end = no_window.then(|| later(event.at, REPORTED_HOLD));
                [Some(event.at), end]
            })
            .flatten()
            .filter(|at| *at > self.now)
            .min();
        self.wake.extend(reported.map(|at| Next {
            at,
            action: NextAction::WaitEnds,
        }));
    }

    /// The first that fits, in the order of contract 4.
    fn state(&self, scope: &Scope, verdict: Verdict) -> State {
        match scope {
            Scope::Gone { .. } => return State::Gone,
            Scope::OutOfScope => return State::OutOfScope,
            Scope::NotEligible(_) => return State::NotEligible,
            Scope::Exempt(_) => return State::Exempt,
            Scope::Disabled => return State::Disabled,
            Scope::Paused(_) => return State::Paused,
            Scope::In(_) => {}
        }
        if matches!(verdict, Verdict::Done | Verdict::DoneUnconfirmed { .. }) {
            return State::Registered;
        }
        if self.standing.is_flagged() {
            return State::EnforcementNeeded;
        }
        if self.reported_until.is_some() || self.reported_without_window() {
            return State::RegistrationReported;
        }
        if matches!(
            verdict,
            Verdict::Unknown { .. } | Verdict::Lost(LostRegistration { absent: true, .. })
        ) {
            return State::Unknown;
        }
        match &self.standing.window {
            GraceWindow::Open(run) | GraceWindow::Elapsed(run) => {
                let left = run.deadline(self.policy, self.now).duration_since(self.now);
                match left {
                    left if left <= SignedDuration::ZERO => State::OverdueChecking,
                    left if left <= DUE_SOON => State::DueSoon,
                    _ => State::InGrace,
                }
            }
            GraceWindow::NotOpened { .. }
            | GraceWindow::Paused { .. }
            | GraceWindow::Closed { .. } => State::WaitingFirstSignIn,
        }
    }

    /// An event says registered within the last day, and no window is open that could wait for it.
    fn reported_without_window(&self) -> bool {
        matches!(
            self.standing.window,
            GraceWindow::NotOpened { .. } | GraceWindow::Closed { .. }
        ) && self.facts.audits.iter().any(|event| {
            event.kind == AuditKind::Registered
                && event.at <= self.now
                && later(event.at, REPORTED_HOLD) > self.now
        })
    }
}

impl Decision {
    /// The flag that a brake let through (T9).
    #[must_use]
    pub fn flagged(mut self, policy: &Policy, facts: &PersonFacts<'_>, now: Timestamp) -> Self {
        let mut case = Case::new(policy, facts, now);
        case.standing = self.standing;
        let unreachable = case
            .standing
            .window
            .run()
            .is_some_and(|run| run.unreachable.is_some());
        if case.turn(GraceWindow::elapse) {
            case.standing.enforcement = if policy.enforce == Enforce::ReportOnly {
                Enforcement::WouldNeed { at: now }
            } else {
                Enforcement::Needed { at: now }
            };
            case.because(
                ReasonCode::DeadlinePassed,
                "the deadline passed and everything was proven",
                now,
            );
            if unreachable {
                case.because(
                    ReasonCode::Unreachable,
                    "nobody could be reached for seven days after the deadline",
                    now,
                );
            }
            case.event(EventKind::EnforcementNeeded, None);
            case.effects.push(Effect::WithdrawMessages);
            case.message(EventKind::EnforcementNeeded, None);
        }
        self.standing = case.standing;
        self.reasons.append(&mut case.reasons);
        // A step that fell due in the same pass is overtaken by the flag.
        self.effects
            .retain(|effect| !matches!(effect, Effect::Message(_)));
        self.effects.append(&mut case.effects);
        self.state = if self.standing.is_flagged() {
            State::EnforcementNeeded
        } else {
            self.state
        };
        self.would_flag = false;
        self.next = None;
        self
    }
}

#[cfg(test)]
mod tests;
