//! Whether a person has registered: done, reported, missing or unknown — never a bare bool.
//!
//! Registering is believed at once; losing it is doubted until two complete reports at least
//! 24 hours apart agree, or an audit event explains it (contract 7.5). Being absent from a
//! report says nothing (7.7). What a report says is a [`Level`]; which level is enough depends
//! on the policy, so each level keeps its own [`Track`].

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::audit::{AuditEvent, AuditKind};
use super::id::UserId;

/// Two reports that lie this far apart confirm a loss (contract 7.5).
pub const LOSS_CONFIRMED_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// One row of the registration report, reduced to what decisions need.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Whose registration.
    pub user: UserId,
    /// How far the registration goes.
    pub level: Level,
    /// Why it goes no further, where it is not enough.
    pub detail: Detail,
}

/// How far a registration goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// No method that counts.
    Missing,
    /// Only passwordless methods: enough where the policy accepts them (domain case 45).
    Passwordless,
    /// Capable of multifactor authentication.
    Capable,
}

/// What there is instead, where a registration is not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Detail {
    /// Nothing to add.
    None,
    /// Registered, but the method is no longer allowed by the tenant's policy.
    MethodNotAllowed,
    /// Only self-service password reset methods (domain case 47).
    SsprOnly,
    /// Only a Temporary Access Pass (domain case 46).
    TemporaryAccessPassOnly,
}

/// What the reports have said about one level, over time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Track {
    /// The last report that said registered before the present run of reports that do not.
    pub done_as_of: Option<Timestamp>,
    /// The first of the present unbroken run of reports that say not registered.
    pub missing_since: Option<Timestamp>,
}

/// All that is remembered of the reports about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// What the last report that contained the person said.
    pub level: Level,
    /// Why it is not enough.
    pub detail: Detail,
    /// The accepted report that last contained the person, if not the newest one.
    pub absent_since: Option<Timestamp>,
    /// Capable of multifactor authentication, over time.
    pub capable: Track,
    /// Capable or passwordless, over time.
    pub passwordless: Track,
}

impl Registration {
    /// What is remembered after the first report that contains the person.
    pub fn first(row: &ReportRow, as_of: Timestamp) -> Self {
        let track = |done: bool| Track {
            done_as_of: None,
            missing_since: (!done).then_some(as_of),
        };
        Self {
            level: row.level,
            detail: row.detail,
            absent_since: None,
            capable: track(row.level >= Level::Capable),
            passwordless: track(row.level >= Level::Passwordless),
        }
    }

    /// What is remembered after one more report; `previous` is the time of the report before.
    #[must_use]
    pub fn then(&self, row: &ReportRow, previous: Timestamp, as_of: Timestamp) -> Self {
        let step = |track: Track, enough: Level| -> Track {
            match (self.level >= enough, row.level >= enough) {
                (_, true) => Track::default(),
                (true, false) => Track {
                    done_as_of: Some(self.absent_since.unwrap_or(previous)),
                    missing_since: Some(as_of),
                },
                (false, false) => track,
            }
        };
        Self {
            level: row.level,
            detail: row.detail,
            absent_since: None,
            capable: step(self.capable, Level::Capable),
            passwordless: step(self.passwordless, Level::Passwordless),
        }
    }
}
