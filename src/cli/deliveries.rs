//! `deliveries`: the outbox, and what can be done about a row.

use super::args::Deliveries;
use super::output::{Format, Printer};
use super::{Usage, act_time, one};
use crate::config::Config;
use crate::delivery::text::mask_address;
use crate::exit::DONE;
use crate::store::Store;
use crate::store::outbox::EMAIL;

const STATES: [&str; 8] = [
    "pending",
    "leased",
    "sent",
    "ambiguous",
    "failed",
    "superseded",
    "expired",
    "dead",
];

pub(super) async fn run(
    config: &Config,
    command: Deliveries,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let store = Store::open_existing(&config.database).await?;
    match command {
        Deliveries::List {
            state,
            user,
            format,
        } => {
            if let Some(unknown) = state.iter().find(|state| !STATES.contains(&state.as_str())) {
                return Err(Usage(format!(
                    "there is no state {unknown:?}; the states are {}",
                    STATES.join(", ")
                ))
                .into());
            }
            let user = match user {
                Some(name) => Some(one(&store, &name).await?),
                None => None,
            };
            let rows = store.deliveries(&state, user.as_ref()).await?;
            if format == Format::Json {
                out.json(&rows)?;
                return Ok(DONE);
            }
            let headings = [
                "channel", "event", "step", "user", "address", "state", "attempts", "next", "code",
                "id",
            ];
            let cells = rows.into_iter().map(|row| {
                let (nobody, address) = if row.channel == EMAIL {
                    ("operators", mask_address(&row.address))
                } else {
                    ("", String::new())
                };
                vec![
                    row.channel,
                    row.event,
                    row.step.unwrap_or_default(),
                    row.user.unwrap_or_else(|| nobody.to_owned()),
                    address,
                    row.state,
                    row.attempts.to_string(),
                    format.moment(row.next_at),
                    row.last_code.unwrap_or_default(),
                    row.id,
                ]
            });
            out.rows(format, &headings, cells.collect())?;
        }
        Deliveries::Retry {
            destination: Some(name),
            ..
        } => reopen(&store, config, &name, out).await?,
        Deliveries::Retry { ids, .. } if ids.is_empty() => {
            return Err(Usage("say what to retry: the ids of rows, or --destination NAME for all that waits for a webhook or died with it".to_owned()).into());
        }
        Deliveries::Retry { ids, .. } => replay(&store, &ids, false, out).await?,
        Deliveries::Discard { ids } => replay(&store, &ids, true, out).await?,
    }
    store.close().await;
    Ok(DONE)
}

/// An endpoint is well again: what waits for it, or died with it, is due now.
async fn reopen(
    store: &Store,
    config: &Config,
    name: &str,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let names: Vec<&str> = config
        .webhooks
        .iter()
        .map(|webhook| webhook.endpoint.name.as_str())
        .collect();
    if !names.contains(&name) {
        // What waits for one that is not configured would only die again.
        let known = if names.is_empty() {
            "no [[webhook]] is configured".to_owned()
        } else {
            format!("the webhooks are {}", names.join(", "))
        };
        return Err(Usage(format!("there is no webhook {name:?}; {known}")).into());
    }
    let due = store.reopen(name, act_time(store, None).await?).await?;
    out.line(format!("{name}: open again, {due} rows are due now"))?;
    Ok(())
}

async fn replay(
    store: &Store,
    ids: &[String],
    discard: bool,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let now = act_time(store, None).await?;
    for id in ids {
        match store.replay(id, discard, now).await?.as_deref() {
            None => return Err(Usage(format!("there is no delivery {id:?}")).into()),
            Some(state @ ("pending" | "ambiguous" | "failed" | "dead")) => {
                out.line(format!(
                    "{id}: was {state}, {}",
                    if discard { "set aside" } else { "due now" }
                ))?;
            }
            Some(state) => {
                return Err(Usage(format!(
                    "the delivery {id} is {state}: there is nothing to do about it"
                ))
                .into());
            }
        }
    }
    Ok(())
}
