//! Results on stdout, as a table, JSON or CSV. A reader that goes away is no error.

use std::io::{self, BufWriter, Write};

use clap::ValueEnum;
use serde::ser::SerializeSeq as _;
use serde::{Serialize, Serializer as _};
use serde_json::Serializer;
use serde_json::ser::{Formatter, PrettyFormatter};

use super::screen::{Screen, Tone};
use super::table::{self, Cell, Column};
use crate::delivery::text::{clean_line, is_unsafe};

/// Where a list was asked for no rows.
pub(super) const NONE_ASKED: &str = "No row was asked for: --limit 0.";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// For programs: a stable interface.
    Json,
    /// For spreadsheets.
    Csv,
}

/// A line of text is no longer than this.
const LINE: usize = 1_000;

/// Bytes that are written at once.
const BUFFER: usize = 1 << 16;

/// What a directory that people can edit says, or a server: on one line, and no longer than one.
pub(super) fn foreign(text: &str) -> String {
    clean_line(text, LINE)
}

/// Where results go.
pub(crate) struct Printer {
    out: Box<dyn Write>,
    screen: Screen,
}

impl Printer {
    /// Prints to stdout, which is read on that screen.
    pub(crate) fn stdout(screen: Screen) -> Self {
        Self {
            out: Box::new(io::stdout().lock()),
            screen,
        }
    }

    /// What the reader sees through.
    pub(crate) fn screen(&self) -> Screen {
        self.screen
    }

    /// Prints a heading.
    pub(crate) fn heading(&mut self, text: &str) -> io::Result<()> {
        self.line(self.screen.paint(Tone::Strong, text))
    }

    /// Prints a sentence behind its beginning, its further lines below its first word. Nothing of a
    /// beginning is in colours.
    pub(crate) fn item(&mut self, begin: &str, text: &str) -> io::Result<()> {
        let hang = " ".repeat(begin.chars().count());
        self.line(self.screen.wrap(begin, &hang, text))
    }

    /// Prints a sentence.
    pub(crate) fn text(&mut self, text: &str) -> io::Result<()> {
        self.item("", text)
    }

    /// Prints a label and its text.
    pub(crate) fn entry(&mut self, label: &str, text: &str, column: usize) -> io::Result<()> {
        self.line(self.screen.entry(label, text, column))
    }

    /// Prints what is there to be looked up.
    pub(crate) fn note(&mut self, text: &str) -> io::Result<()> {
        let wrapped = self.screen.wrap("", "", text);
        self.line(self.screen.paint(Tone::Faint, &wrapped))
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl AsRef<str>) -> io::Result<()> {
        writeln!(self.out, "{}", text.as_ref())
    }

    /// Prints bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.out.write_all(bytes)?;
        self.out.flush()
    }

    /// For much at once: stdout by itself writes line by line. Whoever takes it flushes it.
    pub(crate) fn buffered(&mut self) -> BufWriter<&mut dyn Write> {
        BufWriter::with_capacity(BUFFER, &mut *self.out)
    }

    /// Prints JSON.
    pub(crate) fn json<T: Serialize>(&mut self, value: &T) -> io::Result<()> {
        let mut out = self.buffered();
        value.serialize(&mut Serializer::with_formatter(
            &mut out,
            Escaping::default(),
        ))?;
        writeln!(out)?;
        out.flush()
    }

    /// Prints a JSON array of rows as they come.
    pub(crate) async fn array<T: Serialize>(
        &mut self,
        mut next: impl AsyncFnMut() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<()> {
        let mut out = self.buffered();
        let mut json = Serializer::with_formatter(&mut out, Escaping::default());
        let mut array = json.serialize_seq(None).map_err(io::Error::from)?;
        while let Some(row) = next().await? {
            array.serialize_element(&row).map_err(io::Error::from)?;
        }
        array.end().map_err(io::Error::from)?;
        writeln!(out)?;
        Ok(out.flush()?)
    }

    /// Begins a CSV under headings, for rows as they come.
    pub(crate) fn csv(&mut self, headings: &[&str]) -> io::Result<Csv<'_>> {
        let mut writer = csv::Writer::from_writer(self.buffered());
        writer.write_record(headings).map_err(plain)?;
        Ok(Csv { writer })
    }

    /// Prints rows under headings, as a table or as CSV.
    pub(crate) fn rows(
        &mut self,
        format: Format,
        columns: &[Column],
        rows: Vec<Vec<Cell>>,
    ) -> io::Result<()> {
        if format == Format::Csv {
            let headings: Vec<&str> = columns.iter().map(|column| column.title).collect();
            let mut csv = self.csv(&headings)?;
            for row in rows {
                csv.row(&row)?;
            }
            return csv.end();
        }
        let (lines, hidden) = table::lay_out(self.screen, columns, &rows);
        for line in lines {
            self.line(line)?;
        }
        if hidden.is_empty() {
            return Ok(());
        }
        let hidden = hidden.join(", ");
        self.note(&format!(
            "Left out, the terminal is too narrow: {hidden}. --format csv has all."
        ))
    }
}

/// Prints JSON for people to read: exact, with what acts on a terminal or hides escaped. Programs read the
/// very text of the directory.
#[derive(Default)]
struct Escaping(PrettyFormatter<'static>);

impl Formatter for Escaping {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, c)) = rest.char_indices().find(|(_, c)| is_unsafe(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + c.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// A CSV that is being written.
pub(crate) struct Csv<'a> {
    writer: csv::Writer<BufWriter<&'a mut dyn Write>>,
}

impl Csv<'_> {
    /// Writes a row, its cells cleaned.
    pub(crate) fn row(&mut self, cells: &[impl AsRef<str>]) -> io::Result<()> {
        let cells = cells.iter().map(|cell| neutral(cell.as_ref()));
        self.writer.write_record(cells).map_err(plain)
    }

    /// Writes what is left.
    pub(crate) fn end(mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What went wrong while writing CSV, by its kind: the library hides a reader that went away.
fn plain(error: csv::Error) -> io::Error {
    match error.into_kind() {
        csv::ErrorKind::Io(error) => error,
        other => io::Error::other(format!("{other:?}")),
    }
}

/// A cell as people read it: cleaned of the characters of which a table is clean too, since a spreadsheet
/// hides or obeys them, and taken for no formula. A step like `-7d` is none.
fn neutral(cell: &str) -> String {
    let cell = &cell
        .replace(is_blank, " ")
        .replace(|c| is_unsafe(c) && c != '\n', "");
    let is_step = cell
        .strip_prefix('-')
        .and_then(|step| step.strip_suffix('d'))
        .is_some_and(|days| days.bytes().all(|byte| byte.is_ascii_digit()));
    // Spreadsheets skip blanks, and take full-width signs for theirs.
    let begin = cell.trim_start();
    if !is_step && begin.starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Whether it stands for a blank, though it steers a terminal.
fn is_blank(c: char) -> bool {
    c != '\n' && c.is_whitespace()
}

/// Whether an error only means that the reader went away, as `| head` does.
pub(crate) fn reader_went_away(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_in_json_and_taken_out_of_csv() {
        let name = "Eve \u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{61c}\u{ad}\u{200b}\u{e0041}🦀\n";
        let value = serde_json::json!({ "name": [name, 1, {}], "empty": [] });
        let mut printed = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut printed, Escaping::default());
        value.serialize(&mut serializer).unwrap();
        let printed = String::from_utf8(printed).unwrap();
        assert!(
            !printed.chars().any(|c| is_unsafe(c) && c != '\n'),
            "{printed:?}"
        );
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&printed).unwrap(),
            value
        );
        let plain = serde_json::json!({ "name": ["Ana", 1, {}], "empty": [] });
        let mut printed = Vec::new();
        let mut serializer = Serializer::with_formatter(&mut printed, Escaping::default());
        plain.serialize(&mut serializer).unwrap();
        assert_eq!(printed, serde_json::to_vec_pretty(&plain).unwrap());
        assert_eq!(neutral(name), "Eve ]0;x31m🦀\n");
        assert_eq!(neutral("a\tb\u{2028}c"), "a b c");
    }

    #[test]
    fn formulas_are_neutralised() {
        assert_eq!(neutral("=HYPERLINK(\"x\")"), "'=HYPERLINK(\"x\")");
        assert_eq!(neutral("-7d+cmd"), "'-7d+cmd");
        assert_eq!(neutral("\n=1+1"), "'\n=1+1");
        assert_eq!(neutral("＝1+1"), "'＝1+1");
        for plain in ["Ana", "-7d", "0d", " Ana"] {
            assert_eq!(neutral(plain), plain);
        }
    }
}
