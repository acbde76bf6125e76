//! What operators do, written down as facts; the next pass applies them.

use jiff::Timestamp;

use super::db::Connection;
use super::numbers::{self, Series};
use super::records::mark_changed;
use super::{Doing, Store, StoreError, micros};
use crate::domain::facts::{ActKind, OperatorAct};
use crate::domain::id::{PolicyName, UserId};

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
    pub by: String,
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
            by: self.by.clone(),
            ticket: self.ticket.clone(),
        }
    }
}

impl Store {
    /// Records an act; the person is decided about in the next pass, within seconds if one runs.
    pub async fn record_act(&self, act: &NewAct, at: Timestamp) -> Result<i64, StoreError> {
        let mut transaction = self.begin().await?;
        let kind = serde_json::to_string(&act.kind).unwrap_or_default();
        let id = numbers::take(&mut transaction, Series::Acts, 1)
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
        .bind(&act.by)
        .bind(&act.ticket)
        .execute(&mut *transaction)
        .await
        .doing("recording an act")?;
        journal(&mut transaction, act, at).await?;
        mark_changed(&mut transaction, &[act.user.as_str().to_owned()]).await?;
        transaction.commit().await.doing("recording an act")?;
        Ok(id)
    }
}

/// Who did it and why, in the history of the person.
async fn journal(
    connection: &mut Connection,
    act: &NewAct,
    at: Timestamp,
) -> Result<(), StoreError> {
    let ticket = act.ticket.as_ref().map(|ticket| format!(" ({ticket})"));
    let text = format!("{}: {}{}", act.by, act.reason, ticket.unwrap_or_default());
    let reasons = serde_json::json!([{ "code": "operator_act", "text": text, "at": at }]);
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
