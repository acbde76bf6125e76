//! The endpoints of a configuration, ready to be sent to; and whether they are a way to people.

use jiff::Timestamp;

use super::health::is_in_doubt;
use crate::config::Config;
use crate::delivery::webhook::{Client, ClientError};
use crate::domain::facts::{Channel, NoticeBy};
use crate::store::destinations::DestinationState;
use crate::store::{Store, StoreError};

/// An endpoint that is ready to be sent to.
pub struct Outlet {
    /// Its name in the configuration.
    pub name: String,
    /// The connections to it.
    pub client: Client,
    gives_notice: bool,
}

impl Outlet {
    /// All that are configured.
    pub fn all(config: &Config) -> Result<Vec<Self>, ClientError> {
        let by_webhook = config.notice_by() == NoticeBy::Webhook;
        config
            .webhooks
            .iter()
            .map(|webhook| {
                Ok(Self {
                    name: webhook.endpoint.name.clone(),
                    client: Client::new(webhook.endpoint.clone())?,
                    gives_notice: by_webhook && webhook.gives_notice(),
                })
            })
            .collect()
    }
}

/// Whether webhooks are a way to people, and an open one: every endpoint that gives notice can be
/// reached and takes what it is sent. One that does not is an outage (rule 7.11), since
/// nobody knows whom another one tells.
pub async fn channel(
    outlets: &[Outlet],
    store: &Store,
    now: Timestamp,
) -> Result<Channel, StoreError> {
    let mut channel = Channel::None;
    for outlet in outlets.iter().filter(|outlet| outlet.gives_notice) {
        if channel != Channel::Down {
            channel = Channel::Works;
        }
        if let Some(trouble) = trouble(outlet, store, now).await? {
            tracing::warn!(
                webhook = outlet.name,
                trouble,
                "no notice can be given by webhook"
            );
            channel = Channel::Down;
        }
    }
    Ok(channel)
}

async fn trouble(
    outlet: &Outlet,
    store: &Store,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    let known = store.destination(&outlet.name).await?;
    let put_off = known.paused_until.is_some_and(|until| until > now);
    // While a row waits, it is the next attempt that tells; afterwards only a connection can.
    let is_closed = known.state == DestinationState::Dead
        || put_off
        || (is_in_doubt(&known) && store.waits_for(&outlet.name, now).await?);
    if is_closed {
        let reason = known.reason.unwrap_or_default();
        return Ok(Some(format!("{}: {reason}", known.state.as_str())));
    }
    // What the store says of it stays: whether it takes a row only a row can tell.
    Ok(outlet.client.probe().await.err())
}
