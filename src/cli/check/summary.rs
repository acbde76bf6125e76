//! What a good configuration would do: each policy with whom it reaches, the channels, the schedule.

use jiff::Timestamp;

use crate::cli::times::Times;
use crate::config::{Config, EmailTransport, PolicyConfig, Webhook};
use crate::domain::message::EventKind;
use crate::domain::policy::{Enforce, Mode};
use crate::domain::scope::Reach;
use crate::time::{CronPattern, cron, write_duration};

/// A label, and what there is to say.
pub(super) type Line = (String, String);

/// In a few lines. `reached` has whom each policy reaches, where that is known.
pub(super) fn lines(config: &Config, reached: &[Option<Reach>], now: Timestamp) -> Vec<Line> {
    let policies = config.policies.iter().zip(reached);
    let mut lines: Vec<Line> = policies
        .flat_map(|(policy, reach)| of_policy(policy, *reach))
        .collect();
    lines.push(("enforcement".to_owned(), enforcement(config)));
    lines.push(("mail".to_owned(), mail(config)));
    lines.extend(config.webhooks.iter().map(webhook));
    lines.push(("schedule".to_owned(), schedule(config, now)));
    lines
}

fn of_policy(policy: &PolicyConfig, reach: Option<Reach>) -> [Line; 2] {
    let mode = match policy.enforce {
        Enforce::On => "on: people are told, and flagged after the deadline",
        Enforce::ReportOnly => {
            "report-only: everything is decided and shown, nobody is told or flagged"
        }
        Enforce::Off => "off: it is paused",
    };
    let people = reach.map_or_else(
        || "whom it reaches, nobody can tell yet".to_owned(),
        |Reach { included, excluded }| {
            let people = if included == 1 { "person" } else { "people" };
            format!("{included} {people} in, {excluded} excluded")
        },
    );
    let steps: Vec<String> = policy.reminders.iter().map(ToString::to_string).collect();
    let steps = match steps.as_slice() {
        [] => "no reminders".to_owned(),
        steps => format!("reminders {}", steps.join(" ")),
    };
    let (window, notice) = (
        write_duration(policy.window),
        write_duration(policy.min_notice),
    );
    let strict = if policy.strict {
        "; strict: the deadline stands, told or not"
    } else {
        ""
    };
    let terms = format!("{window}, at least {notice} of notice, {steps}{strict}");
    let label = format!("policy {}", policy.name);
    [
        (label, format!("{mode}; {people}")),
        ("  window".to_owned(), terms),
    ]
}

/// What is assumed to follow from a flag.
fn enforcement(config: &Config) -> String {
    let follows = match config.mode {
        Mode::Flag => "flag: nothing in Entra follows; mails ask, and your service desk follows up",
        Mode::Native => {
            "native: the registration policy of ID Protection is taken to be on for the same people, with 14 days of its own"
        }
    };
    follows.to_owned()
}

fn mail(config: &Config) -> String {
    let Some(email) = &config.email else {
        return "none: without [email] people get no mail".to_owned();
    };
    let way = match &email.transport {
        EmailTransport::Smtp(smtp) => format!("by {} port {}", smtp.host, smtp.port()),
        EmailTransport::File(folder) => format!("into the folder {}", folder.display()),
    };
    let operators = match email.operator_addresses().as_slice() {
        [] => "no operators, so that holds are told to nobody".to_owned(),
        addresses => format!("operators {}", addresses.join(", ")),
    };
    format!("{way}, from {}; {operators}", email.sender.from.email)
}

fn webhook(webhook: &Webhook) -> Line {
    let endpoint = &webhook.endpoint;
    let events: Vec<&str> = webhook.events.iter().map(|kind| kind.as_str()).collect();
    let events = if webhook.events.len() == EventKind::ALL.len() {
        "all events".to_owned()
    } else {
        events.join(", ")
    };
    let text = format!(
        "{} at {}: {events}",
        endpoint.dialect.name,
        endpoint.url.host()
    );
    (format!("webhook {}", endpoint.name), text)
}

fn schedule(config: &Config, now: Timestamp) -> String {
    let patterns = config.schedule.poll.iter().map(CronPattern::describe);
    let patterns: Vec<String> = patterns
        .map(|text| text.trim_end_matches('.').to_owned())
        .collect();
    let times = Times::new(config, now);
    let next = cron::next_after(&config.schedule.poll, &config.zone, now)
        .map_or_else(String::new, |next| {
            format!("; `run` would pass next on {}", times.zoned(next))
        });
    format!("{} ({}){next}", patterns.join("; "), times.zone())
}
