//! The lane of mail: its claims follow the speed of the server, its budgets what that allows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use super::pace::{FIRST_CLAIM, SETTLE_EVERY, next_claim};
use super::retry::retry_at;
use super::transport::Transport;
use super::{Courier, Ledger};
use crate::delivery::Outcome;
use crate::domain::id::PolicyName;
use crate::domain::policy::Policy;
use crate::domain::window::later;
use crate::store::StoreError;
use crate::store::mails::Claimed;
use crate::store::outbox::{Disposition, Settled};

/// No retry waits longer (delivery C4).
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_mins(30);
/// So many failures of the connection in a row end the deliveries of a pass.
const FAILURES_IN_A_ROW: u32 = 5;

impl Courier<'_> {
    /// Sends mails until none is due, the budget is spent, the way is blocked or `stop` says so.
    pub(super) async fn mails(
        &self,
        transport: &Transport,
        ledger: &Ledger<'_>,
        stop: &impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let policies: BTreeMap<PolicyName, Policy> = self
            .policies
            .iter()
            .map(|policy| (policy.name.clone(), policy.clone()))
            .collect();
        let failures = AtomicU32::new(0);
        let ends = || stop() || is_blocked(&failures);
        let mut size = FIRST_CLAIM;
        while !ends() {
            let now = self.clock.now();
            let limit = u64::from(size).min(self.budget(now).await?);
            let Ok(limit @ 1..) = u32::try_from(limit) else {
                break;
            };
            let claimed = self.store.claim(&policies, limit, now).await?;
            if claimed.is_empty() {
                break;
            }
            let began = Instant::now();
            self.deliver_claimed(transport, &claimed, &failures, &ends, ledger)
                .await?;
            size = next_claim(claimed.len(), began.elapsed());
        }
        if is_blocked(&failures) {
            ledger.error("mail does not go out; it is tried again in the next pass".to_owned());
        }
        Ok(())
    }

    /// Sends what was claimed and settles it as it goes; when the deliveries end, what is not under
    /// way yet is given back.
    async fn deliver_claimed(
        &self,
        transport: &Transport,
        claimed: &[Claimed],
        failures: &AtomicU32,
        ends: &impl Fn() -> bool,
        ledger: &Ledger<'_>,
    ) -> Result<(), StoreError> {
        let mut waiting = claimed.iter();
        let mut under_way = FuturesUnordered::new();
        let mut over = Vec::new();
        let mut settle_at = Instant::now() + SETTLE_EVERY;
        loop {
            if ends() {
                let rest: Vec<(&str, u32)> = waiting
                    .by_ref()
                    .map(|claimed| (claimed.id.as_str(), claimed.attempt))
                    .collect();
                self.store.give_back(&rest, self.clock.now()).await?;
            }
            let free = transport.connections() - under_way.len();
            under_way.extend(
                waiting
                    .by_ref()
                    .take(free)
                    .map(|claimed| self.attempt_mail(transport, claimed, failures)),
            );
            match tokio::time::timeout_at(settle_at.into(), under_way.next()).await {
                Ok(Some(settled)) => over.push(settled),
                Ok(None) => return self.settle_mails(&over, ledger).await,
                // Every wait for the server has its own end, so this is no standstill.
                Err(_) => self.progress.beat(),
            }
            if Instant::now() >= settle_at {
                self.settle_mails(&over, ledger).await?;
                over.clear();
                settle_at = Instant::now() + SETTLE_EVERY;
            }
        }
    }

    /// One attempt; a failure of the way itself is counted until one succeeds.
    async fn attempt_mail(
        &self,
        transport: &Transport,
        claimed: &Claimed,
        failures: &AtomicU32,
    ) -> Settled {
        let (settled, blocked) = self.send_mail(transport, claimed).await;
        if blocked {
            failures.fetch_add(1, Ordering::Relaxed);
        } else {
            failures.store(0, Ordering::Relaxed);
        }
        if settled.disposition != Disposition::Sent {
            tracing::warn!(
                delivery.id = settled.id,
                attempt = settled.attempt,
                code = settled.code,
                text = settled.text,
                "delivery {} was not accepted",
                settled.id
            );
        }
        settled
    }

    async fn settle_mails(&self, over: &[Settled], ledger: &Ledger<'_>) -> Result<(), StoreError> {
        if over.is_empty() {
            return Ok(());
        }
        let tally = self.store.settle(over).await?;
        self.progress.settled(over.len());
        ledger.settled(tally);
        Ok(())
    }

    /// How many mails the budgets still allow now.
    async fn budget(&self, now: Timestamp) -> Result<u64, StoreError> {
        let Some(budgets) = self.config.email.as_ref().map(|email| email.budgets) else {
            return Ok(u64::MAX);
        };
        let mut left = u64::MAX;
        for (limit, length) in [
            (budgets.per_minute, SignedDuration::from_mins(1)),
            (budgets.per_day, SignedDuration::from_hours(24)),
        ] {
            if let Some(limit) = limit {
                let spent = self.store.attempts_since(later(now, -length)).await?;
                left = left.min(u64::from(limit).saturating_sub(spent));
            }
        }
        Ok(left)
    }

    /// Sends one mail; whether the way itself was blocked.
    async fn send_mail(&self, transport: &Transport, claimed: &Claimed) -> (Settled, bool) {
        let now = self.clock.now();
        let outcome = transport.send(claimed, now).await;
        let retry = || {
            let Claimed {
                id,
                attempt,
                not_after,
                ..
            } = claimed;
            retry_at(id, *attempt, *not_after, RETRY_AT_MOST, now)
        };
        let (disposition, blocked) = match &outcome {
            Outcome::Accepted { .. } => (Disposition::Sent, false),
            Outcome::Deferred { .. } => (Disposition::RetryAt(retry()), false),
            Outcome::Unreachable { .. } | Outcome::Unauthorized { .. } => {
                (Disposition::RetryAt(retry()), true)
            }
            Outcome::Lost { .. } => (Disposition::Ambiguous, false),
            Outcome::Refused { .. } => (Disposition::Refused, false),
            Outcome::Gone { .. } => (Disposition::Dead, true),
        };
        let at = self.clock.now();
        (
            Settled {
                id: claimed.id.clone(),
                attempt: claimed.attempt,
                disposition,
                code: outcome.code(),
                text: outcome.text().to_owned(),
                at,
            },
            blocked,
        )
    }
}

fn is_blocked(failures: &AtomicU32) -> bool {
    failures.load(Ordering::Relaxed) >= FAILURES_IN_A_ROW
}
