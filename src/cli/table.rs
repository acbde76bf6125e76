//! Tables without frames, as wide as the terminal: columns that do not fit are left out, the least
//! needed first, and named; then cells are cut, or wrapped where their text is the point.

use textwrap::{Options, WordSeparator, WordSplitter};
use unicode_width::UnicodeWidthChar;

use super::screen::{Screen, Tone};
use crate::delivery::text::clean_line;

/// A cell is no longer than this, whatever the terminal.
const CELL: usize = 1_000;
/// Between two columns.
const GAP: usize = 2;
/// A column that stays gets so much before one that may go gets anything.
const COMFORT: usize = 30;
/// Where a cell was cut.
const CUT: char = '…';

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its heading, in the table and in CSV.
    pub(crate) title: &'static str,
    /// The highest is left out first; 0 never is.
    rank: u8,
    /// It is not cut to less.
    least: usize,
    /// A number: its last digits stand below each other.
    is_number: bool,
    /// Its cells go on below instead of being cut.
    is_wrapped: bool,
}

/// A cell, and what its colour means.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Column {
    /// A column that stays, and whose cells may be cut to so many characters.
    pub(crate) const fn kept(title: &'static str, least: usize) -> Self {
        Self {
            title,
            rank: 0,
            least,
            is_number: false,
            is_wrapped: false,
        }
    }

    /// A column that is left out where there is no room, the highest rank first.
    pub(crate) const fn ranked(title: &'static str, least: usize, rank: u8) -> Self {
        Self {
            rank,
            ..Self::kept(title, least)
        }
    }

    /// The same, of numbers.
    pub(crate) const fn number(self) -> Self {
        Self {
            is_number: true,
            ..self
        }
    }

    /// The same, of texts that are read to their end.
    pub(crate) const fn wrapped(self) -> Self {
        Self {
            is_wrapped: true,
            ..self
        }
    }
}

impl Cell {
    /// A text whose colour means something.
    pub(crate) fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            tone,
        }
    }
}

impl AsRef<str> for Cell {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::toned(Tone::Plain, text)
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// The lines of a table, and the headings that were left out. Cells are cleaned: names come from a
/// directory that people can edit.
pub(crate) fn lay_out(
    screen: Screen,
    columns: &[Column],
    rows: &[Vec<Cell>],
) -> (Vec<String>, Vec<&'static str>) {
    let rows: Vec<Vec<Cell>> = rows
        .iter()
        .map(|row| row.iter().map(cleaned).collect())
        .collect();
    let natural = natural(columns, &rows);
    let shown = shown(columns, &natural, screen.width());
    let widths = widths(columns, &natural, &shown, screen.width());
    let headings: Vec<Cell> = columns
        .iter()
        .map(|column| Cell::toned(Tone::Strong, column.title))
        .collect();
    let lines = std::iter::once(&headings)
        .chain(&rows)
        .flat_map(|row| lines(screen, columns, row, &shown, &widths))
        .collect();
    let hidden = (0..columns.len()).filter(|at| natural[*at].is_some() && !shown.contains(at));
    (lines, hidden.map(|at| columns[at].title).collect())
}

fn cleaned(cell: &Cell) -> Cell {
    Cell::toned(cell.tone, clean_line(&cell.text, CELL))
}

/// How wide each column wants to be; none of which no cell says anything.
fn natural(columns: &[Column], rows: &[Vec<Cell>]) -> Vec<Option<usize>> {
    let widest = |at: usize| {
        let cells = rows.iter().filter_map(|row| row.get(at));
        cells.map(|cell| columns_of(&cell.text)).max()
    };
    let widths = columns.iter().enumerate();
    widths
        .map(|(at, column)| {
            let widest = widest(at).filter(|width| *width > 0)?;
            Some(widest.max(columns_of(column.title)))
        })
        .collect()
}

/// Which columns fit beside each other. One in which nothing stands is none; one that may be left out takes
/// no comfort from those that stay.
fn shown(columns: &[Column], natural: &[Option<usize>], width: Option<usize>) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len())
        .filter(|at| natural[*at].is_some())
        .collect();
    let Some(width) = width else {
        return shown;
    };
    let wanted = |at: usize| match (natural[at], columns[at].rank) {
        (None, _) => 0,
        (Some(natural), 0) => natural.min(columns[at].least.max(COMFORT)),
        (Some(natural), _) => natural.min(columns[at].least),
    };
    let total = |shown: &[usize]| shown.iter().map(|at| wanted(*at) + GAP).sum::<usize>();
    while total(&shown) > width + GAP {
        let ranked = shown.iter().copied().filter(|at| columns[*at].rank > 0);
        let Some(dropped) = ranked.max_by_key(|at| columns[*at].rank) else {
            break;
        };
        shown.retain(|at| *at != dropped);
    }
    shown
}

/// How wide each shown column is: what room there is goes first to those that lack little.
fn widths(
    columns: &[Column],
    natural: &[Option<usize>],
    shown: &[usize],
    width: Option<usize>,
) -> Vec<usize> {
    let natural: Vec<usize> = natural.iter().map(|natural| natural.unwrap_or(0)).collect();
    let Some(width) = width else {
        return natural;
    };
    let mut widths: Vec<usize> = natural
        .iter()
        .zip(columns)
        .map(|(natural, column)| (*natural).min(column.least))
        .collect();
    let taken: usize = shown.iter().map(|at| widths[*at] + GAP).sum();
    let mut room = (width + GAP).saturating_sub(taken);
    let mut give = |at: usize, wanted: usize| {
        let more = room.min(wanted.saturating_sub(widths[at]));
        widths[at] += more;
        room -= more;
    };
    // Those that stay have their comfort first.
    for at in shown.iter().filter(|at| columns[**at].rank == 0) {
        give(*at, natural[*at].min(COMFORT));
    }
    let mut lacking = shown.to_vec();
    lacking.sort_by_key(|at| natural[*at].saturating_sub(columns[*at].least));
    for at in lacking {
        give(at, natural[at]);
    }
    widths
}

/// A row: one line, or as many as its longest cell needs.
fn lines(
    screen: Screen,
    columns: &[Column],
    row: &[Cell],
    shown: &[usize],
    widths: &[usize],
) -> Vec<String> {
    let cells = row.iter().enumerate().map(|(at, cell)| {
        if shown.contains(&at) && columns[at].is_wrapped {
            wrapped(cell, widths[at])
        } else {
            vec![cell.clone()]
        }
    });
    let cells: Vec<Vec<Cell>> = cells.collect();
    let count = cells.iter().map(Vec::len).max().unwrap_or(1);
    let lines = (0..count).map(|number| {
        let parts = cells.iter().map(|parts| parts.get(number).cloned());
        let parts: Vec<Cell> = parts.map(Option::unwrap_or_default).collect();
        line(screen, columns, &parts, shown, widths)
    });
    lines.collect()
}

/// A cell in lines of that width, broken between words where they fit.
fn wrapped(cell: &Cell, width: usize) -> Vec<Cell> {
    let options = Options::new(width.max(1))
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation);
    let lines = textwrap::wrap(&cell.text, options);
    let lines = lines.into_iter().map(|line| Cell::toned(cell.tone, line));
    lines.collect()
}

fn line(
    screen: Screen,
    columns: &[Column],
    row: &[Cell],
    shown: &[usize],
    widths: &[usize],
) -> String {
    let mut line = String::new();
    let mut gap = 0;
    for at in shown {
        let Some(cell) = row.get(*at) else { continue };
        let text = cut(&cell.text, widths[*at]);
        let pad = widths[*at] - columns_of(&text);
        let (before, after) = if columns[*at].is_number {
            (pad, 0)
        } else {
            (0, pad)
        };
        gap += before;
        if !text.is_empty() {
            line.push_str(&" ".repeat(gap));
            line.push_str(&screen.paint(cell.tone, &text));
            gap = 0;
        }
        gap += after + GAP;
    }
    line
}

/// In how many columns a text stands, letter by letter: no terminal needs more. One that joins letters, or
/// an emoji and its colour, leaves a gap.
fn columns_of(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// A text in so many columns.
fn cut(text: &str, width: usize) -> String {
    if columns_of(text) <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut left = width.saturating_sub(1);
    for c in text.chars() {
        let needed = c.width().unwrap_or(0);
        if needed > left {
            break;
        }
        left -= needed;
        kept.push(c);
    }
    kept.push(CUT);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::kept("user", 12),
        Column::kept("state", 18),
        Column::ranked("mails", 5, 1).number(),
        Column::ranked("id", 36, 2),
    ];

    fn people() -> Vec<Vec<Cell>> {
        let row = |user: &str, state: &str, mails: &str, id: &str| {
            vec![user.into(), state.into(), mails.into(), id.into()]
        };
        vec![
            row(
                "ana.beer@contoso.example",
                "enforcement_needed",
                "4",
                "0f0e0d0c-0000-4000-8000-000000000001",
            ),
            row(
                "李小龍 \u{1b}[31m李小龍李小龍",
                "in_grace",
                "12",
                "0f0e0d0c-0000-4000-8000-000000000002",
            ),
            row("", "gone", "", "0f0e0d0c-0000-4000-8000-000000000003"),
        ]
    }

    fn at(width: Option<usize>) -> (String, Vec<&'static str>) {
        let (lines, hidden) = lay_out(Screen::of(width, false), &COLUMNS, &people());
        for line in &lines {
            assert!(
                width.is_none_or(|width| columns_of(line) <= width),
                "{line:?}"
            );
            assert_eq!(line.trim_end(), line);
        }
        (lines.join("\n"), hidden)
    }

    #[test]
    fn a_table_leaves_out_what_does_not_fit_and_then_cuts() {
        let (whole, hidden) = at(None);
        assert_eq!(hidden, Vec::<&str>::new());
        assert_eq!(at(Some(160)).0, whole);
        insta::assert_snapshot!(whole, @r"
        user                      state               mails  id
        ana.beer@contoso.example  enforcement_needed      4  0f0e0d0c-0000-4000-8000-000000000001
        李小龍 [31m李小龍李小龍   in_grace               12  0f0e0d0c-0000-4000-8000-000000000002
                                  gone                       0f0e0d0c-0000-4000-8000-000000000003
        ");
        let (narrow, hidden) = at(Some(60));
        assert_eq!(hidden, ["id"]);
        insta::assert_snapshot!(narrow, @r"
        user                      state               mails
        ana.beer@contoso.example  enforcement_needed      4
        李小龍 [31m李小龍李小龍   in_grace               12
                                  gone
        ");
        let (least, hidden) = at(Some(34));
        assert_eq!(hidden, ["mails", "id"]);
        insta::assert_snapshot!(least, @r"
        user            state
        ana.beer@cont…  enforcement_needed
        李小龍 [31m李…  in_grace
                        gone
        ");
    }

    #[test]
    fn what_is_read_to_its_end_goes_on_below() {
        let columns = [
            Column::kept("user", 12),
            Column::ranked("details", 12, 1).wrapped(),
            Column::kept("state", 8),
        ];
        let row = |user: &str, details: &str| vec![user.into(), details.into(), "in_grace".into()];
        let rows = [
            row("ana", "the window was extended: INC-12345678901234567890"),
            row("bo", ""),
        ];
        let (lines, _) = lay_out(Screen::of(Some(40), false), &columns, &rows);
        insta::assert_snapshot!(lines.join("\n"), @r"
        user  details                   state
        ana   the window was extended:  in_grace
              INC-12345678901234567890
        bo                              in_grace
        ");
        let (lines, _) = lay_out(Screen::of(None, false), &columns, &rows);
        assert_eq!(lines.len(), 3, "elsewhere a row is a line");
    }

    /// Some terminals join two letters or an emoji and its colour, others do not: neither line is broken.
    #[test]
    fn what_a_terminal_may_join_has_room_for_its_parts() {
        for name in [
            "لا لا لا",
            "👍🏽👍🏽👍🏽",
            "👩\u{200d}🚀👩\u{200d}🚀",
            "क्षत्रिय",
            "ﬁ ﬃ",
        ] {
            let row = vec![name.into(), "in_grace".into()];
            let (lines, _) = lay_out(Screen::of(None, false), &COLUMNS[..2], &[row]);
            let before = lines[1].split("in_grace").next().unwrap();
            let alone: usize = before.chars().filter_map(UnicodeWidthChar::width).sum();
            assert_eq!(alone, lines[0].find("state").unwrap(), "{name}");
        }
    }

    #[test]
    fn colours_take_no_room() {
        let plain = lay_out(Screen::of(Some(60), false), &COLUMNS, &people()).0;
        let colored = lay_out(Screen::of(Some(60), true), &COLUMNS, &people()).0;
        for (plain, colored) in plain.iter().zip(&colored) {
            let stripped = colored.replace("\u{1b}[1m", "").replace("\u{1b}[0m", "");
            assert_eq!(*plain, stripped);
        }
        assert!(colored[0].contains("\u{1b}[1muser"));
    }
}
