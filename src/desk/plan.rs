//! What would be enforced and why, and what holds it.

use serde::Serialize;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::decision::Wait;
use crate::domain::hold::StandingHold;
use crate::domain::state::State;

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
    /// Everything about the person is proven: the next pass flags unless a hold stands.
    pub would_flag: bool,
    /// What keeps the person from being flagged.
    pub waits: Vec<Wait>,
}

/// The plan as things stand.
pub async fn plan(reader: &Reader) -> Result<Plan, DeskError> {
    let holds = reader.store.holds().await?;
    let mut people = Vec::new();
    reader
        .everybody(|outcome| {
            let rows = PersonView::of(&outcome);
            people.extend(rows.into_iter().zip(outcome.decisions).filter_map(
                |(person, decision)| {
                    matches!(
                        person.state,
                        State::OverdueChecking | State::EnforcementNeeded
                    )
                    .then_some(Planned {
                        person,
                        would_flag: decision.would_flag,
                        waits: decision.waits,
                    })
                },
            ));
        })
        .await?;
    Ok(Plan { holds, people })
}
