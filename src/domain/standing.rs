//! What is remembered between two decisions about one person under one policy: the facts that
//! no source repeats. Everything else is derived anew each time (rule R4).

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::policy::Enforce;
use super::window::GraceWindow;

/// The memory of one person under one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// In or out of scope, and since when.
    pub scope: ScopeMemory,
    /// The window.
    pub window: GraceWindow,
    /// How many windows have opened.
    pub sequence: u32,
    /// How many events there were: the number of the last one is part of its key (rule R5).
    #[serde(default)]
    pub events: u32,
    /// What is asked of whoever enforces.
    pub enforcement: Enforcement,
    /// The last registration that was lost.
    pub loss: Option<Loss>,
    /// The last operator's act that was applied.
    pub last_act: i64,
    /// An operator closed the window.
    pub closed_by_operator: bool,
    /// The person left an exclusion; the younger of the users and groups readings that said so
    /// (rule 7.5).
    pub left_exclusion: Option<Timestamp>,
    /// The policy's switch at the last decision.
    pub enforce: Option<Enforce>,
}

/// Whether the person was in scope at the last decision.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeMemory {
    /// Nothing to remember: in scope since the policy and the account exist.
    #[default]
    Unremarkable,
    /// In scope since a pass that saw it begin.
    Since(Timestamp),
    /// Excluded.
    Excluded,
    /// Not included, gone, or under a policy that is off.
    Out,
}

/// What is asked of whoever enforces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// Nothing.
    #[default]
    None,
    /// The person must register before the next sign-in completes.
    Needed {
        /// The pass that flagged.
        at: Timestamp,
    },
    /// Report-only: would have been flagged.
    WouldNeed {
        /// The pass that would have.
        at: Timestamp,
    },
    /// A flag was taken back.
    Released {
        /// The pass that did.
        at: Timestamp,
    },
}

/// A registration that was lost, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// The last report that said registered: tells one loss from another.
    pub done_as_of: Timestamp,
    /// First reported while the account was disabled: a full window follows (rule T14).
    pub while_disabled: bool,
    /// The pass that confirmed it; none while it is doubted.
    pub confirmed_at: Option<Timestamp>,
    /// The person's own doing, or nobody knows whose (rule T17).
    pub self_made: bool,
    /// The self-made loss before this one.
    pub earlier: Option<Timestamp>,
}

/// A second self-made loss within this is told to the operators (rule 7.4).
const REPEATED_LOSS: SignedDuration = SignedDuration::from_hours(90 * 24);

impl Loss {
    /// Whether this is the second self-made loss within 90 days.
    #[must_use]
    pub fn is_repeated(&self) -> bool {
        let between = self.earlier.zip(self.confirmed_at);
        self.self_made
            && between.is_some_and(|(earlier, at)| at.duration_since(earlier) <= REPEATED_LOSS)
    }
}

impl Standing {
    /// Whether there is nothing in it that the next decision could not derive by itself.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        *self
            == Self {
                enforce: self.enforce,
                ..Self::default()
            }
    }

    /// Whether a flag stands.
    #[must_use]
    pub fn is_flagged(&self) -> bool {
        matches!(
            self.enforcement,
            Enforcement::Needed { .. } | Enforcement::WouldNeed { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_standing_is_blank_whatever_the_policy_s_switch_was() {
        let mut standing = Standing {
            enforce: Some(Enforce::On),
            ..Standing::default()
        };
        assert!(standing.is_blank());
        standing.scope = ScopeMemory::Out;
        assert!(!standing.is_blank());
    }

    #[test]
    fn a_standing_is_kept_as_text_and_read_back() {
        let standing = Standing {
            scope: ScopeMemory::Excluded,
            sequence: 2,
            last_act: 7,
            ..Standing::default()
        };
        let text = serde_json::to_string(&standing).unwrap();
        let read: Standing = serde_json::from_str(&text).unwrap();
        assert_eq!(read, standing);
    }
}
