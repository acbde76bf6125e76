//! The road, once: collect → decide → notice → brake → commit → deliver.
//!
//! The only place where the floors meet. A pass is level-triggered: it looks at what is there and
//! due, so a restart, a timer and an operator's act all mean "look again". Only would-be flags
//! wait until its end, because the brakes judge them together.

mod assign;
mod collect;
mod groups;
pub mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;

use self::collect::{Collected, Collector};
use self::report::{PassReport, Progress};
use crate::config::Config;
use crate::domain::brake::{self, Hold, HoldKind, WouldFlag};
use crate::domain::decide::{Decision, decide};
use crate::domain::effect::Effect;
use crate::domain::facts::{Channel, World};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::notice;
use crate::domain::policy::{Enforce, Policy};
use crate::domain::reason::{Reason, ReasonCode};
use crate::store::commit::{Outcome, SweepStep};
use crate::store::holds::{Approval, Raised, StandingHold};
use crate::store::load::Dossier;
use crate::store::{Store, StoreError, Whom};

/// People who are decided about at once.
const PEOPLE_AT_ONCE: u32 = 500;
/// The setting that tells which configuration everybody was decided under.
const CONFIGURATION: &str = "configuration";
/// What is no longer needed is removed once in this time.
const PRUNE_EVERY: jiff::SignedDuration = jiff::SignedDuration::from_hours(24);

/// Why a pass could not go on.
#[derive(Debug, thiserror::Error)]
pub enum PassError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The reading thread died.
    #[error("the reader of the sources stopped unexpectedly")]
    Reader,
    /// A rehearsal would go back in time (contract 1).
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
    /// The time by which everything is decided.
    pub now: Timestamp,
    /// Whether mail works.
    pub channel: Channel,
    /// A clock that went wrong (R3), in words.
    pub clock_fault: Option<String>,
    /// How far it is.
    pub progress: &'a Progress,
}

impl Pass<'_> {
    /// Runs the pass up to the outbox; delivering is the courier's.
    pub async fn run(&self, report: &mut PassReport) -> Result<(), PassError> {
        let approvals = self.store.approvals(self.now).await?;
        let collected = self.collect(&approvals, report).await?;
        self.decide_all(collected, &approvals, report).await?;
        self.store.note_pass(self.now).await?;
        self.prune().await?;
        Ok(())
    }

    /// Decides about whoever changed or is due, without reading the sources: after an operator's
    /// act or a settled mail.
    pub async fn run_on_changes(&self, report: &mut PassReport) -> Result<(), PassError> {
        let approvals = self.store.approvals(self.now).await?;
        let collected = Collected {
            holds: self.store.collected_holds().await?,
        };
        self.decide_all(collected, &approvals, report).await?;
        self.store.note_pass(self.now).await?;
        Ok(())
    }

    async fn collect(
        &self,
        approvals: &[Approval],
        report: &mut PassReport,
    ) -> Result<Collected, PassError> {
        let collector = Collector {
            store: self.store,
            now: self.now,
            approvals,
            progress: self.progress,
        };
        let names = assign::Names::load(self.store).await?;
        let wanted = assign::wanted(&self.config.policies, &names);
        collect::collect(&collector, &self.config.files, &wanted, report).await
    }

    async fn decide_all(
        &self,
        collected: Collected,
        approvals: &[Approval],
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        let world = world(self.store, self.config, self.channel).await?;
        let begins = world.users.is_some();
        let policies =
            assign::resolve(self.store, &self.config.policies, begins, self.now, true).await?;
        if !begins {
            report.holds = self
                .holds(
                    &world,
                    &policies,
                    collected,
                    Judged::default(),
                    approvals,
                    report,
                )
                .await?;
            return Ok(());
        }
        self.sweep_if_reconfigured(&policies).await?;
        let retired = assign::retired(self.store, &self.config.policies).await?;
        let with_retired: Vec<Policy> = policies.iter().chain(&retired).cloned().collect();
        let mut decider = Decider {
            pass: self,
            world: &world,
            policies: &with_retired,
            waiting: BTreeMap::new(),
            told: Told::default(),
        };
        decider.sweep(report).await?;
        assign::retire(self.store, &retired).await?;
        decider.due(report).await?;
        let (waiting, told) = (decider.waiting.into_values().collect(), decider.told);
        let (judged, flagged) = self
            .judge(&world, &policies, &collected, approvals, waiting)
            .await?;
        for batch in chunks(flagged, PEOPLE_AT_ONCE as usize) {
            let tally = self
                .store
                .commit(
                    &batch,
                    SweepStep::None,
                    &self.config.sender_domain(),
                    self.now,
                )
                .await?;
            self.progress.decided(batch.len());
            report.add(tally);
        }
        report.holds = self
            .holds(&world, &policies, collected, judged, approvals, report)
            .await?;
        self.tell_operators(told, report).await
    }

    /// A changed configuration is decided under for everybody.
    async fn sweep_if_reconfigured(&self, policies: &[Policy]) -> Result<(), PassError> {
        let configuration = fingerprint(self.config, policies);
        let before = self.store.setting(CONFIGURATION).await?;
        if before.as_deref() != Some(&configuration) {
            if before.is_some() {
                self.store.begin_sweep().await?;
            }
            self.store.set(CONFIGURATION, &configuration).await?;
        }
        Ok(())
    }

    /// The brakes: which would-be flags go (R9, R10, contract 7.13 and 7.16).
    async fn judge(
        &self,
        world: &World,
        policies: &[Policy],
        collected: &Collected,
        approvals: &[Approval],
        waiting: Vec<Outcome>,
    ) -> Result<(Judged, Vec<Outcome>), PassError> {
        let accepted = approvals
            .iter()
            .find(|approval| approval.hold == HoldKind::MissingGrowth.as_str())
            .and_then(|approval| approval.evidence.parse().ok())
            .unwrap_or(0);
        let growth = self.store.judge_missing_growth(accepted).await?;
        let mut judged = Judged {
            growth: growth.map(|(text, newly)| Raised {
                hold: Hold::new(HoldKind::MissingGrowth, "", None, text),
                evidence: newly.to_string(),
            }),
            ..Judged::default()
        };
        if waiting.is_empty() {
            return Ok((judged, waiting));
        }
        let standing = self.standing_holds(world, policies, collected, &judged);
        let would_be: Vec<WouldFlag> = waiting
            .iter()
            .flat_map(|outcome| {
                let user = &outcome.dossier.person.id;
                outcome
                    .decisions
                    .iter()
                    .filter(|decision| decision.would_flag)
                    .map(move |decision| WouldFlag {
                        policy: decision.policy.clone(),
                        user: user.clone(),
                    })
            })
            .filter(|flag| !standing.iter().any(|hold| hold.stops(&flag.policy)))
            .collect();
        let (rehearsed, real): (Vec<_>, Vec<_>) = would_be.into_iter().partition(|flag| {
            policies
                .iter()
                .any(|policy| policy.name == flag.policy && policy.enforce == Enforce::ReportOnly)
        });
        let history = self.store.mass_history(policies, self.now).await?;
        let (mut go, mass) = brake::mass(real, &history);
        go.extend(rehearsed);
        judged.mass = mass;
        let go: BTreeSet<WouldFlag> = go.into_iter().collect();
        let outcomes = waiting
            .into_iter()
            .map(|outcome| self.flag(world, policies, outcome, &go, &history.approved))
            .collect();
        Ok((judged, outcomes))
    }

    /// Flags one person where the brakes let it through, and chooses the person's mail.
    fn flag(
        &self,
        world: &World,
        policies: &[Policy],
        mut outcome: Outcome,
        go: &BTreeSet<WouldFlag>,
        approved: &BTreeSet<(PolicyName, UserId)>,
    ) -> Outcome {
        let user = outcome.dossier.person.id.clone();
        let mut decisions = Vec::with_capacity(outcome.decisions.len());
        for decision in outcome.decisions {
            let flag = WouldFlag {
                policy: decision.policy.clone(),
                user: user.clone(),
            };
            let policy = policies
                .iter()
                .find(|policy| policy.name == decision.policy);
            match policy {
                Some(policy) if decision.would_flag && go.contains(&flag) => {
                    let facts = outcome.dossier.facts(world, policy.nested);
                    let mut flagged = decision.flagged(policy, &facts, self.now);
                    if approved.contains(&(flag.policy, flag.user)) {
                        outcome.approved_by_hold = Some(HoldKind::Mass.as_str().to_owned());
                        flagged.reasons.push(Reason::new(
                            ReasonCode::Approved,
                            "an operator approved the hold",
                            self.now,
                        ));
                    }
                    decisions.push(flagged);
                }
                _ => decisions.push(decision),
            }
        }
        outcome.decisions = decisions;
        choose_mail(&mut outcome);
        outcome
    }

    /// The holds that stop new flags in this pass, the mass brake's aside.
    fn standing_holds(
        &self,
        world: &World,
        policies: &[Policy],
        collected: &Collected,
        judged: &Judged,
    ) -> Vec<Hold> {
        let mut holds = brake::world_holds(world, self.now);
        holds.extend(policies.iter().filter_map(|policy| {
            brake::assignment_hold(&policy.name, &policy.assignment.unresolved)
        }));
        holds.extend(collected.holds.iter().map(|raised| raised.hold.clone()));
        holds.extend(judged.growth.iter().map(|raised| raised.hold.clone()));
        holds.extend(
            self.clock_fault
                .clone()
                .map(|text| Hold::new(HoldKind::Clock, "", None, text)),
        );
        holds
    }

    /// Writes down all holds of the pass, and tells operators of new ones.
    async fn holds(
        &self,
        world: &World,
        policies: &[Policy],
        collected: Collected,
        judged: Judged,
        approvals: &[Approval],
        report: &mut PassReport,
    ) -> Result<Vec<StandingHold>, PassError> {
        let mut raised: Vec<Raised> = self
            .standing_holds(world, policies, &Collected::default(), &Judged::default())
            .into_iter()
            .map(|hold| Raised {
                evidence: String::new(),
                hold,
            })
            .collect();
        raised.extend(collected.holds);
        raised.extend(judged.growth);
        raised.extend(judged.mass.map(|hold| Raised {
            hold,
            evidence: String::new(),
        }));
        raised.extend(self.late_proofs(world).await?);
        let changes = self
            .store
            .record_holds(&raised, approvals, self.now)
            .await?;
        let standing = self.store.holds().await?;
        for (kind, holds) in [
            (EventKind::HoldRaised, &changes.raised),
            (EventKind::HoldCleared, &changes.cleared),
        ] {
            for hold in holds {
                tracing::warn!(
                    hold.id = hold.id,
                    hold.text = hold.text,
                    "{}",
                    kind.as_str()
                );
            }
        }
        // Every hold that stands, since a pass may have died between raising it and saying so: the
        // key lets each be said once.
        for (kind, holds) in [
            (EventKind::HoldRaised, &standing),
            (EventKind::HoldCleared, &changes.cleared),
        ] {
            for hold in holds {
                let title = match kind {
                    EventKind::HoldRaised => format!("Flags are held: {}", hold.id),
                    _ => format!("No longer held: {}", hold.id),
                };
                let mut lines = vec![hold.text.clone()];
                if kind == EventKind::HoldRaised {
                    lines.push(match hold.released_by {
                        brake::ReleasedBy::Approval => format!("To let the flags through: fortnight enforcement approve {} --reason TEXT", hold.id),
                        brake::ReleasedBy::Data => "Only good data ends it.".to_owned(),
                    });
                }
                let key = format!(
                    "{}/{}/{}",
                    kind.as_str(),
                    hold.id,
                    hold.since.as_microsecond()
                );
                self.queue_for_operators(&key, kind, &title, &lines, report)
                    .await?;
            }
        }
        Ok(standing)
    }

    /// People whose proof is late (T8): a hold says so, and only a fresh report ends it.
    async fn late_proofs(&self, world: &World) -> Result<Option<Raised>, PassError> {
        let late_since = brake::proofs_late_since(world.audits, self.now);
        let oldest = world.registration.unwrap_or(Timestamp::MIN);
        let waiting = self.store.waiting_for_proof(oldest, late_since).await?;
        Ok((waiting > 0).then(|| {
            let text = format!("{waiting} people wait for a registration report dated after their deadline; the newest is of {oldest}");
            Raised { hold: Hold::new(HoldKind::Proof, "", None, text), evidence: String::new() }
        }))
    }

    async fn queue_for_operators(
        &self,
        key: &str,
        kind: EventKind,
        title: &str,
        lines: &[String],
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        let Some(email) = &self.config.email else {
            return Ok(());
        };
        let queued = self
            .store
            .queue_for_operators(
                key,
                kind,
                title,
                lines,
                &email.operator_addresses(),
                &self.config.sender_domain(),
                self.now,
            )
            .await?;
        report.deliveries.queued += queued;
        Ok(())
    }

    /// Operators hear of whom nobody can reach, one mail a pass, and of repeated losses.
    async fn tell_operators(&self, told: Told, report: &mut PassReport) -> Result<(), PassError> {
        let now = self.now.as_microsecond();
        if !told.unreachable.is_empty() {
            let title = match told.unreachable.len() {
                1 => "One person cannot be reached by mail".to_owned(),
                count => format!("{count} people cannot be reached by mail"),
            };
            let lines: Vec<String> = told.unreachable.into_iter().collect();
            self.queue_for_operators(
                &format!("unreachable/{now}"),
                EventKind::DeliveryDead,
                &title,
                &lines,
                report,
            )
            .await?;
        }
        if !told.digest.is_empty() {
            self.queue_for_operators(
                &format!("digest/{now}"),
                EventKind::Digest,
                "Registrations lost again",
                &told.digest,
                report,
            )
            .await?;
        }
        Ok(())
    }

    async fn prune(&self) -> Result<(), PassError> {
        let pruned = self
            .store
            .setting("pruned")
            .await?
            .and_then(|text| text.parse::<Timestamp>().ok());
        if pruned.is_some_and(|at| self.now.duration_since(at) < PRUNE_EVERY) {
            return Ok(());
        }
        if !self.store.prune(self.now).await? {
            self.store.set("pruned", &self.now.to_string()).await?;
        }
        Ok(())
    }
}

/// What the brakes found out.
#[derive(Debug, Default)]
struct Judged {
    mass: Option<Hold>,
    growth: Option<Raised>,
}

/// What operators are told at the end of a pass.
#[derive(Debug, Default)]
struct Told {
    unreachable: BTreeSet<String>,
    digest: Vec<String>,
}

/// Decides in batches and commits them; whoever would be flagged waits for the brakes.
struct Decider<'a> {
    pass: &'a Pass<'a>,
    world: &'a World,
    policies: &'a [Policy],
    waiting: BTreeMap<UserId, Outcome>,
    told: Told,
}

impl Decider<'_> {
    /// Everybody, by id, from where the last sweep stopped.
    async fn sweep(&mut self, report: &mut PassReport) -> Result<(), PassError> {
        let store = self.pass.store;
        let Some(mut above) = store.sweep_cursor().await? else {
            return Ok(());
        };
        loop {
            let ids = store.ids_above(&above, 4 * PEOPLE_AT_ONCE).await?;
            let Some(last) = ids.last().cloned() else {
                break;
            };
            let dossiers = store.load(&Whom::Range(above, last.clone())).await?;
            self.decide(dossiers, SweepStep::UpTo(&last), report)
                .await?;
            above = last;
        }
        Ok(store.end_sweep().await?)
    }

    /// Whoever changed or is due.
    async fn due(&mut self, report: &mut PassReport) -> Result<(), PassError> {
        let store = self.pass.store;
        let mut above = String::new();
        loop {
            let ids = store.due(&above, self.pass.now, PEOPLE_AT_ONCE).await?;
            let Some(last) = ids.last().cloned() else {
                return Ok(());
            };
            let dossiers = store.load(&Whom::These(ids.clone())).await?;
            if dossiers.len() < ids.len() {
                let known: BTreeSet<&str> = dossiers
                    .iter()
                    .map(|dossier| dossier.person.id.as_str())
                    .collect();
                let strangers: Vec<String> = ids
                    .into_iter()
                    .filter(|id| !known.contains(id.as_str()))
                    .collect();
                store.forget_strangers(&strangers).await?;
            }
            self.decide(dossiers, SweepStep::None, report).await?;
            above = last;
        }
    }

    async fn decide(
        &mut self,
        dossiers: Vec<Dossier>,
        step: SweepStep<'_>,
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        let (mut ready, mut waiting) = (Vec::with_capacity(dossiers.len()), Vec::new());
        for dossier in dossiers {
            let id = dossier.person.id.clone();
            // Whom the sweep left waiting for the brakes is due as well.
            if self.waiting.contains_key(&id) {
                continue;
            }
            // A panic in one person's record puts that record aside, not the pass.
            if let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| {
                outcome(dossier, self.policies, self.world, self.pass.now)
            })) {
                self.note(&outcome);
                if outcome.decisions.iter().any(|decision| decision.would_flag) {
                    waiting.push(id.clone());
                    self.waiting.insert(id, outcome);
                } else {
                    ready.push(outcome);
                }
            } else {
                tracing::error!(user.id = %id, "a decision about {id} failed; the person is left as before");
                report.read.quarantined += 1;
                report.errors.push(format!(
                    "a decision about {id} failed; the person is left as before"
                ));
            }
        }
        if let SweepStep::UpTo(_) = step {
            // The cursor moves past whoever waits for the brakes: a crash must not forget them.
            self.pass.store.mark(&waiting).await?;
            for id in &waiting {
                if let Some(outcome) = self.waiting.get_mut(id) {
                    let mark = outcome.dossier.mark.unwrap_or(0) + 1;
                    outcome.dossier.mark = Some(mark);
                }
            }
        }
        let tally = self
            .pass
            .store
            .commit(
                &ready,
                step,
                &self.pass.config.sender_domain(),
                self.pass.now,
            )
            .await?;
        self.pass.progress.decided(ready.len());
        report.add(tally);
        Ok(())
    }

    /// What operators should hear of.
    fn note(&mut self, outcome: &Outcome) {
        for decision in &outcome.decisions {
            self.told
                .digest
                .extend(decision.effects.iter().filter_map(|effect| match effect {
                    Effect::TellOperators(text) => Some(text.clone()),
                    Effect::Event(_) | Effect::Message(_) | Effect::WithdrawMessages => None,
                }));
            let before = outcome.dossier.standings.get(&decision.policy);
            let was = before
                .and_then(|standing| standing.window.run())
                .is_some_and(|run| run.unreachable.is_some());
            let is = decision
                .standing
                .window
                .run()
                .is_some_and(|run| run.unreachable.is_some());
            if is && !was && decision.standing.enforce == Some(Enforce::On) {
                let person = &outcome.dossier.person;
                self.told
                    .unreachable
                    .insert(format!("{} ({})", person.user_principal_name, person.id));
            }
        }
    }
}

/// Decides about one person under all policies, and chooses the one mail that is due.
fn outcome(dossier: Dossier, policies: &[Policy], world: &World, now: Timestamp) -> Outcome {
    let decisions: Vec<Decision> = policies
        .iter()
        .map(|policy| decide(policy, &dossier.facts(world, policy.nested), now))
        .collect();
    let mut outcome = Outcome {
        dossier,
        decisions,
        mail: None,
        approved_by_hold: None,
    };
    choose_mail(&mut outcome);
    outcome
}

fn choose_mail(outcome: &mut Outcome) {
    let (mail, overtaken) = notice::choose(&outcome.decisions);
    let mail = mail.cloned();
    let overtaken: Vec<PolicyName> = overtaken
        .into_iter()
        .map(|message| message.policy.clone())
        .collect();
    if let Some(mail) = &mail {
        let text = format!("overtaken by the mail of the policy {}", mail.policy);
        for decision in &mut outcome.decisions {
            if overtaken.contains(&decision.policy) {
                decision
                    .reasons
                    .push(Reason::new(ReasonCode::StepOvertaken, text.clone(), None));
            }
        }
    }
    outcome.mail = mail;
}

/// The facts that are the same for everybody.
pub async fn world(store: &Store, config: &Config, channel: Channel) -> Result<World, StoreError> {
    let sources: BTreeMap<String, Option<Timestamp>> = store
        .sources()
        .await?
        .into_iter()
        .map(|source| (source.name, source.as_of))
        .collect();
    let as_of = |name: &str| sources.get(name).copied().flatten();
    Ok(World {
        users: as_of("users"),
        registration: as_of("registration"),
        sign_ins: as_of("sign_ins"),
        audits: as_of("audits"),
        log_gap: store.log_gap().await?,
        freshness: config.freshness,
        channel,
        upn_domains: config
            .email
            .as_ref()
            .map(|email| email.upn_domains.clone())
            .unwrap_or_default(),
        codes: config.result_codes.clone(),
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

/// Decides about one person for a reader: the effects are thrown away.
#[must_use]
pub fn look(dossier: Dossier, policies: &[Policy], world: &World, now: Timestamp) -> Outcome {
    outcome(dossier, policies, world, now)
}

fn fingerprint(config: &Config, policies: &[Policy]) -> String {
    let upn_domains = config.email.as_ref().map(|email| &email.upn_domains);
    let text = format!("{policies:?}{:?}{upn_domains:?}", config.result_codes);
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

/// An error with its causes, in one line; what a cause only says again is left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let why = error.to_string();
        if !text.ends_with(&why) {
            text.push_str(": ");
            text.push_str(&why);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
