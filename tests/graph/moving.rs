//! From exports to Graph and back, on one database: nobody is told, flagged or forgotten for that.

use std::time::Duration;

use fortnight::domain::state::State;
use fortnight::report::PassReport;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::program::{as_of, deliveries, users};
use crate::support::graph::{FakeGraph, SECRET};
use crate::support::world::{World, before, day, hour, hours};

const FILES: &str = "[directory]\nsource = \"files\"\n[directory.files]\npath = \"tenant\"\n";

fn live(world: &mut World, number: i64) {
    match number {
        1 => {
            for name in ["ana", "ben", "cleo", "dora"] {
                world.sign_in(name, before(1));
            }
        }
        4 => world.registers("ben"),
        9 => world.who("dora").exists = false,
        16 => world.sign_in("emil", before(16)),
        _ => {}
    }
}

fn organisation() -> World {
    World::told_by(None, &["ana", "ben", "cleo", "dora", "emil"])
}

fn told(world: &World) -> Vec<Value> {
    let mut rows = deliveries(world);
    for row in &mut rows {
        row["message_id"] = Value::Null;
        row["id"] = Value::Null;
    }
    rows
}

#[tokio::test]
async fn a_rollout_moves_to_graph_and_back_without_a_word() {
    let graph = FakeGraph::start();
    let (mut staying, mut moving) = (organisation(), organisation());
    crate::support::write_secret(moving.folder().join("graph-secret"), SECRET);
    let tables = graph.configuration("graph-secret");
    for number in 0..=20 {
        for world in [&mut staying, &mut moving] {
            live(world, number);
        }
        staying.pass(day(number)).await;
        let on_graph = (6..=15).contains(&number);
        match number {
            6 => moving.change(FILES, &tables),
            16 => moving.change(&tables, FILES),
            _ => {}
        }
        if on_graph {
            pass_on_graph(&mut moving, &graph, day(number)).await;
        } else {
            moving.pass(day(number)).await;
        }
        assert_eq!(moving.report.errors, [""; 0], "day {number}");
        assert_eq!(moving.held(), staying.held(), "day {number}");
        assert_eq!(users(&moving), users(&staying), "day {number}");
        assert_eq!(told(&moving), told(&staying), "day {number}");
    }
    assert!(told(&staying).len() > 10);
}

/// A world on exports, and a Graph that it can move to.
fn movable(names: &[&str]) -> (World, FakeGraph, String) {
    let graph = FakeGraph::start();
    let world = World::told_by(None, names);
    crate::support::write_secret(world.folder().join("graph-secret"), SECRET);
    let tables = graph.configuration("graph-secret");
    (world, graph, tables)
}

/// A pass on Graph, which knows what the directory would export.
async fn pass_on_graph(world: &mut World, graph: &FakeGraph, at: Timestamp) -> PassReport {
    world.export(at);
    graph.set_now(at);
    graph.load_folder(&world.tenant());
    world.pass_on_old_exports(at).await
}

#[tokio::test]
async fn back_on_graph_after_files_everybody_is_read_again() {
    let (mut world, graph, tables) = movable(&["ana", "ben"]);
    world.change(FILES, &tables);
    for number in 0..=1 {
        pass_on_graph(&mut world, &graph, day(number)).await;
    }
    // For two days by hand: an export with the columns that a users row needs, and no more.
    world.change(&tables, FILES);
    world.who("ana").mail = None;
    world.who("ben").mail = None;
    world.who("ben").exists = false;
    world.daily(2..=3).await;
    // And back. Nothing of this ever was different in the directory.
    world.change(FILES, &tables);
    for name in ["ana", "ben"] {
        world.who(name).mail = Some(format!("{name}@contoso.example"));
        world.who(name).exists = true;
    }
    world.sign_in("ana", before(4));
    let mut flagged = 0;
    for number in 4..=30 {
        flagged += pass_on_graph(&mut world, &graph, day(number)).await.flagged;
    }
    let told = world.mailbox("ana").await.events();
    assert_eq!(
        (world.state("ben").await, flagged, told.len()),
        (State::WaitingFirstSignIn, 1, 5),
        "ben is there, and ana was told before she was flagged: {told:?}"
    );
}

#[tokio::test]
async fn a_report_is_taken_over_after_a_probe_about_somebody_whom_only_files_knew() {
    let (mut world, graph, tables) = movable(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.change(FILES, &tables);
    // Graph's report does not have her (yet).
    world.who("ana").registered = None;
    pass_on_graph(&mut world, &graph, day(1)).await;
    assert_eq!(as_of(&world, "registration"), day(1));
    world.audit("ana", hour(1, 12), "User registered security info");
    world.registers("ana");
    pass_on_graph(&mut world, &graph, hour(1, 13)).await;
    for number in 2..=4 {
        pass_on_graph(&mut world, &graph, day(number)).await;
    }
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(as_of(&world, "registration"), day(4));
}

#[tokio::test]
async fn back_on_files_after_a_probe_a_pass_ends() {
    let (mut world, graph, tables) = movable(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.change(FILES, &tables);
    world.who("ana").registered = None;
    pass_on_graph(&mut world, &graph, day(1)).await;
    world.audit("ana", hour(1, 12), "User registered security info");
    world.registers("ana");
    pass_on_graph(&mut world, &graph, hour(1, 13)).await;
    world.change(&tables, FILES);
    let pass = tokio::time::timeout(Duration::from_secs(20), world.pass(day(2))).await;
    assert!(pass.is_ok(), "the pass does not end");
}

#[tokio::test]
async fn back_on_files_a_pass_ends() {
    let (mut world, graph, tables) = movable(&["ana", "ben"]);
    world.change(FILES, &tables);
    pass_on_graph(&mut world, &graph, day(0)).await;
    // Eight days later the link is dead and everybody is read again, one row without what it needs.
    let at = day(9);
    world.export(at);
    graph.set_now(at);
    graph.load_folder(&world.tenant());
    graph.put_user(json!({ "id": world.accounts["ben"].id, "accountEnabled": null }));
    let report = world.pass_on_old_exports(at).await;
    assert!(report.read.quarantined > 0, "{:?}", report.read);
    world.change(&tables, FILES);
    let pass = tokio::time::timeout(Duration::from_secs(20), world.pass(hour(9, 1))).await;
    assert!(pass.is_ok(), "the pass does not end");
}

#[tokio::test]
async fn a_mass_of_losses_is_seen_also_when_the_report_comes_from_elsewhere() {
    let (mut world, graph, tables) = movable(&["ana"]);
    let crowd = world.crowd("person", 40);
    for name in &crowd {
        world.registers(name);
    }
    for number in 0..=1 {
        world.pass(day(number)).await;
    }
    // Graph's report is refreshed every few hours, and says something else of thirty people.
    world.change(FILES, &tables);
    world.report_lag = hours(5);
    for name in &crowd[..30] {
        world.who(name).registered = Some(false);
    }
    let mut held = Vec::new();
    for number in 1..=8 {
        pass_on_graph(&mut world, &graph, hour(1, number * 3)).await;
        held.push(world.held().join(" "));
    }
    assert!(
        held.iter().all(|held| held.contains("missing_growth")),
        "{held:?}"
    );
}
