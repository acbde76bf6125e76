//! The program is killed while it waits for an answer, at one request after the other; the next
//! pass ends where an undisturbed one does.

use super::program::{begin_cycle, cycle, deliveries, eventually, users};
use crate::support::graph::{FakeGraph, Fault};
use crate::support::world::{World, before, day};

/// An organisation of several pages, on the day on which things happen to it.
fn eventful_day() -> World {
    let mut world = World::told_by(Some(FakeGraph::start()), &[]);
    for name in world.crowd("person", 5) {
        world.add_to("Emergency", &name);
    }
    for name in ["ana", "ben", "cleo", "dora"] {
        world.join(name);
    }
    let graph = world.graph.clone().unwrap();
    graph.set_page_size(3);
    world.export(day(0));
    assert_eq!(cycle(&world, day(0)).code, Some(0));
    for name in ["ana", "ben", "cleo"] {
        world.sign_in(name, before(1));
    }
    world.registers("ben");
    world.audit("cleo", before(1), "User registered security info");
    world.who("dora").exists = false;
    world.join("emil");
    world.export(day(1));
    graph.take_requests();
    world
}

#[test]
fn a_kill_at_any_request_changes_nothing_of_the_end() {
    let calm = eventful_day();
    assert_eq!(cycle(&calm, day(1)).code, Some(0));
    let asked = calm.graph.as_ref().unwrap().take_requests().len();
    assert!(asked > 10, "{asked}");
    let (people, messages) = (users(&calm), deliveries(&calm));
    assert!(messages.iter().any(|row| row["event"] == "window.opened"));
    for nth in 1..=asked {
        let world = eventful_day();
        let graph = world.graph.clone().unwrap();
        graph.fail_any(nth, Fault::Hang);
        let mut program = begin_cycle(&world, day(1));
        eventually("the request", || graph.requests().len() == nth);
        program.kill().unwrap();
        program.wait().unwrap();
        let said = cycle(&world, day(1));
        assert_eq!(said.code, Some(0), "killed at request {nth}: {}", said.err);
        assert_eq!(users(&world), people, "killed at request {nth}");
        assert_eq!(deliveries(&world), messages, "killed at request {nth}");
    }
}
