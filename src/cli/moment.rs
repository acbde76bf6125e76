//! A moment as people give it: with its offset, or a date, which is its midnight in the configured zone.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A moment of a command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// With its offset from UTC.
    At(Timestamp),
    /// A day of the configured zone.
    Day(Date),
}

/// A text that is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "write 2026-01-05T08:00:00Z, or a date like 2026-01-05 for its midnight in `timezone`; the year has four digits"
)]
pub struct InvalidMoment;

impl FromStr for Moment {
    type Err = InvalidMoment;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_year = text.bytes().take_while(u8::is_ascii_digit).count() == 4;
        let moment = text.parse().map(Self::At);
        let moment = moment.or_else(|_| match text.len() {
            10 => text.parse().map(Self::Day),
            _ => text.parse().map(Self::At),
        });
        moment.ok().filter(|_| is_year).ok_or(InvalidMoment)
    }
}

impl Moment {
    /// The moment itself.
    #[must_use]
    pub fn in_zone(self, zone: &TimeZone) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Day(day) => day
                .to_zoned(zone.clone())
                .map_or(Timestamp::MIN, |midnight| midnight.timestamp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_in_the_zone() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for (text, at) in [
            ("2026-01-05", Some("2026-01-04T23:00:00Z")),
            ("2026-01-05T08:00:00Z", Some("2026-01-05T08:00:00Z")),
            ("2026-01-05T08:00:00+01:00", Some("2026-01-05T07:00:00Z")),
            ("26-01-05", None),
            ("05.01.26", None),
            ("2026-01-05T08:00", None),
            ("2026-02-30", None),
            ("tomorrow", None),
        ] {
            let read = text.parse::<Moment>().ok();
            let read = read.map(|moment| moment.in_zone(&zone).to_string());
            assert_eq!(read.as_deref(), at, "{text}");
        }
    }
}
