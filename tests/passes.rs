//! Whole passes over a small tenant: exports in a folder, a database, mail into a folder.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use sqlx::{Connection as _, SqliteConnection};
use tokio_util::sync::CancellationToken;

use fortnight::config::Config;
use fortnight::domain::delivery::Disposition;
use fortnight::domain::facts::Channel;
use fortnight::domain::fault::Order;
use fortnight::domain::hold::{Hold, HoldKind};
use fortnight::domain::id::PolicyName;
use fortnight::domain::seen::Seen;
use fortnight::domain::state::State;
use fortnight::engine::{Engine, Wake};
use fortnight::pass::{self, PassError};
use fortnight::report::{PassReport, Progress};
use fortnight::store::approvals::Withdrawal;
use fortnight::store::holds::Approval;
use fortnight::store::load::Dossier;
use fortnight::store::outbox::{Claimed, DeliveryRow, EMAIL, Lease, Settled};
use fortnight::store::outcome::Outcome;
use fortnight::store::{Store, Whom};
use fortnight::time::Clock;

use crate::support::world::{CONFIGURATION, day, hours, operator};

const NOBODY_EXCLUDED: &str = r#"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
allow_empty_exclusion = true
"#;

const EMERGENCY_EXCLUDED: &str = r#"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
exclude = { groups = ["emergency"] }
"#;

struct Tenant {
    folder: tempfile::TempDir,
    store: Store,
}

impl Tenant {
    async fn new(policies: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tenant")).unwrap();
        let store = Store::open(&folder.path().join("fortnight.db"))
            .await
            .unwrap();
        let tenant = Self { folder, store };
        tenant.configure(policies);
        tenant
    }

    fn configure(&self, policies: &str) {
        let (before, rest) = CONFIGURATION.split_once("[[policy]]").unwrap();
        let (_, email) = rest.split_once("[email]").unwrap();
        let text = format!("{before}[email]{email}{policies}");
        std::fs::write(self.config_path(), text).unwrap();
    }

    fn config_path(&self) -> PathBuf {
        self.folder.path().join("fortnight.toml")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("tenant").join(name)
    }

    fn put(&self, name: &str, at: Timestamp, rows: &[String]) {
        let path = self.path(name);
        std::fs::write(&path, format!("{{\"value\":[{}]}}", rows.join(","))).unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_modified(at.into()).unwrap();
    }

    /// Everybody of a fresh export, in the report without a method.
    fn people(&self, at: Timestamp, names: &[&str]) {
        let users: Vec<String> = names.iter().map(|name| person(name)).collect();
        self.put("users.json", at, &users);
        self.report(
            at,
            &names.iter().map(|name| (*name, false)).collect::<Vec<_>>(),
        );
    }

    /// The same, and a log in which nobody signed in.
    fn fresh(&self, at: Timestamp, names: &[&str]) {
        self.people(at, names);
        self.sign_ins(at, &[]);
    }

    fn report(&self, at: Timestamp, rows: &[(&str, bool)]) {
        let rows: Vec<String> = rows
            .iter()
            .map(|(name, done)| dated(registration(name, *done), at))
            .collect();
        self.put("registration.json", at, &rows);
    }

    fn sign_ins(&self, at: Timestamp, rows: &[(&str, Timestamp)]) {
        let rows: Vec<String> = rows
            .iter()
            .map(|(name, at)| {
                format!(r#"{{"id":"{name}-{}","createdDateTime":"{at}","userId":"{name}","isInteractive":true,"clientAppUsed":"Browser","status":{{"errorCode":0}}}}"#, at.as_second())
            })
            .collect();
        self.put("sign-ins.json", at, &rows);
    }

    /// A fresh export of people with what the directory remembers of their sign-ins, and the report.
    fn active(&self, at: Timestamp, people: &[(&str, Option<Timestamp>)]) {
        let names: Vec<&str> = people.iter().map(|(name, _)| *name).collect();
        self.people(at, &names);
        let users: Vec<String> = people
            .iter()
            .map(|(name, last)| {
                let last = last.map_or("null".to_owned(), |last| format!("\"{last}\""));
                let activity = format!(",\"signInActivity\":{{\"lastSignInDateTime\":{last}}}}}");
                person(name).replace('}', &activity)
            })
            .collect();
        self.put("users.json", at, &users);
    }

    fn group(&self, at: Timestamp, name: &str, members: &[&str]) {
        self.put("groups.json", at, &[group(name, members)]);
    }

    fn engine(&self, at: Timestamp) -> Engine {
        let (config, _) = Config::load(&self.config_path(), []).unwrap();
        let progress = Arc::new(Progress::default());
        Engine::new(self.store.clone(), config, Clock::fixed_at(at), progress).unwrap()
    }

    /// A pass that dies before its deliveries.
    async fn undelivered(&self, at: Timestamp) -> PassReport {
        let mut report = PassReport::new(at);
        let stopped = CancellationToken::new();
        stopped.cancel();
        self.engine(at)
            .pass(Wake::Sources, &mut report, &stopped)
            .await
            .unwrap();
        report
    }

    async fn try_pass(&self, wake: Wake, at: Timestamp) -> Result<PassReport, PassError> {
        let engine = self.engine(at);
        let mut report = PassReport::new(at);
        engine
            .pass(wake, &mut report, &CancellationToken::new())
            .await?;
        Ok(report)
    }

    async fn pass(&self, at: Timestamp) -> PassReport {
        self.try_pass(Wake::Sources, at).await.unwrap()
    }

    async fn changes(&self, at: Timestamp) -> PassReport {
        self.try_pass(Wake::Changes, at).await.unwrap()
    }

    async fn approve(&self, hold: &str, at: Timestamp) {
        let shown = self.store.shown(hold).await.unwrap().expect(hold);
        assert!(
            self.store
                .approve(&shown, &operator(), "looked", at)
                .await
                .unwrap()
        );
    }

    async fn dossier(&self, name: &str) -> Dossier {
        let whom = Whom::these([name]);
        self.store.load(&whom).await.unwrap().remove(0)
    }

    async fn state(&self, name: &str) -> String {
        let kept = self.dossier(name).await.kept;
        let state = kept.values().next().map(|kept| kept.state.as_str());
        state.unwrap_or_default().to_owned()
    }

    /// A pass that ends where it would queue a mail of this kind, as if it were killed there.
    async fn pass_that_ends_at(&self, event: &str, at: Timestamp) {
        let url = format!("sqlite:{}", self.store.path().display());
        let mut database = SqliteConnection::connect(&url).await.unwrap();
        let end = format!(
            "CREATE TRIGGER the_end BEFORE INSERT ON outbox WHEN NEW.event = '{event}' BEGIN SELECT RAISE(ABORT, 'the end'); END"
        );
        let end = sqlx::query(sqlx::AssertSqlSafe(end));
        end.execute(&mut database).await.unwrap();
        self.try_pass(Wake::Sources, at).await.unwrap_err();
        let go_on = sqlx::query("DROP TRIGGER the_end");
        go_on.execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    }

    async fn mails(&self, event: &str) -> Vec<&'static str> {
        let rows = self.store.deliveries(&[], None).await.unwrap();
        rows.into_iter()
            .filter(|row| row.event == event)
            .map(|row| row.state.as_str())
            .collect()
    }

    /// Claims mails as a delivery that breaks off right after; how many.
    async fn claim(&self, at: Timestamp) -> usize {
        let lease = Lease {
            by: "a delivery that broke off".to_owned(),
            until: at + hours(1),
        };
        let claimed = self
            .store
            .claim(EMAIL, 10, Order::Turn, &lease, at)
            .await
            .unwrap();
        claimed.len()
    }
}

fn person(name: &str) -> String {
    format!(
        r#"{{"id":"{name}","userPrincipalName":"{name}@contoso.com","mail":"{name}@contoso.com","accountEnabled":true}}"#
    )
}

fn registration(name: &str, done: bool) -> String {
    format!(
        r#"{{"id":"{name}","userPrincipalName":"{name}@contoso.com","isMfaRegistered":{done},"isMfaCapable":{done},"isPasswordlessCapable":false,"methodsRegistered":[]}}"#
    )
}

/// A row of a report, refreshed then.
fn dated(row: String, at: Timestamp) -> String {
    row.replacen('{', &format!(r#"{{"lastUpdatedDateTime":"{at}","#), 1)
}

fn group(name: &str, members: &[&str]) -> String {
    format!(
        r#"{{"id":"g-{name}","displayName":"{name}","members":{}}}"#,
        serde_json::to_string(members).unwrap()
    )
}

fn hold_ids(report: &PassReport) -> Vec<&str> {
    report.holds.iter().map(|hold| hold.id.as_str()).collect()
}

/// Names of so many people.
fn crowd(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("p{number:03}")).collect()
}

fn names(people: &[String]) -> Vec<&str> {
    people.iter().map(String::as_str).collect()
}

impl Tenant {
    /// All whom an approval of `mass` covers, flagged as a pass does before it commits that.
    async fn judged_by_approval(&self, at: Timestamp) -> (Vec<Outcome>, Approval) {
        let (config, _) = Config::load(&self.config_path(), []).unwrap();
        let policies = pass::policies(&self.store, &config, at).await.unwrap();
        let world = pass::world(&self.store, &config, Channel::Works, at).await;
        let world = world.unwrap();
        let history = self.store.mass_history(&policies, at).await.unwrap();
        let (history, given) = (history.0, history.1.unwrap());
        let ids = history.approved.iter().map(|(_, user)| user.as_str());
        let dossiers = self.store.load(&Whom::these(ids)).await.unwrap();
        let judged = dossiers.into_iter().map(|dossier| {
            let mut outcome = pass::look(dossier, &policies, &world, at);
            let facts = outcome.dossier.facts(&world, policies[0].nested);
            let decision = outcome.decisions.remove(0);
            assert!(decision.would_flag);
            outcome.decisions = vec![decision.flagged(&policies[0], &facts, at)];
            outcome.approved_by_hold = Some(given.clone());
            outcome
        });
        (judged.collect(), given.clone())
    }

    /// Everybody signs in on day 0 and is told; on day 15 the deadline has passed and fresh
    /// exports lie there. `groups` writes the groups of a day.
    async fn until_overdue(&self, people: &[&str], groups: impl Fn(&Self, Timestamp)) {
        let at = day(0) + hours(1);
        self.people(day(0), people);
        groups(self, day(0));
        self.sign_ins(
            at,
            &people
                .iter()
                .map(|name| (*name, day(0) + hours(1)))
                .collect::<Vec<_>>(),
        );
        self.pass(day(0)).await;
        let told = self.pass(at).await;
        assert_eq!(told.holds, []);
        self.people(day(15), people);
        groups(self, day(15));
        self.sign_ins(
            day(15),
            &people
                .iter()
                .map(|name| (*name, day(0) + hours(1)))
                .collect::<Vec<_>>(),
        );
    }
}

#[tokio::test]
async fn a_small_tenant_is_told_and_flagged() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    let report = tenant.pass(day(15)).await;
    assert_eq!((report.flagged, report.holds.len()), (2, 0), "{report:?}");
}

#[tokio::test]
async fn case_49_a_sign_in_of_a_stranger_waits_without_work_and_counts_when_the_person_appears() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0)), ("newhire", day(0))]);
    tenant.pass(day(0)).await;
    tenant.sign_ins(day(1), &[("ana", day(0)), ("newhire", day(0) + hours(20))]);
    tenant.pass(day(1)).await;
    assert!(!tenant.store.anything_changed().await.unwrap());
    tenant.people(day(2), &["ana", "newhire"]);
    let report = tenant.pass(day(2)).await;
    assert_eq!(report.windows.opened, 1, "{report:?}");
}

#[tokio::test]
async fn i17_a_policy_that_left_the_configuration_sends_and_flags_no_more() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana"], |_, _| {}).await;
    assert_eq!(tenant.pass(day(15)).await.flagged, 1);
    tenant.configure(&NOBODY_EXCLUDED.replace("everyone", "successor"));
    let report = tenant.pass(day(15) + hours(1)).await;
    assert_eq!(
        (report.released, report.windows.paused),
        (1, 1),
        "{report:?}"
    );
    // Back again, it goes on with what was left, never at once.
    tenant.configure(NOBODY_EXCLUDED);
    let report = tenant.pass(day(15) + hours(2)).await;
    assert_eq!(
        (report.flagged, report.windows.resumed),
        (0, 1),
        "{report:?}"
    );
}

#[tokio::test]
async fn i17_mails_of_a_policy_that_is_not_on_are_not_claimed() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    let pass = tenant.undelivered(day(0) + hours(1)).await;
    assert_eq!(pass.deliveries.queued, 1);
    let name = fortnight::domain::id::PolicyName::new("everyone");
    let mut memory = tenant.store.policies().await.unwrap()[&name];
    memory.enforce = fortnight::domain::policy::Enforce::Off;
    tenant.store.remember_policy(&name, &memory).await.unwrap();
    assert_eq!(tenant.claim(day(0) + hours(1)).await, 0);
}

#[tokio::test]
async fn an_approval_outlasts_a_look_at_changes_only() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass"]);
    tenant.until_overdue(&["ana", "glass"], full).await;
    tenant.group(day(15), "emergency", &[]);
    let report = tenant.pass(day(15)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/g-emergency"]);
    tenant
        .approve("exclusion:everyone/g-emergency", day(15) + hours(1))
        .await;
    let report = tenant.changes(day(15) + hours(1)).await;
    assert_eq!((report.flagged, report.holds.len()), (0, 1));
    let report = tenant.pass(day(15) + hours(2)).await;
    assert_eq!((report.flagged, report.holds.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn an_approval_of_a_mass_outlasts_another_hold() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(12);
    tenant.until_overdue(&names(&people), |_, _| {}).await;
    let report = tenant.pass(day(15)).await;
    assert_eq!((report.flagged, hold_ids(&report)), (0, vec!["mass"]));
    tenant.approve("mass", day(15) + hours(2)).await;
    let report = tenant.pass(day(16) + hours(1)).await;
    assert!(hold_ids(&report).contains(&"stale:users"), "{report:?}");
    tenant.people(day(16) + hours(1), &names(&people));
    tenant.sign_ins(day(16) + hours(1), &[]);
    let report = tenant.pass(day(16) + hours(1)).await;
    assert_eq!(
        (report.flagged, hold_ids(&report)),
        (12, vec![]),
        "{report:?}"
    );
}

#[tokio::test]
async fn case_16_groups_that_cannot_be_read_hold_their_policies() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass"]);
    tenant.until_overdue(&["ana", "glass"], full).await;
    std::fs::write(tenant.path("groups.json"), "{").unwrap();
    for hour in 0..2 {
        let report = tenant.pass(day(15) + hours(hour)).await;
        assert_eq!(
            (report.flagged, hold_ids(&report)),
            (0, vec!["exclusion:everyone/groups"]),
            "{report:?}"
        );
    }
    let report = tenant.changes(day(15) + hours(2)).await;
    assert_eq!((report.flagged, report.holds.len()), (0, 1));
    full(&tenant, day(15));
    let report = tenant.pass(day(15) + hours(3)).await;
    assert_eq!(
        (report.flagged, hold_ids(&report)),
        (1, vec![]),
        "{report:?}"
    );
    let kept = tenant.dossier("glass").await.kept;
    assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
}

#[tokio::test]
async fn i13_the_hold_of_a_collapsed_snapshot_outlasts_its_file() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    tenant.put("users.json", day(15), &[person("ana")]);
    tenant.pass(day(14) + hours(12)).await;
    tenant.put("users.json", day(15), &[]);
    assert_eq!(hold_ids(&tenant.pass(day(15)).await), ["snapshot:users"]);
    std::fs::remove_file(tenant.path("users.json")).unwrap();
    let report = tenant.pass(day(15) + hours(1)).await;
    assert_eq!(
        (report.flagged, hold_ids(&report)),
        (0, vec!["snapshot:users"]),
        "{report:?}"
    );
}

#[tokio::test]
async fn i11_nothing_is_delivered_while_time_stands_behind_the_newest_pass() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    tenant.undelivered(day(0) + hours(1)).await;
    tenant.store.note_pass(day(9)).await.unwrap();
    let mut report = PassReport::new(day(1));
    tenant
        .engine(day(1))
        .deliver(&mut report, &CancellationToken::new())
        .await
        .unwrap();
    assert_eq!(report.deliveries.sent, 0);
}

#[tokio::test]
async fn a_mail_whose_settling_failed_is_sent_once_more_without_a_restart() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    tenant.undelivered(day(0) + hours(1)).await;
    assert_eq!(tenant.claim(day(0) + hours(1)).await, 1);
    tenant.pass(day(0) + hours(2)).await;
    let report = tenant.pass(day(0) + hours(3)).await;
    assert_eq!(report.deliveries.sent, 1, "{report:?}");
}

#[tokio::test]
async fn a_mail_whose_settling_failed_is_withdrawn_by_a_pass_that_finds_it_untrue() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    tenant.undelivered(day(0) + hours(1)).await;
    assert_eq!(tenant.claim(day(0) + hours(1)).await, 1);
    tenant.report(day(0) + hours(2), &[("ana", true)]);
    tenant.pass(day(0) + hours(2)).await;
    let deliveries = tenant.store.deliveries(&[], None).await.unwrap();
    let states: Vec<&str> = deliveries.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["superseded"]);
}

/// Pages of one row have every row once, in its order.
#[tokio::test]
async fn pages_of_the_outbox_go_on_behind_each_other() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(5);
    let names: Vec<&str> = people.iter().map(String::as_str).collect();
    tenant.people(day(0), &names);
    let signed_in: Vec<_> = names
        .iter()
        .map(|name| (*name, day(0) + hours(1)))
        .collect();
    tenant.sign_ins(day(0), &signed_in);
    tenant.pass(day(0) + hours(1)).await;
    let all = tenant.store.deliveries(&[], None).await.unwrap();
    assert_eq!(all.len(), 5);
    let (mut paged, mut last) = (Vec::new(), i64::MIN);
    loop {
        let page = tenant
            .store
            .deliveries_after(&[], None, last, 2)
            .await
            .unwrap();
        let Some(row) = page.last() else {
            break;
        };
        last = row.position;
        paged.extend(page);
    }
    let ids =
        |rows: &[DeliveryRow]| -> Vec<String> { rows.iter().map(|row| row.id.clone()).collect() };
    assert_eq!(ids(&paged), ids(&all));
}

/// A person whose window is announced, the mail on its way at that moment.
async fn announcing(now: Timestamp) -> (Tenant, Vec<Claimed>) {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    tenant.undelivered(day(0) + hours(1)).await;
    let lease = Lease {
        by: "a delivery beside the pass".to_owned(),
        until: now + hours(1),
    };
    let claim = tenant.store.claim(EMAIL, 10, Order::Turn, &lease, now);
    let claimed = claim.await.unwrap();
    (tenant, claimed)
}

/// A mail that may have arrived names the same deadline for good: once that has passed there is
/// nothing to send again, and the window is announced anew.
#[tokio::test]
async fn a_mail_in_doubt_is_of_no_use_after_the_deadline_that_it_names() {
    for disposition in [None, Some(Disposition::Ambiguous)] {
        let now = day(0) + hours(2);
        let (tenant, claimed) = announcing(now).await;
        match disposition {
            None => drop(tenant.store.end_leases(None, now).await.unwrap()),
            Some(disposition) => {
                let settled = [settled(&claimed[0], disposition, now)];
                let settle = tenant
                    .store
                    .settle_at(EMAIL, &settled, None, None, None, now);
                settle.await.unwrap();
            }
        }
        let named = claimed[0].deadline.unwrap();
        tenant.store.expire(named - hours(1)).await.unwrap();
        let waits = tenant.mails("window.opened").await;
        assert_ne!(waits, ["expired"], "{disposition:?}");
        tenant.store.expire(named).await.unwrap();
        assert_eq!(tenant.mails("window.opened").await, ["expired"]);
    }
}

/// The end of an attempt without a word.
fn settled(claimed: &Claimed, disposition: Disposition, at: Timestamp) -> Settled {
    Settled {
        id: claimed.id.clone(),
        attempt: 1,
        resent: false,
        disposition,
        code: String::new(),
        text: String::new(),
        at,
    }
}

/// Deliveries go on beside passes: what a pass withdraws may be on its way just then.
#[tokio::test]
async fn a_mail_that_is_withdrawn_while_it_is_sent_is_not_tried_again() {
    for (disposition, state) in [
        (Disposition::RetryAt(day(0) + hours(3)), "superseded"),
        (Disposition::Ambiguous, "superseded"),
        (Disposition::Sent, "sent"),
    ] {
        let now = day(0) + hours(2);
        let (tenant, claimed) = announcing(now).await;
        tenant.report(now, &[("ana", true)]);
        let mut report = PassReport::new(now);
        let engine = tenant.engine(now);
        engine
            .look(Wake::Sources, &mut report, &CancellationToken::new())
            .await
            .unwrap();
        assert_eq!(tenant.mails("window.opened").await, ["leased"]);
        let settled = [settled(&claimed[0], disposition, now)];
        let settle = tenant
            .store
            .settle_at(EMAIL, &settled, None, None, None, now);
        settle.await.unwrap();
        assert_eq!(tenant.mails("window.opened").await, [state]);
        let counts = tenant.store.delivery_counts().await.unwrap();
        assert_eq!(counts.get(state), Some(&1), "{counts:?}");
    }
}

#[tokio::test]
async fn an_approved_growth_of_the_missing_does_not_cover_a_larger_one() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(60);
    let report = |at: Timestamp, lost: usize| {
        let rows: Vec<(&str, bool)> = people
            .iter()
            .enumerate()
            .map(|(number, name)| (name.as_str(), number >= lost))
            .collect();
        tenant.report(at, &rows);
    };
    tenant.people(day(0), &names(&people));
    tenant.sign_ins(day(0), &[]);
    report(day(0), 0);
    tenant.pass(day(0)).await;
    report(day(0) + hours(2), 12);
    assert_eq!(
        hold_ids(&tenant.pass(day(0) + hours(2)).await),
        ["missing_growth"]
    );
    tenant.approve("missing_growth", day(0) + hours(3)).await;
    report(day(0) + hours(4), 60);
    assert_eq!(
        hold_ids(&tenant.pass(day(0) + hours(4)).await),
        ["missing_growth"]
    );
    tenant.approve("missing_growth", day(0) + hours(5)).await;
    assert_eq!(
        hold_ids(&tenant.pass(day(0) + hours(6)).await),
        Vec::<&str>::new()
    );
}

#[tokio::test]
async fn case_16_a_renamed_exclusion_group_keeps_its_present_members() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass"]);
    tenant
        .until_overdue(&["ana", "glass", "newglass"], full)
        .await;
    let renamed = group("emergency", &["glass", "newglass"]).replace(
        "\"displayName\":\"emergency\"",
        "\"displayName\":\"break glass\"",
    );
    tenant.put("groups.json", day(15), &[renamed]);
    let report = tenant.pass(day(15)).await;
    assert_eq!(
        (report.flagged, hold_ids(&report)),
        (0, vec!["assignment:everyone"]),
        "{report:?}"
    );
    assert_eq!(tenant.state("newglass").await, "exempt");
}

#[tokio::test]
async fn case_14_a_member_by_name_is_excluded_when_the_name_becomes_known() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("glass", day(0) + hours(1))]);
    tenant.group(day(0), "emergency", &["glass@contoso.com"]);
    tenant.pass(day(0)).await;
    tenant.people(day(1), &["ana", "glass"]);
    let report = tenant.pass(day(1)).await;
    assert_eq!(report.windows.opened, 0);
    let kept = tenant.dossier("glass").await.kept;
    assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
}

#[tokio::test]
async fn of_two_rows_with_one_id_in_one_report_the_later_counts_and_nothing_was_lost() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    std::fs::remove_file(tenant.path("registration.json")).unwrap();
    // So many others that one row in two files makes them no editions of each other.
    let with_others = |prefix: &str, ana: bool| -> Vec<String> {
        let others = (0..12).map(|number| registration(&format!("{prefix}{number}"), false));
        others.chain([registration("ana", ana)]).collect()
    };
    tenant.put("registration-1.json", day(0), &with_others("l", true));
    tenant.put("registration-2.json", day(0), &with_others("r", false));
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    assert_eq!(tenant.pass(day(0) + hours(1)).await.windows.opened, 1);
    tenant.put("registration-2.json", day(1), &with_others("r", false));
    let report = tenant.pass(day(1)).await;
    assert_eq!(
        (report.windows.closed, tenant.state("ana").await.as_str()),
        (0, "in_grace"),
        "{report:?}"
    );
}

#[tokio::test]
async fn operators_who_are_new_hear_of_a_hold_that_stands() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let names_nobody = |at| {
        tenant.fresh(at, &["ana"]);
        tenant.group(at, "other", &[]);
    };
    names_nobody(day(0));
    tenant.pass(day(0)).await;
    names_nobody(day(1));
    tenant.pass(day(1)).await;
    assert_eq!(tenant.mails("hold.raised").await.len(), 1);
    let path = tenant.config_path();
    let text = std::fs::read_to_string(&path).unwrap();
    let two = "operators = [\"night@contoso.example\", ";
    std::fs::write(&path, text.replace("operators = [", two)).unwrap();
    for hour in 1..3 {
        tenant.pass(day(1) + hours(hour)).await;
        assert_eq!(tenant.mails("hold.raised").await.len(), 2, "one more, once");
    }
}

#[tokio::test]
async fn i31_operators_hear_of_whom_nobody_can_reach_although_the_pass_died() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana", "bo"]);
    tenant.put(
        "users.json",
        day(0),
        &["ana", "bo"].map(|name| person(name).replace("\"mail\"", "\"otherMail\"")),
    );
    let at = day(0) + hours(1);
    tenant.sign_ins(at, &[("ana", at), ("bo", at)]);
    tenant.pass(day(0)).await;
    tenant.pass_that_ends_at("delivery.dead", at).await;
    assert_eq!(tenant.state("ana").await, "in_grace");
    assert_eq!(tenant.mails("delivery.dead").await, [""; 0]);
    for pass in 1..3 {
        tenant.changes(at + hours(pass)).await;
        assert_eq!(tenant.mails("delivery.dead").await, ["sent"]);
    }
}

#[tokio::test]
async fn i31_operators_hear_that_a_hold_is_over_although_the_pass_died() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(12);
    tenant.until_overdue(&names(&people), |_, _| {}).await;
    assert_eq!(hold_ids(&tenant.pass(day(15)).await), ["mass"]);
    tenant.approve("mass", day(15) + hours(1)).await;
    let at = day(15) + hours(2);
    tenant.pass_that_ends_at("hold.cleared", at).await;
    assert_eq!(tenant.mails("hold.cleared").await, [""; 0]);
    for pass in 1..3 {
        let report = tenant.changes(at + hours(pass)).await;
        assert_eq!(report.holds, []);
        assert_eq!(tenant.mails("hold.cleared").await, ["sent"]);
    }
}

#[tokio::test]
async fn what_an_operator_did_while_a_pass_ran_comes_before_its_flag() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    tenant.report(day(15), &[("ana", false), ("bo", true)]);
    let url = format!("sqlite:{}", tenant.store.path().display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    // As an act marks its person, after the pass has decided about her.
    let act = "CREATE TRIGGER the_act AFTER INSERT ON journal WHEN NEW.kind = 'user.registered'
               BEGIN INSERT INTO changed (user_id, mark) VALUES ('ana', 1) ON CONFLICT (user_id) DO UPDATE SET mark = changed.mark + 1; END";
    sqlx::query(act).execute(&mut database).await.unwrap();
    assert_eq!(tenant.pass(day(15)).await.flagged, 0);
    assert_eq!(tenant.changes(day(15)).await.flagged, 1);
    database.close().await.unwrap();
}

/// A pass reads an approval, an operator takes it back, and the pass goes on; and the other way about.
#[tokio::test]
async fn nobody_is_flagged_by_an_approval_that_was_taken_back_and_what_was_used_is_not_taken_back()
{
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(12);
    tenant.until_overdue(&names(&people), |_, _| {}).await;
    assert_eq!(hold_ids(&tenant.pass(day(15)).await), ["mass"]);
    let desk = Store::open_existing(tenant.store.path()).await.unwrap();
    for (number, taken_back) in [(1, true), (5, false)] {
        let at = |minute: i64| day(15) + hours(number) + jiff::SignedDuration::from_mins(minute);
        tenant.approve("mass", at(0)).await;
        let (judged, given) = tenant.judged_by_approval(at(1)).await;
        if taken_back {
            let unused = withdraw(&desk, at(2)).await;
            assert_eq!(unused, Withdrawal::Done { flagged: 0 });
        }
        let tally = tenant.store.commit_judged(judged, "contoso.com", at(3));
        let flagged = tally.await.unwrap().flagged;
        assert_eq!(flagged, if taken_back { 0 } else { 12 });
        if !taken_back {
            let approved_at = at(0);
            let used = withdraw(&desk, at(4)).await;
            assert_eq!(
                used,
                Withdrawal::Used {
                    approved_at,
                    flagged
                }
            );
        }
        let given = [given];
        let changes = tenant.store.record_holds(&[], &given, true, at(5)).await;
        let changes = changes.unwrap();
        let cleared = changes.cleared.iter().map(|hold| hold.approved_by.clone());
        let by = Some(operator().name);
        let expected = if taken_back { vec![] } else { vec![by] };
        assert_eq!(cleared.collect::<Vec<_>>(), expected);
        if taken_back {
            let report = tenant.pass(at(6)).await;
            assert_eq!((report.flagged, hold_ids(&report)), (0, vec!["mass"]));
        }
    }
}

async fn withdraw(desk: &Store, at: Timestamp) -> Withdrawal {
    let by = operator();
    let taken_back = desk.withdraw_approval("mass", &by, "not ready", at);
    taken_back.await.unwrap()
}

#[tokio::test]
async fn an_approval_given_while_a_pass_ran_is_for_the_next_one_and_covers_whom_it_was_given_for() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let people = crowd(12);
    tenant.until_overdue(&names(&people), |_, _| {}).await;
    assert_eq!(hold_ids(&tenant.pass(day(15)).await), ["mass"]);
    let used = tenant.store.approvals(day(15)).await.unwrap();
    tenant.approve("mass", day(15) + hours(1)).await;
    let hold = Hold::new(HoldKind::Mass, "", None, Seen::WebhookStuck);
    tenant
        .store
        .record_holds(&[hold.into()], &used, true, day(15) + hours(1))
        .await
        .unwrap();
    let report = tenant.pass(day(15) + hours(2)).await;
    assert_eq!(
        (report.flagged, hold_ids(&report)),
        (12, vec![]),
        "{report:?}"
    );
}

#[tokio::test]
async fn case_15_members_of_an_included_group_that_is_no_more_stay() {
    let tenant =
        Tenant::new(&EMERGENCY_EXCLUDED.replace("all_users = true", r#"groups = ["pilot"]"#)).await;
    let full = |tenant: &Tenant, at| {
        tenant.put(
            "groups.json",
            at,
            &[group("emergency", &["glass"]), group("pilot", &["ana"])],
        );
    };
    tenant.until_overdue(&["ana", "glass"], full).await;
    tenant.group(day(15), "emergency", &["glass"]);
    let report = tenant.pass(day(15)).await;
    assert_eq!(
        (report.flagged, report.windows.paused),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(hold_ids(&report), ["assignment:everyone"]);
    assert_eq!(tenant.state("ana").await, "overdue_checking");
}

#[tokio::test]
async fn an_emptied_exclusion_approved_for_one_policy_stays_for_the_other() {
    let both = format!(
        "{EMERGENCY_EXCLUDED}{}",
        EMERGENCY_EXCLUDED.replace("everyone", "others")
    );
    let tenant = Tenant::new(&both).await;
    let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass"]);
    tenant.until_overdue(&["ana", "glass"], full).await;
    tenant.group(day(15), "emergency", &[]);
    let (one, other) = (
        "exclusion:everyone/g-emergency",
        "exclusion:others/g-emergency",
    );
    assert_eq!(hold_ids(&tenant.pass(day(15)).await), [one, other]);
    tenant.approve(one, day(15) + hours(1)).await;
    for hour in 1..3 {
        let report = tenant.pass(day(15) + hours(hour)).await;
        assert!(hold_ids(&report).contains(&other), "{report:?}");
        let kept = tenant.dossier("glass").await.kept;
        assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
    }
    tenant.approve(other, day(15) + hours(3)).await;
    assert_eq!(
        hold_ids(&tenant.pass(day(15) + hours(3)).await),
        Vec::<&str>::new()
    );
    assert_ne!(tenant.state("glass").await, "exempt");
}

#[tokio::test]
async fn report_rows_that_name_nobody_are_put_aside_not_passed_over() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    let by_name = |name: &str| registration(name, true).replace(&format!("\"id\":\"{name}\","), "");
    tenant.put(
        "registration.json",
        day(0),
        &[by_name("ana"), by_name("nobody")],
    );
    tenant.sign_ins(day(0), &[]);
    let report = tenant.pass(day(0)).await;
    assert_eq!(
        (report.read.registrations, report.read.quarantined),
        (2, 1),
        "{report:?}"
    );
    assert_eq!(
        tenant.store.quarantined(10).await.unwrap()[0].1,
        "registration.json"
    );
}

#[tokio::test]
async fn people_whose_part_was_merged_into_another_are_not_gone() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana", "bo", "cy"]);
    std::fs::remove_file(tenant.path("users.json")).unwrap();
    tenant.put("users-1.json", day(0), &[person("ana")]);
    tenant.put("users-2.json", day(0), &[person("bo"), person("cy")]);
    tenant.sign_ins(
        day(0),
        &[("ana", day(0) + hours(1)), ("bo", day(0) + hours(1))],
    );
    tenant.pass(day(0)).await;
    assert_eq!(tenant.pass(day(0) + hours(1)).await.windows.opened, 2);
    tenant.put("users-2.json", day(1), &[person("ana"), person("bo")]);
    std::fs::remove_file(tenant.path("users-1.json")).unwrap();
    let report = tenant.pass(day(1)).await;
    assert_eq!(
        (report.windows.paused, report.holds.len()),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(tenant.state("ana").await, "in_grace");
    let whom = Whom::these(["cy"]);
    let cy = tenant.store.load(&whom).await.unwrap().remove(0);
    assert!(!matches!(
        cy.person.presence,
        fortnight::domain::person::Presence::Present
    ));
    // One that only stops being read twice: the row of the other part counts again.
    tenant.put("users-1.json", day(2), &[person("ana")]);
    tenant.pass(day(2)).await;
    std::fs::remove_file(tenant.path("users-1.json")).unwrap();
    let report = tenant.pass(day(2) + hours(1)).await;
    assert_eq!(report.windows.paused, 0, "{report:?}");
}

#[tokio::test]
async fn wrong_rows_of_users_are_written_down_with_their_file() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    let nameless = r#"{"id":"bo","accountEnabled":true}"#.to_owned();
    tenant.put("users.json", day(0), &[person("ana"), nameless]);
    tenant.sign_ins(day(0), &[]);
    let report = tenant.pass(day(0)).await;
    assert_eq!(report.read.quarantined, 1, "{report:?}");
    let aside = tenant.store.quarantined(10).await.unwrap();
    assert_eq!(aside[0].1, "users.json", "{aside:?}");
}

#[tokio::test]
async fn whose_row_cannot_be_believed_is_not_gone() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana", "bo"]);
    tenant.sign_ins(day(0), &[("ana", day(0) + hours(1))]);
    tenant.pass(day(0)).await;
    tenant.pass(day(0) + hours(2)).await;
    let unsure = person("ana").replace("true", "\"perhaps\"");
    // In the file where she was, in another one, and gone only when no row names her.
    tenant.put("users.json", day(1), &[unsure.clone(), person("bo")]);
    let report = tenant.pass(day(1)).await;
    assert_eq!((report.read.quarantined, report.windows.paused), (1, 0));
    std::fs::remove_file(tenant.path("users.json")).unwrap();
    tenant.put("users-1.json", day(2), &[unsure, person("bo")]);
    tenant.pass(day(2)).await;
    assert_eq!(tenant.state("ana").await, "in_grace");
    tenant.put("users-1.json", day(3), &[person("ana"), person("bo")]);
    tenant.pass(day(3)).await;
    assert_eq!(tenant.state("ana").await, "in_grace");
    tenant.put("users-1.json", day(4), &[person("bo")]);
    assert_eq!(tenant.pass(day(4)).await.windows.paused, 1);
}

#[tokio::test]
async fn case_16_a_nested_group_that_cannot_be_read_is_not_an_empty_one() {
    let cut = r#"{"id":"g-inner","members":["glass"],"members@odata.nextLink":"https://x"}"#;
    let nameless = r#"{"displayName":"?","members":["glass"]}"#;
    let inner = group("inner", &["glass"]);
    let outer = group("emergency", &["vault", "g-inner"]);
    let typed = r##"{"id":"g-emergency","displayName":"emergency","members":[{"id":"vault"},{"id":"g-inner","@odata.type":"#microsoft.graph.group"}]}"##;
    let cases = [
        (
            vec![outer.clone(), cut.to_owned()],
            "the row of group g-inner is put aside",
        ),
        (
            vec![outer.clone(), nameless.to_owned()],
            "does not say which group it is of",
        ),
        (
            vec![typed.to_owned()],
            "contains the group g-inner, which the files lack",
        ),
    ];
    for (rows, lack) in cases {
        let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
        tenant.put("groups.json", day(0), &[outer.clone(), inner.clone()]);
        tenant
            .until_overdue(&["ana", "glass", "vault"], |_, _| {})
            .await;
        tenant.put("groups.json", day(15), &rows);
        // An unchanged file is looked at again as long as it is not believed.
        for hour in 0..2 {
            let report = tenant.pass(day(15) + hours(hour)).await;
            assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"], "{lack}");
            assert!(report.errors[0].contains(lack), "{report:?}");
            assert_eq!(tenant.state("glass").await, "exempt", "{lack}");
        }
        tenant.put(
            "groups.json",
            day(15) + hours(2),
            &[outer.clone(), inner.clone()],
        );
        let report = tenant.pass(day(15) + hours(2)).await;
        assert_eq!((report.flagged, report.holds.len()), (1, 0), "{lack}");
    }
}

#[tokio::test]
async fn what_is_within_groups_is_of_no_matter_where_only_direct_members_count() {
    let directly = format!("{EMERGENCY_EXCLUDED}nested = false\n");
    let tenant = Tenant::new(&directly).await;
    let cut = r#"{"id":"g-inner","members":["glass"],"members@odata.nextLink":"https://x"}"#;
    let outer = group("emergency", &["vault", "g-inner"]);
    tenant.put("groups.json", day(0), &[outer, cut.to_owned()]);
    tenant.until_overdue(&["ana", "vault"], |_, _| {}).await;
    let report = tenant.pass(day(15)).await;
    assert_eq!((report.flagged, report.holds.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn i06_who_is_due_while_the_configuration_changed_is_flagged_once() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    tenant.configure(&format!("{NOBODY_EXCLUDED}reminders = [\"0d\", \"-5d\"]\n"));
    let report = tenant.pass(day(15)).await;
    assert_eq!(report.flagged, 2, "{report:?}");
    let ana = tenant.dossier("ana").await.person.id;
    let flags = tenant.store.history(&ana).await.unwrap();
    let flags = flags
        .iter()
        .filter(|line| line.kind == "enforcement.needed");
    assert_eq!(flags.count(), 1);
}

#[tokio::test]
async fn a_log_read_beside_a_broken_one_counts_when_that_is_taken_away() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.people(day(0), &["ana"]);
    tenant.sign_ins(day(0), &[("ana", day(0) - hours(1))]);
    std::fs::write(tenant.path("sign-ins.z.json"), "{").unwrap();
    let report = tenant.pass(day(0)).await;
    assert_eq!(hold_ids(&report), ["stale:sign_ins"]);
    std::fs::remove_file(tenant.path("sign-ins.z.json")).unwrap();
    let report = tenant.pass(day(0) + hours(1)).await;
    assert!(!report.is_degraded(), "{report:?}");
    assert_eq!(report.read.sign_ins, 0, "the good file was read already");
}

/// One pass on day 0, then nothing for forty days: the directory remembers attempts of day 20 (ana)
/// and of before the policy (cy), and none of bo's.
async fn down_for_forty_days() -> Tenant {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    let before = day(0) - hours(1);
    tenant.active(day(0), &[("ana", None), ("bo", None), ("cy", Some(before))]);
    tenant.sign_ins(day(0), &[]);
    tenant.pass(day(0)).await;
    let ana = Some(day(20));
    tenant.active(day(40), &[("ana", ana), ("bo", None), ("cy", Some(before))]);
    tenant
}

#[tokio::test]
async fn case_23_the_logs_of_an_outage_are_gone_and_a_hint_opens_a_window_now() {
    let tenant = down_for_forty_days().await;
    tenant.sign_ins(day(40), &[("stranger", day(38))]);
    let report = tenant.pass(day(40)).await;
    assert_eq!(
        (report.windows.opened, report.flagged),
        (1, 0),
        "{report:?}"
    );
    let ana = tenant.dossier("ana").await;
    let opened = tenant.store.history(&ana.person.id).await.unwrap();
    assert_eq!(
        (opened[0].kind.as_str(), opened[0].at, opened[0].deadline),
        ("window.opened", day(40), Some(day(54)))
    );
    assert!(opened[0].reasons.to_string().contains("\"backfill\""));
    assert_eq!(
        tenant.state("bo").await,
        "waiting_first_sign_in",
        "no window"
    );
    assert_eq!(
        tenant.state("cy").await,
        "waiting_first_sign_in",
        "no window"
    );
    let report = tenant.pass(day(40) + hours(1)).await;
    assert_eq!(
        (report.windows.opened, report.flagged),
        (0, 0),
        "{report:?}"
    );
    // What an archive still has dates the window as any late sign-in does (rule T3).
    let archived = ("ana", day(20));
    tenant.sign_ins(day(41), &[archived, ("stranger", day(38))]);
    tenant.pass(day(41)).await;
    let ana = tenant.dossier("ana").await;
    let standing = ana.standings.values().next().unwrap();
    assert_eq!(standing.window.run().unwrap().opened_at, day(20));
}

#[tokio::test]
async fn case_23_a_hint_is_none_where_the_exported_logs_cover_the_outage() {
    let tenant = down_for_forty_days().await;
    let covered: Vec<_> = (0..40)
        .map(|number| ("stranger", day(number) + hours(2)))
        .collect();
    tenant.sign_ins(day(40), &covered);
    let report = tenant.pass(day(40)).await;
    assert_eq!(
        (report.windows.opened, report.flagged),
        (0, 0),
        "{report:?}"
    );
    assert_eq!(tenant.store.log_gap().await.unwrap(), None);
    assert_eq!(
        tenant.state("ana").await,
        "waiting_first_sign_in",
        "no window"
    );
}

#[tokio::test]
async fn case_23_a_hint_that_comes_after_the_logs_opens_a_window_too() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.active(day(0), &[("ana", None)]);
    tenant.sign_ins(day(0), &[]);
    tenant.pass(day(0)).await;
    tenant.sign_ins(day(40), &[("stranger", day(38))]);
    assert_eq!(tenant.pass(day(40)).await.windows.opened, 0);
    tenant.active(day(40), &[("ana", Some(day(20)))]);
    assert_eq!(tenant.pass(day(40) + hours(1)).await.windows.opened, 1);
}

#[tokio::test]
async fn case_17_who_joins_an_exclusion_that_lacks_a_group_within_is_exempt() {
    let typed = |members: &[&str]| {
        let inner = serde_json::json!({ "id": "g-inner", "@odata.type": "#microsoft.graph.group" });
        let users = members.iter().map(|name| serde_json::json!({ "id": name }));
        let members: Vec<serde_json::Value> = users.chain([inner]).collect();
        serde_json::json!({ "id": "g-emergency", "displayName": "emergency", "members": members })
            .to_string()
    };
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    tenant.put(
        "groups.json",
        day(0),
        &[typed(&["vault"]), group("inner", &["glass"])],
    );
    tenant
        .until_overdue(&["ana", "glass", "vault"], |_, _| {})
        .await;
    // The export of groups no longer has the inner one, and an operator accepts that.
    tenant.put("groups.json", day(14), &[typed(&["vault"])]);
    let report = tenant.pass(day(14)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
    tenant
        .approve("exclusion:everyone/groups", day(14) + hours(1))
        .await;
    // ana is put into the outer one.
    tenant.put(
        "groups.json",
        day(14) + hours(1),
        &[typed(&["vault", "ana"])],
    );
    let report = tenant.pass(day(15)).await;
    eprintln!("{:?}", report.holds);
    assert_eq!(
        (report.flagged, tenant.state("ana").await),
        (0, "exempt".to_owned())
    );
}

/// An organisation of ana and two emergency accounts whose deadline has passed, with these groups
/// on day 0 and those on day 15.
async fn overdue_with_groups(before: &[String], after: &[String]) -> Tenant {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    tenant
        .until_overdue(&["ana", "glass", "vault"], |tenant, at| {
            let groups = if at == day(0) { before } else { after };
            tenant.put("groups.json", at, groups);
        })
        .await;
    tenant
}

#[tokio::test]
async fn case_16_a_member_of_an_exclusion_that_means_nobody_holds_its_policy() {
    let within = [
        group("emergency", &["vault", "g-inner"]),
        group("inner", &["glass"]),
    ];
    let misspelt = [group(
        "emergency",
        &["vault@contoso.com", "glass@contoso.exmaple"],
    )];
    for (what, before, after, stranger, glass) in [
        // Its members are known from when it was there.
        (
            "left the export",
            &within[..],
            &within[..1],
            "g-inner",
            "exempt",
        ),
        // Nobody has ever been able to say who is meant.
        (
            "was never there",
            &within[..1],
            &within[..1],
            "g-inner",
            "overdue_checking",
        ),
        (
            "is misspelt",
            &misspelt,
            &misspelt,
            "glass@contoso.exmaple",
            "overdue_checking",
        ),
    ] {
        let tenant = overdue_with_groups(before, after).await;
        let report = tenant.pass(day(15)).await;
        assert_eq!(report.flagged, 0, "{what}: {report:?}");
        assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"], "{what}");
        assert_eq!(
            report.holds[0].text,
            format!(
                "{stranger:?} in \"emergency\" is neither a group nor a person that is known; the last ones stay"
            )
        );
        assert_eq!(tenant.state("glass").await, glass, "{what}");
        assert_eq!(tenant.state("vault").await, "exempt", "{what}");
        // It lasts until an operator says that nobody is meant: then the others are flagged.
        let report = tenant.pass(day(15) + hours(1)).await;
        assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"], "{what}");
        tenant
            .approve("exclusion:everyone/groups", day(15) + hours(1))
            .await;
        let report = tenant.pass(day(15) + hours(2)).await;
        assert_eq!(report.holds, [], "{what}");
        assert_eq!(tenant.state("ana").await, "enforcement_needed", "{what}");
        let report = tenant.pass(day(15) + hours(3)).await;
        assert_eq!(report.holds, [], "{what}");
        assert_eq!(tenant.state("vault").await, "exempt", "{what}");
    }
}

#[tokio::test]
async fn case_16_an_emergency_account_that_was_renamed_stays_exempt() {
    let by_name = [group(
        "emergency",
        &["vault@contoso.com", "glass@contoso.com"],
    )];
    let tenant = overdue_with_groups(&by_name, &by_name).await;
    let renamed =
        person("glass").replace("glass@contoso.com\",\"mail", "glass0@contoso.com\",\"mail");
    tenant.put(
        "users.json",
        day(15),
        &[person("ana"), renamed, person("vault")],
    );
    let report = tenant.pass(day(15)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
    assert_eq!(report.flagged, 0);
    assert_eq!(tenant.state("glass").await, "exempt");
    // Mended in the group, it is as before.
    let mended = group("emergency", &["vault@contoso.com", "glass0@contoso.com"]);
    tenant.put("groups.json", day(15) + hours(1), &[mended]);
    let report = tenant.pass(day(15) + hours(1)).await;
    assert_eq!((report.holds.len(), report.flagged), (0, 1), "{report:?}");
    assert_eq!(tenant.state("glass").await, "exempt");
}

#[tokio::test]
async fn case_16_a_name_that_is_misspelt_anew_takes_nobody_out_of_an_exclusion() {
    let right = group("emergency", &["vault@contoso.com", "glass@contoso.com"]);
    let wrong = group("emergency", &["vault@contoso.com", "glass@contoso.exmaple"]);
    let tenant = overdue_with_groups(&[right], &[wrong]).await;
    tenant.pass(day(15)).await;
    assert_eq!(tenant.state("glass").await, "exempt");
    tenant.fresh(day(16), &["ana", "glass", "vault"]);
    let report = tenant.pass(day(16)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
    assert_eq!(tenant.state("glass").await, "exempt");
}

#[tokio::test]
async fn case_16_a_new_member_whom_only_the_next_users_export_has_is_no_stranger() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    tenant.fresh(day(0), &["ana", "vault"]);
    tenant.group(day(0), "emergency", &["vault"]);
    tenant.pass(day(0)).await;
    // The groups are exported before the users.
    tenant.group(
        day(0) + hours(1),
        "emergency",
        &["vault", "nina", "gus@contoso.com"],
    );
    for at in [day(0) + hours(1), day(0) + hours(2)] {
        assert_eq!(tenant.pass(at).await.holds, [], "{at}");
    }
    tenant.fresh(day(1), &["ana", "vault", "nina", "gus"]);
    assert_eq!(tenant.pass(day(1)).await.holds, []);
    for name in ["vault", "nina", "gus"] {
        assert_eq!(tenant.state(name).await, "exempt", "{name}");
    }
    // Who has left the directory is known all the same.
    tenant.fresh(day(2), &["ana", "vault", "nina"]);
    assert_eq!(tenant.pass(day(2)).await.holds, []);
}

#[tokio::test]
async fn case_16_whoever_turns_out_to_be_a_stranger_of_an_exclusion_is_exempt() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let known = ["ana", "vault"];
    tenant.fresh(day(0), &known);
    tenant.group(day(0), "emergency", &["vault", "nina", "gus@contoso.com"]);
    tenant.pass(day(0)).await;
    tenant.fresh(day(1), &known);
    let report = tenant.pass(day(1)).await;
    assert_eq!(
        report.holds[0].text,
        "\"gus@contoso.com\" in \"emergency\", \"nina\" in \"emergency\" are neither groups nor people that are known; the last ones stay"
    );
    tenant.approve("exclusion:everyone/groups", day(1)).await;
    assert_eq!(tenant.pass(day(1) + hours(1)).await.holds, []);
    tenant.fresh(day(2), &known);
    assert_eq!(tenant.pass(day(2)).await.holds, []);
    // One more is another question.
    tenant.group(
        day(2) + hours(1),
        "emergency",
        &["vault", "nina", "gus@contoso.com", "otto"],
    );
    tenant.pass(day(2) + hours(1)).await;
    tenant.fresh(day(3), &known);
    let report = tenant.pass(day(3)).await;
    assert_eq!(
        report.holds[0].text,
        "\"otto\" in \"emergency\" is neither a group nor a person that is known; the last ones stay"
    );
    tenant.fresh(day(4), &["ana", "vault", "nina", "gus", "otto"]);
    assert_eq!(tenant.pass(day(4)).await.holds, []);
    for name in ["vault", "nina", "gus", "otto"] {
        assert_eq!(tenant.state(name).await, "exempt", "{name}");
    }
}

#[tokio::test]
async fn case_16_a_stranger_is_remembered_of_a_group_with_two_names_of_which_one_counts_directly() {
    let policies = format!(
        "{EMERGENCY_EXCLUDED}\n[[policy]]\nname = \"direct\"\nenforce = \"on\"\nnested = false\ninclude = {{ all_users = true }}\nexclude = {{ groups = [\"g-emergency\"] }}\n"
    );
    let tenant = Tenant::new(&policies).await;
    let groups = [
        group("emergency", &["vault", "g-inner"]),
        group("inner", &["gus@contoso.com"]),
    ];
    tenant.put("groups.json", day(0), &groups);
    for number in 0..=2 {
        tenant.fresh(day(number), &["ana", "vault"]);
        let report = tenant.pass(day(number)).await;
        let held = if number == 0 {
            vec![]
        } else {
            vec!["exclusion:everyone/groups"]
        };
        assert_eq!(hold_ids(&report), held, "day {number}");
    }
}

#[tokio::test]
async fn a_member_of_an_included_group_that_means_nobody_is_said_and_holds_nothing() {
    let tenant = Tenant::new(
        r#"
[[policy]]
name = "everyone"
enforce = "on"
since = 2026-01-01T00:00:00Z
min_notice = "1h"
include = { groups = ["staff"] }
"#,
    )
    .await;
    tenant
        .until_overdue(&["ana"], |tenant, at| {
            tenant.group(at, "staff", &["ana", "nobody@contoso.com"]);
        })
        .await;
    let report = tenant.pass(day(15)).await;
    assert_eq!(
        report.errors,
        ["\"nobody@contoso.com\" in \"staff\" is neither a group nor a person that is known"]
    );
    assert_eq!((report.flagged, report.holds.len()), (1, 0), "{report:?}");
}

#[tokio::test]
async fn case_16_members_of_an_exclusion_that_was_made_anew_and_lacks_a_group_within_stay_exempt() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    tenant.put(
        "groups.json",
        day(0),
        &[group("emergency", &["glass", "vault"])],
    );
    tenant
        .until_overdue(&["ana", "glass", "vault"], |_, _| {})
        .await;
    let kept = tenant.dossier("glass").await.kept;
    assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
    let anew = r##"{"id":"g-anew","displayName":"emergency","members":[{"id":"vault"},{"id":"g-inner","@odata.type":"#microsoft.graph.group"}]}"##;
    tenant.put("groups.json", day(15), &[anew.to_owned()]);
    let report = tenant.pass(day(15)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
    let kept = tenant.dossier("glass").await.kept;
    assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
}

#[tokio::test]
async fn case_16_an_exclusion_that_means_another_group_leaves_out_the_members_of_both() {
    let anew = r#"{"id":"g-anew","displayName":"Emergency","members":["vault","cy"]}"#;
    let hold = "exclusion:everyone/g-emergency";
    let waiting = "waiting_first_sign_in";
    for (ends, glass, cy) in [
        ("it comes back", "exempt", "due_soon"),
        ("it is approved", waiting, "exempt"),
    ] {
        let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
        let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass", "vault"]);
        tenant
            .until_overdue(&["ana", "cy", "glass", "vault"], full)
            .await;
        tenant.put("groups.json", day(15), &[anew.to_owned()]);
        // An unchanged file is looked at again as long as it is not believed.
        for hour in 0..2 {
            let report = tenant.pass(day(15) + hours(hour)).await;
            assert_eq!((report.flagged, hold_ids(&report)), (0, vec![hold]));
            assert_eq!(
                report.holds[0].text,
                "the group \"emergency\" is another one than before, with 2 members where that one had 2; those of both stay"
            );
            for exempt in ["glass", "vault", "cy"] {
                assert_eq!(tenant.state(exempt).await, "exempt", "{exempt}");
            }
        }
        if ends == "it comes back" {
            full(&tenant, day(15) + hours(2));
        } else {
            tenant.approve(hold, day(15) + hours(2)).await;
        }
        let report = tenant.pass(day(15) + hours(2)).await;
        assert_eq!(hold_ids(&report), Vec::<&str>::new(), "{ends}");
        for (name, state) in [("vault", "exempt"), ("glass", glass), ("cy", cy)] {
            assert_eq!(tenant.state(name).await, state, "{ends}: {name}");
        }
    }
}

#[tokio::test]
async fn case_16_an_approval_of_an_exclusion_that_is_no_more_is_none_of_one_made_anew() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let full = |tenant: &Tenant, at| tenant.group(at, "emergency", &["glass"]);
    tenant.until_overdue(&["ana", "glass"], full).await;
    tenant.put("groups.json", day(15), &[group("other", &[])]);
    let hold = "exclusion:everyone/g-emergency";
    assert!(hold_ids(&tenant.pass(day(15)).await).contains(&hold));
    tenant.approve(hold, day(15) + hours(1)).await;
    let anew = r#"{"id":"g-anew","displayName":"emergency","members":["ana"]}"#;
    tenant.put("groups.json", day(15) + hours(1), &[anew.to_owned()]);
    let report = tenant.pass(day(15) + hours(1)).await;
    assert_eq!(hold_ids(&report), [hold]);
    assert_eq!(tenant.state("glass").await, "exempt");
}

#[tokio::test]
async fn case_16_an_exclusion_that_means_two_groups_leaves_out_the_members_of_both() {
    let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
    let second = r#"{"id":"g-second","displayName":"emergency","members":["vault"]}"#;
    tenant.put(
        "groups.json",
        day(0),
        &[group("emergency", &["glass"]), second.to_owned()],
    );
    tenant.people(day(0), &["ana", "glass", "vault"]);
    tenant.sign_ins(day(0), &[]);
    let report = tenant.pass(day(0)).await;
    assert_eq!(hold_ids(&report), ["assignment:everyone"]);
    assert_eq!(tenant.state("glass").await, "exempt");
    assert_eq!(tenant.state("vault").await, "exempt");
}

#[tokio::test]
async fn case_16_nobody_is_asked_before_a_group_that_is_excluded_was_read_once() {
    let hold = "exclusion:everyone/groups";
    // A name that means nothing is for somebody to mend, whatever was approved (rule 7.9).
    for (ends, glass, held) in [
        ("read", "exempt", None),
        ("approved", "in_grace", Some("assignment:everyone")),
    ] {
        let tenant = Tenant::new(EMERGENCY_EXCLUDED).await;
        let people = ["ana", "glass"];
        let signed_in = people.map(|name| (name, day(0) + hours(1)));
        for hour in 0..3 {
            let at = day(0) + hours(hour);
            tenant.people(at, &people);
            tenant.sign_ins(at, &signed_in);
            if hour == 1 {
                std::fs::write(tenant.path("groups.json"), "{").unwrap();
            }
            let report = tenant.pass(at).await;
            assert_eq!((report.windows.opened, hold_ids(&report)), (0, vec![hold]));
            assert_eq!(
                report.holds[0].text,
                "the members of \"emergency\" could not be read whole; nobody is asked, told or flagged under the policy before they are"
            );
        }
        if ends == "read" {
            tenant.group(day(0) + hours(3), "emergency", &["glass"]);
        } else {
            tenant.approve(hold, day(0) + hours(3)).await;
        }
        let report = tenant.pass(day(0) + hours(3)).await;
        assert_eq!(hold_ids(&report), Vec::from_iter(held), "{ends}");
        assert_eq!(tenant.state("ana").await, "in_grace", "{ends}");
        assert_eq!(tenant.state("glass").await, glass, "{ends}");
    }
}

#[tokio::test]
async fn case_16_a_group_that_is_excluded_from_now_on_and_cannot_be_read_silences_its_policy() {
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "glass"], |_, _| {}).await;
    tenant.configure(EMERGENCY_EXCLUDED);
    let report = tenant.changes(day(15)).await;
    assert_eq!(report.flagged, 0, "nobody knows who is excluded");
    let report = tenant.pass(day(15)).await;
    assert_eq!((report.flagged, report.deliveries.queued), (0, 0));
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
}

#[tokio::test]
async fn names_are_no_fault_of_theirs_while_the_exports_cannot_be_read() {
    let tenant = Tenant::new(&EMERGENCY_EXCLUDED.replace("groups", "users")).await;
    tenant.group(day(0), "emergency", &["glass"]);
    tenant.sign_ins(day(0), &[]);
    tenant.report(day(0), &[("ana", false)]);
    std::fs::write(tenant.path("users.json"), "{").unwrap();
    let report = tenant.pass(day(0)).await;
    assert_eq!(hold_ids(&report), ["stale:users"]);
}

#[tokio::test]
async fn case_16_a_policy_for_which_groups_within_count_from_now_on_is_held() {
    let directly = format!("{EMERGENCY_EXCLUDED}nested = false\n");
    let tenant = Tenant::new(&directly).await;
    let cut = r#"{"id":"g-inner","members":["glass"],"members@odata.nextLink":"https://x"}"#;
    let outer = group("emergency", &["vault", "g-inner"]);
    tenant.put("groups.json", day(0), &[outer, cut.to_owned()]);
    tenant
        .until_overdue(&["ana", "glass", "vault"], |_, _| {})
        .await;
    tenant.configure(EMERGENCY_EXCLUDED);
    let report = tenant.pass(day(15)).await;
    assert_eq!(report.flagged, 0, "nobody knows who is in the inner group");
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
}

#[tokio::test]
async fn of_two_rows_of_a_person_the_later_counts_also_if_it_cannot_be_believed() {
    let unsure = person("ana").replace("true", "\"perhaps\"");
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    let rows = [person("ana"), person("bo"), unsure.clone()];
    tenant.put("users.json", day(15), &rows);
    assert_eq!(tenant.pass(day(15)).await.flagged, 1);
    assert_eq!(tenant.state("ana").await, "overdue_checking");
    // In two files, of which the first did not change.
    let tenant = Tenant::new(NOBODY_EXCLUDED).await;
    tenant.until_overdue(&["ana", "bo"], |_, _| {}).await;
    std::fs::remove_file(tenant.path("users.json")).unwrap();
    tenant.put("users-1.json", day(14), &[person("ana"), person("bo")]);
    tenant.pass(day(14)).await;
    let at = day(14) + hours(23);
    tenant.report(at, &[("ana", false), ("bo", false)]);
    tenant.put("users-2.json", day(15), &[person("cleo"), unsure]);
    assert_eq!(tenant.pass(day(15)).await.flagged, 1);
    assert_eq!(tenant.state("ana").await, "overdue_checking");
}

#[tokio::test]
async fn case_16_one_group_under_two_names_of_which_one_counts_directly_keeps_its_members() {
    let policies = format!(
        "{EMERGENCY_EXCLUDED}\n[[policy]]\nname = \"direct\"\nenforce = \"on\"\nnested = false\ninclude = {{ all_users = true }}\nexclude = {{ groups = [\"g-emergency\"] }}\n"
    );
    let tenant = Tenant::new(&policies).await;
    let cut = r#"{"id":"g-inner","members":["glass"],"members@odata.nextLink":"https://x"}"#;
    let outer = group("emergency", &["vault", "g-inner"]);
    tenant.put(
        "groups.json",
        day(0),
        &[outer.clone(), group("inner", &["glass"])],
    );
    tenant
        .until_overdue(&["ana", "glass", "vault"], |_, _| {})
        .await;
    tenant.put("groups.json", day(14), &[outer, cut.to_owned()]);
    let report = tenant.pass(day(14)).await;
    assert_eq!(hold_ids(&report), ["exclusion:everyone/groups"]);
    let kept = tenant.dossier("glass").await.kept;
    assert_eq!(kept[&PolicyName::new("everyone")].state, State::Exempt);
}
