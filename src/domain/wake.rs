//! When to look again: everything that can change by time alone.

use jiff::SignedDuration;

use super::audit::AuditKind;
use super::decide::Case;
use super::decision::{Next, NextAction};
use super::notice;
use super::policy::Step;
use super::registration::{LOSS_CONFIRMED_AFTER, Verdict};
use super::scope::Scope;
use super::telling::REPORTED_HOLD;
use super::window::{DUE_SOON, GraceWindow, later};

/// An announcement that is to be made again is looked at this soon.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(1);

impl Case<'_> {
    /// When the window wants to be looked at again.
    pub(super) fn wake_for_window(&mut self, scope: &Scope) {
        let (GraceWindow::Open(run), Scope::In(_)) = (&self.standing.window, scope) else {
            return;
        };
        let now = self.now;
        let deadline = run.deadline(self.policy, now);
        if deadline <= now {
            self.wake.push(Next {
                at: deadline,
                action: NextAction::CheckFlag,
            });
            return;
        }
        self.wake.push(Next {
            at: deadline,
            action: NextAction::Deadline,
        });
        let again = self.announced_again_at();
        self.wake.extend(again.map(|at| Next {
            at: at.max(later(now, LOOK_AGAIN)),
            action: NextAction::WaitEnds,
        }));
        if run.told.is_none() && run.unreachable.is_none() {
            // The deadline moves on with the present, until steps longer than the window fit in.
            let length = deadline.duration_since(run.opened_at);
            let fits = self.policy.reminders.iter().filter_map(|step| match step {
                Step::BeforeDeadline(before) if *before > length => Some((
                    later(run.opened_at, *before - self.policy.notice_floor()),
                    *step,
                )),
                Step::BeforeDeadline(_) | Step::AfterOpening(_) => None,
            });
            self.wake.extend(fits.min().map(|(at, step)| Next {
                at,
                action: NextAction::Reminder(step),
            }));
        }
        if self.reported_until.is_none() && !self.policy.assignment.excludes_unread() {
            // What is past was dealt with when this pass chose what to tell.
            let step = notice::steps(run, self.policy, deadline)
                .filter(|(_, step)| !run.dealt.contains_key(step))
                .min();
            self.wake.extend(step.map(|(at, step)| Next {
                at,
                action: NextAction::Reminder(step),
            }));
        }
        let due_soon = later(deadline, -DUE_SOON);
        if due_soon > now {
            self.wake.push(Next {
                at: due_soon,
                action: NextAction::DueSoon,
            });
        }
    }

    /// When what is believed of the registration can change without a new fact about the person.
    pub(super) fn wake_for_registration(&mut self, scope: &Scope, verdict: Verdict) {
        if let (Verdict::DoneUnconfirmed { missing_since, .. }, false) =
            (verdict, matches!(scope, Scope::Gone { .. }))
        {
            // The next report may confirm the loss by its date alone, its row being the same.
            self.wake.push(Next {
                at: later(missing_since, LOSS_CONFIRMED_AFTER),
                action: NextAction::WaitEnds,
            });
        }
        let no_window = matches!(
            self.standing.window,
            GraceWindow::NotOpened { .. } | GraceWindow::Closed { .. }
        );
        let facts = self.facts;
        let reported = facts
            .audits
            .iter()
            .filter(|event| event.kind == AuditKind::Registered)
            .flat_map(|event| {
                let end = no_window.then(|| later(event.at, REPORTED_HOLD));
                [Some(event.at), end]
            })
            .flatten()
            .filter(|at| *at > self.now)
            .min();
        self.wake.extend(reported.map(|at| Next {
            at,
            action: NextAction::WaitEnds,
        }));
    }
}
