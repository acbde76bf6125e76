//! The outbox, and what can be done about a row.

use std::collections::VecDeque;

use super::acts::act_time;
use super::{DeskError, one};
use crate::config::Config;
use crate::delivery::text::mask_addresses;
use crate::domain::delivery::State;
use crate::domain::id::UserId;
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

/// Rows of a page: each begins behind the one before, so that a slow reader holds nothing open.
const PAGE: u32 = 2_000;

/// The outbox, as it is being read: all of it, some states, or one person's.
pub struct Deliveries<'a> {
    store: &'a Store,
    states: Vec<State>,
    user: Option<UserId>,
    read: VecDeque<DeliveryRow>,
    last: i64,
    is_over: bool,
}

/// Begins to read it, the oldest first; or only the newest so many of it.
pub async fn list<'a>(
    store: &'a Store,
    states: Vec<State>,
    person: Option<&str>,
    newest: Option<u32>,
) -> Result<Deliveries<'a>, DeskError> {
    let user = match person {
        Some(name) => Some(one(store, name).await?),
        None => None,
    };
    let read = match newest {
        Some(limit) => store.newest_deliveries(&states, user.as_ref(), limit),
        None => return Ok(Deliveries::of(store, states, user, Vec::new(), false)),
    };
    let read = read.await?;
    Ok(Deliveries::of(store, states, user, read, true))
}

impl<'a> Deliveries<'a> {
    fn of(
        store: &'a Store,
        states: Vec<State>,
        user: Option<UserId>,
        read: Vec<DeliveryRow>,
        is_over: bool,
    ) -> Self {
        Self {
            store,
            states,
            user,
            read: read.into(),
            last: i64::MIN,
            is_over,
        }
    }

    /// The next row.
    pub async fn next(&mut self) -> Result<Option<DeliveryRow>, DeskError> {
        if self.read.is_empty() && !self.is_over {
            let (states, user) = (&self.states, self.user.as_ref());
            let page = self.store.deliveries_after(states, user, self.last, PAGE);
            self.read = page.await?.into();
            self.is_over = self.read.len() < PAGE as usize;
            self.last = self.read.back().map_or(self.last, |row| row.position);
        }
        Ok(self.read.pop_front().map(|row| DeliveryRow {
            // Servers like to repeat whom they refuse.
            last_error: row.last_error.as_deref().map(mask_addresses),
            ..row
        }))
    }
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
