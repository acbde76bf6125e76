//! What would be enforced and why, and what holds it.

use jiff::Timestamp;
use serde::Serialize;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::decision::Wait;
use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::domain::reason::Reason;
use crate::domain::state::State;
use crate::store::Whom;

/// People whom the plan loads at once.
const AT_ONCE: usize = 1_000;

/// Who is flagged, who would be, and what keeps them.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// What stops flags.
    pub holds: Vec<StandingHold>,
    /// Whose deadline has passed: by what becomes of them, their deadline and their name.
    pub people: Vec<Planned>,
}

/// What becomes of somebody whose deadline has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lot {
    /// Flagged by the next pass, unless a hold stands.
    Next,
    /// Waits for something of their own.
    Waiting,
    /// Flagged already.
    Flagged,
    /// Would be flagged, if the policy were not only rehearsed.
    Rehearsed,
}

/// One person under one policy.
#[derive(Debug, Serialize)]
pub struct Planned {
    /// The person.
    #[serde(flatten)]
    pub person: PersonView,
    /// The next pass flags unless a hold stands.
    pub would_flag: bool,
    /// What keeps the person from being flagged.
    pub waits: Vec<Wait>,
    /// What is known of the person that speaks against it.
    pub reasons: Vec<Reason>,
    /// What becomes of them.
    #[serde(skip)]
    pub lot: Lot,
}

impl Plan {
    /// What stops the flag of somebody: the holds that nobody approved.
    #[must_use]
    pub fn held_by(&self, planned: &Planned) -> Vec<&str> {
        let policy = PolicyName::new(&planned.person.policy);
        let holds = self.holds.iter();
        holds
            .filter(|hold| hold.approved_at.is_none() && hold.stops(&policy))
            .map(|hold| hold.id.as_str())
            .collect()
    }
}

impl Planned {
    /// The deadline that has passed.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.person.window.as_ref()?.deadline
    }
}

/// The plan as things stand. Whose deadline has passed is read, and decided about anew for what
/// they wait for.
pub async fn plan(reader: &Reader) -> Result<Plan, DeskError> {
    let holds = reader.holds().await?;
    let past = reader.store.past_deadline(&reader.policy_names()).await?;
    let mut people = Vec::new();
    for ids in past.chunks(AT_ONCE) {
        for outcome in reader.look(&Whom::these(ids)).await? {
            let rows = PersonView::of(&outcome, reader.now).into_iter();
            let rows = rows.zip(outcome.decisions).filter(|(row, _)| is_past(row));
            people.extend(rows.map(|(mut person, decision)| {
                person.next = reader.upcoming(person.next);
                let waits = decision.held_back_by(reader.world.registration.as_ref());
                let is_rehearsed = reader.is_rehearsed(&person.policy);
                Planned {
                    lot: lot(
                        person.state,
                        decision.would_flag && waits.is_empty(),
                        is_rehearsed,
                    ),
                    person,
                    would_flag: decision.would_flag,
                    waits,
                    reasons: decision.misgivings(),
                }
            }));
        }
    }
    people.sort_by_cached_key(|planned| {
        let name = planned.person.user_principal_name.to_lowercase();
        (planned.lot, planned.deadline(), name)
    });
    Ok(Plan { holds, people })
}

fn lot(state: State, is_proven: bool, is_rehearsed: bool) -> Lot {
    match (state == State::EnforcementNeeded, is_proven) {
        (true, _) | (_, true) if is_rehearsed => Lot::Rehearsed,
        (true, _) => Lot::Flagged,
        (false, true) => Lot::Next,
        (false, false) => Lot::Waiting,
    }
}

fn is_past(row: &PersonView) -> bool {
    matches!(row.state, State::OverdueChecking | State::EnforcementNeeded)
}
