//! A row of the outbox: what it asks of a person, its states, and what may become of it.
//!
//! Operators know these states by their names (rule 5.3). Every way from one to another is here, and
//! the store writes down what comes out.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::EventKind;
use super::state::State as Stands;
use super::window::later;

/// A mail whose outcome was lost is sent once more after this, and a row that a stop of ours
/// interrupted is tried again then: the server may have taken it (rule 5.4).
pub const IN_DOUBT: SignedDuration = SignedDuration::from_mins(10);

/// Where a row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Queued, or waiting for a retry.
    Pending,
    /// Being sent.
    Leased,
    /// Accepted.
    Sent,
    /// The outcome was lost: it is sent again.
    Ambiguous,
    /// Refused for good.
    Failed,
    /// Overtaken, or the person needs it no more.
    Superseded,
    /// Of no use any more.
    Expired,
    /// There is nothing more to try.
    Dead,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Pending,
        Self::Leased,
        Self::Sent,
        Self::Ambiguous,
        Self::Failed,
        Self::Superseded,
        Self::Expired,
        Self::Dead,
    ];

    /// The name in SQL, JSON and on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Leased => "leased",
            Self::Sent => "sent",
            Self::Ambiguous => "ambiguous",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
            Self::Expired => "expired",
            Self::Dead => "dead",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether it waits for an attempt: such a row, and no other, has a time of its next one.
    #[must_use]
    pub fn waits(self) -> bool {
        match self {
            Self::Pending | Self::Ambiguous => true,
            Self::Leased
            | Self::Sent
            | Self::Failed
            | Self::Superseded
            | Self::Expired
            | Self::Dead => false,
        }
    }

    /// Whether it is over, for good or until somebody takes it up once more: such a row, and no other,
    /// was settled.
    #[must_use]
    pub fn is_over(self) -> bool {
        !self.waits() && self != Self::Leased
    }

    /// Whether an operator may send it again or set it aside.
    #[must_use]
    pub fn is_in_hand(self) -> bool {
        match self {
            Self::Pending | Self::Ambiguous | Self::Failed | Self::Dead => true,
            Self::Leased | Self::Sent | Self::Superseded | Self::Expired => false,
        }
    }
}

/// What became of an attempt, for the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disposition {
    /// The server accepted it.
    Sent,
    /// Try again then.
    RetryAt(Timestamp),
    /// The outcome was lost; it is sent once more, and not again after that.
    Ambiguous,
    /// The outcome was lost, and it is tried again then, as often as it takes.
    Lost(Timestamp),
    /// Refused for good.
    Refused,
    /// There is nobody any more to send it to.
    Dead,
}

/// A row after an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ending {
    /// Where it stands.
    pub state: State,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// When it was over.
    pub settled_at: Option<Timestamp>,
}

impl Disposition {
    /// What a row is after an attempt that ended `at`; `resent` says that its outcome was lost
    /// before.
    #[must_use]
    pub fn ending(self, resent: bool, at: Timestamp) -> Ending {
        let waits = |state, next_at| Ending {
            state,
            next_at: Some(next_at),
            settled_at: None,
        };
        let over = |state| Ending {
            state,
            next_at: None,
            settled_at: Some(at),
        };
        match self {
            Self::Sent => over(State::Sent),
            Self::RetryAt(next) => waits(State::Pending, next),
            Self::Ambiguous if resent => over(State::Dead),
            Self::Ambiguous => waits(State::Ambiguous, later(at, IN_DOUBT)),
            Self::Lost(next) => waits(State::Ambiguous, next),
            Self::Refused => over(State::Failed),
            Self::Dead => over(State::Dead),
        }
    }

    /// Whether the server may have taken it, though nobody knows.
    #[must_use]
    pub fn is_lost(self) -> bool {
        matches!(self, Self::Ambiguous | Self::Lost(_))
    }

    /// The word for the attempt.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Sent => "accepted",
            Self::RetryAt(_) => "deferred",
            Self::Ambiguous | Self::Lost(_) => "ambiguous",
            Self::Refused => "rejected",
            Self::Dead => "gone",
        }
    }
}

/// What a row asks of the person whom it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Asks {
    /// To register by a deadline.
    Notice,
    /// To register before the next sign-in completes.
    Flag,
    /// Nothing: it says that the person has registered.
    Thanks,
    /// Nothing: it tells of something that happened, and stays true.
    News,
}

impl Asks {
    /// The name in SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Flag => "flag",
            Self::Thanks => "thanks",
            Self::News => "news",
        }
    }

    /// What an event asks.
    #[must_use]
    pub fn of_event(kind: EventKind) -> Self {
        match kind {
            EventKind::WindowOpened
            | EventKind::WindowReminder
            | EventKind::WindowExtended
            | EventKind::WindowResumed => Self::Notice,
            EventKind::EnforcementNeeded => Self::Flag,
            EventKind::UserRegistered => Self::Thanks,
            EventKind::WindowPaused
            | EventKind::RegistrationBlocked
            | EventKind::EnforcementReleased
            | EventKind::HoldRaised
            | EventKind::HoldCleared
            | EventKind::DeliveryDead
            | EventKind::Digest
            | EventKind::Test => Self::News,
        }
    }

    /// What may be asked of a person who stands there by mail: a message that asks anything else
    /// is no longer true, or not yet.
    #[must_use]
    pub fn of_person(stands: Stands) -> Option<Self> {
        match stands {
            Stands::InGrace | Stands::DueSoon | Stands::OverdueChecking | Stands::Unknown => {
                Some(Self::Notice)
            }
            Stands::EnforcementNeeded => Some(Self::Flag),
            Stands::Registered => Some(Self::Thanks),
            Stands::OutOfScope
            | Stands::Exempt
            | Stands::NotEligible
            | Stands::Disabled
            | Stands::Gone
            | Stands::RegistrationReported
            | Stands::WaitingFirstSignIn
            | Stands::Enforced
            | Stands::Paused => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    fn soon() -> Timestamp {
        later(AT, SignedDuration::from_secs(5))
    }

    #[test]
    fn every_state_is_found_by_its_name_and_spelled_alike_in_json() {
        for state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
        assert_eq!(State::parse("lost"), None);
    }

    #[test]
    fn after_an_attempt_a_row_waits_or_is_over() {
        let doubt = later(AT, IN_DOUBT);
        for (became, resent, state, next_at) in [
            (Disposition::Sent, false, State::Sent, None),
            (
                Disposition::RetryAt(soon()),
                true,
                State::Pending,
                Some(soon()),
            ),
            (Disposition::Ambiguous, false, State::Ambiguous, Some(doubt)),
            (Disposition::Ambiguous, true, State::Dead, None),
            (
                Disposition::Lost(soon()),
                true,
                State::Ambiguous,
                Some(soon()),
            ),
            (Disposition::Refused, false, State::Failed, None),
            (Disposition::Dead, false, State::Dead, None),
        ] {
            let ending = became.ending(resent, AT);
            assert_eq!(
                (ending.state, ending.next_at),
                (state, next_at),
                "{became:?}"
            );
            assert_eq!(ending.state.waits(), ending.next_at.is_some(), "{became:?}");
            let over = (!state.waits()).then_some(AT);
            assert_eq!(ending.settled_at, over, "{became:?}");
        }
    }

    #[test]
    fn a_message_asks_only_what_may_be_asked_of_where_the_person_stands() {
        for kind in EventKind::ALL {
            assert_eq!(
                Asks::of_event(kind) == Asks::Notice,
                kind.announces(),
                "{kind:?}"
            );
        }
        let asked: Vec<Stands> = Stands::ALL
            .iter()
            .copied()
            .filter(|stands| Asks::of_person(*stands) == Some(Asks::Notice))
            .collect();
        assert_eq!(
            asked,
            [
                Stands::Unknown,
                Stands::InGrace,
                Stands::DueSoon,
                Stands::OverdueChecking
            ]
        );
    }
}
