//! Odd answers of the service, and what is known after them.

use std::time::Duration;

use fortnight::domain::state::State;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::program::{begin_cycle, cycle, eventually, say};
use crate::support::graph::{FakeGraph, Fault, Kind, RetryAfter};
use crate::support::world::{World, before, day, hour};

fn graph(world: &World) -> FakeGraph {
    world.graph.clone().unwrap()
}

fn minutes(number: i64) -> SignedDuration {
    SignedDuration::from_mins(number)
}

#[tokio::test]
async fn case_8_a_clock_that_parts_from_that_of_graph_holds_flags() {
    let mut world = World::opened_on_graph("ana").await;
    world.daily(2..=14).await;
    for (ahead, held) in [(minutes(-20), 1), (minutes(20), 1), (minutes(10), 0)] {
        graph(&world).clock_ahead(ahead);
        let report = world.pass(day(15)).await;
        assert_eq!(world.held().len(), held, "{ahead:?}: {:?}", world.held());
        assert_eq!(report.flagged, u64::from(held == 0), "{ahead:?}");
    }
}

/// Members of groups that contain each other, as the service flattens them.
#[tokio::test]
async fn case_12_groups_in_a_cycle_and_their_direct_members() {
    for (nested, expected) in [
        ("", [State::Exempt, State::Exempt]),
        (
            "nested = false\n",
            [State::Exempt, State::WaitingFirstSignIn],
        ),
    ] {
        let mut world = World::on_graph(&["ana", "ben"]);
        world.change("exclude = {", &format!("{nested}exclude = {{"));
        world.export(day(0));
        let (ana, ben) = (
            world.accounts["ana"].id.clone(),
            world.accounts["ben"].id.clone(),
        );
        let outer = "0a0a0a0a-0000-4000-8000-000000000000";
        let inner = "0a0a0a0a-0000-4000-8000-000000000009";
        graph(&world).put_group(outer, "Emergency", &[&ana, inner]);
        graph(&world).put_group(inner, "Inner", &[&ben, outer]);
        world.pass_on_old_exports(day(0)).await;
        assert_eq!(world.states(&["ana", "ben"]).await, expected, "{nested}");
    }
}

#[tokio::test]
async fn paging_of_a_log_that_dies_again_and_again_loses_no_row() {
    let names: Vec<String> = (0..30).map(|number| format!("person{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::on_graph(&names);
    let graph = graph(&world);
    graph.set_page_size(4);
    world.pass(day(0)).await;
    for (hours, name) in (0..).zip(&names) {
        world.sign_in(name, hour(0, 1 + hours));
    }
    for nth in [2, 4, 7, 11] {
        graph.fail(Kind::SignIns, nth, Fault::SkipToken);
    }
    let report = world.pass(hour(1, 8)).await;
    assert_eq!(report.errors, [""; 0]);
    assert_eq!(report.windows.opened, 30);
}

#[test]
fn a_reading_that_was_broken_off_eight_days_ago_begins_anew() {
    let mut world = World::told_by(Some(FakeGraph::start()), &["ana"]);
    for name in world.crowd("person", 6) {
        world.add_to("Emergency", &name);
    }
    world.export(day(0));
    let graph = graph(&world);
    graph.set_page_size(3);
    graph.fail(Kind::Users, 2, Fault::Hang);
    let mut program = begin_cycle(&world, day(0));
    eventually("the second page", || graph.count(Kind::Users) == 2);
    program.kill().unwrap();
    program.wait().unwrap();
    world.who("person0").exists = false;
    world.export(day(8));
    graph.take_requests();
    let said = cycle(&world, day(8));
    assert_eq!(said.code, Some(0), "{}", said.err);
    let requests = graph.take_requests();
    let users = requests.iter().filter(|asked| asked.kind == Kind::Users);
    let statuses: Vec<u16> = users.map(|asked| asked.status).collect();
    assert_eq!(statuses, [410, 200, 200, 200]);
    let users = say(&world, &["users", "--format", "json"]).json();
    let gone: Vec<&Value> = users
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["state"] == "gone")
        .map(|row| &row["display_name"])
        .collect();
    // Of the half that was read then: whoever is not there now was asked for by id.
    assert_eq!(gone, [&json!("person0")]);
}

#[tokio::test]
async fn a_tenant_that_keeps_seven_days_is_read_as_far_as_it_goes() {
    let mut world = World::on_graph(&["ana", "ben"]);
    world.change(
        "enforce = \"on\"",
        "enforce = \"on\"\nsince = 2026-01-05T00:00:00Z",
    );
    graph(&world).set_retention(SignedDuration::from_hours(7 * 24));
    world.sign_in("ana", hour(2, 0));
    world.sign_in("ben", hour(15, 0));
    let report = world.pass(day(20)).await;
    assert_eq!(report.errors, [""; 0]);
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::WaitingFirstSignIn, State::InGrace]
    );
}

#[tokio::test]
async fn people_who_vanish_in_masses_wait_for_an_operator() {
    let mut world = World::on_graph(&["ana"]);
    let crowd = world.crowd("person", 40);
    world.pass(day(0)).await;
    for name in &crowd[..30] {
        world.who(name).exists = false;
    }
    world.pass(day(1)).await;
    assert_eq!(world.held(), ["snapshot:registration", "snapshot:users"]);
    assert_eq!(world.state("person0").await, State::WaitingFirstSignIn);
    for hold in ["snapshot:registration", "snapshot:users"] {
        world.approve(hold, hour(1, 1)).await;
    }
    world.pass(hour(1, 2)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("person0").await, State::Gone);
    assert_eq!(world.state("person39").await, State::WaitingFirstSignIn);
}

#[tokio::test]
async fn one_source_that_is_asked_to_wait_for_an_hour_keeps_no_other_waiting() {
    let mut world = World::opened_on_graph("ana").await;
    let hour_long = Fault::Busy(429, RetryAfter::Text("3600"));
    graph(&world).fail(Kind::SignIns, 1, hour_long);
    world.who("ana").mail = Some("ana.b@contoso.example".to_owned());
    let report = world.pass(day(8)).await;
    assert!(
        report.errors[0].starts_with("sign_ins: "),
        "{:?}",
        report.errors
    );
    let mailbox = world.mailbox("ana").await;
    let mail = mailbox.expect_one("window.reminder -7d");
    assert_eq!(mail.to, "ana.b@contoso.example");
}

#[tokio::test]
async fn answers_that_break_off_or_never_end_are_no_answers() {
    let mut world = World::on_graph(&["ana"]);
    let graph = graph(&world);
    world.sign_in("ana", hour(0, -1));
    graph.fail(Kind::SignIns, 1, Fault::Cut);
    graph.fail(Kind::Users, 1, Fault::Garbled);
    graph.fail(Kind::Report, 1, Fault::Endless);
    let report = world.pass(day(0)).await;
    let [error] = &report.errors[..] else {
        panic!("{:?}", report.errors);
    };
    assert!(error.contains("larger than 32 MB"), "{error}");
    assert_eq!(report.read.sign_ins, 1);
    assert_eq!(world.state("ana").await, State::Unknown);
    world.sign_in("ana", before(1));
    let report = world.pass(day(1)).await;
    assert_eq!((report.errors.len(), report.windows.opened), (0, 1));
}

#[tokio::test]
async fn a_link_that_leads_in_a_circle_ends() {
    let mut stuck = Vec::new();
    for kind in [
        Kind::Users,
        Kind::Members,
        Kind::SignIns,
        Kind::Audits,
        Kind::Report,
    ] {
        let mut world = World::on_graph(&["ana"]);
        world.export(day(0));
        world.graph.clone().unwrap().break_down(kind, Fault::Circle);
        let pass =
            tokio::time::timeout(Duration::from_secs(3), world.pass_on_old_exports(day(0))).await;
        if pass.is_err() {
            stuck.push((kind, world.graph.clone().unwrap().count(kind)));
        }
    }
    assert!(stuck.is_empty(), "these passes do not end: {stuck:?}");
}

#[tokio::test]
async fn another_address_of_graph_is_asked_anew() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    let before = world.graph.clone().unwrap();
    let after = FakeGraph::start();
    world.change(before.url(), after.url());
    world.graph = Some(after);
    for number in 1..=2 {
        world.pass(day(number)).await;
    }
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn an_approval_of_a_snapshot_judges_the_rest_by_the_same_limit() {
    let mut world = World::on_graph(&["ana"]);
    let crowd = world.crowd("person", 400);
    world.pass(day(0)).await;
    for name in &crowd[..100] {
        world.who(name).exists = false;
    }
    world.pass(day(1)).await;
    assert_eq!(world.held(), ["snapshot:registration", "snapshot:users"]);
    for hold in ["snapshot:registration", "snapshot:users"] {
        world.approve(hold, hour(1, 1)).await;
    }
    // One more leaves before the next pass, as people do.
    world.who(&crowd[100]).exists = false;
    world.pass(hour(1, 2)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state(&crowd[0]).await, State::Gone);
}

#[tokio::test]
async fn nobody_is_flagged_whose_last_row_could_not_be_read() {
    let mut world = World::opened_on_graph("ana").await;
    let graph = world.graph.clone().unwrap();
    world.daily(2..=9).await;
    // She is disabled, and the row that says so lacks her name.
    let id = world.accounts["ana"].id.clone();
    let mut flagged = 0;
    for number in 10..=16 {
        world.export(day(number));
        graph.put_user(json!({ "id": id, "accountEnabled": false, "userPrincipalName": null }));
        flagged += world.pass_on_old_exports(day(number)).await.flagged;
    }
    assert_eq!(flagged, 0);
}

#[tokio::test]
async fn nobody_is_flagged_whose_row_is_doubted_and_cannot_be_asked_for() {
    let mut world = World::opened_on_graph("ana").await;
    let graph = world.graph.clone().unwrap();
    world.daily(2..=14).await;
    let id = world.accounts["ana"].id.clone();
    world.export(day(15));
    graph.put_user(json!({ "id": id, "accountEnabled": false, "userPrincipalName": null }));
    graph.break_down(
        Kind::User,
        Fault::Status(403, "Authorization_RequestDenied"),
    );
    let report = world.pass_on_old_exports(day(15)).await;
    assert_eq!(report.flagged, 0, "{:?}", report.errors);
}
