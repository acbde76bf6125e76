//! `enforcement`: who is flagged, who would be and what keeps them, and the release of a hold.

use jiff::Timestamp;

use super::args::EnforcementCommand;
use super::operator::{agrees, operator, say_if_rehearsed};
use super::output::{Format, Printer, foreign};
use super::screen::Tone;
use super::table::{Cell, Column};
use super::times::Times;
use super::window::no_reason;
use super::words;
use crate::config::Config;
use crate::desk::approvals::{self, Covered};
use crate::desk::plan::{self, Plan, Planned};
use crate::desk::{Reader, acts};
use crate::domain::hold::{HoldKind, StandingHold, withdrawal_of};
use crate::domain::reason::ReasonCode;
use crate::domain::state::State;
use crate::exit::{DEGRADED, DONE, FAILED};

const COLUMNS: [Column; 6] = [
    Column::ranked("policy", 8, 2),
    Column::kept("user", 14),
    Column::ranked("state", 18, 1),
    Column::kept("deadline", 20),
    Column::kept("why", 22),
    Column::ranked("id", 36, 3),
];

/// Whom an approval covers.
const COVERED: [Column; 4] = [
    Column::kept("user", 14),
    Column::kept("deadline", 20),
    Column::ranked("known against it", 16, 1),
    Column::ranked("policy", 8, 2),
];

/// Under a policy that is only rehearsed.
const WOULD_BE_FLAGGED: &str = "would be flagged if the policy were on";

/// What was shown is not there any more.
const CHANGED: &str =
    "Nothing was approved: a pass has changed meanwhile what it covers. Look again.";

/// Whoever approves reads so many names; the plan has all.
const NAMED: usize = 20;

pub(super) async fn run(
    config: &Config,
    command: EnforcementCommand,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let (hold, reason, yes, withdraw, as_of) = match command {
        EnforcementCommand::Plan { format } => return plan(config, format, out).await,
        EnforcementCommand::Approve {
            hold,
            reason,
            yes,
            withdraw,
            as_of,
        } => (hold, reason, yes, withdraw, as_of),
    };
    if reason.trim().is_empty() {
        return Err(no_reason().into());
    }
    let reader = Reader::open(config).await?;
    let as_of = as_of.map(|moment| moment.within(&config.zone));
    let times = Times::new(config, as_of.unwrap_or(reader.present()));
    let local = |error| times.refused(error);
    // A date that cannot be taken is refused before anybody is asked.
    let at = acts::act_time(&reader.store, as_of).await?;
    if withdraw {
        let flagged = approvals::withdraw(&reader.store, &hold, &operator(), &reason, at).await;
        let flagged = flagged.map_err(local)?;
        out.text(&taken_back(&hold, flagged))?;
    } else {
        let standing = approvals::approvable(&reader.store, &hold).await;
        let covered = approvals::covered(&reader, standing.map_err(local)?).await?;
        describe(&covered, reader.policies.len(), &times, out)?;
        if !yes && !agrees("Approve?", out)? {
            out.text("Nothing was approved.")?;
            return Ok(FAILED);
        }
        // As of the answer, which may come long after the question.
        let at = acts::act_time(&reader.store, as_of).await?;
        let shown = &covered.shown;
        let until = approvals::approve(&reader.store, shown, &operator(), &reason, at).await?;
        let Some(until) = until else {
            out.text(CHANGED)?;
            return Ok(FAILED);
        };
        out.text(&approved(&hold, until, &times))?;
    }
    if as_of.is_none() {
        say_if_rehearsed(&reader.store, &times, out).await?;
    }
    reader.store.close().await;
    Ok(DONE)
}

fn approved(hold: &str, until: Timestamp, times: &Times) -> String {
    format!(
        "Approved {hold} as {}; the next pass uses it. Unused, it lapses {}. Until a pass uses it, this takes it back: {}",
        operator().name,
        times.told(until),
        withdrawal_of(hold)
    )
}

fn taken_back(hold: &str, flagged: u64) -> String {
    let before = match flagged {
        0 => "no pass had used it".to_owned(),
        1 => "one person had been flagged by it, nobody else is".to_owned(),
        people => format!("{people} people had been flagged by it, nobody else is"),
    };
    format!("The approval of {hold} is taken back; {before}.")
}

/// What is held, whom an approval lets through, and what is known against that.
fn describe(
    covered: &Covered,
    policies: usize,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let Covered {
        shown,
        people,
        others,
    } = covered;
    let hold = &shown.hold;
    let columns = &COVERED[..COVERED.len() - usize::from(policies == 1)];
    print_hold(hold, times, out)?;
    if people.is_empty() {
        out.text("As things stand, nobody would be flagged by an approval.")?;
        return Ok(());
    }
    let count = match people.len() {
        1 => "one person".to_owned(),
        count => format!("{count} people"),
    };
    out.text(&match hold.kind {
        HoldKind::Mass => format!("With an approval the next pass flags {count}:"),
        // What was seen is taken for true; of who waits behind it, there may be too many at once.
        _ => format!("An approval takes for true what was seen; this holds back {count}:"),
    })?;
    let rows = people.iter().take(NAMED).map(|planned| {
        let person = &planned.person;
        let deadline = person.window.as_ref().and_then(|window| window.deadline);
        let against: Vec<&str> = planned
            .reasons
            .iter()
            .map(|reason| short(reason.code))
            .collect();
        vec![
            person.user_principal_name.clone().into(),
            times.maybe(deadline).into(),
            Cell::toned(Tone::Watch, against.join(", ")),
            person.policy.clone().into(),
        ]
    });
    out.rows(Format::Table, columns, rows.collect())?;
    if let Some(more @ 1..) = people.len().checked_sub(NAMED) {
        out.text(&format!("and {more} more: fortnight enforcement plan"))?;
    }
    out.text(&known_against(people))?;
    if !others.is_empty() {
        let others = others.join(", ");
        out.text(&format!(
            "Other holds stand as well, and nobody is flagged while they do: {others}."
        ))?;
    }
    Ok(())
}

/// What is known of somebody who would be flagged, in a word or two.
fn short(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NoticeMissing => "never told",
        ReasonCode::Unreachable => "unreachable",
        _ => "could not register",
    }
}

fn known_against(people: &[Planned]) -> String {
    let counted = [
        (ReasonCode::NoticeMissing, "never told of the deadline"),
        (ReasonCode::Unreachable, "not to be reached"),
        (ReasonCode::RegistrationBlocked, "kept from registering"),
    ];
    let known = counted.into_iter().filter_map(|(code, words)| {
        let has = |planned: &&Planned| planned.reasons.iter().any(|reason| reason.code == code);
        let count = people.iter().filter(has).count();
        (count > 0).then(|| format!("{count} {words}"))
    });
    let known: Vec<String> = known.collect();
    if known.is_empty() {
        return "Nothing is known against it: everybody was told, and nobody was kept from registering."
            .to_owned();
    }
    format!("Known against it: {}.", known.join(", "))
}

fn print_hold(hold: &StandingHold, times: &Times, out: &mut Printer) -> anyhow::Result<()> {
    let text = times.localised(&foreign(&hold.text));
    out.heading(&format!("Held: {}", hold.id))?;
    out.item("  ", &format!("{text}, since {}", times.told(hold.since)))?;
    if let Some(at) = hold.approved_at {
        out.item("  ", &format!("approved {}", times.told(at)))?;
    }
    Ok(())
}

async fn plan(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    let plan = plan::plan(&reader).await?;
    let code = if plan.holds.is_empty() {
        DONE
    } else {
        DEGRADED
    };
    let times = Times::new(config, reader.present());
    match format {
        Format::Json => out.json(&plan)?,
        Format::Csv => {
            let rows = plan.people.iter();
            let rows = rows.map(|planned| cells(planned, &reader, format, &times));
            out.rows(format, &COLUMNS, rows.collect())?;
        }
        Format::Table => print(&plan, &reader, &times, out)?,
    }
    Ok(code)
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
    // Where there is one policy, it says nothing to name it.
    let first = usize::from(reader.policies.len() == 1);
    let rows = plan.people.iter();
    let rows = rows.map(|planned| cells(planned, reader, Format::Table, times).split_off(first));
    out.rows(Format::Table, &COLUMNS[first..], rows.collect())?;
    out.note(&format!(
        "{}; times in {}",
        total(plan, reader),
        times.zone()
    ))?;
    Ok(())
}

/// How many are flagged, go next, or wait, and for what.
fn total(plan: &Plan, reader: &Reader) -> String {
    let (mut flagged, mut next, mut held, mut rehearsed, mut waiting) = (0, 0, 0, 0, 0);
    for planned in &plan.people {
        let person = &planned.person;
        let policy = reader.policy(&person.policy);
        let stops = |hold: &StandingHold| {
            hold.approved_at.is_none() && policy.is_some_and(|policy| hold.stops(&policy.name))
        };
        let is_flagged = person.state == State::EnforcementNeeded;
        let counted = if is_flagged && reader.is_rehearsed(&person.policy) {
            &mut rehearsed
        } else if is_flagged {
            &mut flagged
        } else if !planned.would_flag || !planned.waits.is_empty() {
            &mut waiting
        } else if reader.is_rehearsed(&person.policy) {
            &mut rehearsed
        } else if plan.holds.iter().any(stops) {
            &mut held
        } else {
            &mut next
        };
        *counted += 1;
    }
    let counts = [
        (flagged, "flagged"),
        (next, "to be flagged by the next pass"),
        (held, "held"),
        (waiting, "waiting for something else"),
        (rehearsed, WOULD_BE_FLAGGED),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, words)| format!("{count} {words}"))
        .collect();
    counts.join(", ")
}

fn cells(planned: &Planned, reader: &Reader, format: Format, times: &Times) -> Vec<Cell> {
    let person = &planned.person;
    let deadline = person.window.as_ref().and_then(|window| window.deadline);
    let why = why(planned, reader.is_rehearsed(&person.policy));
    let why = match format {
        Format::Table => times.localised(&why),
        Format::Json | Format::Csv => why,
    };
    vec![
        person.policy.clone().into(),
        person.user_principal_name.clone().into(),
        words::state(person.state),
        format.moment(times, deadline).into(),
        why.into(),
        person.id.clone().into(),
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
