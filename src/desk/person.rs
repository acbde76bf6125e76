//! A person under a policy as whoever asks is shown them: the stable JSON of contract 4.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::decision::{Decision, Next};
use crate::domain::reason::Reason;
use crate::domain::standing::Enforcement;
use crate::domain::state::State;
use crate::store::outcome::Outcome;

/// One row per policy and person.
#[derive(Debug, Clone, Serialize)]
pub struct PersonView {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// For display.
    pub display_name: Option<String>,
    /// The address.
    pub mail: Option<String>,
    /// Under which policy.
    pub policy: String,
    /// The state.
    pub state: State,
    /// Whether the person counts as registered.
    pub registered: bool,
    /// The window, if one has opened.
    pub window: Option<WindowView>,
    /// What is asked of whoever enforces.
    pub enforcement: Option<EnforcementView>,
    /// What comes next.
    pub next: Option<Next>,
    /// Why; only in `explain`.
    #[serde(skip)]
    pub reasons: Vec<Reason>,
}

/// A window.
#[derive(Debug, Clone, Serialize)]
pub struct WindowView {
    /// Its number.
    pub sequence: u32,
    /// The time of the qualifying sign-in.
    pub opened_at: Timestamp,
    /// The deadline; null while the window is paused.
    pub deadline: Option<Timestamp>,
    /// What is left, also of a paused window.
    pub remaining_seconds: Option<i64>,
    /// How often registering was put off.
    pub bypasses: u32,
    /// Whether the next sign-in can still be completed without registering.
    pub may_skip: bool,
}

/// What is asked of whoever enforces.
#[derive(Debug, Clone, Serialize)]
pub struct EnforcementView {
    /// `none`, `needed` or `released`.
    pub state: &'static str,
    /// The pass that flagged.
    pub needed_at: Option<Timestamp>,
    /// Always null: enforcement by group is not in this version.
    pub applied_at: Option<Timestamp>,
    /// Report-only: the pass that would have flagged.
    pub would_need_at: Option<Timestamp>,
}

impl PersonView {
    /// The rows of one person.
    pub fn of(outcome: &Outcome) -> Vec<Self> {
        outcome
            .decisions
            .iter()
            .map(|decision| Self::row(outcome, decision))
            .collect()
    }

    fn row(outcome: &Outcome, decision: &Decision) -> Self {
        let person = &outcome.dossier.person;
        let window = window(decision);
        Self {
            id: person.id.to_string(),
            user_principal_name: person.user_principal_name.clone(),
            display_name: person.display_name.clone(),
            mail: person.mail.clone(),
            policy: decision.policy.to_string(),
            state: decision.state,
            registered: decision.registered,
            enforcement: window
                .as_ref()
                .map(|_| enforcement(decision.standing.enforcement)),
            window,
            next: decision.next,
            reasons: decision.reasons.clone(),
        }
    }
}

fn window(decision: &Decision) -> Option<WindowView> {
    let run = decision.standing.window.run()?;
    Some(WindowView {
        sequence: decision.standing.sequence,
        opened_at: run.opened_at,
        deadline: decision.deadline,
        remaining_seconds: decision.remaining.map(|remaining| remaining.as_secs()),
        bypasses: run.bypasses,
        may_skip: matches!(
            decision.state,
            State::InGrace | State::DueSoon | State::Unknown | State::RegistrationReported
        ) && run.must_register.is_none(),
    })
}

fn enforcement(enforcement: Enforcement) -> EnforcementView {
    let view = |state, needed_at, would_need_at| EnforcementView {
        state,
        needed_at,
        applied_at: None,
        would_need_at,
    };
    match enforcement {
        Enforcement::None => view("none", None, None),
        Enforcement::Needed { at } => view("needed", Some(at), None),
        Enforcement::WouldNeed { at } => view("none", None, Some(at)),
        Enforcement::Released { .. } => view("released", None, None),
    }
}
