//! Registering closes a window; losing a registration prepares the next one.

use jiff::{SignedDuration, Timestamp};

use super::decide::Case;
use super::effect::Effect;
use super::facts::DeliveryOutcome;
use super::message::EventKind;
use super::news::{self, Topic};
use super::policy::Enforce;
use super::reason::ReasonCode;
use super::registration::{LossCause, LostRegistration, Verdict};
use super::scope::Scope;
use super::standing::{Loss, ScopeMemory};
use super::window::GraceWindow;

impl Case<'_> {
    /// Registering closes, losing prepares anew (rules T6, T16 and T17).
    pub(super) fn follow_registration(&mut self, scope: &Scope, verdict: Verdict) {
        if matches!(scope, Scope::Gone { .. }) {
            return;
        }
        match verdict {
            Verdict::Done => self.registered(scope),
            Verdict::DoneUnconfirmed { done_as_of, .. } => {
                self.registered(scope);
                self.doubt(done_as_of);
            }
            Verdict::Lost(lost) => self.lost(scope, lost),
            Verdict::Missing => self.unrecognised(scope),
            Verdict::Unknown { .. } => {}
        }
    }

    pub(super) fn registered(&mut self, scope: &Scope) {
        let was_open = matches!(
            self.standing.window,
            GraceWindow::Open(_) | GraceWindow::Elapsed(_)
        );
        let told = self.was_told();
        self.release("the person registered");
        let (policy, now) = (self.policy, self.now);
        if !self.turn(|window| window.close(policy, now)) || !was_open {
            return;
        }
        self.event(EventKind::UserRegistered, None);
        self.effects.push(Effect::WithdrawMessages);
        if told && matches!(scope, Scope::In(_)) && self.policy.enforce == Enforce::On {
            self.message(EventKind::UserRegistered, None);
        }
    }

    /// Whether a message of the present window was accepted.
    pub(super) fn was_told(&self) -> bool {
        let told = self
            .standing
            .window
            .run()
            .is_some_and(|run| run.told.is_some());
        told || self.facts.deliveries.iter().any(|delivery| {
            delivery.policy == self.policy.name
                && delivery.sequence == self.standing.sequence
                && matches!(delivery.outcome, DeliveryOutcome::Accepted(_))
        })
    }

    /// A loss is reported for the first time: whether the person was disabled then is remembered.
    pub(super) fn doubt(&mut self, done_as_of: Timestamp) -> Loss {
        match self.standing.loss {
            Some(loss) if loss.done_as_of == done_as_of => loss,
            earlier => {
                let loss = Loss {
                    done_as_of,
                    while_disabled: !self.facts.person.enabled,
                    confirmed_at: None,
                    self_made: false,
                    earlier: earlier.and_then(|loss| match loss.confirmed_at {
                        Some(confirmed) if loss.self_made => Some(confirmed),
                        _ => loss.earlier,
                    }),
                };
                self.standing.loss = Some(loss);
                loss
            }
        }
    }

    pub(super) fn lost(&mut self, scope: &Scope, confirmed: LostRegistration) {
        let mut loss = self.doubt(confirmed.done_as_of);
        if loss.confirmed_at.is_some() {
            return;
        }
        loss.confirmed_at = Some(self.now);
        loss.self_made = confirmed.cause != LossCause::Admin && !loss.while_disabled;
        self.standing.loss = Some(loss);
        let floor = self.policy.notice_floor();
        let remainder = match &self.standing.window {
            GraceWindow::Closed { remaining, .. } if loss.self_made => {
                Some((*remaining).max(floor))
            }
            GraceWindow::NotOpened { remainder } if loss.self_made => *remainder,
            GraceWindow::Closed { .. } | GraceWindow::NotOpened { .. } => None,
            GraceWindow::Open(_) | GraceWindow::Paused { .. } | GraceWindow::Elapsed(_) => return,
        };
        self.start_over(scope, remainder);
        if loss.is_repeated() {
            self.because(ReasonCode::RepeatedLoss, "registered methods were lost for the second time within 90 days, not by an administrator", self.now);
            self.effects.push(Effect::TellOperators {
                topic: Topic::LostAgain,
                line: news::lost_again(
                    self.facts.person,
                    &self.policy.name,
                    &self.facts.world.manner,
                ),
            });
        }
    }

    /// The next qualifying sign-in opens a window.
    fn start_over(&mut self, scope: &Scope, remainder: Option<SignedDuration>) {
        self.standing.window = GraceWindow::NotOpened { remainder };
        // Sign-ins count from now, or from coming into scope after now.
        self.standing.scope = match (self.standing.scope, scope) {
            (ScopeMemory::Excluded, _) => ScopeMemory::Excluded,
            (_, Scope::In(_)) => ScopeMemory::Since(self.now),
            (_, Scope::Disabled) if !self.is_stopped() => ScopeMemory::Since(self.now),
            _ => ScopeMemory::Out,
        };
    }

    /// What closed the window no longer counts as registered, though nothing was lost: the policy
    /// stopped accepting passwordless methods. Nobody's own doing, so a full window.
    fn unrecognised(&mut self, scope: &Scope) {
        if matches!(self.standing.window, GraceWindow::Closed { .. }) {
            self.start_over(scope, None);
        }
    }
}
