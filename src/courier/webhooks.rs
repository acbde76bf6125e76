//! The lane of one endpoint.
//!
//! What one answer says about the endpoint holds for everything else that waits for it: a pause it
//! asks for, a secret it does not accept, a success. Rows about one person go one after the other
//! (the claim sees to that), all others side by side.

use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use super::outlet::Outlet;
use super::pace::{FIRST_CLAIM, SETTLE_EVERY, next_claim};
use super::retry::retry_at;
use super::{Courier, Ledger, health};
use crate::delivery::Outcome;
use crate::delivery::webhook::Attempt;
use crate::store::StoreError;
use crate::store::destinations::{Destination, DestinationState};
use crate::store::outbox::{Disposition, Settled};
use crate::store::webhooks::ClaimedWebhook;

/// No retry waits longer (delivery C4).
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_hours(6);

impl Courier<'_> {
    /// Sends what is due to one endpoint, as long as that takes it.
    pub(super) async fn webhooks(
        &self,
        outlet: &Outlet,
        ledger: &Ledger<'_>,
        stop: &impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let mut known = self.store.destination(&outlet.name).await?;
        let mut size = FIRST_CLAIM;
        loop {
            let now = self.clock.now();
            if known.state == DestinationState::Dead {
                let buried = self.store.bury_waiting(&outlet.name, now).await?;
                ledger.write(|report| report.deliveries.failed += buried);
            }
            if stop() || is_blocked(&known, now) {
                break;
            }
            let limit = health::at_once(&known, size);
            let claimed = self.store.claim_webhooks(&outlet.name, limit, now).await?;
            if claimed.is_empty() {
                break;
            }
            let began = Instant::now();
            known = self
                .send_claimed(outlet, known, &claimed, ledger, stop)
                .await?;
            size = next_claim(claimed.len(), began.elapsed());
        }
        if health::is_in_doubt(&known) {
            let (name, state) = (&outlet.name, known.state.as_str());
            let reason = known.reason.unwrap_or_default();
            ledger.error(format!(
                "the webhook {name} ({state}) does not take what it is sent: {reason}"
            ));
        }
        Ok(())
    }

    /// Sends what was claimed, and settles it as it goes; what is not under way yet when the
    /// endpoint turns out to take nothing is given back.
    async fn send_claimed(
        &self,
        outlet: &Outlet,
        mut known: Destination,
        claimed: &[ClaimedWebhook],
        ledger: &Ledger<'_>,
        stop: &impl Fn() -> bool,
    ) -> Result<Destination, StoreError> {
        let connections = outlet.client.endpoint().dialect.connections;
        let mut waiting = claimed.iter();
        let mut under_way = FuturesUnordered::new();
        let mut over = Vec::new();
        let mut settle_at = Instant::now() + SETTLE_EVERY;
        loop {
            if stop() || is_blocked(&known, self.clock.now()) {
                let rest: Vec<(&str, u32)> = waiting
                    .by_ref()
                    .map(|row| (row.id.as_str(), row.attempt))
                    .collect();
                self.store.give_back(&rest, self.clock.now()).await?;
            }
            let free = connections - under_way.len();
            under_way.extend(
                waiting
                    .by_ref()
                    .take(free)
                    .map(|row| self.attempt(outlet, row)),
            );
            match tokio::time::timeout_at(settle_at.into(), under_way.next()).await {
                Ok(Some(ended)) => over.push(ended),
                Ok(None) => return self.settle_webhooks(outlet, known, over, ledger).await,
                // Every request has its own end, so this is no standstill.
                Err(_) => self.progress.beat(),
            }
            // What was not accepted may hold for whatever else waits: it is looked at first.
            let refused = |(_, outcome): &(_, Outcome)| !outcome.is_accepted();
            if over.last().is_some_and(refused) || Instant::now() >= settle_at {
                let ended = std::mem::take(&mut over);
                known = self.settle_webhooks(outlet, known, ended, ledger).await?;
                settle_at = Instant::now() + SETTLE_EVERY;
            }
        }
    }

    async fn attempt<'row>(
        &self,
        outlet: &Outlet,
        row: &'row ClaimedWebhook,
    ) -> (&'row ClaimedWebhook, Outcome) {
        let began = Instant::now();
        let attempt = Attempt {
            id: &row.webhook_id,
            body: row.body.as_bytes(),
            at: self.clock.host().wall,
        };
        let outcome = outlet.client.send(&attempt).await;
        tracing::debug!(
            delivery.id = row.id,
            webhook = outlet.name,
            attempt = row.attempt,
            took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            "attempt {} of delivery {}",
            row.attempt,
            row.id
        );
        (row, outcome)
    }

    /// Writes down what became of some rows, together with what that says about the endpoint.
    async fn settle_webhooks(
        &self,
        outlet: &Outlet,
        mut known: Destination,
        over: Vec<(&ClaimedWebhook, Outcome)>,
        ledger: &Ledger<'_>,
    ) -> Result<Destination, StoreError> {
        if over.is_empty() {
            return Ok(known);
        }
        let now = self.clock.now();
        let mut line = None;
        let mut settled = Vec::with_capacity(over.len());
        for (row, outcome) in over {
            let (next, told) = health::after(&known, &outcome, &outlet.name, now);
            known = next;
            line = told.or(line);
            let one = settle(row, &outcome, &known, now);
            if one.disposition != Disposition::Sent {
                tracing::warn!(
                    delivery.id = one.id,
                    webhook = outlet.name,
                    attempt = one.attempt,
                    code = one.code,
                    text = one.text,
                    "webhook {} did not take delivery {}",
                    outlet.name,
                    one.id
                );
            }
            settled.push(one);
        }
        let tally = self
            .store
            .settle_at(&outlet.name, &settled, &known, line.as_deref(), now)
            .await?;
        self.progress.settled(settled.len());
        ledger.settled(tally);
        Ok(known)
    }
}

fn is_blocked(known: &Destination, now: Timestamp) -> bool {
    known.state == DestinationState::Dead || known.paused_until.is_some_and(|until| until > now)
}

/// What becomes of a row; one that is to be tried again waits as long as the endpoint does.
fn settle(row: &ClaimedWebhook, outcome: &Outcome, known: &Destination, now: Timestamp) -> Settled {
    let retry = || {
        let own = retry_at(&row.id, row.attempt, row.not_after, RETRY_AT_MOST, now);
        known.paused_until.map_or(own, |until| own.max(until))
    };
    let disposition = match outcome {
        Outcome::Accepted { .. } => Disposition::Sent,
        Outcome::Deferred { .. } | Outcome::Unauthorized { .. } | Outcome::Unreachable { .. } => {
            Disposition::RetryAt(retry())
        }
        Outcome::Lost { .. } => Disposition::Lost(retry()),
        Outcome::Refused { .. } => Disposition::Refused,
        Outcome::Gone { .. } => Disposition::Dead,
    };
    Settled {
        id: row.id.clone(),
        attempt: row.attempt,
        disposition,
        code: outcome.code(),
        text: outcome.text().to_owned(),
        at: now,
    }
}
