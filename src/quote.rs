//! Hostile text in a message: short, on one line, and visibly quoted.

use crate::domain::id::acts;

/// As much as helps to find the place, and no more: a row may be a megabyte long.
const MAX_QUOTED: usize = 60;

/// Quotes at most 60 characters, with control and direction characters escaped.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    let mut left = MAX_QUOTED;
    for c in text.chars() {
        let (escaped, cost) = if c == '"' || c == '\\' {
            (format!("\\{c}"), 1)
        } else if acts(c) {
            let escaped = format!("\\u{{{:x}}}", u32::from(c));
            let cost = escaped.len();
            (escaped, cost)
        } else {
            (c.to_string(), 1)
        };
        let Some(rest) = left.checked_sub(cost) else {
            quoted.push('…');
            break;
        };
        left = rest;
        quoted.push_str(&escaped);
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_short_and_on_one_line() {
        for (text, expected) in [
            ("plain", "\"plain\""),
            ("a\r\nb", "\"a\\u{d}\\u{a}b\""),
            ("\u{202e}evil\"", "\"\\u{202e}evil\\\"\""),
        ] {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote(&"x".repeat(61)), format!("\"{}…\"", "x".repeat(60)));
        assert!(quote(&"\u{7}".repeat(5_000)).chars().count() < 70);
    }
}
