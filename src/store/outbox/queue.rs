//! The one way into the outbox.

use jiff::Timestamp;
use sqlx::QueryBuilder;
use uuid::Uuid;

use crate::domain::delivery::{Asks, State};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::Step;
use crate::store::db::{Connection, Db};
use crate::store::numbers::{self, Series};
use crate::store::rows::execute_each;
use crate::store::totals::{Total, Totals, number};
use crate::store::{Doing, ROWS_PER_STATEMENT, StoreError, micros};

/// The namespace of ids that are functions of a key.
const NAMESPACE: Uuid = Uuid::from_u128(0x8d2c_5f1e_6a0b_4c57_9d1f_3b7e_2a94_60c8);

/// The id of a delivery or an event: a pure function of its key.
#[must_use]
pub fn delivery_id(key: &str) -> String {
    Uuid::new_v5(&NAMESPACE, key.as_bytes()).to_string()
}

/// A row to queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDelivery<'a> {
    /// Keeps it from being queued twice (rule R5).
    pub key: String,
    /// Where it is sent.
    pub destination: &'a str,
    /// What it tells of.
    pub event: EventKind,
    /// Under which policy.
    pub policy: Option<&'a PolicyName>,
    /// About whom.
    pub user: Option<&'a UserId>,
    /// The window's number.
    pub sequence: u32,
    /// The number of the deadline's move.
    pub moves: u32,
    /// The step that fell due.
    pub step: Option<Step>,
    /// When the window opened.
    pub opened_at: Option<Timestamp>,
    /// The deadline that it names.
    pub deadline: Option<Timestamp>,
    /// Useless after this moment.
    pub not_after: Option<Timestamp>,
    /// Whether what becomes of it is a fact of the next decision about the person.
    pub is_fact: bool,
    /// The id that the receiver sees; it never changes.
    pub message_id: String,
    /// What is sent.
    pub content: Content<'a>,
}

/// What a row holds of what is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content<'a> {
    /// A mail to a person, written when it is sent; the earliest deadline goes first.
    Mail {
        /// The address.
        address: &'a str,
        /// The person's display name, hostile until encoded.
        name: Option<&'a str>,
        /// The person's language.
        language: Option<&'a str>,
        /// The deadline is the attempt's.
        floats: bool,
    },
    /// A mail to an operator.
    Report {
        /// The address.
        address: &'a str,
        /// The subject.
        title: &'a str,
        /// The lines.
        lines: &'a [String],
    },
    /// The body of a webhook, with what it must not overtake; the oldest goes first.
    Body {
        /// The bytes that are sent.
        body: &'a str,
        /// Rows of one key go one after the other.
        ordering_key: Option<&'a str>,
    },
}

/// Queues rows; how many are new. Rows of one destination are claimed and settled together, so
/// they are best given together.
pub(in crate::store) async fn queue(
    connection: &mut Connection,
    rows: &[NewDelivery<'_>],
    now: Timestamp,
) -> Result<u64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let mut position = numbers::take(&mut *connection, Series::Outbox, rows.len())
        .await
        .doing("numbering the outbox")?;
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO outbox (id, dedup_key, position, destination, event, asks, policy, user_id, sequence, moves, step, opened_at, deadline,
             not_after, is_fact, message_id, address, name, language, floats, title, lines, body, ordering_key, turn,
             queued_at, state, attempts, resent, in_doubt, next_at) ",
        );
        statement.push_values(rows, |mut row, new| {
            row.push_bind(delivery_id(&new.key))
                .push_bind(&new.key)
                .push_bind(position)
                .push_bind(new.destination)
                .push_bind(new.event.as_str())
                .push_bind(Asks::of_event(new.event).as_str())
                .push_bind(new.policy.map(PolicyName::as_str))
                .push_bind(new.user.map(UserId::as_str))
                .push_bind(i64::from(new.sequence))
                .push_bind(i64::from(new.moves))
                .push_bind(new.step.map(|step| step.to_string()))
                .push_bind(new.opened_at.map(micros))
                .push_bind(new.deadline.map(micros))
                .push_bind(new.not_after.map(micros))
                .push_bind(new.is_fact)
                .push_bind(&new.message_id);
            let columns = Columns::of(&new.content);
            row.push_bind(columns.address)
                .push_bind(columns.name)
                .push_bind(columns.language)
                .push_bind(columns.floats)
                .push_bind(columns.title)
                .push_bind(columns.lines)
                .push_bind(columns.body)
                .push_bind(columns.ordering_key)
                .push_bind(turn(new, position, now))
                .push_bind(micros(now))
                .push_bind(State::Pending.as_str())
                .push_bind(0_i64)
                .push_bind(false)
                .push_bind(false)
                .push_bind(micros(now));
            position += 1;
        });
        statement.push(" ON CONFLICT (dedup_key) DO NOTHING");
        statement
    });
    let queued = execute_each(&mut *connection, statements)
        .await
        .doing("queueing deliveries")?;
    Totals::of(Total::Queued, number(queued))
        .keep(connection)
        .await?;
    Ok(queued)
}

/// The columns of a content; what it does not have is null.
#[derive(Default)]
struct Columns<'a> {
    address: Option<&'a str>,
    name: Option<&'a str>,
    language: Option<&'a str>,
    floats: bool,
    title: Option<&'a str>,
    lines: Option<String>,
    body: Option<&'a str>,
    ordering_key: Option<&'a str>,
}

impl<'a> Columns<'a> {
    fn of(content: &Content<'a>) -> Self {
        match *content {
            Content::Mail {
                address,
                name,
                language,
                floats,
            } => Self {
                address: Some(address),
                name,
                language,
                floats,
                ..Self::default()
            },
            Content::Report {
                address,
                title,
                lines,
            } => Self {
                address: Some(address),
                title: Some(title),
                lines: Some(serde_json::to_string(lines).unwrap_or_default()),
                ..Self::default()
            },
            Content::Body { body, ordering_key } => Self {
                body: Some(body),
                ordering_key,
                ..Self::default()
            },
        }
    }
}

/// Who goes first: of mails whoever has the least time left, of webhooks the oldest.
fn turn(new: &NewDelivery<'_>, position: i64, now: Timestamp) -> i64 {
    match new.content {
        Content::Mail { .. } => micros(new.deadline.unwrap_or(now)),
        Content::Report { .. } => micros(now),
        Content::Body { .. } => position,
    }
}
