//! A CSV export of the portal: its header mapped by aliases, its rows one by one.
//!
//! Header cells are compared without case, spaces and punctuation, because the portal's own
//! have trailing spaces and duplicates; of duplicates the first counts. The trap: a quote that
//! is never closed swallows all rows after it, so a row of several lines with the wrong number
//! of cells fails the file instead of being quarantined.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use memchr::memchr_iter;

use super::Part;
use super::json::ROW_LIMIT;
use super::open::{Input, Opened};
use crate::quote::quote;
use crate::sources::SourceError;
use crate::sources::wire::{Entry, MemberObject, RowError, Scalar};

/// What the CSV reader may have read ahead.
const READ_AHEAD: usize = 64 << 10;

/// A column that a reader asks for.
pub(super) struct Column {
    /// The property.
    pub(super) name: &'static str,
    /// How exports spell it, packed: lower case, letters and digits only.
    pub(super) aliases: &'static [&'static str],
    /// What to do where it is missing; `None` where it may be.
    pub(super) remedy: Option<&'static str>,
}

/// An opened CSV export.
pub(super) struct Table {
    reader: Reader<Allowance>,
    shared: Arc<Shared>,
    columns: &'static [Column],
    at: Vec<Option<usize>>,
    width: usize,
    crlf: bool,
    record: ByteRecord,
}

/// A first line that is none of the table.
#[derive(Debug, Clone, Copy)]
enum Preface {
    /// `sep=;`, by which a spreadsheet knows what is between cells.
    Delimiter(u8),
    /// `#TYPE …` of Windows PowerShell's `Export-Csv`.
    Type,
}

impl Preface {
    fn of(line: &[u8]) -> Option<Self> {
        let line = line.trim_ascii_end();
        let line = line.strip_prefix(b"\"").unwrap_or(line);
        let head = line.get(..4).map(<[u8]>::to_ascii_lowercase);
        match (head.as_deref(), line.get(4)) {
            (Some(b"sep="), Some(delimiter)) => Some(Self::Delimiter(*delimiter)),
            _ if line.starts_with(b"#TYPE ") => Some(Self::Type),
            _ => None,
        }
    }
}

/// A row, or what is wrong with it, and the line on which it begins.
pub(super) type Numbered<'a> = (Result<Cells<'a>, RowError>, u64);

/// The cells of one row, by property.
pub(super) struct Cells<'a> {
    record: &'a ByteRecord,
    columns: &'static [Column],
    at: &'a [Option<usize>],
}

impl Table {
    /// Reads the header and finds the columns in it.
    pub(super) fn open(
        part: &Part,
        opened: Opened,
        columns: &'static [Column],
    ) -> Result<Self, SourceError> {
        let mut lines = opened.head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let preface = Preface::of(first);
        let header = match preface {
            Some(_) => lines.next().unwrap_or_default(),
            None => first,
        };
        let crlf = first.ends_with(b"\r");
        let delimiter = if let Some(Preface::Delimiter(delimiter)) = preface {
            delimiter
        } else if header.contains(&b',') {
            b','
        } else if header.contains(&b'\t') {
            b'\t'
        } else if header.contains(&b';') {
            b';'
        } else {
            b','
        };
        let shared = Arc::new(Shared {
            left: AtomicUsize::new(ROW_LIMIT + READ_AHEAD),
            over: AtomicBool::new(false),
        });
        let input = Allowance {
            input: opened.input,
            shared: Arc::clone(&shared),
        };
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .trim(Trim::None)
            .buffer_capacity(READ_AHEAD)
            .from_reader(input);
        let mut table = Self {
            reader,
            shared,
            columns,
            at: Vec::new(),
            width: 0,
            crlf,
            record: ByteRecord::new(),
        };
        if preface.is_some() {
            table.advance(part)?;
        }
        if !table.advance(part)? {
            return Err(part.wrong(None, "the file is empty".to_owned(), "export it again"));
        }
        table.width = table.record.len();
        let header: Vec<String> = table.record.iter().map(packed).collect();
        let find = |column: &Column| {
            header
                .iter()
                .position(|cell| column.aliases.contains(&cell.as_str()))
        };
        table.at = columns.iter().map(find).collect();
        if header.iter().any(|cell| cell == "serviceprincipalid")
            && !header.iter().any(|cell| cell == "userid")
        {
            return Err(part.wrong(
                Some(1),
                "it holds sign-ins of applications, not of people".to_owned(),
                "export InteractiveSignIns instead",
            ));
        }
        for (column, at) in columns.iter().zip(&table.at) {
            if let (Some(remedy), None) = (column.remedy, at) {
                return Err(part.wrong(
                    Some(1),
                    format!("it has no column `{}`", column.name),
                    remedy,
                ));
            }
        }
        Ok(table)
    }

    /// The next row and the line on which it begins; `None` at the end.
    pub(super) fn next(&mut self, part: &Part) -> Result<Option<Numbered<'_>>, SourceError> {
        if !self.advance(part)? {
            return Ok(None);
        }
        let breaks = memchr_iter(b'\n', self.record.as_slice()).count() as u64;
        let line = self.first_line(breaks);
        let found = self.record.len();
        if found != self.width {
            if breaks > 0 {
                return Err(part.wrong(
                    Some(line),
                    format!(
                        "a quote in the row that begins here is not closed where the row ends: it runs over {} lines and has {found} cells, the header {}",
                        breaks + 1,
                        self.width
                    ),
                    "mend the row or export again",
                ));
            }
            return Ok(Some((
                Err(RowError::Cells {
                    found,
                    expected: self.width,
                }),
                line,
            )));
        }
        let cells = Cells {
            record: &self.record,
            columns: self.columns,
            at: &self.at,
        };
        Ok(Some((Ok(cells), line)))
    }

    /// The line on which the present row begins, counted back from its end: the reader's own
    /// count lags behind blank lines and the second half of CRLF.
    fn first_line(&self, breaks: u64) -> u64 {
        let end = self.reader.position().line();
        let passed = u64::from(!self.crlf && !self.shared.over.load(Ordering::Relaxed));
        end.saturating_sub(breaks + passed)
    }

    fn advance(&mut self, part: &Part) -> Result<bool, SourceError> {
        let more = self.reader.read_byte_record(&mut self.record);
        self.shared
            .left
            .store(ROW_LIMIT + READ_AHEAD, Ordering::Relaxed);
        more.map_err(|error| {
            let line = Some(self.reader.position().line());
            match error.into_kind() {
                csv::ErrorKind::Io(error)
                    if error
                        .get_ref()
                        .is_some_and(<dyn std::error::Error + Send + Sync>::is::<TooLong>) =>
                {
                    part.wrong(
                        line,
                        "a row is longer than 1 MiB".to_owned(),
                        "look for a quote that is not closed, or export again",
                    )
                }
                csv::ErrorKind::Io(error) => part.broken_read(line, error),
                other => part.wrong(line, quote(&format!("{other:?}")), "export it again"),
            }
        })
    }
}

impl<'a> Cells<'a> {
    /// A cell as a value; nothing if it is empty or has no column.
    pub(super) fn value(&self, name: &'static str) -> Result<Scalar<'a>, RowError> {
        Ok(self.text(name)?.map_or(Scalar::Null, Scalar::cell))
    }

    /// A cell as a list.
    pub(super) fn list(&self, name: &'static str) -> Result<Entry<'a>, RowError> {
        Ok(self.text(name)?.map_or_else(Entry::default, Entry::cell))
    }

    /// A cell as a list of members.
    pub(super) fn members(
        &self,
        name: &'static str,
    ) -> Result<Entry<'a, MemberObject<'a>>, RowError> {
        let Some(text) = self.text(name)? else {
            return Ok(Entry::default());
        };
        let list = Entry::cell(text);
        if text.trim_start().starts_with('[') && list.texts().any(|text| text.starts_with('[')) {
            return Err(RowError::Json(quote(text)));
        }
        Ok(list)
    }

    fn text(&self, name: &'static str) -> Result<Option<&'a str>, RowError> {
        let column = self.columns.iter().position(|column| column.name == name);
        let Some(cell) = column
            .and_then(|column| self.at[column])
            .and_then(|at| self.record.get(at))
        else {
            return Ok(None);
        };
        std::str::from_utf8(cell)
            .map(Some)
            .map_err(|_| RowError::NotUtf8(name))
    }
}

/// A header cell without case, spaces and punctuation.
fn packed(cell: &[u8]) -> String {
    String::from_utf8_lossy(cell)
        .chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

/// Stops the CSV reader before a row fills the memory.
struct Allowance {
    input: Input,
    shared: Arc<Shared>,
}

/// What the table and its input tell each other.
struct Shared {
    /// As much may be read before the row must end.
    left: AtomicUsize,
    /// The end of the input was needed to end a row: its line has no end.
    over: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("a row is longer than 1 MiB")]
struct TooLong;

impl Read for Allowance {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.shared.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(TooLong));
        }
        let within = buffer.len().min(left);
        let read = self.input.read(&mut buffer[..within])?;
        if read == 0 {
            self.shared.over.store(true, Ordering::Relaxed);
        }
        self.shared.left.store(left - read, Ordering::Relaxed);
        Ok(read)
    }
}
