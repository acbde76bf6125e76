//! The daemon as its operators and systemd meet it.

use rustix::process::Signal;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::support::endpoint::{Endpoints, Reply, SECRET, TWO_SECRETS};
use crate::support::program::{
    self, Organisation, Running, Said, after, at, eventually, hours, page, ready,
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
    assert!(!warned.to_string().contains("windw"), "{warned}");
    assert!(daemon.log().contains("windw"), "{}", daemon.log());
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
    assert!(!warned.to_string().contains("http.listen"), "{warned}");
    assert!(
        daemon.log().contains("http.listen changed"),
        "{}",
        daemon.log()
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
    crate::support::write_secret(organisation.path("hook"), SECRET);
    organisation.configure();
    let mut told = Vec::new();
    for (person, secrets) in [(0, SECRET), (1, TWO_SECRETS)] {
        crate::support::write_secret(organisation.path("hook"), secrets);
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

/// What systemd hears.
struct Systemd {
    socket: UnixDatagram,
    heard: String,
}

impl Systemd {
    /// Ready to hear of an organisation's daemon, whose watchdog has so much patience.
    fn of(organisation: &mut Organisation, patience: Duration) -> Self {
        let path = organisation.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        Self::at(path.to_str().unwrap(), socket, organisation, patience)
    }

    fn at(
        name: &str,
        socket: UnixDatagram,
        organisation: &mut Organisation,
        patience: Duration,
    ) -> Self {
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let patience = patience.as_micros().to_string();
        for (name, value) in [("NOTIFY_SOCKET", name), ("WATCHDOG_USEC", &patience)] {
            organisation
                .environment
                .push((name.to_owned(), value.to_owned()));
        }
        Self {
            socket,
            heard: String::new(),
        }
    }

    fn hear_until(&mut self, wanted: &str, times: usize) {
        while self.heard.matches(wanted).count() < times {
            let mut bytes = [0; 4096];
            let length = self
                .socket
                .recv(&mut bytes)
                .unwrap_or_else(|error| panic!("no {wanted}: {error}; {}", self.heard));
            self.heard += &String::from_utf8_lossy(&bytes[..length]);
            self.heard.push('\n');
        }
    }
}

#[test]
fn systemd_hears_of_start_progress_and_stop() {
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(2, since, recorder.port);
    organisation.configure();
    let mut systemd = Systemd::of(&mut organisation, Duration::from_secs(3));
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    systemd.hear_until("READY=1", 1);
    systemd.hear_until("WATCHDOG=1", 3);
    systemd.hear_until("STATUS=last pass", 1);
    daemon.signal(Signal::HUP);
    systemd.hear_until("RELOADING=1", 1);
    systemd.hear_until("READY=1", 2);
    daemon.signal(Signal::TERM);
    systemd.hear_until("STOPPING=1", 1);
    assert_eq!(daemon.end(), Some(0));
}

/// Some containers and older systemd listen where no file is.
#[cfg(target_os = "linux")]
#[test]
fn systemd_hears_of_the_start_at_a_name_that_is_no_file() {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(2, since, recorder.port);
    organisation.configure();
    let name = format!("fortnight-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let socket = UnixDatagram::bind_addr(&address).unwrap();
    let patience = Duration::from_secs(30);
    let mut systemd = Systemd::at(&format!("@{name}"), socket, &mut organisation, patience);
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    systemd.hear_until("READY=1", 1);
    daemon.signal(Signal::TERM);
    systemd.hear_until("STOPPING=1", 1);
    assert_eq!(daemon.end(), Some(0));
}

#[test]
fn systemd_that_cannot_be_told_is_warned_of() {
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(2, since, recorder.port);
    organisation.configure();
    let nowhere = ("NOTIFY_SOCKET".to_owned(), "/nowhere/notify".to_owned());
    organisation.environment.push(nowhere);
    let mut daemon = organisation.spawn(&mut organisation.command(&["run"]));
    let warned = || {
        daemon
            .log()
            .contains("systemd cannot be told")
            .then_some(())
    };
    eventually("a warning", warned);
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.end(), Some(0));
}

/// A service whose passes fail is not alive: systemd starts it anew, unless they go well before.
#[tokio::test(flavor = "multi_thread")]
async fn passes_that_fail_do_not_feed_the_watchdog() {
    use sqlx::Connection as _;
    let recorder = Recorder::start(|_| Answer::Well);
    let since = after(program::now(), hours(-1));
    let mut organisation = Organisation::new(2, since, recorder.port);
    organisation.configure();
    let mut systemd = Systemd::of(&mut organisation, Duration::from_millis(300));
    let _daemon = organisation.spawn(&mut organisation.command(&["run"]));
    systemd.hear_until("STATUS=last pass", 2);
    let url = format!("sqlite:{}", organisation.path("fortnight.db").display());
    let mut other = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let text = "ALTER TABLE holds RENAME TO elsewhere";
    sqlx::query(text).execute(&mut other).await.unwrap();
    systemd.hear_until("STATUS=the last pass failed", 2);
    systemd.heard.clear();
    systemd.hear_until("STATUS=the last pass failed", 2);
    assert!(!systemd.heard.contains("WATCHDOG=1"), "{}", systemd.heard);
    let text = "ALTER TABLE elsewhere RENAME TO holds";
    sqlx::query(text).execute(&mut other).await.unwrap();
    systemd.hear_until("WATCHDOG=1", 2);
    systemd.hear_until("STATUS=last pass", 1);
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

/// Somebody restores a backup without stopping it: what it would write from then on nobody would find.
#[test]
fn a_database_that_is_replaced_ends_it() {
    let mut begun = begin(2);
    let path = begun.organisation.path("fortnight.db");
    let backup = begun.organisation.path("backup.db");
    std::fs::copy(&path, &backup).unwrap();
    std::fs::rename(&backup, &path).unwrap();
    assert_eq!(begun.daemon.end(), Some(3));
    let log = begun.daemon.log();
    assert!(
        log.contains("was replaced while fortnight used it: start fortnight again"),
        "{log}"
    );
}

/// The mark can be emptied and removed while passes run; the database is locked too.
#[test]
fn a_second_one_leaves_it_to_the_first_without_the_mark_and_under_another_name() {
    let begun = begin(2);
    let path = |name: &str| begun.organisation.path(name);
    std::os::unix::fs::symlink("fortnight.db", path("link.db")).unwrap();
    std::fs::hard_link(path("fortnight.db"), path("hard.db")).unwrap();
    let cycle = |database: &str| {
        let mut cycle = begun.organisation.command(&["cycle"]);
        cycle.env("FORTNIGHT__DATABASE__URL", format!("sqlite:{database}"));
        Said::by(cycle)
    };
    let mut said = vec![cycle("fortnight.db"), cycle("link.db"), cycle("hard.db")];
    std::fs::write(path("fortnight.db.lock"), "").unwrap();
    said.push(cycle("fortnight.db"));
    std::fs::remove_file(path("fortnight.db.lock")).unwrap();
    said.push(cycle("fortnight.db"));
    for said in said {
        assert!(!said.out.contains("Pass of"), "{}", said.out);
        assert_eq!(said.code, Some(0), "{}", said.err);
        let named = format!("process {}", begun.daemon.id());
        assert!(said.err.contains(&named), "{}", said.err);
        assert!(said.err.contains("this pass is left to it"), "{}", said.err);
    }
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
