//! The one road of every destination: claim what is due, send it, settle what became of it.
//!
//! All three go on side by side: a connection that is free is given the next row while others
//! still wait for an answer. What is known of an attempt is written down within [`SETTLE_EVERY`] and
//! a commit, so that a kill leaves little in doubt and nobody waits for the disk; what the store could
//! not take is kept beside it, and settled first the next time. What one answer says about the
//! destination holds at once for everything else that waits for it.

use std::collections::VecDeque;
use std::time::Instant;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use super::pace::{Pace, SETTLE_EVERY};
use super::retry::retry_at;
use super::{Courier, Ledger};
use crate::delivery::Outcome;
use crate::delivery::text::mask_addresses;
use crate::domain::delivery::Disposition;
use crate::domain::fault::{DAY, Order, Verdict};
use crate::domain::id::UserId;
use crate::domain::window::later;
use crate::store::StoreError;
use crate::store::addresses::Notes;
use crate::store::destinations::{Health, HealthState};
use crate::store::outbox::{Claimed, Lease, Settled, SettledTally};
use crate::time::Clock;

/// A claim is about a second's sending, and the longest wait for an answer ten minutes: rows of a
/// lease that is older than this are nobody's.
const LEASE: SignedDuration = SignedDuration::from_hours(1);

/// Who was refused is tried once more behind the others, when the lane says so, and else not before this.
const REFUSED_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// What a destination does in its own way.
pub(super) trait Lane: Sync {
    /// Its name in the outbox.
    fn name(&self) -> &str;

    /// How many rows may be under way at once.
    fn connections(&self) -> usize;

    /// How many rows may be claimed now, at most `usual`, where so many are under way.
    fn allows(
        &self,
        health: &Health,
        usual: u32,
        under_way: usize,
        now: Timestamp,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// In which order rows are claimed now.
    fn order(&self) -> Order {
        Order::Turn
    }

    /// How many rows may be claimed at once where what became of others asks for care.
    fn most(&self, usual: u32) -> u32 {
        usual
    }

    /// Whether nothing more is sent in this delivery; `in_vain` attempts in a row found the way
    /// closed.
    fn is_closed(&self, health: &Health, in_vain: u32, now: Timestamp) -> bool;

    /// One attempt.
    fn send(&self, row: &Claimed, clock: Clock) -> impl Future<Output = Outcome> + Send;

    /// The destination after an attempt, and what operators should hear of it.
    fn after(&self, before: &Health, outcome: &Outcome, now: Timestamp)
    -> (Health, Option<String>);

    /// What an outcome means for the row, where that is not for the outcome alone to say.
    fn verdict(&self, _: &Claimed, _: &Outcome, _: Timestamp) -> Option<Verdict> {
        None
    }

    /// Rows whose verdict was open and is known now.
    fn decided(&self) -> Vec<(String, Verdict)> {
        Vec::new()
    }

    /// What is to be written down with outcomes.
    fn notes(&self) -> Option<Notes> {
        None
    }

    /// Nothing is due and nothing under way: whether something is to be tried all the same.
    fn goes_on(&self, _: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send {
        std::future::ready(Ok(false))
    }

    /// The delivery ends.
    fn end(&self, _: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send {
        std::future::ready(Ok(()))
    }

    /// No retry of the row waits longer.
    fn retry_at_most(&self, row: &Claimed) -> SignedDuration;

    /// What becomes of a row whose outcome was lost; a retry would be due then.
    fn after_loss(&self, retry: Timestamp) -> Disposition;

    /// Why it does not take what it is sent, if it does not, after `in_vain` attempts in a row.
    fn trouble(&self, health: &Health, in_vain: u32, now: Timestamp) -> Option<String>;
}

/// A delivery to one destination.
pub(super) struct Ride<'a, 'r, L> {
    courier: &'a Courier<'a>,
    lane: &'a L,
    ledger: &'a Ledger<'r>,
    /// As it was when rows were claimed last, and what was learned since.
    health: Health,
    /// The health has changed since it was written down.
    is_news: bool,
    /// What operators should hear, until it is written down.
    line: Option<String>,
    in_vain: u32,
    /// Claimed, and not under way yet …
    waiting: VecDeque<Claimed>,
    /// … in this order.
    order: Order,
    /// Attempts whose verdict is open.
    open: Vec<Settled>,
    known: Known,
    pace: Pace,
    /// Nothing more can be claimed before something is settled.
    exhausted: bool,
}

/// What is known and not written down yet.
#[derive(Default)]
struct Known {
    settled: Vec<Settled>,
    since: Option<Instant>,
}

/// What the store is asked to do: one thing at a time, as it writes on one connection.
enum Wrote {
    Claimed { health: Health, rows: Vec<Claimed> },
    Settled(SettledTally),
    GaveBack,
}

impl<'a, 'r, L: Lane> Ride<'a, 'r, L> {
    pub(super) fn new(courier: &'a Courier<'a>, lane: &'a L, ledger: &'a Ledger<'r>) -> Self {
        Self {
            courier,
            lane,
            ledger,
            health: Health::default(),
            is_news: false,
            line: None,
            in_vain: 0,
            waiting: VecDeque::new(),
            order: Order::Turn,
            open: Vec::new(),
            known: Known::default(),
            pace: Pace::default(),
            exhausted: false,
        }
    }

    /// Delivers until nothing is due, the destination takes nothing more or `stop` says so.
    pub(super) async fn run(mut self, stop: &(impl Fn() -> bool + Sync)) -> Result<(), StoreError> {
        let _outside = self.courier.progress.outside();
        self.take_up().await?;
        loop {
            self.send(stop).await?;
            if stop() || self.is_closed() {
                break;
            }
            let goes_on = self.lane.goes_on(self.courier.clock.now()).await?;
            self.settle_decided().await?;
            if !goes_on {
                break;
            }
        }
        let now = self.courier.clock.now();
        self.lane.end(now).await?;
        self.settle_decided().await?;
        if let Some(trouble) = self.lane.trouble(&self.health, self.in_vain, now) {
            self.ledger.error(trouble);
        }
        Ok(())
    }

    /// Settles what is known from before; whatever else is leased still was left by a stop or a
    /// failure of the store.
    async fn take_up(&mut self) -> Result<(), StoreError> {
        let (store, now) = (self.courier.store, self.courier.clock.now());
        let tally = store.settle_kept(now).await?;
        self.ledger.settled(tally);
        store.end_leases(Some(self.lane.name()), now).await?;
        self.health = store.health(self.lane.name()).await?;
        if self.health.state == HealthState::Dead {
            let buried = store.bury_waiting(self.lane.name(), now).await?;
            self.ledger
                .write(|report| report.deliveries.failed += buried);
        }
        Ok(())
    }

    fn is_closed(&self) -> bool {
        let now = self.courier.clock.now();
        self.lane.is_closed(&self.health, self.in_vain, now)
    }

    /// Claims, sends and settles as it goes, until nothing is due and nothing under way; what is not
    /// under way yet when the delivery ends is given back. After a failure of the store nothing more
    /// is begun, what is under way ends, and what is known is kept beside the store.
    async fn send(&mut self, stop: &(impl Fn() -> bool + Sync)) -> Result<(), StoreError> {
        let (lane, clock) = (self.lane, self.courier.clock);
        let mut under_way = FuturesUnordered::new();
        let mut writing: Option<BoxFuture<'a, Result<Wrote, StoreError>>> = None;
        let mut failure = None;
        self.exhausted = false;
        loop {
            let ends = failure.is_some() || stop() || self.is_closed();
            let is_stale = ends || lane.order() != self.order;
            if !is_stale {
                while under_way.len() < lane.connections()
                    && let Some(row) = self.waiting.pop_front()
                {
                    under_way.push(async move {
                        let outcome = lane.send(&row, clock).await;
                        (row, outcome)
                    });
                }
            }
            if writing.is_none() && failure.is_none() {
                writing = self.next_write(ends, is_stale, under_way.len());
            }
            if under_way.is_empty() && writing.is_none() {
                let Some(failure) = failure else {
                    return Ok(());
                };
                let known = std::mem::take(&mut self.known).settled;
                let store = self.courier.store;
                store.keep_outcomes(lane.name(), &known).await?;
                return Err(failure);
            }
            tokio::select! {
                Some((row, outcome)) = under_way.next() => {
                    self.learn(&row, &outcome);
                    self.pace.sent();
                }
                Some(wrote) = now_writing(&mut writing) => {
                    writing = None;
                    match wrote {
                        Ok(wrote) => self.wrote(wrote),
                        Err(error) => failure = Some(error),
                    }
                }
                // Whoever sees nothing settled for so long still looks whether a stop was asked for.
                () = tokio::time::sleep_until(self.known.due().into()), if writing.is_none() => {}
            }
        }
    }

    /// What the store is to do next.
    fn next_write(
        &mut self,
        ends: bool,
        is_stale: bool,
        under_way: usize,
    ) -> Option<BoxFuture<'a, Result<Wrote, StoreError>>> {
        if is_stale && !self.waiting.is_empty() {
            let rest: Vec<Claimed> = self.waiting.drain(..).collect();
            return Some(Box::pin(self.give_back(rest)));
        }
        if self.known.is_due(under_way == 0) {
            let settled = std::mem::take(&mut self.known).settled;
            let settling = self.settle(settled);
            return Some(Box::pin(async move { Ok(Wrote::Settled(settling.await?)) }));
        }
        let free = self.lane.connections().saturating_sub(under_way);
        // What is not settled yet may be about somebody who has the next row too.
        let is_exhausted = self.exhausted && self.lane.order() == self.order;
        let is_wanted = !ends && !is_exhausted && self.waiting.is_empty() && free > 0;
        is_wanted.then(|| Box::pin(self.claim(free, under_way)) as BoxFuture<'a, _>)
    }

    fn wrote(&mut self, wrote: Wrote) {
        match wrote {
            Wrote::Claimed { health, rows } => {
                if !self.is_news {
                    self.health = health;
                }
                self.exhausted = rows.is_empty();
                self.waiting.extend(rows);
            }
            Wrote::Settled(tally) => {
                self.ledger.settled(tally);
                self.exhausted = false;
            }
            Wrote::GaveBack => self.exhausted = false,
        }
    }

    fn claim(
        &mut self,
        free: usize,
        under_way: usize,
    ) -> impl Future<Output = Result<Wrote, StoreError>> + use<'a, 'r, L> {
        let (courier, lane) = (self.courier, self.lane);
        let size = self.pace.claim(free);
        let order = lane.order();
        self.order = order;
        let news = self.is_news.then(|| self.health.clone());
        async move {
            let (store, now) = (courier.store, courier.clock.now());
            // An operator may have said meanwhile that it is well again.
            let health = match news {
                Some(health) => health,
                None => store.health(lane.name()).await?,
            };
            let mut rows = Vec::new();
            if !lane.is_closed(&health, 0, now) {
                let limit = lane.allows(&health, size, under_way, now).await?;
                let limit = lane.most(limit);
                let lease = Lease {
                    by: courier.name.clone(),
                    until: later(now, LEASE),
                };
                if limit > 0 {
                    rows = store.claim(lane.name(), limit, order, &lease, now).await?;
                }
            }
            Ok(Wrote::Claimed { health, rows })
        }
    }

    fn give_back(
        &self,
        rows: Vec<Claimed>,
    ) -> impl Future<Output = Result<Wrote, StoreError>> + use<'a, 'r, L> {
        let courier = self.courier;
        async move {
            let rows: Vec<&Claimed> = rows.iter().collect();
            let now = courier.clock.now();
            courier.store.give_back(&rows, now).await?;
            Ok(Wrote::GaveBack)
        }
    }

    /// What an outcome says about the destination, and what becomes of the row.
    fn learn(&mut self, row: &Claimed, outcome: &Outcome) {
        let now = self.courier.clock.now();
        let (health, line) = self.lane.after(&self.health, outcome, now);
        self.is_news |= health != self.health;
        self.health = health;
        self.line = line.or(self.line.take());
        match outcome {
            Outcome::Unreachable { .. } | Outcome::Unauthorized { .. } | Outcome::Gone { .. } => {
                self.in_vain += 1;
            }
            Outcome::Accepted { .. }
            | Outcome::Deferred { .. }
            | Outcome::Busy { .. }
            | Outcome::Lost { .. }
            | Outcome::Declined { .. }
            | Outcome::Refused { .. } => self.in_vain = 0,
        }
        say(self.lane.name(), row, outcome);
        let verdict = self.lane.verdict(row, outcome, now);
        let settled = Settled {
            id: row.id.clone(),
            attempt: row.attempt,
            resent: row.resent,
            disposition: self.disposition(row, outcome, verdict, now),
            code: outcome.code(),
            text: outcome.text().to_owned(),
            at: now,
        };
        if verdict == Some(Verdict::Open) {
            self.open.push(settled);
        } else {
            self.known.add(settled);
        }
        let decided: Vec<Settled> = self.decided().collect();
        for settled in decided {
            self.known.add(settled);
        }
    }

    /// Attempts whose verdict is open no more.
    fn decided(&mut self) -> impl Iterator<Item = Settled> + use<L> {
        let decided = self.lane.decided();
        let (known, open): (Vec<_>, Vec<_>) = std::mem::take(&mut self.open)
            .into_iter()
            .partition(|settled| decided.iter().any(|(id, _)| *id == settled.id));
        self.open = open;
        known.into_iter().map(move |mut settled| {
            let fails = (settled.id.clone(), Verdict::Fails);
            if decided.contains(&fails) {
                settled.disposition = Disposition::Refused;
            }
            settled
        })
    }

    /// Writes them down, and whatever else is new.
    async fn settle_decided(&mut self) -> Result<(), StoreError> {
        let decided = self.decided().collect();
        let tally = self.settle(decided).await?;
        self.ledger.settled(tally);
        Ok(())
    }

    /// A row that is to be tried again waits as long as its destination does.
    fn disposition(
        &self,
        row: &Claimed,
        outcome: &Outcome,
        verdict: Option<Verdict>,
        now: Timestamp,
    ) -> Disposition {
        let retry = || {
            let at_most = self.lane.retry_at_most(row);
            let own = retry_at(&row.id, row.attempt, row.not_after, at_most, now);
            self.health.paused_until.map_or(own, |until| own.max(until))
        };
        match (outcome, verdict) {
            (Outcome::Accepted { .. }, _) => Disposition::Sent,
            (Outcome::Lost { .. }, _) => self.lane.after_loss(retry()),
            (_, Some(Verdict::Fails)) | (Outcome::Refused { .. }, None) => Disposition::Refused,
            (_, Some(Verdict::WaitsADay)) => Disposition::RetryAt(later(now, DAY).max(retry())),
            (Outcome::Gone { .. }, None) => Disposition::Dead,
            (Outcome::Refused { .. } | Outcome::Declined { .. }, Some(_))
                if row
                    .not_after
                    .is_none_or(|end| later(now, REFUSED_AGAIN * 3) <= end) =>
            {
                Disposition::RetryAt(later(now, REFUSED_AGAIN).max(retry()))
            }
            (_, Some(_))
            | (
                Outcome::Deferred { .. }
                | Outcome::Busy { .. }
                | Outcome::Declined { .. }
                | Outcome::Unauthorized { .. }
                | Outcome::Unreachable { .. },
                None,
            ) => Disposition::RetryAt(retry()),
        }
    }

    /// Writes down what became of some rows, with what that says about the destination if it is
    /// news.
    fn settle(
        &mut self,
        settled: Vec<Settled>,
    ) -> impl Future<Output = Result<SettledTally, StoreError>> + use<'a, 'r, L> {
        let (courier, lane) = (self.courier, self.lane);
        let health = std::mem::take(&mut self.is_news).then(|| self.health.clone());
        let line = self.line.take();
        let notes = lane.notes();
        async move {
            if settled.is_empty() && health.is_none() && notes.is_none() {
                return Ok(SettledTally::default());
            }
            let now = courier.clock.now();
            let tally = courier.store.settle_at(
                lane.name(),
                &settled,
                health.as_ref(),
                line.as_deref(),
                notes.as_ref(),
                now,
            );
            match tally.await {
                Ok(tally) => {
                    courier.progress.settled(settled.len());
                    Ok(tally)
                }
                Err(error) => {
                    courier.store.keep_outcomes(lane.name(), &settled).await?;
                    Err(error)
                }
            }
        }
    }
}

/// The end of what the store is doing; none if that is nothing.
async fn now_writing<T>(writing: &mut Option<BoxFuture<'_, T>>) -> Option<T> {
    match writing {
        Some(writing) => Some(writing.await),
        None => None,
    }
}

impl Known {
    fn add(&mut self, settled: Settled) {
        self.since.get_or_insert_with(Instant::now);
        self.settled.push(settled);
    }

    fn due(&self) -> Instant {
        self.since.unwrap_or_else(Instant::now) + SETTLE_EVERY
    }

    fn is_due(&self, at_once: bool) -> bool {
        self.since
            .is_some_and(|since| at_once || since.elapsed() >= SETTLE_EVERY)
    }
}
/// Tells the log what became of an attempt: whom it was about by id, and nobody's address.
fn say(lane: &str, row: &Claimed, outcome: &Outcome) {
    let event = row.event.as_str();
    let user = row.user.as_ref().map_or("operators", UserId::as_str);
    if outcome.is_accepted() {
        tracing::debug!(
            delivery.id = row.id,
            user.id = user,
            "{lane} took delivery {} ({event}, {user})",
            row.id
        );
        return;
    }
    let text = mask_addresses(outcome.text());
    let reason = mask_addresses(&outcome.reason());
    tracing::warn!(
        delivery.id = row.id,
        destination = lane,
        attempt = row.attempt,
        code = outcome.code(),
        text,
        "{lane} did not take delivery {}: {reason}",
        row.id
    );
}
