//! `explain`: why a person is in this state, and what a help desk is asked.

use super::Usage;
use super::output::{Format, Printer, foreign};
use super::times::Times;
use super::words;
use crate::config::Config;
use crate::delivery::text::clean_line;
use crate::desk::Reader;
use crate::desk::explain::{self, Explanation, LastMail, MaySkip, may_skip};
use crate::desk::history::Happened;
use crate::desk::person::{PersonView, WindowView};
use crate::domain::decision::{Next, NextAction};
use crate::domain::message::EventKind;
use crate::domain::policy::Enforce;
use crate::domain::reason::Reason;
use crate::domain::state::State;
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
    let times = Times::new(config, reader.present());
    for (at, explanation) in explanations.iter().enumerate() {
        if at > 0 {
            out.line("")?;
        }
        let policy = reader.policy(&explanation.person.policy);
        let mode = policy.map_or(Enforce::On, |policy| policy.enforce);
        print(explanation, mode, &times, out)?;
    }
    out.line("")?;
    out.note(&format!("Times are in {}.", times.zone()))?;
    Ok(DONE)
}

fn print(
    explanation: &Explanation,
    mode: Enforce,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    who(explanation, mode, times, out)?;
    out.line("")?;
    out.heading("Why")?;
    for reason in &explanation.reasons {
        out.item("  · ", &evidence(reason, times))?;
    }
    out.line("")?;
    asked(explanation, mode, times, out)?;
    if !explanation.history.is_empty() {
        out.line("")?;
        out.heading("History")?;
        for happened in &explanation.history {
            let begin = format!("  {}  ", times.at(happened.line.at));
            out.item(&begin, &history(happened, times))?;
        }
    }
    Ok(())
}

/// A reason with the time of its evidence, unless the reason says it.
fn evidence(reason: &Reason, times: &Times) -> String {
    let text = times.localised(&foreign(&reason.text));
    match reason.at.map(|at| times.at(at)) {
        Some(at) if !text.contains(&at) => format!("{text}  [{at}]"),
        _ => text,
    }
}

fn who(
    explanation: &Explanation,
    mode: Enforce,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let person = &explanation.person;
    let name = clean_line(person.display_name.as_deref().unwrap_or_default(), 64);
    let upn = clean_line(&person.user_principal_name, 120);
    out.heading(format!("{name} <{upn}>").trim_start())?;
    out.note(&person.id)?;
    let screen = out.screen();
    let state = person.state.as_str();
    let policy = clean_line(&person.policy, 64);
    let as_of = times.told(explanation.as_of);
    let mode = match mode {
        Enforce::On => "",
        Enforce::ReportOnly => " (report-only: nobody is told or flagged)",
        Enforce::Off => " (off)",
    };
    let text = format!("Policy {policy}{mode}: {state}, as of {as_of}");
    let line = screen.wrap("", "", &text);
    let painted = screen.paint(words::tone(person.state), state);
    Ok(out.line(line.replacen(&format!("{state},"), &format!("{painted},"), 1))?)
}

/// What a help desk is asked, each question with its answer.
fn asked(
    explanation: &Explanation,
    mode: Enforce,
    times: &Times,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let person = &explanation.person;
    out.heading("What the help desk is asked")?;
    let mut answers = vec![("May they skip it?", skip(person).to_owned())];
    if let Some(window) = &person.window {
        answers.push(("Until when?", until(window, person.registered, times)));
    }
    let mail = explanation.last_mail.as_ref();
    let mail = mail.map_or_else(
        || "none was accepted".to_owned(),
        |mail| last(mail, &person.policy, times),
    );
    answers.push(("The last mail?", mail));
    answers.push(("What ends this?", explanation.ends.clone()));
    if let Some(next) = person.next {
        answers.push((
            "What comes next?",
            coming(person.state, next, mode, &explanation.waits_for, times),
        ));
    }
    for (question, answer) in answers {
        out.item(&format!("  {question:<18}"), &answer)?;
    }
    Ok(())
}

fn until(window: &WindowView, registered: bool, times: &Times) -> String {
    match (window.deadline, window.remaining_seconds) {
        _ if registered => "nothing is due: the person is registered".to_owned(),
        (Some(deadline), Some(left)) if left > 0 => times.told(deadline),
        (Some(deadline), _) => format!("{}: it has passed", times.told(deadline)),
        (None, Some(left)) => {
            let left = format_duration(jiff::SignedDuration::from_secs(left));
            format!("the clock is stopped, {left} left")
        }
        (None, None) => "no deadline".to_owned(),
    }
}

fn last(mail: &LastMail, policy: &str, times: &Times) -> String {
    let address = clean_line(&mail.address, 120);
    let of = of_policy(Some(&mail.policy).filter(|of| *of != policy));
    format!("{}{of} to {address}, {}", mail.event, times.told(mail.at))
}

/// Whose it is, where it is another policy's.
fn of_policy(policy: Option<&String>) -> String {
    policy.map_or_else(String::new, |policy| {
        format!(" of the policy {}", clean_line(policy, 64))
    })
}

fn coming(state: State, next: Next, mode: Enforce, waits_for: &[String], times: &Times) -> String {
    let is_rehearsed = mode == Enforce::ReportOnly;
    let flag = if is_rehearsed {
        "the flag that the policy would raise"
    } else {
        "the flag"
    };
    if (state, next.action) == (State::RegistrationReported, NextAction::WaitEnds) {
        let until = times.told(next.at);
        return format!(
            "no reminders until {until}; then they go on, unless a registration report shows it by then"
        );
    }
    let what = match next.action {
        NextAction::CheckFlag if waits_for.is_empty() => format!("{flag}, at the next pass"),
        NextAction::CheckFlag => {
            let waits: Vec<String> = waits_for.iter().map(|wait| foreign(wait)).collect();
            let waits = times.localised(&waits.join(", and for "));
            format!("{flag} waits for {waits}; the next pass looks again")
        }
        action => words::next(action, is_rehearsed),
    };
    format!("{what}, {}", times.told(next.at))
}

fn skip(person: &PersonView) -> &'static str {
    match may_skip(person) {
        MaySkip::Yes => "yes, where the next sign-in lets them",
        MaySkip::Opens => "yes; that sign-in opens the window",
        MaySkip::NotAsked => "nothing is asked of the person",
        MaySkip::No if person.state == State::InGrace || person.state == State::DueSoon => {
            "no: the newest sign-in demanded it; the deadline stays as it is"
        }
        MaySkip::No => "no",
    }
}

fn history(happened: &Happened, times: &Times) -> String {
    let Happened {
        line,
        mail,
        instead,
    } = happened;
    let step = line.step.as_ref().map(|step| format!(" ({step})"));
    let step = step.unwrap_or_default();
    let mark = match mail.as_deref() {
        _ if line.rehearsed => "  [report-only]".to_owned(),
        None | Some("sent") => String::new(),
        Some("none") => match instead {
            None => "  [no mail]".to_owned(),
            Some(next) => format!(
                "  [no mail; the next was {}{}, {}]",
                next.event,
                of_policy(next.policy.as_ref()),
                times.at(next.at)
            ),
        },
        Some(state) => format!("  [mail {state}]"),
    };
    // Who did it and why; an event has its reasons above.
    let why = if EventKind::parse(&line.kind).is_none() {
        let text = line.reasons[0]["text"].as_str().unwrap_or_default();
        format!("  {}", foreign(text))
    } else {
        String::new()
    };
    format!("{}{step}{mark}{why}", line.kind)
}
