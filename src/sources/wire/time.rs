//! Times as logs and exports spell them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

/// An RFC 3339 time with any fraction and any offset (case 6), the same without an offset and then
/// UTC, or `/Date(ms)/`, as Windows PowerShell writes it.
#[must_use]
pub fn instant(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    let zoned = text.parse().ok();
    zoned
        .or_else(|| utc(text.parse().ok()?))
        .or_else(|| milliseconds(text))
}

/// A time of a portal export: the same, or American (`9/28/2021 4:05:06 PM`), as the user exports
/// of 2021 have it.
#[must_use]
pub fn portal_instant(text: &str) -> Option<Timestamp> {
    instant(text).or_else(|| {
        let text = text.trim();
        let civil = american(text, "%m/%d/%Y %I:%M:%S %p")
            .or_else(|| american(text, "%m/%d/%Y %H:%M:%S"))?;
        utc(civil)
    })
}

fn utc(civil: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(civil).ok()
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    let inside = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    Timestamp::from_millisecond(inside.parse().ok()?).ok()
}

fn american(text: &str, format: &str) -> Option<DateTime> {
    strtime::parse(format, text).ok()?.to_datetime().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_in_every_spelling() {
        let expected: Timestamp = "2026-01-05T08:30:00Z".parse().unwrap();
        for text in [
            "2026-01-05T08:30:00Z",
            "2026-01-05T08:30:00.0Z",
            "2026-01-05T08:30:00.0000000Z",
            "2026-01-05T08:30:00.000000000Z",
            "2026-01-05T08:30:00+00:00",
            "2026-01-05T03:30:00.0000000-05:00",
            " 2026-01-05T08:30:00Z ",
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        for text in [
            "2026-01-05 08:30:00",
            "2026-01-05T08:30:00",
            "/Date(1767601800000)/",
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
        for text in ["1/5/2026 8:30:00 AM", "01/05/2026 08:30:00 AM"] {
            assert_eq!(instant(text), None, "{text}");
            assert_eq!(portal_instant(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn garbage_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-01-05T25:00:00Z",
            "13/32/2026 1:00:00 PM",
            "0",
            "/Date()/",
            "/Date(99999999999999999999)/",
        ] {
            assert_eq!(portal_instant(text), None, "{text}");
        }
    }
}
