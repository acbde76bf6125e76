//! What a pass decided about a person, as it is committed.

use jiff::Timestamp;

use super::load::Dossier;
use super::outbox::{Content, EMAIL, NewDelivery, delivery_id};
use crate::domain::decision::Decision;
use crate::domain::effect::{Effect, Message};
use crate::domain::hold::Approval;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::news::{Audience, Line, News};
use crate::domain::policy::Step;

/// What a pass decided about one person.
#[derive(Debug)]
pub struct Outcome {
    /// The facts it was decided on.
    pub dossier: Dossier,
    /// One decision per policy.
    pub decisions: Vec<Decision>,
    /// The one mail that is due.
    pub mail: Option<Message>,
    /// What endpoints are to hear.
    pub announcements: Vec<Announcement>,
    /// The approval of a hold that let a flag of this person through.
    pub approved_by_hold: Option<Approval>,
}

/// Who hears of what goes wrong by mail, and from where.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    /// Their addresses; none where no mail is configured.
    pub addresses: Vec<String>,
    /// The domain of Message-IDs.
    pub sender: String,
}

/// What a batch changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Windows opened.
    pub opened: u64,
    /// Windows closed.
    pub closed: u64,
    /// Windows paused.
    pub paused: u64,
    /// Windows resumed.
    pub resumed: u64,
    /// People flagged.
    pub flagged: u64,
    /// Flags taken back.
    pub released: u64,
    /// Mails and webhooks queued.
    pub queued: u64,
}

/// One event as endpoints get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The `webhook-id`: a function of the event, the same at every endpoint.
    pub id: String,
    /// What happened.
    pub event: EventKind,
    /// Under which policy.
    pub policy: Option<PolicyName>,
    /// To whom.
    pub user: Option<UserId>,
    /// The window's number.
    pub sequence: u32,
    /// The number of the deadline's move.
    pub moves: u32,
    /// The step that fell due.
    pub step: Option<Step>,
    /// When the window opened.
    pub opened_at: Option<Timestamp>,
    /// The deadline that it names.
    pub deadline: Option<Timestamp>,
    /// What it must not overtake; none where order does not matter.
    pub ordering_key: Option<String>,
    /// Useless after this moment.
    pub not_after: Option<Timestamp>,
    /// The bytes that are sent.
    pub body: String,
    /// The endpoints that get it by itself.
    pub endpoints: Vec<String>,
    /// Those of them whose acceptance is a notice (rule 7.11).
    pub notice_by: Vec<String>,
    /// Its line in what chats are told at the end of the pass, if one wants it.
    pub chat: Option<String>,
}

impl Announcement {
    /// One about no person.
    #[must_use]
    pub fn of_news(id: String, event: EventKind) -> Self {
        Self {
            id,
            event,
            policy: None,
            user: None,
            sequence: 0,
            moves: 0,
            step: None,
            opened_at: None,
            deadline: None,
            ordering_key: None,
            not_after: None,
            body: String::new(),
            endpoints: Vec::new(),
            notice_by: Vec::new(),
            chat: None,
        }
    }
}

/// The mails of outcomes, as rows.
pub(super) fn rows_of_mails<'a>(outcomes: &'a [Outcome], sender: &str) -> Vec<NewDelivery<'a>> {
    let mails = outcomes
        .iter()
        .filter_map(|outcome| Some((&outcome.dossier, outcome.mail.as_ref()?)));
    mails
        .map(|(dossier, message)| {
            let key = message.key(&dossier.person.id);
            NewDelivery {
                message_id: format!("<{}@{sender}>", delivery_id(&key)),
                key,
                destination: EMAIL,
                event: message.kind,
                policy: Some(&message.policy),
                user: Some(&dossier.person.id),
                sequence: message.sequence,
                moves: message.moves,
                step: message.step,
                opened_at: Some(message.opened_at),
                deadline: Some(message.deadline),
                not_after: message.not_after,
                is_fact: true,
                content: Content::Mail {
                    address: &message.address,
                    name: dossier.person.display_name.as_deref(),
                    language: dossier.person.preferred_language.as_deref(),
                    floats: message.announces,
                },
            }
        })
        .collect()
}

/// What endpoints get, as rows: those of one endpoint together, since they are claimed and settled
/// together.
pub(super) fn rows_of<'a>(
    announcements: impl Iterator<Item = &'a Announcement>,
) -> Vec<NewDelivery<'a>> {
    let mut rows: Vec<NewDelivery<'a>> = announcements
        .flat_map(|one| {
            one.endpoints
                .iter()
                .map(move |endpoint| row_at(one, endpoint))
        })
        .collect();
    rows.sort_by_key(|row| row.destination);
    rows
}

fn row_at<'a>(one: &'a Announcement, endpoint: &'a str) -> NewDelivery<'a> {
    NewDelivery {
        key: format!("webhook/{endpoint}/{}", one.id),
        destination: endpoint,
        event: one.event,
        policy: one.policy.as_ref(),
        user: one.user.as_ref(),
        sequence: one.sequence,
        moves: one.moves,
        step: one.step,
        opened_at: one.opened_at,
        deadline: one.deadline,
        not_after: one.not_after,
        is_fact: one.notice_by.iter().any(|name| name == endpoint),
        message_id: one.id.clone(),
        content: Content::Body {
            body: &one.body,
            ordering_key: one.ordering_key.as_deref(),
        },
    }
}

/// What a mail of that news to that operator is queued under.
pub(super) fn operators_key(news: &News, address: &str) -> String {
    format!("operators/{}/{address}", news.key)
}

/// A mail of each news to each operator, as rows.
pub(super) fn rows_of_news<'a>(news: &'a [News], operators: &'a Operators) -> Vec<NewDelivery<'a>> {
    let to_each = news.iter().flat_map(|one| {
        let addresses = operators.addresses.iter();
        addresses.map(move |address| (one, address))
    });
    to_each
        .map(|(one, address)| {
            let key = operators_key(one, address);
            NewDelivery {
                message_id: format!("<{}@{}>", delivery_id(&key), operators.sender),
                key,
                destination: EMAIL,
                event: one.event,
                policy: None,
                user: None,
                sequence: 0,
                moves: 0,
                step: None,
                opened_at: None,
                deadline: None,
                not_after: None,
                is_fact: false,
                content: Content::Report {
                    address,
                    title: &one.title,
                    lines: &one.lines,
                },
            }
        })
        .collect()
}

/// What is to be said of outcomes at the end of the pass.
pub(super) fn lines_of(outcomes: &[Outcome]) -> Vec<Line> {
    let to_operators = outcomes.iter().flat_map(|outcome| {
        let effects = outcome
            .decisions
            .iter()
            .flat_map(|decision| &decision.effects);
        effects.filter_map(|effect| match effect {
            Effect::TellOperators { topic, line } => Some(Line {
                user: Some(outcome.dossier.person.id.clone()),
                ..Line::of_topic(*topic, line.clone())
            }),
            Effect::Event(_) | Effect::Message(_) | Effect::WithdrawMessages => None,
        })
    });
    let to_chats = outcomes
        .iter()
        .flat_map(|outcome| &outcome.announcements)
        .filter_map(|one| {
            Some(Line {
                audience: Audience::Chats,
                event: one.event,
                topic: String::new(),
                policy: one.policy.clone(),
                deadline: one.deadline,
                since: None,
                user: None,
                text: one.chat.clone()?,
            })
        });
    to_operators.chain(to_chats).collect()
}
