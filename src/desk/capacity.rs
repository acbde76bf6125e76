//! Whether the people in scope can be told in time through the budgets.
//!
//! Plain arithmetic on the worst case, in which everybody's window opens in the same days: a
//! rollout that cannot fit is better known before it starts.

use jiff::SignedDuration;

use crate::config::Config;
use crate::domain::policy::{Enforce, Step};

/// A sentence, if the budgets do not let everybody in scope be told in time.
pub fn shortage(config: &Config, people: u64) -> Option<String> {
    let budgets = config.email.as_ref()?.budgets;
    let per_day = [
        budgets.per_day.map(u64::from),
        budgets.per_minute.map(|limit| u64::from(limit) * 1_440),
    ]
    .into_iter()
    .flatten()
    .min()?;
    let policy = config
        .policies
        .iter()
        .filter(|policy| policy.enforce == Enforce::On)
        .max_by_key(|policy| (policy.reminders.len(), -policy.window))?;
    let messages = policy.reminders.len().max(1) as u64;
    let days = u64::try_from(policy.window.as_hours() / 24)
        .unwrap_or(0)
        .max(1);
    // The last step goes to everybody within the time it leaves before the deadline.
    let last = policy
        .reminders
        .iter()
        .filter_map(|step| match step {
            Step::BeforeDeadline(before) => Some(*before),
            Step::AfterOpening(_) => None,
        })
        .filter(|before| *before > SignedDuration::ZERO)
        .min()
        .map_or(days, |before| {
            u64::try_from(before.as_hours() / 24).unwrap_or(0).max(1)
        });
    let all = people.saturating_mul(messages);
    if all <= per_day.saturating_mul(days) && people <= per_day.saturating_mul(last) {
        return None;
    }
    Some(format!(
        "{people} people in scope of {} and {messages} messages each are {all} mails in {days} days, and the budgets allow {per_day} a day: \
         not everybody can be told in time if all windows open together. Raise the budgets, use fewer reminders, or include people in waves",
        policy.name
    ))
}
