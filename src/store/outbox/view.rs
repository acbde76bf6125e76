//! The outbox as operators and the courier look at it.

use jiff::Timestamp;
use sqlx::{QueryBuilder, Row as _};

use super::EMAIL;
use crate::domain::delivery::State;
use crate::domain::id::UserId;
use crate::store::db::{Db, Row};
use crate::store::{Doing, Store, StoreError, Whom, instant, micros};

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
    /// The same, for display.
    pub user_principal_name: Option<String>,
    /// Under which policy.
    pub policy: Option<String>,
    /// Where it stands.
    pub state: State,
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
    /// The address of a mail, for callers that mask it.
    #[serde(skip)]
    pub address: Option<String>,
    /// The pass that queued it.
    #[serde(skip)]
    pub queued_at: Timestamp,
    /// Its place among all rows.
    #[serde(skip)]
    pub position: i64,
    /// When it was accepted or given up.
    pub settled_at: Option<Timestamp>,
    /// The deadline it names.
    pub deadline: Option<Timestamp>,
}

impl Store {
    /// The outbox, oldest first: all of it, some states, or one person's.
    pub async fn deliveries(
        &self,
        states: &[State],
        user: Option<&UserId>,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut statement = wanted(states, user);
        statement.push(" ORDER BY position");
        self.read_deliveries(statement).await
    }

    /// The next so many of them, behind that place.
    pub async fn deliveries_after(
        &self,
        states: &[State],
        user: Option<&UserId>,
        position: i64,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut statement = wanted(states, user);
        statement
            .push(" AND position > ")
            .push_bind(position)
            .push(" ORDER BY position LIMIT ")
            .push_bind(i64::from(limit));
        self.read_deliveries(statement).await
    }

    /// The newest so many of them, the newest last.
    pub async fn newest_deliveries(
        &self,
        states: &[State],
        user: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let mut statement = wanted(states, user);
        statement
            .push(" ORDER BY position DESC LIMIT ")
            .push_bind(i64::from(limit));
        let mut rows = self.read_deliveries(statement).await?;
        rows.reverse();
        Ok(rows)
    }

    async fn read_deliveries(
        &self,
        mut statement: QueryBuilder<Db>,
    ) -> Result<Vec<DeliveryRow>, StoreError> {
        let rows = statement
            .build()
            .fetch_all(&self.read)
            .await
            .doing("reading the outbox")?;
        rows.iter().map(delivery).collect()
    }

    /// When the next row for one of these destinations can be claimed, if any waits.
    pub async fn next_delivery(
        &self,
        destinations: &[String],
    ) -> Result<Option<Timestamp>, StoreError> {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT MIN(CASE WHEN destinations.paused_until > outbox.next_at THEN destinations.paused_until ELSE outbox.next_at END)
             FROM outbox LEFT JOIN destinations ON destinations.name = outbox.destination
             WHERE outbox.next_at IS NOT NULL AND ",
        );
        Whom::these(destinations).restrict(&mut statement, "outbox.destination");
        let next: Option<i64> = statement
            .build_query_scalar()
            .fetch_one(&self.read)
            .await
            .doing("looking for the next delivery")?;
        Ok(next.map(instant))
    }

    /// Whether a row that is still of use waits for a destination, or is under way to it.
    pub async fn waits_for(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM outbox WHERE destination = $1 AND next_at IS NOT NULL AND (not_after IS NULL OR not_after > $2))
                 OR EXISTS (SELECT 1 FROM outbox WHERE destination = $1 AND leased_until IS NOT NULL AND (not_after IS NULL OR not_after > $2))",
        )
        .bind(name)
        .bind(micros(now))
        .fetch_one(&self.read)
        .await
        .doing("looking for what waits")
    }

    /// How many rows wait for each webhook.
    pub async fn waiting_by_webhook(&self) -> Result<Vec<(String, i64)>, StoreError> {
        let mut waiting = Vec::new();
        for name in self.waiting_webhooks().await? {
            let rows = sqlx::query_scalar(
                "SELECT COUNT(*) FROM outbox WHERE next_at IS NOT NULL AND destination = $1",
            )
            .bind(&name)
            .fetch_one(&self.read)
            .await
            .doing("counting what waits")?;
            waiting.push((name, rows));
        }
        Ok(waiting)
    }

    /// The webhooks for which rows wait, looked up one by one: as quick for a million rows as for one.
    pub(in crate::store) async fn waiting_webhooks(&self) -> Result<Vec<String>, StoreError> {
        sqlx::query_scalar(
            "WITH RECURSIVE waiting (destination) AS (
                 SELECT MIN(destination) FROM outbox WHERE next_at IS NOT NULL
                 UNION ALL
                 SELECT (SELECT MIN(destination) FROM outbox WHERE next_at IS NOT NULL AND outbox.destination > waiting.destination)
                 FROM waiting WHERE destination IS NOT NULL)
             SELECT destination FROM waiting WHERE destination <> $1",
        )
        .bind(EMAIL)
        .fetch_all(&self.read)
        .await
        .doing("looking for what waits")
    }
}

/// The rows of some states, or of all, and of one person, or of everybody.
fn wanted(states: &[State], user: Option<&UserId>) -> QueryBuilder<Db> {
    let mut statement = QueryBuilder::<Db>::new(
        "SELECT outbox.id, destination, event, step, outbox.user_id, policy, state, attempts, next_at, last_code, last_error, message_id, address,
                settled_at, deadline, queued_at, people.user_principal_name, position
         FROM outbox LEFT JOIN people ON people.id = outbox.user_id WHERE 1 = 1",
    );
    if !states.is_empty() {
        statement.push(" AND ");
        Whom::these(states.iter().map(|state| state.as_str())).restrict(&mut statement, "state");
    }
    if let Some(user) = user {
        statement
            .push(" AND outbox.user_id = ")
            .push_bind(user.as_str().to_owned());
    }
    statement
}

fn delivery(row: &Row) -> Result<DeliveryRow, StoreError> {
    let reading = "reading the outbox";
    let at = |column: usize| {
        row.try_get::<Option<i64>, _>(column)
            .map(|at| at.map(instant))
            .doing(reading)
    };
    let id: String = row.try_get(0).doing(reading)?;
    let state: String = row.try_get(6).doing(reading)?;
    Ok(DeliveryRow {
        channel: row.try_get(1).doing(reading)?,
        event: row.try_get(2).doing(reading)?,
        step: row.try_get(3).doing(reading)?,
        user: row.try_get(4).doing(reading)?,
        policy: row.try_get(5).doing(reading)?,
        state: known_state(&id, &state)?,
        attempts: row.try_get(7).doing(reading)?,
        next_at: at(8)?,
        last_code: row.try_get(9).doing(reading)?,
        last_error: row.try_get(10).doing(reading)?,
        message_id: row.try_get(11).doing(reading)?,
        address: row.try_get(12).doing(reading)?,
        settled_at: at(13)?,
        deadline: at(14)?,
        queued_at: instant(row.try_get(15).doing(reading)?),
        user_principal_name: row.try_get(16).doing(reading)?,
        position: row.try_get(17).doing(reading)?,
        id,
    })
}

/// The state of a name that was read.
pub(super) fn known_state(id: &str, name: &str) -> Result<State, StoreError> {
    State::parse(name).ok_or_else(|| StoreError::Inconsistent {
        table: "outbox",
        key: id.to_owned(),
        column: "state",
        value: name.to_owned(),
    })
}
