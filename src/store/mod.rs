//! The store: every fact, decision and mail, in one database.
//!
//! It speaks verbs (`absorb`, `load`, `commit`, `claim`, `settle`), one transaction each; no
//! transaction leaves this floor. What is `SQLite`'s own stands in `db`; every statement elsewhere
//! is one that `PostgreSQL` understands as well, which `tests/house/statements` tries.

pub mod acts;
pub mod addresses;
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

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Transaction;

pub use error::StoreError;
pub use rows::Whom;

use crate::time::{from_micros, to_micros as micros};
use db::{Db, Pool, ROWS_PER_STATEMENT};
use error::{Doing, unusable};

/// How long a trial write waits for other writers.
const TRIAL: Duration = Duration::from_secs(2);

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    write: Pool,
    read: Pool,
}

impl Store {
    /// Opens the database for a process that writes, and makes it if it is not there yet.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        let mark = lock::mark(path);
        if !path.exists() && lock::is_marked(path) {
            return Err(StoreError::Vanished {
                path: path.to_owned(),
                mark,
            });
        }
        let store = Self::connect(path, true).await?;
        store.refuse_newer().await?;
        store.migrate().await?;
        store.assert_durable().await?;
        store.try_write().await?;
        lock::set_mark(path).map_err(|source| StoreError::Lock { path: mark, source })?;
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
        if !path.exists() {
            let mark = lock::mark(path);
            return Err(if lock::is_marked(path) {
                StoreError::Vanished {
                    path: path.to_owned(),
                    mark,
                }
            } else {
                StoreError::Absent(path.to_owned())
            });
        }
        let store = Self::connect(path, false).await?;
        store.refuse_newer().await?;
        Ok(store)
    }

    async fn connect(path: &Path, create: bool) -> Result<Self, StoreError> {
        let (write, read) = db::open(path, create)
            .await
            .map_err(|source| unusable("open", path, source))?;
        Ok(Self {
            path: path.to_owned(),
            write,
            read,
        })
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
        db::copy(&self.read, path)
            .await
            .doing("copying the database")
    }

    async fn begin(&self) -> Result<Transaction<'static, Db>, StoreError> {
        db::begin(&self.write)
            .await
            .map_err(|source| unusable("write", &self.path, source))
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
