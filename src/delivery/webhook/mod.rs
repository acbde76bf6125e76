//! Webhooks: from a row of the outbox to an accepted request.
//!
//! A [`Happening`] or a [`Group`] of them becomes a body, by the pure function of a [`Dialect`]; the
//! table of these is [`DIALECTS`]. A [`Client`] signs it for the moment of the attempt, sends it,
//! and says in an [`Outcome`](super::Outcome) what became of it. When to try again, and what becomes of the endpoint, are the courier's.
//!
//! The trap: the address of a chat is its password. It is a [`SecretUrl`], and no error, log or
//! kept answer of a server may repeat it.

mod answer;
mod chat;
mod client;
mod dialect;
mod endpoint;
pub mod schema;
mod signing;
mod slack;
mod standard;
mod teams;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;

pub use self::answer::Answer;
pub use self::client::{Attempt, Client, ClientError, Reach, Timeouts};
pub use self::dialect::{Auth, Dialect, Per, Unfit};
pub use self::endpoint::{Endpoint, EndpointFault, SecretUrl};
pub use self::signing::{SecretFault, SigningSecret};
pub use self::standard::{TYPE_PREFIX, standard};

/// The most names that a message to a chat lists (rule 5.2).
pub const MAX_NAMES: usize = 10;

/// Every format: a new one is a file with its tests and a row here. The first is what a program
/// takes.
pub const DIALECTS: &[&Dialect] = &[
    &self::standard::STANDARD,
    &self::slack::SLACK,
    &self::teams::TEAMS,
];

/// Formats that this version does not build yet, and refuses by their names.
pub const LATER_FORMATS: &[&str] = &[
    "slack-bot",
    "discord",
    "mattermost",
    "rocket-chat",
    "google-chat",
    "matrix",
    "jira",
    "jira-dc",
    "jsm",
    "servicenow",
    "zendesk",
    "pagerduty",
    "github",
    "gitlab",
    "template",
];

/// The names of all formats.
pub const FORMATS: &[&str] = &{
    let mut names = [""; DIALECTS.len()];
    let mut row = 0;
    while row < names.len() {
        names[row] = DIALECTS[row].name;
        row += 1;
    }
    names
};

/// The format of that name.
#[must_use]
pub fn dialect(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().copied().find(|one| one.name == name)
}

/// One thing that happened, as a row of the outbox tells it to a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// A pure function of the event, the same at every endpoint and attempt; without a full stop,
    /// which separates the parts of what is signed.
    pub id: String,
    /// What happened.
    pub kind: EventKind,
    /// The pass that queued it.
    pub time: Timestamp,
    /// The policy it is about.
    pub policy: Option<PolicyName>,
    /// The person it is about; none for what only operators are told.
    pub person: Option<Person>,
    /// That person's window under the policy.
    pub window: Option<Window>,
    /// The entry of `reminders` that fell due, or `"deadline"`.
    pub step: Option<String>,
    /// Why a person could not register.
    pub block: Option<Block>,
    /// What only operators are told, in lines.
    pub text: Option<String>,
    /// Where to read on, by name.
    pub links: BTreeMap<String, String>,
}

/// A person, as a row tells of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The object id.
    pub id: UserId,
    /// For display.
    pub user_principal_name: String,
    /// As the directory spells it: whoever it names can have written it.
    pub display_name: Option<String>,
    /// The address.
    pub mail: Option<String>,
}

/// A window, as a row tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Which of the person's windows under the policy.
    pub sequence: u32,
    /// The qualifying sign-in.
    pub opened_at: Option<Timestamp>,
    /// None while it is paused.
    pub deadline: Option<Timestamp>,
}

/// Why a person could not register, as a row tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Block {
    /// The result code of the sign-in.
    pub code: i64,
    /// What it means.
    pub meaning: String,
    /// What helps.
    pub remedy: String,
}

/// Everything of one kind that a pass queued for a chat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What happened.
    pub kind: EventKind,
    /// The pass that queued it.
    pub time: Timestamp,
    /// The policies it is about.
    pub policies: Vec<PolicyName>,
    /// How many people, holds or other things.
    pub count: u64,
    /// The earliest and the latest deadline.
    pub deadlines: Option<(Timestamp, Timestamp)>,
    /// Some of the people; more than [`MAX_NAMES`] are not listed.
    pub names: Vec<String>,
    /// What only operators are told.
    pub lines: Vec<String>,
}

#[cfg(test)]
mod tests;
