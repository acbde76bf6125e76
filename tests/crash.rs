//! The outbox through the whole program: servers that refuse, defer, hang up and stall, and fifty
//! kills in the middle of it.

use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

use crate::support::endpoint::{Endpoints, Knock, Reply, SECRET};
use crate::support::program::{self, Organisation, after, at, eventually, hours, minutes};
use crate::support::recorder::{Answer, Moment, PATIENCE, Recorder};

/// A Monday morning; everybody has signed in an hour before.
const MONDAY: &str = "2026-01-05T08:00:00Z";

fn monday() -> Timestamp {
    at(MONDAY)
}

fn well(_: &Moment<'_>) -> Answer {
    Answer::Well
}

fn organisation(people: usize, recorder: &Recorder) -> Organisation {
    let organisation = Organisation::new(people, after(monday(), hours(-1)), recorder.port);
    organisation.configure();
    organisation
}

/// The time of the next retry of any row.
fn next_at(organisation: &Organisation) -> Timestamp {
    let rows = organisation.deliveries();
    let next = rows.iter().filter_map(|row| row["next_at"].as_str());
    next.map(at).min().unwrap()
}

#[test]
fn a_deferred_mail_goes_out_later() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.nth) {
        ("RCPT", 1) => Answer::Say("450 4.2.0 greylisted\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(3, &recorder);
    let report = organisation.cycle(monday());
    assert_eq!(report["deliveries"]["sent"], 0);
    assert_eq!(organisation.states(), ["pending"; 3]);
    assert_eq!(organisation.deliveries()[0]["last_code"], "450");
    assert!(next_at(&organisation) > monday());
    let report = organisation.cycle(after(monday(), minutes(1)));
    assert_eq!(report["deliveries"]["sent"], 3);
    assert_eq!(recorder.kept().len(), 3);
    assert!(
        organisation
            .deliveries()
            .iter()
            .all(|row| row["attempts"] == 2)
    );
}

#[test]
fn a_refused_person_is_told_to_operators_once() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.to) {
        ("RCPT", "p1@contoso.example") => Answer::Say("550 5.1.1 no such mailbox\r\n"),
        _ => Answer::Well,
    });
    let organisation = organisation(3, &recorder);
    let report = organisation.cycle(monday());
    assert_eq!(
        (
            &report["deliveries"]["sent"],
            &report["deliveries"]["failed"]
        ),
        (&2.into(), &1.into())
    );
    let row = organisation.deliveries_to(1).remove(0);
    assert_eq!(
        (&row["state"], &row["last_code"]),
        (&"failed".into(), &"550".into())
    );
    for pass in 1..15 {
        organisation.export(after(monday(), hours(24 * pass)));
        organisation.cycle(after(monday(), hours(24 * pass)));
    }
    let told = recorder.mailbox("operators@contoso.example");
    let unreachable: Vec<_> = told
        .iter()
        .filter(|kept| kept.subject.contains("reached"))
        .collect();
    assert_eq!(unreachable.len(), 1, "{told:?}");
    assert_eq!(recorder.mailbox("p1@contoso.example"), []);
    assert!(recorder.mailbox("p2@contoso.example").len() > 3);
    // The deadline is past for all three; only who could not be told waits a week more.
    organisation.export(after(monday(), hours(24 * 15)));
    organisation.cycle(after(monday(), hours(24 * 15)));
    assert_eq!(organisation.user(2)["state"], "enforcement_needed");
    assert_ne!(organisation.user(1)["state"], "enforcement_needed");
}

#[test]
fn a_lost_outcome_is_resent_once_with_the_same_message_id() {
    for (second, end) in [(Answer::Well, "sent"), (Answer::KeepAndCut, "dead")] {
        let recorder = Recorder::start(move |moment| match (moment.verb, moment.to, moment.nth) {
            ("DOT", "p0@contoso.example", 1) => Answer::KeepAndCut,
            ("DOT", "p0@contoso.example", 2) => second.clone(),
            _ => Answer::Well,
        });
        let organisation = organisation(2, &recorder);
        let report = organisation.cycle(monday());
        assert_eq!(report["deliveries"]["ambiguous"], 1);
        assert_eq!(organisation.deliveries_to(0)[0]["state"], "ambiguous");
        let soon = after(monday(), minutes(9));
        organisation.cycle(soon);
        assert_eq!(recorder.mailbox("p0@contoso.example").len(), 1);
        organisation.cycle(after(soon, minutes(2)));
        organisation.cycle(after(soon, minutes(30)));
        let rows = organisation.deliveries_to(0);
        assert_eq!(rows[0]["state"], end, "{rows:?}");
        let kept = recorder.mailbox("p0@contoso.example");
        assert_eq!(kept.len(), 2);
        assert_eq!(kept[0], kept[1]);
        assert_eq!(recorder.mailbox("p1@contoso.example").len(), 1);
    }
}

/// A resend after a lost outcome names the same deadline (rule 7.2), also where the server put
/// it off once more in between.
#[test]
fn a_resend_names_the_deadline_that_the_lost_mail_named() {
    let recorder = Recorder::start(|moment| match (moment.verb, moment.nth) {
        ("DOT", 1) => Answer::KeepAndCut,
        ("RCPT", 2) => Answer::Say("450 4.2.0 later\r\n"),
        _ => Answer::Well,
    });
    // The window is nearly over: its deadline is the present plus the minimum notice.
    let organisation = Organisation::new(1, after(monday(), hours(-24 * 13)), recorder.port);
    organisation.configure();
    organisation.cycle(monday());
    let named = organisation.deliveries_to(0)[0]["deadline"].clone();
    assert_eq!(organisation.deliveries_to(0)[0]["state"], "ambiguous");
    organisation.cycle(after(monday(), minutes(11)));
    assert_eq!(organisation.deliveries_to(0)[0]["state"], "pending");
    organisation.cycle(after(monday(), minutes(60)));
    let row = &organisation.deliveries_to(0)[0];
    assert_eq!((&row["state"], &row["deadline"]), (&"sent".into(), &named));
    assert_eq!(recorder.mailbox("p0@contoso.example").len(), 2);
}

/// A database that takes no outcome, as on a full disk: what the server accepted is known all the same once it does.
#[test]
fn what_was_accepted_is_settled_first_when_the_database_takes_it_again() {
    let recorder = Recorder::start(well);
    let organisation = organisation(40, &recorder);
    organisation.cycle(after(monday(), hours(-2)));
    let database = rusqlite::Connection::open(organisation.path("fortnight.db")).unwrap();
    let full = "CREATE TRIGGER full BEFORE UPDATE ON outbox WHEN NEW.state = 'sent' BEGIN SELECT RAISE(ABORT, 'full'); END";
    database.execute_batch(full).unwrap();
    let now = monday().to_string();
    assert_eq!(organisation.say(&["cycle", "--as-of", &now]).code, Some(1));
    let sent = recorder.kept().len();
    assert!((1..40).contains(&sent), "{sent}: nothing more is sent then");
    database.execute_batch("DROP TRIGGER full").unwrap();
    drop(database);
    organisation.cycle(after(monday(), minutes(15)));
    organisation.cycle(after(monday(), minutes(30)));
    assert_eq!(organisation.states(), vec!["sent"; 40]);
    for number in 0..40 {
        assert_eq!(recorder.mailbox(&Organisation::address(number)).len(), 1);
    }
}

/// Whoever may write beside the database has us write, or send unwritten, nothing.
#[test]
fn a_link_beside_the_database_is_not_followed_and_nothing_is_sent() {
    for name in ["fortnight.db.outcomes", "fortnight.db.lock"] {
        let recorder = Recorder::start(well);
        let organisation = organisation(3, &recorder);
        organisation.cycle(after(monday(), hours(-2)));
        let (own, precious) = (organisation.path(name), organisation.path("precious"));
        std::fs::write(&precious, "precious\n".repeat(200)).unwrap();
        let _ = std::fs::remove_file(&own);
        std::os::unix::fs::symlink("precious", &own).unwrap();
        let said = organisation.say(&["cycle", "--as-of", &monday().to_string()]);
        assert_eq!(said.code, Some(1), "{name}: {}", said.err);
        for part in [
            name,
            "it is a symbolic link, which is not followed: move it away",
        ] {
            assert!(said.err.contains(part), "{}", said.err);
        }
        assert_eq!(recorder.kept().len(), 0, "{name}");
        let left = std::fs::read_to_string(&precious).unwrap();
        assert_eq!(left, "precious\n".repeat(200), "{name}");
        std::fs::remove_file(&own).unwrap();
        organisation.cycle(after(monday(), minutes(15)));
        assert_eq!(recorder.kept().len(), 3, "{name}");
    }
}

#[test]
fn what_was_kept_and_cannot_be_read_is_said() {
    let recorder = Recorder::start(well);
    let organisation = organisation(3, &recorder);
    organisation.cycle(after(monday(), hours(-2)));
    let kept = organisation.path("fortnight.db.outcomes");
    std::fs::write(&kept, "{\"destination\":\"email\",\"sett\nnonsense").unwrap();
    let said = organisation.say(&["cycle", "--as-of", &monday().to_string()]);
    for line in ["sett", "nonsense"] {
        let line = said
            .err
            .lines()
            .find(|said| said.contains(line))
            .unwrap_or(&said.err);
        assert!(line.contains("a line that cannot be read"), "{line}");
    }
    assert_eq!(recorder.kept().len(), 3);
    assert!(std::fs::read(&kept).unwrap().iter().all(|byte| *byte == 0));
}

#[test]
fn a_refused_login_holds_flags_and_keeps_the_mails() {
    let recorder = Recorder::start(well);
    let mut organisation = Organisation::new(9, after(monday(), hours(-1)), recorder.port);
    crate::support::write_secret(organisation.path("password"), "secret-word\n");
    organisation.smtp += "\nusername = \"ana\"\npassword_file = \"password\"\nconnections = 1";
    organisation.configure();
    organisation.cycle(monday());
    assert_eq!(recorder.kept().len(), 9);
    let pass = |day: i64, hour: i64| {
        let now = after(monday(), hours(24 * day + hour));
        organisation.export(now);
        organisation.cycle(now)
    };
    let refuse = || {
        recorder.follow(|moment| match moment.verb {
            "AUTH" => Answer::Say("535 5.7.8 wrong password\r\n"),
            _ => Answer::Well,
        });
    };
    refuse();
    for day in [7, 11] {
        let logins = recorder.count("AUTH");
        pass(day, 0);
        // The channel is tried once, and five failures in a row end the deliveries of the pass.
        assert_eq!(recorder.count("AUTH") - logins, 6, "day {day}");
        assert_eq!(organisation.holds(), ["channel"]);
    }
    assert_eq!(recorder.kept().len(), 9);
    let waiting = organisation.deliveries();
    assert!(
        waiting
            .iter()
            .all(|row| row["state"] != "failed" && row["state"] != "dead")
    );
    // The way is open again: the reminder that waited goes out, and operators hear of the hold.
    recorder.follow(well);
    pass(11, 1);
    assert_eq!(organisation.holds(), [""; 0]);
    assert_eq!(recorder.mailbox("p0@contoso.example").len(), 2);
    assert!(!recorder.mailbox("operators@contoso.example").is_empty());
    // Down while the deadline passes: nobody is flagged before it is up again.
    refuse();
    assert_eq!(pass(15, 0)["flagged"], 0);
    assert_eq!(organisation.holds(), ["channel"]);
    recorder.follow(well);
    assert_eq!(pass(15, 1)["flagged"], 9);
    let ids: Vec<String> = recorder
        .kept()
        .into_iter()
        .map(|kept| kept.message_id)
        .collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn budgets_are_kept_by_the_minute_and_by_the_day() {
    let recorder = Recorder::start(well);
    let mut organisation = Organisation::new(10, after(monday(), hours(-1)), recorder.port);
    organisation.smtp += "\nper_minute = 3\nper_day = 8";
    organisation.configure();
    let sent =
        |minute| organisation.cycle(after(monday(), minutes(minute)))["deliveries"]["sent"].clone();
    assert_eq!([0, 1, 2, 3, 4].map(sent), [3, 3, 2, 0, 0]);
    let order: Vec<String> = recorder.kept().into_iter().map(|kept| kept.to).collect();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), 8);
    assert_eq!(sent(24 * 60 + 10), 2);
    assert_eq!(recorder.kept().len(), 10);
}

/// The budget of a minute was spent almost a minute ago.
#[test]
fn a_cycle_waits_for_budgets_and_says_what_it_leaves() {
    let recorder = Recorder::start(well);
    let begun = after(program::now(), SignedDuration::from_secs(-55));
    let mut organisation = Organisation::new(8, after(begun, hours(-1)), recorder.port);
    organisation.smtp += "\nper_minute = 3";
    organisation.configure();
    let deliveries = |report: &Value| {
        let of = |key: &str| report["deliveries"][key].clone();
        (of("sent"), of("waiting"), of("waits_until"))
    };
    let report = organisation.cycle(begun);
    let until = after(begun, minutes(2)).to_string();
    let left = (json!(3), json!(5), json!(until));
    assert_eq!(deliveries(&report), left, "no wait as of another time");
    assert_eq!(organisation.status()["queue"]["waiting"], 5);
    assert_eq!(organisation.status()["queue"]["late"], 0);
    for (patience, sent, waiting) in [("1s", 0, 5), ("30s", 3, 2)] {
        let said = organisation.say(&["cycle", "--max-wait", patience, "--format", "json"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let (has_sent, waits, until) = deliveries(&said.json());
        assert_eq!(
            (has_sent, waits),
            (json!(sent), json!(waiting)),
            "{patience}"
        );
        assert!(until.is_string(), "{patience}");
    }
    assert_eq!(recorder.kept().len(), 6);
}

/// Those whose deadline comes before their turn are told of by the exit code.
#[test]
fn mails_that_a_budget_lets_go_too_late_end_a_cycle_with_3() {
    let recorder = Recorder::start(well);
    let mut organisation = Organisation::new(6, after(monday(), hours(-1)), recorder.port);
    organisation.configure();
    organisation.cycle(monday());
    organisation.smtp += "\nper_minute = 1\nper_day = 2";
    organisation.configure();
    let at = after(monday(), hours(13 * 24)).to_string();
    let said = organisation.say(&["cycle", "--as-of", &at]);
    assert_eq!(said.code, Some(3), "{}", said.err);
    let line = said.out.lines().find(|line| line.starts_with("waiting"));
    assert!(line.unwrap().contains("will be of no use"), "{}", said.out);
}

#[test]
fn the_most_urgent_go_first() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "RCPT" => Answer::Say("450 4.2.0 later\r\n"),
        _ => Answer::Well,
    });
    let mut organisation = organisation(6, &recorder);
    organisation.cycle(monday());
    recorder.follow(well);
    let later = after(monday(), hours(1));
    for number in 0..3 {
        let (user, at) = (Organisation::address(number), later.to_string());
        let extend = [
            "window", "extend", &user, "--days", "5", "--reason", "ill", "--as-of", &at,
        ];
        assert_eq!(organisation.say(&extend).code, Some(0));
    }
    organisation.smtp += "\nper_minute = 3";
    organisation.configure();
    let told = |minute| {
        organisation.cycle(after(later, minutes(minute)));
        let told: BTreeSet<String> = recorder.kept().into_iter().map(|kept| kept.to).collect();
        told.into_iter().collect::<Vec<_>>()
    };
    assert_eq!(told(0), [3, 4, 5].map(Organisation::address));
    assert_eq!(told(1), [0, 1, 2, 3, 4, 5].map(Organisation::address));
}

#[test]
fn whoever_registered_or_was_excluded_gets_no_queued_mail() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "RCPT" => Answer::Say("450 4.2.0 later\r\n"),
        _ => Answer::Well,
    });
    let mut organisation = organisation(3, &recorder);
    organisation.cycle(monday());
    assert_eq!(organisation.states(), ["pending"; 3]);
    recorder.follow(well);
    organisation.register(0);
    organisation.exclude(1);
    let later = after(monday(), hours(1));
    organisation.export(later);
    organisation.cycle(later);
    let state = |number: usize| organisation.deliveries_to(number)[0]["state"].clone();
    assert_eq!([0, 1, 2].map(state), ["superseded", "superseded", "sent"]);
    assert_eq!(recorder.kept().len(), 1);
}

#[test]
fn a_stop_in_the_middle_leaves_nothing_leased() {
    // A pass that was cut short says so by its exit code; a service that was stopped did as told.
    for (command, code) in [("run", 0), ("cycle", 3)] {
        let recorder = Recorder::start(|moment| match moment.verb {
            "DOT" if moment.to > "p2" => Answer::Hold,
            _ => Answer::Well,
        });
        let since = after(program::now(), hours(-1));
        let organisation = Organisation::new(40, since, recorder.port);
        organisation.configure();
        let mut program = organisation.spawn(&mut organisation.command(&[command]));
        recorder.wait_holding(3);
        program.signal(Signal::TERM);
        eventually("the stop", || {
            program.log().contains("stopping").then_some(())
        });
        recorder.go_on();
        let begin = Instant::now();
        assert_eq!(program.end(), Some(code), "{command}");
        assert!(begin.elapsed() < Duration::from_secs(30));
        let rows = organisation.deliveries();
        let sent = rows.iter().filter(|row| row["state"] == "sent").count();
        let pending: Vec<_> = rows
            .iter()
            .filter(|row| row["state"] == "pending")
            .collect();
        assert_eq!(sent, recorder.kept().len());
        assert_eq!((sent + pending.len(), rows.len()), (40, 40));
        assert!(pending.len() > 20, "{}", pending.len());
        assert!(pending.iter().all(|row| row["attempts"] == 0));
    }
}

#[test]
fn a_server_that_never_answers_does_not_keep_a_stop_waiting() {
    let recorder = Recorder::start(|moment| match moment.verb {
        "DOT" => Answer::Hold,
        _ => Answer::Well,
    });
    let since = after(program::now(), hours(-1));
    let organisation = Organisation::new(5, since, recorder.port);
    organisation.configure();
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    recorder.wait_holding(3);
    let begin = Instant::now();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
    let took = begin.elapsed();
    assert!(took < Duration::from_secs(40), "{took:?}");
    assert_eq!(organisation.states(), ["pending"; 5]);
    let mut attempts: Vec<i64> = organisation
        .deliveries()
        .iter()
        .map(|row| row["attempts"].as_i64().unwrap())
        .collect();
    attempts.sort_unstable();
    assert_eq!(attempts, [0, 0, 1, 1, 1]);
    let stopped = organisation.deliveries();
    let stopped = stopped.iter().filter(|row| row["attempts"] == 1);
    for row in stopped {
        assert!(at(row["next_at"].as_str().unwrap()) > after(program::now(), minutes(8)));
    }
}

/// The server of the fifty kills: mostly well, sometimes slow, sometimes gone around the dot — once
/// a recipient, because an outcome that is lost twice makes a dead mail, which is another test's.
fn moody(seed: u64) -> impl Fn(&Moment<'_>) -> Answer + Send + Sync + 'static {
    let random = Mutex::new(SmallRng::seed_from_u64(seed));
    move |moment| match (moment.verb, random.lock().unwrap().random_range(0..100)) {
        ("DOT", 0..4) if moment.nth == 1 => Answer::Cut,
        ("DOT", 4..8) if moment.nth == 1 => Answer::KeepAndCut,
        ("DOT", 8..22) => Answer::Slow(Duration::from_millis(15)),
        ("RCPT", 0..5) => Answer::Say("451 4.3.0 not now\r\n"),
        ("MAIL", 0..2) => Answer::Cut,
        _ => Answer::Well,
    }
}

/// The endpoints of the fifty kills: sometimes busy, and slow now and then.
fn busy(seed: u64) -> impl Fn(&Knock<'_>) -> Reply + Send + Sync + 'static {
    let random = Mutex::new(SmallRng::seed_from_u64(seed));
    move |knock| match random.lock().unwrap().random_range(0..100) {
        0..5 if knock.nth == 1 => Reply::Say(503),
        5..20 => Reply::Slow(Duration::from_millis(15)),
        _ => Reply::Taken,
    }
}

/// What of each row was lost sight of so far: it was leased, or its outcome was lost.
#[derive(Default)]
struct Doubts(BTreeMap<String, usize>);

impl Doubts {
    fn of(&self, row: &serde_json::Value) -> usize {
        let id = row["id"].as_str().unwrap();
        self.0.get(id).copied().unwrap_or(0)
    }

    /// Looks at a database that a kill left.
    fn look(&mut self, organisation: &Organisation) {
        if !organisation.path("fortnight.db").exists() {
            return;
        }
        let said = organisation.say(&["deliveries", "list", "--format", "json"]);
        let Ok(rows) = serde_json::from_str::<Vec<serde_json::Value>>(&said.out) else {
            return;
        };
        for row in rows {
            if matches!(row["state"].as_str(), Some("leased" | "ambiguous")) {
                *self
                    .0
                    .entry(row["id"].as_str().unwrap().to_owned())
                    .or_default() += 1;
            }
        }
    }
}

/// An organisation whose passes are killed.
struct Killed {
    organisation: Organisation,
    recorder: Recorder,
    endpoints: Endpoints,
    random: SmallRng,
    now: Timestamp,
    doubts: Doubts,
    /// Kills before and after the first mail of a run.
    kills: [usize; 2],
}

impl Killed {
    /// One more run, at least ten minutes later, killed at some moment unless it ends before.
    fn run(&mut self) {
        let random = &mut self.random;
        let pause = minutes(11) + SignedDuration::from_secs(random.random_range(0..600));
        self.now = after(self.now, pause);
        // Now and then a day goes by, and reminders fall due; none of them is to expire, however
        // many runs it takes.
        if self.now < after(monday(), hours(24 * 9)) && random.random_bool(0.15) {
            self.now = after(self.now, hours(24));
        }
        if random.random_bool(0.3) {
            self.organisation.export(self.now);
        }
        let as_of = self.now.to_string();
        let before = self.recorder.kept().len();
        let command = &mut self.organisation.command(&["cycle", "--as-of", &as_of]);
        let mut process = self.organisation.spawn(command);
        if random.random_bool(0.5) {
            std::thread::sleep(Duration::from_millis(random.random_range(0..60)));
        } else {
            let count = before + random.random_range(1..40);
            let patience = Duration::from_millis(random.random_range(50..400));
            self.recorder.wait_kept(count, patience);
        }
        if process.ended().is_none() {
            process.kill();
            self.kills[usize::from(self.recorder.kept().len() > before)] += 1;
        }
        self.doubts.look(&self.organisation);
    }

    /// The server is well, and nobody kills any more.
    fn recover(&mut self) {
        self.recorder.follow(well);
        self.endpoints.follow(|_| Reply::Taken);
        for _ in 0..4 {
            self.now = after(self.now, minutes(11));
            self.organisation.cycle(self.now);
            self.doubts.look(&self.organisation);
        }
    }

    /// Nothing was lost, and nothing taken twice without a doubt. What happened, in numbers.
    fn judge(&self, people: usize) -> String {
        let mut taken: BTreeMap<String, (usize, String)> = BTreeMap::new();
        for kept in self.recorder.kept() {
            let (times, to) = taken.entry(kept.message_id).or_insert((0, kept.to.clone()));
            *times += 1;
            assert_eq!(*to, kept.to, "one Message-ID, one recipient");
        }
        let mut rows = self.organisation.deliveries();
        rows.retain(|row| row["channel"] == "email");
        let mut told = BTreeSet::new();
        let mut known = BTreeSet::new();
        for row in &rows {
            let id = row["message_id"].as_str().unwrap();
            known.insert(id.to_owned());
            let times = taken.get(id).map_or(0, |taken| taken.0);
            let doubts = self.doubts.of(row);
            match row["state"].as_str().unwrap() {
                "sent" => {
                    assert!(times >= 1, "lost: {row}");
                    told.extend(row["user"].as_str());
                }
                // A later step replaced it while it waited.
                "superseded" => {}
                _ => panic!("not sent: {row}"),
            }
            assert!(row["attempts"].as_u64() >= Some(times as u64), "{row}");
            assert!(
                times <= 1 + doubts,
                "taken {times} times with {doubts} outcomes lost: {row}"
            );
        }
        assert_eq!(told.len(), people, "everybody was told something");
        assert!(taken.keys().all(|id| known.contains(id)));
        let twice = taken.values().filter(|taken| taken.0 > 1).count();
        format!(
            "{:?} kills before and after the first mail of a run; {} rows, {} taken, {twice} more than once, {} in doubt",
            self.kills,
            rows.len(),
            self.recorder.kept().len(),
            self.doubts.0.len()
        )
    }
}

impl Killed {
    /// The same of webhooks: each event came to each endpoint under one id with one body, and more
    /// than once only where a kill left its row in doubt.
    fn judge_webhooks(&self, people: usize) -> String {
        let mut rows = self.organisation.deliveries();
        rows.retain(|row| row["channel"] == "desk");
        let mut taken: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for came in self.endpoints.taken("desk") {
            taken.entry(came.id).or_default().push(came.body);
        }
        let mut told = BTreeSet::new();
        for row in &rows {
            let id = row["message_id"].as_str().unwrap();
            let bodies = taken.remove(id).unwrap_or_default();
            match row["state"].as_str().unwrap() {
                "sent" => {
                    assert!(!bodies.is_empty(), "lost: {row}");
                    told.extend(row["user"].as_str());
                }
                "superseded" => {}
                _ => panic!("not sent: {row}"),
            }
            assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{row}");
            let doubts = self.doubts.of(row);
            let times = bodies.len();
            assert!(
                times <= 1 + doubts,
                "taken {times} times with {doubts} outcomes lost: {row}"
            );
        }
        assert_eq!(told.len(), people, "every window was told");
        assert!(taken.is_empty(), "nobody queued {taken:?}");
        let chats = self.endpoints.taken("chat").len();
        assert!(chats > 0, "nobody told the chat");
        format!("{} webhooks and {chats} messages to a chat", rows.len())
    }
}

#[test]
fn fifty_kills_lose_nothing() {
    let seed = std::env::var("FORTNIGHT_SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok());
    let seed: u64 = seed.unwrap_or_else(rand::random);
    eprintln!("FORTNIGHT_SEED={seed}");
    let begin = Instant::now();
    let people = 400;
    let recorder = Recorder::start(moody(seed));
    let endpoints = Endpoints::start(busy(seed));
    let mut organisation = organisation(people, &recorder);
    organisation.more += &(endpoints.standard("desk") + &endpoints.slack("chat"));
    crate::support::write_secret(organisation.path("hook"), SECRET);
    organisation.configure();
    let mut killed = Killed {
        organisation,
        recorder,
        endpoints,
        random: SmallRng::seed_from_u64(seed),
        now: monday(),
        doubts: Doubts::default(),
        kills: [0, 0],
    };
    while killed.kills.iter().sum::<usize>() < 50 {
        killed.run();
    }
    killed.recover();
    eprintln!("{}", killed.judge(people));
    eprintln!("{}", killed.judge_webhooks(people));
    let took = begin.elapsed();
    assert!(took < Duration::from_mins(1), "{took:?}");
}

#[test]
fn a_killed_daemon_loses_nothing() {
    let recorder = Recorder::start(well);
    let since = after(program::now(), hours(-1));
    let organisation = Organisation::new(300, since, recorder.port);
    organisation.configure();
    for count in [1, 60, 150] {
        let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
        assert!(recorder.wait_kept(count, PATIENCE));
        daemon.kill();
    }
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    eventually("the rest of the mails", || {
        let waiting = organisation.deliveries();
        waiting
            .iter()
            .all(|row| {
                let next_at = row["next_at"].as_str().map(at);
                row["state"] == "sent" || next_at.is_some_and(|next| next > program::now())
            })
            .then_some(())
    });
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
    // In rehearsal the ten minutes are over at once.
    let later = after(program::now(), minutes(12));
    organisation.export(later);
    organisation.cycle(later);
    assert_eq!(organisation.states(), vec!["sent"; 300]);
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for kept in recorder.kept() {
        *taken.entry(kept.message_id).or_default() += 1;
    }
    assert_eq!(taken.len(), 300);
    let mut twice = 0;
    for row in organisation.deliveries() {
        let times = taken[row["message_id"].as_str().unwrap()];
        assert!(row["attempts"].as_u64() >= Some(times as u64), "{row}");
        twice += usize::from(times > 1);
    }
    eprintln!("{} taken, {twice} more than once", recorder.kept().len());
}

/// What a server takes for a mail in [`a_kill_leaves_few_mails_in_doubt`].
const A_MAIL: Duration = Duration::from_millis(20);
/// Connections of the default configuration.
const CONNECTIONS: usize = 3;

#[test]
fn a_kill_leaves_few_mails_in_doubt() {
    let kills: usize = std::env::var("FORTNIGHT_KILLS").map_or(10, |kills| kills.parse().unwrap());
    let recorder = Recorder::start(|moment| match moment.verb {
        "DOT" => Answer::Slow(A_MAIL),
        _ => Answer::Well,
    });
    let organisation = organisation(kills * 60, &recorder);
    let mut random = SmallRng::seed_from_u64(20);
    let mut now = monday();
    for _ in 0..kills {
        let count = recorder.kept().len() + random.random_range(10..50);
        let as_of = now.to_string();
        let mut cycle =
            organisation.spawn(&mut organisation.command(&["cycle", "--as-of", &as_of]));
        assert!(recorder.wait_kept(count, PATIENCE));
        cycle.kill();
        now = after(now, minutes(11));
    }
    recorder.follow(well);
    organisation.cycle(now);
    organisation.cycle(after(now, minutes(11)));
    assert!(organisation.states().iter().all(|state| state == "sent"));
    let kept = recorder.kept();
    let ids: BTreeSet<&String> = kept.iter().map(|mail| &mail.message_id).collect();
    assert_eq!(ids.len(), kills * 60, "nothing is lost");
    let copies = kept.len() - ids.len();
    eprintln!("{kills} kills, {copies} mails taken again over {CONNECTIONS} connections");
    assert!(
        copies <= 3 * CONNECTIONS * kills,
        "{copies} copies of {kills} kills"
    );
}
