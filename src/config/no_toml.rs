//! What was probably meant by what is no TOML.

use std::ops::Range;

use super::kinds::FULL_DATE;

/// What word processors and keyboards of some countries write instead of straight quotes.
const TYPOGRAPHIC: [char; 11] = ['“', '”', '„', '‟', '‘', '’', '‚', '‛', '«', '»', '＂'];
/// The longest escape: a backslash, its letter and eight digits.
const LONGEST_ESCAPE: usize = 10;

/// What to write instead, where anybody can tell.
pub(super) fn remedy(text: &str, span: Range<usize>) -> &'static str {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    let value = line
        .split_once('=')
        .map_or("", |(_, value)| value)
        .trim_start();
    let is_bare = text[..span.start].trim_end().ends_with('=');
    if is_typographic(text, &span, value) {
        "these are typographic quotes: write straight ones, \"…\""
    } else if is_escape(line, span.start - start) {
        "a backslash begins an escape here: write '…' instead of \"…\", or \\\\ for each backslash"
    } else if is_date(value) {
        FULL_DATE
    } else if is_bare && text[span.start..].starts_with(char::is_alphabetic) {
        "a text stands in quotes"
    } else {
        ""
    }
}

/// Whether the fault is at a typographic quote, or in a value that begins with one.
fn is_typographic(text: &str, span: &Range<usize>, value: &str) -> bool {
    text[span.start..].starts_with(TYPOGRAPHIC)
        || value
            .trim_start_matches(['[', '{', ' '])
            .starts_with(TYPOGRAPHIC)
}

/// Whether a fault at this place of the line is in an escape of a text in double quotes.
fn is_escape(line: &str, at: usize) -> bool {
    let end = (at..=line.len()).find(|end| *end > at && line.is_char_boundary(*end));
    let before = &line[..end.unwrap_or(line.len())];
    let backslash = before
        .rfind('\\')
        .filter(|found| at.saturating_sub(*found) <= LONGEST_ESCAPE);
    backslash.is_some_and(|found| before[..found].contains('"'))
}

fn is_date(value: &str) -> bool {
    let digits = value.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && value[digits..].starts_with(['-', '.', '/']) && !is_fraction(value)
}

/// A number with a fraction, which a date with points is not.
fn is_fraction(value: &str) -> bool {
    let word = value.split([' ', '#', ',']).next().unwrap_or_default();
    word.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn said(text: &str) -> &'static str {
        let error = DeTable::parse(text).unwrap_err();
        remedy(text, error.span().unwrap())
    }

    #[test]
    fn quotes_that_are_none_are_told() {
        for value in [
            "“Contoso”",
            "„Contoso“",
            "‘Contoso’",
            "«Contoso»",
            "[“a”, “b”]",
            "[\"a\", “b”]",
        ] {
            let said = said(&format!("a = 1\norganisation = {value}\nb = 2\n"));
            assert!(said.starts_with("these are typographic"), "{value}: {said}");
        }
        assert_eq!(said("a = Contoso"), "a text stands in quotes");
    }

    #[test]
    fn a_backslash_that_begins_no_escape_is_told() {
        for value in [
            r#""CONTOSO\user""#,
            r#""CONTOSO\ana""#,
            r#""C:\data""#,
            r#"["a", "C:\Users"]"#,
            r#""a\U0000""#,
            r#""\xyz""#,
        ] {
            let said = said(&format!("a = 1\nusername = {value}\nb = 2\n"));
            assert!(
                said.starts_with("a backslash begins an escape"),
                "{value}: {said}"
            );
        }
        assert_eq!(said("a = 'x\\y' 'z'\n"), "");
    }
}
