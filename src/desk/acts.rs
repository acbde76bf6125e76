//! What operators order: acts on a person's window, and the release of a hold. Each is written down
//! as a fact that the next pass applies; what it will make of an act is decided before and said.

use jiff::{SignedDuration, Timestamp};

use super::{DeskError, Reader};
use crate::domain::decision::Decision;
use crate::domain::facts::ActKind;
use crate::domain::hold::ReleasedBy;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::state::State;
use crate::pass;
use crate::store::acts::NewAct;
use crate::store::load::Dossier;
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

/// An act that was noted, and what it does.
#[derive(Debug, Clone)]
pub struct Confirmation {
    /// On whom.
    pub user: UserId,
    /// For display.
    pub name: String,
    /// Under each policy that it names.
    pub changes: Vec<Change>,
}

/// What an act does under one policy, as things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Under which policy.
    pub policy: PolicyName,
    /// Where the person stands, before and after.
    pub state: [State; 2],
    /// The deadline, before and after.
    pub deadline: [Option<Timestamp>; 2],
    /// What is left of the window, also of one that is paused.
    pub left: [Option<SignedDuration>; 2],
    /// The mail that follows.
    pub mail: Option<EventKind>,
    /// Why it finds nothing to act on.
    pub idle: Option<&'static str>,
}

/// Notes an act on a window, and says what the next pass makes of it: the same decision.
pub async fn act(
    reader: &Reader,
    order: Order,
    as_of: Option<Timestamp>,
) -> Result<Confirmation, DeskError> {
    if let Some(policy) = &order.policy {
        reader.knows_policy(policy)?;
    }
    let user = reader.person(&order.person).await?;
    let at = act_time(&reader.store, as_of).await?;
    let act = NewAct {
        user: user.clone(),
        policy: order.policy.as_deref().map(PolicyName::new),
        kind: order.kind,
        reason: order.reason,
        by: order.by,
        ticket: order.ticket,
    };
    let whom = Whom::these([user.as_str()]);
    let dossiers = reader.store.load(&whom).await?;
    let Some(dossier) = dossiers.into_iter().next() else {
        let text = format!("nobody is known by {:?} any more", order.person);
        return Err(DeskError::Unknown(text));
    };
    let name = dossier.person.user_principal_name.clone();
    let changes = rehearse(reader, dossier, &act, at);
    reader.store.record_act(&act, at).await?;
    Ok(Confirmation {
        user,
        name,
        changes,
    })
}

/// What an act would do: the person is decided about without it and with it.
fn rehearse(reader: &Reader, dossier: Dossier, act: &NewAct, at: Timestamp) -> Vec<Change> {
    let decide = |dossier| pass::look(dossier, &reader.policies, &reader.world, at);
    let mut acted = dossier.clone();
    // Behind all that was decided about: what its number will be is not known before it is kept.
    acted.acts.push(act.as_fact(i64::MAX, at));
    let (before, after) = (decide(dossier), decide(acted));
    let mail = after.mail.as_ref().filter(|_| before.mail != after.mail);
    let both = before.decisions.iter().zip(&after.decisions);
    let named = both.filter(|(before, _)| {
        act.policy
            .as_ref()
            .is_none_or(|name| *name == before.policy)
    });
    let changes = named.map(|(before, after)| Change {
        policy: before.policy.clone(),
        state: [before.state, after.state],
        deadline: [before.deadline, after.deadline],
        left: [before.remaining, after.remaining],
        mail: mail
            .filter(|mail| mail.policy == before.policy)
            .map(|mail| mail.kind),
        idle: idle(act.kind, before),
    });
    changes.collect()
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

/// Why an act finds nothing to act on.
fn idle(kind: ActKind, before: &Decision) -> Option<&'static str> {
    let runs = before.standing.window.run().is_some() && before.state != State::Registered;
    match kind {
        ActKind::Extend { .. } | ActKind::Reset if !runs => Some("no window is open"),
        ActKind::Reopen if !before.standing.closed_by_operator => {
            Some("no operator closed the window")
        }
        ActKind::Extend { .. } | ActKind::Reset | ActKind::Close | ActKind::Reopen => None,
    }
}
