//! Audit events about security info: hints that trigger a second look, never proof by
//! themselves.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::id::UserId;

/// A successful event about somebody's authentication methods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEvent {
    /// Graph's id; not always a GUID.
    pub id: String,
    /// Whose methods.
    pub user: UserId,
    /// `activityDateTime`.
    pub at: Timestamp,
    /// What happened.
    pub kind: AuditKind,
}

/// What an audit event says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditKind {
    /// Security info was registered, by the person or an administrator (rule T7).
    Registered,
    /// An administrator deleted security info (rule T16).
    AdminDeleted,
    /// The person deleted security info (rule T17).
    UserDeleted,
}
