//! The outbox, and what can be done about a row.

use super::acts::act_time;
use super::{DeskError, one};
use crate::config::Config;
use crate::store::Store;
use crate::store::deliveries::DeliveryRow;

/// The states of contract 5.
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

/// What is to become of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// It is tried again now.
    Retry,
    /// It is set aside for good.
    Discard,
}

/// The outbox, oldest first: all of it, some states, or one person's.
pub async fn list(
    store: &Store,
    states: &[String],
    person: Option<&str>,
) -> Result<Vec<DeliveryRow>, DeskError> {
    if let Some(unknown) = states
        .iter()
        .find(|state| !STATES.contains(&state.as_str()))
    {
        return Err(DeskError::Unknown(format!(
            "there is no state {unknown:?}; the states are {}",
            STATES.join(", ")
        )));
    }
    let user = match person {
        Some(name) => Some(one(store, name).await?),
        None => None,
    };
    Ok(store.deliveries(states, user.as_ref()).await?)
}

/// An endpoint is well again: what waits for it, or died with it, is due now. How many rows.
pub async fn reopen(store: &Store, config: &Config, name: &str) -> Result<u64, DeskError> {
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
        let text = format!("there is no webhook {name:?}; {known}");
        return Err(DeskError::Unknown(text));
    }
    let now = act_time(store, None).await?;
    Ok(store.reopen(name, now).await?)
}

/// Tries a row again, or sets it aside; the state that it was in.
pub async fn replay(store: &Store, id: &str, how: Replay) -> Result<String, DeskError> {
    let now = act_time(store, None).await?;
    let discard = how == Replay::Discard;
    match store.replay(id, discard, now).await? {
        None => Err(DeskError::Unknown(format!("there is no delivery {id:?}"))),
        Some(state) if ["pending", "ambiguous", "failed", "dead"].contains(&state.as_str()) => {
            Ok(state)
        }
        Some(state) => Err(DeskError::Refused(format!(
            "the delivery {id} is {state}: there is nothing to do about it"
        ))),
    }
}
