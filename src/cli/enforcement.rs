//! `enforcement`: the release of a hold, which says first whom it covers.

use jiff::Timestamp;

use super::args::EnforcementCommand;
use super::operator::{agrees, operator, say_if_rehearsed};
use super::output::{Format, Printer};
use super::plan;
use super::table::Column;
use super::times::Times;
use super::window::no_reason;
use crate::config::Config;
use crate::desk::approvals::{self, Covered};
use crate::desk::plan::Planned;
use crate::desk::{Reader, acts};
use crate::domain::hold::{HoldKind, withdrawal_of};
use crate::domain::reason::ReasonCode;
use crate::exit::{DONE, FAILED};

/// Whom an approval covers.
const COVERED: [Column; 4] = [
    Column::kept("user", 14),
    Column::kept("deadline", 20),
    Column::kept("known against it", 16).wrapped(),
    Column::ranked("policy", 8, 2),
];

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
        EnforcementCommand::Plan { format } => return plan::run(config, format, out).await,
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
    plan::print_hold(hold, times, out)?;
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
        vec![
            person.user_principal_name.clone().into(),
            times.maybe(planned.deadline()).into(),
            plan::against(planned),
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
