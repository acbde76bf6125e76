//! What happened to a person before, and what became of the mail that says it.

use jiff::Timestamp;
use serde::Serialize;

use crate::config::Config;
use crate::domain::message::EventKind;
use crate::store::outbox::DeliveryRow;
use crate::store::read::JournalLine;

/// A line of the history.
#[derive(Debug, Serialize)]
pub struct Happened {
    /// What.
    #[serde(flatten)]
    pub line: JournalLine,
    /// What became of the mail that says it, as `deliveries list` has it; `"none"` where none was
    /// written, and null where none is due.
    pub mail: Option<String>,
    /// Where none was written: the next one that was.
    #[serde(skip)]
    pub instead: Option<Instead>,
}

/// A mail that says it in place of another.
#[derive(Debug, Clone)]
pub struct Instead {
    /// What it says, by the event.
    pub event: String,
    /// When it was written.
    pub at: Timestamp,
    /// Under which policy, where that is another.
    pub policy: Option<String>,
}

/// The history under a policy, with what became of each mail.
pub(super) fn happened(
    config: &Config,
    policy: &str,
    history: &[JournalLine],
    deliveries: &[DeliveryRow],
) -> Vec<Happened> {
    let of_policy = |line: &&JournalLine| line.policy.as_deref().is_none_or(|of| of == policy);
    let lines: Vec<&JournalLine> = history.iter().filter(of_policy).collect();
    let happened = lines.iter().enumerate().map(|(at, line)| {
        // What one pass decided twice, one mail says.
        let same = |later: &&&JournalLine| {
            later.kind == line.kind && later.step == line.step && later.at > line.at
        };
        let until = lines[at + 1..].iter().find(same).map(|later| later.at);
        let is_mailed = EventKind::parse(&line.kind)
            .is_some_and(|kind| kind.announces() || kind == EventKind::EnforcementNeeded);
        let mail = (config.email.is_some() && is_mailed && !line.rehearsed).then(|| {
            let says_it = |row: &&DeliveryRow| {
                row.policy.as_deref() == Some(policy)
                    && row.event == line.kind
                    && (row.step == line.step || line.step.is_none())
                    && row.queued_at >= line.at
                    && until.is_none_or(|until| row.queued_at < until)
            };
            let row = deliveries.iter().find(says_it);
            row.map_or_else(|| "none".to_owned(), |row| row.state.as_str().to_owned())
        });
        Happened {
            line: (*line).clone(),
            instead: (mail.as_deref() == Some("none"))
                .then(|| instead(policy, line, deliveries))
                .flatten(),
            mail,
        }
    });
    happened.collect()
}

/// The mail that went where a line has none of its own: that of another policy in the same pass, or the
/// next one.
fn instead(policy: &str, line: &JournalLine, deliveries: &[DeliveryRow]) -> Option<Instead> {
    let mut later = deliveries
        .iter()
        .filter(|row| row.queued_at >= line.at && is_announcement(&row.event));
    let row =
        later.find(|row| row.queued_at == line.at || row.policy.as_deref() == Some(policy))?;
    Some(Instead {
        event: row.event.clone(),
        at: row.queued_at,
        policy: row.policy.clone().filter(|of| of != policy),
    })
}

/// Whether an event names a deadline to the person.
pub(super) fn is_announcement(event: &str) -> bool {
    EventKind::parse(event).is_some_and(EventKind::announces)
}
