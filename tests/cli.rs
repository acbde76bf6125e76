//! The program from outside: exit codes, the JSON that other programs read, and what it says to
//! people who made a mistake.

#![expect(
    clippy::too_many_lines,
    reason = "what is said stands beside what was asked"
)]

use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use fortnight::store::lock::PassLock;
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::support::endpoint::{Endpoints, Reply, SECRET};
use crate::support::program::Anybodys;
use crate::support::world::{World, day, hour};

/// The program, with the world's configuration.
pub(crate) fn command(world: &World, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    command
        .current_dir(world.folder())
        .env_clear()
        .env("USER", "operator")
        .env("TMPDIR", world.folder())
        .arg("--quiet")
        .arg("--config")
        .arg(world.file())
        .args(arguments);
    command
}

/// What the program did.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn run(world: &World, arguments: &[&str]) -> Ran {
    ran(world, command(world, arguments).output().unwrap())
}

fn ran(world: &World, output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: anonymous(world, &output.stdout),
        err: anonymous(world, &output.stderr),
    }
}

/// The text without what is of this very run.
fn anonymous(world: &World, text: &[u8]) -> String {
    let folder = world.folder().canonicalize().unwrap();
    let text = String::from_utf8(text.to_vec())
        .unwrap()
        .replace(&folder.display().to_string(), "FOLDER")
        .replace(&world.folder().display().to_string(), "FOLDER")
        .replace(&format!("process {}", std::process::id()), "process PID");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    // The length of the folder decides where lines are broken.
    crate::support::without_next_pass(&lines.join("\n").replace("\n  │ ", " "))
}

pub(crate) fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.out).unwrap_or_else(|_| panic!("{}{}", ran.out, ran.err))
}

/// A pass at that time, by the program itself.
pub(crate) fn cycle(world: &World, at: jiff::Timestamp, more: &[&str]) -> Ran {
    let at = at.to_string();
    let mut arguments = vec!["cycle", "--as-of", &at];
    arguments.extend(more);
    run(world, &arguments)
}

/// Keys and kinds of a JSON value, without its values.
fn shape(value: &Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| (key.clone(), shape(value)))
            .collect(),
        Value::Array(items) => items.iter().take(1).map(shape).collect(),
        Value::String(_) => json!("text"),
        Value::Number(_) => json!("number"),
        Value::Bool(_) => json!("bool"),
        Value::Null => Value::Null,
    }
}

/// A world whose first pass has run, and whose exports are those of day 1.
pub(crate) fn begun(names: &[&str]) -> World {
    let mut world = World::of(names);
    world.export(day(0));
    assert_eq!(cycle(&world, day(0), &[]).code, 0);
    for name in names {
        world.sign_in(name, hour(1, -1));
    }
    world.export(day(1));
    world
}

#[test]
fn a_pass_prints_what_the_contract_says() {
    let world = begun(&["ana"]);
    let ran = cycle(&world, day(1), &["--format", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let mut report = json(&ran);
    assert!(report["duration_ms"].is_u64());
    report["duration_ms"] = json!(0);
    assert_eq!(
        report,
        json!({
            "as_of": day(1).to_string(),
            "duration_ms": 0,
            "read": { "users": 2, "groups": 1, "registrations": 2, "sign_ins": 1, "audits": 0, "quarantined": 0 },
            "windows": { "opened": 1, "closed": 0, "paused": 0, "resumed": 0 },
            "flagged": 0,
            "released": 0,
            "deliveries": { "queued": 1, "sent": 1, "failed": 0, "ambiguous": 0, "waiting": 0, "waits_until": null },
            "holds": [],
            "errors": [],
        })
    );
}

#[test]
fn a_held_pass_ends_with_3_and_says_by_what() {
    let world = begun(&["ana"]);
    let ran = cycle(&world, day(9), &["--format", "json"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        json(&ran)["holds"][0],
        json!({
            "id": "stale:registration",
            "kind": "stale",
            "policy": null,
            "since": day(9).to_string(),
            "text": format!("the newest reading of the registration report is of {}, older than 36 h", day(1)),
            "released_by": "data",
            "approved_at": null,
        })
    );
    let status = run(&world, &["status"]);
    assert_eq!(status.code, 3);
    insta::assert_snapshot!(status.out, @r#"
    A person should look: 3 holds
    Last pass  Wed 2026-01-14 01:00, now; a rehearsal: its time was given, and all is told by it
    Running    no `fortnight run` at present
    Next due   Sat 2026-01-17 00:00, in 2 days: ana@contoso.example (everyone), the reminder -3d

    everyone  on; 0 of 1 registered, 0 %
            1  exempt                 the policy excludes them
            1  in_grace               the window is open

    data          rows  as of                 from now
    groups           1  Tue 2026-01-06 01:00  8 days ago
    registration     2  Tue 2026-01-06 01:00  8 days ago
    sign_ins         1  Tue 2026-01-06 01:00  8 days ago
    users            2  Tue 2026-01-06 01:00  8 days ago
    registration: too old to flag anybody
    sign_ins: too old to flag anybody
    users: too old to flag anybody

    Deliveries  2 sent

    Held  stale:registration, since Wed 2026-01-14 01:00, now
          the newest reading of the registration report is of Tue 2026-01-06 01:00, older than 36 h
          A newer reading ends it; "fortnight doctor" says whether one can be had.

    Held  stale:sign_ins, since Wed 2026-01-14 01:00, now
          the newest reading of sign-ins is of Tue 2026-01-06 01:00, older than 24 h
          A newer reading ends it; "fortnight doctor" says whether one can be had.

    Held  stale:users, since Wed 2026-01-14 01:00, now
          the newest reading of people is of Tue 2026-01-06 01:00, older than 24 h
          A newer reading ends it; "fortnight doctor" says whether one can be had.

    Times are in Europe/Berlin.
    "#);
}

#[test]
fn a_hold_is_said_with_what_ends_it() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("person", 20);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    for name in &crowd {
        world.sign_in(name, hour(1, -1));
    }
    for number in [1, 8, 12, 14, 16] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    let held = |world: &World| {
        let status = run(world, &["status"]).out;
        let held = status.lines().skip_while(|line| !line.starts_with("Held"));
        held.collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(held(&world), @r#"
    Held  mass, since Wed 2026-01-21 01:00, now
          20 people would be flagged in this run, of 20 in scope
          "fortnight enforcement plan" lists the people; to flag them: fortnight enforcement approve mass --reason TEXT

    Times are in Europe/Berlin.
    "#);
    // For a spreadsheet the header comes first, whatever is held.
    let plan = run(&world, &["enforcement", "plan", "--format", "csv"]);
    assert_eq!(plan.code, 3);
    assert_eq!(
        plan.out.lines().next(),
        Some("policy,user,state,deadline,why,id,would_flag,waits,reasons")
    );
    assert_eq!(plan.out.lines().count(), 21);
    world.change("[\"Emergency\"]", "[\"Emergency\", \"Sales\"]");
    cycle(&world, hour(16, 2), &[]);
    insta::assert_snapshot!(held(&world), @r#"
    Held  assignment:everyone, since Wed 2026-01-21 03:00, now
          exclude.groups names "Sales", which matches nothing
          Mend the name in the configuration; "fortnight check" shows the line.

    Note  everyone: exclude.groups names "Sales", which matches nothing

    Times are in Europe/Berlin.
    "#);
    let mut mails: Vec<String> = std::fs::read_dir(world.folder().join("outbox"))
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap())
        .filter(|mail| mail.contains("please look"))
        .collect();
    mails.sort();
    let subjects: Vec<&str> = mails
        .iter()
        .filter_map(|mail| mail.lines().find(|line| line.starts_with("Subject")))
        .collect();
    insta::assert_snapshot!(subjects.join("\n"), @r#"
    Subject: [fortnight: Contoso] 20 people would be flagged: please look
    Subject: [fortnight: Contoso] "Sales" in the configuration means nothing:
    "#);
}

#[test]
fn users_are_printed_as_the_contract_says() {
    let world = begun(&["ana", "ben"]);
    cycle(&world, day(1), &[]);
    let ran = run(&world, &["users", "--search", "ana@", "--format", "json"]);
    assert_eq!(ran.code, 0);
    assert_eq!(
        json(&ran),
        json!([{
            "id": world.accounts["ana"].id,
            "user_principal_name": "ana@contoso.example",
            "display_name": "ana",
            "mail": "ana@contoso.example",
            "policy": "everyone",
            "state": "in_grace",
            "registered": false,
            "window": {
                "sequence": 1,
                "opened_at": hour(1, -1).to_string(),
                "deadline": hour(15, -1).to_string(),
                "remaining_seconds": 14 * 86_400 - 3_600,
                // The sign-in that opened it was completed without registering.
                "bypasses": 1,
                "may_skip": true,
            },
            "enforcement": { "state": "none", "needed_at": null, "applied_at": null, "would_need_at": null },
            "next": { "at": hour(8, -1).to_string(), "action": "reminder", "step": "-7d" },
        }])
    );
    let ran = run(&world, &["users", "--state", "exempt", "--format", "json"]);
    let exempt = json(&ran);
    assert_eq!(
        exempt[0]["user_principal_name"],
        "breakglass@contoso.example"
    );
    assert_eq!(exempt[0]["window"], Value::Null);
    assert_eq!(exempt[0]["enforcement"], Value::Null);
    assert_eq!(exempt.as_array().unwrap().len(), 1);
}

#[test]
fn users_come_in_order_of_a_key_and_no_more_than_asked_for() {
    let mut world = begun(&["ana", "ben", "cleo"]);
    cycle(&world, day(1), &[]);
    world.join("dora");
    world.sign_in("dora", hour(2, -3));
    world.export(day(2));
    cycle(&world, day(2), &[]);
    let listed = |arguments: &[&str]| {
        let ran = run(&world, &[&["users", "--format", "csv"], arguments].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let names = ran
            .out
            .lines()
            .skip(1)
            .filter_map(|line| line.split(['@', ',']).nth(1));
        names.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    for (arguments, names) in [
        // Three deadlines are the same: by id. The account without one comes last.
        (&[][..], "ana ben cleo dora breakglass"),
        (&["--sort", "deadline", "--limit", "2"], "ana ben"),
        (&["--sort", "next"], "ana ben cleo dora breakglass"),
        (&["--sort", "user", "--limit", "3"], "ana ben breakglass"),
        (&["--sort", "id"], "breakglass ana ben cleo dora"),
        (&["--sort", "id", "--search", "AN", "--limit", "1"], "ana"),
        (
            &["--state", "in_grace", "--limit", "9", "--sort", "user"],
            "ana ben cleo dora",
        ),
        (&["--limit", "0"], ""),
    ] {
        assert_eq!(listed(arguments), names, "{arguments:?}");
    }
    let ran = run(&world, &["users", "--sort", "mood"]);
    assert_eq!(ran.code, 2);
}

/// As a database of an earlier version is after it was migrated.
#[tokio::test]
async fn after_an_update_the_next_pass_writes_the_lists() {
    let world = begun(&["ana", "ben"]);
    cycle(&world, day(1), &[]);
    let status = json(&run(&world, &["status", "--format", "json"]));
    let users = run(&world, &["users", "--format", "json"]).out;
    let url = format!("sqlite:{}", world.database().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    for statement in [
        "DELETE FROM standings WHERE memory IS NULL",
        "UPDATE standings SET registered = FALSE, in_scope = FALSE, window_opened_at = NULL, window_deadline = NULL,
             window_notice = NULL, window_left = NULL, bypasses = 0, may_skip = FALSE, enforcement = NULL, enforced_at = NULL, next_action = NULL",
        "DELETE FROM counts",
        "INSERT INTO counts (policy, state, people) SELECT policy, state, COUNT(*) FROM standings GROUP BY policy, state",
        "INSERT INTO meta (key, value) VALUES ('sweep', ''), ('unlisted', '')",
    ] {
        sqlx::query(statement).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
    let ran = run(&world, &["users"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: the database is of an earlier version, and the next pass writes anew who is where: ask again after it");
    let between = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(between["states"], json!({}));
    cycle(&world, day(1), &[]);
    assert_eq!(run(&world, &["users", "--format", "json"]).out, users);
    let again = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(again["states"], status["states"]);
}

#[test]
fn deliveries_are_printed_as_the_contract_says() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let ran = run(&world, &["deliveries", "list", "--format", "json"]);
    let rows = json(&ran);
    assert_eq!(rows[0]["channel"], "email");
    assert_eq!(rows[0]["event"], "window.opened");
    assert_eq!(rows[0]["step"], "0d");
    assert_eq!(rows[0]["user"], json!(world.accounts["ana"].id));
    assert_eq!(rows[0]["state"], "sent");
    for key in ["id", "attempts", "next_at", "last_code", "message_id"] {
        assert!(rows[0].get(key).is_some(), "{key}");
    }
    assert_eq!(rows.as_array().unwrap().len(), 1);
}

#[test]
fn explain_and_status_keep_their_shape() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let ran = run(
        &world,
        &["explain", "ana@contoso.example", "--format", "json"],
    );
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape(&json(&ran))).unwrap(), @r#"
    [
      {
        "as_of": "text",
        "display_name": "text",
        "ends": "text",
        "enforcement": {
          "applied_at": null,
          "needed_at": null,
          "state": "text",
          "would_need_at": null
        },
        "history": [
          {
            "at": "text",
            "deadline": "text",
            "id": "number",
            "kind": "text",
            "mail": "text",
            "policy": "text",
            "reasons": [
              {
                "at": "text",
                "code": "text",
                "text": "text"
              }
            ],
            "rehearsed": "bool",
            "sequence": "number",
            "step": "text"
          }
        ],
        "id": "text",
        "last_mail": {
          "address": "text",
          "at": "text",
          "event": "text",
          "policy": "text"
        },
        "mail": "text",
        "may_skip": "bool",
        "next": {
          "action": "text",
          "at": "text",
          "step": "text"
        },
        "policy": "text",
        "reasons": [
          {
            "at": null,
            "code": "text",
            "text": "text"
          }
        ],
        "registered": "bool",
        "state": "text",
        "user_principal_name": "text",
        "waits_for": [],
        "window": {
          "bypasses": "number",
          "deadline": "text",
          "may_skip": "bool",
          "opened_at": "text",
          "remaining_seconds": "number",
          "sequence": "number"
        }
      }
    ]
    "#);
    let ran = run(&world, &["status", "--format", "json"]);
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape(&json(&ran))).unwrap(), @r#"
    {
      "blocked": [],
      "capacity": null,
      "deliveries": {
        "sent": "number"
      },
      "health": "text",
      "holds": [],
      "last_pass": "text",
      "mail": null,
      "next": {
        "action": "text",
        "at": "text",
        "id": "text",
        "not_before": null,
        "policy": "text",
        "step": "text",
        "user_principal_name": "text"
      },
      "next_pass": "text",
      "overdue": null,
      "policies": [
        {
          "in_scope": "number",
          "mode": "text",
          "name": "text",
          "registered": "number",
          "states": {
            "exempt": "number",
            "in_grace": "number"
          }
        }
      ],
      "quarantined": [],
      "queue": {
        "empty_at": null,
        "late": "number",
        "waiting": "number"
      },
      "rehearsed": "bool",
      "repeated_losses": [],
      "running": null,
      "sources": [
        {
          "age_seconds": "number",
          "as_of": "text",
          "error": null,
          "name": "text",
          "reading": "text",
          "rows": "number",
          "stale": "bool"
        }
      ],
      "states": {
        "everyone": {
          "exempt": "number",
          "in_grace": "number"
        }
      },
      "stranded": [],
      "unreachable": [],
      "unreadable": [],
      "unresolved": [],
      "webhooks": []
    }
    "#);
}

#[tokio::test]
async fn a_daemon_that_died_is_not_well() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now);
    assert_eq!(run(&world, &["cycle"]).code, 0);
    assert_eq!(run(&world, &["status"]).code, 0);

    // Three days go by.
    let url = format!("sqlite:{}", world.database().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    for earlier in [
        "UPDATE meta SET value = value - 259200000000 WHERE key IN ('newest_pass', 'clocked_pass')",
        "UPDATE sources SET as_of = as_of - 259200000000, reading = reading - 259200000000",
    ] {
        sqlx::query(earlier).execute(&mut database).await.unwrap();
    }
    database.close().await.unwrap();
    let ran = run(&world, &["status", "--format", "json"]);
    assert_eq!(ran.code, 3);
    let status = json(&ran);
    assert_eq!(status["health"], "degraded");
    let said = "no pass for 3 days, and schedule.poll asks for more: check that `fortnight run` runs (under systemd: systemctl status fortnight), or run `fortnight cycle`";
    assert_eq!(status["overdue"], said);
    for source in status["sources"].as_array().unwrap() {
        assert!(source["age_seconds"].as_i64().unwrap() >= 259_200);
        assert_eq!(source["stale"], source["name"] != "groups");
    }
    assert!(run(&world, &["status"]).out.contains(said));

    // A pass at a time that was given stands still there.
    world.export(now);
    assert_eq!(cycle(&world, now, &[]).code, 0);
    let ran = run(&world, &["status", "--format", "json"]);
    assert_eq!((ran.code, &json(&ran)["overdue"]), (0, &Value::Null));
}

#[test]
fn what_comes_next_is_never_past_and_says_what_the_flag_waits_for() {
    let mut world = begun(&["ana"]);
    for number in [1, 8, 12, 14] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    // The deadline passes, and no newer report comes.
    world.frozen.insert("registration");
    world.export(hour(15, 1));
    cycle(&world, hour(15, 1), &[]);
    let asked = |world: &World| {
        let explained = run(world, &["explain", "ana@contoso.example"]).out;
        let next = explained
            .lines()
            .find(|line| line.contains("What comes next?"));
        let listed = json(&run(
            world,
            &["users", "--search", "ana@", "--format", "json"],
        ));
        let status = json(&run(world, &["status", "--format", "json"]));
        for next in [&listed[0]["next"], &status["next"]] {
            let at: jiff::Timestamp = next["at"].as_str().unwrap().parse().unwrap();
            assert!(at > hour(15, 1), "{next}");
            assert_eq!(next["action"], "check_flag");
        }
        next.unwrap().to_owned()
    };
    insta::assert_snapshot!(asked(&world), @"  What comes next?  the flag waits for a registration report as of Tue 2026-01-20 00:00 or later; the next pass looks again, Tue 2026-01-20 02:10, in 10 minutes");
    let plan = run(&world, &["enforcement", "plan", "--format", "csv"]).out;
    let line = plan.lines().nth(1).unwrap();
    assert!(
        line.contains("waits for a registration report as of 2026-01-19T23:00:00Z or later"),
        "{line}"
    );
    // Two days later the report is too old as well.
    world.export(hour(17, 1));
    cycle(&world, hour(17, 1), &[]);
    let next = asked(&world);
    assert!(
        next.contains("or later, and for the end of the hold stale:registration; the next pass"),
        "{next}"
    );
}

#[test]
fn explain_tells_the_story() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let ran = run(&world, &["explain", "ana@contoso.example"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out, @r"
    ana <ana@contoso.example>
    0f0e0d0c-0000-4000-8000-000000000002
    Policy everyone: in_grace, as of Tue 2026-01-06 01:00, now

    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-06 01:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Tue 2026-01-20 00:00: told, and kept
      · a message naming the deadline was accepted  [Tue 2026-01-06 01:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Tue 2026-01-20 00:00, in 13 days
      The last mail?    window.opened to a***@contoso.example, Tue 2026-01-06 01:00, now
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d, Tue 2026-01-13 00:00, in 6 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)

    Times are in Europe/Berlin.
    ");
}

/// What `explain` says, from the reasons on.
fn why(world: &World, name: &str) -> String {
    let ran = run(world, &["explain", &format!("{name}@contoso.example")]);
    ran.out.lines().skip(3).collect::<Vec<_>>().join("\n")
}

#[test]
fn explain_says_no_only_to_whom_registering_is_left() {
    let mut world = begun(&["ana", "ben"]);
    world.registers("ben");
    world.export(day(1));
    cycle(&world, day(1), &[]);
    let may_skip = |name: &str| {
        let said = why(&world, name);
        let line = said.lines().find(|line| line.contains("May they skip it?"));
        line.unwrap().split("? ").nth(1).unwrap().to_owned()
    };
    assert_eq!(may_skip("ana"), "yes, where the next sign-in lets them");
    assert_eq!(may_skip("ben"), "nothing is asked of the person");
    assert_eq!(may_skip("breakglass"), "nothing is asked of the person");
    let excluded = "· excluded as a member of group \"Emergency\"; exclusion beats inclusion";
    assert!(why(&world, "breakglass").contains(excluded));
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    let waiting = why(&world, "ana");
    assert!(
        waiting.contains("yes; that sign-in opens the window"),
        "{waiting}"
    );
}

/// The table reads no more people than it names, and counts the others.
#[test]
fn status_names_twenty_who_cannot_be_reached_and_counts_all() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("person", 22);
    for name in &crowd {
        world.who(name).mail = None;
    }
    world.export(day(0));
    cycle(&world, day(0), &[]);
    for name in &crowd {
        world.sign_in(name, hour(1, -1));
    }
    world.export(day(1));
    cycle(&world, day(1), &[]);
    let status = run(&world, &["status"]).out;
    assert!(status.contains("22 people cannot be reached"), "{status}");
    assert_eq!(status.matches("(everyone) since").count(), 20, "{status}");
    assert!(
        status.contains("and 2 more: fortnight users --unreachable"),
        "{status}"
    );
    let all = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(all["unreachable"].as_array().unwrap().len(), 22);
}

#[test]
fn a_limited_list_of_deliveries_has_the_newest_and_the_newest_last() {
    let mut world = begun(&["ana", "bo", "cleo"]);
    cycle(&world, day(1), &[]);
    world.registers("cleo");
    world.export(day(2));
    cycle(&world, day(2), &[]);
    let list = |more: &[&str]| {
        let list = [&["deliveries", "list", "--format", "json"], more].concat();
        json(&run(&world, &list)).as_array().unwrap().clone()
    };
    let all = list(&[]);
    assert_eq!(all.len(), 4);
    assert_eq!(list(&["--limit", "2"]), all[2..]);
    assert_eq!(list(&["--limit", "9"]), all);
    assert_eq!(list(&["--limit", "0"]), [json!(null); 0]);
}

#[test]
fn explain_does_not_say_told_where_nobody_was() {
    let mut world = begun(&["ana"]);
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.file();
    cycle(&world, day(1), &[]);
    insta::assert_snapshot!(why(&world, "ana"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-06 01:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Tue 2026-01-20 00:00: kept as if told (report-only)
      · a message would have named the deadline  [Tue 2026-01-06 01:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Tue 2026-01-20 00:00, in 13 days
      The last mail?    none was accepted
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d would go, Tue 2026-01-13 00:00, in 6 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)  [report-only]

    Times are in Europe/Berlin.
    ");

    let mut world = World::of(&["ben"]);
    world.who("ben").mail = None;
    world.export(day(0));
    cycle(&world, day(0), &[]);
    world.sign_in("ben", hour(1, -1));
    for number in [1, 8] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    insta::assert_snapshot!(why(&world, "ben"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-13 01:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Tue 2026-01-20 00:00: not told yet
      · there is no address: not flagged before Tue 2026-01-27 00:00, seven days after the deadline  [Tue 2026-01-06 01:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Tue 2026-01-20 00:00, in 6 days
      The last mail?    none was accepted
      What ends this?   Registering. Nobody can reach the person: mend the address in the directory, or call.
      What comes next?  the reminder -3d, Sat 2026-01-17 00:00, in 3 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)  [no mail]
      Tue 2026-01-13 01:00  window.reminder (-7d)  [no mail]

    Times are in Europe/Berlin.
    ");
}

#[test]
fn explain_tells_what_operators_did() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let user = world.id("ana");
    let act = |act: &str, more: &[&str]| {
        let mut arguments = vec![
            "window",
            act,
            user.as_str(),
            "--reason",
            "asked for",
            "--as-of",
        ];
        let at = hour(1, 5).to_string();
        arguments.push(&at);
        arguments.extend(more);
        let ran = run(&world, &arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let said = act("extend", &["--days", "2", "--ticket", "T-1"]);
    insta::assert_snapshot!(said, @r"
    ana <ana@contoso.example>, policy everyone
      before  in_grace, deadline Tue 2026-01-20 00:00, in 13 days
      after   in_grace, deadline Thu 2026-01-22 00:00, in 15 days
      a mail follows with the next pass: window.extended
    Noted; the next pass applies it, within seconds where `fortnight run` runs. Times in Europe/Berlin.
    ");
    assert_eq!(cycle(&world, hour(1, 5), &[]).code, 0);
    insta::assert_snapshot!(why(&world, "ana"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-06 01:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Thu 2026-01-22 00:00: told, and kept
      · a message naming the deadline was accepted  [Tue 2026-01-06 06:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Thu 2026-01-22 00:00, in 15 days
      The last mail?    window.extended to a***@contoso.example, Tue 2026-01-06 06:00, now
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d, Thu 2026-01-15 00:00, in 8 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)
      Tue 2026-01-06 06:00  operator.extend  operator: asked for (T-1)
      Tue 2026-01-06 06:00  window.extended

    Times are in Europe/Berlin.
    ");
    act("close", &[]);
    assert_eq!(cycle(&world, hour(1, 5), &[]).code, 0);
    insta::assert_snapshot!(why(&world, "ana"), @r"
    Why
      · an operator closed the window; `window reopen` ends that
      · the registration report says not registered  [Tue 2026-01-06 01:00]
      · the clock is stopped with 15 d 18 h left

    What the help desk is asked
      May they skip it? nothing is asked of the person
      Until when?       the clock is stopped, 15 days 18 hours left
      The last mail?    window.extended to a***@contoso.example, Tue 2026-01-06 06:00, now
      What ends this?   `fortnight window reopen`.

    History
      Tue 2026-01-06 01:00  window.opened (0d)
      Tue 2026-01-06 06:00  operator.extend  operator: asked for (T-1)
      Tue 2026-01-06 06:00  window.extended
      Tue 2026-01-06 06:00  operator.close  operator: asked for
      Tue 2026-01-06 06:00  window.paused

    Times are in Europe/Berlin.
    ");
    insta::assert_snapshot!(act("extend", &["--days", "2"]), @r"
    ana <ana@contoso.example>, policy everyone
      before  paused, the clock is stopped with 15 days 18 hours left
      after   paused, the clock is stopped with 17 days 18 hours left
      no mail follows: the clock is stopped; people hear when it runs again
    Noted; the next pass applies it, within seconds where `fortnight run` runs. Times in Europe/Berlin.
    ");
}

#[test]
fn tables_leave_out_fractions_of_a_second() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    let at = hour(1, -1) + jiff::SignedDuration::from_micros(351_828);
    world.sign_in("ana", at);
    world.export(day(1));
    cycle(&world, day(1), &[]);
    let shown = |format: &str| {
        let ran = run(&world, &["users", "--search", "ana@", "--format", format]);
        ran.out.contains(&at.to_string())
    };
    assert_eq!(["table", "csv", "json"].map(shown), [false, true, true]);
}

#[test]
fn a_mail_address_of_two_people_lists_both() {
    let mut world = World::of(&["ana", "ben"]);
    world.who("ben").mail = Some("ana@contoso.example".to_owned());
    world.who("ana").upn = "a.miller@contoso.example".to_owned();
    world.export(day(0));
    cycle(&world, day(0), &[]);
    let ran = run(&world, &["explain", "ana@contoso.example"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.err, @r#"
    fortnight: "ana@contoso.example" fits 2 people; say which by object id:
      0f0e0d0c-0000-4000-8000-000000000002  a.miller@contoso.example
      0f0e0d0c-0000-4000-8000-000000000003  ben@contoso.example
    "#);
    let ran = run(&world, &["explain", "nobody@contoso.example"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.err, @r#"fortnight: nobody is known by "nobody@contoso.example": give an object id, a user principal name or a mail address"#);
    let id = world.accounts["ben"].id.clone();
    assert_eq!(run(&world, &["explain", &id]).code, 0);
    // A part of a name lists who fits.
    let ran = run(&world, &["explain", "mil"]);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.err, @r#"
    fortnight: nobody is known by just "mil": give an object id, a user principal name or a mail address. It fits:
      a.miller@contoso.example  ana
    "#);
    for nobody in ["%", "_en", "iller", "\\", ""] {
        let ran = run(&world, &["explain", nobody]);
        assert!(!ran.err.contains("It fits"), "{nobody:?}: {}", ran.err);
    }
}

/// Who needs a person is named: whom nobody can reach, with the day of the flag, and whose row cannot be read.
#[test]
fn status_and_users_name_who_needs_a_person() {
    let mut world = begun(&["ana", "ben", "cleo"]);
    world.who("ana").mail = None;
    world.export(day(1));
    cycle(&world, day(1), &[]);
    let status = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(
        status["unreachable"],
        json!([{
            "id": world.accounts["ana"].id,
            "user_principal_name": "ana@contoso.example",
            "policy": "everyone",
            "since": day(1).to_string(),
            // Fourteen days from the sign-in, and seven more.
            "flagged_from": hour(22, -1).to_string(),
        }])
    );
    assert_eq!(status["unreadable"], json!([]));
    let listed = run(&world, &["users", "--unreachable", "--format", "json"]);
    let listed = json(&listed);
    assert_eq!(listed[0]["user_principal_name"], "ana@contoso.example");
    assert_eq!(listed.as_array().unwrap().len(), 1);
    insta::assert_snapshot!(run(&world, &["users", "--blocked"]).out, @"There is nobody who cannot register.");
    let page = run(&world, &["status"]).out;
    let people = page.lines().skip_while(|line| *line != "Cannot be reached");
    insta::assert_snapshot!(people.collect::<Vec<_>>().join("\n"), @r"
    Cannot be reached
      ana@contoso.example (everyone) since Tue 2026-01-06 01:00: flagged from Tue 2026-01-27 00:00 on (in 20 days), unless a mail gets through

    Times are in Europe/Berlin.
    ");
    // The address is there: she is reached, and on no list any more.
    world.who("ana").mail = Some("ana@contoso.example".to_owned());
    world.export(day(2));
    cycle(&world, day(2), &[]);
    let status = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(status["unreachable"], json!([]));
    assert_eq!(status["policies"][0]["in_scope"], 3);
    assert_eq!(status["policies"][0]["registered"], 0);
    assert_eq!(status["policies"][0]["mode"], "on");
    assert_eq!(status["rehearsed"], true);
}

/// Every file below a folder with its content and time.
fn files(folder: &Path) -> Vec<(String, Vec<u8>, std::time::SystemTime)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let modified = path.metadata().unwrap().modified().unwrap();
        if path.is_dir() {
            found.push((path.display().to_string(), Vec::new(), modified));
            found.extend(files(&path));
        } else if !path.ends_with("fortnight.toml") {
            found.push((
                path.display().to_string(),
                std::fs::read(&path).unwrap(),
                modified,
            ));
        }
    }
    found.sort();
    found
}

#[test]
fn a_dry_run_changes_and_sends_nothing() {
    let world = begun(&["ana"]);
    let outbox = world.folder().join("outbox");
    std::fs::remove_dir_all(&outbox).unwrap();
    let before = files(world.folder());
    let ran = cycle(&world, day(1), &["--dry-run", "--format", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let report = json(&ran);
    assert_eq!(report["windows"]["opened"], 1);
    assert_eq!(report["deliveries"]["queued"], 1);
    assert_eq!(report["deliveries"]["sent"], 0);
    assert_eq!(
        report["would"],
        json!([{
            "event": "window.opened",
            "step": "0d",
            "policy": "everyone",
            "user": world.accounts["ana"].id,
            "user_principal_name": "ana@contoso.example",
            "rehearsed": false,
            "mail": true,
        }])
    );
    let after = files(world.folder());
    let names = |files: &[(String, Vec<u8>, _)]| -> Vec<String> {
        files.iter().map(|(name, ..)| name.clone()).collect()
    };
    assert_eq!(names(&before), names(&after));
    assert!(before == after, "a file changed");
    let said = cycle(&world, day(1), &["--dry-run"]).out;
    assert!(said.contains("nothing was written or sent"), "{said}");
    insta::assert_snapshot!(said.lines().last().unwrap(), @"window.opened  0d    ana@contoso.example  everyone  mail");
}

#[test]
fn a_dry_run_needs_no_database_and_makes_none() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    assert_eq!(cycle(&world, day(0), &["--dry-run"]).code, 0);
    assert!(!world.database().exists());
}

#[test]
fn time_does_not_go_back() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    for more in [&[][..], &["--dry-run"]] {
        let ran = cycle(&world, day(0), more);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.err, @"fortnight: the newest pass in the database is of 2026-01-06T00:00:00Z: --as-of cannot be earlier");
        }
    }
}

#[test]
fn a_second_process_is_told_who_runs() {
    let world = begun(&["ana"]);
    let lock = PassLock::take(&world.database(), "run", day(1)).unwrap();
    let ran = cycle(&world, day(1), &[]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.err, @"fortnight: another fortnight already runs on this database: process PID (run) since 2026-01-06T00:00:00Z. Stop it first, or leave this to it; this pass is left to it");
    // Who only reads or notes an act needs no lock.
    assert_eq!(run(&world, &["users"]).code, 0);
    let act = [
        "window",
        "extend",
        "ana@contoso.example",
        "--days",
        "2",
        "--reason",
        "asked",
    ];
    assert_eq!(run(&world, &act).code, 0);
    drop(lock);
    assert_eq!(cycle(&world, day(1), &[]).code, 0);
}

#[test]
fn acts_and_approvals_that_mean_nothing_are_wrong_usage() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    for (arguments, said) in [
        (
            &["window", "extend", "ana@contoso.example", "--reason", "x"][..],
            "needs --days N or --until TIME, for example: fortnight window extend",
        ),
        (
            &["window", "close", "ana@contoso.example", "--reason", " "],
            "--reason must say why",
        ),
        (
            &[
                "window",
                "close",
                "ana@contoso.example",
                "--reason",
                "x",
                "--days",
                "3",
            ],
            "--days and --until belong to `extend`, for example: fortnight",
        ),
        (
            &["window", "close", "eve@contoso.example", "--reason", "x"],
            "nobody is known by",
        ),
        (
            &["enforcement", "approve", "mass", "--reason", "x"],
            "nothing is held",
        ),
        (
            &["users", "--state", "late"],
            "[possible values: out_of_scope, exempt, not_eligible, disabled, gone, unknown, \
             registered, registration_reported, waiting_first_sign_in, in_grace, due_soon, \
             overdue_checking, enforcement_needed, enforced, paused]",
        ),
        (
            &["deliveries", "list", "--state", "lost"],
            "[possible values: pending, leased, sent, ambiguous, failed, superseded, expired, dead]",
        ),
        (
            &["preview", "webhook", "--message", "window.open"],
            "a similar value exists: 'window.opened'",
        ),
        (
            &["users", "--policy", "foo"],
            "there is no policy \"foo\"; the policies are everyone",
        ),
        (
            &["explain", "ana@contoso.example", "--policy", "foo"],
            "there is no policy \"foo\"",
        ),
        (&["deliveries", "retry"], "--destination NAME"),
        (
            &[
                "window",
                "extend",
                "ana@contoso.example",
                "--reason",
                "x",
                "--days",
                "-3",
            ],
            "-3 is not in 1..=365",
        ),
        (
            &["preview", "email", "--language", "fr"],
            "invalid value 'fr' for '--language <LANGUAGE>'\n  [possible values: en, de]",
        ),
        (
            &["preview", "email", "--sign-in-code", "50126"],
            "the result code 50126 (class credential_failure) changes no mail",
        ),
        (
            &["explain", "ana@contoso.example", "--format", "csv"],
            "an explanation is no table",
        ),
        (&["cycle", "--as-of", "yesterday"], "yesterday"),
        (&["cicle"], "cycle"),
    ] {
        let ran = run(&world, arguments);
        assert_eq!(ran.code, 2, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(said), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn commands_of_a_later_version_are_refused_by_name() {
    let world = World::of(&[]);
    let mut said = String::new();
    for command in [
        "simulate --config draft.toml",
        "exempt add ana --until 2026-02-01",
        "audit verify",
        "backup /tmp/copy.db",
        "restore /tmp/copy.db",
        "enforcement undo",
    ] {
        let ran = run(&world, &command.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""));
        said.push_str(&ran.err);
        said.push('\n');
    }
    insta::assert_snapshot!(said, @r#"
    fortnight: `simulate` is not in this version; instead: rehearse the draft with enforce = "report-only" on a database of its own
    fortnight: `exempt` is not in this version; instead: exclude the person in the policy
    fortnight: `audit` is not in this version; instead: `fortnight log` tells what happened
    fortnight: `backup` is not in this version; instead: copy the database together with the .lock file beside it while fortnight is stopped, or use sqlite3's .backup at any time
    fortnight: `restore` is not in this version; instead: copy the database together with the .lock file beside it while fortnight is stopped, or use sqlite3's .backup at any time
    fortnight: `undo` is not in this version; instead: `fortnight window extend` takes one flag back, a policy that is not "on" all of its own
    "#);
    let offered = run(&world, &["completions", "bash"]).out;
    assert!(!offered.contains("simulate"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut world = World::of(&[]);
    world.crowd("person", 1_000);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    for format in ["table", "json", "csv"] {
        let mut program = command(&world, &["users", "--format", format])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut first = [0; 10];
        program
            .stdout
            .take()
            .unwrap()
            .read_exact(&mut first)
            .unwrap();
        let ran = ran(&world, program.wait_with_output().unwrap());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{format}");
    }
}

#[test]
fn completions_offer_what_can_follow() {
    let world = World::of(&[]);
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&world, &["completions", shell]);
        assert_eq!(ran.code, 0);
        for offered in ["approve", "in_grace", "ambiguous", "window.opened", "csv"] {
            assert!(ran.out.contains(offered), "{shell}: {offered}");
        }
    }
}

/// Help and complaints of the parser are in colours where they were asked for, and nowhere else.
#[test]
fn colours_of_help_and_complaints_are_those_that_were_asked_for() {
    let world = World::of(&[]);
    let is_colored = |words: &[&str]| {
        let ran = run(&world, words);
        format!("{}{}", ran.out, ran.err).contains('\u{1b}')
    };
    for wrong in ["--help", "--nonsense"] {
        assert!(
            is_colored(&["status", "--color", "always", wrong]),
            "{wrong}"
        );
        assert!(!is_colored(&["status", "--color=never", wrong]), "{wrong}");
        assert!(!is_colored(&["status", wrong]), "{wrong}");
    }
}

#[test]
fn help_that_cannot_be_written_is_an_error() {
    let world = World::of(&[]);
    let full = std::fs::File::options().write(true).open("/dev/full");
    let mut help = command(&world, &["--help"]);
    let ran = ran(&world, help.stdout(full.unwrap()).output().unwrap());
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("No space left on device"), "{}", ran.err);
}

#[test]
fn an_empty_name_of_a_configuration_names_none() {
    let world = World::of(&[]);
    let check = |named: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fortnight"));
        command.current_dir(world.folder()).env_clear();
        let output = command.env("FORTNIGHT_CONFIG", named).arg("check").output();
        ran(&world, output.unwrap())
    };
    let file = world.file().display().to_string();
    assert_eq!(check(&file).code, 0);
    assert!(
        check("elsewhere.toml")
            .err
            .contains("elsewhere.toml: cannot read")
    );
    // The file of the world is the first that is looked for.
    assert_eq!(world.file(), world.folder().join("fortnight.toml"));
    assert_eq!(check("").code, 0);
}

/// Whoever looks at a mail on a terminal reads it; a program gets the message.
#[test]
fn on_a_terminal_a_mail_is_shown_as_it_is_read() {
    let world = World::of(&[]);
    let (code, said) = crate::acts::asked(&world, &["preview", "email"], "");
    assert_eq!(code, 0);
    let (headers, text) = said.split_once("\r\n\r\n").unwrap();
    let headers: Vec<&str> = headers.lines().collect();
    assert_eq!(
        headers[..2],
        [
            "From: Identity team <identity@contoso.example>",
            "To: Alex Example <alex.example@example.org>",
        ]
    );
    assert!(headers[2].starts_with("Subject: [Contoso] Set up"));
    assert!(text.starts_with("Hello Alex Example,"), "{text}");
    assert!(
        text.contains("--out FILE.eml has the whole message"),
        "{text}"
    );
    assert!(!said.contains("MIME-Version"), "{said}");
    let piped = run(&world, &["preview", "email"]).out;
    assert!(piped.contains("MIME-Version: 1.0"));
}

/// Where a person is named, files are noise; where a file is named, they are not.
#[test]
fn completions_offer_files_only_where_a_file_is_wanted() {
    let world = World::of(&[]);
    let script = |shell| run(&world, &["completions", shell]).out;
    let bash = script("bash");
    assert!(bash.contains("complete -F _fortnight -o nosort fortnight"));
    let zsh = script("zsh");
    assert!(
        zsh.contains("all of them, or nothing is done:' \\\n"),
        "{zsh}"
    );
    assert!(zsh.contains("FILE:_files' \\\n"));
    let fish = script("fish");
    assert!(fish.contains("complete -c fortnight -f\ncomplete -c fortnight -l config -r -F\n"));
    let acts = "using_subcommand window; and not __fish_seen_subcommand_from extend reset close reopen\" -f -a \"extend reset close reopen\"\n";
    assert!(fish.contains(acts));
}

#[test]
fn the_manual_is_one_page_or_a_page_for_each_command() {
    let world = World::of(&[]);
    let printed = |arguments: &[&str]| {
        let output = command(&world, arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let pages = world.folder().join("pages");
    let wrote = printed(&["man", "--folder", pages.to_str().unwrap()]);
    let count = std::fs::read_dir(&pages).unwrap().count();
    assert!(wrote.starts_with(&format!("wrote {count} pages into ")));
    let page = |name: &str| std::fs::read_to_string(pages.join(name)).unwrap();
    assert_eq!(page("fortnight.1"), printed(&["man"]));
    assert_eq!(page("fortnight-explain.1"), printed(&["man", "explain"]));
    let approve = page("fortnight-enforcement-approve.1");
    assert_eq!(approve, printed(&["man", "enforcement", "approve"]));
    assert!(approve.contains("\\fBfortnight enforcement approve\\fR \\fB\\-\\-reason\\fR"));
    for (words, said) in [
        (["enforcement", "aprove"], "the commands are plan, approve"),
        (["explain", "it"], "no command follows \"explain\""),
    ] {
        let unknown = run(&world, &["man", words[0], words[1]]);
        assert_eq!(unknown.code, 2);
        assert!(unknown.err.contains(said), "{}", unknown.err);
    }

    let unknown = run(&world, &["man", "explian"]);
    assert_eq!(unknown.code, 2);
    let said = "there is no command \"explian\"; the commands are run, cycle, ";
    assert!(unknown.err.contains(said), "{}", unknown.err);
}

/// Whom to ask is written once, and people read two languages: by the exports, and by the last snapshot.
#[test]
fn texts_in_one_language_for_people_of_two_are_noted() {
    let mut world = World::of(&["ana", "bo"]);
    world.change(
        "transport",
        "help = \"Room 12\"\nsignature = { de = \"Wir\" }\ntransport",
    );
    world.export(day(0));
    let noted = |world: &World| {
        run(world, &["check"]).out.contains("German mails carry help as written: what is no German is given by language, help = { en = \"…\", de = \"…\" }")
    };
    assert!(!noted(&world));
    let users = world.folder().join("tenant/users.json");
    let mut rows: Value = serde_json::from_slice(&std::fs::read(&users).unwrap()).unwrap();
    rows["value"][1]["preferredLanguage"] = json!("de-AT");
    std::fs::write(&users, rows.to_string()).unwrap();
    assert!(noted(&world));
    cycle(&world, day(0), &[]);
    std::fs::remove_file(users).unwrap();
    assert!(noted(&world));
    world.change(
        "help = \"Room 12\"",
        "help = { en = \"Room\", de = \"Zimmer\" }",
    );
    assert!(!noted(&world));
}

#[test]
fn pages_of_the_manual_are_written_through_no_link() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::of(&[]);
    let pages = world.folder().join("pages");
    let (kept, page) = (world.folder().join("kept"), pages.join("fortnight.1"));
    std::fs::create_dir(&pages).unwrap();
    std::fs::write(&kept, "kept").unwrap();
    std::os::unix::fs::symlink(&kept, &page).unwrap();
    assert_eq!(run(&world, &["man", "--folder", "pages"]).code, 0);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
    let written = std::fs::symlink_metadata(&page).unwrap();
    assert!(written.is_file());
    assert_eq!(written.permissions().mode() & 0o444, 0o444);
}

/// Long after the rehearsal: of the window only the minimum notice is left.
#[test]
fn check_says_what_is_left_of_windows_that_were_rehearsed() {
    let mut world = World::of(&["ana", "bo"]);
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.sign_in("ana", hour(0, 1));
    for number in [0, 1] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    let rehearsed = run(&world, &["check"]);
    assert!(!rehearsed.out.contains("another name"), "{}", rehearsed.out);
    world.change("enforce = \"report-only\"", "enforce = \"on\"");
    world.file();
    let checked = run(&world, &["check"]).out;
    let mut notes = checked.split("note: ");
    let note = notes.find(|note| note.contains("another name")).unwrap();
    insta::assert_snapshot!(note, @r"
    policy everyone was report-only until now: one person has a window that began meanwhile, and is told of what is left of it, 3 days; for a whole 14d give the policy another name, under which every window begins anew
    FOLDER/fortnight.toml: the configuration is good
    ");
}

/// `check` of a configuration with one change.
fn check(from: &str, to: &str) -> String {
    let mut world = World::of(&[]);
    world.change(from, to);
    let ran = run(&world, &["check"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
    ran.err
}

#[test]
fn an_unknown_key() {
    insta::assert_snapshot!(check("window = ", "windw = "), @r#"
    fortnight: one fault in the configuration
      × FOLDER/fortnight.toml:14:1: unknown key `policy.windw`
        ╭────
     14 │ windw = "***"
        · ─────
        ╰────
      help: did you mean `window`?
    "#);
}

#[test]
fn a_wrong_type() {
    insta::assert_snapshot!(check("window = \"14d\"", "window = 14"), @r#"
    fortnight: one fault in the configuration
      × FOLDER/fortnight.toml:14:10: `policy.window` must be a duration in quotes, like "14d", not a whole number
        ╭────
     14 │ window = 14
        ·          ──
        ╰────
      help: write window = "14d", if days are meant
    "#);
}

#[test]
fn a_bad_cron_pattern() {
    let schedule = "[schedule]\npoll = \"every 10 minutes\"\n\n[[policy]]";
    insta::assert_snapshot!(check("[[policy]]", schedule), @r#"
    fortnight: one fault in the configuration
      × FOLDER/fortnight.toml:12:8: `schedule.poll`: this is no cron pattern
        ╭────
     12 │ poll = "every 10 minutes"
        ·        ──────────────────
        ╰────
      help: six fields: second minute hour day month weekday, like "0 */10 * * * *"
    "#);
}

#[test]
fn a_secret_file_that_is_not_there() {
    let smtp = "[email.smtp]\nhost = \"smtp.contoso.example\"\nusername = \"identity\"\npassword_file = \"smtp-password\"\n[email.file]";
    insta::assert_snapshot!(check("[email.file]", smtp), @r#"
    fortnight: one fault in the configuration
      × FOLDER/fortnight.toml:26:17: cannot read the file that `email.smtp.password_file` names: No such file or directory (os error 2)
        ╭────
     26 │ password_file = "*************"
        ·                 ───────────────
        ╰────
      help: check the path, its owner and its mode; relative paths start at $CREDENTIALS_DIRECTORY, else at this
            file's folder
    "#);
}

#[test]
fn no_exclusion_at_all() {
    insta::assert_snapshot!(check("exclude = { groups = [\"Emergency\"] }\n", ""), @r"
    fortnight: one fault in the configuration
      × FOLDER/fortnight.toml:11:1: all users are included and nobody is excluded, not even an emergency account
        ╭────
     11 │ [[policy]]
        · ──────────
        ╰────
      help: exclude your emergency accounts, or say allow_empty_exclusion = true
    ");
}

#[test]
fn every_fault_is_told_at_once() {
    let text = check("window = \"14d\"", "windw = \"14d\"\nenforce_by = 3");
    assert!(
        text.contains("windw") && text.contains("enforce_by"),
        "{text}"
    );
}

#[test]
fn a_configuration_that_is_not_there() {
    let world = World::of(&[]);
    let output = Command::new(env!("CARGO_BIN_EXE_fortnight"))
        .current_dir(world.folder())
        .env_clear()
        .args(["--quiet", "--config", "absent.toml", "status"])
        .output()
        .unwrap();
    let ran = ran(&world, output);
    assert_eq!(ran.code, 2);
    insta::assert_snapshot!(ran.err, @r"
    fortnight: one fault in the configuration
      × absent.toml: cannot read the configuration: No such file or directory (os error 2)
      help: name it with --config FILE or FORTNIGHT_CONFIG; `fortnight init` writes one to begin with
    ");
}

#[test]
fn a_database_in_a_folder_that_is_not_there() {
    let mut world = World::of(&[]);
    world.change("sqlite:fortnight.db", "sqlite:absent/fortnight.db");
    world.export(day(0));
    let ran = cycle(&world, day(0), &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: cannot use FOLDER/absent/fortnight.db.lock, the lock beside the database: check that its folder exists and that this user may write there: No such file or directory (os error 2)");
}

#[test]
fn a_database_that_is_a_folder() {
    let mut world = World::of(&[]);
    world.export(day(0));
    std::fs::create_dir(world.database()).unwrap();
    let ran = cycle(&world, day(0), &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: cannot open the database FOLDER/fortnight.db: check that its folder exists and that this user may write there: error returned from database: (code: 14) unable to open database file");
}

/// The program as somebody whom the modes of files bind: root may write whatever they say, so the
/// program runs as nobody then, from a place where nobody may be.
struct Nobody(Anybodys);

impl Nobody {
    fn new() -> Self {
        Self(Anybodys::new())
    }

    fn run(&self, world: &World, arguments: &[&str]) -> Ran {
        let usual = command(world, arguments);
        let mut command = self.0.command(65_534);
        command.current_dir(world.folder()).args(usual.get_args());
        let mut ran = ran(world, command.output().unwrap());
        // Said only where root made it.
        for said in [&mut ran.out, &mut ran.err] {
            *said = said.replace(", which is user 0's", "");
        }
        ran
    }
}

fn allow(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_database_that_may_not_be_written() {
    let world = begun(&["ana"]);
    let nobody = Nobody::new();
    allow(world.folder(), 0o555);
    allow(&world.database(), 0o444);
    let user = world.id("ana");
    let extend = [
        "window",
        "extend",
        user.as_str(),
        "--days",
        "1",
        "--reason",
        "asked for",
    ];
    for arguments in [&["status"][..], &extend] {
        let ran = nobody.run(&world, arguments);
        assert_eq!(ran.code, 1);
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.err, @"fortnight: cannot open the database FOLDER/fortnight.db: it is read-only: check the owner and mode of the file and of its folder, and that the disk is mounted for writing: error returned from database: (code: 1544) attempt to write a readonly database");
        }
    }
    allow(world.folder(), 0o755);
}

#[test]
fn a_database_that_can_be_read_and_may_not_be_written() {
    let world = begun(&["ana"]);
    let nobody = Nobody::new();
    allow(world.folder(), 0o777);
    allow(&world.database(), 0o444);
    allow(&world.folder().join("fortnight.db.lock"), 0o666);
    let ran = nobody.run(&world, &["cycle", "--as-of", &day(1).to_string()]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: cannot write the database FOLDER/fortnight.db: it is read-only: check the owner and mode of the file and of its folder, and that the disk is mounted for writing: error returned from database: (code: 8) attempt to write a readonly database");
    let user = world.id("ana");
    let ran = nobody.run(&world, &["window", "close", user.as_str(), "--reason", "x"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: the database failed while recording an act: it is read-only: check the owner and mode of the file and of its folder, and that the disk is mounted for writing: error returned from database: (code: 8) attempt to write a readonly database");
    let ran = nobody.run(&world, &["doctor", "--format", "csv"]);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(ran.out.lines().nth(1).unwrap(), @r#"database,bad,"cannot write the database FOLDER/fortnight.db: it is read-only: check the owner and mode of the file and of its folder, and that the disk is mounted for writing: error returned from database: (code: 8) attempt to write a readonly database""#);
}

#[test]
fn a_folder_in_which_no_database_can_be_made() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    world.file();
    allow(world.folder(), 0o555);
    let ran = Nobody::new().run(&world, &["doctor", "--format", "csv"]);
    allow(world.folder(), 0o755);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(ran.out.lines().nth(1).unwrap(), @"database,bad,the folder of FOLDER/fortnight.db takes no files (Permission denied (os error 13)): give it to the user that runs fortnight");
}

#[test]
fn no_database_yet() {
    let world = World::of(&[]);
    let ran = run(&world, &["users"]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: there is no database at FOLDER/fortnight.db yet: `fortnight cycle` or `fortnight run` makes it");
}

#[test]
fn a_database_that_is_none() {
    let world = begun(&["ana"]);
    std::fs::write(world.database(), "not a database ".repeat(1_000)).unwrap();
    let ran = cycle(&world, day(1), &[]);
    assert_eq!(ran.code, 3);
    assert!(
        ran.err
            .contains("fortnight.db is no database any more, but"),
        "{}",
        ran.err
    );
    std::fs::remove_file(world.folder().join("fortnight.db.lock")).unwrap();
    let ran = cycle(&world, day(1), &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: the database FOLDER/fortnight.db is damaged (error returned from database: (code: 26) file is not a database): stop fortnight, keep a copy, and restore the last good backup");
}

#[test]
fn a_database_with_damaged_pages() {
    let world = begun(&["ana"]);
    let mut bytes = std::fs::read(world.database()).unwrap();
    for byte in &mut bytes[4_096..] {
        *byte = 0xa5;
    }
    std::fs::write(world.database(), bytes).unwrap();
    let ran = cycle(&world, day(1), &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: the database FOLDER/fortnight.db is damaged (error returned from database: (code: 11) database disk image is malformed): stop fortnight, keep a copy, and restore the last good backup");
}

#[tokio::test]
async fn a_database_of_a_newer_version() {
    let world = begun(&["ana"]);
    let url = format!("sqlite:{}", world.database().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    let newer = "UPDATE _sqlx_migrations SET version = 20991231000000 WHERE version = (SELECT MAX(version) FROM _sqlx_migrations)";
    sqlx::query(newer).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let ran = cycle(&world, day(1), &[]);
    assert_eq!(ran.code, 1);
    insta::assert_snapshot!(ran.err, @"fortnight: the database FOLDER/fortnight.db was written by a newer fortnight (schema 20991231000000, this program knows 20261128120000): use that version");
    assert_eq!(run(&world, &["users"]).err, ran.err);
}

#[test]
fn a_database_that_vanished() {
    let world = begun(&["ana"]);
    std::fs::remove_file(world.database()).unwrap();
    let ran = cycle(&world, day(1), &["--format", "json"]);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(ran.err, @"fortnight: the database FOLDER/fortnight.db is gone, but FOLDER/fortnight.db.lock says that it was there: restore it from a backup, or remove FOLDER/fortnight.db.lock to begin anew (every window would start again)");
    let report = json(&ran);
    assert_eq!(report["holds"][0]["id"], "database");
    assert_eq!(report["flagged"], 0);
    assert_eq!(run(&world, &["users"]).code, 3);
    assert_eq!(cycle(&world, day(1), &["--dry-run"]).code, 3);
    let doctor = run(&world, &["doctor", "--format", "csv"]);
    assert_eq!(doctor.code, 3);
    insta::assert_snapshot!(doctor.out.lines().nth(1).unwrap(), @r#"database,bad,"the database FOLDER/fortnight.db is gone, but FOLDER/fortnight.db.lock says that it was there: restore it from a backup, or remove FOLDER/fortnight.db.lock to begin anew (every window would start again)""#);
    let check = run(&world, &["check"]);
    assert_eq!(check.code, 0);
    insta::assert_snapshot!(check.out, @r"
    policy everyone  on: people are told, and flagged after the deadline; 1 person in, 1 excluded
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    note: without an audit feed a registration service that stands still for less than 7 days is not seen: who registers meanwhile can be flagged until the report shows it
    note: the database FOLDER/fortnight.db is gone, but FOLDER/fortnight.db.lock says that it was there: restore it from a backup, or remove FOLDER/fortnight.db.lock to begin anew (every window would start again)
    FOLDER/fortnight.toml: the configuration is good
    ");
    assert!(!world.database().exists());
    // The operator says that it is meant.
    std::fs::remove_file(world.folder().join("fortnight.db.lock")).unwrap();
    assert_eq!(cycle(&world, day(1), &[]).code, 0);
}

#[test]
fn an_empty_file_in_place_of_the_database_is_a_lost_one() {
    let world = begun(&["ana"]);
    std::fs::write(world.database(), "").unwrap();
    for _ in 0..2 {
        let ran = cycle(&world, day(1), &["--format", "json"]);
        assert_eq!(ran.code, 3);
        assert!(
            ran.err.contains("fortnight.db is empty, but"),
            "{}",
            ran.err
        );
        assert_eq!(json(&ran)["holds"][0]["id"], "database");
    }
    for command in [&["users"][..], &["status"], &["doctor"]] {
        assert_eq!(run(&world, command).code, 3);
    }
    assert_eq!(cycle(&world, day(1), &["--dry-run"]).code, 3);
    assert_eq!(std::fs::metadata(world.database()).unwrap().len(), 0);
}

#[test]
fn an_empty_file_without_a_mark_is_no_database_yet() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    std::fs::write(world.database(), "").unwrap();
    let ran = run(&world, &["users"]);
    assert!(ran.err.contains("there is no database at"), "{}", ran.err);
    assert_eq!(cycle(&world, day(0), &["--dry-run"]).code, 0);
    assert_eq!(cycle(&world, day(0), &[]).code, 0);
}

#[tokio::test]
async fn the_database_of_another_program_is_left_alone() {
    use sqlx::Connection as _;
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let url = format!("sqlite:{}?mode=rwc", world.database().display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let text = "CREATE TABLE things (id TEXT)";
    sqlx::query(text).execute(&mut other).await.unwrap();
    let ran = cycle(&world, day(0), &[]);
    assert_eq!(ran.code, 1);
    assert!(
        ran.err
            .contains("is another program's: name a file of its own"),
        "{}",
        ran.err
    );
    let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_master")
        .fetch_one(&mut other)
        .await
        .unwrap();
    assert_eq!(tables, 1);
}

/// The modes of what a command made or found.
fn modes(world: &World, names: &[&str]) -> Vec<String> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |name: &&str| {
        let path = world.folder().join(name);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        format!("{name} {:o}", mode & 0o777)
    };
    names.iter().map(mode).collect()
}

#[test]
fn what_it_keeps_and_writes_is_its_owners_alone_whatever_the_umask() {
    let world = begun(&["ana"]);
    let names = ["fortnight.db", "fortnight.db.lock", "outbox", "preview.eml"];
    let wanted = [
        "fortnight.db 600",
        "fortnight.db.lock 600",
        "outbox 700",
        "preview.eml 600",
    ];
    let under = |umask: &str, arguments: &[&str]| {
        let usual = command(&world, arguments);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("umask {umask}; exec \"$0\" \"$@\"")])
            .arg(usual.get_program())
            .args(usual.get_args())
            .current_dir(world.folder());
        assert!(shell.status().unwrap().success());
    };
    let at = [day(1), hour(1, 1)].map(|at| at.to_string());
    for (umask, at) in ["000", "022"].into_iter().zip(&at) {
        under(umask, &["cycle", "--as-of", at]);
        under(umask, &["preview", "email", "--out", "preview.eml"]);
        assert_eq!(modes(&world, &names), wanted, "{umask}");
        // What an earlier version left is tightened.
        for (name, mode) in names.iter().zip([0o644, 0o644, 0o755, 0o644]) {
            allow(&world.folder().join(name), mode);
        }
    }
    under("022", &["preview", "email", "--out", "preview.eml"]);
    assert_eq!(cycle(&world, hour(1, 2), &[]).code, 0);
    assert_eq!(modes(&world, &names), wanted);
    for mail in std::fs::read_dir(world.folder().join("outbox")).unwrap() {
        let name = format!("outbox/{}", mail.unwrap().file_name().display());
        assert_eq!(modes(&world, &[&name]), [format!("{name} 600")]);
    }
}

/// Somebody else on the machine knows where temporary files are made, and lays links there.
#[test]
fn a_dry_run_follows_no_link_that_was_laid_for_it() {
    let world = begun(&["ana"]);
    let before = std::fs::read(world.database()).unwrap();
    let temporary = world.folder().join("temporary");
    for process in std::process::id()..std::process::id() + 2_000 {
        let folder = temporary.join(format!("fortnight-dry-run-{process}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::os::unix::fs::symlink(world.database(), folder.join("dry-run.db")).unwrap();
    }
    let at = day(1).to_string();
    let mut command = command(&world, &["cycle", "--as-of", &at, "--dry-run"]);
    let ran = ran(&world, command.env("TMPDIR", &temporary).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(std::fs::read(world.database()).unwrap() == before);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 2_000);
}

/// The errors of a pass on exports of which one was spoiled.
fn errors(world: &World) -> String {
    let ran = cycle(world, day(0), &["--format", "json"]);
    assert_eq!(ran.code, 3, "{}{}", ran.out, ran.err);
    let report = json(&ran);
    let errors: Vec<&str> = report["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error.as_str().unwrap())
        .collect();
    errors.join("\n")
}

/// A world whose export of that name is these bytes.
fn spoiled(name: &str, bytes: &[u8]) -> World {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let base = name.split('.').next().unwrap();
    for entry in std::fs::read_dir(world.tenant()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(base)
        {
            std::fs::remove_file(path).unwrap();
        }
    }
    std::fs::write(world.tenant().join(name), bytes).unwrap();
    world
}

#[test]
fn truncated_json() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let path = world.tenant().join("users.json");
    let bytes = std::fs::read(&path).unwrap();
    let world = spoiled("users.json", &bytes[..bytes.len() - 30]);
    insta::assert_snapshot!(errors(&world), @"users: users.json, line 1: the file is cut off: the JSON that begins here has no end; copy or export it again");
}

#[test]
fn an_export_that_is_missing() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    std::fs::remove_file(world.tenant().join("registration.json")).unwrap();
    insta::assert_snapshot!(errors(&world), @"registration: FOLDER/tenant has no registration file: put registration.json (.ndjson, .csv, each also .gz) or a folder registration/ of pages there");
}

#[test]
fn a_folder_that_is_missing() {
    let world = World::of(&["ana"]);
    std::fs::remove_dir_all(world.tenant()).unwrap();
    insta::assert_snapshot!(errors(&world), @"users, registration, sign_ins, groups: cannot read FOLDER/tenant: No such file or directory (os error 2)");
}

#[test]
fn sign_ins_without_ids_of_users() {
    let csv = "Date (UTC),Request ID,User,Username,Application\n2026-01-05T08:00:00Z,r1,Ana,ana@contoso.example,Office 365\n";
    let world = spoiled("sign-ins.csv", csv.as_bytes());
    insta::assert_snapshot!(errors(&world), @"sign_ins: sign-ins.csv, line 1: it has no column `User ID`; it is an older export that does not say who signed in: download InteractiveSignIns as CSV or JSON anew");
}

/// What `doctor` says, without the clock.
fn doctor(world: &World) -> (i32, String) {
    let ran = run(world, &["doctor"]);
    let lines = ran.out.lines().filter(|line| !line.starts_with("clock"));
    (ran.code, lines.collect::<Vec<_>>().join("\n"))
}

#[test]
fn doctor_opens_every_export() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now);
    let (code, said) = doctor(&world);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("names         good       every user and group"),
        "{said}"
    );

    world.change("[\"Emergency\"]", "[\"Emergncy\"]");
    std::fs::remove_file(world.tenant().join("users.json")).unwrap();
    std::fs::write(world.tenant().join("users.csv"), "foo,bar\n1,2\n").unwrap();
    let (code, said) = doctor(&world);
    assert_eq!(code, 3);
    assert!(
        said.contains("users         bad        users.csv, line 1: "),
        "{said}"
    );
    std::fs::remove_file(world.tenant().join("users.csv")).unwrap();

    world.export(day(0));
    let (code, said) = doctor(&world);
    assert_eq!(code, 3);
    for bad in [
        "too old to flag anybody; export users anew",
        "too old to flag anybody; export registration anew",
        "exclude.groups names \"Emergncy\", which matches nothing",
    ] {
        assert!(said.contains(bad), "{said}");
    }
    world.change("path = \"tenant\"", "path = \"tenat\"");
    let (code, said) = doctor(&world);
    assert_eq!(code, 3);
    assert!(
        said.contains("name the folder of exports in directory.files.path"),
        "{said}"
    );
}

#[test]
fn a_service_that_stands_still_is_not_seen_without_an_audit_feed_and_that_is_said() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now);
    let said = "without an audit feed a registration service that stands still for less than 7 days is not seen";
    let (code, of_doctor) = doctor(&world);
    assert_eq!(code, 0);
    let of_check = run(&world, &["check"]).out;
    assert!(
        of_doctor.contains(&format!("audits        good       none: {said}")),
        "{of_doctor}"
    );
    assert!(of_check.contains(&format!("note: {said}")), "{of_check}");
    world.audit("ana", now, "User registered security info");
    world.export(now);
    let (_, of_doctor) = doctor(&world);
    let of_check = run(&world, &["check"]).out;
    assert!(!of_doctor.contains(said) && !of_check.contains(said));
}

#[test]
fn a_group_name_that_two_groups_have() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let twin = |n: u8| json!({ "id": format!("0a0a0a0a-0000-4000-8000-00000000000{n}"), "displayName": "Emergency", "members": [] });
    world.write("groups.json", vec![twin(1), twin(2)], day(0));
    let ran = cycle(&world, day(0), &[]);
    assert_eq!(ran.code, 3);
    insta::assert_snapshot!(ran.out.lines().filter(|line| line.starts_with("held")).collect::<Vec<_>>().join("\n"), @r#"held        assignment:everyone: exclude.groups names "Emergency", which matches 2 groups"#);
    let ran = run(&world, &["check"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(ran.out, @r#"
      ⚠ FOLDER/fortnight.toml:16:23: policy everyone: exclude.groups names "Emergency", which matches 2 groups
        ╭────
     16 │ exclude = { groups = ["*********"] }
        ·                       ───────────
        ╰────
      help: name the one by its object id
    policy everyone  on: people are told, and flagged after the deadline; 2 people in, 0 excluded
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    note: without an audit feed a registration service that stands still for less than 7 days is not seen: who registers meanwhile can be flagged until the report shows it
    FOLDER/fortnight.toml: the configuration is good, with one warning
    "#);
}

#[test]
fn names_that_mean_nobody_are_warnings_and_strictly_degraded() {
    let mut world = World::of(&["ana"]);
    world.export(day(0));
    let names = "{ users = [\"anna@contoso.example\", \"ana@contoso.example\"], groups = [\"Emergncy\", \"Sales\"] }";
    world.change("{ groups = [\"Emergency\"] }", names);
    // Against the files first, then against the snapshot.
    for _ in 0..2 {
        assert_eq!(run(&world, &["check", "--strict"]).code, 3);
        let ran = run(&world, &["check"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        insta::allow_duplicates! {
            insta::assert_snapshot!(ran.out, @r#"
              ⚠ FOLDER/fortnight.toml:16:22: policy everyone: exclude.users names "anna@contoso.example", which matches nothing
                ╭────
             16 │ exclude = { users = ["********************", "*******************"], groups = ["********", "*****"] }
                ·                      ──────────────────────
                ╰────
              help: did you mean "ana@contoso.example"?
              ⚠ FOLDER/fortnight.toml:16:80: policy everyone: exclude.groups names "Emergncy", which matches nothing
                ╭────
             16 │ exclude = { users = ["********************", "*******************"], groups = ["********", "*****"] }
                ·                                                                                ──────────
                ╰────
              help: did you mean "Emergency"?
              ⚠ FOLDER/fortnight.toml:16:92: policy everyone: exclude.groups names "Sales", which matches nothing
                ╭────
             16 │ exclude = { users = ["********************", "*******************"], groups = ["********", "*****"] }
                ·                                                                                            ───────
                ╰────
              help: mend the name, or remove it: under this policy nobody is flagged until then
            policy everyone  on: people are told, and flagged after the deadline; 1 person in, 1 excluded
              window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
            enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
            mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
            schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
            note: without an audit feed a registration service that stands still for less than 7 days is not seen: who registers meanwhile can be flagged until the report shows it
            FOLDER/fortnight.toml: the configuration is good, with 3 warnings
            "#);
        }
        cycle(&world, day(0), &[]);
    }
}

fn packed(write: impl FnOnce(&mut dyn std::io::Write)) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    write(&mut packer);
    packer.finish().unwrap()
}

#[test]
fn a_row_of_more_than_a_mebibyte() {
    let bomb = packed(|out| {
        out.write_all(b"{\"value\":[{\"id\":\"").unwrap();
        out.write_all(&vec![b'a'; 2 << 20]).unwrap();
        out.write_all(b"\"}]}").unwrap();
    });
    let world = spoiled("users.json.gz", &bomb);
    insta::assert_snapshot!(errors(&world), @"users: users.json.gz, line 1: a row is longer than 1 MiB; check who wrote it");
}

#[test]
fn an_export_that_unpacks_without_end() {
    let bomb = packed(|out| {
        out.write_all(b"{\"value\":[").unwrap();
        let blanks = vec![b' '; 1 << 20];
        for _ in 0..70 {
            out.write_all(&blanks).unwrap();
        }
        out.write_all(b"]}").unwrap();
    });
    let world = spoiled("users.json.gz", &bomb);
    insta::assert_snapshot!(errors(&world), @"users: users.json.gz, line 1: it unpacks to more than 200 times its size; check who wrote it; unpack it by hand if it is honest");
}

// Webhooks.

#[test]
fn a_chat_whose_address_stands_in_the_configuration() {
    let mut world = World::of(&[]);
    world.configuration += "[[webhook]]\nname = \"chat\"\nformat = \"slack\"\nurl = \"https://hooks.slack.com/services/T0/B0/x\"\n";
    let ran = run(&world, &["check"]);
    assert_eq!(ran.code, 0);
    insta::assert_snapshot!(ran.out, @r#"
      ⚠ FOLDER/fortnight.toml:28:7: a chat's address is its password, and stands here for every reader of this file
        ╭────
     28 │ url = "****************************************"
        ·       ──────────────────────────────────────────
        ╰────
      help: keep it in a file of its own, and name that in `url_file`
    policy everyone  on: people are told, and flagged after the deadline; whom it reaches, nobody can tell yet
      window         14d, at least 3d of notice, reminders 0d -7d -3d -1d
    enforcement      flag: nothing in Entra follows; mails ask, and your service desk follows up
    mail             into the folder FOLDER/outbox, from identity@contoso.example; operators operators@contoso.example
    webhook chat     slack at hooks.slack.com: all events
    schedule         At every 10 minutes (Europe/Berlin); `run` would pass next on DAY
    note: without an audit feed a registration service that stands still for less than 7 days is not seen: who registers meanwhile can be flagged until the report shows it
    note: FOLDER/tenant has no users file: put users.json (.ndjson, .csv, each also .gz) or a folder users/ of pages there
    note: FOLDER/tenant has no groups file: put groups.json (.ndjson, .csv, each also .gz) or a folder groups/ of pages there
    FOLDER/fortnight.toml: the configuration is good, with one warning
    "#);
}

/// Ana, and two endpoints beside mail.
fn with_webhooks(peer: &Endpoints) -> World {
    let mut world = World::of(&["ana"]);
    world.configuration += &(peer.standard("desk") + &peer.slack("chat"));
    crate::support::write_secret(world.folder().join("hook"), SECRET);
    world.export(day(0));
    assert_eq!(cycle(&world, day(0), &[]).code, 0);
    world.sign_in("ana", hour(0, 1));
    world.export(day(1));
    world
}

#[test]
fn a_dry_run_plans_webhooks_and_sends_none() {
    let peer = Endpoints::start(|_| Reply::Taken);
    let world = with_webhooks(&peer);
    let report = json(&cycle(&world, day(1), &["--dry-run", "--format", "json"]));
    assert_eq!(
        report["deliveries"],
        json!({ "queued": 3, "sent": 0, "failed": 0, "ambiguous": 0, "waiting": 0, "waits_until": null })
    );
    assert_eq!((peer.came("desk"), peer.came("chat")), (vec![], vec![]));
    let report = json(&cycle(&world, day(1), &["--format", "json"]));
    assert_eq!(
        report["deliveries"],
        json!({ "queued": 3, "sent": 3, "failed": 0, "ambiguous": 0, "waiting": 0, "waits_until": null })
    );
    let rows = json(&run(&world, &["deliveries", "list", "--format", "json"]));
    let channels: Vec<&str> = rows
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["channel"].as_str().unwrap())
        .collect();
    assert_eq!(channels, ["email", "desk", "chat"]);
    assert_eq!(rows[1]["message_id"], json!(peer.taken("desk")[0].id));
    assert_eq!(rows[2]["user"], Value::Null);
}

#[test]
fn a_dead_endpoint_is_in_status_until_somebody_reopens_it() {
    let peer = Endpoints::start(|knock| match knock.to {
        "desk" => Reply::Say(410),
        _ => Reply::Taken,
    });
    let world = with_webhooks(&peer);
    let ran = cycle(&world, day(1), &["--format", "json"]);
    assert_eq!(ran.code, 3);
    assert_eq!(
        json(&ran)["errors"],
        json!(["the webhook desk (dead) does not take what it is sent: 410 Gone"])
    );
    let status = run(&world, &["status", "--format", "json"]);
    assert_eq!(status.code, 3);
    assert_eq!(json(&status)["webhooks"][0]["name"], "desk");
    assert_eq!(json(&status)["webhooks"][0]["state"], "dead");
    let said = run(&world, &["status"]).out;
    let webhook = said.lines().skip_while(|line| !line.starts_with("Webhook"));
    insta::assert_snapshot!(webhook.collect::<Vec<_>>().join("\n"), @r"
    Webhook desk is dead: 410 Gone. When it is back: fortnight deliveries retry --destination desk

    Times are in Europe/Berlin.
    ");
    let doctor = run(&world, &["doctor"]);
    assert!(
        doctor.out.contains("retry --destination desk"),
        "{}",
        doctor.out
    );
    let wrong = run(&world, &["deliveries", "retry", "--destination", "dsek"]);
    assert_eq!(wrong.code, 2);
    insta::assert_snapshot!(wrong.err, @r#"
    fortnight: there is no webhook "dsek"; the webhooks are desk, chat
    "#);
    peer.follow(|_| Reply::Taken);
    let reopened = run(&world, &["deliveries", "retry", "--destination", "desk"]);
    assert_eq!(reopened.code, 0, "{}", reopened.err);
    insta::assert_snapshot!(reopened.out, @r#"
    desk: open again, 2 rows are due now
    "#);
    assert_eq!(run(&world, &["status"]).code, 0);
}

#[test]
fn what_waits_for_an_endpoint_that_was_renamed_is_in_status() {
    let peer = Endpoints::start(|_| Reply::Say(503));
    let mut world = with_webhooks(&peer);
    cycle(&world, day(1), &[]);
    assert_eq!(
        json(&run(&world, &["status", "--format", "json"]))["stranded"],
        json!([])
    );
    world.change("name = \"desk\"", "name = \"service-desk\"");
    let status = run(&world, &["status"]);
    let said = "Note  one row waits for the webhook desk, which is not configured";
    assert!(status.out.contains(said), "{}", status.out);
    let retry = run(&world, &["deliveries", "retry", "--destination", "desk"]);
    assert_eq!(retry.code, 2);
    insta::assert_snapshot!(retry.err, @r#"fortnight: there is no webhook "desk"; the webhooks are service-desk, chat"#);
}

/// A configuration with `mode = "native"`, an operator and this language.
fn native_world(language: &str) -> World {
    let mut world = World::of(&["ana"]);
    world.change(
        "transport = \"file\"\n[email.file]\npath = \"outbox\"\n",
        &format!("transport = \"file\"\nlanguage = \"{language}\"\n[email.file]\npath = \"outbox\"\n[enforcement]\nmode = \"native\"\n"),
    );
    world
}

/// Rule 7.27: whoever moves a date hears that Entra does not, and `check` says what mails rely on.
#[test]
fn under_native_acts_say_that_entra_does_not_follow() {
    let does_not_follow = "Entra does not follow";
    for (mut world, is_native) in [(native_world("en"), true), (World::of(&["ana"]), false)] {
        world.export(day(0));
        assert_eq!(cycle(&world, day(0), &[]).code, 0);
        let check = run(&world, &["check"]).out;
        let mode = if is_native {
            "enforcement      native: "
        } else {
            "enforcement      flag: "
        };
        assert!(check.contains(mode), "{check}");
        for (act, says) in [
            (&["extend", "--days", "2"][..], true),
            (&["reset"], true),
            (&["close"], true),
            (&["reopen"], false),
        ] {
            let mut arguments = vec!["window", act[0], "ana@contoso.example", "--reason", "asked"];
            arguments.extend(&act[1..]);
            let ran = run(&world, &arguments);
            assert_eq!(ran.code, 0, "{}", ran.err);
            assert_eq!(
                ran.out.contains(does_not_follow),
                says && is_native,
                "{}",
                ran.out
            );
        }
    }
}

/// What a mail that was previewed or sent says, its lines unwrapped.
fn read_mail(bytes: &str) -> (String, String) {
    let mail = mail_parser::MessageParser::new()
        .parse(bytes.as_bytes())
        .unwrap();
    let text = mail.body_text(0).unwrap().into_owned();
    (mail.subject().unwrap().to_owned(), text)
}

#[test]
fn previews_are_whole_in_their_language_and_date_what_is_past_as_past() {
    let world = native_world("de");
    let preview = |arguments: &[&str]| {
        let mut all = vec!["preview", "email"];
        all.extend(arguments);
        let ran = run(&world, &all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        read_mail(&ran.out)
    };
    for (message, german, english) in [
        (
            "hold.raised",
            "22 Personen würden markiert: bitte nachsehen",
            "22 people would be flagged: please look",
        ),
        ("hold.cleared", "Sperre beendet", "A hold is over"),
        (
            "delivery.dead",
            "Eine Person ist per E-Mail nicht erreichbar",
            "One person cannot be reached by mail",
        ),
        (
            "registration.blocked",
            "Eine Person konnte sich nicht registrieren",
            "One person could not register",
        ),
        ("digest", "erneut verloren", "lost a registration again"),
        (
            "test",
            "E-Mails an den Betrieb kommen an",
            "Mail to operators arrives",
        ),
    ] {
        let (subject, text) = preview(&["--message", message]);
        assert!(subject.contains(german), "{subject}");
        let fragments = [" the ", " of ", " and ", " is ", "placeholder"];
        assert!(
            !fragments.iter().any(|word| text.contains(word)),
            "{message}: {text}"
        );
        let (subject, text) = preview(&["--message", message, "--language", "en"]);
        assert!(subject.contains(english), "{subject}");
        assert!(
            ![" der ", " die ", " und ", " ist "]
                .iter()
                .any(|word| text.contains(word)),
            "{message}: {text}"
        );
    }
    let (_, raised) = preview(&["--message", "hold.raised"]);
    assert!(
        raised.contains("fortnight enforcement approve mass --reason TEXT"),
        "{raised}"
    );
    let (_, released) = preview(&["--message", "enforcement.released", "--language", "en"]);
    assert!(
        released.contains("there is nothing to do") && !released.contains("By when"),
        "{released}"
    );
    let (_, released) = preview(&[
        "--message",
        "enforcement.released",
        "--days-left",
        "5",
        "--language",
        "en",
    ]);
    assert!(
        released.contains("By when") && !released.contains("nothing to do"),
        "{released}"
    );
    let yesterday = || {
        let at = fortnight::time::Clock::system().now() - jiff::SignedDuration::from_hours(24);
        let at = at.in_tz("Europe/Berlin").unwrap();
        format!("{} {} {}", at.day(), at.strftime("%B"), at.year())
    };
    let before = yesterday();
    let (_, needed) = preview(&["--message", "enforcement.needed", "--language", "en"]);
    assert!(needed.contains("has ended"), "{needed}");
    assert!(
        [before, yesterday()].iter().any(|day| needed.contains(day)),
        "{needed}"
    );
    let refused = run(
        &world,
        &[
            "preview",
            "email",
            "--message",
            "enforcement.needed",
            "--days-left",
            "3",
        ],
    );
    assert_eq!(refused.code, 2, "{}", refused.out);
    let html = world.folder().join("mail.html");
    let ran = run(
        &world,
        &["preview", "email", "--out", html.to_str().unwrap()],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let html = std::fs::read_to_string(html).unwrap();
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("Guten Tag"),
        "{html}"
    );
}

#[test]
fn a_test_says_who_sent_it_from_where_to_whomever_it_goes() {
    let world = World::of(&[]);
    for (arguments, of_operators) in [
        (&["test", "email"][..], true),
        (
            &["test", "email", "--to", "operators@contoso.example"],
            true,
        ),
        (&["test", "email", "--to", "ana@contoso.example"], false),
    ] {
        let outbox = world.folder().join("outbox");
        let _ = std::fs::remove_dir_all(&outbox);
        let ran = run(&world, arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let file = std::fs::read_dir(&outbox).unwrap().next().unwrap().unwrap();
        let (subject, text) = read_mail(&std::fs::read_to_string(file.path()).unwrap());
        assert!(subject.starts_with("[TEST] "), "{subject}");
        assert_eq!(
            subject.contains("Mail to operators arrives"),
            of_operators,
            "{subject}"
        );
        assert_eq!(
            text.contains("fortnight test email"),
            of_operators,
            "{text}"
        );
        assert!(
            text.contains("sent by hand by")
                && text.to_lowercase().contains("there is nothing to do"),
            "{text}"
        );
    }
}

/// Rule 7.2: what a mail says besides its date goes by the newest sign-in, and each form can be read first.
#[test]
fn the_mails_of_whoever_cannot_put_it_off_or_is_blocked_can_be_read_before() {
    let world = World::of(&[]);
    for (code, language, said) in [
        ("50072", "en", "You cannot put it off until then"),
        ("53010", "en", "give this code all the same: 53010"),
        ("53010", "de", "bitte diesen Code: 53010"),
    ] {
        let ran = run(
            &world,
            &[
                "preview",
                "email",
                "--sign-in-code",
                code,
                "--language",
                language,
            ],
        );
        assert_eq!(ran.code, 0, "{}", ran.err);
        // The soft line breaks of quoted-printable.
        let read = ran.out.replace("=\r\n", "").replace("=\n", "");
        assert!(read.contains(said), "{code} {language}: {read}");
    }
}

#[test]
fn a_webhook_is_shown_before_it_is_sent_and_tested_for_real() {
    let peer = Endpoints::start(|_| Reply::Taken);
    let world = with_webhooks(&peer);
    let shown = json(&run(
        &world,
        &["preview", "webhook", "desk", "--message", "window.reminder"],
    ));
    assert_eq!(shown["type"], "io.fortnight.window.reminder");
    assert_eq!(shown["data"]["user"]["display_name"], "Alex Example");
    let chat = json(&run(
        &world,
        &["preview", "webhook", "chat", "--message", "hold.raised"],
    ));
    assert!(chat["text"].is_string());
    assert_eq!(run(&world, &["preview", "webhook", "pager"]).code, 2);
    assert_eq!(peer.came("desk"), []);
    let said = chat["text"].as_str().unwrap_or_default();
    assert!(!said.contains("stands for"), "{said}");
    let sent = run(&world, &["test", "webhook", "desk"]);
    assert_eq!((sent.code, sent.out.as_str()), (0, "desk: accepted (200)"));
    assert_eq!(peer.events("desk"), ["test"]);
    let text = peer.came("desk")[0].json()["data"]["text"].to_string();
    assert!(
        text.contains("only a test, sent by hand by") && text.contains("nothing to do"),
        "{text}"
    );
    assert_eq!(
        peer.came("desk")[0].json()["id"],
        json!(peer.came("desk")[0].id)
    );
    peer.follow(|_| Reply::Say(401));
    assert_eq!(run(&world, &["test", "webhook", "desk"]).code, 1);
}

#[test]
fn help_is_as_wide_as_ever_where_a_variable_says_no_columns() {
    let world = World::of(&[]);
    let help = |columns: &str| {
        let mut command = crate::support::program::command(&world, &["users", "--help"]);
        command.env("COLUMNS", columns).output().unwrap().stdout
    };
    assert_eq!(help("0"), help("100"));
}

#[test]
fn a_list_of_no_rows_is_told_to_be_what_was_asked_for() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    for list in [&["users"][..], &["log"], &["deliveries", "list"]] {
        let ran = run(&world, &[list, &["--limit", "0"]].concat());
        assert_eq!(
            ran.out.trim_end(),
            "No row was asked for: --limit 0.",
            "{list:?}"
        );
        let ran = run(
            &world,
            &[list, &["--limit", "0", "--format", "json"]].concat(),
        );
        assert_eq!((ran.code, json(&ran)), (0, json!([])), "{list:?}");
    }
}

#[test]
fn somebody_is_found_by_a_name_whose_accents_are_characters_of_their_own() {
    let mut world = World::of(&["ana"]);
    world.accounts.get_mut("ana").unwrap().display_name = "Zo\u{eb} Braun".to_owned();
    world.export(day(0));
    cycle(&world, day(0), &[]);
    let ran = run(
        &world,
        &["users", "--search", "zoe\u{308}", "--format", "json"],
    );
    assert_eq!(json(&ran).as_array().unwrap().len(), 1, "{}", ran.err);
    let ran = run(&world, &["explain", "Zoe\u{308}"]);
    assert!(ran.err.contains("It fits:\n  ana@"), "{}", ran.err);
}
