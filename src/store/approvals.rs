//! An operator's approval of a hold: how it is given, whom it covers, and how it is taken back (rule 4.3).

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::Row as _;

use super::acts::Actor;
use super::db::Connection;
use super::holds::{Approval, standing_hold};
use super::numbers::{self, Series};
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::brake::{Size, not_believed};
use crate::domain::hold::{StandingHold, is_approved};

/// A hold as it stands, and all that an approval of it would cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The hold.
    pub hold: StandingHold,
    /// The policies and people whose flags wait for it.
    pub people: BTreeSet<(String, String)>,
    evidence: String,
    is_used: bool,
}

impl Shown {
    /// Whether whoever was shown `before` has seen what is there now: a pass may have looked since.
    fn is_still(&self, before: &Self) -> bool {
        self.evidence == before.evidence
            && self.people == before.people
            && self.hold.is_still(&before.hold)
    }

    /// Whether a pass under way goes by an approval of it: the hold ends with that one.
    fn is_relied_on(&self, at: Timestamp) -> bool {
        self.is_used && self.hold.is_approved(at)
    }
}

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
    /// What an approval of that hold would cover, if it stands.
    pub async fn shown(&self, hold: &str) -> Result<Option<Shown>, StoreError> {
        let mut reader = self.read.acquire().await.doing(READING)?;
        shown(&mut reader, hold).await
    }

    /// Approves a hold as it was shown. False if it is not so any more: then nothing is approved.
    pub async fn approve(
        &self,
        as_shown: &Shown,
        by: &Actor,
        reason: &str,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let doing = "approving a hold";
        let id = as_shown.hold.id.as_str();
        let mut transaction = self.begin().await?;
        let now = shown(&mut transaction, id).await?;
        if !now.is_some_and(|now| now.is_still(as_shown) && !now.is_relied_on(at)) {
            transaction.rollback().await.doing(doing)?;
            return Ok(false);
        }
        sqlx::query("UPDATE holds SET approved_at = $2, approved_by = $3, reason = $4, used_at = NULL WHERE id = $1 AND stands = TRUE")
            .bind(id)
            .bind(micros(at))
            .bind(&by.name)
            .bind(reason)
            .execute(&mut *transaction)
            .await
            .doing(doing)?;
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
        transaction.commit().await.doing(doing)?;
        Ok(true)
    }

    /// A pass goes by approvals from here on, by all or by none: false if one of them does not stand any
    /// more. Whoever takes one back later hears that it was used.
    pub async fn rely_on(&self, given: &[&Approval], now: Timestamp) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        for approval in given {
            if !rely_on(&mut transaction, approval, now).await? {
                transaction.rollback().await.doing(RELYING)?;
                return Ok(false);
            }
        }
        transaction.commit().await.doing(RELYING)?;
        Ok(true)
    }

    /// The same of that hold with that evidence; false if no approval of it is good.
    pub async fn rely_on_approval_of(
        &self,
        hold: &str,
        evidence: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let approvals = self.approvals(now).await?;
        let mut given = approvals.iter();
        match given.find(|given| given.hold == hold && given.evidence == evidence) {
            Some(given) => self.rely_on(&[given], now).await,
            None => Ok(false),
        }
    }

    /// Whether a snapshot of that size is not believed, of one that is judged before it is imported.
    pub async fn has_collapsed(
        &self,
        before: u64,
        size: Size,
        approved: Option<(&Approval, Size)>,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.begin().await?;
        let collapsed = has_collapsed(&mut transaction, before, size, approved, now).await?;
        transaction.commit().await.doing(RELYING)?;
        Ok(collapsed)
    }

    /// Takes an approval back, as long as a pass can still use it: of a hold that stands and that none
    /// relies on yet, and of those people whom it covers and nobody has flagged.
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
            "SELECT stands = TRUE AND kind <> 'mass' AND used_at IS NULL, approved_at, EXISTS (
                 SELECT 1 FROM hold_people WHERE hold_people.hold_id = holds.id AND NOT EXISTS (
                     SELECT 1 FROM standings WHERE standings.policy = hold_people.policy
                         AND standings.user_id = hold_people.user_id AND standings.state = 'enforcement_needed'))
             FROM holds WHERE id = $1",
        )
        .bind(hold)
        .fetch_optional(&mut *transaction)
        .await
        .doing(doing)?;
        let Some((unused, approved_at, covers)) = known else {
            return Ok(Withdrawal::Unknown);
        };
        let used = flagged_by(&mut transaction, hold).await?;
        let is_usable = unused || covers;
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
            "UPDATE holds SET approved_at = NULL, approved_by = NULL, reason = NULL, used_at = NULL WHERE id = $1",
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

const READING: &str = "reading what an approval covers";

async fn shown(connection: &mut Connection, id: &str) -> Result<Option<Shown>, StoreError> {
    let hold = sqlx::query(
        "SELECT id, kind, policy, since, text, approved_at, evidence, told, seen, approved_by, reason, used_at FROM holds WHERE id = $1 AND stands = TRUE",
    )
    .bind(id)
    .fetch_optional(&mut *connection)
    .await
    .doing(READING)?;
    let Some(hold) = hold else {
        return Ok(None);
    };
    let people: Vec<(String, String)> =
        sqlx::query_as("SELECT policy, user_id FROM hold_people WHERE hold_id = $1")
            .bind(id)
            .fetch_all(connection)
            .await
            .doing(READING)?;
    Ok(Some(Shown {
        people: people.into_iter().collect(),
        evidence: hold.try_get(6).doing(READING)?,
        is_used: hold.try_get::<Option<i64>, _>(11).doing(READING)?.is_some(),
        hold: standing_hold(&hold)?,
    }))
}

const RELYING: &str = "relying on an approval";

/// Notes in a write what it goes by: false if that approval does not stand any more.
pub(super) async fn rely_on(
    connection: &mut Connection,
    approval: &Approval,
    now: Timestamp,
) -> Result<bool, StoreError> {
    sqlx::query("UPDATE holds SET used_at = $3 WHERE id = $1 AND approved_at = $2")
        .bind(&approval.hold)
        .bind(micros(approval.at))
        .bind(micros(now))
        .execute(connection)
        .await
        .doing(RELYING)
        .map(|found| found.rows_affected() > 0)
}

/// Whether a snapshot of that size is not believed: too little is left, and no approval that stands accepts it.
pub(super) async fn has_collapsed(
    connection: &mut Connection,
    before: u64,
    size: Size,
    approved: Option<(&Approval, Size)>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if not_believed(before, size, approved.map(|(_, size)| size)) {
        return Ok(true);
    }
    match approved.filter(|_| size.is_collapse(before)) {
        Some((given, _)) => Ok(!rely_on(connection, given, now).await?),
        None => Ok(false),
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
