//! All that a decision may look at.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::age::ReportAge;
use super::audit::AuditEvent;
use super::id::{GroupId, PolicyName};
use super::language::Manner;
use super::message::EventKind;
use super::person::Person;
use super::policy::Step;
use super::registration::Registration;
use super::sign_in::{ResultCodes, SignIn};
use super::standing::Standing;

/// Everything known about one person.
#[derive(Debug, Clone)]
pub struct PersonFacts<'a> {
    /// What is the same for everybody in this pass.
    pub world: &'a World,
    /// The account.
    pub person: &'a Person,
    /// The groups that the policy at hand names and the person is in.
    pub groups: &'a BTreeSet<GroupId>,
    /// What the registration reports said, if any contained the person.
    pub registration: Option<&'a Registration>,
    /// Stored sign-ins, in any order.
    pub sign_ins: &'a [SignIn],
    /// Sign-ins that cannot be prompts, for the explanation (cases 35 and 36).
    pub activity: Activity,
    /// Audit events about security info, in any order.
    pub audits: &'a [AuditEvent],
    /// What operators did to this person, oldest first.
    pub acts: &'a [OperatorAct],
    /// What became of the messages to this person that can be notices, oldest first.
    pub deliveries: Vec<&'a DeliveryFact>,
    /// What the last decision remembered, per policy.
    pub standings: &'a BTreeMap<PolicyName, Standing>,
}

/// Facts that are the same for everybody in a pass.
#[derive(Debug, Clone)]
pub struct World {
    /// The time of the last accepted users snapshot (rule 7.8).
    pub users: Option<Timestamp>,
    /// The time of the last accepted groups snapshot.
    pub groups: Option<Timestamp>,
    /// The age of the last accepted registration report.
    pub registration: Option<ReportAge>,
    /// The time of the newest sign-in log.
    pub sign_ins: Option<Timestamp>,
    /// The time of the newest audit log; none: no audit feed.
    pub audits: Option<Timestamp>,
    /// A stretch that no sign-in log covers any more (case 23).
    pub log_gap: Option<Gap>,
    /// Older facts flag nobody (rule R9).
    pub freshness: Freshness,
    /// Whether the way to people works.
    pub channel: Channel,
    /// Which way that is.
    pub notice_by: NoticeBy,
    /// Domains whose user principal names are mailboxes.
    pub upn_domains: Vec<String>,
    /// The classes of result codes.
    pub codes: ResultCodes,
    /// How operators are written to.
    pub manner: Manner,
}

impl World {
    /// What the newest registration report is as of (rule 7.8).
    #[must_use]
    pub fn report(&self) -> Option<Timestamp> {
        self.registration.as_ref().map(|report| report.as_of)
    }

    /// What it proves a deadline by: its own time, since the hold `frozen` stops whoever only that
    /// would flag.
    #[must_use]
    pub fn proof(&self) -> Option<Timestamp> {
        self.registration.as_ref().map(|report| report.own)
    }
}

/// A stretch of time, its ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// Its beginning.
    pub from: Timestamp,
    /// Its end.
    pub to: Timestamp,
}

/// How long Entra keeps sign-in logs for those whom it shows `signInActivity`.
const LOG_RETENTION: SignedDuration = SignedDuration::from_hours(30 * 24);

/// A log with this little between two rows lacks none: a night, in an organisation of a few.
const QUIET: SignedDuration = SignedDuration::from_hours(24);

impl Gap {
    /// What an outage has left of the log: nothing is known between the time up to which it was
    /// known before and the oldest row read since. After a shorter outage than the retention
    /// every row can still come, and none is missed.
    #[must_use]
    pub fn after_outage(known_to: Timestamp, resumed: Timestamp, now: Timestamp) -> Option<Self> {
        let outlasted = now.duration_since(known_to) > LOG_RETENTION;
        let gap = Self {
            from: known_to,
            to: resumed,
        };
        (outlasted && gap.is_silence()).then_some(gap)
    }

    /// What is left of it when a row within it is read after all.
    #[must_use]
    pub fn resumed_at(self, at: Timestamp) -> Option<Self> {
        let gap = Self {
            to: self.to.min(at),
            ..self
        };
        gap.is_silence().then_some(gap)
    }

    /// Whether it lasts longer than a log can be quiet.
    fn is_silence(self) -> bool {
        self.to.duration_since(self.from) > QUIET
    }

    /// Whether an instant lies within it.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// How old facts may be (rule R9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freshness {
    /// The users snapshot.
    pub users: SignedDuration,
    /// The registration report.
    pub registration: SignedDuration,
    /// The sign-in logs.
    pub sign_ins: SignedDuration,
    /// How far the service's registration report may be behind the moment it is read (rule 7.8).
    pub registration_lag: SignedDuration,
}

impl Default for Freshness {
    /// 24, 36 and 24 hours (rule R9), and a day of lag (rule 7.8).
    fn default() -> Self {
        Self {
            users: SignedDuration::from_hours(24),
            registration: SignedDuration::from_hours(36),
            sign_ins: SignedDuration::from_hours(24),
            registration_lag: SignedDuration::from_hours(24),
        }
    }
}

/// The way to people, and whether it works (rule 7.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// None is configured.
    None,
    /// Mail that connects and logs in, or endpoints that take what they are sent.
    Works,
    /// The way is closed: every flag waits as long as that lasts.
    Down,
}

/// What counts as a notice when it was accepted (rule R7): a mail, or, where no mail is configured, a
/// webhook of format `standard` (rule 7.11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeBy {
    /// A mail.
    #[default]
    Mail,
    /// A webhook.
    Webhook,
}

/// When the person was last seen by routes that cannot prompt.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Activity {
    /// The last token refreshed in the background.
    pub non_interactive: Option<Timestamp>,
    /// The last sign-in by a legacy protocol.
    pub legacy: Option<Timestamp>,
    /// The directory's own hint, `signInActivity`: attempts, not sign-ins.
    pub hinted: Option<Timestamp>,
}

/// What an operator did, a fact like any other (rule T18).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorAct {
    /// Its number in the order of acts.
    pub id: i64,
    /// For one policy, or for all.
    pub policy: Option<PolicyName>,
    /// What.
    pub kind: ActKind,
    /// When.
    pub at: Timestamp,
    /// Why, in the operator's words.
    pub reason: String,
    /// Who.
    pub by: String,
    /// A ticket, where one was named.
    pub ticket: Option<String>,
}

/// What an operator can do to a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActKind {
    /// Moves the deadline out and takes a flag back.
    Extend {
        /// By so many days of 24 hours.
        days: u32,
    },
    /// Moves the deadline out to a moment and takes a flag back; it never moves one in.
    ExtendUntil {
        /// The new deadline.
        until: Timestamp,
    },
    /// Window and flag go; the next qualifying sign-in opens a full one.
    Reset,
    /// No message, flag or new window until `reopen`.
    Close,
    /// Ends a `close`; a window goes on as after a pause.
    Reopen,
}

impl ActKind {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Extend { .. } | Self::ExtendUntil { .. } => "extend",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::Reopen => "reopen",
        }
    }
}

/// What became of one mail, or of one webhook that serves as notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryFact {
    /// By which way it went.
    pub by: NoticeBy,
    /// The policy whose step it was.
    pub policy: PolicyName,
    /// The window.
    pub sequence: u32,
    /// The number of the deadline's move (rule R5).
    pub moves: u32,
    /// What it said.
    pub kind: EventKind,
    /// Which step.
    pub step: Option<Step>,
    /// The address it went to; empty for a webhook.
    pub address: String,
    /// The deadline that it names.
    pub deadline: Option<Timestamp>,
    /// What became of it.
    pub outcome: DeliveryOutcome,
    /// Operators were told that the address refused.
    pub told: bool,
}

/// What became of a mail, as far as a decision is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Waiting, being sent, or of unknown outcome: nobody knows yet.
    Open,
    /// The server accepted it.
    Accepted(Timestamp),
    /// Refused for good, by the recipient's fault or by the endpoint.
    Refused(Timestamp),
    /// Overtaken, expired or discarded: it will not be sent.
    Dropped(Timestamp),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{day, hour};

    #[test]
    fn a_gap_is_what_an_outage_longer_than_the_retention_leaves() {
        for (resumed, now, expected) in [
            // Down forty days, and the logs of the last thirty are there.
            (day(10), day(40), Some(10)),
            (day(38), day(40), Some(38)),
            // They go on where they ended.
            (hour(0, 3), day(40), None),
            (day(1), day(40), None),
            // Every row can still come.
            (day(28), day(30), None),
            (day(28), hour(30, 1), Some(28)),
        ] {
            let gap = Gap::after_outage(day(0), resumed, now);
            assert_eq!(gap.map(|gap| gap.from), expected.map(|_| day(0)));
            assert_eq!(gap.map(|gap| gap.to), expected.map(day), "{resumed} {now}");
        }
    }

    #[test]
    fn rows_that_come_after_all_shorten_a_gap_until_nothing_is_left() {
        let gap = Gap::after_outage(day(0), day(10), day(40)).unwrap();
        for (at, expected) in [
            (day(12), Some(day(10))),
            (day(4), Some(day(4))),
            (day(1), None),
        ] {
            assert_eq!(gap.resumed_at(at).map(|gap| gap.to), expected, "{at}");
        }
    }
}
