//! How the reader sees: how wide the terminal is, and whether colours are wanted.
//!
//! Elsewhere than on a terminal a line is as long as it is: whoever searches in it finds it whole.

use std::io::{IsTerminal as _, stderr, stdout};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use terminal_size::{Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter};

/// Prose that is wider is hard to read, however wide the terminal is.
const PROSE: usize = 100;

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A text narrower than this is harder to read than one on lines of its own.
const ROOM: usize = 36;
/// What stands before a text on lines of its own.
const INDENT: &str = "    ";

/// What the reader sees through.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    width: Option<usize>,
    is_colored: bool,
}

/// What a colour means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing.
    #[default]
    Plain,
    /// A heading.
    Strong,
    /// What is there to be looked up, and not to be read first.
    Faint,
    /// It is done.
    Good,
    /// It will ask for something.
    Watch,
    /// A person should look.
    Bad,
}

impl Color {
    /// Whether to colour what goes there: <https://no-color.org>.
    pub fn is_wanted(self, on_terminal: bool) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                on_terminal
                    && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
                    && std::env::var_os("NO_COLOR").is_none_or(|no| no.is_empty())
            }
        }
    }
}

impl Screen {
    /// What results are read on.
    pub(crate) fn stdout(color: Color) -> Self {
        Self {
            width: width_of(stdout()),
            is_colored: color.is_wanted(stdout().is_terminal()),
        }
    }

    /// What errors and progress are read on.
    pub(crate) fn stderr(color: Color) -> Self {
        Self {
            width: width_of(stderr()),
            is_colored: color.is_wanted(stderr().is_terminal()),
        }
    }

    /// One of that width, in colours or not.
    #[cfg(test)]
    pub(crate) fn of(width: Option<usize>, is_colored: bool) -> Self {
        Self { width, is_colored }
    }

    /// How many columns there are; elsewhere than on a terminal, no end of them.
    pub(crate) fn width(self) -> Option<usize> {
        self.width
    }

    /// Whether colours are wanted.
    pub(crate) fn is_colored(self) -> bool {
        self.is_colored
    }

    /// A text in the colour of what it means.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.is_colored || tone == Tone::Plain || text.is_empty() {
            return text.to_owned();
        }
        let style = tone.style();
        format!("{style}{text}{style:#}")
    }

    /// A sentence behind its beginning, its further lines behind `hang`; never broken inside a word.
    pub(crate) fn wrap(self, begin: &str, hang: &str, text: &str) -> String {
        let Some(width) = self.width else {
            return format!("{begin}{text}");
        };
        let options = prose(width).initial_indent(begin);
        textwrap::fill(text, options.subsequent_indent(hang))
    }

    /// A label and its text: beside each other, where both fit, with the text after `column` characters;
    /// else below each other.
    pub(crate) fn entry(self, label: &str, text: &str, column: usize) -> String {
        let gap = column.saturating_sub(label.chars().count()).max(2);
        let begin = format!("{label}{}", " ".repeat(gap));
        let is_narrow = |width: usize| width < column + ROOM || label.chars().count() + 2 > column;
        if !self.width.is_some_and(is_narrow) {
            return self.wrap(&begin, &" ".repeat(column), text);
        }
        let label = self.wrap("", "", label);
        format!("{label}\n{}", self.wrap(INDENT, INDENT, text))
    }

    /// What went wrong. What has lines of its own keeps them.
    pub(crate) fn complaint(self, text: &str) -> String {
        let begin = "fortnight: ";
        if text.contains('\n') {
            return format!("{begin}{text}");
        }
        self.wrap(begin, "  ", text)
    }
}

impl Tone {
    /// The sixteen colours follow the terminal's own theme, light or dark.
    fn style(self) -> Style {
        let colored = |color: AnsiColor| color.on_default();
        match self {
            Self::Plain => Style::new(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Good => colored(AnsiColor::Green),
            Self::Watch => colored(AnsiColor::Yellow),
            Self::Bad => colored(AnsiColor::Red).bold(),
        }
    }
}

/// Lines that are broken between words only, so that a name, a key or a path can be copied.
fn prose<'a>(width: usize) -> Options<'a> {
    Options::new(width.min(PROSE))
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
}

/// How wide help is: as the terminal that it is read on, and never so narrow that each word has a line of its own.
pub(crate) fn width_of_help() -> usize {
    help_within(width_of(stdout()).or_else(|| width_of(stderr())))
}

fn help_within(width: Option<usize>) -> usize {
    width.unwrap_or(PROSE).clamp(ROOM, PROSE)
}

fn width_of(stream: impl std::os::fd::AsFd) -> Option<usize> {
    terminal_size_of(stream).map(|(Width(width), _)| usize::from(width))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_never_broken_inside_a_word_and_off_a_terminal_not_at_all() {
        let text = "Approve it: fortnight enforcement approve groups:0a0a0a0a-0000-4000-8000-000000000001 --reason WHY";
        assert_eq!(
            Screen::of(Some(40), false).wrap("Held  ", "      ", text),
            "Held  Approve it: fortnight enforcement\n      approve\n      groups:0a0a0a0a-0000-4000-8000-000000000001\n      --reason WHY"
        );
        assert_eq!(
            Screen::of(None, false).wrap("- ", "  ", text),
            format!("- {text}")
        );
    }

    #[test]
    fn a_text_stands_beside_its_label_where_there_is_room() {
        let text = "a text that names /var/lib/fortnight/some-folder and goes on for a while";
        insta::assert_snapshot!(Screen::of(Some(60), false).entry("mail", text, 12), @r"
        mail        a text that names /var/lib/fortnight/some-folder
                    and goes on for a while
        ");
        insta::assert_snapshot!(Screen::of(Some(40), false).entry("mail", text, 12), @r"
        mail
            a text that names
            /var/lib/fortnight/some-folder and
            goes on for a while
        ");
        insta::assert_snapshot!(Screen::of(Some(60), false).entry("a label too long", text, 12), @r"
        a label too long
            a text that names /var/lib/fortnight/some-folder and
            goes on for a while
        ");
        assert_eq!(
            Screen::of(None, false).entry("mail", text, 12),
            format!("mail        {text}")
        );
        for width in 1..100 {
            assert!(
                Screen::of(Some(width), false)
                    .entry("mail", text, 12)
                    .contains("/var/lib/fortnight/some-folder")
            );
        }
    }

    #[test]
    fn help_is_neither_too_wide_nor_a_column_of_words() {
        let widths = [None, Some(0), Some(1), Some(72), Some(300)];
        assert_eq!(widths.map(help_within), [100, 36, 36, 72, 100]);
    }

    #[test]
    fn colours_are_there_where_they_are_wanted() {
        let painted = Screen::of(None, true).paint(Tone::Bad, "held");
        assert_eq!(painted, "\u{1b}[1m\u{1b}[31mheld\u{1b}[0m");
        assert_eq!(Screen::of(None, false).paint(Tone::Bad, "held"), "held");
        assert_eq!(Screen::of(None, true).paint(Tone::Plain, "held"), "held");
    }
}
