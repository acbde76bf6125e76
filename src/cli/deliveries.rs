//! `deliveries`: the outbox, and what can be done about a row.

use jiff::Timestamp;

use super::Usage;
use super::args::Deliveries;
use super::output::{Format, NONE_ASKED, Printer, foreign};
use super::screen::Tone;
use super::table::{Cell, Column};
use super::times::Times;
use crate::config::Config;
use crate::delivery::text::mask_address;
use crate::desk::deliveries::{self, Replay};
use crate::domain::delivery::State;
use crate::exit::DONE;
use crate::store::Store;
use crate::store::outbox::{DeliveryRow, EMAIL};
use crate::time::Clock;

/// For spreadsheets; further ones come behind.
const HEADINGS: [&str; 14] = [
    "channel", "event", "step", "user", "address", "state", "attempts", "next", "code", "id",
    "name", "policy", "settled", "error",
];

/// For people.
const COLUMNS: [Column; 9] = [
    Column::kept("when", 20),
    Column::kept("to", 10),
    Column::kept("event", 15),
    Column::ranked("step", 4, 2),
    Column::kept("state", 8),
    Column::ranked("why", 24, 1),
    Column::ranked("channel", 8, 3),
    Column::ranked("address", 12, 4),
    Column::ranked("id", 36, 5),
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
            limit,
            format,
        } => {
            let mut rows = deliveries::list(&store, state, user.as_deref(), limit).await?;
            match format {
                Format::Json => out.array(async || Ok(rows.next().await?)).await?,
                Format::Csv => csv(&mut rows, out).await?,
                Format::Table => {
                    let times = Times::new(config, Clock::system().now());
                    if limit == Some(0) {
                        out.text(NONE_ASKED)?;
                    } else {
                        table(&mut rows, user.as_deref(), &times, out).await?;
                    }
                }
            }
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

async fn csv(rows: &mut deliveries::Deliveries<'_>, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&HEADINGS)?;
    let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
    while let Some(row) = rows.next().await? {
        let (user, address) = (user(&row), address(&row));
        csv.row(&[
            row.channel,
            row.event,
            row.step.unwrap_or_default(),
            user,
            address,
            row.state.as_str().to_owned(),
            row.attempts.to_string(),
            moment(row.next_at),
            row.last_code.unwrap_or_default(),
            row.id,
            row.user_principal_name.unwrap_or_default(),
            row.policy.unwrap_or_default(),
            moment(row.settled_at),
            row.last_error.unwrap_or_default(),
        ])?;
    }
    Ok(csv.end()?)
}

/// A table is as wide as its widest cells: it is there once all rows are.
async fn table(
    rows: &mut deliveries::Deliveries<'_>,
    user: Option<&str>,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let mut lines = Vec::new();
    while let Some(row) = rows.next().await? {
        lines.push(cells(row, times));
    }
    if lines.is_empty() {
        return Ok(out.text(&nothing(user))?);
    }
    let total = lines.len();
    out.rows(Format::Table, &COLUMNS, lines)?;
    let rows = if total == 1 { "delivery" } else { "deliveries" };
    let zone = times.zone();
    Ok(out.note(&format!(
        "{total} {rows}, the newest last. Times are in {zone}."
    ))?)
}

/// An empty result, in words.
fn nothing(user: Option<&str>) -> String {
    match user {
        None => "No delivery fits.".to_owned(),
        Some(user) => format!(
            "No delivery fits. Why, `fortnight explain {}` says: no address, no sign-in yet, or not in scope.",
            foreign(user)
        ),
    }
}

fn cells(row: DeliveryRow, times: &Times) -> Vec<Cell> {
    let when = match (row.settled_at, row.next_at) {
        (Some(at), _) => times.at(at),
        (None, Some(at)) => format!("due {}", times.at(at)),
        (None, None) => times.at(row.queued_at),
    };
    let to = row.user_principal_name.clone();
    let state = Cell::toned(tone(row.state), row.state.as_str());
    vec![
        when.into(),
        to.unwrap_or_else(|| user(&row)).into(),
        row.event.clone().into(),
        row.step.clone().unwrap_or_default().into(),
        state,
        why(&row).into(),
        row.channel.clone().into(),
        address(&row).into(),
        row.id.into(),
    ]
}

/// What the server said, or what the state means; what was accepted needs no reason.
fn why(row: &DeliveryRow) -> String {
    let said = [row.last_code.as_deref(), row.last_error.as_deref()];
    let said: Vec<&str> = said.into_iter().flatten().collect();
    match row.state {
        State::Sent => String::new(),
        State::Superseded => "overtaken by a later one, or needed no more".to_owned(),
        State::Expired => "of no use any more".to_owned(),
        State::Leased => "being sent".to_owned(),
        State::Ambiguous if said.is_empty() => "the outcome was lost: sent once more".to_owned(),
        State::Pending | State::Ambiguous | State::Failed | State::Dead => said.join(": "),
    }
}

fn tone(state: State) -> Tone {
    match state {
        State::Pending | State::Leased => Tone::Plain,
        State::Sent => Tone::Good,
        State::Ambiguous => Tone::Watch,
        State::Failed | State::Dead => Tone::Bad,
        State::Superseded | State::Expired => Tone::Faint,
    }
}

/// Whom it is about; nobody: it is for operators, or for whoever reads the endpoint.
fn user(row: &DeliveryRow) -> String {
    let nobody = if row.channel == EMAIL {
        "operators"
    } else {
        ""
    };
    row.user.clone().unwrap_or_else(|| nobody.to_owned())
}

/// The address of a mail, masked; that of an endpoint is a secret.
fn address(row: &DeliveryRow) -> String {
    let address = row.address.as_deref().filter(|_| row.channel == EMAIL);
    address.map(mask_address).unwrap_or_default()
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
