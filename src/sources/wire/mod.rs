//! Rows as Graph spells them, and as Azure Monitor and the portal's exports copy them, turned
//! into facts: in one place, whichever source brings them.
//!
//! Every property is read leniently (`loose`), so that one that nobody needs never spoils a
//! row. No input nests deeper here than the JSON reader allows, and none can cause a panic.

mod audit;
mod group;
mod loose;
mod registration;
mod sign_in;
mod spelling;
mod time;
mod user;

use jiff::{SignedDuration, Timestamp};

use super::{Named, Skip};
use crate::domain::id::{InvalidId, UserId, is_sound};
use crate::quote::quote;

pub use audit::{AuditRow, Target, audit};
pub use group::{Group, GroupRow, Member, MemberObject, group};
pub use loose::{Entry, Loose, Scalar};
pub use registration::{RegistrationRow, Report, registration};
pub use sign_in::{Recorded, SignInRow, Status, sign_in};
pub use spelling::respelled;
pub use time::{DateOrder, Numeric, instant};
pub use user::{SignInActivity, UserRow, forget_creation_ahead, user};

/// An event further ahead than this is no clock drift but a wrong row (case 7).
const BELIEVABLE_AHEAD: SignedDuration = SignedDuration::from_hours(24);
/// No log reaches back to before the year 2000: such a year is one of another calendar.
const BELIEVABLE_FROM: i64 = 946_684_800;

/// What a well-formed row gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row<T> {
    /// A fact.
    Fact(T),
    /// Nothing, for a good reason.
    Skipped(Skip),
}

/// Whom a row names. Exports without object ids join by user principal name, within one set
/// of exports only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// By object id.
    Id(UserId),
    /// By user principal name, as the row spells it; case does not matter.
    Upn(String),
}

/// Why a row cannot be believed. Nothing in here quotes more than 60 characters of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// A property that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// A property says something that it cannot say.
    #[error("`{name}` is not {expected}: {found}")]
    Wrong {
        /// The property.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is, quoted.
        found: String,
    },
    /// A property is no object id.
    #[error("`{name}` is no object id: {why}")]
    Id {
        /// The property.
        name: &'static str,
        /// Why not.
        why: InvalidId,
    },
    /// An event of a future that no clock drift explains.
    #[error("`{name}` lies more than 24 hours ahead: {at}")]
    Future {
        /// The property.
        name: &'static str,
        /// The time it gives.
        at: Timestamp,
    },
    /// An event of a time before there was such a log.
    #[error("`{name}` lies before the year 2000: {at}")]
    Past {
        /// The property.
        name: &'static str,
        /// The time it gives.
        at: Timestamp,
    },
    /// A list of members that says itself that it is cut short.
    #[error("`members` is cut short (`members@odata.nextLink`): read the members page by page")]
    MembersCut,
    /// The row is a number, a text or a list.
    #[error("the row is not an object")]
    NotAnObject,
    /// The row is not JSON.
    #[error("the row is not valid JSON: {0}")]
    Json(String),
    /// A cell has bytes that are no text.
    #[error("`{0}` is not valid UTF-8")]
    NotUtf8(&'static str),
    /// A CSV row with too few or too many cells.
    #[error("the row has {found} cells and the header has {expected}")]
    Cells {
        /// Cells of the row.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
}

impl RowError {
    /// What helps, where the tool is known that writes rows like this one.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Missing("accountEnabled") => {
                "name it where you export: Get-MgUser leaves it empty without -Property Id,UserPrincipalName,AccountEnabled"
            }
            Self::Wrong { found, .. } if is_flattened(found.trim_matches('"')) => {
                "export it with ConvertTo-Json -Depth 10: PowerShell wrote the name or the text of an object instead of what is in it"
            }
            Self::Cells { found, expected } if found > expected => {
                "a comma in a cell without quotes makes two of it, as in names of the portal's download: leave that column out, or read from Graph"
            }
            Self::Future { .. } | Self::Past { .. } => {
                "export it with dates like 2026-01-05T08:30:00Z, in the Gregorian calendar"
            }
            _ => "export it again, or mend the rows",
        }
    }

    /// A property that should be an object.
    #[must_use]
    pub fn no_object(name: &'static str, found: &str) -> Self {
        Self::Wrong {
            name,
            expected: "an object",
            found: quote(found),
        }
    }

    /// A property that should be a list.
    #[must_use]
    pub fn no_list(name: &'static str, found: &str) -> Self {
        Self::Wrong {
            name,
            expected: "a list",
            found: quote(found),
        }
    }

    /// A property that should be a time.
    #[must_use]
    pub fn no_time(name: &'static str, found: &str) -> Self {
        Self::Wrong {
            name,
            expected: "a time like 2026-01-05T08:30:00Z",
            found: quote(found),
        }
    }
}

/// Whether a text is what PowerShell writes instead of an object or a list that is too deep.
fn is_flattened(text: &str) -> bool {
    let text = text.trim();
    ["@{", "System.", "Microsoft."]
        .iter()
        .any(|start| text.starts_with(start))
}

/// Reads one JSON object.
pub fn parse<'a, T: serde::Deserialize<'a>>(raw: &'a [u8]) -> Result<T, RowError> {
    if raw.trim_ascii_start().first() != Some(&b'{') {
        return Err(RowError::NotAnObject);
    }
    serde_json::from_slice(raw).map_err(|error| {
        let text = error.to_string();
        let text = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(message, _)| message);
        RowError::Json(quote(text).trim_matches('"').to_owned())
    })
}

/// What a row is about, whatever else is wrong with it.
#[must_use]
pub fn named(raw: &[u8]) -> Option<Named> {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, rename_all = "camelCase")]
    struct ObjectRow<'a> {
        #[serde(borrow)]
        id: Scalar<'a>,
        #[serde(borrow)]
        user_principal_name: Scalar<'a>,
    }
    let row: ObjectRow<'_> = parse(raw).ok()?;
    let text = |value: &Scalar<'_>| value.as_str().map(|text| text.trim().to_lowercase());
    let id = text(&row.id).map(Named::Id);
    id.or_else(|| text(&row.user_principal_name).map(Named::Upn))
}

/// The user id of an event: `None` for an account that the directory does not know.
fn event_user(value: &Scalar<'_>, name: &'static str) -> Result<Option<UserId>, RowError> {
    if matches!(value, Scalar::Null) {
        return Err(RowError::Missing(name));
    }
    match UserId::parse(value.text(name)?.unwrap_or_default()) {
        Ok(id) => Ok(Some(id)),
        Err(InvalidId::Missing | InvalidId::AllZeros) => Ok(None),
        Err(why) => Err(RowError::Id { name, why }),
    }
}

/// The time of an event, no further ahead than is believable.
fn event_time(
    value: &Scalar<'_>,
    name: &'static str,
    now: Timestamp,
) -> Result<Timestamp, RowError> {
    let at = date(value, name)?.ok_or(RowError::Missing(name))?;
    if is_ahead(at, now) {
        return Err(RowError::Future { name, at });
    }
    if at.as_second() < BELIEVABLE_FROM {
        return Err(RowError::Past { name, at });
    }
    Ok(at)
}

/// Whether a time is further ahead than is believable.
fn is_ahead(at: Timestamp, now: Timestamp) -> bool {
    let latest = now.saturating_add(BELIEVABLE_AHEAD);
    at > latest.unwrap_or(Timestamp::MAX)
}

/// A time, if the row has it; what stands there and is none is wrong: nobody is judged by half of
/// what a row says.
fn date(value: &Scalar<'_>, name: &'static str) -> Result<Option<Timestamp>, RowError> {
    let Some(text) = value.text(name)?.filter(|text| !text.trim().is_empty()) else {
        return Ok(None);
    };
    let at = instant(text);
    at.map(Some).ok_or_else(|| RowError::no_time(name, text))
}

/// The id of an event: any text on one line, but no novel.
fn event_id(value: &Scalar<'_>) -> Result<String, RowError> {
    let id = value.text("id")?.map(str::trim).unwrap_or_default();
    if id.is_empty() {
        return Err(RowError::Missing("id"));
    }
    if id.len() > 256 || !is_sound(id) {
        return Err(RowError::Wrong {
            name: "id",
            expected: "a text of at most 256 bytes on one line",
            found: quote(id),
        });
    }
    Ok(id.to_owned())
}
