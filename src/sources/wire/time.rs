//! Times as logs and exports spell them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
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

/// Which number of a date comes first, where its form does not say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DateOrder {
    /// `31/12/2026`.
    DayFirst,
    /// `12/31/2026`.
    MonthFirst,
}

/// A date of three numbers and a time, as the culture of a machine writes them, in UTC (rule 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numeric {
    year: i16,
    /// The other two numbers, as they stand.
    numbers: [i8; 2],
    /// The order of these, where the form says it.
    order: Option<DateOrder>,
    time: Time,
}

impl Numeric {
    /// Reads `31/12/2026 20:15:00`, `12/31/2026, 8:15:00.5 PM`, `31.12.2026` and `2026/12/31 20:15`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = Cursor(text.trim());
        let first = rest.number()?;
        let separator = rest.any_of(&['/', '-', '.'])?;
        let second = rest.number()?;
        rest.any_of(&[separator])?;
        let third = rest.number()?;
        let (year, numbers, order) = match (first, second, third) {
            ((year, 4), (month, 1..=2), (day, 1..=2)) => {
                (year, [month, day], Some(DateOrder::MonthFirst))
            }
            ((first, 1..=2), (second, 1..=2), (year, 4)) => {
                let order = (separator == '.').then_some(DateOrder::DayFirst);
                (year, [first, second], order)
            }
            _ => return None,
        };
        let [one, other] = numbers;
        Some(Self {
            year,
            numbers: [i8::try_from(one).ok()?, i8::try_from(other).ok()?],
            order,
            time: rest.time()?,
        })
    }

    /// Whether only other dates can tell the day from the month.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.order.is_none()
    }

    /// What an open date says about the order of all of its file: a month has no number above 12.
    #[must_use]
    pub fn proves(&self) -> Option<DateOrder> {
        let [one, other] = self.numbers.map(|number| number > 12);
        match (one, other) {
            (true, false) => Some(DateOrder::DayFirst),
            (false, true) => Some(DateOrder::MonthFirst),
            (true, true) | (false, false) => None,
        }
    }

    /// The instant; `order` is that of an open date.
    #[must_use]
    pub fn instant(&self, order: Option<DateOrder>) -> Option<Timestamp> {
        let [one, other] = self.numbers;
        let (month, day) = match self.order.or(order)? {
            DateOrder::DayFirst => (other, one),
            DateOrder::MonthFirst => (one, other),
        };
        utc(Date::new(self.year, month, day)
            .ok()?
            .to_datetime(self.time))
    }
}

/// What is left of a text.
struct Cursor<'a>(&'a str);

impl Cursor<'_> {
    /// A number of at most nine digits, and how many these are.
    fn number(&mut self) -> Option<(i16, usize)> {
        let (digits, length) = self.digits()?;
        Some((i16::try_from(digits).ok()?, length))
    }

    fn digits(&mut self) -> Option<(u32, usize)> {
        let length = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(length.min(9));
        self.0 = rest;
        Some((digits.parse().ok()?, digits.len()))
    }

    fn any_of(&mut self, expected: &[char]) -> Option<char> {
        let c = self.0.chars().next().filter(|c| expected.contains(c))?;
        self.0 = &self.0[c.len_utf8()..];
        Some(c)
    }

    /// The time after a date; midnight where there is none.
    fn time(&mut self) -> Option<Time> {
        self.0 = self.0.strip_prefix(',').unwrap_or(self.0);
        let text = self.0.trim_start_matches(is_blank);
        if text.is_empty() {
            return Some(Time::midnight());
        }
        if text.len() == self.0.len() {
            return None;
        }
        self.0 = text;
        let (hour, 1..=2) = self.number()? else {
            return None;
        };
        self.any_of(&[':'])?;
        let (minute, 2) = self.number()? else {
            return None;
        };
        let (mut second, mut nanosecond) = (0, 0);
        if self.any_of(&[':']).is_some() {
            second = self.number().filter(|(_, length)| *length == 2)?.0;
            if self.any_of(&['.']).is_some() {
                let (fraction, length) = self.digits()?;
                let scale = 10_u32.pow(9 - u32::try_from(length).ok()?);
                nanosecond = i32::try_from(fraction * scale).ok()?;
            }
        }
        let rest = self.0.trim_matches(is_blank).to_ascii_lowercase();
        let hour = match (rest.as_str(), hour) {
            ("", hour) => hour,
            ("am", 12) => 0,
            ("am", 1..=11) | ("pm", 12) => hour,
            ("pm", 1..=11) => hour + 12,
            _ => return None,
        };
        let small = |number: i16| i8::try_from(number).ok();
        Time::new(small(hour)?, small(minute)?, small(second)?, nanosecond).ok()
    }
}

/// What may stand between a date, a time and its half of the day: newer systems write U+202F there.
fn is_blank(c: char) -> bool {
    c.is_whitespace() || matches!(c, '\u{200e}' | '\u{200f}')
}

fn utc(civil: DateTime) -> Option<Timestamp> {
    TimeZone::UTC.to_timestamp(civil).ok()
}

fn milliseconds(text: &str) -> Option<Timestamp> {
    let inside = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    Timestamp::from_millisecond(inside.parse().ok()?).ok()
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
            "2026-01-05 08:30:00",
            "2026-01-05 08:30",
            "2026-01-05T08:30:00",
            "/Date(1767601800000)/",
        ] {
            assert_eq!(instant(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn numbers_alone_are_a_date_once_their_order_is_known() {
        use DateOrder::{DayFirst, MonthFirst};
        let read = |text: &str, order| {
            let at = Numeric::parse(text)?.instant(order)?;
            Some(at.to_string())
        };
        let (march, december) = ("2026-03-12T08:05:00Z", "2026-12-03T08:05:00Z");
        for text in [
            "12/03/2026 08:05:00",
            "12-03-2026 8:05",
            "12/3/2026, 8:05:00\u{202f}AM",
        ] {
            assert!(Numeric::parse(text).unwrap().is_open(), "{text}");
            assert_eq!(read(text, None), None, "{text}");
            assert_eq!(read(text, Some(DayFirst)).as_deref(), Some(march));
            assert_eq!(read(text, Some(MonthFirst)).as_deref(), Some(december));
        }
        // The form says the order, whatever the file's other dates do.
        for text in [
            "12.03.2026 08:05:00",
            "12.3.2026 8:05",
            "2026/03/12 8:05:00",
            "2026-3-12 8:05",
            "2026/3/12, 8:05 am",
        ] {
            for order in [None, Some(DayFirst), Some(MonthFirst)] {
                assert_eq!(read(text, order).as_deref(), Some(march), "{text}");
            }
        }
        for (text, expected) in [
            ("9/19/2023, 1:42:37.848 PM", "2023-09-19T13:42:37.848Z"),
            ("9/19/2023 12:00:00 AM", "2023-09-19T00:00:00Z"),
            ("9/19/2023 12:00 PM", "2023-09-19T12:00:00Z"),
            ("9/19/2023", "2023-09-19T00:00:00Z"),
        ] {
            assert_eq!(read(text, Some(MonthFirst)).as_deref(), Some(expected));
            assert_eq!(read(text, Some(DayFirst)), None, "{text}");
            assert_eq!(Numeric::parse(text).unwrap().proves(), Some(MonthFirst));
        }
        let proves = |text: &str| Numeric::parse(text).unwrap().proves();
        assert_eq!(proves("19/9/2023 1:42"), Some(DayFirst));
        assert_eq!(proves("12/12/2023"), None);
        assert_eq!(proves("13/13/2023"), None);
    }

    #[test]
    fn garbage_is_no_time() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-01-05T25:00:00Z",
            "13/32/2026 1:00:00 PM",
            "1/5/26 8:30",
            "1/5-2026 8:30",
            "1/5/2026T8:30",
            "1/5/2026 13:00 PM",
            "1/5/2026 0:30 AM",
            "1/5/2026 8:61",
            "1/5/2026 8:30 Uhr",
            "1/5/20260 8:30",
            "99999999999/1/2026",
            "0/1/2026",
            "0",
            "/Date()/",
            "/Date(99999999999999999999)/",
        ] {
            assert_eq!(instant(text), None, "{text}");
            let numeric = Numeric::parse(text);
            let at = numeric.and_then(|at| at.instant(Some(DateOrder::MonthFirst)));
            assert_eq!(at, None, "{text}");
        }
    }
}
