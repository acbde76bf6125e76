//! `explain`: why a person is in this state, in the words that the decision gave, and what a
//! help desk is asked.

use jiff::Timestamp;
use serde::Serialize;

use super::Reader;
use super::output::{Format, Printer};
use super::view::PersonView;
use crate::config::Config;
use crate::delivery::text::{clean_line, mask_address};
use crate::domain::decision::NextAction;
use crate::domain::facts::NoticeBy;
use crate::domain::hold::Hold;
use crate::domain::hold::StandingHold;
use crate::domain::message::EventKind;
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::state::State;
use crate::exit::DONE;
use crate::store::Whom;
use crate::store::deliveries::DeliveryRow;
use crate::store::outbox::EMAIL;
use crate::store::read::JournalLine;
use crate::time::format_duration;

/// One policy's answer.
#[derive(Debug, Serialize)]
struct Explanation {
    #[serde(flatten)]
    person: PersonView,
    /// As of the newest pass.
    as_of: Timestamp,
    /// Every rule that was applied, with its evidence and time.
    reasons: Vec<Reason>,
    /// Whether the next sign-in can still be completed without registering.
    may_skip: bool,
    /// The last mail that the server accepted, its address masked.
    last_mail: Option<LastMail>,
    /// What ends this state.
    ends: String,
    /// What was decided and done before, oldest first.
    history: Vec<Happened>,
}

/// A line of the history.
#[derive(Debug, Serialize)]
struct Happened {
    #[serde(flatten)]
    line: JournalLine,
    /// What became of the mail that says it, as `deliveries list` has it; `"none"` where none was
    /// written, and null where none is due.
    mail: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
struct LastMail {
    at: Timestamp,
    event: String,
    address: String,
}

pub(super) async fn run(
    config: &Config,
    name: &str,
    policy: Option<&str>,
    format: Format,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let reader = Reader::open(config).await?;
    if let Some(policy) = policy {
        reader.knows_policy(policy)?;
    }
    let user = reader.person(name).await?;
    let outcomes = reader.look(&Whom::these([user.as_str()])).await?;
    let holds = reader.store.holds().await?;
    let history = reader.store.history(&user).await?;
    let mut deliveries = reader.store.deliveries(&[], Some(&user)).await?;
    deliveries.retain(|row| tells(config, row));
    let explanations: Vec<Explanation> = outcomes
        .iter()
        .flat_map(PersonView::of)
        .filter(|row| policy.is_none_or(|policy| row.policy == policy))
        .map(|row| {
            let history = happened(config, &row.policy, &history, &deliveries);
            explain(row, &holds, &deliveries, history, reader.now)
        })
        .collect();
    if format == Format::Json {
        out.json(&explanations)?;
        return Ok(DONE);
    }
    for explanation in &explanations {
        print(explanation, out)?;
    }
    Ok(DONE)
}

fn explain(
    mut person: PersonView,
    holds: &[StandingHold],
    deliveries: &[DeliveryRow],
    history: Vec<Happened>,
    now: Timestamp,
) -> Explanation {
    let mut reasons = std::mem::take(&mut person.reasons);
    if person.state == State::OverdueChecking {
        reasons.extend(
            holds
                .iter()
                .filter(|hold| stops(hold, &person.policy))
                .map(|hold| {
                    Reason::new(
                        ReasonCode::Held,
                        format!("flags are held ({}): {}", hold.id, hold.text),
                        hold.since,
                    )
                }),
        );
    }
    let last_mail = deliveries
        .iter()
        .rfind(|row| row.state == "sent" && row.policy.as_deref() == Some(&person.policy))
        .and_then(|row| {
            Some(LastMail {
                at: row.settled_at?,
                event: row.event.clone(),
                address: if row.channel == EMAIL {
                    mask_address(&row.address)
                } else {
                    format!("the webhook {}", row.channel)
                },
            })
        });
    Explanation {
        as_of: now,
        ends: ends(&person, &reasons).to_owned(),
        reasons,
        may_skip: may_skip(&person) != MaySkip::No,
        last_mail,
        history,
        person,
    }
}

/// The history under a policy, with what became of each mail.
fn happened(
    config: &Config,
    policy: &str,
    history: &[JournalLine],
    deliveries: &[DeliveryRow],
) -> Vec<Happened> {
    let of_policy = |line: &&JournalLine| line.policy.as_deref().is_none_or(|of| of == policy);
    let lines: Vec<&JournalLine> = history.iter().filter(of_policy).collect();
    let happened = lines.iter().enumerate().map(|(at, line)| {
        let same = |later: &&&JournalLine| later.kind == line.kind && later.step == line.step;
        let until = lines[at + 1..].iter().find(same).map(|later| later.at);
        let is_mailed = EventKind::parse(&line.kind)
            .is_some_and(|kind| kind.announces() || kind == EventKind::EnforcementNeeded);
        let mail = (config.email.is_some() && is_mailed && !line.rehearsed).then(|| {
            let says_it = |row: &&DeliveryRow| {
                row.policy.as_deref() == Some(policy)
                    && row.event == line.kind
                    && (row.step == line.step || line.step.is_none())
                    && row.queued_at >= line.at
                    && until.is_none_or(|until| row.queued_at < until)
            };
            let row = deliveries.iter().find(says_it);
            row.map_or_else(|| "none".to_owned(), |row| row.state.clone())
        });
        Happened {
            line: (*line).clone(),
            mail,
        }
    });
    happened.collect()
}

/// Whether a row is a message to the person: a mail, or a webhook that serves as notice.
fn tells(config: &Config, row: &DeliveryRow) -> bool {
    let announces = EventKind::parse(&row.event).is_some_and(EventKind::announces);
    row.channel == EMAIL || (config.notice_by() == NoticeBy::Webhook && announces)
}

fn stops(hold: &StandingHold, policy: &str) -> bool {
    let policy = crate::domain::id::PolicyName::new(policy);
    let hold = Hold {
        id: hold.id.clone(),
        kind: hold.kind,
        policy: hold.policy.clone(),
        text: String::new(),
        people: std::collections::BTreeSet::new(),
    };
    hold.stops(&policy)
}

/// Whether the next sign-in can be completed without registering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MaySkip {
    Yes,
    /// That sign-in opens the window.
    Opens,
    /// Nothing is asked of the person.
    NotAsked,
    No,
}

impl MaySkip {
    fn words(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Opens => "yes; that sign-in opens the window",
            Self::NotAsked => "nothing is asked of the person",
            Self::No => "no",
        }
    }
}

fn may_skip(person: &PersonView) -> MaySkip {
    match person.state {
        State::OutOfScope
        | State::Exempt
        | State::NotEligible
        | State::Disabled
        | State::Gone
        | State::Paused
        | State::Registered => MaySkip::NotAsked,
        State::WaitingFirstSignIn => MaySkip::Opens,
        State::InGrace | State::DueSoon | State::Unknown | State::RegistrationReported => {
            match &person.window {
                Some(window) if !window.may_skip => MaySkip::No,
                _ => MaySkip::Yes,
            }
        }
        State::OverdueChecking | State::EnforcementNeeded | State::Enforced => MaySkip::No,
    }
}

/// What ends the state a person is in.
fn ends(person: &PersonView, reasons: &[Reason]) -> &'static str {
    let by_operator = reasons
        .iter()
        .any(|reason| reason.code == ReasonCode::ClosedByOperator);
    match person.state {
        State::OutOfScope => "Being included by the policy.",
        State::Exempt => "The end of the exclusion.",
        State::NotEligible => "Nothing the person can do: the account is not one that registers.",
        State::Disabled => "Enabling the account.",
        State::Gone => "Restoring the account.",
        State::Unknown => "A registration report that contains the person.",
        State::Registered => "Losing the registration, confirmed by two reports or an audit event.",
        State::RegistrationReported => "A registration report that shows it, or a day without one.",
        State::WaitingFirstSignIn => "The next interactive sign-in: it opens the window.",
        State::InGrace | State::DueSoon => "Registering, at any sign-in; otherwise the deadline.",
        State::OverdueChecking => "Registering; otherwise the flag, once everything is proven.",
        State::EnforcementNeeded | State::Enforced => {
            "Registering. An operator can extend the window."
        }
        State::Paused if by_operator => "`fortnight window reopen`.",
        State::Paused => "Switching the policy on.",
    }
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
        may_skip(person).words()
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
            NextAction::CheckFlag => "the flag is checked again at every pass".to_owned(),
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
