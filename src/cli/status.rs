//! `status`: is it well, how old is the data, where do people stand, what comes next, what is held.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::output::{Format, Printer};
use super::{DEGRADED, DONE, Reader};
use crate::capacity;
use crate::config::Config;
use crate::domain::decide::Next;
use crate::domain::reason::ReasonCode;
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

async fn collect(config: &Config, reader: &Reader) -> anyhow::Result<Status> {
    let store = &reader.store;
    let mut states: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    let mut next: Option<Next> = None;
    let mut repeated_losses = Vec::new();
    reader
        .everybody(|outcome| {
            for decision in &outcome.decisions {
                *states
                    .entry(decision.policy.to_string())
                    .or_default()
                    .entry(decision.state.as_str().to_owned())
                    .or_default() += 1;
                next = [next, decision.next]
                    .into_iter()
                    .flatten()
                    .min_by_key(|next| next.at);
                let again = decision.standing.loss.is_some_and(|loss| {
                    loss.self_made
                        && loss
                            .earlier
                            .zip(loss.confirmed_at)
                            .is_some_and(|(earlier, at)| {
                                at.duration_since(earlier) <= SignedDuration::from_hours(90 * 24)
                            })
                });
                if again
                    || decision
                        .reasons
                        .iter()
                        .any(|reason| reason.code == ReasonCode::RepeatedLoss)
                {
                    repeated_losses.push(format!(
                        "{} ({})",
                        outcome.dossier.person.user_principal_name, decision.policy
                    ));
                }
            }
        })
        .await?;
    let holds = store.holds().await?;
    let limits = [
        ("users", config.freshness.users),
        ("registration", config.freshness.registration),
        ("sign_ins", config.freshness.sign_ins),
    ];
    let sources: Vec<SourceView> = store
        .sources()
        .await?
        .into_iter()
        .map(|source| {
            let age = source.as_of.map(|as_of| reader.now.duration_since(as_of));
            let limit = limits
                .iter()
                .find(|(name, _)| *name == source.name)
                .map(|(_, limit)| *limit);
            SourceView {
                stale: age.zip(limit).is_some_and(|(age, limit)| age > limit),
                age_seconds: age.map(|age| age.as_secs()),
                name: source.name,
                as_of: source.as_of,
                rows: source.rows,
                error: source.error,
            }
        })
        .collect();
    let unresolved = reader
        .policies
        .iter()
        .flat_map(|policy| {
            policy.assignment.unresolved.iter().map(move |name| {
                format!(
                    "{}: {} names {:?}, which matches {}",
                    policy.name,
                    name.list.key(),
                    name.name,
                    matches(name.matches)
                )
            })
        })
        .collect();
    let degraded = !holds.is_empty() || sources.iter().any(|source| source.error.is_some());
    Ok(Status {
        health: if degraded { "degraded" } else { "ok" },
        last_pass: store.newest_pass().await?,
        sources,
        states,
        deliveries: store.delivery_counts().await?,
        next,
        holds,
        unresolved,
        capacity: capacity::shortage(config, store.in_scope(&reader.policies).await? as u64),
        repeated_losses,
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

fn matches(count: usize) -> String {
    if count == 0 {
        "nothing".to_owned()
    } else {
        format!("{count} groups")
    }
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
    for line in status.unresolved.iter().chain(&status.capacity) {
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
