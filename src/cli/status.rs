//! `status`: is it well, how old is the data, where do people stand, what comes next, what is held.

use std::collections::BTreeMap;

use super::check::prompts;
use super::output::{Format, Printer, foreign};
use crate::config::Config;
use crate::courier::Queue;
use crate::desk::Reader;
use crate::desk::status::{self, Status};
use crate::domain::hold::StandingHold;
use crate::exit::{DEGRADED, DONE};
use crate::store::destinations::{HealthState, TroubledDestination};

pub(super) async fn run(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let status = status::status(config, &reader).await?;
    let code = if status.is_well() { DONE } else { DEGRADED };
    if format == Format::Json {
        out.json(&status)?;
    } else {
        print(&status, format, out)?;
        if format == Format::Table && prompts::are_absent(config) {
            out.line(format!("Note: {}", prompts::UNSEEN))?;
        }
    }
    Ok(code)
}

fn print(status: &Status, format: Format, out: &mut Printer) -> anyhow::Result<()> {
    if format == Format::Csv {
        let mut csv = out.csv(&["policy", "state", "people"])?;
        for (policy, states) in &status.states {
            for (state, people) in states {
                csv.row(&[policy.as_str(), state, &people.to_string()])?;
            }
        }
        return Ok(csv.end()?);
    }
    print_counts(status, out)?;
    print_troubles(status, out)
}

fn print_counts(status: &Status, out: &mut Printer) -> anyhow::Result<()> {
    let last = status
        .last_pass
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    out.line(format!("Health {}, last pass {last}", status.health))?;
    if let Some(overdue) = &status.overdue {
        out.line(format!("  {overdue}"))?;
    }
    for source in &status.sources {
        let as_of = source
            .as_of
            .map_or_else(|| "never read".to_owned(), |at| at.to_string());
        let as_of = match source.reading.filter(|at| Some(*at) != source.as_of) {
            Some(reading) => format!("read {reading}, as of {as_of}"),
            None => as_of,
        };
        let rows = if source.is_log() { "kept" } else { "rows" };
        let stale = if source.stale {
            ", too old to flag anybody"
        } else {
            ""
        };
        let error = source
            .error
            .as_ref()
            .map(|error| format!(" — {}", foreign(error)))
            .unwrap_or_default();
        out.line(format!(
            "  {:<13} {as_of}, {} {rows}{stale}{error}",
            source.name, source.rows
        ))?;
    }
    for (policy, states) in &status.states {
        out.line(format!("Policy {policy}: {}", counted(states)))?;
    }
    let deliveries = if status.deliveries.is_empty() {
        "none".to_owned()
    } else {
        counted(&status.deliveries)
    };
    out.line(format!("Deliveries: {deliveries}"))?;
    if let Some(line) = queue(&status.queue) {
        out.line(line)?;
    }
    if let Some(next) = status.next {
        out.line(format!("Next: {}", next.at))?;
    }
    Ok(())
}

/// When the queue will be empty.
fn queue(queue: &Queue) -> Option<String> {
    let until = match queue.empty_at {
        _ if queue.waiting == 0 => return None,
        Some(at) => format!("the last can go at {at} by the budgets"),
        None => "a budget lets none go".to_owned(),
    };
    let late = match queue.late {
        0 => String::new(),
        late => format!("; {late} will be of no use by then"),
    };
    Some(format!(
        "Queue: {} mails are due, {until}{late}",
        queue.waiting
    ))
}

fn counted<N: std::fmt::Display>(counts: &BTreeMap<String, N>) -> String {
    let words: Vec<String> = counts
        .iter()
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    words.join(", ")
}

/// What a person should look at, each with what mends it.
fn print_troubles(status: &Status, out: &mut Printer) -> anyhow::Result<()> {
    for hold in &status.holds {
        out.line(format!(
            "Held ({}) since {}: {}",
            hold.id,
            hold.since,
            foreign(&hold.text)
        ))?;
        out.line(format!("  {}", ends(hold)))?;
    }
    for webhook in &status.webhooks {
        out.line(troubled(webhook))?;
    }
    for line in status
        .stranded
        .iter()
        .chain(&status.unresolved)
        .chain(&status.capacity)
    {
        out.line(format!("Note: {}", foreign(line)))?;
    }
    for person in &status.blocked {
        out.line(format!(
            "Could not register: {} ({}) at {}, code {}: {}",
            foreign(&person.user_principal_name),
            person.policy,
            person.at,
            person.code,
            person.meaning
        ))?;
        out.line(format!("  {}", person.remedy))?;
    }
    for person in &status.repeated_losses {
        let person = foreign(person);
        out.line(format!("Lost methods twice within 90 days: {person}"))?;
    }
    for row in &status.quarantined {
        out.line(format!(
            "Put aside: {}, line {}: {}",
            foreign(&row.file),
            row.line,
            foreign(&row.reason)
        ))?;
    }
    Ok(())
}

fn ends(hold: &StandingHold) -> String {
    match hold.approved_at {
        Some(at) => format!("Approved at {at}; the next pass uses it."),
        None => hold.remedy(),
    }
}

fn troubled(webhook: &TroubledDestination) -> String {
    let name = &webhook.name;
    let reason = webhook.reason.as_deref().unwrap_or_default();
    let until = webhook
        .paused_until
        .map_or_else(String::new, |until| format!(" until {until}"));
    match webhook.state {
        // A server asked for time, or failed and is tried again later.
        HealthState::Active => format!("Webhook {name} waits{until}: {reason}"),
        HealthState::Paused => format!("Webhook {name} is paused{until}: {reason}"),
        HealthState::Dead => format!(
            "Webhook {name} is dead: {reason}\n  When it is back: fortnight deliveries retry --destination {name}"
        ),
    }
}
