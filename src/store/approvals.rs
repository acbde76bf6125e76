//! An operator's approval of a hold: how it is given, whom it covers, and how it is taken back (rule 4.3).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::acts::Actor;
use super::db::Connection;
use super::numbers::{self, Series};
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::hold::is_approved;

/// What became of taking an approval back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawal {
    /// No pass uses it any more.
    Done {
        /// How many people were flagged by it before.
        flagged: u64,
    },
    /// A pass has used it, and nothing is left of it.
    Used {
        /// When it was given.
        approved_at: Timestamp,
        /// How many people were flagged by it.
        flagged: u64,
    },
    /// It was not used in time.
    Lapsed {
        /// When it was given.
        approved_at: Timestamp,
    },
    /// There is none.
    NotApproved,
    /// There is no such hold.
    Unknown,
}

impl Store {
    /// The policies and people whose flags wait for an approval of a hold.
    pub async fn covered_by(&self, hold: &str) -> Result<BTreeSet<(String, String)>, StoreError> {
        let people: Vec<(String, String)> =
            sqlx::query_as("SELECT policy, user_id FROM hold_people WHERE hold_id = $1")
                .bind(hold)
                .fetch_all(&self.read)
                .await
                .doing("reading whom an approval covers")?;
        Ok(people.into_iter().collect())
    }

    /// Approves a hold. False if no such hold stands.
    pub async fn approve(
        &self,
        id: &str,
        by: &Actor,
        reason: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let doing = "approving a hold";
        let mut transaction = self.begin().await?;
        let approved = sqlx::query("UPDATE holds SET approved_at = $2, approved_by = $3, reason = $4 WHERE id = $1 AND stands = TRUE")
            .bind(id)
            .bind(micros(at))
            .bind(&by.name)
            .bind(reason)
            .execute(&mut *transaction)
            .await
            .doing(doing)?
            .rows_affected();
        if approved > 0 {
            let order = Order {
                hold: id,
                by,
                reason,
                at,
            };
            journal(
                &mut transaction,
                "hold.approved",
                "approved",
                "approved",
                &order,
            )
            .await
            .doing(doing)?;
        }
        transaction.commit().await.doing(doing)?;
        Ok(approved > 0)
    }

    /// Takes an approval back, as long as a pass can still use it: of a hold that stands, and of people
    /// whom one that is over still covers.
    pub async fn withdraw_approval(
        &self,
        hold: &str,
        by: &Actor,
        reason: &str,
        at: Timestamp,
    ) -> Result<Withdrawal, StoreError> {
        let doing = "taking an approval back";
        let mut transaction = self.begin().await?;
        let known: Option<(bool, Option<i64>, bool)> = sqlx::query_as(
            "SELECT stands, approved_at, EXISTS (SELECT 1 FROM hold_people WHERE hold_people.hold_id = holds.id) FROM holds WHERE id = $1",
        )
        .bind(hold)
        .fetch_optional(&mut *transaction)
        .await
        .doing(doing)?;
        let Some((stands, approved_at, covers)) = known else {
            return Ok(Withdrawal::Unknown);
        };
        let used = flagged_by(&mut transaction, hold).await?;
        let is_usable = stands || covers;
        let Some(approved_at) = approved_at.map(instant).filter(|_| is_usable) else {
            return Ok(match used {
                // The hold that the approval ended is over, or stands for others.
                Some((given, flagged)) if flagged > 0 || approved_at.is_some() => {
                    Withdrawal::Used {
                        approved_at: given,
                        flagged,
                    }
                }
                _ => Withdrawal::NotApproved,
            });
        };
        if !is_approved(approved_at, at) {
            return Ok(Withdrawal::Lapsed { approved_at });
        }
        sqlx::query(
            "UPDATE holds SET approved_at = NULL, approved_by = NULL, reason = NULL WHERE id = $1",
        )
        .bind(hold)
        .execute(&mut *transaction)
        .await
        .doing(doing)?;
        let order = Order {
            hold,
            by,
            reason,
            at,
        };
        let did = "took the approval back";
        journal(&mut transaction, "approval.withdrawn", "held", did, &order)
            .await
            .doing(doing)?;
        transaction.commit().await.doing(doing)?;
        let flagged = used.map_or(0, |(_, flagged)| flagged);
        Ok(Withdrawal::Done { flagged })
    }
}

/// When a hold was approved last, and how many people were flagged by that.
async fn flagged_by(
    connection: &mut Connection,
    hold: &str,
) -> Result<Option<(Timestamp, u64)>, StoreError> {
    let given: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(at) FROM journal WHERE kind = 'hold.approved' AND hold = $1",
    )
    .bind(hold)
    .fetch_one(&mut *connection)
    .await
    .doing("reading approvals")?;
    let Some(given) = given else {
        return Ok(None);
    };
    let flagged: i64 = sqlx::query_scalar(
        "SELECT COUNT(DISTINCT user_id) FROM journal WHERE kind = 'enforcement.needed' AND at >= $1 AND hold = $2",
    )
    .bind(given)
    .bind(hold)
    .fetch_one(connection)
    .await
    .doing("counting who was flagged")?;
    Ok(Some((instant(given), u64::try_from(flagged).unwrap_or(0))))
}

/// What an operator ordered of a hold.
struct Order<'a> {
    hold: &'a str,
    by: &'a Actor,
    reason: &'a str,
    at: Timestamp,
}

/// Writes an order down, with what was done in words.
async fn journal(
    connection: &mut Connection,
    kind: &str,
    code: &str,
    did: &str,
    order: &Order<'_>,
) -> Result<(), sqlx::Error> {
    let Order {
        hold,
        by,
        reason,
        at,
    } = *order;
    let Actor { name, uid } = by;
    let text = format!("{name} {did}: {reason}");
    let reasons = serde_json::json!([{ "code": code, "text": text, "at": at, "by": name, "uid": uid, "reason": reason }]);
    let line = numbers::take(connection, Series::Journal, 1).await?;
    sqlx::query("INSERT INTO journal (id, at, kind, rehearsed, hold, reasons) VALUES ($1, $2, $3, FALSE, $4, $5)")
        .bind(line)
        .bind(micros(at))
        .bind(kind)
        .bind(hold)
        .bind(reasons.to_string())
        .execute(connection)
        .await
        .map(drop)
}
