//! What operators order, from outside: acts on windows, approvals of holds, who is written down as
//! the one who did it, and the log that tells of all that happened.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::Stdio;

use fortnight::config::Config;
use fortnight::desk::{Reader, approvals};
use fortnight::store::acts::Actor;
use fortnight::store::approvals::Shown;
use jiff::SignedDuration;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use serde_json::{Value, json};

use crate::cli::{begun, command, cycle, json, run};
use crate::support::world::{World, day, hour};

/// What an act says that nobody refuses.
fn said(world: &World, arguments: &[&str]) -> String {
    let ran = run(world, &[arguments, &["--reason", "asked for"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    ran.out
}

/// What is said of an act that is refused as wrong.
fn refused(world: &World, arguments: &[&str]) -> String {
    let ran = run(world, &[arguments, &["--reason", "asked for"]].concat());
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    ran.err
}

fn log(world: &World, arguments: &[&str]) -> Vec<Value> {
    let all = [&["log", "--format", "json"], arguments].concat();
    json(&run(world, &all)).as_array().unwrap().clone()
}

/// Twenty people whose deadline has passed, all held as a mass; one of them may be cut off.
fn held(cut: &str) -> World {
    let mut world = World::of(&[]);
    let crowd = world.crowd("person", 20);
    if !cut.is_empty() {
        // Whoever cannot be told is flagged all the same.
        world.who(cut).mail = None;
        world.change("enforce = \"on\"", "enforce = \"on\"\nstrict = true");
    }
    world.export(day(0));
    cycle(&world, day(0), &[]);
    for name in &crowd {
        world.sign_in(name, hour(1, -1));
    }
    for number in [1, 8, 12, 14, 16] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    world
}

#[test]
fn an_act_is_confirmed_with_name_and_deadlines_and_whether_a_mail_follows() {
    let mut world = begun(&["ana", "bo", "cleo"]);
    world.who("cleo").mail = None;
    world.registers("bo");
    world.export(day(1));
    cycle(&world, day(1), &[]);
    let all = [
        "ana@contoso.example",
        "bo@contoso.example",
        "cleo@contoso.example",
    ];
    let extend = [&["window", "extend"][..], &all, &["--days", "1"]].concat();
    insta::assert_snapshot!(said(&world, &extend), @r"
    ana <ana@contoso.example>, policy everyone
      before  in_grace, deadline Tue 2026-01-20 00:00, in 13 days
      after   in_grace, deadline Wed 2026-01-21 00:00, in 14 days
      a mail follows with the next pass: window.extended
    bo <bo@contoso.example>, policy everyone
      before  registered, no deadline
      after   registered, no deadline
      no mail follows: no window is open, so nothing changes as things stand
    cleo <cleo@contoso.example>, policy everyone
      before  in_grace, deadline Tue 2026-01-20 00:00, in 13 days
      after   in_grace, deadline Wed 2026-01-21 00:00, in 14 days
      no mail follows: there is no address
    The newest pass was a rehearsal as of Tue 2026-01-06 01:00: this act is dated so.
    Noted; the next pass applies it, within seconds where `fortnight run` runs. Times in Europe/Berlin.
    ");
    insta::assert_snapshot!(said(&world, &["window", "close", all[0]]), @r"
    ana <ana@contoso.example>, policy everyone
      before  in_grace, deadline Wed 2026-01-21 00:00, in 14 days
      after   paused, the clock is stopped with 14 days 23 hours left
      no mail follows: nobody is told of this
    The newest pass was a rehearsal as of Tue 2026-01-06 01:00: this act is dated so.
    Noted; the next pass applies it, within seconds where `fortnight run` runs. Times in Europe/Berlin.
    ");
    insta::assert_snapshot!(said(&world, &["window", "reset", all[0]]), @r"
    ana <ana@contoso.example>, policy everyone
      before  paused, the clock is stopped with 14 days 23 hours left
      after   paused, no deadline
      no mail follows: nobody is told of this
    The newest pass was a rehearsal as of Tue 2026-01-06 01:00: this act is dated so.
    Noted; the next pass applies it, within seconds where `fortnight run` runs. Times in Europe/Berlin.
    ");
    let mut quiet = begun(&["ana"]);
    quiet.change("enforce = \"on\"", "enforce = \"report-only\"");
    quiet.file();
    cycle(&quiet, day(1), &[]);
    let rehearsed = said(&quiet, &["window", "extend", all[0], "--days", "2"]);
    assert!(
        rehearsed.contains("no mail follows: the policy is report-only"),
        "{rehearsed}"
    );
}

#[test]
fn an_act_that_finds_nothing_to_act_on_says_so() {
    let world = begun(&["ana"]);
    let extend = |more: &[&str]| {
        let words = ["window", "extend", "breakglass@contoso.example"];
        said(&world, &[&words, more].concat())
    };
    for more in [&["--days", "2"][..], &["--until", "2026-03-01"]] {
        let said = extend(more);
        assert!(
            said.contains("no mail follows: no window is open, so nothing changes as things stand"),
            "{said}"
        );
    }
    let said = said(&world, &["window", "reopen", "ana@contoso.example"]);
    assert!(
        said.contains("no mail follows: no operator closed the window"),
        "{said}"
    );
}

#[test]
fn an_extension_until_a_day_moves_the_deadline_there_and_is_refused_where_it_would_move_it_in() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let extend =
        |until: &'static str| ["window", "extend", "ana@contoso.example", "--until", until];
    insta::assert_snapshot!(refused(&world, &extend("2026-01-15")), @"fortnight: --until Thu 2026-01-15 00:00 would move a deadline in, and an extension never does: ana@contoso.example has until Tue 2026-01-20 00:00 under everyone; nothing was done");
    insta::assert_snapshot!(refused(&world, &extend("2026-01-03T09:00:00Z")), @"fortnight: --until Sat 2026-01-03 10:00 is not ahead of Tue 2026-01-06 01:00: nobody could make use of it");
    let both = [&extend("2026-01-25")[..], &["--days", "2"]].concat();
    assert!(refused(&world, &both).contains("cannot be used with"));
    assert_eq!(
        log(&world, &["--event", "operator.extend"]),
        Vec::<Value>::new()
    );
    let said = said(&world, &extend("2026-01-25"));
    assert!(
        said.contains("after   in_grace, deadline Sun 2026-01-25 00:00"),
        "{said}"
    );
    assert_eq!(cycle(&world, hour(1, 5), &[]).code, 0);
    let explained = json(&run(
        &world,
        &["explain", "ana@contoso.example", "--format", "json"],
    ));
    let deadline = &explained[0]["window"]["deadline"];
    assert_eq!(deadline, "2026-01-24T23:00:00Z");
    let extended = log(&world, &["--event", "window.extended"]);
    assert_eq!(extended[0]["deadline"], *deadline);
    assert_eq!(
        extended[0]["detail"],
        "operator extended the window until 2026-01-24T23:00:00Z: asked for"
    );
}

#[test]
fn whoever_is_named_twice_is_acted_on_once_and_one_who_is_unknown_stops_all() {
    let world = begun(&["ana", "bo"]);
    cycle(&world, day(1), &[]);
    let close = |names: &[&'static str]| [&["window", "close"], names].concat();
    let strangers = ["ana@contoso.example", "eve@contoso.example", "mallory"];
    insta::assert_snapshot!(refused(&world, &close(&strangers)), @r#"fortnight: nobody is known by "eve@contoso.example", "mallory": give object ids, user principal names or mail addresses; nothing was done for the others either"#);
    assert_eq!(
        log(&world, &["--event", "operator.close"]),
        Vec::<Value>::new()
    );
    let user = world.id("ana");
    let twice = [
        "window",
        "close",
        "ana@contoso.example",
        "bo@contoso.example",
        user.as_str(),
    ];
    assert_eq!(said(&world, &twice).matches("policy everyone").count(), 2);
    let closed = log(&world, &["--event", "operator.close"]);
    let whom: Vec<&Value> = closed
        .iter()
        .map(|line| &line["user"]["user_principal_name"])
        .collect();
    assert_eq!(whom, ["ana@contoso.example", "bo@contoso.example"]);
}

#[test]
fn in_a_rehearsal_acts_go_by_its_time_and_say_so() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let close = ["window", "close", "ana@contoso.example"];
    let said_of = said(&world, &close);
    let line = "The newest pass was a rehearsal as of Tue 2026-01-06 01:00: this act is dated so.";
    assert!(said_of.contains(line), "{said_of}");
    let at = |world: &World, event: &str| log(world, &["--event", event])[0]["at"].clone();
    assert_eq!(at(&world, "operator.close"), day(1).to_string());
    // A time that is named is the operator's own, and a date is its midnight where they are.
    let named = [
        "window",
        "reopen",
        "ana@contoso.example",
        "--as-of",
        "2026-01-07",
    ];
    assert!(!said(&world, &named).contains("rehearsal"));
    assert_eq!(at(&world, "operator.reopen"), "2026-01-06T23:00:00Z");
    let ran = run(
        &world,
        &["cycle", "--as-of", "2026-01-07", "--format", "json"],
    );
    assert_eq!(json(&ran)["as_of"], "2026-01-06T23:00:00Z");
    // Where the clock told the time of the newest pass, an act is dated by the clock.
    assert_ne!(run(&world, &["cycle"]).code, 2);
    assert!(!said(&world, &close).contains("rehearsal"));
}

#[test]
fn an_approval_says_first_whom_it_covers_and_what_is_known_against_it() {
    let mut world = held("person3");
    let approve = ["enforcement", "approve", "mass", "--reason", "looked into"];
    let ran = run(&world, &[&approve[..], &["--yes"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    insta::assert_snapshot!(ran.out, @r"
    Held: mass
      20 people would be flagged in this run, of 20 in scope, since Wed 2026-01-21 01:00, now
    With an approval the next pass flags 20 people:
    user                      deadline              known against it
    person0@contoso.example   Tue 2026-01-20 00:00
    person10@contoso.example  Tue 2026-01-20 00:00
    person11@contoso.example  Tue 2026-01-20 00:00
    person12@contoso.example  Tue 2026-01-20 00:00
    person13@contoso.example  Tue 2026-01-20 00:00
    person14@contoso.example  Tue 2026-01-20 00:00
    person15@contoso.example  Tue 2026-01-20 00:00
    person16@contoso.example  Tue 2026-01-20 00:00
    person17@contoso.example  Tue 2026-01-20 00:00
    person18@contoso.example  Tue 2026-01-20 00:00
    person19@contoso.example  Tue 2026-01-20 00:00
    person1@contoso.example   Tue 2026-01-20 00:00
    person2@contoso.example   Tue 2026-01-20 00:00
    person3@contoso.example   Tue 2026-01-20 00:00  never told, unreachable
    person4@contoso.example   Tue 2026-01-20 00:00
    person5@contoso.example   Tue 2026-01-20 00:00
    person6@contoso.example   Tue 2026-01-20 00:00
    person7@contoso.example   Tue 2026-01-20 00:00
    person8@contoso.example   Tue 2026-01-20 00:00
    person9@contoso.example   Tue 2026-01-20 00:00
    Known against it: 1 never told of the deadline, 1 not to be reached.
    Approved mass as operator; the next pass uses it. Unused, it lapses Thu 2026-01-22 01:00, in 1 day. Until a pass uses it, this takes it back: fortnight enforcement approve mass --withdraw --reason TEXT
    The newest pass was a rehearsal as of Wed 2026-01-21 01:00: this act is dated so.
    ");
    let plan = run(&world, &["enforcement", "plan"]);
    let next = "Would be flagged by the next pass: 20";
    assert!(plan.out.contains(next), "{}", plan.out);
    let approved = log(&world, &["--event", "hold.approved"]);
    assert_eq!(
        [
            &approved[0]["by"],
            &approved[0]["reason"],
            &approved[0]["hold"]
        ],
        ["operator", "looked into", "mass"]
    );
    // A pass a day later still knows of it.
    world.export(day(17));
    let report = json(&cycle(&world, day(17), &["--format", "json"]));
    assert_eq!(report["flagged"], 20);
}

#[test]
fn an_approval_can_be_taken_back_until_a_pass_uses_it() {
    let mut world = held("");
    let approve = ["enforcement", "approve", "mass"];
    let withdraw = ["enforcement", "approve", "mass", "--withdraw"];
    insta::assert_snapshot!(refused(&world, &withdraw), @"fortnight: no approval of the hold mass stands: there is nothing to take back");
    said(&world, &approve);
    let taken = said(&world, &withdraw);
    assert!(
        taken.contains("The approval of mass is taken back; no pass had used it."),
        "{taken}"
    );
    world.export(hour(16, 1));
    let report = json(&cycle(&world, hour(16, 1), &["--format", "json"]));
    assert_eq!(
        (&report["flagged"], &report["holds"][0]["id"]),
        (&json!(0), &json!("mass"))
    );
    said(&world, &approve);
    world.export(hour(16, 2));
    cycle(&world, hour(16, 2), &[]);
    insta::assert_snapshot!(refused(&world, &withdraw), @"fortnight: a pass has used the approval of the hold mass of Wed 2026-01-21 02:00: 20 people were flagged by it. `fortnight enforcement plan` lists who is flagged, and `fortnight window extend` takes a flag back");
    let acts = ["hold.approved", "approval.withdrawn"];
    let told = log(&world, &["--event", acts[0], "--event", acts[1]]);
    let told: Vec<&Value> = told.iter().map(|line| &line["event"]).collect();
    assert_eq!(told, [acts[0], acts[1], acts[0]]);
}

/// A terminal, as whoever sits there has it and as programs do.
fn terminal() -> (File, OwnedFd) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let end = rustix::fs::open(&*name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (File::from(master), end)
}

/// What the program says on a terminal to whoever answers so, and how it ends.
pub(crate) fn asked(world: &World, arguments: &[&str], answer: &str) -> (i32, String) {
    let (mut terminal, end) = terminal();
    let mut command = command(world, arguments);
    command.stdin(end.try_clone().unwrap()).stdout(end);
    let mut child = command.spawn().unwrap();
    // The ends that it was given are its own.
    drop(command);
    terminal.write_all(answer.as_bytes()).unwrap();
    let mut said = Vec::new();
    // Once nobody is at the other end, reading fails.
    terminal.read_to_end(&mut said).ok();
    let code = child.wait().unwrap().code().unwrap();
    (code, String::from_utf8(said).unwrap())
}

#[test]
fn on_a_terminal_an_approval_is_asked_for() {
    let world = held("");
    let approve = ["enforcement", "approve", "mass", "--reason", "looked into"];
    for answer in ["n\n", "\n", "yess\n"] {
        let (code, said) = asked(&world, &approve, answer);
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("Approve? [y/N]"), "{said}");
        assert!(said.contains("Nothing was approved."), "{said}");
    }
    assert_eq!(
        log(&world, &["--event", "hold.approved"]),
        Vec::<Value>::new()
    );
    let (code, said) = asked(&world, &approve, "y\n");
    assert!(code == 0 && said.contains("Approved mass"), "{said}");
    let sure = [&approve[..], &["--yes"]].concat();
    let (code, said) = asked(&world, &sure, "");
    assert!(code == 0 && !said.contains("[y/N]"), "{said}");
}

/// Whoever keeps what is printed is asked all the same, where the question can be seen.
#[test]
fn an_approval_whose_output_goes_into_a_pipe_is_asked_for_on_the_terminal() {
    let world = held("");
    let approve = ["enforcement", "approve", "mass", "--reason", "looked into"];
    let (mut terminal, end) = terminal();
    let mut command = command(&world, &approve);
    command.stdin(end.try_clone().unwrap()).stderr(end);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    drop(command);
    terminal.write_all(b"n\n").unwrap();
    let ended = child.wait_with_output().unwrap();
    let mut said = Vec::new();
    terminal.read_to_end(&mut said).ok();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("Approve? [y/N]"), "{said}");
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert!(printed.contains("Nothing was approved."), "{printed}");
    assert!(!printed.contains("[y/N]"), "{printed}");
}

#[test]
fn what_is_piped_into_an_approval_is_no_answer_and_it_says_that_nobody_was_asked() {
    let world = held("");
    let approve = ["enforcement", "approve", "mass", "--reason", "looked into"];
    let mut command = command(&world, &approve);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Nobody reads it: it may be gone by then.
    child.stdin.take().unwrap().write_all(b"n\n").ok();
    let ended = child.wait_with_output().unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{said}");
    assert!(said.contains("nobody was asked"), "{said}");
    let approved = log(&world, &["--event", "hold.approved"]);
    assert_eq!(approved.len(), 1);
    assert_eq!(approved[0]["by"], "operator");
    assert_eq!(
        approved[0]["uid"],
        rustix::process::getuid().as_raw(),
        "whatever the environment says"
    );
    let quiet = run(&world, &[&approve[..], &["--yes"]].concat());
    assert_eq!((quiet.code, quiet.err.as_str()), (0, ""));
}

/// Who let a mass go stands beside its end, not only beside the approval.
#[test]
fn the_end_of_an_approved_hold_names_who_approved_it_and_why() {
    let mut world = held("");
    said(&world, &["enforcement", "approve", "mass"]);
    world.export(day(17));
    cycle(&world, day(17), &[]);
    let ended = log(&world, &["--event", "hold.cleared"]);
    assert_eq!(ended.len(), 1);
    assert_eq!(
        [&ended[0]["by"], &ended[0]["reason"]],
        ["operator", "asked for"]
    );
}

#[test]
fn an_act_that_changes_nothing_says_that_and_is_in_the_journal() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let close = ["window", "close", "ana@contoso.example"];
    assert!(said(&world, &close).contains("Noted; the next pass applies it"));
    let again = said(&world, &close);
    assert!(
        again.contains("an operator closed the window before"),
        "{again}"
    );
    assert!(
        again.contains("Nothing changes, as things stand"),
        "{again}"
    );
    assert!(!again.contains("Noted"), "{again}");
    assert_eq!(log(&world, &["--event", "operator.close"]).len(), 2);
}

#[test]
fn reasons_and_tickets_have_an_end() {
    let world = begun(&["ana"]);
    let close = ["window", "close", "ana@contoso.example", "--reason"];
    let (long, longest) = ("x".repeat(1_001), "ü".repeat(1_000));
    let ran = run(&world, &[&close[..], &[&long]].concat());
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert!(
        ran.err.contains("1001 characters are more than 1000"),
        "{}",
        ran.err
    );
    let ticket = "x".repeat(101);
    let ran = run(
        &world,
        &[&close[..], &["moved", "--ticket", &ticket]].concat(),
    );
    assert_eq!(ran.code, 2, "{}", ran.err);
    assert_eq!(run(&world, &[&close[..], &[&longest]].concat()).code, 0);
}

#[test]
fn a_log_until_before_it_begins_is_refused() {
    let world = begun(&["ana"]);
    for until in ["2026-01-04", "2026-01-05"] {
        let ran = run(&world, &["log", "--since", "2026-01-05", "--until", until]);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains("nothing lies between them"), "{}", ran.err);
    }
}

/// What real passes wrote is no place for a rehearsal of the future: whoever made one reads what
/// follows, and how to go on.
#[test]
fn a_rehearsal_ahead_of_the_clock_says_that_real_passes_wait_for_it() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now - SignedDuration::from_mins(5));
    let ahead = (now + SignedDuration::from_hours(1)).to_string();
    let rehearse = ["cycle", "--as-of", &ahead];
    let waits = "rehearse on a copy of the database";
    let first = run(&world, &[&rehearse[..], &["--dry-run"]].concat());
    assert!(!first.out.contains(waits), "{}", first.out);
    run(&world, &["cycle"]);
    let harmless = run(&world, &[&rehearse[..], &["--dry-run"]].concat());
    assert!(!harmless.out.contains(waits), "{}", harmless.out);
    assert!(!run(&world, &["status"]).out.contains("Rehearse"));
    for arguments in [&rehearse[..], &["status"]] {
        let ran = run(&world, arguments);
        let said = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(waits), "{said}");
        assert!(said.contains("enforcement approve clock"), "{said}");
    }
    let status = run(&world, &["status"]);
    assert_eq!(status.code, 3, "{}", status.out);
    let headline = "A person should look: real passes wait until ";
    assert!(status.out.starts_with(headline), "{}", status.out);
    let status = json(&run(&world, &["status", "--format", "json"]));
    assert_eq!(status["health"], "degraded");
}

/// Where messages go into a folder a rehearsal harms nobody, and nobody is asked; a server or an endpoint
/// tells people.
#[test]
fn a_rehearsal_that_would_tell_real_people_is_asked_for() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now - SignedDuration::from_mins(5));
    let ahead = (now + SignedDuration::from_hours(1)).to_string();
    let rehearse = ["cycle", "--as-of", &ahead];
    run(&world, &["cycle"]);
    let (code, said) = asked(&world, &rehearse, "");
    assert!(code != 1 && !said.contains("[y/N]"), "{said}");
    let endpoint = "\n[[webhook]]\nname = \"chat\"\nformat = \"slack\"\nurl = \"https://hooks.slack.com/services/T0/B0/x\"\nevents = [\"enforcement.needed\"]\n";
    world.configuration.push_str(endpoint);
    world.file();
    for (answer, goes_on) in [("n\n", false), ("y\n", true)] {
        let (code, said) = asked(&world, &rehearse, answer);
        assert!(said.contains("Go on? [y/N]"), "{said}");
        assert_eq!(said.contains("Nothing was done."), !goes_on, "{said}");
        assert_eq!(code == 1, !goes_on, "{said}");
    }
    let script = run(&world, &rehearse);
    assert!(script.err.contains("nobody was asked"), "{}", script.err);
    assert!(script.out.contains("Pass of"), "{}", script.out);
}

/// Under a policy that is only rehearsed no reminder goes.
#[test]
fn what_is_only_rehearsed_is_told_as_such() {
    let mut world = begun(&["ana"]);
    world.change("enforce = \"on\"", "enforce = \"report-only\"");
    world.file();
    cycle(&world, day(1), &[]);
    for arguments in [
        &["status"][..],
        &["users"],
        &["explain", "ana@contoso.example"],
    ] {
        let said = run(&world, arguments).out;
        assert!(said.contains("the reminder -7d would go"), "{said}");
    }
    for number in [8, 14, 16] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    let plan = run(&world, &["enforcement", "plan"]).out;
    assert!(!plan.contains("Flagged already"), "{plan}");
    assert!(
        plan.contains("Would be flagged if the policy were on: 1"),
        "{plan}"
    );
}

#[test]
fn the_plan_of_nobody_says_so_in_words() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let ran = run(&world, &["enforcement", "plan"]);
    assert_eq!(ran.code, 0);
    assert_eq!(ran.out, "Nobody's deadline has passed.");
}

#[test]
fn the_log_tells_what_happened_the_newest_last() {
    let mut world = begun(&["ana", "bo"]);
    cycle(&world, day(1), &[]);
    let extend = ["window", "extend", "ana@contoso.example", "--days", "1"];
    said(&world, &[&extend[..], &["--ticket", "INC-1"]].concat());
    world.registers("bo");
    world.export(day(2));
    cycle(&world, day(2), &[]);
    let ran = run(&world, &["log"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    // Whoever runs this has a number of their own.
    let uid = rustix::process::getuid().as_raw();
    let out = ran.out.replace(&format!("(uid {uid})"), "(uid N)");
    insta::assert_snapshot!(out, @r"
    time                  event            about                details
    Tue 2026-01-06 01:00  window.opened    ana@contoso.example  0d; a completed interactive sign-in at Office 365 opened the window; deadline Tue 2026-01-20 00:00
    Tue 2026-01-06 01:00  window.opened    bo@contoso.example   0d; a completed interactive sign-in at Office 365 opened the window; deadline Tue 2026-01-20 00:00
    Tue 2026-01-06 01:00  operator.extend  ana@contoso.example  operator (uid N); by 1 day; asked for; INC-1
    Tue 2026-01-06 01:00  mail.accepted    ana@contoso.example  window.opened (0d) to a***@contoso.example
    Tue 2026-01-06 01:00  mail.accepted    bo@contoso.example   window.opened (0d) to b***@contoso.example
    Wed 2026-01-07 01:00  window.extended  ana@contoso.example  operator extended the window by 1 day: asked for; deadline Wed 2026-01-21 00:00
    Wed 2026-01-07 01:00  user.registered  bo@contoso.example   the registration report says registered
    Wed 2026-01-07 01:00  mail.accepted    ana@contoso.example  window.extended to a***@contoso.example
    Wed 2026-01-07 01:00  mail.accepted    bo@contoso.example   user.registered to b***@contoso.example
    9 lines; times in Europe/Berlin
    ");
    let csv = run(
        &world,
        &["log", "--format", "csv", "--event", "operator.extend"],
    );
    let csv = csv
        .out
        .trim_end()
        .strip_suffix(&format!(",{uid}"))
        .unwrap()
        .to_owned()
        + ",N";
    insta::assert_snapshot!(csv, @r"
    at,event,policy,user,name,step,deadline,by,reason,ticket,hold,mail,address,rehearsed,detail,id,uid
    2026-01-06T00:00:00Z,operator.extend,,ana@contoso.example,ana,,,operator,asked for,INC-1,,,,false,by 1 day,0f0e0d0c-0000-4000-8000-000000000002,N
    ");
    let act = log(&world, &["--event", "operator.extend"]).remove(0);
    assert_eq!(
        act,
        json!({
            "at": day(1).to_string(),
            "event": "operator.extend",
            "policy": null,
            "user": {
                "id": world.id("ana").as_str(),
                "user_principal_name": "ana@contoso.example",
                "display_name": "ana",
            },
            "step": null,
            "deadline": null,
            "by": "operator",
            "uid": uid,
            "reason": "asked for",
            "ticket": "INC-1",
            "hold": null,
            "mail": null,
            "rehearsed": false,
            "detail": "by 1 day",
        })
    );
    let events = |arguments: &[&str]| -> Vec<String> {
        let lines = log(&world, arguments);
        let text = |line: &Value| line["event"].as_str().unwrap().to_owned();
        lines.iter().map(text).collect()
    };
    let all = events(&[]);
    assert_eq!(events(&["--limit", "3"]), all[all.len() - 3..]);
    assert_eq!(events(&["--limit", "1000"]), all);
    assert_eq!(
        events(&["--user", "bo@contoso.example"]),
        [
            "window.opened",
            "mail.accepted",
            "user.registered",
            "mail.accepted"
        ]
    );
    let of_bo = ["--user", "bo@contoso.example", "--event", "user.registered"];
    assert_eq!(events(&of_bo), ["user.registered"]);
    let before = events(&["--until", &day(2).to_string()]);
    let after = events(&["--since", &day(2).to_string()]);
    assert_eq!([before, after].concat(), all);
    assert_eq!(events(&["--since", "2026-02-01"]), Vec::<String>::new());
    let none = run(&world, &["log", "--since", "2026-02-01"]);
    assert_eq!(none.out, "Nothing of this happened.");
    let last = run(&world, &["log", "--limit", "1"]).out;
    assert!(last.contains("The last 1; there is more"), "{last}");
    // What is only rehearsed is marked, and mails to operators are there without a person.
    assert!(
        log(&world, &[])
            .iter()
            .all(|line| line["rehearsed"] == false)
    );
}

#[test]
fn a_log_of_many_pages_is_whole_and_in_order() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("p", 260);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    for name in &crowd {
        world.sign_in(name, hour(1, -1));
    }
    for number in [1, 8] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    let all = log(&world, &[]);
    // Each was asked twice, and told of it twice.
    assert_eq!(all.len(), 4 * crowd.len());
    assert!(all.is_sorted_by_key(|line| line["at"].as_str()));
    let last = log(&world, &["--limit", "700"]);
    assert_eq!(last, all[all.len() - 700..]);
    let mails = log(&world, &["--event", "mail.accepted"]);
    assert_eq!(mails.len(), 2 * crowd.len());
    assert_eq!(mails[0]["mail"]["address"], "p***@contoso.example");
}

#[test]
fn a_wrong_time_is_told_how_one_is_written_with_an_example() {
    let world = World::of(&[]);
    insta::assert_snapshot!(run(&world, &["log", "--since", "yesterday"]).err, @r"
            error: invalid value 'yesterday' for '--since <TIME>': a time is written like 2026-01-31T08:00:00+01:00 or 2026-01-31T07:00:00Z; a date alone, 2026-01-31, means its midnight in `timezone`

            For more information, try '--help'.

            Examples:
              fortnight log --user ana@contoso.com
              fortnight log --since 2026-01-31 --event enforcement.needed --event enforcement.released
              fortnight log --event operator.extend --format csv
            ");
}

/// In a rehearsal acts have dates of their own; where the clock told the newest pass, they have its.
#[test]
fn an_act_takes_no_date_of_its_own_where_the_clock_told_the_newest_pass() {
    let mut world = World::of(&["ana"]);
    let now = fortnight::time::Clock::system().now();
    world.export(now);
    assert_eq!(run(&world, &["cycle"]).code, 0);
    for act in [
        &["window", "close", "ana@contoso.example"][..],
        &["enforcement", "approve", "mass"],
    ] {
        let ran = run(
            &world,
            &[act, &["--reason", "asked", "--as-of", "2036-01-01"]].concat(),
        );
        assert_eq!(ran.code, 2, "{}", ran.out);
        assert!(ran.err.contains("--as-of is for rehearsals"), "{}", ran.err);
    }
    let ran = run(
        &world,
        &[
            "window",
            "close",
            "ana@contoso.example",
            "--reason",
            "asked",
        ],
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn an_extension_reaches_a_year_and_no_slip_of_the_keyboard_further() {
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let until = |until: &str| {
        run(
            &world,
            &[
                "window",
                "extend",
                "ana@contoso.example",
                "--reason",
                "asked",
                "--until",
                until,
            ],
        )
    };
    let ran = until("2206-03-01");
    assert_eq!(ran.code, 2, "{}", ran.out);
    assert!(ran.err.contains("more than 365 days ahead"), "{}", ran.err);
    assert_eq!(until("2026-12-31").code, 0);
}

#[test]
fn what_is_no_text_is_wrong_usage_and_no_crash() {
    use std::os::unix::ffi::OsStrExt as _;
    let odd = std::ffi::OsStr::from_bytes(b"\xff");
    for command in ["explain", "users", "man", "frob"] {
        let ran = std::process::Command::new(env!("CARGO_BIN_EXE_fortnight"))
            .arg(command)
            .arg(odd)
            .output()
            .unwrap();
        assert_eq!(ran.status.code(), Some(2), "{command}: {ran:?}");
    }
    let world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let ran = run(&world, &["explain", &"x".repeat(60_000)]);
    assert_eq!(ran.code, 2, "{}", ran.err);
}

/// Whoever reads whom an approval covers approves those, and nobody whom a pass has added meanwhile.
#[tokio::test]
async fn an_approval_covers_whom_somebody_was_shown() {
    let mut world = World::of(&[]);
    let crowd = world.crowd("person", 30);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    let (early, late) = crowd.split_at(15);
    for number in [1, 3, 8, 12, 14, 16] {
        let signing_in = match number {
            1 => early,
            3 => late,
            _ => &[],
        };
        for name in signing_in {
            world.sign_in(name, hour(number, -1));
        }
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    let config = world.config();
    let first = covered(&config).await;
    assert_eq!(first.people.len(), 15);
    for number in [17, 18] {
        world.export(day(number));
        cycle(&world, day(number), &[]);
    }
    assert!(!is_approved(&world, &first.shown).await);
    let second = covered(&config).await;
    assert_eq!(second.shown.hold.approved_at, None, "nothing was approved");
    assert_eq!(second.people.len(), 30);
    // A pass that finds the same does not come between.
    cycle(&world, hour(18, 1), &[]);
    assert!(is_approved(&world, &second.shown).await);
}

/// Whether a hold could be approved as it was shown.
async fn is_approved(world: &World, shown: &Shown) -> bool {
    let store = world.store().await;
    let by = Actor {
        name: "ana".to_owned(),
        uid: None,
    };
    let until = approvals::approve(&store, shown, &by, "as shown", hour(18, 1)).await;
    store.close().await;
    until.unwrap().is_some()
}

async fn covered(config: &Config) -> approvals::Covered {
    let reader = Reader::open(config).await.unwrap();
    let hold = approvals::approvable(&reader.store, "mass").await.unwrap();
    let covered = approvals::covered(&reader, hold).await.unwrap();
    reader.store.close().await;
    covered
}
