//! What can go wrong with the store, in words that say what mends it.

use std::path::{Path, PathBuf};

use super::db;
use crate::private;

/// What can go wrong with the store, cut by what the caller can do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was there once and is lost (rule 7.15).
    #[error("the database {path} {loss}, but {mark} {remedy}", path = path.display(), mark = mark.display(), remedy = loss.remedy(mark))]
    Vanished {
        /// The database.
        path: PathBuf,
        /// The mark against a lost database.
        mark: PathBuf,
        /// What is there instead.
        loss: Loss,
    },
    /// It is not the file any more that was opened.
    #[error("the database {path} was replaced while fortnight used it: start fortnight again", path = path.display())]
    Replaced {
        /// The database.
        path: PathBuf,
    },
    /// Another program's tables are in it.
    #[error("the database {path} is another program's: name a file of its own for fortnight in database.url", path = path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// There is no database yet, and the command only reads.
    #[error("there is no database at {path} yet: `fortnight cycle` or `fortnight run` makes it", path = .0.display())]
    Absent(PathBuf),
    /// It lies where only others may look.
    #[error("the folder of the database {path} is closed to this user: do this as the user that runs fortnight, or as root (`sudo`)", path = .0.display())]
    Closed(PathBuf),
    /// It cannot be opened or written.
    #[error("cannot {verb} the database {path}{owner}: {remedy}", path = path.display(), owner = owner(path))]
    Unusable {
        /// What was tried.
        verb: &'static str,
        /// The database.
        path: PathBuf,
        /// What to do.
        remedy: &'static str,
        /// What the database says.
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
    /// An older program wrote it, and no pass has brought it up to date.
    #[error("the database {path} is of an earlier fortnight: ask again after the next pass of `fortnight run` or `fortnight cycle`, which brings it up to date", path = path.display())]
    Older {
        /// The database.
        path: PathBuf,
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
    /// There is no room for what becomes of mails and webhooks, so none may leave.
    #[error("cannot use {path}, where outcomes are kept while the database cannot be written: make room on the disk, and check that this user may write there", path = path.display())]
    Outcomes {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A process that runs no passes has locked the file.
    #[error("{path} is locked by process {process} of {user}, which has not said what it is: end it, or wait for its end", path = path.display())]
    LockedByStranger {
        /// What is locked.
        path: PathBuf,
        /// Which process.
        process: u32,
        /// Whose.
        user: String,
    },
    /// The lock file cannot be used.
    #[error("cannot use {path}, the lock beside the database{owner}: check that its folder exists and that this user may write there", path = path.display(), owner = owner(path))]
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
    #[error("the database failed while {doing}{}", db::remedy(.source).map_or_else(String::new, |remedy| format!(": {remedy}")))]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// What the database says.
        #[source]
        source: sqlx::Error,
    },
}

/// How a database was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// There is no file.
    #[error("is gone")]
    Gone,
    /// There is nothing in it.
    #[error("is empty")]
    Empty,
    /// It is no database.
    #[error("is no database any more")]
    Unreadable,
    /// Our tables are not in it.
    #[error("has none of its tables")]
    Bare,
    /// It is one of ours, but not this one.
    #[error("is another installation's")]
    Exchanged,
}

impl Loss {
    fn remedy(self, mark: &Path) -> String {
        let mark = mark.display();
        let (says, anew) = match self {
            Self::Gone | Self::Empty => (
                "that it was there",
                "to begin anew (every window would start again)",
            ),
            Self::Unreadable | Self::Bare => (
                "that it was there",
                "and the file to begin anew (every window would start again)",
            ),
            Self::Exchanged => ("which one was there", "to go on with this one"),
        };
        format!("says {says}: restore it from a backup, or remove {mark} {anew}")
    }
}

/// Says whose a file is, where that is somebody else and could be why.
fn owner(path: &Path) -> String {
    let stranger = private::stranger(path).filter(|_| !rustix::process::geteuid().is_root());
    stranger.map_or_else(String::new, |user| format!(", which is user {user}'s"))
}

/// Names what was being done when a statement failed.
pub(super) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, sqlx::Error> {
    fn doing(self, doing: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Failed { doing, source })
    }
}

/// A database that cannot be used, with the remedy that fits.
pub(super) fn unusable(verb: &'static str, path: &Path, source: sqlx::Error) -> StoreError {
    if db::is_damaged(&source) {
        return StoreError::Corrupt {
            path: path.to_owned(),
            detail: source.to_string(),
        };
    }
    StoreError::Unusable {
        verb,
        path: path.to_owned(),
        remedy: db::remedy(&source).unwrap_or("check the file, its folder and the disk"),
        source,
    }
}
