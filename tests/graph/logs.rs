//! Whatever the delays of a log up to two days, and however its paging breaks: in the end each
//! window opened at the first sign-in that counts, and nobody's without one.

use std::collections::BTreeMap;

use fortnight::domain::state::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::chance::Chance;
use super::program::users;
use crate::support::graph::{FakeGraph, Fault, Kind, RetryAfter};
use crate::support::world::{World, day, hour, hours};

/// What is not found at the first reading is found when the pass of a day reads three days again:
/// two days late is what that allows for.
const LATEST_MIN: usize = 48 * 60;
const PEOPLE: usize = 12;

fn minutes(number: usize) -> SignedDuration {
    SignedDuration::from_mins(i64::try_from(number).unwrap())
}

/// Sign-ins of a few days, each with its own delay; when each person's first was that counts.
fn sign_ins(world: &World, chance: &mut Chance) -> BTreeMap<String, Timestamp> {
    let graph = world.graph.as_ref().unwrap();
    let mut first = BTreeMap::new();
    for number in 0..60 {
        let id = world.accounts[&format!("person{}", chance.below(PEOPLE))]
            .id
            .clone();
        let at = day(0) + minutes(1 + chance.below(4 * 24 * 60));
        let code = chance.of(&[0, 0, 50_072, 50_126, 50_074]);
        let row = json!({ "id": format!("51000000-0000-4000-9000-{number:012}"), "createdDateTime": at.to_string(),
            "userId": id, "isInteractive": true, "clientAppUsed": "Browser", "status": { "errorCode": code } });
        let lag = chance.of(&[0, 2, 10, 55, 90, 600, LATEST_MIN]);
        graph.add_sign_in_late(row, minutes(chance.below(lag + 1)));
        if code == 0 || code == 50_072 {
            let first = first.entry(id).or_insert(at);
            *first = at.min(*first);
        }
    }
    first
}

/// The host was ahead, was set right, and an operator said so.
#[tokio::test]
async fn a_clock_that_was_ahead_does_not_stop_the_reading_of_logs_and_report() {
    let mut world = World::on_graph(&["ana", "ben", "cleo"]);
    world.pass(day(0)).await;
    // The host boots two weeks ahead; Graph does not.
    world.pass_on_old_exports(day(14)).await;
    // Nobody sees this one come in those days.
    world.sign_in("cleo", hour(0, 12));
    world.pass(day(1)).await;
    assert!(world.held().contains(&"clock"), "{:?}", world.held());
    world.approve("clock", day(1)).await;
    world.pass(hour(1, 1)).await;
    assert_eq!(world.held(), [""; 0]);
    world.sign_in("ana", hour(1, 2));
    world.registers("ben");
    world.daily(2..=5).await;
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(
        world.states(&["ana", "ben", "cleo"]).await,
        [State::InGrace, State::Registered, State::InGrace]
    );
}

fn opened(world: &World) -> BTreeMap<String, Timestamp> {
    let rows = users(world);
    let opened = |row: &Value| row["window"]["opened_at"].as_str()?.parse().ok();
    let rows = rows.as_array().unwrap().iter();
    rows.filter_map(|row| Some((row["id"].as_str()?.to_owned(), opened(row)?)))
        .collect()
}

fn trouble(graph: &FakeGraph, chance: &mut Chance) {
    let faults = [
        Fault::SkipToken,
        Fault::SkipToken,
        Fault::Garbled,
        Fault::Busy(503, RetryAfter::Text("0")),
        Fault::Status(403, "Authorization_RequestDenied"),
        Fault::LinkTo("http://127.0.0.1:9".to_owned()),
    ];
    if chance.below(2) == 0 {
        graph.fail(Kind::SignIns, 1 + chance.below(5), chance.of(&faults));
    }
}

async fn a_week(seed: u64) {
    let mut chance = Chance::of_seed(seed);
    let graph = FakeGraph::start();
    graph.set_page_size(3);
    let mut world = World::told_by(Some(graph.clone()), &[]);
    world.crowd("person", PEOPLE);
    world.pass(day(0)).await;
    let first = sign_ins(&world, &mut chance);
    let mut now = day(0);
    // Passes at any distance, up to an outage of a day, until the last row has come.
    while now < day(8) {
        now += minutes(10 + chance.of(&[0, 50, 400, 1_440]));
        trouble(&graph, &mut chance);
        world.pass(now).await;
    }
    graph.mend_all();
    for _ in 0..2 {
        now += hours(24);
        world.pass(now).await;
    }
    assert_eq!(world.report.errors, [""; 0]);
    assert_eq!(opened(&world), first, "seed {seed}");
}

#[tokio::test]
async fn each_window_opened_at_the_first_sign_in_that_counts_1() {
    a_week(1).await;
}

#[tokio::test]
async fn each_window_opened_at_the_first_sign_in_that_counts_2() {
    a_week(2).await;
}

#[tokio::test]
async fn a_policy_that_says_later_since_when_reads_the_log_from_then_on() {
    let mut world = World::on_graph(&["ana"]);
    world.sign_in("ana", hour(2, 9));
    world.daily(10..=11).await;
    world.change(
        "enforce = \"on\"",
        "enforce = \"on\"\nsince = 2026-01-05T00:00:00Z",
    );
    world.daily(12..=14).await;
    // Since day 2, so that two days are left.
    assert_eq!(world.state("ana").await, State::DueSoon);
}
