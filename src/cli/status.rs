//! `status`: is it well, how old is the data, where do people stand, what comes next, what is held.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::output::{Format, Printer};
use super::{DEGRADED, DONE, Reader};
use crate::capacity;
use crate::config::Config;
use crate::domain::decide::{Decision, Next};
use crate::domain::person::Person;
use crate::pass;
use crate::store::destinations::{DestinationState, TroubledDestination};
use crate::store::holds::StandingHold;

/// Rows put aside that `status` shows.
const QUARANTINE_SHOWN: u32 = 20;

#[derive(Debug, Serialize)]
struct Status {
    health: &'static str,
    last_pass: Option<Timestamp>,
    sources: Vec<SourceView>,
    states: BTreeMap<String, BTreeMap<String, u64>>,
    deliveries: BTreeMap<String, i64>,
    next: Option<Next>,
    holds: Vec<StandingHold>,
    /// Webhooks that are paused or dead, or asked for time.
    webhooks: Vec<TroubledDestination>,
    /// What waits for webhooks that are not configured any more.
    stranded: Vec<String>,
    /// Names of the configuration that mean nobody, or more than one group.
    unresolved: Vec<String>,
    /// A sentence if the people in scope cannot be told in time through the budgets.
    capacity: Option<String>,
    /// People who lost methods they had registered for the second time within 90 days.
    repeated_losses: Vec<String>,
    quarantined: Vec<QuarantinedView>,
}

#[derive(Debug, Serialize)]
struct SourceView {
    name: String,
    as_of: Option<Timestamp>,
    age_seconds: Option<i64>,
    stale: bool,
    rows: u64,
    error: Option<String>,
}

#[derive(Debug, Serialize)]
struct QuarantinedView {
    source: String,
    file: String,
    line: i64,
    reason: String,
}

pub(super) async fn run(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let status = collect(config, &reader).await?;
    let code = if status.health == "ok" {
        DONE
    } else {
        DEGRADED
    };
    if format == Format::Json {
        out.json(&status)?;
    } else {
        print(&status, format, out)?;
    }
    Ok(code)
}

/// What walking over everybody finds.
#[derive(Debug, Default)]
struct Census {
    states: BTreeMap<String, BTreeMap<String, u64>>,
    next: Option<Next>,
    repeated_losses: Vec<String>,
}

impl Census {
    fn count(&mut self, person: &Person, decision: &Decision) {
        *self
            .states
            .entry(decision.policy.to_string())
            .or_default()
            .entry(decision.state.as_str().to_owned())
            .or_default() += 1;
        self.next = [self.next, decision.next]
            .into_iter()
            .flatten()
            .min_by_key(|next| next.at);
        if decision
            .standing
            .loss
            .is_some_and(|loss| loss.is_repeated())
        {
            let name = &person.user_principal_name;
            self.repeated_losses
                .push(format!("{name} ({})", decision.policy));
        }
    }
}

async fn collect(config: &Config, reader: &Reader) -> anyhow::Result<Status> {
    let store = &reader.store;
    let mut census = Census::default();
    reader
        .everybody(|outcome| {
            for decision in &outcome.decisions {
                census.count(&outcome.dossier.person, decision);
            }
        })
        .await?;
    let holds = store.holds().await?;
    let sources = sources(config, reader).await?;
    let mut webhooks = store.troubled_destinations(reader.now).await?;
    webhooks.retain(|troubled| config.webhook(&troubled.name).is_some());
    let degraded = !holds.is_empty()
        || sources.iter().any(|source| source.error.is_some())
        || webhooks
            .iter()
            .any(|webhook| webhook.state != DestinationState::Active);
    Ok(Status {
        health: if degraded { "degraded" } else { "ok" },
        last_pass: store.newest_pass().await?,
        sources,
        states: census.states,
        deliveries: store.delivery_counts().await?,
        next: census.next,
        holds,
        webhooks,
        stranded: stranded(config, reader).await?,
        unresolved: unresolved(config, reader).await?,
        capacity: capacity::shortage(config, store.in_scope(&reader.policies).await? as u64),
        repeated_losses: census.repeated_losses,
        quarantined: store
            .quarantined(QUARANTINE_SHOWN)
            .await?
            .into_iter()
            .map(|(source, file, line, reason)| QuarantinedView {
                source,
                file,
                line,
                reason,
            })
            .collect(),
    })
}

async fn sources(config: &Config, reader: &Reader) -> anyhow::Result<Vec<SourceView>> {
    let limit = |name: &str| match name {
        "users" => Some(config.freshness.users),
        "registration" => Some(config.freshness.registration),
        "sign_ins" => Some(config.freshness.sign_ins),
        _ => None,
    };
    let sources = reader.store.sources().await?.into_iter().map(|source| {
        let age = source.as_of.map(|as_of| reader.now.duration_since(as_of));
        SourceView {
            stale: age
                .zip(limit(&source.name))
                .is_some_and(|(age, limit)| age > limit),
            age_seconds: age.map(|age| age.as_secs()),
            name: source.name,
            as_of: source.as_of,
            rows: source.rows,
            error: source.error,
        }
    });
    Ok(sources.collect())
}

/// An endpoint that was renamed or removed leaves behind what waited for it.
async fn stranded(config: &Config, reader: &Reader) -> anyhow::Result<Vec<String>> {
    let mut waiting = reader.store.waiting_by_webhook().await?;
    waiting.retain(|(name, _)| config.webhook(name).is_none());
    let lines = waiting.into_iter().map(|(name, rows)| {
        let rows = match rows {
            1 => "one row waits".to_owned(),
            rows => format!("{rows} rows wait"),
        };
        format!("{rows} for the webhook {name}, which is not configured: configure it again, or use `deliveries discard`")
    });
    Ok(lines.collect())
}

async fn unresolved(config: &Config, reader: &Reader) -> anyhow::Result<Vec<String>> {
    let unread = pass::unread_names(&reader.store, config).await?;
    let names = reader.policies.iter().flat_map(|policy| {
        let unresolved = policy.assignment.unresolved.iter();
        unresolved.map(move |name| (policy, name))
    });
    let lines = names.map(|(policy, name)| {
        let matches = match name.matches {
            0 if !name.list.is_of_users() && unread.contains(&name.name) => {
                "is not known yet: the next pass looks it up".to_owned()
            }
            0 => "matches nothing".to_owned(),
            count => format!("matches {count} groups"),
        };
        let (key, policy) = (name.list.key(), &policy.name);
        format!("{policy}: {key} names {:?}, which {matches}", name.name)
    });
    Ok(lines.collect())
}

fn print(status: &Status, format: Format, out: &mut Printer) -> anyhow::Result<()> {
    if format == Format::Csv {
        let rows = status
            .states
            .iter()
            .flat_map(|(policy, states)| {
                states.iter().map(move |(state, count)| {
                    vec![policy.clone(), state.clone(), count.to_string()]
                })
            })
            .collect();
        return Ok(out.rows(format, &["policy", "state", "people"], rows)?);
    }
    let last = status
        .last_pass
        .map_or_else(|| "never".to_owned(), |at| at.to_string());
    out.line(format!("Health {}, last pass {last}", status.health))?;
    for source in &status.sources {
        let as_of = source
            .as_of
            .map_or_else(|| "never read".to_owned(), |at| at.to_string());
        let stale = if source.stale {
            ", too old to flag anybody"
        } else {
            ""
        };
        let error = source
            .error
            .as_ref()
            .map(|error| format!(" — {error}"))
            .unwrap_or_default();
        out.line(format!(
            "  {:<13} {as_of}, {} rows{stale}{error}",
            source.name, source.rows
        ))?;
    }
    for (policy, states) in &status.states {
        let list: Vec<String> = states
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        out.line(format!("Policy {policy}: {}", list.join(", ")))?;
    }
    let deliveries: Vec<String> = status
        .deliveries
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    out.line(format!(
        "Deliveries: {}",
        if deliveries.is_empty() {
            "none".to_owned()
        } else {
            deliveries.join(", ")
        }
    ))?;
    if let Some(next) = status.next {
        out.line(format!("Next: {}", next.at))?;
    }
    for hold in &status.holds {
        let approved = if hold.approved_at.is_some() {
            " (approved; the next pass uses it)"
        } else {
            ""
        };
        out.line(format!(
            "Held ({}) since {}: {}{approved}",
            hold.id, hold.since, hold.text
        ))?;
    }
    for webhook in &status.webhooks {
        let reason = webhook.reason.as_deref().unwrap_or_default();
        let until = webhook
            .paused_until
            .map_or_else(String::new, |until| format!(" until {until}"));
        let name = &webhook.name;
        let state = match webhook.state {
            DestinationState::Active => "asked for time",
            DestinationState::Paused => "is paused",
            DestinationState::Dead => "is dead",
        };
        out.line(format!("Webhook {name} {state}{until}: {reason}"))?;
    }
    for line in status
        .stranded
        .iter()
        .chain(&status.unresolved)
        .chain(&status.capacity)
    {
        out.line(format!("Note: {line}"))?;
    }
    for person in &status.repeated_losses {
        out.line(format!("Lost methods twice within 90 days: {person}"))?;
    }
    for row in &status.quarantined {
        out.line(format!(
            "Put aside: {}, line {}: {}",
            row.file, row.line, row.reason
        ))?;
    }
    Ok(())
}
