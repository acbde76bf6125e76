//! Telling the person: which message is due, what became of those before, and who hears when
//! nobody can be reached.
//!
//! When steps fall due and what a mail holds is for [`super::notice`] to say. Where notice is given
//! by webhook, the event is the message: nobody has an address, and nobody is unreachable.

use jiff::{SignedDuration, Timestamp};

use super::audit::AuditKind;
use super::decide::Case;
use super::decision::{Next, NextAction, Unreached};
use super::effect::Effect;
use super::facts::{Channel, DeliveryFact, DeliveryOutcome, NoticeBy, PersonFacts};
use super::message::EventKind;
use super::news::{self, Topic};
use super::notice;
use super::policy::{Enforce, Step};
use super::reason::ReasonCode;
use super::registration::{LostRegistration, Verdict};
use super::scope::Scope;
use super::standing::{Enforcement, Standing};
use super::window::{GraceWindow, Run, Told, UNREACHABLE_AFTER, Unreachable, later};

/// An event in the log holds reminders and the flag this long (rules T7 and 7.12).
pub(super) const REPORTED_HOLD: SignedDuration = SignedDuration::from_hours(24);
/// Operators hear of a person whom the report has left out for so long (case 48).
const UNREPORTED_AFTER: SignedDuration = SignedDuration::from_hours(48);
/// A report that is young enough to say so is looked for this often.
const LOOKED_FOR_EVERY: SignedDuration = SignedDuration::from_hours(1);
/// All such events of a window together hold no longer than this.
const REPORTED_HOLD_IN_ALL: SignedDuration = SignedDuration::from_hours(72);
/// An announcement that came to nothing is made again after this, the next one after twice this,
/// and so on: a way that takes nothing is not worn out by asking.
const ANNOUNCED_AGAIN_AFTER: SignedDuration = SignedDuration::from_hours(24);

impl Case<'_> {
    /// What became of the messages: a notice fixes the deadline, a refusal of the address starts
    /// The clock of rule R8.
    pub(super) fn follow_deliveries(&mut self) {
        let (facts, policy) = (self.facts, self.policy);
        let sequence = self.standing.sequence;
        let (GraceWindow::Open(run) | GraceWindow::Elapsed(run)) = &mut self.standing.window else {
            return;
        };
        if run.told.is_none() {
            run.told = notice::accepted(run, policy, sequence, &facts.deliveries);
        }
        let by_webhook = facts.world.notice_by == NoticeBy::Webhook;
        if run.told.is_some() || facts.world.channel == Channel::None || by_webhook {
            run.unreachable = None;
        } else {
            follow_address(run, facts, policy.enforce);
        }
        // While the way is closed nothing would come of it either.
        let again = facts.world.channel == Channel::Works
            && self.announced_again_at().is_some_and(|at| at <= self.now)
            && !self.a_message_waits();
        if let (true, GraceWindow::Open(run)) = (again, &mut self.standing.window) {
            run.announce_at_once();
        }
    }

    /// When the window is announced once more: what announced it came to nothing, and no step to
    /// come tells the person, so that without another try nobody ever would. A mail may never have
    /// been queued, because that of another policy was chosen (rule 7.17), and a window may
    /// have begun when notice was given another way; an address or an endpoint that refused, and a
    /// message that was lost or set aside, get another one later.
    pub(super) fn announced_again_at(&self) -> Option<Timestamp> {
        let GraceWindow::Open(run) = &self.standing.window else {
            return None;
        };
        let deadline = run.deadline(self.policy, self.now);
        if self.policy.enforce != Enforce::On
            || self.facts.world.channel == Channel::None
            || self.policy.assignment.excludes_unread()
            || !run.begun
            || run.told.is_some()
            || run.unreachable.is_some()
            || run.is_over(self.policy, self.now)
            || notice::a_later_step_tells(run, self.policy, self.now, deadline)
        {
            return None;
        }
        let mut tries = 0;
        let mut last = None;
        for delivery in &self.facts.deliveries {
            let is_own = delivery.policy == self.policy.name
                && delivery.sequence == self.standing.sequence
                && delivery.moves == run.moves
                && delivery.kind.announces();
            if !is_own || !self.is_by_the_present_way(delivery) {
                continue;
            }
            match delivery.outcome {
                DeliveryOutcome::Open | DeliveryOutcome::Accepted(_) => return None,
                // A changed address does not wait for what became of the one before.
                DeliveryOutcome::Refused(at) | DeliveryOutcome::Dropped(at)
                    if delivery.by == NoticeBy::Webhook
                        || Some(delivery.address.as_str()) == notice::address(self.facts) =>
                {
                    tries += 1;
                    last = last.max(Some(at));
                }
                DeliveryOutcome::Refused(_) | DeliveryOutcome::Dropped(_) => {}
            }
        }
        Some(last.map_or(self.now, |last| later(last, ANNOUNCED_AGAIN_AFTER * tries)))
    }

    /// What was queued for another way to people says nothing about this one.
    fn is_by_the_present_way(&self, delivery: &DeliveryFact) -> bool {
        delivery.by == self.facts.world.notice_by
    }

    /// Whether a message to the person waits, or did until this very pass: nothing is announced
    /// anew beside it, and a pass repeated at once queues nothing.
    fn a_message_waits(&self) -> bool {
        self.facts
            .deliveries
            .iter()
            .filter(|delivery| self.is_by_the_present_way(delivery))
            .any(|delivery| match delivery.outcome {
                DeliveryOutcome::Open => true,
                DeliveryOutcome::Dropped(at) => at >= self.now,
                DeliveryOutcome::Accepted(_) | DeliveryOutcome::Refused(_) => false,
            })
    }

    /// Queues the message that is due, if one is (rule 7.18).
    pub(super) fn tell(&mut self) {
        let GraceWindow::Open(run) = &self.standing.window else {
            return;
        };
        // A sign-in may be dated a little ahead, and what is reported holds in the meantime too.
        self.reported_until = self
            .reported(run.opened_at.min(self.now))
            .filter(|until| *until > self.now);
        if let Some(until) = self.reported_until {
            self.wake.push(Next {
                at: until,
                action: NextAction::WaitEnds,
            });
            return;
        }
        let again = run.retry && self.facts.world.notice_by == NoticeBy::Webhook;
        let due = notice::due(run, self.policy, self.now, self.facts.world.notice_by);
        let is_over = run.is_over(self.policy, self.now);
        let unsaid = is_over && !run.begun;
        let by = match &due.message {
            Some((_, Some(step))) => format!("the step {step} is due as well and says more"),
            Some((kind, None)) => format!("the mail {} names the deadline", kind.as_str()),
            None if is_over => "the deadline has passed".to_owned(),
            None => "a later step tells the person".to_owned(),
        };
        for step in &due.overtaken {
            let text = format!("the step {step} was overtaken: {by}");
            self.because(ReasonCode::StepOvertaken, text, self.now);
        }
        if unsaid {
            let text = "the deadline had passed before it could be announced: no mail names it";
            self.because(ReasonCode::StepOvertaken, text, self.now);
        }
        let GraceWindow::Open(run) = &mut self.standing.window else {
            return;
        };
        run.begun = true;
        run.retry = false;
        let overtaken = due.overtaken.into_iter();
        run.dealt.extend(overtaken.map(|step| (step, self.now)));
        if let Some((kind, step)) = due.message {
            run.dealt.extend(step.map(|step| (step, self.now)));
            if kind == EventKind::WindowReminder || again {
                self.event(kind, step);
            }
            self.message(kind, step);
        }
    }

    /// Until when events in the log hold reminders and the flag (rules T7 and 7.12).
    fn reported(&self, begin: Timestamp) -> Option<Timestamp> {
        let mut events: Vec<Timestamp> = self
            .facts
            .audits
            .iter()
            .filter(|event| event.kind == AuditKind::Registered && event.at <= self.now)
            .map(|event| event.at)
            .collect();
        events.sort_unstable();
        let (mut left, mut until) = (REPORTED_HOLD_IN_ALL, None::<Timestamp>);
        for at in events {
            let from = until.unwrap_or(begin).max(at);
            let held = later(at, REPORTED_HOLD)
                .duration_since(from)
                .clamp(SignedDuration::ZERO, left);
            left -= held;
            until = Some(later(from, held));
        }
        until
    }

    /// A message to the person: queued, or in report-only taken as accepted (rule 7.19).
    pub(super) fn message(&mut self, kind: EventKind, step: Option<Step>) {
        let address = notice::address(self.facts).map(ToOwned::to_owned);
        let now = self.now;
        let policy = self.policy;
        let sequence = self.standing.sequence;
        let Some(run) = self.standing.window.run_mut() else {
            return;
        };
        let deadline = run.deadline(policy, now);
        let by_webhook = self.facts.world.notice_by == NoticeBy::Webhook;
        let by_mail = self.facts.world.channel != Channel::None && !by_webhook;
        if by_mail && address.is_none() {
            if run.told.is_none() && kind.announces() {
                run.unreachable.get_or_insert(Unreachable {
                    since: now,
                    address: None,
                });
            }
            return;
        }
        if policy.enforce == Enforce::ReportOnly {
            if kind.announces() {
                run.told.get_or_insert(Told { at: now, deadline });
                // A notice was taken as accepted: the person was reached.
                run.unreachable = None;
            }
            return;
        }
        if by_webhook && kind.announces() {
            // The event is in the journal already, and so with every endpoint.
            run.messages += 1;
        }
        let Some(address) = address.filter(|_| by_mail) else {
            return;
        };
        run.messages += 1;
        let message = notice::message(run, policy, sequence, kind, step, address, deadline, now);
        self.effects.push(Effect::Message(message));
    }

    /// Whoever was told that the deadline had passed is told that the flag was taken back (rule
    /// 7.18), also where the server took that mail only afterwards. A mail about a new deadline says
    /// it too.
    pub(super) fn tell_of_release(&mut self, scope: &Scope, verdict: Verdict) {
        let Enforcement::Released { at } = self.standing.enforcement else {
            return;
        };
        let PersonFacts { person, groups, .. } = self.facts;
        // Who is not included any more may be excluded or disabled as well.
        let is_exempt = || self.policy.assignment.exclude.matches(&person.id, groups);
        let hears = match scope {
            Scope::Exempt(_) | Scope::Disabled | Scope::Gone { .. } => false,
            Scope::OutOfScope | Scope::NotEligible(_) | Scope::Paused(_) | Scope::In(_) => {
                person.enabled && is_exempt().is_none()
            }
        };
        let is_registered = matches!(verdict, Verdict::Done | Verdict::DoneUnconfirmed { .. });
        let by_mail = self.facts.world.notice_by == NoticeBy::Mail
            && self.facts.world.channel != Channel::None;
        if !hears || is_registered || !by_mail {
            return;
        }
        let before = self.facts.standings.get(&self.policy.name);
        let released_now = before
            .is_some_and(|standing| matches!(standing.enforcement, Enforcement::Needed { .. }));
        let this = &*self;
        let of_kind = |kind: EventKind| {
            this.facts.deliveries.iter().filter(move |delivery| {
                delivery.by == NoticeBy::Mail
                    && delivery.kind == kind
                    && delivery.policy == this.policy.name
                    && delivery.sequence == this.standing.sequence
            })
        };
        let flag_told = of_kind(EventKind::EnforcementNeeded)
            .filter_map(|delivery| match delivery.outcome {
                DeliveryOutcome::Accepted(at) => Some(at),
                _ => None,
            })
            .max();
        let Some(flag_told) = flag_told.filter(|told| released_now || *told > at) else {
            return;
        };
        let is_told =
            of_kind(EventKind::EnforcementReleased).any(|delivery| match delivery.outcome {
                DeliveryOutcome::Open => true,
                DeliveryOutcome::Accepted(at)
                | DeliveryOutcome::Refused(at)
                | DeliveryOutcome::Dropped(at) => at >= flag_told,
            });
        let is_written_to = self
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::Message(_)));
        if !is_told && !is_written_to {
            self.message_of_release();
        }
    }

    fn message_of_release(&mut self) {
        let Some(address) = notice::address(self.facts).map(ToOwned::to_owned) else {
            return;
        };
        let (policy, now, sequence) = (self.policy, self.now, self.standing.sequence);
        // A window that was reset is remembered no more.
        let before = self.facts.standings.get(&policy.name);
        let mut before = before.and_then(|standing| standing.window.run().cloned());
        let Some(run) = self.standing.window.run_mut().or(before.as_mut()) else {
            return;
        };
        run.messages += 1;
        let deadline = run.deadline(policy, now);
        let kind = EventKind::EnforcementReleased;
        let message = notice::message(run, policy, sequence, kind, None, address, deadline, now);
        self.effects.push(Effect::Message(message));
    }

    /// That nobody can reach the person, while a window of a policy that is on asks for something.
    pub(super) fn unreached(&self) -> Option<Unreached> {
        let (GraceWindow::Open(run) | GraceWindow::Elapsed(run)) = &self.standing.window else {
            return None;
        };
        let is_on = self.policy.enforce == Enforce::On;
        let unreachable = run.unreachable.as_ref().filter(|_| is_on)?;
        Some(Unreached {
            since: unreachable.since,
            flagged_from: self.unreached_until(run),
        })
    }

    /// Until when whoever cannot be reached is not flagged.
    pub(super) fn unreached_until(&self, run: &Run) -> Option<Timestamp> {
        let deadline = run.deadline(self.policy, self.now);
        (!self.policy.strict).then(|| later(deadline, UNREACHABLE_AFTER))
    }

    /// Operators hear once of whom nobody can reach.
    pub(super) fn tell_of_unreachable(&mut self) {
        let told = |standing: &Standing| {
            let unreachable = standing
                .window
                .run()
                .is_some_and(|run| run.unreachable.is_some());
            unreachable && standing.enforce == Some(Enforce::On)
        };
        let before = self.facts.standings.get(&self.policy.name);
        if told(&self.standing) && !before.is_some_and(told) {
            let address = notice::address(self.facts);
            // Operators were asked to be a witness, and the mail to them named it, with the day of the
            // flag that this window leads to and no later one.
            let deliveries = self.facts.deliveries.iter();
            let refused = deliveries.filter_map(|delivery| match delivery.outcome {
                DeliveryOutcome::Refused(at) => Some((at, delivery)),
                _ => None,
            });
            let first = refused
                .filter(|(_, delivery)| Some(delivery.address.as_str()) == address)
                .min_by_key(|(at, _)| *at);
            let is_known = first.is_some_and(|(_, delivery)| {
                delivery.told
                    && delivery.policy == self.policy.name
                    && delivery.sequence == self.standing.sequence
            });
            if is_known {
                return;
            }
            let run = self.standing.window.run();
            let flagged = run.and_then(|run| self.unreached_until(run));
            self.effects.push(Effect::TellOperators {
                topic: Topic::Unreachable,
                line: news::unreachable(
                    self.facts.person,
                    address.is_some(),
                    flagged,
                    &self.facts.world.manner,
                ),
            });
        }
    }

    /// Operators hear once of whom the report leaves out: the flag would wait for ever.
    pub(super) fn tell_of_unreported(&mut self, scope: &Scope, verdict: Verdict) {
        let is_left_out = matches!(
            verdict,
            Verdict::Unknown { report: Some(_) }
                | Verdict::Lost(LostRegistration { absent: true, .. })
        );
        let last_seen = self.facts.registration;
        let last_seen = last_seen.and_then(|known| known.absent_since);
        let is_on = self.policy.enforce == Enforce::On && matches!(scope, Scope::In(_));
        let GraceWindow::Open(run) = &mut self.standing.window else {
            return;
        };
        // Reports leave out who is disabled: what counts is since the clock runs (rule 7.6).
        let begun = run
            .opened_at
            .max(run.running_since.unwrap_or(run.opened_at));
        let since = last_seen.map_or(begun, |seen| seen.max(begun));
        let is_told = run
            .unreported
            .is_some_and(|told| last_seen.is_none_or(|seen| seen <= told));
        if !is_left_out || !is_on || is_told {
            return;
        }
        let due = later(since, UNREPORTED_AFTER);
        if self.facts.world.report() < Some(due) {
            // An outage of the reports leaves nobody out.
            self.wake.push(Next {
                at: due.max(later(self.now, LOOKED_FOR_EVERY)),
                action: NextAction::WaitEnds,
            });
            return;
        }
        run.unreported = Some(since);
        self.effects.push(Effect::TellOperators {
            topic: Topic::Unreported,
            line: news::unreported(
                self.facts.person,
                &self.policy.name,
                since,
                &self.facts.world.manner,
            ),
        });
    }

    /// An event says registered within the last day, and no window is open that could wait for it.
    pub(super) fn reported_without_window(&self) -> bool {
        matches!(
            self.standing.window,
            GraceWindow::NotOpened { .. } | GraceWindow::Closed { .. }
        ) && self.facts.audits.iter().any(|event| {
            event.kind == AuditKind::Registered
                && event.at <= self.now
                && later(event.at, REPORTED_HOLD) > self.now
        })
    }
}

/// An address that changed is told at once; one that was found at fault starts the clock of rule R8, which stops where it
/// is at fault no more.
fn follow_address(run: &mut Run, facts: &PersonFacts<'_>, enforce: Enforce) {
    let address = notice::address(facts);
    let found_an_address = address.is_some()
        && run
            .unreachable
            .as_ref()
            .is_some_and(|unreachable| unreachable.address.as_deref() != address);
    if found_an_address {
        run.unreachable = None;
        run.announce_at_once();
    }
    let is_at_fault = |address: &str| {
        let mut deliveries = facts.deliveries.iter();
        deliveries.any(|delivery| {
            delivery.address == address && matches!(delivery.outcome, DeliveryOutcome::Refused(_))
        })
    };
    run.unreachable.take_if(|unreachable| {
        unreachable
            .address
            .as_deref()
            .is_some_and(|address| !is_at_fault(address))
    });
    if run.unreachable.is_none() && enforce == Enforce::On {
        run.unreachable = notice::refused(run.untold_since, address, &facts.deliveries);
    }
}
