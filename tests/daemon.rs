//! The daemon as its operators and systemd meet it.

use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::endpoint::{Endpoints, Reply, SECRET, TWO_SECRETS};
use crate::support::program::{
    self, Organisation, Running, after, at, eventually, hours, page, ready,
};
use crate::support::recorder::{Answer, PATIENCE, Recorder};

/// A daemon whose first pass told everybody.
struct Begun {
    daemon: Running,
    organisation: Organisation,
    recorder: Recorder,
    port: u16,
}

fn begin(people: usize) -> Begun {
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(people, since, recorder.port);
    let port = organisation.listen();
    organisation.configure();
    let daemon = organisation.spawn(&mut organisation.command(&["run"]));
    eventually("a first pass", || {
        ready(port).filter(|ready| ready["ready"] == true)
    });
    assert!(recorder.wait_kept(people, PATIENCE));
    Begun {
        daemon,
        organisation,
        recorder,
        port,
    }
}

fn last_pass(port: u16) -> Option<Timestamp> {
    Some(at(ready(port)?["last_pass"].as_str()?))
}

fn wait_for_another_pass(port: u16) {
    let before = last_pass(port);
    eventually("another pass", || (last_pass(port) > before).then_some(()));
}

fn wait_for_a_pass_after_reload(daemon: &Running, times: usize) {
    eventually("a pass after the reload", || {
        let log = daemon.log();
        let after = log.split("the configuration was reloaded").nth(times)?;
        after.contains("a pass ended").then_some(())
    });
}

fn deadline(organisation: &Organisation, number: usize) -> Timestamp {
    at(organisation.user(number)["window"]["deadline"]
        .as_str()
        .unwrap())
}

#[test]
fn a_second_one_is_told_by_whom_and_leaves_the_passes_to_it() {
    let begun = begin(2);
    for (command, code) in [("run", 1), ("cycle", 0)] {
        let said = begun.organisation.say(&[command]);
        assert_eq!(said.code, Some(code), "{}", said.err);
        let holder = format!("process {}", begun.daemon.id());
        assert!(said.err.contains(&holder), "{}", said.err);
    }
    wait_for_another_pass(begun.port);
}

#[test]
fn commands_work_beside_it_and_take_effect_within_seconds() {
    let Begun {
        organisation,
        recorder,
        mut daemon,
        ..
    } = begin(3);
    let user = Organisation::address(1);
    for arguments in [
        &["status"][..],
        &["users"],
        &["explain", &user],
        &["deliveries", "list"],
        &["enforcement", "plan"],
        &["check"],
    ] {
        let said = organisation.say(arguments);
        assert_eq!(said.code, Some(0), "{arguments:?}: {}", said.err);
    }
    let before = deadline(&organisation, 1);
    let said = organisation.say(&[
        "window",
        "extend",
        &user,
        "--days",
        "3",
        "--reason",
        "on a journey",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let told = || (recorder.mailbox(&user).len() == 2).then_some(());
    eventually("the mail about the extension", told);
    assert_eq!(deadline(&organisation, 1), after(before, hours(72)));
    assert_eq!(recorder.kept().len(), 4);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
    let states = organisation.states();
    assert!(states.iter().all(|state| state == "sent"), "{states:?}");
}

/// Each pass tries the way to people, and that server holds it up.
#[test]
fn an_act_takes_effect_while_the_mail_server_says_nothing() {
    let Begun {
        organisation,
        recorder,
        mut daemon,
        ..
    } = begin(2);
    recorder.follow(|_| Answer::Hold);
    recorder.wait_holding(1);
    let user = Organisation::address(0);
    let close = ["window", "close", &user, "--reason", "left"];
    assert_eq!(organisation.say(&close).code, Some(0));
    let began = std::time::Instant::now();
    eventually("the act", || {
        (organisation.user(0)["state"] == "paused").then_some(())
    });
    assert!(began.elapsed() < Duration::from_secs(10));
    recorder.go_on();
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn a_wrong_configuration_is_not_taken_over_and_a_good_one_is() {
    let Begun {
        mut organisation,
        mut daemon,
        port,
        ..
    } = begin(2);
    let before = deadline(&organisation, 0);
    let good = std::mem::replace(&mut organisation.policy, "windw = \"20d\"".to_owned());
    organisation.configure();
    daemon.signal(Signal::HUP);
    let warned = eventually("a warning", || {
        ready(port).filter(|ready| !ready["warning"].is_null())
    });
    assert!(
        warned["warning"].as_str().unwrap().contains("windw"),
        "{warned}"
    );
    assert_eq!(warned["ready"], true);
    wait_for_another_pass(port);

    organisation.policy = good + "window = \"20d\"";
    organisation.configure();
    daemon.signal(Signal::HUP);
    eventually("the end of the warning", || {
        ready(port).filter(|ready| ready["warning"].is_null())
    });
    let moved = || (deadline(&organisation, 0) == after(before, hours(6 * 24))).then_some(());
    eventually("the longer window", moved);

    let listen = format!("127.0.0.1:{port}");
    organisation.more = organisation.more.replace(&listen, "127.0.0.1:1");
    organisation.configure();
    daemon.signal(Signal::HUP);
    let warned = eventually("a warning", || {
        ready(port).filter(|ready| !ready["warning"].is_null())
    });
    assert!(
        warned["warning"].as_str().unwrap().contains("http.listen"),
        "{warned}"
    );
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
}

/// The sides of a secret's change never see a request that neither of theirs signed.
#[test]
fn a_reload_takes_in_endpoints_and_their_secrets() {
    let Begun {
        mut organisation,
        mut daemon,
        ..
    } = begin(2);
    let peer = Endpoints::start(|_| Reply::Taken);
    organisation.more += &peer.standard("desk");
    std::fs::write(organisation.path("hook"), SECRET).unwrap();
    organisation.configure();
    let mut told = Vec::new();
    for (person, secrets) in [(0, SECRET), (1, TWO_SECRETS)] {
        std::fs::write(organisation.path("hook"), secrets).unwrap();
        daemon.signal(Signal::HUP);
        wait_for_a_pass_after_reload(&daemon, person + 1);
        let user = Organisation::address(person);
        let said = organisation.say(&[
            "window",
            "extend",
            &user,
            "--days",
            "3",
            "--reason",
            "on a journey",
        ]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        eventually("the event", || {
            told = peer.taken("desk");
            (told.len() > person).then_some(())
        });
    }
    let came: Vec<(String, usize)> = told
        .iter()
        .map(|came| (came.event(), came.signatures))
        .collect();
    let extended = || "window.extended".to_owned();
    assert_eq!(came, [(extended(), 1), (extended(), 2)]);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn systemd_hears_of_start_progress_and_stop() {
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(2, since, recorder.port);
    organisation.configure();
    let path = organisation.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    for (name, value) in [
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "3000000"),
    ] {
        organisation
            .environment
            .push((name.to_owned(), value.to_owned()));
    }
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    let mut heard = String::new();
    let mut hear_until = |wanted: &str, times: usize| {
        while heard.matches(wanted).count() < times {
            let mut bytes = [0; 4096];
            let length = socket
                .recv(&mut bytes)
                .unwrap_or_else(|error| panic!("no {wanted}: {error}; {heard}"));
            heard += &String::from_utf8_lossy(&bytes[..length]);
            heard.push('\n');
        }
    };
    hear_until("READY=1", 1);
    hear_until("WATCHDOG=1", 3);
    hear_until("STATUS=last pass", 1);
    daemon.signal(Signal::HUP);
    hear_until("RELOADING=1", 1);
    hear_until("READY=1", 2);
    daemon.signal(Signal::TERM);
    hear_until("STOPPING=1", 1);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn its_pages_tell_how_it_is() {
    let begun = begin(2);
    assert_eq!(page(begun.port, "/healthz"), Some((200, "ok\n".to_owned())));
    assert_eq!(page(begun.port, "/elsewhere").unwrap().0, 404);
    let (code, body) = page(begun.port, "/readyz").unwrap();
    let ready: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(code, 200);
    assert_eq!(
        (&ready["fresh"], &ready["database_writable"]),
        (&true.into(), &true.into())
    );
}

/// Another process keeps the database to itself for longer than anyone waits.
#[tokio::test(flavor = "multi_thread")]
async fn a_busy_database_is_reported_and_survived() {
    use sqlx::Connection as _;
    let mut begun = begin(2);
    let url = format!(
        "sqlite:{}",
        begun.organisation.path("fortnight.db").display()
    );
    let mut busy = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut busy)
        .await
        .unwrap();
    eventually("trouble", || {
        page(begun.port, "/readyz").filter(|(code, _)| *code == 503)
    });
    assert_eq!(page(begun.port, "/healthz").unwrap().0, 200);
    sqlx::query("ROLLBACK").execute(&mut busy).await.unwrap();
    eventually("recovery", || {
        page(begun.port, "/readyz").filter(|(code, _)| *code == 200)
    });
    assert_eq!(begun.daemon.ended(), None);
}

#[test]
fn a_database_that_vanishes_ends_it() {
    let mut begun = begin(2);
    for name in ["fortnight.db", "fortnight.db-wal", "fortnight.db-shm"] {
        std::fs::remove_file(begun.organisation.path(name)).unwrap();
    }
    assert_eq!(begun.daemon.end(), Some(3));
    let said = begun.organisation.say(&["run"]);
    assert_eq!(said.code, Some(3));
    assert_eq!(begun.recorder.kept().len(), 2);
    assert!(!begun.organisation.path("fortnight.db").exists());
}

#[test]
fn a_port_that_is_taken_is_said_with_its_key() {
    let mut organisation = Organisation::new(1, at("2026-01-05T08:00:00Z"), 9);
    let port = organisation.listen();
    organisation.configure();
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    let said = organisation.say(&["run"]);
    assert_eq!(said.code, Some(1));
    let error =
        format!("cannot listen on 127.0.0.1:{port} for /healthz and /readyz: name an address");
    assert!(said.err.contains(&error), "{}", said.err);
    assert!(said.err.contains("free in http.listen"), "{}", said.err);
}
