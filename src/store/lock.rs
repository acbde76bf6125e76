//! Who runs passes, and the mark against a lost database: `<db>.lock`.
//!
//! The file is locked while a process runs passes, and says who that is. It also stays when the
//! process ends, and names the installation: a database that is gone, empty or another's while it
//! stands was lost, never not made (rule 7.15). The database is locked as well, because a link leads
//! to it under another name, and the mark can be removed. The trap is to shorten the mark before it
//! is written: on a full disk it would say nothing any more.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};

use super::{StoreError, is_closed};
use crate::private;

/// The lock file of a database.
#[must_use]
pub fn mark(database: &Path) -> PathBuf {
    let mut name = meant(database).into_os_string();
    name.push(".lock");
    PathBuf::from(name)
}

/// The file itself, where the path is a link to it: `SQLite` follows links, and one database has one
/// lock, whatever it is called.
fn meant(database: &Path) -> PathBuf {
    let Ok(to) = std::fs::read_link(database) else {
        return database.to_owned();
    };
    let beside = database.parent().unwrap_or(Path::new("")).join(to);
    std::fs::canonicalize(database).unwrap_or(beside)
}

/// The first line of a mark.
const MADE: &str = "a fortnight database stands beside this file";
/// The first line before there is one.
const NOT_MADE: &str = "no fortnight database yet";

/// Far more than a mark has.
const LONGEST: u64 = 1 << 12;

/// What the file says, a line each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// The database was made once.
    pub(super) is_made: bool,
    /// Who runs passes, or ran them last; empty: nobody yet.
    holder: String,
    /// Which installation the database is of; earlier versions did not say.
    pub(super) installation: Option<String>,
}

impl Mark {
    /// The mark of a database; where there is none, nothing is known.
    pub(super) fn of(database: &Path) -> Self {
        private::read_own(&mark(database))
            .and_then(|file| said(&file))
            .map_or_else(|_| Self::default(), |text| Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let mut line = || lines.next().unwrap_or_default().to_owned();
        Self {
            is_made: line() == MADE,
            holder: line(),
            installation: Some(line()).filter(|line| !line.is_empty()),
        }
    }

    /// Every line always, so that what a longer text leaves behind is in none of them.
    fn print(&self) -> String {
        let first = if self.is_made { MADE } else { NOT_MADE };
        let installation = self.installation.as_deref().unwrap_or_default();
        format!("{first}\n{}\n{installation}\n", self.holder)
    }

    fn write(&self, file: &mut File) -> io::Result<()> {
        let text = self.print();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    }
}

/// What a mark says; no mark is long.
fn said(file: &File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Notes that the database was made, and of which installation; what the lock's holder wrote stays.
pub(super) fn set_mark(database: &Path, installation: &str) -> io::Result<()> {
    let before = Mark::of(database);
    let now = Mark {
        is_made: true,
        installation: Some(installation.to_owned()),
        ..before.clone()
    };
    let mut file = private::open_own(&mark(database), true)?;
    if now != before {
        now.write(&mut file)?;
    }
    Ok(())
}

/// The right to run passes, held until it is dropped: after the store was closed, because to close
/// a file takes from `SQLite` what it has locked of it.
#[derive(Debug)]
pub struct PassLock {
    _mark: File,
    _database: Option<File>,
}

impl PassLock {
    /// Takes the lock for a command, or says who holds it.
    pub fn take(database: &Path, command: &str, now: Timestamp) -> Result<Self, StoreError> {
        if is_closed(database) {
            return Err(StoreError::Closed(database.to_owned()));
        }
        let path = mark(database);
        let failed = |source| StoreError::Lock {
            path: path.clone(),
            source,
        };
        let mut file = private::open_own(&path, true).map_err(failed)?;
        let is_ours = exclusive(&file).map_err(failed)?;
        let before = Mark::parse(&said(&file).map_err(failed)?);
        if !is_ours {
            return Err(refused(&file, &path, &before.holder));
        }
        let kept = if before.is_made {
            File::open(database)
        } else {
            private::open(&meant(database))
        };
        // What is wrong with the database itself is said when it is opened.
        let kept = kept.ok();
        if let Some(file) = &kept
            && !shared(file)
        {
            return Err(refused(file, database, &before.holder));
        }
        let mark = Mark {
            holder: format!("process {} ({command}) since {now}", std::process::id()),
            ..before
        };
        mark.write(&mut file).map_err(failed)?;
        Ok(Self {
            _mark: file,
            _database: kept,
        })
    }
}

/// Who runs passes.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Running {
    /// The process.
    pub process: u32,
    /// Which command it carries out.
    pub command: String,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// Who runs passes on a database at present, as far as the system says: whoever asks locks nothing.
#[must_use]
pub fn running(database: &Path) -> Option<Running> {
    let path = mark(database);
    let holders = holders(std::fs::metadata(&path).ok()?.ino());
    let said = Mark::of(database).holder;
    let mut words = said.split_whitespace().skip(1);
    let process: u32 = words.next()?.parse().ok()?;
    let command = words.next()?.trim_matches(['(', ')']);
    // In a container it has another number than outside.
    let is_it = |holder: &u32| *holder == process || is_ours(*holder);
    Some(Running {
        process: holders.into_iter().find(is_it)?,
        command: command.to_owned(),
        since: words.last().and_then(|word| word.parse().ok()),
    })
}

/// Locks a file for this process alone, unless another has it.
fn exclusive(file: &File) -> io::Result<bool> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Locks the database against another pass and not against those who read it: in a network's file
/// system this lock and those of `SQLite` are of one kind.
fn shared(file: &File) -> bool {
    match exclusive(file) {
        Ok(is_ours) => {
            let _ = is_ours.then(|| flock(file, FlockOperation::NonBlockingLockShared));
            is_ours
        }
        // A file system without such locks: the mark alone has to do.
        Err(_) => true,
    }
}

/// Who has the lock: whoever said so, unless the system names another. One of which nobody can tell
/// what it is runs passes as well; only another program does not.
fn refused(file: &File, path: &Path, said: &str) -> StoreError {
    let known = file
        .metadata()
        .map_or_else(|_| Vec::new(), |file| holders(file.ino()));
    let who = said
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse().ok());
    let process = match known.first() {
        Some(process) if who.is_none_or(|who| !known.contains(&who)) => *process,
        _ if said.is_empty() => {
            let holder = "a process that has not said who it is".to_owned();
            return StoreError::Locked { holder };
        }
        _ => {
            let holder = said.to_owned();
            return StoreError::Locked { holder };
        }
    };
    let user = std::fs::metadata(format!("/proc/{process}")).map_or_else(
        |_| "an unknown user".to_owned(),
        |process| format!("user {}", process.uid()),
    );
    if is_ours(process) {
        let holder = format!("process {process} of {user}");
        return StoreError::Locked { holder };
    }
    StoreError::LockedByStranger {
        path: path.to_owned(),
        process,
        user,
    }
}

/// Whether a process is one of this program, as far as can be told.
fn is_ours(process: u32) -> bool {
    let program = |process: &str| std::fs::read(format!("/proc/{process}/comm")).ok();
    let theirs = program(&process.to_string());
    theirs.is_none() || theirs == program("self")
}

/// The processes that the system knows to have locked a file.
fn holders(inode: u64) -> Vec<u32> {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let holder = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, process, file, ..] = words[..] else {
            return None;
        };
        let of_it = file.rsplit(':').next()?.parse() == Ok(inode);
        process.parse().ok().filter(|process| of_it && *process > 0)
    };
    locks.lines().filter_map(holder).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("a.db");
        (folder, database)
    }

    fn take(database: &Path) -> Result<PassLock, StoreError> {
        PassLock::take(database, "run", Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn a_second_process_is_told_who_holds_the_lock() {
        let (_folder, database) = folder();
        set_mark(&database, "urn:uuid:a").unwrap();
        let held = take(&database).unwrap();
        let refused = take(&database).unwrap_err();
        let ours = format!("process {}", std::process::id());
        assert!(refused.to_string().contains(&ours), "{refused}");
        drop(held);
        take(&database).unwrap();
        let mark = Mark::of(&database);
        assert_eq!(mark.installation.as_deref(), Some("urn:uuid:a"));
        assert!(mark.is_made);
    }

    #[test]
    fn who_runs_passes_is_known_while_they_do() {
        let (_folder, database) = folder();
        assert_eq!(running(&database), None);
        let held = take(&database).unwrap();
        let ours = Running {
            process: std::process::id(),
            command: "run".to_owned(),
            since: Some(Timestamp::UNIX_EPOCH),
        };
        assert_eq!(running(&database), Some(ours.clone()));
        // In a container it called itself otherwise.
        let path = mark(&database);
        let text = std::fs::read_to_string(&path).unwrap();
        let inside = text.replace(&format!("process {}", ours.process), "process 4194305");
        std::fs::write(&path, inside).unwrap();
        assert_eq!(running(&database), Some(ours));
        drop(held);
        assert_eq!(running(&database), None);
    }

    #[test]
    fn a_link_to_a_database_is_no_other_one() {
        let (folder, database) = folder();
        let link = folder.path().join("b.db");
        std::os::unix::fs::symlink("a.db", &link).unwrap();
        for exists in [false, true] {
            if exists {
                std::fs::write(&database, "").unwrap();
            }
            let held = take(&database).unwrap();
            take(&link).unwrap_err();
            drop(held);
        }
        set_mark(&link, "urn:uuid:a").unwrap();
        std::fs::remove_file(&database).unwrap();
        assert!(
            Mark::of(&database).is_made && Mark::of(&link).is_made,
            "it is gone by either name"
        );
    }

    #[test]
    fn without_its_mark_and_by_another_name_it_is_still_locked() {
        let (folder, database) = folder();
        let held = take(&database).unwrap();
        let refusal = take(&database).unwrap_err().to_string();
        std::fs::remove_file(mark(&database)).unwrap();
        let refused = take(&database).unwrap_err();
        assert!(
            refused
                .to_string()
                .contains(&std::process::id().to_string()),
            "{refused}; {refusal}"
        );
        let other = folder.path().join("other.db");
        std::fs::hard_link(&database, &other).unwrap();
        take(&other).unwrap_err();
        drop(held);
        take(&database).unwrap();
    }

    #[test]
    fn whoever_holds_the_lock_without_a_word_is_named_with_their_owner() {
        let (_folder, database) = folder();
        let path = mark(&database);
        let (process, user) = (std::process::id(), rustix::process::geteuid().as_raw());
        let held = take(&database).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        // Another process ran passes before, the mark was emptied, or is not there any more.
        let before = text.replace(&process.to_string(), "4194305");
        let changes: [&dyn Fn(); 3] = [
            &|| std::fs::write(&path, &before).unwrap(),
            &|| std::fs::write(&path, "").unwrap(),
            &|| std::fs::remove_file(&path).unwrap(),
        ];
        for change in changes {
            change();
            let refused = take(&database).unwrap_err();
            assert!(matches!(refused, StoreError::Locked { .. }), "{refused:?}");
            let named = format!("process {process} of user {user}");
            assert!(refused.to_string().contains(&named), "{refused}");
        }
        drop(held);
    }

    #[test]
    fn another_program_that_holds_the_lock_runs_no_passes() {
        let (_folder, database) = folder();
        take(&database).unwrap();
        let mut stranger = std::process::Command::new("flock")
            .args(["--no-fork".as_ref(), mark(&database).as_os_str()])
            .args(["sleep", "60"])
            .spawn()
            .unwrap();
        let refused = loop {
            match take(&database) {
                Ok(_) => std::thread::sleep(std::time::Duration::from_millis(1)),
                Err(error) => break error,
            }
        };
        let named = format!("process {}", stranger.id());
        stranger.kill().unwrap();
        stranger.wait().unwrap();
        assert!(
            matches!(refused, StoreError::LockedByStranger { .. }),
            "{refused:?}"
        );
        assert!(refused.to_string().contains(&named), "{refused}");
    }

    #[test]
    fn a_mark_of_an_earlier_version_names_no_installation() {
        let earlier = Mark::parse(
            "a fortnight database stands beside this file\nprocess 7 since 2026-01-05T08:00:00Z\n",
        );
        assert_eq!((earlier.is_made, &earlier.installation), (true, &None));
        let now = Mark {
            installation: Some("urn:uuid:a".to_owned()),
            ..earlier
        };
        assert_eq!(
            Mark::parse(&format!("{}rest of a longer one", now.print())),
            now
        );
        assert_eq!(Mark::parse(""), Mark::default());
    }
}
