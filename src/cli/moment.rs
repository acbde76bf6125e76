//! A moment on the command line: RFC 3339, or a date, which means its midnight in the zone of the
//! configuration.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::domain::window::later;
use crate::time::{Clock, parse_duration};

/// A moment, of which a date needs a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A moment.
    At(Timestamp),
    /// The beginning of a day.
    Day(Date),
}

/// A text that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoMoment {
    /// It is written otherwise.
    #[error(
        "a time is written like 2026-01-31T08:00:00+01:00 or 2026-01-31T07:00:00Z; a date alone, 2026-01-31, means its midnight in `timezone`"
    )]
    Form,
    /// No month has that day.
    #[error("the calendar has no such day")]
    NoDay,
    /// A length of time, which may lie ahead or behind.
    #[error(
        "that is a length of time: give the date itself; so long ago it was {ago}, and as far ahead it will be {ahead}"
    )]
    Length {
        /// The day so long ago.
        ago: Date,
        /// The day as far ahead.
        ahead: Date,
    },
}

impl NoMoment {
    /// What a text is instead.
    fn of(text: &str, now: Timestamp) -> Self {
        let day = |at: Timestamp| at.to_zoned(TimeZone::UTC).date();
        if let Ok(length) = parse_duration(text) {
            return Self::Length {
                ago: day(later(now, -length)),
                ahead: day(later(now, length)),
            };
        }
        let looks_like_a_day = text.len() >= 10
            && text
                .bytes()
                .zip(*b"0000-00-00")
                .all(|(byte, form)| match form {
                    b'0' => byte.is_ascii_digit(),
                    form => byte == form,
                });
        match text.get(..10) {
            Some(day) if looks_like_a_day && day.parse::<Date>().is_err() => Self::NoDay,
            _ => Self::Form,
        }
    }
}

impl Moment {
    /// The moment that is meant there.
    #[must_use]
    pub fn within(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Day(date) => date
                .to_zoned(zone.clone())
                .map_or(Timestamp::MAX, |midnight| midnight.timestamp()),
        }
    }
}

impl Moment {
    /// The latest moment that may be meant, before the zone is known: no midnight is later than twelve hours after that
    /// of UTC.
    #[must_use]
    pub fn latest(self) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Day(_) => later(self.within(&TimeZone::UTC), SignedDuration::from_hours(12)),
        }
    }
}

impl FromStr for Moment {
    type Err = NoMoment;

    /// The library reads more of a date than people should write: a time of day without a zone.
    fn from_str(text: &str) -> Result<Self, NoMoment> {
        let moment = if text.len() == "2026-01-31".len() {
            text.parse().map(Self::Day)
        } else {
            text.parse().map(Self::At)
        };
        moment.map_err(|_| NoMoment::of(text, Clock::system().now()))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::Day(date) => date.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_in_the_zone_and_a_moment_is_itself() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let cairo = TimeZone::get("Africa/Cairo").unwrap();
        for (text, zone, at) in [
            ("2026-01-31", &berlin, "2026-01-30T23:00:00Z"),
            ("2026-07-31", &berlin, "2026-07-30T22:00:00Z"),
            ("2026-01-31", &TimeZone::UTC, "2026-01-31T00:00:00Z"),
            // That day has no midnight there: the clock goes from 23:59 to 01:00.
            ("2026-04-24", &cairo, "2026-04-23T22:00:00Z"),
            ("2026-01-31T08:00:00+01:00", &berlin, "2026-01-31T07:00:00Z"),
            ("2026-01-31T08:00:00Z", &berlin, "2026-01-31T08:00:00Z"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(moment.within(zone).to_string(), at, "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_told_how_one_is_written() {
        for text in [
            "yesterday",
            "",
            "2026-01-31T08:00:00",
            "31.01.2026",
            "01/31/2026",
            "2026-1-31",
        ] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment::Form), "{text}");
        }
        for text in ["2026-02-30", "2026-13-01T08:00:00Z", "2026-00-00"] {
            assert_eq!(text.parse::<Moment>(), Err(NoMoment::NoDay), "{text}");
        }
        let now = "2026-01-31T08:00:00Z".parse().unwrap();
        insta::assert_snapshot!(NoMoment::of("7d", now), @"that is a length of time: give the date itself; so long ago it was 2026-01-24, and as far ahead it will be 2026-02-07");
        assert!(matches!(
            "7d".parse::<Moment>(),
            Err(NoMoment::Length { .. })
        ));
        insta::assert_snapshot!(NoMoment::Form, @"a time is written like 2026-01-31T08:00:00+01:00 or 2026-01-31T07:00:00Z; a date alone, 2026-01-31, means its midnight in `timezone`");
    }
}
