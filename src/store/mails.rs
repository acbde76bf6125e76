//! Mails of the outbox: which are due, and what is known of the way they go.

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::outbox::{EMAIL, begin_attempts};
use super::rows::{Column, with_rows};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::{Policy, Step};
use crate::domain::standing::Standing;

/// A mail that was claimed: all that rendering needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The row.
    pub id: String,
    /// What it says.
    pub event: EventKind,
    /// Under which policy; none: to operators.
    pub policy: Option<PolicyName>,
    /// To whom; none: to operators.
    pub user: Option<UserId>,
    /// The step that fell due.
    pub step: Option<Step>,
    /// The address.
    pub address: String,
    /// The person's display name, hostile until encoded.
    pub name: Option<String>,
    /// The person's language.
    pub language: Option<String>,
    /// When the window opened.
    pub opened_at: Option<Timestamp>,
    /// The deadline to name.
    pub deadline: Option<Timestamp>,
    /// A sign-in demanded registration.
    pub must_register: bool,
    /// The subject of a mail to operators.
    pub title: Option<String>,
    /// The lines of a mail to operators.
    pub lines: Vec<String>,
    /// When it was queued.
    pub queued_at: Timestamp,
    /// Useless after this.
    pub not_after: Option<Timestamp>,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Its outcome was lost before: a second loss is the last.
    pub resent: bool,
    /// Always the same.
    pub message_id: String,
    /// The first mail of the window, to which this one answers.
    pub in_reply_to: Option<String>,
}

impl Store {
    /// Claims up to `limit` due mails, most urgent first, and records the attempts. A mail to a
    /// person whose facts changed since the last decision, or whose state no longer asks for it,
    /// is left alone: the next decision withdraws or confirms it.
    pub async fn claim(
        &self,
        policies: &BTreeMap<PolicyName, Policy>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Claimed>, StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        let rows = sqlx::query(
            "SELECT outbox.id, event, outbox.policy, outbox.user_id, step, address, name, language, opened_at, deadline, must_register,
                    title, lines, not_after, attempts, resent, message_id, announces,
                    EXISTS (SELECT 1 FROM attempts WHERE attempts.delivery_id = outbox.id AND attempts.outcome IN ('ambiguous', 'stopped')),
                    standings.memory,
                    (SELECT earlier.message_id FROM outbox AS earlier
                     WHERE earlier.user_id = outbox.user_id AND earlier.policy = outbox.policy AND earlier.channel = 'email'
                         AND earlier.sequence = outbox.sequence AND earlier.state = 'sent'
                     ORDER BY earlier.position LIMIT 1), queued_at
             FROM outbox LEFT JOIN standings ON standings.policy = outbox.policy AND standings.user_id = outbox.user_id
             WHERE outbox.channel = 'email' AND outbox.state IN ('pending', 'ambiguous') AND outbox.next_at <= $1
                 AND (outbox.not_after IS NULL OR outbox.not_after > $1)
                 AND (outbox.policy IS NULL OR (
                     EXISTS (SELECT 1 FROM policies WHERE policies.name = outbox.policy AND policies.enforce = 'on')
                     AND NOT EXISTS (SELECT 1 FROM changed WHERE changed.user_id = outbox.user_id)
                     AND standings.sequence = outbox.sequence
                     AND standings.state IN ('in_grace', 'due_soon', 'overdue_checking', 'unknown', 'enforcement_needed', 'registered')
                     AND (standings.state = 'registered') = (outbox.event = 'user.registered')
                     AND (standings.state = 'enforcement_needed') = (outbox.event = 'enforcement.needed')))
             ORDER BY outbox.urgent_at, outbox.position LIMIT $2",
        )
        .bind(micros(now))
        .bind(limit)
        .fetch_all(&mut *connection)
        .await
        .doing("claiming mails")?;
        let claimed = rows
            .iter()
            .map(|row| claim_row(row, policies, now))
            .collect::<Result<Vec<_>, _>>()?;
        lease(connection, &claimed, now).await?;
        transaction.commit().await.doing("claiming mails")?;
        Ok(claimed)
    }

    /// How many attempts at mails began since then: what budgets count.
    pub async fn attempts_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM attempts WHERE channel = 'email' AND started_at > $1",
        )
        .bind(micros(since))
        .fetch_one(&self.read)
        .await
        .doing("counting attempts")?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Whether the last ten different recipients were all refused: then the channel is to blame,
    /// not they (contract 7.11). Fewer than ten say nothing.
    pub async fn all_refused_lately(&self) -> Result<bool, StoreError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT address, state FROM outbox WHERE state IN ('sent', 'failed') AND user_id IS NOT NULL AND channel = 'email'
             ORDER BY settled_at DESC, position DESC LIMIT 100",
        )
        .fetch_all(&self.read)
        .await
        .doing("reading the last recipients")?;
        let mut seen = HashSet::new();
        let last: Vec<&str> = rows
            .iter()
            .filter(|(address, _)| seen.insert(address))
            .map(|(_, state)| state.as_str())
            .take(10)
            .collect();
        Ok(last.len() == 10 && last.iter().all(|state| *state == "failed"))
    }
}

/// A row as it is sent: an announcing mail names the deadline as of its attempt, and one whose
/// outcome was lost the same again (contract 7.2).
fn claim_row(
    row: &SqliteRow,
    policies: &BTreeMap<PolicyName, Policy>,
    now: Timestamp,
) -> Result<Claimed, StoreError> {
    let mut claimed = read_claimed(row)?;
    let announces: bool = row.try_get(17).doing("claiming mails")?;
    let lost: bool = row.try_get(18).doing("claiming mails")?;
    let memory: Option<String> = row.try_get(19).doing("claiming mails")?;
    if announces && !lost {
        let policy = claimed.policy.as_ref().and_then(|name| policies.get(name));
        let standing = memory.and_then(|memory| serde_json::from_str::<Standing>(&memory).ok());
        if let (Some(policy), Some(run)) = (
            policy,
            standing.as_ref().and_then(|standing| standing.window.run()),
        ) {
            claimed.deadline = Some(run.deadline(policy, now));
        }
    }
    Ok(claimed)
}

/// Leases the claimed rows and records their attempts.
async fn lease(
    connection: &mut SqliteConnection,
    claimed: &[Claimed],
    now: Timestamp,
) -> Result<(), StoreError> {
    for claimed in claimed.chunks(ROWS_PER_STATEMENT) {
        let columns = &[("id", Column::Text), ("deadline", Column::Bigint)];
        let mut statement = with_rows("claimed", columns, claimed, |row, claimed| {
            row.bind(&claimed.id).bind(claimed.deadline.map(micros));
        });
        statement.push(
            "UPDATE outbox SET state = 'leased', attempts = outbox.attempts + 1, deadline = claimed.deadline
             FROM claimed WHERE outbox.id = claimed.id",
        );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("claiming mails")?;
        let attempts = claimed.iter().map(|row| (row.id.as_str(), row.attempt));
        begin_attempts(connection, EMAIL, attempts, now).await?;
    }
    Ok(())
}

fn read_claimed(row: &SqliteRow) -> Result<Claimed, StoreError> {
    let doing = "claiming mails";
    let id: String = row.try_get(0).doing(doing)?;
    let inconsistent = |column, value: &str| StoreError::Inconsistent {
        table: "outbox",
        key: id.clone(),
        column,
        value: value.to_owned(),
    };
    let event: String = row.try_get(1).doing(doing)?;
    let user: Option<String> = row.try_get(3).doing(doing)?;
    let step: Option<String> = row.try_get(4).doing(doing)?;
    let lines: Option<String> = row.try_get(12).doing(doing)?;
    Ok(Claimed {
        event: EventKind::parse(&event).ok_or_else(|| inconsistent("event", &event))?,
        policy: row
            .try_get::<Option<String>, _>(2)
            .doing(doing)?
            .map(|name| PolicyName::new(&name)),
        user: user
            .map(|user| super::records::user_id("outbox", &user))
            .transpose()?,
        step: step
            .map(|step| Step::try_from(step.clone()).map_err(|_| inconsistent("step", &step)))
            .transpose()?,
        address: row.try_get(5).doing(doing)?,
        name: row.try_get(6).doing(doing)?,
        language: row.try_get(7).doing(doing)?,
        opened_at: row.try_get::<Option<i64>, _>(8).doing(doing)?.map(instant),
        deadline: row.try_get::<Option<i64>, _>(9).doing(doing)?.map(instant),
        must_register: row.try_get(10).doing(doing)?,
        title: row.try_get(11).doing(doing)?,
        lines: lines
            .map(|lines| serde_json::from_str(&lines).map_err(|_| inconsistent("lines", &lines)))
            .transpose()?
            .unwrap_or_default(),
        not_after: row.try_get::<Option<i64>, _>(13).doing(doing)?.map(instant),
        attempt: u32::try_from(row.try_get::<i64, _>(14).doing(doing)?).unwrap_or(0) + 1,
        resent: row.try_get(15).doing(doing)?,
        message_id: row.try_get(16).doing(doing)?,
        in_reply_to: row.try_get(20).doing(doing)?,
        queued_at: instant(row.try_get(21).doing(doing)?),
        id,
    })
}
