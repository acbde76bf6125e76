//! From exports to Graph and back, on one database: nobody is told, flagged or forgotten for that.

use jiff::Timestamp;
use serde_json::Value;

use crate::program::{deliveries, users};
use crate::world::graph::{FakeGraph, SECRET};
use crate::world::{World, before, day};

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

/// The same history at every pass, told by Graph.
async fn pass_on_graph(world: &mut World, graph: &FakeGraph, at: Timestamp) {
    world.export(at);
    graph.set_now(at);
    graph.load_folder(&world.tenant());
    world.pass_on_old_exports(at).await;
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
    std::fs::write(moving.folder().join("graph-secret"), SECRET).unwrap();
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
