//! What root does beside a service that runs as somebody else: it stays that user's to write. Only root can try it.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Output;

use jiff::Timestamp;

use crate::support::program::{Anybodys, missing};
use crate::support::world::{World, day, hour};

const ROOT: u32 = 0;
const SERVICE: u32 = 61_234;
const OTHER: u32 = 61_235;

/// A machine with a service of its own user.
struct Machine {
    world: World,
    program: Anybodys,
}

impl Machine {
    fn new() -> Option<Self> {
        let mut world = World::of(&["ana"]);
        world.export(day(0));
        world.file();
        if chown(world.folder(), Some(SERVICE), Some(SERVICE)).is_err() {
            missing("root");
            return None;
        }
        fs::set_permissions(world.folder(), fs::Permissions::from_mode(0o700)).unwrap();
        let program = Anybodys::new();
        Some(Self { world, program })
    }

    /// A configuration that everybody may read, of this database.
    fn on(&self, database: &Path) -> PathBuf {
        let open = self.program.path("fortnight.toml");
        let text = fs::read_to_string(self.world.file()).unwrap();
        let url = format!("sqlite:{}", database.display());
        fs::write(&open, text.replace("sqlite:fortnight.db", &url)).unwrap();
        open
    }

    fn pass(&self, user: u32, at: Timestamp) {
        let at = at.to_string();
        let output = self.run_as(user, &self.world.file(), &["cycle", "--as-of", &at]);
        assert!(output.status.success(), "{output:?}");
    }

    fn run_as(&self, user: u32, configuration: &Path, arguments: &[&str]) -> Output {
        self.program
            .command(user)
            .arg("--config")
            .arg(configuration)
            .args(arguments)
            .current_dir("/")
            .output()
            .unwrap()
    }
}

/// What is in a folder and below that somebody else owns.
fn not_of(user: u32, folder: &Path) -> Vec<PathBuf> {
    let below = |path: PathBuf| {
        let found = fs::symlink_metadata(&path).unwrap();
        let within = if found.is_dir() {
            not_of(user, &path)
        } else {
            Vec::new()
        };
        let itself = (found.uid() != user).then_some(path);
        within.into_iter().chain(itself)
    };
    let entries = fs::read_dir(folder).unwrap();
    entries
        .flat_map(|entry| below(entry.unwrap().path()))
        .collect()
}

#[test]
fn a_pass_of_roots_leaves_the_service_all_that_it_writes() {
    let Some(mut machine) = Machine::new() else {
        return;
    };
    machine.pass(ROOT, day(0));
    machine.world.sign_in("ana", hour(0, 1));
    machine.world.export(hour(0, 2));
    machine.pass(ROOT, hour(0, 3));
    let outbox = machine.world.folder().join("outbox");
    assert_eq!(fs::read_dir(outbox).unwrap().count(), 1);
    let mut strange = not_of(SERVICE, machine.world.folder());
    strange.retain(|path| !path.starts_with(machine.world.tenant()));
    assert_eq!(
        strange,
        [machine.world.file()],
        "but for what root wrote there by hand"
    );
    machine.pass(SERVICE, hour(0, 4));
    chown(machine.world.database(), Some(ROOT), Some(ROOT)).unwrap();
    let output = machine.run_as(SERVICE, &machine.world.file(), &["status"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("fortnight.db, which is user 0's"), "{said}");
}

#[test]
fn who_may_not_look_is_told_who_may() {
    let Some(machine) = Machine::new() else {
        return;
    };
    machine.pass(ROOT, day(0));
    let open = machine.on(&machine.world.database());
    for command in ["status", "cycle"] {
        let output = machine.run_as(OTHER, &open, &[command]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{command}: {said}");
        assert!(said.contains("closed to this user: do this as"), "{said}");
        assert_eq!(said.lines().count(), 1, "{command}: {said}");
    }
    for user in [SERVICE, ROOT] {
        let output = machine.run_as(user, &open, &["status"]);
        assert!(output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_seen_is_not_said_to_be_missing() {
    let Some(machine) = Machine::new() else {
        return;
    };
    let said = |name: &str| {
        let open = machine.on(&machine.world.folder().join(name).join("fortnight.db"));
        let output = machine.run_as(OTHER, &open, &["check"]);
        String::from_utf8(output.stderr).unwrap()
    };
    let seen = machine.program.path("nowhere");
    let missing = "there is no folder";
    assert!(said(seen.to_str().unwrap()).contains(missing));
    assert!(!said("below").contains(missing));
}
