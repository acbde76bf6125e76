//! Whose the database and what lies beside it are: root may write all of it, and so finds nothing wrong with what the
//! service's user cannot write.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::Check;
use crate::config::{Config, EmailTransport};
use crate::private;
use crate::store;

const ROOT: u32 = 0;
/// What group and others need to write.
const BY_OTHERS: u32 = 0o022;

/// A user and their group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
}

/// What is not written by the user whose the database is.
pub(super) fn check(config: &Config) -> Option<Check> {
    let theirs = whose(&config.database)?;
    let outbox = config
        .email
        .as_ref()
        .and_then(|email| match &email.transport {
            EmailTransport::File(folder) => Some(folder.clone()),
            EmailTransport::Smtp(_) => None,
        });
    let paths = store::files(&config.database).into_iter().chain(outbox);
    let strange: Vec<PathBuf> = paths.filter(|path| is_kept_from(theirs, path)).collect();
    (!strange.is_empty()).then(|| Check::new("owners", Err(remedy(theirs, &strange))))
}

/// Whose the folder is; a folder of root's has files of somebody else only where they may write as well.
fn whose(database: &Path) -> Option<Owner> {
    let folder = owner(private::folder_of(database))?;
    if folder.user != ROOT {
        return Some(folder);
    }
    Some(owner(database).unwrap_or(folder))
}

fn owner(path: &Path) -> Option<Owner> {
    let found = fs::metadata(path).ok()?;
    Some(Owner {
        user: found.uid(),
        group: found.gid(),
    })
}

fn is_kept_from(theirs: Owner, path: &Path) -> bool {
    fs::metadata(path)
        .is_ok_and(|found| found.uid() != theirs.user && found.mode() & BY_OTHERS == 0)
}

fn remedy(theirs: Owner, strange: &[PathBuf]) -> String {
    let Owner { user, group } = theirs;
    let strange: Vec<_> = strange
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    format!(
        "user {user}, whose the database is, cannot write all of it: chown {user}:{group} {}",
        strange.join(" ")
    )
}
