//! What an administrator reads of people and of how things stand: the plan of flags, what `explain`
//! answers, and the first line of `status`.

use serde_json::json;

use crate::cli::{begun, cycle, json, run};
use crate::support::endpoint::{Endpoints, Knock, Reply, SECRET};
use crate::support::world::{World, day, hour};

/// What a command prints from the line on that begins so.
fn from(out: &str, begin: &str) -> String {
    let lines = out.lines().skip_while(|line| !line.starts_with(begin));
    lines.collect::<Vec<_>>().join("\n")
}

/// Passes over the deadline of whoever signed in on the first day.
fn over(world: &mut World, days: &[i64]) {
    for number in days {
        world.export(day(*number));
        cycle(world, day(*number), &[]);
    }
}

fn explained(world: &World, name: &str) -> String {
    run(world, &["explain", &format!("{name}@contoso.example")]).out
}

#[test]
fn the_plan_says_whom_an_approval_flags_who_waits_and_who_is_flagged() {
    let mut world = World::of(&["zoe", "nomail"]);
    world.who("nomail").mail = None;
    let crowd = world.crowd("person", 20);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    world.sign_in("zoe", hour(0, 1));
    world.sign_in("nomail", hour(1, -1));
    for name in &crowd {
        world.sign_in(name, hour(2, -1));
    }
    over(&mut world, &[1, 2, 8, 12, 14, 15, 16, 17]);
    let plan = run(&world, &["enforcement", "plan"]).out;
    insta::assert_snapshot!(plan, @r#"
    Held: mass
      20 people would be flagged in this run, of 22 in scope, since Wed 2026-01-21 01:00, 1 day ago
      "fortnight enforcement plan" lists the people; to flag them: fortnight enforcement approve mass --reason TEXT

    Would be flagged, but held by mass: 20
    user                      deadline              id
    person0@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000004
    person10@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000014
    person11@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000015
    person12@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000016
    person13@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000017
    person14@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000018
    person15@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000019
    person16@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000020
    person17@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000021
    person18@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000022
    person19@contoso.example  Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000023
    person1@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000005
    person2@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000006
    person3@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000007
    person4@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000008
    person5@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000009
    person6@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000010
    person7@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000011
    person8@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000012
    person9@contoso.example   Wed 2026-01-21 00:00  0f0e0d0c-0000-4000-8000-000000000013

    Waiting for something else: 1
    user                    deadline              waits for                                            known against it         id
    nomail@contoso.example  Tue 2026-01-20 00:00  a message that is accepted, or Tue 2026-01-27 00:00  never told, unreachable  0f0e0d0c-0000-4000-8000-000000000003

    Flagged already: 1
    user                 deadline              flagged               id
    zoe@contoso.example  Mon 2026-01-19 02:00  Tue 2026-01-20 01:00  0f0e0d0c-0000-4000-8000-000000000002

    Times are in Europe/Berlin.
    "#);
    let csv = run(&world, &["enforcement", "plan", "--format", "csv"]).out;
    let lines: Vec<&str> = csv.lines().take(2).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    policy,user,state,deadline,why,id,would_flag,waits,reasons
    everyone,person0@contoso.example,overdue_checking,2026-01-20T23:00:00Z,everything is proven,0f0e0d0c-0000-4000-8000-000000000004,true,,
    ");
    let kept = explained(&world, "person0");
    insta::assert_snapshot!(from(&kept, "Why"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Thu 2026-01-22 01:00]
      · the window counts from a sign-in at Wed 2026-01-07 00:00
      · the deadline is Wed 2026-01-21 00:00: told, and kept
      · a message naming the deadline was accepted  [Wed 2026-01-07 01:00]
      · everything is proven, and the hold keeps the flag (mass): 20 people would be flagged in this run, of 22 in scope  [Wed 2026-01-21 01:00]

    What the help desk is asked
      May they skip it? no
      Until when?       Wed 2026-01-21 00:00, 1 day ago: it has passed
      The last mail?    window.reminder to p***@contoso.example, Tue 2026-01-20 01:00, 2 days ago
      What ends this?   Registering; otherwise the flag, once the hold ends.
      What comes next?  the flag waits for the end of the hold mass; the next pass looks again, Thu 2026-01-22 01:10, in 10 minutes

    History
      Wed 2026-01-07 01:00  window.opened (0d)
      Sat 2026-01-17 01:00  window.reminder (-7d)
      Mon 2026-01-19 01:00  window.reminder (-3d)
      Tue 2026-01-20 01:00  window.reminder (-1d)

    Times are in Europe/Berlin.
    ");
}

#[test]
fn explain_says_of_a_moved_deadline_that_it_is_still_to_be_told() {
    let mut world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let extend = |at: &str| {
        let act = ["window", "extend", "ana@contoso.example", "--days", "2"];
        let why = ["--reason", "asked for", "--as-of", at];
        assert_eq!(run(&world, &[&act[..], &why].concat()).code, 0);
    };
    // Two in one pass have one mail; its way is closed at first.
    let outbox = world.folder().join("outbox");
    let aside = world.folder().join("aside");
    extend(&hour(1, 1).to_string());
    extend(&hour(1, 2).to_string());
    std::fs::rename(&outbox, &aside).unwrap();
    std::fs::write(&outbox, "").unwrap();
    world.export(hour(1, 3));
    cycle(&world, hour(1, 3), &[]);
    insta::assert_snapshot!(from(&explained(&world, "ana"), "Why"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-06 04:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Sat 2026-01-24 00:00: moved out; an earlier one was told, this one is still to be told
      · a message was accepted, and named the deadline before it moved out  [Tue 2026-01-06 01:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Sat 2026-01-24 00:00, in 17 days
      The last mail?    window.opened to a***@contoso.example, Tue 2026-01-06 01:00, 3 hours ago
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d, Sat 2026-01-17 00:00, in 10 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)
      Tue 2026-01-06 02:00  operator.extend  operator: asked for
      Tue 2026-01-06 03:00  operator.extend  operator: asked for
      Tue 2026-01-06 04:00  window.extended  [mail pending]
      Tue 2026-01-06 04:00  window.extended  [mail pending]

    Times are in Europe/Berlin.
    ");
    let told = run(
        &world,
        &["explain", "ana@contoso.example", "--format", "json"],
    );
    let why = "the step 0d was overtaken: the mail window.extended names the deadline";
    assert!(told.out.contains(why), "{}", told.out);
    std::fs::remove_file(&outbox).unwrap();
    std::fs::rename(&aside, &outbox).unwrap();
    world.export(hour(1, 9));
    cycle(&world, hour(1, 9), &[]);
    insta::assert_snapshot!(from(&explained(&world, "ana"), "Why"), @r"
    Why
      · included as one of all users
      · the registration report says not registered  [Tue 2026-01-06 10:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Sat 2026-01-24 00:00: told, and kept
      · a message naming the deadline was accepted  [Tue 2026-01-06 10:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Sat 2026-01-24 00:00, in 17 days
      The last mail?    window.extended to a***@contoso.example, Tue 2026-01-06 10:00, now
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d, Sat 2026-01-17 00:00, in 10 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)
      Tue 2026-01-06 02:00  operator.extend  operator: asked for
      Tue 2026-01-06 03:00  operator.extend  operator: asked for
      Tue 2026-01-06 04:00  window.extended
      Tue 2026-01-06 04:00  window.extended

    Times are in Europe/Berlin.
    ");
}

#[test]
fn explain_names_the_policy_whose_mail_gave_notice() {
    let mut world = World::of(&["ana"]);
    world.configuration += "[[policy]]\nname = \"admins\"\nenforce = \"on\"\nwindow = \"7d\"\ninclude = { users = [\"ana@contoso.example\"] }\n";
    world.export(day(0));
    assert_eq!(cycle(&world, day(0), &[]).code, 0);
    world.sign_in("ana", hour(1, -1));
    over(&mut world, &[1]);
    insta::assert_snapshot!(from(&explained(&world, "ana"), "Policy everyone"), @r"
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
      The last mail?    window.opened of the policy admins to a***@contoso.example, Tue 2026-01-06 01:00, now
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -7d, Tue 2026-01-13 00:00, in 6 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)  [no mail; the next was window.opened of the policy admins, Tue 2026-01-06 01:00]

    ana <ana@contoso.example>
    0f0e0d0c-0000-4000-8000-000000000002
    Policy admins: in_grace, as of Tue 2026-01-06 01:00, now

    Why
      · included by name
      · the registration report says not registered  [Tue 2026-01-06 01:00]
      · the window counts from a sign-in at Tue 2026-01-06 00:00
      · the deadline is Tue 2026-01-13 00:00: told, and kept
      · a message naming the deadline was accepted  [Tue 2026-01-06 01:00]

    What the help desk is asked
      May they skip it? yes, where the next sign-in lets them
      Until when?       Tue 2026-01-13 00:00, in 6 days
      The last mail?    window.opened to a***@contoso.example, Tue 2026-01-06 01:00, now
      What ends this?   Registering, at any sign-in; otherwise the deadline.
      What comes next?  the reminder -3d, Sat 2026-01-10 00:00, in 3 days

    History
      Tue 2026-01-06 01:00  window.opened (0d)

    Times are in Europe/Berlin.
    ");
}

#[test]
fn explain_joins_a_demand_to_the_deadline_that_stays() {
    let mut world = begun(&["ana"]);
    cycle(&world, day(1), &[]);
    let told = json!({ "status": { "errorCode": 50_072 } });
    world.sign_in_with("ana", hour(2, -1), told);
    over(&mut world, &[2]);
    let said = explained(&world, "ana");
    let asked = from(&said, "What the help desk");
    insta::assert_snapshot!(asked.lines().take(3).collect::<Vec<_>>().join("\n"), @r"
    What the help desk is asked
      May they skip it? no: the newest sign-in demanded it; the deadline stays as it is
      Until when?       Tue 2026-01-20 00:00, in 12 days
    ");
    // The log says registered, and the report has a day to show it.
    world.audit("ana", hour(3, -1), "User registered security info");
    over(&mut world, &[3]);
    let said = explained(&world, "ana");
    let next = said.lines().find(|line| line.contains("What comes next?"));
    insta::assert_snapshot!(next.unwrap_or(&said), @"  What comes next?  no reminders until Fri 2026-01-09 00:00, in 23 hours; then they go on, unless a registration report shows it by then");
}

#[test]
fn the_first_line_of_status_names_what_is_not_well() {
    let headline = |world: &World| {
        let ran = run(world, &["status"]);
        format!(
            "{} {}",
            ran.code,
            ran.out.lines().next().unwrap_or_default()
        )
    };
    let mut world = begun(&["ana"]);
    world.who("ana").mail = None;
    over(&mut world, &[1]);
    insta::assert_snapshot!(headline(&world), @"0 Well, but one person cannot be reached");
    let mut rows = world.user_rows();
    rows.push(json!({ "id": "0f0e0d0c-0000-4000-8000-00000000ffff" }));
    world.write("users.json", rows, hour(1, 1));
    cycle(&world, hour(1, 1), &[]);
    insta::assert_snapshot!(headline(&world), @"0 Well, but one person cannot be reached, one row was put aside");
}

#[test]
fn a_webhook_that_fails_for_an_hour_asks_for_a_person() {
    let peer = Endpoints::start(|_: &Knock<'_>| Reply::Say(503));
    let mut world = World::of(&["ana"]);
    world.configuration += &peer.standard("desk");
    crate::support::write_secret(world.folder().join("hook"), SECRET);
    world.export(day(0));
    cycle(&world, day(0), &[]);
    world.sign_in("ana", hour(1, -1));
    over(&mut world, &[1]);
    let told = |world: &World| {
        let ran = run(world, &["status"]);
        let webhook = ran.out.lines().find(|line| line.starts_with("Webhook"));
        let first = ran.out.lines().next().unwrap_or_default();
        format!("{} {first}\n{}", ran.code, webhook.unwrap_or_default())
    };
    insta::assert_snapshot!(told(&world), @r"
    0 Well, but one webhook does not take what it is sent: 1 waits
    Webhook desk does not take what it is sent, since Tue 2026-01-06 01:00: 503 Service Unavailable; 1 row waits
    ");
    world.export(hour(1, 2));
    cycle(&world, hour(1, 2), &[]);
    insta::assert_snapshot!(told(&world), @r"
    3 A person should look: one webhook does not take what it is sent: 1 waits
    Webhook desk does not take what it is sent, since Tue 2026-01-06 01:00: 503 Service Unavailable; 1 row waits
    ");
}

#[test]
fn what_comes_next_names_the_day_before_which_no_flag_comes() {
    let mut world = begun(&["ana"]);
    world.who("ana").mail = None;
    world.export(day(1));
    cycle(&world, day(1), &[]);
    over(&mut world, &[8, 12, 14, 16]);
    let out = run(&world, &["status"]).out;
    let next = out.lines().find(|line| line.starts_with("Next due"));
    insta::assert_snapshot!(next.unwrap_or(&out), @"Next due   Wed 2026-01-21 01:10, in 10 minutes: ana@contoso.example (everyone), whether to flag; the flag does not come before Tue 2026-01-27 00:00, in 5 days");
}

#[test]
fn closing_the_window_of_somebody_registered_says_how_they_count_then() {
    let mut world = begun(&["ana"]);
    world.registers("ana");
    over(&mut world, &[1, 2]);
    let close = ["window", "close", "ana@contoso.example", "--reason", "left"];
    let said = run(&world, &close).out;
    assert!(said.contains("they count as paused from then on"), "{said}");
}

#[test]
fn a_dry_run_says_who_is_told_nothing_before_their_first_sign_in() {
    let mut world = World::of(&["ana", "ben"]);
    world.export(day(0));
    let said = cycle(&world, day(0), &["--dry-run"]).out;
    let line = "everyone: 2 people wait for the first sign-in; nobody is told anything before";
    assert!(said.contains(line), "{said}");
    let json = json(&cycle(&world, day(0), &["--dry-run", "--format", "json"]));
    assert_eq!(json["would"], json!([]));
}
