//! What a message to a chat says, before a chat's own markup: a title, a word for the state, the
//! figures, and at most ten names.
//!
//! The title and the figures are our own words, the names of policies apart; names and lines are
//! foreign. Every chat's format is made from this, so they cannot drift apart.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{Group, MAX_NAMES};
use crate::delivery::mail::Language;
use crate::delivery::text;
use crate::domain::message::EventKind;

/// A chat gets its messages one by one: it shows them as they come, and most count them by the
/// second.
pub(super) const CONNECTIONS: usize = 1;

/// The longest line of what operators are told.
const MAX_LINE: usize = 500;

/// How many policies are named before only their number is.
const MAX_POLICIES: usize = 5;

/// What a message says.
pub(super) struct Words {
    /// How many of what: our own words.
    pub(super) title: String,
    /// Whether somebody has to act, in a word, as colour alone tells not everybody.
    pub(super) state: &'static str,
    /// Figures and dates, by what they are.
    pub(super) figures: Vec<(&'static str, String)>,
    /// Names, and how many are not named.
    pub(super) names: Vec<String>,
    /// What only operators are told.
    pub(super) lines: Vec<String>,
}

impl Words {
    pub(super) fn of(group: &Group, zone: &TimeZone) -> Self {
        Self {
            title: title(group),
            state: state(group.kind),
            figures: figures(group, zone),
            names: names(group),
            lines: clean(&group.lines, MAX_LINE),
        }
    }

    /// Title and figures on one line, for notifications and old clients.
    pub(super) fn summary(&self) -> String {
        let mut parts = vec![format!("{}: {}", self.state, self.title)];
        parts.extend(
            self.figures
                .iter()
                .map(|(what, value)| format!("{what}: {value}")),
        );
        parts.join(" · ")
    }
}

fn title(group: &Group) -> String {
    let (one, many) = match group.kind {
        EventKind::WindowOpened => ("registration window opened", "registration windows opened"),
        EventKind::WindowReminder => ("reminder is due", "reminders are due"),
        EventKind::WindowExtended => ("deadline moved out", "deadlines moved out"),
        EventKind::WindowPaused => ("registration window paused", "registration windows paused"),
        EventKind::WindowResumed => (
            "registration window resumed",
            "registration windows resumed",
        ),
        EventKind::UserRegistered => ("person registered", "people registered"),
        EventKind::RegistrationBlocked => {
            ("person could not register", "people could not register")
        }
        EventKind::EnforcementNeeded => ("person must register now", "people must register now"),
        EventKind::EnforcementReleased => ("person released", "people released"),
        EventKind::HoldRaised => ("hold on flags", "holds on flags"),
        EventKind::HoldCleared => ("hold is over", "holds are over"),
        EventKind::DeliveryDead => ("delivery is dead", "deliveries are dead"),
        EventKind::Digest => ("note for operators", "notes for operators"),
        EventKind::Test => return "Test message of fortnight: nothing happened".to_owned(),
    };
    let words = if group.count == 1 { one } else { many };
    format!("{} {words}", group.count)
}

fn state(kind: EventKind) -> &'static str {
    match kind {
        EventKind::WindowOpened => "Started",
        EventKind::WindowReminder => "Due",
        EventKind::WindowExtended => "Extended",
        EventKind::WindowPaused => "Paused",
        EventKind::WindowResumed => "Resumed",
        EventKind::UserRegistered => "Done",
        EventKind::RegistrationBlocked | EventKind::EnforcementNeeded | EventKind::DeliveryDead => {
            "Action needed"
        }
        EventKind::EnforcementReleased => "Released",
        EventKind::HoldRaised => "Held",
        EventKind::HoldCleared => "Cleared",
        EventKind::Digest => "Note",
        EventKind::Test => "Test",
    }
}

fn figures(group: &Group, zone: &TimeZone) -> Vec<(&'static str, String)> {
    let moment = |at: Timestamp| Language::English.moment(at, zone);
    let mut figures = Vec::new();
    match group.deadlines {
        Some((first, last)) if moment(first) == moment(last) => {
            figures.push(("Deadline", moment(first)));
        }
        Some((first, last)) => {
            figures.push((
                "Deadlines",
                format!("{} to {}", moment(first), moment(last)),
            ));
        }
        None => {}
    }
    if let Some(policies) = policies(group) {
        figures.push(("Policy", policies));
    }
    figures.push(("As of", moment(group.time)));
    figures
}

fn policies(group: &Group) -> Option<String> {
    let named: Vec<String> = group
        .policies
        .iter()
        .take(MAX_POLICIES)
        .map(|policy| text::clean_name(policy.as_str()))
        .collect();
    match group.policies.len().saturating_sub(MAX_POLICIES) {
        _ if named.is_empty() => None,
        0 => Some(named.join(", ")),
        more => Some(format!("{} and {more} more", named.join(", "))),
    }
}

fn names(group: &Group) -> Vec<String> {
    let listed = &group.names[..group.names.len().min(MAX_NAMES)];
    let mut names = clean(listed, text::MAX_NAME);
    let more = group.count.saturating_sub(names.len() as u64);
    if !names.is_empty() && more > 0 {
        names.push(format!("and {more} more"));
    }
    names
}

/// One of each: a line break in a name makes no further person.
fn clean(lines: &[String], limit: usize) -> Vec<String> {
    lines
        .iter()
        .map(|line| text::clean_line(line, limit))
        .filter(|line| !line.is_empty())
        .collect()
}
