//! Whole journeys: exports in, mails and flags out, day by day, on the real engine and store.

#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;

use fortnight::domain::facts::ActKind;
use jiff::Timestamp;
use serde_json::json;
use world::{World, day, hour};

/// An hour before the pass of that day.
fn before(number: i64) -> Timestamp {
    hour(number, -1)
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
    let mut world = World::of(&names);
    world.accounts.remove("hired_on_day_five");
    world.exclude("emergency");
    for name in ["was_registered", "report_glitch", "deletes_own_method"] {
        world.registers(name);
    }
    world.who("passwordless_only").passwordless = true;
    world.who("guest").user_type = "Guest";
    world.who("guest").upn = "guest_partner.example#EXT#@contoso.example".to_owned();
    world.who("sync_account").upn = "Sync_DC01_0123456789ab@contoso.example".to_owned();
    world.who("sync_account").display_name =
        "On-Premises Directory Synchronization Service Account".to_owned();
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
