//! Time: the only file that asks a clock. Everything else is handed a [`Timestamp`].
//!
//! Below it: durations as people write and read them, cron patterns in a time zone
//! ([`cron`]), what servers ask for in `Retry-After` ([`retry_after`]), and the watch over the
//! host's clock ([`skew`]). The trap: a day of the
//! configuration has 24 hours, whatever the calendar does (rule R1), while `09:00` in a cron pattern
//! stays nine o'clock.

pub mod cron;
pub mod retry_after;
pub mod skew;

use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use rustix::time::{ClockId, clock_gettime};

pub use self::cron::CronPattern;
pub use self::skew::{HostTime, SkewDetector};

/// What time it is: the host's clock, or the one moment of a rehearsal (`--as-of`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clock {
    fixed: Option<Timestamp>,
}

impl Clock {
    /// The clock of the host.
    #[must_use]
    pub fn system() -> Self {
        Self { fixed: None }
    }

    /// A clock that stands still at this moment.
    #[must_use]
    pub fn fixed_at(at: Timestamp) -> Self {
        Self { fixed: Some(at) }
    }

    /// The time by which everything is decided, stored and scheduled (rule 7.22).
    ///
    /// Whole microseconds, so that what was decided equals what is read back from storage.
    pub fn now(self) -> Timestamp {
        whole_micros(self.fixed.unwrap_or_else(wall))
    }

    /// Whether this is the clock of a rehearsal.
    #[must_use]
    pub fn is_fixed(self) -> bool {
        self.fixed.is_some()
    }

    /// The host's own two clocks, whatever [`Clock::now`] says: for the check of rule R3.
    #[must_use]
    pub fn host(self) -> HostTime {
        HostTime {
            wall: wall(),
            boot: since_boot(),
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that asks for the time"
)]
fn wall() -> Timestamp {
    Timestamp::now()
}

/// The boot-time clock: it goes on through a suspend, and nobody can set it.
fn since_boot() -> SignedDuration {
    let time = clock_gettime(ClockId::Boottime);
    let nanos = i32::try_from(time.tv_nsec).unwrap_or(0);
    SignedDuration::new(time.tv_sec, nanos)
}

fn whole_micros(at: Timestamp) -> Timestamp {
    from_micros(to_micros(at)).unwrap_or(at)
}

/// An instant that no calendar of ours reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} microseconds since 1970 is outside the years -9999 to 9999")]
pub struct OutOfRange(pub i64);

/// An instant as it is stored: microseconds since 1970.
#[must_use]
pub fn to_micros(at: Timestamp) -> i64 {
    at.as_microsecond()
}

/// An instant as it was stored.
pub fn from_micros(micros: i64) -> Result<Timestamp, OutOfRange> {
    Timestamp::from_microsecond(micros).map_err(|_| OutOfRange(micros))
}

/// A duration that is not written as `"14d"`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a duration is written like \"14d\", \"6h\", \"90m\" or \"1d 12h\", not {0:?}")]
pub struct InvalidDuration(pub String);

/// Reads a duration: whole days (of 24 hours), hours, minutes and seconds, largest first.
pub fn parse_duration(text: &str) -> Result<SignedDuration, InvalidDuration> {
    let invalid = || InvalidDuration(text.to_owned());
    if !is_plain(text) {
        return Err(invalid());
    }
    let span: Span = text.parse().map_err(|_| invalid())?;
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| invalid())
}

/// The library reads far more than people should write: `P14D`, `2 weeks ago`, `1.5h`.
fn is_plain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_digit())
        && text.ends_with(['d', 'h', 'm', 's'])
        && !text.contains("ms")
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b"dhms ".contains(&byte))
}

/// A duration for people: its two largest units, `"13 days 4 hours"`. What is less than a second
/// is none.
#[must_use]
pub fn format_duration(length: SignedDuration) -> String {
    let seconds = length.as_secs().unsigned_abs();
    let units = [
        (seconds / 86_400, "day"),
        (seconds / 3_600 % 24, "hour"),
        (seconds / 60 % 60, "minute"),
        (seconds % 60, "second"),
    ];
    let Some(first) = units.iter().position(|(count, _)| *count > 0) else {
        return "0 seconds".to_owned();
    };
    let words: Vec<String> = units
        .iter()
        .skip(first)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count} {unit}{}", if *count == 1 { "" } else { "s" }))
        .collect();
    let sign = if length.is_negative() { "minus " } else { "" };
    format!("{sign}{}", words.join(" "))
}

/// A duration as the configuration writes it, in one unit: `"14d"`, `"36h"`, `"90m"`, `"30s"`.
#[must_use]
pub fn write_duration(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let (unit, name) = [(86_400, "d"), (3_600, "h"), (60, "m")]
        .into_iter()
        .find(|(unit, _)| seconds % unit == 0)
        .unwrap_or((1, "s"));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_days_of_24_hours() {
        for (text, seconds) in [
            ("14d", 1_209_600),
            ("0d", 0),
            ("6h", 21_600),
            ("90m", 5_400),
            ("30s", 30),
            ("1d12h", 129_600),
            ("1d 12h", 129_600),
            ("36h", 129_600),
        ] {
            assert_eq!(
                parse_duration(text),
                Ok(SignedDuration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn durations_that_are_none_are_refused() {
        for text in [
            "",
            "14",
            "d",
            "-3d",
            "+3d",
            "1.5h",
            "2w",
            "3 months",
            "P14D",
            "14 days",
            "3d ago",
            "12h1d",
            "1mo",
            "３d",
            "99999999999d",
            "5ms",
            "1h 2",
            "d1d",
            " 3d",
        ] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_for_people_and_for_files() {
        for (seconds, people, file) in [
            (0, "0 seconds", "0d"),
            (1, "1 second", "1s"),
            (5_400, "1 hour 30 minutes", "90m"),
            (1_137_600, "13 days 4 hours", "316h"),
            (86_400, "1 day", "1d"),
            (86_460, "1 day", "1441m"),
            (1_209_599, "13 days 23 hours", "1209599s"),
            (-7_200, "minus 2 hours", "-2h"),
        ] {
            let length = SignedDuration::from_secs(seconds);
            assert_eq!(format_duration(length), people);
            assert_eq!(write_duration(length), file);
        }
    }

    #[test]
    fn instants_survive_storage() {
        let at: Timestamp = "2026-11-24T09:30:00.123456789Z".parse().unwrap();
        let now = Clock::fixed_at(at).now();
        assert_eq!(now.to_string(), "2026-11-24T09:30:00.123456Z");
        assert_eq!(from_micros(to_micros(now)), Ok(now));
        assert_eq!(from_micros(i64::MAX), Err(OutOfRange(i64::MAX)));
    }

    #[test]
    fn the_system_clock_goes_forward_and_the_fixed_one_stands() {
        let clock = Clock::system();
        let (first, then) = (clock.host(), clock.host());
        assert!(then.boot >= first.boot && !clock.is_fixed());
        let at = Timestamp::UNIX_EPOCH;
        assert_eq!(Clock::fixed_at(at).now(), at);
        assert!(Clock::fixed_at(at).host().wall > at);
    }
}
