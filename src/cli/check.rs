//! `check`, and how every command loads its configuration.

pub(super) mod audits;
pub(super) mod names;
pub(super) mod prompts;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use jiff::Timestamp;
use terminal_size::{Height, Width, terminal_size_of};

use super::Usage;
use super::args::{Cli, Color, Command};
use super::output::Printer;
use crate::config::{Config, Directory, Fault, Faults};
use crate::desk::{Reader, capacity};
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, WRONG};
use crate::sources::files::{self, Folder};
use crate::store::StoreError;
use crate::time::Clock;

/// Loads the configuration, or says everything that is wrong with it.
pub(super) fn load(cli: &Cli) -> Result<Config, Usage> {
    let (config, warnings) = Config::of_process(cli.config.as_deref(), present(cli))
        .map_err(|faults| Usage(render(&faults, cli.color)))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// The present; of a rehearsal of a later day, that day.
fn present(cli: &Cli) -> Timestamp {
    let rehearsed = match &cli.command {
        Command::Cycle(args) => args.as_of,
        _ => None,
    };
    let now = Clock::system().now();
    rehearsed.map_or(now, |as_of| as_of.max(now))
}

/// The folder of exports, where there is one that can be looked at.
fn folder(config: &Config) -> Option<Folder> {
    let Directory::Files(exports) = &config.directory else {
        return None;
    };
    files::scan(&exports.path, exports.dates).ok()
}

fn path(cli: &Cli) -> PathBuf {
    cli.config.clone().unwrap_or_else(Config::find)
}

/// Everything that is wrong, for stderr.
fn render(faults: &Faults, color: Color) -> String {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let width = terminal_size_of(std::io::stderr());
    let text: String = faults
        .0
        .iter()
        .map(|fault| shown(fault, width, color))
        .collect();
    format!("{} in the configuration\n{text}", faults.counted())
}

fn shown(fault: &Fault, width: Option<(Width, Height)>, color: bool) -> String {
    match width {
        Some((Width(width), _)) => fault.render_within(usize::from(width), color),
        None => fault.render(color),
    }
}

/// `strict` has names that mean nobody, which only the directory can tell, end with 3.
pub(super) async fn run(cli: &Cli, strict: bool, out: &mut Printer) -> anyhow::Result<u8> {
    let path = path(cli);
    let (config, mut faults) = match Config::of_process(Some(&path), present(cli)) {
        Ok(loaded) => loaded,
        Err(faults) => return Ok(refuse(&faults, cli.color)),
    };
    let (reader, unusable) = match Reader::open(&config).await {
        Ok(reader) => (Some(reader), None),
        Err(error) => (None, Some(error).filter(|error| !is_absent(error))),
    };
    let strays = names::faults(&config, reader.as_ref()).await?;
    let is_degraded = strict && !strays.is_empty();
    faults.extend(strays);
    let faults = Faults::sorted(faults);
    if !faults.are_warnings() {
        return Ok(refuse(&faults, cli.color));
    }
    let width = terminal_size_of(std::io::stdout());
    for warning in &faults.0 {
        out.line(shown(warning, width, false).trim_end())?;
    }
    let policies = match config.policies.len() {
        1 => "one policy".to_owned(),
        count => format!("{count} policies"),
    };
    out.line(format!("{}: {policies}", path.display()))?;
    out.line(format!(
        "passes: {}",
        config
            .schedule
            .poll
            .iter()
            .map(crate::time::CronPattern::describe)
            .collect::<Vec<_>>()
            .join("; ")
    ))?;
    if audits::are_absent(&config, reader.as_ref()) {
        out.line(format!("note: {}", audits::UNSEEN))?;
    }
    if prompts::are_absent(&config) {
        out.line(format!("note: {}", prompts::UNSEEN))?;
    }
    let people = match &reader {
        Some(reader) if reader.world.users.is_some() => {
            Some(reader.store.in_scope(&reader.policies).await? as u64)
        }
        _ => names::people(&config).await?,
    };
    if let Some(line) =
        people.and_then(|people| capacity::shortage(&config, people, Clock::system().now()))
    {
        out.line(format!("note: {line}"))?;
    }
    if let Some(error) = unusable {
        out.line(format!("note: {}", chain(&error)))?;
    }
    out.line("the configuration is good")?;
    Ok(if is_degraded { DEGRADED } else { DONE })
}

fn refuse(faults: &Faults, color: Color) -> u8 {
    eprintln!("fortnight: {}", render(faults, color));
    WRONG
}

/// There is no database yet: nothing to say about it.
fn is_absent(error: &StoreError) -> bool {
    matches!(error, StoreError::Absent(_))
}
