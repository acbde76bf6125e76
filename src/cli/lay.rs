//! Lines of a label and a text that may be long: beside each other where there is room, else below each
//! other, and broken between words only, so that a name, a key or a path can be copied.

use terminal_size::{Height, Width, terminal_size_of};
use textwrap::{Options, WordSeparator, WordSplitter};

/// A text narrower than this is harder to read than one on lines of its own.
const ROOM: usize = 36;

/// What stands before a text on lines of its own.
const INDENT: &str = "    ";

/// How wide stdout is, where it is a terminal.
pub(super) fn width() -> Option<usize> {
    let (Width(width), Height(_)) = terminal_size_of(std::io::stdout())?;
    Some(usize::from(width))
}

/// A label and its text, which begins after `column` characters where both fit. Without a width everything
/// is one line, for whoever searches a log.
pub(super) fn entry(label: &str, text: &str, column: usize, width: Option<usize>) -> String {
    let gap = column.saturating_sub(label.chars().count()).max(2);
    let beside = format!("{label}{}{text}", " ".repeat(gap));
    match width {
        None => beside,
        Some(width) if width >= column + ROOM && label.chars().count() + 2 <= column => {
            let indent = " ".repeat(column);
            textwrap::fill(&beside, options(width).subsequent_indent(&indent))
        }
        Some(width) => {
            let label = textwrap::fill(label, options(width));
            let indented = options(width).initial_indent(INDENT);
            let text = textwrap::fill(text, indented.subsequent_indent(INDENT));
            format!("{label}\n{text}")
        }
    }
}

/// A sentence by itself.
pub(super) fn sentence(text: &str, width: Option<usize>) -> String {
    width.map_or_else(
        || text.to_owned(),
        |width| textwrap::fill(text, options(width).subsequent_indent(INDENT)),
    )
}

fn options<'a>(width: usize) -> Options<'a> {
    Options::new(width)
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_beside_its_label_where_there_is_room() {
        let text = "a text that names /var/lib/fortnight/some-folder and goes on for a while";
        insta::assert_snapshot!(entry("mail", text, 12, Some(60)), @r"
        mail        a text that names /var/lib/fortnight/some-folder
                    and goes on for a while
        ");
        insta::assert_snapshot!(entry("mail", text, 12, Some(40)), @r"
        mail
            a text that names
            /var/lib/fortnight/some-folder and
            goes on for a while
        ");
        insta::assert_snapshot!(entry("a label too long", text, 12, Some(60)), @r"
        a label too long
            a text that names /var/lib/fortnight/some-folder and
            goes on for a while
        ");
        assert_eq!(entry("mail", text, 12, None), format!("mail        {text}"));
        for width in 1..100 {
            assert!(
                entry("mail", text, 12, Some(width)).contains("/var/lib/fortnight/some-folder")
            );
        }
    }
}
