//! What tells whether files have together the same bytes, however they are packed or cut.

use std::io::Read as _;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::Part;
use super::open::open;
use crate::sources::SourceError;

/// Bytes that are read at once.
const AT_ONCE: usize = 64 << 10;

/// A digest of the bytes of parts, unpacked, one after the other.
pub fn digest(parts: &[Part]) -> Result<String, SourceError> {
    let mut context = Context::new(&SHA256);
    let mut buffer = vec![0; AT_ONCE];
    for part in parts {
        let mut input = open(part)?.input;
        loop {
            let read = input
                .read(&mut buffer)
                .map_err(|error| part.broken_read(None, error))?;
            if read == 0 {
                break;
            }
            context.update(&buffer[..read]);
        }
    }
    Ok(STANDARD_NO_PAD.encode(context.finish()))
}
