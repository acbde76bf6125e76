//! What is wrong with a configuration: every fault at once, with file, line, column, a caret and
//! what to do about it. Serde alone would stop at the first.

use std::ops::Range;
use std::sync::Arc;

use miette::{
    Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, SourceCode,
    SourceSpan, SpanContents,
};

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

/// Gives whole lines, and no name: the message says the place.
impl SourceCode for Source {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let bytes = self.text.as_bytes();
        let (start, end) = (span.offset().min(bytes.len()), span.offset() + span.len());
        let start = bytes[..start]
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        // The line's own end stays outside, else the next line would be shown too.
        let last = end.saturating_sub(1).clamp(start, bytes.len());
        let end = bytes[last..]
            .iter()
            .position(|byte| *byte == b'\n')
            .map_or(bytes.len(), |at| last + at);
        self.text.read_span(&(start..end).into(), before, after)
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
        let Place::File(span) = &self.place else {
            return None;
        };
        let before = self.source.text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Some((
            before.matches('\n').count() + 1,
            before[line_start..].chars().count() + 1,
        ))
    }

    /// The fault with the line it is about, for a terminal.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        let theme = if color {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(110)
            .with_context_lines(0)
            .with_links(false);
        let mut text = String::new();
        match handler.render_report(&mut text, self) {
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

impl Diagnostic for Fault {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        (!self.remedy.is_empty()).then(|| Box::new(&self.remedy) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        matches!(self.place, Place::File(_)).then_some(&*self.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let Place::File(span) = &self.place else {
            return None;
        };
        let label = LabeledSpan::new(None, span.start, span.len().max(1));
        Some(Box::new(std::iter::once(label)))
    }
}

/// Everything that is wrong: the configuration is refused.
#[derive(Debug)]
pub struct Faults(pub Vec<Fault>);

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for fault in &self.0 {
            write!(f, "{}", fault.render(false))?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}
