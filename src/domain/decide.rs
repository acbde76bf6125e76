//! The product in one function: one person under one policy, now.
//!
//! [`decide`] looks at facts and at what it remembered last time, follows the transitions of
//! docs/rules.md in the order in which they can affect one another, and says where the person
//! stands, why, what is to be done and when to look again. It never flags by itself: that a
//! person *would* be flagged is for [`super::brake`] to judge together with all others.
//!
//! Each step is a method of `Case`, most in a file of their own: `acts`, `entering`, `losses`,
//! `prompts`, `telling` and `judge` in the order in which they come; `explain` and `wake` end it.

use jiff::{SignedDuration, Timestamp};

use super::decision::{Decision, Next, Shown, Wait};
use super::effect::{Effect, Event};
use super::facts::PersonFacts;
use super::message::EventKind;
use super::policy::{Enforce, Policy, Step};
use super::reason::{Reason, ReasonCode, days};
use super::registration::{LostRegistration, Verdict, verdict};
use super::scope::{Scope, scope};
use super::standing::{Enforcement, ScopeMemory, Standing};
use super::state::State;
use super::window::{DUE_SOON, GraceWindow, InvalidTransition};

/// Decides about one person under one policy.
#[must_use]
pub fn decide(policy: &Policy, facts: &PersonFacts<'_>, now: Timestamp) -> Decision {
    let mut case = Case::new(policy, facts, now);
    case.follow_clock();
    case.follow_switch();
    // Before anything can move a deadline, since what was told is what moves.
    case.follow_deliveries();
    case.follow_acts();
    let (scope, verdict) = case.follow_facts(now);
    if matches!(scope, Scope::In(_)) {
        // An act may have moved the deadline behind what an accepted mail names.
        case.follow_deliveries();
        // Whoever may be excluded is neither asked nor told.
        if !policy.assignment.excludes_unread() {
            case.tell();
        }
        case.judge(verdict);
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
    /// Sign-ins made earlier do not count (rule 7.1).
    pub(super) since: Timestamp,
    pub(super) reported_until: Option<Timestamp>,
    pub(super) would_flag: bool,
    pub(super) shown: Shown,
    pub(super) wake: Vec<Next>,
}

impl<'a> Case<'a> {
    pub(super) fn new(policy: &'a Policy, facts: &'a PersonFacts<'a>, now: Timestamp) -> Self {
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
            shown: Shown::default(),
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
        self.event_of(kind, step, None);
    }

    /// An event, with the result code that it tells of.
    pub(super) fn event_of(&mut self, kind: EventKind, step: Option<Step>, code: Option<i64>) {
        self.standing.events += 1;
        let run = self.standing.window.run();
        self.effects.push(Effect::Event(Event {
            kind,
            step,
            sequence: self.standing.sequence,
            moves: run.map_or(0, |run| run.moves),
            number: self.standing.events,
            rehearsed: self.is_rehearsed(kind),
            opened_at: run.map(|run| run.opened_at),
            deadline: run.map(|run| run.deadline(self.policy, self.now)),
            code,
        }));
    }

    /// What happens under a policy that is not on is only rehearsed. But what was real until this
    /// pass is taken back for all to hear.
    fn is_rehearsed(&self, kind: EventKind) -> bool {
        let takes_back = matches!(
            kind,
            EventKind::EnforcementReleased | EventKind::WindowPaused | EventKind::UserRegistered
        );
        let before = self.facts.standings.get(&self.policy.name);
        let was_on = before.is_some_and(|standing| standing.enforce == Some(Enforce::On));
        self.policy.enforce != Enforce::On && !(takes_back && was_on)
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

    /// A clock that was ahead was set right (rule 7.16): nothing that it dated keeps a person waiting, and
    /// a flag that it raised goes if the deadline is still to come.
    fn follow_clock(&mut self) {
        let now = self.now;
        let since = now.max(self.policy.since);
        if let ScopeMemory::Since(at) = &mut self.standing.scope {
            *at = since.min(*at);
        }
        self.standing.window.dated_by(now);
        let (Enforcement::Needed { at } | Enforcement::WouldNeed { at }) =
            &mut self.standing.enforcement
        else {
            return;
        };
        if *at <= now {
            return;
        }
        *at = now;
        let run = self.standing.window.run();
        if run.is_some_and(|run| run.deadline(self.policy, now) > now) {
            self.release("the clock that raised the flag was ahead");
        }
    }

    /// Report-only → on forgets what was only rehearsed; whatever comes after on takes flags back
    /// (rule 7.19).
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

    /// Takes a flag back at once; no brake delays it (rule 7.5).
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

    /// What sources tell: who is in scope, who registered, and who signed in, as a pass at `until`
    /// would see it.
    pub(super) fn follow_facts(&mut self, until: Timestamp) -> (Scope, Verdict) {
        let (policy, facts) = (self.policy, self.facts);
        let scope = scope(policy, facts, self.standing.closed_by_operator);
        let verdict = verdict(
            facts.registration,
            facts.audits,
            policy.accept_passwordless,
            facts.world.report(),
        );
        self.since = self.follow_scope(&scope);
        self.follow_registration(&scope, verdict);
        self.since = self.since.max(self.since_memory());
        self.follow_length();
        let is_known = !policy.assignment.excludes_unread();
        if is_known && matches!(scope, Scope::In(_) | Scope::Disabled) {
            // A sign-in made while enabled opens the window even if the person is disabled by now.
            self.follow_sign_ins(verdict, until);
        }
        if !matches!(scope, Scope::In(_)) {
            self.stop();
        }
        (scope, verdict)
    }

    /// A longer window moves open ones out and adds to paused remainders (rules T19 and 7.2).
    pub(super) fn follow_length(&mut self) {
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

    /// The policy does not apply: the clock stops, a flag goes, what waits is withdrawn.
    fn stop(&mut self) {
        self.release(if self.standing.closed_by_operator {
            "an operator closed the window"
        } else {
            "the policy no longer applies"
        });
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
        if !matches!(
            self.standing.window,
            GraceWindow::Open(_) | GraceWindow::Elapsed(_)
        ) {
            self.shown = Shown::default();
        }
        self.tell_of_release(scope, verdict);
        self.tell_of_unreachable();
        self.tell_of_unreported(scope, verdict);
        self.explain_scope(scope);
        self.explain_registration(verdict);
        self.explain_window(scope, verdict);
        let state = self.state(scope, verdict);
        let now = self.now;
        let policy = self.policy;
        let unreached = self.unreached();
        let due = self.standing.window.due(policy);
        let deadline = due.map(|due| due.at(now));
        let until = |deadline: Timestamp| deadline.duration_since(now).max(SignedDuration::ZERO);
        let remaining = self.standing.window.left().or(deadline.map(until));
        self.wake_for_window(scope);
        self.wake_for_registration(scope, verdict);
        Decision {
            policy: policy.name.clone(),
            state,
            reasons: self.reasons,
            effects: self.effects,
            next: self.wake.into_iter().min_by_key(|next| next.at),
            registered: matches!(verdict, Verdict::Done | Verdict::DoneUnconfirmed { .. }),
            due,
            deadline,
            remaining,
            waits: self.waits,
            would_flag: self.would_flag,
            shown: self.shown,
            unreached,
            standing: self.standing,
        }
    }

    /// The first that fits, in the order of rule 4.1.
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
}

#[cfg(test)]
mod tests;
