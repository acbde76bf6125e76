//! The days that a file's name names, and when the file was written as far as they show.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::Part;

impl Part {
    /// When it was written: its modification time, or the end of the day that its name names where
    /// that is earlier (rule 7.8). Copying a file makes it no younger than it says.
    #[must_use]
    pub fn written_at(&self, zone: &TimeZone) -> Timestamp {
        let modified = self.fingerprint.modified;
        let ended = named(&self.name)
            .and_then(|day| day.tomorrow().ok())
            .and_then(|next| next.to_zoned(zone.clone()).ok())
            .map(|next| next.timestamp());
        ended.map_or(modified, |ended| ended.min(modified))
    }
}

/// The latest day that a name names.
fn named(name: &str) -> Option<Date> {
    dates(name).map(|(date, _)| date).max()
}

/// The dates in a name, each with what follows it.
pub(super) fn dates(name: &str) -> impl Iterator<Item = (Date, &str)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        loop {
            rest = &rest[rest.find(|c: char| c.is_ascii_digit())?..];
            if let Some(found) = date(rest) {
                rest = found.1;
                return Some(found);
            }
            rest = digits(rest).1;
        }
    })
}

/// The date that a text begins with, and what follows it: `2026-01-05`, `2026_1_5`, `2026.01.05`,
/// `20260105`, also with the time behind it. A number that merely looks like one is none.
fn date(text: &str) -> Option<(Date, &str)> {
    let (digits, rest) = digits(text);
    let (year, month, day, rest) = match digits.len() {
        4 => {
            let (month, rest) = digits_after(rest, &['-', '_', '.'])?;
            let (day, rest) = digits_after(rest, &['-', '_', '.'])?;
            (digits, month, day, rest)
        }
        8 => (&digits[..4], &digits[4..6], &digits[6..], rest),
        14 => {
            let rest = &text[8..];
            (&digits[..4], &digits[4..6], &digits[6..8], rest)
        }
        _ => return None,
    };
    if month.len() > 2 || day.len() > 2 {
        return None;
    }
    let year = year
        .parse()
        .ok()
        .filter(|year| (2000..2200).contains(year))?;
    let date = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    Some((date, rest))
}

/// The digits that a text begins with, and the rest.
pub(super) fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    text.split_at(end.unwrap_or(text.len()))
}

/// The digits behind one of these separators, and the rest.
pub(super) fn digits_after<'a>(text: &'a str, separators: &[char]) -> Option<(&'a str, &'a str)> {
    let (digits, rest) = digits(text.strip_prefix(separators)?);
    (!digits.is_empty()).then_some((digits, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_day_of_a_name_counts() {
        for (name, expected) in [
            ("registration.json", None),
            ("registration-2026-11-09.csv", Some((2026, 11, 9))),
            ("registration-2026-11-9.csv", Some((2026, 11, 9))),
            ("registration_2026_11_09 (1).csv.gz", Some((2026, 11, 9))),
            ("users20261109.json", Some((2026, 11, 9))),
            ("users_20261109083015.json", Some((2026, 11, 9))),
            ("users-2026.11.09.csv", Some((2026, 11, 9))),
            ("SignIns_2026-11-02_2026-11-09.csv", Some((2026, 11, 9))),
            ("registration/000001.json", None),
            ("registration-2026-13-09.csv", None),
            ("registration-2026-11-31.csv", None),
            ("registration-12345678.csv", None),
            ("registration-1-2026-11.csv", None),
            ("sign-ins-2026 11 09.csv", None),
            ("sign-ins-übrig-2026-11-09.csv", Some((2026, 11, 9))),
        ] {
            let found = named(name).map(|day| (day.year(), day.month(), day.day()));
            assert_eq!(found, expected, "{name}");
        }
    }
}
