//! Cases of docs/rules.md that only Graph can make, each from the wire to what people are told.

use std::time::Duration;

use fortnight::domain::state::State;
use jiff::SignedDuration;
use serde_json::json;

use super::program::{as_of, cycle};
use crate::support::graph::{Asked, FakeGraph, Fault, Kind, Removal, RetryAfter};
use crate::support::world::{World, before, day, hour};

const GROUP: &str = "0a0a0a0a-0000-4000-8000-000000000000";

fn graph(world: &World) -> FakeGraph {
    world.graph.clone().unwrap()
}

fn of(requests: &[Asked], kind: Kind) -> Vec<&Asked> {
    requests.iter().filter(|asked| asked.kind == kind).collect()
}

#[tokio::test]
async fn case_11_a_soft_deleted_person_is_told_of_by_the_delta_and_comes_back_with_the_remainder() {
    let mut world = World::opened_on_graph("ana").await;
    let id = world.accounts["ana"].id.clone();
    world.pass_on_old_exports(day(2)).await;
    graph(&world).set_now(day(3));
    graph(&world).remove_user(&id, Removal::Soft);
    world.pass_on_old_exports(day(3)).await;
    assert_eq!(world.state("ana").await, State::Gone);
    graph(&world).set_now(day(5));
    graph(&world).restore_user(&id);
    world.pass(day(5)).await;
    assert_eq!(world.state("ana").await, State::InGrace);
    // Twelve days were left of it, but for an hour.
    assert_eq!(world.deadline("ana").await, Some(hour(16, 23)));
    world.mailbox("ana").await.expect_one("window.resumed");
}

#[tokio::test]
async fn case_15_nobody_leaves_with_an_included_group_that_answers_404() {
    for name in ["Pilot", GROUP] {
        let mut world = World::on_graph(&["ana"]);
        let include = format!("{{ groups = [\"{name}\"] }}");
        world.change("{ all_users = true }", &include);
        world.change(
            "exclude = { groups = [\"Emergency\"] }",
            "exclude = { users = [\"breakglass@contoso.example\"] }",
        );
        world.groups.clear();
        world.add_to("Pilot", "ana");
        world.pass(day(0)).await;
        world.sign_in("ana", before(1));
        world.daily(1..=14).await;
        world.groups.clear();
        let report = world.pass(day(15)).await;
        assert_eq!(report.flagged, 0, "{name}");
        assert_eq!(world.held(), ["assignment:everyone"], "{name}");
        assert_eq!(world.state("ana").await, State::OverdueChecking, "{name}");
    }
}

#[tokio::test]
async fn case_16_an_exclusion_whose_members_are_hidden_fails_closed() {
    let mut world = World::opened_on_graph("ana").await;
    world.daily(2..=14).await;
    graph(&world).hide_members(GROUP, true);
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.state("breakglass").await, State::Exempt);
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    graph(&world).hide_members(GROUP, false);
    let report = world.pass(hour(15, 1)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
}

#[tokio::test]
async fn case_16_an_exclusion_whose_list_breaks_off_is_not_believed() {
    let mut world = World::opened_on_graph("ana").await;
    world.add_to("Emergency", "ana");
    world.pass(day(2)).await;
    assert_eq!(world.state("ana").await, State::Exempt);
    let graph = graph(&world);
    graph.set_page_size(1);
    graph.break_down(Kind::Members, Fault::DeadEnd);
    world.daily(3..=15).await;
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    assert_eq!(world.state("ana").await, State::Exempt);
    assert_eq!(world.state("breakglass").await, State::Exempt);
    let said = world.report.errors.join("\n");
    assert!(
        said.contains("counts 2 members of groups and gave 1"),
        "{said}"
    );
    // Once in a while is no trouble: the list is read again.
    graph.mend(Kind::Members);
    graph.fail(Kind::Members, 1, Fault::DeadEnd);
    world.pass(day(16)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.report.errors, [""; 0]);
}

#[tokio::test]
async fn case_22_after_eight_days_the_delta_is_dead_and_each_late_person_hears_once() {
    let mut world = World::on_graph(&["ana", "ben", "cleo"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    world.mailbox("ana").await.expect_one("window.opened");
    // Meanwhile:
    world.sign_in("ben", hour(3, 9));
    world.who("cleo").exists = false;
    world.join("dora").created_at = day(4);
    world.sign_in("dora", hour(5, 9));
    graph(&world).take_requests();
    world.pass(hour(9, 1)).await;
    let requests = graph(&world).take_requests();
    let statuses: Vec<u16> = of(&requests, Kind::Users)
        .iter()
        .map(|asked| asked.status)
        .collect();
    assert_eq!(statuses, [410, 200]);
    assert_eq!(world.report.errors, [""; 0]);
    world.mailbox("ana").await.expect_one("window.reminder -7d");
    world.mailbox("ben").await.expect_one("window.opened");
    world.mailbox("dora").await.expect_one("window.opened");
    assert_eq!(world.deadline("ben").await, Some(hour(17, 9)));
    assert_eq!(world.state("cleo").await, State::Gone);
    world.pass(hour(9, 2)).await;
    assert!(world.post().await.is_empty());
}

#[tokio::test]
async fn case_51_a_report_that_breaks_off_leaves_the_last_one() {
    let mut world = World::opened_on_graph("ana").await;
    world.crowd("person", 8);
    let graph = graph(&world);
    graph.set_page_size(3);
    world.pass(day(2)).await;
    assert_eq!(as_of(&world, "registration"), day(2));
    world.registers("ana");
    for fault in [
        Fault::Status(501, "NotImplemented"),
        Fault::LinkTo("http://127.0.0.1:9".to_owned()),
    ] {
        graph.fail(Kind::Report, 2, fault);
        let report = world.pass(day(3)).await;
        assert!(
            report.errors[0].starts_with("registration: "),
            "{:?}",
            report.errors
        );
        assert_eq!(as_of(&world, "registration"), day(2));
        assert_eq!(
            world.state("ana").await,
            State::InGrace,
            "no half of a report counts"
        );
    }
    world.pass(day(3)).await;
    assert_eq!(as_of(&world, "registration"), day(3));
    assert_eq!(world.state("ana").await, State::Registered);
}

#[tokio::test]
async fn case_52_no_link_takes_the_token_to_another_host() {
    for kind in [
        Kind::Users,
        Kind::Members,
        Kind::SignIns,
        Kind::Audits,
        Kind::Report,
    ] {
        let mut world = World::on_graph(&["ana"]);
        let stranger = FakeGraph::start();
        graph(&world).fail(kind, 1, Fault::LinkTo(stranger.url().to_owned()));
        let report = world.pass(day(0)).await;
        assert!(stranger.requests().is_empty(), "{kind:?}");
        let error = report.errors.join("; ");
        assert!(
            error.contains("leads to another host, \"127.0.0.1\""),
            "{kind:?}: {error}"
        );
    }
}

#[test]
fn case_53_every_form_of_retry_after_is_waited_for() {
    for (when, least, most) in [
        (RetryAfter::Missing, 2.0, 4.0),
        (RetryAfter::Text("0.4"), 0.4, 1.4),
        (RetryAfter::Text("1"), 1.0, 2.0),
        // Dates have whole seconds.
        (RetryAfter::Date(2), 1.0, 3.0),
    ] {
        let mut world = World::on_graph(&["ana"]);
        world.export(day(0));
        graph(&world).fail(Kind::SignIns, 1, Fault::Busy(429, when));
        assert_eq!(cycle(&world, day(0)).code, Some(0));
        let requests = graph(&world).take_requests();
        let [refused, again] = of(&requests, Kind::SignIns)[..] else {
            panic!("{requests:?}");
        };
        let waited = again.came_at.duration_since(refused.came_at);
        let bounds = Duration::from_secs_f64(least)..Duration::from_secs_f64(most);
        assert!(bounds.contains(&waited), "{when:?}: {waited:?}");
    }
}

#[tokio::test]
async fn case_54_a_licence_that_is_lost_stops_flags_and_not_mails() {
    let mut world = World::opened_on_graph("ana").await;
    world.daily(2..=12).await;
    world.mailbox("ana").await;
    graph(&world).set_licensed(false);
    world.daily(13..=14).await;
    world.mailbox("ana").await.expect_one("window.reminder -1d");
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    assert!(
        world.held().contains(&"stale:sign_ins"),
        "{:?}",
        world.held()
    );
    assert!(
        report
            .errors
            .iter()
            .any(|text| text.contains("no Entra ID P1 or P2 licence")),
        "{:?}",
        report.errors
    );
    graph(&world).set_licensed(true);
    let report = world.pass(hour(15, 2)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
}

#[test]
fn case_64_an_expired_secret_stops_everything_and_names_the_remedy() {
    let mut world = World::on_graph(&["ana"]);
    world.export(day(0));
    assert_eq!(cycle(&world, day(0)).code, Some(0));
    world.sign_in("ana", before(1));
    world.export(day(1));
    let graph = graph(&world);
    graph.refuse_tokens(Some(7_000_222));
    graph.take_requests();
    let said = cycle(&world, day(1));
    assert_eq!(said.code, Some(3));
    let errors = said.json()["errors"].to_string();
    assert!(errors.contains("has expired"), "{errors}");
    // Asked once, since asking again mends nothing; and Graph not at all.
    let kinds: Vec<Kind> = graph
        .take_requests()
        .iter()
        .map(|asked| asked.kind)
        .collect();
    assert_eq!(kinds, [Kind::Token]);
    graph.refuse_tokens(None);
    let said = cycle(&world, hour(1, 1));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert_eq!(said.json()["windows"]["opened"], json!(1));
}

#[tokio::test]
async fn case_1_what_is_three_hours_late_counts_from_when_it_happened() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    let graph = graph(&world);
    let late = json!({ "id": "51000000-0000-4000-9000-00000000late", "createdDateTime": hour(0, 12).to_string(),
        "userId": world.accounts["ana"].id, "isInteractive": true, "clientAppUsed": "Browser", "status": { "errorCode": 0 } });
    graph.add_sign_in_late(late, SignedDuration::from_hours(3));
    for number in 1..=14 {
        world.pass(hour(0, number)).await;
        assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
    }
    // These read an hour again, and one a day reads three days.
    for number in 15..=24 {
        world.pass(hour(0, number)).await;
    }
    assert_eq!(world.deadline("ana").await, Some(hour(14, 12)));
}

#[tokio::test]
async fn case_4_a_row_that_is_completed_later_counts_as_it_is_read_last() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in_with(
        "ana",
        before(1),
        json!({ "status": { "errorCode": 50_074 } }),
    );
    world.pass(day(1)).await;
    assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
    let id = "51000000-0000-4000-9000-000000000001";
    graph(&world).change_sign_in(id, &json!({ "status": { "errorCode": 0 } }));
    world.pass(day(2)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(14, 23)));
}

#[tokio::test]
async fn case_16_an_exclusion_that_was_made_anew_under_its_name_is_not_believed_to_be_empty() {
    let mut world = World::opened_on_graph("ana").await;
    world.add_to("Emergency", "ana");
    world.pass(day(2)).await;
    assert_eq!(
        world.states(&["ana", "breakglass"]).await,
        [State::Exempt, State::Exempt]
    );
    let graph = world.graph.clone().unwrap();
    graph.remove_group("0a0a0a0a-0000-4000-8000-000000000000");
    graph.put_group("0a0a0a0a-0000-4000-8000-00000000000f", "Emergency", &[]);
    graph.set_now(day(3));
    world.pass_on_old_exports(day(3)).await;
    let mut flagged = 0;
    for number in 4..=30 {
        graph.set_now(day(number));
        graph.set_report(world.registration_rows(day(number)));
        flagged += world.pass_on_old_exports(day(number)).await.flagged;
    }
    assert_eq!((flagged, world.held().len()), (0, 1));
}

#[tokio::test]
async fn case_16_nobody_is_asked_before_the_members_of_an_exclusion_could_be_read_once() {
    let mut world = World::on_graph(&["ana"]);
    let graph = world.graph.clone().unwrap();
    graph.hide_members(GROUP, true);
    world.pass(day(0)).await;
    for name in ["ana", "breakglass"] {
        world.sign_in(name, before(1));
    }
    world.pass(day(1)).await;
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    let waits = [State::WaitingFirstSignIn, State::WaitingFirstSignIn];
    assert_eq!(world.states(&["ana", "breakglass"]).await, waits);
    graph.hide_members(GROUP, false);
    world.pass(day(2)).await;
    world.mailbox("ana").await.expect_one("window.opened");
    world.mailbox("breakglass").await.expect_none();
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn case_16_an_approval_ends_the_hold_for_an_exclusion_that_cannot_be_read() {
    let mut world = World::opened_on_graph("ana").await;
    let graph = world.graph.clone().unwrap();
    graph.hide_members("0a0a0a0a-0000-4000-8000-000000000000", true);
    world.pass(day(2)).await;
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    world.approve("exclusion:everyone/groups", hour(2, 1)).await;
    let mut held = Vec::new();
    for number in 3..=6 {
        world.pass(day(number)).await;
        held.push(world.held().join(" "));
    }
    assert_eq!(held, [""; 4]);
}

#[tokio::test]
async fn case_16_a_member_who_is_missing_between_two_copies_of_another_is_missed() {
    let mut world = World::opened_on_graph("ana").await;
    world.add_to("Emergency", "ana");
    world.pass(day(2)).await;
    assert_eq!(world.state("ana").await, State::Exempt);
    world.mailbox("ana").await;
    let graph = world.graph.clone().unwrap();
    graph.break_down(Kind::Members, Fault::Twice);
    world.pass(day(3)).await;
    world.mailbox("ana").await.expect_none();
    assert_eq!(world.state("ana").await, State::Exempt);
}

#[tokio::test]
async fn case_16_an_approval_for_one_group_is_none_for_another() {
    let mut world = World::opened_on_graph("ana").await;
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Leave\"]");
    world.add_to("Leave", "breakglass");
    world.pass(day(2)).await;
    assert_eq!(world.held(), [""; 0]);
    let graph = graph(&world);
    graph.hide_members(GROUP, true);
    world.pass(day(3)).await;
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    world.approve("exclusion:everyone/groups", hour(3, 1)).await;
    world.daily(4..=5).await;
    assert_eq!(world.held(), [""; 0]);
    // A week later another group cannot be read either, and ana is put into it.
    graph.hide_members("0a0a0a0a-0000-4000-8000-000000000001", true);
    world.add_to("Leave", "ana");
    let mut flagged = 0;
    for number in 6..=20 {
        flagged += world.pass(day(number)).await.flagged;
    }
    assert_eq!(
        (flagged, world.held()),
        (0, vec!["exclusion:everyone/groups"])
    );
}

#[tokio::test]
async fn case_16_an_approval_for_one_group_is_none_for_an_outage_of_all() {
    let mut world = World::opened_on_graph("ana").await;
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Leave\"]");
    world.add_to("Leave", "breakglass");
    world.pass(day(2)).await;
    let graph = graph(&world);
    graph.hide_members(GROUP, true);
    world.pass(day(3)).await;
    world.approve("exclusion:everyone/groups", hour(3, 1)).await;
    world.daily(4..=5).await;
    assert_eq!(world.held(), [""; 0]);
    world.add_to("Leave", "ana");
    world.frozen.insert("groups");
    let mut flagged = 0;
    for number in 6..=20 {
        flagged += world.pass(day(number)).await.flagged;
    }
    assert_eq!(
        (flagged, world.held()),
        (0, vec!["exclusion:everyone/groups"])
    );
}

#[tokio::test]
async fn case_16_a_group_made_anew_is_judged_by_the_one_before_although_both_were_there_for_a_pass()
{
    let mut world = World::opened_on_graph("ana").await;
    let crowd = world.crowd("person", 40);
    for person in &crowd {
        world.add_to("Emergency", person);
    }
    world.pass(day(2)).await;
    let graph = graph(&world);
    let few: Vec<&str> = crowd[..10]
        .iter()
        .map(|name| world.accounts[name].id.as_str())
        .collect();
    graph.put_group("0a0a0a0a-0000-4000-8000-00000000000f", "Emergency", &few);
    graph.set_now(day(3));
    world.pass_on_old_exports(day(3)).await;
    assert_eq!(world.held(), ["assignment:everyone"]);
    graph.remove_group(GROUP);
    let hold = format!("exclusion:everyone/{GROUP}");
    for number in 4..=7 {
        graph.set_now(day(number));
        graph.set_report(world.registration_rows(day(number)));
        world.pass_on_old_exports(day(number)).await;
        if number < 6 {
            assert_eq!(world.held(), [hold.as_str()]);
            assert_eq!(world.state("person39").await, State::Exempt);
        } else {
            assert_eq!(world.held(), [""; 0]);
            assert_eq!(
                world.state("person39").await,
                State::WaitingFirstSignIn,
                "an operator approved the new members"
            );
        }
        if number == 5 {
            world.approve(&hold, hour(5, 1)).await;
        }
    }
}

#[tokio::test]
async fn case_16_a_group_made_anew_with_as_many_members_is_none_before_it_is_approved() {
    let mut world = World::opened_on_graph("ana").await;
    world.join("glass");
    let graph = graph(&world);
    let glass = world.accounts["glass"].id.clone();
    graph.remove_group(GROUP);
    graph.put_group(
        "0a0a0a0a-0000-4000-8000-00000000000f",
        "Emergency",
        &[&glass],
    );
    graph.set_users(world.user_rows());
    let hold = format!("exclusion:everyone/{GROUP}");
    for number in 2..=4 {
        graph.set_now(day(number));
        graph.set_report(world.registration_rows(day(number)));
        world.pass_on_old_exports(day(number)).await;
        let expected = match number {
            4 => (vec![], State::WaitingFirstSignIn),
            _ => (vec![hold.as_str()], State::Exempt),
        };
        assert_eq!((world.held(), world.state("breakglass").await), expected);
        assert_eq!(world.state("glass").await, State::Exempt);
        if number == 3 {
            world.approve(&hold, hour(3, 1)).await;
        }
    }
}

#[tokio::test]
async fn case_16_the_members_of_a_group_made_anew_that_cannot_be_read_stay_exempt() {
    let mut world = World::opened_on_graph("ana").await;
    world.add_to("Emergency", "ana");
    world.pass(day(2)).await;
    assert_eq!(
        world.states(&["ana", "breakglass"]).await,
        [State::Exempt, State::Exempt]
    );
    world.mailbox("ana").await;
    let graph = graph(&world);
    let anew = "0a0a0a0a-0000-4000-8000-00000000000f";
    graph.remove_group(GROUP);
    let (ana, glass) = (
        world.accounts["ana"].id.clone(),
        world.accounts["breakglass"].id.clone(),
    );
    graph.put_group(anew, "Emergency", &[&ana, &glass]);
    graph.hide_members(anew, true);
    graph.set_now(day(3));
    world.pass_on_old_exports(day(3)).await;
    assert_eq!(world.held(), ["exclusion:everyone/groups"]);
    world.mailbox("ana").await.expect_none();
    assert_eq!(
        world.states(&["ana", "breakglass"]).await,
        [State::Exempt, State::Exempt]
    );
}

#[tokio::test]
async fn people_who_are_there_but_cannot_be_read_are_no_collapse() {
    let mut world = World::opened_on_graph("ana").await;
    let crowd = world.crowd("person", 40);
    world.pass(day(2)).await;
    let graph = graph(&world);
    let ids: Vec<String> = crowd[..30]
        .iter()
        .map(|name| world.accounts[name].id.clone())
        .collect();
    let mut held = Vec::new();
    for number in 3..=7 {
        graph.set_now(day(number));
        graph.set_report(world.registration_rows(day(number)));
        for id in ids.iter().filter(|_| number == 3) {
            graph.put_user(json!({ "id": id, "userPrincipalName": null }));
        }
        world.pass_on_old_exports(day(number)).await;
        held.push(world.held().join(" "));
        if world.held().contains(&"snapshot:users") {
            world.approve("snapshot:users", hour(number, 1)).await;
        }
    }
    assert_eq!(held, [""; 5]);
}
