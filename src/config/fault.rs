//! What is wrong with a configuration: every fault at once, with file, line, column, a caret and
//! what to do about it. Serde alone would stop at the first.

use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, SourceCode,
    SourceSpan, SpanContents,
};
use textwrap::{WordSeparator, WordSplitter};

/// How wide a fault is shown where nobody knows how wide the place is.
const WIDTH: usize = 110;

/// What stands beside a line of the file: its number and a border.
const MARGIN: usize = 8;

/// Whether the configuration can be used in spite of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is refused.
    Error,
    /// It works, perhaps otherwise than meant.
    Warning,
}

/// Where the value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// These bytes of the file.
    File(Range<usize>),
    /// An environment variable.
    Variable(String),
    /// Nowhere: it is missing from the file as a whole.
    Missing,
}

/// The file that faults are about, without its secrets.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Source {
    name: String,
    text: String,
}

impl Source {
    pub(super) fn new(name: String, text: String) -> Self {
        Self { name, text }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Source {
    /// Line and column, from 1.
    fn position(&self, at: usize) -> Option<(usize, usize)> {
        let before = self.text.get(..at)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The line of a place in the file, from 1.
    pub(super) fn line(&self, place: &Place) -> Option<usize> {
        match place {
            Place::File(span) => self.position(span.start).map(|(line, _)| line),
            Place::Variable(_) | Place::Missing => None,
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone)]
pub struct Fault {
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub place: Place,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do.
    pub remedy: String,
    source: Arc<Source>,
}

impl Fault {
    pub(super) fn new(
        severity: Severity,
        place: Place,
        message: String,
        remedy: String,
        source: Arc<Source>,
    ) -> Self {
        Self {
            severity,
            place,
            message,
            remedy,
            source,
        }
    }

    /// Line and column, from 1, where the fault is in the file.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        match &self.place {
            Place::File(span) => self.source.position(span.start),
            Place::Variable(_) | Place::Missing => None,
        }
    }

    /// The fault with the line it is about.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        self.render_within(WIDTH, color)
    }

    /// The same for a terminal of that width. Lines are broken between words only, so that a key or a path
    /// can be copied; of a line of the file that is too long, the part around the fault is shown.
    #[must_use]
    pub fn render_within(&self, width: usize, color: bool) -> String {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_break_words(false)
            .with_word_separator(WordSeparator::AsciiSpace)
            .with_word_splitter(WordSplitter::NoHyphenation)
            .with_context_lines(0)
            .with_links(false);
        let shown = Shown {
            fault: self,
            width: width.saturating_sub(MARGIN),
        };
        let mut text = String::new();
        match handler.render_report(&mut text, &shown) {
            Ok(()) => text,
            Err(_) => format!("{self}\n"),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.place, self.position()) {
            (Place::Variable(name), _) => write!(f, "{name}: {}", self.message),
            (_, Some((line, column))) => {
                write!(f, "{}:{line}:{column}: {}", self.source.name, self.message)
            }
            (_, None) => write!(f, "{}: {}", self.source.name, self.message),
        }
    }
}

impl std::error::Error for Fault {}

/// A fault as it is shown: with as much of the line as fits.
#[derive(Debug)]
struct Shown<'a> {
    fault: &'a Fault,
    width: usize,
}

impl std::fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.fault.fmt(f)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.fault.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        let remedy = &self.fault.remedy;
        (!remedy.is_empty()).then(|| Box::new(remedy) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        matches!(self.fault.place, Place::File(_)).then_some(self as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place::File(span) = &self.fault.place else {
            return None;
        };
        let label = LabeledSpan::new(None, span.start, span.len().max(1));
        Some(Box::new(std::iter::once(label)))
    }
}

/// Gives the lines of the fault, and of one that is too long the part around it; and no name: the message
/// says the place.
impl SourceCode for Shown<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let text = &self.fault.source.text;
        let (start, end) = around(text, span.offset(), span.len(), self.width);
        text.read_span(&(start..end).into(), before, after)
    }
}

/// The bytes of the lines that a span touches; of a single line that is longer than `width`, no more than
/// that, with what stands before the span as far as there is room.
fn around(text: &str, offset: usize, length: usize, width: usize) -> (usize, usize) {
    let bytes = text.as_bytes();
    let (from, to) = (offset.min(bytes.len()), offset + length);
    let start = bytes[..from].iter().rposition(|byte| *byte == b'\n');
    let start = start.map_or(0, |at| at + 1);
    // The line's own end stays outside, else the next line would be shown too.
    let last = to.saturating_sub(1).clamp(start, bytes.len());
    let end = bytes[last..].iter().position(|byte| *byte == b'\n');
    let end = end.map_or(bytes.len(), |at| last + at);
    let line = &text[start..end];
    if line.contains('\n') || line.chars().count() <= width {
        return (start, end);
    }
    let boundaries: Vec<usize> = line.char_indices().map(|(at, _)| start + at).collect();
    let first = boundaries.partition_point(|at| *at < from);
    let spanned = boundaries.partition_point(|at| *at < to) - first;
    // A word too many to the left is no loss; the end of the span is.
    let room = width.saturating_sub(spanned.max(1));
    let left = first
        .saturating_sub(room / 2)
        .min(boundaries.len().saturating_sub(width));
    let right = left + width;
    let byte_at = |at: usize| boundaries.get(at).copied().unwrap_or(end);
    (byte_at(left), byte_at(right))
}

/// Everything that is wrong: the configuration is refused.
#[derive(Debug)]
pub struct Faults(pub Vec<Fault>);

impl Faults {
    /// Faults before warnings, each in the order of the file.
    #[must_use]
    pub fn sorted(mut faults: Vec<Fault>) -> Self {
        faults.sort_by_key(|fault| (fault.severity, fault.position()));
        Self(faults)
    }

    /// Whether the configuration can be used in spite of them.
    #[must_use]
    pub fn are_warnings(&self) -> bool {
        self.0
            .iter()
            .all(|fault| fault.severity == Severity::Warning)
    }

    /// How many there are, faults and warnings each by themselves.
    #[must_use]
    pub fn counted(&self) -> String {
        let of = |severity, one: &str, word: &str| {
            let count = self
                .0
                .iter()
                .filter(|fault| fault.severity == severity)
                .count();
            match count {
                0 => None,
                1 => Some(format!("one {one}")),
                count => Some(format!("{count} {word}")),
            }
        };
        let counts = [
            of(Severity::Error, "fault", "faults"),
            of(Severity::Warning, "warning", "warnings"),
        ];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        counts.join(" and ")
    }
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for fault in &self.0 {
            write!(f, "{}", fault.render(false))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_line_the_part_around_the_fault_is_shown() {
        let line = format!("key = [{}]", "\"***\", ".repeat(20));
        let text = format!("a = 1\n{line}\nb = 2\n");
        let shown = |at: usize, length: usize, width: usize| {
            let (start, end) = around(&text, at, length, width);
            &text[start..end]
        };
        assert_eq!(shown(0, 1, 60), "a = 1");
        assert_eq!(shown(6, 3, 200), line);
        assert_eq!(shown(6, 3, 20), &line[..20]);
        for at in (6..6 + line.len() - 5).step_by(7) {
            let part = shown(at, 5, 30);
            assert_eq!(part.len(), 30, "{at}");
            assert!(part.contains(&text[at..at + 5]), "{at}");
        }
        // A fault of several lines shows them all.
        assert_eq!(shown(0, 8, 3), &text[..6 + line.len()]);
    }

    #[test]
    fn lines_are_broken_between_words_only() {
        let text = "path = \"x\"\n".to_owned();
        let source = Arc::new(Source::new(
            "/etc/fortnight/fortnight.toml".to_owned(),
            text,
        ));
        let fault = Fault::new(
            Severity::Error,
            Place::File(0..4),
            "`directory.graph.federated_token_file` names no-file/of-this-machine.txt at all"
                .to_owned(),
            "write [directory.graph] federated_token_file = \"/var/run/secrets/token\"".to_owned(),
            source,
        );
        for width in [20, 40, 60, 100, 160] {
            let rendered = fault.render_within(width, false);
            for word in [
                "/etc/fortnight/fortnight.toml:1:1:",
                "`directory.graph.federated_token_file`",
                "no-file/of-this-machine.txt",
                "\"/var/run/secrets/token\"",
            ] {
                assert!(rendered.contains(word), "{width}: {rendered}");
            }
        }
    }
}
