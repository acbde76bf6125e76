//! The outbox as operators see it, and what they may do to one row.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::records::mark_changed;
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::id::UserId;

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
    /// The states of rule 5.3.
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
    /// The pass that queued it.
    #[serde(skip)]
    pub queued_at: Timestamp,
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
                    settled_at, deadline, queued_at FROM outbox WHERE 1 = 1",
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
                    queued_at: instant(row.try_get(15)?),
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading the outbox")
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
