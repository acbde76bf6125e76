//! A folder as a mailbox: one `.eml` per message, for rehearsals and for relays that pick up files.
//!
//! The name comes from when the row was queued and from the Message-ID, which no attempt
//! changes. Sending a row again therefore replaces its file, and a listing is in order of queuing.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::mail::{Letter, id_of};
use crate::private;

/// A folder that messages are written to.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
}

/// A message that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("writing a message to {}", path.display())]
pub struct FolderError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl Folder {
    /// The folder of that path, made at the first message.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Writes a message; when this returns, it survives a power cut.
    pub fn put(&self, letter: &Letter) -> Result<PathBuf, FolderError> {
        let path = self.path.join(file_name(letter));
        match self.write(letter, &path) {
            Ok(()) => Ok(path),
            Err(source) => Err(FolderError { path, source }),
        }
    }

    /// Whether the folder can be written to, for the check of the channel (rule 7.11).
    pub fn probe(&self) -> Result<(), FolderError> {
        let probe = self.path.join(".probe");
        let written = private::folder(&self.path)
            .and_then(|()| renewed(&probe))
            .and_then(|_| fs::remove_file(&probe));
        written.map_err(|source| FolderError {
            path: self.path.clone(),
            source,
        })
    }

    fn write(&self, letter: &Letter, path: &Path) -> io::Result<()> {
        private::folder(&self.path)?;
        let draft = self.path.join(format!(".{}.tmp", file_name(letter)));
        let mut file = renewed(&draft)?;
        file.write_all(&letter.bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        File::open(&self.path)?.sync_all()
    }
}

/// A new file in place of one that an attempt before left; a link in its place leads nowhere.
fn renewed(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => private::create_new(path),
    }
}

fn file_name(letter: &Letter) -> String {
    let queued = letter.queued_at.strftime("%Y%m%dT%H%M%SZ");
    format!("{queued}-{}.eml", id_of(&letter.message_id).simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(message_id: &str, queued_at: &str, body: &str) -> Letter {
        Letter {
            message_id: message_id.to_owned(),
            queued_at: queued_at.parse().unwrap(),
            from: "identity@contoso.com".parse().unwrap(),
            to: "ana@contoso.com".parse().unwrap(),
            bytes: body.as_bytes().to_vec(),
        }
    }

    fn names(path: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_message_sent_again_replaces_its_file() {
        let temp = tempfile::tempdir().unwrap();
        let folder = Folder::new(temp.path().join("outbox"));
        folder.probe().unwrap();
        let first = folder
            .put(&letter("<a@x>", "2026-12-02T08:00:00Z", "one"))
            .unwrap();
        let again = folder
            .put(&letter("<a@x>", "2026-12-02T08:00:00Z", "two"))
            .unwrap();
        assert_eq!(first, again);
        assert_eq!(fs::read_to_string(again).unwrap(), "two");
        folder
            .put(&letter("<../../b\0@x>", "2026-12-01T08:00:00Z", ""))
            .unwrap();
        let names = names(&temp.path().join("outbox"));
        assert_eq!(names.len(), 2, "{names:?}");
        assert!(names[0].starts_with("20261201T080000Z-"));
        assert!(names[1].starts_with("20261202T080000Z-"));
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_named() {
        let temp = tempfile::NamedTempFile::new().unwrap();
        let folder = Folder::new(temp.path());
        assert!(folder.probe().is_err());
        let refused = folder
            .put(&letter("<a@x>", "2026-12-02T08:00:00Z", ""))
            .unwrap_err();
        assert!(refused.to_string().contains(temp.path().to_str().unwrap()));
    }
}
