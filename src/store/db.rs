//! What `SQLite` does its own way: how its file is opened and kept, how a write begins, and what its
//! codes mean. Every statement elsewhere is one that `PostgreSQL` understands as well.
//!
//! WAL with `synchronous=FULL`: a commit that was acknowledged survives a power cut (with NORMAL it
//! would not). One writer, `BEGIN IMMEDIATE`, because a reader that turns writer fails at once as
//! busy.

use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};

pub(super) use sqlx::SqliteExecutor as Executor;

pub(super) type Db = sqlx::Sqlite;
pub(super) type Connection = sqlx::SqliteConnection;
pub(super) type Pool = SqlitePool;
pub(super) type Row = sqlx::sqlite::SqliteRow;

/// Rows of one multi-row statement: `SQLite` takes 32,766 values in one.
pub(super) const ROWS_PER_STATEMENT: usize = 500;

/// Rows that the driver's thread reads ahead: waking a reader for each costs more than reading.
const ROWS_BUFFERED: usize = 1_024;

/// A pass reads on one connection ahead of what it decides about; each has a cache of its own.
const READERS: u32 = 2;

/// A reader that turns writer would fail at once as busy.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// Pages after which the write-ahead log is folded into the file, 16 MB: batches of people touch
/// the same pages again and again.
const CHECKPOINT_PAGES: &str = "4000";

/// How long a writer waits for another process's write: a first import holds the lock for long.
const BUSY_TIMEOUT: Duration = Duration::from_mins(1);

/// The database and what stands beside it while it is open.
pub(super) fn files(path: &Path) -> [PathBuf; 3] {
    ["", "-wal", "-shm"].map(|end| {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        name.into()
    })
}

/// Opens the file: the connection that writes, and those that read.
pub(super) async fn open(path: &Path) -> Result<(Pool, Pool), sqlx::Error> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .statement_cache_capacity(64)
        .row_buffer_size(ROWS_BUFFERED)
        .pragma("cache_size", "-32768")
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("temp_store", "memory");
    let write = pool()
        .max_connections(1)
        .connect_with(options.clone())
        .await?;
    let read_only = options.read_only(true).pragma("cache_size", "-16384");
    let read = pool()
        .max_connections(READERS)
        .connect_with(read_only)
        .await?;
    Ok((write, read))
}

/// Connections to a file need no renewal. sqlx's task for that, which counts idle connections
/// while others take them, has been seen to count below zero and to go round for ever: without
/// anything to renew it does not begin.
fn pool() -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .idle_timeout(None)
        .max_lifetime(None)
}

/// A write under way. One that is neither committed nor taken back costs its connection (rule 7.29):
/// after a full disk or a sync that failed, `SQLite` has often ended the transaction by itself while
/// the driver believes in it, and no sync is tried twice on one handle.
#[derive(Debug)]
pub(super) struct Write {
    connection: PoolConnection<Db>,
    is_over: bool,
}

/// Begins a write.
pub(super) async fn begin(pool: &Pool) -> Result<Write, sqlx::Error> {
    let mut write = Write {
        connection: pool.acquire().await?,
        is_over: false,
    };
    write.execute(BEGIN).await?;
    Ok(write)
}

impl Write {
    /// What was written stays, and survives a power cut.
    pub(super) async fn commit(mut self) -> Result<(), sqlx::Error> {
        self.execute("COMMIT").await?;
        self.is_over = true;
        Ok(())
    }

    /// Nothing was written.
    pub(super) async fn rollback(mut self) -> Result<(), sqlx::Error> {
        self.execute("ROLLBACK").await?;
        self.is_over = true;
        Ok(())
    }

    async fn execute(&mut self, statement: &'static str) -> Result<(), sqlx::Error> {
        sqlx::query(statement)
            .execute(&mut *self.connection)
            .await
            .map(drop)
    }
}

impl Deref for Write {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

impl Drop for Write {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// The tables that there are.
pub(super) async fn tables(pool: &Pool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table'")
        .fetch_all(pool)
        .await
}

/// The reminders of a deadline are a ledger: a commit must survive a power cut. A setting that the
/// file system does not keep, and what it has instead.
pub(super) async fn not_durable(
    pool: &Pool,
) -> Result<Option<(&'static str, String)>, sqlx::Error> {
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode")
        .fetch_one(pool)
        .await?;
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous")
        .fetch_one(pool)
        .await?;
    Ok(if mode != "wal" {
        Some(("journal_mode=WAL", mode))
    } else if synchronous != 2 {
        Some(("synchronous=FULL", synchronous.to_string()))
    } else {
        None
    })
}

/// Its own check of the file: what it found, if anything is wrong.
pub(super) async fn damage(pool: &Pool) -> Result<Option<String>, sqlx::Error> {
    let found: String = sqlx::query_scalar("PRAGMA quick_check(1)")
        .fetch_one(pool)
        .await?;
    Ok((found != "ok").then_some(found))
}

/// Copies the database as it is into a new file.
pub(super) async fn copy(pool: &Pool, to: &Path) -> Result<(), sqlx::Error> {
    sqlx::query("VACUUM INTO $1")
        .bind(to.to_string_lossy().into_owned())
        .execute(pool)
        .await
        .map(drop)
}

/// Whether the file is damaged, or no database at all.
pub(super) fn is_damaged(source: &sqlx::Error) -> bool {
    matches!(code(source), Some(11 | 26))
}

/// Whether the file is no database at all.
pub(super) fn is_none(source: &sqlx::Error) -> bool {
    code(source) == Some(26)
}

/// What mends a database that gives up; none for what lies in a statement.
pub(super) fn remedy(source: &sqlx::Error) -> Option<&'static str> {
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

/// Its code, without what it says more closely.
fn code(source: &sqlx::Error) -> Option<i64> {
    let code = source.as_database_error()?.code()?.parse::<i64>().ok()?;
    Some(code & 0xff)
}
