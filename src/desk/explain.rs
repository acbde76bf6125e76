//! Why a person is in this state, in the words that the decision gave, and what a help desk is
//! asked.

use jiff::Timestamp;
use serde::Serialize;

use super::history::{Happened, happened, is_announcement};
use super::person::PersonView;
use super::{DeskError, Reader};
use crate::config::Config;
use crate::delivery::text::mask_address;
use crate::domain::decision::Wait;
use crate::domain::delivery;
use crate::domain::facts::NoticeBy;
use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::state::State;
use crate::store::Whom;
use crate::store::outbox::{DeliveryRow, EMAIL};

/// One policy's answer.
#[derive(Debug, Serialize)]
pub struct Explanation {
    /// Who, and where they stand.
    #[serde(flatten)]
    pub person: PersonView,
    /// As of the newest pass.
    pub as_of: Timestamp,
    /// Every rule that was applied, with its evidence and time.
    pub reasons: Vec<Reason>,
    /// Whether the next sign-in can still be completed without registering.
    pub may_skip: bool,
    /// The last mail that the server accepted, its address masked.
    pub last_mail: Option<LastMail>,
    /// What ends this state.
    pub ends: String,
    /// What the flag of somebody whose deadline has passed waits for.
    pub waits_for: Vec<String>,
    /// What was decided and done before, oldest first.
    pub history: Vec<Happened>,
}

/// A mail that was accepted.
#[derive(Debug, Clone, Serialize)]
pub struct LastMail {
    /// When.
    pub at: Timestamp,
    /// What it said.
    pub event: String,
    /// To which address, masked.
    pub address: String,
    /// Under which policy: that of another can give notice as well.
    pub policy: String,
}

/// Why a person is where they are, under one policy or under each.
pub async fn explain(
    reader: &Reader,
    config: &Config,
    name: &str,
    policy: Option<&str>,
) -> Result<Vec<Explanation>, DeskError> {
    if let Some(policy) = policy {
        reader.knows_policy(policy)?;
    }
    let user = reader.person(name).await?;
    let outcomes = reader.look(&Whom::these([user.as_str()])).await?;
    let holds = reader.holds().await?;
    let history = reader.store.history(&user).await?;
    let mut deliveries = reader.store.deliveries(&[], Some(&user)).await?;
    deliveries.retain(|row| tells(config, row));
    let explanations = outcomes
        .iter()
        .flat_map(|outcome| {
            PersonView::of(outcome, reader.now)
                .into_iter()
                .zip(&outcome.decisions)
        })
        .filter(|(row, _)| policy.is_none_or(|policy| row.policy == policy))
        .map(|(mut row, decision)| {
            row.next = reader.upcoming(row.next);
            let waits = decision.held_back_by(reader.world.registration.as_ref());
            let history = happened(config, &row.policy, &history, &deliveries);
            let is_proven = decision.would_flag && waits.is_empty();
            let mut explanation =
                explain_one(row, is_proven, &holds, &deliveries, history, reader.now);
            let waits = waits.into_iter().map(Wait::words);
            explanation.waits_for.splice(0..0, waits);
            explanation
        });
    Ok(explanations.collect())
}

/// Whether the next sign-in can be completed without registering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaySkip {
    /// It can.
    Yes,
    /// That sign-in opens the window.
    Opens,
    /// Nothing is asked of the person.
    NotAsked,
    /// It cannot.
    No,
}

/// Whether a person's next sign-in can be completed without registering.
#[must_use]
pub fn may_skip(person: &PersonView) -> MaySkip {
    match person.state {
        State::OutOfScope
        | State::Exempt
        | State::NotEligible
        | State::Disabled
        | State::Gone
        | State::Paused
        | State::Registered => MaySkip::NotAsked,
        State::WaitingFirstSignIn => MaySkip::Opens,
        State::InGrace | State::DueSoon | State::Unknown | State::RegistrationReported => {
            match &person.window {
                Some(window) if !window.may_skip => MaySkip::No,
                _ => MaySkip::Yes,
            }
        }
        State::OverdueChecking | State::EnforcementNeeded | State::Enforced => MaySkip::No,
    }
}

fn explain_one(
    mut person: PersonView,
    is_proven: bool,
    holds: &[StandingHold],
    deliveries: &[DeliveryRow],
    history: Vec<Happened>,
    now: Timestamp,
) -> Explanation {
    let mut reasons = std::mem::take(&mut person.reasons);
    let mut waits_for = Vec::new();
    if person.state == State::OverdueChecking {
        let policy = PolicyName::new(&person.policy);
        for hold in holds.iter().filter(|hold| hold.stops(&policy)) {
            reasons.push(Reason::new(
                ReasonCode::Held,
                held(hold, is_proven),
                hold.since,
            ));
            waits_for.push(format!("the end of the hold {}", hold.id));
        }
    }
    let is_held = is_proven && !waits_for.is_empty();
    let last_mail = last_mail(&person.policy, &reasons, deliveries);
    Explanation {
        as_of: now,
        ends: if is_held {
            "Registering; otherwise the flag, once the hold ends.".to_owned()
        } else {
            ends(&person, &reasons).to_owned()
        },
        waits_for,
        reasons,
        may_skip: may_skip(&person) != MaySkip::No,
        last_mail,
        history,
        person,
    }
}

/// What a hold keeps, of somebody for whom nothing else is missing or of others.
fn held(hold: &StandingHold, is_proven: bool) -> String {
    let (id, text) = (&hold.id, &hold.text);
    if is_proven {
        format!("everything is proven, and the hold keeps the flag ({id}): {text}")
    } else {
        format!("flags are held ({id}): {text}")
    }
}

/// The last mail of the policy that was accepted; where there is none, that of another which gave notice.
fn last_mail(policy: &str, reasons: &[Reason], deliveries: &[DeliveryRow]) -> Option<LastMail> {
    let is_own = |row: &&DeliveryRow| row.policy.as_deref() == Some(policy);
    let was_told = reasons
        .iter()
        .any(|reason| reason.code == ReasonCode::NoticeGiven);
    let gives_notice = |row: &&DeliveryRow| was_told && is_announcement(&row.event);
    let mut sent = deliveries
        .iter()
        .filter(|row| row.state == delivery::State::Sent);
    let own = sent.clone().rfind(is_own);
    let row = own.or_else(|| sent.rfind(gives_notice))?;
    Some(LastMail {
        at: row.settled_at?,
        event: row.event.clone(),
        address: row
            .address
            .as_deref()
            .map_or_else(|| format!("the webhook {}", row.channel), mask_address),
        policy: row.policy.clone().unwrap_or_default(),
    })
}

/// Whether a row is a message to the person: a mail, or a webhook that serves as notice.
fn tells(config: &Config, row: &DeliveryRow) -> bool {
    row.channel == EMAIL || (config.notice_by() == NoticeBy::Webhook && is_announcement(&row.event))
}

/// What ends the state a person is in.
fn ends(person: &PersonView, reasons: &[Reason]) -> &'static str {
    let says = |code| reasons.iter().any(|reason| reason.code == code);
    let is_asked = matches!(
        person.state,
        State::InGrace | State::DueSoon | State::OverdueChecking | State::EnforcementNeeded
    );
    if is_asked && says(ReasonCode::RegistrationBlocked) {
        return "Registering, once what keeps the person from it is cleared: the code and what helps are above.";
    }
    if is_asked && says(ReasonCode::Unreachable) {
        return "Registering. Nobody can reach the person: mend the address in the directory, or call.";
    }
    match person.state {
        State::OutOfScope => "Being included by the policy.",
        State::Exempt => "The end of the exclusion.",
        State::NotEligible => "Nothing the person can do: the account is not one that registers.",
        State::Disabled => "Enabling the account.",
        State::Gone => "Restoring the account.",
        State::Unknown => "A registration report that contains the person.",
        State::Registered => "Losing the registration, confirmed by two reports or an audit event.",
        State::RegistrationReported => "A registration report that shows it, or a day without one.",
        State::WaitingFirstSignIn => "The next interactive sign-in: it opens the window.",
        State::InGrace | State::DueSoon => "Registering, at any sign-in; otherwise the deadline.",
        State::OverdueChecking => "Registering; otherwise the flag, once everything is proven.",
        State::EnforcementNeeded | State::Enforced => {
            "Registering. An operator can extend the window."
        }
        State::Paused if says(ReasonCode::ClosedByOperator) => "`fortnight window reopen`.",
        State::Paused => "Switching the policy on.",
    }
}
