//! How much is asked for: the buckets of the service, and what a day costs.

use std::sync::Arc;
use std::time::Duration;

use fortnight::config::Directory;
use fortnight::domain::facts::ActKind;
use fortnight::domain::state::State;
use fortnight::engine::{Engine, Wake};
use fortnight::graph::{Ask, Client, GraphError, Trail};
use fortnight::report::{PassReport, Progress};
use fortnight::store::sources::Source;
use fortnight::time::Clock;
use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::program::cycle;
use crate::support::graph::{FakeGraph, Fault, Kind, RetryForm};
use crate::support::recorder::{Answer, Recorder};
use crate::support::world::{World, before, day, hour};

#[test]
fn a_pass_keeps_within_the_bucket_of_reports() {
    let mut world = World::told_by(Some(FakeGraph::start()), &[]);
    world.crowd("person", 11);
    let graph = world.graph.clone().unwrap();
    graph.set_page_size(3);
    graph.throttle(5);
    world.change("reports_per_10s = 100000", "reports_per_10s = 5");
    world.export(day(0));
    assert_eq!(cycle(&world, day(0)).code, Some(0));
    let requests = graph.take_requests();
    let reports = requests.iter().filter(|asked| asked.kind.is_report());
    assert!(reports.count() > 5, "{requests:?}");
    assert_eq!(graph.throttled(), 0);
}

#[test]
fn who_is_throttled_all_the_same_waits_as_long_as_it_is_told() {
    let mut world = World::told_by(Some(FakeGraph::start()), &[]);
    world.crowd("person", 5);
    let graph = world.graph.clone().unwrap();
    graph.set_page_size(1);
    // Somebody else uses the application too, so to say.
    graph.throttle(5);
    graph.retry_after(RetryForm::Fraction);
    world.export(day(0));
    let said = cycle(&world, day(0));
    assert_eq!(said.code, Some(0), "{}", said.err);
    // The bucket is free for one request, and then for the next.
    assert!((1..=3).contains(&graph.throttled()), "{}", said.err);
}

/// Ten-minute passes through a quiet day: a request per log, and the report once an hour.
#[tokio::test]
async fn a_quiet_day_costs_little() {
    let mut world = World::on_graph(&["ana", "ben"]);
    let graph = world.graph.clone().unwrap();
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    graph.take_requests();
    let passes = 24;
    for number in 1..=passes {
        let minutes = SignedDuration::from_mins(10 * number);
        world.pass(day(1).checked_add(minutes).unwrap()).await;
    }
    let requests = graph.take_requests();
    let of = |kind| requests.iter().filter(|asked| asked.kind == kind).count();
    assert_eq!(of(Kind::Users), 24);
    assert_eq!(of(Kind::ReportRow), 0);
    assert!(of(Kind::Report) <= 5, "{}", of(Kind::Report));
    assert!(of(Kind::SignIns) <= 26, "{}", of(Kind::SignIns));
    assert!(of(Kind::Audits) <= 26, "{}", of(Kind::Audits));
    assert!(
        requests
            .iter()
            .all(|asked| asked.status == 200 || asked.status == 404)
    );
}

/// Two minutes a source in a pass of the daemon; here none at all, which is a page a pass.
#[tokio::test]
async fn what_is_too_much_for_one_pass_is_read_by_the_next_ones() {
    let mut world = World::on_graph(&["ana"]);
    let people = world.crowd("person", 6);
    let graph = world.graph.clone().unwrap();
    world.pass(day(0)).await;
    for name in &people {
        world.sign_in(name, before(1));
    }
    graph.set_page_size(2);
    world.patience = Some(Duration::ZERO);
    world.export(day(1));
    let mut read = Vec::new();
    loop {
        let report = world.pass_on_old_exports(day(1)).await;
        assert_eq!(report.errors, [""; 0]);
        read.push(report.read.sign_ins);
        if !report.unfinished {
            break;
        }
    }
    assert_eq!(
        read.iter().filter(|rows| **rows == 2).count(),
        3,
        "{read:?}"
    );
    for name in &people {
        assert_eq!(world.state(name).await, State::InGrace, "{name}");
        world.mailbox(name).await.expect_one("window.opened");
    }
    world.patience = None;
    assert!(!world.pass(hour(1, 1)).await.unfinished);
}

#[tokio::test]
async fn a_service_that_says_nothing_keeps_a_source_for_a_minute_and_no_longer() {
    let world = World::on_graph(&["ana"]);
    let graph = world.graph.clone().unwrap();
    let Directory::Graph(config) = world.config().directory else {
        panic!("told by files");
    };
    let client = Client::new(&config).unwrap();
    client.try_token().await.unwrap();
    graph.break_down(Kind::Users, Fault::Hang);
    let began = tokio::time::Instant::now();
    let answer =
        tokio::spawn(async move { client.page(&Ask::users(), &mut Trail::default()).await });
    while graph.count(Kind::Users) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // From here on time passes whenever nobody has anything to do but wait.
    tokio::time::pause();
    let answer = answer.await.unwrap();
    assert!(
        matches!(answer, Err(GraphError::Network { .. })),
        "{answer:?}"
    );
    let minutes = began.elapsed().as_secs() / 60;
    assert_eq!(minutes, 1);
    assert_eq!(graph.count(Kind::Users), 1);
}

#[tokio::test]
async fn an_answer_that_drips_is_none_after_five_minutes() {
    let world = World::on_graph(&["ana"]);
    let graph = world.graph.clone().unwrap();
    let Directory::Graph(config) = world.config().directory else {
        panic!("told by files");
    };
    let client = Client::new(&config).unwrap();
    client.try_token().await.unwrap();
    graph.break_down(Kind::Users, Fault::Drip);
    let answer =
        tokio::spawn(async move { client.page(&Ask::users(), &mut Trail::default()).await });
    while graph.count(Kind::Users) == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::pause();
    for minute in 1..=6 {
        assert!(!answer.is_finished(), "after {minute} minutes");
        // Time does not pass by itself while this waits, and some bytes come.
        let bytes = || std::thread::sleep(Duration::from_millis(50));
        tokio::task::spawn_blocking(bytes).await.unwrap();
        tokio::time::advance(Duration::from_secs(55)).await;
    }
    let answer = answer.await.unwrap();
    assert!(
        matches!(answer, Err(GraphError::Network { .. })),
        "{answer:?}"
    );
}

#[tokio::test]
async fn waiting_for_graph_is_no_sign_of_life() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    world.export(day(1));
    world.graph.clone().unwrap().take_requests();
    let graph = world.graph.clone().unwrap();
    graph.break_down(Kind::Users, Fault::Hang);
    let store = world.store().await;
    let progress = Arc::new(Progress::default());
    let (config, clock) = (world.config(), Clock::fixed_at(day(1)));
    let engine = Engine::new(store, config, clock, Arc::clone(&progress)).unwrap();
    let mut report = PassReport::new(day(1));
    let watch = async {
        while graph.count(Kind::Users) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // Most of a minute passes at once.
        tokio::time::pause();
        for _ in 0..5 {
            let before = progress.beats();
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(progress.beats(), before);
        }
    };
    let never = CancellationToken::new();
    tokio::select! {
        () = watch => {}
        pass = engine.pass(Wake::Sources, &mut report, &never) => panic!("{pass:?}"),
    }
}

/// A pass that reads hangs at Graph, and everything else goes on.
#[tokio::test]
async fn whoever_waits_for_graph_keeps_nobody_waiting_and_feeds_no_watchdog() {
    let mut world = World::on_graph(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.sign_in("ana", hour(0, 1));
    world.pass(day(1)).await;
    assert_eq!(world.post().await.len(), 1);
    let graph = world.graph.clone().unwrap();
    graph.take_requests();
    graph.break_down(Kind::Users, Fault::Hang);
    let (store, progress) = (world.store().await, Arc::new(Progress::default()));
    let (config, clock) = (world.config(), Clock::fixed_at(day(2)));
    let engine = Engine::new(store.clone(), config, clock, Arc::clone(&progress)).unwrap();
    let mut reading = PassReport::new(day(2));
    let beside = async {
        while graph.count(Kind::Users) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let before = progress.beats();
        tokio::time::sleep(Duration::from_millis(50)).await;
        progress.looked();
        assert_eq!(progress.beats(), before, "nothing came of it yet");
        world.act("ana", ActKind::Extend { days: 3 }, day(2)).await;
        let mut report = PassReport::new(day(2));
        engine
            .look(Wake::Acts, &mut report, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(report.deliveries.queued, 1, "{report:?}");
        engine.ride("email", &mut report, &|| false).await.unwrap();
        assert_eq!(report.deliveries.sent, 1, "{report:?}");
        assert!(progress.beats() > before);
        // Nobody else is decided about meanwhile, and she once.
        let mut report = PassReport::new(day(2));
        engine
            .look(Wake::Acts, &mut report, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(report.deliveries.queued, 0, "{report:?}");
    };
    let never = CancellationToken::new();
    tokio::select! {
        () = beside => {}
        pass = engine.look(Wake::Sources, &mut reading, &never) => panic!("{pass:?}"),
    }
    progress.looked();
}

/// A window that a sign-in opens is there to be extended although the pass that brought it still reads.
#[tokio::test]
async fn who_signed_in_while_a_pass_reads_is_extended_all_the_same() {
    let mut world = World::on_graph(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in("ana", hour(0, 1));
    world.export(day(1));
    let graph = world.graph.clone().unwrap();
    graph.take_requests();
    graph.break_down(Kind::Report, Fault::Hang);
    let (store, progress) = (world.store().await, Arc::new(Progress::default()));
    let (config, clock) = (world.config(), Clock::fixed_at(day(1)));
    let engine = Engine::new(store.clone(), config, clock, Arc::clone(&progress)).unwrap();
    let mut reading = PassReport::new(day(1));
    let never = CancellationToken::new();
    let beside = async {
        while graph.count(Kind::Report) == 0
            || store.events_kept(Source::SignIns).await.unwrap() == 0
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        world.act("ana", ActKind::Extend { days: 3 }, day(1)).await;
        let mut report = PassReport::new(day(1));
        engine
            .look(Wake::Acts, &mut report, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(report.windows.opened, 1, "{report:?}");
    };
    tokio::select! {
        () = beside => {}
        pass = engine.look(Wake::Sources, &mut reading, &never) => panic!("{pass:?}"),
    }
    assert_eq!(world.deadline("ana").await, Some(hour(17, 1)));
}

/// Rule 7.29: an approval does not wait for Graph. What hangs is read on in the next pass, and is no fault.
#[tokio::test]
async fn a_reading_that_is_cut_short_decides_by_what_is_read_and_goes_on() {
    for kind in [
        Kind::Users,
        Kind::Groups,
        Kind::SignIns,
        Kind::Audits,
        Kind::Report,
    ] {
        let mut world = World::on_graph(&[]);
        let crowd = world.crowd("p", 12);
        world.pass(day(0)).await;
        for name in &crowd {
            world.sign_in(name, hour(0, 1));
        }
        world.daily(1..=15).await;
        assert_eq!(world.held(), ["mass"]);
        let graph = world.graph.clone().unwrap();
        graph.take_requests();
        let now = hour(15, 2);
        world.export(now);
        graph.break_down(kind, Fault::Hang);
        let store = world.store().await;
        let progress = Arc::new(Progress::default());
        let engine = Engine::new(
            store.clone(),
            world.config(),
            Clock::fixed_at(now),
            progress,
        )
        .unwrap();
        let (mut report, cut) = (PassReport::new(now), CancellationToken::new());
        let approval = async {
            while graph.count(kind) == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            world.approve("mass", now).await;
            cut.cancel();
        };
        let (pass, ()) = tokio::join!(engine.look(Wake::Sources, &mut report, &cut), approval);
        pass.unwrap();
        store.close().await;
        assert_eq!(report.flagged, 12, "{kind:?}: {report:?}");
        assert!(report.unfinished, "{kind:?}: {report:?}");
        assert!(report.errors.is_empty(), "{kind:?}: {report:?}");
        graph.mend(kind);
        let report = world.pass(now).await;
        assert!(
            !report.unfinished && report.errors.is_empty(),
            "{kind:?}: {report:?}"
        );
        assert_eq!(world.held(), [""; 0], "{kind:?}");
    }
}

/// Ten mails left on a day that never was.
#[tokio::test]
async fn the_budget_of_mails_does_not_count_days_that_never_were() {
    let recorder = Recorder::start(|_| Answer::Well);
    let mut world = World::on_graph(&["ben"]);
    let crowd = world.crowd("p", 12);
    world.change("transport = \"file\"", "transport = \"smtp\"");
    let smtp = format!(
        "[email.smtp]\nhost = \"127.0.0.1\"\nport = {}\ntls = \"none\"\nper_day = 10\n",
        recorder.port
    );
    world.configuration += &smtp;
    world.pass(day(0)).await;
    for name in &crowd {
        world.sign_in(name, before(1));
    }
    // The host boots two weeks ahead.
    world.export(day(1));
    world.pass_on_old_exports(day(14)).await;
    assert_eq!(world.report.deliveries.sent, 10);
    // It is set right, and the operator says so.
    world.pass_on_old_exports(day(1)).await;
    world.approve("clock", day(1)).await;
    world.pass(hour(1, 1)).await;
    assert_eq!(world.held(), [""; 0]);
    let before = recorder.kept().len();
    world.daily(2..=3).await;
    assert!(recorder.kept().len() > before + 1, "{:?}", world.report);
}
