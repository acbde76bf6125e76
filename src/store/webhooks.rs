//! Events become rows of the outbox, one per endpoint that wants them, in the transaction that
//! writes what happened; and what chats hear of is kept until the end of the pass.
//!
//! The body is frozen in the row: every attempt sends the same bytes under the same `webhook-id`.
//! The trap is order: of the rows about one person at one endpoint only the oldest may be under
//! way, or a flag that was taken back could arrive before the flag.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::numbers::{self, Series};
use super::outbox::{EMAIL, begin_attempts};
use super::outcome::{Announcement, Outcome, delivery_id};
use super::rows::{Column, with_rows};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::effect::Effect;
use crate::domain::id::{PolicyName, UserId};

/// A webhook that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedWebhook {
    /// The row.
    pub id: String,
    /// The `webhook-id`.
    pub webhook_id: String,
    /// What is sent.
    pub body: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// Useless after this.
    pub not_after: Option<Timestamp>,
}

impl Store {
    /// Claims up to `limit` due rows of an endpoint, oldest first, and records the attempts: of
    /// each person only the first that is not over.
    pub async fn claim_webhooks(
        &self,
        endpoint: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<ClaimedWebhook>, StoreError> {
        let doing = "claiming webhooks";
        let mut transaction = self.begin().await?;
        let rows = sqlx::query(
            "SELECT id, message_id, body, attempts, not_after FROM outbox
             WHERE channel = $1 AND state IN ('pending', 'ambiguous') AND next_at <= $2
                 AND (not_after IS NULL OR not_after > $2) AND body IS NOT NULL
                 AND NOT EXISTS (
                     SELECT 1 FROM outbox AS earlier
                     WHERE earlier.channel = outbox.channel AND earlier.ordering_key IS NOT NULL
                         AND earlier.ordering_key = outbox.ordering_key AND earlier.position < outbox.position
                         AND earlier.state IN ('pending', 'leased', 'ambiguous'))
             ORDER BY urgent_at LIMIT $3",
        )
        .bind(endpoint)
        .bind(micros(now))
        .bind(limit)
        .fetch_all(&mut *transaction)
        .await
        .doing(doing)?;
        let claimed = rows
            .iter()
            .map(|row| {
                Ok(ClaimedWebhook {
                    id: row.try_get(0)?,
                    webhook_id: row.try_get(1)?,
                    body: row.try_get(2)?,
                    attempt: u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(0) + 1,
                    not_after: row.try_get::<Option<i64>, _>(4)?.map(instant),
                })
            })
            .collect::<Result<Vec<_>, sqlx::Error>>()
            .doing(doing)?;
        if !claimed.is_empty() {
            lease(&mut transaction, endpoint, &claimed, now).await?;
        }
        transaction.commit().await.doing(doing)?;
        Ok(claimed)
    }
}

async fn lease(
    connection: &mut SqliteConnection,
    endpoint: &str,
    claimed: &[ClaimedWebhook],
    now: Timestamp,
) -> Result<(), StoreError> {
    let doing = "claiming webhooks";
    let mut statement = QueryBuilder::<Sqlite>::new(
        "UPDATE outbox SET state = 'leased', attempts = attempts + 1 WHERE id IN (",
    );
    let mut ids = statement.separated(", ");
    for claimed in claimed {
        ids.push_bind(&claimed.id);
    }
    statement.push(")");
    statement
        .build()
        .execute(&mut *connection)
        .await
        .doing(doing)?;
    let attempts = claimed.iter().map(|row| (row.id.as_str(), row.attempt));
    begin_attempts(connection, endpoint, attempts, now).await
}

/// Notices and flags that still wait somewhere and are no longer true, or are overtaken by a
/// notice that goes there now.
pub(super) async fn withdraw(
    connection: &mut SqliteConnection,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    let waits: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE state IN ('pending', 'ambiguous') AND channel < $1)
             OR EXISTS (SELECT 1 FROM outbox WHERE state IN ('pending', 'ambiguous') AND channel > $1)",
    )
    .bind(EMAIL)
    .fetch_one(&mut *connection)
    .await
    .doing("withdrawing webhooks")?;
    if !waits {
        return Ok(());
    }
    let untrue: Vec<(&UserId, &PolicyName, Option<&str>)> = outcomes
        .iter()
        .flat_map(|outcome| {
            let user = &outcome.dossier.person.id;
            let withdrawn = outcome
                .decisions
                .iter()
                .filter(|decision| decision.effects.contains(&Effect::WithdrawMessages))
                .map(move |decision| (user, &decision.policy, None));
            let overtaken = outcome
                .announcements
                .iter()
                .filter(|announcement| announcement.event.announces())
                .flat_map(move |announcement| {
                    let policy = announcement.policy.iter();
                    let pairs = policy.flat_map(|policy| {
                        let endpoints = announcement.endpoints.iter();
                        endpoints.map(move |endpoint| (policy, endpoint))
                    });
                    pairs.map(move |(policy, endpoint)| (user, policy, Some(endpoint.as_str())))
                });
            withdrawn.chain(overtaken)
        })
        .collect();
    for untrue in untrue.chunks(ROWS_PER_STATEMENT) {
        let columns = &[
            ("user_id", Column::Text),
            ("policy", Column::Text),
            ("endpoint", Column::Text),
        ];
        let mut statement = with_rows(
            "untrue",
            columns,
            untrue,
            |row, (user, policy, endpoint)| {
                row.bind(user.as_str())
                    .bind(policy.as_str())
                    .bind(*endpoint);
            },
        );
        statement
            .push("UPDATE outbox SET state = 'superseded', next_at = NULL, settled_at = ")
            .push_bind(micros(now))
            .push(
                " FROM untrue WHERE outbox.user_id = untrue.user_id AND outbox.policy = untrue.policy
                  AND outbox.state IN ('pending', 'ambiguous') AND outbox.channel <> 'email'
                  AND (outbox.channel = untrue.endpoint OR untrue.endpoint IS NULL)
                  AND (outbox.event IN ('window.opened', 'window.reminder', 'window.extended', 'window.resumed')
                      OR (untrue.endpoint IS NULL AND outbox.event = 'enforcement.needed'))",
            );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("withdrawing webhooks")?;
    }
    Ok(())
}

/// Queues events for the endpoints that want them, and keeps the lines for chats.
pub(super) async fn announce(
    connection: &mut SqliteConnection,
    announcements: &[&Announcement],
    now: Timestamp,
) -> Result<u64, StoreError> {
    keep_chat_lines(connection, announcements).await?;
    let mut rows: Vec<(&Announcement, &String)> = announcements
        .iter()
        .flat_map(|one| one.endpoints.iter().map(move |endpoint| (*one, endpoint)))
        .collect();
    // Rows of one endpoint are claimed and settled together, so they lie together.
    rows.sort_by_key(|(_, endpoint)| *endpoint);
    if rows.is_empty() {
        return Ok(0);
    }
    let mut position = numbers::take(connection, Series::Outbox, rows.len())
        .await
        .doing("queueing webhooks")?;
    let mut queued = 0;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO outbox (id, dedup_key, position, channel, event, policy, user_id, sequence, moves, step, address, opened_at, deadline,
             announces, must_register, queued_at, not_after, urgent_at, state, attempts, resent, next_at, message_id, ordering_key, body) ",
        );
        statement.push_values(rows, |mut row, (one, endpoint)| {
            let key = format!("webhook/{endpoint}/{}", one.id);
            row.push_bind(delivery_id(&key))
                .push_bind(key)
                .push_bind(position)
                .push_bind(endpoint.as_str())
                .push_bind(one.event.as_str())
                .push_bind(one.policy.as_ref().map(PolicyName::as_str))
                .push_bind(one.user.as_ref().map(UserId::as_str))
                .push_bind(i64::from(one.sequence))
                .push_bind(i64::from(one.moves))
                .push_bind(one.step.map(|step| step.to_string()))
                .push_bind("")
                .push_bind(one.opened_at.map(micros))
                .push_bind(one.deadline.map(micros))
                .push_bind(one.notice_by.contains(endpoint))
                .push_bind(false)
                .push_bind(micros(now))
                .push_bind(one.not_after.map(micros))
                // Oldest first; a column whose values differ, so that the index alone has the order.
                .push_bind(position)
                .push_bind("pending")
                .push_bind(0_i64)
                .push_bind(false)
                .push_bind(micros(now))
                .push_bind(&one.id)
                .push_bind(&one.ordering_key)
                .push_bind(&one.body);
            position += 1;
        });
        statement.push(" ON CONFLICT (dedup_key) DO NOTHING");
        queued += statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("queueing webhooks")?
            .rows_affected();
    }
    Ok(queued)
}

async fn keep_chat_lines(
    connection: &mut SqliteConnection,
    announcements: &[&Announcement],
) -> Result<(), StoreError> {
    let doing = "keeping what chats should hear";
    let lines: Vec<(&Announcement, &String)> = announcements
        .iter()
        .filter_map(|one| Some((*one, one.chat.as_ref()?)))
        .collect();
    if lines.is_empty() {
        return Ok(());
    }
    let mut id = numbers::take(connection, Series::ChatLines, lines.len())
        .await
        .doing(doing)?;
    for lines in lines.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO chat_lines (id, event, policy, deadline, line) ",
        );
        statement.push_values(lines, |mut row, (one, line)| {
            row.push_bind(id)
                .push_bind(one.event.as_str())
                .push_bind(one.policy.as_ref().map(PolicyName::as_str))
                .push_bind(one.deadline.map(micros))
                .push_bind(line.as_str());
            id += 1;
        });
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing(doing)?;
    }
    Ok(())
}
