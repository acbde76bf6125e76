//! How many decisions a core makes in a second: the goal is some 1,000,000. Printed beside how
//! often the same facts can be cloned, so that two machines can be compared.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and ends where it cannot go on"
)]

use std::hint::black_box;
use std::time::Instant;

use fortnight::config::default_result_codes;
use fortnight::domain::age::ReportAge;
use fortnight::domain::assignment::{Assignment, Include, Selection};
use fortnight::domain::decide::decide;
use fortnight::domain::facts::{Channel, Freshness, NoticeBy, World};
use fortnight::domain::id::{PolicyName, UserId};
use fortnight::domain::language::Manner;
use fortnight::domain::person::{AccountKind, Person, Presence};
use fortnight::domain::policy::{Enforce, Policy, StartOn, Step};
use fortnight::domain::registration::{Detail, Level, Registration, ReportRow};
use fortnight::domain::sign_in::{Route, SignIn};
use fortnight::domain::window::later;
use fortnight::store::load::Dossier;
use jiff::{SignedDuration, Timestamp};

const ROUNDS: u32 = 300_000;

fn main() {
    let now: Timestamp = "2026-01-15T12:00:00Z".parse().unwrap();
    let world = world(now);
    let policy = policy(now);
    let people = [
        ("registered", dossier(now, Level::Capable, None)),
        ("waiting", dossier(now, Level::Missing, None)),
        ("in the window", dossier(now, Level::Missing, Some(8))),
    ];
    for (kind, dossier) in &people {
        let facts = &dossier.facts(&world, true);
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(decide(black_box(&policy), black_box(facts), now));
        }
        let decided = f64::from(ROUNDS) / began.elapsed().as_secs_f64();
        let began = Instant::now();
        for _ in 0..ROUNDS {
            black_box(black_box(dossier).clone());
        }
        let cloned = f64::from(ROUNDS) / began.elapsed().as_secs_f64();
        println!(
            "{kind:<14} {decided:>10.0} decisions/s, {:.2} of {cloned:.0} copies of the facts/s",
            decided / cloned
        );
    }
}

fn world(now: Timestamp) -> World {
    World {
        users: Some(now),
        groups: Some(now),
        registration: Some(ReportAge::at(now)),
        sign_ins: Some(now),
        audits: None,
        log_gap: None,
        freshness: Freshness::default(),
        channel: Channel::Works,
        notice_by: NoticeBy::Mail,
        upn_domains: Vec::new(),
        codes: default_result_codes(),
        manner: Manner::default(),
    }
}

fn policy(now: Timestamp) -> Policy {
    let days = |count: i64| SignedDuration::from_hours(24 * count);
    Policy {
        name: PolicyName::new("everyone"),
        enforce: Enforce::On,
        assignment: Assignment {
            include: Include::AllUsers,
            exclude: Selection::default(),
            ..Assignment::default()
        },
        window: days(14),
        min_notice: days(3),
        reminders: ["0d", "-7d", "-3d", "-1d"]
            .map(|step| Step::try_from(step.to_owned()).unwrap())
            .to_vec(),
        since: later(now, -days(30)),
        first_pass: later(now, -days(30)),
        on_again: None,
        guests: false,
        nested: true,
        accept_passwordless: true,
        start_on: StartOn::Prompted,
        strict: false,
    }
}

fn dossier(now: Timestamp, level: Level, days_ago: Option<i64>) -> Dossier {
    let id = UserId::parse("0f0e0d0c-0000-4000-8000-000000000001").unwrap();
    let row = ReportRow {
        user: id.clone(),
        level,
        detail: Detail::None,
    };
    let sign_in = |days: i64| SignIn {
        id: "0f0e0d0c-0000-4000-9000-000000000001".to_owned(),
        user: id.clone(),
        at: later(now, SignedDuration::from_hours(-24 * days)),
        code: 0,
        route: Route::Interactive,
        app: Some("Office 365".to_owned()),
        multifactor_met: false,
    };
    Dossier {
        sign_ins: days_ago.map(sign_in).into_iter().collect(),
        registration: Some(Registration::first(&row)),
        ..Dossier::of(Person {
            id: id.clone(),
            user_principal_name: "ana@contoso.example".to_owned(),
            display_name: Some("Ana".to_owned()),
            mail: Some("ana@contoso.example".to_owned()),
            kind: AccountKind::Member,
            enabled: true,
            created_at: None,
            preferred_language: None,
            last_sign_in_at: None,
            presence: Presence::Present,
        })
    }
}
