//! The daemon over a Graph that lives in real time.

use std::collections::BTreeSet;
use std::process::{Child, Stdio};

use fortnight::time::Clock;
use serde_json::Value;

use super::program::{command, deliveries, eventually, say, users};
use crate::support::graph::{FakeGraph, Kind};
use crate::support::world::World;

/// A world that asks every second, about an organisation that lives by the host's clock.
fn living() -> (World, FakeGraph) {
    let graph = FakeGraph::start();
    let mut world = World::told_by(Some(graph.clone()), &[]);
    graph.load_sample();
    let since = Clock::system().now() - crate::support::world::hours(24);
    world.change(
        "enforce = \"on\"",
        &format!("enforce = \"on\"\nsince = {since}"),
    );
    world.configuration += "[schedule]\npoll = \"* * * * * *\"\nregistration = \"1s\"\n";
    (world, graph)
}

/// Killed when it is dropped.
struct Daemon(Child);

impl Daemon {
    fn run(world: &World) -> Self {
        let mut command = command(world, &["run"]);
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What is wrong with a source, as `status` says.
fn fault(world: &World, source: &str) -> Option<String> {
    let said = say(world, &["status", "--format", "json"]);
    let status: Value = serde_json::from_str(&said.out).ok()?;
    let sources = status["sources"].as_array()?;
    let row = sources.iter().find(|row| row["name"] == source)?;
    Some(row["error"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn a_permission_that_is_granted_later_counts_from_the_next_pass_on() {
    let (world, graph) = living();
    graph.revoke_permission("AuditLog.Read.All");
    let _daemon = Daemon::run(&world);
    eventually("the refusal", || {
        fault(&world, "sign_ins").is_some_and(|text| text.contains("AuditLog.Read.All"))
    });
    graph.grant_permission("AuditLog.Read.All");
    eventually("the sign-ins", || {
        fault(&world, "sign_ins").as_deref() == Some("")
    });
}

#[test]
fn a_daemon_that_is_killed_again_and_again_tells_everybody_once() {
    let (world, graph) = living();
    for kind in [
        Kind::Users,
        Kind::SignIns,
        Kind::Audits,
        Kind::Report,
        Kind::Users,
    ] {
        let before = graph.count(kind);
        let daemon = Daemon::run(&world);
        eventually("a request", || graph.count(kind) > before);
        drop(daemon);
    }
    let daemon = Daemon::run(&world);
    let opened = || {
        users(&world)
            .as_array()
            .unwrap()
            .iter()
            .filter(|row| !row["window"].is_null())
            .count()
    };
    eventually("windows", || {
        world.database().exists() && fault(&world, "registration").is_some() && opened() > 3
    });
    let told = || {
        let rows = deliveries(&world).into_iter();
        rows.filter(|row| row["event"] == "window.opened")
            .collect::<Vec<_>>()
    };
    eventually("a mail for each window", || told().len() == opened());
    drop(daemon);
    let told: Vec<String> = told().iter().map(|row| row["user"].to_string()).collect();
    assert_eq!(
        told.len(),
        told.iter().collect::<BTreeSet<_>>().len(),
        "{told:?}"
    );
}
