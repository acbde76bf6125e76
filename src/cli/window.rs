//! `window`: an operator's act on people's windows.

use jiff::tz::TimeZone;

use super::Usage;
use super::args::{Act, Window};
use super::moment::Moment;
use super::operator::{operator, say_if_rehearsed};
use super::output::Printer;
use super::times::Times;
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::desk::Reader;
use crate::desk::acts::{self, Change, Confirmation, Order};
use crate::domain::facts::ActKind;
use crate::domain::message::EventKind;
use crate::domain::policy::Mode;
use crate::domain::state::State;
use crate::exit::DONE;
use crate::time::format_duration;

pub(super) async fn run(config: &Config, args: &Window, out: &mut Printer) -> anyhow::Result<u8> {
    if args.reason.trim().is_empty() {
        return Err(no_reason().into());
    }
    let order = Order {
        people: args.users.clone(),
        policy: args.policy.clone(),
        kind: kind(args, &config.zone)?,
        reason: args.reason.clone(),
        by: operator(),
        ticket: args.ticket.clone(),
    };
    let reader = Reader::open(config).await?;
    let as_of = args.as_of.map(|moment| moment.within(&config.zone));
    let times = Times::new(config, as_of.unwrap_or(reader.present()));
    let confirmations = acts::act(&reader, order, as_of).await;
    let confirmations = confirmations.map_err(|error| times.refused(error))?;
    for confirmation in &confirmations {
        confirm(confirmation, &times, out)?;
    }
    if let Some(Moment::Day(day)) = args.until {
        out.text(&format!(
            "{day} ends at its first minute here: for the whole day, name the next one."
        ))?;
    }
    if let Some(line) = not_in_entra(config.mode, args.act) {
        out.text(line)?;
    }
    if as_of.is_none() {
        say_if_rehearsed(&reader.store, &times, out).await?;
    }
    let noted = if confirmations.iter().all(Confirmation::is_idle) {
        "Nothing changes, as things stand; the act is in the journal all the same."
    } else {
        "Noted; the next pass applies it, within seconds where `fortnight run` runs."
    };
    out.note(&format!("{noted} Times in {}.", times.zone()))?;
    reader.store.close().await;
    Ok(DONE)
}

/// What an act does not move (rule 7.27).
fn not_in_entra(mode: Mode, act: Act) -> Option<&'static str> {
    match (mode, act) {
        (Mode::Native, Act::Extend | Act::Reset | Act::Close) => Some(
            "Entra does not follow: the registration policy of ID Protection goes on by its own 14 days, which nobody can move.",
        ),
        (Mode::Native, Act::Reopen) | (Mode::Flag, _) => None,
    }
}

/// Who it is, and under each policy what was, what is, and what the person hears.
fn confirm(confirmation: &Confirmation, times: &Times, out: &mut Printer) -> anyhow::Result<()> {
    let address = clean_line(&confirmation.user_principal_name, 120);
    let name = confirmation
        .display_name
        .as_deref()
        .map(|name| clean_line(name, 64));
    let name = name.map_or_else(|| address.clone(), |name| format!("{name} <{address}>"));
    for change in &confirmation.changes {
        let whose = format!("{name}, policy {}", change.policy);
        out.heading(&out.screen().wrap("", "  ", &whose))?;
        out.item("  before  ", &stands(change, 0, times))?;
        out.item("  after   ", &stands(change, 1, times))?;
        let mail = match &change.mail {
            Ok(kind) => format!(
                "a mail follows with the next pass: {}",
                EventKind::as_str(*kind)
            ),
            Err(silence) => format!("no mail follows: {}", silence.words()),
        };
        out.item("  ", &mail)?;
        if change.state == [State::Registered, State::Paused] {
            out.item(
                "  ",
                "registered as they are, they count as paused from then on",
            )?;
        }
    }
    Ok(())
}

/// The state, and the deadline or what is left.
fn stands(change: &Change, at: usize, times: &Times) -> String {
    let state = change.state[at].as_str();
    match (change.deadline[at], change.left[at]) {
        (Some(deadline), _) => format!("{state}, deadline {}", times.told(deadline)),
        (None, Some(left)) => {
            format!(
                "{state}, the clock is stopped with {} left",
                format_duration(left)
            )
        }
        (None, None) => format!("{state}, no deadline"),
    }
}

pub(super) fn no_reason() -> Usage {
    Usage("--reason must say why, for example --reason \"on parental leave\"".to_owned())
}

fn kind(args: &Window, zone: &TimeZone) -> Result<ActKind, Usage> {
    let until = args.until.map(|until| until.within(zone));
    let wrong = |text: &str| Err(Usage(text.to_owned()));
    match (args.act, args.days, until) {
        (Act::Extend, Some(days), None) => Ok(ActKind::Extend { days }),
        (Act::Extend, None, Some(until)) => Ok(ActKind::ExtendUntil { until }),
        (Act::Extend, ..) => wrong(
            "`extend` needs --days N or --until TIME, for example: fortnight window extend ana@contoso.com --days 7 --reason \"on leave\"",
        ),
        (Act::Reset, None, None) => Ok(ActKind::Reset),
        (Act::Close, None, None) => Ok(ActKind::Close),
        (Act::Reopen, None, None) => Ok(ActKind::Reopen),
        (Act::Reset | Act::Close | Act::Reopen, ..) => wrong(
            "--days and --until belong to `extend`, for example: fortnight window extend ana@contoso.com --days 7 --reason \"on leave\"",
        ),
    }
}
