//! The program itself on the configuration of a world.

use std::process::{Child, Command, Stdio};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::world::World;

use crate::support::said::{self, Said};

pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    command
        .current_dir(world.folder())
        .arg("--config")
        .arg(world.file())
        .args(["--log-format", "text"])
        .args(arguments)
        .stdin(Stdio::null());
    command
}

pub(crate) fn say(world: &World, arguments: &[&str]) -> Said {
    let output = command(world, arguments).output().unwrap();
    Said {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A whole pass as of then.
pub(crate) fn cycle(world: &World, at: Timestamp) -> Said {
    say(
        world,
        &["cycle", "--as-of", &at.to_string(), "--format", "json"],
    )
}

/// Begins a pass as of then.
pub(crate) fn begin_cycle(world: &World, at: Timestamp) -> Child {
    command(world, &["cycle", "--as-of", &at.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the program knows of everybody.
pub(crate) fn users(world: &World) -> Value {
    say(world, &["users", "--format", "json"]).json()
}

/// What was said to whom, in which order.
pub(crate) fn deliveries(world: &World) -> Vec<Value> {
    let said = say(world, &["deliveries", "list", "--format", "json"]);
    said.json().as_array().unwrap().clone()
}

/// Looks again and again until it is so.
pub(crate) fn eventually(what: &str, mut look: impl FnMut() -> bool) {
    said::eventually(what, || look().then_some(()));
}

/// When the facts of a source are from, as `status` says.
pub(crate) fn as_of(world: &World, source: &str) -> Timestamp {
    let status = say(world, &["status", "--format", "json"]).json();
    let sources = status["sources"].as_array().unwrap();
    let row = sources.iter().find(|row| row["name"] == source).unwrap();
    row["as_of"].as_str().unwrap().parse().unwrap()
}
