//! What operators and chats are told at the end of a pass, worded here and nowhere else (rule 5.10).
//!
//! Whatever has something to tell leaves a line in the transaction that makes it true; the pass
//! makes news of all lines when it ends, and a line leaves with the messages that say it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::hold::{HoldKind, StandingHold};
use super::id::{PolicyName, UserId};
use super::message::EventKind;
use super::person::Person;

/// What a line of operators is about: all of one topic stand together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Who cannot be reached by mail.
    Unreachable,
    /// Which endpoint takes nothing any more.
    DeadEndpoint,
    /// Who lost a registration again.
    LostAgain,
    /// Whom the registration report leaves out.
    Unreported,
}

impl Topic {
    /// Every topic, in the order in which a mail has them.
    pub const ALL: [Self; 4] = [
        Self::Unreachable,
        Self::DeadEndpoint,
        Self::LostAgain,
        Self::Unreported,
    ];

    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::DeadEndpoint => "dead_endpoint",
            Self::LostAgain => "lost_again",
            Self::Unreported => "unreported",
        }
    }

    /// What its mail is in the outbox.
    #[must_use]
    pub fn event(self) -> EventKind {
        match self {
            Self::Unreachable | Self::DeadEndpoint => EventKind::DeliveryDead,
            Self::LostAgain | Self::Unreported => EventKind::Digest,
        }
    }

    /// The subject of its mail.
    #[must_use]
    pub fn title(self, count: usize) -> String {
        match (self, count) {
            (Self::Unreachable, 1) => "One person cannot be reached by mail".to_owned(),
            (Self::Unreachable, _) => format!("{count} people cannot be reached by mail"),
            (Self::DeadEndpoint, 1) => "A webhook takes nothing any more".to_owned(),
            (Self::DeadEndpoint, _) => format!("{count} webhooks take nothing any more"),
            (Self::LostAgain, _) => "Registrations lost again".to_owned(),
            (Self::Unreported, 1) => "The registration report leaves one person out".to_owned(),
            (Self::Unreported, _) => format!("The registration report leaves {count} people out"),
        }
    }
}

/// The line about somebody whom nobody can reach, and when that leads to a flag.
pub(super) fn unreachable(
    person: &Person,
    has_address: bool,
    flagged: Option<Timestamp>,
) -> String {
    let why = if has_address {
        "the address was refused"
    } else {
        "there is no address"
    };
    let Person {
        user_principal_name: name,
        id,
        ..
    } = person;
    format!("{name} ({id}): {why}{}", unless_reached(flagged))
}

fn unless_reached(flagged: Option<Timestamp>) -> String {
    let text = |at| {
        format!("; flagged from {at} on, unless a mail is accepted or the person registers before")
    };
    flagged.map(text).unwrap_or_default()
}

/// The line about a mail that was refused, before it is known whose fault that is.
#[must_use]
pub fn refused(name: &str, id: &str, answer: &str, flagged: Option<Timestamp>) -> String {
    format!(
        "{name} ({id}): the address was refused ({answer}){}",
        unless_reached(flagged)
    )
}

/// A mail names at most so many.
const NAMED: usize = 100;

/// The mail that operators get as witnesses: whether it is accepted tells the recipients' fault from the channel's (rule 7.11).
#[must_use]
pub fn not_accepted(mut lines: Vec<String>, doubt: Option<&str>, now: Timestamp) -> News {
    let title = match lines.len() {
        0 => "Mails are not accepted".to_owned(),
        1 => "A mail was not accepted".to_owned(),
        count => format!("{count} mails were not accepted"),
    };
    if let Some(more @ 1..) = lines.len().checked_sub(NAMED) {
        lines.truncate(NAMED);
        lines.push(format!("and {more} more"));
    }
    lines.extend(doubt.map(|answer| {
        format!("Nothing was accepted for a while ({answer}). What waits is kept and sent later, and nobody is flagged before.")
    }));
    News {
        key: format!("refused/{}", now.as_microsecond()),
        about: "refused".to_owned(),
        event: EventKind::DeliveryDead,
        policy: None,
        title,
        lines,
    }
}

/// The line about somebody whom the registration report leaves out.
pub(super) fn unreported(person: &Person, policy: &PolicyName, since: Timestamp) -> String {
    format!(
        "{} ({}) is in no registration report since {since}: the deadline leads to no flag before one tells (policy {policy})",
        person.user_principal_name, person.id
    )
}

/// The line about somebody who lost a registration again.
pub(super) fn lost_again(person: &UserId, policy: &PolicyName) -> String {
    format!(
        "{person} lost registered methods for the second time within 90 days, not by an administrator (policy {policy})"
    )
}

/// The line about an endpoint that takes what it is sent again.
#[must_use]
pub fn endpoint_is_well(name: &str) -> String {
    format!("webhook {name} takes what it is sent again")
}

/// The line about an endpoint that is paused.
#[must_use]
pub fn endpoint_is_paused(name: &str, reason: &str) -> String {
    format!(
        "webhook {name} is paused ({reason}): what waits for it is kept, and one row is tried every quarter of an hour"
    )
}

/// The line about an endpoint that is dead.
#[must_use]
pub fn endpoint_is_dead(name: &str, reason: &str) -> String {
    format!(
        "webhook {name} is dead ({reason}): nothing is sent to it until `fortnight deliveries retry --destination {name}`"
    )
}

/// The line about a webhook for which rows wait and which is not configured.
#[must_use]
pub fn endpoint_is_not_configured(name: &str, rows: u64) -> String {
    format!(
        "webhook {name} is not configured any more: {rows} of what waited for it will not be sent, unless it is configured again and `fortnight deliveries retry --destination {name}` says so"
    )
}

/// Who hears of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Operators by mail; endpoints and chats with them.
    Operators,
    /// Chats alone: everybody else got the event by itself.
    Chats,
}

impl Audience {
    /// Everybody who hears of lines.
    pub const ALL: [Self; 2] = [Self::Operators, Self::Chats];

    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Operators => "operators",
            Self::Chats => "chats",
        }
    }
}

/// Something that is to be said at the end of the pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Who hears of it.
    pub audience: Audience,
    /// What happened.
    pub event: EventKind,
    /// What it is about: the name of a topic, the id of a hold, nothing for people in chats.
    pub topic: String,
    /// Under which policy.
    pub policy: Option<PolicyName>,
    /// The deadline that it is about.
    pub deadline: Option<Timestamp>,
    /// Since when it is so, of a hold.
    pub since: Option<Timestamp>,
    /// What is said.
    pub text: String,
}

impl Line {
    /// A line of a topic, for operators.
    #[must_use]
    pub fn of_topic(topic: Topic, text: String) -> Self {
        Self {
            audience: Audience::Operators,
            event: topic.event(),
            topic: topic.as_str().to_owned(),
            policy: None,
            deadline: None,
            since: None,
            text,
        }
    }

    /// A hold was raised, or is over.
    #[must_use]
    pub fn of_hold(event: EventKind, hold: &StandingHold) -> Self {
        Self {
            audience: Audience::Operators,
            event,
            topic: hold.id.clone(),
            policy: hold.policy.clone(),
            deadline: None,
            since: Some(hold.since),
            text: hold.text.clone(),
        }
    }
}

/// The lines of one audience, event and topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Who hears of them.
    pub audience: Audience,
    /// What happened.
    pub event: EventKind,
    /// What they are about.
    pub topic: String,
    /// Since when it is so, of a hold.
    pub since: Option<Timestamp>,
    /// How many lines.
    pub count: u64,
    /// The earliest and the latest deadline.
    pub deadlines: Option<(Timestamp, Timestamp)>,
    /// The policies.
    pub policies: Vec<PolicyName>,
    /// The lines: for operators each once, for chats the first of them.
    pub lines: Vec<String>,
    /// The number of the last one: younger ones are for the next pass.
    pub last: i64,
}

/// Something that operators are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Keeps it from being said twice.
    pub key: String,
    /// What it is about: later news of the same follow it.
    pub about: String,
    /// What happened.
    pub event: EventKind,
    /// The policy that it is about.
    pub policy: Option<PolicyName>,
    /// The subject of the mail.
    pub title: String,
    /// Its lines.
    pub lines: Vec<String>,
}

impl News {
    /// A hold stands, or is over.
    #[must_use]
    pub fn of_hold(event: EventKind, hold: &StandingHold) -> Self {
        Self::about_hold(event, &hold.id, hold.policy.clone(), hold.since, &hold.text)
    }

    fn about_hold(
        event: EventKind,
        id: &str,
        policy: Option<PolicyName>,
        since: Timestamp,
        text: &str,
    ) -> Self {
        let remedy = HoldKind::of_hold(id).filter(|_| event == EventKind::HoldRaised);
        let remedy = remedy.map(|kind| kind.remedy(id));
        Self {
            key: format!("{}/{id}/{}", event.as_str(), since.as_microsecond()),
            about: format!("hold/{id}"),
            event,
            policy,
            title: id.to_owned(),
            lines: std::iter::once(text.to_owned()).chain(remedy).collect(),
        }
    }
}

/// The news that waiting lines of operators make, each with the lines that it says: one of each
/// event, and one of each hold.
#[must_use]
pub fn news(waiting: &[Waiting], now: Timestamp) -> Vec<(News, Vec<&Waiting>)> {
    let to_operators = || {
        waiting
            .iter()
            .filter(|one| one.audience == Audience::Operators)
    };
    let holds = to_operators().filter_map(|one| {
        let since = one.since?;
        let policy = one.policies.first().cloned();
        let text = one.lines.first().map(String::as_str).unwrap_or_default();
        let news = News::about_hold(one.event, &one.topic, policy, since, text);
        Some((news, vec![one]))
    });
    let events: BTreeSet<EventKind> = Topic::ALL.into_iter().map(Topic::event).collect();
    let topics = events
        .into_iter()
        .filter_map(|event| of_topics(&to_operators(), event, now));
    holds.chain(topics).collect()
}

/// All lines that wait to be told as one event.
fn of_topics<'a>(
    waiting: &(impl Iterator<Item = &'a Waiting> + Clone),
    event: EventKind,
    now: Timestamp,
) -> Option<(News, Vec<&'a Waiting>)> {
    let topics = Topic::ALL
        .into_iter()
        .filter(|topic| topic.event() == event);
    let said: Vec<(Topic, &Waiting)> = topics
        .filter_map(|topic| {
            let mut waiting = waiting.clone();
            Some((topic, waiting.find(|one| one.topic == topic.as_str())?))
        })
        .collect();
    let names: Vec<&str> = said.iter().map(|(topic, _)| topic.as_str()).collect();
    let about = names.join("+");
    let titles: Vec<String> = said
        .iter()
        .map(|(topic, one)| topic.title(one.lines.len()))
        .collect();
    let news = News {
        key: format!("{about}/{}", now.as_microsecond()),
        about,
        event,
        policy: None,
        title: titles.join("; "),
        lines: said.iter().flat_map(|(_, one)| one.lines.clone()).collect(),
    };
    (!said.is_empty()).then(|| (news, said.into_iter().map(|(_, one)| one).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn waiting(topic: Topic, lines: &[&str]) -> Waiting {
        Waiting {
            audience: Audience::Operators,
            event: topic.event(),
            topic: topic.as_str().to_owned(),
            since: None,
            count: lines.len() as u64,
            deadlines: None,
            policies: Vec::new(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            last: 1,
        }
    }

    #[test]
    fn lines_of_one_event_are_one_news_and_each_topic_says_how_many() {
        let waiting = [
            waiting(Topic::LostAgain, &["cleo"]),
            waiting(Topic::DeadEndpoint, &["desk"]),
            waiting(Topic::Unreachable, &["ana", "bo"]),
        ];
        let said = news(&waiting, NOW);
        let texts: Vec<(&str, &str, usize)> = said
            .iter()
            .map(|(news, said)| (news.title.as_str(), news.about.as_str(), said.len()))
            .collect();
        assert_eq!(
            texts,
            [
                (
                    "2 people cannot be reached by mail; A webhook takes nothing any more",
                    "unreachable+dead_endpoint",
                    2
                ),
                ("Registrations lost again", "lost_again", 1),
            ]
        );
        assert_eq!(said[0].0.lines, ["ana", "bo", "desk"]);
    }

    #[test]
    fn a_hold_is_told_with_its_remedy_and_its_end_without() {
        let raised = Waiting {
            event: EventKind::HoldRaised,
            topic: "stale:users".to_owned(),
            since: Some(NOW),
            ..waiting(Topic::Unreachable, &["the users are old"])
        };
        let cleared = Waiting {
            event: EventKind::HoldCleared,
            ..raised.clone()
        };
        let waiting = [raised, cleared];
        let said = news(&waiting, NOW);
        let lines: Vec<usize> = said.iter().map(|(news, _)| news.lines.len()).collect();
        assert_eq!(lines, [2, 1]);
        assert_eq!(said[0].0.key, "hold.raised/stale:users/0");
        assert_eq!(said[1].0.about, "hold/stale:users");
    }
}
