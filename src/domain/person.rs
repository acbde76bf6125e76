//! A person of the directory, as the last accepted snapshot says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::UserId;

/// What sort of account it is: only members, and guests where a policy says so, can register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AccountKind {
    /// A person of this organisation.
    Member,
    /// Invited from elsewhere; eligible only where a policy says `guests = true`.
    Guest,
    /// An account of an AI agent (`microsoft.graph.agentUser`): it cannot register.
    Agent,
    /// The account of the directory synchronisation: it cannot register.
    Sync,
}

/// Whether the account is in the last accepted snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It is there.
    Present,
    /// It is there, but its newest row cannot be believed: what was known before counts, and is not
    /// enough to flag anybody.
    Unsure,
    /// It was there once and is no more: deleted, perhaps to be restored.
    Gone {
        /// The pass that saw it missing.
        at: Timestamp,
    },
}

/// One account with what mails and decisions need of it, and nothing more (rule R15).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The join key.
    pub id: UserId,
    /// For display and for names in assignments; never joins stored facts.
    pub user_principal_name: String,
    /// As the directory spells it: hostile until encoded for its sink.
    pub display_name: Option<String>,
    /// A well-formed address, or none.
    pub mail: Option<String>,
    /// Member, guest, agent or synchronisation account.
    pub kind: AccountKind,
    /// `accountEnabled`.
    pub enabled: bool,
    /// `createdDateTime`, where the export has it.
    pub created_at: Option<Timestamp>,
    /// `preferredLanguage`, a BCP 47 tag.
    pub preferred_language: Option<String>,
    /// The directory's own memory of the last interactive sign-in, where the export has it: of an
    /// attempt, successful or not.
    pub last_sign_in_at: Option<Timestamp>,
    /// Present, or gone since.
    pub presence: Presence,
}

impl Person {
    /// Whether the account is no more there.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        matches!(self.presence, Presence::Gone { .. })
    }
}
