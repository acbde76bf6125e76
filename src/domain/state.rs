//! The one word for where a person stands (rule 4.1). Derived, never stored alone.

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[doc = $about:literal] $name:ident = $text:literal,)*) => {
        /// Where a person stands under a policy.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum State {
            $(#[doc = $about] #[serde(rename = $text)] $name,)*
        }

        impl State {
            /// Every state.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The name in JSON, on the command line and in SQL.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means, in a line.
            pub fn about(self) -> &'static str {
                match self { $(Self::$name => $about.trim_ascii(),)* }
            }

            /// The state of that name.
            pub fn parse(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == name)
            }
        }
    };
}

states! {
    /// The policy does not include them.
    OutOfScope = "out_of_scope",
    /// The policy excludes them.
    Exempt = "exempt",
    /// Guests and accounts that cannot register.
    NotEligible = "not_eligible",
    /// The account is disabled.
    Disabled = "disabled",
    /// No longer in the directory.
    Gone = "gone",
    /// No report says whether they are registered.
    Unknown = "unknown",
    /// Done.
    Registered = "registered",
    /// The log says registered, the report not yet.
    RegistrationReported = "registration_reported",
    /// Have not signed in since; nobody asked them yet.
    WaitingFirstSignIn = "waiting_first_sign_in",
    /// The window is open.
    InGrace = "in_grace",
    /// Three days are left, or less.
    DueSoon = "due_soon",
    /// The deadline has passed; a hold keeps the flag, or something is still to be proven.
    OverdueChecking = "overdue_checking",
    /// Flagged: late, and everything is proven.
    EnforcementNeeded = "enforcement_needed",
    /// Enforced in the directory.
    Enforced = "enforced",
    /// The clock is stopped.
    Paused = "paused",
}

impl State {
    /// Whether it is one of somebody whom the policy reaches, be it on or not.
    #[must_use]
    pub fn is_in_scope(self) -> bool {
        match self {
            Self::OutOfScope | Self::Exempt | Self::NotEligible | Self::Disabled | Self::Gone => {
                false
            }
            Self::Unknown
            | Self::Registered
            | Self::RegistrationReported
            | Self::WaitingFirstSignIn
            | Self::InGrace
            | Self::DueSoon
            | Self::OverdueChecking
            | Self::EnforcementNeeded
            | Self::Enforced
            | Self::Paused => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_found_by_its_name_and_spelled_alike_in_json() {
        assert_eq!(State::ALL.len(), 15, "rule 4.1 names fifteen");
        for &state in State::ALL {
            assert_eq!(State::parse(state.as_str()), Some(state));
            let json = serde_json::to_string(&state).unwrap();
            assert_eq!(json, format!("\"{}\"", state.as_str()));
        }
        assert_eq!(State::parse("elsewhere"), None);
    }
}
