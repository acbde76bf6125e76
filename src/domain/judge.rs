//! The deadline has passed: may the person be flagged, and if not, what is waited for?

use jiff::{SignedDuration, Timestamp};

use super::decide::Case;
use super::decision::Wait;
use super::facts::Channel;
use super::person::Presence;
use super::policy::Enforce;
use super::registration::{LostRegistration, Verdict};
use super::sign_in::SignInClass;
use super::window::{GraceWindow, Run, later};

/// A blocked registration this recent delays a flag (rule R11) …
const BLOCKED_RECENTLY: SignedDuration = SignedDuration::from_hours(72);
/// … but no longer than this after the deadline (rule 7.14).
const BLOCKED_AT_MOST: SignedDuration = SignedDuration::from_hours(7 * 24);
/// Whoever left an exclusion is not flagged before two snapshots this far apart agree (rule 7.5).
const LEFT_EXCLUSION_CONFIRMED: SignedDuration = SignedDuration::from_hours(24);

impl Case<'_> {
    /// The deadline has passed: is everything proven (rules T8, T9, R7, R8 and R11)?
    pub(super) fn judge(&mut self, verdict: Verdict) {
        let GraceWindow::Open(run) = &self.standing.window else {
            return;
        };
        let run = run.clone();
        let deadline = run.deadline(self.policy, self.now);
        if self.now < deadline {
            return;
        }
        match verdict {
            Verdict::Missing | Verdict::Lost(LostRegistration { absent: false, .. }) => {}
            _ => self.waits.push(Wait::RegistrationUnknown),
        }
        self.waits.extend(self.reported_until.map(Wait::Reported));
        let proof = self.facts.world.proof();
        if proof.is_none_or(|as_of| as_of < deadline) {
            self.waits.push(Wait::Proof(deadline));
        }
        self.waits.extend(self.notice_wait(&run));
        let blocked = self
            .last_blocked()
            .map(|at| later(at, BLOCKED_RECENTLY).min(later(deadline, BLOCKED_AT_MOST)))
            .filter(|until| *until > self.now);
        self.waits.extend(blocked.map(Wait::Blocked));
        if self.channel_is_down() {
            self.waits.push(Wait::ChannelDown);
        }
        if self.facts.person.presence == Presence::Unsure {
            self.waits.push(Wait::RowUnbelieved);
        }
        self.waits.extend(self.left_exclusion_wait());
        self.would_flag = self.waits.is_empty() && !self.policy.assignment.excludes_unread();
    }

    /// Rules R7 and R8: nobody is flagged without notice, unless nobody can be reached for seven days.
    pub(super) fn notice_wait(&self, run: &Run) -> Option<Wait> {
        if self.policy.strict {
            return None;
        }
        if let Some(told) = run.told {
            let until = later(told.at, self.policy.min_notice);
            return (until > self.now).then_some(Wait::Notice(Some(until)));
        }
        if run.unreachable.is_none() {
            return Some(Wait::Notice(None));
        }
        let until = self.unreached_until(run)?;
        (until > self.now).then_some(Wait::Unreachable(until))
    }

    /// Whoever left an exclusion: two readings of users and groups, by their own times, and the
    /// minimum notice, told or not (rule 7.5). Where the policy is not strict rule R7 says that better.
    fn left_exclusion_wait(&self) -> Option<Wait> {
        let left = self.standing.left_exclusion?;
        let confirmed = later(left, LEFT_EXCLUSION_CONFIRMED);
        let (world, policy) = (self.facts.world, self.policy);
        let is_old = |reading: Option<Timestamp>| reading.is_none_or(|at| at < confirmed);
        if is_old(world.users) || policy.assignment.names_groups() && is_old(world.groups) {
            return Some(Wait::LeftExclusion(confirmed));
        }
        let noticed = later(self.since_memory(), policy.min_notice);
        (policy.strict && noticed > self.now).then_some(Wait::Notice(Some(noticed)))
    }

    /// An outage of the channel holds every flag that is not strict (rule 7.11); a rehearsal
    /// sends nothing and so misses nothing.
    fn channel_is_down(&self) -> bool {
        self.facts.world.channel == Channel::Down
            && self.policy.enforce == Enforce::On
            && !self.policy.strict
    }

    /// The last qualifying sign-in that shows that the person could not register.
    pub(super) fn last_blocked(&self) -> Option<Timestamp> {
        self.facts
            .sign_ins
            .iter()
            .filter(|sign_in| {
                let codes = &self.facts.world.codes;
                sign_in.qualifies(codes, self.policy.start_on, self.since, self.now)
                    == Some(SignInClass::RegistrationBlocked)
            })
            .map(|sign_in| sign_in.at)
            .max()
    }
}
