//! What operators do, written down as facts; the next pass applies them.

use jiff::Timestamp;

use super::db::Connection;
use super::numbers::{self, Series};
use super::records::mark_changed;
use super::{Doing, Store, StoreError, micros};
use crate::domain::facts::{ActKind, OperatorAct};
use crate::domain::id::{PolicyName, UserId};

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// A name, which may be whatever somebody says.
    pub name: String,
    /// The number of the account, which is what the system says; none of whoever is no account of it.
    pub uid: Option<u32>,
}

/// An operator's act on a person's window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAct {
    /// On whom.
    pub user: UserId,
    /// Under one policy, or under all.
    pub policy: Option<PolicyName>,
    /// What.
    pub kind: ActKind,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: Actor,
    /// A ticket.
    pub ticket: Option<String>,
}

impl NewAct {
    /// The fact that it becomes.
    #[must_use]
    pub fn as_fact(&self, id: i64, at: Timestamp) -> OperatorAct {
        OperatorAct {
            id,
            policy: self.policy.clone(),
            kind: self.kind,
            at,
            reason: self.reason.clone(),
            by: self.by.name.clone(),
            ticket: self.ticket.clone(),
        }
    }
}

impl Store {
    /// Records acts, all or none; the people are decided about in the next pass, within seconds if one
    /// runs.
    pub async fn record_acts(&self, acts: &[NewAct], at: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for act in acts {
            record(&mut transaction, act, at).await?;
            journal(&mut transaction, act, at).await?;
        }
        let users: Vec<String> = acts.iter().map(|act| act.user.to_string()).collect();
        mark_changed(&mut transaction, &users).await?;
        transaction.commit().await.doing("recording an act")
    }
}

async fn record(
    connection: &mut Connection,
    act: &NewAct,
    at: Timestamp,
) -> Result<(), StoreError> {
    let kind = serde_json::to_string(&act.kind).unwrap_or_default();
    let id = numbers::take(connection, Series::Acts, 1)
        .await
        .doing("recording an act")?;
    sqlx::query(
        "INSERT INTO acts (id, user_id, policy, kind, at, reason, actor, ticket) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(id)
    .bind(act.user.as_str())
    .bind(act.policy.as_ref().map(|policy| policy.as_str().to_owned()))
    .bind(kind)
    .bind(micros(at))
    .bind(&act.reason)
    .bind(&act.by.name)
    .bind(&act.ticket)
    .execute(connection)
    .await
    .doing("recording an act")
    .map(drop)
}

/// Who did it and why, in the history of the person.
async fn journal(
    connection: &mut Connection,
    act: &NewAct,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ticket = act.ticket.as_ref().map(|ticket| format!(" ({ticket})"));
    let Actor { name, uid } = &act.by;
    let text = format!("{name}: {}{}", act.reason, ticket.unwrap_or_default());
    let reasons = serde_json::json!([{
        "code": "operator_act", "text": text, "at": at,
        "act": act.kind, "by": name, "uid": uid, "reason": act.reason, "ticket": act.ticket,
    }]);
    let line = numbers::take(connection, Series::Journal, 1)
        .await
        .doing("recording an act")?;
    sqlx::query("INSERT INTO journal (id, at, kind, user_id, policy, rehearsed, reasons) VALUES ($1, $2, $3, $4, $5, FALSE, $6)")
        .bind(line)
        .bind(micros(at))
        .bind(format!("operator.{}", act.kind.as_str()))
        .bind(act.user.as_str())
        .bind(act.policy.as_ref().map(|policy| policy.as_str().to_owned()))
        .bind(reasons.to_string())
        .execute(connection)
        .await
        .doing("recording an act")
        .map(drop)
}
