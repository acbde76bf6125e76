//! Where a JSON value ends, by its brackets and strings alone, in pieces of any size.
//!
//! Depth is a number and not a stack: mismatched brackets are for the row's reader to refuse.

use memchr::memchr2;

/// What the elements of a list are, by the property of the object that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    /// Rows: the `value` or `records` of a page, the `rows` of a table after its columns.
    Rows,
    /// Tables, the first property of what the query API of Log Analytics answers.
    Tables,
}

/// What the list that opens here holds, in the object that begins with these bytes.
pub(super) fn opens_envelope(before: &[u8]) -> Option<Listed> {
    let key = before.trim_ascii_end().strip_suffix(b":")?;
    let key = key.trim_ascii_end();
    let is = |name: &[u8]| {
        let at = key.len().checked_sub(name.len())?;
        let (rest, end) = key.split_at(at);
        let rest = rest.trim_ascii_end();
        let follows = matches!(rest.last(), Some(b'{' | b','));
        (follows && end.eq_ignore_ascii_case(name)).then_some(rest)
    };
    if is(b"\"value\"").is_some() || is(b"\"records\"").is_some() {
        return Some(Listed::Rows);
    }
    if is(b"\"rows\"").is_some_and(names_columns) {
        return Some(Listed::Rows);
    }
    is(b"\"tables\"")
        .is_some_and(|rest| rest == b"{")
        .then_some(Listed::Tables)
}

/// Whether an object that is not whole has a property `columns`.
fn names_columns(object: &[u8]) -> bool {
    memchr::memmem::find(object, b"\"columns\"").is_some()
}

/// Brackets and strings, as far as they have been seen.
#[derive(Default)]
pub(super) struct Shape {
    depth: usize,
    string: bool,
    escape: bool,
}

pub(super) enum Step {
    /// The value ends before this offset.
    Closed(usize),
    /// A list opens directly in the outermost object, before this offset.
    List(usize),
    /// All bytes belong to the value.
    More,
}

impl Shape {
    /// The state after the beginning of an object.
    pub(super) fn within_object() -> Self {
        Self {
            depth: 1,
            ..Self::default()
        }
    }

    /// Looks at more bytes; `lists` asks to stop at lists directly in the outermost object.
    pub(super) fn advance(&mut self, bytes: &[u8], lists: bool) -> Step {
        let mut at = 0;
        if self.escape && !bytes.is_empty() {
            self.escape = false;
            at = 1;
        }
        loop {
            if self.string {
                let Some(n) = memchr2(b'"', b'\\', &bytes[at..]) else {
                    return Step::More;
                };
                at += n + 1;
                if bytes[at - 1] == b'\\' {
                    if at == bytes.len() {
                        self.escape = true;
                        return Step::More;
                    }
                    at += 1;
                    continue;
                }
                self.string = false;
                if self.depth == 0 {
                    return Step::Closed(at);
                }
            }
            let Some(n) = bytes[at..]
                .iter()
                .position(|b| matches!(b, b'"' | b'{' | b'[' | b'}' | b']'))
            else {
                return Step::More;
            };
            at += n + 1;
            match bytes[at - 1] {
                b'"' => self.string = true,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Step::Closed(at);
                    }
                }
                open => {
                    self.depth += 1;
                    if lists && open == b'[' && self.depth == 2 {
                        return Step::List(at);
                    }
                }
            }
        }
    }
}
