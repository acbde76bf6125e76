//! A person under a policy as whoever asks is shown them: the stable JSON of rule 4.2.

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::decision::Next;
use crate::domain::listed::{Listed, ListedWindow};
use crate::domain::reason::Reason;
use crate::domain::standing::Enforcement;
use crate::domain::state::State;
use crate::store::lists::ListedPerson;
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
    /// The rows of one person who was decided about.
    pub fn of(outcome: &Outcome, now: Timestamp) -> Vec<Self> {
        let person = &outcome.dossier.person;
        let rows = outcome.decisions.iter().map(|decision| Self {
            id: person.id.to_string(),
            user_principal_name: person.user_principal_name.clone(),
            display_name: person.display_name.clone(),
            mail: person.mail.clone(),
            policy: decision.policy.to_string(),
            reasons: decision.reasons.clone(),
            ..Self::listed(&Listed::of(decision), now)
        });
        rows.collect()
    }

    /// A row of a list, as of `now`.
    #[must_use]
    pub fn of_list(person: ListedPerson, now: Timestamp) -> Self {
        Self {
            user_principal_name: person.user_principal_name,
            display_name: person.display_name,
            mail: person.mail,
            policy: person.policy,
            id: person.id,
            ..Self::listed(&person.listed, now)
        }
    }

    fn listed(listed: &Listed, now: Timestamp) -> Self {
        Self {
            id: String::new(),
            user_principal_name: String::new(),
            display_name: None,
            mail: None,
            policy: String::new(),
            state: listed.state,
            registered: listed.registered,
            window: listed.window.map(|window| WindowView::of(&window, now)),
            enforcement: listed.window.map(|window| enforcement(window.enforcement)),
            next: listed.next,
            reasons: Vec::new(),
        }
    }
}

impl WindowView {
    fn of(window: &ListedWindow, now: Timestamp) -> Self {
        Self {
            sequence: window.sequence,
            opened_at: window.opened_at,
            deadline: window.deadline_at(now),
            remaining_seconds: window.left_at(now).map(|left| left.as_secs()),
            bypasses: window.bypasses,
            may_skip: window.may_skip,
        }
    }
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
