//! `window`: an operator's act, written down as a fact that the next pass applies.

use super::args::{Act, Window};
use super::output::Printer;
use super::{DONE, Usage, act_time, one, operator};
use crate::config::Config;
use crate::domain::facts::ActKind;
use crate::domain::id::PolicyName;
use crate::store::Store;
use crate::store::acts::NewAct;

pub(super) async fn run(config: &Config, args: &Window, out: &mut Printer) -> anyhow::Result<u8> {
    if args.reason.trim().is_empty() {
        return Err(Usage("--reason must say why".to_owned()).into());
    }
    let policy = args.policy.as_deref().map(PolicyName::new);
    if let Some(policy) = &policy
        && !config.policies.iter().any(|known| known.name == *policy)
    {
        return Err(Usage(format!("there is no policy {:?}", policy.as_str())).into());
    }
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
    let store = Store::open_existing(&config.database).await?;
    let user = one(&store, &args.user).await?;
    let at = act_time(&store, args.as_of).await?;
    let act = NewAct {
        user: user.clone(),
        policy,
        kind,
        reason: args.reason.clone(),
        by: operator(),
        ticket: args.ticket.clone(),
    };
    store.record_act(&act, at).await?;
    store.close().await;
    out.line(format!(
        "Noted for {user}; the next pass applies it, within seconds where `fortnight run` runs."
    ))?;
    Ok(DONE)
}
