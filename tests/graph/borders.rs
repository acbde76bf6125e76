//! Where the service ends and trouble begins: links that are dead, lists that do not end, people who are back
//! without a word, and text that is none. A reading goes on all the same, and says once what was wrong.

use std::time::Duration;

use fortnight::domain::state::State;
use jiff::Timestamp;

use crate::support::graph::{FakeGraph, Fault, Kind, Removal, RetryAfter};
use crate::support::world::{World, before, day, hour};

fn graph(world: &World) -> FakeGraph {
    world.graph.clone().unwrap()
}

/// A server that is not well, and asks for no time.
fn unwell() -> Fault {
    Fault::Busy(503, RetryAfter::Text("0"))
}

/// Ana was told of, and Ben joins.
async fn with_a_dead_delta(fault: Fault) -> World {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    graph(&world).kill_link(Kind::Users, fault);
    world.join("ben");
    world
}

#[tokio::test]
async fn a_stored_link_that_is_not_found_is_begun_anew_at_once() {
    let gone = Fault::Status(404, "UnknownError");
    let mut world = with_a_dead_delta(gone.clone()).await;
    for number in 1..=2 {
        let report = world.pass(day(number)).await;
        assert_eq!(report.errors, [""; 0], "day {number}");
        assert_eq!(world.state("ben").await, State::WaitingFirstSignIn);
    }
    for kind in [Kind::SignIns, Kind::Report] {
        let mut world = World::on_graph(&["ana"]);
        let people = world.crowd("person", 6);
        world.pass(day(0)).await;
        for name in &people {
            world.sign_in(name, before(1));
        }
        graph(&world).set_page_size(2);
        graph(&world).kill_link(kind, gone.clone());
        let report = world.pass(day(1)).await;
        assert_eq!(report.errors, [""; 0], "{kind:?}");
        assert_eq!(report.windows.opened, 6, "{kind:?}");
    }
}

/// How many errors each of five passes has to say.
async fn errors(world: &mut World) -> Vec<usize> {
    let mut errors = Vec::new();
    for hours in 1..=5 {
        errors.push(world.pass(hour(1, hours)).await.errors.len());
    }
    errors
}

#[tokio::test]
async fn a_stored_link_at_which_the_service_always_fails_is_given_up_in_the_third_pass() {
    let mut world = with_a_dead_delta(unwell()).await;
    assert_eq!(errors(&mut world).await, [1, 1, 0, 0, 0]);
    assert_eq!(world.state("ben").await, State::WaitingFirstSignIn);
    for kind in [Kind::SignIns, Kind::Report] {
        let mut world = World::on_graph(&["ana"]);
        let people = world.crowd("person", 6);
        world.pass(day(0)).await;
        for name in &people {
            world.sign_in(name, before(1));
        }
        graph(&world).set_page_size(2);
        graph(&world).kill_link(kind, unwell());
        assert_eq!(errors(&mut world).await, [1, 1, 0, 0, 0], "{kind:?}");
        for name in &people {
            assert_eq!(world.state(name).await, State::InGrace, "{kind:?} {name}");
        }
    }
}

#[tokio::test]
async fn an_outage_of_the_service_costs_no_link() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    world.join("ben");
    world.export(hour(1, 0));
    graph(&world).break_down(Kind::Users, unwell());
    for hours in 1..=5 {
        let report = world.pass_on_old_exports(hour(1, hours)).await;
        assert_eq!(report.errors.len(), 1);
    }
    graph(&world).mend_all();
    graph(&world).take_requests();
    let report = world.pass(hour(1, 6)).await;
    assert_eq!(report.errors, [""; 0]);
    assert_eq!(world.state("ben").await, State::WaitingFirstSignIn);
    let asked = graph(&world).take_requests();
    let users: Vec<_> = asked
        .iter()
        .filter(|asked| asked.kind == Kind::Users)
        .collect();
    assert_eq!(users.len(), 1, "{users:?}");
    assert!(users[0].target.contains("$deltatoken"), "{users:?}");
}

#[tokio::test]
async fn a_list_that_does_not_end_is_left_and_the_other_sources_go_on() {
    let mut world = World::opened_on_graph("ana").await;
    let people = world.crowd("person", 3);
    let graph = graph(&world);
    let group = "/v1.0/groups/0a0a0a0a-0000-4000-8000-000000000000";
    let members = format!(
        "{}{group}/transitiveMembers/microsoft.graph.user",
        graph.url()
    );
    graph.break_down(Kind::Members, Fault::Unending(members));
    world.sign_in(&people[0], before(2));
    let report = world.pass(day(2)).await;
    let [error] = &report.errors[..] else {
        panic!("{:?}", report.errors)
    };
    assert!(error.contains("do not end: 1001 were read"), "{error}");
    assert_eq!(report.windows.opened, 1);
    assert_eq!(world.state("breakglass").await, State::Exempt);
    graph.mend_all();
    assert_eq!(world.pass(day(3)).await.errors, [""; 0]);
}

#[tokio::test]
async fn users_that_are_too_many_for_one_pass_are_read_by_the_next_ones() {
    let mut world = World::on_graph(&["ana"]);
    let people = world.crowd("person", 6);
    graph(&world).set_page_size(2);
    world.patience = Some(Duration::ZERO);
    world.export(day(1));
    let mut passes = 0;
    while passes == 0 || world.report.unfinished {
        assert!(passes < 20, "{:?}", world.report);
        let report = world.pass_on_old_exports(day(1)).await;
        assert_eq!(report.errors, [""; 0]);
        passes += 1;
    }
    // Four pages of users, of which each pass reads one more.
    assert!(passes >= 4, "{passes}");
    world.patience = None;
    world.pass(hour(1, 1)).await;
    for name in &people {
        assert_eq!(world.state(name).await, State::WaitingFirstSignIn, "{name}");
    }
}

/// Ana's window was open when she was removed; she is restored, and no delta says so.
async fn restored() -> World {
    let mut world = World::opened_on_graph("ana").await;
    world.who("ana").exists = false;
    world.pass(day(4)).await;
    assert_eq!(world.state("ana").await, State::Gone);
    let id = world.id("ana");
    graph(&world).restore_user_silently(id.as_str());
    let ana = world.who("ana");
    ana.exists = true;
    ana.registered = None;
    world.daily(5..=6).await;
    assert_eq!(world.state("ana").await, State::Gone, "nothing names her");
    world
}

#[tokio::test]
async fn who_was_restored_without_a_word_is_asked_for_when_something_newer_names_them() {
    let mut by_sign_in = restored().await;
    by_sign_in.sign_in("ana", before(7));
    let mut by_report = restored().await;
    by_report.who("ana").registered = Some(false);
    let mut by_event = restored().await;
    by_event.audit("ana", before(7), "User registered security info");
    let mut by_group = restored().await;
    by_group.exclude("ana");
    for (what, world, state) in [
        ("a sign-in", &mut by_sign_in, State::Unknown),
        ("the report", &mut by_report, State::InGrace),
        ("an event", &mut by_event, State::RegistrationReported),
        ("a membership", &mut by_group, State::Exempt),
    ] {
        world.pass(day(7)).await;
        assert_eq!(world.state("ana").await, state, "{what}");
    }
}

#[tokio::test]
async fn a_registered_person_who_was_restored_without_a_word_is_back_with_a_sign_in() {
    let mut world = World::on_graph(&["ana"]);
    world.registers("ana");
    world.pass(day(0)).await;
    world.who("ana").exists = false;
    world.pass(day(1)).await;
    let id = world.id("ana");
    graph(&world).restore_user_silently(id.as_str());
    world.who("ana").exists = true;
    world.who("ana").registered = None;
    world.pass(day(2)).await;
    assert_eq!(world.state("ana").await, State::Gone);
    world.sign_in("ana", before(3));
    world.pass(day(3)).await;
    assert_eq!(world.state("ana").await, State::Registered);
}

#[tokio::test]
async fn who_is_gone_for_good_is_not_asked_for_by_what_they_did_before() {
    let mut world = World::opened_on_graph("ana").await;
    let id = world.id("ana");
    graph(&world).remove_user(id.as_str(), Removal::Hard);
    world.who("ana").exists = false;
    world.pass(day(4)).await;
    graph(&world).take_requests();
    // Both come late.
    world.sign_in("ana", before(3));
    world.audit("ana", before(3), "User registered security info");
    world.daily(5..=6).await;
    assert_eq!(world.state("ana").await, State::Gone);
    assert_eq!(graph(&world).count(Kind::User), 0);
}

#[tokio::test]
async fn text_that_is_none_costs_itself_and_a_row_that_is_none_costs_nobody_else() {
    for (kind, bytes, name) in [
        (Kind::Users, &b"M\xfcller"[..], "M\u{fffd}ller"),
        (Kind::Users, b"M\x01ller", "M ller"),
        (Kind::Users, b"M\\ud83dller", "M\u{fffd}ller"),
    ] {
        let mut world = World::on_graph(&["ana", "ben"]);
        world.who("ana").display_name = "Müller".to_owned();
        world.export(day(0));
        graph(&world).break_down(kind, Fault::Spelled("Müller", bytes));
        let report = world.pass_on_old_exports(day(0)).await;
        assert_eq!((report.errors.len(), report.read.quarantined), (0, 0));
        assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
        let decided = world.person("ana").await;
        assert_eq!(decided.display_name.as_deref(), Some(name));
    }
    for kind in [Kind::Users, Kind::SignIns, Kind::Report, Kind::Audits] {
        let mut world = World::on_graph(&["ana", "ben"]);
        world.pass(day(0)).await;
        for name in ["ana", "ben"] {
            world.sign_in(name, before(1));
        }
        world.join("cleo");
        world.audit("ben", before(1), "User registered security info");
        let junk = Fault::Spelled("\"value\":[", b"\"value\":[7,\"x\",[[]],{},");
        graph(&world).fail(kind, 1, junk);
        let report = world.pass(day(1)).await;
        assert_eq!(report.errors, [""; 0], "{kind:?}");
        assert_eq!(report.read.quarantined, 4, "{kind:?}");
        assert_eq!(report.windows.opened, 2, "{kind:?}");
        assert_eq!(world.state("cleo").await, State::WaitingFirstSignIn);
    }
}

/// Two sign-ins with a code that means nothing yet, and what it means then.
async fn opened_by_a_code_that_means_something_now(mut world: World) -> Option<Timestamp> {
    world.pass(day(0)).await;
    for number in [1, 2] {
        let unknown = serde_json::json!({ "status": { "errorCode": 50_203 } });
        world.sign_in_with("ana", before(number), unknown);
        world.pass(day(number)).await;
    }
    assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
    world.configuration += "[result_codes]\n50203 = \"registration_interrupt\"\n";
    world.pass(day(3)).await;
    let decision = world.decision("ana").await;
    decision.standing.window.run().map(|run| run.opened_at)
}

#[tokio::test]
async fn another_table_of_codes_decides_on_what_is_kept_and_graph_s_log_is_read_again() {
    let on_files = opened_by_a_code_that_means_something_now(World::of(&["ana"])).await;
    assert_eq!(on_files, Some(before(2)), "the newest was kept");
    let on_graph = opened_by_a_code_that_means_something_now(World::on_graph(&["ana"])).await;
    assert_eq!(on_graph, Some(before(1)), "the log has both");
}
