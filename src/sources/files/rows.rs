//! The rows of a part, whatever its format, as facts, skipped rows and quarantined rows.

use jiff::Timestamp;

use super::columns;
use super::csv::{Cells, Column, Table};
use super::json::{Broken, Splitter};
use super::open::{Input, open};
use super::{Format, Part};
use crate::domain::audit::AuditEvent;
use crate::domain::person::Person;
use crate::domain::sign_in::SignIn;
use crate::sources::wire::{
    self, Group, GroupRow, Recorded, RegistrationRow, Report, Row, RowError, UserRow,
};
use crate::sources::{Item, Quarantined, SourceError};

/// Reads the users of a part.
#[must_use]
pub fn users(part: &Part, now: Timestamp) -> Rows<Person> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::USERS,
            of_objects: true,
            needs: &["id", "userPrincipalName", "accountEnabled"],
            remedy: "add it to `$select` and export again",
            cells: |cells, _| columns::user(cells),
            json: |raw, _, seen| {
                let row: UserRow<'_> = wire::parse(raw)?;
                if !row.removed.is_present() {
                    seen.note(
                        [&row.id, &row.user_principal_name, &row.account_enabled]
                            .map(wire::Scalar::is_present),
                    );
                }
                row.person()
            },
        },
    )
}

/// Reads the groups of a part.
#[must_use]
pub fn groups(part: &Part, now: Timestamp) -> Rows<Group> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::GROUPS,
            of_objects: true,
            needs: &["id", "members"],
            remedy: "export each group with its members (object ids or user principal names)",
            cells: |cells, _| columns::group(cells),
            json: |raw, _, seen| {
                let row: GroupRow<'_> = wire::parse(raw)?;
                if !row.removed.is_present() {
                    seen.note([row.id.is_present(), row.tells_members()]);
                }
                row.group()
            },
        },
    )
}

/// Reads the registration report of a part.
#[must_use]
pub fn registration(part: &Part, now: Timestamp) -> Rows<Report> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::REGISTRATION,
            of_objects: true,
            needs: &["isMfaCapable"],
            remedy: "export `userRegistrationDetails` with all its properties",
            cells: |cells, _| columns::registration(cells),
            json: |raw, _, seen| {
                let row: RegistrationRow<'_> = wire::parse(raw)?;
                seen.note([row.is_mfa_capable.is_present()]);
                row.report()
            },
        },
    )
}

/// Reads the sign-ins of a part.
#[must_use]
pub fn sign_ins(part: &Part, now: Timestamp) -> Rows<SignIn> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::SIGN_IN,
            of_objects: false,
            needs: &[],
            remedy: "",
            cells: |cells, context| columns::sign_in(cells, context.recorded, context.now),
            json: |raw, context, _| wire::sign_in(raw, context.recorded, context.now),
        },
    )
}

/// Reads the audit events of a part.
#[must_use]
pub fn audits(part: &Part, now: Timestamp) -> Rows<AuditEvent> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::AUDIT,
            of_objects: false,
            needs: &[],
            remedy: "",
            cells: |cells, context| columns::audit(cells, context.now),
            json: |raw, context, _| wire::audit(raw, context.now),
        },
    )
}

/// The rows of a part. An error is the last item, and what came before it is not to be kept.
pub struct Rows<T> {
    part: Part,
    context: Context,
    kind: Kind<T>,
    seen: Seen,
    begun: bool,
    state: State,
}

struct Context {
    now: Timestamp,
    recorded: Recorded,
}

/// How rows of one collection are read.
struct Kind<T> {
    columns: &'static [Column],
    /// Whether a row's id is that of an object, of which there are few, and not of an event.
    of_objects: bool,
    /// Properties that at least one row of a JSON file must have.
    needs: &'static [&'static str],
    remedy: &'static str,
    cells: FromCells<T>,
    json: FromJson<T>,
}

type FromCells<T> = fn(&Cells<'_>, &Context) -> Result<Row<T>, RowError>;
type FromJson<T> = fn(&[u8], &Context, &mut Seen) -> Result<Row<T>, RowError>;

/// Which needed properties the rows have had so far.
#[derive(Default)]
struct Seen {
    rows: u64,
    has: [bool; 3],
}

impl Seen {
    fn note<const N: usize>(&mut self, has: [bool; N]) {
        self.rows += 1;
        for (seen, has) in self.has.iter_mut().zip(has) {
            *seen |= has;
        }
    }
}

enum State {
    Json(Box<Splitter<Input>>),
    Csv(Box<Table>),
    Failed(SourceError),
    Over,
}

impl<T> Rows<T> {
    fn open(part: &Part, now: Timestamp, kind: Kind<T>) -> Self {
        let state = open(part).and_then(|opened| {
            Ok(match part.format {
                Format::Csv => State::Csv(Box::new(Table::open(part, opened, kind.columns)?)),
                Format::Json | Format::JsonLines => State::Json(Box::new(Splitter::new(
                    opened.input,
                    part.format == Format::JsonLines,
                ))),
            })
        });
        Self {
            part: part.clone(),
            context: Context {
                now,
                recorded: part.recorded,
            },
            kind,
            seen: Seen::default(),
            begun: false,
            state: state.unwrap_or_else(State::Failed),
        }
    }

    fn advance(&mut self) -> Result<Option<Item<T>>, SourceError> {
        let (row, id, line) = match &mut self.state {
            State::Over => return Ok(None),
            State::Failed(_) => {
                let State::Failed(error) = std::mem::replace(&mut self.state, State::Over) else {
                    return Ok(None);
                };
                return Err(error);
            }
            State::Csv(table) => match table.next(&self.part)? {
                Some((Ok(cells), line)) => {
                    let row = (self.kind.cells)(&cells, &self.context);
                    let id = cells.value("id").ok().filter(|_| row.is_err());
                    let id = id.and_then(|id| id.as_str().map(str::to_owned));
                    (row, id, line)
                }
                Some((Err(error), line)) => (Err(error), None, line),
                None => return Ok(None),
            },
            State::Json(splitter) => match splitter.next_row() {
                Ok(Some(element)) => {
                    let row = (self.kind.json)(element.bytes, &self.context, &mut self.seen);
                    let first = !std::mem::replace(&mut self.begun, true);
                    if first && row.is_err() && is_error_answer(element.bytes) {
                        return Err(self.part.wrong(
                            Some(element.line),
                            "it holds an error answer instead of rows".to_owned(),
                            "read the error in it, mend that and export again",
                        ));
                    }
                    let id = row.is_err().then(|| wire::object_id(element.bytes));
                    (row, id.flatten(), element.line)
                }
                Ok(None) => return self.check_needs().map(|()| None),
                Err(broken) => {
                    let line = splitter.line();
                    return Err(self.broken(broken, line));
                }
            },
        };
        Ok(Some(match row {
            Ok(Row::Fact(fact)) => Item::Fact(fact),
            Ok(Row::Skipped(why)) => Item::Skipped(why),
            Err(error) => {
                let row = Quarantined {
                    file: self.part.name.clone(),
                    line,
                    reason: error.to_string(),
                };
                Item::Quarantined(row, id.filter(|_| self.kind.of_objects))
            }
        }))
    }

    /// A file none of whose rows has a needed property was exported without it.
    fn check_needs(&self) -> Result<(), SourceError> {
        let missing = self
            .kind
            .needs
            .iter()
            .zip(self.seen.has)
            .find(|(_, has)| !has);
        match missing {
            Some((name, _)) if self.seen.rows > 0 => Err(self.part.wrong(
                None,
                format!("none of its rows has `{name}`"),
                self.kind.remedy,
            )),
            _ => Ok(()),
        }
    }

    fn broken(&self, broken: Broken, line: u64) -> SourceError {
        let remedy = match &broken {
            Broken::Io(_) => "",
            Broken::Empty => "export it again; an export without rows reads {\"value\":[]}",
            Broken::NotRows { .. } => {
                "save a page {\"value\":[…]}, an array, or one object a line; name CSV files .csv"
            }
            Broken::TooLong => "no row of the directory is that long: check who wrote it",
            Broken::Truncated => "copy or export it again",
            Broken::Garbage { .. } => "export it again, or save one object a line",
        };
        match broken {
            Broken::Io(error) => self.part.broken_read(Some(line), error),
            broken => self.part.wrong(Some(line), broken.to_string(), remedy),
        }
    }
}

/// Whether an object is `{"error":…}`: what Graph answers when it refuses, saved as if it were
/// rows.
fn is_error_answer(row: &[u8]) -> bool {
    let inside = row.trim_ascii_start().strip_prefix(b"{");
    inside.is_some_and(|inside| inside.trim_ascii_start().starts_with(b"\"error\""))
}

impl<T> Iterator for Rows<T> {
    type Item = Result<Item<T>, SourceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance().transpose();
        if !matches!(item, Some(Ok(_))) {
            self.state = State::Over;
        }
        item
    }
}
