//! How much is taken at once, and how often it is settled: what a kill leaves in doubt is the
//! price of every commit that is saved.

use std::time::Duration;

/// The first claim; later ones follow the speed of the receiver.
pub(super) const FIRST_CLAIM: u32 = 20;
/// No claim is larger, however fast the receiver is.
const LARGEST_CLAIM: u32 = 2_000;

/// What is known is written down after this: a kill leaves so much in doubt. A commit takes some
/// 5 ms beside the sending, and with it what is known is settled within 50 ms.
pub(super) const SETTLE_EVERY: Duration = Duration::from_millis(25);

/// The next claim, so that it takes about a second.
pub(super) fn next_claim(sent: usize, took: Duration) -> u32 {
    let per_second =
        f64::from(u32::try_from(sent).unwrap_or(u32::MAX)) / took.as_secs_f64().max(0.001);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to a small range before"
    )]
    let size = per_second.clamp(1.0, f64::from(LARGEST_CLAIM)) as u32;
    size
}
