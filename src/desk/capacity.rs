//! Whether the people in scope can be told in time through the budgets.
//!
//! Plain arithmetic on the worst case, in which everybody's window opens in the same days: a
//! rollout that cannot fit is better known before it starts. The daemon sends all day; `cycle` from a
//! timer only for as long as one waits for budgets, so that the schedule counts too.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{Budgets, Config, PolicyConfig};
use crate::domain::policy::{Enforce, Step};
use crate::time::{CronPattern, cron};

/// How long a pass of `cycle` waits for budgets, unless it is told otherwise.
const CYCLE_WAITS: SignedDuration = SignedDuration::from_mins(10);
const MINUTES_A_DAY: u64 = 1_440;

/// A sentence, if the budgets do not let everybody in scope be told in time.
pub fn shortage(config: &Config, people: u64, now: Timestamp) -> Option<String> {
    let budgets = config.email.as_ref()?.budgets;
    let per_day = a_day(budgets, MINUTES_A_DAY)?;
    let load = Load::of(config, people)?;
    if !load.fits(per_day) {
        return Some(format!(
            "{load}, and the budgets allow {per_day} a day: not everybody can be told in time if all windows open together. \
             Raise the budgets, use fewer reminders, or include people in waves"
        ));
    }
    let minutes = minutes_of_cycles(&config.schedule.poll, &config.zone, now);
    let by_cycle = a_day(budgets, minutes)?;
    (!load.fits(by_cycle)).then(|| {
        format!(
            "{load}, and `cycle` at the times of schedule.poll sends at most {by_cycle} a day, as it waits {} minutes for budgets: not everybody \
             can be told in time if all windows open together. `run` sends all day; else let poll be more often, or give `cycle` a longer --max-wait",
            CYCLE_WAITS.as_mins()
        )
    })
}

/// How many mails may leave in a day in so many minutes of sending; none: any number.
fn a_day(budgets: Budgets, minutes: u64) -> Option<u64> {
    let by_minute = budgets.per_minute.map(|limit| u64::from(limit) * minutes);
    let limits = [budgets.per_day.map(u64::from), by_minute];
    limits.into_iter().flatten().min()
}

/// For how many minutes a day passes of `cycle` send, on the day that comes.
fn minutes_of_cycles(schedule: &[CronPattern], zone: &TimeZone, now: Timestamp) -> u64 {
    let day = SignedDuration::from_hours(24);
    let mut minutes = 0;
    let mut at = cron::next_after(schedule, zone, now);
    while let Some(pass) = at.filter(|at| at.duration_since(now) <= day) {
        at = cron::next_after(schedule, zone, pass);
        let until_next = at.map_or(CYCLE_WAITS, |next| next.duration_since(pass));
        // What is left of a minute at its beginning lets as much leave as a whole one.
        minutes += until_next.min(CYCLE_WAITS).as_secs().div_euclid(60).max(1);
        if until_next.as_secs() < 60 {
            return MINUTES_A_DAY;
        }
    }
    u64::try_from(minutes).unwrap_or(0).min(MINUTES_A_DAY)
}

/// What the policy that asks for most would send, if all windows opened together.
struct Load<'a> {
    policy: &'a PolicyConfig,
    people: u64,
    messages: u64,
    days: u64,
    /// Days that the last step leaves before the deadline.
    last: u64,
}

impl<'a> Load<'a> {
    fn of(config: &'a Config, people: u64) -> Option<Self> {
        let policy = config
            .policies
            .iter()
            .filter(|policy| policy.enforce == Enforce::On)
            .max_by_key(|policy| (policy.reminders.len(), -policy.window))?;
        let whole_days =
            |length: SignedDuration| u64::try_from(length.as_hours() / 24).unwrap_or(0).max(1);
        let days = whole_days(policy.window);
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
            .map_or(days, whole_days);
        Some(Self {
            policy,
            people,
            messages: policy.reminders.len().max(1) as u64,
            days,
            last,
        })
    }

    fn mails(&self) -> u64 {
        self.people.saturating_mul(self.messages)
    }

    fn fits(&self, per_day: u64) -> bool {
        self.mails() <= per_day.saturating_mul(self.days)
            && self.people <= per_day.saturating_mul(self.last)
    }
}

impl std::fmt::Display for Load<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            policy,
            people,
            messages,
            days,
            ..
        } = self;
        write!(
            f,
            "{people} people in scope of {} and {messages} messages each are {} mails in {days} days",
            policy.name,
            self.mails()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_sends_for_ten_minutes_or_until_the_next() {
        let minutes = |pattern: &str| {
            let schedule = [CronPattern::parse(pattern).unwrap()];
            let now = Timestamp::from_second(1_767_571_200).unwrap();
            minutes_of_cycles(&schedule, &TimeZone::UTC, now)
        };
        assert_eq!(minutes("0 0 7 * * *"), 10);
        assert_eq!(minutes("0 0 * * * *"), 240);
        assert_eq!(minutes("0 */10 * * * *"), MINUTES_A_DAY);
        assert_eq!(minutes("0 * * * * *"), MINUTES_A_DAY);
        assert_eq!(minutes("*/5 * * * * *"), MINUTES_A_DAY);
    }
}
