//! Where a person stands under a policy, reduced to what lists show and sort by: kept with every
//! decision, so that nobody is decided about to be counted.

use jiff::{SignedDuration, Timestamp};

use super::decision::{Decision, Next, Shown};
use super::policy::Enforce;
use super::standing::{Enforcement, Loss};
use super::state::State;
use super::window::Deadline;

/// What lists show of one person under one policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// The one word for it.
    pub state: State,
    /// Whether the person counts as registered.
    pub registered: bool,
    /// The window, if one has opened.
    pub window: Option<ListedWindow>,
    /// What comes next.
    pub next: Option<Next>,
}

/// What lists show of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedWindow {
    /// Its number.
    pub sequence: u32,
    /// The time of the qualifying sign-in.
    pub opened_at: Timestamp,
    /// Its deadline; none while it is paused.
    pub deadline: Option<Deadline>,
    /// What was left when the clock stopped; none while it runs.
    pub left: Option<SignedDuration>,
    /// How often registering was put off.
    pub bypasses: u32,
    /// Whether the next sign-in can still be completed without registering.
    pub may_skip: bool,
    /// What is asked of whoever enforces.
    pub enforcement: Enforcement,
}

impl Listed {
    /// What lists show of a decision.
    #[must_use]
    pub fn of(decision: &Decision) -> Self {
        Self {
            state: decision.state,
            registered: decision.registered,
            window: window(decision),
            next: decision.next,
        }
    }
}

/// Whether the policy is on and reaches the person.
#[must_use]
pub fn is_in_scope(decision: &Decision) -> bool {
    decision.standing.enforce == Some(Enforce::On) && decision.state.is_in_scope()
}

/// Whether methods that were registered were lost for the second time within 90 days.
#[must_use]
pub fn lost_again(decision: &Decision) -> bool {
    let loss = decision.standing.loss.as_ref();
    loss.is_some_and(Loss::is_repeated)
}

impl ListedWindow {
    /// The deadline as of `now`.
    #[must_use]
    pub fn deadline_at(&self, now: Timestamp) -> Option<Timestamp> {
        self.deadline.map(|deadline| deadline.at(now))
    }

    /// What is left at `now`, also of a window that is paused or closed.
    #[must_use]
    pub fn left_at(&self, now: Timestamp) -> Option<SignedDuration> {
        self.left.or_else(|| {
            let deadline = self.deadline_at(now)?;
            Some(deadline.duration_since(now).max(SignedDuration::ZERO))
        })
    }
}

fn window(decision: &Decision) -> Option<ListedWindow> {
    let standing = &decision.standing;
    let run = standing.window.run()?;
    let may_skip = matches!(
        decision.state,
        State::InGrace | State::DueSoon | State::Unknown | State::RegistrationReported
    ) && decision.shown == Shown::default();
    Some(ListedWindow {
        sequence: standing.sequence,
        opened_at: run.opened_at,
        deadline: decision.due,
        left: standing.window.left(),
        bypasses: run.bypasses,
        may_skip,
        enforcement: standing.enforcement,
    })
}
