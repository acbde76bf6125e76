//! The text of the file: UTF-8, or told what it seems to be instead.

use std::io::ErrorKind;
use std::path::Path;

/// Why there is no text, and what to do.
pub(super) struct Unread {
    pub(super) message: String,
    pub(super) remedy: &'static str,
}

/// The text of the file.
pub(super) fn read(path: &Path) -> Result<String, Unread> {
    let bytes = std::fs::read(path).map_err(|error| Unread {
        message: format!("cannot read the configuration: {error}"),
        remedy: match error.kind() {
            ErrorKind::PermissionDenied => {
                "it may not be read by this user: check the owner and mode of it and of its folders"
            }
            ErrorKind::IsADirectory => "it is a folder: name the file in it",
            _ => {
                "name it with --config FILE or FORTNIGHT_CONFIG; `fortnight init` writes one to begin with"
            }
        },
    })?;
    text_of(bytes)
}

fn text_of(bytes: Vec<u8>) -> Result<String, Unread> {
    if let Some(name) = utf_16(&bytes) {
        return Err(Unread {
            message: format!("the configuration seems to be in {name}"),
            remedy: "save it as UTF-8",
        });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.split(|byte| *byte == b'\n').count();
        Unread {
            message: format!("line {line} of the configuration is no UTF-8; it seems to be in Latin-1 or Windows-1252"),
            remedy: "save it as UTF-8",
        }
    })?;
    // Some editors of Windows begin a file with a mark of its encoding.
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

/// UTF-16, by its mark or by the zeros beside its letters.
fn utf_16(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, ..] | [1..=255, 0, 1..=255, 0, ..] => Some("UTF-16 (little-endian)"),
        [0xfe, 0xff, ..] | [0, 1..=255, 0, 1..=255, ..] => Some("UTF-16 (big-endian)"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &[u8]) -> String {
        match text_of(bytes.to_vec()) {
            Ok(text) => text,
            Err(unread) => format!("{}: {}", unread.message, unread.remedy),
        }
    }

    #[test]
    fn what_is_no_utf_8_says_what_it_seems_to_be() {
        assert_eq!(said(b"a = 1\n"), "a = 1\n");
        assert_eq!(said(b"\xef\xbb\xbfa = 1\n"), "a = 1\n");
        let little = "the configuration seems to be in UTF-16 (little-endian): save it as UTF-8";
        assert_eq!(said(b"\xff\xfea\0"), little);
        assert_eq!(said(b"a\0 \0=\0"), little);
        let big = "the configuration seems to be in UTF-16 (big-endian): save it as UTF-8";
        assert_eq!(said(b"\xfe\xff\0a"), big);
        assert_eq!(said(b"\0a\0 \0="), big);
        let latin = "line 2 of the configuration is no UTF-8; it seems to be in Latin-1 or Windows-1252: save it as UTF-8";
        assert_eq!(said(b"a = 1\nhelp = \"B\xfcro\"\n"), latin);
    }
}
