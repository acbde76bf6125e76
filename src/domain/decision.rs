//! What a decision says: where the person stands, why, what is to be done, and when to look again.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::age::{Frozen, ReportAge};
use super::effect::Effect;
use super::id::PolicyName;
use super::policy::Step;
use super::reason::{Reason, ReasonCode};
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
    /// That nobody can reach the person, while a window asks for something.
    pub unreached: Option<Unreached>,
}

impl Decision {
    /// What keeps the person from being flagged, with what only the hold `frozen` says: a report that
    /// may be an old one proves nothing by its own time (rule 7.8).
    #[must_use]
    pub fn held_back_by(&self, report: Option<&ReportAge>) -> Vec<Wait> {
        let mut waits = self.waits.clone();
        let Some((deadline, (report, frozen))) = self
            .deadline
            .filter(|_| self.would_flag)
            .zip(report.and_then(|report| Some((report, report.frozen?))))
        else {
            return waits;
        };
        let proven = match frozen {
            Frozen::Copied => report.as_of,
            Frozen::Old { newest } | Frozen::Overtaken { newest, .. } => newest,
        };
        waits.extend((proven < deadline).then_some(Wait::Proof(deadline)));
        waits
    }

    /// What is known of somebody whose deadline has passed and that whoever lets the flag go should
    /// know: never told, not to be reached, kept from registering.
    #[must_use]
    pub fn misgivings(&self) -> Vec<Reason> {
        let told = self.standing.window.run().map(|run| run.told.is_some());
        let never_told = (told == Some(false)).then(|| {
            Reason::new(
                ReasonCode::NoticeMissing,
                "no message that names the deadline was ever accepted",
                None,
            )
        });
        let known = self.reasons.iter().filter(|reason| {
            matches!(
                reason.code,
                ReasonCode::Unreachable | ReasonCode::RegistrationBlocked
            )
        });
        never_told.into_iter().chain(known.cloned()).collect()
    }
}

impl Wait {
    /// When it ends at the latest, where that is known.
    #[must_use]
    pub fn until(self) -> Option<Timestamp> {
        match self {
            Self::Reported(until)
            | Self::Notice(Some(until))
            | Self::Unreachable(until)
            | Self::Blocked(until) => Some(until),
            Self::RegistrationUnknown
            | Self::Proof(_)
            | Self::Notice(None)
            | Self::LeftExclusion(_)
            | Self::RowUnbelieved
            | Self::ChannelDown => None,
        }
    }

    /// What is waited for.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::RegistrationUnknown => {
                "a registration report that contains the person".to_owned()
            }
            Self::Reported(until) => {
                format!("a registration report that shows what the log says, at most until {until}")
            }
            Self::Proof(deadline) => format!("a registration report as of {deadline} or later"),
            Self::Notice(Some(until)) => format!("the end of the minimum notice, {until}"),
            Self::Notice(None) => "a message that is accepted".to_owned(),
            Self::Unreachable(until) => format!("a message that is accepted, or {until}"),
            Self::Blocked(until) => format!("a sign-in that can register, or {until}"),
            Self::LeftExclusion(from) => {
                format!("readings of users and groups of {from} or later")
            }
            Self::RowUnbelieved => "a users row of the person that can be read".to_owned(),
            Self::ChannelDown => "the way to people to open".to_owned(),
        }
    }
}

/// Somebody whom nobody can reach (rule R8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreached {
    /// The first refusal, or the pass in which a message fell due with no address.
    pub since: Timestamp,
    /// The flag comes from then on, while the way to people works; none under a strict policy, which does
    /// not wait for it.
    pub flagged_from: Option<Timestamp>,
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
