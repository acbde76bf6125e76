//! The body of a message as parts, read from the plain text that a template yields.
//!
//! Both parts of a mail are laid out from these, so they cannot tell different facts. The marks
//! are `## ` for a heading, `- ` for a point of a list, `-- ` for the name below a letter, and an
//! empty line between paragraphs.
//! Values stand inside a line and hold no line break ([`super::super::text`]), so that they
//! cannot make a part of their own; a template never begins a line with a value.

use minijinja::{Value, context};

/// One part of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// A heading.
    Heading {
        /// Its words.
        text: String,
    },
    /// A paragraph.
    Paragraph {
        /// Its words, on one line.
        text: String,
    },
    /// A list.
    List {
        /// Its points.
        items: Vec<String>,
    },
    /// Who signs.
    Signature {
        /// The name.
        text: String,
    },
}

impl From<Part> for Value {
    fn from(part: Part) -> Self {
        match part {
            Part::Heading { text } => context! { kind => "heading", text },
            Part::Paragraph { text } => context! { kind => "paragraph", text },
            Part::List { items } => context! { kind => "list", items },
            Part::Signature { text } => context! { kind => "signature", text },
        }
    }
}

/// Reads the parts, in order.
pub(super) fn parts(body: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut open = false;
    for line in body.lines().map(str::trim) {
        match parts.last_mut() {
            _ if line.is_empty() => {
                open = false;
                continue;
            }
            Some(Part::List { items }) if open && !begins_another(line) => {
                match line.strip_prefix("- ") {
                    Some(item) => items.push(item.to_owned()),
                    None => append(items.last_mut(), line),
                }
            }
            Some(Part::Paragraph { text }) if open && !is_mark(line) => append(Some(text), line),
            _ => parts.push(begin(line)),
        }
        open = !line.starts_with("## ");
    }
    parts
}

/// Whether a list ends there without an empty line.
fn begins_another(line: &str) -> bool {
    line.starts_with("## ") || line.starts_with("-- ")
}

fn is_mark(line: &str) -> bool {
    ["## ", "- ", "-- "]
        .iter()
        .any(|mark| line.starts_with(mark))
}

fn begin(line: &str) -> Part {
    if let Some(text) = line.strip_prefix("## ") {
        Part::Heading {
            text: text.to_owned(),
        }
    } else if let Some(text) = line.strip_prefix("-- ") {
        Part::Signature {
            text: text.to_owned(),
        }
    } else if let Some(item) = line.strip_prefix("- ") {
        Part::List {
            items: vec![item.to_owned()],
        }
    } else {
        Part::Paragraph {
            text: line.to_owned(),
        }
    }
}

fn append(text: Option<&mut String>, line: &str) {
    if let Some(text) = text {
        text.push(' ');
        text.push_str(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_make_parts_and_wrapped_lines_join() {
        let read = parts(
            "Hello\nAna,\n\n## By when\nTuesday\n\n- one\n  more\n- two\n\n\nEnd\n- a\n## Help\nRegards\n-- Bo",
        );
        let text = |text: &str| text.to_owned();
        assert_eq!(
            read,
            [
                Part::Paragraph {
                    text: text("Hello Ana,")
                },
                Part::Heading {
                    text: text("By when")
                },
                Part::Paragraph {
                    text: text("Tuesday")
                },
                Part::List {
                    items: vec![text("one more"), text("two")]
                },
                Part::Paragraph { text: text("End") },
                Part::List {
                    items: vec![text("a")]
                },
                Part::Heading { text: text("Help") },
                Part::Paragraph {
                    text: text("Regards")
                },
                Part::Signature { text: text("Bo") },
            ]
        );
    }
}
