//! What asking costs: lists next to `sqlite3 -json` of the same rows, and everything else next to
//! itself in an organisation of 10,000.
//!
//! `FORTNIGHT_BENCH_PEOPLE=1000000 cargo bench --bench desk`; 100,000 people unless told.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where something is missing"
)]

#[allow(dead_code, reason = "the rollout changes it, too")]
#[path = "rollout/tenant.rs"]
mod tenant;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use fortnight::config::Config;
use fortnight::courier::herald::Herald;
use fortnight::desk::users::{self, Query};
use fortnight::desk::{Reader, explain, plan, status};
use fortnight::domain::facts::Channel;
use fortnight::pass::{Directory, Pass};
use fortnight::report::{PassReport, Progress};
use fortnight::store::Store;
use jiff::Timestamp;

use self::tenant::{Edition, Tenant};

/// People of the small organisation.
const FEW: u32 = 10_000;
/// The fastest of so many tries counts.
const TRIES: u32 = 20;
/// The columns that `users` prints, in the order in which they lie.
const SAME_ROWS: &str = "SELECT people.id, user_principal_name, display_name, mail, policy, state, registered, sequence, window_opened_at, window_deadline,
     window_left, bypasses, may_skip, enforcement, enforced_at, next_at, next_action
 FROM standings JOIN people ON people.id = standings.user_id ORDER BY user_id, policy";

fn main() {
    let people =
        std::env::var("FORTNIGHT_BENCH_PEOPLE").map_or(100_000, |people| people.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let (large, small) = (folder.path().join("large"), folder.path().join("small"));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (folder, people) in [(&large, people), (&small, FEW)] {
        runtime.block_on(import(folder, people));
    }
    println!("{people} people next to {FEW}");
    print_list(&large);
    for (what, asks) in ASKED {
        let [large, small] = [&large, &small].map(|folder| fastest(&runtime, folder, *asks));
        let ratio = large.as_secs_f64() / small.as_secs_f64();
        println!("{what}: {ratio:.2} (at most 1.5; {large:.2?} : {small:.2?})");
    }
}

/// What is asked of both organisations.
#[derive(Clone, Copy)]
enum Asked {
    FirstUsers,
    Explain,
    Status,
    Plan,
}

const ASKED: &[(&str, Asked)] = &[
    ("users --limit 50 --sort deadline", Asked::FirstUsers),
    ("explain", Asked::Explain),
    ("status", Asked::Status),
    ("enforcement plan with nobody due", Asked::Plan),
];

impl Asked {
    async fn of(self, config: &Config) -> Vec<u8> {
        let reader = Reader::open(config).await.unwrap();
        let answer = match self {
            Self::FirstUsers => {
                let query = Query {
                    limit: Some(50),
                    ..Query::default()
                };
                let mut rows = users::list(&reader, query).await.unwrap();
                let mut list = Vec::new();
                while let Some(row) = rows.next().await.unwrap() {
                    list.push(row);
                }
                serde_json::to_vec(&list)
            }
            Self::Explain => serde_json::to_vec(
                &explain::explain(&reader, config, "person7@contoso.com", None)
                    .await
                    .unwrap(),
            ),
            Self::Status => {
                serde_json::to_vec(&status::status(config, &reader, None).await.unwrap())
            }
            Self::Plan => serde_json::to_vec(&plan::plan(&reader).await.unwrap()),
        };
        reader.store.close().await;
        answer.unwrap()
    }
}

fn fastest(runtime: &tokio::runtime::Runtime, folder: &Path, asked: Asked) -> Duration {
    let (config, _) = Config::load(&folder.join("fortnight.toml"), []).unwrap();
    let tries = (0..TRIES).map(|_| {
        let began = Instant::now();
        black_box(runtime.block_on(asked.of(&config)));
        began.elapsed()
    });
    tries.min().unwrap()
}

fn print_list(folder: &Path) {
    let configuration = folder.join("fortnight.toml");
    let mut ours = Command::new(env!("CARGO_BIN_EXE_fortnight"));
    ours.arg("-c").arg(configuration);
    ours.args(["users", "--format", "json"]);
    let ours = run(ours);
    let mut theirs = Command::new("sqlite3");
    theirs.arg("-json").arg(folder.join("fortnight.db"));
    theirs.arg(SAME_ROWS);
    if Command::new("sqlite3").arg("--version").output().is_err() {
        println!(
            "sqlite3 is not installed: users --format json took {:.2?}",
            ours.took
        );
        return;
    }
    let theirs = run(theirs);
    let ratio = ours.took.as_secs_f64() / theirs.took.as_secs_f64();
    println!(
        "users --format json : sqlite3 -json: {ratio:.2} (at most 3; {:.2?} : {:.2?}; {} MB at most in memory : {} MB)",
        ours.took, theirs.took, ours.megabytes, theirs.megabytes
    );
}

struct Ran {
    took: Duration,
    megabytes: u64,
}

/// Runs a program whose output nobody reads, and watches its memory.
fn run(mut program: Command) -> Ran {
    let began = Instant::now();
    let mut child = program.stdout(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.trim().strip_suffix(" kB"));
        peak = peak.max(now.and_then(|now| now.parse::<u64>().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    Ran {
        took: began.elapsed(),
        megabytes: peak / 1000,
    }
}

async fn import(folder: &Path, people: u32) {
    let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let page = 999;
    let tenant = Tenant {
        people,
        page,
        at: now,
    };
    tenant.export(&folder.join("tenant"), Edition::First);
    fs::write(folder.join("fortnight.toml"), CONFIGURATION).unwrap();
    let (config, _) = Config::load(&folder.join("fortnight.toml"), []).unwrap();
    let store = Store::open(&config.database).await.unwrap();
    let pass = Pass {
        store: &store,
        config: &config,
        directory: &Directory::new(&config.directory).unwrap(),
        patience: None,
        now,
        channel: Channel::Works,
        outage: None,
        herald: Herald::new(&store, &config, now).await.unwrap(),
        clock_fault: None,
        progress: &Progress::default(),
    };
    pass.run(&mut PassReport::new(now)).await.unwrap();
    store.close().await;
}

const CONFIGURATION: &str = r#"
database.url = "sqlite:fortnight.db"
directory.source = "files"
directory.files.path = "tenant"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
allow_empty_exclusion = true
since = 2026-03-01T00:00:00Z
[email]
from = "Identity team <identity@contoso.com>"
transport = "smtp"
smtp = { host = "127.0.0.1", port = 25, tls = "none", per_day = 10000 }
"#;
