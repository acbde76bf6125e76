//! `enforcement plan`: whom the next pass flags and what is known against it, who waits for what, and
//! who is flagged already.

use super::output::{Format, Printer, foreign};
use super::screen::Tone;
use super::table::{Cell, Column};
use super::times::Times;
use crate::config::Config;
use crate::desk::Reader;
use crate::desk::plan::{self, Lot, Plan, Planned};
use crate::domain::hold::StandingHold;
use crate::domain::reason::ReasonCode;
use crate::domain::state::State;
use crate::exit::{DEGRADED, DONE};

/// For spreadsheets; further ones come behind.
const HEADINGS: [&str; 9] = [
    "policy",
    "user",
    "state",
    "deadline",
    "why",
    "id",
    "would_flag",
    "waits",
    "reasons",
];

/// For people; of whom nothing is known in a column, it is left out.
const COLUMNS: [Column; 7] = [
    Column::kept("user", 14),
    Column::kept("deadline", 20),
    Column::kept("flagged", 20),
    Column::kept("waits for", 22).wrapped(),
    Column::kept("known against it", 16).wrapped(),
    Column::ranked("policy", 8, 1),
    Column::ranked("id", 36, 2),
];

/// Under a policy that is only rehearsed.
const WOULD_BE_FLAGGED: &str = "would be flagged if the policy were on";

pub(super) async fn run(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let plan = plan::plan(&reader).await?;
    match format {
        Format::Json => out.json(&plan)?,
        Format::Csv => csv(&plan, &reader, out)?,
        Format::Table => print(&plan, &reader, &Times::new(config, reader.present()), out)?,
    }
    Ok(if plan.holds.is_empty() {
        DONE
    } else {
        DEGRADED
    })
}

/// What is known of somebody that speaks against the flag, in a word or two each.
pub(super) fn against(planned: &Planned) -> Cell {
    let words = planned.reasons.iter().map(|reason| match reason.code {
        ReasonCode::NoticeMissing => "never told",
        ReasonCode::Unreachable => "unreachable",
        _ => "could not register",
    });
    let mut words: Vec<&str> = words.collect();
    words.dedup();
    Cell::toned(Tone::Watch, words.join(", "))
}

pub(super) fn print_hold(
    hold: &StandingHold,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let text = times.localised(&foreign(&hold.text));
    out.heading(&format!("Held: {}", hold.id))?;
    out.item("  ", &format!("{text}, since {}", times.told(hold.since)))?;
    if let Some(at) = hold.approved_at {
        out.item("  ", &format!("approved {}", times.told(at)))?;
    }
    Ok(())
}

/// For people: what is held first, because it is what they can do something about.
fn print(plan: &Plan, reader: &Reader, times: &Times, out: &mut Printer) -> anyhow::Result<()> {
    for hold in &plan.holds {
        print_hold(hold, times, out)?;
        if hold.approved_at.is_none() {
            out.item("  ", &hold.remedy())?;
        }
        out.line("")?;
    }
    if plan.people.is_empty() {
        return Ok(out.text("Nobody's deadline has passed.")?);
    }
    for (title, people) in sections(plan) {
        out.heading(&format!("{title}: {}", people.len()))?;
        let rows = people.iter();
        let rows = rows.map(|planned| cells(planned, reader.policies.len(), times));
        out.rows(Format::Table, &COLUMNS, rows.collect())?;
        out.line("")?;
    }
    Ok(out.note(&format!("Times are in {}.", times.zone()))?)
}

/// Who belongs together, and what becomes of them.
fn sections(plan: &Plan) -> Vec<(String, Vec<&Planned>)> {
    let mut sections: Vec<(String, Vec<&Planned>)> = Vec::new();
    for planned in &plan.people {
        let title = title(plan, planned);
        match sections.iter_mut().find(|(known, _)| *known == title) {
            Some((_, people)) => people.push(planned),
            None => sections.push((title, vec![planned])),
        }
    }
    sections
}

fn title(plan: &Plan, planned: &Planned) -> String {
    match (planned.lot, plan.held_by(planned).as_slice()) {
        (Lot::Next, []) => "Would be flagged by the next pass".to_owned(),
        (Lot::Next, holds) => format!("Would be flagged, but held by {}", holds.join(", ")),
        (Lot::Waiting, _) => "Waiting for something else".to_owned(),
        (Lot::Flagged, _) => "Flagged already".to_owned(),
        (Lot::Rehearsed, _) => "Would be flagged if the policy were on".to_owned(),
    }
}

/// Where there is one policy, it says nothing to name it.
fn cells(planned: &Planned, policies: usize, times: &Times) -> Vec<Cell> {
    let person = &planned.person;
    let flagged = person.enforcement.as_ref().and_then(|of| of.needed_at);
    let waits = planned.waits.iter().map(|wait| wait.words());
    let waits = waits.collect::<Vec<_>>().join("; ");
    let policy = if policies == 1 { "" } else { &person.policy };
    vec![
        person.user_principal_name.clone().into(),
        times.maybe(planned.deadline()).into(),
        times.maybe(flagged).into(),
        times.localised(&waits).into(),
        against(planned),
        policy.into(),
        person.id.clone().into(),
    ]
}

fn csv(plan: &Plan, reader: &Reader, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&HEADINGS)?;
    for planned in &plan.people {
        csv.row(&fields(planned, reader))?;
    }
    Ok(csv.end()?)
}

fn fields(planned: &Planned, reader: &Reader) -> [String; 9] {
    let person = &planned.person;
    let deadline = planned.deadline().map(|at| at.to_string());
    let waits: Vec<String> = planned.waits.iter().map(|wait| wait.words()).collect();
    let reasons = planned.reasons.iter().map(|reason| reason.code.as_str());
    [
        person.policy.clone(),
        person.user_principal_name.clone(),
        person.state.as_str().to_owned(),
        deadline.unwrap_or_default(),
        why(planned, reader.is_rehearsed(&person.policy)),
        person.id.clone(),
        planned.would_flag.to_string(),
        waits.join("; "),
        reasons.collect::<Vec<_>>().join("; "),
    ]
}

/// What whoever lets flags go should know of a person.
fn why(planned: &Planned, is_rehearsed: bool) -> String {
    if planned.person.state == State::EnforcementNeeded {
        let last = planned.person.reasons.last();
        let last = last.map(|reason| reason.text.clone()).unwrap_or_default();
        return if is_rehearsed {
            format!("{last}: {WOULD_BE_FLAGGED}")
        } else {
            last
        };
    }
    let reasons = planned.reasons.iter().map(|reason| reason.text.clone());
    let waits = planned.waits.iter();
    let waits = waits.map(|wait| format!("waits for {}", wait.words()));
    let known: Vec<String> = reasons.chain(waits).collect();
    match (known.is_empty(), is_rehearsed) {
        (true, false) => "everything is proven".to_owned(),
        (true, true) => format!("everything is proven: {WOULD_BE_FLAGGED}"),
        (false, _) => known.join("; "),
    }
}
