//! A host whose clock is set while the daemon runs: libfaketime moves the wall clock of the live
//! process, and leaves it the monotonic and the boot-time clock.

use std::collections::BTreeSet;
use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};

use crate::support::program::{
    self, Organisation, Running, after, at, eventually, hours, missing, ready,
};
use crate::support::recorder::{Answer, PATIENCE, Recorder};

const PEOPLE: usize = 8;

fn libfaketime() -> Option<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").ok()?;
    folders
        .filter_map(|folder| Some(folder.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|file| file.exists())
}

/// A daemon on a host whose clock can be set.
struct Host {
    daemon: Option<Running>,
    organisation: Organisation,
    recorder: Recorder,
    port: u16,
}

impl Host {
    /// Started at that time, an hour after everybody signed in; none where it cannot be done.
    fn start(now: Timestamp) -> Option<Self> {
        let Some(library) = libfaketime() else {
            missing("libfaketime (Debian package faketime)");
            return None;
        };
        let recorder = Recorder::start(|_| Answer::Well);
        let mut organisation = Organisation::new(PEOPLE, after(now, hours(-1)), recorder.port);
        let port = organisation.listen();
        organisation.configure();
        let clock = organisation.path("clock");
        for (name, value) in [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
            ("FAKETIME_NO_CACHE", "1"),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ("NO_FAKE_STAT", "1"),
        ] {
            organisation
                .environment
                .push((name.to_owned(), value.to_owned()));
        }
        let mut host = Self {
            organisation,
            recorder,
            daemon: None,
            port,
        };
        host.set(now);
        let command = &mut host.organisation.command(&["run"]);
        host.daemon = Some(host.organisation.spawn(command));
        assert!(host.recorder.wait_kept(PEOPLE, PATIENCE));
        host.passes_go_on();
        assert_eq!(host.organisation.holds(), [""; 0]);
        Some(host)
    }

    /// Sets the clock, and has the directory say the same as of then.
    fn set(&self, now: Timestamp) {
        self.organisation.export(now);
        let offset = now.as_second() - program::now().as_second();
        let part = self.organisation.path("clock-part");
        std::fs::write(&part, format!("{offset:+}\n")).unwrap();
        std::fs::rename(part, self.organisation.path("clock")).unwrap();
    }

    fn last_pass(&self) -> Option<Timestamp> {
        Some(at(ready(self.port)?["last_pass"].as_str()?))
    }

    /// One more pass, whatever the clock shows.
    fn passes_go_on(&self) {
        let before = eventually("a pass", || self.last_pass());
        eventually("another pass", || {
            self.last_pass().filter(|last| *last != before)
        });
    }

    fn passes_reach(&self, then: Timestamp) {
        eventually("a pass at that time", || {
            self.last_pass().filter(|last| *last > then)
        });
    }

    fn wait_for_hold(&self) {
        eventually("the hold `clock`", || {
            self.organisation
                .holds()
                .contains(&"clock".to_owned())
                .then_some(())
        });
    }

    fn approve(&self) {
        let said = self.organisation.say(&[
            "enforcement",
            "approve",
            "clock",
            "--reason",
            "the host was wrong before",
        ]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        eventually("the end of the hold", || {
            (!self.organisation.holds().contains(&"clock".to_owned())).then_some(())
        });
    }

    fn nobody_is_flagged(&self) {
        let said =
            self.organisation
                .say(&["users", "--state", "enforcement_needed", "--format", "json"]);
        assert_eq!(said.json(), serde_json::json!([]));
    }

    fn nothing_was_sent_twice(&self) {
        let kept = self.recorder.kept();
        let ids: BTreeSet<_> = kept.iter().map(|kept| &kept.message_id).collect();
        assert_eq!(ids.len(), kept.len());
        let rows = self.organisation.deliveries();
        let sent: Vec<_> = rows
            .iter()
            .filter(|row| row["state"] == "sent" && !row["user"].is_null())
            .map(|row| {
                format!(
                    "{} {} {} {}",
                    row["user"], row["event"], row["step"], row["deadline"]
                )
            })
            .collect();
        assert_eq!(
            sent.iter().collect::<BTreeSet<_>>().len(),
            sent.len(),
            "{sent:#?}"
        );
    }
}

#[test]
fn an_hour_forward_and_back() {
    let begin = at("2026-06-01T08:00:00Z");
    let Some(host) = Host::start(begin) else {
        return;
    };
    host.set(after(begin, hours(1)));
    host.wait_for_hold();
    host.passes_reach(after(begin, hours(1)));
    host.passes_go_on();
    host.approve();
    host.passes_go_on();
    assert_eq!(host.recorder.mailbox("p0@contoso.example").len(), 1);

    host.set(begin);
    host.wait_for_hold();
    // Time stands behind the newest pass: passes go on, and nothing is said.
    let said = host.organisation.say(&[
        "window",
        "extend",
        "p1@contoso.example",
        "--days",
        "2",
        "--reason",
        "ill",
    ]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    eventually("the mail to be queued", || {
        (host.organisation.deliveries_to(1).len() == 2).then_some(())
    });
    host.passes_go_on();
    assert_eq!(host.recorder.mailbox("p1@contoso.example").len(), 1);
    host.approve();
    eventually("the mail that waited", || {
        (host.recorder.mailbox("p1@contoso.example").len() == 2).then_some(())
    });
    host.nobody_is_flagged();
    host.nothing_was_sent_twice();
}

#[test]
fn two_weeks_forward_and_back() {
    let begin = at("2026-06-01T08:00:00Z");
    let Some(host) = Host::start(begin) else {
        return;
    };
    // The deadlines lie behind, the facts are fresh: only the hold keeps the flags.
    host.set(after(begin, hours(14 * 24)));
    host.wait_for_hold();
    host.passes_reach(after(begin, hours(14 * 24)));
    host.passes_go_on();
    host.nobody_is_flagged();
    let kept = host.recorder.kept().len();

    host.set(after(begin, hours(1)));
    eventually("the pass after the jump", || {
        host.last_pass()
            .filter(|last| *last < after(begin, hours(2)))
    });
    host.wait_for_hold();
    host.passes_go_on();
    host.nobody_is_flagged();
    assert_eq!(
        host.recorder.kept().len(),
        kept,
        "nothing is said behind the newest pass"
    );
    host.approve();
    host.passes_go_on();
    host.nobody_is_flagged();
    assert_eq!(host.organisation.user(0)["state"], "in_grace");
    // What was read in the days that never were is not from then.
    for source in host.organisation.status()["sources"].as_array().unwrap() {
        let as_of = at(source["as_of"].as_str().unwrap());
        assert!(as_of < after(begin, hours(3)), "{source}");
    }
    host.nothing_was_sent_twice();

    // Forward again, and this time an operator knows that it is right.
    let there = after(begin, hours(14 * 24 + 2));
    host.set(there);
    host.wait_for_hold();
    host.approve();
    let flagged = || (host.organisation.user(0)["state"] == "enforcement_needed").then_some(());
    eventually("the flags", flagged);
    host.nothing_was_sent_twice();
}

/// Berlin's clocks change at one in the morning UTC; the daemon is set to just before that.
fn a_change_of_daylight_saving_time(change: Timestamp) {
    let begin = after(change, hours(-5 * 24));
    let Some(host) = Host::start(begin) else {
        return;
    };
    host.set(after(change, SignedDuration::from_secs(-4)));
    host.wait_for_hold();
    host.passes_reach(after(change, SignedDuration::from_secs(4)));
    host.passes_go_on();
    host.approve();
    host.passes_go_on();
    // The last minutes of the hour that is left out, or comes twice.
    host.set(after(
        change,
        SignedDuration::from_mins(59) + SignedDuration::from_secs(56),
    ));
    host.passes_reach(after(change, hours(1)));
    host.passes_go_on();
    host.nobody_is_flagged();
    host.nothing_was_sent_twice();
}

#[test]
fn the_hour_that_is_left_out_in_spring() {
    a_change_of_daylight_saving_time(at("2026-03-29T01:00:00Z"));
}

#[test]
fn the_hour_that_comes_twice_in_autumn() {
    a_change_of_daylight_saving_time(at("2026-10-25T01:00:00Z"));
}
