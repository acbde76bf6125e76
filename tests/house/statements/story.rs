//! Days in which the program comes to every statement that it has. What becomes of people on such
//! days is asserted elsewhere; here they only have to be lived through.

use std::sync::Arc;

use clap::Parser as _;
use fortnight::cli::{self, args::Cli};
use fortnight::domain::delivery::State;
use fortnight::domain::facts::ActKind;
use fortnight::domain::fault::{Account, Order};
use fortnight::domain::id::PolicyName;
use fortnight::engine::{Engine, Wake};
use fortnight::report::PassReport;
use fortnight::store::addresses::Notes;
use fortnight::store::log::{Lane, Wanted};
use fortnight::store::outbox::{EMAIL, Lease};
use fortnight::store::{Store, settings};
use fortnight::time::Clock;
use jiff::SignedDuration;
use serde_json::json;

use crate::support::endpoint::{Endpoints, Reply, SECRET};
use crate::support::graph::{FakeGraph, Removal};
use crate::support::world::{World, day, hour};

pub(super) async fn play() {
    exports().await;
    a_report_that_is_copied_on().await;
    endpoints().await;
    a_clock_that_was_ahead().await;
    graph().await;
}

/// Read from exports: a mass of flags, and people who go, come, sign in and register.
async fn exports() {
    let mut world = World::of(&["ana", "bo", "cleo"]);
    world.change(
        "exclude = { groups",
        "exclude = { users = [\"bo@contoso.example\"], groups",
    );
    world.change("enforce = \"on\"", "enforce = \"on\"\nguests = true");
    world.who("cleo").mail = None;
    let crowd = world.crowd("p", 20);
    world.pass(day(0)).await;
    for name in crowd.iter().chain(&["ana".to_owned(), "cleo".to_owned()]) {
        world.sign_in(name, hour(0, 1));
    }
    world.sign_in_with("bo", hour(0, 2), json!({ "isInteractive": false }));
    let blocked = json!({ "status": { "errorCode": 53004 } });
    world.sign_in_with("p5", hour(0, 2), blocked);
    world.exclude("p0");
    world.pass(day(1)).await;
    world.groups.get_mut("Emergency").unwrap().remove("p0");
    world.registers("p1");
    world.who("p2").registered = None;
    world.who("p3").exists = false;
    world.audit("p4", hour(1, 1), "User registered security info");
    world.pass(day(2)).await;
    for command in [
        "check",
        "status",
        "users --format json",
        "users --blocked --unreachable --format csv",
        "explain ana@contoso.example",
        "explain an",
        "deliveries list",
        "deliveries list --limit 1",
        "window extend ana@contoso.example --days 1 --reason asked",
        "cycle --dry-run --as-of 2026-01-08T00:00:00Z",
        "log --format json",
        "log --user ana@contoso.example --event window.extended --limit 1",
        "doctor",
    ] {
        command_on(&world, command).await;
    }
    world.daily(3..=14).await;
    let store = world.store().await;
    let (unsorted, all) = (&settings::UNSORTED_SIGN_INS, String::new());
    store.set(unsorted, &all).await.unwrap();
    store.close().await;
    let wrong = json!({ "status": { "errorCode": 50_126 } });
    world.sign_in_with("ana", hour(14, 1), wrong);
    strangers(&mut world).await;
    world.pass(day(15)).await;
    command_on(&world, "enforcement plan").await;
    for command in [
        "enforcement approve mass --reason wrong",
        "enforcement approve mass --withdraw --reason right",
        "log --event hold.approved",
    ] {
        command_on(&world, command).await;
    }
    pages_of_the_log(&world.store().await).await;
    world.approve("mass", hour(15, 1)).await;
    world.pass(hour(15, 2)).await;
    rows_that_nobody_can_read(&world);
    std::fs::remove_file(world.tenant().join("sign-ins-0002.json")).unwrap();
    // A policy that was only rehearsed is switched on.
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.pass_on_old_exports(hour(15, 3)).await;
    world.change("enforce = \"report-only\"", "enforce = \"on\"");
    command_on(&world, "check").await;
    world.change("name = \"everyone\"", "name = \"all\"");
    world.pass_on_old_exports(day(16)).await;
    world.change("bo@contoso.example", "nobody@contoso.example");
    command_on(&world, "check").await;
}

/// Further pages, in both directions.
async fn pages_of_the_log(store: &Store) {
    for lane in [Lane::Journal, Lane::Mails] {
        for newest_first in [false, true] {
            let wanted = Wanted {
                newest_first,
                ..Wanted::default()
            };
            let page = store.log_page(&lane, &wanted, None, 1).await.unwrap();
            let after = page.last().map(|first| first.place);
            let next = store.log_page(&lane, &wanted, after, 1).await.unwrap();
            assert_ne!(next, page);
        }
    }
    store.close().await;
}

/// Whose deadline passes on a report of the same bytes, until an operator trusts that.
async fn a_report_that_is_copied_on() {
    let mut world = World::opened("ana").await;
    let rows = world.registration_rows(day(2));
    world.frozen.insert("registration");
    for number in 2..=16 {
        world.write("registration.json", rows.clone(), day(number));
        world.pass(day(number)).await;
    }
    world.approve("frozen:registration", hour(16, 1)).await;
    world.pass(hour(16, 2)).await;
}

/// An exclusion with a member who is nobody's, as an operator then says.
async fn strangers(world: &mut World) {
    world.frozen.insert("groups");
    let group = "0a0a0a0a-0000-4000-8000-000000000000";
    for (hours, stranger) in [(2, "nobody"), (3, "no.one"), (4, "no.one")] {
        let members = json!([
            world.id("breakglass"),
            format!("{stranger}@contoso.example")
        ]);
        let row = json!({ "id": group, "displayName": "Emergency", "members": members });
        world.write("groups.json", vec![row], hour(14, hours));
        world.pass(hour(14, hours)).await;
    }
    world
        .approve("exclusion:everyone/groups", hour(14, 5))
        .await;
    world.pass(hour(14, 6)).await;
    world.frozen.clear();
}

/// A sign-in of a stranger, and a sign-in and a group with nothing in them that says whose.
fn rows_that_nobody_can_read(world: &World) {
    let group = "0a0a0a0a-0000-4000-8000-000000000000";
    let groups = vec![
        json!({ "id": group, "displayName": "Emergency", "members": [world.id("breakglass")] }),
        json!({ "id": group, "displayName": "Emergency", "members": 7 }),
    ];
    world.write("groups.json", groups, hour(15, 3));
    let stranger = json!({ "id": "a", "createdDateTime": hour(15, 3).to_string(), "userId": "0f0e0d0c-0000-4000-8000-00000000ffff",
        "isInteractive": true, "clientAppUsed": "Browser", "status": { "errorCode": 0 } });
    let sign_ins = vec![stranger, json!({ "id": 1 })];
    world.write("sign-ins-9999.json", sign_ins, hour(15, 4));
    let mut report = world.registration_rows(hour(15, 4));
    let newcomer = json!({ "id": "0f0e0d0c-0000-4000-8000-00000000fffe", "isMfaCapable": false });
    let mut unread = newcomer.clone();
    unread["isMfaCapable"] = json!("perhaps");
    report.extend([newcomer, unread]);
    world.write("registration.json", report, hour(15, 4));
}

/// Endpoints that take nothing, ask for time, or are no more, and what operators do about it.
async fn endpoints() {
    let peer = Endpoints::start(|knock| match knock.to {
        "desk" => Reply::Wait(429, 1800),
        "siem" => Reply::Say(410),
        _ => Reply::Taken,
    });
    let mut world = World::of(&[]);
    world.configuration += &[
        peer.standard("desk"),
        peer.standard("siem"),
        peer.slack("chat"),
    ]
    .concat();
    crate::support::write_secret(world.folder().join("hook"), SECRET);
    let crowd = world.crowd("p", 12);
    world.pass(day(0)).await;
    for name in &crowd {
        world.sign_in(name, hour(0, 1));
    }
    world.pass(day(1)).await;
    command_on(&world, "status").await;
    let store = world.store().await;
    let rows = store.deliveries(&[State::Pending], None).await.unwrap();
    store
        .next_delivery(&["email".to_owned(), "desk".to_owned()])
        .await
        .unwrap();
    store.anything_changed().await.unwrap();
    store.attempts_since(day(0)).await.unwrap();
    refusals(&store, &rows[0].id).await;
    store.newest_approval().await.unwrap();
    let everyone = [PolicyName::new("everyone")];
    store.count_blocked(&everyone).await.unwrap();
    store.count_unreached(&everyone).await.unwrap();
    store.count_unreadable().await.unwrap();
    store.close().await;
    command_on(&world, "deliveries list --state pending --state dead").await;
    command_on(&world, &format!("deliveries retry {}", rows[0].id)).await;
    command_on(&world, &format!("deliveries discard {}", rows[1].id)).await;
    command_on(&world, "deliveries retry --destination siem").await;
    an_act_on_somebody_who_is_told_just_now(&world).await;
    world.act("p0", ActKind::Close, hour(1, 1)).await;
    world.pass(hour(1, 2)).await;
    without_mail(&mut world);
    peer.follow(|_| Reply::Say(503));
    world.pass(hour(1, 3)).await;
    world.pass(hour(1, 4)).await;
}

/// What follows where a mail server refuses: addresses are remembered, and rows tried in another order.
async fn refusals(store: &Store, row: &str) {
    let rows = [row.to_owned()];
    store.refused(&rows).await.unwrap();
    store.bring_forward(&rows, day(1)).await.unwrap();
    store.operators_wait().await.unwrap();
    let account = |told| Account {
        told,
        ..Account::default()
    };
    let accounts = [("ana", account(true)), ("bo", account(false))];
    let notes = Notes {
        memory: store.mail_memory().await.unwrap(),
        accounts: accounts
            .map(|(name, account)| (name.to_owned(), account))
            .to_vec(),
    };
    let noted = store.settle_at(EMAIL, &[], None, None, Some(&notes), day(1));
    noted.await.unwrap();
    store.at_fault(&["ana".to_owned()]).await.unwrap();
    let lease = Lease {
        by: "a delivery".to_owned(),
        until: day(2),
    };
    for order in [Order::Fair, Order::Again, Order::Operators] {
        store.claim(EMAIL, 1, order, &lease, day(1)).await.unwrap();
    }
}

/// What is on its way is withdrawn.
async fn an_act_on_somebody_who_is_told_just_now(world: &World) {
    let (store, now) = (world.store().await, hour(1, 1));
    let lease = Lease {
        by: "a delivery".to_owned(),
        until: hour(1, 2),
    };
    let claimed = store.claim("desk", 20, Order::Turn, &lease, now);
    let claimed = claimed.await.unwrap();
    assert!(claimed.len() > 1);
    world.act("p1", ActKind::Close, now).await;
    let clock = Clock::fixed_at(now);
    let engine = Engine::new(store.clone(), world.config(), clock, Arc::default()).unwrap();
    let mut report = PassReport::new(now);
    engine
        .look(
            Wake::Acts,
            &mut report,
            &tokio_util::sync::CancellationToken::new(),
        )
        .await
        .unwrap();
    assert_eq!(report.windows.paused, 1, "{report:?}");
    store.close().await;
}

fn without_mail(world: &mut World) {
    let (before, rest) = world.configuration.split_once("[email]").unwrap();
    let (_, after) = rest.split_once("path = \"outbox\"\n").unwrap();
    world.configuration = format!("{before}{after}");
}

/// A clock ahead of the right one, which an operator then approves of.
async fn a_clock_that_was_ahead() {
    let mut world = World::of(&["ana"]);
    world.pass(day(9)).await;
    world.pass(day(1)).await;
    world.approve("clock", day(1)).await;
    world.pass(hour(1, 1)).await;
}

/// Told by Graph, which loses people and is out of reach for so long that a log has a gap.
async fn graph() {
    let graph = FakeGraph::start();
    let mut world = World::told_by(Some(graph.clone()), &["ana", "bo"]);
    world.pass(day(0)).await;
    world.pass(day(0) + SignedDuration::from_mins(10)).await;
    world.sign_in("ana", hour(0, 1));
    world.audit("ana", hour(0, 2), "User registered security info");
    world.pass(day(1)).await;
    world.frozen.insert("sign-ins");
    world.pass(day(2)).await;
    graph.remove_user(world.id("bo").as_str(), Removal::Hard);
    world.accounts.remove("bo");
    world.frozen.clear();
    world.sign_in("ana", day(25));
    world.pass(day(60)).await;
}

/// A command as an operator gives it.
async fn command_on(world: &World, command: &str) {
    let file = world.file();
    let words = ["fortnight", "--config", file.to_str().unwrap()];
    let cli = Cli::try_parse_from(words.into_iter().chain(command.split(' ')));
    Box::pin(cli::run(cli.unwrap())).await;
}
