//! Where facts come from. A source reads rows and yields facts; it decides and stores nothing.
//!
//! A wrong *row* is quarantined and the reading goes on; a wrong *file* fails its source, and
//! the caller drops what that file gave so far. The trap: both messages quote what outsiders
//! wrote, so nothing of it gets in without `quote`.

pub mod files;
pub mod graph;
pub mod wire;

use std::{fmt, io};

use crate::quote::quote;

/// What the sources are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collection {
    /// The accounts of the directory.
    Users,
    /// Groups with their members.
    Groups,
    /// The registration report.
    Registration,
    /// The sign-in log.
    SignIns,
    /// The audit log, as far as it speaks of security info.
    Audits,
}

impl Collection {
    /// Every collection, in reading order.
    pub const ALL: [Self; 5] = [
        Self::Users,
        Self::Groups,
        Self::Registration,
        Self::SignIns,
        Self::Audits,
    ];

    /// The base name of its files.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Registration => "registration",
            Self::SignIns => "sign-ins",
            Self::Audits => "audits",
        }
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a row turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item<T> {
    /// A fact.
    Fact(T),
    /// A well-formed row that says nothing to this program.
    Skipped(Skip),
    /// A row that cannot be believed, and what it is about, if it says so.
    Quarantined(Quarantined, Option<Named>),
}

/// What a row that cannot be believed is about, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Named {
    /// The object of this id.
    Id(String),
    /// The person of this user principal name.
    Upn(String),
}

/// Why a well-formed row is passed over; counted, not reported one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Skip {
    /// A sign-in or event of an account that the directory does not know (case 65).
    UnknownUser,
    /// A service principal's or managed identity's sign-in, or another kind of event.
    OtherKind,
    /// An event that did not succeed.
    NotSuccessful,
    /// A row that says that its object was removed: absence says that already.
    Removed,
}

/// A row that is put aside and reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {reason}")]
pub struct Quarantined {
    /// The file, relative to its folder.
    pub file: String,
    /// The line on which the row begins, from 1.
    pub line: u64,
    /// What is wrong with it, safe to print.
    pub reason: String,
}

impl Quarantined {
    /// A row that says what it is about is named by that too.
    #[must_use]
    pub fn about(self, named: Option<&Named>) -> Self {
        let Some(Named::Id(name) | Named::Upn(name)) = named else {
            return self;
        };
        Self {
            reason: format!("{}: {}", quote(name), self.reason),
            ..self
        }
    }
}

/// Why a source could not be read, cut by what helps.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The system refuses: try again, or mend permissions.
    #[error("cannot read {file}")]
    Unreadable {
        /// The file or folder.
        file: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file is not what its name promises: somebody must replace it.
    #[error("{file}{}: {reason}; {remedy}", At(*line))]
    WrongFile {
        /// The file, relative to its folder.
        file: String,
        /// The line, where one is to blame.
        line: Option<u64>,
        /// What is wrong.
        reason: String,
        /// What to do about it.
        remedy: String,
    },
    /// A required collection has no file.
    #[error(
        "{folder} has no {collection} file: put {collection}.json (.ndjson, .csv, each also .gz) or a folder {collection}/ of pages there"
    )]
    Absent {
        /// What is missing.
        collection: Collection,
        /// Where it was looked for.
        folder: String,
    },
    /// Graph gives nothing.
    #[error(transparent)]
    Graph(#[from] crate::graph::GraphError),
}

impl SourceError {
    /// What it says where it is not of one source alone.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        match self {
            Self::Graph(error) => error.outage(),
            Self::Unreadable { .. } | Self::WrongFile { .. } | Self::Absent { .. } => None,
        }
    }
}

/// Prints a line where there is one.
struct At(Option<u64>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(line) => write!(f, ", line {line}"),
            None => Ok(()),
        }
    }
}
