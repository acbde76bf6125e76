//! Text that is none, made one: a name that somebody spoiled costs the name and not the page.

use memchr::memchr;

/// What stands for a character that is none.
const NO_CHARACTER: &[u8; 4] = b"FFFD";

/// A body in which every byte is text: broken UTF-8, halves of surrogate pairs and raw control
/// characters, any of which would make the whole page unreadable, are replaced.
pub(super) fn cleaned(body: Vec<u8>) -> Vec<u8> {
    let mut body = match String::from_utf8(body) {
        Ok(text) => text.into_bytes(),
        Err(error) => String::from_utf8_lossy(error.as_bytes())
            .into_owned()
            .into_bytes(),
    };
    for byte in &mut body {
        // Between values a control character is white space, and within a text none may stand.
        if *byte < b' ' {
            *byte = b' ';
        }
    }
    let mut at = 0;
    while let Some(found) = memchr(b'\\', &body[at..]) {
        let escape = at + found;
        at = match (unit(&body, escape), unit(&body, escape + 6)) {
            (Some(0xD800..0xDC00), Some(0xDC00..0xE000)) => escape + 12,
            (Some(0xD800..0xE000), _) => {
                body[escape + 2..escape + 6].copy_from_slice(NO_CHARACTER);
                escape + 6
            }
            (Some(_), _) => escape + 6,
            (None, _) => escape + 2,
        }
        .min(body.len());
    }
    body
}

/// The UTF-16 unit of the escape `\uXXXX` that stands here.
fn unit(body: &[u8], at: usize) -> Option<u16> {
    let digits = body.get(at..at + 6)?.strip_prefix(b"\\u")?;
    u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_text_stays_as_it_is_and_what_is_none_is_replaced() {
        for (body, expected) in [
            (
                &br#"{"a": "M\u00fcller \ud83d\ude00"}"#[..],
                "M\u{fc}ller \u{1f600}",
            ),
            (br#"{"a": "\\ud83d"}"#, r"\ud83d"),
            (br#"{"a": "x\ud83d"}"#, "x\u{fffd}"),
            (br#"{"a": "\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
            (br#"{"a": "\ude00x"}"#, "\u{fffd}x"),
            (b"{\"a\":\r\n\"M\xfcller\"}", "M\u{fffd}ller"),
            (b"{\"a\": \"M\x01ller\"}", "M ller"),
        ] {
            let read: serde_json::Value = serde_json::from_slice(&cleaned(body.to_vec())).unwrap();
            assert_eq!(read["a"], expected);
        }
        for broken in [&b"\\"[..], b"\\u", b"\\ud8", b"\\ud83d\\u", b"\\ud83d\\"] {
            assert_eq!(cleaned(broken.to_vec()).len(), broken.len());
        }
    }
}
