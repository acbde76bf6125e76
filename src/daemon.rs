//! The daemon: an alarm clock, a heartbeat and signals around the one crank of [`Engine`].
//!
//! tokio-cron-scheduler only rings every few seconds; whether an occurrence of the schedule lies
//! between the last pass and now is asked of croner, in the configured zone. A monotonic
//! heartbeat rings too, because the scheduler stalls when the wall clock jumps back. One task
//! runs passes, so they never overlap; everything that wakes it means "look again".

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio_cron_scheduler::{Job, JobScheduler};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::domain::hold::HoldKind;
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
/// The heartbeat, by the monotonic clock.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A whole registration report of a large tenant takes most of an hour: mails do not wait for it.
const READING: Duration = Duration::from_mins(2);

/// Runs until SIGTERM or SIGINT.
pub async fn run(config: Config, file: Option<PathBuf>) -> anyhow::Result<u8> {
    let clock = Clock::system();
    let lock = PassLock::take(&config.database, clock.now())?;
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

    let mut watch = Watch {
        engine,
        started_with,
        file,
        health: health_in,
        stop: stop.clone(),
        reload,
        skew: SkewDetector::new(clock.host()),
        clock,
        progress,
        unfinished: false,
        is_failing: false,
    };
    let code = watch.keep(rings).await;

    notify(&[NotifyState::Stopping]);
    stop.cancel();
    scheduler.shutdown().await.ok();
    watch.engine.close().await;
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

/// The one task that runs passes.
struct Watch {
    engine: Engine,
    /// What a reload cannot change is still as it was then.
    started_with: Config,
    file: Option<PathBuf>,
    health: watch::Sender<Health>,
    stop: CancellationToken,
    reload: Arc<AtomicBool>,
    skew: SkewDetector,
    clock: Clock,
    progress: Arc<Progress>,
    /// The last pass left some of a source unread.
    unfinished: bool,
    /// The last pass failed.
    is_failing: bool,
}

impl Watch {
    async fn keep(&mut self, mut rings: mpsc::Receiver<()>) -> u8 {
        let mut last = None;
        loop {
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return DONE,
                ring = rings.recv() => if ring.is_none() { return DONE },
            }
            if self.reload.swap(false, Ordering::SeqCst) {
                self.reload_configuration().await;
                last = None;
            }
            if let Err(error) = self.engine.store().still_there() {
                tracing::error!("{error}");
                return DEGRADED;
            }
            match self.look(&mut last).await {
                Ok(()) if self.is_failing => {}
                Ok(()) => self.progress.beat(),
                Err(error) => {
                    // A database that is busy or full now may be well at the next ring.
                    let error = chain(&error);
                    tracing::error!("{error}");
                    self.health.send_modify(|health| health.error = Some(error));
                }
            }
        }
    }

    /// Does what is due now.
    async fn look(&mut self, last: &mut Option<Timestamp>) -> Result<(), PassError> {
        let now = self.clock.now();
        if self.watch_clock().await? {
            *last = None;
        }
        if self.unfinished || self.is_due(*last, now) {
            *last = Some(now);
            self.pass(Wake::Sources, now).await;
        } else if self.engine.store().anything_changed().await? {
            self.pass(Wake::Changes, now).await;
        } else if self
            .engine
            .store()
            .next_delivery(&self.engine.destinations())
            .await?
            .is_some_and(|next| next <= now)
        {
            let mut report = PassReport::new(now);
            let stop = &self.stop;
            let stopped = || stop.is_cancelled();
            match within_drain(stop, self.engine.deliver(&mut report, &stopped)).await {
                Some(delivered) => delivered?,
                None => self.engine.recover().await?,
            }
        }
        Ok(())
    }

    /// The first look, and every occurrence of the schedule since the last pass.
    fn is_due(&self, last: Option<Timestamp>, now: Timestamp) -> bool {
        let config = self.engine.config();
        match last {
            None => true,
            // The wall clock went back: look now, and count from here.
            Some(last) if now < last => true,
            Some(last) => {
                cron::due_between(&config.schedule.poll, &config.zone, last, now).is_some()
            }
        }
    }

    async fn pass(&mut self, wake: Wake, now: Timestamp) {
        let mut report = PassReport::new(now);
        let stop = &self.stop;
        let stopped = || stop.is_cancelled();
        let result = within_drain(stop, self.engine.pass(wake, &mut report, &stopped)).await;
        if result.is_none()
            && let Err(error) = self.engine.recover().await
        {
            tracing::error!("{}", chain(&error));
        }
        let next = cron::next_after(
            &self.engine.config().schedule.poll,
            &self.engine.config().zone,
            now,
        );
        let error = match result {
            Some(Ok(())) => None,
            Some(Err(error)) => Some(chain(&error)),
            None => {
                Some("stopped before the pass ended; it begins again at the next start".to_owned())
            }
        };
        match &error {
            None => tracing::info!(
                duration_ms = report.duration_ms,
                opened = report.windows.opened,
                flagged = report.flagged,
                released = report.released,
                queued = report.deliveries.queued,
                sent = report.deliveries.sent,
                holds = report.holds.len(),
                "a pass ended"
            ),
            Some(error) => tracing::error!("{error}"),
        }
        self.unfinished = error.is_none() && report.unfinished;
        let status = status(&report, error.as_deref());
        notify(&[NotifyState::Status(&status)]);
        self.is_failing = error.is_some();
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
    async fn watch_clock(&mut self) -> Result<bool, StoreError> {
        let reading = self.clock.host();
        let fault = self.skew.parted(reading).map(|skew| {
            format!(
                "the wall clock has parted from the boot-time clock by {}",
                crate::time::format_duration(skew.abs())
            )
        });
        if fault.is_some() {
            let approved = self
                .engine
                .store()
                .approvals(self.clock.now())
                .await?
                .iter()
                .any(|approval| approval.hold == HoldKind::Clock.as_str());
            if approved {
                self.skew.accept(reading);
                self.engine.set_clock_fault(None);
                return Ok(true);
            }
        }
        self.engine.set_clock_fault(fault);
        Ok(false)
    }

    /// SIGHUP: the new configuration, or the old one if the new one is wrong.
    async fn reload_configuration(&mut self) {
        notify(&[NotifyState::Reloading]);
        let warning = match Config::of_process(self.file.as_deref()) {
            Ok((config, warnings)) => match Engine::new(
                self.engine.store().clone(),
                config,
                self.clock,
                Arc::clone(&self.progress),
            ) {
                Ok(engine) => {
                    self.engine.close().await;
                    self.engine = engine.with_patience(READING);
                    tracing::info!("the configuration was reloaded");
                    for warning in warnings {
                        tracing::warn!("{warning}");
                    }
                    let keys = self.started_with.restart_needed(self.engine.config());
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

fn unusable(why: &str) -> String {
    format!("the new configuration cannot be used, the old one stays:\n{why}")
}

fn status(report: &PassReport, error: Option<&str>) -> String {
    match error {
        Some(error) => format!("the last pass failed: {error}"),
        None if report.holds.is_empty() => format!("last pass {}", report.as_of),
        None => format!("last pass {}; {} holds", report.as_of, report.holds.len()),
    }
}

fn notify(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!("systemd was not told: {error}");
    }
}
