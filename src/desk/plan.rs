//! What would be enforced and why, and what holds it.

use serde::Serialize;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::decision::Wait;
use crate::domain::hold::StandingHold;
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
    /// Whose deadline has passed.
    pub people: Vec<Planned>,
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
                Planned {
                    person,
                    would_flag: decision.would_flag,
                    waits: decision.held_back_by(reader.world.registration.as_ref()),
                    reasons: decision.misgivings(),
                }
            }));
        }
    }
    Ok(Plan { holds, people })
}

fn is_past(row: &PersonView) -> bool {
    matches!(row.state, State::OverdueChecking | State::EnforcementNeeded)
}
