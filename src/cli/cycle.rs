//! `cycle`: one whole pass, then exit.

use std::time::Duration;

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use super::args::Cycle;
use super::operator::agrees;
use super::output::{Format, Printer, foreign};
use super::table::{Cell, Column};
use super::times::Times;
use super::words::counted;
use crate::config::{Config, EmailTransport};
use crate::domain::id::PolicyName;
use crate::domain::state::State;
use crate::engine::Engine;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, FAILED, WRONG};
use crate::pass::PassError;
use crate::private;
use crate::report::{PassReport, Read};
use crate::stop;
use crate::store::lock::PassLock;
use crate::store::read::Happening;
use crate::store::{Store, StoreError};
use crate::time::{Clock, format_duration};

/// A dry run lists so many things that would happen; nobody reads further on a terminal.
const SHOWN: usize = 50;

pub(super) async fn run(config: &Config, args: &Cycle, out: &mut Printer) -> anyhow::Result<u8> {
    let as_of = args.as_of.map(|moment| moment.within(&config.zone));
    let clock = as_of.map_or_else(Clock::system, Clock::fixed_at);
    let mut ours = config.clone();
    let rehearsal = if args.dry_run {
        Some(rehearsal(&mut ours).await?)
    } else {
        None
    };
    let lock = match PassLock::take(&ours.database, "cycle", clock.now()) {
        Err(error @ StoreError::Locked { .. }) => {
            // Its pass is as good as ours.
            eprintln!("fortnight: {error}; this pass is left to it");
            if args.format == Format::Json {
                print(&PassReport::new(clock.now()), config, args, out)?;
            }
            return Ok(DONE);
        }
        lock => lock?,
    };
    let store = match Store::open(&ours.database).await {
        Err(error @ StoreError::Vanished { .. }) => {
            eprintln!("fortnight: {error}");
            let mut report = PassReport::new(clock.now());
            report
                .holds
                .push(crate::engine::database_hold(&error, clock.now()));
            print(&report, config, args, out)?;
            return Ok(DEGRADED);
        }
        store => store?,
    };
    if let (Some(newest), Some(as_of)) = (store.newest_pass().await?, as_of)
        && as_of < newest
    {
        eprintln!("fortnight: {}", PassError::GoesBack { newest });
        return Ok(WRONG);
    }
    let ahead = as_of.filter(|as_of| !args.dry_run && *as_of > Clock::system().now());
    let waits_until = match ahead {
        Some(as_of) if store.was_clocked().await? => Some(as_of),
        _ => None,
    };
    if let Some(as_of) = waits_until {
        tracing::warn!("{}", real_passes_wait(&Times::new(config, as_of), as_of));
        if reaches_people(config) && !agrees(TELLS_PEOPLE, out)? {
            store.close().await;
            out.text("Nothing was done.")?;
            return Ok(FAILED);
        }
    }
    let bar = super::progress::Bar::new();
    let engine = Engine::new(store.clone(), ours, clock, bar.progress())?;
    let mut report = PassReport::new(clock.now());
    engine.recover().await?;
    let before = store.bookmark().await?;
    let stop = stop::on_signal().context("listening for signals")?;
    let pass = engine.whole_pass(args.max_wait, &mut report, &stop);
    let result = stop::within_drain(&stop, pass).await;
    if result.is_none() {
        engine.recover().await?;
    }
    if stop.is_cancelled() {
        let text = "stopped by a signal: what was not read or sent yet waits for the next pass";
        report.errors.push(text.to_owned());
    }
    if rehearsal.is_some() {
        report.would = Some(store.happened_since(before).await?);
        report.unasked = unasked(&store).await?;
    }
    bar.finish();
    engine.close().await;
    store.close().await;
    drop(lock);
    drop(rehearsal);
    print(&report, config, args, out)?;
    if let (Some(as_of), Format::Table) = (waits_until, args.format) {
        out.text(&real_passes_wait(&Times::new(config, as_of), as_of))?;
    }
    match result {
        Some(Ok(())) if report.is_degraded() => Ok(DEGRADED),
        Some(Ok(())) => Ok(DONE),
        None => Ok(FAILED),
        Some(Err(error)) => {
            eprintln!("fortnight: {}", chain(&error));
            Ok(FAILED)
        }
    }
}

/// What a rehearsal is not expected to do.
const TELLS_PEOPLE: &str = "Real passes wrote this database, and this pass tells and flags real people before their time. Go on?";

/// Whether messages go to people, and not into a folder.
fn reaches_people(config: &Config) -> bool {
    let mail = config.email.as_ref().map(|email| &email.transport);
    matches!(mail, Some(EmailTransport::Smtp(_))) || !config.webhooks.is_empty()
}

/// What follows from a rehearsal ahead of the clock where real passes had been before, and how to go on.
pub(super) fn real_passes_wait(times: &Times, until: Timestamp) -> String {
    format!(
        "Real passes wrote this database: after this rehearsal they flag and tell nobody (hold clock) until {}, or until `fortnight enforcement approve clock --reason TEXT`; rehearse on a copy of the database",
        times.zoned(until)
    )
}

/// A dry run is a whole pass on a copy of the database, into a folder that nobody reads: it
/// writes and sends nothing that stays.
async fn rehearsal(config: &mut Config) -> anyhow::Result<TempDir> {
    let folder =
        private::temporary("fortnight-dry-run-").context("making a folder for the dry run")?;
    let copy = folder.path().join("dry-run.db");
    match Store::open_to_copy(&config.database).await {
        Ok(store) => {
            store.copy_to(&copy).await?;
            store.close().await;
        }
        Err(StoreError::Absent(_)) => {}
        Err(error) => return Err(error.into()),
    }
    config.database = copy;
    config.rehearse();
    if let Some(email) = &mut config.email
        && let EmailTransport::File(outbox) = &mut email.transport
    {
        // Trying the channel makes the folder.
        *outbox = folder.path().join("outbox");
    }
    Ok(folder)
}

fn print(
    report: &PassReport,
    config: &Config,
    args: &Cycle,
    out: &mut Printer,
) -> anyhow::Result<()> {
    match args.format {
        Format::Json => Ok(out.json(report)?),
        Format::Csv => counts(report, out),
        Format::Table => {
            let times = Times::new(config, report.as_of);
            summary(report, &times, args, out)?;
            for line in unasked_in_words(&report.unasked) {
                out.text(&line)?;
            }
            would(report.would.as_deref().unwrap_or_default(), out)
        }
    }
}

/// Who is not told anything yet, by policy.
async fn unasked(store: &Store) -> Result<Vec<(PolicyName, u64)>, StoreError> {
    let waiting = State::WaitingFirstSignIn.as_str();
    let counts = store.state_counts().await?.into_iter();
    let unasked = counts.map(|(policy, states)| (policy, states.get(waiting).copied()));
    Ok(unasked
        .filter_map(|(policy, people)| Some((policy, people?)))
        .collect())
}

fn unasked_in_words(unasked: &[(PolicyName, u64)]) -> Vec<String> {
    let lines = unasked.iter().map(|(policy, people)| {
        let people = counted(*people, "person waits", "people wait");
        format!("{policy}: {people} for the first sign-in; nobody is told anything before")
    });
    lines.collect()
}

/// What was counted, a line each.
fn counts(report: &PassReport, out: &mut Printer) -> anyhow::Result<()> {
    let mut csv = out.csv(&["what", "count"])?;
    let report = serde_json::to_value(report)?;
    for part in ["read", "windows", "deliveries"] {
        let counts = report[part].as_object().into_iter().flatten();
        for (name, count) in counts.filter(|(_, count)| count.is_number()) {
            csv.row(&[format!("{part}.{name}"), count.to_string()])?;
        }
    }
    for name in ["flagged", "released"] {
        csv.row(&[name.to_owned(), report[name].to_string()])?;
    }
    Ok(csv.end()?)
}

fn summary(
    report: &PassReport,
    times: &Times,
    args: &Cycle,
    out: &mut Printer,
) -> anyhow::Result<()> {
    let (read, windows, deliveries) = (report.read, report.windows, report.deliveries);
    let dry = if args.dry_run {
        " (dry run: nothing was written or sent)"
    } else {
        ""
    };
    let took = took(report.duration_ms);
    out.heading(&format!(
        "Pass of {} in {}{dry}, {took}",
        times.at(report.as_of),
        times.zone()
    ))?;
    let read = what_was_read(read);
    let mut lines = vec![
        ("read", read),
        (
            "windows",
            format!(
                "{} opened, {} closed, {} paused, {} resumed",
                windows.opened, windows.closed, windows.paused, windows.resumed
            ),
        ),
        (
            "flags",
            format!("{} needed, {} released", report.flagged, report.released),
        ),
        (
            "deliveries",
            format!(
                "{} queued, {} sent, {} failed, {} of unknown outcome",
                deliveries.queued, deliveries.sent, deliveries.failed, deliveries.ambiguous
            ),
        ),
    ];
    if deliveries.waiting > 0 {
        lines.push(("waiting", waiting(report, times)));
    }
    let holds = report.holds.iter().map(|hold| {
        let text = times.localised(&foreign(&hold.text));
        ("held", format!("{}: {text}", foreign(&hold.id)))
    });
    lines.extend(holds);
    lines.extend(report.errors.iter().map(|error| ("error", foreign(error))));
    for (what, text) in lines {
        out.item(&format!("{what:<12}"), &text)?;
    }
    Ok(())
}

/// What had changed since it was read before, and was read.
fn what_was_read(read: Read) -> String {
    let counts = [
        (read.users, "user", "users"),
        (read.groups, "group", "groups"),
        (read.registrations, "registration", "registrations"),
        (read.sign_ins, "sign-in", "sign-ins"),
        (read.audits, "audit event", "audit events"),
    ];
    let new: Vec<String> = counts
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, several)| counted(count, one, several))
        .collect();
    let aside = counted(read.quarantined, "row", "rows");
    if new.is_empty() && read.quarantined == 0 {
        return "nothing that was not read before".to_owned();
    }
    format!("{}; {aside} put aside", new.join(", "))
}

fn took(milliseconds: u64) -> String {
    let length = Duration::from_millis(milliseconds);
    match SignedDuration::try_from(length) {
        Ok(length) if length >= SignedDuration::from_secs(1) => format_duration(length),
        _ => format!("{milliseconds} ms"),
    }
}

/// What waits for a budget, and for how long.
fn waiting(report: &PassReport, times: &Times) -> String {
    let deliveries = report.deliveries;
    let mails = match deliveries.waiting {
        1 => "one mail waits".to_owned(),
        mails => format!("{mails} mails wait"),
    };
    let until = match deliveries.waits_until {
        Some(until) => format!("the last could go {}", times.told(until)),
        None => "a budget lets none go".to_owned(),
    };
    let late = match report.late {
        0 => String::new(),
        late => format!(
            "; {late} will be of no use when it is their turn: raise the budgets, or include people in waves"
        ),
    };
    format!("{mails} for the budgets, {until}{late}")
}

const HAPPENINGS: [Column; 6] = [
    Column::kept("would happen", 12),
    Column::ranked("step", 4, 2),
    Column::kept("of", 14),
    Column::ranked("policy", 8, 3),
    Column::kept("mail", 4),
    Column::ranked("mode", 11, 1),
];

/// What a dry run would have done.
fn would(happenings: &[Happening], out: &mut Printer) -> anyhow::Result<()> {
    if happenings.is_empty() {
        return Ok(());
    }
    out.line("")?;
    let rows = happenings.iter().take(SHOWN).map(|happening| {
        let text = |text: &Option<String>| Cell::from(text.clone().unwrap_or_default());
        vec![
            happening.event.as_str().into(),
            text(&happening.step),
            text(
                happening
                    .hold
                    .as_ref()
                    .map_or(&happening.user_principal_name, |_| &happening.hold),
            ),
            text(&happening.policy),
            if happening.mail { "mail" } else { "" }.into(),
            if happening.rehearsed {
                "report-only"
            } else {
                ""
            }
            .into(),
        ]
    });
    out.rows(Format::Table, &HAPPENINGS, rows.collect())?;
    if let Some(more @ 1..) = happenings.len().checked_sub(SHOWN) {
        out.note(&format!("And {more} more: --format json has them all."))?;
    }
    Ok(())
}
