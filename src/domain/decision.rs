//! What a decision says: where the person stands, why, what is to be done, and when to look again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::effect::Effect;
use super::id::PolicyName;
use super::policy::Step;
use super::reason::Reason;
use super::sign_in::Blocked;
use super::standing::Standing;
use super::state::State;
use super::window::Deadline;

/// What follows for one person under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Which policy.
    pub policy: PolicyName,
    /// The one word for it.
    pub state: State,
    /// Why, in the order in which it was found out.
    pub reasons: Vec<Reason>,
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// What to remember.
    pub standing: Standing,
    /// When to look again, and for what.
    pub next: Option<Next>,
    /// Whether the person counts as registered.
    pub registered: bool,
    /// What the deadline is computed from.
    pub due: Option<Deadline>,
    /// The deadline as of now, where a window is open, elapsed or closed.
    pub deadline: Option<Timestamp>,
    /// What is left, also of a paused window.
    pub remaining: Option<SignedDuration>,
    /// What keeps a person whose deadline has passed from being flagged.
    pub waits: Vec<Wait>,
    /// Everything is proven: the person is flagged unless a brake holds.
    pub would_flag: bool,
    /// What sign-ins of the window show of registering.
    pub shown: Shown,
}

/// What the sign-ins of a window show of registering.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Shown {
    /// The newest one that says anything about it was told to register: it cannot be put off
    /// (rule T5).
    pub demanded_at: Option<Timestamp>,
    /// The newest one that could not register, if none was completed since.
    pub blocked: Option<Blocked>,
}

/// When to look again, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Next {
    /// When.
    pub at: Timestamp,
    /// For what.
    #[serde(flatten)]
    pub action: NextAction,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", content = "step", rename_all = "snake_case")]
pub enum NextAction {
    /// A step of the policy's reminders falls due.
    Reminder(Step),
    /// The deadline passes.
    Deadline,
    /// A flag is checked again at every pass.
    CheckFlag,
    /// A wait ends.
    WaitEnds,
    /// A sign-in dated in the future comes due.
    SignInDue,
    /// At most three days are left from then on.
    DueSoon,
}

/// What keeps a person whose deadline has passed from being flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Nobody knows whether the person is registered.
    RegistrationUnknown,
    /// The log says registered; until then.
    Reported(Timestamp),
    /// The registration report is as of a time before this deadline (rule T8).
    Proof(Timestamp),
    /// No notice was accepted long enough ago (rule R7); until then, if it was accepted.
    Notice(Option<Timestamp>),
    /// Nobody can be reached; until then, while the channel works (rule R8).
    Unreachable(Timestamp),
    /// Registration was blocked a short while ago (rule R11); until then.
    Blocked(Timestamp),
    /// The person left an exclusion; users and groups read then or later are wanted.
    LeftExclusion(Timestamp),
    /// The newest users row of the person cannot be believed.
    RowUnbelieved,
    /// The way to people is closed: every flag waits that does not go without notice (rule 7.11).
    ChannelDown,
}
