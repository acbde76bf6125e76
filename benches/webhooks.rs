//! Signed webhooks through the whole courier, next to a bare loop of requests; and what one
//! endpoint that stalls costs the others.
//!
//! `cargo bench --bench webhooks`; 5,000 events unless `FORTNIGHT_BENCH_EVENTS` says otherwise.
//! The ratios carry over to other machines, the rates do not.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where something is missing"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fortnight::config::Config;
use fortnight::engine::{Engine, Wake};
use fortnight::report::PassReport;
use fortnight::store::Store;
use fortnight::time::Clock;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Each is measured so often, one after the other: a single run of a second says little.
const ROUNDS: usize = 7;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";

fn main() {
    let events =
        std::env::var("FORTNIGHT_BENCH_EVENTS").map_or(5_000, |events| events.parse().unwrap());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let sink = Sink::start().await;
        // It takes connections and says nothing, for ever.
        let stalled = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", stalled.local_addr().unwrap());
        let (mut alone, mut bare, mut beside) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(rate(&sink, events, &[("program", &sink.url)]).await);
            let body = sink.body.lock().unwrap().clone();
            bare.push(bare_loop(&sink, events, body).await);
            beside.push(rate(&sink, events, &[("program", &sink.url), ("stalled", &url)]).await);
        }
        let [alone, bare, beside] = [alone, bare, beside].map(median);
        print_ratio(
            "signed webhooks, outcomes kept : bare loop of requests",
            alone,
            bare,
            "at least 0.3",
        );
        print_ratio(
            "beside an endpoint that stalls : alone",
            beside,
            alone,
            "at least 0.9",
        );
    });
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// Events per second.
fn print_ratio(what: &str, ours: f64, reference: f64, goal: &str) {
    println!(
        "{what}: {:.2} ({goal}; {ours:.0}/s : {reference:.0}/s)",
        ours / reference
    );
}

/// A receiver that counts.
struct Sink {
    url: String,
    taken: Arc<AtomicU64>,
    /// When the last one came.
    last: Arc<Mutex<Option<Instant>>>,
    body: Arc<Mutex<Vec<u8>>>,
}

impl Sink {
    async fn start() -> Self {
        let (taken, last, body) = (Arc::default(), Arc::default(), Arc::default());
        let sink = Self {
            url: String::new(),
            taken,
            last,
            body,
        };
        let (count, last, kept) = (
            Arc::clone(&sink.taken),
            Arc::clone(&sink.last),
            Arc::clone(&sink.body),
        );
        let answer = move |body: axum::body::Bytes| async move {
            count.fetch_add(1, Ordering::Relaxed);
            *last.lock().unwrap() = Some(Instant::now());
            *kept.lock().unwrap() = body.to_vec();
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let routes = axum::Router::new().route("/", axum::routing::post(answer));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { url, ..sink }
    }
}

/// One request after the other, each awaited, with nothing around it.
async fn bare_loop(sink: &Sink, events: u64, body: Vec<u8>) -> f64 {
    let http = reqwest::Client::builder()
        .no_proxy()
        .http1_only()
        .build()
        .unwrap();
    let began = Instant::now();
    for _ in 0..events {
        let answer = http
            .post(&sink.url)
            .body(body.clone())
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_success());
    }
    per_second(events, began.elapsed())
}

/// How many events a second reach the sink, from the claim of the first one on.
async fn rate(sink: &Sink, events: u64, endpoints: &[(&str, &String)]) -> f64 {
    let folder = tempfile::tempdir().unwrap();
    export(&folder.path().join("tenant"), events);
    let config = configure(folder.path(), endpoints);
    let store = Store::open(&config.database).await.unwrap();
    let clock = Clock::fixed_at(now());
    let engine = Engine::new(store.clone(), config, clock, Arc::default()).unwrap();
    let mut report = PassReport::new(now());
    let never = CancellationToken::new();
    engine
        .look(Wake::Sources, &mut report, &never)
        .await
        .unwrap();
    assert_eq!(report.windows.opened, events);
    sink.taken.store(0, Ordering::Relaxed);
    let began = Instant::now();
    engine.deliver(&mut report, &never).await.unwrap();
    assert_eq!(sink.taken.load(Ordering::Relaxed), events);
    let last = sink.last.lock().unwrap().unwrap();
    store.close().await;
    per_second(events, last - began)
}

fn per_second(events: u64, took: Duration) -> f64 {
    f64::from(u32::try_from(events).unwrap()) / took.as_secs_f64()
}

fn now() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn configure(folder: &Path, endpoints: &[(&str, &String)]) -> Config {
    let mut text = String::from(
        r#"
database.url = "sqlite:fortnight.db"
directory.source = "files"
directory.files.path = "tenant"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
allow_empty_exclusion = true
since = 2026-03-01T00:00:00Z
"#,
    );
    for (name, url) in endpoints {
        writeln!(
            text,
            "[[webhook]]\nname = \"{name}\"\nurl = \"{url}\"\nformat = \"standard\"\nsecret_file = \"secret\"\nallow_networks = [\"127.0.0.0/8\"]"
        )
        .unwrap();
    }
    std::fs::write(folder.join("secret"), SECRET).unwrap();
    let file = folder.join("fortnight.toml");
    std::fs::write(&file, text).unwrap();
    Config::load(&file, []).unwrap().0
}

/// So many people without a method, each of whom signed in an hour ago.
fn export(folder: &Path, people: u64) {
    std::fs::create_dir_all(folder).unwrap();
    let id = |number: u64| format!("0f0e0d0c-0000-4000-8000-{number:012}");
    let write = |name: &str, row: &dyn Fn(u64) -> Value| {
        let rows: Vec<Value> = (0..people).map(row).collect();
        std::fs::write(folder.join(name), Value::from(rows).to_string()).unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(folder.join(name))
            .unwrap();
        file.set_modified(now().into()).unwrap();
    };
    write("users.json", &|number| {
        json!({ "id": id(number), "userPrincipalName": format!("person{number}@contoso.com"), "displayName": format!("Person {number}"),
                "mail": format!("person{number}@contoso.com"), "accountEnabled": true, "userType": "Member", "createdDateTime": "2015-03-04T05:06:07Z" })
    });
    write(
        "registration.json",
        &|number| json!({ "id": id(number), "isMfaCapable": false, "isMfaRegistered": false, "methodsRegistered": [], "lastUpdatedDateTime": now().to_string() }),
    );
    write("sign-ins.json", &|number| {
        json!({ "id": format!("51000000-0000-4000-9000-{number:012}"), "createdDateTime": "2026-03-02T07:00:00Z", "userId": id(number),
                "isInteractive": true, "clientAppUsed": "Browser", "status": { "errorCode": 0 } })
    });
}
