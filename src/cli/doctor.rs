//! `doctor`: every outside part is tried for real, and each line that is bad says what mends it.
//!
//! Nothing is written, queued or sent, and nothing is tried twice: somebody looks on.

mod certificate;
mod exports;
mod graph;
mod mail;
mod owners;
mod refusal;
mod tenant;
mod webhook;

use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{Access, access};
use serde::Serialize;

use super::moment::Moment;
use super::output::{Format, Printer, foreign};
use super::screen::Tone;
use super::times::Times;
use crate::config::{Config, Directory};
use crate::entra::Credential;
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE};
use crate::private;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    part: String,
    verdict: Verdict,
    /// What was seen, and what mends it.
    text: String,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Good,
    /// It works, and somebody should know.
    Warning,
    Bad,
    /// Something else has to be mended first.
    NotTried,
    /// It takes a permission that nothing else needs.
    NotLookedAt,
}

impl Check {
    fn new(part: impl Into<String>, result: Result<String, String>) -> Self {
        match result {
            Ok(text) => Self::of(part, Verdict::Good, text),
            Err(text) => Self::of(part, Verdict::Bad, text),
        }
    }

    fn of(part: impl Into<String>, verdict: Verdict, text: impl Into<String>) -> Self {
        Self {
            part: part.into(),
            verdict,
            text: text.into(),
        }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
            Self::NotTried => "not tried",
            Self::NotLookedAt => "not seen",
        }
    }

    fn tone(self) -> Tone {
        match self {
            Self::Good => Tone::Good,
            Self::Warning => Tone::Watch,
            Self::Bad => Tone::Bad,
            Self::NotTried | Self::NotLookedAt => Tone::Faint,
        }
    }

    fn is_sound(self) -> bool {
        match self {
            Self::Good | Self::Warning | Self::NotLookedAt => true,
            Self::Bad | Self::NotTried => false,
        }
    }
}

/// How wide the words of verdicts are.
const WORD: usize = 9;

/// A part is no wider than this beside its text.
const PART: usize = 26;

/// `as_of` has the age of exports measured against that time, for rehearsals.
pub(super) async fn run(
    config: &Config,
    as_of: Option<Moment>,
    format: Format,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let host_now = Clock::system().now();
    let now = as_of.map_or(host_now, |moment| moment.within(&config.zone));
    // Before the database is open: then there are files beside it that go when it is closed.
    let owners = owners::check(config);
    let store = Store::open_existing(&config.database).await;
    let mut checks = vec![Check::new("database", database(config, &store).await)];
    checks.extend(owners);
    let store = store.ok();
    match &config.directory {
        Directory::Files(exports) => {
            checks.extend(exports::checks(config, exports, store.as_ref(), now).await);
            checks.push(Check::new(
                "clock",
                clock(config, store.as_ref(), host_now).await,
            ));
        }
        Directory::Graph(graph) => {
            checks.extend(graph::checks(config, graph).await);
            if let Credential::Certificate(certificate) = &graph.application.credential {
                checks.extend(certificate::ours(certificate, host_now));
            }
        }
    }
    checks.extend(secrets(config));
    checks.extend(mail::checks(config, host_now).await);
    checks.extend(webhook::checks(config, store.as_ref(), host_now).await);
    if let Some(store) = store {
        store.close().await;
    }
    let code = if checks.iter().all(|check| check.verdict.is_sound()) {
        DONE
    } else {
        DEGRADED
    };
    print(&checks, format, out)?;
    Ok(code)
}

fn print(checks: &[Check], format: Format, out: &mut Printer) -> std::io::Result<()> {
    match format {
        Format::Json => out.json(&checks),
        Format::Csv => {
            let mut csv = out.csv(&["part", "verdict", "text"])?;
            for check in checks {
                csv.row(&[check.part.as_str(), check.verdict.word(), &check.text])?;
            }
            csv.end()
        }
        Format::Table => {
            let parts = checks.iter().map(|check| check.part.chars().count());
            let column = parts.max().unwrap_or(0).min(PART);
            for Check {
                part,
                verdict,
                text,
            } in checks
            {
                let before = format!("{:column$}  ", foreign(part));
                let label = format!("{before}{}", verdict.word());
                let screen = out.screen();
                let entry = screen.entry(&label, &foreign(text), column + WORD + 4);
                out.line(match entry.strip_prefix(&label) {
                    Some(rest) => {
                        let word = screen.paint(verdict.tone(), verdict.word());
                        format!("{before}{word}{rest}")
                    }
                    None => entry,
                })?;
            }
            Ok(())
        }
    }
}

/// Which secrets others on this machine can read.
fn secrets(config: &Config) -> Option<Check> {
    let exposed = &config.exposed;
    let text = || {
        let keys = exposed.join(", ");
        format!(
            "others can read what {keys} names: leave it to the user that runs fortnight, chmod 600"
        )
    };
    (!exposed.is_empty()).then(|| Check::new("secrets", Err(text())))
}

/// Whether the database can be opened, is whole and takes writes.
async fn database(config: &Config, store: &Result<Store, StoreError>) -> Result<String, String> {
    let path = config.database.display();
    let store = match store {
        Ok(store) => store,
        Err(StoreError::Absent(database)) => return can_be_made(database),
        Err(error) => return Err(chain(error)),
    };
    let sound = async {
        store.check_integrity().await?;
        store.try_write().await
    };
    sound.await.map_err(|error: StoreError| chain(&error))?;
    Ok(format!("{path} is whole and takes writes"))
}

/// Whether the first pass can make the database.
fn can_be_made(database: &Path) -> Result<String, String> {
    let path = database.display();
    let folder = private::folder_of(database);
    if !folder.is_dir() {
        return Err(format!(
            "the folder of {path} does not exist: make it, owned by the user that runs fortnight"
        ));
    }
    access(folder, Access::WRITE_OK | Access::EXEC_OK).map_err(|error| {
        format!(
            "the folder of {path} takes no files ({error}): give it to the user that runs fortnight"
        )
    })?;
    Ok(format!(
        "there is none yet at {path}; the first pass makes it"
    ))
}

/// Whether the clock has gone on since the newest pass that it told the time of: no other clock can be asked
/// here.
async fn clock(config: &Config, store: Option<&Store>, now: Timestamp) -> Result<String, String> {
    let newest = match store {
        Some(store) => store.newest_clocked_pass().await.ok().flatten(),
        None => None,
    };
    let times = Times::new(config, now);
    let stands = format!("it stands at {} in {}", times.at(now), times.zone());
    match newest {
        Some(newest) if newest > now => Err(format!(
            "{stands}, behind the newest pass of {}: set it, by systemd-timesyncd or chrony for example; until then flags are held and nothing is said",
            times.at(newest)
        )),
        _ => Ok(stands),
    }
}
