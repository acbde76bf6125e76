//! What operators order: acts on a person's window, and the release of a hold. Each is written down
//! as a fact that the next pass applies.

use jiff::Timestamp;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::domain::facts::ActKind;
use crate::domain::hold::ReleasedBy;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::state::State;
use crate::store::acts::NewAct;
use crate::store::{Store, StoreError, Whom};
use crate::time::Clock;

/// An act on a person's window, as it was ordered.
#[derive(Debug, Clone)]
pub struct Order {
    /// An object id, a user principal name or a mail address.
    pub person: String,
    /// Under one policy, or under all.
    pub policy: Option<String>,
    /// What.
    pub kind: ActKind,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// A ticket.
    pub ticket: Option<String>,
}

/// What was noted.
#[derive(Debug, Clone)]
pub struct Noted {
    /// On whom.
    pub user: UserId,
    /// Policies under which the act finds nothing to act on, as things stand, in words.
    pub idle: Vec<String>,
}

/// Notes an act on a window; the next pass applies it.
pub async fn act(
    reader: &Reader,
    order: Order,
    as_of: Option<Timestamp>,
) -> Result<Noted, DeskError> {
    if let Some(policy) = &order.policy {
        reader.knows_policy(policy)?;
    }
    let user = reader.person(&order.person).await?;
    let at = act_time(&reader.store, as_of).await?;
    let idle = idle(reader, &user, order.kind, order.policy.as_deref()).await?;
    let act = NewAct {
        user: user.clone(),
        policy: order.policy.as_deref().map(PolicyName::new),
        kind: order.kind,
        reason: order.reason,
        by: order.by,
        ticket: order.ticket,
    };
    reader.store.record_act(&act, at).await?;
    Ok(Noted { user, idle })
}

/// Lets through what a hold holds.
pub async fn approve(
    store: &Store,
    hold: &str,
    by: &str,
    reason: &str,
    at: Timestamp,
) -> Result<(), DeskError> {
    let holds = store.holds().await?;
    let Some(standing) = holds.iter().find(|standing| standing.id == hold) else {
        let known: Vec<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
        return Err(DeskError::Unknown(match known.as_slice() {
            [] => format!("there is no hold {hold:?}: nothing is held"),
            known => format!(
                "there is no hold {hold:?}; these stand: {}",
                known.join(", ")
            ),
        }));
    };
    if standing.released_by == ReleasedBy::Data {
        return Err(DeskError::Refused(format!(
            "the hold {hold} cannot be approved, only data ends it: {}",
            standing.text
        )));
    }
    store.approve(hold, by, reason, at).await?;
    Ok(())
}

/// The moment of an operator's act: the one given, or now, and never before the newest pass.
pub async fn act_time(store: &Store, as_of: Option<Timestamp>) -> Result<Timestamp, StoreError> {
    let newest = store.newest_pass().await?;
    let now = Clock::system().now();
    Ok(as_of.unwrap_or_else(|| newest.map_or(now, |newest| newest.max(now))))
}

/// Policies under which the act finds nothing to act on, as things stand.
async fn idle(
    reader: &Reader,
    user: &UserId,
    kind: ActKind,
    policy: Option<&str>,
) -> Result<Vec<String>, StoreError> {
    let outcomes = reader.look(&Whom::these([user.as_str()])).await?;
    let rows = outcomes.iter().flat_map(PersonView::of);
    let rows = rows.filter(|row| policy.is_none_or(|policy| row.policy == policy));
    let lines = rows.filter_map(|row| {
        let runs = row.window.is_some() && row.state != State::Registered;
        let closed = |reason: &Reason| reason.code == ReasonCode::ClosedByOperator;
        let lacks = match kind {
            ActKind::Extend { .. } | ActKind::Reset if !runs => "no window is open",
            ActKind::Reopen if !row.reasons.iter().any(closed) => "no operator closed the window",
            ActKind::Extend { .. } | ActKind::Reset | ActKind::Close | ActKind::Reopen => {
                return None;
            }
        };
        let (policy, state) = (row.policy, row.state.as_str());
        Some(format!("Under {policy} the person is {state} and {lacks}: as things stand, nothing changes there."))
    });
    Ok(lines.collect())
}
