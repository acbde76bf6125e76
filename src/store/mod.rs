//! The store: every fact, decision and mail, in one database.
//!
//! It speaks verbs (`absorb`, `load`, `commit`, `claim`, `settle`), one transaction each; no
//! transaction leaves this floor. What is `SQLite`'s own stands in `db`; every statement elsewhere
//! is one that `PostgreSQL` understands as well, which `tests/house/statements` tries.

pub mod acts;
pub mod addresses;
pub mod approvals;
pub mod changes;
mod commit;
mod db;
pub mod destinations;
mod error;
pub mod holds;
mod kept;
pub mod lines;
pub mod lists;
pub mod load;
pub mod lock;
pub mod log;
pub mod logs;
pub mod memberships;
mod numbers;
pub mod outbox;
pub mod outcome;
pub mod people;
pub mod prune;
pub mod read;
mod records;
mod references;
mod rows;
mod schema;
pub mod settings;
pub mod sources;
mod staging;
pub mod standings;
mod totals;

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

pub use error::{Loss, StoreError};
pub use rows::Whom;

use crate::private;
use crate::time::{from_micros, to_micros as micros};
use db::{Pool, ROWS_PER_STATEMENT, Write};
use error::{Doing, unusable};
use lock::Mark;
use schema::MIGRATED;

/// What no database of ours is without.
const OURS: [&str; 4] = [MIGRATED, "meta", "people", "outbox"];

/// How long a trial write waits for other writers.
const TRIAL: Duration = Duration::from_secs(2);

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    /// The file that was opened.
    file: Option<(u64, u64)>,
    write: Pool,
    read: Pool,
}

impl Store {
    /// Opens the database for a process that writes, and makes it if it is not there yet.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let mark = Mark::of(path);
        if !mark.is_made && !path.exists() {
            private::create_new(path).map_err(|source| unusable("open", path, source.into()))?;
        }
        let store = Self::found(path, &mark).await?;
        store.migrate().await?;
        store.assert_durable().await?;
        store.try_write().await?;
        let installation = store.installation(mark.installation).await?;
        tracing::debug!(
            "opened the database {} of installation {installation}",
            path.display()
        );
        lock::set_mark(path, &installation).map_err(|source| StoreError::Lock {
            path: lock::mark(path),
            source,
        })?;
        Ok(store)
    }

    /// Opens the database for a command that reads or records an operator's act.
    pub async fn open_existing(path: &Path) -> Result<Self, StoreError> {
        let store = Self::open_to_copy(path).await?;
        store.refuse_older().await?;
        Ok(store)
    }

    /// Opens a database that may be of an earlier version, to copy it.
    pub async fn open_to_copy(path: &Path) -> Result<Self, StoreError> {
        let mark = Mark::of(path);
        if !mark.is_made && emptiness(path).is_some() {
            return Err(StoreError::Absent(path.to_owned()));
        }
        Self::found(path, &mark).await
    }

    /// The database that is there, unless it is not the one that its mark speaks of (rule 7.15), or
    /// a newer program's or another's.
    async fn found(path: &Path, mark: &Mark) -> Result<Self, StoreError> {
        let lost = |loss| StoreError::Vanished {
            path: path.to_owned(),
            mark: lock::mark(path),
            loss,
        };
        if is_closed(path) {
            return Err(StoreError::Closed(path.to_owned()));
        }
        // SQLite would take an empty file for a new database.
        if let Some(loss) = emptiness(path).filter(|_| mark.is_made) {
            return Err(lost(loss));
        }
        let failed = |verb, source| {
            if mark.is_made && db::is_none(&source) {
                lost(Loss::Unreadable)
            } else {
                unusable(verb, path, source)
            }
        };
        tighten(path);
        let (write, read) = db::open(path)
            .await
            .map_err(|source| failed("open", source))?;
        let store = Self {
            path: path.to_owned(),
            file: identity(path),
            write,
            read,
        };
        let looked = async {
            let tables = db::tables(&store.read)
                .await
                .map_err(|source| failed("read", source))?;
            let is_ours = OURS
                .iter()
                .all(|table| tables.iter().any(|found| found == table));
            if mark.is_made && !is_ours {
                return Err(lost(Loss::Bare));
            }
            if !tables.is_empty() && !tables.iter().any(|table| table == MIGRATED) {
                return Err(StoreError::Foreign {
                    path: path.to_owned(),
                });
            }
            if is_ours
                && let Some(found) = store.setting(&settings::INSTANCE).await?
                && mark
                    .installation
                    .as_ref()
                    .is_some_and(|marked| *marked != found)
            {
                return Err(lost(Loss::Exchanged));
            }
            store.refuse_newer().await
        };
        let looked = looked.await;
        if looked.is_err() {
            store.close().await;
        }
        looked.map(|()| store)
    }

    /// Which installation the database is of: it says so itself, or it is as old as its mark, or new.
    async fn installation(&self, marked: Option<String>) -> Result<String, StoreError> {
        if let Some(known) = self.setting(&settings::INSTANCE).await? {
            return Ok(known);
        }
        let name = marked.unwrap_or_else(|| format!("urn:uuid:{}", uuid::Uuid::new_v4()));
        self.set(&settings::INSTANCE, &name).await?;
        Ok(name)
    }

    /// Whether the file that was opened still stands where it stood: one that is not read by its
    /// name any more takes writes that nobody will find.
    pub fn still_there(&self) -> Result<(), StoreError> {
        if let Some(loss) = emptiness(&self.path) {
            return Err(StoreError::Vanished {
                path: self.path.clone(),
                mark: lock::mark(&self.path),
                loss,
            });
        }
        if identity(&self.path) != self.file {
            return Err(StoreError::Replaced {
                path: self.path.clone(),
            });
        }
        Ok(())
    }

    /// The database file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Closes every connection; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }

    async fn assert_durable(&self) -> Result<(), StoreError> {
        let fault = db::not_durable(&self.write)
            .await
            .doing("asking how the file is written")?;
        match fault {
            None => Ok(()),
            Some((setting, found)) => Err(StoreError::Durability {
                path: self.path.clone(),
                setting,
                found,
            }),
        }
    }

    /// The database's own check of its file, when `run` starts.
    pub async fn check_integrity(&self) -> Result<(), StoreError> {
        let damage = db::damage(&self.read)
            .await
            .map_err(|source| unusable("check", &self.path, source))?;
        match damage {
            None => Ok(()),
            Some(detail) => Err(StoreError::Corrupt {
                path: self.path.clone(),
                detail,
            }),
        }
    }

    /// Tries whether the database takes writes: it writes a row and takes it back, because a
    /// read-only one lets a writer begin. Another writer at work is no fault.
    pub async fn try_write(&self) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.begin().await?;
            settings::try_write(&mut transaction)
                .await
                .map_err(|source| unusable("write", &self.path, source))?;
            transaction.rollback().await.doing("taking a trial back")
        };
        tokio::time::timeout(TRIAL, write).await.unwrap_or(Ok(()))
    }

    /// Copies the database as it is into a new file.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        private::create_new(path).map_err(|source| unusable("write", path, source.into()))?;
        db::copy(&self.read, path)
            .await
            .doing("copying the database")
    }

    async fn begin(&self) -> Result<Write, StoreError> {
        db::begin(&self.write)
            .await
            .map_err(|source| unusable("write", &self.path, source))
    }
}

/// The database and all that is kept beside it, be it there or not.
#[must_use]
pub fn files(database: &Path) -> Vec<PathBuf> {
    let beside = [lock::mark(database), kept::outcomes(database)];
    db::files(database).into_iter().chain(beside).collect()
}

/// Whether there is nothing to be opened.
fn emptiness(path: &Path) -> Option<Loss> {
    match std::fs::metadata(path) {
        Ok(found) => (found.len() == 0).then_some(Loss::Empty),
        Err(error) => (error.kind() == std::io::ErrorKind::NotFound).then_some(Loss::Gone),
    }
}

/// Whether a file is where this user may not look.
fn is_closed(path: &Path) -> bool {
    std::fs::metadata(path).is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Tells a file from one that takes its place.
fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = std::fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// The database and what `SQLite` keeps beside it are their owner's alone; it makes those as it finds
/// the database.
fn tighten(path: &Path) {
    for file in db::files(path) {
        if let Err(error) = private::tighten(&file) {
            tracing::warn!("others may read {}: {error}", file.display());
        }
    }
}

/// An instant from storage; one beyond every calendar is held at the end of time.
fn instant(micros: i64) -> Timestamp {
    from_micros(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Reads an enum by the name that serde gives it.
fn parse_name<T: serde::de::DeserializeOwned>(
    table: &'static str,
    key: &str,
    column: &'static str,
    name: &str,
) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).map_err(|_| {
        StoreError::Inconsistent {
            table,
            key: key.to_owned(),
            column,
            value: name.to_owned(),
        }
    })
}

/// The name that serde gives an enum.
fn name_of<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => name,
        other => unreachable!("only enums without fields are named: {other:?}"),
    }
}

#[cfg(test)]
mod tests;
