//! When a row is tried again (rule 5.6): full jitter below a bound that doubles, and always early
//! enough for three more tries before the row is of no use. The jitter is a function of the row and
//! the attempt, so that a rehearsal repeats it.

use jiff::{SignedDuration, Timestamp};

use crate::domain::window::later;

/// The first retry comes within this, and each later one within twice the one before.
const FIRST: SignedDuration = SignedDuration::from_secs(5);
/// Doublings after which every bound is at its most: 5 s · 2¹⁶ are four days.
const DOUBLINGS: u32 = 16;

/// The next try of a row, no later than `at_most` from now.
pub(super) fn retry_at(
    id: &str,
    attempt: u32,
    not_after: Option<Timestamp>,
    at_most: SignedDuration,
    now: Timestamp,
) -> Timestamp {
    let doubled = FIRST.as_secs() << attempt.saturating_sub(1).min(DOUBLINGS);
    let mut bound = SignedDuration::from_secs(doubled).min(at_most);
    if let Some(not_after) = not_after {
        bound = bound.min(not_after.duration_since(now) / 3);
    }
    let key = format!("{id}/{attempt}");
    let draw = uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, key.as_bytes())
        .as_fields()
        .0;
    let share = f64::from(draw) / f64::from(u32::MAX);
    let wait = bound.as_secs_f64().max(1.0) * share;
    later(
        now,
        SignedDuration::from_secs_f64(wait).max(SignedDuration::from_secs(1)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_spread_below_a_bound_that_doubles_up_to_its_most() {
        let now = Timestamp::UNIX_EPOCH;
        let six_hours = SignedDuration::from_hours(6);
        for (attempt, bound) in [
            (1, 5),
            (2, 10),
            (5, 80),
            (13, 20_480),
            (14, 21_600),
            (99, 21_600),
        ] {
            let waits: Vec<i64> = (0..50)
                .map(|row| {
                    retry_at(&format!("row{row}"), attempt, None, six_hours, now).as_second()
                })
                .collect();
            assert!(
                waits.iter().all(|wait| (1..=bound).contains(wait)),
                "{attempt}: {waits:?}"
            );
            assert!(
                waits.iter().any(|wait| *wait > bound / 2),
                "{attempt}: {waits:?}"
            );
        }
    }

    #[test]
    fn three_tries_fit_before_the_end() {
        let now = Timestamp::UNIX_EPOCH;
        let end = later(now, SignedDuration::from_mins(30));
        let next = retry_at("row", 40, Some(end), SignedDuration::from_hours(6), now);
        assert!(next <= later(now, SignedDuration::from_mins(10)), "{next}");
    }
}
