//! Which exports are editions of one thing, by what their names say of when they were made.
//!
//! Whoever exports anew and leaves the old file beside it would otherwise mix both. Whether two
//! files are editions is told by the ids in them, and only by them; that is for the caller.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use jiff::civil::{Date, Time};

use super::day::{dates, digits, digits_after};
use super::names::split;

/// More digits without parentheses are something else than a count of downloads.
const LONGEST_NUMBER: usize = 2;

/// When an export was made, as its name says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Made<'a> {
    date: Date,
    time: Option<Time>,
    /// What else stands behind the date.
    rest: &'a str,
    /// The number that a browser or a file manager gives to a second download of one name.
    number: u64,
}

impl<'a> Made<'a> {
    /// Reads the last date of a name, and what stands behind it; none without a date. A page has
    /// the date of its folder where it has none of its own.
    fn of(name: &'a str) -> Option<Self> {
        name.rsplit('/').find_map(|name| {
            let base = split(name).map_or(name, |(base, _)| base);
            let (date, behind) = dates(base).last()?;
            let (time, behind) =
                time(behind).map_or((None, behind), |(time, rest)| (Some(time), rest));
            let (rest, number) = numbered(behind);
            Some(Self {
                date,
                time,
                rest,
                number,
            })
        })
    }

    /// Which of two was made before the other; none where names do not tell. A number tells two
    /// downloads of one name apart, and nothing of another.
    fn before(&self, other: &Self) -> Option<Ordering> {
        let days = self.date.cmp(&other.date);
        let times = match (self.time, other.time) {
            (Some(one), Some(another)) => Some(one.cmp(&another)),
            (None, None) => Some(Ordering::Equal),
            (Some(_), None) | (None, Some(_)) => None,
        };
        let is_one_name = self.rest.eq_ignore_ascii_case(other.rest);
        let numbers = is_one_name.then(|| self.number.cmp(&other.number));
        let told = match (days, times) {
            (Ordering::Equal, Some(Ordering::Equal)) => numbers?,
            (Ordering::Equal, times) => times?,
            (days, _) => days,
        };
        (told != Ordering::Equal).then_some(told)
    }

    /// Whether two files of one name's date, time and number belong together.
    fn is_with(&self, other: &Self) -> bool {
        (self.date, self.time, self.number) == (other.date, other.time, other.number)
    }
}

/// Of parts of which these pairs are editions of one thing: those that do not count, each with one
/// that counts instead. Two that their names do not order are the error, unless another is newer
/// than one of them.
pub fn outdated<'a>(
    parts: &[&'a str],
    pairs: &[(&'a str, &'a str)],
) -> Result<BTreeMap<&'a str, &'a str>, (&'a str, &'a str)> {
    let (mut outdated, mut open) = (BTreeMap::new(), Vec::new());
    for (one, other) in pairs.iter().copied() {
        let made = Made::of(one).zip(Made::of(other));
        let ordered = made.and_then(|(made, other_made)| {
            Some(match made.before(&other_made)? {
                Ordering::Less => (one, made, other),
                Ordering::Equal | Ordering::Greater => (other, other_made, one),
            })
        });
        let Some((old, old_made, new)) = ordered else {
            open.push((one, other));
            continue;
        };
        outdated.insert(old, new);
        let same = parts
            .iter()
            .filter(|part| Made::of(part).is_some_and(|made| made.is_with(&old_made)));
        outdated.extend(same.map(|part| (*part, new)));
    }
    let settled = |name| outdated.contains_key(name);
    match open
        .into_iter()
        .find(|(one, other)| !settled(*one) && !settled(*other))
    {
        Some(pair) => Err(pair),
        None => Ok(outdated),
    }
}

/// The time that follows a date, and what follows it: `T0830`, `_083000`, `-08-30`, ` 8.30.00`.
fn time(text: &str) -> Option<(Time, &str)> {
    let text = text.trim_start_matches(['-', '_', ' ', 'T', 't', '.']);
    let (first, rest) = digits(text);
    let (hour, minute, second, rest) = match first.len() {
        6 => (&first[..2], &first[2..4], &first[4..], rest),
        4 => (&first[..2], &first[2..], "0", rest),
        1 | 2 => {
            let between = ['-', '_', '.', ':', 'h'];
            let (minute, rest) = digits_after(rest, &between)?;
            let (second, rest) = digits_after(rest, &between).unwrap_or(("0", rest));
            (first, minute, second, rest)
        }
        _ => return None,
    };
    let time = Time::new(
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
        0,
    );
    Some((time.ok()?, rest))
}

/// What stands behind a date without the number of a second download at its end, and that number;
/// 0 without one: ` (2)` of a browser, `-2` of Safari, ` 2` of a file manager.
fn numbered(text: &str) -> (&str, u64) {
    let text = text.trim_end();
    let in_parentheses = text
        .strip_suffix(')')
        .and_then(|text| text.rsplit_once('('));
    let (rest, number) = in_parentheses.unwrap_or_else(|| {
        let rest = text.trim_end_matches(|c: char| c.is_ascii_digit());
        let number = &text[rest.len()..];
        let rest = rest
            .strip_suffix(['-', ' '])
            .filter(|_| number.len() <= LONGEST_NUMBER);
        rest.map_or((text, ""), |rest| (rest, number))
    });
    match number.parse() {
        Ok(number) => (rest.trim_matches([' ', '-']), number),
        Err(_) => (text.trim_matches([' ', '-']), 0),
    }
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
            ("exportUsers_2026-11-9(2).csv", "2026-11-09", "", 2),
            ("exportUsers_2026-11-9-2.csv", "2026-11-09", "", 2),
            ("exportUsers_2026-11-9 2.csv", "2026-11-09", "", 2),
            ("exportUsers_2026-11-9 - 2.csv", "2026-11-09", "", 2),
            ("exportUsers_2026-11-9-4711.csv", "2026-11-09", "", 0),
            ("users-20261109-0830-2.json", "2026-11-09", "08:30:00", 2),
            ("users_2026-11-9 - Copy (2).csv", "2026-11-09", "", 2),
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
        let (safari, finder) = ("users_2026-11-10-2.csv", "users_2026-11-10 3.csv");
        let (copy, second_copy) = (
            "users_2026-11-10 - Copy.csv",
            "users_2026-11-10 - Copy (2).csv",
        );
        let same = "users_2026-11-10-1.csv";
        let parts = [
            ninth,
            more,
            tenth,
            again,
            morning,
            evening,
            safari,
            finder,
            "users.csv",
        ];
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
            // By numbers, whoever gave them.
            (vec![(safari, tenth)], Ok(vec![(tenth, safari)])),
            (vec![(finder, tenth)], Ok(vec![(tenth, finder)])),
            (vec![(safari, again)], Ok(vec![(again, safari)])),
            // One day's copies are not told apart, and nothing mixes them …
            (vec![(ninth, more)], Err((ninth, more))),
            (vec![(copy, tenth)], Err((copy, tenth))),
            (vec![(second_copy, tenth)], Err((second_copy, tenth))),
            (vec![(again, same)], Err((again, same))),
            // … unless something newer is there.
            (
                vec![(ninth, more), (more, tenth)],
                Ok(vec![(ninth, tenth), (more, tenth)]),
            ),
            (vec![(tenth, morning)], Err((tenth, morning))),
            (vec![("users.csv", tenth)], Err(("users.csv", tenth))),
        ] {
            let expected = expected.map(|pairs| pairs.into_iter().collect::<BTreeMap<_, _>>());
            assert_eq!(outdated(&parts, &pairs), expected, "{pairs:?}");
        }
    }
}
