//! Claim, send, settle: the courier takes due rows out of the outbox and says what became of them.
//!
//! Each destination, mail and every endpoint, has a lane of its own: own claims, own pace, own
//! failures. They run side by side, so that one that stalls delays none of the others. A claim
//! holds about a second's sending, so that a kill leaves little in doubt; a stop that is asked for
//! gives back what was not sent yet.

pub mod endpoint;
mod health;
pub mod herald;
mod lane;
mod mail;
mod pace;
mod retry;
pub mod transport;

use std::sync::Mutex;

use futures_util::future;

use self::endpoint::EndpointLane;
use self::lane::{Lane, Ride};
use self::mail::MailLane;
use self::transport::Transport;
use crate::config::Config;
use crate::report::{PassReport, Progress};
use crate::store::outbox::SettledTally;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// Delivers what is due.
pub struct Courier<'a> {
    /// The outbox.
    pub store: &'a Store,
    /// The configuration.
    pub config: &'a Config,
    /// The name of this delivery, for its leases.
    pub name: String,
    /// The way to the recipients of mails, if there is one.
    pub transport: Option<&'a Transport>,
    /// The ways to the endpoints.
    pub endpoints: &'a [EndpointLane],
    /// The time.
    pub clock: Clock,
    /// How far it is.
    pub progress: &'a Progress,
}

impl Courier<'_> {
    /// Delivers until nothing is due, the budgets are spent, the ways are blocked or `stop` says so.
    pub async fn deliver(
        &self,
        report: &mut PassReport,
        stop: impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        self.store.set_room_aside()?;
        // Under the lock of passes nobody else delivers: other leases were left by what broke off.
        self.store
            .end_leases(Some(&self.name), self.clock.now())
            .await?;
        let configured: Vec<&str> = self
            .config
            .webhooks
            .iter()
            .map(|webhook| webhook.endpoint.name.as_str())
            .collect();
        let stranded = self.store.bury_stranded(&configured, self.clock.now());
        report.deliveries.failed += stranded.await?;
        self.store.expire(self.clock.now()).await?;
        let report = Ledger(Mutex::new(report));
        let now = self.clock.now();
        let mail = match self.transport {
            Some(transport) => Some(MailLane::new(transport, self.store, self.config, now).await?),
            None => None,
        };
        let mail = mail.iter().map(|mail| self.ride(mail, &report, &stop));
        let endpoints = self.endpoints.iter();
        let endpoints = endpoints.map(|one| self.ride(one, &report, &stop));
        let (mail, endpoints) =
            future::join(future::join_all(mail), future::join_all(endpoints)).await;
        mail.into_iter().chain(endpoints).collect()
    }

    async fn ride(
        &self,
        lane: &impl Lane,
        ledger: &Ledger<'_>,
        stop: &impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        Ride::new(self, lane, ledger).run(stop).await
    }
}

/// The report, to which all lanes add as they go: an early end still says what was done.
struct Ledger<'a>(Mutex<&'a mut PassReport>);

impl Ledger<'_> {
    fn write(&self, entry: impl FnOnce(&mut PassReport)) {
        let mut report = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        entry(&mut report);
    }

    fn settled(&self, tally: SettledTally) {
        self.write(|report| {
            report.deliveries.sent += tally.sent;
            report.deliveries.failed += tally.failed;
            report.deliveries.ambiguous += tally.ambiguous;
        });
    }

    /// A pass delivers once more when operators are to hear of it; what stays wrong is said once.
    fn error(&self, text: String) {
        self.write(|report| {
            if !report.errors.contains(&text) {
                report.errors.push(text);
            }
        });
    }
}
