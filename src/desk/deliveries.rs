//! The outbox, and what can be done about a row.

use super::acts::act_time;
use super::{DeskError, one};
use crate::config::Config;
use crate::delivery::text::mask_addresses;
use crate::domain::delivery::State;
use crate::store::Store;
use crate::store::outbox::{DeliveryRow, Found};

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
    states: &[State],
    person: Option<&str>,
) -> Result<Vec<DeliveryRow>, DeskError> {
    let user = match person {
        Some(name) => Some(one(store, name).await?),
        None => None,
    };
    let mut rows = store.deliveries(states, user.as_ref()).await?;
    for row in &mut rows {
        // Servers like to repeat whom they refuse.
        row.last_error = row.last_error.as_deref().map(mask_addresses);
    }
    Ok(rows)
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
pub async fn replay(store: &Store, id: &str, how: Replay) -> Result<State, DeskError> {
    let now = act_time(store, None).await?;
    let refused = |is: &str| {
        DeskError::Refused(format!(
            "the delivery {id} is {is}: there is nothing to do about it"
        ))
    };
    match store.replay(id, how == Replay::Discard, now).await? {
        Found::Row(state) if state.is_in_hand() => Ok(state),
        Found::Row(state) => Err(refused(state.as_str())),
        Found::Untrue => Err(DeskError::Refused(format!(
            "the delivery {id} is no longer true of the person, or was overtaken by a later one: use `deliveries discard {id}`"
        ))),
        Found::TooOld => Err(refused("too old to be sent")),
        Found::Nothing => Err(DeskError::Unknown(format!("there is no delivery {id:?}"))),
    }
}
