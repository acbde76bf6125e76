//! The kinds of events and messages, and their names outside (rule 5.1).

use serde::{Deserialize, Serialize};

/// What happened, as the journal, mails and webhooks name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A window opened.
    #[serde(rename = "window.opened")]
    WindowOpened,
    /// A later step fell due.
    #[serde(rename = "window.reminder")]
    WindowReminder,
    /// An operator or a longer window moved the deadline out.
    #[serde(rename = "window.extended")]
    WindowExtended,
    /// The clock of a window stopped.
    #[serde(rename = "window.paused")]
    WindowPaused,
    /// A paused window runs again.
    #[serde(rename = "window.resumed")]
    WindowResumed,
    /// A person with an open window or a flag registered.
    #[serde(rename = "user.registered")]
    UserRegistered,
    /// A sign-in shows that a person could not register.
    #[serde(rename = "registration.blocked")]
    RegistrationBlocked,
    /// A person must register now: the deadline has passed and everything is proven.
    #[serde(rename = "enforcement.needed")]
    EnforcementNeeded,
    /// A flag was taken back.
    #[serde(rename = "enforcement.released")]
    EnforcementReleased,
    /// Flags are held.
    #[serde(rename = "hold.raised")]
    HoldRaised,
    /// A hold is over.
    #[serde(rename = "hold.cleared")]
    HoldCleared,
    /// A person cannot be reached, or an endpoint is dead.
    #[serde(rename = "delivery.dead")]
    DeliveryDead,
    /// Something operators should know that is none of the above.
    #[serde(rename = "digest")]
    Digest,
    /// A test, marked as such.
    #[serde(rename = "test")]
    Test,
}

impl EventKind {
    /// Every kind, in the order of rule 5.1.
    pub const ALL: [Self; 14] = [
        Self::WindowOpened,
        Self::WindowReminder,
        Self::WindowExtended,
        Self::WindowPaused,
        Self::WindowResumed,
        Self::UserRegistered,
        Self::RegistrationBlocked,
        Self::EnforcementNeeded,
        Self::EnforcementReleased,
        Self::HoldRaised,
        Self::HoldCleared,
        Self::DeliveryDead,
        Self::Digest,
        Self::Test,
    ];

    /// The name in the journal, in mails and in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::WindowOpened => "window.opened",
            Self::WindowReminder => "window.reminder",
            Self::WindowExtended => "window.extended",
            Self::WindowPaused => "window.paused",
            Self::WindowResumed => "window.resumed",
            Self::UserRegistered => "user.registered",
            Self::RegistrationBlocked => "registration.blocked",
            Self::EnforcementNeeded => "enforcement.needed",
            Self::EnforcementReleased => "enforcement.released",
            Self::HoldRaised => "hold.raised",
            Self::HoldCleared => "hold.cleared",
            Self::DeliveryDead => "delivery.dead",
            Self::Digest => "digest",
            Self::Test => "test",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether anybody is written to about it.
    #[must_use]
    pub fn is_mailed(self) -> bool {
        self != Self::WindowPaused
    }

    /// Whether it happens to a person, and not only operators are told.
    #[must_use]
    pub fn is_about_person(self) -> bool {
        match self {
            Self::WindowOpened
            | Self::WindowReminder
            | Self::WindowExtended
            | Self::WindowPaused
            | Self::WindowResumed
            | Self::UserRegistered
            | Self::RegistrationBlocked
            | Self::EnforcementNeeded
            | Self::EnforcementReleased => true,
            Self::HoldRaised
            | Self::HoldCleared
            | Self::DeliveryDead
            | Self::Digest
            | Self::Test => false,
        }
    }

    /// Whether its mail goes to operators, who read of many at once.
    #[must_use]
    pub fn is_mailed_to_operators(self) -> bool {
        !self.is_about_person() || self == Self::RegistrationBlocked
    }

    /// Whether an accepted message of this kind names a deadline and so is a notice (rule R7).
    #[must_use]
    pub fn announces(self) -> bool {
        matches!(
            self,
            Self::WindowOpened | Self::WindowReminder | Self::WindowExtended | Self::WindowResumed
        )
    }
}

/// What sign-ins of a window showed of registering, as far as its mails tell.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shows {
    /// Nothing that changes what a mail asks.
    #[default]
    Nothing,
    /// The newest one was told to register: it cannot be put off.
    Demand,
    /// The newest one could not register.
    Block {
        /// Its result code.
        code: i64,
        /// A message that says so was accepted.
        desk_knows: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_by_its_name_and_spelled_alike_in_json() {
        for (index, kind) in EventKind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "the list is whole and in order");
            assert_eq!(EventKind::parse(kind.as_str()), Some(kind));
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
        }
        assert_eq!(EventKind::ALL.last(), Some(&EventKind::Test));
        assert_eq!(EventKind::parse("window.broken"), None);
    }
}
