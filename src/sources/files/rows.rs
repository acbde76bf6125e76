//! The rows of a part, whatever its format, as facts, skipped rows and quarantined rows.

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::columns;
use super::csv::{Cells, Column, Table};
use super::json::{Broken, GROUP_LIMIT, ROW_LIMIT, Splitter};
use super::long;
use super::open::{Input, open};
use super::{Format, Part};
use crate::domain::audit::AuditEvent;
use crate::domain::person::Person;
use crate::domain::sign_in::SignIn;
use crate::sources::wire::{
    self, Group, GroupRow, Recorded, RegistrationRow, Report, Row, RowError, UserRow,
};
use crate::sources::{Item, Named, Quarantined, SourceError};

/// Reads the users of a part.
#[must_use]
pub fn users(part: &Part, now: Timestamp) -> Rows<Person> {
    Rows::open(
        part,
        now,
        Kind {
            columns: columns::USERS,
            row_limit: ROW_LIMIT,
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
            doubt: wire::forget_creation_ahead,
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
            row_limit: GROUP_LIMIT,
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
            doubt: |_, _| None,
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
            row_limit: ROW_LIMIT,
            of_objects: true,
            needs: &["isMfaCapable"],
            remedy: "export `userRegistrationDetails` with all its properties",
            cells: |cells, _| columns::registration(cells),
            json: |raw, _, seen| {
                let row: RegistrationRow<'_> = wire::parse(raw)?;
                seen.note([row.is_mfa_capable.is_present()]);
                row.report()
            },
            doubt: |_, _| None,
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
            row_limit: ROW_LIMIT,
            of_objects: false,
            needs: &[],
            remedy: "",
            cells: |cells, context| columns::sign_in(cells, context.recorded, context.now),
            json: |raw, context, _| wire::sign_in(raw, context.recorded, context.now),
            doubt: |_, _| None,
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
            row_limit: ROW_LIMIT,
            of_objects: false,
            needs: &[],
            remedy: "",
            cells: |cells, context| columns::audit(cells, context.now),
            json: |raw, context, _| wire::audit(raw, context.now),
            doubt: |_, _| None,
        },
    )
}

/// The rows of a part. An error is the last item, and what came before it is not to be kept.
pub struct Rows<T> {
    part: Part,
    context: Context,
    kind: Kind<T>,
    seen: Seen,
    read: Read,
    names_next: bool,
    /// What was put aside of the last fact.
    waiting: Option<Quarantined>,
    state: State,
}

struct Context {
    now: Timestamp,
    recorded: Recorded,
}

/// How rows of one collection are read.
struct Kind<T> {
    columns: &'static [Column],
    /// The longest row.
    row_limit: usize,
    /// Whether a row's id is that of an object, of which there are few, and not of an event.
    of_objects: bool,
    /// Properties that at least one row of a JSON file must have.
    needs: &'static [&'static str],
    remedy: &'static str,
    cells: FromCells<T>,
    json: FromJson<T>,
    /// Takes out of a fact what cannot be believed, and says what.
    doubt: Doubt<T>,
}

type Doubt<T> = fn(&mut T, Timestamp) -> Option<RowError>;

type FromCells<T> = fn(&Cells<'_>, &Context) -> Result<Row<T>, RowError>;
type FromJson<T> = fn(&[u8], &Context, &mut Seen) -> Result<Row<T>, RowError>;

/// What the rows of a JSON file have shown so far.
#[derive(Default)]
struct Seen {
    rows: u64,
    /// Which needed properties some had.
    has: [bool; 3],
    /// Whether the first was spelled as Graph does.
    as_graph: Option<bool>,
}

impl Seen {
    fn note<const N: usize>(&mut self, has: [bool; N]) {
        self.rows += 1;
        for (seen, has) in self.has.iter_mut().zip(has) {
            *seen |= has;
        }
    }
}

/// How many rows have been read so far, and how it went.
#[derive(Default)]
struct Read {
    good: u64,
    wrong: u64,
    first_wrong: Option<(u64, RowError)>,
}

/// So few rows that cannot be read make no part of a snapshot wrong, and neither does one in …
const WRONG_AT_MOST: u64 = 10;
/// … ten (rule 3.1).
const WRONG_SHARE: u64 = 10;

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
                Format::Csv => {
                    let table = Table::open(part, opened, kind.columns, kind.row_limit)?;
                    State::Csv(Box::new(table))
                }
                Format::Json | Format::JsonLines => State::Json(Box::new(Splitter::new(
                    opened.input,
                    part.format == Format::JsonLines,
                    kind.row_limit,
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
            read: Read::default(),
            names_next: false,
            waiting: None,
            state: state.unwrap_or_else(State::Failed),
        }
    }

    /// After the last row: whether the part has pages alone that each name a next one.
    #[must_use]
    pub fn names_next(&self) -> bool {
        self.names_next
    }

    fn advance(&mut self) -> Result<Option<Item<T>>, SourceError> {
        if let Some(waiting) = self.waiting.take() {
            return Ok(Some(Item::Quarantined(waiting, None)));
        }
        let (row, named, line) = match &mut self.state {
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
                    let named = row.is_err().then(|| named_in(&cells));
                    (row, named.flatten(), line)
                }
                Some((Err(error), line)) => (Err(error), None, line),
                None => return self.check_read().map(|()| None),
            },
            State::Json(splitter) => match splitter.next_row() {
                Ok(Some(element)) => {
                    let is_first = self.seen.as_graph.is_none();
                    let cells = of_table(element.columns, element.bytes);
                    let bytes = cells.as_deref().unwrap_or(element.bytes);
                    let row = json_row(&self.kind, bytes, &self.context, &mut self.seen);
                    if is_first && row.is_err() && is_error_answer(element.bytes) {
                        return Err(self.part.wrong(
                            Some(element.line),
                            "it holds an error answer instead of rows".to_owned(),
                            "read the error in it, mend that and export again",
                        ));
                    }
                    let named = row.is_err().then(|| named_by(bytes));
                    (row, named.flatten(), element.line)
                }
                Ok(None) => {
                    self.names_next = splitter.names_next();
                    return self
                        .check_needs()
                        .and_then(|()| self.check_read())
                        .map(|()| None);
                }
                Err(broken) => {
                    let line = splitter.line();
                    return Err(self.broken(broken, line));
                }
            },
        };
        Ok(Some(match row {
            Ok(Row::Fact(mut fact)) => {
                self.read.good += 1;
                let doubt = (self.kind.doubt)(&mut fact, self.context.now);
                self.waiting = doubt.map(|error| self.quarantined(line, &error));
                Item::Fact(fact)
            }
            Ok(Row::Skipped(why)) => {
                self.read.good += 1;
                Item::Skipped(why)
            }
            Err(error) => {
                self.read.wrong += 1;
                let row = self.quarantined(line, &error);
                self.read.first_wrong.get_or_insert((line, error));
                Item::Quarantined(row, named.filter(|_| self.kind.of_objects))
            }
        }))
    }

    fn quarantined(&self, line: u64, error: &RowError) -> Quarantined {
        Quarantined {
            file: self.part.name.clone(),
            line,
            reason: error.to_string(),
        }
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

    /// A file none of whose rows can be read is a wrong one, and so is a part of a snapshot of which
    /// more than a few cannot: who stands in them would be gone.
    fn check_read(&self) -> Result<(), SourceError> {
        let Read {
            good,
            wrong,
            first_wrong,
        } = &self.read;
        let Some((line, reason)) = first_wrong else {
            return Ok(());
        };
        let rows = good + wrong;
        let text = if *good == 0 {
            format!("none of its {rows} rows can be read; the first: {reason}")
        } else if self.kind.of_objects && *wrong > WRONG_AT_MOST && wrong * WRONG_SHARE > rows {
            format!("{wrong} of its {rows} rows cannot be read; the first: {reason}")
        } else {
            return Ok(());
        };
        Err(self.part.wrong(Some(*line), text, reason.remedy()))
    }

    fn broken(&self, broken: Broken, line: u64) -> SourceError {
        let remedy = match &broken {
            Broken::Io(_) => "",
            Broken::Empty => "export it again; an export without rows reads {\"value\":[]}",
            Broken::NotRows { .. } => {
                "save a page {\"value\":[…]}, an array, or one object a line; name CSV files .csv"
            }
            Broken::TooLong {
                limit: GROUP_LIMIT..,
            } => "export the group as a delta query gives it: in several rows, which add up",
            Broken::TooLong { .. } => "check who wrote it",
            Broken::Truncated => "copy or export it again",
            Broken::Garbage { .. } => "export it again, or save one object a line",
        };
        match broken {
            Broken::Io(error) => self.part.broken_read(Some(line), error),
            broken => self.part.wrong(Some(line), broken.to_string(), remedy),
        }
    }
}

/// Reads a row, however it spells its names and dates. One tool spells all rows of a file alike, so
/// most files are read as they are.
fn json_row<T>(
    kind: &Kind<T>,
    bytes: &[u8],
    context: &Context,
    seen: &mut Seen,
) -> Result<Row<T>, RowError> {
    if bytes.len() > ROW_LIMIT {
        return (kind.json)(&long::spelled(bytes)?, context, seen);
    }
    let as_graph = *seen
        .as_graph
        .get_or_insert_with(|| wire::respelled(bytes).is_none());
    if as_graph {
        let row = (kind.json)(bytes, context, seen);
        if row.is_ok() {
            return row;
        }
    }
    // Bytes that are no text spoil only what they stand in.
    let text = String::from_utf8_lossy(bytes);
    let respelled = wire::respelled(text.as_bytes());
    let row = respelled.as_deref().unwrap_or(text.as_bytes());
    (kind.json)(row, context, seen)
}

/// A row of a table, which is a list of values, as an object with the names of its columns.
fn of_table(columns: &[String], row: &[u8]) -> Option<Vec<u8>> {
    if columns.is_empty() || row.len() > ROW_LIMIT {
        return None;
    }
    let values: Vec<&RawValue> = serde_json::from_slice(row).ok()?;
    if values.len() != columns.len() {
        return None;
    }
    let properties = columns.iter().zip(values).map(|(name, value)| {
        let name = serde_json::Value::from(name.as_str());
        format!("{name}:{value}")
    });
    let properties: Vec<String> = properties.collect();
    Some(format!("{{{}}}", properties.join(",")).into_bytes())
}

/// What a row is about, whatever else is wrong with it.
fn named_by(bytes: &[u8]) -> Option<Named> {
    let text = String::from_utf8_lossy(bytes);
    let respelled = |bytes: &[u8]| match bytes.len() {
        ..=ROW_LIMIT => wire::respelled(bytes),
        _ => long::spelled(bytes).ok(),
    };
    wire::named(text.as_bytes()).or_else(|| wire::named(&respelled(text.as_bytes())?))
}

fn named_in(cells: &Cells<'_>) -> Option<Named> {
    let text = |name| Some(cells.value(name).ok()?.as_str()?.to_lowercase());
    let id = text("id").map(Named::Id);
    id.or_else(|| text("userPrincipalName").map(Named::Upn))
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
