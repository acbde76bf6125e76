//! `enforcement`: who is flagged, who would be and what keeps them, and the release of a hold.

use super::args::EnforcementCommand;
use super::output::{Format, Printer, foreign};
use super::table::Column;
use super::times::Times;
use super::{Usage, operator, words};
use crate::config::Config;
use crate::desk::plan::{self, Planned};
use crate::desk::{Reader, acts};
use crate::domain::state::State;
use crate::exit::{DEGRADED, DONE};
use crate::store::Store;

const COLUMNS: [Column; 6] = [
    Column::ranked("policy", 8, 2),
    Column::kept("user", 14),
    Column::kept("state", 18),
    Column::kept("deadline", 20),
    Column::ranked("why", 30, 1),
    Column::ranked("id", 36, 3),
];

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
            let at = acts::act_time(&store, as_of).await?;
            acts::approve(&store, &hold, &operator(), &reason, at).await?;
            store.close().await;
            out.line(format!("Approved {hold}; the next pass uses it."))?;
            Ok(DONE)
        }
    }
}

async fn plan(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let plan = plan::plan(&reader).await?;
    let code = if plan.holds.is_empty() {
        DONE
    } else {
        DEGRADED
    };
    if format == Format::Json {
        out.json(&plan)?;
        return Ok(code);
    }
    let said = if format == Format::Table {
        plan.holds.as_slice()
    } else {
        &[]
    };
    for hold in said {
        let text = foreign(&hold.text);
        out.line(format!("Held ({}): {text}", hold.id))?;
        out.line(format!("  {}", hold.remedy()))?;
    }
    let times = Times::new(config, reader.present());
    let cells = plan.people.into_iter().map(|planned| {
        let why = why(&planned);
        let person = planned.person;
        vec![
            person.policy.into(),
            person.user_principal_name.into(),
            words::state(person.state),
            format
                .moment(&times, person.window.and_then(|window| window.deadline))
                .into(),
            why.into(),
            person.id.into(),
        ]
    });
    out.rows(format, &COLUMNS, cells.collect())?;
    Ok(code)
}

/// What whoever lets flags go should know of a person.
fn why(planned: &Planned) -> String {
    if planned.person.state == State::EnforcementNeeded {
        let last = planned.person.reasons.last();
        return last.map(|reason| reason.text.clone()).unwrap_or_default();
    }
    let reasons = planned.reasons.iter().map(|reason| reason.text.clone());
    let waits = planned.waits.iter();
    let waits = waits.map(|wait| format!("waits for {}", wait.words()));
    let known: Vec<String> = reasons.chain(waits).collect();
    if known.is_empty() {
        return "everything is proven".to_owned();
    }
    known.join("; ")
}
