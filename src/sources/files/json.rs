//! Splits JSON into its rows without holding more than one of them.
//!
//! Read are `{"value":[…]}` and `{"records":[…]}` (also several in a row), a bare array,
//! NDJSON, objects one after another, and the tables of Log Analytics
//! (`{"tables":[{"columns":[…],"rows":[[…]]}]}`). Only brackets and strings are looked at; whether a
//! row is valid JSON is for its reader to find out. The trap: a broken NDJSON line must cost
//! only itself, so once the first line is a whole object, lines are rows.

use std::io::{self, Read};
use std::ops::Range;

use memchr::{memchr, memchr_iter};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::shape::{Listed, Shape, Step, opens_envelope};

/// Far beyond any row of the directory, a group's apart.
pub const ROW_LIMIT: usize = 1 << 20;
/// A group is one row with all its members: 100,000 of them are some 20 MiB as objects.
pub(super) const GROUP_LIMIT: usize = 32 << 20;
/// Large enough that moving a row's beginning to the front costs nothing.
const CHUNK: usize = 128 << 10;
/// The byte order mark of UTF-8.
const MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// What follows the rows of a page is a link, a mark or a few numbers.
const TAIL_LIMIT: usize = 64 << 10;

/// Why there are no more rows.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The system or the decompressor refuses.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Nothing but white space.
    #[error("the file is empty")]
    Empty,
    /// It begins with something else than an object or an array.
    #[error("the content is not JSON rows: it begins with {}", show(*found))]
    NotRows {
        /// The first byte.
        found: u8,
    },
    /// A row is longer than one may be.
    #[error("a row is longer than {} MiB", limit >> 20)]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// The content ends within a row or list.
    #[error("the file is cut off: the JSON that begins here has no end")]
    Truncated,
    /// Something stands where it cannot.
    #[error("unexpected {} between rows", show(*found))]
    Garbage {
        /// The byte.
        found: u8,
    },
}

fn show(byte: u8) -> String {
    format!("`{}`", byte.escape_ascii())
}

/// One element, whole.
#[derive(Debug, PartialEq, Eq)]
pub struct Element<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The columns of the table of which it is a row; none elsewhere.
    pub columns: &'a [String],
    /// The line on which it begins, from 1.
    pub line: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// Between values of the top level.
    Top,
    /// Every line is a row.
    Lines,
    /// In a list, before an element that may or must come.
    Before {
        envelope: bool,
        comma: bool,
    },
    /// In a list, after an element.
    After {
        envelope: bool,
    },
    /// In an envelope, after its list.
    Tail,
    /// After a bare array: nothing may follow.
    End,
}

/// A splitter over any reader. Rows do not depend on the sizes in which it reads.
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are where it is and what it has seen, each by itself"
)]
pub struct Splitter<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    line: u64,
    place: Place,
    /// The longest row.
    limit: usize,
    may_be_empty: bool,
    prefer_lines: bool,
    /// Within the `tables` of an answer.
    in_tables: bool,
    /// The columns of the present table.
    columns: Vec<String>,
    /// Whether the present page has named a next one yet.
    names_next: bool,
    pages: u64,
    /// Of these, how many name a next one.
    with_next: u64,
}

impl<R: Read> Splitter<R> {
    /// Splits what `input` gives. `by_name` says that the file's name promises one row a line:
    /// then it may also be empty. No row may be longer than `limit`.
    pub fn new(input: R, by_name: bool, limit: usize) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            line: 1,
            place: Place::Start,
            limit,
            may_be_empty: by_name,
            prefer_lines: by_name,
            in_tables: false,
            columns: Vec::new(),
            names_next: false,
            pages: 0,
            with_next: 0,
        }
    }

    /// Whether what has been read are pages, each of which names a next one.
    pub fn names_next(&self) -> bool {
        self.pages > 0 && self.pages == self.with_next
    }

    /// The line that is being read, for errors.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// The next element; `None` at the end.
    pub fn next_row(&mut self) -> Result<Option<Element<'_>>, Broken> {
        let Some((range, line)) = self.advance()? else {
            return Ok(None);
        };
        Ok(Some(Element {
            bytes: &self.buffer[range],
            columns: &self.columns,
            line,
        }))
    }

    fn advance(&mut self) -> Result<Option<(Range<usize>, u64)>, Broken> {
        loop {
            if self.place == Place::Lines {
                return self.next_line();
            }
            let byte = self.skip_space()?;
            match (self.place, byte) {
                (Place::Lines, _) => {}
                (Place::Start, None) if !self.may_be_empty => return Err(Broken::Empty),
                (Place::Top, None) if self.in_tables => return Err(Broken::Truncated),
                (Place::Start | Place::Top | Place::End, None) => return Ok(None),
                (Place::Before { .. } | Place::After { .. } | Place::Tail, None) => {
                    return Err(Broken::Truncated);
                }
                (Place::Start, Some(b'[')) => {
                    self.consume(1);
                    self.place = Place::Before {
                        envelope: false,
                        comma: false,
                    };
                }
                (Place::Start, Some(b'{')) if self.prefer_lines && self.looks_like_a_row()? => {
                    self.place = Place::Lines;
                }
                (Place::Start | Place::Top, Some(b'{')) => match self.scan(true)? {
                    Scanned::Row(length) => {
                        let one_line =
                            memchr(b'\n', &self.buffer[self.start..self.start + length]).is_none();
                        let lines =
                            self.place == Place::Start && one_line && self.ends_line(length)?;
                        self.place = if lines { Place::Lines } else { Place::Top };
                        return Ok(Some(self.take(length)));
                    }
                    Scanned::Envelope(length, Listed::Tables) => {
                        self.consume(length);
                        self.in_tables = true;
                        self.place = Place::Top;
                    }
                    Scanned::Envelope(length, Listed::Rows) => {
                        self.open_page(length);
                        self.consume(length);
                        self.place = Place::Before {
                            envelope: true,
                            comma: false,
                        };
                    }
                },
                (Place::Top, Some(b',')) if self.in_tables => self.consume(1),
                (Place::Top, Some(b']')) if self.in_tables => {
                    self.consume(1);
                    self.skip_tail()?;
                    self.in_tables = false;
                }
                (Place::Start, Some(found)) => return Err(Broken::NotRows { found }),
                (
                    Place::Before {
                        envelope,
                        comma: false,
                    }
                    | Place::After { envelope },
                    Some(b']'),
                ) => {
                    self.consume(1);
                    self.place = if envelope { Place::Tail } else { Place::End };
                }
                (Place::After { envelope }, Some(b',')) => {
                    self.consume(1);
                    self.place = Place::Before {
                        envelope,
                        comma: true,
                    };
                }
                (Place::Before { .. }, Some(found @ (b',' | b']' | b'}' | b':'))) => {
                    return Err(Broken::Garbage { found });
                }
                (Place::Before { envelope, .. }, Some(b'{' | b'[' | b'"')) => {
                    let (Scanned::Row(length) | Scanned::Envelope(length, _)) = self.scan(false)?;
                    self.place = Place::After { envelope };
                    return Ok(Some(self.take(length)));
                }
                (Place::Before { envelope, .. }, Some(_)) => {
                    let length = self.scan_word()?;
                    self.place = Place::After { envelope };
                    return Ok(Some(self.take(length)));
                }
                (Place::Tail, Some(b',' | b'}')) => {
                    self.close_page()?;
                    self.place = Place::Top;
                }
                (Place::Top | Place::After { .. } | Place::Tail | Place::End, Some(found)) => {
                    return Err(Broken::Garbage { found });
                }
            }
        }
    }

    /// The next line that is not blank.
    fn next_line(&mut self) -> Result<Option<(Range<usize>, u64)>, Broken> {
        if self.skip_space()?.is_none() {
            return Ok(None);
        }
        let (length, ended) = self.line_length()?;
        if length > self.limit {
            return Err(self.too_long());
        }
        if !ended {
            let mut shape = Shape::default();
            let row = &self.buffer[self.start..self.start + length];
            if row[0] == b'{' && matches!(shape.advance(row, false), Step::More) {
                return Err(Broken::Truncated);
            }
        }
        Ok(Some(self.take(length)))
    }

    /// How long the line is, without its end, and whether it has one. A line that is too long
    /// is not read to its end.
    fn line_length(&mut self) -> Result<(usize, bool), Broken> {
        let mut seen = 0;
        loop {
            let rest = &self.buffer[self.start + seen..self.end];
            if let Some(at) = memchr(b'\n', rest) {
                return Ok((seen + at, true));
            }
            seen = self.end - self.start;
            if seen > self.limit || !self.fill()? {
                return Ok((seen, false));
            }
        }
    }

    /// Whether the first line is a row, whole or broken, and no beginning of a page.
    fn looks_like_a_row(&mut self) -> Result<bool, Broken> {
        let (length, _) = self.line_length()?;
        if length > self.limit {
            return Ok(false);
        }
        let line = self.buffer[self.start..self.start + length].trim_ascii_end();
        let open = matches!(line.last(), Some(b'{' | b'[' | b',' | b':'));
        let mut shape = Shape::default();
        let mut at = 0;
        while let Step::List(n) = shape.advance(&line[at..], true) {
            at += n;
            if opens_envelope(&line[..at - 1]).is_some() {
                return Ok(false);
            }
        }
        Ok(!open)
    }

    /// Whether only white space stands between a row and the end of its line.
    fn ends_line(&mut self, length: usize) -> Result<bool, Broken> {
        let mut at = length;
        loop {
            match self.buffer[self.start + at..self.end].first().copied() {
                Some(b'\n') => return Ok(true),
                Some(b' ' | b'\t' | b'\r') => at += 1,
                Some(_) => return Ok(false),
                None if at > length + self.limit => return Ok(false),
                None if !self.fill()? => return Ok(true),
                None => {}
            }
        }
    }

    /// Finds the end of the value that begins here, or the list of an envelope in it.
    fn scan(&mut self, top: bool) -> Result<Scanned, Broken> {
        let mut shape = Shape::default();
        let mut at = 0;
        loop {
            let step = shape.advance(&self.buffer[self.start + at..self.end], top);
            at = match step {
                Step::Closed(n) | Step::List(n) => at + n,
                Step::More => self.end - self.start,
            };
            if at > self.limit {
                return Err(self.too_long());
            }
            match step {
                Step::Closed(_) => return Ok(Scanned::Row(at)),
                Step::List(_) => {
                    let before = &self.buffer[self.start..self.start + at - 1];
                    if let Some(listed) = opens_envelope(before) {
                        return Ok(Scanned::Envelope(at, listed));
                    }
                }
                Step::More if !self.fill()? => return Err(Broken::Truncated),
                Step::More => {}
            }
        }
    }

    /// Finds the end of a number or a bare word.
    fn scan_word(&mut self) -> Result<usize, Broken> {
        let mut at = 0;
        loop {
            let rest = &self.buffer[self.start + at..self.end];
            let end = rest
                .iter()
                .position(|b| matches!(b, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n'));
            at = end.map_or(self.end - self.start, |n| at + n);
            if at > self.limit {
                return Err(self.too_long());
            }
            if end.is_some() {
                return Ok(at);
            }
            if !self.fill()? {
                return Err(Broken::Truncated);
            }
        }
    }

    /// A page begins: what it says before its rows, which so many bytes end.
    fn open_page(&mut self, length: usize) {
        let page = [&self.buffer[self.start..self.start + length], b"]}"].concat();
        self.names_next = names_next(&page);
        self.columns = columns(&page);
    }

    /// The rows of a page are over: what it says after them.
    fn close_page(&mut self) -> Result<(), Broken> {
        // A property before it makes the rest an object.
        let page = [b"{\"\":0".to_vec(), self.skip_tail()?].concat();
        self.pages += 1;
        self.with_next += u64::from(self.names_next || names_next(&page));
        self.columns.clear();
        Ok(())
    }

    /// Passes over what follows a list in an object, and gives it if it is short.
    fn skip_tail(&mut self) -> Result<Vec<u8>, Broken> {
        let mut shape = Shape::within_object();
        let mut tail = Vec::new();
        loop {
            let rest = &self.buffer[self.start..self.end];
            let (length, is_over) = match shape.advance(rest, false) {
                Step::Closed(n) => (n, true),
                Step::List(_) | Step::More => (rest.len(), false),
            };
            if tail.len() < TAIL_LIMIT {
                tail.extend_from_slice(&rest[..length]);
            }
            self.consume(length);
            if is_over {
                return Ok(tail);
            }
            if !self.fill()? {
                return Err(Broken::Truncated);
            }
        }
    }

    /// Passes over white space and shows what follows. A byte order mark is as much: files that
    /// were joined have one where each began.
    fn skip_space(&mut self) -> Result<Option<u8>, Broken> {
        loop {
            let rest = &self.buffer[self.start..self.end];
            let found = rest
                .iter()
                .position(|b| !matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
            self.consume(found.unwrap_or(rest.len()));
            if found.is_some() {
                let rest = &self.buffer[self.start..self.end];
                if rest.starts_with(MARK) {
                    self.consume(MARK.len());
                    continue;
                }
                if !MARK.starts_with(rest) || !self.fill()? {
                    return Ok(Some(self.buffer[self.start]));
                }
                continue;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn too_long(&self) -> Broken {
        Broken::TooLong { limit: self.limit }
    }

    fn take(&mut self, length: usize) -> (Range<usize>, u64) {
        let taken = (self.start..self.start + length, self.line);
        self.consume(length);
        taken
    }

    fn consume(&mut self, length: usize) {
        let passed = &self.buffer[self.start..self.start + length];
        self.line += memchr_iter(b'\n', passed).count() as u64;
        self.start += length;
    }

    /// Reads more; `false` at the end of the input.
    fn fill(&mut self) -> Result<bool, Broken> {
        if self.end == self.buffer.len() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            if self.end == self.buffer.len() {
                // No more than a row may take, and what is read at once.
                let most = self.limit.max(self.end) + CHUNK;
                self.buffer.resize((self.end * 2).min(most), 0);
            }
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

enum Scanned {
    Row(usize),
    Envelope(usize, Listed),
}

/// Whether a page without its rows says where the next one is.
fn names_next(page: &[u8]) -> bool {
    let page: Map<String, Value> = serde_json::from_slice(page).unwrap_or_default();
    page.iter().any(|(name, link)| {
        let name = name.to_ascii_lowercase();
        let is_next = name == "nextlink" || name.ends_with(".nextlink");
        is_next && link.as_str().is_some_and(|link| !link.trim().is_empty())
    })
}

/// The columns that a table without its rows names.
fn columns(table: &[u8]) -> Vec<String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Table {
        columns: Vec<Column>,
    }
    #[derive(Deserialize)]
    struct Column {
        name: String,
    }
    let table: Table = serde_json::from_slice(table).unwrap_or_default();
    table
        .columns
        .into_iter()
        .map(|column| column.name)
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives at most so many bytes at a time, in turn.
    struct Crumbs<'a> {
        rest: &'a [u8],
        sizes: Vec<usize>,
        turn: usize,
    }

    impl Read for Crumbs<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.sizes[self.turn % self.sizes.len()].clamp(1, buffer.len());
            self.turn += 1;
            (&mut self.rest).take(size as u64).read(buffer)
        }
    }

    type Rows = (Vec<(u64, String)>, Option<String>);

    fn split_by(input: &[u8], by_name: bool, sizes: Vec<usize>) -> Rows {
        let crumbs = Crumbs {
            rest: input,
            sizes,
            turn: 0,
        };
        let mut splitter = Splitter::new(crumbs, by_name, ROW_LIMIT);
        let mut rows = Vec::new();
        loop {
            match splitter.next_row() {
                Ok(Some(row)) => rows.push((
                    row.line,
                    String::from_utf8_lossy(row.bytes).trim_end().to_owned(),
                )),
                Ok(None) => return (rows, None),
                Err(error) => return (rows, Some(format!("{}: {error}", splitter.line()))),
            }
        }
    }

    fn rows(input: &str) -> Vec<(u64, String)> {
        let (rows, error) = split_by(input.as_bytes(), false, vec![usize::MAX]);
        assert_eq!(error, None, "{input}");
        rows
    }

    fn error(input: &str) -> String {
        split_by(input.as_bytes(), false, vec![usize::MAX])
            .1
            .unwrap()
    }

    #[test]
    fn every_shape_gives_its_rows_with_their_lines() {
        for (input, expected) in [
            (r#"{"value":[]}"#, vec![]),
            ("[]\n", vec![]),
            (
                r#"{"@odata.context":"x","n":[1],"value":[{"a":1},{"b":[{}]}],"@odata.nextLink":"]"}"#,
                vec![(1, r#"{"a":1}"#), (1, r#"{"b":[{}]}"#)],
            ),
            (
                "{\n \"value\" : [\n  {\"a\":1},\n\n  {\"b\":\"]}\\\"\"}\n ]\n}\n",
                vec![(3, r#"{"a":1}"#), (5, r#"{"b":"]}\""}"#)],
            ),
            (
                r#"{"records": [{"a":1}]} {"records":[{"b":2}]}"#,
                vec![(1, r#"{"a":1}"#), (1, r#"{"b":2}"#)],
            ),
            (
                "{\"records\":[{\"a\":1}]}\n{\"records\":[{\"b\":2}]}\n",
                vec![(1, r#"{"a":1}"#), (2, r#"{"b":2}"#)],
            ),
            (
                r#"[{"a":1}, 7, "x", [1,[2]], null ]"#,
                vec![
                    (1, r#"{"a":1}"#),
                    (1, "7"),
                    (1, r#""x""#),
                    (1, "[1,[2]]"),
                    (1, "null"),
                ],
            ),
            (
                "{\"a\":1}\r\n\r\n{\"b\":2}\r\n",
                vec![(1, r#"{"a":1}"#), (3, r#"{"b":2}"#)],
            ),
            (
                "{\"a\":1}\n{\"broken\n{\"b\":2}",
                vec![(1, r#"{"a":1}"#), (2, "{\"broken"), (3, r#"{"b":2}"#)],
            ),
            (
                "{\"value\":\"x\",\"a\":[\"value\"]}",
                vec![(1, "{\"value\":\"x\",\"a\":[\"value\"]}")],
            ),
            (
                "{\n\"a\":1\n}\n{\n\"b\":2\n}",
                vec![(1, "{\n\"a\":1\n}"), (4, "{\n\"b\":2\n}")],
            ),
            // Joined byte by byte, each with its mark.
            (
                "\u{feff}{\"value\":[{\"a\":1}]}\r\n\u{feff}{\"value\":[{\"b\":2}]}\r\n\u{feff}",
                vec![(1, r#"{"a":1}"#), (2, r#"{"b":2}"#)],
            ),
            (
                "{\"a\":1}\n\u{feff}{\"b\":2}\n",
                vec![(1, r#"{"a":1}"#), (2, r#"{"b":2}"#)],
            ),
            (
                r#"{"a\"value":[{"b":1}]}"#,
                vec![(1, r#"{"a\"value":[{"b":1}]}"#)],
            ),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(line, row)| (line, row.to_owned()))
                .collect();
            assert_eq!(rows(input), expected, "{input}");
        }
    }

    #[test]
    fn wrong_files_say_what_and_where() {
        for (input, expected) in [
            ("", "1: the file is empty"),
            (" \n ", "2: the file is empty"),
            (
                "<html>",
                "1: the content is not JSON rows: it begins with `<`",
            ),
            (
                "\"text\"",
                "1: the content is not JSON rows: it begins with `\\\"`",
            ),
            (
                "{\"value\":[\n{\"a\":1},\n{\"b\":",
                "3: the file is cut off: the JSON that begins here has no end",
            ),
            (
                "{\"value\":[{\"a\":1}",
                "1: the file is cut off: the JSON that begins here has no end",
            ),
            (
                "{\"value\":[{\"a\":1}],\"b\":1",
                "1: the file is cut off: the JSON that begins here has no end",
            ),
            (
                "{\"a\":1}\n{\"b\"",
                "2: the file is cut off: the JSON that begins here has no end",
            ),
            ("[{\"a\":1}\n{\"b\":1}]", "2: unexpected `{` between rows"),
            ("[{\"a\":1},]", "1: unexpected `]` between rows"),
            ("[,{\"a\":1}]", "1: unexpected `,` between rows"),
            ("[]\n\nnonsense", "3: unexpected `n` between rows"),
            ("{\"value\":[]}garbage", "1: unexpected `g` between rows"),
            ("{\"value\":[]garbage}", "1: unexpected `g` between rows"),
        ] {
            assert_eq!(error(input), expected, "{input}");
        }
    }

    #[test]
    fn names_that_promise_lines_may_be_empty_and_begin_with_a_broken_one() {
        let by_name = |input: &str| split_by(input.as_bytes(), true, vec![3]);
        assert_eq!(by_name("\n"), (vec![], None));
        let (rows, error) = by_name("{\"id\":\"a\n{\"id\":\"b\"}\n");
        assert_eq!((rows.len(), error), (2, None));
        assert_eq!(
            by_name("{\"x\":[],\"value\":[{\"a\":1}]}").0,
            [(1, "{\"a\":1}".to_owned())]
        );
        assert_eq!(
            by_name("{\n\"value\":[{\"a\":1}]}").0,
            [(2, "{\"a\":1}".to_owned())]
        );
    }

    #[test]
    fn a_row_above_the_limit_stops_the_file_whatever_its_shape() {
        let long = format!("{{\"a\":\"{}\"}}", "x".repeat(ROW_LIMIT));
        for input in [
            long.clone(),
            format!("[{long}]"),
            format!("{{\"value\":[{long}]}}"),
            format!("{{\"b\":1}}\n{long}\n"),
            format!("[{}]", "1".repeat(ROW_LIMIT + 1)),
        ] {
            assert!(error(&input).ends_with("longer than 1 MiB"));
        }
        let fits = format!("[{{\"a\":\"{}\"}}]", "x".repeat(ROW_LIMIT - 8));
        assert_eq!(rows(&fits).len(), 1);
    }

    fn jsonish() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            Just("{"),
            Just("}"),
            Just("["),
            Just("]"),
            Just(","),
            Just(":"),
            Just("\""),
            Just("\\"),
            Just("\n"),
            Just(" "),
            Just("1"),
            Just("\"value\":["),
            Just("{\"records\":["),
            Just("{\"a\":1}"),
            Just("{\"b\":\"\\\"]\"}"),
            Just("é"),
            Just("\u{feff}"),
        ];
        prop::collection::vec(token, 0..40).prop_map(|tokens| tokens.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn rows_do_not_depend_on_the_sizes_of_reads(
            input in prop_oneof![jsonish(), prop::collection::vec(any::<u8>(), 0..200)],
            sizes in prop::collection::vec(1_usize..12, 1..6),
            by_name: bool,
        ) {
            let whole = split_by(&input, by_name, vec![usize::MAX]);
            prop_assert_eq!(split_by(&input, by_name, sizes), whole);
        }

        #[test]
        fn what_was_put_in_comes_out(
            values in prop::collection::vec("[a-z\"\\\\\\[\\]{}, é\n]{0,20}", 0..8),
            shape in 0..4,
        ) {
            let written: Vec<String> = values.iter().map(|v| serde_json::json!({ "v": v }).to_string()).collect();
            let text = match shape {
                0 => format!("{{\"value\":[{}]}}", written.join(",")),
                1 => format!("[{}]", written.join(",\n")),
                2 => format!("{{\"@c\":[],\"records\":[\n{}],\"z\":[1]}}", written.join(" ,")),
                _ => written.join("\n") + "\n",
            };
            let (rows, error) = split_by(text.as_bytes(), true, vec![7]);
            prop_assert_eq!(error, None);
            prop_assert_eq!(rows.into_iter().map(|(_, row)| row).collect::<Vec<_>>(), written);
        }
    }
}
