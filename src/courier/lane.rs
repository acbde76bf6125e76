//! The one road of every destination: claim what is due, send it, settle what became of it.
//!
//! What is known of an attempt is written down within [`SETTLE_EVERY`] and a commit, beside the
//! sending, so that a kill leaves little in doubt and nobody waits for the disk. What one answer
//! says about the destination holds at once for everything else that waits for it.

use std::time::Instant;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use jiff::{SignedDuration, Timestamp};

use super::pace::{FIRST_CLAIM, SETTLE_EVERY, next_claim};
use super::retry::retry_at;
use super::{Courier, Ledger};
use crate::delivery::Outcome;
use crate::domain::delivery::Disposition;
use crate::domain::fault::{DAY, Order, Verdict};
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
pub(super) trait Lane {
    /// Its name in the outbox.
    fn name(&self) -> &str;

    /// How many rows may be under way at once.
    fn connections(&self) -> usize;

    /// How many rows may be claimed now, at most `usual`.
    async fn allows(&self, health: &Health, usual: u32, now: Timestamp) -> Result<u32, StoreError>;

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
    async fn send(&self, row: &Claimed, clock: Clock) -> Outcome;

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
    async fn goes_on(&self, _: Timestamp) -> Result<bool, StoreError> {
        Ok(false)
    }

    /// The delivery ends.
    async fn end(&self, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
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
    /// Attempts whose verdict is open.
    open: Vec<Settled>,
}

/// What is known and not written down yet.
#[derive(Default)]
struct Known {
    settled: Vec<Settled>,
    since: Option<Instant>,
}

impl<'a, 'r, L: Lane> Ride<'a, 'r, L> {
    pub(super) fn new(courier: &'a Courier<'a>, lane: &'a L, ledger: &'a Ledger<'r>) -> Self {
        Self {
            health: Health::default(),
            courier,
            lane,
            ledger,
            is_news: false,
            line: None,
            in_vain: 0,
            open: Vec::new(),
        }
    }

    /// Delivers until nothing is due, the destination takes nothing more or `stop` says so.
    pub(super) async fn run(mut self, stop: &impl Fn() -> bool) -> Result<(), StoreError> {
        let store = self.courier.store;
        let mut size = FIRST_CLAIM;
        loop {
            let now = self.courier.clock.now();
            // An operator may have said meanwhile that it is well again.
            self.health = store.health(self.lane.name()).await?;
            if self.health.state == HealthState::Dead {
                let buried = store.bury_waiting(self.lane.name(), now).await?;
                self.ledger
                    .write(|report| report.deliveries.failed += buried);
            }
            if stop() || self.is_closed(now) {
                break;
            }
            let limit = self.lane.allows(&self.health, size, now).await?;
            if limit == 0 {
                break;
            }
            let lease = Lease {
                by: self.courier.name.clone(),
                until: later(now, LEASE),
            };
            let order = self.lane.order();
            let claimed = match self.lane.most(limit) {
                0 => Vec::new(),
                most => {
                    store
                        .claim(self.lane.name(), most, order, &lease, now)
                        .await?
                }
            };
            if claimed.is_empty() {
                let goes_on = self.lane.goes_on(now).await?;
                self.settle_decided().await?;
                if goes_on {
                    continue;
                }
                break;
            }
            let began = Instant::now();
            self.send(&claimed, order, stop).await?;
            size = next_claim(claimed.len(), began.elapsed(), self.lane.connections());
        }
        let now = self.courier.clock.now();
        self.lane.end(now).await?;
        self.settle_decided().await?;
        if let Some(trouble) = self.lane.trouble(&self.health, self.in_vain, now) {
            self.ledger.error(trouble);
        }
        Ok(())
    }

    fn is_closed(&self, now: Timestamp) -> bool {
        self.lane.is_closed(&self.health, self.in_vain, now)
    }

    /// Sends what was claimed and settles it as it goes; what is not under way yet when the
    /// delivery ends is given back.
    async fn send(
        &mut self,
        claimed: &[Claimed],
        order: Order,
        stop: &impl Fn() -> bool,
    ) -> Result<(), StoreError> {
        let (store, lane, clock) = (self.courier.store, self.lane, self.courier.clock);
        let mut waiting = claimed.iter();
        let mut under_way = FuturesUnordered::new();
        let mut settling = FuturesUnordered::new();
        let mut known = Known::default();
        // The database took an outcome no more: nothing is sent any more, and what is known is kept beside it.
        let mut broken = None;
        loop {
            if broken.is_some() {
                waiting = claimed[..0].iter();
            }
            let is_over = stop() || self.is_closed(self.courier.clock.now());
            if waiting.len() > 0 && (is_over || lane.order() != order) {
                // Whoever settles holds the one connection that writes, and is not looked after here.
                while let Some(tally) = settling.next().await {
                    match tally {
                        Ok(tally) => self.ledger.settled(tally),
                        Err(error) => broken = Some(error),
                    }
                }
                let rest: Vec<&Claimed> = waiting.by_ref().collect();
                if broken.is_none()
                    && let Err(error) = store.give_back(&rest, self.courier.clock.now()).await
                {
                    broken = Some(error);
                }
            }
            let free = lane.connections().saturating_sub(under_way.len());
            under_way.extend(
                waiting
                    .by_ref()
                    .take(free)
                    .map(|row| async move { (row, lane.send(row, clock).await) }),
            );
            let all_known = under_way.is_empty();
            if all_known
                && settling.is_empty()
                && let Some(error) = broken.take()
            {
                store.keep_outcomes(lane.name(), &known.settled)?;
                return Err(error);
            }
            if broken.is_none() && settling.is_empty() && known.is_due(all_known) {
                let settled = std::mem::take(&mut known).settled;
                settling.push(self.settle(settled));
            }
            if all_known && settling.is_empty() {
                return Ok(());
            }
            tokio::select! {
                Some((row, outcome)) = under_way.next() => {
                    self.learn(row, &outcome, &mut known);
                }
                Some(tally) = settling.next() => match tally {
                    Ok(tally) => self.ledger.settled(tally),
                    Err(error) => broken = Some(error),
                },
                // Every wait for an answer has its own end, so this is no standstill.
                () = tokio::time::sleep_until(known.due().into()), if settling.is_empty() && broken.is_none() => {
                    self.courier.progress.beat();
                }
            }
        }
    }

    /// What an outcome says about the destination, and what becomes of the row.
    fn learn(&mut self, row: &Claimed, outcome: &Outcome, known: &mut Known) {
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
        if !outcome.is_accepted() {
            tracing::warn!(
                delivery.id = row.id,
                destination = self.lane.name(),
                attempt = row.attempt,
                code = outcome.code(),
                text = outcome.text(),
                "{} did not take delivery {}",
                self.lane.name(),
                row.id
            );
        }
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
            known.add(settled);
        }
        self.decided().for_each(|settled| known.add(settled));
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
                    courier.store.keep_outcomes(lane.name(), &settled)?;
                    Err(error)
                }
            }
        }
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
