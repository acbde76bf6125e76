//! Opens a part: unpacks what is gzip, drops a byte order mark, and refuses what is no text.
//!
//! Whether a file is packed is told by its first bytes, not by its name: downloads get renamed.

use std::fs::File;
use std::io::{self, Chain, Cursor, Read};

use flate2::read::MultiGzDecoder;

use super::Part;
use crate::sources::SourceError;

/// No honest log packs better than this; text that repeats itself reaches some 50.
const MAX_RATIO: u64 = 200;
/// Small files may pack as they like.
const RATIO_COUNTS_AFTER: u64 = 64 << 20;
/// Enough for a byte order mark and the header of any export.
const HEAD: usize = 8 << 10;

/// An opened part.
pub(super) struct Opened {
    /// The content, from its beginning.
    pub(super) input: Input,
    /// The first bytes of it.
    pub(super) head: Vec<u8>,
}

/// What an opened part is read from.
pub(super) type Input = Chain<Cursor<Vec<u8>>, Box<dyn Read + Send>>;

/// A file that unpacks to suspiciously much.
#[derive(Debug, thiserror::Error)]
#[error("it unpacks to more than {MAX_RATIO} times its size")]
pub(super) struct Bomb;

/// Opens a part for reading.
pub(super) fn open(part: &Part) -> Result<Opened, SourceError> {
    let mut file = File::open(&part.path).map_err(|error| part.unreadable(error))?;
    let raw = read_head(&mut file).map_err(|error| part.unreadable(error))?;
    let packed = raw.starts_with(&[0x1f, 0x8b]);
    let file = Cursor::new(raw).chain(file);
    let mut input: Box<dyn Read + Send> = if packed {
        Box::new(Unpacked {
            inner: MultiGzDecoder::new(Counted {
                inner: file,
                read: 0,
            }),
            written: 0,
        })
    } else {
        Box::new(file)
    };
    let mut head = read_head(&mut input).map_err(|error| part.broken_read(None, error))?;
    if head.starts_with(&[0xef, 0xbb, 0xbf]) {
        head.drain(..3);
    }
    if let Some((reason, remedy)) = not_text(&head) {
        return Err(part.wrong(None, reason.to_owned(), remedy));
    }
    Ok(Opened {
        input: Cursor::new(head.clone()).chain(input),
        head,
    })
}

fn read_head(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD);
    input.take(HEAD as u64).read_to_end(&mut head)?;
    Ok(head)
}

fn not_text(head: &[u8]) -> Option<(&'static str, &'static str)> {
    // Without a mark, every second byte of UTF-16 text in Latin letters is zero.
    let zeros = head
        .get(..4)
        .map(|start| [0, 1, 2, 3].map(|n| start[n] == 0));
    let utf16 = head.starts_with(&[0xff, 0xfe])
        || head.starts_with(&[0xfe, 0xff])
        || zeros == Some([true, false, true, false])
        || zeros == Some([false, true, false, true]);
    if utf16 {
        return Some((
            "it is UTF-16",
            "save it as UTF-8 (PowerShell: -Encoding utf8)",
        ));
    }
    if head.starts_with(b"PK\x03\x04") {
        return Some((
            "it is a ZIP archive or an Excel workbook",
            "unpack it, or save the sheet as CSV (UTF-8)",
        ));
    }
    None
}

/// Counts what is read.
struct Counted<R> {
    inner: R,
    read: u64,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read += read as u64;
        Ok(read)
    }
}

/// Unpacks, and stops at what no honest file does.
struct Unpacked<R> {
    inner: MultiGzDecoder<Counted<R>>,
    written: u64,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.written += read as u64;
        let packed = self.inner.get_ref().read;
        if self.written > RATIO_COUNTS_AFTER && self.written / MAX_RATIO > packed {
            return Err(io::Error::other(Bomb));
        }
        Ok(read)
    }
}
