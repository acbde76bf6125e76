//! When the registration report is read, and when one person is asked for by name.

use fortnight::domain::state::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::world::graph::{FakeGraph, Kind};
use crate::world::{World, hour};

fn minutes(from: Timestamp, number: i64) -> Timestamp {
    from + SignedDuration::from_mins(number)
}

/// A world whose report is read once a day.
async fn daily_report() -> (World, FakeGraph) {
    let mut world = World::opened("ana").await;
    world.configuration += "[schedule]\nregistration = \"24h\"\n";
    world.pass(hour(1, 6)).await;
    let graph = world.graph.clone().unwrap();
    graph.take_requests();
    (world, graph)
}

fn registered(world: &World) -> serde_json::Value {
    json!({ "id": world.accounts["ana"].id, "isMfaCapable": true, "isMfaRegistered": true, "methodsRegistered": ["fido2"] })
}

#[tokio::test]
async fn who_registers_is_asked_for_by_name_and_known_in_minutes() {
    let (mut world, graph) = daily_report().await;
    let begin = hour(1, 10);
    world.audit("ana", begin, "User registered security info");
    world.export(minutes(begin, 5));
    world.pass_on_old_exports(minutes(begin, 5)).await;
    assert_eq!(world.state("ana").await, State::RegistrationReported);
    graph.set_registration(&world.accounts["ana"].id, registered(&world));
    graph.set_now(minutes(begin, 8));
    graph.refresh_report();
    graph.take_requests();
    for (later, state) in [(10, State::RegistrationReported), (20, State::Registered)] {
        graph.set_now(minutes(begin, later));
        world.pass_on_old_exports(minutes(begin, later)).await;
        assert_eq!(world.state("ana").await, state, "after {later} minutes");
    }
    let requests = graph.take_requests();
    let of = |kind| requests.iter().filter(|asked| asked.kind == kind).count();
    assert_eq!((of(Kind::ReportRow), of(Kind::Report)), (1, 0));
    world.mailbox("ana").await.expect_one("user.registered");
}

#[tokio::test]
async fn an_event_that_the_report_never_confirms_costs_four_questions() {
    let (mut world, graph) = daily_report().await;
    world.audit("ana", hour(1, 10), "User registered security info");
    for number in 0..=60 {
        world.pass(minutes(hour(1, 10), number * 30)).await;
    }
    assert_eq!(graph.count(Kind::ReportRow), 4);
    assert_eq!(world.state("ana").await, State::InGrace);
}

#[tokio::test]
async fn the_report_is_read_at_once_when_a_flag_waits_for_it() {
    let (mut world, graph) = daily_report().await;
    for number in 2..=14 {
        world.pass(hour(number, 6)).await;
    }
    // The deadline is day 14, 23:00, and the report was read at six.
    graph.take_requests();
    world.report_lag = SignedDuration::from_hours(6);
    world.pass(hour(15, 0)).await;
    assert_eq!(graph.count(Kind::Report), 1);
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    world.pass(hour(15, 1)).await;
    assert_eq!(graph.count(Kind::Report), 2);
    world.report_lag = SignedDuration::from_mins(90);
    let report = world.pass(hour(15, 2)).await;
    assert_eq!(report.flagged, 1, "the report is of half past midnight");
}
