//! Opens a part: unpacks what is gzip, reads UTF-8 and marked UTF-16, and refuses what is no text.
//!
//! Whether a file is packed is told by its first bytes, not by its name: downloads get renamed.

use std::fs::{File, OpenOptions};
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
    let mut file = open_file(part)?;
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
    if let Some(order) = ByteOrder::marked(&head) {
        let marked = Cursor::new(head).chain(input);
        input = Box::new(Utf16::new(marked, order));
        head = read_head(&mut input).map_err(|error| part.broken_read(None, error))?;
    }
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

/// Opens a file and nothing else: what was put in its place since the folder was listed may be a
/// pipe, for which a reader would wait for ever.
fn open_file(part: &Part) -> Result<File, SourceError> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed());
    }
    let opened = options.open(&part.path).and_then(|file| {
        let is_file = file.metadata()?.is_file();
        Ok((file, is_file))
    });
    match opened {
        Ok((file, true)) => Ok(file),
        Ok((_, false)) => Err(part.wrong(
            None,
            "it is no file any more".to_owned(),
            "write the export into a file",
        )),
        Err(error) => Err(part.unreadable(error)),
    }
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
    if zeros == Some([true, false, true, false]) || zeros == Some([false, true, false, true]) {
        return Some((
            "it is UTF-16 without a byte order mark",
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteOrder {
    Little,
    Big,
}

impl ByteOrder {
    /// What the mark at the beginning of UTF-16 text says.
    fn marked(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xfe, ..] => Some(Self::Little),
            [0xfe, 0xff, ..] => Some(Self::Big),
            _ => None,
        }
    }

    fn unit(self, bytes: [u8; 2]) -> u16 {
        match self {
            Self::Little => u16::from_le_bytes(bytes),
            Self::Big => u16::from_be_bytes(bytes),
        }
    }
}

/// UTF-16 as UTF-8; half a character becomes the sign for one that cannot be read.
struct Utf16<R> {
    inner: R,
    order: ByteOrder,
    /// A byte of half a unit.
    odd: Option<u8>,
    /// The first half of a character that takes two units.
    first: Option<u16>,
    /// What was decoded and not taken yet, and how much of it was taken.
    text: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf16<R> {
    fn new(inner: R, order: ByteOrder) -> Self {
        Self {
            inner,
            order,
            odd: None,
            first: None,
            text: Vec::new(),
            taken: 0,
        }
    }

    /// Decodes some more; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut bytes = [0; HEAD];
        let read = self.inner.read(&mut bytes)?;
        self.text.clear();
        self.taken = 0;
        let units = bytes[..read].iter().filter_map(|byte| {
            let Some(before) = self.odd.take() else {
                self.odd = Some(*byte);
                return None;
            };
            Some(self.order.unit([before, *byte]))
        });
        let mut units: Vec<u16> = self.first.take().into_iter().chain(units).collect();
        if read > 0
            && units
                .last()
                .is_some_and(|unit| (0xd800..0xdc00).contains(unit))
        {
            self.first = units.pop();
        }
        for c in char::decode_utf16(units) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            self.text
                .extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        }
        Ok(read > 0 || !self.text.is_empty())
    }
}

impl<R: Read> Read for Utf16<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.taken == self.text.len() {
            if !self.fill()? {
                return Ok(0);
            }
        }
        let read = (&self.text[self.taken..]).read(buffer)?;
        self.taken += read;
        Ok(read)
    }
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
