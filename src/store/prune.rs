//! What no decision needs any more is removed, in bounded slices (rule R15).

use jiff::{SignedDuration, Timestamp};

use sqlx::QueryBuilder;

use super::db::Db;
use super::rows::execute_each;
use super::totals::{Total, Totals, number};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, Whom, micros};
use crate::domain::window::later;

/// Sign-ins and audit events are kept this long where no open window needs them.
const KEEP: SignedDuration = SignedDuration::from_hours(35 * 24);
/// Sign-ins of people whom no snapshot has shown yet wait this long (case 49).
const KEEP_UNKNOWN: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Attempts are kept this long; budgets look back a day.
const KEEP_ATTEMPTS: SignedDuration = SignedDuration::from_hours(180 * 24);
/// What was sent to endpoints is kept this long after it was settled: it names people.
const KEEP_BODIES: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What is known of an address that is not at fault and no longer written to.
const KEEP_ADDRESSES: SignedDuration = SignedDuration::from_hours(35 * 24);
/// Rows removed in one go.
const SLICE: i64 = 5_000;

impl Store {
    /// Forgets the marks of ids that no users snapshot has shown: nobody can decide about them.
    /// Whoever appears is marked by the snapshot that shows them (case 49).
    pub async fn forget_strangers(&self, ids: &[String]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let statements = ids.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new(
                "DELETE FROM changed WHERE NOT EXISTS (SELECT 1 FROM people WHERE people.id = changed.user_id) AND ",
            );
            Whom::these(ids).restrict(&mut statement, "user_id");
            statement
        });
        execute_each(&mut transaction, statements)
            .await
            .doing("forgetting marks of strangers")?;
        transaction
            .commit()
            .await
            .doing("forgetting marks of strangers")
    }

    /// Removes one slice of each; whether more is left.
    pub async fn prune(&self, now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let slices = [
            (
                "DELETE FROM sign_ins WHERE id IN (
                     SELECT id FROM sign_ins WHERE at < $1 AND NOT EXISTS (
                         SELECT 1 FROM standings WHERE standings.user_id = sign_ins.user_id AND standings.is_open = TRUE)
                     ORDER BY at LIMIT $2)",
                KEEP,
                Some(Total::SignIns),
            ),
            (
                "DELETE FROM sign_ins WHERE id IN (
                     SELECT id FROM sign_ins WHERE at < $1 AND NOT EXISTS (
                         SELECT 1 FROM people WHERE people.id = sign_ins.user_id)
                     ORDER BY at LIMIT $2)",
                KEEP_UNKNOWN,
                Some(Total::SignIns),
            ),
            (
                "DELETE FROM newest_sign_ins WHERE (user_id, class) IN (
                     SELECT user_id, class FROM newest_sign_ins WHERE at < $1 AND NOT EXISTS (
                         SELECT 1 FROM standings WHERE standings.user_id = newest_sign_ins.user_id AND standings.is_open = TRUE)
                     ORDER BY at LIMIT $2)",
                KEEP,
                None,
            ),
            (
                "DELETE FROM newest_sign_ins WHERE (user_id, class) IN (
                     SELECT user_id, class FROM newest_sign_ins WHERE at < $1 AND NOT EXISTS (
                         SELECT 1 FROM people WHERE people.id = newest_sign_ins.user_id)
                     ORDER BY at LIMIT $2)",
                KEEP_UNKNOWN,
                None,
            ),
            (
                "DELETE FROM audits WHERE id IN (
                     SELECT id FROM audits WHERE at < $1 AND NOT EXISTS (
                         SELECT 1 FROM standings WHERE standings.user_id = audits.user_id AND standings.is_open = TRUE)
                     ORDER BY at LIMIT $2)",
                KEEP,
                Some(Total::Audits),
            ),
            (
                "DELETE FROM reported WHERE (user_id, delivery_id) IN (
                     SELECT user_id, delivery_id FROM reported WHERE at < $1 ORDER BY at LIMIT $2)",
                KEEP_ATTEMPTS,
                None,
            ),
            (
                "DELETE FROM attempts WHERE (delivery_id, number) IN (
                     WITH RECURSIVE known (destination) AS (
                         SELECT MIN(destination) FROM attempts
                         UNION ALL SELECT (SELECT MIN(destination) FROM attempts WHERE attempts.destination > known.destination)
                         FROM known WHERE destination IS NOT NULL)
                     SELECT delivery_id, number FROM known JOIN attempts ON attempts.destination = known.destination
                     WHERE started_at < $1 LIMIT $2)",
                KEEP_ATTEMPTS,
                None,
            ),
            (
                "UPDATE outbox SET body = NULL WHERE id IN (
                     SELECT id FROM outbox WHERE body IS NOT NULL AND settled_at < $1 LIMIT $2)",
                KEEP_BODIES,
                None,
            ),
            (
                "DELETE FROM addresses WHERE address IN (
                     SELECT address FROM addresses WHERE at_fault_at IS NULL AND noted_at < $1 LIMIT $2)",
                KEEP_ADDRESSES,
                None,
            ),
        ];
        let mut more = false;
        let mut totals = Totals::default();
        for (statement, keep, total) in slices {
            let removed = sqlx::query(statement)
                .bind(micros(later(now, -keep)))
                .bind(SLICE)
                .execute(&mut *transaction)
                .await
                .doing("removing what is no longer needed")?
                .rows_affected();
            if let Some(total) = total {
                totals.add(total, -number(removed));
            }
            more |= removed >= SLICE as u64;
        }
        totals.keep(&mut transaction).await?;
        transaction
            .commit()
            .await
            .doing("removing what is no longer needed")?;
        Ok(more)
    }
}
