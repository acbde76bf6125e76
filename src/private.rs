//! Files and folders for their owner alone, whatever the umask: what is in them are names, addresses
//! and who did not register.
//!
//! What exists already is tightened as well, but for what is no file or belongs to somebody else. What root
//! makes belongs to whom its folder belongs: a command of root's beside a service leaves nothing behind that
//! the service cannot write (`SQLite` does the same with its files). The trap is to give away what was there
//! before: in somebody else's folder a name may lead to any file of the system.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown,
};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use tempfile::TempDir;

const FILE: u32 = 0o600;
const FOLDER: u32 = 0o700;
/// What group and others may.
const OTHERS: u32 = 0o077;
/// Of a folder: everybody has files in it.
const STICKY: u32 = 0o1000;

/// Opens a file to read and write, and makes it if it is not there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    tightened(opened_or_made(
        OpenOptions::new().read(true).write(true),
        path,
    )?)
}

/// Opens a file of ours beside the database to read and write, and makes it if it is not there and
/// `make` says so.
pub(crate) fn open_own(path: &Path, make: bool) -> io::Result<File> {
    let mut options = by_its_name();
    options.read(true).write(true);
    tightened(a_file(if make {
        opened_or_made(&options, path)
    } else {
        options.open(path)
    })?)
}

/// Opens a file of ours beside the database to read it.
pub(crate) fn read_own(path: &Path) -> io::Result<File> {
    a_file(by_its_name().read(true).open(path))
}

/// Follows no link, so that nobody has us write into what it leads to, and waits for no pipe.
fn by_its_name() -> OpenOptions {
    let mut options = OpenOptions::new();
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    options.custom_flags(flags.bits().cast_signed());
    options
}

fn a_file(opened: io::Result<File>) -> io::Result<File> {
    let file = match opened {
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
    tightened(opened_or_made(
        OpenOptions::new().write(true).truncate(true),
        path,
    )?)
}

/// Makes a file that must not be there yet, so that no link is followed.
pub(crate) fn create_new(path: &Path) -> io::Result<File> {
    made(OpenOptions::new().write(true), path)
}

fn opened_or_made(options: &OpenOptions, path: &Path) -> io::Result<File> {
    match made(options, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        file => file,
    }
}

/// A file that was not there; whatever the umask takes from its mode.
fn made(options: &OpenOptions, path: &Path) -> io::Result<File> {
    let file = options.clone().create_new(true).mode(FILE).open(path)?;
    let file = tightened(file)?;
    leave_to_owner_of_folder(&file, path)?;
    Ok(file)
}

fn leave_to_owner_of_folder(made: &File, path: &Path) -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let folder = fs::metadata(folder_of(path))?;
    fchown(made, Some(folder.uid()), Some(folder.gid())).or_else(if_ours)
}

/// A relative path of one step has an empty parent: the present folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn tightened(file: File) -> io::Result<File> {
    let found = file.metadata()?;
    if found.is_file() && is_ours(&found) && found.mode() & 0o777 != FILE {
        file.set_permissions(Permissions::from_mode(FILE))
            .or_else(if_ours)?;
    }
    Ok(file)
}

/// Makes a folder, and those above it that are missing.
pub(crate) fn folder(path: &Path) -> io::Result<()> {
    make_folder(path)?;
    tighten(path)
}

fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && folder_of(path) != path => {
            make_folder(folder_of(path))?;
            make_folder(path)
        }
        Err(_) if path.is_dir() => Ok(()),
        Err(error) => Err(error),
        // By its name it might lead elsewhere by now.
        Ok(()) => leave_to_owner_of_folder(&folder_itself(path)?, path),
    }
}

fn folder_itself(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::DIRECTORY;
    OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
}

/// A new folder where the system keeps temporary ones, under a name that nobody can know before; it goes
/// with what is returned.
pub(crate) fn temporary(prefix: &str) -> io::Result<TempDir> {
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(FOLDER))
        .tempdir()
}

/// Takes from others what they may do with a file or folder; one that is not there needs nothing. What is
/// somebody else's stays as it is, and so do what a link leads to and a folder that is meant for all, like `/tmp`.
pub(crate) fn tighten(path: &Path) -> io::Result<()> {
    // Held without being opened: closing a file of the database would end SQLite's locks on it.
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let held = match rustix::fs::open(path, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        held => File::from(held?),
    };
    let found = held.metadata()?;
    let mode = found.mode() & 0o7777;
    let is_shared = mode & STICKY != 0;
    if found.is_symlink() || !is_ours(&found) || is_shared || mode & OTHERS == 0 {
        return Ok(());
    }
    let itself = format!("/proc/self/fd/{}", held.as_raw_fd());
    fs::set_permissions(itself, Permissions::from_mode(mode & !OTHERS)).or_else(if_ours)
}

fn is_ours(found: &Metadata) -> bool {
    found.uid() == rustix::process::geteuid().as_raw()
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
    fn what_a_link_leads_to_and_a_folder_for_all_stay_as_they_are() {
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("target"), "").unwrap();
        fs::create_dir(path("shared")).unwrap();
        for (name, wide) in [("target", 0o644), ("shared", 0o1777)] {
            fs::set_permissions(path(name), Permissions::from_mode(wide)).unwrap();
        }
        std::os::unix::fs::symlink(path("target"), path("link")).unwrap();
        tighten(&path("link")).unwrap();
        folder(&path("shared")).unwrap();
        assert_eq!(
            [mode(&path("target")), mode(&path("shared"))],
            [0o644, 0o1777]
        );
    }

    #[test]
    fn what_is_somebody_elses_keeps_its_mode() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        fs::write(path("file"), "").unwrap();
        fs::create_dir(path("theirs")).unwrap();
        for (name, wide) in [("file", 0o644), ("theirs", 0o755)] {
            fs::set_permissions(path(name), Permissions::from_mode(wide)).unwrap();
            std::os::unix::fs::chown(path(name), Some(61_234), Some(61_234)).unwrap();
        }
        create(&path("file")).unwrap();
        folder(&path("theirs")).unwrap();
        assert_eq!([mode(&path("file")), mode(&path("theirs"))], [0o644, 0o755]);
    }

    #[test]
    fn what_root_makes_is_whose_the_folder_is_and_what_was_there_stays_whose_it_was() {
        const SERVICE: u32 = 61_234;
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let path = |name: &str| temp.path().join(name);
        let owner = |name: &str| fs::symlink_metadata(path(name)).unwrap().uid();
        fs::write(path("roots"), "").unwrap();
        fs::create_dir(path("roots folder")).unwrap();
        std::os::unix::fs::chown(temp.path(), Some(SERVICE), Some(SERVICE)).unwrap();
        open(&path("opened")).unwrap();
        open_own(&path("own"), true).unwrap();
        create(&path("created")).unwrap();
        create_new(&path("new")).unwrap();
        folder(&path("folder/in it")).unwrap();
        for name in ["opened", "own", "created", "new", "folder", "folder/in it"] {
            assert_eq!(owner(name), SERVICE, "{name}");
        }
        open(&path("roots")).unwrap();
        open_own(&path("roots"), true).unwrap();
        create(&path("roots")).unwrap();
        folder(&path("roots folder")).unwrap();
        assert_eq!([owner("roots"), owner("roots folder")], [0; 2]);
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
