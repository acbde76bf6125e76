//! Which exports are editions of one thing, by what their names say of when they were made.
//!
//! Whoever exports anew and leaves the old file beside it would otherwise mix both. Whether two
//! files are editions is told by the ids in them, and only by them; that is for the caller.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use super::day::{dates, digits, digits_after};
use super::names::split;

/// When an export was made, as its name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    date: Date,
    time: Option<Time>,
    /// The number that a browser gives to a second download of one name: ` (1)`.
    number: u64,
}

impl Made {
    /// Reads the last date of a name, and what stands behind it; none without a date. A page has
    /// the date of its folder where it has none of its own.
    fn of(name: &str) -> Option<Self> {
        name.rsplit('/').find_map(|name| {
            let base = split(name).map_or(name, |(base, _)| base);
            let (date, rest) = dates(base).last()?;
            Some(Self {
                date,
                time: time(rest),
                number: number(base),
            })
        })
    }

    /// Which of two was made before the other; none where names do not tell.
    fn before(&self, other: &Self) -> Option<Ordering> {
        let days = self.date.cmp(&other.date);
        if days != Ordering::Equal {
            return Some(days);
        }
        match (self.time, other.time) {
            (Some(one), Some(another)) if one != another => Some(one.cmp(&another)),
            (Some(_), Some(_)) | (None, None) => Some(self.number.cmp(&other.number)),
            (Some(_), None) | (None, Some(_)) => None,
        }
    }
}

/// Of parts of which these pairs are editions of one thing: those that do not count, each with one
/// that counts instead. Two that their names do not order are the error.
pub fn outdated<'a>(
    parts: &[&'a str],
    pairs: &[(&'a str, &'a str)],
) -> Result<BTreeMap<&'a str, &'a str>, (&'a str, &'a str)> {
    let mut outdated = BTreeMap::new();
    for (one, other) in pairs.iter().copied() {
        let (Some(made), Some(other_made)) = (Made::of(one), Made::of(other)) else {
            return Err((one, other));
        };
        let (old, old_made, new) = match made.before(&other_made) {
            Some(Ordering::Less) => (one, made, other),
            Some(Ordering::Greater) => (other, other_made, one),
            // They belong together.
            Some(Ordering::Equal) => continue,
            None => return Err((one, other)),
        };
        outdated.insert(old, new);
        let same = parts.iter().filter(|part| Made::of(part) == Some(old_made));
        outdated.extend(same.map(|part| (*part, new)));
    }
    Ok(outdated)
}

/// The time that follows a date: `T0830`, `_083000`, `-08-30`, ` 8.30.00`.
fn time(text: &str) -> Option<Time> {
    let text = text.trim_start_matches(['-', '_', ' ', 'T', 't', '.']);
    let (first, rest) = digits(text);
    let (hour, minute, second) = match first.len() {
        6 => (&first[..2], &first[2..4], &first[4..]),
        4 => (&first[..2], &first[2..], "0"),
        1 | 2 => {
            let between = ['-', '_', '.', ':', 'h'];
            let (minute, rest) = digits_after(rest, &between)?;
            let second = digits_after(rest, &between).map_or("0", |(second, _)| second);
            (first, minute, second)
        }
        _ => return None,
    };
    Time::new(
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
        0,
    )
    .ok()
}

/// The number in parentheses at the end of a name; 0 without one.
fn number(name: &str) -> u64 {
    let inside = name
        .trim_end()
        .strip_suffix(')')
        .and_then(|name| Some(name.rsplit_once('(')?.1));
    inside.and_then(|inside| inside.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_when_an_export_was_made() {
        let made = |name: &str| {
            let made = Made::of(name)?;
            let time = made.time.map(|time| time.to_string());
            Some((made.date.to_string(), time.unwrap_or_default(), made.number))
        };
        for (name, date, time, number) in [
            ("exportUsers_2026-11-9.csv", "2026-11-09", "", 0),
            ("exportUsers_2026-11-9 (12).csv.gz", "2026-11-09", "", 12),
            ("users-20261109.json", "2026-11-09", "", 0),
            ("users-20261109-0830.json", "2026-11-09", "08:30:00", 0),
            ("users-20261109T083015.json", "2026-11-09", "08:30:15", 0),
            ("users_20261109083015.json", "2026-11-09", "08:30:15", 0),
            ("users_2026-11-9_8.30.csv", "2026-11-09", "08:30:00", 0),
            ("users_2026-11-09_part2.csv", "2026-11-09", "", 0),
            ("users_2026-11-09_2.csv", "2026-11-09", "", 0),
            ("users_2026-11-01_2026-11-08.csv", "2026-11-08", "", 0),
            ("users-2026-11-09/000001.json", "2026-11-09", "", 0),
            ("2026-11-01/users_2026-11-09.json", "2026-11-09", "", 0),
        ] {
            let expected = (date.to_owned(), time.to_owned(), number);
            assert_eq!(made(name), Some(expected), "{name}");
        }
        for name in [
            "users.json",
            "users (1).csv",
            "users_2.csv",
            "users/000001.json",
            "users_2026-13-09.csv",
            "users_09-11-2026.csv",
            "users_2026.csv",
        ] {
            assert_eq!(made(name), None, "{name}");
        }
    }

    #[test]
    fn the_newest_edition_counts_where_names_tell_which() {
        let (ninth, tenth) = ("users_2026-11-9.csv", "users_2026-11-10.csv");
        let again = "users_2026-11-10 (1).csv";
        let (more, morning) = ("users_2026-11-9_b.csv", "users_2026-11-10_0800.csv");
        let evening = "users_2026-11-10_2000.csv";
        let parts = [ninth, more, tenth, again, morning, evening, "users.csv"];
        for (pairs, expected) in [
            (
                vec![(tenth, ninth)],
                Ok(vec![(ninth, tenth), (more, tenth)]),
            ),
            (vec![(again, tenth)], Ok(vec![(tenth, again)])),
            (vec![(morning, evening)], Ok(vec![(morning, evening)])),
            (
                vec![(ninth, tenth), (tenth, again)],
                Ok(vec![(tenth, again), (ninth, tenth), (more, tenth)]),
            ),
            // One edition in two files.
            (vec![(ninth, more)], Ok(vec![])),
            (vec![(tenth, morning)], Err((tenth, morning))),
            (vec![("users.csv", tenth)], Err(("users.csv", tenth))),
        ] {
            let expected = expected.map(|pairs| pairs.into_iter().collect::<BTreeMap<_, _>>());
            assert_eq!(outdated(&parts, &pairs), expected, "{pairs:?}");
        }
    }
}
