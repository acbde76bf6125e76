//! A pass with everything around it: the channel is tried, the pass runs, mails are delivered.
//! `cycle`, `run` and `demo` all turn this one crank.
//!
//! In `run` it turns in parts that wait for nobody: sources are read and people decided about at one
//! place, operators' acts are decided about meanwhile, and each destination is delivered to by itself.
//! Who decides is alone with that; who writes has the store's one connection for a batch.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::courier::endpoint::{self, EndpointLane};
use crate::courier::herald::Herald;
use crate::courier::mail;
use crate::courier::transport::Transport;
use crate::courier::{Courier, Queue};
use crate::delivery::webhook::ClientError;
use crate::domain::brake;
use crate::domain::facts::{Channel, NoticeBy};
use crate::domain::hold::HoldKind;
use crate::domain::hold::StandingHold;
use crate::domain::seen::{ClockFault, MailTrouble, Unsettled};
use crate::pass::{Directory, Pass, PassError};
use crate::report::{PassReport, Progress};
use crate::store::holds::Raised;
use crate::store::outbox::EMAIL;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// The way to people is tried beside reading, and a pass waits no longer for that: a server that
/// lets us wait for longer is closed as far as flags go, and its lane finds out in its own time.
const TRIAL: Duration = Duration::from_secs(30);

/// A pass that waits for a budget looks so often for operators' acts, and whether a stop was asked for.
const LOOKS_EVERY: Duration = Duration::from_secs(1);

/// Why a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The schedule, the heartbeat or a person: sources are read.
    Sources,
    /// An operator's act or a settled mail: only whoever changed is decided about.
    Changes,
    /// An operator's act while sources are read: only of whom it is is decided about, and flags are
    /// left to the pass that reads.
    Acts,
}

impl Wake {
    /// What a pass that runs for it does.
    fn about(self) -> &'static str {
        match self {
            Self::Sources => "it reads the sources",
            Self::Changes => "it looks at who changed",
            Self::Acts => "it looks at operators' acts",
        }
    }
}

/// Everything that passes need.
pub struct Engine {
    store: Store,
    config: Config,
    clock: Clock,
    directory: Directory,
    patience: Option<Duration>,
    transport: Option<Transport>,
    endpoints: Vec<EndpointLane>,
    progress: Arc<Progress>,
    clock_fault: Mutex<Option<ClockFault>>,
    /// The last trial of the way to people had no answer.
    is_silent: AtomicBool,
    /// What the last trial of the way to people found, and the hold where that failed.
    channel: Mutex<Option<(Channel, Option<Raised>)>>,
    /// Held by whoever decides: nobody is decided about at two places.
    deciding: tokio::sync::Mutex<()>,
}

/// The ways outside cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The system's trust in certificates cannot be used.
    #[error("preparing the way to the mail server")]
    Mail(#[from] crate::delivery::smtp::TrustError),
    /// The same, or a webhook that cannot be sent to.
    #[error("preparing the way to a webhook")]
    Webhook(#[from] ClientError),
    /// Nor to Graph.
    #[error(transparent)]
    Graph(#[from] crate::graph::GraphError),
}

impl Engine {
    /// An engine on an open store.
    pub fn new(
        store: Store,
        config: Config,
        clock: Clock,
        progress: Arc<Progress>,
    ) -> Result<Self, EngineError> {
        let transport = config.email.as_ref().map(Transport::new).transpose()?;
        let endpoints = EndpointLane::all(&config)?;
        let directory = Directory::new(&config.directory)?;
        Ok(Self {
            store,
            config,
            clock,
            directory,
            patience: None,
            transport,
            endpoints,
            progress,
            clock_fault: Mutex::new(None),
            is_silent: AtomicBool::new(false),
            channel: Mutex::new(None),
            deciding: tokio::sync::Mutex::new(()),
        })
    }

    /// Has a pass read each source for so long only; what is left of it is for the next one.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self {
            patience: Some(patience),
            ..self
        }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A clock that went wrong holds all flags until it is well again (rule R3).
    pub fn set_clock_fault(&self, fault: Option<ClockFault>) {
        *self
            .clock_fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = fault;
    }

    /// Mails that a stop or a failure of the store left in the middle wait ten minutes.
    pub async fn recover(&self) -> Result<(), StoreError> {
        self.store.settle_kept(self.clock.now()).await?;
        let recovered = self.store.end_leases(None, self.clock.now()).await?;
        if recovered > 0 {
            tracing::warn!(
                recovered,
                "{recovered} mails were being sent when fortnight stopped or the database failed; they are tried again in ten minutes"
            );
        }
        Ok(())
    }

    /// One pass and its deliveries, where nobody else delivers. `stop` ends reading and
    /// deliveries early.
    pub async fn pass(
        &self,
        wake: Wake,
        report: &mut PassReport,
        stop: &CancellationToken,
    ) -> Result<(), PassError> {
        let began = Instant::now();
        let result = self.try_pass(wake, report, stop).await;
        report.duration_ms = milliseconds(began);
        result
    }

    /// One pass and its deliveries. Where budgets pace mails it goes on, for at most `patience`, until
    /// none that is due waits for one; meanwhile operators' acts and settled mails are decided about.
    pub async fn whole_pass(
        &self,
        patience: Duration,
        report: &mut PassReport,
        stop: &CancellationToken,
    ) -> Result<(), PassError> {
        let began = Instant::now();
        let mut result = self.try_pass(Wake::Sources, report, stop).await;
        while result.is_ok() && !self.config.is_rehearsal {
            let left = signed(patience.saturating_sub(began.elapsed()));
            result = match self.waits_for_budget(report).await {
                Ok(Some(wait))
                    if wait <= left && !self.clock.is_fixed() && !stop.is_cancelled() =>
                {
                    self.wait_for_budget(wait, report, stop).await
                }
                Ok(_) => break,
                Err(error) => Err(error.into()),
            };
        }
        report.duration_ms = milliseconds(began);
        result
    }

    /// Notes which mails wait for a budget; for how long the next of them does, if not for ever.
    async fn waits_for_budget(
        &self,
        report: &mut PassReport,
    ) -> Result<Option<SignedDuration>, StoreError> {
        let now = self.clock.now();
        let queue = Queue::of(&self.store, &self.config, now).await?;
        let paced = Some(queue).filter(|queue| queue.is_paced(now));
        report.deliveries.waiting = paced.map_or(0, |queue| queue.waiting);
        report.deliveries.waits_until = paced.and_then(|queue| queue.empty_at);
        report.late = paced.map_or(0, |queue| queue.late);
        let next = paced.and_then(|queue| queue.next);
        Ok(next.map(|next| next.duration_since(now)))
    }

    async fn wait_for_budget(
        &self,
        wait: SignedDuration,
        report: &mut PassReport,
        stop: &CancellationToken,
    ) -> Result<(), PassError> {
        let until = tokio::time::Instant::now() + wait.unsigned_abs();
        while tokio::time::Instant::now() < until && !stop.is_cancelled() {
            if self.store.anything_changed().await? {
                let mut look = PassReport::new(self.clock.now());
                self.try_look(Wake::Changes, &mut look, stop).await?;
                report.follow(look);
            }
            tokio::time::sleep_until(until.min(tokio::time::Instant::now() + LOOKS_EVERY)).await;
        }
        self.deliver(report, stop).await
    }

    async fn try_pass(
        &self,
        wake: Wake,
        report: &mut PassReport,
        stop: &CancellationToken,
    ) -> Result<(), PassError> {
        // What a failure of the store left leased can be withdrawn by this pass.
        self.recover().await?;
        self.try_look(wake, report, stop).await?;
        self.deliver(report, stop).await?;
        if self.tell(report).await? {
            // An endpoint died: operators hear of it by the other ways, now.
            self.deliver(report, stop).await?;
        }
        Ok(())
    }

    /// One pass up to the outbox; deliveries go on beside it. `cut` ends the waiting for whoever is
    /// asked: it decides by what is read by then, and the rest is for the next one.
    pub async fn look(
        &self,
        wake: Wake,
        report: &mut PassReport,
        cut: &CancellationToken,
    ) -> Result<(), PassError> {
        let began = Instant::now();
        let result = self.try_look(wake, report, cut).await;
        report.duration_ms = milliseconds(began);
        result
    }

    async fn try_look(
        &self,
        wake: Wake,
        report: &mut PassReport,
        cut: &CancellationToken,
    ) -> Result<(), PassError> {
        tracing::debug!(as_of = %report.as_of, "a pass begins: {}", wake.about());
        let went_back = self.went_back(report).await?;
        let parted = self
            .clock_fault
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let clock_fault = went_back.or(parted);
        let now = match wake {
            // On the heap: with the waits for whatever is read it is a large future.
            Wake::Sources => Box::pin(self.look_at_sources(report, clock_fault, cut)).await?,
            Wake::Changes => {
                if self.last_trial().is_none() {
                    self.try_channel(report.as_of).await?;
                }
                let _alone = self.deciding.lock().await;
                let now = self.present(report).await?;
                let pass = self.pass_at(now, clock_fault).await?;
                pass.run_on_changes(report).await?;
                now
            }
            Wake::Acts => {
                // Whoever decides now comes to the acts too.
                let Ok(_alone) = self.deciding.try_lock() else {
                    return Ok(());
                };
                let now = self.present(report).await?;
                let pass = self.pass_at(now, clock_fault).await?;
                if !pass.decide_on_acts(report).await? {
                    return Ok(());
                }
                now
            }
        };
        if !self.clock.is_fixed() {
            self.store.note_clocked_pass(now).await?;
        }
        Ok(())
    }

    /// Reads, and decides as of the end of reading: others may have decided meanwhile.
    async fn look_at_sources(
        &self,
        report: &mut PassReport,
        clock_fault: Option<ClockFault>,
        cut: &CancellationToken,
    ) -> Result<Timestamp, PassError> {
        let began = report.as_of;
        let reader = self.pass_at(began, clock_fault).await?;
        let approvals = self.store.approvals(began).await?;
        let outside = self.progress.outside();
        let (tried, collected) = tokio::join!(
            cut.run_until_cancelled(self.try_channel(began)),
            reader.collect(&approvals, cut, report)
        );
        drop(outside);
        // A trial that was cut short found nothing: the one before still counts.
        tried.transpose()?;
        let collected = collected?;
        let _alone = self.deciding.lock().await;
        let now = self.present(report).await?;
        // What was approved while it read counts too.
        let approvals = self.store.approvals(now).await?;
        let decider = self.pass_at(now, reader.clock_fault).await?;
        decider.decide(collected, &approvals, report).await?;
        Ok(now)
    }

    /// The time to decide by: now, and never before what was decided before (invariant 11).
    async fn present(&self, report: &PassReport) -> Result<Timestamp, StoreError> {
        let newest = self.store.newest_pass().await?;
        let present = self.clock.now().max(report.as_of);
        Ok(newest.map_or(present, |newest| newest.max(present)))
    }

    /// Says what deliveries left to say; whether that was anything.
    pub async fn tell(&self, report: &mut PassReport) -> Result<bool, PassError> {
        if self.is_behind().await? || !self.store.lines_wait().await? {
            return Ok(false);
        }
        let pass = self.pass_at(self.present(report).await?, None).await?;
        Ok(pass.tell(report).await? > 0)
    }

    async fn pass_at(
        &self,
        now: Timestamp,
        clock_fault: Option<ClockFault>,
    ) -> Result<Pass<'_>, StoreError> {
        let (channel, outage) = self.present_channel().await?;
        Ok(Pass {
            store: &self.store,
            config: &self.config,
            directory: &self.directory,
            patience: self.patience,
            now,
            channel,
            outage,
            herald: Herald::new(&self.store, &self.config, now).await?,
            clock_fault,
            progress: &self.progress,
        })
    }

    /// Policy time never goes back (invariant 11): a wall clock behind the newest pass decides by the time
    /// of that pass, holds all flags, and says nothing — until it has caught up, or an operator
    /// accepts the present clock.
    async fn went_back(&self, report: &mut PassReport) -> Result<Option<ClockFault>, PassError> {
        let now = report.as_of;
        let Some(newest) = self
            .store
            .newest_pass()
            .await?
            .filter(|newest| now < *newest)
        else {
            return Ok(None);
        };
        let hold = HoldKind::Clock.as_str();
        if self.store.rely_on_approval_of(hold, "", now).await? {
            self.turn_back(now).await?;
            return Ok(None);
        }
        report.as_of = newest;
        Ok(Some(ClockFault::Behind { wall: now, newest }))
    }

    /// The present clock is right, the one before was ahead: nothing that it dated may keep people
    /// waiting, or pass for fresh, until the time that it showed. What is remembered of a person is
    /// dated anew by the decision that the sweep comes to.
    async fn turn_back(&self, now: Timestamp) -> Result<(), StoreError> {
        self.store.date_sources_by(now).await?;
        self.store.date_deliveries_by(now).await?;
        self.store.date_policies_by(now).await?;
        self.store.begin_sweep().await?;
        self.store.note_pass(now).await
    }

    /// Delivers what is due, unless time stands behind the newest pass (rule 7.16).
    pub async fn deliver(
        &self,
        report: &mut PassReport,
        stop: &CancellationToken,
    ) -> Result<(), PassError> {
        if self.is_behind().await? {
            return Ok(());
        }
        let before = self.outage().await?;
        let mut courier = self.courier();
        if self.is_silent.load(Ordering::Relaxed) {
            // What waits for a server that says nothing would keep this pass for minutes.
            courier.transport = None;
        }
        let delivered = Box::pin(courier.deliver(report, &|| stop.is_cancelled())).await;
        self.follow_channel(before, report).await?;
        Ok(delivered?)
    }

    /// Delivers to one destination what is due there.
    pub async fn ride(
        &self,
        destination: &str,
        report: &mut PassReport,
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), PassError> {
        if self.is_behind().await? {
            return Ok(());
        }
        self.store.expire(self.clock.now()).await?;
        let before = self.outage().await?;
        let ridden = Box::pin(self.courier().ride(destination, report, stop)).await;
        if destination == EMAIL {
            self.follow_channel(before, report).await?;
        }
        Ok(ridden?)
    }

    /// What waits for nobody that is configured is not sent.
    pub async fn clear(&self, report: &mut PassReport) -> Result<(), PassError> {
        Ok(self.courier().clear(report).await?)
    }

    async fn is_behind(&self) -> Result<bool, StoreError> {
        let newest = self.store.newest_pass().await?;
        Ok(newest.is_some_and(|newest| self.clock.now() < newest))
    }

    fn courier(&self) -> Courier<'_> {
        Courier {
            store: &self.store,
            config: &self.config,
            name: uuid::Uuid::new_v4().to_string(),
            transport: self.transport.as_ref(),
            endpoints: self.endpoints(),
            clock: self.clock,
            progress: &self.progress,
        }
    }

    /// The channels that something could be sent by.
    pub fn destinations(&self) -> Vec<String> {
        let mail = self.config.email.iter().map(|_| EMAIL.to_owned());
        let webhooks = self.config.webhooks.iter();
        mail.chain(webhooks.map(|webhook| webhook.endpoint.name.clone()))
            .collect()
    }

    /// The endpoints that are sent to; none in a dry run.
    fn endpoints(&self) -> &[EndpointLane] {
        if self.config.is_rehearsal {
            return &[];
        }
        &self.endpoints
    }

    /// Tries whether people can be told (rule 7.11): mail up to the login. A way that does not answer
    /// in time is closed.
    async fn try_channel(&self, now: Timestamp) -> Result<(), StoreError> {
        let trial = tokio::time::timeout(TRIAL, self.trial(now)).await;
        self.is_silent.store(trial.is_err(), Ordering::Relaxed);
        let found = if let Ok(found) = trial {
            found?
        } else {
            let seconds = TRIAL.as_secs();
            tracing::warn!("the way to people has not answered for {seconds} seconds");
            let hold = match self.config.notice_by() {
                NoticeBy::Mail => brake::mail_hold(MailTrouble::Silent { seconds }, None),
                NoticeBy::Webhook => brake::webhook_hold(),
            };
            (Channel::Down, Some(hold.into()))
        };
        *self.channel.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        Ok(())
    }

    async fn trial(&self, now: Timestamp) -> Result<(Channel, Option<Raised>), StoreError> {
        let Some(transport) = &self.transport else {
            let channel = endpoint::channel(&self.endpoints, &self.store, now).await?;
            let hold = (channel == Channel::Down).then(|| Raised::from(brake::webhook_hold()));
            return Ok((channel, hold));
        };
        self.trust_as_approved(now).await?;
        let health = self.store.health(EMAIL).await?;
        let is_left_alone = health.paused_until.is_some_and(|until| until > now);
        if !is_left_alone && let Err(error) = transport.probe().await {
            tracing::warn!(error, "mail does not connect or log in: {error}");
            let hold = brake::mail_hold(MailTrouble::Closed { answer: error }, None);
            return Ok((Channel::Down, Some(hold.into())));
        }
        Ok((Channel::Works, None))
    }

    fn last_trial(&self) -> Option<(Channel, Option<Raised>)> {
        let last = self.channel.lock().unwrap_or_else(PoisonError::into_inner);
        last.clone()
    }

    /// Whether people can be told, and the hold that says so if they cannot: by the last trial and, as
    /// to whether mail takes messages, by those sent before.
    async fn present_channel(&self) -> Result<(Channel, Option<Raised>), StoreError> {
        let tried = self.last_trial();
        if self.transport.is_some() && matches!(tried, Some((Channel::Works, _)) | None) {
            return Ok(match self.outage().await? {
                Some(outage) => (Channel::Down, Some(outage)),
                None => (Channel::Works, None),
            });
        }
        let untried = if self.config.can_tell() {
            Channel::Down
        } else {
            Channel::None
        };
        Ok(tried.unwrap_or((untried, None)))
    }

    /// That messages do not get through, as those show that were sent. What no mail to operators can end an approval can.
    async fn outage(&self) -> Result<Option<Raised>, StoreError> {
        let Some(doubt) = self.store.mail_memory().await?.doubt else {
            return Ok(None);
        };
        let email = self.config.email.as_ref();
        let unsettled = if email.is_none_or(|email| email.operator_addresses().is_empty()) {
            Some(Unsettled::NoOperators)
        } else if doubt.of_people {
            Some(Unsettled::OnlyPeople)
        } else if mail::witnesses(&self.store, &self.config).await?.is_empty() {
            Some(Unsettled::OperatorsRefuse)
        } else {
            None
        };
        let evidence = unsettled.map(|_| doubt.since.as_microsecond().to_string());
        Ok(Some(Raised {
            hold: brake::mail_hold(MailTrouble::Refused { answer: doubt.text }, unsettled),
            evidence: evidence.unwrap_or_default(),
        }))
    }

    /// Where no mail to operators can tell, one who approves says that the channel is well.
    async fn trust_as_approved(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut memory = self.store.mail_memory().await?;
        let Some(doubt) = &memory.doubt else {
            return Ok(());
        };
        let evidence = doubt.since.as_microsecond().to_string();
        let hold = HoldKind::Channel.as_str();
        if self.store.rely_on_approval_of(hold, &evidence, now).await? {
            memory.approve(now);
            self.store.remember_mail(&memory).await?;
        }
        Ok(())
    }

    /// What was sent meanwhile raises the hold `channel`, or ends it where messages had raised it: one that a trial raised ends
    /// with the next trial.
    async fn follow_channel(
        &self,
        before: Option<Raised>,
        report: &mut PassReport,
    ) -> Result<(), StoreError> {
        let outage = self.outage().await?;
        if before.is_some() == outage.is_some() {
            return Ok(());
        }
        let id = HoldKind::Channel.as_str();
        let now = report.as_of;
        let changes = self.store.follow_hold(id, outage.as_ref(), now).await?;
        report.holds = changes.standing;
        Ok(())
    }

    /// Says goodbye to the mail server.
    pub async fn close(&self) {
        if let Some(transport) = &self.transport {
            transport.close().await;
        }
    }
}

/// The hold for a database that is gone while its mark stands (rule 7.15).
#[must_use]
pub fn database_hold(error: &StoreError, now: Timestamp) -> StandingHold {
    StandingHold {
        id: HoldKind::Database.as_str().to_owned(),
        kind: HoldKind::Database,
        policy: None,
        since: now,
        text: error.to_string(),
        // What operators are told is in the database.
        seen: None,
        released_by: HoldKind::Database.released_by(),
        approved_at: None,
        approved_by: None,
        approved_because: None,
        told: false,
    }
}

fn milliseconds(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn signed(length: Duration) -> SignedDuration {
    SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX)
}
