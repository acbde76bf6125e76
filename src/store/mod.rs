//! The store: every fact, decision and mail, in one `SQLite` file.
//!
//! It speaks verbs (`absorb`, `load`, `commit`, `claim`, `settle`), one transaction each; no
//! transaction leaves this floor. WAL with `synchronous=FULL`: a commit that was acknowledged
//! survives a power cut (with NORMAL it would not). One writer, `BEGIN IMMEDIATE`, because a
//! reader that turns writer fails at once as busy.

pub mod acts;
pub mod changes;
pub mod chats;
mod commit;
pub mod deliveries;
pub mod destinations;
pub mod holds;
pub mod lists;
pub mod load;
pub mod lock;
pub mod logs;
pub mod mails;
pub mod memberships;
pub mod operators;
pub mod outbox;
pub mod outcome;
pub mod people;
pub mod prune;
pub mod read;
mod records;
pub mod sources;
mod staging;
pub mod standings;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, Transaction};

use crate::time::{from_micros, to_micros as micros};

/// Rows of one multi-row statement: `SQLite` takes 32,766 values in one.
const ROWS_PER_STATEMENT: usize = 500;

/// Rows that the driver's thread reads ahead: waking a reader for each costs more than reading.
const ROWS_BUFFERED: usize = 1_024;

/// A pass reads on one connection ahead of what it decides about; each has a cache of its own.
const READERS: u32 = 2;

/// Pages after which the write-ahead log is folded into the file, 16 MB: batches of people touch
/// the same pages again and again.
const CHECKPOINT_PAGES: &str = "4000";

/// How long a writer waits for another process's write: a first import holds the lock for long.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a trial write waits for other writers.
const TRIAL: Duration = Duration::from_secs(2);

/// The schema, one folder for every database.
const MIGRATIONS: [(i64, &str, &str); 9] = [
    (
        20_261_124_090_000,
        "create facts",
        include_str!("../../migrations/20261124090000_create_facts.sql"),
    ),
    (
        20_261_124_090_100,
        "create decisions",
        include_str!("../../migrations/20261124090100_create_decisions.sql"),
    ),
    (
        20_261_124_120_000,
        "add log gap",
        include_str!("../../migrations/20261124120000_add_log_gap.sql"),
    ),
    (
        20_261_124_130_000,
        "create operator lines",
        include_str!("../../migrations/20261124130000_create_operator_lines.sql"),
    ),
    (
        20_261_124_150_000,
        "create graph readings",
        include_str!("../../migrations/20261124150000_create_graph_readings.sql"),
    ),
    (
        20_261_124_160_000,
        "create destinations",
        include_str!("../../migrations/20261124160000_create_destinations.sql"),
    ),
    (
        20_261_125_230_000,
        "add unsure people",
        include_str!("../../migrations/20261125230000_add_unsure_people.sql"),
    ),
    (
        20_261_126_070_000,
        "index what is due",
        include_str!("../../migrations/20261126070000_index_what_is_due.sql"),
    ),
    (
        20_261_128_010_000,
        "list everybody",
        include_str!("../../migrations/20261128010000_list_everybody.sql"),
    ),
];

/// What can go wrong with the store, cut by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was there once and is gone (F8).
    #[error("the database {path} is gone, but {mark} says that it was there: restore it from a backup, or remove {mark} to begin anew (every window would start again)", path = path.display(), mark = mark.display())]
    Vanished {
        /// The database.
        path: PathBuf,
        /// The mark against a vanished database.
        mark: PathBuf,
    },
    /// There is no database yet, and the command only reads.
    #[error("there is no database at {path} yet: `fortnight cycle` or `fortnight run` makes it", path = .0.display())]
    Absent(PathBuf),
    /// It cannot be opened or written.
    #[error("cannot {verb} the database {path}: {remedy}", path = path.display())]
    Unusable {
        /// What was tried.
        verb: &'static str,
        /// The database.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// What `SQLite` says.
        #[source]
        source: sqlx::Error,
    },
    /// It is damaged.
    #[error("the database {path} is damaged ({detail}): stop fortnight, keep a copy, and restore the last good backup", path = path.display())]
    Corrupt {
        /// The database.
        path: PathBuf,
        /// What the check found.
        detail: String,
    },
    /// A newer program wrote it.
    #[error("the database {path} was written by a newer fortnight (schema {found}, this program knows {known}): use that version", path = path.display())]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema that this program knows.
        known: i64,
    },
    /// The file system does not keep what it is told to keep.
    #[error("the database {path} does not run with {setting}: {found}", path = path.display())]
    Durability {
        /// The database.
        path: PathBuf,
        /// What is needed.
        setting: &'static str,
        /// What there is.
        found: String,
    },
    /// Another process runs passes on it.
    #[error(
        "another fortnight already runs on this database: {holder}. Stop it first, or leave this to it"
    )]
    Locked {
        /// Who holds the lock.
        holder: String,
    },
    /// The lock file cannot be used.
    #[error("cannot use {path}, the lock beside the database: check that its folder exists and that this user may write there", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A row that this program would not have written.
    #[error("the database holds something unexpected: {table}.{column} of {key} is {value:?}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The row.
        key: String,
        /// The column.
        column: &'static str,
        /// What is there.
        value: String,
    },
    /// Anything else.
    #[error("the database failed while {doing}{}", remedy(.source).map_or_else(String::new, |remedy| format!(": {remedy}")))]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What `SQLite` says.
        #[source]
        source: sqlx::Error,
    },
}

/// Names what was being done when a statement failed.
trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Failed { doing, source })
    }
}

/// The store.
#[derive(Debug, Clone)]
pub struct Store {
    path: PathBuf,
    write: SqlitePool,
    read: SqlitePool,
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
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(create)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY_TIMEOUT)
            .statement_cache_capacity(64)
            .row_buffer_size(ROWS_BUFFERED)
            .pragma("cache_size", "-32768")
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("temp_store", "memory");
        let unusable = |source: sqlx::Error| unusable("open", path, source);
        let write = pool()
            .max_connections(1)
            .connect_with(options.clone())
            .await
            .map_err(unusable)?;
        let read = pool()
            .max_connections(READERS)
            .connect_with(
                options
                    .read_only(true)
                    .create_if_missing(false)
                    .pragma("cache_size", "-16384"),
            )
            .await
            .map_err(unusable)?;
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

    async fn refuse_newer(&self) -> Result<(), StoreError> {
        let has_table: bool = sqlx::query_scalar(
            "SELECT COUNT(*) > 0 FROM sqlite_master WHERE name = '_sqlx_migrations'",
        )
        .fetch_one(&self.read)
        .await
        .map_err(|source| unusable("read", &self.path, source))?;
        if !has_table {
            return Ok(());
        }
        let found: Option<i64> = sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
            .fetch_one(&self.read)
            .await
            .map_err(|source| unusable("read", &self.path, source))?;
        let known = MIGRATIONS[MIGRATIONS.len() - 1].0;
        match found {
            Some(found) if found > known => Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known,
            }),
            _ => Ok(()),
        }
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        Migrator::with_migrations(migrations())
            .run(&self.write)
            .await
            .map_err(|error| match error {
                sqlx::migrate::MigrateError::Execute(source) => {
                    unusable("write", &self.path, source)
                }
                other => unusable("migrate", &self.path, sqlx::Error::Migrate(Box::new(other))),
            })
    }

    /// The reminders of a deadline are a ledger: a commit must survive a power cut.
    async fn assert_durable(&self) -> Result<(), StoreError> {
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
            .fetch_one(&self.write)
            .await
            .doing("asking for the journal mode")?;
        let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
            .fetch_one(&self.write)
            .await
            .doing("asking for the synchronous level")?;
        let fault = |setting, found| StoreError::Durability {
            path: self.path.clone(),
            setting,
            found,
        };
        if mode != "wal" {
            return Err(fault("journal_mode=WAL", mode));
        }
        if synchronous != 2 {
            return Err(fault("synchronous=FULL", synchronous.to_string()));
        }
        Ok(())
    }

    /// `SQLite`'s own check of the file, when `run` starts (F7).
    pub async fn check_integrity(&self) -> Result<(), StoreError> {
        let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
            .fetch_one(&self.read)
            .await
            .map_err(|source| unusable("check", &self.path, source))?;
        if found == "ok" {
            return Ok(());
        }
        Err(StoreError::Corrupt {
            path: self.path.clone(),
            detail: found,
        })
    }

    /// Tries whether the database takes writes: it writes a row and takes it back, because a
    /// read-only one lets a writer begin. Another writer at work is no fault.
    pub async fn try_write(&self) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.begin().await?;
            sqlx::query("INSERT INTO meta (key, value) VALUES ('trial', '')")
                .execute(&mut *transaction)
                .await
                .map_err(|source| unusable("write", &self.path, source))?;
            transaction.rollback().await.doing("taking a trial back")
        };
        tokio::time::timeout(TRIAL, write).await.unwrap_or(Ok(()))
    }

    /// Copies the database as it is into a new file.
    pub async fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        sqlx::query("VACUUM INTO $1")
            .bind(path.to_string_lossy().into_owned())
            .execute(&self.read)
            .await
            .doing("copying the database")
            .map(drop)
    }

    async fn begin(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        self.write
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(|source| unusable("write", &self.path, source))
    }
}

fn migrations() -> Vec<Migration> {
    let migrations = MIGRATIONS.into_iter().map(|(version, description, sql)| {
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    });
    migrations.collect()
}

/// Connections to a file need no renewal. sqlx's task for that, which counts idle connections
/// while others take them, has been seen to count below zero and to go round for ever: without
/// anything to renew it does not begin.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .idle_timeout(None)
        .max_lifetime(None)
}

/// A database that cannot be used, with the remedy that fits.
fn unusable(verb: &'static str, path: &Path, source: sqlx::Error) -> StoreError {
    if matches!(code(&source), Some(11 | 26)) {
        return StoreError::Corrupt {
            path: path.to_owned(),
            detail: source.to_string(),
        };
    }
    StoreError::Unusable {
        verb,
        path: path.to_owned(),
        remedy: remedy(&source).unwrap_or("check the file, its folder and the disk"),
        source,
    }
}

/// What mends a database that `SQLite` gives up on; none for what lies in a statement.
fn remedy(source: &sqlx::Error) -> Option<&'static str> {
    Some(match code(source)? {
        5 => {
            "another process has been writing for over a minute: see which with `fuser`, then try again"
        }
        8 => {
            "it is read-only: check the owner and mode of the file and of its folder, and that the disk is mounted for writing"
        }
        10 => "the disk reports an input/output error: check it before going on",
        11 | 26 => "it is damaged: stop fortnight, keep a copy, and restore the last good backup",
        13 => "the disk is full: make room, nothing was lost",
        14 => "check that its folder exists and that this user may write there",
        _ => return None,
    })
}

/// `SQLite`'s own code, without what it says more closely.
fn code(source: &sqlx::Error) -> Option<i64> {
    let code = source.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some(code & 0xff)
}

/// Which rows of a table about people a statement looks at.
#[derive(Debug, Clone)]
pub enum Whom {
    /// Ids above the first (exclusive) up to the second (inclusive).
    Range(String, String),
    /// These ids, shared by the statements that name them.
    These(Vec<Arc<str>>),
}

impl Whom {
    /// These ids.
    pub fn these<Id: AsRef<str>>(ids: impl IntoIterator<Item = Id>) -> Self {
        Self::These(ids.into_iter().map(|id| Arc::from(id.as_ref())).collect())
    }

    /// Ends a statement with the restriction of `column`.
    fn restrict(&self, statement: &mut QueryBuilder<Sqlite>, column: &'static str) {
        match self {
            Self::Range(above, to) => {
                statement.push(column).push(" > ").push_bind(above.clone());
                statement
                    .push(" AND ")
                    .push(column)
                    .push(" <= ")
                    .push_bind(to.clone());
            }
            Self::These(ids) => {
                statement.push(column).push(" IN (");
                let mut list = statement.separated(", ");
                for id in ids {
                    list.push_bind(Arc::clone(id));
                }
                statement.push(")");
            }
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

async fn set_meta(
    connection: &mut SqliteConnection,
    key: &str,
    value: &str,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO meta (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
        .execute(connection)
        .await
        .doing("writing a setting")
        .map(drop)
}

async fn meta<'e>(
    executor: impl sqlx::SqliteExecutor<'e>,
    key: &str,
) -> Result<Option<String>, StoreError> {
    sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_optional(executor)
        .await
        .doing("reading a setting")
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
