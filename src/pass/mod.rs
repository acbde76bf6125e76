//! The road, once: collect → decide → notice → brake → commit → deliver.
//!
//! The only place where the floors meet. A pass is level-triggered: it looks at what is there and
//! due, so a restart, a timer and an operator's act all mean "look again". Only would-be flags
//! wait until its end, because the brakes judge them together.

mod assign;
mod collect;
mod decider;
mod holds;
mod names;
mod report_age;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub(crate) use self::collect::Collected;
use self::collect::Collector;
pub use self::collect::{Directory, survey};
use self::decider::{Decider, outcome};
use self::holds::Brakes;
use self::names::Names;
use crate::config::{self, Config, Email, PolicyConfig};
use crate::courier::herald::Herald;
use crate::domain::facts::{Channel, World};
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::message::EventKind;
use crate::domain::news::{self, News, Waiting};
use crate::domain::policy::Policy;
use crate::domain::seen::{ClockFault, Seen};
use crate::report::{PassReport, Progress};
use crate::store::holds::{Approval, Raised};
use crate::store::lines::Telling;
use crate::store::load::Dossier;
use crate::store::outcome::{Operators, Outcome};
use crate::store::sources::Source;
use crate::store::{Store, StoreError, settings};

/// People who are decided about at once.
const PEOPLE_AT_ONCE: usize = 1_000;
/// Stretches of the sign-ins of an earlier version that are sorted in a pass.
const SORTED_IN_A_PASS: usize = 10;
/// What is no longer needed is removed once in this time.
const PRUNE_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A task beside the pass died.
    #[error("reading or writing stopped unexpectedly")]
    Thread,
    /// A rehearsal would go back in time (rule 7.22).
    #[error("the newest pass in the database is of {newest}: --as-of cannot be earlier")]
    GoesBack {
        /// The newest pass.
        newest: Timestamp,
    },
}

/// One pass and all it needs.
#[derive(Debug)]
pub struct Pass<'a> {
    /// The store.
    pub store: &'a Store,
    /// The configuration.
    pub config: &'a Config,
    /// Where facts come from.
    pub directory: &'a Directory,
    /// How long one source is read before mails and other sources have their turn; what is left
    /// of it is for the next pass. None: to its end.
    pub patience: Option<Duration>,
    /// The time by which everything is decided.
    pub now: Timestamp,
    /// Whether the way to people works.
    pub channel: Channel,
    /// The hold that says so, if it does not.
    pub outage: Option<Raised>,
    /// Writes what endpoints are told.
    pub herald: Herald,
    /// A clock that went wrong (rule R3), in words.
    pub clock_fault: Option<ClockFault>,
    /// How far it is.
    pub progress: &'a Progress,
}

impl Pass<'_> {
    /// Reads and decides, both as of its time.
    pub async fn run(&self, report: &mut PassReport) -> Result<(), PassError> {
        let approvals = self.store.approvals(self.now).await?;
        let cut = CancellationToken::new();
        let collected = self.collect(&approvals, &cut, report).await?;
        self.decide(collected, &approvals, report).await
    }

    /// Reads what changed in the sources; `cut` ends the waiting for an answer, not what is believed.
    pub(crate) async fn collect(
        &self,
        approvals: &[Approval],
        cut: &CancellationToken,
        report: &mut PassReport,
    ) -> Result<Collected, PassError> {
        let collector = Collector {
            store: self.store,
            config: self.config,
            now: self.now,
            approvals,
            patience: self.patience,
            cut,
            progress: self.progress,
        };
        let names = Names::load(self.store).await?;
        let wanted = assign::wanted(&self.config.policies, &names);
        collect::collect(&collector, self.directory, &wanted, report).await
    }

    /// Decides about whoever changed or is due, and says all that follows; delivering is the
    /// courier's.
    pub(crate) async fn decide(
        &self,
        collected: Collected,
        approvals: &[Approval],
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        self.decide_all(collected, approvals, report).await?;
        self.tell(report).await?;
        self.store.note_pass(self.now).await?;
        self.prune().await
    }

    /// Decides without reading the sources: after an operator's act or a settled mail.
    pub async fn run_on_changes(&self, report: &mut PassReport) -> Result<(), PassError> {
        let approvals = self.store.approvals(self.now).await?;
        let collected = Collected::still(self.store.collected_holds().await?);
        self.decide_all(collected, &approvals, report).await?;
        self.tell(report).await?;
        Ok(self.store.note_pass(self.now).await?)
    }

    /// Decides about those alone of whom operators' acts are, while sources are being read: what is
    /// half read of anybody else is nothing to decide by, and nothing to flag by at all. Whether there
    /// was any.
    pub(crate) async fn decide_on_acts(&self, report: &mut PassReport) -> Result<bool, PassError> {
        let acted = self.store.acted_since_last_pass().await?;
        let world = world(self.store, self.config, self.channel, self.now).await?;
        if acted.is_empty() || world.users.is_none() {
            return Ok(false);
        }
        let policies =
            assign::resolve(self.store, &self.config.policies, true, self.now, false).await?;
        let retired = assign::retired(self.store, &self.config.policies).await?;
        let policies: Vec<Policy> = policies.into_iter().chain(retired).collect();
        let mut decider = Decider {
            pass: self,
            world: &world,
            policies: &policies,
            waiting: BTreeMap::new(),
            committing: None,
        };
        decider.these(&acted, report).await?;
        self.tell(report).await?;
        self.store.note_pass(self.now).await?;
        Ok(true)
    }

    async fn decide_all(
        &self,
        collected: Collected,
        approvals: &[Approval],
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        report_age::trust(self.store, self.config, approvals, self.now).await?;
        let world = world(self.store, self.config, self.channel, self.now).await?;
        let begins = world.users.is_some();
        let policies =
            assign::resolve(self.store, &self.config.policies, begins, self.now, true).await?;
        let names: Vec<&str> = policies.iter().map(|policy| policy.name.as_str()).collect();
        tracing::debug!("deciding under {}, as of {}", names.join(", "), self.now);
        let clock = self.clock_hold().await?;
        let approvals = approvals.to_vec();
        let mut brakes = Brakes::new(self, &world, &policies, collected, approvals, clock);
        if !begins {
            return brakes.record(report).await;
        }
        self.sweep_if_reconfigured(&policies).await?;
        let retired = assign::retired(self.store, &self.config.policies).await?;
        let with_retired: Vec<Policy> = policies.iter().chain(&retired).cloned().collect();
        let mut decider = Decider {
            pass: self,
            world: &world,
            policies: &with_retired,
            waiting: BTreeMap::new(),
            committing: None,
        };
        decider.sweep(report).await?;
        assign::retire(self.store, &retired).await?;
        decider.due(report).await?;
        let waiting = decider.waiting.into_values().collect();
        let flagged = brakes.judge(waiting).await?;
        let (opened, closed) = (report.windows.opened, report.windows.closed);
        tracing::debug!(
            opened,
            closed,
            released = report.released,
            queued = report.deliveries.queued,
            "decided: {opened} windows opened, {closed} closed; flags come last, where nothing holds them"
        );
        for mut batch in chunks(flagged, PEOPLE_AT_ONCE) {
            self.herald.announce(&mut batch);
            let people = batch.len();
            let tally = self
                .store
                .commit_judged(batch, &self.config.sender_domain(), self.now)
                .await?;
            self.progress.decided(people);
            report.add(tally);
        }
        brakes.record(report).await
    }

    /// The hold of a clock that went wrong, unless an operator has approved the present one.
    async fn clock_hold(&self) -> Result<Option<Hold>, StoreError> {
        let mut fault = self.clock_fault.clone();
        if fault.is_none() {
            fault = self.directory.clock_fault(false);
            let hold = HoldKind::Clock.as_str();
            if fault.is_some() && self.store.rely_on_approval_of(hold, "", self.now).await? {
                fault = self.directory.clock_fault(true);
            }
        }
        Ok(fault.map(|fault| Hold::new(HoldKind::Clock, "", None, Seen::Clock(fault))))
    }

    /// A changed configuration is decided under for everybody.
    async fn sweep_if_reconfigured(&self, policies: &[Policy]) -> Result<(), PassError> {
        let configuration = fingerprint(self.config, policies);
        let before = self.store.setting(&settings::CONFIGURATION).await?;
        if before.as_ref() != Some(&configuration) {
            if before.is_some() {
                self.store.begin_sweep().await?;
            }
            self.store
                .set(&settings::CONFIGURATION, &configuration)
                .await?;
        }
        Ok(())
    }

    /// Says all that this pass has left to say, or one before that broke off: to operators, to
    /// endpoints with them, and to chats. What is gathered waits until it is due. How many messages
    /// are new.
    pub(crate) async fn tell(&self, report: &mut PassReport) -> Result<u64, PassError> {
        let mut waiting = self.store.waiting_lines().await?;
        if waiting.iter().any(Waiting::is_gathered) {
            let told = self.store.setting(&settings::GATHERED).await?;
            let told = told.unwrap_or_default();
            waiting.retain(|one| {
                let earlier = told.get(one.event.as_str()).map_or(&[][..], Vec::as_slice);
                !one.is_gathered() || news::is_due(earlier, self.now)
            });
        }
        self.store.add_holds(&mut waiting).await?;
        let operators = self.operators();
        let mut queued = 0;
        for telling in &self.herald.of_lines(&waiting) {
            queued += self.store.tell(telling, &operators, self.now).await?;
        }
        queued += self
            .tell_new_operators(&operators, &waiting, report)
            .await?;
        report.deliveries.queued += queued;
        Ok(queued)
    }

    /// Whoever becomes an operator hears of the holds that stand and were told before.
    async fn tell_new_operators(
        &self,
        operators: &Operators,
        waiting: &[Waiting],
        report: &PassReport,
    ) -> Result<u64, PassError> {
        let known = self.store.setting(&settings::OPERATORS).await?;
        if known.as_ref() == Some(&operators.addresses) {
            return Ok(0);
        }
        let is_new = |address: &&String| {
            known
                .as_ref()
                .is_some_and(|known| !known.contains(*address))
        };
        let new = Operators {
            addresses: operators.addresses.iter().filter(is_new).cloned().collect(),
            sender: operators.sender.clone(),
        };
        let is_told_now = |id: &str| waiting.iter().any(|one| one.topic == id);
        let manner = self.config.manner();
        let standing = report.holds.iter();
        let standing: Vec<News> = standing
            .filter(|hold| hold.told && !is_told_now(&hold.id))
            .map(|hold| News::of_hold(EventKind::HoldRaised, hold, &manner))
            .collect();
        let telling = Telling {
            news: news::of_one_cause(standing, manner.language),
            ..Telling::default()
        };
        let queued = self.store.tell(&telling, &new, self.now).await?;
        self.store
            .set(&settings::OPERATORS, &operators.addresses)
            .await?;
        Ok(queued)
    }

    fn operators(&self) -> Operators {
        let email = self.config.email.as_ref();
        Operators {
            addresses: email.map(Email::operator_addresses).unwrap_or_default(),
            sender: self.config.sender_domain(),
        }
    }

    async fn prune(&self) -> Result<(), PassError> {
        for _ in 0..SORTED_IN_A_PASS {
            if !self.store.sort_sign_ins(&self.config.result_codes).await? {
                break;
            }
        }
        let pruned = self.store.setting(&settings::PRUNED).await?;
        if pruned.is_some_and(|at| self.now.duration_since(at) < PRUNE_EVERY) {
            return Ok(());
        }
        if !self.store.prune(self.now).await? {
            self.store.set(&settings::PRUNED, &self.now).await?;
        }
        Ok(())
    }
}

/// The facts that are the same for everybody.
pub async fn world(
    store: &Store,
    config: &Config,
    channel: Channel,
    now: Timestamp,
) -> Result<World, StoreError> {
    let sources: BTreeMap<String, Option<Timestamp>> = store
        .sources()
        .await?
        .into_iter()
        .map(|source| (source.name, source.reading))
        .collect();
    let as_of = |name: &str| sources.get(name).copied().flatten();
    Ok(World {
        users: as_of("users"),
        groups: as_of("groups"),
        registration: report_age::of(store, config, now).await?,
        sign_ins: as_of("sign_ins"),
        audits: as_of("audits"),
        log_gap: store.log_gap().await?,
        freshness: config.freshness,
        channel,
        notice_by: config.notice_by(),
        upn_domains: config
            .email
            .as_ref()
            .map(|email| email.upn_domains.clone())
            .unwrap_or_default(),
        codes: config.result_codes.clone(),
        manner: config.manner(),
    })
}

/// The policies as a reader sees them: resolved, and nothing written.
pub async fn policies(
    store: &Store,
    config: &Config,
    now: Timestamp,
) -> Result<Vec<Policy>, StoreError> {
    assign::resolve(store, &config.policies, false, now, false).await
}

/// Names of groups of which the snapshot says nothing yet: exports hold every group, but Graph is
/// asked for those only that a policy named when a pass read them.
pub async fn unread_names(store: &Store, config: &Config) -> Result<BTreeSet<String>, StoreError> {
    if matches!(config.directory, config::Directory::Files(_))
        && store.accepted_at(Source::Groups).await?.is_some()
    {
        return Ok(BTreeSet::new());
    }
    let read = collect::groups::read_for(store).await?;
    let named = config.policies.iter().flat_map(PolicyConfig::groups);
    Ok(named
        .filter(|name| !read.contains(*name))
        .cloned()
        .collect())
}

/// Decides about one person for a reader: the effects are thrown away.
#[must_use]
pub fn look(dossier: Dossier, policies: &[Policy], world: &World, now: Timestamp) -> Outcome {
    outcome(dossier, policies, world, now)
}

fn fingerprint(config: &Config, policies: &[Policy]) -> String {
    let upn_domains = config.email.as_ref().map(|email| &email.upn_domains);
    let notice = config.notice_by();
    let text = format!(
        "{policies:?}{:?}{upn_domains:?}{notice:?}",
        config.result_codes
    );
    uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, text.as_bytes()).to_string()
}

fn chunks<T>(items: Vec<T>, size: usize) -> Vec<Vec<T>> {
    let mut chunks = Vec::with_capacity(items.len().div_ceil(size.max(1)));
    let mut items = items.into_iter().peekable();
    while items.peek().is_some() {
        chunks.push(items.by_ref().take(size).collect());
    }
    chunks
}
