//! Which message is due to one person under one policy, and the one mail a person gets over all
//! policies (contract 7.17 and 7.18).

use jiff::Timestamp;

use super::decide::Decision;
use super::effect::{Effect, Message};
use super::facts::{DeliveryFact, DeliveryOutcome, PersonFacts};
use super::message::EventKind;
use super::policy::{Enforce, Policy, Step};
use super::window::{Run, Told, Unreachable, later};

/// `deadline passed` and the thank-you are still of use this long after they were queued.
const LATE_MESSAGES_USEFUL: jiff::SignedDuration = jiff::SignedDuration::from_hours(7 * 24);

/// What the steps of a window ask for now.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The message to send.
    pub message: Option<(EventKind, Option<Step>)>,
    /// Steps that are past and will not be sent.
    pub overtaken: Vec<Step>,
}

/// The steps of a policy that lie within a window, with the moments at which they fall due.
pub fn steps(
    run: &Run,
    policy: &Policy,
    deadline: Timestamp,
) -> impl Iterator<Item = (Timestamp, Step)> {
    policy
        .reminders
        .iter()
        .map(move |step| (step.due(run.opened_at, deadline), *step))
        .filter(move |(at, _)| *at >= run.opened_at && *at <= deadline)
}

/// The message that is due. In the first pass of a window or of a move that is the announcement,
/// afterwards the latest step that fell due; what it overtakes is never sent (R6).
pub fn due(run: &Run, policy: &Policy, now: Timestamp) -> Due {
    let deadline = run.deadline(policy, now);
    let mut past: Vec<(Timestamp, Step)> = steps(run, policy, deadline)
        .filter(|(at, step)| *at <= now && !run.dealt.contains(step))
        .collect();
    past.sort_unstable();
    if run.begun {
        let latest = past.pop().map(|(_, step)| step);
        return Due {
            message: latest.map(|step| (EventKind::WindowReminder, Some(step))),
            overtaken: past.into_iter().map(|(_, step)| step).collect(),
        };
    }
    let step = (run.notice == EventKind::WindowOpened).then_some(Step::OPENING);
    Due {
        message: announces_at_once(run, policy, now, deadline).then_some((run.notice, step)),
        overtaken: past
            .into_iter()
            .map(|(_, step)| step)
            .filter(|past| Some(*past) != step)
            .collect(),
    }
}

/// A move is told at once, a window where `0d` asks for it or no later step could give notice.
fn announces_at_once(run: &Run, policy: &Policy, now: Timestamp, deadline: Timestamp) -> bool {
    run.retry
        || run.notice != EventKind::WindowOpened
        || policy.reminders.contains(&Step::OPENING)
        || !steps(run, policy, deadline)
            .any(|(at, _)| at > now && later(at, policy.min_notice) <= deadline)
}

/// The address of a person: `mail`, or a user principal name whose domain is one of mailboxes.
pub fn address<'a>(facts: &'a PersonFacts<'_>) -> Option<&'a str> {
    facts.person.mail.as_deref().or_else(|| {
        let name = facts.person.user_principal_name.as_str();
        let (_, domain) = name.rsplit_once('@')?;
        let is_mailbox = facts
            .world
            .upn_domains
            .iter()
            .any(|known| known.eq_ignore_ascii_case(domain));
        is_mailbox.then_some(name)
    })
}

/// The accepted mail that is a notice of this window and so fixes its deadline: its own, or one
/// of another policy that names the same or an earlier deadline (contract 7.17).
pub fn accepted(
    run: &Run,
    policy: &Policy,
    sequence: u32,
    deliveries: &[DeliveryFact],
) -> Option<Told> {
    deliveries
        .iter()
        .filter(|delivery| delivery.kind.announces())
        .filter_map(|delivery| {
            let DeliveryOutcome::Accepted(at) = delivery.outcome else {
                return None;
            };
            let named = delivery.deadline?;
            if at < run.untold_since {
                return None;
            }
            let own = delivery.policy == policy.name
                && delivery.sequence == sequence
                && delivery.moves == run.moves;
            // Report-only policies take no part in one another's notices (contract 7.19).
            if policy.enforce == Enforce::ReportOnly && delivery.policy != policy.name {
                return None;
            }
            let deadline = if own { named } else { run.deadline(policy, at) };
            (named <= deadline).then_some(Told { at, deadline })
        })
        .min_by_key(|told| told.at)
}

/// The first refusal of the present address since the window is untold.
pub fn refused(
    untold_since: Timestamp,
    address: Option<&str>,
    deliveries: &[DeliveryFact],
) -> Option<Unreachable> {
    deliveries
        .iter()
        .filter(|delivery| Some(delivery.address.as_str()) == address)
        .filter_map(|delivery| match delivery.outcome {
            DeliveryOutcome::Refused(at) if at >= untold_since => Some(at),
            _ => None,
        })
        .min()
        .map(|since| Unreachable {
            since,
            address: address.map(ToOwned::to_owned),
        })
}

/// A message of a window as of now.
#[expect(
    clippy::too_many_arguments,
    reason = "the parts of a message, each from another place"
)]
pub fn message(
    run: &Run,
    policy: &Policy,
    sequence: u32,
    kind: EventKind,
    step: Option<Step>,
    address: String,
    deadline: Timestamp,
    now: Timestamp,
) -> Message {
    let announces = kind.announces() && run.told.is_none();
    Message {
        policy: policy.name.clone(),
        kind,
        step,
        sequence,
        moves: run.moves,
        number: run.messages,
        opened_at: run.opened_at,
        deadline,
        announces,
        address,
        not_after: if announces {
            None
        } else if kind.announces() {
            Some(deadline)
        } else {
            Some(later(now, LATE_MESSAGES_USEFUL))
        },
        must_register: run.must_register.is_some(),
    }
}

/// The one mail a person gets in this pass, and the steps it overtakes: `deadline passed` before
/// the thank-you before the earliest deadline not yet passed (contract 7.17).
pub fn choose(decisions: &[Decision]) -> (Option<&Message>, Vec<&Message>) {
    let mut messages: Vec<&Message> = decisions
        .iter()
        .flat_map(|decision| &decision.effects)
        .filter_map(|effect| match effect {
            Effect::Message(message) => Some(message),
            Effect::Event(_) | Effect::WithdrawMessages | Effect::TellOperators(_) => None,
        })
        .collect();
    messages.sort_by_key(|message| {
        let rank = match message.kind {
            EventKind::EnforcementNeeded => 0,
            EventKind::UserRegistered => 1,
            _ => 2,
        };
        (rank, message.deadline, &message.policy)
    });
    let mut messages = messages.into_iter();
    (messages.next(), messages.collect())
}
