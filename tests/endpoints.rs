//! Webhooks through the real engine and store: which events go where, what becomes of them where
//! an endpoint fails, and notice by webhook where there is no mail.

use std::collections::BTreeSet;
use std::time::Duration;

use fortnight::domain::delivery;
use fortnight::domain::facts::ActKind;
use fortnight::domain::state::State;
use fortnight::store::outbox::Found;
use serde_json::json;

use crate::support::endpoint::{Endpoints, Knock, Reply, SECRET};
use crate::support::world::{World, day, hour};

/// Less than an endpoint is given to answer.
const PATIENCE: Duration = Duration::from_secs(20);

fn well(_: &Knock<'_>) -> Reply {
    Reply::Taken
}

/// An organisation with mail and these webhooks, since day 0.
async fn world_with(names: &[&str], webhooks: &[String]) -> World {
    let mut world = configured(names, webhooks);
    world.pass(day(0)).await;
    world
}

fn configured(names: &[&str], webhooks: &[String]) -> World {
    let mut world = World::of(names);
    world.configuration += &webhooks.concat();
    crate::support::write_secret(world.folder().join("hook"), SECRET);
    world
}

/// The same without mail.
async fn without_mail(names: &[&str], webhooks: &[String]) -> World {
    let mut world = configured(names, webhooks);
    remove_mail(&mut world);
    world.pass(day(0)).await;
    world
}

fn remove_mail(world: &mut World) {
    let text = world.configuration.clone();
    let (before, after) = text.split_once("[email]").unwrap();
    let (_, after) = after.split_once("path = \"outbox\"\n").unwrap();
    world.configuration = format!("{before}{after}");
}

/// An endpoint that is told of flags alone.
const FLAGS: &str = "events = [\"enforcement.needed\", \"enforcement.released\"]\n";

/// The rows of a channel, as `event state`.
async fn rows(world: &World, channel: &str) -> Vec<String> {
    let store = world.store().await;
    let rows = store.deliveries(&[], None).await.unwrap();
    store.close().await;
    rows.iter()
        .filter(|row| row.channel == channel)
        .map(|row| format!("{} {}", row.event, row.state.as_str()))
        .collect()
}

#[tokio::test]
async fn an_endpoint_gets_every_event_of_a_window_beside_the_mails() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.standard("desk"), peer.standard("siem")]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=15).await;
    world.registers("ana");
    world.pass(day(16)).await;
    let expected = [
        "window.opened",
        "window.reminder",
        "window.reminder",
        "window.reminder",
        "enforcement.needed",
        "enforcement.released",
        "user.registered",
    ];
    assert_eq!(peer.events("desk"), expected);
    assert_eq!(peer.events("siem"), expected);
    let (desk, siem) = (peer.taken("desk"), peer.taken("siem"));
    let opened = desk[0].json();
    assert_eq!(opened["subject"], json!(world.id("ana").as_str()));
    assert_eq!(opened["data"]["step"], "0d");
    assert_eq!(opened["data"]["policy"], "everyone");
    assert_eq!(opened["data"]["window"]["deadline"], "2026-01-19T01:00:00Z");
    assert_eq!(opened["time"], day(1).to_string());
    assert_eq!(desk[4].json()["data"]["step"], "deadline");
    for (one, other) in desk.iter().zip(&siem) {
        assert_eq!(
            (&one.id, &one.body),
            (&other.id, &other.body),
            "the same everywhere"
        );
        assert_eq!(one.json()["id"], json!(one.id));
    }
    let ids: BTreeSet<&str> = desk.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids.len(), expected.len());
    assert_eq!(
        world.mailbox("ana").await.events(),
        [
            "window.opened",
            "window.reminder -7d",
            "window.reminder -3d",
            "window.reminder -1d",
            "enforcement.needed",
            "user.registered"
        ]
    );
}

#[tokio::test]
async fn an_endpoint_gets_only_what_it_asked_for_and_the_report_counts_it() {
    let peer = Endpoints::start(well);
    let desk = peer.standard("desk") + "events = [\"enforcement.needed\"]\n";
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    let report = world.pass(day(1)).await;
    assert_eq!((report.deliveries.queued, report.deliveries.sent), (1, 1));
    world.daily(2..=14).await;
    assert_eq!(peer.came("desk"), []);
    let report = world.pass(day(15)).await;
    assert_eq!((report.deliveries.queued, report.deliveries.sent), (2, 2));
    assert_eq!(peer.events("desk"), ["enforcement.needed"]);
}

#[tokio::test]
async fn report_only_tells_nobody_and_a_switch_from_on_takes_back_what_was_told() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.standard("desk"), peer.slack("chat")]).await;
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=15).await;
    assert_eq!(peer.came("desk"), []);
    assert_eq!(peer.came("chat"), []);
    world.change("enforce = \"report-only\"", "enforce = \"on\"");
    world.daily(16..=19).await;
    assert_eq!(
        peer.events("desk"),
        ["window.opened", "window.reminder", "enforcement.needed"]
    );
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.pass(day(20)).await;
    assert_eq!(peer.events("desk")[3..], ["enforcement.released"]);
}

#[tokio::test]
async fn a_chat_gets_one_message_per_pass_and_event_type() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&[], &[peer.slack("chat")]).await;
    let crowd = world.crowd("p", 12);
    for name in &crowd {
        world.sign_in(name, hour(0, 1));
    }
    let report = world.pass(day(1)).await;
    assert_eq!((report.deliveries.queued, report.deliveries.sent), (13, 13));
    let came = peer.taken("chat");
    assert_eq!(came.len(), 1);
    assert!(came[0].body.contains("12"), "{}", came[0].body);
    assert!(
        came[0].body.contains("p0") && !came[0].body.contains("p11"),
        "ten names"
    );
    assert_eq!(rows(&world, "chat").await, ["window.opened sent"]);
    world.daily(2..=7).await;
    assert_eq!(peer.taken("chat").len(), 1, "nothing happened");
}

#[tokio::test]
async fn what_a_pass_that_broke_off_left_for_a_chat_is_said_by_the_next() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.slack("chat")]).await;
    // As a pass leaves it that dies after its last batch.
    sqlx_line(&world).await;
    let report = world.pass_on_old_exports(hour(0, 1)).await;
    assert_eq!(report.deliveries.sent, 1);
    assert!(peer.taken("chat")[0].body.contains("Bo"));
    world.pass_on_old_exports(hour(0, 2)).await;
    assert_eq!(peer.taken("chat").len(), 1, "and once");
}

async fn sqlx_line(world: &World) {
    let url = format!("sqlite:{}", world.database().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("INSERT INTO lines (id, audience, event, topic, policy, line) VALUES (1, 'chats', 'user.registered', '', 'everyone', 'Bo')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

#[tokio::test]
async fn holds_are_told_to_whoever_wants_them_once() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.standard("desk"), peer.slack("chat")]).await;
    for number in 3..=5 {
        world.pass_on_old_exports(day(number)).await;
    }
    assert_eq!(peer.events("desk"), ["hold.raised"; 3]);
    assert_eq!(peer.taken("chat").len(), 1, "three kinds of facts at once");
    let raised = peer.taken("desk")[0].json();
    assert_eq!(raised["subject"], json!(null));
    assert_eq!(raised["data"]["user"], json!(null));
    world.pass(day(6)).await;
    assert_eq!(peer.events("desk")[3..], ["hold.cleared"; 3]);
}

#[tokio::test]
async fn who_could_not_register_is_told_to_endpoints_with_code_meaning_and_remedy() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.standard("desk"), peer.slack("chat")]).await;
    for (number, code) in [(1, 53010), (2, 53010), (3, 53004)] {
        let fields = json!({ "status": { "errorCode": code } });
        world.sign_in_with("ana", hour(number, -1), fields);
        world.pass(day(number)).await;
    }
    let blocked: Vec<_> = peer
        .taken("desk")
        .into_iter()
        .filter(|came| came.event() == "registration.blocked")
        .map(|came| came.json())
        .collect();
    assert_eq!(blocked.len(), 2, "once a code");
    let id = &world.accounts["ana"].id;
    assert_eq!(blocked[0]["subject"], json!(id));
    assert_eq!(blocked[0]["data"]["user"]["id"], json!(id));
    assert_eq!(blocked[0]["data"]["window"]["sequence"], 1);
    assert_eq!(blocked[0]["data"]["code"], 53010);
    let text = |name: &str| blocked[0]["data"][name].as_str().unwrap().to_owned();
    assert!(
        text("meaning").contains("restriction"),
        "{}",
        text("meaning")
    );
    assert!(text("remedy").contains("Conditional Access"));
    assert_eq!(blocked[1]["data"]["code"], 53004);
    let chat: Vec<String> = peer
        .taken("chat")
        .into_iter()
        .map(|came| came.body)
        .collect();
    let told = |body: &&String| body.contains("could not register");
    assert_eq!(chat.iter().filter(told).count(), 2);
    assert!(chat.iter().any(|body| body.contains("53010")));
}

#[tokio::test]
async fn a_failed_attempt_is_made_again_with_the_same_id_and_bytes() {
    let peer = Endpoints::start(|knock| match knock.nth {
        1 => Reply::Say(503),
        _ => Reply::Taken,
    });
    let mut world = world_with(&["ana"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    world.pass(day(1)).await;
    assert_eq!(rows(&world, "desk").await, ["window.opened pending"]);
    world.pass_on_old_exports(hour(1, 1)).await;
    let came = peer.came("desk");
    assert_eq!(came.len(), 2);
    assert_eq!((&came[0].id, &came[0].body), (&came[1].id, &came[1].body));
    assert_eq!(rows(&world, "desk").await, ["window.opened sent"]);
}

#[tokio::test]
async fn retry_after_holds_the_whole_endpoint_back_and_outlives_a_restart() {
    let peer = Endpoints::start(|_| Reply::Wait(429, 7200));
    let mut world = world_with(&["ana", "bo"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    world.pass(day(1)).await;
    peer.follow(well);
    // Each pass is an engine of its own, as after a restart.
    world.sign_in("bo", hour(1, 0));
    world.pass(hour(1, 1)).await;
    assert_eq!(
        peer.came("desk").len(),
        1,
        "nothing for anybody before the two hours are over"
    );
    world.pass_on_old_exports(hour(1, 2)).await;
    assert_eq!(peer.events("desk"), ["window.opened"; 2]);
}

#[tokio::test]
async fn what_was_claimed_for_an_endpoint_that_asks_for_time_was_never_attempted() {
    let peer = Endpoints::start(|_| Reply::Wait(429, 1800));
    let mut world = world_with(&[], &[peer.standard("desk")]).await;
    for name in world.crowd("p", 12) {
        world.sign_in(&name, hour(0, 1));
    }
    world.pass(day(1)).await;
    let attempted = peer.came("desk").len();
    assert!(attempted < 12, "{attempted}");
    let store = world.store().await;
    let waiting = store
        .deliveries(&[delivery::State::Pending], None)
        .await
        .unwrap();
    store.close().await;
    let untried = waiting.iter().filter(|row| row.attempts == 0).count();
    assert_eq!((waiting.len(), untried), (12, 12 - attempted));
    peer.follow(well);
    world.pass(hour(1, 1)).await;
    assert_eq!(rows(&world, "desk").await, ["window.opened sent"; 12]);
    assert_eq!(peer.taken("desk").len(), 12);
}

#[tokio::test]
async fn a_secret_that_is_refused_pauses_the_endpoint_and_operators_hear_once() {
    let peer = Endpoints::start(|_| Reply::Say(401));
    let mut world = world_with(&["ana"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    let report = world.pass(day(1)).await;
    assert!(report.is_degraded(), "{:?}", report.errors);
    assert_eq!(
        rows(&world, "desk").await,
        ["window.opened pending", "delivery.dead pending"]
    );
    let told = world.operators().await;
    assert!(
        told.expect_one("delivery.dead")
            .text
            .contains("webhook desk is paused")
    );
    world.pass_on_old_exports(hour(1, 1)).await;
    world.operators().await.expect_none();
    peer.follow(well);
    world.pass_on_old_exports(hour(1, 2)).await;
    assert_eq!(peer.events("desk"), ["window.opened", "delivery.dead"]);
}

#[tokio::test]
async fn a_dead_endpoint_gets_nothing_until_it_is_reopened() {
    let peer = Endpoints::start(|knock| match knock.to {
        "desk" => Reply::Say(410),
        _ => Reply::Taken,
    });
    let mut world = world_with(
        &["ana", "bo", "cleo"],
        &[peer.standard("desk"), peer.standard("siem")],
    )
    .await;
    world.sign_in("ana", hour(0, 1));
    world.sign_in("cleo", hour(0, 2));
    world.pass(day(1)).await;
    assert_eq!(
        rows(&world, "desk").await,
        [
            "window.opened dead",
            "window.opened dead",
            "delivery.dead dead"
        ]
    );
    let told = world.operators().await;
    let mail = told.expect_one("delivery.dead");
    assert!(
        mail.text.contains("deliveries retry --destination desk"),
        "{}",
        mail.text
    );
    assert_eq!(
        peer.events("siem"),
        ["window.opened", "window.opened", "delivery.dead"]
    );
    let knocks = peer.came("desk").len();
    world.sign_in("bo", hour(1, 1));
    world.registers("cleo");
    world.pass(day(2)).await;
    assert_eq!(
        peer.came("desk").len(),
        knocks,
        "nobody knocks at a dead endpoint"
    );
    world.operators().await.expect_none();
    peer.follow(well);
    let store = world.store().await;
    let due = store.reopen("desk", day(2)).await.unwrap();
    assert_eq!(due, 4, "the notice to cleo is of no use any more");
    store.close().await;
    world.pass_on_old_exports(hour(2, 1)).await;
    let mut events = peer.events("desk");
    events.sort();
    assert_eq!(
        events,
        [
            "delivery.dead",
            "user.registered",
            "window.opened",
            "window.opened"
        ]
    );
}

#[tokio::test]
async fn a_flag_that_was_taken_back_is_not_sent_again_because_somebody_asks() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=14).await;
    peer.follow(|_| Reply::Say(400));
    world.pass(day(15)).await;
    let store = world.store().await;
    let failed = store
        .deliveries(&[delivery::State::Failed], None)
        .await
        .unwrap();
    let [flag] = failed.as_slice() else {
        panic!("{failed:?}");
    };
    assert_eq!(flag.event, "enforcement.needed");
    // While it stands, it may be sent again.
    let found = store.replay(&flag.id, false, hour(15, 1)).await.unwrap();
    assert_eq!(found, Found::Row(delivery::State::Failed));
    store.close().await;
    world.pass(hour(15, 2)).await;
    peer.follow(well);
    world.registers("ana");
    world.pass(day(16)).await;
    let store = world.store().await;
    let found = store.replay(&flag.id, false, day(16)).await.unwrap();
    assert_eq!(found, Found::Untrue);
    let found = store.replay(&flag.id, true, day(16)).await.unwrap();
    assert_eq!(
        found,
        Found::Row(delivery::State::Failed),
        "it may be set aside"
    );
    store.close().await;
    world.pass(hour(16, 1)).await;
    let events = peer.events("desk");
    assert_eq!(
        events.last().map(String::as_str),
        Some("user.registered"),
        "{events:?}"
    );
}

#[tokio::test]
async fn of_the_notices_that_died_with_an_endpoint_the_newest_is_sent() {
    let peer = Endpoints::start(|_| Reply::Say(410));
    let desk = peer.standard("desk") + "events = [\"window.opened\", \"window.reminder\"]\n";
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=9).await;
    assert_eq!(
        rows(&world, "desk").await,
        ["window.opened dead", "window.reminder dead"]
    );
    peer.follow(well);
    let store = world.store().await;
    assert_eq!(store.reopen("desk", day(9)).await.unwrap(), 1);
    store.close().await;
    world.pass_on_old_exports(hour(9, 1)).await;
    assert_eq!(
        rows(&world, "desk").await,
        ["window.opened superseded", "window.reminder sent"]
    );
    assert_eq!(peer.events("desk"), ["window.reminder"]);
}

#[tokio::test]
async fn events_of_a_person_come_in_order_and_a_later_notice_overtakes_one_that_waits() {
    let peer = Endpoints::start(|_| Reply::Say(503));
    let desk = peer.standard("desk")
        + "events = [\"window.opened\", \"window.reminder\", \"window.paused\", \"window.resumed\"]\n";
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=9).await;
    assert_eq!(
        rows(&world, "desk").await,
        ["window.opened superseded", "window.reminder pending"]
    );
    world.who("ana").enabled = false;
    world.pass(day(10)).await;
    world.who("ana").enabled = true;
    world.pass(day(11)).await;
    peer.follow(well);
    world.pass_on_old_exports(hour(11, 12)).await;
    world.pass_on_old_exports(hour(11, 18)).await;
    assert_eq!(peer.events("desk"), ["window.paused", "window.resumed"]);
}

#[tokio::test]
async fn a_flag_that_was_taken_back_before_it_was_told_is_not_told() {
    let peer = Endpoints::start(|_| Reply::Say(503));
    let desk = peer.standard("desk") + FLAGS;
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=15).await;
    assert_eq!(rows(&world, "desk").await, ["enforcement.needed pending"]);
    world
        .act("ana", ActKind::Extend { days: 5 }, hour(15, 1))
        .await;
    peer.follow(well);
    world.pass(day(16)).await;
    world.pass_on_old_exports(hour(16, 12)).await;
    assert_eq!(peer.events("desk"), ["enforcement.released"]);
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_was_renamed_is_told_and_sent_when_it_is_back() {
    let peer = Endpoints::start(well);
    let desk = peer.standard("desk") + FLAGS;
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=15).await;
    assert_eq!(peer.events("desk"), ["enforcement.needed"]);
    peer.follow(|_| Reply::Say(503));
    world.registers("ana");
    world.pass(day(16)).await;
    peer.follow(well);
    world.operators().await;
    world.change("name = \"desk\"", "name = \"helpdesk\"");
    let report = world.pass(day(17)).await;
    assert_eq!(report.deliveries.failed, 1);
    let told = world.operators().await;
    let text = &told.expect_one("delivery.dead").text;
    assert!(
        text.contains("webhook desk is not configured any more"),
        "{text}"
    );
    assert!(
        text.contains("deliveries retry --destination desk"),
        "{text}"
    );
    world.daily(18..=30).await;
    world.operators().await.expect_none();
    let release = || async { rows(&world, "desk").await.pop() };
    assert_eq!(release().await.unwrap(), "enforcement.released dead");
    world.change("name = \"helpdesk\"", "name = \"desk\"");
    let store = world.store().await;
    assert_eq!(store.reopen("desk", day(30)).await.unwrap(), 1);
    store.close().await;
    world.pass(day(31)).await;
    assert_eq!(
        peer.events("desk"),
        ["enforcement.needed", "enforcement.released"]
    );
}

#[tokio::test]
async fn an_endpoint_that_refuses_everything_stops_being_tried() {
    let peer = Endpoints::start(|_| Reply::Say(400));
    let mut world = world_with(&[], &[peer.standard("desk")]).await;
    let crowd = world.crowd("p", 40);
    for name in &crowd {
        world.sign_in(name, hour(0, 1));
    }
    world.pass(day(1)).await;
    let tried = peer.came("desk").len();
    assert!((10..=14).contains(&tried), "{tried}");
    let waiting = rows(&world, "desk").await;
    let waits = waiting
        .iter()
        .filter(|row| row.ends_with("pending"))
        .count();
    assert_eq!(waits, 40 - tried + 1, "the news of itself included");
    world.pass_on_old_exports(hour(1, 1)).await;
    assert_eq!(peer.came("desk").len(), tried + 1, "one is tried");
    peer.follow(well);
    world.pass_on_old_exports(hour(1, 2)).await;
    assert_eq!(peer.events("desk").len(), 40 - tried);
}

#[tokio::test]
async fn a_stalled_endpoint_delays_neither_mail_nor_the_others() {
    let peer = Endpoints::start(|knock| match knock.to {
        "slow" => Reply::Hold,
        _ => Reply::Taken,
    });
    let mut world = world_with(&[], &[peer.standard("slow"), peer.standard("desk")]).await;
    let crowd = world.crowd("p", 30);
    for name in &crowd {
        world.sign_in(name, hour(0, 1));
    }
    let outbox = world.folder().join("outbox");
    let others_are_done = async {
        let done = || {
            let mails = std::fs::read_dir(&outbox).map_or(0, Iterator::count);
            mails == 30 && peer.taken("desk").len() == 30
        };
        let began = std::time::Instant::now();
        while !done() && began.elapsed() < PATIENCE {
            tokio::task::yield_now().await;
        }
        let slow = peer.came("slow").len();
        peer.go_on();
        slow
    };
    let (report, slow) = tokio::join!(world.pass(day(1)), others_are_done);
    assert!((1..=4).contains(&slow), "{slow} were under way");
    assert_eq!(report.deliveries.sent, 90, "and then it goes on");
}

/// The host's clock is set right, and an operator says so.
async fn set_right(world: &mut World, number: i64) {
    world.pass(hour(number, 1)).await;
    world.approve("clock", hour(number, 1)).await;
    world.pass(hour(number, 2)).await;
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn what_expired_in_days_that_never_were_is_sent() {
    let peer = Endpoints::start(well);
    let desk = peer.standard("desk") + FLAGS;
    let mut world = world_with(&["ana"], &[desk]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=15).await;
    peer.follow(|_| Reply::Say(503));
    world.registers("ana");
    world.pass(day(16)).await;
    world.pass_on_old_exports(day(80)).await;
    let release = || async { rows(&world, "desk").await.pop() };
    assert_eq!(release().await.unwrap(), "enforcement.released expired");
    peer.follow(well);
    set_right(&mut world, 16).await;
    assert_eq!(
        peer.events("desk"),
        ["enforcement.needed", "enforcement.released"]
    );
}

// Notice by webhook (rule 7.11).

#[tokio::test]
async fn without_mail_an_accepted_webhook_leads_to_the_flag() {
    let peer = Endpoints::start(well);
    let mut world = without_mail(&["ana"], &[peer.standard("desk")]).await;
    world.who("ana").mail = None;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=14).await;
    assert_eq!(world.state("ana").await, State::DueSoon);
    world.pass(day(15)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    assert_eq!(
        peer.events("desk"),
        [
            "window.opened",
            "window.reminder",
            "window.reminder",
            "window.reminder",
            "enforcement.needed"
        ]
    );
}

#[tokio::test]
async fn without_mail_nobody_is_flagged_whom_no_endpoint_could_tell() {
    for answer in [410, 401, 503] {
        let peer = Endpoints::start(move |_| Reply::Say(answer));
        let mut world = without_mail(&["ana"], &[peer.standard("desk")]).await;
        world.sign_in("ana", hour(0, 1));
        world.daily(1..=30).await;
        assert_eq!(world.state("ana").await, State::DueSoon, "{answer}");
        assert_eq!(
            world.deadline("ana").await,
            Some(day(33)),
            "{answer}: it moves on untold"
        );
        assert_eq!(world.held(), ["channel"], "{answer}");
        peer.follow(well);
        if answer == 410 {
            let store = world.store().await;
            store.reopen("desk", day(30)).await.unwrap();
            store.close().await;
        }
        world.daily(31..=33).await;
        assert_ne!(
            world.state("ana").await,
            State::EnforcementNeeded,
            "{answer}: told too late"
        );
        world.daily(34..=36).await;
        assert_eq!(
            world.state("ana").await,
            State::EnforcementNeeded,
            "{answer}"
        );
    }
}

#[tokio::test]
async fn without_mail_an_endpoint_that_fails_later_holds_the_flags_of_those_who_were_told() {
    let peer = Endpoints::start(well);
    let mut world = without_mail(&["ana"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=13).await;
    peer.follow(|_| Reply::Say(401));
    world.daily(14..=20).await;
    assert_eq!(world.held(), ["channel"]);
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    peer.follow(well);
    world.daily(21..=22).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn without_mail_an_endpoint_that_failed_while_nothing_waits_for_it_is_tried_by_a_connection()
{
    let others = ["ben", "cleo", "dora"];
    let peer = Endpoints::start(well);
    let mut world = without_mail(&["ana", "ben", "cleo", "dora"], &[notices(&peer)]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=14).await;
    peer.follow(|_| Reply::Say(503));
    for other in others {
        world.sign_in(other, hour(14, 1));
    }
    world.pass(hour(14, 2)).await;
    // They register, so that what failed is not sent any more; the flag of Ana waits.
    for other in others {
        world.who(other).registered = Some(true);
    }
    world.pass(day(15)).await;
    assert_eq!(world.held(), ["channel"]);
    peer.follow(well);
    world.pass(day(16)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

/// An endpoint that gives notice and takes nothing of what else there is to tell.
fn notices(peer: &Endpoints) -> String {
    peer.standard("desk")
        + "events = [\"window.opened\", \"window.reminder\", \"window.extended\", \"window.resumed\"]\n"
}

#[tokio::test]
async fn without_mail_a_paused_endpoint_for_which_nothing_waits_is_tried_by_a_connection() {
    for answer in [401, 400] {
        let peer = Endpoints::start(well);
        let mut world = without_mail(&["ana"], &[notices(&peer)]).await;
        let others = world.crowd("p", 20);
        world.sign_in("ana", hour(0, 1));
        world.daily(1..=14).await;
        peer.follow(move |_| Reply::Say(answer));
        for other in &others {
            world.sign_in(other, hour(14, 1));
        }
        world.pass(hour(14, 2)).await;
        // They register, so that nothing waits for it any more; the flag of Ana waits.
        for other in &others {
            world.registers(other);
        }
        world.pass(day(15)).await;
        assert_eq!(world.held(), ["channel"], "{answer}");
        world.pass(day(16)).await;
        assert_eq!(world.held(), [""; 0], "{answer}");
        assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    }
}

#[tokio::test]
async fn without_mail_who_comes_back_is_told_by_an_endpoint_that_gives_notice() {
    let peer = Endpoints::start(well);
    let mut world = without_mail(&["ana"], &[notices(&peer)]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=12).await;
    world.who("ana").enabled = false;
    world.pass(day(13)).await;
    world.who("ana").enabled = true;
    world.daily(14..=17).await;
    assert!(peer.events("desk").contains(&"window.resumed".to_owned()));
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn without_mail_what_an_endpoint_accepts_that_gets_some_of_the_notices_is_none() {
    let peer = Endpoints::start(|knock| match knock.to {
        "desk" => Reply::Say(400),
        _ => Reply::Taken,
    });
    let siem = peer.standard("siem") + "events = [\"window.opened\"]\n";
    let mut world = without_mail(&["ana"], &[peer.standard("desk"), siem]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=30).await;
    assert_eq!(peer.events("siem")[0], "window.opened");
    assert_eq!(world.state("ana").await, State::DueSoon, "nobody told her");
}

#[tokio::test]
async fn without_mail_a_window_whose_endpoint_was_replaced_is_announced_by_the_other() {
    for answer in [410, 503] {
        let peer = Endpoints::start(move |knock| match knock.to {
            "desk" => Reply::Say(answer),
            _ => Reply::Taken,
        });
        let mut world = without_mail(&["ana"], &[peer.standard("desk")]).await;
        world.sign_in("ana", hour(0, 1));
        world.daily(1..=13).await;
        let (desk, helpdesk) = (peer.standard("desk"), peer.standard("helpdesk"));
        world.change(&desk, &helpdesk);
        world.daily(14..=17).await;
        assert_ne!(
            world.state("ana").await,
            State::EnforcementNeeded,
            "{answer}"
        );
        world.daily(18..=20).await;
        assert_eq!(
            world.state("ana").await,
            State::EnforcementNeeded,
            "{answer}"
        );
        let told = peer.events("helpdesk");
        assert_eq!(
            told.iter()
                .filter(|event| *event == "window.opened")
                .count(),
            1,
            "{answer}: {told:?}"
        );
    }
}

#[tokio::test]
async fn without_mail_a_window_whose_announcements_were_refused_is_announced_again() {
    let peer = Endpoints::start(|_| Reply::Say(400));
    let mut world = without_mail(&["ana"], &[peer.standard("desk")]).await;
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=12).await;
    peer.follow(well);
    world.daily(13..=20).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

/// Mails cannot be written there.
fn break_the_outbox(world: &World) {
    let outbox = world.folder().join("outbox");
    std::fs::remove_dir_all(&outbox).unwrap();
    std::fs::write(outbox, "no folder").unwrap();
}

#[tokio::test]
async fn where_webhooks_come_for_mail_an_announcement_that_waits_is_made_by_webhook() {
    let peer = Endpoints::start(well);
    let mut world = world_with(&["ana"], &[]).await;
    break_the_outbox(&world);
    world.sign_in("ana", hour(0, 1));
    world.daily(1..=13).await;
    remove_mail(&mut world);
    world.configuration += &peer.standard("desk");
    world.daily(14..=16).await;
    assert_eq!(peer.events("desk")[0], "window.opened");
    assert_ne!(world.state("ana").await, State::EnforcementNeeded);
    world.pass(day(17)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn an_announcing_mail_that_was_lost_twice_is_not_the_last() {
    let mut world = configured(&["ana"], &[]);
    world.change("window = \"14d\"", "window = \"14d\"\nreminders = [\"0d\"]");
    world.pass(day(0)).await;
    break_the_outbox(&world);
    world.sign_in("ana", hour(0, 1));
    world.pass(day(1)).await;
    lose_twice(&world, "window.opened").await;
    std::fs::remove_file(world.folder().join("outbox")).unwrap();
    world.daily(2..=20).await;
    assert_eq!(
        world.mailbox("ana").await.events(),
        ["window.opened", "enforcement.needed"]
    );
}

/// What is kept of a mail whose outcome was lost twice.
async fn lose_twice(world: &World, event: &str) {
    let url = format!("sqlite:{}", world.database().display());
    let pool = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query(
        "UPDATE outbox SET state = 'dead', resent = TRUE, next_at = NULL, settled_at = queued_at, last_code = 'lost' WHERE event = $1",
    )
    .bind(event)
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("INSERT INTO totals (name, rows) VALUES ('dead', 1)")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
}

/// One request hangs, and whatever else waits for the endpoint goes by its other connections.
#[tokio::test]
async fn a_connection_that_hangs_leaves_the_others_at_work() {
    let first = std::sync::atomic::AtomicBool::new(true);
    let peer = Endpoints::start(move |_| {
        if first.swap(false, std::sync::atomic::Ordering::SeqCst) {
            Reply::Hold
        } else {
            Reply::Taken
        }
    });
    let mut world = world_with(&[], &[peer.standard("desk")]).await;
    let crowd = world.crowd("p", 60);
    for name in &crowd {
        world.sign_in(name, hour(0, 1));
    }
    let all_came = async {
        let began = std::time::Instant::now();
        while peer.came("desk").len() < 60 && began.elapsed() < PATIENCE {
            tokio::task::yield_now().await;
        }
        let came = peer.came("desk").len();
        peer.go_on();
        came
    };
    let (report, came) = tokio::join!(world.pass(day(1)), all_came);
    assert_eq!(came, 60, "while the first one hung");
    assert_eq!(report.deliveries.sent, 120);
}
