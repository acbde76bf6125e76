//! Claiming: which rows of a destination are due, taken on lease before their first byte leaves.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::{EMAIL, Lease};
use crate::domain::delivery::State;
use crate::domain::fault::{Account, Order};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::{EventKind, Shows};
use crate::domain::policy::{Enforce, Step};
use crate::store::addresses;
use crate::store::db::{Connection, Db, Row};
use crate::store::lists::deadline;
use crate::store::rows::{Column, with_rows};
use crate::store::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros, name_of};

/// A row that was claimed: all that sending it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The row.
    pub id: String,
    /// What it tells of.
    pub event: EventKind,
    /// Under which policy; none: to operators.
    pub policy: Option<PolicyName>,
    /// About whom; none: to operators.
    pub user: Option<UserId>,
    /// The step that fell due.
    pub step: Option<Step>,
    /// The address of a mail.
    pub address: Option<String>,
    /// The person's display name, hostile until encoded.
    pub name: Option<String>,
    /// The person's language.
    pub language: Option<String>,
    /// When the window opened.
    pub opened_at: Option<Timestamp>,
    /// The deadline to name.
    pub deadline: Option<Timestamp>,
    /// What sign-ins of the window showed of registering.
    pub shows: Shows,
    /// The subject of a mail to operators.
    pub title: Option<String>,
    /// The lines of a mail to operators.
    pub lines: Vec<String>,
    /// The bytes of a webhook.
    pub body: Option<String>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Useless after this.
    pub not_after: Option<Timestamp>,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// When it began: a mail tells the time that is left as of then.
    pub attempt_at: Timestamp,
    /// Its outcome was lost before: a second loss is the last of a mail.
    pub resent: bool,
    /// What the receiver knows it by; always the same.
    pub message_id: String,
    /// The first mail of the window, to which this one answers.
    pub in_reply_to: Option<String>,
    /// What is known of the address.
    pub account: Account,
}

/// Of a mail to a person only what the last decision asks of them, or that nothing is asked any more,
/// and nothing whose facts changed since: the next decision withdraws or confirms it. A webhook's body
/// was frozen, and what is no longer true of it was withdrawn; but of the rows about one person at one
/// destination only the oldest may be under way, or a flag that was taken back could arrive before it.
macro_rules! due {
    ($columns:literal, $joins:literal, $order:literal) => {
        concat!(
            "SELECT ",
            $columns,
            " FROM outbox LEFT JOIN standings ON standings.policy = outbox.policy AND standings.user_id = outbox.user_id",
            $joins,
            "
    WHERE outbox.destination = $1 AND outbox.next_at <= $2 AND (outbox.not_after IS NULL OR outbox.not_after > $2)
        AND (outbox.address IS NULL OR outbox.policy IS NULL OR (
            standings.sequence = outbox.sequence
            AND NOT EXISTS (SELECT 1 FROM changed WHERE changed.user_id = outbox.user_id)
            AND (standings.asks = outbox.asks AND EXISTS (SELECT 1 FROM policies WHERE policies.name = outbox.policy AND policies.enforce = $3)
                OR outbox.event = $4 AND standings.registered = FALSE AND COALESCE(standings.enforcement, '') <> 'needed'
                    AND standings.state NOT IN ('exempt', 'disabled', 'gone'))))
        AND (outbox.address IS NOT NULL OR outbox.body IS NOT NULL)
        AND (outbox.ordering_key IS NULL OR NOT EXISTS (
            SELECT 1 FROM outbox AS earlier
            WHERE earlier.destination = outbox.destination AND earlier.ordering_key = outbox.ordering_key
                AND earlier.position < outbox.position AND earlier.settled_at IS NULL))",
            $order
        )
    };
}

const DUE: &str = due!(
    "outbox.id, outbox.event, outbox.policy, outbox.user_id, outbox.step, outbox.address, outbox.name, outbox.language,
        outbox.opened_at, outbox.deadline, standings.must_register, outbox.title, outbox.lines, outbox.body, outbox.queued_at,
        outbox.not_after, outbox.attempts, outbox.resent, outbox.message_id,
        CASE WHEN outbox.address IS NOT NULL THEN
            (SELECT earlier.message_id FROM outbox AS earlier
             WHERE earlier.user_id = outbox.user_id AND earlier.policy = outbox.policy AND earlier.destination = outbox.destination
                 AND earlier.sequence = outbox.sequence AND earlier.state = $5
             ORDER BY earlier.position LIMIT 1) END,
        outbox.floats = TRUE AND outbox.in_doubt = FALSE, standings.window_deadline, standings.window_notice,
        addresses.at_fault_at, addresses.deferrals, addresses.deferred_first, addresses.deferred_last, addresses.told,
        standings.blocked_code,
        CASE WHEN standings.blocked_code IS NULL THEN FALSE
            ELSE EXISTS (SELECT 1 FROM outbox AS report
                    WHERE report.user_id = outbox.user_id AND report.policy = outbox.policy AND report.event = $6 AND report.state = $5
                        AND report.queued_at >= outbox.opened_at)
                OR EXISTS (SELECT 1 FROM reported JOIN outbox AS report ON report.id = reported.delivery_id
                    WHERE reported.user_id = outbox.user_id AND report.state = $5 AND report.queued_at >= outbox.opened_at) END",
    " LEFT JOIN addresses ON addresses.address = outbox.address",
    ""
);

/// Until when mails that are due are of use, in their turn.
const DUE_UNTIL: &str = due!(
    "outbox.not_after",
    "",
    " ORDER BY outbox.turn, outbox.position"
);

impl Store {
    /// Claims up to `limit` due rows of a destination in that order, and records the attempts.
    pub async fn claim(
        &self,
        destination: &str,
        limit: u32,
        order: Order,
        lease: &Lease,
        now: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut transaction = self.begin().await?;
        let mut due = QueryBuilder::<Db>::new(DUE);
        due.push(match order {
            Order::Turn => " ORDER BY outbox.turn, outbox.position LIMIT $7",
            Order::Fair => " ORDER BY outbox.attempts, outbox.id LIMIT $7",
            Order::Again => " ORDER BY outbox.attempts DESC, outbox.id LIMIT $7",
            Order::Operators => " AND outbox.user_id IS NULL ORDER BY outbox.position LIMIT $7",
        });
        let rows = due
            .build()
            .bind(destination)
            .bind(micros(now))
            .bind(name_of(&Enforce::On))
            .bind(EventKind::EnforcementReleased.as_str())
            .bind(State::Sent.as_str())
            .bind(EventKind::RegistrationBlocked.as_str())
            .bind(limit)
            .fetch_all(&mut *transaction)
            .await
            .doing("claiming deliveries")?;
        let claimed = rows
            .iter()
            .map(|row| read(row, now))
            .collect::<Result<Vec<_>, _>>()?;
        take(&mut transaction, destination, &claimed, lease, now).await?;
        transaction.commit().await.doing("claiming deliveries")?;
        Ok(claimed)
    }

    /// Until when each mail that could be claimed now is of use, in their turn.
    pub async fn due_mails(&self, now: Timestamp) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let due: Vec<Option<i64>> = sqlx::query_scalar(DUE_UNTIL)
            .bind(EMAIL)
            .bind(micros(now))
            .bind(name_of(&Enforce::On))
            .bind(EventKind::EnforcementReleased.as_str())
            .fetch_all(&self.read)
            .await
            .doing("looking at what is due")?;
        Ok(due.into_iter().map(|at| at.map(instant)).collect())
    }

    /// When attempts at mails began after then, the earliest first.
    pub async fn attempts_after(&self, since: Timestamp) -> Result<Vec<Timestamp>, StoreError> {
        let began: Vec<i64> = sqlx::query_scalar(
            "SELECT started_at FROM attempts WHERE destination = $1 AND started_at > $2 ORDER BY started_at",
        )
        .bind(EMAIL)
        .bind(micros(since))
        .fetch_all(&self.read)
        .await
        .doing("counting attempts")?;
        Ok(began.into_iter().map(instant).collect())
    }

    /// How many attempts at mails began since then: what budgets count.
    pub async fn attempts_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM attempts WHERE destination = $1 AND started_at > $2",
        )
        .bind(EMAIL)
        .bind(micros(since))
        .fetch_one(&self.read)
        .await
        .doing("counting attempts")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }
}

/// Leases the claimed rows and records their attempts.
async fn take(
    connection: &mut Connection,
    destination: &str,
    claimed: &[Claimed],
    lease: &Lease,
    now: Timestamp,
) -> Result<(), StoreError> {
    for claimed in claimed.chunks(ROWS_PER_STATEMENT) {
        let columns = &[("id", Column::Text), ("deadline", Column::Bigint)];
        let mut statement = with_rows("claimed", columns, claimed, |row, claimed| {
            row.bind(&claimed.id).bind(claimed.deadline.map(micros));
        });
        statement
            .push("UPDATE outbox SET state = ")
            .push_bind(State::Leased.as_str())
            .push(", leased_by = ")
            .push_bind(&lease.by)
            .push(", leased_until = ")
            .push_bind(micros(lease.until))
            .push(
                ", next_at = NULL, attempts = outbox.attempts + 1, deadline = claimed.deadline
                 FROM claimed WHERE outbox.id = claimed.id",
            );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("claiming deliveries")?;
        begin_attempts(connection, destination, claimed, now).await?;
    }
    Ok(())
}

/// Records attempts before their first byte leaves.
async fn begin_attempts(
    connection: &mut Connection,
    destination: &str,
    claimed: &[Claimed],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = QueryBuilder::<Db>::new(
        "INSERT INTO attempts (delivery_id, number, started_at, destination) ",
    );
    statement.push_values(claimed, |mut row, claimed| {
        row.push_bind(&claimed.id)
            .push_bind(i64::from(claimed.attempt))
            .push_bind(micros(now))
            .push_bind(destination);
    });
    statement
        .build()
        .execute(connection)
        .await
        .doing("recording attempts")
        .map(drop)
}

/// A row as it is sent: one whose deadline nobody was told of names it as of its attempt, and one
/// that may have arrived the same again (rule 7.2).
fn read(row: &Row, now: Timestamp) -> Result<Claimed, StoreError> {
    let doing = "claiming deliveries";
    let id: String = row.try_get(0).doing(doing)?;
    let at = |column: usize| {
        row.try_get::<Option<i64>, _>(column)
            .map(|at| at.map(instant))
            .doing(doing)
    };
    let text = |column: usize| row.try_get::<Option<String>, _>(column).doing(doing);
    let inconsistent = |column, value: &str| StoreError::Inconsistent {
        table: "outbox",
        key: id.clone(),
        column,
        value: value.to_owned(),
    };
    let event: String = row.try_get(1).doing(doing)?;
    let step = text(4)?;
    let lines = text(12)?;
    let as_of_now = floating_deadline(row, now)?;
    Ok(Claimed {
        event: EventKind::parse(&event).ok_or_else(|| inconsistent("event", &event))?,
        policy: text(2)?.map(|name| PolicyName::new(&name)),
        user: text(3)?
            .map(|user| crate::store::records::user_id("outbox", &user))
            .transpose()?,
        step: step
            .map(|step| Step::try_from(step.clone()).map_err(|_| inconsistent("step", &step)))
            .transpose()?,
        address: text(5)?,
        name: text(6)?,
        language: text(7)?,
        opened_at: at(8)?,
        deadline: as_of_now.or(at(9)?),
        shows: shows(row)?,
        title: text(11)?,
        lines: lines
            .map(|lines| serde_json::from_str(&lines).map_err(|_| inconsistent("lines", &lines)))
            .transpose()?
            .unwrap_or_default(),
        body: text(13)?,
        queued_at: instant(row.try_get(14).doing(doing)?),
        not_after: at(15)?,
        attempt: u32::try_from(row.try_get::<i64, _>(16).doing(doing)?).unwrap_or(0) + 1,
        attempt_at: now,
        resent: row.try_get(17).doing(doing)?,
        message_id: row.try_get(18).doing(doing)?,
        in_reply_to: text(19)?,
        account: addresses::account(row, 23)?,
        id,
    })
}

/// What sign-ins of the window showed, as of the last decision.
fn shows(row: &Row) -> Result<Shows, StoreError> {
    let doing = "claiming deliveries";
    let must_register: Option<bool> = row.try_get(10).doing(doing)?;
    let blocked: Option<i64> = row.try_get(28).doing(doing)?;
    let desk_knows = row.try_get(29).doing(doing)?;
    Ok(match blocked {
        _ if must_register == Some(true) => Shows::Demand,
        Some(code) => Shows::Block { code, desk_knows },
        None => Shows::Nothing,
    })
}

/// The deadline as of now, of a row that nobody may have read yet.
fn floating_deadline(row: &Row, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let doing = "claiming deliveries";
    if !row.try_get::<bool, _>(20).doing(doing)? {
        return Ok(None);
    }
    let at: Option<i64> = row.try_get(21).doing(doing)?;
    let notice = row.try_get(22).doing(doing)?;
    Ok(deadline(at, notice).map(|deadline| deadline.at(now)))
}
