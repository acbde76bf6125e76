//! `cycle`: one whole pass, then exit.

use anyhow::Context as _;
use jiff::Timestamp;
use tempfile::TempDir;

use super::args::Cycle;
use super::output::{Format, Printer};
use crate::config::{Config, EmailTransport};
use crate::delivery::text::clean_line;
use crate::engine::Engine;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, FAILED, WRONG};
use crate::pass::PassError;
use crate::private;
use crate::report::PassReport;
use crate::stop;
use crate::store::lock::PassLock;
use crate::store::read::Happening;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// A dry run lists so many things that would happen; nobody reads further on a terminal.
const SHOWN: usize = 50;

pub(super) async fn run(config: &Config, args: &Cycle, out: &mut Printer) -> anyhow::Result<u8> {
    let as_of = args.as_of.map(|moment| moment.within(&config.zone));
    let clock = as_of.map_or_else(Clock::system, Clock::fixed_at);
    let mut config = config.clone();
    let rehearsal = if args.dry_run {
        Some(rehearsal(&mut config).await?)
    } else {
        None
    };
    let lock = match PassLock::take(&config.database, clock.now()) {
        Err(error @ StoreError::Locked { .. }) => {
            // Its pass is as good as ours.
            eprintln!("fortnight: {error}; this pass is left to it");
            if args.format == Format::Json {
                print(&PassReport::new(clock.now()), args, out)?;
            }
            return Ok(DONE);
        }
        lock => lock?,
    };
    let store = match Store::open(&config.database).await {
        Err(error @ StoreError::Vanished { .. }) => {
            eprintln!("fortnight: {error}");
            let mut report = PassReport::new(clock.now());
            report
                .holds
                .push(crate::engine::database_hold(&error, clock.now()));
            print(&report, args, out)?;
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
    let bar = super::progress::Bar::new();
    let engine = Engine::new(store.clone(), config, clock, bar.progress())?;
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
    }
    bar.finish();
    engine.close().await;
    store.close().await;
    drop(lock);
    drop(rehearsal);
    print(&report, args, out)?;
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

fn print(report: &PassReport, args: &Cycle, out: &mut Printer) -> anyhow::Result<()> {
    if args.format == Format::Json {
        return Ok(out.json(report)?);
    }
    let read = report.read;
    let windows = report.windows;
    let deliveries = report.deliveries;
    let dry = if args.dry_run {
        " (dry run: nothing was written or sent)"
    } else {
        ""
    };
    out.line(format!(
        "Pass of {}{dry}, {} ms",
        at(report.as_of),
        report.duration_ms
    ))?;
    out.line(format!(
        "read        {} users, {} groups, {} registrations, {} sign-ins, {} audit events; {} rows put aside",
        read.users, read.groups, read.registrations, read.sign_ins, read.audits, read.quarantined
    ))?;
    out.line(format!(
        "windows     {} opened, {} closed, {} paused, {} resumed",
        windows.opened, windows.closed, windows.paused, windows.resumed
    ))?;
    out.line(format!(
        "flags       {} needed, {} released",
        report.flagged, report.released
    ))?;
    out.line(format!(
        "deliveries  {} queued, {} sent, {} failed, {} of unknown outcome",
        deliveries.queued, deliveries.sent, deliveries.failed, deliveries.ambiguous
    ))?;
    if deliveries.waiting > 0 {
        out.line(format!("waiting     {}", waiting(report)))?;
    }
    for hold in &report.holds {
        out.line(format!("held        {}: {}", hold.id, hold.text))?;
    }
    for error in &report.errors {
        out.line(format!("error       {error}"))?;
    }
    let would = report.would.as_deref().unwrap_or_default();
    for happening in would.iter().take(SHOWN) {
        out.line(format!("would       {}", words(happening)))?;
    }
    if let Some(more @ 1..) = would.len().checked_sub(SHOWN) {
        out.line(format!(
            "            and {more} more: --format json has them all"
        ))?;
    }
    Ok(())
}

/// What waits for a budget, and for how long.
fn waiting(report: &PassReport) -> String {
    let deliveries = report.deliveries;
    let until = match deliveries.waits_until {
        Some(until) => format!("the last could go at {}", at(until)),
        None => "a budget lets none go".to_owned(),
    };
    let late = match report.late {
        0 => String::new(),
        late => format!(
            "; {late} will be of no use when it is their turn: raise the budgets, or include people in waves"
        ),
    };
    format!(
        "{} mails wait for the budgets, {until}{late}",
        deliveries.waiting
    )
}

fn words(happening: &Happening) -> String {
    let Happening { event, step, .. } = happening;
    let step = step.as_ref().map(|step| format!(" ({step})"));
    let of = |name: &Option<String>| {
        let name = name
            .as_ref()
            .map(|name| format!("  {}", clean_line(name, 120)));
        name.unwrap_or_default()
    };
    let mark = match (happening.rehearsed, happening.mail) {
        (true, _) => "  [report-only]",
        (false, true) => "  [mail]",
        (false, false) => "",
    };
    format!(
        "{event}{}{}{}{mark}",
        step.unwrap_or_default(),
        of(&happening.policy),
        of(&happening.user_principal_name)
    )
}

fn at(at: Timestamp) -> String {
    at.to_string()
}
