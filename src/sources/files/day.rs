//! The day that a file's name names, and when the file was written as far as that shows.

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

/// The latest day that a name names: `2026-01-05`, `2026-1-5`, `2026_01_05`, `20260105`.
fn named(name: &str) -> Option<Date> {
    let numbers: Vec<(usize, &str)> = numbers(name);
    let spelled = numbers.windows(3).filter_map(|three| match three {
        [(_, year), (month_at, month), (day_at, day)]
            if year.len() == 4 && month.len() <= 2 && day.len() <= 2 =>
        {
            let parted = [*month_at, *day_at]
                .iter()
                .all(|at| matches!(name.as_bytes().get(at - 1), Some(b'-' | b'_')));
            let adjoin =
                month_at - year.len() - 1 == three[0].0 && day_at - month.len() - 1 == *month_at;
            (parted && adjoin).then(|| date(year, month, day)).flatten()
        }
        _ => None,
    });
    let packed = numbers.iter().filter_map(|(_, digits)| {
        let is_date = digits.len() == 8;
        is_date
            .then(|| date(&digits[..4], &digits[4..6], &digits[6..]))
            .flatten()
    });
    spelled.chain(packed).max()
}

/// The runs of digits of a name, and where each begins.
fn numbers(name: &str) -> Vec<(usize, &str)> {
    let mut numbers = Vec::new();
    let mut begins = None;
    for (at, byte) in name.bytes().chain([b' ']).enumerate() {
        match (byte.is_ascii_digit(), begins) {
            (true, None) => begins = Some(at),
            (false, Some(from)) => {
                numbers.push((from, &name[from..at]));
                begins = None;
            }
            _ => {}
        }
    }
    numbers
}

/// A day that an export could be of: a number that merely looks like one is none.
fn date(year: &str, month: &str, day: &str) -> Option<Date> {
    let year = year
        .parse()
        .ok()
        .filter(|year| (2000..2200).contains(year))?;
    Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()
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
