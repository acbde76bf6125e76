//! Mail as a destination: its claims follow its budgets, and five failures of the way itself in a
//! row end the deliveries of a pass.

use jiff::{SignedDuration, Timestamp};

use super::lane::Lane;
use super::transport::Transport;
use crate::config::Budgets;
use crate::delivery::Outcome;
use crate::domain::delivery::Disposition;
use crate::domain::window::later;
use crate::store::destinations::Health;
use crate::store::outbox::{Claimed, EMAIL};
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// No retry waits longer (rule 5.6).
const RETRY_AT_MOST: SignedDuration = SignedDuration::from_mins(30);
/// So many failures of the connection in a row end the deliveries of a pass.
const FAILURES_IN_A_ROW: u32 = 5;

/// The way to mailboxes.
pub(super) struct MailLane<'a> {
    pub(super) transport: &'a Transport,
    pub(super) store: &'a Store,
    pub(super) budgets: Budgets,
}

impl Lane for MailLane<'_> {
    fn name(&self) -> &str {
        EMAIL
    }

    fn connections(&self) -> usize {
        self.transport.connections()
    }

    async fn allows(&self, _: &Health, usual: u32, now: Timestamp) -> Result<u32, StoreError> {
        let mut left = usual;
        for (limit, length) in [
            (self.budgets.per_minute, SignedDuration::from_mins(1)),
            (self.budgets.per_day, SignedDuration::from_hours(24)),
        ] {
            if let Some(limit) = limit {
                let spent = self.store.attempts_since(later(now, -length)).await?;
                let spent = u32::try_from(spent).unwrap_or(u32::MAX);
                left = left.min(limit.saturating_sub(spent));
            }
        }
        Ok(left)
    }

    fn is_closed(&self, _: &Health, in_vain: u32, _: Timestamp) -> bool {
        in_vain >= FAILURES_IN_A_ROW
    }

    async fn send(&self, row: &Claimed, clock: Clock) -> Outcome {
        self.transport.send(row, clock.now()).await
    }

    /// Any answer of the server is one that it gives; what it says of a recipient is no fault of the
    /// way.
    fn after(
        &self,
        before: &Health,
        outcome: &Outcome,
        now: Timestamp,
    ) -> (Health, Option<String>) {
        let health = match outcome {
            Outcome::Accepted { .. }
            | Outcome::Deferred { .. }
            | Outcome::Lost { .. }
            | Outcome::Refused { .. } => Health::default(),
            Outcome::Unreachable { .. } | Outcome::Unauthorized { .. } | Outcome::Gone { .. } => {
                Health {
                    failures: before.failures + 1,
                    failing_since: before.failing_since.or(Some(now)),
                    reason: Some(outcome.reason()),
                    ..Health::default()
                }
            }
        };
        (health, None)
    }

    fn retry_at_most(&self) -> SignedDuration {
        RETRY_AT_MOST
    }

    /// Sent once more, and not again after that: somebody reads it.
    fn after_loss(&self, _: Timestamp) -> Disposition {
        Disposition::Ambiguous
    }

    fn trouble(&self, _: &Health, in_vain: u32) -> Option<String> {
        (in_vain >= FAILURES_IN_A_ROW)
            .then(|| "mail does not go out; it is tried again in the next pass".to_owned())
    }
}
