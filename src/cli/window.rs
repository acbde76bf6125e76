//! `window`: an operator's act on a person's window.

use super::args::{Act, Window};
use super::output::Printer;
use super::{Usage, operator};
use crate::config::Config;
use crate::desk::Reader;
use crate::desk::acts::{self, Order};
use crate::domain::facts::ActKind;
use crate::exit::DONE;

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
    let noted = acts::act(&reader, order, args.as_of).await?;
    reader.store.close().await;
    out.line(format!(
        "Noted for {}; the next pass applies it, within seconds where `fortnight run` runs.",
        noted.user
    ))?;
    for line in noted.idle {
        out.line(line)?;
    }
    Ok(DONE)
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
