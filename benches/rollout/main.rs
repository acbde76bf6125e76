//! What a rollout costs, each figure as a ratio against a reference measured in the same run.
//!
//! `FORTNIGHT_BENCH_PEOPLE=1000000 cargo bench --bench rollout`; 100,000 people unless told. The
//! mails need postfix's `smtp-sink` and `smtp-source`, in PATH or in /usr/sbin, and are left out
//! where they are missing. The ratios carry over to other machines, the seconds do not.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]
#![expect(
    clippy::unwrap_used,
    reason = "a benchmark ends where something is missing"
)]

mod floor;
#[path = "../support/postfix.rs"]
mod postfix;
mod tenant;

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fortnight::config::Config;
use fortnight::courier::herald::Herald;
use fortnight::domain::decide::decide;
use fortnight::domain::facts::Channel;
use fortnight::engine::Engine;
use fortnight::pass::{self, Directory, Pass};
use fortnight::report::{PassReport, Progress};
use fortnight::store::{Store, Whom};
use fortnight::time::Clock;
use jiff::{SignedDuration, Timestamp};

use self::postfix::Postfix;
use self::tenant::{Edition, Tenant};

/// Rows of a page, as Graph serves them.
const PAGE: u32 = 999;
/// The bytes of a mail of ours, as `benches/smtp.rs` prints them.
const MAIL: usize = 5_800;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "floor", folder] => print_measured(floor::import(Path::new(folder))),
        [_, "import", folder] => print_measured(import(folder.into())),
        _ => measure(),
    }
}

fn measure() {
    let people =
        std::env::var("FORTNIGHT_BENCH_PEOPLE").map_or(100_000, |people| people.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let prepare = |name: &str, people, page| {
        let folder = folder.path().join(name);
        let at = exported_at();
        Tenant { people, page, at }.export(&folder.join("tenant"), Edition::First);
        configure(&folder, 1, 25);
        folder
    };
    let large = prepare("large", people, PAGE);
    let small = prepare("small", people / 100, PAGE);
    let in_small_pages = prepare("in-small-pages", people / 100, PAGE.div_ceil(100));
    println!("{people} people, as many registrations and sign-ins");
    let floor = run_child("floor", &large);
    let first = run_child("import", &large);
    run_child("import", &small);
    run_child("import", &in_small_pages);
    print_ratio(
        "first import : parse and raw upsert",
        first.took,
        floor.took,
        "at most 2",
    );
    println!(
        "    {} MB at most in memory (at most 250), the floor {} MB",
        first.megabytes, floor.megabytes
    );

    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let rollout = Rollout::open(large).await;
        let quiet = rollout.quiet_pass().await;
        for (folder, files, goal) in [
            (in_small_pages, "as many files", "at most 1.5"),
            (small, "fewer files", "each file is looked at"),
        ] {
            let few = Rollout::open(folder).await.quiet_pass().await;
            let what = format!("quiet pass : with {} people in {files}", people / 100);
            print_ratio(&what, quiet, few, goal);
        }
        print_ratio(
            "1 % changed : first import",
            rollout.one_percent(people).await,
            first.took,
            "at most 0.05",
        );
        print_ratio(
            "deciding : full pass",
            rollout.deciding().await,
            rollout.full_pass().await,
            "at most 0.1",
        );
        let mut mails = 0;
        let (mut queueing, mut insert) = (Duration::MAX, Duration::MAX);
        for round in 0..3 {
            let copy = rollout.copy(&format!("reminders-{round}")).await;
            let (queued, took) = copy.on_changes(reminded_at()).await;
            (mails, queueing) = (u32::try_from(queued).unwrap(), queueing.min(took));
            copy.store.close().await;
            insert = insert.min(floor::insert_outbox(&copy.config.database));
        }
        let what = format!("{mails} reminders decided and queued : raw insert");
        print_ratio(&what, queueing, insert, "at most 6");
        rollout.on_changes(reminded_at()).await;
        let Some(postfix) = Postfix::find() else {
            println!("smtp-sink and smtp-source are not installed: no mails sent");
            return;
        };
        for connections in [1, 10] {
            rollout.mails(&postfix, connections, mails).await;
        }
    });
}

fn print_ratio(what: &str, ours: Duration, reference: Duration, goal: &str) {
    let ratio = ours.as_secs_f64() / reference.as_secs_f64();
    println!("{what}: {ratio:.3} ({goal}; {ours:.3?} : {reference:.3?})");
}

/// What a process of its own measured.
struct Measured {
    took: Duration,
    megabytes: u64,
}

/// Measures in a process of its own, for its memory.
fn run_child(what: &str, folder: &Path) -> Measured {
    let output = Command::new(std::env::current_exe().unwrap())
        .arg(what)
        .arg(folder)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let (seconds, kilobytes) = text.trim().split_once(' ').unwrap();
    Measured {
        took: Duration::from_secs_f64(seconds.parse().unwrap()),
        megabytes: kilobytes.parse::<u64>().unwrap() / 1000,
    }
}

/// The child's end: how long it took, and the most memory it had.
fn print_measured(took: Duration) {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .unwrap_or("0");
    println!("{} {peak}", took.as_secs_f64());
}

fn import(folder: PathBuf) -> Duration {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let began = Instant::now();
        let rollout = Rollout::open(folder).await;
        rollout.pass(exported_at()).await;
        rollout.store.close().await;
        began.elapsed()
    })
}

fn exported_at() -> Timestamp {
    "2026-03-02T08:00:00Z".parse().unwrap()
}

fn configure(folder: &Path, connections: usize, port: u16) {
    let text = format!(
        r#"
database.url = "sqlite:fortnight.db"
directory.source = "files"
directory.files.path = "tenant"
[[policy]]
name = "everyone"
enforce = "on"
include = {{ all_users = true }}
allow_empty_exclusion = true
since = 2026-03-01T00:00:00Z
reminders = ["-7d"]
[email]
from = "Identity team <identity@contoso.com>"
transport = "smtp"
smtp = {{ host = "127.0.0.1", port = {port}, tls = "none", connections = {connections} }}
"#
    );
    fs::write(folder.join("fortnight.toml"), text).unwrap();
}

/// A folder with a configuration, an export and an open database.
struct Rollout {
    folder: PathBuf,
    config: Config,
    directory: Directory,
    store: Store,
    progress: Arc<Progress>,
}

impl Rollout {
    async fn open(folder: PathBuf) -> Self {
        let (config, _) = Config::load(&folder.join("fortnight.toml"), []).unwrap();
        Self {
            store: Store::open(&config.database).await.unwrap(),
            progress: Arc::default(),
            directory: Directory::new(&config.directory).unwrap(),
            config,
            folder,
        }
    }

    async fn at(&self, now: Timestamp) -> Pass<'_> {
        Pass {
            store: &self.store,
            config: &self.config,
            directory: &self.directory,
            patience: None,
            now,
            channel: Channel::Works,
            outage: None,
            herald: Herald::new(&self.store, &self.config, now).await.unwrap(),
            clock_fault: None,
            progress: &self.progress,
        }
    }

    /// One pass over the sources.
    async fn pass(&self, now: Timestamp) -> Duration {
        let mut report = PassReport::new(now);
        let began = Instant::now();
        self.at(now).await.run(&mut report).await.unwrap();
        began.elapsed()
    }

    /// The fastest of some passes in which nothing changed and nothing is due.
    async fn quiet_pass(&self) -> Duration {
        let mut fastest = Duration::MAX;
        for _ in 0..10 {
            fastest = fastest.min(self.pass(exported_at()).await);
        }
        fastest
    }

    /// A pass over an export in which 1 % of the pages changed, each of their rows.
    async fn one_percent(&self, people: u32) -> Duration {
        let at = exported_at() + SignedDuration::from_hours(1);
        let page = PAGE;
        Tenant { people, page, at }.export(&self.folder.join("tenant"), Edition::OnePercent);
        self.pass(at).await
    }

    /// A pass that decides about everybody, as after a change of the configuration.
    async fn full_pass(&self) -> Duration {
        self.store.begin_sweep().await.unwrap();
        self.on_changes(exported_at() + SignedDuration::from_hours(1))
            .await
            .1
    }

    /// The decisions of such a pass alone.
    async fn deciding(&self) -> Duration {
        let now = exported_at() + SignedDuration::from_hours(1);
        let world = pass::world(&self.store, &self.config, Channel::Works, now)
            .await
            .unwrap();
        let policies = pass::policies(&self.store, &self.config, now)
            .await
            .unwrap();
        let mut took = Duration::ZERO;
        let mut above = String::new();
        loop {
            let ids = self.store.ids_above(&above, 10_000).await.unwrap();
            let Some(last) = ids.last().cloned() else {
                return took;
            };
            let dossiers = self
                .store
                .load(&Whom::Range(above, last.clone()))
                .await
                .unwrap();
            let began = Instant::now();
            for dossier in &dossiers {
                for policy in &policies {
                    black_box(decide(policy, &dossier.facts(&world, policy.nested), now));
                }
            }
            took += began.elapsed();
            above = last;
        }
    }

    /// How many mails a pass queued that reads no sources, and how long it took.
    async fn on_changes(&self, now: Timestamp) -> (u64, Duration) {
        let mut report = PassReport::new(now);
        let began = Instant::now();
        self.at(now)
            .await
            .run_on_changes(&mut report)
            .await
            .unwrap();
        (report.deliveries.queued, began.elapsed())
    }

    /// The same in a copy of the database.
    async fn copy(&self, name: &str) -> Self {
        let mut config = self.config.clone();
        config.database = self.folder.join(name).with_extension("db");
        self.store.copy_to(&config.database).await.unwrap();
        Self {
            folder: self.folder.clone(),
            store: Store::open(&config.database).await.unwrap(),
            progress: Arc::default(),
            directory: Directory::new(&config.directory).unwrap(),
            config,
        }
    }

    /// Sends the mails to a sink, bookkeeping included, next to postfix's own generator.
    async fn mails(&self, postfix: &Postfix, connections: usize, mails: u32) {
        let sink = postfix.sink();
        configure(&self.folder, connections, sink.port);
        let (mut config, _) = Config::load(&self.folder.join("fortnight.toml"), []).unwrap();
        config.database = self.folder.join(format!("mails-{connections}.db"));
        self.store.copy_to(&config.database).await.unwrap();
        let store = Store::open(&config.database).await.unwrap();
        let clock = Clock::fixed_at(reminded_at());
        let engine = Engine::new(store, config, clock, Arc::default()).unwrap();
        let mut report = PassReport::new(clock.now());
        let began = Instant::now();
        engine
            .deliver(&mut report, &tokio_util::sync::CancellationToken::new())
            .await
            .unwrap();
        let ours = f64::from(mails) / began.elapsed().as_secs_f64();
        engine.close().await;
        assert_eq!(report.deliveries.sent, u64::from(mails), "{report:?}");
        let [each, kept] =
            [false, true].map(|keep| postfix.source(&sink, connections, mails, MAIL, keep));
        println!(
            "{mails} mails on {connections} connections : smtp-source: {:.2} (at least 0.5; {ours:.0}/s : {each:.0}/s; {kept:.0}/s with -d)",
            ours / each
        );
    }
}

/// Seven days before the deadline of those who signed in an hour before the export.
fn reminded_at() -> Timestamp {
    exported_at() + SignedDuration::from_hours(7 * 24)
}
