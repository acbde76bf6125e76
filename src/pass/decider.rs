//! Deciding in batches: everybody where the configuration changed, then whoever changed or is due.
//!
//! Each batch is committed while the next one is decided about, and in their order. Who would be
//! flagged is left to the brakes.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::task::AbortOnDropHandle;

use super::{PEOPLE_AT_ONCE, Pass, PassError};
use crate::domain::decide::decide;
use crate::domain::decision::Decision;
use crate::domain::facts::World;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::notice;
use crate::domain::policy::Policy;
use crate::domain::reason::{Reason, ReasonCode};
use crate::report::PassReport;
use crate::store::load::Dossier;
use crate::store::outcome::{Outcome, Tally};
use crate::store::{Store, StoreError, Whom};

/// People of a sweep that are loaded at once: most of them need nothing.
const SWEPT_AT_ONCE: u32 = 2_000;
/// Ids of people who are due that are read at once: each look at the index sees all of them.
const DUE_AT_ONCE: u32 = 20_000;

/// Decides in batches and commits them; whoever would be flagged waits for the brakes.
pub(super) struct Decider<'a> {
    pub(super) pass: &'a Pass<'a>,
    pub(super) world: &'a World,
    pub(super) policies: &'a [Policy],
    pub(super) waiting: BTreeMap<UserId, Outcome>,
    /// The batch before, and how many people it is about.
    pub(super) committing: Option<(usize, AbortOnDropHandle<Result<Tally, StoreError>>)>,
}

impl Decider<'_> {
    /// Everybody, by id, from where the last sweep stopped.
    pub(super) async fn sweep(&mut self, report: &mut PassReport) -> Result<(), PassError> {
        let store = self.pass.store;
        let Some(above) = store.sweep_cursor().await? else {
            return Ok(());
        };
        let mut next = load_above(store, above);
        while let Some((last, dossiers)) = next.await.map_err(|_| PassError::Thread)?? {
            next = load_above(store, last.clone());
            self.decide(dossiers, Some(last), report).await?;
        }
        self.committed(report).await?;
        Ok(store.end_sweep().await?)
    }

    /// Whoever changed or is due.
    pub(super) async fn due(&mut self, report: &mut PassReport) -> Result<(), PassError> {
        let store = self.pass.store;
        let mut above = String::new();
        loop {
            let due = store.due(&above, self.pass.now, DUE_AT_ONCE).await?;
            let Some(last) = due.last() else {
                return self.committed(report).await;
            };
            above.clone_from(last);
            let mut rest = due;
            let mut next = load_some(store, &rest);
            while !rest.is_empty() {
                let (ids, dossiers) = next.await.map_err(|_| PassError::Thread)??;
                rest.drain(..ids.len());
                next = load_some(store, &rest);
                self.forget_strangers(&ids, &dossiers).await?;
                self.decide(dossiers, None, report).await?;
            }
        }
    }

    /// Some people; who would be flagged stays as before.
    pub(super) async fn these(
        &mut self,
        ids: &[String],
        report: &mut PassReport,
    ) -> Result<(), PassError> {
        for ids in ids.chunks(PEOPLE_AT_ONCE) {
            let dossiers = self.pass.store.load(&Whom::these(ids)).await?;
            self.decide(dossiers, None, report).await?;
        }
        self.committed(report).await
    }

    /// Marks of ids that no users snapshot ever had.
    async fn forget_strangers(
        &self,
        ids: &[String],
        dossiers: &[Dossier],
    ) -> Result<(), StoreError> {
        if dossiers.len() == ids.len() {
            return Ok(());
        }
        let known: BTreeSet<&str> = dossiers
            .iter()
            .map(|dossier| dossier.person.id.as_str())
            .collect();
        let strangers: Vec<String> = ids
            .iter()
            .filter(|id| !known.contains(id.as_str()))
            .cloned()
            .collect();
        self.pass.store.forget_strangers(&strangers).await
    }

    async fn decide(
        &mut self,
        dossiers: Vec<Dossier>,
        swept_to: Option<String>,
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
                say(&outcome);
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
        if swept_to.is_some() {
            // The cursor moves past whoever waits for the brakes: a crash must not forget them.
            self.pass.store.mark(&waiting).await?;
            for id in &waiting {
                if let Some(outcome) = self.waiting.get_mut(id) {
                    let mark = outcome.dossier.mark.unwrap_or(0) + 1;
                    outcome.dossier.mark = Some(mark);
                }
            }
        }
        self.committed(report).await?;
        self.commit(ready, swept_to);
        Ok(())
    }

    /// Begins to commit a batch; the next one is decided about in the meantime.
    fn commit(&mut self, mut outcomes: Vec<Outcome>, swept_to: Option<String>) {
        let herald = self.pass.herald.clone();
        let (store, now) = (self.pass.store.clone(), self.pass.now);
        let sender = self.pass.config.sender_domain();
        let people = outcomes.len();
        let committing = tokio::spawn(async move {
            herald.announce(&mut outcomes);
            store
                .commit(&outcomes, swept_to.as_deref(), &sender, now)
                .await
        });
        self.committing = Some((people, AbortOnDropHandle::new(committing)));
    }

    /// Waits for the batch before.
    async fn committed(&mut self, report: &mut PassReport) -> Result<(), PassError> {
        if let Some((people, committing)) = self.committing.take() {
            report.add(committing.await.map_err(|_| PassError::Thread)??);
            self.pass.progress.decided(people);
        }
        Ok(())
    }
}

/// Tells the log where somebody stands now, and what they are to be told.
fn say(outcome: &Outcome) {
    let id = &outcome.dossier.person.id;
    for decision in &outcome.decisions {
        let (policy, state) = (&decision.policy, decision.state.as_str());
        tracing::trace!(user.id = %id, "{id} is {state} under {policy}");
        if decision.would_flag {
            tracing::debug!(user.id = %id, "{id} would be flagged under {policy}, if nothing holds it");
        }
    }
    if let Some(mail) = &outcome.mail {
        let event = mail.kind.as_str();
        tracing::debug!(user.id = %id, "{id} is to be told: {event}");
    }
}

// People are loaded while those before are decided about: no decision changes another's facts.

/// People of a sweep, after the last of their ids.
type Swept = (String, Vec<Dossier>);

/// The next people of a sweep; none at its end.
fn load_above(store: &Store, above: String) -> JoinHandle<Result<Option<Swept>, StoreError>> {
    let store = store.clone();
    tokio::spawn(async move {
        let ids = store.ids_above(&above, SWEPT_AT_ONCE).await?;
        let Some(last) = ids.last().cloned() else {
            return Ok(None);
        };
        let whom = Whom::Range(above.clone(), last);
        let last = ids[store.loadable(&ids, &whom).await? - 1].clone();
        let dossiers = store.load(&Whom::Range(above, last.clone())).await?;
        Ok(Some((last, dossiers)))
    })
}

/// Some of these people, of whom nobody is left out before the last.
type Loaded = (Vec<String>, Vec<Dossier>);

/// The first of these people, as many as are loaded at once.
fn load_some(store: &Store, ids: &[String]) -> JoinHandle<Result<Loaded, StoreError>> {
    let store = store.clone();
    let mut ids = ids[..ids.len().min(PEOPLE_AT_ONCE)].to_vec();
    tokio::spawn(async move {
        if ids.is_empty() {
            return Ok((ids, Vec::new()));
        }
        ids.truncate(store.loadable(&ids, &Whom::these(&ids)).await?);
        let dossiers = store.load(&Whom::these(&ids)).await?;
        Ok((ids, dossiers))
    })
}

/// Decides about one person under all policies, and chooses the one mail that is due.
pub(super) fn outcome(
    mut dossier: Dossier,
    policies: &[Policy],
    world: &World,
    now: Timestamp,
) -> Outcome {
    let decisions: Vec<Decision> = policies
        .iter()
        .map(|policy| decide(policy, &dossier.facts(world, policy.nested), now))
        .collect();
    // The reasons name what was decided on, and nobody asks it again: whoever waits for the brakes
    // waits without.
    dossier.sign_ins = Vec::new();
    let mut outcome = Outcome {
        dossier,
        decisions,
        mail: None,
        announcements: Vec::new(),
        approved_by_hold: None,
    };
    choose_mail(&mut outcome);
    outcome
}

/// The one mail of a person; where it came before another, that one's policy says so.
pub(super) fn choose_mail(outcome: &mut Outcome) {
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
