//! `window`: an operator's act, written down as a fact that the next pass applies.

use super::args::{Act, Window};
use super::output::Printer;
use super::view::PersonView;
use super::{Reader, Usage, act_time, operator};
use crate::config::Config;
use crate::domain::facts::ActKind;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::state::State;
use crate::exit::DONE;
use crate::store::Whom;
use crate::store::acts::NewAct;

pub(super) async fn run(config: &Config, args: &Window, out: &mut Printer) -> anyhow::Result<u8> {
    if args.reason.trim().is_empty() {
        return Err(Usage("--reason must say why".to_owned()).into());
    }
    let policy = args.policy.as_deref().map(PolicyName::new);
    let kind = match (args.act, args.days) {
        (Act::Extend, Some(days @ 1..=365)) => ActKind::Extend { days },
        (Act::Extend, _) => return Err(Usage("--days must be from 1 to 365".to_owned()).into()),
        (Act::Reset, None) => ActKind::Reset,
        (Act::Close, None) => ActKind::Close,
        (Act::Reopen, None) => ActKind::Reopen,
        (Act::Reset | Act::Close | Act::Reopen, Some(_)) => {
            return Err(Usage("--days belongs to `extend`".to_owned()).into());
        }
    };
    let reader = Reader::open(config).await?;
    if let Some(policy) = &policy {
        reader.knows_policy(policy.as_str())?;
    }
    let user = reader.person(&args.user).await?;
    let at = act_time(&reader.store, args.as_of).await?;
    let idle = idle(&reader, &user, kind, args.policy.as_deref()).await?;
    let act = NewAct {
        user: user.clone(),
        policy,
        kind,
        reason: args.reason.clone(),
        by: operator(),
        ticket: args.ticket.clone(),
    };
    reader.store.record_act(&act, at).await?;
    reader.store.close().await;
    out.line(format!(
        "Noted for {user}; the next pass applies it, within seconds where `fortnight run` runs."
    ))?;
    for line in idle {
        out.line(line)?;
    }
    Ok(DONE)
}

/// Policies under which the act finds nothing to act on, as things stand.
async fn idle(
    reader: &Reader,
    user: &UserId,
    kind: ActKind,
    policy: Option<&str>,
) -> anyhow::Result<Vec<String>> {
    let outcomes = reader.look(&Whom::these([user.as_str()])).await?;
    let rows = outcomes.iter().flat_map(PersonView::of);
    let rows = rows.filter(|row| policy.is_none_or(|policy| row.policy == policy));
    let lines = rows.filter_map(|row| {
        let runs = row.window.is_some() && row.state != State::Registered;
        let closed = |reason: &Reason| reason.code == ReasonCode::ClosedByOperator;
        let lacks = match kind {
            ActKind::Extend { .. } | ActKind::Reset if !runs => "no window is open",
            ActKind::Reopen if !row.reasons.iter().any(closed) => "no operator closed the window",
            _ => return None,
        };
        let (policy, state) = (row.policy, row.state.as_str());
        Some(format!("Under {policy} the person is {state} and {lacks}: as things stand, nothing changes there."))
    });
    Ok(lines.collect())
}
