//! `doctor`: every outside part is tried for real, and each line that is bad says what mends it.
//!
//! Nothing is written, queued or sent, and nothing is tried twice: somebody looks on.

mod exports;
mod graph;
mod mail;
mod webhook;

use std::path::Path;

use rustix::fs::{Access, access};
use serde::Serialize;

use super::output::{Format, Printer};
use crate::config::{Config, Directory};
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE};
use crate::store::{Store, StoreError};

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
    Bad,
    /// Something else has to be mended first.
    NotTried,
}

impl Check {
    fn new(part: impl Into<String>, result: Result<String, String>) -> Self {
        let (verdict, text) = match result {
            Ok(text) => (Verdict::Good, text),
            Err(text) => (Verdict::Bad, text),
        };
        Self {
            part: part.into(),
            verdict,
            text,
        }
    }

    fn not_tried(part: impl Into<String>, why: &str) -> Self {
        Self {
            part: part.into(),
            verdict: Verdict::NotTried,
            text: why.to_owned(),
        }
    }
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::NotTried => "not tried",
        }
    }
}

pub(super) async fn run(config: &Config, format: Format, out: &mut Printer) -> anyhow::Result<u8> {
    let mut checks = vec![Check::new("database", database(config).await)];
    match &config.directory {
        Directory::Files(exports) => checks.extend(exports::checks(config, exports).await),
        Directory::Graph(graph) => checks.extend(graph::checks(config, graph).await),
    }
    checks.extend(secrets(config));
    checks.extend(mail::check(config).await);
    checks.extend(webhook::checks(config).await);
    let code = if checks.iter().all(|check| check.verdict == Verdict::Good) {
        DONE
    } else {
        DEGRADED
    };
    match format {
        Format::Json => out.json(&checks)?,
        Format::Csv => {
            let mut csv = out.csv(&["part", "verdict", "text"])?;
            for check in checks {
                csv.row(&[check.part.as_str(), check.verdict.word(), &check.text])?;
            }
            csv.end()?;
        }
        Format::Table => {
            let width = checks.iter().map(|check| check.part.len()).max();
            for Check {
                part,
                verdict,
                text,
            } in checks
            {
                let (word, width) = (verdict.word(), width.unwrap_or(0));
                out.item(&format!("{part:width$}  {word:9}  "), &text)?;
            }
        }
    }
    Ok(code)
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
async fn database(config: &Config) -> Result<String, String> {
    let path = config.database.display();
    let store = match Store::open_existing(&config.database).await {
        Ok(store) => store,
        Err(StoreError::Absent(database)) => return can_be_made(&database),
        Err(error) => return Err(chain(&error)),
    };
    let sound = async {
        store.check_integrity().await?;
        store.try_write().await
    };
    let sound = sound.await;
    store.close().await;
    sound.map_err(|error| chain(&error))?;
    Ok(format!("{path} is whole and takes writes"))
}

/// Whether the first pass can make the database.
fn can_be_made(database: &Path) -> Result<String, String> {
    let path = database.display();
    // A relative path of one step has an empty parent: the present folder.
    let folder = match database.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
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
