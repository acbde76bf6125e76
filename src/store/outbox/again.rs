//! Rows that are taken up once more, or set aside, because somebody says so: an operator, or a
//! clock that turned out to be right.

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::view::known_state;
use crate::domain::delivery::{Asks, IN_DOUBT, State};
use crate::domain::state::State as Stands;
use crate::domain::window::later;
use crate::store::db::{Connection, Db};
use crate::store::destinations::{Health, remember};
use crate::store::records::mark_changed;
use crate::store::rows::execute_each;
use crate::store::totals::{Total, Totals, number};
use crate::store::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};

/// What an operator's word about a row found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// A row in that state; where an operator may act on it, it was done.
    Row(State),
    /// A webhook whose body is no longer kept.
    TooOld,
    /// A webhook that is no longer true of the person, or was overtaken.
    Untrue,
    /// No such row.
    Nothing,
}

impl Store {
    /// Gives a row another chance, or sets it aside, and says what it was.
    pub async fn replay(
        &self,
        id: &str,
        discard: bool,
        now: Timestamp,
    ) -> Result<Found, StoreError> {
        let doing = "replaying a delivery";
        let mut transaction = self.begin().await?;
        let before: Option<(String, bool, Option<String>)> = sqlx::query_as(
            "SELECT state, address IS NULL AND body IS NULL, user_id FROM outbox WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await
        .doing(doing)?;
        let Some((state, is_empty, user)) = before else {
            return Ok(Found::Nothing);
        };
        let state = known_state(id, &state)?;
        if is_empty && !discard {
            return Ok(Found::TooOld);
        }
        if !state.is_in_hand() {
            return Ok(Found::Row(state));
        }
        if !discard && !untrue(&mut transaction, id, "").await?.is_empty() {
            return Ok(Found::Untrue);
        }
        let (then, next_at, settled_at) = if discard {
            (State::Superseded, None, Some(micros(now)))
        } else {
            (State::Pending, Some(micros(now)), None)
        };
        sqlx::query(
            "UPDATE outbox SET state = $2, next_at = $3, settled_at = $4, resent = CASE WHEN $5 THEN resent ELSE FALSE END WHERE id = $1",
        )
        .bind(id)
        .bind(then.as_str())
        .bind(next_at)
        .bind(settled_at)
        .bind(discard)
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        let mut totals = Totals::default();
        for (state, more) in [(state, -1), (then, 1)] {
            if state.is_over() {
                totals.add(Total::Ended(state), more);
            }
        }
        totals.keep(&mut transaction).await?;
        mark_changed(&mut transaction, &user.into_iter().collect::<Vec<_>>()).await?;
        transaction.commit().await.doing(doing)?;
        Ok(Found::Row(state))
    }

    /// An operator says that an endpoint is well again: what waits is due now, and so is what died
    /// with it, unless it is of no use any more. How many rows are due.
    pub async fn reopen(&self, name: &str, now: Timestamp) -> Result<u64, StoreError> {
        let doing = "reopening an endpoint";
        let mut transaction = self.begin().await?;
        remember(&mut transaction, name, &Health::default()).await?;
        supersede_untrue(&mut transaction, name, now).await?;
        let waited = sqlx::query(
            "UPDATE outbox SET state = $3, next_at = $2 WHERE destination = $1 AND body IS NOT NULL AND next_at IS NOT NULL",
        )
        .bind(name)
        .bind(micros(now))
        .bind(State::Pending.as_str())
        .execute(&mut *transaction)
        .await
        .doing(doing)?
        .rows_affected();
        let dead = sqlx::query(
            "UPDATE outbox SET state = $3, settled_at = NULL, next_at = $2 WHERE destination = $1 AND body IS NOT NULL AND state = $4",
        )
        .bind(name)
        .bind(micros(now))
        .bind(State::Pending.as_str())
        .bind(State::Dead.as_str())
        .execute(&mut *transaction)
        .await
        .doing(doing)?
        .rows_affected();
        Totals::of(Total::Ended(State::Dead), -number(dead))
            .keep(&mut transaction)
            .await?;
        transaction.commit().await.doing(doing)?;
        Ok(waited + dead)
    }

    /// What a clock ahead of this one did to the outbox in days that never were. What expired then
    /// is of use still; what was queued or put off is due now, or ten minutes from now where an
    /// attempt was made; and no destination waits any longer, nor do budgets count what left as yet
    /// to come.
    pub async fn date_deliveries_by(&self, now: Timestamp) -> Result<(), StoreError> {
        let doing = "dating deliveries anew";
        let mut transaction = self.begin().await?;
        let revived = sqlx::query(
            "UPDATE outbox SET state = $2, settled_at = NULL, next_at = $1 WHERE state = $3 AND settled_at > $1 AND queued_at <= $1",
        )
        .bind(micros(now))
        .bind(State::Pending.as_str())
        .bind(State::Expired.as_str())
        .execute(&mut *transaction)
        .await
        .doing(doing)?
        .rows_affected();
        Totals::of(Total::Ended(State::Expired), -number(revived))
            .keep(&mut transaction)
            .await?;
        for statement in [
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
            "UPDATE outbox SET next_at = CASE WHEN attempts = 0 THEN CAST($1 AS BIGINT) ELSE CAST($2 AS BIGINT) END
             WHERE next_at > CASE WHEN attempts = 0 THEN CAST($1 AS BIGINT) ELSE CAST($2 AS BIGINT) END",
        )
        .bind(micros(now))
        .bind(micros(later(now, IN_DOUBT)))
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        transaction.commit().await.doing(doing)
    }
}

/// Of what died at a destination, what is no longer true.
async fn supersede_untrue(
    connection: &mut Connection,
    destination: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let untrue = untrue(&mut *connection, "", destination).await?;
    let statements = untrue.chunks(ROWS_PER_STATEMENT).map(|ids| {
        let mut statement = QueryBuilder::<Db>::new("UPDATE outbox SET state = ");
        statement
            .push_bind(State::Superseded.as_str())
            .push(", settled_at = ")
            .push_bind(micros(now))
            .push(" WHERE ");
        crate::store::Whom::these(ids).restrict(&mut statement, "id");
        statement
    });
    let superseded = execute_each(&mut *connection, statements)
        .await
        .doing("reopening an endpoint")?;
    let mut totals = Totals::of(Total::Ended(State::Dead), -number(superseded));
    totals.add(Total::Ended(State::Superseded), number(superseded));
    totals.keep(connection).await
}

/// Of a webhook, or of what died at a destination: a notice that a later one has overtaken or of a
/// window that is no longer open, and a flag that no longer stands.
async fn untrue(
    connection: &mut Connection,
    id: &str,
    destination: &str,
) -> Result<Vec<String>, StoreError> {
    let rows: Vec<(String, String, Option<String>, bool)> = sqlx::query_as(
        "SELECT outbox.id, outbox.asks, standings.state, EXISTS (
             SELECT 1 FROM outbox AS newer WHERE newer.destination = outbox.destination AND newer.policy = outbox.policy
                 AND newer.user_id = outbox.user_id AND newer.position > outbox.position AND newer.asks = outbox.asks
                 AND (newer.settled_at IS NULL OR newer.state IN ($3, $4)))
         FROM outbox LEFT JOIN standings ON standings.policy = outbox.policy AND standings.user_id = outbox.user_id
             AND standings.sequence = outbox.sequence
         WHERE (outbox.id = $1 OR (outbox.destination = $2 AND outbox.state = $3)) AND outbox.policy IS NOT NULL AND outbox.body IS NOT NULL",
    )
    .bind(id)
    .bind(destination)
    .bind(State::Dead.as_str())
    .bind(State::Sent.as_str())
    .fetch_all(connection)
    .await
    .doing("looking for what is no longer true")?;
    let untrue = rows.into_iter().filter(|(_, asks, stands, is_overtaken)| {
        let stands = stands.as_deref().and_then(Stands::parse);
        !is_true_of(asks, stands) || (*is_overtaken && asks == Asks::Notice.as_str())
    });
    Ok(untrue.map(|(id, ..)| id).collect())
}

/// Whether what a webhook asks still holds. A registration that was only reported takes no notice
/// back: it may come to nothing.
fn is_true_of(asks: &str, stands: Option<Stands>) -> bool {
    let [notice, flag] = [Asks::Notice, Asks::Flag].map(Asks::as_str);
    let asked = stands.and_then(Asks::of_person).map(Asks::as_str);
    (asks != notice && asks != flag)
        || asked == Some(asks)
        || (asks == notice && stands == Some(Stands::RegistrationReported))
}
