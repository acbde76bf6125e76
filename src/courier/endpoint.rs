//! An endpoint as a destination: what one answer says about it holds for everything that waits for
//! it. Rows about one person go one after the other (the claim sees to that), all others side by
//! side.

use jiff::{SignedDuration, Timestamp};

use super::health;
use super::lane::Lane;
use super::outlet::Outlet;
use crate::delivery::Outcome;
use crate::delivery::webhook::Attempt;
use crate::domain::delivery::Disposition;
use crate::store::StoreError;
use crate::store::destinations::{Destination, DestinationState};
use crate::store::outbox::Claimed;
use crate::time::Clock;

/// No retry waits longer (rule 5.6).
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_hours(6);

/// The way to one endpoint.
pub(super) struct Endpoint<'a> {
    pub(super) outlet: &'a Outlet,
    pub(super) clock: Clock,
}

impl Lane for Endpoint<'_> {
    fn name(&self) -> &str {
        &self.outlet.name
    }

    fn connections(&self) -> usize {
        self.outlet.client.endpoint().dialect.connections
    }

    async fn allows(
        &self,
        health: &Destination,
        usual: u32,
        _: Timestamp,
    ) -> Result<u32, StoreError> {
        Ok(health::at_once(health, usual))
    }

    fn is_closed(&self, health: &Destination, _: u32, now: Timestamp) -> bool {
        health.state == DestinationState::Dead
            || health.paused_until.is_some_and(|until| until > now)
    }

    async fn send(&self, row: &Claimed) -> Outcome {
        let body = row.body.as_deref().unwrap_or_default();
        let attempt = Attempt {
            id: &row.message_id,
            body: body.as_bytes(),
            at: self.clock.host().wall,
        };
        self.outlet.client.send(&attempt).await
    }

    fn after(
        &self,
        before: &Destination,
        outcome: &Outcome,
        now: Timestamp,
    ) -> (Destination, Option<String>) {
        health::after(before, outcome, &self.outlet.name, now)
    }

    fn retry_at_most(&self) -> SignedDuration {
        RETRY_AT_MOST
    }

    /// As often as it takes: receivers know what they have by its id.
    fn after_loss(&self, retry: Timestamp) -> Disposition {
        Disposition::Lost(retry)
    }

    fn trouble(&self, health: &Destination, _: u32) -> Option<String> {
        health::is_in_doubt(health).then(|| {
            format!(
                "the webhook {} ({}) does not take what it is sent: {}",
                self.outlet.name,
                health.state.as_str(),
                health.reason.as_deref().unwrap_or_default()
            )
        })
    }
}
