//! Webhooks: each endpoint is found and connected to, and is sent nothing.

use super::Check;
use crate::config::{Config, Webhook};
use crate::delivery::webhook::Client;
use crate::errors::chain;
use crate::store::Store;
use crate::store::destinations::{Health, HealthState};

pub(super) async fn checks(config: &Config) -> Vec<Check> {
    let mut checks = Vec::with_capacity(config.webhooks.len());
    for webhook in &config.webhooks {
        let part = format!("webhook {}", webhook.endpoint.name);
        checks.push(Check::new(part, check(config, webhook).await));
    }
    checks
}

async fn check(config: &Config, webhook: &Webhook) -> Result<String, String> {
    let name = &webhook.endpoint.name;
    let host = webhook.endpoint.url.host().to_owned();
    let client = Client::new(webhook.endpoint.clone()).map_err(|error| chain(&error))?;
    client.probe().await.map_err(|text| {
        format!("{text}: check its address, and that a firewall lets this machine through")
    })?;
    let known = known(config, name).await;
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
async fn known(config: &Config, name: &str) -> Health {
    let Ok(store) = Store::open_existing(&config.database).await else {
        return Health::default();
    };
    let known = store.health(name).await.unwrap_or_default();
    store.close().await;
    known
}
