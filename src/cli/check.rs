//! `check`, and how every command loads its configuration.

pub(super) mod audits;
pub(super) mod folders;
mod languages;
pub(super) mod names;
pub(super) mod prompts;
pub(super) mod roster;
mod summary;
mod switched;
#[cfg(test)]
mod twins;

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Context as _;
use jiff::Timestamp;

use self::roster::Roster;
use super::Usage;
use super::args::{Cli, Command};
use super::moment::Moment;
use super::output::{Printer, foreign};
use super::screen::Screen;
use crate::config::{Config, Directory, Fault, Faults};
use crate::desk::{Reader, capacity};
use crate::domain::language::Language;
use crate::domain::scope::Reach;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE, WRONG};
use crate::sources::files::{self, Folder};
use crate::store::StoreError;
use crate::time::Clock;

/// Loads the configuration, or says everything that is wrong with it.
pub(super) fn load(cli: &Cli) -> Result<Config, Usage> {
    let (config, warnings) = Config::of_process(cli.config.as_deref(), present(cli))
        .map_err(|faults| Usage(render(&faults, Screen::stderr(cli.color))))?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    Ok(config)
}

/// The present; of a rehearsal of a later day, that day.
fn present(cli: &Cli) -> Timestamp {
    let rehearsed = match &cli.command {
        Command::Cycle(args) => args.as_of.map(Moment::latest),
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
fn render(faults: &Faults, screen: Screen) -> String {
    let text: String = faults.0.iter().map(|fault| shown(fault, screen)).collect();
    format!("{} in the configuration\n{text}", faults.counted())
}

fn shown(fault: &Fault, screen: Screen) -> String {
    match screen.width() {
        Some(width) => fault.render_within(width, screen.is_colored()),
        None => fault.render(screen.is_colored()),
    }
}

/// `strict` has names that mean nobody, which only the directory can tell, end with 3.
pub(super) async fn run(cli: &Cli, strict: bool, out: &mut Printer) -> anyhow::Result<u8> {
    let path = path(cli);
    let now = Clock::system().now();
    let (config, mut faults) = match Config::of_process(Some(&path), now) {
        Ok(loaded) => loaded,
        Err(faults) => return Ok(refuse(&faults, Screen::stderr(cli.color))),
    };
    faults.extend(folders::faults(&config));
    let (reader, unusable) = match Reader::open(&config).await {
        Ok(reader) => (Some(reader), None),
        Err(error) => (None, Some(error).filter(|error| !is_absent(error))),
    };
    let known = known(&config, reader.as_ref(), now).await?;
    let is_degraded = strict && !known.strays.is_empty();
    faults.extend(known.strays);
    let faults = Faults::sorted(faults);
    if !faults.are_warnings() {
        return Ok(refuse(&faults, Screen::stderr(cli.color)));
    }
    for warning in &faults.0 {
        out.line(shown(warning, out.screen()).trim_end())?;
    }
    let lines = summary::lines(&config, &known.reached, now);
    let longest = lines.iter().map(|(label, _)| label.chars().count()).max();
    let column = longest.unwrap_or(0).min(LABEL) + 2;
    for (label, text) in lines {
        out.entry(&label, &foreign(&text), column)?;
    }
    let mut notes = Vec::new();
    if audits::are_absent(&config, reader.as_ref()) {
        notes.push(audits::UNSEEN.to_owned());
    }
    if prompts::are_absent(&config) {
        notes.push(prompts::UNSEEN.to_owned());
    }
    if let Some(reader) = &reader {
        notes.extend(switched::shortened(reader, now).await?);
    }
    notes.extend(languages::untranslated(&config, &known.languages));
    notes.extend(known.unreadable);
    notes.extend(known.empty_groups.iter().map(|name| empty(name)));
    notes.extend(
        known
            .people
            .and_then(|people| capacity::shortage(&config, people, now)),
    );
    notes.extend(unusable.map(|error| chain(&error)));
    for note in notes {
        out.item("note: ", &foreign(&note))?;
    }
    let end = match faults.0.len() {
        0 => format!("{}: the configuration is good", path.display()),
        _ => format!(
            "{}: the configuration is good, with {}",
            path.display(),
            faults.counted()
        ),
    };
    out.text(&end)?;
    Ok(if is_degraded { DEGRADED } else { DONE })
}

/// A label is no longer than this, else its text stands below it.
const LABEL: usize = 22;

/// What is said of a group without members.
pub(super) fn empty(name: &str) -> String {
    format!("the group {name:?} has no members: nobody is included or excluded by it")
}

/// What the directory says of the policies, as far as anybody knows it.
#[derive(Default)]
struct Known {
    strays: Vec<Fault>,
    reached: Vec<Option<Reach>>,
    /// Who is in scope of any policy that is on; by exports, everybody who can sign in.
    people: Option<u64>,
    empty_groups: BTreeSet<String>,
    /// In which languages people are written to, where that is known; none: they prefer none.
    languages: BTreeSet<Option<Language>>,
    /// Exports that a pass could not read.
    unreadable: Vec<String>,
}

impl Known {
    fn by_exports(config: &Config, roster: &Roster) -> Self {
        let errors = [roster.users().err(), roster.groups().and_then(Result::err)];
        let unreadable = errors.into_iter().flatten().map(|error| chain(error));
        Self {
            strays: names::by_exports(config, roster),
            reached: config
                .policies
                .iter()
                .map(|policy| roster.reach(policy))
                .collect(),
            people: roster.enabled(),
            empty_groups: roster.empty_groups(config),
            languages: roster.languages(),
            unreadable: unreadable.collect(),
        }
    }
}

/// By the last snapshot, or by the exports where no pass has read them.
async fn known(config: &Config, reader: Option<&Reader>, now: Timestamp) -> anyhow::Result<Known> {
    let by_snapshot = match reader {
        Some(reader) => names::by_snapshot(config, reader).await?,
        None => None,
    };
    if let (Some(reader), Some(strays)) = (reader, by_snapshot) {
        let mut reached = Vec::with_capacity(reader.policies.len());
        for policy in &reader.policies {
            reached.push(Some(reader.store.reach(policy).await?));
        }
        let preferred = reader.store.languages().await?;
        let preferred = preferred
            .iter()
            .map(|tag| Language::of_preference(tag.as_deref()?));
        return Ok(Known {
            strays,
            reached,
            people: Some(reader.store.in_scope(&reader.policies).await? as u64),
            empty_groups: BTreeSet::new(),
            languages: preferred.collect(),
            unreadable: Vec::new(),
        });
    }
    let config = config.clone();
    let read = move || match folder(&config) {
        Some(folder) => Known::by_exports(&config, &Roster::read(&config, &folder, now)),
        None => Known {
            reached: vec![None; config.policies.len()],
            ..Known::default()
        },
    };
    let read = tokio::task::spawn_blocking(read).await;
    read.context("reading the exports")
}

fn refuse(faults: &Faults, screen: Screen) -> u8 {
    eprintln!("fortnight: {}", render(faults, screen));
    WRONG
}

/// There is no database yet: nothing to say about it.
fn is_absent(error: &StoreError) -> bool {
    matches!(error, StoreError::Absent(_))
}
