//! The text of a configuration as diagnostics may show it: its keys and its shape. Values are starred
//! out, byte for byte, so that lines and columns stay; numbers, dates, true and false may be seen, and what
//! stands behind a key that takes names of this program alone, or a time.
//!
//! Secrets do not belong into the file, which is exactly when somebody sees a diagnostic about
//! one, and nobody knows which value is one. It works by characters, since a text with a syntax
//! error has no tree.

/// Words in a key after which nothing of the line is shown, not even a number.
const SECRET_WORDS: [&str; 6] = [
    "pass",
    "secret",
    "token",
    "private_key",
    "credential",
    "pin",
];

/// Keys whose values are shown: each takes one of a few names, a zone, a language or a time. `auth` is none
/// of them, since its name asks for a login.
const OPEN_KEYS: [&str; 17] = [
    "cloud",
    "dates",
    "enforce",
    "format",
    "language",
    "min_notice",
    "mode",
    "poll",
    "registration",
    "registration_lag",
    "sign_ins",
    "source",
    "start_on",
    "timezone",
    "tls",
    "transport",
    "window",
];

/// No name and no time is longer.
const NAME_AT_MOST: usize = 40;

/// More digits in a row are in no name, and in most secrets.
const DIGITS_OF_NAME: usize = 2;

/// More digits in a row are no number that this file has.
const DIGITS_AT_MOST: usize = 6;

/// The same text without its values.
pub(super) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = None;
    for line in text.split_inclusive('\n') {
        inside = mask_line(line, inside, &mut out);
    }
    out
}

/// A value that a fault may repeat: that of an open key, and nothing that looks made up to be a secret.
pub(super) fn shows(key: &str, value: &str) -> bool {
    let key = key.rsplit('.').next().unwrap_or(key);
    let is_of_name = |c: char| c.is_alphanumeric() || " ._-/+:*,()".contains(c);
    let mut digits = value.split(|c: char| !c.is_ascii_digit());
    OPEN_KEYS.contains(&key)
        && value.chars().count() <= NAME_AT_MOST
        && value.chars().all(is_of_name)
        && digits.all(|row| row.len() <= DIGITS_OF_NAME)
}

/// Writes a line without its values. `inside` is the quote of a text that began in a line before and goes
/// on; so is what is returned.
fn mask_line(line: &str, inside: Option<&'static str>, out: &mut String) -> Option<&'static str> {
    let mut rest = line;
    if let Some(quote) = inside {
        let Some(end) = rest.find(quote) else {
            star(rest, out);
            return inside;
        };
        star(&rest[..end], out);
        out.push_str(quote);
        rest = &rest[end + quote.len()..];
    }
    if inside.is_none() && is_header(rest) {
        out.push_str(rest);
        return None;
    }
    let mut key = "";
    // Whether what stands before `=` was a key as this file has them.
    let mut is_named = false;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' | '\'' => {
                let quote = quote_of(rest);
                out.push_str(quote);
                rest = &rest[quote.len()..];
                let end = end_of(rest, quote);
                let value = &rest[..end.unwrap_or(rest.len())];
                if end.is_some() && shows(key, value) {
                    out.push_str(value);
                } else {
                    star(value, out);
                }
                let Some(end) = end else {
                    return Some(quote).filter(|quote| quote.len() == 3);
                };
                out.push_str(quote);
                end + quote.len()
            }
            '#' => {
                star(rest, out);
                return None;
            }
            _ if is_of_word(first) => {
                let word = rest.find(|c| !is_of_word(c)).unwrap_or(rest.len());
                let is_key = is_key(&rest[..word], &rest[word..]);
                if is_key {
                    key = &rest[..word];
                }
                is_named = is_key;
                if is_key || is_plain(&rest[..word]) || shows(key, &rest[..word]) {
                    out.push_str(&rest[..word]);
                } else {
                    star(&rest[..word], out);
                }
                if is_key && is_secret(&rest[..word]) {
                    let value = rest.find('=').map_or(rest.len(), |at| at + 1);
                    out.push_str(&rest[word..value]);
                    let multi = still_inside(&rest[value..]);
                    star(&rest[value..], out);
                    return multi;
                }
                word
            }
            '=' if !is_named => {
                // One in quotes or in another case: nobody knows what it names.
                out.push('=');
                let multi = still_inside(&rest[1..]);
                star(&rest[1..], out);
                return multi;
            }
            '=' => {
                is_named = false;
                out.push('=');
                1
            }
            ' ' | '\t' | '\r' | '\n' | '[' | ']' | '{' | '}' | ',' => {
                out.push(first);
                first.len_utf8()
            }
            _ => {
                star(&rest[..first.len_utf8()], out);
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    None
}

fn star(text: &str, out: &mut String) {
    out.extend(text.bytes().map(|byte| match byte {
        b'\n' | b'\r' => char::from(byte),
        _ => '*',
    }));
}

/// A line like `[[policy]]` or `[email.smtp]`.
fn is_header(line: &str) -> bool {
    let line = line.trim();
    let name = line
        .strip_prefix('[')
        .and_then(|line| line.strip_suffix(']'));
    let name = name.map(|name| {
        let list = name
            .strip_prefix('[')
            .and_then(|name| name.strip_suffix(']'));
        list.unwrap_or(name)
    });
    name.is_some_and(|name| name.bytes().all(|byte| is_of_key(byte) || byte == b'.'))
}

fn quote_of(text: &str) -> &'static str {
    ["\"\"\"", "'''", "\""]
        .into_iter()
        .find(|quote| text.starts_with(quote))
        .unwrap_or("'")
}

/// Where a text ends in its line.
fn end_of(text: &str, quote: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        if std::mem::take(&mut escaped) {
            return None;
        }
        escaped = c == '\\' && quote.starts_with('"');
        text[at..].starts_with(quote).then_some(at)
    })
}

/// Whether a text of several lines begins in what is left of a line, and goes on.
fn still_inside(rest: &str) -> Option<&'static str> {
    ["\"\"\"", "'''"]
        .into_iter()
        .find(|quote| rest.matches(quote).count() == 1)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ':' | '+')
}

fn is_of_key(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'
}

/// A word that `=` follows, as this file has them.
fn is_key(word: &str, after: &str) -> bool {
    after.trim_start().starts_with('=')
        && word
            .bytes()
            .all(|byte| is_of_key(byte) || matches!(byte, b'.' | b'-'))
}

/// A key that names a secret, and not the file of one.
fn is_secret(key: &str) -> bool {
    SECRET_WORDS.iter().any(|word| key.contains(word))
        && !key.ends_with("_file")
        && key != "accept_passwordless"
}

/// A number, a date, true or false.
fn is_plain(word: &str) -> bool {
    let is_date = |c: char| c.is_ascii_digit() || matches!(c, '-' | '.' | ':' | '+' | 'T' | 'Z');
    let mut digits = word.split(|c: char| !c.is_ascii_digit());
    matches!(word, "true" | "false")
        || word.chars().all(is_date) && digits.all(|row| row.len() <= DIGITS_AT_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Kind, reference};

    #[test]
    fn every_key_of_names_or_lengths_is_open() {
        for doc in reference::keys() {
            let name = doc.path.rsplit('.').next().unwrap();
            let is_shut = name == "auth" || doc.path == "freshness.users";
            if matches!(doc.kind, Kind::OneOf(_) | Kind::Duration) && !is_shut {
                assert!(shows(name, "14 days"), "{name}");
            }
        }
        assert!(!shows("password", "14 days"));
    }

    #[test]
    fn values_are_starred_out_and_nothing_moves() {
        for (text, masked) in [
            ("host = \"a\"\n", "host = \"*\"\n"),
            ("password = \"geheim\"\n", "password =*********\n"),
            ("passwrod=\"gehéim\"", "passwrod=*********"),
            ("pin = 1234", "pin =*****"),
            (
                "smtp = { host = \"a\", password = \"x\" }",
                "smtp = { host = \"*\", password =******",
            ),
            ("password_file = \"a\"\n", "password_file = \"*\"\n"),
            (
                "accept_passwordless = true\n",
                "accept_passwordless = true\n",
            ),
            ("\"client_secret\" = 'x'\n", "\"*************\" =****\n"),
            (
                "smtp = { tls = \"ssl\", \"password\" = \"battery\" }\n",
                "smtp = { tls = \"ssl\", \"password\" =************\n",
            ),
            (
                "smtp = { tls = \"ssl\", Password = \"battery\", host = 5 }\n",
                "smtp = { tls = \"ssl\", Password =**********************\n",
            ),
            ("apikey = \"a\\\"b\" # c\n", "apikey = \"****\" ***\n"),
            (
                "url = \"postgres://u:p@h/d\"",
                "url = \"******************\"",
            ),
            (
                "port = 2525\nsince = 2026-01-05T00:00:00Z\n",
                "port = 2525\nsince = 2026-01-05T00:00:00Z\n",
            ),
            ("port = 12345678\n", "port = ********\n"),
            ("enforce = onn\n", "enforce = onn\n"),
            (
                "timezone = \"W. Europe Standard Time\" # ours\n",
                "timezone = \"W. Europe Standard Time\" ******\n",
            ),
            ("poll = [\"*/10 * * * *\"]\n", "poll = [\"*/10 * * * *\"]\n"),
            ("mode = \"k8s-4711\"\n", "mode = \"********\"\n"),
            (
                "tls = \"a@b\"\nauth = \"ab\"\n",
                "tls = \"***\"\nauth = \"**\"\n",
            ),
            (
                "email.language = \"deutsch\"\n",
                "email.language = \"deutsch\"\n",
            ),
            (
                "smtp = { tls = \"ssl\", host = \"ab\" }\n",
                "smtp = { tls = \"ssl\", host = \"**\" }\n",
            ),
            ("50140 = \"done\"\n", "50140 = \"****\"\n"),
            (
                "[[policy]]\n[email.smtp]\n[Hunter2]\n",
                "[[policy]]\n[email.smtp]\n[*******]\n",
            ),
            ("users = [\n  \"a@b\",\n]\n", "users = [\n  \"***\",\n]\n"),
            ("dGhpcyBpcyBh==\nhunter2\n", "************=*\n*******\n"),
            ("host = \"a\nb = \"c\"\n", "host = \"*\nb = \"*\"\n"),
            (
                "token = \"\"\"\nab\n\"\"\"\na = 1\n",
                "token =****\n**\n\"\"\"\na = 1\n",
            ),
            (
                "help = \"\"\"ab\nc = 1\"\"\"\na = 1\n",
                "help = \"\"\"**\n*****\"\"\"\na = 1\n",
            ),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(text).len(), text.len());
        }
    }
}
