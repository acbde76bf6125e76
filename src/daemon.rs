//! The daemon: an alarm clock, a heartbeat and signals around the one crank of [`Engine`], and a lane
//! for each destination beside it.
//!
//! tokio-cron-scheduler only rings every few seconds; whether an occurrence of the schedule lies
//! between the last pass and now is asked of croner, in the configured zone. A monotonic
//! heartbeat rings too, because the scheduler stalls when the wall clock jumps back. Everything that
//! wakes it means "look again".
//!
//! Nobody waits for somebody else (rule 7.29). One task looks, at what is there and so never for long;
//! a pass that reads the sources is a task of its own, of which there is one at a time, and every
//! destination has another. What may wait for something outside is never awaited by who looks.

use std::collections::BTreeMap;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, LocalSet, spawn_local};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::hold::HoldKind;
use crate::domain::seen::ClockFault;
use crate::engine::{Engine, Wake};
use crate::errors::chain;
use crate::exit::{DEGRADED, DONE};
use crate::http::{self, Health};
use crate::pass::PassError;
use crate::report::{PassReport, Progress};
use crate::stop::{DRAIN, within_drain};
use crate::store::lock::PassLock;
use crate::store::{Store, StoreError};
use crate::time::{Clock, SkewDetector, cron};

/// The scheduler rings this often; it decides nothing.
const RING: &str = "*/5 * * * * *";
/// The heartbeat, by the monotonic clock: an operator's act takes effect within five seconds.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// A whole registration report of a large tenant takes most of an hour: what the other sources tell
/// does not wait for it.
const READING: Duration = Duration::from_mins(2);
/// After a start nothing goes out before a first pass has looked whether it is true still, unless
/// that pass takes longer than this.
const FIRST_PASS: Duration = Duration::from_mins(2);

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config, file: Option<PathBuf>) -> anyhow::Result<u8> {
    let clock = Clock::system();
    let lock = PassLock::take(&config.database, "run", clock.now())?;
    let store = match Store::open(&config.database).await {
        Err(error @ StoreError::Vanished { .. }) => {
            tracing::error!("{error}");
            return Ok(DEGRADED);
        }
        store => store?,
    };
    store.check_integrity().await?;
    let progress = Arc::new(Progress::default());
    let (health_in, health) = watch::channel(Health::default());
    let stop = CancellationToken::new();
    let server = match &config.http {
        Some(http) => {
            let listener = tokio::net::TcpListener::bind(http.listen)
                .await
                .with_context(|| {
                    format!(
                        "cannot listen on {} for /healthz and /readyz: name an address of this machine and a port that is free in http.listen",
                        http.listen
                    )
                })?;
            Some(tokio::spawn(http::serve(
                listener,
                health.clone(),
                store.clone(),
                stop.clone(),
            )))
        }
        None => None,
    };
    let (bell, rings) = mpsc::channel(1);
    let mut scheduler = alarm_clock(bell.clone()).await?;
    tokio::spawn(heartbeat(bell.clone(), stop.clone()));
    tokio::spawn(feed_watchdog(Arc::clone(&progress), stop.clone()));
    let reload = Arc::new(AtomicBool::new(false));
    tokio::spawn(listen_for_signals(stop.clone(), Arc::clone(&reload), bell)?);
    let started_with = config.clone();
    let engine =
        Engine::new(store.clone(), config, clock, Arc::clone(&progress))?.with_patience(READING);
    engine.recover().await?;
    notify(&[
        NotifyState::Ready,
        NotifyState::Status("waiting for the first pass"),
    ]);
    tracing::info!("fortnight runs on {}", started_with.database.display());

    let (engines, _) = watch::channel(Arc::new(engine));
    let (lane_bell, _) = watch::channel(());
    let mut watch = Watch {
        lanes: Lanes {
            engines: engines.clone(),
            bell: lane_bell,
            stop: stop.clone(),
            tasks: BTreeMap::new(),
        },
        engines,
        started_with,
        file,
        health: health_in,
        stop: stop.clone(),
        reload,
        skew: SkewDetector::new(clock.host()),
        clock,
        progress,
        last: None,
        approved: None,
        reading: None,
        cut: CancellationToken::new(),
        unfinished: false,
        since: Instant::now(),
        has_passed: false,
    };
    let code = LocalSet::new()
        .run_until(async {
            let code = watch.keep(rings).await;
            notify(&[NotifyState::Stopping]);
            stop.cancel();
            watch.end().await;
            code
        })
        .await;
    scheduler.shutdown().await.ok();
    if let Some(server) = server {
        server.await.ok();
    }
    store.close().await;
    drop(lock);
    tracing::info!("fortnight has stopped");
    Ok(code)
}

/// A ring never queues behind another: looking once is as good as looking twice.
async fn alarm_clock(bell: mpsc::Sender<()>) -> anyhow::Result<JobScheduler> {
    let scheduler = JobScheduler::new()
        .await
        .context("starting the scheduler")?;
    let job = Job::new_async(RING, move |_, _| {
        let bell = bell.clone();
        Box::pin(async move {
            bell.try_send(()).ok();
        })
    })
    .context("starting the scheduler")?;
    scheduler.add(job).await.context("starting the scheduler")?;
    scheduler.start().await.context("starting the scheduler")?;
    Ok(scheduler)
}

async fn heartbeat(bell: mpsc::Sender<()>, stop: CancellationToken) {
    let mut interval = tokio::time::interval(HEARTBEAT);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => bell.try_send(()).ok(),
        };
    }
}

/// systemd's watchdog is fed by progress: something was finished, or a look found nothing due. A
/// pass that hangs starves it, and so do passes that fail (rule 7.29).
async fn feed_watchdog(progress: Arc<Progress>, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    let mut interval = tokio::time::interval(limit / 3);
    let mut before = u64::MAX;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = interval.tick() => {}
        }
        let beats = progress.beats();
        if beats != before {
            notify(&[NotifyState::Watchdog]);
        }
        before = beats;
    }
}

fn listen_for_signals(
    stop: CancellationToken,
    reload: Arc<AtomicBool>,
    bell: mpsc::Sender<()>,
) -> anyhow::Result<impl Future<Output = ()> + Send + 'static> {
    let mut terminate = signal(SignalKind::terminate()).context("listening for signals")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listening for signals")?;
    let mut hang_up = signal(SignalKind::hangup()).context("listening for signals")?;
    Ok(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {
                    if stop.is_cancelled() {
                        std::process::exit(130);
                    }
                }
                _ = hang_up.recv() => {
                    reload.store(true, Ordering::SeqCst);
                    bell.try_send(()).ok();
                    continue;
                }
            }
            tracing::info!(
                "stopping; what is being sent has {} seconds",
                DRAIN.as_secs()
            );
            notify(&[NotifyState::Stopping]);
            stop.cancel();
        }
    })
}

/// How a pass that reads the sources ended; none if a stop cut it off.
type Read = (PassReport, Option<Result<(), PassError>>);

/// The one task that looks.
struct Watch {
    engines: watch::Sender<Arc<Engine>>,
    lanes: Lanes,
    /// What a reload cannot change is still as it was then.
    started_with: Config,
    file: Option<PathBuf>,
    health: watch::Sender<Health>,
    stop: CancellationToken,
    reload: Arc<AtomicBool>,
    skew: SkewDetector,
    clock: Clock,
    progress: Arc<Progress>,
    /// When the last pass that reads began.
    last: Option<Timestamp>,
    /// The newest approval that was looked at.
    approved: Option<Timestamp>,
    /// The pass that reads now.
    reading: Option<JoinHandle<Read>>,
    /// Has it decide by what it has read so far.
    cut: CancellationToken,
    /// The last pass left some of a source unread.
    unfinished: bool,
    since: Instant,
    /// A pass has ended since the start.
    has_passed: bool,
}

impl Watch {
    async fn keep(&mut self, mut rings: mpsc::Receiver<()>) -> u8 {
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return DONE,
                pass = ended(&mut self.reading) => {
                    self.reading = None;
                    self.pass_ended(pass);
                }
                ring = rings.recv() => if ring.is_none() { return DONE },
            }
            if self.reload.swap(false, Ordering::SeqCst) {
                self.reload_configuration().await;
            }
            let engine = self.engine();
            if let Err(error) = engine.store().still_there() {
                tracing::error!("{error}");
                return DEGRADED;
            }
            match self.look(&engine).await {
                Ok(()) => self.progress.looked(),
                Err(error) => {
                    // A database that is busy or full now may be well at the next ring.
                    let error = chain(&error);
                    tracing::error!("{error}");
                    notify(&[NotifyState::Status(&failed(&error))]);
                    self.health.send_modify(|health| health.error = Some(error));
                }
            }
            if self.has_passed || self.since.elapsed() >= FIRST_PASS {
                self.lanes.ring();
            }
        }
    }

    fn engine(&self) -> Arc<Engine> {
        Arc::clone(&self.engines.borrow())
    }

    /// Does what is due now, and begins what may take its time.
    async fn look(&mut self, engine: &Arc<Engine>) -> Result<(), PassError> {
        let now = self.clock.now();
        if self.watch_clock(engine).await? {
            self.last = None;
        }
        let mut report = PassReport::new(now);
        let approved = engine.store().newest_approval().await?;
        if self.reading.is_some() {
            if approved > self.approved {
                // An approval lets flags go, which only a whole pass judges: this one ends now.
                self.cut.cancel();
            }
            return engine.look(Wake::Acts, &mut report, &self.cut).await;
        }
        let is_approved = approved > std::mem::replace(&mut self.approved, approved);
        if self.unfinished || self.is_due(engine, now) {
            self.last = Some(now);
            self.begin_to_read(engine, now);
        } else if is_approved {
            engine.look(Wake::Changes, &mut report, &self.stop).await?;
            // What was not believed of a source is looked at again.
            self.last = None;
        } else if engine.store().anything_changed().await? {
            engine.look(Wake::Changes, &mut report, &self.stop).await?;
            log(&report, "whoever changed was decided about");
        } else {
            engine.tell(&mut report).await?;
        }
        Ok(())
    }

    fn begin_to_read(&mut self, engine: &Arc<Engine>, now: Timestamp) {
        self.cut = self.stop.child_token();
        let (engine, stop, cut) = (Arc::clone(engine), self.stop.clone(), self.cut.clone());
        self.reading = Some(spawn_local(async move {
            let mut report = PassReport::new(now);
            let pass = async {
                engine.look(Wake::Sources, &mut report, &cut).await?;
                engine.clear(&mut report).await
            };
            let result = within_drain(&stop, pass).await;
            (report, result)
        }));
    }

    /// Waits for whoever is still at work: they know of the stop.
    async fn end(&mut self) {
        if let Some(reading) = self.reading.take()
            && let Ok(pass) = reading.await
        {
            self.pass_ended(Ok(pass));
        }
        self.lanes.end().await;
        let engine = self.engine();
        if let Err(error) = engine.recover().await {
            tracing::error!("{}", chain(&error));
        }
        engine.close().await;
    }

    /// The first look, and every occurrence of the schedule since the last pass.
    fn is_due(&self, engine: &Engine, now: Timestamp) -> bool {
        let config = engine.config();
        match self.last {
            None => true,
            // The wall clock went back: look now, and count from here.
            Some(last) if now < last => true,
            Some(last) => {
                cron::due_between(&config.schedule.poll, &config.zone, last, now).is_some()
            }
        }
    }

    fn pass_ended(&mut self, pass: Result<Read, JoinError>) {
        let (report, result) = pass.unwrap_or_else(|_| {
            let began = self.last.unwrap_or_else(|| self.clock.now());
            (PassReport::new(began), Some(Err(PassError::Thread)))
        });
        let error = match result {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(chain(&error)),
            None => {
                Some("stopped before the pass ended; it begins again at the next start".to_owned())
            }
        };
        match &error {
            None => log(&report, "a pass ended"),
            Some(error) => tracing::error!("{error}"),
        }
        self.has_passed = true;
        self.unfinished = error.is_none() && report.unfinished;
        let status = status(&report, error.as_deref());
        notify(&[NotifyState::Status(&status)]);
        self.progress.fails(error.is_some());
        let engine = self.engine();
        let schedule = &engine.config().schedule;
        let now = self.clock.now();
        let next = cron::next_after(&schedule.poll, &engine.config().zone, now);
        self.health.send_modify(|health| {
            if error.is_none() {
                health.last_pass = Some(now);
                health.holds = report.holds.len();
            }
            health.error = error;
            health.next_pass = next;
        });
    }

    /// The wall clock must not part from the boot-time clock (rule R3): a fault holds flags until the
    /// clock is back, or an operator accepts the present one. Whether one just did.
    async fn watch_clock(&mut self, engine: &Engine) -> Result<bool, StoreError> {
        let reading = self.clock.host();
        let fault = self.skew.parted(reading).map(|skew| ClockFault::Parted {
            by: crate::time::format_duration(skew.abs()),
        });
        if fault.is_some() {
            let (store, now) = (engine.store(), self.clock.now());
            if store
                .rely_on_approval_of(HoldKind::Clock.as_str(), "", now)
                .await?
            {
                self.skew.accept(reading);
                engine.set_clock_fault(None);
                return Ok(true);
            }
        }
        engine.set_clock_fault(fault);
        Ok(false)
    }

    /// SIGHUP: the new configuration, or the old one if the new one is wrong. A pass that reads begins
    /// anew under the new one: what it has read is kept.
    async fn reload_configuration(&mut self) {
        notify(&[NotifyState::Reloading]);
        let before = self.engine();
        let warning = match Config::of_process(self.file.as_deref(), self.clock.now()) {
            Ok((config, warnings)) => match Engine::new(
                before.store().clone(),
                config,
                self.clock,
                Arc::clone(&self.progress),
            ) {
                Ok(engine) => {
                    if let Some(reading) = self.reading.take() {
                        reading.abort();
                        reading.await.ok();
                    }
                    let engine = engine.with_patience(READING);
                    let keys = self.started_with.restart_needed(engine.config());
                    self.engines.send_replace(Arc::new(engine));
                    before.close().await;
                    self.last = None;
                    tracing::info!("the configuration was reloaded");
                    for warning in warnings {
                        tracing::warn!("{warning}");
                    }
                    (!keys.is_empty())
                        .then(|| format!("{} changed: that takes a restart", keys.join(" and ")))
                }
                Err(error) => Some(unusable(&chain(&error))),
            },
            Err(faults) => Some(unusable(&faults.to_string())),
        };
        if let Some(warning) = &warning {
            tracing::error!("{warning}");
        }
        self.health.send_modify(|health| health.warning = warning);
        notify(&[NotifyState::Ready]);
    }
}

/// The end of the pass that reads; never, if none does.
async fn ended(reading: &mut Option<JoinHandle<Read>>) -> Result<Read, JoinError> {
    match reading {
        Some(reading) => reading.await,
        None => std::future::pending().await,
    }
}

/// The tasks that deliver, one for each destination.
struct Lanes {
    engines: watch::Sender<Arc<Engine>>,
    bell: watch::Sender<()>,
    stop: CancellationToken,
    tasks: BTreeMap<String, JoinHandle<()>>,
}

impl Lanes {
    /// Has every destination looked at; one that is new gets its lane.
    fn ring(&mut self) {
        self.tasks.retain(|_, task| !task.is_finished());
        for name in self.engines.borrow().destinations() {
            self.tasks.entry(name).or_insert_with_key(|name| {
                let lane = Lane {
                    name: name.clone(),
                    engines: self.engines.subscribe(),
                    bell: self.bell.subscribe(),
                    stop: self.stop.clone(),
                };
                tokio::spawn(lane.keep())
            });
        }
        self.bell.send_replace(());
    }

    /// Waits until what is being sent has ended.
    async fn end(&mut self) {
        for (_, task) in std::mem::take(&mut self.tasks) {
            task.await.ok();
        }
    }
}

/// What delivers to one destination, for as long as it is configured.
struct Lane {
    name: String,
    engines: watch::Receiver<Arc<Engine>>,
    bell: watch::Receiver<()>,
    stop: CancellationToken,
}

impl Lane {
    async fn keep(mut self) {
        let mut failed = false;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                rung = self.bell.changed() => if rung.is_err() { return },
            }
            let engine = Arc::clone(&self.engines.borrow_and_update());
            if !engine.destinations().contains(&self.name) {
                return;
            }
            failed = match self.ride(&engine, failed).await {
                Ok(()) => false,
                Err(error) => {
                    tracing::error!(destination = self.name, "{}", chain(&error));
                    true
                }
            };
        }
    }

    /// Delivers what is due; after a failure what is known already is settled in any case.
    async fn ride(&self, engine: &Engine, failed: bool) -> Result<(), PassError> {
        let (store, mut report) = (engine.store(), PassReport::new(engine.now()));
        let next = store
            .next_delivery(std::slice::from_ref(&self.name))
            .await?;
        if !failed && next.is_none_or(|next| next > report.as_of) {
            return Ok(());
        }
        let stopped = || self.stop.is_cancelled() || self.engines.has_changed().unwrap_or(true);
        let ride = engine.ride(&self.name, &mut report, &stopped);
        if let Some(ridden) = within_drain(&self.stop, ride).await {
            ridden?;
        }
        let deliveries = report.deliveries;
        if deliveries.sent + deliveries.failed + deliveries.ambiguous > 0 {
            tracing::info!(
                destination = self.name,
                sent = deliveries.sent,
                failed = deliveries.failed,
                ambiguous = deliveries.ambiguous,
                "delivered"
            );
        }
        for error in report.errors {
            tracing::warn!(destination = self.name, "{error}");
        }
        Ok(())
    }
}

fn log(report: &PassReport, what: &str) {
    tracing::info!(
        duration_ms = report.duration_ms,
        opened = report.windows.opened,
        flagged = report.flagged,
        released = report.released,
        queued = report.deliveries.queued,
        holds = report.holds.len(),
        "{what}"
    );
}

fn unusable(why: &str) -> String {
    format!("the new configuration cannot be used, the old one stays:\n{why}")
}

fn failed(error: &str) -> String {
    format!("the last pass failed: {error}")
}

fn status(report: &PassReport, error: Option<&str>) -> String {
    match error {
        Some(error) => failed(error),
        None if report.holds.is_empty() => format!("last pass {}", report.as_of),
        None => format!("last pass {}; {} holds", report.as_of, report.holds.len()),
    }
}

/// Tells systemd. What it is told first is that the program is ready: an error then is warned of, since
/// under `Type=notify` it waits for that.
fn notify(states: &[NotifyState<'_>]) {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let told = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => notify_abstract(name, states),
        None => sd_notify::notify(states),
    };
    if let Err(error) = told {
        let is_first = states
            .iter()
            .any(|state| matches!(state, NotifyState::Ready));
        if is_first {
            tracing::warn!("systemd cannot be told by {socket:?} that this is ready: {error}");
        } else {
            tracing::debug!("systemd was not told: {error}");
        }
    }
}

/// A socket of an abstract name, as older systemd and some containers have it.
fn notify_abstract(name: &[u8], states: &[NotifyState<'_>]) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(name)?;
    let lines: Vec<String> = states.iter().map(ToString::to_string).collect();
    let socket = UnixDatagram::unbound()?;
    let sent = socket.send_to_addr(lines.join("\n").as_bytes(), &address);
    sent.map(|_| ())
}
