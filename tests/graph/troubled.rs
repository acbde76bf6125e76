//! Three weeks of an organisation, told by files on calm days and by a Graph in trouble: each day
//! a pass meets faults, and a second one at the same moment does not. Nobody is flagged by the first
//! who is not on a calm day, and after the second states, windows and messages are the same.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::chance::Chance;
use super::program::{deliveries, users};
use crate::support::graph::{FakeGraph, Fault, Kind, RetryAfter};
use crate::support::world::{World, before, day};

const DAYS: i64 = 18;

/// What happens before the first pass of a day.
fn live(world: &mut World, number: i64) {
    let at = before(number);
    match number {
        1 => {
            for name in ["ana", "ben", "cleo", "dora", "emil", "farid", "greta"] {
                world.sign_in(name, at);
            }
            let told = json!({ "status": { "errorCode": 50_072 } });
            world.sign_in_with("hiro", at, told);
            let wrong = json!({ "status": { "errorCode": 50_126 } });
            world.sign_in_with("ines", at, wrong);
        }
        // Two days late.
        4 => world.sign_in("jonas", before(2)),
        5 => world.registers("ben"),
        6 => {
            world.join("kavita").created_at = day(5);
            world.sign_in("kavita", at);
            world.who("cleo").enabled = false;
            world.who("greta").exists = false;
        }
        9 => {
            world.who("cleo").enabled = true;
            world.who("dora").exists = false;
            world.who("hiro").mail = Some("hiro.t@contoso.example".to_owned());
        }
        10 => {
            world.who("greta").exists = true;
            world.audit("emil", at, "User registered security info");
        }
        // No step falls due meanwhile: a pass that cannot read the report would send it.
        11 => world.registers("emil"),
        16 => world.exclude("farid"),
        17 => world.registers("ana"),
        _ => {}
    }
}

fn organisation(graph: Option<FakeGraph>) -> World {
    let names = [
        "ana", "ben", "cleo", "dora", "emil", "farid", "greta", "hiro", "ines", "jonas",
    ];
    let mut world = World::told_by(graph, &names);
    for name in world.crowd("guarded", 4) {
        world.exclude(&name);
    }
    world
}

const KINDS: [Kind; 6] = [
    Kind::Users,
    Kind::User,
    Kind::Members,
    Kind::Groups,
    Kind::SignIns,
    Kind::Report,
];

/// A few things go wrong.
fn trouble(graph: &FakeGraph, chance: &mut Chance) {
    let faults = [
        Fault::Status(403, "Authorization_RequestDenied"),
        Fault::Status(401, "InvalidAuthenticationToken"),
        Fault::Status(410, "syncStateNotFound"),
        Fault::Busy(503, RetryAfter::Text("0")),
        Fault::Busy(429, RetryAfter::Text("0.01")),
        Fault::Garbled,
        Fault::LinkTo("http://127.0.0.1:9".to_owned()),
        Fault::SkipToken,
    ];
    for _ in 0..=chance.below(5) {
        let (kind, nth, mut fault) = (chance.of(&KINDS), 1 + chance.below(3), chance.of(&faults));
        if kind == Kind::Users && chance.below(6) == 0 {
            // A list that ends too soon looks like one that ends; a delta does not.
            fault = Fault::DeadEnd;
        }
        if chance.below(2) == 0 {
            graph.break_down(kind, fault);
        } else {
            graph.fail(kind, nth, fault);
        }
    }
    if chance.below(3) == 0 {
        graph.expire_tokens();
    }
}

/// The fields of deliveries that a pass earlier or later does not change.
fn told(world: &World) -> Vec<Value> {
    let row = |row: &Value| json!([row["event"], row["step"], row["user"], row["state"]]);
    let mut told: Vec<Value> = deliveries(world)
        .iter()
        .filter(|row| !row["user"].is_null())
        .map(row)
        .collect();
    told.sort_by_key(Value::to_string);
    told
}

#[track_caller]
fn same(troubled: Value, calm: Value, when: &str) {
    let (troubled, calm) = (troubled.as_array().unwrap(), calm.as_array().unwrap());
    assert_eq!(troubled.len(), calm.len(), "{when}");
    for (troubled, calm) in troubled.iter().zip(calm) {
        assert_eq!(troubled, calm, "{when}");
    }
}

/// Whoever is flagged.
fn flagged(world: &World) -> BTreeSet<String> {
    let rows = users(world);
    let rows = rows.as_array().unwrap().iter();
    rows.filter(|row| row["state"] == "enforcement_needed")
        .map(|row| row["id"].as_str().unwrap().to_owned())
        .collect()
}

async fn three_weeks(seed: u64) {
    let graph = FakeGraph::start();
    graph.set_page_size(3);
    graph.send_empty_pages();
    graph.replay_changes(4);
    graph.set_lag(SignedDuration::from_mins(45));
    let (mut calm, mut troubled) = (organisation(None), organisation(Some(graph.clone())));
    let mut chance = Chance::of_seed(seed);
    let (mut yesterday, mut met) = (BTreeSet::new(), 0);
    for number in 0..=DAYS {
        for world in [&mut calm, &mut troubled] {
            live(world, number);
        }
        calm.pass(day(number)).await;
        trouble(&graph, &mut chance);
        troubled.pass(day(number)).await;
        met += troubled.report.errors.len();
        let by_trouble = &flagged(&troubled) - &yesterday;
        yesterday = flagged(&calm);
        let early = &by_trouble - &yesterday;
        assert!(
            early.is_empty(),
            "seed {seed}, day {number}: {early:?} flagged early"
        );
        graph.mend_all();
        for world in [&mut calm, &mut troubled] {
            world.pass(day(number)).await;
        }
        assert_eq!(troubled.held(), calm.held(), "seed {seed}, day {number}");
        same(
            users(&troubled),
            users(&calm),
            &format!("seed {seed}, day {number}"),
        );
        assert_eq!(told(&troubled), told(&calm), "seed {seed}, day {number}");
    }
    assert!(yesterday.len() > 2, "the story tells something");
    assert!(met > 5, "only {met} sources failed");
}

#[tokio::test]
async fn three_weeks_in_trouble_end_as_calm_ones_1() {
    three_weeks(1).await;
}

#[tokio::test]
async fn three_weeks_in_trouble_end_as_calm_ones_2() {
    three_weeks(2).await;
}

#[tokio::test]
async fn three_weeks_in_trouble_end_as_calm_ones_3() {
    three_weeks(3).await;
}
