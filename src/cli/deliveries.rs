//! `deliveries`: the outbox, and what can be done about a row.

use super::Usage;
use super::args::Deliveries;
use super::output::{Format, Printer};
use super::table::Column;
use super::times::Times;
use crate::config::Config;
use crate::delivery::text::mask_address;
use crate::desk::deliveries::{self, Replay};
use crate::exit::DONE;
use crate::store::Store;
use crate::store::outbox::{DeliveryRow, EMAIL};
use crate::time::Clock;

const COLUMNS: [Column; 10] = [
    Column::kept("channel", 8),
    Column::kept("event", 18),
    Column::ranked("step", 4, 3),
    Column::kept("user", 12),
    Column::ranked("address", 12, 4),
    Column::kept("state", 9),
    Column::ranked("attempts", 8, 5).number(),
    Column::ranked("next", 20, 2),
    Column::ranked("code", 8, 1),
    Column::ranked("id", 36, 6),
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
            let rows = deliveries::list(&store, &state, user.as_deref()).await?;
            let times = Times::new(config, Clock::system().now());
            print(rows, format, &times, out)?;
        }
        Deliveries::Retry {
            destination: Some(name),
            ..
        } => {
            let due = deliveries::reopen(&store, config, &name).await?;
            out.line(format!("{name}: open again, {due} rows are due now"))?;
        }
        Deliveries::Retry { ids, .. } if ids.is_empty() => {
            return Err(Usage("say what to retry: the ids of rows, or --destination NAME for all that waits for a webhook or died with it".to_owned()).into());
        }
        Deliveries::Retry { ids, .. } => replay(&store, &ids, Replay::Retry, out).await?,
        Deliveries::Discard { ids } => replay(&store, &ids, Replay::Discard, out).await?,
    }
    store.close().await;
    Ok(DONE)
}

fn print(
    rows: Vec<DeliveryRow>,
    format: Format,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    if format == Format::Json {
        return Ok(out.json(&rows)?);
    }
    let cells = rows.into_iter().map(|row| {
        let (nobody, address) = if row.channel == EMAIL {
            ("operators", row.address.as_deref().map(mask_address))
        } else {
            ("", None)
        };
        vec![
            row.channel.into(),
            row.event.into(),
            row.step.unwrap_or_default().into(),
            row.user.unwrap_or_else(|| nobody.to_owned()).into(),
            address.unwrap_or_default().into(),
            row.state.as_str().into(),
            row.attempts.to_string().into(),
            format.moment(times, row.next_at).into(),
            row.last_code.unwrap_or_default().into(),
            row.id.into(),
        ]
    });
    Ok(out.rows(format, &COLUMNS, cells.collect())?)
}

async fn replay(
    store: &Store,
    ids: &[String],
    how: Replay,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let done = match how {
        Replay::Retry => "due now",
        Replay::Discard => "set aside",
    };
    for id in ids {
        let state = deliveries::replay(store, id, how).await?;
        out.line(format!("{id}: was {}, {done}", state.as_str()))?;
    }
    Ok(())
}
