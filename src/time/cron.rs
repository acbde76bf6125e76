//! Cron patterns with seconds, in an IANA time zone: when a pass is due.
//!
//! Over a change of the clocks: a time that is left out falls on the first moment after the gap;
//! one that comes twice is met once, in the first of the two hours; a step (`*/30`) is met in
//! both. Nothing remembers slots: a pass is due if any occurrence lies between the last pass
//! and now, so an outage is caught up by one pass.

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A pattern, as it was written and as it was understood.
#[derive(Debug, Clone)]
pub struct CronPattern {
    text: String,
    cron: Cron,
}

impl PartialEq for CronPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronPattern {}

/// A text that is no cron pattern with seconds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCron {
    /// It cannot be read.
    #[error("no cron pattern with seconds: {0}")]
    Unreadable(String),
    /// It can be read and never comes: 30 February.
    #[error("this pattern never comes")]
    Never,
}

impl CronPattern {
    /// Reads six fields: second, minute, hour, day, month, day of week; or `@daily` and its like.
    pub fn parse(text: &str) -> Result<Self, InvalidCron> {
        let cron = CronParser::builder()
            .seconds(Seconds::Required)
            .year(Year::Disallowed)
            .build()
            .parse(text)
            .map_err(|error| InvalidCron::Unreadable(plain(&error.to_string())))?;
        let pattern = Self {
            text: text.to_owned(),
            cron,
        };
        match pattern.next_after(&TimeZone::UTC, Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(pattern),
            None => Err(InvalidCron::Never),
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern in words.
    #[must_use]
    pub fn describe(&self) -> String {
        self.cron.describe()
    }

    /// The first occurrence after this moment.
    #[must_use]
    pub fn next_after(&self, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
        let local = after.to_zoned(zone.clone());
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(next.timestamp())
    }
}

/// Messages of the library, without its own names for things.
fn plain(message: &str) -> String {
    let text = ["Invalid pattern: ", "Component error: "]
        .iter()
        .fold(message, |text, prefix| text.trim_start_matches(prefix));
    text.trim_end_matches('.').to_owned()
}

/// The first occurrence of any of the patterns after this moment.
#[must_use]
pub fn next_after(
    patterns: &[CronPattern],
    zone: &TimeZone,
    after: Timestamp,
) -> Option<Timestamp> {
    patterns
        .iter()
        .filter_map(|pattern| pattern.next_after(zone, after))
        .min()
}

/// The first occurrence later than `last` and not later than `now`: if there is one, a pass is due.
#[must_use]
pub fn due_between(
    patterns: &[CronPattern],
    zone: &TimeZone,
    last: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    next_after(patterns, zone, last).filter(|at| *at <= now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    /// The occurrences after `from`, in local time, as long as they lie before `until`.
    fn occurrences(pattern: &str, from: &str, until: &str) -> Vec<String> {
        let patterns = [CronPattern::parse(pattern).unwrap()];
        let until: Timestamp = until.parse().unwrap();
        let mut at: Timestamp = from.parse().unwrap();
        let mut found = Vec::new();
        while let Some(next) = due_between(&patterns, &berlin(), at, until) {
            let local = next.to_zoned(berlin());
            found.push(local.strftime("%d %H:%M%:z").to_string());
            at = next;
        }
        found
    }

    #[test]
    fn a_time_in_the_gap_of_spring_comes_right_after_it() {
        // 29 March 2026: 02:00 becomes 03:00.
        let found = occurrences(
            "0 30 2 * * *",
            "2026-03-27T12:00:00Z",
            "2026-03-30T12:00:00Z",
        );
        assert_eq!(
            found,
            ["28 02:30+01:00", "29 03:00+02:00", "30 02:30+02:00"]
        );
    }

    #[test]
    fn a_time_in_the_fold_of_autumn_comes_once() {
        // 25 October 2026: 03:00 becomes 02:00.
        let found = occurrences(
            "0 30 2 * * *",
            "2026-10-24T12:00:00Z",
            "2026-10-26T12:00:00Z",
        );
        assert_eq!(found, ["25 02:30+02:00", "26 02:30+01:00"]);
    }

    #[test]
    fn steps_come_in_both_hours_of_the_fold() {
        let found = occurrences(
            "0 */30 1-3 * * *",
            "2026-10-24T22:00:00Z",
            "2026-10-25T03:00:00Z",
        );
        assert_eq!(
            found,
            [
                "25 01:00+02:00",
                "25 01:30+02:00",
                "25 02:00+02:00",
                "25 02:30+02:00",
                "25 02:00+01:00",
                "25 02:30+01:00",
                "25 03:00+01:00",
                "25 03:30+01:00"
            ]
        );
    }

    #[test]
    fn nine_o_clock_stays_nine_o_clock() {
        let found = occurrences(
            "0 0 9 * * *",
            "2026-03-28T00:00:00Z",
            "2026-03-30T00:00:00Z",
        );
        assert_eq!(found, ["28 09:00+01:00", "29 09:00+02:00"]);
    }

    #[test]
    fn an_outage_is_one_pass_and_several_patterns_are_one_schedule() {
        let patterns =
            ["0 0 9 * * *", "0 */10 * * * *"].map(|text| CronPattern::parse(text).unwrap());
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (last, now) = (at("2026-06-01T08:01:00Z"), at("2026-06-03T08:01:00Z"));
        let due = due_between(&patterns, &berlin(), last, now);
        assert_eq!(due, Some(at("2026-06-01T08:10:00Z")));
        assert_eq!(due_between(&patterns, &berlin(), now, now), None);
        assert_eq!(
            next_after(&patterns, &berlin(), now),
            Some(at("2026-06-03T08:10:00Z"))
        );
    }

    #[test]
    fn patterns_without_seconds_or_without_end_are_refused() {
        for text in [
            "",
            "*/10 * * * *",
            "0 5/5 * * * *",
            "0 61 * * * *",
            "0 0 0 30 2 *",
            "x",
        ] {
            assert!(CronPattern::parse(text).is_err(), "{text:?}");
        }
        for text in ["@daily", "0 0 9 L * *", "0 0 9 * * FRI#2"] {
            assert!(CronPattern::parse(text).is_ok(), "{text:?}");
        }
    }
}
