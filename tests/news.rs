//! What operators and people are told of what goes wrong, and how often: whole rollouts, mails counted.

use std::collections::BTreeMap;

use fortnight::desk::Reader;
use fortnight::desk::status::status;
use fortnight::domain::facts::ActKind;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::support::world::{Mail, World, before, day, hour, hours};

fn blocked(world: &mut World, name: &str, at: Timestamp) {
    world.sign_in_with(name, at, json!({ "status": { "errorCode": 53004 } }));
}

/// Mails to operators that are new, of that event.
async fn operators(world: &mut World, event: &str) -> Vec<Mail> {
    let mails = world.operators().await.mails;
    mails
        .into_iter()
        .filter(|mail| mail.event == event)
        .collect()
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

#[tokio::test]
async fn operators_hear_of_who_is_blocked_at_once_then_hourly_and_after_nine_mails_once_a_day() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("p", 48 * 2);
    world.pass(day(0)).await;
    let mut told = Vec::new();
    let mut named = 0;
    for (half, name) in (1..).zip(&crowd) {
        let now = day(0) + minutes(30 * half);
        blocked(&mut world, name, now - minutes(1));
        world.pass(now).await;
        for mail in operators(&mut world, "registration.blocked").await {
            told.push(half);
            named += mail.text.matches("code 53004").count();
        }
    }
    // Half hours: nine mails an hour apart, then one a day later, and hourly again.
    let expected: Vec<i64> = (0..9)
        .map(|mail| 1 + 2 * mail)
        .chain([65, 67, 69])
        .collect();
    assert_eq!(told[..12], expected);
    world.pass(day(4)).await;
    let last = operators(&mut world, "registration.blocked").await;
    named += last
        .iter()
        .map(|mail| mail.text.matches("code 53004").count())
        .sum::<usize>();
    assert_eq!(named, crowd.len(), "everybody once");
}

#[tokio::test]
async fn a_mail_names_a_hundred_and_says_how_many_more() {
    for (language, more) in [("en", "and 20 more"), ("de", "und 20 weitere")] {
        let mut world = World::of(&[]);
        world.change(
            "transport =",
            &format!("language = \"{language}\"\ntransport ="),
        );
        let crowd = world.crowd("p", 120);
        world.pass(day(0)).await;
        for name in &crowd {
            blocked(&mut world, name, hour(0, 1));
        }
        world.pass(hour(0, 2)).await;
        let mails = operators(&mut world, "registration.blocked").await;
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].text.matches("53004").count(), 100);
        assert!(mails[0].text.contains(more), "{}", mails[0].text);
        assert_eq!(
            mails[0].subject.contains("120 people could not"),
            language == "en"
        );
    }
}

#[tokio::test]
async fn who_cannot_register_is_sent_to_the_service_desk_which_knows_once_it_was_told() {
    for is_told in [true, false] {
        let mut world = World::of(&["ana"]);
        if !is_told {
            world.change(
                "operators = [\"operators@contoso.example\"]",
                "operators = []",
            );
        }
        world.pass(day(0)).await;
        blocked(&mut world, "ana", before(1));
        world.pass(day(1)).await;
        world.daily(2..=8).await;
        let mails = world.mailbox("ana").await.mails;
        let [opened, reminder] = &mails[..] else {
            panic!("{mails:?}");
        };
        for mail in [opened, reminder] {
            assert!(
                mail.text.contains("contact the service desk"),
                "{}",
                mail.text
            );
            assert!(mail.text.contains("20 January 2026"), "it names the date");
            assert!(!mail.text.contains("follow the steps"), "{}", mail.text);
        }
        assert!(
            opened.text.contains("may not know of it yet"),
            "{}",
            opened.text
        );
        assert_eq!(
            reminder.text.contains("has been told"),
            is_told,
            "{}",
            reminder.text
        );
        // A sign-in that was completed ends it.
        world.sign_in("ana", before(9));
        world.daily(9..=12).await;
        let mails = world.mailbox("ana").await.mails;
        assert!(
            mails[0].text.contains("follow the steps"),
            "{}",
            mails[0].text
        );
    }
}

#[tokio::test]
async fn status_lists_who_could_not_register_until_a_sign_in_is_completed() {
    let mut world = World::of(&["ana", "bo"]);
    world.pass(day(0)).await;
    blocked(&mut world, "ana", hour(0, 1));
    blocked(&mut world, "bo", hour(0, 1));
    world.pass(hour(0, 2)).await;
    assert_eq!(listed(&world).await, ["ana 53004", "bo 53004"]);
    world.sign_in("ana", hour(0, 3));
    world.pass(hour(0, 4)).await;
    assert_eq!(listed(&world).await, ["bo 53004"]);
    world.registers("bo");
    world.pass(hour(0, 5)).await;
    assert_eq!(listed(&world).await, [""; 0]);
}

/// Whom `status` lists as kept from registering.
async fn listed(world: &World) -> Vec<String> {
    let config = world.config();
    let reader = Reader::open(&config).await.unwrap();
    let status = status(&config, &reader, None).await.unwrap();
    let mut people: Vec<String> = status
        .blocked
        .iter()
        .map(|person| {
            assert!(person.remedy.contains("Entra ID Protection"));
            let (name, _) = person.user_principal_name.split_once('@').unwrap();
            format!("{name} {}", person.code)
        })
        .collect();
    people.sort();
    people
}

#[tokio::test]
async fn every_mail_before_the_deadline_names_it_also_where_it_cannot_be_put_off() {
    let mut world = World::of(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in_with(
        "ana",
        before(1),
        json!({ "status": { "errorCode": 50072 } }),
    );
    world.daily(1..=8).await;
    let mails = world.mailbox("ana").await.mails;
    assert_eq!(mails.len(), 2);
    for mail in &mails {
        assert!(mail.text.contains("20 January 2026"), "{}", mail.text);
        assert!(mail.text.contains("You cannot put it off"), "{}", mail.text);
    }
    world.sign_in("ana", before(9));
    world.daily(9..=12).await;
    let mails = world.mailbox("ana").await.mails;
    assert!(
        !mails[0].text.contains("You cannot put it off"),
        "{}",
        mails[0].text
    );
}

#[tokio::test]
async fn a_flag_taken_back_is_told_by_mail_and_not_where_the_person_is_out_of_it() {
    let mut world = World::opened("ana").await;
    world.daily(2..=15).await;
    world.mailbox("ana").await;
    let mut excluded = World::opened("ana").await;
    excluded.daily(2..=15).await;
    excluded.mailbox("ana").await;
    excluded.exclude("ana");
    excluded.pass(hour(15, 1)).await;
    excluded.mailbox("ana").await.expect_none();
    world.act("ana", ActKind::Close, hour(15, 1)).await;
    world.pass(hour(15, 2)).await;
    let mailbox = world.mailbox("ana").await;
    let mail = mailbox.expect_one("enforcement.released");
    assert!(mail.text.contains("no longer holds"), "{}", mail.text);
    world.daily(16..=18).await;
    world.mailbox("ana").await.expect_none();
}

/// Mails to operators, by the day on which they went.
async fn by_day(world: &mut World, mails: &mut BTreeMap<i64, Vec<String>>, number: i64) {
    let new = world.operators().await.mails;
    if !new.is_empty() {
        let events = new.into_iter().map(|mail| mail.event);
        mails.entry(number).or_default().extend(events);
    }
}

#[tokio::test]
async fn an_outage_of_two_weeks_is_three_mails() {
    let mut world = World::of(&["ana"]);
    world.pass(day(0)).await;
    let mut mails = BTreeMap::new();
    for number in 0..14 {
        for time in (0..24).step_by(2) {
            world
                .pass_on_old_exports(hour(number, time) + minutes(1))
                .await;
            world
                .pass_on_old_exports(hour(number, time) + minutes(41))
                .await;
            by_day(&mut world, &mut mails, number).await;
        }
    }
    for time in 0..3 {
        world.pass(hour(14, time)).await;
        by_day(&mut world, &mut mails, 14).await;
    }
    let raised = || vec!["hold.raised".to_owned()];
    assert_eq!(
        mails,
        BTreeMap::from([
            (1, [raised(), raised()].concat()),
            (14, vec!["hold.cleared".to_owned()]),
        ])
    );
}

/// Daily passes on exports that stay away for a day, come, and then stay away.
#[tokio::test]
async fn operators_who_heard_that_a_hold_was_over_hear_of_it_once_more_where_it_stays() {
    let mut world = World::of(&["ana"]);
    world.pass(day(0)).await;
    let mut mails = BTreeMap::new();
    for number in 1..=10 {
        if matches!(number, 1 | 3 | 10) {
            world.export(hour(number, 6));
        }
        world.pass_on_old_exports(hour(number, 7)).await;
        by_day(&mut world, &mut mails, number).await;
    }
    let told = |event: &str| vec![event.to_owned()];
    assert_eq!(
        mails,
        BTreeMap::from([
            (2, told("hold.raised")),
            (3, told("hold.cleared")),
            (5, told("hold.raised")),
            (10, told("hold.cleared")),
        ])
    );
}

#[tokio::test]
async fn a_tenant_of_forty_on_daily_exports_hears_of_no_hold_in_six_weeks() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("p", 40);
    let mut mails = BTreeMap::new();
    for number in 0..42 {
        // The export of the day is an hour late now and then: the one before is too old meanwhile.
        let late = if number % 5 == 4 { 50 } else { 0 };
        if number > 0 {
            world.pass_on_old_exports(day(number) - minutes(30)).await;
            world
                .pass_on_old_exports(day(number) + minutes(late / 2 + 5))
                .await;
        }
        if let Some(name) = crowd.get(usize::try_from(number).unwrap()) {
            world.sign_in(name, before(number));
        }
        if number % 2 == 0 && number > 2 {
            world.registers(&crowd[usize::try_from(number - 2).unwrap()]);
        }
        world.pass(day(number) + minutes(late + 10)).await;
        world.pass_on_old_exports(day(number) + hours(8)).await;
        by_day(&mut world, &mut mails, number).await;
    }
    assert_eq!(mails, BTreeMap::new());
}

#[tokio::test]
async fn a_school_on_the_first_of_september_hears_of_its_leavers_at_most_once() {
    let mut world = World::of(&[]);
    let stay = world.crowd("stay", 100);
    let leave = world.crowd("leave", 3_000);
    world.pass(day(0)).await;
    for name in stay.iter().chain(&leave[..50]) {
        world.sign_in(name, hour(0, 1));
    }
    world.pass(hour(0, 2)).await;
    for name in &leave {
        world.who(name).enabled = false;
    }
    let mut mails = BTreeMap::new();
    for number in 1..4 {
        world.pass(day(number)).await;
        by_day(&mut world, &mut mails, number).await;
    }
    assert_eq!(mails, BTreeMap::new(), "{:?}", world.report.holds);
}
