//! The flag itself, once no brake holds it.

use jiff::Timestamp;

use super::decide::Case;
use super::decision::Decision;
use super::effect::Effect;
use super::facts::PersonFacts;
use super::message::EventKind;
use super::policy::{Enforce, Policy};
use super::reason::ReasonCode;
use super::standing::Enforcement;
use super::state::State;
use super::window::GraceWindow;

impl Decision {
    /// The flag that a brake let through (rule T9).
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
        // A step that fell due in the same pass is overtaken by the flag, and so is word of one that is raised anew.
        let is_real = policy.enforce == Enforce::On;
        let is_overtaken =
            |kind: EventKind| kind.announces() || is_real && kind == EventKind::EnforcementReleased;
        self.effects
            .retain(|effect| !matches!(effect, Effect::Message(mail) if is_overtaken(mail.kind)));
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
