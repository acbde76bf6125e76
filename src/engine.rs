//! A pass with everything around it: the channel is tried, the pass runs, mails are delivered.
//! `cycle`, `run` and `demo` all turn this one crank.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::config::Config;
use crate::courier::Courier;
use crate::courier::endpoint::{self, EndpointLane};
use crate::courier::herald::Herald;
use crate::courier::transport::Transport;
use crate::delivery::webhook::ClientError;
use crate::domain::brake;
use crate::domain::facts::{Channel, NoticeBy};
use crate::domain::hold::HoldKind;
use crate::domain::hold::StandingHold;
use crate::pass::{Directory, Pass, PassError};
use crate::report::{PassReport, Progress};
use crate::store::holds::Raised;
use crate::store::outbox::EMAIL;
use crate::store::{Store, StoreError};
use crate::time::Clock;

/// Why a pass runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// The schedule, the heartbeat or a person: sources are read.
    Sources,
    /// An operator's act or a settled mail: only whoever changed is decided about.
    Changes,
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
    clock_fault: std::sync::Mutex<Option<String>>,
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
            clock_fault: std::sync::Mutex::new(None),
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

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A clock that went wrong holds all flags until it is well again (rule R3).
    pub fn set_clock_fault(&self, fault: Option<String>) {
        *self
            .clock_fault
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = fault;
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

    /// One pass and its deliveries. `stop` ends the deliveries early.
    pub async fn pass(
        &self,
        wake: Wake,
        report: &mut PassReport,
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), PassError> {
        let began = Instant::now();
        let result = self.try_pass(wake, report, stop).await;
        report.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.progress.beat();
        result
    }

    async fn try_pass(
        &self,
        wake: Wake,
        report: &mut PassReport,
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), PassError> {
        // What a failure of the store left leased can be withdrawn by this pass.
        self.recover().await?;
        let went_back = self.went_back(report).await?;
        let now = report.as_of;
        let (channel, outage) = self.channel(now).await?;
        let parted = self
            .clock_fault
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone();
        let clock_fault = went_back.clone().or(parted);
        let pass = self.pass_at(now, channel, outage, clock_fault).await?;
        match wake {
            Wake::Sources => pass.run(report).await?,
            Wake::Changes => pass.run_on_changes(report).await?,
        }
        if !self.clock.is_fixed() {
            self.store.note_clocked_pass(now).await?;
        }
        if went_back.is_some() {
            // While time stands behind the newest pass nothing is said (rule 7.16).
            return Ok(());
        }
        self.deliver(report, stop).await?;
        if self.store.lines_wait().await? && pass.tell(report).await? > 0 {
            // An endpoint died: operators hear of it by the other ways, now.
            self.deliver(report, stop).await?;
        }
        Ok(())
    }

    async fn pass_at(
        &self,
        now: Timestamp,
        channel: Channel,
        outage: Option<Raised>,
        clock_fault: Option<String>,
    ) -> Result<Pass<'_>, StoreError> {
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
    async fn went_back(&self, report: &mut PassReport) -> Result<Option<String>, PassError> {
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
        if self
            .store
            .approvals(now)
            .await?
            .iter()
            .any(|approval| approval.hold == hold)
        {
            self.turn_back(now).await?;
            return Ok(None);
        }
        report.as_of = newest;
        Ok(Some(format!(
            "the wall clock ({now}) stands behind the newest pass; no flag and no message before {newest}"
        )))
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
        stop: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<(), PassError> {
        let now = self.clock.now();
        if self
            .store
            .newest_pass()
            .await?
            .is_some_and(|newest| now < newest)
        {
            return Ok(());
        }
        // The courier is alone: what is leased now was never settled, because the store failed.
        self.recover().await?;
        let courier = Courier {
            store: &self.store,
            config: &self.config,
            name: uuid::Uuid::new_v4().to_string(),
            transport: self.transport.as_ref(),
            endpoints: self.endpoints(),
            clock: self.clock,
            progress: &self.progress,
        };
        let before = self.outage().await?;
        let delivered = courier.deliver(report, stop).await;
        self.follow_channel(before, report).await?;
        Ok(delivered?)
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

    /// Whether people can be told as of this pass, and the hold that says so if they cannot (rule 7.11). Mail is tried up to the
    /// login; whether it takes messages is known from those sent before.
    async fn channel(&self, now: Timestamp) -> Result<(Channel, Option<Raised>), StoreError> {
        let Some(transport) = &self.transport else {
            let channel = endpoint::channel(&self.endpoints, &self.store, now).await?;
            let hold = (channel == Channel::Down)
                .then(|| Raised::from(brake::channel_hold(NoticeBy::Webhook, "")));
            return Ok((channel, hold));
        };
        self.trust_as_approved(now).await?;
        let health = self.store.health(EMAIL).await?;
        let is_left_alone = health.paused_until.is_some_and(|until| until > now);
        if !is_left_alone && let Err(error) = transport.probe().await {
            tracing::warn!(error, "mail does not connect or log in");
            let why = format!("it does not connect or log in: {error}");
            let hold = brake::channel_hold(NoticeBy::Mail, &why);
            return Ok((Channel::Down, Some(hold.into())));
        }
        let outage = self.outage().await?;
        let channel = match outage {
            Some(_) => Channel::Down,
            None => Channel::Works,
        };
        Ok((channel, outage))
    }

    /// That messages do not get through, as those show that were sent.
    async fn outage(&self) -> Result<Option<Raised>, StoreError> {
        let doubt = self.store.mail_memory().await?.doubt;
        Ok(doubt.map(|doubt| {
            let mut hold = brake::channel_hold(NoticeBy::Mail, &doubt.text);
            let evidence = if self.has_operators() {
                String::new()
            } else {
                hold.text +=
                    "; without email.operators only an accepted message or an approval ends this";
                doubt.since.as_microsecond().to_string()
            };
            Raised { hold, evidence }
        }))
    }

    fn has_operators(&self) -> bool {
        let email = self.config.email.as_ref();
        email.is_some_and(|email| !email.operator_addresses().is_empty())
    }

    /// Where there are no operators to be written to, one who approves says that the channel is well.
    async fn trust_as_approved(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut memory = self.store.mail_memory().await?;
        let Some(doubt) = &memory.doubt else {
            return Ok(());
        };
        let evidence = doubt.since.as_microsecond().to_string();
        let approvals = self.store.approvals(now).await?;
        let is_approved = approvals.iter().any(|approval| {
            approval.hold == HoldKind::Channel.as_str() && approval.evidence == evidence
        });
        if is_approved {
            memory.trust();
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
        released_by: HoldKind::Database.released_by(),
        approved_at: None,
        told: false,
    }
}
