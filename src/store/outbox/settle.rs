//! What became of attempts: settled, given back, or found on a lease that has ended.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Claimed;
use super::withdraw::drop_withdrawn;
use crate::domain::delivery::{Disposition, IN_DOUBT, State};
use crate::domain::window::later;
use crate::store::db::Connection;
use crate::store::records::mark_changed;
use crate::store::rows::{Column, with_rows};
use crate::store::totals::{Total, Totals};
use crate::store::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};

/// Claims are as if they had never been made …
const GIVE_BACK: &str = "UPDATE outbox SET attempts = outbox.attempts - 1, state = back.state, leased_by = NULL, leased_until = NULL, next_at = back.at
     FROM back WHERE outbox.id = back.id AND outbox.leased_until IS NOT NULL AND outbox.attempts = back.attempt";
/// … and so are their attempts.
const FORGET: &str =
    "DELETE FROM attempts WHERE (delivery_id, number) IN (SELECT back.id, back.attempt FROM back)";

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The row.
    pub id: String,
    /// The attempt.
    pub attempt: u32,
    /// Its outcome was lost before.
    pub resent: bool,
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

impl SettledTally {
    /// Both together.
    pub fn add(&mut self, more: Self) {
        self.sent += more.sent;
        self.failed += more.failed;
        self.ambiguous += more.ambiguous;
    }

    fn count(&mut self, state: State) {
        match state {
            State::Sent => self.sent += 1,
            State::Failed | State::Dead => self.failed += 1,
            State::Ambiguous => self.ambiguous += 1,
            State::Pending | State::Leased | State::Superseded | State::Expired => {}
        }
    }
}

impl Store {
    /// Rows that a stop or a failure of the store left leased, of one destination or of all, are
    /// pending again, ten minutes from now, because the server may have taken them. Only whoever
    /// holds the lock of passes delivers, and to each destination at one place: between two
    /// deliveries to it every lease has ended.
    pub async fn end_leases(
        &self,
        destination: Option<&str>,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let doing = "ending leases";
        let mut transaction = self.begin().await?;
        sqlx::query(
            "UPDATE attempts SET ended_at = $1, outcome = 'stopped' WHERE ended_at IS NULL AND delivery_id IN (
                 SELECT id FROM outbox WHERE leased_until IS NOT NULL AND (CAST($2 AS TEXT) IS NULL OR destination = $2))",
        )
        .bind(micros(now))
        .bind(destination)
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        let ended = sqlx::query(
            "UPDATE outbox SET state = $1, next_at = $2, in_doubt = TRUE, leased_by = NULL, leased_until = NULL,
                 not_after = CASE WHEN floats = TRUE AND address IS NOT NULL THEN deadline ELSE not_after END
             WHERE leased_until IS NOT NULL AND (CAST($3 AS TEXT) IS NULL OR destination = $3)",
        )
        .bind(State::Pending.as_str())
        .bind(micros(later(now, IN_DOUBT)))
        .bind(destination)
        .execute(&mut *transaction)
        .await
        .doing(doing)?
        .rows_affected();
        if ended > 0 {
            drop_withdrawn(&mut transaction, now).await?;
        }
        transaction.commit().await.doing(doing)?;
        Ok(ended)
    }

    /// Takes back claims that led to no attempt, as if they had never been made.
    pub async fn give_back(&self, claims: &[&Claimed], now: Timestamp) -> Result<(), StoreError> {
        if claims.is_empty() {
            return Ok(());
        }
        let doing = "giving back deliveries";
        let mut transaction = self.begin().await?;
        for claims in claims.chunks(ROWS_PER_STATEMENT) {
            for statement in [GIVE_BACK, FORGET] {
                let columns = &[
                    ("id", Column::Text),
                    ("attempt", Column::Bigint),
                    ("state", Column::Text),
                    ("at", Column::Bigint),
                ];
                let mut rows = with_rows("back", columns, claims, |row, claimed| {
                    let state = if claimed.resent {
                        State::Ambiguous
                    } else {
                        State::Pending
                    };
                    row.bind(&claimed.id)
                        .bind(i64::from(claimed.attempt))
                        .bind(state.as_str())
                        .bind(micros(now));
                });
                rows.push(statement)
                    .build()
                    .execute(&mut *transaction)
                    .await
                    .doing(doing)?;
            }
        }
        drop_withdrawn(&mut transaction, now).await?;
        transaction.commit().await.doing(doing)
    }
}

/// Settles attempts at rows that are leased for just these. Whoever got a notice, or cannot get
/// one, is decided about again.
pub(in crate::store) async fn settle(
    connection: &mut Connection,
    batch: &[Settled],
    now: Timestamp,
) -> Result<SettledTally, StoreError> {
    let mut tally = SettledTally::default();
    let mut totals = Totals::default();
    let mut changed = Vec::new();
    for batch in batch.chunks(ROWS_PER_STATEMENT) {
        for (state, user) in settle_rows(connection, batch).await? {
            tally.count(state);
            if !state.waits() {
                totals.add(Total::Ended(state), 1);
                changed.extend(user);
            }
        }
        end_attempts(connection, batch).await?;
    }
    totals.keep(connection).await?;
    drop_withdrawn(connection, now).await?;
    mark_changed(connection, &changed).await?;
    Ok(tally)
}

/// What each row is now, and about whom it is if a decision looks at it.
async fn settle_rows(
    connection: &mut Connection,
    batch: &[Settled],
) -> Result<Vec<(State, Option<String>)>, StoreError> {
    let columns = &[
        ("id", Column::Text),
        ("attempt", Column::Bigint),
        ("state", Column::Text),
        ("next_at", Column::Bigint),
        ("settled_at", Column::Bigint),
        ("lost", Column::Boolean),
        ("code", Column::Text),
        ("error", Column::Text),
    ];
    let mut statement = with_rows("over", columns, batch, |row, settled| {
        let ending = settled.disposition.ending(settled.resent, settled.at);
        row.bind(&settled.id)
            .bind(i64::from(settled.attempt))
            .bind(ending.state.as_str())
            .bind(ending.next_at.map(micros))
            .bind(ending.settled_at.map(micros))
            .bind(settled.disposition.is_lost())
            .bind(&settled.code)
            .bind(&settled.text);
    });
    statement.push(
        "UPDATE outbox SET state = over.state, next_at = over.next_at, settled_at = over.settled_at, leased_by = NULL, leased_until = NULL,
             resent = (outbox.resent = TRUE OR over.lost = TRUE), in_doubt = (outbox.in_doubt = TRUE OR over.lost = TRUE),
             not_after = CASE WHEN over.lost = TRUE AND outbox.floats = TRUE AND outbox.address IS NOT NULL THEN outbox.deadline ELSE outbox.not_after END,
             last_code = over.code, last_error = over.error
         FROM over WHERE outbox.id = over.id AND outbox.leased_until IS NOT NULL AND outbox.attempts = over.attempt
         RETURNING outbox.state, CASE WHEN outbox.is_fact = TRUE THEN outbox.user_id END",
    );
    let rows: Vec<(String, Option<String>)> = statement
        .build_query_as()
        .fetch_all(connection)
        .await
        .doing("settling deliveries")?;
    rows.into_iter()
        .map(|(state, user)| Ok((super::view::known_state("returned", &state)?, user)))
        .collect()
}

async fn end_attempts(connection: &mut Connection, batch: &[Settled]) -> Result<(), StoreError> {
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
            .bind(settled.disposition.word())
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
        .doing("settling deliveries")
        .map(drop)
}
