//! `check`, and how every command loads its configuration.

pub(super) mod audits;
pub(super) mod names;
pub(super) mod prompts;

use std::io::IsTerminal as _;
use std::path::PathBuf;

use super::Usage;
use super::args::{Cli, Color};
use super::output::Printer;
use crate::config::{Config, Directory, Fault, Severity};
use crate::desk::{Reader, capacity};
use crate::domain::policy::Mode;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, WRONG};
use crate::sources::files::{self, Folder};
use crate::store::StoreError;
use crate::time::Clock;

/// Loads the configuration, or says everything that is wrong with it.
pub(super) fn load(cli: &Cli) -> Result<Config, Usage> {
    let (config, warnings) = Config::of_process(cli.config.as_deref())
        .map_err(|faults| Usage(render(&faults.0, cli.color)))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
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

fn render(faults: &[Fault], color: Color) -> String {
    let color = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let count = if faults.len() == 1 {
        "one fault".to_owned()
    } else {
        format!("{} faults", faults.len())
    };
    let text: String = faults.iter().map(|fault| fault.render(color)).collect();
    format!("{count} in the configuration\n{text}")
}

/// `strict` has names that mean nobody, which only the directory can tell, end with 3.
pub(super) async fn run(cli: &Cli, strict: bool, out: &mut Printer) -> anyhow::Result<u8> {
    let path = path(cli);
    let (config, mut faults) = match Config::of_process(Some(&path)) {
        Ok(loaded) => loaded,
        Err(faults) => return Ok(refuse(&faults.0, cli.color)),
    };
    let (reader, unusable) = match Reader::open(&config).await {
        Ok(reader) => (Some(reader), None),
        Err(error) => (None, Some(error).filter(|error| !is_absent(error))),
    };
    let strays = names::faults(&config, reader.as_ref()).await?;
    let is_degraded = strict && !strays.is_empty();
    faults.extend(strays);
    faults.sort_by_key(|fault| (fault.severity, fault.position()));
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        return Ok(refuse(&faults, cli.color));
    }
    for warning in &faults {
        out.line(warning.render(false).trim_end())?;
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
    out.line(format!("mode: {}", assumed(config.mode)))?;
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

/// What mails rely on (rule 7.27).
fn assumed(mode: Mode) -> &'static str {
    match mode {
        Mode::Flag => "flag: nothing in Entra follows; mails ask, and the service desk follows up",
        Mode::Native => {
            "native: the registration policy of ID Protection is on for the same people, with 14 days of its own"
        }
    }
}

fn refuse(faults: &[Fault], color: Color) -> u8 {
    eprintln!("fortnight: {}", render(faults, color));
    WRONG
}

/// There is no database yet: nothing to say about it.
fn is_absent(error: &StoreError) -> bool {
    matches!(error, StoreError::Absent(_))
}
