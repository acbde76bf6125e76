//! Rows that will not be sent: no longer true, overtaken, of no use, or at a destination that is no
//! more.

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::EMAIL;
use crate::domain::delivery::{Asks, State};
use crate::domain::effect::Effect;
use crate::domain::id::{PolicyName, UserId};
use crate::store::db::{Connection, Db};
use crate::store::outcome::Outcome;
use crate::store::records::mark_changed;
use crate::store::rows::{Column, execute_each, with_rows};
use crate::store::totals::{Total, Totals, number};
use crate::store::{Doing, ROWS_PER_STATEMENT, Store, StoreError, micros};

/// Rows of one person under one policy that wait and are not to be sent.
struct Withdrawn<'a> {
    user: &'a UserId,
    policy: &'a PolicyName,
    asks: Asks,
    /// Where; none: everywhere.
    destination: Option<&'a str>,
}

impl Store {
    /// Rows whose use has ended expire.
    pub async fn expire(&self, now: Timestamp) -> Result<u64, StoreError> {
        let doing = "expiring deliveries";
        let mut transaction = self.begin().await?;
        let expired = sqlx::query(
            "UPDATE outbox SET state = $1, settled_at = $2, next_at = NULL WHERE next_at IS NOT NULL AND not_after <= $2",
        )
        .bind(State::Expired.as_str())
        .bind(micros(now))
        .execute(&mut *transaction)
        .await
        .doing(doing)?
        .rows_affected();
        Totals::of(Total::Ended(State::Expired), number(expired))
            .keep(&mut transaction)
            .await?;
        transaction.commit().await.doing(doing)?;
        Ok(expired)
    }
}

/// Withdraws what decisions say is no longer true, or is overtaken by what they queue now.
pub(in crate::store) async fn withdraw(
    connection: &mut Connection,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut withdrawn: Vec<Withdrawn<'_>> = outcomes.iter().flat_map(mails).collect();
    if webhooks_wait(connection).await? {
        withdrawn.extend(outcomes.iter().flat_map(webhooks));
    }
    let waiting = withdrawn.chunks(ROWS_PER_STATEMENT).map(|withdrawn| {
        let mut statement = untrue(withdrawn);
        statement
            .push("UPDATE outbox SET state = ")
            .push_bind(State::Superseded.as_str())
            .push(", next_at = NULL, settled_at = ")
            .push_bind(micros(now))
            .push(OF_UNTRUE)
            .push(" AND outbox.next_at IS NOT NULL");
        statement
    });
    let superseded = execute_each(&mut *connection, waiting)
        .await
        .doing("withdrawing deliveries")?;
    Totals::of(Total::Ended(State::Superseded), number(superseded))
        .keep(&mut *connection)
        .await?;
    if withdrawn.is_empty() || !anything_is_under_way(connection).await? {
        return Ok(());
    }
    let under_way = withdrawn.chunks(ROWS_PER_STATEMENT).map(|withdrawn| {
        let mut statement = untrue(withdrawn);
        statement
            .push("UPDATE outbox SET withdrawn = TRUE")
            .push(OF_UNTRUE)
            .push(" AND outbox.leased_until IS NOT NULL");
        statement
    });
    execute_each(connection, under_way)
        .await
        .doing("withdrawing deliveries")
        .map(drop)
}

/// Which rows of the outbox the rows of [`untrue`] mean.
const OF_UNTRUE: &str = " FROM untrue WHERE outbox.user_id = untrue.user_id AND outbox.policy = untrue.policy AND outbox.asks = untrue.asks
     AND (untrue.destination IS NULL OR outbox.destination = untrue.destination)";

fn untrue(withdrawn: &[Withdrawn<'_>]) -> QueryBuilder<Db> {
    let columns = &[
        ("user_id", Column::Text),
        ("policy", Column::Text),
        ("asks", Column::Text),
        ("destination", Column::Text),
    ];
    with_rows("untrue", columns, withdrawn, |row, one| {
        row.bind(one.user.as_str())
            .bind(one.policy.as_str())
            .bind(one.asks.as_str())
            .bind(one.destination);
    })
}

async fn anything_is_under_way(connection: &mut Connection) -> Result<bool, StoreError> {
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM outbox WHERE leased_until IS NOT NULL)")
        .fetch_one(connection)
        .await
        .doing("withdrawing deliveries")
}

/// What was withdrawn while it was under way, and came to nothing, is not tried again.
pub(super) async fn drop_withdrawn(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(), StoreError> {
    let dropped = sqlx::query(
        "UPDATE outbox SET state = $1, next_at = NULL, settled_at = $2 WHERE withdrawn = TRUE AND next_at IS NOT NULL",
    )
    .bind(State::Superseded.as_str())
    .bind(micros(now))
    .execute(&mut *connection)
    .await
    .doing("withdrawing deliveries")?
    .rows_affected();
    Totals::of(Total::Ended(State::Superseded), number(dropped))
        .keep(connection)
        .await
}

/// Whatever asks something of the person, where it is no longer true or another mail is due.
fn mails(outcome: &Outcome) -> impl Iterator<Item = Withdrawn<'_>> {
    let user = &outcome.dossier.person.id;
    let untrue = outcome.decisions.iter().filter(|decision| {
        let withdrawn = decision.effects.contains(&Effect::WithdrawMessages);
        let overtaken = outcome
            .mail
            .as_ref()
            .is_some_and(|mail| mail.policy == decision.policy);
        let mut deliveries = outcome.dossier.deliveries.iter();
        (withdrawn || overtaken) && deliveries.any(|delivery| delivery.policy == decision.policy)
    });
    untrue.flat_map(move |decision| {
        [Asks::Notice, Asks::Flag, Asks::Thanks, Asks::News].map(|asks| Withdrawn {
            user,
            policy: &decision.policy,
            asks,
            destination: Some(EMAIL),
        })
    })
}

/// Notices and flags that are no longer true, and notices that one goes to the same endpoint after.
fn webhooks(outcome: &Outcome) -> impl Iterator<Item = Withdrawn<'_>> {
    let user = &outcome.dossier.person.id;
    let untrue = outcome
        .decisions
        .iter()
        .filter(|decision| decision.effects.contains(&Effect::WithdrawMessages))
        .flat_map(move |decision| {
            [Asks::Notice, Asks::Flag].map(|asks| Withdrawn {
                user,
                policy: &decision.policy,
                asks,
                destination: None,
            })
        });
    let overtaken = outcome
        .announcements
        .iter()
        .filter(|announcement| Asks::of_event(announcement.event) == Asks::Notice)
        .filter_map(|announcement| Some((announcement.policy.as_ref()?, &announcement.endpoints)))
        .flat_map(move |(policy, endpoints)| {
            endpoints.iter().map(move |endpoint| Withdrawn {
                user,
                policy,
                asks: Asks::Notice,
                destination: Some(endpoint),
            })
        });
    untrue.chain(overtaken)
}

async fn webhooks_wait(connection: &mut Connection) -> Result<bool, StoreError> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM outbox WHERE next_at IS NOT NULL AND destination < $1)
             OR EXISTS (SELECT 1 FROM outbox WHERE next_at IS NOT NULL AND destination > $1)",
    )
    .bind(EMAIL)
    .fetch_one(connection)
    .await
    .doing("withdrawing deliveries")
}

/// What waits for a destination that is no more is dead. Whoever was to be told by it is decided
/// about again.
pub(in crate::store) async fn bury(
    connection: &mut Connection,
    destination: &str,
    now: Timestamp,
) -> Result<u64, StoreError> {
    let buried: Vec<Option<String>> = sqlx::query_scalar(
        "UPDATE outbox SET state = $2, next_at = NULL, settled_at = $3 WHERE destination = $1 AND next_at IS NOT NULL
         RETURNING CASE WHEN is_fact = TRUE THEN user_id END",
    )
    .bind(destination)
    .bind(State::Dead.as_str())
    .bind(micros(now))
    .fetch_all(&mut *connection)
    .await
    .doing("settling deliveries")?;
    let untold: Vec<String> = buried.iter().flatten().cloned().collect();
    mark_changed(connection, &untold).await?;
    let buried = buried.len() as u64;
    Totals::of(Total::Ended(State::Dead), number(buried))
        .keep(connection)
        .await?;
    Ok(buried)
}
