//! An endpoint as a destination: what one answer says about it holds for everything that waits for
//! it. Rows about one person go one after the other (the claim sees to that), all others side by
//! side. Where no mail is configured, endpoints are the way to people.

use jiff::{SignedDuration, Timestamp};

use super::health;
use super::lane::Lane;
use crate::config::Config;
use crate::delivery::Outcome;
use crate::delivery::webhook::{Attempt, Client, ClientError};
use crate::domain::delivery::Disposition;
use crate::domain::facts::{Channel, NoticeBy};
use crate::domain::language::Language;
use crate::store::destinations::{Health, HealthState};
use crate::store::outbox::Claimed;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// No retry waits longer (rule 5.6).
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_hours(6);

/// The way to one endpoint.
pub struct EndpointLane {
    client: Client,
    gives_notice: bool,
    /// How operators hear of it.
    language: Language,
}

impl EndpointLane {
    /// The ways to all that are configured.
    pub fn all(config: &Config) -> Result<Vec<Self>, ClientError> {
        let by_webhook = config.notice_by() == NoticeBy::Webhook;
        let lanes = config.webhooks.iter().map(|webhook| {
            Ok(Self {
                client: Client::new(webhook.endpoint.clone())?,
                gives_notice: by_webhook && webhook.gives_notice(),
                language: config.manner().language,
            })
        });
        lanes.collect()
    }

    /// Why nothing gets through, if nothing does.
    async fn blocked(&self, store: &Store, now: Timestamp) -> Result<Option<String>, StoreError> {
        let known = store.health(self.name()).await?;
        let put_off = known.paused_until.is_some_and(|until| until > now);
        // While a row waits, it is the next attempt that tells; afterwards only a connection can.
        let is_closed = known.state == HealthState::Dead
            || put_off
            || (health::is_in_doubt(&known) && store.waits_for(self.name(), now).await?);
        if is_closed {
            let reason = known.reason.unwrap_or_default();
            return Ok(Some(format!("{}: {reason}", known.state.as_str())));
        }
        // What the store says of it stays: whether it takes a row only a row can tell.
        Ok(self.client.probe().await.err())
    }
}

/// Whether webhooks are a way to people, and an open one: every endpoint that gives notice can be
/// reached and takes what it is sent. One that does not is an outage (rule 7.11), since
/// nobody knows whom another one tells.
pub async fn channel(
    endpoints: &[EndpointLane],
    store: &Store,
    now: Timestamp,
) -> Result<Channel, StoreError> {
    let mut channel = Channel::None;
    for endpoint in endpoints.iter().filter(|endpoint| endpoint.gives_notice) {
        if channel != Channel::Down {
            channel = Channel::Works;
        }
        if let Some(trouble) = endpoint.blocked(store, now).await? {
            tracing::warn!(
                webhook = endpoint.name(),
                trouble,
                "no notice can be given by webhook {}: {trouble}",
                endpoint.name()
            );
            channel = Channel::Down;
        }
    }
    Ok(channel)
}

impl Lane for EndpointLane {
    fn name(&self) -> &str {
        &self.client.endpoint().name
    }

    fn connections(&self) -> usize {
        self.client.endpoint().dialect.connections
    }

    async fn allows(
        &self,
        health: &Health,
        usual: u32,
        under_way: usize,
        _: Timestamp,
    ) -> Result<u32, StoreError> {
        Ok(health::at_once(health, usual, under_way))
    }

    fn is_closed(&self, health: &Health, _: u32, now: Timestamp) -> bool {
        health.state == HealthState::Dead || health.paused_until.is_some_and(|until| until > now)
    }

    async fn send(&self, row: &Claimed, clock: Clock) -> Outcome {
        let body = row.body.as_deref().unwrap_or_default();
        let attempt = Attempt {
            id: &row.message_id,
            body: body.as_bytes(),
            at: clock.host().wall,
        };
        self.client.send(&attempt).await
    }

    fn after(
        &self,
        before: &Health,
        outcome: &Outcome,
        now: Timestamp,
    ) -> (Health, Option<String>) {
        health::after(before, outcome, self.name(), self.language, now)
    }

    fn retry_at_most(&self, _: &Claimed) -> SignedDuration {
        RETRY_AT_MOST
    }

    /// As often as it takes: receivers know what they have by its id.
    fn after_loss(&self, retry: Timestamp) -> Disposition {
        Disposition::Lost(retry)
    }

    fn trouble(&self, health: &Health, _: u32, _: Timestamp) -> Option<String> {
        health::is_in_doubt(health).then(|| {
            format!(
                "the webhook {} ({}) does not take what it is sent: {}",
                self.name(),
                health.state.as_str(),
                health.reason.as_deref().unwrap_or_default()
            )
        })
    }
}
