//! The release of a hold by an operator, and what speaks for and against it: whom an approval lets
//! through, how long it is good, and how it is taken back.

use jiff::Timestamp;

use super::plan::{self, Plan, Planned};
use super::{DeskError, Reader};
use crate::domain::hold::{self, HoldKind, ReleasedBy, StandingHold};
use crate::domain::id::PolicyName;
use crate::domain::policy::Enforce;
use crate::store::Store;
use crate::store::acts::Actor;
use crate::store::approvals::{Shown, Withdrawal};

/// A hold, and whom an approval of it lets through.
#[derive(Debug)]
pub struct Covered {
    /// The hold.
    pub shown: Shown,
    /// Who would be flagged, as things stand.
    pub people: Vec<Planned>,
    /// The other holds that stop them.
    pub others: Vec<String>,
}

/// The hold of that id, if an approval can end it.
pub async fn approvable(store: &Store, hold: &str) -> Result<Shown, DeskError> {
    let Some(shown) = store.shown(hold).await? else {
        let holds = store.holds().await?;
        let known: Vec<&str> = holds.iter().map(|hold| hold.id.as_str()).collect();
        return Err(DeskError::Unknown(match known.as_slice() {
            [] => format!("there is no hold {hold:?}: nothing is held"),
            known => format!(
                "there is no hold {hold:?}; these stand: {}",
                known.join(", ")
            ),
        }));
    };
    if shown.hold.released_by == ReleasedBy::Data {
        return Err(DeskError::Refused(format!(
            "the hold {hold} cannot be approved, only data ends it: {}",
            shown.hold.text
        )));
    }
    Ok(shown)
}

/// Whom an approval of a hold lets through. That of a mass names people (rule 4.3); any other lets
/// whoever waits for nothing else be flagged.
pub async fn covered(reader: &Reader, shown: Shown) -> Result<Covered, DeskError> {
    let Plan { holds, mut people } = plan::plan(reader).await?;
    let Shown {
        hold,
        people: listed,
        ..
    } = &shown;
    let is_on = |name: &str| {
        let policy = reader.policy(name);
        policy.is_some_and(|policy| policy.enforce == Enforce::On)
    };
    people.retain(|planned| {
        let person = &planned.person;
        let is_of_hold = if hold.kind == HoldKind::Mass {
            listed.contains(&(person.policy.clone(), person.id.clone()))
        } else {
            let held = hold.policy.as_ref();
            held.is_none_or(|held| held.as_str() == person.policy) && is_on(&person.policy)
        };
        planned.would_flag && is_of_hold
    });
    let stops = |other: &&StandingHold| {
        let mut policies = people.iter().map(|planned| &planned.person.policy);
        other.id != hold.id
            && other.approved_at.is_none()
            && policies.any(|policy| other.stops(&PolicyName::new(policy)))
    };
    let others = holds.iter().filter(stops).map(|other| other.id.clone());
    Ok(Covered {
        others: others.collect(),
        people,
        shown,
    })
}

/// Lets through what a hold was shown to hold. Until when that is good, if no pass uses it before; none
/// if a pass has found something else meanwhile, and nothing was approved.
pub async fn approve(
    store: &Store,
    shown: &Shown,
    by: &Actor,
    reason: &str,
    at: Timestamp,
) -> Result<Option<Timestamp>, DeskError> {
    let is_approved = store.approve(shown, by, reason, at).await?;
    Ok(is_approved.then(|| hold::approval_lapses(at)))
}

/// Takes an approval back before a pass uses it, or the part of it that none has used yet. How many
/// people were flagged by it before.
pub async fn withdraw(
    store: &Store,
    hold: &str,
    by: &Actor,
    reason: &str,
    at: Timestamp,
) -> Result<u64, DeskError> {
    let refused = |text: String| Err(DeskError::Refused(text));
    match store.withdraw_approval(hold, by, reason, at).await? {
        Withdrawal::Done { flagged } => Ok(flagged),
        Withdrawal::Unknown => Err(DeskError::Unknown(format!("there is no hold {hold:?}"))),
        Withdrawal::NotApproved => refused(format!(
            "no approval of the hold {hold} stands: there is nothing to take back"
        )),
        Withdrawal::Lapsed { approved_at } => refused(format!(
            "the approval of the hold {hold} of {approved_at} has lapsed: there is nothing to take back"
        )),
        Withdrawal::Used {
            approved_at,
            flagged,
        } => {
            let did = match flagged {
                0 => "the hold ended with it".to_owned(),
                1 => "one person was flagged by it".to_owned(),
                people => format!("{people} people were flagged by it"),
            };
            refused(format!(
                "a pass has used the approval of the hold {hold} of {approved_at}: {did}. \
                 `fortnight enforcement plan` lists who is flagged, and `fortnight window extend` takes a flag back"
            ))
        }
    }
}
