//! Microsoft Graph and its token endpoint, as far as the program asks them: stateful, and as
//! strict as the real one is documented to be. It has a clock of its own, keeps users, groups,
//! reports and logs, and fails in every documented way when it is told to.

#![allow(
    dead_code,
    unused_imports,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    missing_docs,
    reason = "a fake for tests, of which each takes a part"
)]

mod directory;
mod faults;
mod logs;
mod serve;
mod tokens;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

pub use self::directory::Removal;
pub use self::faults::{Fault, RetryAfter};
pub use self::serve::Kind;

/// The service; clones share it.
#[derive(Clone)]
pub struct FakeGraph {
    url: String,
    state: Arc<Mutex<State>>,
}

/// A request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub kind: Kind,
    /// Path and query.
    pub target: String,
    pub status: u16,
    /// By the service's clock.
    pub at: Timestamp,
}

struct State {
    url: String,
    /// None: the host's clock.
    now: Option<Timestamp>,
    users: BTreeMap<String, Value>,
    removed: BTreeMap<String, Removal>,
    /// Ids of users in the order of their changes.
    changes: Vec<String>,
    groups: BTreeMap<String, Group>,
    /// Groups whose members the application may not see.
    hidden: BTreeSet<String>,
    report: BTreeMap<String, Value>,
    sign_ins: BTreeMap<String, Event>,
    audits: BTreeMap<String, Event>,
    lag: SignedDuration,
    retention: SignedDuration,
    page_size: usize,
    /// Each delta tells of so many changes again that it told of before.
    replays: usize,
    /// Whether pages without rows come in between.
    empty_pages: bool,
    permissions: BTreeSet<&'static str>,
    licensed: bool,
    tokens: BTreeMap<String, (String, Instant)>,
    token_lifetime_s: u64,
    token_refusal: Option<u32>,
    given: u32,
    secret: String,
    certificate: Option<tokens::Certificate>,
    used_assertions: BTreeSet<String>,
    federated: BTreeSet<String>,
    faults: BTreeMap<Kind, VecDeque<Fault>>,
    broken: BTreeMap<Kind, Fault>,
    throttle: Option<faults::Throttle>,
    requests: Vec<Request>,
}

#[derive(Debug, Clone, Default)]
struct Group {
    name: String,
    /// Ids of users and groups.
    members: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Event {
    row: Value,
    at: Timestamp,
    visible_at: Timestamp,
}

/// What an application may be granted.
pub const PERMISSIONS: [&str; 3] = ["User.Read.All", "GroupMember.Read.All", "AuditLog.Read.All"];
/// The secret that is good.
pub const SECRET: &str = "graph-secret-word";
/// The tenant and the application.
pub const TENANT: &str = "7e4a0000-0000-4000-8000-000000000001";
pub const CLIENT: &str = "c11e0000-0000-4000-8000-000000000002";

impl FakeGraph {
    /// Starts on a port of this machine's own choice.
    pub async fn start() -> Self {
        Self::listen("127.0.0.1:0").await
    }

    pub async fn listen(address: &str) -> Self {
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::new(url.clone())));
        let served = Arc::clone(&state);
        tokio::spawn(async move { axum::serve(listener, serve::routes(served)).await });
        Self { url, state }
    }

    /// Serves from a thread of its own, for as long as the test runs: a world makes and drops
    /// runtimes.
    pub fn start_thread() -> Self {
        let (sender, receiver) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                sender.send(Self::start().await).unwrap();
                std::future::pending::<()>().await;
            });
        });
        receiver.recv().unwrap()
    }

    /// Where it is: Graph and the identity platform both.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The tables of a configuration that asks here; the secret lies in that file.
    pub fn configuration(&self, secret_file: &str) -> String {
        let url = &self.url;
        format!(
            "[directory]\nsource = \"graph\"\n[directory.graph]\ntenant_id = \"{TENANT}\"\nclient_id = \"{CLIENT}\"\nclient_secret_file = \"{secret_file}\"\ngraph_url = \"{url}\"\nauthority_url = \"{url}\"\nreports_per_10s = 100000\n"
        )
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    pub fn set_now(&self, now: Timestamp) {
        self.state().now = Some(now);
    }

    /// How long events take from their time to the log.
    pub fn set_lag(&self, lag: SignedDuration) {
        self.state().lag = lag;
    }

    pub fn set_retention(&self, retention: SignedDuration) {
        self.state().retention = retention;
    }

    pub fn set_page_size(&self, rows: usize) {
        self.state().page_size = rows;
    }

    /// What came in since the last time this was asked.
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state().requests)
    }
}

impl State {
    fn new(url: String) -> Self {
        Self {
            url,
            now: None,
            users: BTreeMap::new(),
            removed: BTreeMap::new(),
            changes: Vec::new(),
            groups: BTreeMap::new(),
            hidden: BTreeSet::new(),
            report: BTreeMap::new(),
            sign_ins: BTreeMap::new(),
            audits: BTreeMap::new(),
            lag: SignedDuration::ZERO,
            retention: SignedDuration::from_hours(30 * 24),
            page_size: 100,
            replays: 0,
            empty_pages: false,
            permissions: PERMISSIONS.into_iter().collect(),
            licensed: true,
            tokens: BTreeMap::new(),
            token_lifetime_s: 3_599,
            token_refusal: None,
            given: 0,
            secret: SECRET.to_owned(),
            certificate: None,
            used_assertions: BTreeSet::new(),
            federated: BTreeSet::new(),
            faults: BTreeMap::new(),
            broken: BTreeMap::new(),
            throttle: None,
            requests: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        #[expect(clippy::disallowed_methods, reason = "a service has a clock")]
        self.now.unwrap_or_else(Timestamp::now)
    }
}
