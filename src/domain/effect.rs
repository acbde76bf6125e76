//! What a decision asks of the world: lines in the journal, and mails.

use jiff::Timestamp;
use serde::Serialize;

use super::id::{PolicyName, UserId};
use super::message::EventKind;
use super::news::Topic;
use super::policy::Step;

/// Something a decision asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A line in the journal.
    Event(Event),
    /// A mail to the person; one per person is chosen over all policies (rule 7.17).
    Message(Message),
    /// Mails of this policy that still wait are no longer true.
    WithdrawMessages,
    /// Operators should know.
    TellOperators {
        /// The mail that says it.
        topic: Topic,
        /// Its line there.
        line: String,
    },
}

/// What happened to a window or a flag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What.
    pub kind: EventKind,
    /// The step that fell due.
    pub step: Option<Step>,
    /// The window's number.
    pub sequence: u32,
    /// The number of the deadline's move: a step before a move and after it are two events.
    pub moves: u32,
    /// Its number among the events of this person under this policy: a flag can be taken back twice
    /// before the deadline moves, and both are to be told.
    pub number: u32,
    /// Of a policy that is report-only, or was until it went off: the journal alone hears of it.
    pub rehearsed: bool,
    /// When the window opened.
    pub opened_at: Option<Timestamp>,
    /// Its deadline as of this pass.
    pub deadline: Option<Timestamp>,
    /// The result code of the sign-in that could not register.
    pub code: Option<i64>,
}

impl Event {
    /// What tells it from every other event, at whatever time a pass finds it (rule R5).
    #[must_use]
    pub fn key(&self, policy: &PolicyName, user: &UserId) -> String {
        let step = self.step.map_or_else(String::new, |step| step.to_string());
        format!(
            "{policy}/{user}/{}/{}/{}/{}/{step}",
            self.sequence,
            self.moves,
            self.number,
            self.kind.as_str()
        )
    }
}

/// A mail to a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Under which policy.
    pub policy: PolicyName,
    /// What it says.
    pub kind: EventKind,
    /// The step that fell due.
    pub step: Option<Step>,
    /// The window's number.
    pub sequence: u32,
    /// The number of the deadline's move.
    pub moves: u32,
    /// The number of the message within the window.
    pub number: u32,
    /// When the window opened.
    pub opened_at: Timestamp,
    /// The deadline as of this pass.
    pub deadline: Timestamp,
    /// It announces a deadline nobody was told of: the deadline is the attempt's (rule 7.2), and it
    /// does not expire while the window is open.
    pub announces: bool,
    /// The address.
    pub address: String,
    /// Useless after this moment; none for an announcing message.
    pub not_after: Option<Timestamp>,
}

impl Message {
    /// The key of rule R5: at most one message has it, however often a pass is repeated.
    pub fn key(&self, user: &UserId) -> String {
        let step = self.step.map_or_else(String::new, |step| step.to_string());
        format!(
            "{}/{user}/{}/{}/{}/{}/{step}",
            self.policy,
            self.sequence,
            self.moves,
            self.number,
            self.kind.as_str()
        )
    }
}
