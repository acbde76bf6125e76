//! Whole journeys: exports in, mails and flags out, day by day, on the real engine and store.

use std::collections::BTreeMap;

use fortnight::domain::facts::ActKind;
use fortnight::domain::standing::Enforcement;
use fortnight::domain::state::State;
use jiff::Timestamp;
use serde_json::json;

use crate::support::world::{World, before, day, hour, hours};

/// This file is two modules: `journey` is played on exported files, `journey_graph` over Graph.
fn on_graph() -> bool {
    module_path!().ends_with("journey_graph")
}

fn world_of(names: &[&str]) -> World {
    if on_graph() {
        World::on_graph(names)
    } else {
        World::of(names)
    }
}

async fn opened(name: &str) -> World {
    world_of(&[name]).open(name).await
}

/// What the table below expects: from which day on, the state, the deadline as day and hour, and
/// what was mailed in that very pass. On the days in between nothing changes and nothing is sent.
///
/// Passes run at midnight. Who "signs in on day 1" did so an hour before the pass of day 1.
const EXPECTED: &str = "
never_signs_in       |  0 | waiting_first_sign_in |          |
was_registered       |  0 | registered            |          |
passwordless_only    |  0 | registered            |          |
emergency            |  0 | exempt                |          |
guest                |  0 | not_eligible          |          |
sync_account         |  0 | not_eligible          |          |
always_disabled      |  0 | disabled              |          |
wrong_passwords      |  0 | waiting_first_sign_in |          |
refresh_only         |  0 | waiting_first_sign_in |          |
imap_only            |  0 | waiting_first_sign_in |          |
report_glitch        |  0 | registered            |          |

registers_in_time    |  0 | waiting_first_sign_in |          |
registers_in_time    |  1 | in_grace              | 14 23:00 | window.opened
registers_in_time    |  5 | registered            | 14 23:00 | user.registered

never_registers      |  0 | waiting_first_sign_in |          |
never_registers      |  1 | in_grace              | 14 23:00 | window.opened
never_registers      |  8 | in_grace              | 14 23:00 | window.reminder -7d
never_registers      | 12 | due_soon              | 14 23:00 | window.reminder -3d
never_registers      | 14 | due_soon              | 14 23:00 | window.reminder -1d
never_registers      | 15 | enforcement_needed    | 14 23:00 | enforcement.needed

flagged_registers    |  0 | waiting_first_sign_in |          |
flagged_registers    |  1 | in_grace              | 14 23:00 | window.opened
flagged_registers    |  8 | in_grace              | 14 23:00 | window.reminder -7d
flagged_registers    | 12 | due_soon              | 14 23:00 | window.reminder -3d
flagged_registers    | 14 | due_soon              | 14 23:00 | window.reminder -1d
flagged_registers    | 15 | enforcement_needed    | 14 23:00 | enforcement.needed
flagged_registers    | 20 | registered            | 14 23:00 | user.registered

flagged_excluded     |  0 | waiting_first_sign_in |          |
flagged_excluded     |  1 | in_grace              | 14 23:00 | window.opened
flagged_excluded     |  8 | in_grace              | 14 23:00 | window.reminder -7d
flagged_excluded     | 12 | due_soon              | 14 23:00 | window.reminder -3d
flagged_excluded     | 14 | due_soon              | 14 23:00 | window.reminder -1d
flagged_excluded     | 15 | enforcement_needed    | 14 23:00 | enforcement.needed
flagged_excluded     | 17 | exempt                |          |

told_to_register     |  0 | waiting_first_sign_in |          |
told_to_register     |  1 | in_grace              | 14 23:00 | window.opened
told_to_register     |  8 | in_grace              | 14 23:00 | window.reminder -7d
told_to_register     | 12 | due_soon              | 14 23:00 | window.reminder -3d
told_to_register     | 14 | due_soon              | 14 23:00 | window.reminder -1d
told_to_register     | 15 | enforcement_needed    | 14 23:00 | enforcement.needed

late_log             |  0 | waiting_first_sign_in |          |
late_log             |  4 | in_grace              | 14 23:00 | window.opened
late_log             |  8 | in_grace              | 14 23:00 | window.reminder -7d
late_log             | 12 | due_soon              | 14 23:00 | window.reminder -3d
late_log             | 14 | due_soon              | 14 23:00 | window.reminder -1d
late_log             | 15 | enforcement_needed    | 14 23:00 | enforcement.needed

very_late_log        |  0 | waiting_first_sign_in |          |
very_late_log        | 13 | due_soon              | 16 00:00 | window.opened
very_late_log        | 15 | due_soon              | 16 00:00 | window.reminder -1d
very_late_log        | 16 | enforcement_needed    | 16 00:00 | enforcement.needed

disabled_six_days    |  0 | waiting_first_sign_in |          |
disabled_six_days    |  1 | in_grace              | 14 23:00 | window.opened
disabled_six_days    |  6 | disabled              |          |
disabled_six_days    | 12 | in_grace              | 20 23:00 | window.resumed
disabled_six_days    | 14 | in_grace              | 20 23:00 | window.reminder -7d
disabled_six_days    | 18 | due_soon              | 20 23:00 | window.reminder -3d
disabled_six_days    | 20 | due_soon              | 20 23:00 | window.reminder -1d
disabled_six_days    | 21 | enforcement_needed    | 20 23:00 | enforcement.needed

leaver               |  0 | waiting_first_sign_in |          |
leaver               |  1 | in_grace              | 14 23:00 | window.opened
leaver               |  8 | in_grace              | 14 23:00 | window.reminder -7d
leaver               |  9 | gone                  |          |

no_address           |  0 | waiting_first_sign_in |          |
no_address           |  1 | in_grace              | 14 23:00 |
no_address           | 12 | due_soon              | 14 23:00 |
no_address           | 15 | overdue_checking      | 14 23:00 |
no_address           | 22 | enforcement_needed    | 14 23:00 |

blocked              |  0 | waiting_first_sign_in |          |
blocked              |  1 | in_grace              | 14 23:00 | window.opened
blocked              |  8 | in_grace              | 14 23:00 | window.reminder -7d
blocked              | 12 | due_soon              | 14 23:00 | window.reminder -3d
blocked              | 14 | due_soon              | 14 23:00 | window.reminder -1d
blocked              | 15 | overdue_checking      | 14 23:00 |
blocked              | 22 | enforcement_needed    | 14 23:00 | enforcement.needed

deletes_own_method   |  0 | registered            |          |
deletes_own_method   | 10 | waiting_first_sign_in |          |
deletes_own_method   | 12 | in_grace              | 25 23:00 | window.opened
deletes_own_method   | 19 | in_grace              | 25 23:00 | window.reminder -7d
deletes_own_method   | 23 | due_soon              | 25 23:00 | window.reminder -3d
deletes_own_method   | 25 | due_soon              | 25 23:00 | window.reminder -1d
deletes_own_method   | 26 | enforcement_needed    | 25 23:00 | enforcement.needed

reset_by_admin       |  0 | waiting_first_sign_in |          |
reset_by_admin       |  1 | in_grace              | 14 23:00 | window.opened
reset_by_admin       |  5 | registered            | 14 23:00 | user.registered
reset_by_admin       | 10 | waiting_first_sign_in |          |
reset_by_admin       | 12 | in_grace              | 25 23:00 | window.opened
reset_by_admin       | 19 | in_grace              | 25 23:00 | window.reminder -7d
reset_by_admin       | 23 | due_soon              | 25 23:00 | window.reminder -3d
reset_by_admin       | 25 | due_soon              | 25 23:00 | window.reminder -1d
reset_by_admin       | 26 | enforcement_needed    | 25 23:00 | enforcement.needed

reported_first       |  0 | waiting_first_sign_in |          |
reported_first       |  1 | in_grace              | 14 23:00 | window.opened
reported_first       |  8 | in_grace              | 14 23:00 | window.reminder -7d
reported_first       | 12 | registration_reported | 14 23:00 |
reported_first       | 13 | due_soon              | 14 23:00 | window.reminder -3d
reported_first       | 14 | registered            | 14 23:00 | user.registered

not_in_the_report    |  0 | unknown               |          |
not_in_the_report    |  1 | unknown               | 14 23:00 | window.opened
not_in_the_report    |  8 | unknown               | 14 23:00 | window.reminder -7d
not_in_the_report    | 12 | unknown               | 14 23:00 | window.reminder -3d
not_in_the_report    | 14 | unknown               | 14 23:00 | window.reminder -1d

extended             |  0 | waiting_first_sign_in |          |
extended             |  1 | in_grace              | 14 23:00 | window.opened
extended             |  8 | in_grace              | 14 23:00 | window.reminder -7d
extended             | 10 | in_grace              | 21 23:00 | window.extended
extended             | 15 | in_grace              | 21 23:00 | window.reminder -7d
extended             | 19 | due_soon              | 21 23:00 | window.reminder -3d
extended             | 21 | due_soon              | 21 23:00 | window.reminder -1d
extended             | 22 | enforcement_needed    | 21 23:00 | enforcement.needed

closed_and_reopened  |  0 | waiting_first_sign_in |          |
closed_and_reopened  |  1 | in_grace              | 14 23:00 | window.opened
closed_and_reopened  |  5 | paused                |          |
closed_and_reopened  |  9 | in_grace              | 18 23:00 | window.resumed
closed_and_reopened  | 12 | in_grace              | 18 23:00 | window.reminder -7d
closed_and_reopened  | 16 | due_soon              | 18 23:00 | window.reminder -3d
closed_and_reopened  | 18 | due_soon              | 18 23:00 | window.reminder -1d
closed_and_reopened  | 19 | enforcement_needed    | 18 23:00 | enforcement.needed

reset_by_operator    |  0 | waiting_first_sign_in |          |
reset_by_operator    |  1 | in_grace              | 14 23:00 | window.opened
reset_by_operator    |  5 | waiting_first_sign_in |          |
reset_by_operator    |  7 | in_grace              | 20 23:00 | window.opened
reset_by_operator    | 14 | in_grace              | 20 23:00 | window.reminder -7d
reset_by_operator    | 18 | due_soon              | 20 23:00 | window.reminder -3d
reset_by_operator    | 20 | due_soon              | 20 23:00 | window.reminder -1d
reset_by_operator    | 21 | enforcement_needed    | 20 23:00 | enforcement.needed

hired_on_day_five    |  6 | in_grace              | 19 23:00 | window.opened
hired_on_day_five    | 13 | in_grace              | 19 23:00 | window.reminder -7d
hired_on_day_five    | 17 | due_soon              | 19 23:00 | window.reminder -3d
hired_on_day_five    | 19 | due_soon              | 19 23:00 | window.reminder -1d
hired_on_day_five    | 20 | enforcement_needed    | 19 23:00 | enforcement.needed
";

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    state: String,
    deadline: String,
}

/// Days on which something changes, by person: the row, and the mail of that pass.
type Table = BTreeMap<String, BTreeMap<i64, (Row, Vec<String>)>>;

fn expected() -> Table {
    let mut table = Table::new();
    for line in EXPECTED.lines().filter(|line| !line.is_empty()) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [name, from, state, deadline, mail] = cells[..] else {
            panic!("{line}");
        };
        let row = Row {
            state: state.to_owned(),
            deadline: deadline.to_owned(),
        };
        let mails = Some(mail.to_owned()).filter(|mail| !mail.is_empty());
        table
            .entry(name.to_owned())
            .or_default()
            .insert(from.parse().unwrap(), (row, mails.into_iter().collect()));
    }
    if on_graph() {
        // Twelve days late is beyond the three days of the log that are read again and again.
        table
            .entry("very_late_log".to_owned())
            .or_default()
            .retain(|from, _| *from == 0);
    }
    table
}

/// A moment as the day of the story and the time of the day.
fn told(at: Timestamp) -> String {
    let hours = at.duration_since(day(0)).as_hours();
    format!("{} {:02}:00", hours.div_euclid(24), hours.rem_euclid(24))
}

/// Everything that happens to the people of the table before the pass of a day.
async fn live(world: &mut World, number: i64) {
    let at = before(number);
    match number {
        1 => {
            for name in [
                "registers_in_time",
                "never_registers",
                "flagged_registers",
                "flagged_excluded",
                "disabled_six_days",
                "leaver",
                "no_address",
                "blocked",
                "reset_by_admin",
                "reported_first",
                "not_in_the_report",
                "extended",
                "closed_and_reopened",
                "reset_by_operator",
                "emergency",
                "guest",
                "was_registered",
            ] {
                world.sign_in(name, at);
            }
            world.sign_in_with(
                "told_to_register",
                at,
                json!({ "status": { "errorCode": 50_072 } }),
            );
            world.sign_in_with("refresh_only", at, json!({ "isInteractive": false }));
            world.sign_in_with("imap_only", at, json!({ "clientAppUsed": "IMAP4" }));
            for _ in 0..40 {
                let wrong = json!({ "status": { "errorCode": 50_126 } });
                world.sign_in_with("wrong_passwords", at, wrong);
            }
        }
        4 => world.sign_in("late_log", before(1)),
        5 => {
            world.registers("registers_in_time");
            world.registers("reset_by_admin");
            world.act("closed_and_reopened", ActKind::Close, at).await;
            world.act("reset_by_operator", ActKind::Reset, at).await;
        }
        6 => {
            world.who("disabled_six_days").enabled = false;
            world.join("hired_on_day_five").created_at = day(5);
            world.sign_in("hired_on_day_five", at);
        }
        7 => world.sign_in("reset_by_operator", at),
        9 => {
            world.who("leaver").exists = false;
            world.act("closed_and_reopened", ActKind::Reopen, at).await;
        }
        10 => {
            let days = ActKind::Extend { days: 7 };
            world.act("extended", days, at).await;
            world.who("report_glitch").registered = Some(false);
            world.who("deletes_own_method").registered = Some(false);
            world.audit("deletes_own_method", at, "User deleted security info");
            world.who("reset_by_admin").registered = Some(false);
            world.audit("reset_by_admin", at, "Admin deleted security info");
        }
        11 => world.registers("report_glitch"),
        12 => {
            world.who("disabled_six_days").enabled = true;
            world.sign_in("deletes_own_method", at);
            world.sign_in("reset_by_admin", at);
            world.audit("reported_first", at, "User registered security info");
        }
        13 => world.sign_in("very_late_log", before(1)),
        14 => world.registers("reported_first"),
        17 => world.exclude("flagged_excluded"),
        20 => world.registers("flagged_registers"),
        _ => {}
    }
    if (14..=22).contains(&number) {
        let blocked = json!({ "status": { "errorCode": 53_004 } });
        world.sign_in_with("blocked", at, blocked);
    }
}

fn organisation(table: &Table) -> World {
    let names: Vec<&str> = table.keys().map(String::as_str).collect();
    let mut world = world_of(&names);
    world.accounts.remove("hired_on_day_five");
    world.exclude("emergency");
    for name in ["was_registered", "report_glitch", "deletes_own_method"] {
        world.registers(name);
    }
    world.who("passwordless_only").passwordless = true;
    world.who("guest").user_type = "Guest";
    world.who("guest").upn = String::from("guest_partner.example#EXT#@contoso.example");
    let sync = world.who("sync_account");
    sync.upn = String::from("Sync_DC01_0123456789ab@contoso.example");
    sync.display_name = String::from("On-Premises Directory Synchronization Service Account");
    world.who("always_disabled").enabled = false;
    world.who("no_address").mail = None;
    world.who("not_in_the_report").registered = None;
    world
}

#[tokio::test]
async fn five_weeks_of_everybody_go_as_the_table_says() {
    let table = expected();
    let mut world = organisation(&table);
    let mut wrong = Vec::new();
    for number in 0..=35 {
        live(&mut world, number).await;
        world.pass(day(number)).await;
        let post = world.post().await;
        let names: Vec<&str> = table
            .iter()
            .filter(|(_, rows)| rows.range(..=number).next().is_some())
            .map(|(name, _)| name.as_str())
            .collect();
        let decisions = world.decisions(&names).await;
        for name in names {
            let (from, (row, mails)) = table[name].range(..=number).next_back().unwrap();
            let mails = if *from == number {
                mails.clone()
            } else {
                Vec::new()
            };
            let decision = &decisions[name];
            let found = Row {
                state: decision.state.as_str().to_owned(),
                deadline: decision.deadline.map(told).unwrap_or_default(),
            };
            let sent = post.get(name).cloned().unwrap_or_default();
            if found != *row || sent != mails {
                wrong.push(format!(
                    "day {number} {name}: {found:?} {sent:?}, not {row:?} {mails:?}"
                ));
            }
        }
        let again = world.pass_on_old_exports(day(number)).await;
        let changed = [
            again.windows.opened,
            again.windows.closed,
            again.windows.paused,
            again.windows.resumed,
            again.flagged,
            again.released,
            again.deliveries.queued,
            again.deliveries.sent,
        ];
        if changed != [0; 8] || !world.post().await.is_empty() {
            wrong.push(format!(
                "day {number}: a pass repeated at once did {changed:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same, flagged on day 15.
async fn flagged(name: &str) -> World {
    let mut world = opened(name).await;
    world.daily(2..=15).await;
    assert_eq!(world.state(name).await, State::EnforcementNeeded);
    world.mailbox(name).await;
    world
}

#[tokio::test]
async fn who_registers_on_day_13_is_not_flagged_while_the_reports_lag() {
    let mut world = opened("ana").await;
    world.report_lag = hours(30);
    world.daily(2..=13).await;
    world.mailbox("ana").await;
    world.audit("ana", hour(13, 20), "User registered security info");
    world.pass(day(14)).await;
    assert_eq!(world.state("ana").await, State::RegistrationReported);
    world.mailbox("ana").await.expect_none();
    world.pass(day(15)).await;
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    world.registers("ana");
    world.pass(day(16)).await;
    assert_eq!(world.state("ana").await, State::Registered);
    world.mailbox("ana").await.expect_one("user.registered");
}

#[tokio::test]
async fn proof_that_is_late_becomes_a_hold_and_a_fresh_report_ends_it() {
    let mut world = opened("ana").await;
    world.configuration += "[freshness]\nregistration = \"200h\"\n";
    world.daily(2..=14).await;
    world.frozen.insert("registration");
    // A day of lag, and a day of patience.
    world.daily(15..=16).await;
    assert_eq!(world.state("ana").await, State::OverdueChecking);
    assert_eq!(world.held(), [""; 0]);
    world.pass(day(17)).await;
    assert_eq!(world.held(), ["proof"]);
    world.frozen.clear();
    world.pass(day(18)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn a_flagged_emergency_account_is_released_when_it_is_excluded() {
    let mut world = flagged("breakglass2").await;
    world.exclude("breakglass2");
    let report = world.pass(hour(15, 1)).await;
    assert_eq!(report.released, 1);
    assert_eq!(world.state("breakglass2").await, State::Exempt);
    world.mailbox("breakglass2").await.expect_none();
}

#[tokio::test]
async fn a_policy_that_is_off_stops_the_clock() {
    let mut world = opened("ana").await;
    world.pass(day(2)).await;
    world.change("enforce = \"on\"", "enforce = \"off\"");
    world.daily(3..=29).await;
    let decision = world.decision("ana").await;
    assert_eq!((decision.state, decision.deadline), (State::Paused, None));
    assert_eq!(decision.remaining, Some(hours(11 * 24 + 23)));
    world.mailbox("ana").await.expect_none();
    world.change("enforce = \"off\"", "enforce = \"on\"");
    world.pass(day(30)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(41, 23)));
    world.mailbox("ana").await.expect_one("window.resumed");
}

#[tokio::test]
async fn a_longer_window_moves_the_deadline_and_says_so_once() {
    let mut world = opened("ana").await;
    world.change("window = \"14d\"", "window = \"30d\"");
    world.pass(day(5)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(30, 23)));
    world.mailbox("ana").await.expect_one("window.extended");
    world.pass(day(6)).await;
    world.mailbox("ana").await.expect_none();
}

#[tokio::test]
async fn a_shorter_window_binds_only_windows_opened_later() {
    let mut world = world_of(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    world.mailbox("ana").await.expect_one("window.opened");
    world.change("window = \"14d\"", "window = \"7d\"");
    world.sign_in("ben", before(5));
    world.pass(day(5)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(14, 23)));
    world.mailbox("ana").await.expect_none();
    assert_eq!(world.deadline("ben").await, Some(hour(11, 23)));
}

#[tokio::test]
async fn an_extension_takes_a_flag_back() {
    let mut world = flagged("ana").await;
    let extension = ActKind::Extend { days: 5 };
    world.act("ana", extension, hour(16, 1)).await;
    let report = world.pass(hour(16, 2)).await;
    assert_eq!(report.released, 1);
    // From the later of deadline and present.
    assert_eq!(world.deadline("ana").await, Some(hour(21, 1)));
    world.mailbox("ana").await.expect_one("window.extended");
}

#[tokio::test]
async fn a_closed_window_stays_silent_until_it_is_reopened() {
    let mut world = opened("ana").await;
    world.act("ana", ActKind::Close, hour(1, 1)).await;
    world.sign_in("ana", before(3));
    world.daily(2..=20).await;
    assert_eq!(world.state("ana").await, State::Paused);
    world.mailbox("ana").await.expect_none();
    world.act("ana", ActKind::Reopen, hour(20, 1)).await;
    world.pass(hour(20, 2)).await;
    world.mailbox("ana").await.expect_one("window.resumed");
    // Paused by the pass of day 2 with 12 days and 23 hours left.
    assert_eq!(world.deadline("ana").await, Some(hour(33, 1)));
}

/// So many people whose deadline is day 14, 23:00, as of day 14.
async fn department(size: usize) -> (World, Vec<String>) {
    let mut world = world_of(&[]);
    let names = world.crowd("person", size);
    world.pass(day(0)).await;
    for name in &names {
        world.sign_in(name, before(1));
    }
    world.daily(1..=14).await;
    world.post().await;
    (world, names)
}

async fn count(world: &World, names: &[String], state: State) -> usize {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let states = world.states(&names).await;
    states.into_iter().filter(|found| *found == state).count()
}

#[tokio::test]
async fn a_mass_of_flags_waits_for_an_operator() {
    let (mut world, names) = department(20).await;
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.held(), ["mass"]);
    assert_eq!(count(&world, &names, State::OverdueChecking).await, 20);
    let post = world.post().await;
    assert_eq!(post.keys().collect::<Vec<_>>(), ["operators"]);
    assert_eq!(post["operators"], ["hold.raised"]);
    // The hold is told once.
    world.pass(hour(15, 1)).await;
    assert!(world.post().await.is_empty());
    world.approve("mass", hour(15, 2)).await;
    let report = world.pass(hour(15, 3)).await;
    assert_eq!(report.flagged, 20);
    assert_eq!(world.held(), [""; 0]);
    let post = world.post().await;
    assert_eq!(post["person0"], ["enforcement.needed"]);
    assert_eq!(post["operators"], ["hold.cleared"]);
}

#[tokio::test]
async fn an_approval_covers_the_listed_and_the_rest_is_judged() {
    for (rest, flagged, held) in [(12, 20, vec!["mass"]), (5, 25, vec![])] {
        let mut world = world_of(&[]);
        let first = world.crowd("first", 20);
        let later = world.crowd("later", rest);
        world.pass(day(0)).await;
        for name in &first {
            world.sign_in(name, before(1));
        }
        world.pass(day(1)).await;
        for name in &later {
            world.sign_in(name, before(2));
        }
        world.daily(2..=15).await;
        assert_eq!(world.held(), ["mass"]);
        world.approve("mass", hour(15, 1)).await;
        let report = world.pass(day(16)).await;
        assert_eq!(report.flagged, flagged, "a rest of {rest}");
        assert_eq!(world.held(), held, "a rest of {rest}");
    }
}

#[tokio::test]
async fn an_approval_that_nobody_used_lapses_after_a_day() {
    // A pass a day later still uses it: rehearsals go from midnight to midnight.
    for (pass, flagged) in [(hour(16, 1), 20), (hour(16, 2), 0)] {
        let (mut world, _) = department(20).await;
        world.pass(day(15)).await;
        world.approve("mass", hour(15, 1)).await;
        assert_eq!(world.pass(pass).await.flagged, flagged);
        assert_eq!(world.held().is_empty(), flagged > 0);
    }
}

#[tokio::test]
async fn ten_flags_are_no_mass() {
    let (mut world, _) = department(10).await;
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 10);
}

#[tokio::test]
async fn a_report_in_which_many_lost_their_registration_holds_flags() {
    let mut world = world_of(&["ana"]);
    let staff = world.crowd("staff", 40);
    for name in &staff {
        world.registers(name);
    }
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    for name in &staff[..12] {
        world.who(name).registered = Some(false);
    }
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.held(), ["missing_growth"]);
    assert_eq!(count(&world, &staff, State::Registered).await, 40);
    // The yardstick stays the report before the growth.
    world.pass(hour(15, 12)).await;
    assert_eq!(world.held(), ["missing_growth"]);
    for name in &staff[..12] {
        world.registers(name);
    }
    let report = world.pass(day(16)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
}

#[tokio::test]
async fn a_loss_of_many_goes_through_with_an_approval() {
    let mut world = world_of(&["ana"]);
    let staff = world.crowd("staff", 40);
    for name in &staff {
        world.registers(name);
    }
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    for name in &staff[..12] {
        world.who(name).registered = Some(false);
    }
    world.pass(day(15)).await;
    world.approve("missing_growth", hour(15, 1)).await;
    let report = world.pass(hour(15, 2)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
    world.pass(hour(15, 3)).await;
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn a_users_export_that_collapsed_is_not_believed() {
    let mut world = world_of(&["ana"]);
    let staff = world.crowd("staff", 50);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    for name in &staff[..25] {
        world.who(name).exists = false;
    }
    // The report of the same export shrank with it.
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.held(), ["snapshot:registration", "snapshot:users"]);
    assert_eq!(count(&world, &staff, State::Gone).await, 0);
    world.approve("snapshot:users", hour(15, 1)).await;
    world.approve("snapshot:registration", hour(15, 1)).await;
    let report = world.pass(hour(15, 2)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
    assert_eq!(count(&world, &staff, State::Gone).await, 25);
}

#[tokio::test]
async fn a_collapse_beyond_the_approved_one_is_held_again() {
    let mut world = world_of(&[]);
    let staff = world.crowd("staff", 100);
    world.pass(day(0)).await;
    world.frozen.insert("registration");
    for name in &staff[..25] {
        world.who(name).exists = false;
    }
    world.pass(day(1)).await;
    world.approve("snapshot:users", hour(1, 1)).await;
    for name in &staff[..60] {
        world.who(name).exists = false;
    }
    world.pass(hour(1, 2)).await;
    assert!(world.held().contains(&"snapshot:users"));
    assert_eq!(count(&world, &staff, State::Gone).await, 0);
}

#[tokio::test]
async fn the_export_of_another_tenant_is_not_believed() {
    let mut world = world_of(&[]);
    let staff = world.crowd("staff", 30);
    world.pass(day(0)).await;
    // As many others instead.
    for name in &staff {
        world.who(name).exists = false;
    }
    let others = world.crowd("other", 40);
    world.pass(day(1)).await;
    assert_eq!(world.held(), ["snapshot:registration", "snapshot:users"]);
    assert_eq!(count(&world, &staff, State::Gone).await, 0);
    for hold in world
        .held()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>()
    {
        world.approve(&hold, hour(1, 1)).await;
    }
    // It covers these others, and neither nobody nor more that are lost.
    for name in &others[5..] {
        world.who(name).exists = false;
    }
    world.pass(hour(1, 2)).await;
    assert!(world.held().contains(&"snapshot:users"));
    assert_eq!(count(&world, &staff, State::Gone).await, 0);
    for name in &others[5..] {
        world.who(name).exists = true;
    }
    world.pass(hour(1, 3)).await;
    for hold in world
        .held()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>()
    {
        world.approve(&hold, hour(1, 4)).await;
    }
    world.pass(hour(1, 5)).await;
    assert_eq!(count(&world, &staff, State::Gone).await, 30);
}

#[tokio::test]
async fn a_group_of_others_is_not_believed() {
    let mut world = world_of(&[]);
    let (staff, others) = (world.crowd("staff", 25), world.crowd("other", 25));
    for name in &staff {
        world.exclude(name);
    }
    world.pass(day(0)).await;
    let emergency = world.groups.get_mut("Emergency").unwrap();
    emergency.retain(|name| !name.starts_with("staff"));
    emergency.extend(others);
    world.pass(day(1)).await;
    let hold = EXCLUSION.replace("exclusion:", "snapshot:");
    assert_eq!(world.held(), [hold.as_str()]);
    assert_eq!(count(&world, &staff, State::Exempt).await, 25);
    world.approve(&hold, hour(1, 1)).await;
    world.pass(hour(1, 2)).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(count(&world, &staff, State::Exempt).await, 0);
}

const EXCLUSION: &str = "exclusion:everyone/0a0a0a0a-0000-4000-8000-000000000000";

#[tokio::test]
async fn an_emptied_exclusion_is_never_believed_by_itself() {
    let mut world = opened("ana").await;
    world.daily(2..=14).await;
    world.groups.get_mut("Emergency").unwrap().clear();
    let report = world.pass(day(15)).await;
    assert_eq!((report.flagged, world.held()), (0, vec![EXCLUSION]));
    assert_eq!(world.state("breakglass").await, State::Exempt);
    world.pass(hour(15, 6)).await;
    assert_eq!(world.held(), [EXCLUSION]);
    world.approve(EXCLUSION, hour(15, 7)).await;
    let report = world.pass(hour(15, 8)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
    assert_eq!(world.state("breakglass").await, State::WaitingFirstSignIn);
    world.pass(hour(15, 9)).await;
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn an_exclusion_that_comes_back_ends_the_hold() {
    let mut world = opened("ana").await;
    world.daily(2..=14).await;
    world.groups.get_mut("Emergency").unwrap().clear();
    world.pass(day(15)).await;
    world.exclude("breakglass");
    let report = world.pass(hour(15, 1)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
    assert_eq!(world.state("breakglass").await, State::Exempt);
}

#[tokio::test]
async fn a_missing_exclusion_group_keeps_its_members_exempt() {
    let mut world = opened("ana").await;
    world.daily(2..=14).await;
    world.groups.clear();
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert!(world.held().contains(&"assignment:everyone"));
    assert_eq!(world.state("breakglass").await, State::Exempt);
}

#[tokio::test]
async fn old_sources_flag_nobody() {
    for source in ["users", "registration", "sign-ins"] {
        let mut world = opened("ana").await;
        world.daily(2..=12).await;
        world.frozen.insert(source);
        world.daily(13..=15).await;
        let hold = format!("stale:{}", source.replace('-', "_"));
        assert_eq!(world.held(), [hold.as_str()]);
        assert_eq!(world.state("ana").await, State::OverdueChecking);
        world.frozen.clear();
        let report = world.pass(day(16)).await;
        assert_eq!((report.flagged, world.held()), (1, vec![]), "{source}");
    }
}

#[tokio::test]
async fn who_has_no_address_is_told_to_operators_once_and_mailed_when_there_is_one() {
    let mut world = world_of(&["ana"]);
    world.who("ana").mail = None;
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    let told = world.operators().await;
    let told = told.expect_one("delivery.dead");
    assert!(
        told.text.contains("): there is no address"),
        "{}",
        told.text
    );
    world.daily(2..=5).await;
    world.operators().await.expect_none();
    world.who("ana").mail = Some("ana.b@contoso.example".to_owned());
    world.pass(day(6)).await;
    let mailbox = world.mailbox("ana").await;
    let mail = mailbox.expect_one("window.opened");
    assert_eq!(mail.to, "ana.b@contoso.example");
    assert_eq!(world.deadline("ana").await, Some(hour(14, 23)));
}

#[tokio::test]
async fn two_policies_speak_with_one_voice() {
    let mut world = world_of(&["ana"]);
    world.change(
        "[email]\n",
        r#"[[policy]]
name = "short"
enforce = "on"
window = "7d"
include = { groups = ["Short"] }
exclude = { groups = ["Emergency"] }

[email]
"#,
    );
    world.add_to("Short", "ana");
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    let mut told = Vec::new();
    for number in 1..=16 {
        world.pass(day(number)).await;
        for event in world.mailbox("ana").await.events() {
            told.push(format!("{number} {event}"));
        }
    }
    assert_eq!(
        told,
        [
            "1 window.opened",
            "5 window.reminder -3d",
            "7 window.reminder -1d",
            "8 enforcement.needed",
            "12 window.reminder -3d",
            "14 window.reminder -1d",
            "15 enforcement.needed",
        ]
    );
    let decisions = world.decisions_of_all_policies(&["ana"]).await;
    let states: Vec<State> = decisions["ana"].iter().map(|row| row.state).collect();
    assert_eq!(states, [State::EnforcementNeeded; 2]);
}

#[tokio::test]
async fn what_was_only_rehearsed_is_announced_when_the_policy_is_on() {
    let mut world = world_of(&["ana"]);
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=15).await;
    assert!(world.post().await.is_empty());
    let decision = world.decision("ana").await;
    assert_eq!(decision.state, State::EnforcementNeeded);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::WouldNeed { at: day(15) }
    );
    world.change("enforce = \"report-only\"", "enforce = \"on\"");
    let report = world.pass(day(16)).await;
    assert_eq!(report.flagged, 0);
    world.mailbox("ana").await.expect_one("window.opened");
    assert_eq!(world.deadline("ana").await, Some(day(19)));
    world.pass(day(18)).await;
    world.mailbox("ana").await.expect_one("window.reminder -1d");
    world.pass(day(19)).await;
    world.mailbox("ana").await.expect_one("enforcement.needed");
}

#[tokio::test]
async fn after_an_outage_of_eight_days_each_person_hears_once() {
    let mut world = world_of(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=5).await;
    world.mailbox("ana").await;
    world.sign_in("ben", before(8));
    world.pass(day(13)).await;
    // Two steps of ana's fell due, one of ben's: the latest is told, or that the window is open.
    world.mailbox("ana").await.expect_one("window.reminder -3d");
    world.mailbox("ben").await.expect_one("window.opened");
    assert_eq!(world.deadline("ben").await, Some(hour(21, 23)));
}

#[tokio::test]
async fn after_an_outage_of_forty_days_nobody_is_flagged_without_notice() {
    let mut world = world_of(&["ana", "ben"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.pass(day(1)).await;
    world.mailbox("ana").await;
    world.sign_in("ben", before(3));
    let report = world.pass(day(41)).await;
    assert_eq!(report.flagged, 1);
    world.mailbox("ana").await.expect_one("enforcement.needed");
    world.mailbox("ben").await.expect_one("window.opened");
    // A file still tells of day 3; Graph's log does not, and what the directory remembers of it
    // opens a window as of now.
    let deadline = if on_graph() { 41 + 14 } else { 41 + 3 };
    assert_eq!(world.deadline("ben").await, Some(day(deadline)));
}

/// Leaves in a database's place what a disk, a tool or a person may leave there.
async fn lose(world: &World, how: &str) {
    use sqlx::Connection as _;
    let database = world.database();
    if how == "is no database any more" {
        let mut bytes = std::fs::read(&database).unwrap();
        bytes[..100].fill(0);
        return std::fs::write(&database, bytes).unwrap();
    }
    std::fs::remove_file(&database).unwrap();
    match how {
        "is gone" => {}
        "is empty" => std::fs::write(&database, "").unwrap(),
        "has none of its tables" => {
            let url = format!("sqlite:{}?mode=rwc", database.display());
            let mut bare = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let text = "CREATE TABLE things (id TEXT)";
            sqlx::query(text).execute(&mut bare).await.unwrap();
            bare.close().await.unwrap();
        }
        "is another installation's" => {
            let mut other = World::of(&["ana"]);
            other.pass(day(0)).await;
            std::fs::copy(other.database(), &database).unwrap();
        }
        other => panic!("{other}"),
    }
}

const LOSSES: [&str; 5] = [
    "is gone",
    "is empty",
    "is no database any more",
    "has none of its tables",
    "is another installation's",
];

#[tokio::test]
async fn a_database_that_vanished_is_not_begun_anew() {
    for how in LOSSES {
        let mut world = opened("ana").await;
        let backup = world.folder().join("backup.db");
        std::fs::copy(world.database(), &backup).unwrap();
        lose(&world, how).await;
        for at in [day(2), day(20)] {
            let error = world.try_pass(at).await.unwrap_err().to_string();
            let mark = world.folder().join("fortnight.db.lock");
            assert!(error.contains(how), "{error}");
            assert!(error.contains(&mark.display().to_string()), "{error}");
        }
        std::fs::copy(&backup, world.database()).unwrap();
        world.pass(day(3)).await;
        assert_eq!(world.deadline("ana").await, Some(hour(14, 23)), "{how}");
        world.mailbox("ana").await.expect_none();
    }
}

/// What the mark is for: without it an empty file is a new installation, which tells everybody again who
/// signs in.
#[tokio::test]
async fn without_its_mark_a_database_that_vanished_is_begun_anew() {
    let mut world = opened("ana").await;
    lose(&world, "is empty").await;
    std::fs::remove_file(world.folder().join("fortnight.db.lock")).unwrap();
    world.pass(day(2)).await;
    world.sign_in("ana", hour(2, 1));
    world.pass(hour(2, 2)).await;
    world.mailbox("ana").await.expect_one("window.opened");
}

/// A mark of an earlier version names no installation: the next pass has it name this one.
#[tokio::test]
async fn a_mark_that_names_no_installation_goes_on_and_names_one_then() {
    let mut world = opened("ana").await;
    let mark = world.folder().join("fortnight.db.lock");
    let text = std::fs::read_to_string(&mark).unwrap();
    let earlier: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(&mark, earlier.join("\n") + "\n").unwrap();
    world.pass(day(2)).await;
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), text);
    lose(&world, "is another installation's").await;
    world.try_pass(day(3)).await.unwrap_err();
}

#[tokio::test]
async fn a_restored_backup_repeats_mails_only_under_their_message_id() {
    let mut world = opened("ana").await;
    world.daily(2..=10).await;
    let backup = world.folder().join("backup.db");
    std::fs::copy(world.database(), &backup).unwrap();
    world.pass(day(12)).await;
    let before = reminders(&world).await;
    std::fs::copy(&backup, world.database()).unwrap();
    world.pass(day(13)).await;
    assert_eq!(reminders(&world).await, before);
    world.pass(day(15)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

/// Steps and Message-IDs of the reminders.
async fn reminders(world: &World) -> Vec<(Option<String>, String)> {
    let store = world.store().await;
    let rows = store.deliveries(&[], None).await.unwrap();
    store.close().await;
    rows.into_iter()
        .filter(|row| row.event == "window.reminder")
        .map(|row| (row.step, row.message_id))
        .collect()
}

#[tokio::test]
async fn a_clock_that_went_back_says_nothing_and_flags_nobody() {
    let mut world = opened("ana").await;
    world.daily(2..=5).await;
    let report = world.pass(day(3)).await;
    assert_eq!(report.as_of, day(5));
    // By the time of that pass exports of today are two days old, which holds too.
    assert!(world.held().contains(&"clock"), "{:?}", world.held());
    assert!(world.post().await.keys().all(|name| name == "operators"));
    world.pass(day(8)).await;
    assert_eq!(world.held(), [""; 0]);
    world.mailbox("ana").await.expect_one("window.reminder -7d");
}

#[tokio::test]
async fn a_sign_in_of_somebody_not_yet_in_the_users_export_counts_later() {
    let mut world = world_of(&["ana"]);
    world.who("ana").created_at = day(2);
    world.who("ana").exists = false;
    world.pass(day(0)).await;
    world.sign_in("ana", hour(2, 1));
    world.pass(hour(2, 2)).await;
    world.who("ana").exists = true;
    world.pass(day(3)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(16, 1)));
    world.mailbox("ana").await.expect_one("window.opened");
}

#[tokio::test]
async fn who_comes_into_an_included_group_counts_from_then_on_and_who_leaves_is_paused() {
    let mut world = world_of(&["ana", "ben"]);
    world.change("{ all_users = true }", "{ groups = [\"Pilot\"] }");
    world.add_to("Pilot", "ben");
    world.pass(day(0)).await;
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::OutOfScope, State::WaitingFirstSignIn]
    );
    // Before the pass that first saw ana in the group.
    world.sign_in("ana", before(1));
    world.sign_in("ben", before(1));
    world.add_to("Pilot", "ana");
    world.pass(day(1)).await;
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::WaitingFirstSignIn, State::InGrace]
    );
    world.sign_in("ana", before(2));
    world.groups.get_mut("Pilot").unwrap().remove("ben");
    world.pass(day(2)).await;
    assert_eq!(
        world.states(&["ana", "ben"]).await,
        [State::InGrace, State::OutOfScope]
    );
    let ben = world.decision("ben").await;
    assert_eq!(
        (ben.deadline, ben.remaining),
        (None, Some(hours(12 * 24 + 23)))
    );
    world.add_to("Pilot", "ben");
    world.pass(day(5)).await;
    assert_eq!(world.deadline("ben").await, Some(hour(17, 23)));
    assert_eq!(
        world.mailbox("ben").await.events(),
        ["window.opened", "window.resumed"]
    );
}

#[tokio::test]
async fn the_clock_is_believed_when_an_operator_says_so() {
    let mut world = opened("ana").await;
    world.daily(2..=5).await;
    world.pass(day(3)).await;
    world.approve("clock", hour(3, 1)).await;
    let report = world.pass(hour(3, 2)).await;
    assert_eq!((report.as_of, world.held()), (hour(3, 2), vec![]));
}

/// A host that was ahead is set right, and an operator says so.
async fn set_right(world: &mut World, number: i64) {
    world.pass(hour(number, 1)).await;
    assert!(world.held().contains(&"clock"), "{:?}", world.held());
    world.approve("clock", hour(number, 1)).await;
    world.pass(hour(number, 2)).await;
    assert_eq!(world.held(), [""; 0]);
}

#[tokio::test]
async fn days_that_never_were_raise_no_flag_and_skip_no_step() {
    let mut world = opened("ana").await;
    // What is exported on that host bears its time.
    world.pass(day(30)).await;
    set_right(&mut world, 2).await;
    assert_eq!(world.state("ana").await, State::InGrace);
    world.post().await;
    world.daily(3..=14).await;
    assert_eq!(world.state("ana").await, State::DueSoon);
    world.pass(day(15)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    assert_eq!(
        world.mailbox("ana").await.events(),
        [
            "window.reminder -7d",
            "window.reminder -3d",
            "window.reminder -1d",
            "enforcement.needed"
        ]
    );
}

#[tokio::test]
async fn a_policy_that_began_in_days_that_never_were_begins_now() {
    let mut world = world_of(&["ana"]);
    world.pass(day(30)).await;
    set_right(&mut world, 1).await;
    world.sign_in("ana", hour(1, 3));
    world.pass(day(2)).await;
    assert_eq!(world.state("ana").await, State::InGrace);
}

#[tokio::test]
async fn a_loss_nobody_explains_needs_two_reports_a_day_apart() {
    let mut world = world_of(&["ana"]);
    world.registers("ana");
    world.pass(day(0)).await;
    world.who("ana").registered = Some(false);
    world.pass(day(1)).await;
    assert_eq!(world.state("ana").await, State::Registered);
    world.pass(hour(1, 23)).await;
    assert_eq!(world.state("ana").await, State::Registered);
    world.pass(day(2)).await;
    assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
    // Sign-ins count from the pass that confirmed it.
    world.sign_in("ana", before(2));
    world.pass(hour(2, 1)).await;
    assert_eq!(world.state("ana").await, State::WaitingFirstSignIn);
}

#[tokio::test]
async fn who_leaves_an_exclusion_is_not_flagged_at_once() {
    let mut world = opened("ana").await;
    world.daily(2..=3).await;
    world.exclude("ana");
    world.daily(4..=20).await;
    world.groups.get_mut("Emergency").unwrap().remove("ana");
    world.pass(day(21)).await;
    // What was left when day 4 saw the exclusion: ten days and 23 hours.
    assert_eq!(world.deadline("ana").await, Some(hour(31, 23)));
    assert_eq!(world.mailbox("ana").await.events(), ["window.resumed"]);
}

#[tokio::test]
async fn who_may_be_named_by_upn_in_the_configuration() {
    let mut world = world_of(&["ana", "ben"]);
    world.change(
        "exclude = { groups = [\"Emergency\"] }",
        "exclude = { users = [\"Ana@Contoso.example\"], groups = [\"Emergency\"] }",
    );
    world.pass(day(0)).await;
    assert_eq!(world.state("ana").await, State::Exempt);
    // A rename: the account that the name meant stays exempt, and the policy is held.
    world.who("ana").upn = "ana.b@contoso.example".to_owned();
    world.pass(day(1)).await;
    assert_eq!(world.state("ana").await, State::Exempt);
    assert_eq!(world.held(), ["assignment:everyone"]);
}

#[tokio::test]
async fn an_included_group_that_is_gone_lets_nobody_leave() {
    let mut world = world_of(&["ana"]);
    world.change("{ all_users = true }", "{ groups = [\"Pilot\"] }");
    world.add_to("Pilot", "ana");
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    world.groups.remove("Pilot");
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    assert_eq!(world.held(), ["assignment:everyone"]);
    assert_eq!(world.state("ana").await, State::OverdueChecking);
}

#[tokio::test]
async fn a_restored_person_goes_on_with_the_remainder() {
    let mut world = opened("ana").await;
    world.who("ana").exists = false;
    world.daily(2..=4).await;
    world.who("ana").exists = true;
    world.pass(day(5)).await;
    assert_eq!(world.deadline("ana").await, Some(hour(17, 23)));
    world.mailbox("ana").await.expect_one("window.resumed");
}

#[tokio::test]
async fn a_renamed_person_is_the_same_and_a_recreated_one_is_not() {
    let mut world = opened("ana").await;
    world.who("ana").upn = "ana.b@contoso.example".to_owned();
    world.who("ana").mail = Some("ana.b@contoso.example".to_owned());
    world.daily(2..=8).await;
    let mailbox = world.mailbox("ana").await;
    let mail = mailbox.expect_one("window.reminder -7d");
    assert_eq!(mail.to, "ana.b@contoso.example");
    world.who("ana").exists = false;
    world.join("new").upn = "ana.b@contoso.example".to_owned();
    world.pass(day(9)).await;
    assert_eq!(
        world.states(&["ana", "new"]).await,
        [State::Gone, State::WaitingFirstSignIn]
    );
}

#[tokio::test]
async fn strict_flags_at_the_deadline_without_notice() {
    let mut world = world_of(&["ana"]);
    world.change("window = \"14d\"", "window = \"14d\"\nstrict = true");
    world.pass(day(0)).await;
    world.sign_in("ana", hour(1, 1));
    world.daily(1..=1).await;
    world.pass(day(16)).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
    assert_eq!(world.deadline("ana").await, Some(hour(15, 1)));
}

#[tokio::test]
async fn a_channel_that_is_down_holds_flags_until_it_works() {
    let mut world = world_of(&["ana"]);
    world.pass(day(0)).await;
    // A file where the folder of mails should be.
    let outbox = world.folder().join("outbox");
    std::fs::remove_dir_all(&outbox).ok();
    std::fs::write(&outbox, "").unwrap();
    world.sign_in("ana", before(1));
    world.daily(1..=17).await;
    assert_eq!(world.held(), ["channel"]);
    assert_ne!(world.state("ana").await, State::EnforcementNeeded);
    std::fs::remove_file(&outbox).unwrap();
    world.pass(day(18)).await;
    assert_eq!(world.held(), [""; 0]);
    let mailbox = world.mailbox("ana").await;
    assert_eq!(mailbox.mails.len(), 1, "{:?}", mailbox.events());
    assert_eq!(world.deadline("ana").await, Some(day(21)));
    world.daily(19..=21).await;
    assert_eq!(world.state("ana").await, State::EnforcementNeeded);
}

#[tokio::test]
async fn an_exclusion_that_lost_most_of_its_members_keeps_them() {
    let mut world = world_of(&["ana"]);
    let guarded = world.crowd("guarded", 40);
    for name in &guarded {
        world.exclude(name);
    }
    world.pass(day(0)).await;
    world.sign_in("ana", before(1));
    world.daily(1..=14).await;
    for name in &guarded[..30] {
        world.groups.get_mut("Emergency").unwrap().remove(name);
    }
    let report = world.pass(day(15)).await;
    assert_eq!(report.flagged, 0);
    let hold = EXCLUSION.replace("exclusion", "snapshot");
    assert_eq!(world.held(), [hold.as_str()]);
    assert_eq!(count(&world, &guarded, State::Exempt).await, 40);
    world.approve(&hold, hour(15, 1)).await;
    let report = world.pass(hour(15, 2)).await;
    assert_eq!((report.flagged, world.held()), (1, vec![]));
    assert_eq!(count(&world, &guarded, State::Exempt).await, 10);
}

#[tokio::test]
async fn flags_that_are_only_rehearsed_are_no_mass() {
    let mut world = world_of(&[]);
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    let names = world.crowd("person", 20);
    world.pass(day(0)).await;
    for name in &names {
        world.sign_in(name, before(1));
    }
    world.daily(1..=15).await;
    assert_eq!(world.held(), [""; 0]);
    assert_eq!(count(&world, &names, State::EnforcementNeeded).await, 20);
    assert!(world.post().await.is_empty());
}

#[tokio::test]
async fn from_on_to_report_only_flags_go_which_is_told_and_nothing_more() {
    let mut world = flagged("ana").await;
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    let report = world.pass(day(16)).await;
    assert_eq!(report.released, 1);
    world
        .mailbox("ana")
        .await
        .expect_one("enforcement.released");
    world.daily(17..=20).await;
    assert!(world.post().await.is_empty());
}

#[tokio::test]
async fn earlier_evidence_moves_an_announced_window_only_back_in_history() {
    let mut world = world_of(&["ana"]);
    world.pass(day(0)).await;
    world.sign_in("ana", before(3));
    world.pass(day(3)).await;
    world.sign_in("ana", before(1));
    world.pass(day(4)).await;
    let ana = world.decision("ana").await;
    assert_eq!(ana.deadline, Some(hour(16, 23)));
    assert_eq!(ana.standing.window.run().unwrap().opened_at, before(1));
    world.mailbox("ana").await.expect_one("window.opened");
}

#[tokio::test]
async fn a_configuration_changed_on_the_day_of_the_flag_flags_once() {
    let mut world = opened("ana").await;
    world.daily(2..=14).await;
    world.mailbox("ana").await;
    world.change("window = \"14d\"", "window = \"7d\"");
    let report = world.pass(day(15)).await;
    assert_eq!((report.flagged, report.deliveries.queued), (1, 1));
    world.mailbox("ana").await.expect_one("enforcement.needed");
}
