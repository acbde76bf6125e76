//! The brakes of a pass: which of the would-be flags go, which holds stand, and who hears of them.
//!
//! What a brake looks for is in [`brake`]; here it gets to see what the pass collected.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::collect::Collected;
use super::decider::choose_mail;
use super::report::PassReport;
use super::{Pass, PassError};
use crate::domain::brake::{self, Hold, HoldKind, WouldFlag};
use crate::domain::facts::World;
use crate::domain::id::{PolicyName, UserId};
use crate::domain::message::EventKind;
use crate::domain::policy::{Enforce, Policy};
use crate::domain::reason::{Reason, ReasonCode};
use crate::store::commit::Outcome;
use crate::store::holds::{Approval, Raised, StandingHold};

/// What the brakes found out.
#[derive(Debug, Default)]
pub(super) struct Judged {
    mass: Option<Hold>,
    growth: Option<Raised>,
}

impl Pass<'_> {
    /// The brakes: which would-be flags go (R9, R10, contract 7.13 and 7.16).
    pub(super) async fn judge(
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
    pub(super) async fn holds(
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
            .record_holds(&raised, approvals, &self.operators(), self.now)
            .await?;
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
        report.deliveries.queued += changes.queued;
        Ok(self.store.holds().await?)
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
}
