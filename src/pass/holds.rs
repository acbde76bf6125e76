//! The brakes of a pass: which of the would-be flags go, which holds stand, and who hears of them.
//!
//! What a brake looks for is in [`brake`]; here it gets to see what the pass collected.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::collect::Collected;
use super::decider::choose_mail;
use super::{Pass, PassError, report_age};
use crate::domain::brake::{self, WouldFlag};
use crate::domain::facts::World;
use crate::domain::hold::{Hold, HoldKind};
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::{Enforce, Policy};
use crate::domain::reason::{Reason, ReasonCode};
use crate::domain::seen::Seen;
use crate::report::PassReport;
use crate::store::holds::{Approval, Raised};
use crate::store::outcome::Outcome;
use crate::time::cron;

/// Passes that are further apart than this are rare.
const RARE: SignedDuration = SignedDuration::from_hours(1);

/// The brakes, and every hold that the pass has found so far.
pub(super) struct Brakes<'a> {
    pass: &'a Pass<'a>,
    world: &'a World,
    policies: &'a [Policy],
    approvals: Vec<Approval>,
    raised: Vec<Raised>,
}

impl<'a> Brakes<'a> {
    pub(super) fn new(
        pass: &'a Pass<'a>,
        world: &'a World,
        policies: &'a [Policy],
        collected: Collected,
        approvals: Vec<Approval>,
        clock: Option<Hold>,
    ) -> Self {
        let assignments = policies.iter().filter_map(|policy| {
            brake::assignment_hold(&policy.name, &policy.assignment.unresolved)
        });
        let holds = brake::world_holds(world, pass.now)
            .into_iter()
            .chain(assignments)
            .chain(clock);
        let outage = pass.outage.iter().cloned();
        Self {
            pass,
            world,
            policies,
            approvals,
            raised: holds
                .map(Raised::from)
                .chain(outage)
                .chain(collected.holds)
                .collect(),
        }
    }

    /// Flags whom no hold stops (rules R9, R10, 7.13 and 7.16), and chooses everybody's mail.
    pub(super) async fn judge(&mut self, waiting: Vec<Outcome>) -> Result<Vec<Outcome>, PassError> {
        let growth = self.missing_growth().await?;
        self.raised.extend(growth);
        if waiting.is_empty() {
            return Ok(waiting);
        }
        let mut would_be: Vec<WouldFlag> = waiting
            .iter()
            .flat_map(would_flag)
            .filter(|flag| {
                let stops = |raised: &Raised| raised.hold.stops(&flag.policy);
                !self.raised.iter().any(stops)
            })
            .collect();
        if let Some(hold) = brake::frozen(self.world, &would_be) {
            let evidence = report_age::evidence(self.pass.store).await?;
            self.raised.push(Raised { hold, evidence });
            would_be.clear();
        }
        let (rehearsed, real): (Vec<_>, Vec<_>) = would_be.into_iter().partition(|flag| {
            self.policy(&flag.policy)
                .is_some_and(|policy| policy.enforce == Enforce::ReportOnly)
        });
        let store = self.pass.store;
        let (history, relied_on) = store.mass_history(self.policies, self.pass.now).await?;
        self.approvals
            .retain(|given| given.hold != HoldKind::Mass.as_str());
        self.approvals.extend(relied_on.clone());
        let approved = relied_on.map(|given| (given, &history.approved));
        let (mut go, mass) = brake::mass(real, &history);
        go.extend(rehearsed);
        self.raised.extend(mass.map(Raised::from));
        let go: BTreeSet<WouldFlag> = go.into_iter().collect();
        Ok(waiting
            .into_iter()
            .map(|outcome| self.flag(outcome, &go, approved.as_ref()))
            .collect())
    }

    /// Whether those who lost their registration grew too many, aside from what an operator
    /// accepted.
    async fn missing_growth(&self) -> Result<Option<Raised>, PassError> {
        let mut given = self.approvals.iter();
        let given = given.find(|given| given.hold == HoldKind::MissingGrowth.as_str());
        let accepted = given.and_then(|given| Some((given, given.evidence.parse().ok()?)));
        let Pass { store, now, .. } = *self.pass;
        let growth = store.judge_missing_growth(accepted, now).await?;
        Ok(growth.map(|(seen, newly)| Raised {
            hold: Hold::new(HoldKind::MissingGrowth, "", None, seen),
            evidence: newly.to_string(),
        }))
    }

    fn policy(&self, name: &PolicyName) -> Option<&'a Policy> {
        self.policies.iter().find(|policy| policy.name == *name)
    }

    /// Flags one person where the brakes let it through, and chooses the person's mail.
    fn flag(
        &self,
        mut outcome: Outcome,
        go: &BTreeSet<WouldFlag>,
        approved: Option<&(Approval, &BTreeSet<(PolicyName, UserId)>)>,
    ) -> Outcome {
        let now = self.pass.now;
        let user = outcome.dossier.person.id.clone();
        let mut decisions = Vec::with_capacity(outcome.decisions.len());
        for decision in outcome.decisions {
            let flag = WouldFlag {
                policy: decision.policy.clone(),
                user: user.clone(),
            };
            match self.policy(&decision.policy) {
                Some(policy) if decision.would_flag && go.contains(&flag) => {
                    let facts = outcome.dossier.facts(self.world, policy.nested);
                    let mut flagged = decision.flagged(policy, &facts, now);
                    let flag = (flag.policy, flag.user);
                    if let Some((given, _)) = approved.filter(|(_, people)| people.contains(&flag))
                    {
                        outcome.approved_by_hold = Some(given.clone());
                        flagged.reasons.push(Reason::new(
                            ReasonCode::Approved,
                            "an operator approved the hold",
                            now,
                        ));
                    }
                    tracing::debug!(user.id = %user, "{user} is flagged under {}", flagged.policy);
                    decisions.push(flagged);
                }
                _ => decisions.push(decision),
            }
        }
        outcome.decisions = decisions;
        choose_mail(&mut outcome);
        outcome
    }

    /// Writes down all holds of the pass.
    pub(super) async fn record(mut self, report: &mut PassReport) -> Result<(), PassError> {
        let late = self.late_proofs().await?;
        self.raised.extend(late);
        let Pass { store, now, .. } = *self.pass;
        let rare = self.passes_are_rare().await?;
        let changes = store
            .record_holds(&self.raised, &self.approvals, rare, now)
            .await?;
        for (kind, holds) in [
            (EventKind::HoldRaised, &changes.raised),
            (EventKind::HoldCleared, &changes.cleared),
        ] {
            for hold in holds {
                tracing::warn!(
                    hold.id = hold.id,
                    hold.text = hold.text,
                    "{} {}: {}",
                    kind.as_str(),
                    hold.id,
                    hold.text
                );
            }
        }
        report.holds = changes.standing;
        Ok(())
    }

    /// Whether passes are more than an hour apart: what waits for an hour to be told would wait too
    /// long.
    async fn passes_are_rare(&self) -> Result<bool, PassError> {
        let Pass {
            store, config, now, ..
        } = *self.pass;
        let before = store.newest_pass().await?;
        let next = cron::next_after(&config.schedule.poll, &config.zone, now);
        let is_far = |from: Timestamp, to: Timestamp| to.duration_since(from) > RARE;
        Ok(before.is_some_and(|before| is_far(before, now))
            || next.is_none_or(|next| is_far(now, next)))
    }

    /// People whose proof is late (rule T8): a hold says so, and only a fresh report ends it.
    async fn late_proofs(&self) -> Result<Option<Raised>, PassError> {
        let is_frozen = |raised: &Raised| raised.hold.kind == HoldKind::Frozen;
        if self.raised.iter().any(is_frozen) {
            // That is what there is to say of the report.
            return Ok(None);
        }
        let late_since = brake::proofs_late_since(self.world, self.pass.now);
        let newest = self.world.proof().unwrap_or(Timestamp::MIN);
        let waiting = self
            .pass
            .store
            .waiting_for_proof(newest, late_since)
            .await?;
        Ok((waiting > 0).then(|| {
            let seen = Seen::Proof {
                people: waiting,
                newest,
            };
            Hold::new(HoldKind::Proof, "", None, seen).into()
        }))
    }
}

/// The policies under which a person would be flagged.
fn would_flag(outcome: &Outcome) -> impl Iterator<Item = WouldFlag> {
    outcome
        .decisions
        .iter()
        .filter(|decision| decision.would_flag)
        .map(|decision| WouldFlag {
            policy: decision.policy.clone(),
            user: outcome.dossier.person.id.clone(),
        })
}
