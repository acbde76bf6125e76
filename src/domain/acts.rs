//! What operators did: windows are extended, reset, closed and reopened.

use jiff::{SignedDuration, Timestamp};

use super::decide::Case;
use super::effect::Effect;
use super::facts::{ActKind, OperatorAct};
use super::message::EventKind;
use super::reason::ReasonCode;
use super::standing::ScopeMemory;
use super::window::GraceWindow;

impl Case<'_> {
    /// What operators did since the last decision (rule T18), each as if a pass had come just before
    /// it: a window that a sign-in before the act opens is there to be extended. What was before the
    /// last reset is forgotten with it, and whoever is closed in the end gets no new window.
    pub(super) fn follow_acts(&mut self) {
        let facts = self.facts;
        let (last, policy) = (self.standing.last_act, &self.policy.name);
        let is_mine = |act: &&OperatorAct| {
            act.id > last && act.policy.as_ref().is_none_or(|named| named == policy)
        };
        let mine: Vec<&OperatorAct> = facts.acts.iter().filter(is_mine).collect();
        let closing = mine.iter().rev().find_map(|act| match act.kind {
            ActKind::Close => Some(true),
            ActKind::Reopen => Some(false),
            ActKind::Extend { .. } | ActKind::ExtendUntil { .. } | ActKind::Reset => None,
        });
        let ends_closed = closing.unwrap_or(self.standing.closed_by_operator);
        let reset = mine.iter().rposition(|act| act.kind == ActKind::Reset);
        for (place, act) in mine.into_iter().enumerate() {
            self.standing.last_act = act.id;
            if !ends_closed && reset.is_none_or(|reset| place > reset) {
                self.follow_facts(act.at);
            }
            self.apply(act);
        }
    }

    fn apply(&mut self, act: &OperatorAct) {
        let did = match act.kind {
            ActKind::Extend { days } => {
                let by = SignedDuration::from_hours(24 * i64::from(days));
                let policy = self.policy;
                let plural = if days == 1 { "" } else { "s" };
                if self.turn(|window| window.extend(policy, by, act.at)) {
                    self.extended();
                    format!("extended the window by {days} day{plural}")
                } else {
                    format!("extended by {days} day{plural}, but no window is open")
                }
            }
            ActKind::ExtendUntil { until } => {
                let policy = self.policy;
                if self.turn(|window| window.extend_until(policy, until, act.at)) {
                    self.extended();
                    format!("extended the window until {until}")
                } else {
                    format!("extended until {until}, but no deadline is before that")
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

    /// What follows when a window was extended.
    fn extended(&mut self) {
        if !matches!(self.standing.window, GraceWindow::Paused { .. }) {
            self.event(EventKind::WindowExtended, None);
        }
        self.release("an operator extended the window");
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
}
