//! The outbox: rows of every destination. Here mails are claimed, sent elsewhere and settled, so
//! that a crash anywhere repeats harmlessly with the same Message-ID (contract 5).
//!
//! The attempt is recorded before the first byte leaves. A row found `leased` at start met a stop
//! of ours: it waits ten minutes, because the server may have taken it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::records::mark_changed;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::{Policy, Step};
use crate::domain::standing::Standing;
use crate::domain::window::later;

/// The channel of mails; every other name is a webhook's.
pub const EMAIL: &str = "email";

/// A mail whose outcome was lost is sent once more after this (contract 5).
pub const AMBIGUOUS_RESEND: SignedDuration = SignedDuration::from_mins(10);

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

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Disposition {
    /// The server accepted it.
    Sent,
    /// Try again then.
    RetryAt(Timestamp),
    /// The outcome was lost.
    Ambiguous,
    /// The outcome was lost, and it is tried again then, as often as it takes.
    Lost(Timestamp),
    /// Refused for good.
    Refused,
    /// There is nobody any more to send it to.
    Dead,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    /// The row.
    pub id: String,
    /// The attempt.
    pub attempt: u32,
    /// What became of it.
    pub disposition: Disposition,
    /// The server's code, or a word of ours.
    pub code: String,
    /// What it said, cleaned.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// What settling changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SettledTally {
    /// Accepted.
    pub sent: u64,
    /// Refused for good or nothing more to try.
    pub failed: u64,
    /// Outcome lost.
    pub ambiguous: u64,
}

impl Store {
    /// Rows that a stop of ours left leased are pending again, ten minutes from now.
    pub async fn recover_leased(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE attempts SET ended_at = $1, outcome = 'stopped' WHERE ended_at IS NULL
             AND delivery_id IN (SELECT id FROM outbox WHERE state = 'leased')",
        )
        .bind(micros(now))
        .execute(&mut *transaction)
        .await
        .doing("recovering mails")?;
        let recovered =
            sqlx::query("UPDATE outbox SET state = 'pending', next_at = $1 WHERE state = 'leased'")
                .bind(micros(later(now, AMBIGUOUS_RESEND)))
                .execute(&mut *transaction)
                .await
                .doing("recovering mails")?
                .rows_affected();
        transaction.commit().await.doing("recovering mails")?;
        Ok(recovered)
    }

    /// Rows that a clock ahead of this one queued or put off: due now, or ten minutes from now
    /// where an attempt was made. No endpoint waits any longer either.
    pub async fn date_deliveries_by(&self, now: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE destinations SET paused_until = $1 WHERE paused_until > $1")
            .bind(micros(now))
            .execute(&self.write)
            .await
            .doing("dating endpoints anew")?;
        sqlx::query(
            "UPDATE outbox SET next_at = CASE WHEN attempts = 0 THEN $1 ELSE $2 END
             WHERE state IN ('pending', 'ambiguous') AND next_at > CASE WHEN attempts = 0 THEN $1 ELSE $2 END",
        )
        .bind(micros(now))
        .bind(micros(later(now, AMBIGUOUS_RESEND)))
        .execute(&self.write)
        .await
        .doing("dating mails anew")?;
        Ok(())
    }

    /// Mails whose use has ended expire.
    pub async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let expired = sqlx::query(
            "UPDATE outbox SET state = 'expired', settled_at = $1, next_at = NULL
             WHERE state IN ('pending', 'ambiguous') AND not_after <= $1",
        )
        .bind(micros(now))
        .execute(&self.write)
        .await
        .doing("expiring mails")?;
        Ok(expired.rows_affected())
    }

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

    /// When the next row for one of these destinations can be claimed, if any waits.
    pub async fn next_delivery(
        &self,
        channels: &[String],
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "SELECT MIN(CASE WHEN destinations.paused_until > outbox.next_at THEN destinations.paused_until ELSE outbox.next_at END)
             FROM outbox LEFT JOIN destinations ON destinations.name = outbox.channel
             WHERE outbox.state IN ('pending', 'ambiguous') AND ",
        );
        super::Whom::these(channels).restrict(&mut statement, "outbox.channel");
        let next: Option<i64> = statement
            .build_query_scalar()
            .fetch_one(&self.read)
            .await
            .doing("looking for the next delivery")?;
        Ok(next.map(instant))
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
        let mut seen = std::collections::HashSet::new();
        let last: Vec<&str> = rows
            .iter()
            .filter(|(address, _)| seen.insert(address))
            .map(|(_, state)| state.as_str())
            .take(10)
            .collect();
        Ok(last.len() == 10 && last.iter().all(|state| *state == "failed"))
    }

    /// Settles a batch of attempts. Whoever was reached or refused is decided about again.
    pub async fn settle(&self, batch: &[Settled]) -> Result<SettledTally, StoreError> {
        let mut transaction = self.begin().await?;
        let tally = settle_batch(&mut transaction, batch).await?;
        transaction.commit().await.doing("settling mails")?;
        Ok(tally)
    }

    /// Takes back claims that led to no attempt, as if they had never been made.
    pub async fn give_back(
        &self,
        claims: &[(&str, u32)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        for (id, attempt) in claims {
            sqlx::query(
                "UPDATE outbox SET attempts = attempts - 1, next_at = $3, state = CASE WHEN resent = TRUE THEN 'ambiguous' ELSE 'pending' END
                 WHERE id = $1 AND state = 'leased' AND attempts = $2",
            )
            .bind(*id)
            .bind(i64::from(*attempt))
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .doing("giving back mails")?;
            sqlx::query("DELETE FROM attempts WHERE delivery_id = $1 AND number = $2")
                .bind(*id)
                .bind(i64::from(*attempt))
                .execute(&mut *transaction)
                .await
                .doing("giving back mails")?;
        }
        transaction.commit().await.doing("giving back mails")
    }

    /// Gives a mail another chance, or sets it aside; what it was, if it is there.
    pub async fn replay(
        &self,
        id: &str,
        discard: bool,
        now: Timestamp,
    ) -> Result<Option<String>, StoreError> {
        let mut transaction = self.begin().await?;
        let before: Option<(String, Option<String>)> = sqlx::query_as(
            "SELECT CASE WHEN channel = 'email' OR body IS NOT NULL OR $2 = TRUE THEN state ELSE 'too old to be sent' END, user_id
             FROM outbox WHERE id = $1",
        )
        .bind(id)
        .bind(discard)
        .fetch_optional(&mut *transaction)
        .await
        .doing("replaying a mail")?;
        let Some((state, user)) = before else {
            return Ok(None);
        };
        let statement = if discard {
            "UPDATE outbox SET state = 'superseded', settled_at = $2, next_at = NULL WHERE id = $1 AND state IN ('pending', 'ambiguous', 'failed', 'dead')"
        } else {
            "UPDATE outbox SET state = 'pending', settled_at = NULL, next_at = $2, resent = FALSE WHERE id = $1 AND state IN ('pending', 'ambiguous', 'failed', 'dead') AND (channel = 'email' OR body IS NOT NULL)"
        };
        sqlx::query(statement)
            .bind(id)
            .bind(micros(now))
            .execute(&mut *transaction)
            .await
            .doing("replaying a mail")?;
        mark_changed(&mut transaction, &user.into_iter().collect::<Vec<_>>()).await?;
        transaction.commit().await.doing("replaying a mail")?;
        Ok(Some(state))
    }
}

/// Settles a batch. Whoever got a notice, or cannot get one, is decided about again.
pub(super) async fn settle_batch(
    connection: &mut SqliteConnection,
    batch: &[Settled],
) -> Result<SettledTally, StoreError> {
    let mut tally = SettledTally::default();
    let mut changed = Vec::new();
    for batch in batch.chunks(ROWS_PER_STATEMENT) {
        for (state, user) in settle_rows(connection, batch).await? {
            match state.as_str() {
                "sent" => tally.sent += 1,
                "failed" | "dead" => tally.failed += 1,
                "ambiguous" => tally.ambiguous += 1,
                _ => {}
            }
            if matches!(state.as_str(), "sent" | "failed" | "dead") {
                changed.extend(user);
            }
        }
        end_attempts(connection, batch).await?;
    }
    mark_changed(connection, &changed).await?;
    Ok(tally)
}

/// Settles rows that are leased for just these attempts; what each is now, and to whom it went.
async fn settle_rows(
    connection: &mut SqliteConnection,
    batch: &[Settled],
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let mut statement = QueryBuilder::<Sqlite>::new(
        "WITH over (id, attempt, state, next_at, at, code, error, is_last) AS (",
    );
    statement.push_values(batch, |mut row, settled| {
        let (state, next_at) = match settled.disposition {
            Disposition::Sent => ("sent", None),
            Disposition::RetryAt(at) => ("pending", Some(at)),
            Disposition::Ambiguous => ("ambiguous", Some(later(settled.at, AMBIGUOUS_RESEND))),
            Disposition::Lost(at) => ("ambiguous", Some(at)),
            Disposition::Refused => ("failed", None),
            Disposition::Dead => ("dead", None),
        };
        // A mail whose outcome was lost is sent once more, and not again after that.
        let once = settled.disposition == Disposition::Ambiguous;
        row.push_bind(&settled.id)
            .push_bind(i64::from(settled.attempt))
            .push_bind(state)
            .push_bind(next_at.map(micros))
            .push_bind(micros(settled.at))
            .push_bind(&settled.code)
            .push_bind(&settled.text)
            .push_bind(once);
    });
    statement.push(
        ") UPDATE outbox SET
             state = CASE WHEN over.is_last = TRUE AND outbox.resent = TRUE THEN 'dead' ELSE over.state END,
             next_at = CASE WHEN over.is_last = TRUE AND outbox.resent = TRUE THEN NULL ELSE over.next_at END,
             resent = CASE WHEN over.state = 'ambiguous' THEN TRUE ELSE outbox.resent END,
             settled_at = CASE WHEN over.state IN ('sent', 'failed', 'dead') OR (over.is_last = TRUE AND outbox.resent = TRUE) THEN over.at ELSE NULL END,
             last_code = over.code, last_error = over.error
         FROM over WHERE outbox.id = over.id AND outbox.state = 'leased' AND outbox.attempts = over.attempt
         RETURNING outbox.state, CASE WHEN outbox.channel = 'email' OR outbox.announces = TRUE THEN outbox.user_id END",
    );
    statement
        .build_query_as()
        .fetch_all(connection)
        .await
        .doing("settling mails")
}

async fn end_attempts(
    connection: &mut SqliteConnection,
    batch: &[Settled],
) -> Result<(), StoreError> {
    let mut statement =
        QueryBuilder::<Sqlite>::new("WITH over (id, attempt, at, outcome, code) AS (");
    statement.push_values(batch, |mut row, settled| {
        row.push_bind(&settled.id)
            .push_bind(i64::from(settled.attempt))
            .push_bind(micros(settled.at))
            .push_bind(match settled.disposition {
                Disposition::Sent => "accepted",
                Disposition::RetryAt(_) => "deferred",
                Disposition::Ambiguous | Disposition::Lost(_) => "ambiguous",
                Disposition::Refused => "rejected",
                Disposition::Dead => "gone",
            })
            .push_bind(&settled.code);
    });
    statement.push(
        ") UPDATE attempts SET ended_at = over.at, outcome = over.outcome, code = over.code
         FROM over WHERE attempts.delivery_id = over.id AND attempts.number = over.attempt",
    );
    statement
        .build()
        .execute(connection)
        .await
        .doing("settling mails")
        .map(drop)
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
        let mut statement = QueryBuilder::<Sqlite>::new("WITH claimed (id, deadline) AS (");
        statement.push_values(claimed, |mut row, claimed| {
            row.push_bind(&claimed.id)
                .push_bind(claimed.deadline.map(micros));
        });
        statement.push(
            ") UPDATE outbox SET state = 'leased', attempts = outbox.attempts + 1, deadline = claimed.deadline
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

/// Records attempts before their first byte leaves.
pub(super) async fn begin_attempts(
    connection: &mut SqliteConnection,
    channel: &str,
    rows: impl Iterator<Item = (&str, u32)>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut statement = QueryBuilder::<Sqlite>::new(
        "INSERT INTO attempts (delivery_id, number, started_at, channel) ",
    );
    statement.push_values(rows, |mut row, (id, number)| {
        row.push_bind(id)
            .push_bind(i64::from(number))
            .push_bind(micros(now))
            .push_bind(channel);
    });
    statement
        .build()
        .execute(connection)
        .await
        .doing("recording attempts")
        .map(drop)
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

/// One row of the outbox for readers.
#[derive(Debug, Clone, serde::Serialize)]
pub struct DeliveryRow {
    /// The row.
    pub id: String,
    /// `"email"` or a webhook's name.
    pub channel: String,
    /// What it says.
    pub event: String,
    /// The step that fell due.
    pub step: Option<String>,
    /// To whom; null: to operators.
    pub user: Option<String>,
    /// Under which policy.
    pub policy: Option<String>,
    /// The states of contract 5.
    pub state: String,
    /// How many attempts began.
    pub attempts: i64,
    /// When it is tried next.
    pub next_at: Option<Timestamp>,
    /// The server's last code.
    pub last_code: Option<String>,
    /// What it said.
    pub last_error: Option<String>,
    /// Always the same.
    pub message_id: String,
    /// The address, for callers that mask it.
    #[serde(skip)]
    pub address: String,
    /// When it was accepted or given up.
    pub settled_at: Option<Timestamp>,
    /// The deadline it names.
    pub deadline: Option<Timestamp>,
}

impl Store {
    /// The outbox, oldest first: all of it, some states, or one person's.
    pub async fn deliveries(
        &self,
        states: &[String],
        user: Option<&UserId>,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "SELECT id, channel, event, step, user_id, policy, state, attempts, next_at, last_code, last_error, message_id, address,
                    settled_at, deadline FROM outbox WHERE 1 = 1",
        );
        if !states.is_empty() {
            statement.push(" AND ");
            super::Whom::these(states).restrict(&mut statement, "state");
        }
        if let Some(user) = user {
            statement
                .push(" AND user_id = ")
                .push_bind(user.as_str().to_owned());
        }
        statement.push(" ORDER BY position");
        let rows = statement
            .build()
            .fetch_all(&self.read)
            .await
            .doing("reading the outbox")?;
        rows.iter()
            .map(|row| {
                let at = |column: usize| {
                    row.try_get::<Option<i64>, _>(column)
                        .map(|at| at.map(instant))
                };
                Ok(DeliveryRow {
                    id: row.try_get(0)?,
                    channel: row.try_get(1)?,
                    event: row.try_get(2)?,
                    step: row.try_get(3)?,
                    user: row.try_get(4)?,
                    policy: row.try_get(5)?,
                    state: row.try_get(6)?,
                    attempts: row.try_get(7)?,
                    next_at: at(8)?,
                    last_code: row.try_get(9)?,
                    last_error: row.try_get(10)?,
                    message_id: row.try_get(11)?,
                    address: row.try_get(12)?,
                    settled_at: at(13)?,
                    deadline: at(14)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading the outbox")
    }
}
