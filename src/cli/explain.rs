//! `explain`: why a person is in this state, and what a help desk is asked.

use super::Usage;
use super::output::{Format, Printer};
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::desk::Reader;
use crate::desk::explain::{self, Explanation, Happened, MaySkip, may_skip};
use crate::domain::decision::NextAction;
use crate::domain::message::EventKind;
use crate::exit::DONE;
use crate::time::format_duration;

pub(super) async fn run(
    config: &Config,
    name: &str,
    policy: Option<&str>,
    format: Format,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    if format == Format::Csv {
        let text = "an explanation is no table: print it as text, or with --format json";
        return Err(Usage(text.to_owned()).into());
    }
    let reader = Reader::open(config).await?;
    let explanations = explain::explain(&reader, config, name, policy).await?;
    if format == Format::Json {
        out.json(&explanations)?;
        return Ok(DONE);
    }
    for explanation in &explanations {
        print(explanation, out)?;
    }
    Ok(DONE)
}

fn print(explanation: &Explanation, out: &mut Printer) -> anyhow::Result<()> {
    let person = &explanation.person;
    let name = person.display_name.as_deref().unwrap_or_default();
    out.line(format!(
        "{} <{}>  {}",
        clean_line(name, 64),
        clean_line(&person.user_principal_name, 120),
        person.id
    ))?;
    out.line(format!(
        "Policy {}: {} (as of {})",
        clean_line(&person.policy, 64),
        person.state.as_str(),
        explanation.as_of
    ))?;
    out.line("")?;
    out.line("Why")?;
    for reason in &explanation.reasons {
        let at = reason.at.map(|at| format!("  [{at}]")).unwrap_or_default();
        out.line(format!("  · {}{at}", clean_line(&reason.text, 300)))?;
    }
    out.line("")?;
    out.line("What the help desk is asked")?;
    out.line(format!(
        "  May the person skip registering at the next sign-in?  {}",
        words(may_skip(person))
    ))?;
    if let Some(window) = &person.window {
        let until = match (window.deadline, window.remaining_seconds) {
            _ if person.registered => "nothing is due: the person is registered".to_owned(),
            (Some(deadline), Some(left)) if left > 0 => format!(
                "{deadline} ({} left)",
                format_duration(jiff::SignedDuration::from_secs(left))
            ),
            (Some(deadline), _) => format!("{deadline} (passed)"),
            (None, Some(left)) => format!(
                "the clock is stopped, {} left",
                format_duration(jiff::SignedDuration::from_secs(left))
            ),
            (None, None) => "no deadline".to_owned(),
        };
        out.line(format!("  Until when?  {until}"))?;
    }
    let mail = explanation.last_mail.as_ref().map_or_else(
        || "none was accepted".to_owned(),
        |mail| {
            format!(
                "{} at {}, to {}",
                mail.event,
                mail.at,
                clean_line(&mail.address, 120)
            )
        },
    );
    out.line(format!("  The last mail?  {mail}"))?;
    out.line(format!("  What ends this?  {}", explanation.ends))?;
    if let Some(next) = person.next {
        let action = match next.action {
            NextAction::Reminder(step) => format!("the reminder {step}"),
            NextAction::Deadline => "the deadline".to_owned(),
            NextAction::CheckFlag if explanation.waits_for.is_empty() => {
                "the flag, at the next pass".to_owned()
            }
            NextAction::CheckFlag => format!(
                "the flag waits for {}; the next pass looks again",
                explanation.waits_for.join(", and for ")
            ),
            NextAction::WaitEnds => "a wait ends".to_owned(),
            NextAction::SignInDue => "a sign-in dated ahead comes due".to_owned(),
            NextAction::DueSoon => "three days are left".to_owned(),
        };
        out.line(format!("  What comes next?  {action}, {}", next.at))?;
    }
    if !explanation.history.is_empty() {
        out.line("")?;
        out.line("History")?;
        for happened in &explanation.history {
            out.line(format!("  {}", history_line(happened)))?;
        }
    }
    out.line("")?;
    Ok(())
}

fn words(skip: MaySkip) -> &'static str {
    match skip {
        MaySkip::Yes => "yes",
        MaySkip::Opens => "yes; that sign-in opens the window",
        MaySkip::NotAsked => "nothing is asked of the person",
        MaySkip::No => "no",
    }
}

fn history_line(Happened { line, mail }: &Happened) -> String {
    let step = line.step.as_ref().map(|step| format!(" ({step})"));
    let step = step.unwrap_or_default();
    let mark = match mail.as_deref() {
        _ if line.rehearsed => "  [report-only]".to_owned(),
        None | Some("sent") => String::new(),
        Some("none") => "  [no mail]".to_owned(),
        Some(state) => format!("  [mail {state}]"),
    };
    // Who did it and why; an event has its reasons above.
    let why = if EventKind::parse(&line.kind).is_none() {
        let text = line.reasons[0]["text"].as_str().unwrap_or_default();
        format!("  {}", clean_line(text, 300))
    } else {
        String::new()
    };
    format!("{}  {}{step}{mark}{why}", line.at, line.kind)
}
