//! How many requests a bucket of Graph's takes: never more units in any window than
//! the service allows, and none while it has asked for a pause.
//!
//! A window slides, since a bucket that fills steadily would let twice its size through around
//! the moment at which it is full. The trap: what counts is when requests *arrive*, so the window
//! is a little longer than the service's own.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The service counts in these; the tenth more is for requests that overtake each other.
const WINDOW: Duration = Duration::from_secs(11);

/// One bucket.
#[derive(Debug)]
pub(super) struct Limiter {
    units: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sent: VecDeque<(Instant, u32)>,
    paused_until: Option<Instant>,
}

impl Limiter {
    /// A bucket of so many units per ten seconds.
    #[must_use]
    pub(super) fn new(units: u32) -> Self {
        Self {
            units: units.max(1),
            state: Mutex::default(),
        }
    }

    /// Waits until a request of this cost may go; one that would have to wait longer than
    /// `at_most` gives up at once, with how long it would be. Requests go in the order in which
    /// they came.
    pub(super) async fn pass(&self, cost: u32, at_most: Duration) -> Result<(), Duration> {
        let mut state = self.state.lock().await;
        loop {
            let now = Instant::now();
            let Some(free_at) = state.free_at(now, self.units, cost) else {
                state.sent.push_back((now, cost));
                return Ok(());
            };
            let wait = free_at.duration_since(now);
            if wait > at_most {
                return Err(wait);
            }
            tokio::time::sleep_until(free_at).await;
        }
    }

    /// The service asked for a pause of the whole bucket.
    pub(super) async fn pause(&self, wait: Duration) {
        let until = Instant::now() + wait;
        let mut state = self.state.lock().await;
        state.paused_until = state.paused_until.max(Some(until));
    }
}

impl State {
    /// When a request may go; none: now.
    fn free_at(&mut self, now: Instant, units: u32, cost: u32) -> Option<Instant> {
        while self.sent.front().is_some_and(|(at, _)| *at + WINDOW <= now) {
            self.sent.pop_front();
        }
        if let Some(until) = self.paused_until.filter(|until| *until > now) {
            return Some(until);
        }
        let spent: u32 = self.sent.iter().map(|(_, cost)| cost).sum();
        // A request larger than the bucket goes when the bucket is empty.
        let mut over = (spent + cost).saturating_sub(units).min(spent);
        let mut free_at = None;
        for (at, cost) in &self.sent {
            if over == 0 {
                break;
            }
            over = over.saturating_sub(*cost);
            free_at = Some(*at + WINDOW);
        }
        free_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn no_ten_seconds_see_more_than_the_bucket_holds() {
        let limiter = Limiter::new(5);
        let begin = Instant::now();
        let mut sent = Vec::new();
        for _ in 0..23 {
            limiter.pass(1, WINDOW).await.unwrap();
            sent.push(begin.elapsed());
        }
        for (at, last) in sent.iter().enumerate() {
            let in_window = sent[..=at]
                .iter()
                .filter(|earlier| last.abs_diff(**earlier) < Duration::from_secs(10))
                .count();
            assert!(in_window <= 5, "{in_window} requests until {last:?}");
        }
        assert_eq!(
            begin.elapsed(),
            4 * WINDOW,
            "and it waits no longer than it must"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn units_count_and_a_pause_holds_everybody() {
        let limiter = Limiter::new(10);
        let begin = Instant::now();
        limiter.pass(6, WINDOW).await.unwrap();
        limiter.pass(4, WINDOW).await.unwrap();
        assert_eq!(begin.elapsed(), Duration::ZERO);
        limiter.pass(30, WINDOW).await.unwrap();
        assert_eq!(begin.elapsed(), WINDOW);
        let pause = Duration::from_mins(2);
        limiter.pause(pause).await;
        limiter.pass(1, pause).await.unwrap();
        assert_eq!(begin.elapsed(), WINDOW + pause);
        // A pause that is longer than anybody waits is said at once, to whoever comes.
        limiter.pause(Duration::from_hours(2)).await;
        for _ in 0..2 {
            assert_eq!(limiter.pass(1, pause).await, Err(Duration::from_hours(2)));
        }
        assert_eq!(begin.elapsed(), WINDOW + pause);
    }
}
