//! What a registration report proves, by its dates and its bytes (rule 7.8): seven tenants, in each
//! of which Ana's deadline is day 14, 23:00, and a report of everybody is exported every midnight.

use fortnight::domain::state::State;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::world::{World, day, hour};

/// Archives keep whole seconds.
const HALF_A_SECOND: SignedDuration = SignedDuration::from_millis(500);
const FROZEN: &str = "frozen:registration";

/// How the reports of a tenant look.
#[derive(Clone, Copy)]
struct Tenant {
    /// The date of all rows in the report of a day.
    dated: fn(i64) -> Option<Timestamp>,
    /// Something else in it differs from day to day.
    differs: bool,
    /// When Ana registers, in the evening, and from which day on the report knows.
    registers: Option<(i64, i64)>,
    /// Whether there is an audit feed.
    audited: bool,
}

impl Tenant {
    const DATED_DAILY: Self = Self {
        dated: |number| Some(day(number)),
        differs: true,
        registers: None,
        audited: false,
    };

    async fn world() -> World {
        let mut world = World::of(&["ana"]);
        world.crowd("person", 20);
        let mut world = world.open("ana").await;
        world.frozen.insert("registration");
        world
    }

    fn rows(&self, world: &World, number: i64) -> Vec<Value> {
        let mut rows = world.registration_rows(day(number));
        for row in &mut rows {
            row["lastUpdatedDateTime"] = json!((self.dated)(number).map(|at| at.to_string()));
            if self.differs {
                row["userDisplayName"] = json!(format!("of day {number}"));
            }
        }
        rows
    }

    async fn day(&self, world: &mut World, number: i64) {
        if let Some((on, known)) = self.registers {
            if number == on + 1 && self.audited {
                let at = hour(on, 20);
                world.audit("ana", at, "User registered security info");
            }
            world.who("ana").registered = Some(number >= known);
        }
        world.write("registration.json", self.rows(world, number), day(number));
        world.pass(day(number)).await;
    }

    /// When somebody is flagged, and what holds that: the first days of each, until day 20.
    async fn play(&self) -> String {
        let mut world = Self::world().await;
        if self.audited {
            world.audit("person0", hour(0, 1), "Admin deleted security info");
        }
        let mut told = Vec::new();
        let mut last = String::new();
        for number in 2..=20 {
            self.day(&mut world, number).await;
            let now = match world.report.flagged {
                0 => world.held().join(" "),
                flagged => format!("{flagged} flagged"),
            };
            if now != last && !now.is_empty() {
                told.push(format!("day {number}: {now}"));
            }
            last = now;
        }
        if world.held() == [FROZEN] {
            world.approve(FROZEN, hour(20, 1)).await;
            let report = world.pass_on_old_exports(hour(20, 2)).await;
            told.push(format!(
                "approved: {} flagged, {:?}",
                report.flagged,
                world.held()
            ));
        }
        format!("{}, {:?}", told.join(", "), world.state("ana").await)
    }
}

#[tokio::test]
async fn seven_tenants_by_the_dates_and_the_bytes_of_their_reports() {
    let daily = Tenant::DATED_DAILY;
    for (what, tenant, expected) in [
        (
            "rows dated daily prove the deadline in the first pass after it",
            daily,
            "day 15: 1 flagged, EnforcementNeeded",
        ),
        (
            "rows dated once: a day later by the lag alone, while the newest is of the last week",
            Tenant {
                dated: |_| Some(day(10)),
                ..daily
            },
            "day 16: 1 flagged, EnforcementNeeded",
        ),
        (
            "rows dated once, long ago",
            Tenant {
                dated: |_| Some(day(0)),
                ..daily
            },
            "day 16: frozen:registration, approved: 1 flagged, [], EnforcementNeeded",
        ),
        (
            "no dates: a day later",
            Tenant {
                dated: |_| None,
                ..daily
            },
            "day 16: 1 flagged, EnforcementNeeded",
        ),
        (
            "frozen: the report of day 2 is copied on",
            Tenant {
                dated: |_| Some(day(2)),
                differs: false,
                ..daily
            },
            "day 16: frozen:registration, approved: 1 flagged, [], EnforcementNeeded",
        ),
        (
            "the same bytes daily, without dates",
            Tenant {
                dated: |_| None,
                differs: false,
                ..daily
            },
            "day 16: frozen:registration, approved: 1 flagged, [], EnforcementNeeded",
        ),
        (
            "without an audit feed, the service up to date: registering in time is seen in time",
            Tenant {
                dated: |number| Some(day(number.min(11))),
                registers: Some((13, 14)),
                ..daily
            },
            ", Registered",
        ),
        (
            "without an audit feed, standing still for five days while she registers: not seen",
            Tenant {
                dated: |number| Some(day(number.min(11))),
                registers: Some((13, 17)),
                ..daily
            },
            "day 16: 1 flagged, Registered",
        ),
        (
            "the control: the same with an audit feed is held until the service goes on",
            Tenant {
                dated: |number| Some(day(if number < 17 { number.min(11) } else { number })),
                registers: Some((13, 17)),
                audited: true,
                ..daily
            },
            "day 16: frozen:registration, Registered",
        ),
    ] {
        assert_eq!(tenant.play().await, expected, "{what}");
    }
}

#[tokio::test]
async fn an_approval_of_a_report_is_good_for_seven_days_or_until_another_comes() {
    let tenant = Tenant {
        dated: |_| None,
        differs: false,
        ..Tenant::DATED_DAILY
    };
    let mut world = Tenant::world().await;
    world.sign_in("person0", hour(1, 1));
    for number in 2..=16 {
        if number == 9 {
            world.sign_in("person1", hour(8, 1));
        }
        tenant.day(&mut world, number).await;
    }
    assert_eq!(world.held(), [FROZEN]);
    world.approve(FROZEN, hour(16, 1)).await;
    world.pass_on_old_exports(hour(16, 2)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    assert_eq!(world.state("person0").await, State::OverdueChecking);
    // The same report of the day after is trusted as well.
    tenant.day(&mut world, 17).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("person0").await, State::EnforcementNeeded);
    for number in 18..=23 {
        tenant.day(&mut world, number).await;
    }
    assert_eq!(world.state("person1").await, State::OverdueChecking);
    tenant.day(&mut world, 24).await;
    assert_eq!(world.held(), [FROZEN]);
    // Other bytes are another report.
    let other = Tenant {
        differs: true,
        ..tenant
    };
    other.day(&mut world, 25).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(world.state("person1").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn the_same_bytes_packed_or_cut_otherwise_are_the_same_and_confirm_no_loss() {
    let mut world = Tenant::world().await;
    world.registers("person0");
    let rows = |world: &World, number| Tenant::DATED_DAILY.rows(world, number);
    world.write("registration.json", rows(&world, 2), day(2));
    world.pass(day(2)).await;
    assert_eq!(world.state("person0").await, State::Registered);
    world.who("person0").registered = Some(false);
    let lost = rows(&world, 3);
    world.write("registration.json", lost.clone(), day(3));
    world.pass(day(3)).await;
    for number in 4..=8 {
        world.write("registration.json", lost.clone(), day(number));
        world.pass(day(number)).await;
    }
    let doubted = world.decision("person0").await;
    assert!(doubted.registered, "a copy is no second report");
    // The control: another report of the same rows is one.
    world.write("registration.json", rows(&world, 9), day(9));
    world.pass(day(9)).await;
    assert!(!world.decision("person0").await.registered);
}

#[tokio::test]
async fn a_report_that_was_moved_renamed_or_restored_is_no_copy_and_one_that_is_younger_is() {
    let name = "registration.json";
    for (what, now_named, at, expected) in [
        ("restored", name, day(16), (1, vec![])),
        ("renamed", "registration-all.json", day(16), (1, vec![])),
        (
            "from an archive",
            name,
            day(16) - HALF_A_SECOND,
            (1, vec![]),
        ),
        ("copied on", name, hour(16, 1), (0, vec![FROZEN])),
    ] {
        let mut world = Tenant::world().await;
        let undated = Tenant {
            dated: |_| None,
            ..Tenant::DATED_DAILY
        };
        for number in 2..=16 {
            if number == 14 {
                world.frozen.insert("sign-ins");
            }
            undated.day(&mut world, number).await;
        }
        assert_eq!(world.held(), ["stale:sign_ins"]);
        std::fs::remove_file(world.tenant().join(name)).unwrap();
        world.write(now_named, undated.rows(&world, 16), at);
        world.frozen.remove("sign-ins");
        let flagged = world.pass(hour(16, 2)).await.flagged;
        assert_eq!((flagged, world.held()), expected, "{what}");
    }
}

#[tokio::test]
async fn one_row_vouches_for_nobody_else_and_a_future_one_for_nobody() {
    for (what, rows, flagged) in [
        ("one of twenty-two", 1, 0),
        ("two of twenty-two", 2, 0),
        ("three of twenty-two", 3, 1),
    ] {
        let mut world = Tenant::world().await;
        world.daily(2..=14).await;
        let undated = Tenant {
            dated: |_| None,
            ..Tenant::DATED_DAILY
        };
        let mut report = undated.rows(&world, 15);
        assert_eq!(report.len(), 22);
        for row in &mut report[..rows] {
            row["lastUpdatedDateTime"] = json!(day(15).to_string());
        }
        for row in &mut report[rows..] {
            row["lastUpdatedDateTime"] = json!("2099-01-01T00:00:00Z");
        }
        world.write("registration.json", report, day(15));
        let found = world.pass(day(15)).await.flagged;
        assert_eq!(found, flagged, "{what}");
    }
}

#[tokio::test]
async fn a_row_whose_date_cannot_be_read_is_put_aside() {
    let mut world = Tenant::world().await;
    world.daily(2..=14).await;
    let mut report = Tenant::DATED_DAILY.rows(&world, 15);
    let ana = world.id("ana");
    let row = report.iter_mut().find(|row| row["id"] == *ana.as_str());
    row.unwrap()["lastUpdatedDateTime"] = json!("12. März");
    world.write("registration.json", report, day(15));
    let report = world.pass(day(15)).await;
    assert_eq!((report.flagged, report.read.quarantined), (0, 1));
    assert_eq!(world.state("ana").await, State::Unknown);
}

#[tokio::test]
async fn a_report_is_judged_by_the_rows_of_people_who_are_enabled() {
    for (disabled, held) in [(true, false), (false, true)] {
        let mut world = World::of(&["ana"]);
        let leavers = world.crowd("leaver", 60);
        world.pass(day(0)).await;
        for name in &leavers {
            let leaver = world.who(name);
            leaver.registered = None;
            leaver.enabled = !disabled;
        }
        // The report is exported first: it shrank, as far as anybody knows.
        world.frozen.insert("users");
        world.pass(day(1)).await;
        assert_eq!(world.held(), ["snapshot:registration"], "{disabled}");
        // It is judged again, as it is, once the users say who is disabled.
        world.frozen = ["registration"].into();
        world.pass(hour(1, 1)).await;
        let expected: &[&str] = if held {
            &["snapshot:registration"]
        } else {
            &[]
        };
        assert_eq!(world.held(), expected, "{disabled}");
    }
}
