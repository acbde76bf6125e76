//! Claim, send, settle: the courier takes due rows out of the outbox and says what became of them.
//!
//! Each destination, mail and every endpoint, has a lane of its own: own claims, own pace, own
//! failures. The daemon rides each by itself, a pass of `cycle` all of them side by side, so that one
//! that stalls delays none of the others. A claim holds about a second's sending, so that a kill
//! leaves little in doubt; a stop that is asked for gives back what was not sent yet.

mod budget;
pub mod endpoint;
mod health;
pub mod herald;
mod lane;
pub(crate) mod mail;
mod pace;
mod retry;
pub mod transport;

use std::sync::{Mutex, PoisonError};

use futures_util::future;
use jiff::Timestamp;

use self::endpoint::EndpointLane;
use self::lane::{Lane, Ride};
use self::mail::MailLane;
use self::transport::Transport;
use crate::config::Config;
use crate::domain::window::later;
use crate::report::{PassReport, Progress};
use crate::store::outbox::{EMAIL, SettledTally};
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
    /// Delivers by every way until nothing is due, the budgets are spent, the ways are blocked or
    /// `stop` says so.
    pub async fn deliver(
        &self,
        report: &mut PassReport,
        stop: impl Fn() -> bool + Sync,
    ) -> Result<(), StoreError> {
        self.clear(report).await?;
        let report = Ledger(Mutex::new(report));
        let names = self.destinations();
        let rides = names.iter().map(|name| self.ride_to(name, &report, &stop));
        future::join_all(rides).await.into_iter().collect()
    }

    /// Delivers by one way, as [`deliver`](Self::deliver) does by each.
    pub async fn ride(
        &self,
        name: &str,
        report: &mut PassReport,
        stop: impl Fn() -> bool + Sync,
    ) -> Result<(), StoreError> {
        let report = Ledger(Mutex::new(report));
        self.ride_to(name, &report, &stop).await
    }

    /// The names of the ways.
    fn destinations(&self) -> Vec<String> {
        let mail = self.transport.iter().map(|_| EMAIL);
        let endpoints = self.endpoints.iter().map(Lane::name);
        mail.chain(endpoints).map(str::to_owned).collect()
    }

    /// What is of no use any more, or for nobody that is configured, is not sent.
    pub async fn clear(&self, report: &mut PassReport) -> Result<(), StoreError> {
        let configured: Vec<&str> = self
            .config
            .webhooks
            .iter()
            .map(|webhook| webhook.endpoint.name.as_str())
            .collect();
        let (language, now) = (self.config.manner().language, self.clock.now());
        let stranded = self.store.bury_stranded(&configured, language, now);
        report.deliveries.failed += stranded.await?;
        self.store.expire(now).await?;
        Ok(())
    }

    async fn ride_to(
        &self,
        name: &str,
        ledger: &Ledger<'_>,
        stop: &(impl Fn() -> bool + Sync),
    ) -> Result<(), StoreError> {
        if name == EMAIL {
            let Some(transport) = self.transport else {
                return Ok(());
            };
            let now = self.clock.now();
            let lane = MailLane::new(transport, self.store, self.config, now).await?;
            return self.on(&lane, ledger, stop).await;
        }
        let lane = self.endpoints.iter().find(|lane| lane.name() == name);
        match lane {
            Some(lane) => self.on(lane, ledger, stop).await,
            None => Ok(()),
        }
    }

    async fn on(
        &self,
        lane: &impl Lane,
        ledger: &Ledger<'_>,
        stop: &(impl Fn() -> bool + Sync),
    ) -> Result<(), StoreError> {
        self.store.set_room_aside()?;
        Ride::new(self, lane, ledger).run(stop).await
    }
}

/// The mails that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Queue {
    /// How many.
    pub waiting: u64,
    /// When the next may leave, by the budgets alone; none: never.
    #[serde(skip)]
    pub next: Option<Timestamp>,
    /// When the last may.
    pub empty_at: Option<Timestamp>,
    /// How many are of no use by then.
    pub late: u64,
}

impl Queue {
    /// What is due now.
    pub async fn of(store: &Store, config: &Config, now: Timestamp) -> Result<Self, StoreError> {
        let email = config.email.as_ref();
        let budgets = email.map(|email| email.budgets).unwrap_or_default();
        let left = store.attempts_after(later(now, -budget::LONGEST)).await?;
        let mut turns = budget::turns(budgets, left, now).peekable();
        let mut queue = Self {
            waiting: 0,
            next: turns.peek().copied(),
            empty_at: None,
            late: 0,
        };
        for useful_until in store.due_mails(now).await? {
            let turn = turns.next();
            let is_late = turn.is_none_or(|turn| useful_until.is_some_and(|until| until <= turn));
            queue.waiting += 1;
            queue.empty_at = turn;
            queue.late += u64::from(is_late);
        }
        Ok(queue)
    }

    /// Whether a budget is what the next of them waits for.
    pub fn is_paced(&self, now: Timestamp) -> bool {
        self.waiting > 0 && self.next.is_none_or(|next| next > now)
    }
}

/// The report, to which all lanes add as they go: an early end still says what was done.
struct Ledger<'a>(Mutex<&'a mut PassReport>);

impl Ledger<'_> {
    fn write(&self, entry: impl FnOnce(&mut PassReport)) {
        let mut report = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
