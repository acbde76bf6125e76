//! A whole small organisation around the real engine: exports in a folder, a configuration, mails
//! in another folder, and a clock that is set.
//!
//! `world.sign_in("ana", day(1)); world.pass(day(2)).await; world.mailbox("ana").await.expect_one("window.opened")`.
//! A pass first writes what the directory would export at that moment; [`World::pass_on_old_exports`]
//! leaves the files alone. [`World::on_graph`] has the same served by a fake Graph instead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fortnight::config::Config;
use fortnight::domain::decision::Decision;
use fortnight::domain::facts::{ActKind, Channel};
use fortnight::domain::id::UserId;
use fortnight::domain::person::Person;
use fortnight::domain::state::State;
use fortnight::engine::{Engine, Wake};
use fortnight::pass::{self, PassError};
use fortnight::report::{PassReport, Progress};
use fortnight::store::acts::Actor;
use fortnight::store::acts::NewAct;
use fortnight::store::{Store, Whom};
use fortnight::time::Clock;
use jiff::{SignedDuration, Timestamp};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::graph::{self, FakeGraph, Fault, Kind};

/// Midnight of a day of the story; it begins on Monday, 5 January 2026.
pub fn day(number: i64) -> Timestamp {
    hour(number, 0)
}

/// An hour of a day of the story.
pub fn hour(day: i64, hour: i64) -> Timestamp {
    Timestamp::from_second(1_767_571_200 + day * 86_400 + hour * 3_600).unwrap()
}

pub fn hours(number: i64) -> SignedDuration {
    SignedDuration::from_hours(number)
}

/// An hour before the pass of that day.
pub fn before(number: i64) -> Timestamp {
    hour(number, -1)
}

/// The configuration that stories begin with; [`World::change`] changes it.
pub const CONFIGURATION: &str = r#"timezone = "Europe/Berlin"

[database]
url = "sqlite:fortnight.db"

[directory]
source = "files"
[directory.files]
path = "tenant"

[[policy]]
name = "everyone"
enforce = "on"
window = "14d"
include = { all_users = true }
exclude = { groups = ["Emergency"] }

[email]
from = "Identity team <identity@contoso.example>"
operators = ["operators@contoso.example"]
organisation = "Contoso"
transport = "file"
[email.file]
path = "outbox"
"#;

/// An account as the next exports show it.
#[derive(Debug, Clone)]
pub struct Account {
    pub id: String,
    pub upn: String,
    pub mail: Option<String>,
    pub display_name: String,
    pub enabled: bool,
    pub user_type: &'static str,
    pub created_at: Timestamp,
    /// In the users export.
    pub exists: bool,
    /// What the registration report says; none: the person is not in it.
    pub registered: Option<bool>,
    pub passwordless: bool,
}

/// A mail that was written to the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub to: String,
    pub event: String,
    pub step: Option<String>,
    pub subject: String,
    pub text: String,
}

/// Mails that nobody has looked at yet.
#[derive(Debug)]
pub struct Mailbox {
    whose: String,
    pub mails: Vec<Mail>,
}

impl Mailbox {
    /// One new mail, of that event (`window.reminder -7d` names the step).
    #[track_caller]
    pub fn expect_one(&self, event: &str) -> &Mail {
        assert_eq!(self.events(), [event], "mails to {}", self.whose);
        &self.mails[0]
    }

    #[track_caller]
    pub fn expect_none(&self) {
        assert_eq!(self.events(), [""; 0], "mails to {}", self.whose);
    }

    /// The events, reminders with their step.
    pub fn events(&self) -> Vec<String> {
        self.mails
            .iter()
            .map(|mail| match (&mail.step, mail.event.as_str()) {
                (Some(step), "window.reminder") => format!("{} {step}", mail.event),
                _ => mail.event.clone(),
            })
            .collect()
    }
}

/// The organisation.
pub struct World {
    folder: tempfile::TempDir,
    pub configuration: String,
    pub accounts: BTreeMap<String, Account>,
    /// Groups by display name, with members by account name.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// How far the registration report lies behind the export.
    pub report_lag: SignedDuration,
    /// Parts that are not exported any more: `users`, `groups`, `registration`, `sign-ins`.
    pub frozen: BTreeSet<&'static str>,
    sign_ins: Vec<Value>,
    audits: Vec<Value>,
    exports: usize,
    joined: usize,
    events: usize,
    read: BTreeSet<PathBuf>,
    /// Serves what is exported, where the stories are played over Graph.
    pub graph: Option<FakeGraph>,
    /// How long a source is read in one pass; none: to its end.
    pub patience: Option<Duration>,
    pub report: PassReport,
    pub now: Timestamp,
}

impl World {
    /// These people, none registered, and an emergency account in the exclusion.
    pub fn of(names: &[&str]) -> Self {
        Self::told_by(None, names)
    }

    /// The same, told by a fresh Graph.
    pub fn on_graph(names: &[&str]) -> Self {
        Self::told_by(Some(FakeGraph::start()), names)
    }

    /// The same, told by this service, or else by exported files.
    pub fn told_by(graph: Option<FakeGraph>, names: &[&str]) -> Self {
        let mut world = Self {
            folder: tempfile::tempdir().unwrap(),
            configuration: CONFIGURATION.to_owned(),
            accounts: BTreeMap::new(),
            groups: BTreeMap::new(),
            report_lag: SignedDuration::ZERO,
            frozen: BTreeSet::new(),
            sign_ins: Vec::new(),
            audits: Vec::new(),
            exports: 0,
            joined: 0,
            events: 0,
            read: BTreeSet::new(),
            graph,
            patience: None,
            report: PassReport::new(day(0)),
            now: day(0),
        };
        std::fs::create_dir_all(world.tenant()).unwrap();
        if let Some(graph) = &world.graph {
            let files = "[directory]\nsource = \"files\"\n[directory.files]\npath = \"tenant\"\n";
            let tables = graph.configuration("graph-secret");
            crate::support::write_secret(world.folder().join("graph-secret"), graph::SECRET);
            world.change(files, &tables);
        }
        world.join("breakglass");
        world.exclude("breakglass");
        for name in names {
            world.join(name);
        }
        world
    }

    /// Somebody who signed in an hour before day 1 and was told: the deadline is day 14, 23:00.
    pub async fn opened(name: &str) -> Self {
        Self::of(&[name]).open(name).await
    }

    /// The same, told by a fresh Graph.
    pub async fn opened_on_graph(name: &str) -> Self {
        Self::on_graph(&[name]).open(name).await
    }

    /// Two passes, between which they signed in.
    pub async fn open(mut self, name: &str) -> Self {
        self.pass(day(0)).await;
        self.sign_in(name, before(1));
        self.pass(day(1)).await;
        self.mailbox(name).await.expect_one("window.opened");
        self
    }

    /// `count` more people, `prefix0` and so on.
    pub fn crowd(&mut self, prefix: &str, count: usize) -> Vec<String> {
        let names: Vec<String> = (0..count).map(|n| format!("{prefix}{n}")).collect();
        for name in &names {
            self.join(name);
        }
        names
    }

    pub fn join(&mut self, name: &str) -> &mut Account {
        self.joined += 1;
        let number = self.joined;
        self.accounts.insert(
            name.to_owned(),
            Account {
                id: format!("0f0e0d0c-0000-4000-8000-{number:012}"),
                upn: format!("{name}@contoso.example"),
                mail: Some(format!("{name}@contoso.example")),
                display_name: name.to_owned(),
                enabled: true,
                user_type: "Member",
                created_at: day(-400),
                exists: true,
                registered: Some(false),
                passwordless: false,
            },
        );
        self.who(name)
    }

    pub fn who(&mut self, name: &str) -> &mut Account {
        self.accounts.get_mut(name).unwrap()
    }

    pub fn id(&self, name: &str) -> UserId {
        UserId::parse(&self.accounts[name].id).unwrap()
    }

    pub fn exclude(&mut self, name: &str) {
        self.add_to("Emergency", name);
    }

    pub fn add_to(&mut self, group: &str, name: &str) {
        let members = self.groups.entry(group.to_owned()).or_default();
        members.insert(name.to_owned());
    }

    pub fn registers(&mut self, name: &str) {
        self.who(name).registered = Some(true);
    }

    /// A completed interactive sign-in in a browser; the next export has it.
    pub fn sign_in(&mut self, name: &str, at: Timestamp) {
        self.sign_in_with(name, at, json!({}));
    }

    /// A sign-in with other fields.
    pub fn sign_in_with(&mut self, name: &str, at: Timestamp, fields: Value) {
        self.events += 1;
        let mut row = json!({
            "id": format!("51000000-0000-4000-9000-{:012}", self.events),
            "createdDateTime": at.to_string(),
            "userId": self.accounts[name].id,
            "isInteractive": true,
            "clientAppUsed": "Browser",
            "appDisplayName": "Office 365",
            "status": { "errorCode": 0 },
        });
        for (key, value) in fields.as_object().unwrap() {
            row[key] = value.clone();
        }
        self.sign_ins.push(row);
    }

    /// An event of the audit log, by its activity.
    pub fn audit(&mut self, name: &str, at: Timestamp, activity: &str) {
        self.events += 1;
        self.audits.push(json!({
            "id": format!("Authentication Methods_{}", self.events),
            "activityDateTime": at.to_string(),
            "activityDisplayName": activity,
            "loggedByService": "Authentication Methods",
            "result": "success",
            "targetResources": [{ "id": self.accounts[name].id, "type": "User" }],
        }));
    }

    /// Changes the configuration.
    #[track_caller]
    pub fn change(&mut self, from: &str, to: &str) {
        assert!(self.configuration.contains(from), "{from:?} is not there");
        self.configuration = self.configuration.replace(from, to);
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn tenant(&self) -> PathBuf {
        self.folder().join("tenant")
    }

    pub fn database(&self) -> PathBuf {
        self.folder().join("fortnight.db")
    }

    /// The configuration's file, as it stands now.
    pub fn file(&self) -> PathBuf {
        let file = self.folder().join("fortnight.toml");
        // A program that is reading it finds it whole.
        if std::fs::read_to_string(&file).ok().as_ref() != Some(&self.configuration) {
            std::fs::write(&file, &self.configuration).unwrap();
        }
        file
    }

    pub fn config(&self) -> Config {
        match Config::load(&self.file(), []) {
            Ok((config, _)) => config,
            Err(faults) => panic!("{faults}"),
        }
    }

    /// Rows as they stand in the users export.
    pub fn user_rows(&self) -> Vec<Value> {
        self.accounts
            .values()
            .filter(|account| account.exists)
            .map(|account| {
                json!({
                    "id": account.id,
                    "userPrincipalName": account.upn,
                    "displayName": account.display_name,
                    "mail": account.mail,
                    "accountEnabled": account.enabled,
                    "userType": account.user_type,
                    "createdDateTime": account.created_at.to_string(),
                })
            })
            .collect()
    }

    /// Rows as they stand in a registration report of that time.
    pub fn registration_rows(&self, as_of: Timestamp) -> Vec<Value> {
        self.accounts
            .values()
            .filter(|account| account.exists)
            .filter_map(|account| {
                let registered = account.registered?;
                Some(json!({
                    "id": account.id,
                    "userPrincipalName": account.upn,
                    "isMfaRegistered": registered,
                    "isMfaCapable": registered,
                    "isPasswordlessCapable": account.passwordless,
                    "methodsRegistered": if registered { vec!["microsoftAuthenticatorPush"] } else { vec![] },
                    "lastUpdatedDateTime": as_of.to_string(),
                }))
            })
            .collect()
    }

    /// Has the service know what the directory knows at that moment. What is frozen is not to be
    /// had.
    fn serve(&mut self, graph: &FakeGraph, now: Timestamp) {
        graph.set_now(now);
        for (part, kind) in [
            ("users", Kind::Users),
            ("groups", Kind::Groups),
            ("registration", Kind::Report),
            ("sign-ins", Kind::SignIns),
        ] {
            if self.frozen.contains(part) {
                graph.break_down(kind, Fault::Status(403, "Authorization_RequestDenied"));
            } else {
                graph.mend(kind);
            }
        }
        graph.set_users(self.user_rows());
        graph.set_groups(&self.group_rows());
        let as_of = now.checked_sub(self.report_lag).unwrap();
        graph.set_report(self.registration_rows(as_of));
        for row in self.sign_ins.drain(..) {
            graph.add_sign_in(row);
        }
        for row in self.audits.drain(..) {
            graph.add_audit(row);
        }
    }

    fn group_rows(&self) -> Vec<Value> {
        self.groups
            .iter()
            .enumerate()
            .map(|(n, (name, members))| {
                let members: Vec<&String> =
                    members.iter().map(|name| &self.accounts[name].id).collect();
                json!({ "id": format!("0a0a0a0a-0000-4000-8000-{n:012}"), "displayName": name, "members": members })
            })
            .collect()
    }

    /// Writes what the directory exports at that moment.
    pub fn export(&mut self, now: Timestamp) {
        if let Some(graph) = self.graph.clone() {
            return self.serve(&graph, now);
        }
        self.exports += 1;
        let number = self.exports;
        if !self.frozen.contains("users") {
            self.write("users.json", self.user_rows(), now);
        }
        if !self.frozen.contains("registration") {
            let as_of = now.checked_sub(self.report_lag).unwrap();
            self.write("registration.json", self.registration_rows(as_of), now);
        }
        if !self.frozen.contains("groups") {
            self.write("groups.json", self.group_rows(), now);
        }
        if !self.frozen.contains("sign-ins") {
            let rows = std::mem::take(&mut self.sign_ins);
            self.write(&format!("sign-ins-{number:04}.json"), rows, now);
        }
        if !self.audits.is_empty() {
            let rows = std::mem::take(&mut self.audits);
            self.write(&format!("audits-{number:04}.json"), rows, now);
        }
    }

    /// The same, the log in one file from its beginning, as often as wanted.
    pub fn export_whole(&self, now: Timestamp) {
        self.write("users.json", self.user_rows(), now);
        self.write("registration.json", self.registration_rows(now), now);
        self.write("groups.json", self.group_rows(), now);
        self.write("sign-ins.json", self.sign_ins.clone(), now);
    }

    /// Writes an export that was made at that moment; renamed into place, so that no pass reads half of it.
    pub fn write(&self, name: &str, rows: Vec<Value>, modified: Timestamp) {
        let part = self.folder().join("part");
        std::fs::write(&part, json!({ "value": rows }).to_string()).unwrap();
        let file = std::fs::File::options().write(true).open(&part).unwrap();
        file.set_modified(modified.into()).unwrap();
        std::fs::rename(part, self.tenant().join(name)).unwrap();
    }

    /// Exports and runs a whole pass, with its deliveries.
    pub async fn pass(&mut self, now: Timestamp) -> PassReport {
        self.export(now);
        self.pass_on_old_exports(now).await
    }

    /// A pass on the files as they are.
    pub async fn pass_on_old_exports(&mut self, now: Timestamp) -> PassReport {
        self.try_pass(now).await.unwrap()
    }

    pub async fn try_pass(&mut self, now: Timestamp) -> Result<PassReport, PassError> {
        self.now = now;
        let store = Store::open(&self.database()).await?;
        let engine = Engine::new(
            store.clone(),
            self.config(),
            Clock::fixed_at(now),
            Arc::new(Progress::default()),
        )
        .unwrap();
        let engine = match self.patience {
            Some(patience) => engine.with_patience(patience),
            None => engine,
        };
        let mut report = PassReport::new(now);
        engine.recover().await.unwrap();
        let result = engine
            .pass(Wake::Sources, &mut report, &CancellationToken::new())
            .await;
        engine.close().await;
        store.close().await;
        self.report = report.clone();
        result?;
        super::lists::assert_as_decided(&self.config()).await;
        Ok(report)
    }

    /// A pass on each of these days, at midnight.
    pub async fn daily(&mut self, days: std::ops::RangeInclusive<i64>) {
        for number in days {
            self.pass(day(number)).await;
        }
    }

    /// An operator's act on a window.
    pub async fn act(&self, name: &str, kind: ActKind, at: Timestamp) {
        let act = NewAct {
            user: self.id(name),
            policy: None,
            kind,
            reason: "asked for".to_owned(),
            by: operator(),
            ticket: None,
        };
        let store = self.store().await;
        store.record_acts(&[act], at).await.unwrap();
        store.close().await;
    }

    pub async fn approve(&self, hold: &str, at: Timestamp) {
        let store = self.store().await;
        let shown = store.shown(hold).await.unwrap().expect(hold);
        let approved = store.approve(&shown, &operator(), "looked into", at).await;
        assert!(approved.unwrap(), "{hold} does not stand so");
        store.close().await;
    }

    pub async fn store(&self) -> Store {
        Store::open_existing(&self.database()).await.unwrap()
    }

    /// What was decided about a person, under the first policy, as of the newest pass.
    pub async fn decision(&self, name: &str) -> Decision {
        self.decisions(&[name]).await.remove(name).unwrap()
    }

    pub async fn decisions(&self, names: &[&str]) -> BTreeMap<String, Decision> {
        let mut all = self.decisions_of_all_policies(names).await;
        names
            .iter()
            .map(|name| ((*name).to_owned(), all.remove(*name).unwrap().remove(0)))
            .collect()
    }

    pub async fn decisions_of_all_policies(
        &self,
        names: &[&str],
    ) -> BTreeMap<String, Vec<Decision>> {
        let store = self.store().await;
        let config = self.config();
        let now = store.newest_pass().await.unwrap().unwrap();
        let policies = pass::policies(&store, &config, now).await.unwrap();
        let channel = if config.can_tell() {
            Channel::Works
        } else {
            Channel::None
        };
        let world = pass::world(&store, &config, channel, now).await.unwrap();
        let by_id: BTreeMap<UserId, String> = names
            .iter()
            .map(|name| (self.id(name), (*name).to_owned()))
            .collect();
        let whom = Whom::these(by_id.keys().map(UserId::as_str));
        let dossiers = store.load(&whom).await.unwrap();
        store.close().await;
        dossiers
            .into_iter()
            .map(|dossier| {
                let name = by_id[&dossier.person.id].clone();
                let outcome = pass::look(dossier, &policies, &world, now);
                (name, outcome.decisions)
            })
            .collect()
    }

    /// What is known of an account.
    pub async fn person(&self, name: &str) -> Person {
        let store = self.store().await;
        let whom = Whom::these([self.id(name).as_str()]);
        let mut dossiers = store.load(&whom).await.unwrap();
        store.close().await;
        dossiers.remove(0).person
    }

    pub async fn state(&self, name: &str) -> State {
        self.decision(name).await.state
    }

    pub async fn states(&self, names: &[&str]) -> Vec<State> {
        let mut decisions = self.decisions(names).await;
        names
            .iter()
            .map(|name| decisions.remove(*name).unwrap().state)
            .collect()
    }

    pub async fn deadline(&self, name: &str) -> Option<Timestamp> {
        self.decision(name).await.deadline
    }

    /// The holds of the last pass.
    pub fn held(&self) -> Vec<&str> {
        self.report
            .holds
            .iter()
            .map(|hold| hold.id.as_str())
            .collect()
    }

    /// Mails to a person that nobody has looked at yet.
    pub async fn mailbox(&mut self, name: &str) -> Mailbox {
        let id = self.id(name);
        let mut mails = self.unread().await;
        mails.retain(|(path, user, _)| {
            let mine = user.as_deref() == Some(id.as_str());
            if mine {
                self.read.insert(path.clone());
            }
            mine
        });
        Mailbox {
            whose: name.to_owned(),
            mails: mails.into_iter().map(|(_, _, mail)| mail).collect(),
        }
    }

    /// Mails to operators that nobody has looked at yet.
    pub async fn operators(&mut self) -> Mailbox {
        let mut mails = self.unread().await;
        mails.retain(|(path, user, _)| user.is_none() && self.read.insert(path.clone()));
        Mailbox {
            whose: "operators".to_owned(),
            mails: mails.into_iter().map(|(_, _, mail)| mail).collect(),
        }
    }

    /// Every mail that nobody has looked at yet, by account name.
    pub async fn post(&mut self) -> BTreeMap<String, Vec<String>> {
        let names: BTreeMap<String, String> = self
            .accounts
            .iter()
            .map(|(name, account)| (account.id.clone(), name.clone()))
            .collect();
        let mut post: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (path, user, mail) in self.unread().await {
            self.read.insert(path);
            let whose = user.map_or("operators".to_owned(), |id| names[&id].clone());
            let mailbox = Mailbox {
                whose: whose.clone(),
                mails: vec![mail],
            };
            post.entry(whose).or_default().extend(mailbox.events());
        }
        post
    }

    async fn unread(&self) -> Vec<(PathBuf, Option<String>, Mail)> {
        let store = self.store().await;
        let rows = store.deliveries(&[], None).await.unwrap();
        store.close().await;
        let outbox = self.folder().join("outbox");
        let mut files: Vec<PathBuf> = match std::fs::read_dir(&outbox) {
            Ok(entries) => entries.map(|entry| entry.unwrap().path()).collect(),
            Err(_) => Vec::new(),
        };
        files.sort();
        files.retain(|path| !self.read.contains(path));
        files
            .into_iter()
            .map(|path| {
                let bytes = std::fs::read(&path).unwrap();
                let mail = MessageParser::default().parse(&bytes).unwrap();
                let message_id = mail.message_id().unwrap();
                let row = rows
                    .iter()
                    .find(|row| row.message_id.trim_matches(['<', '>']) == message_id)
                    .unwrap();
                let to = mail.to().and_then(|to| to.first()).unwrap();
                let found = Mail {
                    to: to.address().unwrap().to_owned(),
                    event: row.event.clone(),
                    step: row.step.clone(),
                    subject: mail.subject().unwrap().to_owned(),
                    text: mail.body_text(0).unwrap().into_owned(),
                };
                (path, row.user.clone(), found)
            })
            .collect()
    }
}

/// Who approves.
pub(crate) fn operator() -> Actor {
    Actor {
        name: "operator".to_owned(),
        uid: None,
    }
}
