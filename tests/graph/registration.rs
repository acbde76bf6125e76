//! When the registration report is read, and when one person is asked for by name.

use std::time::Duration;

use fortnight::domain::state::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::graph::{FakeGraph, Kind};
use crate::support::world::{World, before, day, hour};

fn minutes(from: Timestamp, number: i64) -> Timestamp {
    from + SignedDuration::from_mins(number)
}

/// A world whose report is read once a day.
async fn daily_report() -> (World, FakeGraph) {
    let mut world = World::opened_on_graph("ana").await;
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
async fn nobody_is_asked_to_register_before_the_first_report_says_who_did() {
    let mut world = World::of(&["ana", "bo"]);
    world.registers("bo");
    world.frozen.insert("registration");
    world.pass(day(0)).await;
    world.sign_in("ana", hour(0, 1));
    world.sign_in("bo", hour(0, 1));
    for number in 1..=2 {
        world.pass(day(number)).await;
        assert_eq!(
            world.states(&["ana", "bo"]).await,
            [State::Unknown, State::Unknown]
        );
        world.mailbox("ana").await.expect_none();
        world.mailbox("bo").await.expect_none();
    }
    world.frozen.clear();
    world.pass(day(3)).await;
    assert_eq!(
        world.states(&["ana", "bo"]).await,
        [State::InGrace, State::Registered]
    );
    assert_eq!(world.deadline("ana").await, Some(hour(14, 1)));
    world.mailbox("ana").await.expect_one("window.opened");
    world.mailbox("bo").await.expect_none();
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
async fn the_report_is_read_once_as_soon_as_the_lag_lets_it_prove_a_deadline() {
    let (mut world, graph) = daily_report().await;
    world.change("registration = \"24h\"", "registration = \"400h\"");
    let at = |days: i64, hours: i64, minutes: i64| {
        hour(days, hours) + SignedDuration::from_mins(minutes)
    };
    for number in 2..=14 {
        world.pass(hour(number, 6)).await;
    }
    // The deadline is day 14, 23:00, and a report is as of a day before it is read.
    let undated = |world: &World| {
        let mut rows = world.registration_rows(day(0));
        for row in &mut rows {
            row["lastUpdatedDateTime"] = json!(null);
        }
        rows
    };
    world.configuration += "[freshness]\nregistration = \"900h\"\n";
    graph.take_requests();
    for (now, asked, flagged) in [
        (at(14, 23, 0), 0, 0),
        (at(15, 6, 0), 0, 0),
        (at(15, 22, 59), 0, 0),
        (at(15, 23, 0), 1, 1),
        (at(15, 23, 10), 1, 0),
    ] {
        world.export(now);
        graph.set_report(undated(&world));
        let report = world.pass_on_old_exports(now).await;
        let found = (graph.count(Kind::Report), report.flagged);
        assert_eq!(found, (asked, flagged), "{now}");
    }
}

#[tokio::test]
async fn a_hold_on_the_report_stands_while_the_next_one_is_read() {
    let mut world = World::on_graph(&["ana"]);
    let crowd = world.crowd("person", 60);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=12).await;
    // Registering is blocked: that delays the flag by three days (rule R11).
    world.sign_in_with(
        "ana",
        hour(12, 13),
        json!({ "status": { "errorCode": 53004 } }),
    );
    world.daily(13..=15).await;
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    // She registers. The report that says so is short of forty people, and not believed.
    world.registers("ana");
    for name in &crowd[..40] {
        world.who(name).registered = None;
    }
    world.pass(hour(15, 6)).await;
    assert_eq!(world.held(), ["snapshot:registration"]);
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    // It is read again, in several passes.
    let graph = world.graph.clone().unwrap();
    graph.set_page_size(10);
    world.export(hour(15, 14));
    world.patience = Some(Duration::ZERO);
    let report = world.pass_on_old_exports(hour(15, 14)).await;
    assert_eq!(
        report.flagged, 0,
        "she has registered, and a hold should stand"
    );
}

#[tokio::test]
async fn a_report_that_is_refreshed_while_it_is_read_is_as_old_as_its_oldest_page() {
    let mut world = World::on_graph(&["ana"]);
    world.crowd("person", 18);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    let graph = world.graph.clone().unwrap();
    // Refreshed at noon of the last day; she registers in the evening, before the deadline.
    graph.set_page_size(10);
    graph.set_now(day(15));
    graph.set_report(world.registration_rows(hour(14, 12)));
    world.patience = Some(Duration::ZERO);
    let report = world.pass_on_old_exports(day(15)).await;
    assert_eq!(report.flagged, 0);
    // The service refreshes its report between two pages.
    world.registers("ana");
    let at = minutes(day(15), 1);
    graph.set_now(at);
    graph.set_report(world.registration_rows(at));
    let report = world.pass_on_old_exports(at).await;
    assert_eq!(report.flagged, 0, "she registered before the deadline");
}

#[tokio::test]
async fn an_approval_is_used_while_the_report_is_read_page_by_page() {
    let mut world = World::on_graph(&["ana"]);
    let crowd = world.crowd("person", 60);
    world.pass(day(0)).await;
    let graph = world.graph.clone().unwrap();
    graph.set_page_size(10);
    for name in &crowd[..40] {
        world.who(name).registered = None;
    }
    world.pass(day(1)).await;
    assert_eq!(world.held(), ["snapshot:registration"]);
    world.approve("snapshot:registration", hour(1, 1)).await;
    world.export(hour(1, 2));
    world.patience = Some(Duration::ZERO);
    let mut held = Vec::new();
    for number in 0..6 {
        let at = hour(1, 2) + SignedDuration::from_secs(number);
        world.pass_on_old_exports(at).await;
        held.push(world.held().join(" "));
    }
    assert_eq!(held, [""; 6]);
}

#[tokio::test]
async fn rows_that_the_service_has_not_touched_make_a_report_no_older() {
    let mut world = World::on_graph(&["ana"]);
    world.crowd("person", 18);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    let graph = world.graph.clone().unwrap();
    graph.set_now(day(15));
    let mut rows = world.registration_rows(day(15));
    // The service has not touched the row of one person for a week, and it makes a page of its own.
    rows.sort_by_key(|row| row["id"].to_string());
    rows.last_mut().unwrap()["lastUpdatedDateTime"] = json!(day(8).to_string());
    graph.set_report(rows.clone());
    graph.set_page_size(rows.len() - 1);
    let report = world.pass_on_old_exports(day(15)).await;
    assert_eq!(
        super::program::as_of(&world, "registration"),
        day(15),
        "rule 7.8"
    );
    assert_eq!(report.flagged, 1);
}
