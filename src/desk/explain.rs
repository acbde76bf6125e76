//! Why a person is in this state, in the words that the decision gave, and what a help desk is
//! asked.

use jiff::Timestamp;
use serde::Serialize;

use super::person::PersonView;
use super::{DeskError, Reader};
use crate::config::Config;
use crate::delivery::text::mask_address;
use crate::domain::decision::Wait;
use crate::domain::delivery;
use crate::domain::facts::NoticeBy;
use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::domain::message::EventKind;
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::state::State;
use crate::store::Whom;
use crate::store::outbox::{DeliveryRow, EMAIL};
use crate::store::read::JournalLine;

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

/// A line of the history.
#[derive(Debug, Serialize)]
pub struct Happened {
    /// What.
    #[serde(flatten)]
    pub line: JournalLine,
    /// What became of the mail that says it, as `deliveries list` has it; `"none"` where none was
    /// written, and null where none is due.
    pub mail: Option<String>,
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
            let mut explanation = explain_one(row, &holds, &deliveries, history, reader.now);
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
                format!("flags are held ({}): {}", hold.id, hold.text),
                hold.since,
            ));
            waits_for.push(format!("the end of the hold {}", hold.id));
        }
    }
    let last_mail = deliveries
        .iter()
        .rfind(|row| {
            row.state == delivery::State::Sent && row.policy.as_deref() == Some(&person.policy)
        })
        .and_then(|row| {
            Some(LastMail {
                at: row.settled_at?,
                event: row.event.clone(),
                address: row
                    .address
                    .as_deref()
                    .map_or_else(|| format!("the webhook {}", row.channel), mask_address),
            })
        });
    Explanation {
        as_of: now,
        ends: ends(&person, &reasons).to_owned(),
        waits_for,
        reasons,
        may_skip: may_skip(&person) != MaySkip::No,
        last_mail,
        history,
        person,
    }
}

/// The history under a policy, with what became of each mail.
fn happened(
    config: &Config,
    policy: &str,
    history: &[JournalLine],
    deliveries: &[DeliveryRow],
) -> Vec<Happened> {
    let of_policy = |line: &&JournalLine| line.policy.as_deref().is_none_or(|of| of == policy);
    let lines: Vec<&JournalLine> = history.iter().filter(of_policy).collect();
    let happened = lines.iter().enumerate().map(|(at, line)| {
        let same = |later: &&&JournalLine| later.kind == line.kind && later.step == line.step;
        let until = lines[at + 1..].iter().find(same).map(|later| later.at);
        let is_mailed = EventKind::parse(&line.kind)
            .is_some_and(|kind| kind.announces() || kind == EventKind::EnforcementNeeded);
        let mail = (config.email.is_some() && is_mailed && !line.rehearsed).then(|| {
            let says_it = |row: &&DeliveryRow| {
                row.policy.as_deref() == Some(policy)
                    && row.event == line.kind
                    && (row.step == line.step || line.step.is_none())
                    && row.queued_at >= line.at
                    && until.is_none_or(|until| row.queued_at < until)
            };
            let row = deliveries.iter().find(says_it);
            row.map_or_else(|| "none".to_owned(), |row| row.state.as_str().to_owned())
        });
        Happened {
            line: (*line).clone(),
            mail,
        }
    });
    happened.collect()
}

/// Whether a row is a message to the person: a mail, or a webhook that serves as notice.
fn tells(config: &Config, row: &DeliveryRow) -> bool {
    let announces = EventKind::parse(&row.event).is_some_and(EventKind::announces);
    row.channel == EMAIL || (config.notice_by() == NoticeBy::Webhook && announces)
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
