//! The outbox: rows of every destination, claimed in [`mails`](super::mails) and
//! [`webhooks`](super::webhooks), sent elsewhere, and settled here, so that a crash anywhere
//! repeats harmlessly with the same id (contract 5).
//!
//! The attempt is recorded before the first byte leaves. A row found `leased` at start met a stop
//! of ours: it waits ten minutes, because the server may have taken it.

use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::records::mark_changed;
use super::rows::{Column, with_rows};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::window::later;

/// The channel of mails; every other name is a webhook's.
pub const EMAIL: &str = "email";

/// A mail whose outcome was lost is sent once more after this (contract 5).
pub const AMBIGUOUS_RESEND: SignedDuration = SignedDuration::from_mins(10);

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

    /// What a clock ahead of this one did to the outbox in days that never were. What expired then
    /// is of use still; what was queued or put off is due now, or ten minutes from now where an
    /// attempt was made; and no endpoint waits any longer, nor do budgets count what left as yet to
    /// come.
    pub async fn date_deliveries_by(&self, now: Timestamp) -> Result<(), StoreError> {
        let doing = "dating deliveries anew";
        let mut transaction = self.begin().await?;
        for statement in [
            "UPDATE outbox SET state = 'pending', settled_at = NULL, next_at = $1
             WHERE state = 'expired' AND settled_at > $1 AND queued_at <= $1",
            "UPDATE outbox SET settled_at = $1 WHERE settled_at > $1",
            "UPDATE attempts SET started_at = $1 WHERE started_at > $1",
            "UPDATE destinations SET paused_until = $1 WHERE paused_until > $1",
            "UPDATE destinations SET failing_since = $1 WHERE failing_since > $1",
        ] {
            sqlx::query(statement)
                .bind(micros(now))
                .execute(&mut *transaction)
                .await
                .doing(doing)?;
        }
        sqlx::query(
            "UPDATE outbox SET next_at = CASE WHEN attempts = 0 THEN $1 ELSE $2 END
             WHERE state IN ('pending', 'ambiguous') AND next_at > CASE WHEN attempts = 0 THEN CAST($1 AS BIGINT) ELSE $2 END",
        )
        .bind(micros(now))
        .bind(micros(later(now, AMBIGUOUS_RESEND)))
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        transaction.commit().await.doing(doing)
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
        for claims in claims.chunks(ROWS_PER_STATEMENT) {
            for statement in [
                "UPDATE outbox SET attempts = outbox.attempts - 1, next_at = back.at,
                     state = CASE WHEN outbox.resent = TRUE THEN 'ambiguous' ELSE 'pending' END
                 FROM back WHERE outbox.id = back.id AND outbox.state = 'leased' AND outbox.attempts = back.attempt",
                "DELETE FROM attempts WHERE EXISTS (
                     SELECT 1 FROM back WHERE back.id = attempts.delivery_id AND back.attempt = attempts.number)",
            ] {
                let columns = &[
                    ("id", Column::Text),
                    ("attempt", Column::Bigint),
                    ("at", Column::Bigint),
                ];
                let mut given = with_rows("back", columns, claims, |row, (id, attempt)| {
                    row.bind(*id).bind(i64::from(*attempt)).bind(micros(now));
                });
                given
                    .push(statement)
                    .build()
                    .execute(&mut *transaction)
                    .await
                    .doing("giving back mails")?;
            }
        }
        transaction.commit().await.doing("giving back mails")
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
    let columns = &[
        ("id", Column::Text),
        ("attempt", Column::Bigint),
        ("state", Column::Text),
        ("next_at", Column::Bigint),
        ("at", Column::Bigint),
        ("code", Column::Text),
        ("error", Column::Text),
        ("is_last", Column::Boolean),
    ];
    let mut statement = with_rows("over", columns, batch, |row, settled| {
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
        row.bind(&settled.id)
            .bind(i64::from(settled.attempt))
            .bind(state)
            .bind(next_at.map(micros))
            .bind(micros(settled.at))
            .bind(&settled.code)
            .bind(&settled.text)
            .bind(once);
    });
    statement.push(
        "UPDATE outbox SET
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
    let columns = &[
        ("id", Column::Text),
        ("attempt", Column::Bigint),
        ("at", Column::Bigint),
        ("outcome", Column::Text),
        ("code", Column::Text),
    ];
    let mut statement = with_rows("over", columns, batch, |row, settled| {
        row.bind(&settled.id)
            .bind(i64::from(settled.attempt))
            .bind(micros(settled.at))
            .bind(match settled.disposition {
                Disposition::Sent => "accepted",
                Disposition::RetryAt(_) => "deferred",
                Disposition::Ambiguous | Disposition::Lost(_) => "ambiguous",
                Disposition::Refused => "rejected",
                Disposition::Dead => "gone",
            })
            .bind(&settled.code);
    });
    statement.push(
        "UPDATE attempts SET ended_at = over.at, outcome = over.outcome, code = over.code
         FROM over WHERE attempts.delivery_id = over.id AND attempts.number = over.attempt",
    );
    statement
        .build()
        .execute(connection)
        .await
        .doing("settling mails")
        .map(drop)
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
