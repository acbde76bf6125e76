//! `window`: an operator's act on a person's window.

use super::args::{Act, Window};
use super::output::Printer;
use super::{Usage, operator};
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::desk::Reader;
use crate::desk::acts::{self, Change, Order};
use crate::domain::facts::ActKind;
use crate::domain::message::EventKind;
use crate::domain::policy::Mode;
use crate::domain::state::State;
use crate::exit::DONE;
use crate::time::format_duration;

pub(super) async fn run(config: &Config, args: &Window, out: &mut Printer) -> anyhow::Result<u8> {
    if args.reason.trim().is_empty() {
        return Err(Usage("--reason must say why".to_owned()).into());
    }
    let order = Order {
        person: args.user.clone(),
        policy: args.policy.clone(),
        kind: kind(args)?,
        reason: args.reason.clone(),
        by: operator(),
        ticket: args.ticket.clone(),
    };
    let reader = Reader::open(config).await?;
    let confirmation = acts::act(&reader, order, args.as_of).await?;
    reader.store.close().await;
    out.line(format!(
        "Noted for {}; the next pass applies it, within seconds where `fortnight run` runs.",
        confirmation.user
    ))?;
    for change in &confirmation.changes {
        out.line(says(&confirmation.name, change))?;
    }
    if let Some(line) = not_in_entra(config.mode, args.act) {
        out.line(line)?;
    }
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

fn says(name: &str, change: &Change) -> String {
    let policy = &change.policy;
    let [before, after] = change.state.map(State::as_str);
    if let Some(lacks) = change.idle {
        return format!(
            "Under {policy} the person is {before} and {lacks}: as things stand, nothing changes there."
        );
    }
    let until = |at: usize| match (change.deadline[at], change.left[at]) {
        (Some(deadline), _) => format!(" until {deadline}"),
        (None, Some(left)) => format!(" with {} left", format_duration(left)),
        (None, None) => String::new(),
    };
    let [was_until, is_until] = [0, 1].map(until);
    let mail = change.mail.map_or("no mail", EventKind::as_str);
    let name = clean_line(name, 120);
    format!(
        "{name} under {policy}: {before}{was_until} before, {after}{is_until} after; {mail} follows."
    )
}

fn kind(args: &Window) -> Result<ActKind, Usage> {
    let wrong = |text: &str| Err(Usage(text.to_owned()));
    match (args.act, args.days) {
        (Act::Extend, Some(days @ 1..=365)) => Ok(ActKind::Extend { days }),
        (Act::Extend, _) => wrong("--days must be from 1 to 365"),
        (Act::Reset, None) => Ok(ActKind::Reset),
        (Act::Close, None) => Ok(ActKind::Close),
        (Act::Reopen, None) => Ok(ActKind::Reopen),
        (Act::Reset | Act::Close | Act::Reopen, Some(_)) => wrong("--days belongs to `extend`"),
    }
}
