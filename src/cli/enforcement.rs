//! `enforcement`: who is flagged, who would be and what keeps them, and the release of a hold.

use serde::Serialize;

use super::args::EnforcementCommand;
use super::output::{Format, Printer};
use super::view::PersonView;
use super::{Reader, Usage, act_time, operator};
use crate::config::Config;
use crate::domain::decision::Wait;
use crate::domain::hold::ReleasedBy;
use crate::domain::hold::StandingHold;
use crate::domain::state::State;
use crate::exit::{DEGRADED, DONE};
use crate::store::Store;

#[derive(Debug, Serialize)]
struct Plan {
    holds: Vec<StandingHold>,
    people: Vec<Planned>,
}

#[derive(Debug, Serialize)]
struct Planned {
    #[serde(flatten)]
    person: PersonView,
    /// Everything about the person is proven: the next pass flags unless a hold stands.
    would_flag: bool,
    waits: Vec<Wait>,
}

pub(super) async fn run(
    config: &Config,
    command: EnforcementCommand,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    match command {
        EnforcementCommand::Plan { format } => plan(config, format, out).await,
        EnforcementCommand::Approve {
            hold,
            reason,
            as_of,
        } => {
            if reason.trim().is_empty() {
                return Err(Usage("--reason must say why".to_owned()).into());
            }
            let store = Store::open_existing(&config.database).await?;
            let holds = store.holds().await?;
            let Some(standing) = holds.iter().find(|standing| standing.id == hold) else {
                let known: Vec<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
                return Err(Usage(match known.as_slice() {
                    [] => format!("there is no hold {hold:?}: nothing is held"),
                    known => format!(
                        "there is no hold {hold:?}; these stand: {}",
                        known.join(", ")
                    ),
                })
                .into());
            };
            if standing.released_by == ReleasedBy::Data {
                return Err(Usage(format!(
                    "the hold {hold} cannot be approved, only data ends it: {}",
                    standing.text
                ))
                .into());
            }
            let at = act_time(&store, as_of).await?;
            store.approve(&hold, &operator(), &reason, at).await?;
            store.close().await;
            out.line(format!("Approved {hold}; the next pass uses it."))?;
            Ok(DONE)
        }
    }
}

async fn plan(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
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
    let code = if holds.is_empty() { DONE } else { DEGRADED };
    if format == Format::Json {
        out.json(&Plan { holds, people })?;
        return Ok(code);
    }
    for hold in &holds {
        out.line(format!("Held ({}): {}", hold.id, hold.text))?;
        out.line(format!("  {}", hold.kind.remedy(&hold.id)))?;
    }
    let headings = ["policy", "user", "state", "deadline", "why", "id"];
    let cells = people.into_iter().map(|planned| {
        let why = if planned.would_flag {
            "everything is proven".to_owned()
        } else {
            planned
                .person
                .reasons
                .last()
                .map(|reason| reason.text.clone())
                .unwrap_or_default()
        };
        vec![
            planned.person.policy,
            planned.person.user_principal_name,
            planned.person.state.as_str().to_owned(),
            format.moment(planned.person.window.and_then(|window| window.deadline)),
            why,
            planned.person.id,
        ]
    });
    out.rows(format, &headings, cells.collect())?;
    Ok(code)
}
