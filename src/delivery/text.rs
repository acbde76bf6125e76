//! Text from a directory or from a server, made safe for the place where it goes.
//!
//! Whoever can write a display name writes into our mails, logs and terminals. What comes out
//! here is one line, bounded, in NFC, with nothing in it that steers a terminal, hides, or turns
//! the reading direction; letters of every script stay. Escaping for HTML is the template's.
//!
//! The trap: lettre panics on CR or LF in a mailbox name, so a name reaches it
//! through [`clean_name`] only.

use std::str::FromStr;

use lettre::Address;
use lettre::message::Mailbox;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The longest name that is shown; longer ones are cut.
pub const MAX_NAME: usize = 64;

/// The longest text of a foreign server that is kept.
pub const MAX_REPLY: usize = 200;

/// Marks stacked on one letter beyond this number are decoration meant to spill over lines.
const MAX_MARKS: usize = 4;

/// The longest address that SMTP carries (RFC 5321, 4.5.3.1.3, without the brackets).
const MAX_ADDRESS: usize = 254;

/// Where a text was cut.
const CUT: char = '…';

/// A display name, group name or organisation: one line of at most [`MAX_NAME`] characters.
#[must_use]
pub fn clean_name(text: &str) -> String {
    clean_line(text, MAX_NAME)
}

/// Any foreign text as one line of at most `limit` characters; the last of one that was cut says so.
#[must_use]
pub fn clean_line(text: &str, limit: usize) -> String {
    let mut line = String::with_capacity(text.len().min(limit * 4));
    let (mut length, mut marks, mut gap) = (0, 0, false);
    for c in text.nfc() {
        if is_space(c) {
            gap = length > 0;
            continue;
        }
        if is_unsafe(c) {
            continue;
        }
        marks = if is_combining_mark(c) { marks + 1 } else { 0 };
        if marks > MAX_MARKS {
            continue;
        }
        if length + usize::from(gap) >= limit {
            if length >= limit {
                line.pop();
            }
            line.push(CUT);
            break;
        }
        if std::mem::take(&mut gap) {
            line.push(' ');
            length += 1;
        }
        line.push(c);
        length += 1;
    }
    recompose(line)
}

/// Dropping a character can bring together what NFC joins.
fn recompose(line: String) -> String {
    if unicode_normalization::is_nfc(&line) {
        return line;
    }
    line.nfc().collect()
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Characters that act instead of being read, or that nobody sees.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}'                      // soft hyphen
            | '\u{034F}'                    // grapheme joiner
            | '\u{061C}'                    // Arabic letter mark
            | '\u{115F}' | '\u{1160}'       // Hangul fillers
            | '\u{17B4}' | '\u{17B5}'       // Khmer inherent vowels, invisible
            | '\u{180B}'..='\u{180F}'       // Mongolian selectors
            | '\u{200B}'..='\u{200F}'       // zero width, direction marks
            | '\u{202A}'..='\u{202E}'       // direction embeddings and overrides
            | '\u{2060}'..='\u{206F}'       // joiners, isolates, deprecated formats
            | '\u{3164}' | '\u{FFA0}'       // Hangul fillers
            | '\u{FE00}'..='\u{FE0F}'       // variation selectors
            | '\u{FEFF}'                    // byte order mark
            | '\u{FFF0}'..='\u{FFFF}'       // interlinear notes, specials, non-characters
            | '\u{1D173}'..='\u{1D17A}'     // invisible musical formats
            | '\u{E0000}'..='\u{E0FFF}'     // tags and more selectors
            | '\u{FDD0}'..='\u{FDEF}')
        || u32::from(c) & 0xFFFE == 0xFFFE
}

/// The name to greet somebody by, if it is one.
///
/// A mail program turns `contoso.example/login` into a link wherever it stands, so a name that
/// looks like an address is not repeated in a mail.
#[must_use]
pub fn greeting_name(name: &str) -> Option<String> {
    let name = clean_name(name);
    (!name.is_empty() && !looks_like_a_link(&name)).then_some(name)
}

fn looks_like_a_link(name: &str) -> bool {
    name.contains(['/', '\\', '@', ':', '<', '>'])
        || name.split(' ').any(|word| {
            let mut parts = word.split(['.', '\u{3002}', '\u{FF0E}', '\u{FF61}']);
            let first = parts.next().unwrap_or_default();
            first.chars().count() > 1 && parts.any(|part| part.chars().count() > 1)
        })
}

/// Whether mail can be sent there: what lettre accepts, within the length SMTP carries.
#[must_use]
pub fn is_mailbox(address: &str) -> bool {
    mailbox_address(address).is_some()
}

/// The address to dial, its domain as A-labels; none where it is no address.
#[must_use]
pub fn mailbox_address(address: &str) -> Option<Address> {
    let address = address.trim();
    if address.len() > MAX_ADDRESS
        || address
            .chars()
            .any(|c| is_unsafe(c) || is_space(c) || matches!(c, '<' | '>'))
    {
        return None;
    }
    let (user, domain) = address.rsplit_once('@')?;
    let address = Address::from_str(&format!("{user}@{}", ascii_domain(domain)?)).ok()?;
    (AsRef::<str>::as_ref(&address).len() <= MAX_ADDRESS).then_some(address)
}

/// A mailbox of ours, whoever wrote it, its domain as mail servers spell it: it stands in headers and its
/// domain in identifiers, which are ASCII (RFC 5322), and not every server takes more than that.
pub fn own_mailbox(text: &str) -> Result<Mailbox, &'static str> {
    let no_mailbox = "this is no mailbox; write \"Name <name@example.org>\"";
    let written: Mailbox = text.parse().map_err(|_| no_mailbox)?;
    let address = mailbox_address(written.email.as_ref()).ok_or(no_mailbox)?;
    if !address.user().is_ascii() {
        return Err(
            "letters beyond ASCII before the @ are what many mail servers refuse; write another address of this mailbox, in ASCII",
        );
    }
    Ok(Mailbox::new(written.name, address))
}

/// A mailbox as a configuration spells it: `Identity team <identity@contoso.com>`, or the
/// address alone.
#[must_use]
pub fn mailbox(text: &str) -> Option<Mailbox> {
    let (name, address) = match text.trim().strip_suffix('>') {
        Some(rest) => rest.rsplit_once('<')?,
        None => ("", text),
    };
    let name = name.trim().trim_matches('"');
    Some(named_mailbox(Some(name), mailbox_address(address)?))
}

/// A mailbox whose name is safe in a header.
pub fn named_mailbox(name: Option<&str>, address: Address) -> Mailbox {
    let name = name.map(clean_name).filter(|name| !name.is_empty());
    Mailbox::new(name, address)
}

/// A domain as mail servers spell it: `bücher.example` is `xn--bcher-kva.example`.
#[must_use]
pub fn ascii_domain(domain: &str) -> Option<String> {
    if domain.starts_with('[') {
        return domain.is_ascii().then(|| domain.to_owned());
    }
    idna::domain_to_ascii_strict(domain)
        .ok()
        .filter(|domain| !domain.is_empty())
}

/// An address for logs and reasons: `a***@contoso.com`.
#[must_use]
pub fn mask_address(address: &str) -> String {
    let clean = clean_line(address, MAX_ADDRESS);
    match clean.rsplit_once('@') {
        Some((user, domain)) => match user.chars().next() {
            Some(first) => format!("{first}***@{domain}"),
            None => format!("***@{domain}"),
        },
        None => "***".to_owned(),
    }
}

/// A server's words for the log, in which it may have repeated an address.
#[must_use]
pub fn mask_addresses(text: &str) -> String {
    let is_between = |c: char| c.is_whitespace() || "<>()[]{},;:\"'".contains(c);
    let mut masked = String::with_capacity(text.len());
    for piece in text.split_inclusive(is_between) {
        let word = piece.trim_end_matches(is_between);
        if word.contains('@') {
            masked.push_str(&mask_address(word));
        } else {
            masked.push_str(word);
        }
        masked.push_str(&piece[word.len()..]);
    }
    masked
}

/// The first of these lines that fit into so many bytes as JSON spells them, and how many do not.
#[must_use]
pub fn fitting(lines: &[String], limit: usize) -> (&[String], usize) {
    let mut left = limit;
    let fitting = lines
        .iter()
        .take_while(
            |line| match left.checked_sub(json_length(line) + LINE_END) {
                Some(rest) => {
                    left = rest;
                    true
                }
                None => false,
            },
        )
        .count();
    (&lines[..fitting], lines.len() - fitting)
}

/// A line end as JSON spells it.
const LINE_END: usize = 2;

fn json_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(escaped).sum()
}

/// Text in which no chat finds somebody to call: `@channel` at the start of a word is kept from
/// being one by a character that is not seen. Addresses stay as they are.
#[must_use]
pub fn without_mentions(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut before = None;
    for c in text.chars() {
        safe.push(c);
        if c == '@' && !before.is_some_and(char::is_alphanumeric) {
            safe.push('\u{2060}');
        }
        before = Some(c);
    }
    safe
}

#[cfg(test)]
pub(in crate::delivery) mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_of_every_script_stay() {
        for name in [
            "Ana Müller-Lüdenscheidt",
            "Nguyễn Thị Minh Khai",
            "Љиљана Петровић",
            "Ελένη Παπαδοπούλου",
            "محمد عبد الله",
            "רחל כהן",
            "山田 太郎",
            "김민준",
            "สมชาย ใจดี",
            "O'Brien, Siobhán (Ext.)",
        ] {
            assert_eq!(clean_name(name), name.nfc().collect::<String>());
        }
    }

    #[test]
    fn what_acts_instead_of_being_read_is_gone() {
        for (dirty, clean) in [
            ("Ana\r\nBcc: eve@evil.example", "Ana Bcc: eve@evil.example"),
            ("  Ana \t\u{2028}\u{A0} Weber  ", "Ana Weber"),
            ("\u{202E}ana\u{2066}\u{200B}\u{FEFF}", "ana"),
            ("a\0n\u{7}a\u{1b}[31m\u{9b}", "ana[31m"),
            ("A\u{E0041}\u{E007F}na\u{FE0F}", "Ana"),
            ("e\u{200B}\u{301}", "é"),
            ("", ""),
        ] {
            assert_eq!(clean_name(dirty), clean, "{dirty:?}");
        }
        assert_eq!(
            clean_name(&format!("Z{}", "\u{336}".repeat(90)))
                .chars()
                .count(),
            5
        );
        let long = clean_name(&"x ".repeat(99));
        assert_eq!((long.chars().count(), long.ends_with(" x…")), (64, true));
        assert_eq!(clean_line("abcde", 5), "abcde");
        assert_eq!(clean_line("abcdef", 5), "abcd…");
        assert_eq!(clean_line("abcd f", 5), "abcd…");
    }

    #[test]
    fn a_name_that_a_mail_program_would_link_is_not_greeted() {
        for name in [
            "evil.example",
            "Ana http://evil.example",
            "www.evil.example now",
            "ana@evil.example",
            "evil。example",
            "",
            "\u{200B}",
        ] {
            assert_eq!(greeting_name(name), None, "{name:?}");
        }
        for name in ["J.R.R. Tolkien", "Dr. Ana Weber", "Ana M. Weber"] {
            assert_eq!(greeting_name(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn addresses_are_dialled_with_ascii_domains() {
        let cases = [
            ("ana@contoso.com", Some("ana@contoso.com")),
            (" ana@contoso.com ", Some("ana@contoso.com")),
            ("x@bücher.example", Some("x@xn--bcher-kva.example")),
            ("grüße@contoso.com", Some("grüße@contoso.com")),
            ("ana", None),
            ("", None),
            ("@contoso.com", None),
            ("ana@", None),
            ("ana@a b.com", None),
            ("ana\r\nRCPT TO:<eve@evil.example>@contoso.com", None),
            ("ana@contoso.com\u{200B}", None),
            ("ana@-contoso.com", None),
            ("ana>@contoso.com", None),
        ];
        for (address, dialled) in cases {
            let found = mailbox_address(address).map(|address| address.to_string());
            assert_eq!(found.as_deref(), dialled, "{address:?}");
            assert_eq!(is_mailbox(address), dialled.is_some());
        }
        assert!(!is_mailbox(&format!("{}@contoso.com", "a".repeat(300))));
    }

    #[test]
    fn mailboxes_of_a_configuration() {
        let read =
            |text: &str| mailbox(text).map(|mailbox| (mailbox.name, mailbox.email.to_string()));
        let identity = "identity@contoso.com".to_owned();
        for (text, name) in [
            (
                "Identity team <identity@contoso.com>",
                Some("Identity team"),
            ),
            (
                "\"Identity, team\" <identity@contoso.com>",
                Some("Identity, team"),
            ),
            ("<identity@contoso.com>", None),
            ("identity@contoso.com", None),
        ] {
            assert_eq!(
                read(text),
                Some((name.map(str::to_owned), identity.clone()))
            );
        }
        assert_eq!(read("Identity team"), None);
        assert_eq!(read("Identity <identity@contoso.com> x"), None);
    }

    #[test]
    fn mailboxes_of_our_own_are_ascii() {
        let read = |text: &str| own_mailbox(text).map(|mailbox| mailbox.to_string());
        for (written, read_as) in [
            (
                "Büro <it@bücher.example>",
                "Büro <it@xn--bcher-kva.example>",
            ),
            ("it@BÜCHER.example", "it@xn--bcher-kva.example"),
            ("IT <It.1@contoso.com>", "IT <It.1@contoso.com>"),
        ] {
            assert_eq!(read(written).as_deref(), Ok(read_as));
        }
        for (written, said) in [
            ("Grüße <grüße@contoso.com>", "letters beyond ASCII"),
            ("IT <it@-contoso.com>", "no mailbox"),
            ("IT", "no mailbox"),
        ] {
            assert!(read(written).unwrap_err().contains(said), "{written}");
        }
    }

    #[test]
    fn logs_see_no_address() {
        assert_eq!(mask_address("ana.weber@contoso.com"), "a***@contoso.com");
        assert_eq!(mask_address("nobody"), "***");
        assert_eq!(
            mask_addresses("5.1.1 <ana@contoso.com>: no such user, ana@contoso.com"),
            "5.1.1 <a***@contoso.com>: no such user, a***@contoso.com"
        );
        assert_eq!(mask_address("@contoso.com"), "***@contoso.com");
    }

    /// Ordinary characters, and far too many of those that do harm.
    pub(in crate::delivery) fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            proptest::collection::vec(
                prop_oneof![
                    any::<char>(),
                    prop::sample::select(vec![
                        '\r',
                        '\n',
                        '\0',
                        '\t',
                        '"',
                        '\\',
                        '<',
                        '>',
                        '@',
                        ',',
                        ';',
                        ':',
                        '=',
                        '?',
                        '.',
                        '\u{7F}',
                        '\u{85}',
                        '\u{9B}',
                        '\u{2028}',
                        '\u{202E}',
                        '\u{2066}',
                        '\u{200B}',
                        '\u{FEFF}',
                        '\u{E0041}',
                        '\u{301}',
                        '🦀',
                        '{',
                        '}',
                        '%',
                        '#',
                    ]),
                ],
                0..120
            )
            .prop_map(|chars| chars.into_iter().collect()),
        ]
    }

    proptest! {
        #[test]
        fn clean_text_is_clean_and_stays_as_it_is(text in hostile()) {
            let clean = clean_name(&text);
            prop_assert!(clean.chars().count() <= MAX_NAME);
            prop_assert!(!clean.chars().any(|c| is_unsafe(c) || (is_space(c) && c != ' ')));
            prop_assert!(!clean.contains("  ") && clean.trim() == clean);
            prop_assert_eq!(&clean_name(&clean), &clean);
        }

        #[test]
        fn an_address_carries_no_command(text in hostile()) {
            if let Some(address) = mailbox_address(&text) {
                let address = address.to_string();
                prop_assert!(!address.contains(['\r', '\n', '\0', ' ', '<', '>']), "{address:?}");
            }
            prop_assert!(!mask_address(&text).contains(['\r', '\n']));
        }
    }
}
