//! Coming into scope and leaving it: since when sign-ins count, and what is remembered of that.
//!
//! Who is in scope at all is for [`super::scope`] to say.

use jiff::Timestamp;

use super::assignment::Include;
use super::decide::Case;
use super::message::EventKind;
use super::policy::Enforce;
use super::scope::{PausedBy, Scope};
use super::standing::ScopeMemory;
use super::window::GraceWindow;

impl Case<'_> {
    /// Coming into scope and leaving it (rules T1, T11, T12, T13, T14 and T15). Says since when sign-ins count.
    pub(super) fn follow_scope(&mut self, scope: &Scope) -> Timestamp {
        let memory = self.standing.scope;
        match scope {
            Scope::In(_) => return self.enter(memory, true),
            Scope::Disabled if !self.is_stopped() => return self.enter(memory, false),
            Scope::Exempt(_) => self.standing.scope = ScopeMemory::Excluded,
            // An exclusion that nobody saw end is doubted all the same.
            Scope::Gone { .. } if self.is_excluded() => {
                self.standing.scope = ScopeMemory::Excluded;
            }
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

    fn is_excluded(&self) -> bool {
        let (facts, exclude) = (self.facts, &self.policy.assignment.exclude);
        exclude.matches(&facts.person.id, facts.groups).is_some()
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
            let world = self.facts.world;
            let groups = world.groups.filter(|_| policy.assignment.names_groups());
            self.standing.left_exclusion = world.users.max(groups).or(Some(self.now));
        }
        let now = self.now;
        if resume && matches!(self.standing.window, GraceWindow::Paused { .. }) {
            self.follow_length();
            self.turn(|window| window.resume(policy, now));
            self.event(EventKind::WindowResumed, None);
        }
        since
    }

    /// Since when somebody is in scope of whom nothing is remembered (rule 7.1).
    pub(super) fn first_since(&self) -> Timestamp {
        let policy = self.policy;
        let by_name_or_group = !matches!(policy.assignment.include, Include::AllUsers);
        let seen_later = by_name_or_group && self.now > policy.first_pass;
        let begin = if seen_later { self.now } else { policy.since };
        begin
            .max(self.facts.person.created_at.unwrap_or(begin))
            .max(policy.on_again.unwrap_or(begin))
    }

    /// The memory may have moved since it was read: a reset or a confirmed loss counts from now.
    pub(super) fn since_memory(&self) -> Timestamp {
        match self.standing.scope {
            ScopeMemory::Since(since) => since,
            ScopeMemory::Unremarkable | ScopeMemory::Excluded | ScopeMemory::Out => Timestamp::MIN,
        }
    }
}
