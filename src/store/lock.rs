//! Who runs passes, and the mark against a vanished database: `<db>.lock`.
//!
//! The file is locked while a process runs passes, and says who that is. It also stays when the
//! process ends: a database that is gone while it stands was lost, not never made (rule 7.15).

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::StoreError;

/// The lock file of a database.
#[must_use]
pub fn mark(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    PathBuf::from(name)
}

/// The first line of a mark.
const MARKED: &str = "a fortnight database stands beside this file";
/// The first line before there is one.
const NOT_MARKED: &str = "no fortnight database yet";

/// Whether the database was made once.
pub(super) fn is_marked(database: &Path) -> bool {
    std::fs::read_to_string(mark(database)).is_ok_and(|text| text.starts_with(MARKED))
}

/// Notes that the database was made; what the lock's holder wrote stays.
pub(super) fn set_mark(database: &Path) -> std::io::Result<()> {
    if is_marked(database) {
        return Ok(());
    }
    let before = std::fs::read_to_string(mark(database)).unwrap_or_default();
    let holder = before.lines().nth(1).unwrap_or_default();
    let mut file = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(mark(database))?;
    write!(file, "{MARKED}\n{holder}\n")?;
    file.sync_all()
}

/// The right to run passes, held until it is dropped.
#[derive(Debug)]
pub struct PassLock {
    _file: File,
}

impl PassLock {
    /// Takes the lock, or says who holds it.
    pub fn take(database: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let path = mark(database);
        let failed = |source| StoreError::Lock {
            path: path.clone(),
            source,
        };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(failed)?;
                let holder = text
                    .lines()
                    .nth(1)
                    .unwrap_or("a process that has not said who it is")
                    .to_owned();
                return Err(StoreError::Locked { holder });
            }
            Err(std::fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let first = if is_marked(database) {
            MARKED
        } else {
            NOT_MARKED
        };
        let text = format!("{first}\nprocess {} since {now}\n", std::process::id());
        file.set_len(0).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_is_told_who_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        set_mark(&database).unwrap();
        let held = PassLock::take(&database, Timestamp::UNIX_EPOCH).unwrap();
        let refused = PassLock::take(&database, Timestamp::UNIX_EPOCH).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains(&format!("process {}", std::process::id()))
        );
        drop(held);
        PassLock::take(&database, Timestamp::UNIX_EPOCH).unwrap();
        assert!(is_marked(&database));
    }
}
