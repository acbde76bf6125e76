//! How much is asked for: the buckets of domain 5, and what a day costs.

use jiff::SignedDuration;

use crate::program::cycle;
use crate::world::graph::{FakeGraph, Kind, RetryForm};
use crate::world::{World, before, day};

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
    let mut world = World::of(&["ana", "ben"]);
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
