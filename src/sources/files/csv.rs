//! A CSV export of the portal: its header mapped by aliases, its rows one by one.
//!
//! Header cells are compared without case, spaces and punctuation, because the portal's own
//! have trailing spaces and duplicates; of duplicates the first counts. The trap: a quote that
//! is never closed swallows all rows after it, so a row of several lines with the wrong number
//! of cells fails the file instead of being quarantined.
//!
//! A date like `3/11/2026` may be two days. One date of the file whose day is above 12 tells how
//! all are meant: the first open one has the file searched for it (rule 3.3).

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use csv::{ByteRecord, Reader, ReaderBuilder, Trim};
use memchr::memchr_iter;

use super::Part;
use super::open::{Input, Opened, open};
use crate::quote::quote;
use crate::sources::SourceError;
use crate::sources::wire::{DateOrder, Entry, MemberObject, Numeric, RowError, Scalar, instant};

/// What the CSV reader may have read ahead.
const READ_AHEAD: usize = 64 << 10;

/// What to do where no heading is known.
const OTHER_LANGUAGE: &str = "headings are read in English: switch the portal to English (Settings, Language + region) and download it again, or download JSON";

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
    dates: Dates,
}

/// The columns of dates, and how their open dates are read.
#[derive(Debug, Default)]
struct Dates {
    /// Those headed `[UTC]`, by Log Analytics, which writes months first everywhere.
    utc: Vec<usize>,
    /// The others.
    columns: Vec<usize>,
    /// What a date of the file proves.
    proven: Option<DateOrder>,
    /// What is said of files that prove nothing.
    configured: Option<DateOrder>,
    /// Whether the file was searched for a proof.
    searched: bool,
}

impl Dates {
    fn of(header: &ByteRecord, configured: Option<DateOrder>) -> Self {
        let mut dates = Self {
            configured,
            ..Self::default()
        };
        for (at, cell) in header.iter().enumerate() {
            let name = packed(cell);
            if is_utc(cell) {
                dates.utc.push(at);
            } else if name.contains("date") || name.contains("time") {
                dates.columns.push(at);
            }
        }
        dates
    }

    /// The order of open dates in a column.
    fn order(&self, column: usize) -> Option<DateOrder> {
        if self.utc.contains(&column) {
            return Some(DateOrder::MonthFirst);
        }
        self.proven.or(self.configured)
    }

    /// The open dates of a row, with what each proves.
    fn open_in<'a>(
        &'a self,
        record: &'a ByteRecord,
    ) -> impl Iterator<Item = (&'a str, Option<DateOrder>)> {
        self.columns.iter().filter_map(|at| {
            let cell = record
                .get(*at)
                .map(plain)
                .filter(|cell| may_be_open(cell))?;
            let text = std::str::from_utf8(cell).ok()?;
            let date = Numeric::parse(text).filter(Numeric::is_open)?;
            Some((text, date.proves()))
        })
    }
}

/// What a cell holds: `="…"` keeps a spreadsheet from taking a text for a number.
fn plain(cell: &[u8]) -> &[u8] {
    let inside = cell
        .trim_ascii()
        .strip_prefix(b"=\"")
        .and_then(|cell| cell.strip_suffix(b"\""));
    inside.unwrap_or(cell)
}

/// Whether a cell begins as an open date does: nearly all begin with a year.
fn may_be_open(cell: &[u8]) -> bool {
    let cell = cell.trim_ascii_start();
    let separator = cell.iter().take(3).find(|byte| !byte.is_ascii_digit());
    matches!(separator, Some(b'/' | b'-'))
}

/// Whether a header says that its times are in UTC as Log Analytics says it.
fn is_utc(header: &[u8]) -> bool {
    header
        .trim_ascii_end()
        .to_ascii_lowercase()
        .ends_with(b"[utc]")
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

/// What stands between cells: that by which a header has the most columns that are known. One of the
/// others may well stand in a cell.
fn delimiter(header: &[u8], columns: &[Column]) -> u8 {
    let known = |delimiter: &u8| {
        let mut record = ByteRecord::new();
        let mut reader = ReaderBuilder::new()
            .delimiter(*delimiter)
            .has_headers(false)
            .from_reader(header);
        // What is no header has no columns.
        let _ = reader.read_byte_record(&mut record);
        let names: Vec<String> = record.iter().map(named).collect();
        let is_there = |column: &&Column| {
            names
                .iter()
                .any(|name| column.aliases.contains(&name.as_str()))
        };
        columns.iter().filter(is_there).count()
    };
    // Of several that do as well the last one counts.
    [b';', b'\t', b',']
        .into_iter()
        .max_by_key(known)
        .unwrap_or(b',')
}

/// A row, or what is wrong with it, and the line on which it begins.
pub(super) type Numbered<'a> = (Result<Cells<'a>, RowError>, u64);

/// The cells of one row, by property.
pub(super) struct Cells<'a> {
    record: &'a ByteRecord,
    columns: &'static [Column],
    at: &'a [Option<usize>],
    dates: &'a Dates,
}

impl Table {
    /// Reads the header and finds the columns in it.
    pub(super) fn open(
        part: &Part,
        opened: Opened,
        columns: &'static [Column],
        limit: usize,
    ) -> Result<Self, SourceError> {
        let mut head = opened.head;
        let returns = head.contains(&b'\r') && !head.contains(&b'\n');
        if returns {
            feed_lines(&mut head);
        }
        let mut lines = head.split(|byte| *byte == b'\n');
        let first = lines.next().unwrap_or_default();
        let preface = Preface::of(first);
        let header = match preface {
            Some(_) => lines.next().unwrap_or_default(),
            None => first,
        };
        let crlf = first.ends_with(b"\r");
        let delimiter = if let Some(Preface::Delimiter(delimiter)) = preface {
            delimiter
        } else {
            delimiter(header, columns)
        };
        let shared = Arc::new(Shared {
            limit,
            left: AtomicUsize::new(limit + READ_AHEAD),
            over: AtomicBool::new(false),
        });
        let input = Allowance {
            input: opened.input,
            returns,
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
            dates: Dates::default(),
        };
        if preface.is_some() {
            table.advance(part)?;
        }
        if !table.advance(part)? {
            return Err(part.wrong(None, "the file is empty".to_owned(), "export it again"));
        }
        table.width = table.record.len();
        table.dates = Dates::of(&table.record, part.dates);
        let header: Vec<String> = table.record.iter().map(named).collect();
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
        let needed = columns.iter().filter(|column| column.remedy.is_some());
        let found = columns.iter().zip(&table.at);
        if !found
            .clone()
            .any(|(column, at)| column.remedy.is_some() && at.is_some())
        {
            let names: Vec<String> = needed.map(|column| format!("`{}`", column.name)).collect();
            return Err(part.wrong(
                Some(1),
                format!("it has none of the columns {}", names.join(", ")),
                OTHER_LANGUAGE,
            ));
        }
        for (column, at) in found {
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
            if found < self.width && self.shared.over.load(Ordering::Relaxed) {
                return Err(part.wrong(
                    Some(line),
                    format!(
                        "it is cut off: its last row has {found} cells where the header has {}, and no end of its line",
                        self.width
                    ),
                    "export it again",
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
        self.settle_dates(part, line)?;
        let cells = Cells {
            record: &self.record,
            columns: self.columns,
            at: &self.at,
            dates: &self.dates,
        };
        Ok(Some((Ok(cells), line)))
    }

    /// Finds out how the open dates of the present row are meant, if it has any.
    fn settle_dates(&mut self, part: &Part, line: u64) -> Result<(), SourceError> {
        let (mut first, mut proofs) = (None, Vec::new());
        for (text, proof) in self.dates.open_in(&self.record) {
            first.get_or_insert_with(|| text.to_owned());
            proofs.extend(proof);
        }
        let Some(text) = first else {
            return Ok(());
        };
        for proof in proofs {
            if *self.dates.proven.get_or_insert(proof) != proof {
                return Err(part.wrong(
                    Some(line),
                    "in some of its dates the day comes first and in others the month".to_owned(),
                    "export it again with dates like 2026-01-05T08:30:00Z",
                ));
            }
        }
        if self.dates.proven.is_none() && !self.dates.searched {
            self.dates.proven =
                Self::open(part, open(part)?, self.columns, self.shared.limit)?.proof(part)?;
            self.dates.searched = true;
        }
        if self.dates.proven.or(self.dates.configured).is_none() {
            return Err(part.wrong(
                Some(line),
                format!("{} may be two days, and no date of the file tells which", quote(&text)),
                "export it again with dates like 2026-01-05T08:30:00Z, or say in [directory.files] how this machine writes them: dates = \"day-first\" or \"month-first\"",
            ));
        }
        Ok(())
    }

    /// What the first date of the file that proves anything does prove.
    fn proof(mut self, part: &Part) -> Result<Option<DateOrder>, SourceError> {
        while self.advance(part)? {
            let proof = self
                .dates
                .open_in(&self.record)
                .find_map(|(_, proof)| proof);
            if proof.is_some() {
                return Ok(proof);
            }
        }
        Ok(None)
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
            .store(self.shared.limit + READ_AHEAD, Ordering::Relaxed);
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
                        format!("a row is longer than {} MiB", self.shared.limit >> 20),
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

    /// A cell as a time, spelt as Graph does; nothing if it is empty or has no column.
    pub(super) fn time(&self, name: &'static str) -> Result<Scalar<'a>, RowError> {
        let cell = self.value(name)?;
        let Some(text) = cell.as_str() else {
            return Ok(cell);
        };
        let at = instant(text).or_else(|| {
            let order = self.column(name).and_then(|at| self.dates.order(at));
            Numeric::parse(text)?.instant(order)
        });
        let at = at.ok_or_else(|| RowError::no_time(name, text))?;
        Ok(Scalar::Text(at.to_string().into()))
    }

    /// A cell as a list, in one text; its reader knows what separates names.
    pub(super) fn list(&self, name: &'static str) -> Result<Entry<'a>, RowError> {
        Ok(Entry::Scalar(self.value(name)?))
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
        let Some(cell) = self.column(name).and_then(|at| self.record.get(at)) else {
            return Ok(None);
        };
        std::str::from_utf8(plain(cell))
            .map(Some)
            .map_err(|_| RowError::NotUtf8(name))
    }

    /// Where a property stands in a row.
    fn column(&self, name: &'static str) -> Option<usize> {
        let column = self.columns.iter().position(|column| column.name == name)?;
        self.at[column]
    }
}

/// A header cell as columns are named.
fn named(cell: &[u8]) -> String {
    let name = packed(cell);
    match name.strip_suffix("utc") {
        Some(name) if is_utc(cell) => name.to_owned(),
        _ => name,
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
    /// Whether lines end with a carriage return alone, as on old Macs.
    returns: bool,
    shared: Arc<Shared>,
}

/// Ends lines as everybody else does.
fn feed_lines(text: &mut [u8]) {
    for byte in text.iter_mut().filter(|byte| **byte == b'\r') {
        *byte = b'\n';
    }
}

/// What the table and its input tell each other.
struct Shared {
    /// The longest row.
    limit: usize,
    /// As much may be read before the row must end.
    left: AtomicUsize,
    /// The end of the input was needed to end a row: its line has no end.
    over: AtomicBool,
}

#[derive(Debug, thiserror::Error)]
#[error("a row is too long")]
struct TooLong;

impl Read for Allowance {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.shared.left.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other(TooLong));
        }
        let within = buffer.len().min(left);
        let read = self.input.read(&mut buffer[..within])?;
        if self.returns {
            feed_lines(&mut buffer[..read]);
        }
        if read == 0 {
            self.shared.over.store(true, Ordering::Relaxed);
        }
        self.shared.left.store(left - read, Ordering::Relaxed);
        Ok(read)
    }
}
