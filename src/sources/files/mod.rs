//! The file source: a folder of exports, each read as a stream of rows.
//!
//! [`scan`] lists the folder without opening a file, so that a pass over unchanged files costs
//! next to nothing: a caller compares [`Part::fingerprint`]s. [`users`] and its siblings read a
//! part synchronously and hold one row at a time. They yield rows as they come, and an error is
//! their last item: the caller drops what the part gave before it.

mod columns;
mod csv;
mod day;
mod digest;
mod editions;
mod folder;
mod json;
mod long;
mod names;
mod open;
mod rows;
mod shape;

use std::io;
use std::path::PathBuf;

use jiff::Timestamp;

use super::SourceError;
use super::wire::{DateOrder, Recorded};

pub use digest::digest;
pub use editions::outdated;
pub use folder::{Folder, scan};
pub use json::{Broken, Element, ROW_LIMIT, Splitter};
pub use rows::{Rows, audits, groups, registration, sign_ins, users};

/// How a part is written; whether it is packed shows when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Pages, arrays or objects.
    Json,
    /// One object a line; may be empty.
    JsonLines,
    /// A CSV export of the portal.
    Csv,
}

/// One file of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its name relative to the folder, with `/`; parts are read in the order of these.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
    /// What its name says about its sign-ins.
    pub recorded: Recorded,
    /// How a CSV writes dates where nothing in it tells.
    pub dates: Option<DateOrder>,
    /// Changes whenever the file does.
    pub fingerprint: Fingerprint,
}

/// Tells without reading whether a file is still the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    /// In bytes, as it lies there.
    pub size: u64,
    /// When it was last written.
    pub modified: Timestamp,
    /// Its number in the file system; 0 where there is none. Replacing a file changes it even
    /// when size and time stay.
    pub inode: u64,
}

impl Part {
    fn unreadable(&self, source: io::Error) -> SourceError {
        SourceError::Unreadable {
            file: self.name.clone(),
            source,
        }
    }

    fn wrong(&self, line: Option<u64>, reason: String, remedy: &str) -> SourceError {
        SourceError::WrongFile {
            file: self.name.clone(),
            line,
            reason,
            remedy: remedy.to_owned(),
        }
    }

    /// An error while content was read: most often the packing is broken.
    fn broken_read(&self, line: Option<u64>, error: io::Error) -> SourceError {
        if error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<open::Bomb>)
        {
            return self.wrong(
                line,
                error.to_string(),
                "check who wrote it; unpack it by hand if it is honest",
            );
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong(
                line,
                "the packed file is cut off".to_owned(),
                "copy or export it again",
            ),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => self.wrong(
                line,
                "the packed file is damaged".to_owned(),
                "copy or export it again",
            ),
            _ => self.unreadable(error),
        }
    }
}
