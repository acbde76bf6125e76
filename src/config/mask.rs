//! The text of a configuration as diagnostics may show it: what looks like a secret is starred
//! out, byte for byte, so that lines and columns stay.
//!
//! Secrets do not belong into the file, which is exactly when somebody sees a diagnostic about
//! one. Rather too much is masked than too little; it works by lines, since a text with a syntax
//! error has no tree.

/// Words in a key after which nothing of the line is shown.
const SECRET_WORDS: [&str; 5] = ["pass", "secret", "token", "private_key", "credential"];

/// The same text without its secrets.
pub(super) fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = None;
    for line in text.split_inclusive('\n') {
        let shown = match inside {
            Some(_) => 0,
            None => shown(line),
        };
        out.push_str(&line[..shown]);
        out.extend(line[shown..].bytes().map(|byte| match byte {
            b'\n' | b'\r' => char::from(byte),
            _ => '*',
        }));
        inside = still_inside(inside, &line[shown..], shown < line.len());
    }
    out
}

/// Where a secret begins in a line (its length, if nowhere).
fn shown(line: &str) -> usize {
    secret_value(line)
        .into_iter()
        .chain(address_with_login(line))
        .min()
        .unwrap_or(line.len())
}

/// Behind the `=` of a key that names a secret, but not of one that names a file (`…_file`).
fn secret_value(line: &str) -> Option<usize> {
    line.match_indices('=').find_map(|(at, _)| {
        let key = line[..at].trim_end().trim_end_matches(['"', '\'']);
        let start = key
            .rfind(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .map_or(0, |last| {
                last + key[last..].chars().next().map_or(1, char::len_utf8)
            });
        let key = key[start..].to_lowercase();
        let secret = SECRET_WORDS.iter().any(|word| key.contains(word));
        (secret && !key.ends_with("_file") && key != "accept_passwordless").then_some(at + 1)
    })
}

/// Behind the scheme of an address such as `postgres://user:password@host`, or of a chat's web
/// address, which is a secret as a whole.
fn address_with_login(line: &str) -> Option<usize> {
    let start = line.find("://")? + 3;
    let web = ["https://", "http://"]
        .iter()
        .any(|scheme| line[..start].ends_with(scheme));
    let secret = line[start..].contains('@') || web;
    secret.then_some(start)
}

/// Whether a masked text of several lines (`"""`, `'''`) goes on in the next line.
fn still_inside(inside: Option<&'static str>, rest: &str, masking: bool) -> Option<&'static str> {
    match inside {
        Some(quote) if rest.contains(quote) => None,
        Some(quote) => Some(quote),
        None if masking => ["\"\"\"", "'''"]
            .into_iter()
            .find(|quote| rest.matches(quote).count() == 1),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_starred_out_and_nothing_moves() {
        for (text, masked) in [
            ("host = \"a\"\n", "host = \"a\"\n"),
            ("password = \"geheim\"\n", "password =*********\n"),
            ("passwrod=\"gehéim\"", "passwrod=*********"),
            (
                "smtp = { host = \"a\", password = \"x\" }",
                "smtp = { host = \"a\", password =******",
            ),
            ("password_file = \"a\"\n", "password_file = \"a\"\n"),
            (
                "accept_passwordless = true\n",
                "accept_passwordless = true\n",
            ),
            ("\"client_secret\" = 'x'\n", "\"client_secret\" =****\n"),
            (
                "url = \"postgres://u:p@h/d\"\n",
                "url = \"postgres://********\n",
            ),
            ("url = \"https://chat/x\"\n", "url = \"https://*******\n"),
            ("url = \"sqlite:///a.db\"\n", "url = \"sqlite:///a.db\"\n"),
            (
                "token = \"\"\"\nab\n\"\"\"\na = 1\n",
                "token =****\n**\n***\na = 1\n",
            ),
        ] {
            assert_eq!(mask(text), masked);
            assert_eq!(mask(text).len(), text.len());
        }
    }
}
