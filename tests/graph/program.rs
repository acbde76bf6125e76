//! The program itself on the configuration of a world.

use std::process::{Child, Stdio};

use jiff::Timestamp;
use serde_json::Value;

use crate::support::world::World;

pub(crate) use crate::support::program::command;

use crate::support::said::{self, Said};

pub(crate) fn say(world: &World, arguments: &[&str]) -> Said {
    Said::by(command(world, arguments))
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
