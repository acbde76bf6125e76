//! What a pass decided about a person, as it is committed.

use jiff::Timestamp;
use uuid::Uuid;

use super::load::Dossier;
use crate::domain::decision::Decision;
use crate::domain::effect::Message;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
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
    /// The hold whose approval let a flag of this person through.
    pub approved_by_hold: Option<String>,
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
    /// Those of them whose acceptance is a notice (contract 7.11).
    pub notice_by: Vec<String>,
    /// Its line in what chats are told at the end of the pass, if one wants it.
    pub chat: Option<String>,
}

/// The namespace of ids that are functions of a key.
const NAMESPACE: Uuid = Uuid::from_u128(0x8d2c_5f1e_6a0b_4c57_9d1f_3b7e_2a94_60c8);

/// The id of a delivery or an event: a pure function of its key.
#[must_use]
pub fn delivery_id(key: &str) -> String {
    Uuid::new_v5(&NAMESPACE, key.as_bytes()).to_string()
}
