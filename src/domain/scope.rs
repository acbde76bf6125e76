//! Whether a policy applies to a person now, and what stops it if not.

use jiff::Timestamp;
use serde::Serialize;

use super::assignment::{Include, MatchedBy};
use super::facts::PersonFacts;
use super::person::{AccountKind, Presence};
use super::policy::{Enforce, Policy};

/// Where a policy and a person stand to each other, in the order in which the answers count
/// (rule 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// The account is not in the last accepted users snapshot.
    Gone {
        /// The pass that saw it missing.
        at: Timestamp,
    },
    /// Not included.
    OutOfScope,
    /// An account that cannot or need not register.
    NotEligible(AccountKind),
    /// Included and excluded: exclude beats include (rule R13).
    Exempt(MatchedBy),
    /// The account is disabled.
    Disabled,
    /// The policy is off, or an operator closed the person's window.
    Paused(PausedBy),
    /// The policy applies.
    In(MatchedBy),
}

/// How many people a policy reaches who can sign in and register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// Included and not excluded.
    pub included: u64,
    /// Included and excluded: exclude beats include (rule R13).
    pub excluded: u64,
}

/// Who stopped the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// `enforce = "off"`.
    Policy,
    /// `window close`, until `window reopen`.
    Operator,
}

/// Whether the policy applies to the person, and what decides that.
#[must_use]
pub fn scope(policy: &Policy, facts: &PersonFacts<'_>, closed_by_operator: bool) -> Scope {
    let person = facts.person;
    if let Presence::Gone { at } = person.presence {
        return Scope::Gone { at };
    }
    let assignment = &policy.assignment;
    let included = match &assignment.include {
        Include::AllUsers => Some(MatchedBy::AllUsers),
        Include::Selected(selection) => selection.matches(&person.id, facts.groups),
    };
    let Some(included) = included else {
        return Scope::OutOfScope;
    };
    let eligible = match person.kind {
        AccountKind::Member => true,
        AccountKind::Guest => policy.guests,
        AccountKind::Agent | AccountKind::Sync => false,
    };
    if !eligible {
        return Scope::NotEligible(person.kind);
    }
    if let Some(excluded) = assignment.exclude.matches(&person.id, facts.groups) {
        return Scope::Exempt(excluded);
    }
    if !person.enabled {
        return Scope::Disabled;
    }
    if policy.enforce == Enforce::Off {
        return Scope::Paused(PausedBy::Policy);
    }
    if closed_by_operator {
        return Scope::Paused(PausedBy::Operator);
    }
    Scope::In(included)
}
