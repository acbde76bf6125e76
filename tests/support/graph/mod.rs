//! A fake of Microsoft Graph and of the endpoint that gives tokens, which keeps state as the
//! service does and is as strict: it refuses what Graph refuses.
//!
//! `let graph = FakeGraph::start(); graph.set_now(day(1)); graph.put_user(json!({ "id": … }));`
//! One base URL serves `/{tenant}/oauth2/v2.0/token` and `/v1.0/…`.
//!
//! The trap: there are two clocks. What a tenant *holds* (how old a log entry or a delta token is)
//! follows the clock that a test sets. What two parties compare on the wire (lifetimes of tokens,
//! the `Date` header, `Retry-After`, the buckets of the throttle) follows the host's, because the
//! program under test does so too, even when it rehearses another day.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "the example takes a part of it; it fails at once, and rows are written in place"
)]

mod answer;
mod assertion;
mod auth;
mod delta;
mod directory;
mod faults;
mod filter;
mod folder;
mod groups;
mod http;
mod logs;
mod paging;
mod question;
mod report;
mod sample;
mod service;
mod throttle;
mod users;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use self::faults::{Fault, RetryAfter};
pub use self::question::Kind;
use self::service::Service;
pub use self::service::{Asked, Removal};
pub use self::throttle::RetryForm;

/// The tenant, the application and its secret that a fresh fake knows.
pub const TENANT: &str = "7e000000-0000-4000-8000-000000000001";
pub const CLIENT: &str = "a9900000-0000-4000-8000-000000000001";
pub const SECRET: &str = "an~example.secret";
/// By this App Service knows that a machine asks.
pub const MACHINE_HEADER: &str = "b0a7d000-machine";

/// The service, its state and its server; clones are the same service. It ends with the last.
#[derive(Clone)]
pub struct FakeGraph {
    service: Arc<Mutex<Service>>,
    url: Arc<str>,
    _server: Arc<http::Server>,
}

impl FakeGraph {
    /// A tenant without anybody, on a free port. It has a thread of its own, so that a test may
    /// block while a program asks.
    pub fn start() -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), TENANT).unwrap()
    }

    pub fn listen(at: SocketAddr, tenant: &str) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind(at)?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = Arc::new(Mutex::new(Service::new(&url, tenant)));
        let server = http::Server::start(listener, Arc::clone(&service));
        Ok(Self {
            service,
            url: url.into(),
            _server: Arc::new(server),
        })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// The tables of a configuration that asks here; `secret_file` holds [`SECRET`].
    pub fn configuration(&self, secret_file: &str) -> String {
        let (url, tenant) = (&self.url, self.service().auth.tenant.clone());
        format!(
            "[directory]\nsource = \"graph\"\n[directory.graph]\ntenant_id = \"{tenant}\"\nclient_id = \"{CLIENT}\"\nclient_secret_file = \"{secret_file}\"\n\
             graph_url = \"{url}\"\nauthority_url = \"{url}\"\nreports_per_10s = 100000\n"
        )
    }

    /// The time of the tenant; without it, the host's.
    pub fn set_now(&self, now: Timestamp) {
        self.service().now = Some(now);
    }

    /// How much later than it happens an event appears in the logs.
    pub fn set_lag(&self, lag: SignedDuration) {
        let mut service = self.service();
        service.sign_ins.lag = lag;
        service.audits.lag = lag;
    }

    /// How long the logs keep events.
    pub fn set_retention(&self, retention: SignedDuration) {
        let mut service = self.service();
        service.sign_ins.retention = retention;
        service.audits.retention = retention;
    }

    /// At most so many rows on a page.
    pub fn set_page_size(&self, rows: usize) {
        self.service().paging.size = Some(rows);
    }

    /// Each page of a delta or a list is preceded by an empty one that leads to it.
    pub fn send_empty_pages(&self) {
        self.service().paging.empty = true;
    }

    /// Each delta tells so many changes again that it told before, and each object twice.
    pub fn replay_changes(&self, count: usize) {
        self.service().directory.replays = count;
    }

    /// How far the index behind membership queries is behind.
    pub fn membership_lag(&self, lag: SignedDuration) {
        self.service().directory.membership_lag = lag;
    }

    /// Creates a user or changes properties of one.
    pub fn put_user(&self, user: Value) {
        self.service().put_user(&user);
    }

    /// Makes these the users: the others are soft-deleted, and who was may come back.
    pub fn set_users(&self, rows: Vec<Value>) {
        self.service().set_users(&rows);
    }

    pub fn remove_user(&self, id: &str, removal: Removal) {
        self.service().remove_user(id, removal);
    }

    pub fn restore_user(&self, id: &str) {
        self.service().restore_user(id);
    }

    /// The same, and no delta will tell of it.
    pub fn restore_user_silently(&self, id: &str) {
        let mut service = self.service();
        service.restore_user(id);
        service.directory.changes.pop();
    }

    /// Creates a group or changes one; members are ids of users and groups.
    pub fn put_group(&self, id: &str, name: &str, members: &[&str]) {
        let members = members.iter().map(|&id| id.to_owned()).collect();
        self.service().put_group(id, name, members);
    }

    /// Makes these the groups: rows with `id`, `displayName` and `members`.
    pub fn set_groups(&self, rows: &[Value]) {
        self.service().set_groups(rows);
    }

    pub fn remove_group(&self, id: &str) {
        self.service().remove_group(id);
    }

    /// Whether the members of a group are hidden from applications without Member.Read.Hidden.
    pub fn hide_members(&self, group: &str, hidden: bool) {
        self.service().directory.hide(group, hidden);
    }

    /// What is true of a person's methods; the report has it after its next refresh.
    pub fn set_registration(&self, id: &str, row: Value) {
        self.service().report.set(id, row);
    }

    /// The person is in no later report.
    pub fn leave_out_of_report(&self, id: &str) {
        self.service().report.leave_out(id);
    }

    /// Makes these the rows of the report, as it was refreshed last.
    pub fn set_report(&self, rows: Vec<Value>) {
        self.service().report.replace(&rows);
    }

    /// The report becomes what is true now.
    pub fn refresh_report(&self) {
        self.service().refresh_report();
    }

    pub fn add_sign_in(&self, row: Value) {
        self.service().sign_ins.add(row, None);
    }

    /// A sign-in that appears so long after it happened.
    pub fn add_sign_in_late(&self, row: Value, lag: SignedDuration) {
        self.service().sign_ins.add(row, Some(lag));
    }

    /// The service completes its records later (case 4).
    pub fn change_sign_in(&self, id: &str, fields: &Value) {
        self.service().sign_ins.change(id, fields);
    }

    pub fn add_audit(&self, row: Value) {
        self.service().audits.add(row, None);
    }

    /// Whether the tenant has security defaults on.
    pub fn set_security_defaults(&self, enabled: bool) {
        self.service().security_defaults = enabled;
    }

    /// Makes the tenant what a folder of exports says; who is absent was soft-deleted.
    pub fn load_folder(&self, folder: &Path) {
        self.service().load_folder(folder);
    }

    /// A small made-up organisation that goes on living while it is asked.
    pub fn load_sample(&self) {
        sample::found(&mut self.service());
    }

    /// Uploads a certificate of the application: its DER and its public key as PEM.
    pub fn upload_certificate(&self, der: &[u8], public_key: &str) {
        let certificate = assertion::Certificate::new(der, public_key);
        self.service().auth.certificate = Some(certificate);
    }

    /// A federated credential of the application accepts this token.
    pub fn federate(&self, token: &str) {
        self.service().auth.federated.insert(token.to_owned());
    }

    pub fn set_token_lifetime(&self, seconds: u64) {
        self.service().auth.lifetime = Duration::from_secs(seconds);
    }

    /// How many tokens were given.
    pub fn tokens_given(&self) -> u32 {
        self.service().auth.given
    }

    /// All tokens given so far are worth nothing any more.
    pub fn expire_tokens(&self) {
        self.service().auth.tokens.clear();
    }

    /// Every request for a token fails with this AADSTS code; none: they succeed.
    pub fn refuse_tokens(&self, code: Option<u32>) {
        self.service().auth.refusal = code;
    }

    /// Permissions are in tokens: a change counts from the next token on.
    pub fn grant_permission(&self, permission: &'static str) {
        self.service().auth.granted.insert(permission);
    }

    /// Whether it was granted before.
    pub fn revoke_permission(&self, permission: &str) -> bool {
        self.service().auth.granted.remove(permission)
    }

    /// Whether the tenant has a P1 or P2 licence.
    pub fn set_licensed(&self, licensed: bool) {
        self.service().auth.licensed = licensed;
    }

    /// Reports and logs take so many requests in ten seconds (the real ones 5), users and groups
    /// what the real ones take.
    pub fn throttle(&self, reports_per_10s: u32) {
        self.service().throttle.limit(reports_per_10s);
    }

    /// How many requests the limits turned away.
    pub fn throttled(&self) -> u32 {
        self.service().throttle.refused
    }

    /// How the service says how long to wait.
    pub fn retry_after(&self, form: RetryForm) {
        self.service().throttle.form = form;
    }

    /// By how much the service's clock is ahead of the host's in `Date`.
    pub fn clock_ahead(&self, ahead: SignedDuration) {
        self.service().clock_ahead = ahead;
    }

    /// The nth request of this kind from now on (1: the next) meets this.
    pub fn fail(&self, kind: Kind, nth: usize, fault: Fault) {
        self.service().faults.script(Some(kind), nth, fault);
    }

    /// The nth request from now on, whatever it asks for, meets this.
    pub fn fail_any(&self, nth: usize, fault: Fault) {
        self.service().faults.script(None, nth, fault);
    }

    /// Every request of this kind meets this, until it is mended.
    pub fn break_down(&self, kind: Kind, fault: Fault) {
        self.service().faults.always(kind, fault);
    }

    /// The link of this kind that is asked for next meets this for ever; later ones are well.
    pub fn kill_link(&self, kind: Kind, fault: Fault) {
        self.service().faults.kill_link(kind, fault);
    }

    pub fn mend(&self, kind: Kind) {
        self.service().faults.end(kind);
    }

    /// Nothing goes wrong any more, not even what was to come.
    pub fn mend_all(&self) {
        self.service().faults = faults::Faults::default();
    }

    /// Everything that was asked, oldest first.
    pub fn requests(&self) -> Vec<Asked> {
        self.service().asked.clone()
    }

    /// How often this kind was asked for.
    pub fn count(&self, kind: Kind) -> usize {
        self.service()
            .asked
            .iter()
            .filter(|asked| asked.kind == kind)
            .count()
    }

    /// What was asked since the last time; it is forgotten.
    pub fn take_requests(&self) -> Vec<Asked> {
        std::mem::take(&mut self.service().asked)
    }

    fn service(&self) -> MutexGuard<'_, Service> {
        self.service.lock().unwrap()
    }
}
