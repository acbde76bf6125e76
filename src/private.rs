//! Files and folders for their owner alone, whatever the umask: what is in them are names, addresses
//! and who did not register.
//!
//! What exists already is tightened as well, but for what is no file or belongs to somebody else.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;
use tempfile::TempDir;

const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;
/// What group and others may.
const OTHERS: u32 = 0o077;

/// Opens a file to read and write, and makes it if it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    opened(&mut options, path)
}

/// Opens a file of ours beside the database to read and write, and makes it if it is not there and
/// `make` says so.
pub(crate) fn open_own(path: &Path, make: bool) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(make).truncate(false);
    tightened(by_its_name(&mut options, path)?)
}

/// Opens a file of ours beside the database to read it.
pub(crate) fn read_own(path: &Path) -> io::Result<File> {
    by_its_name(OpenOptions::new().read(true), path)
}

/// Follows no link, so that nobody has us write into what it leads to, and waits for no pipe.
fn by_its_name(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    let file = match options.mode(FILE).open(path) {
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(io::Error::other(
                "it is a symbolic link, which is not followed: move it away",
            ));
        }
        file => file?,
    };
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::other("it is no file: move it away"))
}

/// Opens a file to write it anew.
pub(crate) fn create(path: &Path) -> io::Result<File> {
    opened(
        OpenOptions::new().write(true).create(true).truncate(true),
        path,
    )
}

/// Makes a file that must not be there yet, so that no link is followed.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    opened(OpenOptions::new().write(true).create_new(true), path)
}

fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    tightened(options.mode(FILE).open(path)?)
}

fn tightened(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    if found.is_file() && found.mode() & 0o777 != FILE {
        file.set_permissions(Permissions::from_mode(FILE))
            .or_else(if_ours)?;
    }
    Ok(file)
}

/// Makes a folder, and those above it that are missing.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(FOLDER)
        .create(path)?;
    tighten(path)
}

/// A new folder where the system keeps temporary ones, under a name that nobody can know before; it goes
/// with what is returned.
pub(crate) fn temporary(prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(FOLDER))
        .tempdir()
}

/// Takes from others what they may do with a file or folder; one that is not there needs nothing.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    let found = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    let mode = found.mode() & 0o7777;
    if mode & OTHERS == 0 {
        return Ok(());
    }
    fs::set_permissions(path, Permissions::from_mode(mode & !OTHERS)).or_else(if_ours)
}

/// Whoever owns a file decides who reads it.
fn if_ours(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Ok(()),
        _ => Err(error),
    }
}

/// Whether others than its owner may read a file. What is below `credentials` belongs to systemd, which lets the
/// user of a service read it by a list of access: the mask of that list shows as what the group may.
pub(crate) fn is_readable_by_others(path: &Path, credentials: Option<&Path>) -> bool {
    let by_list = credentials.is_some_and(|folder| is_below(path, folder));
    let others = if by_list { 0o004 } else { 0o044 };
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.mode() & others != 0)
}

fn is_below(path: &Path, folder: &Path) -> bool {
    let (path, folder) = (path.canonicalize(), folder.canonicalize());
    path.is_ok_and(|path| folder.is_ok_and(|folder| path.starts_with(folder)))
}

/// Who owns a file, where that is somebody else.
#[must_use]
pub(crate) fn stranger(path: &Path) -> Option<u32> {
    let owner = fs::metadata(path).ok()?.uid();
    (owner != rustix::process::geteuid().as_raw()).then_some(owner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o7777
    }

    #[test]
    fn files_and_folders_are_their_owners_alone_also_those_that_exist() {
        let temp = tempfile::tempdir().unwrap();
        let wide = temp.path().join("wide");
        fs::create_dir(&wide).unwrap();
        fs::set_permissions(&wide, Permissions::from_mode(0o755)).unwrap();
        folder(&wide).unwrap();
        folder(&temp.path().join("deep/er")).unwrap();
        assert_eq!(
            [mode(&wide), mode(&temp.path().join("deep/er"))],
            [0o700; 2]
        );
        let file = wide.join("file");
        fs::write(&file, "before").unwrap();
        for open in [open, create, |path: &Path| {
            tighten(path).and_then(|()| File::open(path))
        }] {
            fs::set_permissions(&file, Permissions::from_mode(0o664)).unwrap();
            open(&file).unwrap();
            assert_eq!(mode(&file), FILE);
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), "");
        tighten(&wide.join("absent")).unwrap();
        assert_eq!(stranger(&file), None);
    }

    #[test]
    fn of_our_own_files_no_link_is_followed_and_nothing_but_a_file_is_opened() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("target"), "kept").unwrap();
        fs::set_permissions(path("target"), Permissions::from_mode(0o644)).unwrap();
        for (name, to) in [("link", "target"), ("dangling", "nowhere")] {
            std::os::unix::fs::symlink(to, path(name)).unwrap();
            for make in [false, true] {
                let error = open_own(&path(name), make).unwrap_err().to_string();
                assert!(error.contains("a symbolic link"), "{error}");
            }
        }
        assert!(!path("nowhere").exists());
        assert_eq!(mode(&path("target")), 0o644);
        let _socket = std::os::unix::net::UnixListener::bind(path("socket")).unwrap();
        let pipe = std::process::Command::new("mkfifo")
            .arg(path("pipe"))
            .status();
        assert!(pipe.unwrap().success());
        for name in ["pipe", "socket", ""] {
            open_own(&path(name), true).unwrap_err();
        }
        assert!(open_own(&path("absent"), false).is_err());
        open_own(&path("made"), true).unwrap();
        assert_eq!(mode(&path("made")), FILE);
    }

    #[test]
    fn a_new_file_follows_no_link() {
        let temp = tempfile::tempdir().unwrap();
        let (target, link) = (temp.path().join("target"), temp.path().join("link"));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(create_new(&link).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}
