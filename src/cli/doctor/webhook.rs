//! Webhooks: each endpoint is found and connected to, and is sent nothing.

use jiff::Timestamp;

use super::{Check, certificate};
use crate::config::{Config, Webhook};
use crate::delivery::webhook::Client;
use crate::errors::chain;
use crate::store::Store;
use crate::store::destinations::{Health, HealthState};

pub(super) async fn checks(config: &Config, store: Option<&Store>, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::with_capacity(config.webhooks.len());
    for webhook in &config.webhooks {
        let part = format!("webhook {}", webhook.endpoint.name);
        let (ends_at, said) = match probe(webhook).await {
            Ok(ends_at) => (ends_at, check(store, webhook).await),
            Err(error) => (None, Err(error)),
        };
        let certificate = certificate::shown(&part, ends_at, now);
        checks.push(Check::new(part, said));
        checks.extend(certificate);
    }
    checks
}

/// Finds the endpoint and connects to it.
async fn probe(webhook: &Webhook) -> Result<Option<Timestamp>, String> {
    let client = Client::new(webhook.endpoint.clone()).map_err(|error| chain(&error))?;
    client.probe().await.map_err(|text| {
        format!("{text}: check its address, and that a firewall lets this machine through")
    })
}

async fn check(store: Option<&Store>, webhook: &Webhook) -> Result<String, String> {
    let name = &webhook.endpoint.name;
    let host = webhook.endpoint.url.host().to_owned();
    let known = known(store, name).await;
    let reason = known.reason.unwrap_or_default();
    match known.state {
        HealthState::Active => Ok(format!(
            "{host} can be reached; fortnight test webhook {name} sends it a test"
        )),
        HealthState::Paused => Err(format!(
            "{host} can be reached, but takes nothing ({reason}): mend its address or secret; it is tried again by itself"
        )),
        HealthState::Dead => Err(format!(
            "{host} can be reached, but said that it is no more ({reason}): when it is back, fortnight deliveries retry --destination {name}"
        )),
    }
}

/// What the passes learned of it; nothing, where there was none yet.
async fn known(store: Option<&Store>, name: &str) -> Health {
    match store {
        Some(store) => store.health(name).await.unwrap_or_default(),
        None => Health::default(),
    }
}
