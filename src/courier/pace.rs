//! How much is taken at once, and how often it is settled: what a kill leaves in doubt is the
//! price of every commit that is saved.

use std::time::{Duration, Instant};

/// The first claim; later ones follow the speed of the receiver.
const FIRST_CLAIM: u32 = 20;
/// No claim is larger, however fast the receiver is.
const LARGEST_CLAIM: u32 = 2_000;

/// What is known is written down after this: a kill leaves so much in doubt. A commit takes some
/// 5 ms beside the sending, and with it what is known is settled within 50 ms.
pub(super) const SETTLE_EVERY: Duration = Duration::from_millis(25);

/// How fast a destination takes what it is sent.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<Instant>,
    sent: usize,
}

impl Pace {
    /// One more row has its answer.
    pub(super) fn sent(&mut self) {
        self.sent += 1;
    }

    /// How much is claimed now for so many free connections; the pace is measured anew from here.
    pub(super) fn claim(&mut self, free: usize) -> u32 {
        let sent = std::mem::take(&mut self.sent);
        match self.since.replace(Instant::now()) {
            Some(since) => next_claim(sent, since.elapsed(), free),
            None => FIRST_CLAIM,
        }
    }
}

/// The next claim, so that it takes about a second, and no connection stands idle.
fn next_claim(sent: usize, took: Duration, connections: usize) -> u32 {
    let per_second =
        f64::from(u32::try_from(sent).unwrap_or(u32::MAX)) / took.as_secs_f64().max(0.001);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small range before"
    )]
    let size = per_second.clamp(1.0, f64::from(LARGEST_CLAIM)) as u32;
    size.max(u32::try_from(connections).unwrap_or(LARGEST_CLAIM))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_a_seconds_sending_and_enough_for_every_connection() {
        for (sent, milliseconds, connections, expected) in [
            (20, 100, 4, 200),
            (20, 1_000, 4, 20),
            (20, 0, 4, LARGEST_CLAIM),
            (1, 1_200, 4, 4),
            (3, 18_000, 3, 3),
            (1, 600_000, 1, 1),
        ] {
            let took = Duration::from_millis(milliseconds);
            let next = next_claim(sent, took, connections);
            assert_eq!(next, expected, "{sent} in {milliseconds} ms");
        }
    }
}
