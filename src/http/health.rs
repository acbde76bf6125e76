//! How the daemon is, as `/readyz` and systemd are told.

use jiff::{SignedDuration, Timestamp};

/// A pass later than this after the schedule's last occurrence is not fresh (`/readyz`).
const STALE_AFTER: u32 = 3;

/// What `/readyz` and systemd are told.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The last whole pass.
    pub last_pass: Option<Timestamp>,
    /// The last pass failed because of this.
    pub error: Option<String>,
    /// When the next pass is due, and how long the schedule waits between two.
    pub next_pass: Option<Timestamp>,
    /// How many holds stand.
    pub holds: usize,
    /// What a reload could not use.
    pub warning: Option<String>,
}

/// Whether the last pass is fresh: no more than three times the schedule's own interval ago.
pub(super) fn is_fresh(health: &Health, now: Timestamp) -> bool {
    match (health.last_pass, health.next_pass) {
        (Some(last), Some(next)) => {
            now.duration_since(last)
                <= next.duration_since(last).max(SignedDuration::from_mins(1))
                    * i32::try_from(STALE_AFTER).unwrap_or(3)
        }
        (Some(_), None) => true,
        (None, _) => false,
    }
}
