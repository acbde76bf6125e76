//! The window: the days in which a person may still put registering off.
//!
//! Transitions consume the window and give the next one, or say why that cannot be. The trap is
//! the deadline: until a message was accepted it is *computed*, never in the past, and never
//! written down; once told it is kept (rule 7.2).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::message::EventKind;
use super::policy::{Policy, Step};

/// At most this much left makes an open window `due_soon` (rule 4.2).
pub const DUE_SOON: SignedDuration = SignedDuration::from_hours(3 * 24);

/// A person who cannot be reached is flagged this long after the deadline (rule R8).
pub const UNREACHABLE_AFTER: SignedDuration = SignedDuration::from_hours(7 * 24);

/// `at + by`, held at the ends of time.
#[must_use]
pub fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.saturating_add(by).unwrap_or(if by.is_negative() {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// Where a person stands in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GraceWindow {
    /// No qualifying sign-in has been seen since the person came into scope.
    NotOpened {
        /// After a loss the person caused: what the next window has, instead of a full one (rule T17).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remainder: Option<SignedDuration>,
    },
    /// The clock runs.
    Open(Run),
    /// The clock is stopped: excluded, disabled, gone or policy off. Nothing is forgotten.
    Paused {
        /// The window that is stopped.
        run: Run,
        /// What was left when it stopped.
        remaining: SignedDuration,
    },
    /// The deadline has passed, everything was proven, and a flag stands.
    Elapsed(Run),
    /// Over: the person registered.
    Closed {
        /// The window that is over.
        run: Run,
        /// Its deadline, unless it was paused when it closed.
        deadline: Option<Timestamp>,
        /// The pass that closed it.
        at: Timestamp,
        /// What it had left then: a later window after a self-made loss has no more (rule T17).
        remaining: SignedDuration,
    },
}

impl Default for GraceWindow {
    fn default() -> Self {
        Self::NotOpened { remainder: None }
    }
}

/// One window from its opening on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The time of the qualifying sign-in, not of the pass that saw it.
    pub opened_at: Timestamp,
    /// The sign-in that opened it; none for a window opened from a hint (case 23).
    pub cause: Option<String>,
    /// What it had when it opened.
    pub span: SignedDuration,
    /// The longest length in force since it opened (rule 7.2).
    pub length: SignedDuration,
    /// The deadline before any floor.
    pub base: Timestamp,
    /// The notice that fixed the deadline.
    pub told: Option<Told>,
    /// Acceptances before this moment are no notice of this window.
    pub untold_since: Timestamp,
    /// How often a deadline was moved; part of every message's key (rule R5).
    pub moves: u32,
    /// What announces the deadline now: opened, extended or resumed.
    pub notice: EventKind,
    /// The first pass after the last move has chosen how to announce it.
    pub begun: bool,
    /// The announcement goes out at once, whatever the steps (rule 7.2).
    #[serde(default)]
    pub retry: bool,
    /// How many messages the window has queued; part of their key.
    pub messages: u32,
    /// Steps queued or overtaken since the last move, and when.
    pub dealt: BTreeMap<Step, Timestamp>,
    /// Nobody can be reached at the address since then.
    pub unreachable: Option<Unreachable>,
    /// Completed sign-ins while it was open: each put registering off once (rule T4).
    pub bypasses: u32,
    /// Those of them from before the last pause.
    #[serde(default)]
    pub carried: u32,
    /// The end of the last pause: what happened while the clock stood still is no bypass.
    #[serde(default)]
    pub running_since: Option<Timestamp>,
    /// The result codes of sign-ins that could not register of which was told, and when; none for
    /// a window of an earlier version that was not looked at since.
    #[serde(default)]
    pub blocked: Option<BTreeMap<i64, Timestamp>>,
    /// Operators were told that the registration report has left the person out since then.
    #[serde(default)]
    pub unreported: Option<Timestamp>,
}

/// An accepted message that named the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// When it was accepted.
    pub at: Timestamp,
    /// The deadline it fixed, moved since by operators only.
    pub deadline: Timestamp,
}

/// That a person cannot be reached, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreachable {
    /// The first refusal, or the pass in which a message fell due with no address.
    pub since: Timestamp,
    /// The address that was refused; none if there was none.
    pub address: Option<String>,
}

/// A deadline before one asks when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// It stands.
    Fixed(Timestamp),
    /// Nobody was told of it: it is never nearer than the notice that a person must get.
    Untold {
        /// It is never earlier than this.
        base: Timestamp,
        /// The minimum notice, from whatever is the present.
        notice: SignedDuration,
    },
}

impl Deadline {
    /// The deadline as of `now` (rule 7.2).
    #[must_use]
    pub fn at(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Fixed(at) => at,
            Self::Untold { base, notice } => base.max(later(now, notice)),
        }
    }
}

/// A transition that the window's state does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} a window that is {state}")]
pub struct InvalidTransition {
    /// What was asked.
    pub verb: &'static str,
    /// What the window is.
    pub state: &'static str,
}

impl Run {
    /// A window opened by a qualifying sign-in (rule T2).
    ///
    /// `span` is what it has: the policy's whole `length`, or what an earlier window left (rule T17).
    #[must_use]
    pub fn open(
        opened_at: Timestamp,
        cause: Option<String>,
        span: SignedDuration,
        length: SignedDuration,
        now: Timestamp,
    ) -> Self {
        Self {
            opened_at,
            cause,
            span,
            length,
            base: later(opened_at, span),
            told: None,
            untold_since: now,
            moves: 0,
            notice: EventKind::WindowOpened,
            begun: false,
            retry: false,
            messages: 0,
            dealt: BTreeMap::new(),
            unreachable: None,
            bypasses: 0,
            carried: 0,
            running_since: None,
            blocked: Some(BTreeMap::new()),
            unreported: None,
        }
    }

    /// The deadline as of `now`.
    #[must_use]
    pub fn deadline(&self, policy: &Policy, now: Timestamp) -> Timestamp {
        self.due(policy).at(now)
    }

    /// The deadline (rule 7.2): told and kept, or the later of the bare one and the minimum
    /// notice from the present, which for whom nobody can reach is the first refusal. Under
    /// `strict` the bare one, told or not.
    #[must_use]
    pub fn due(&self, policy: &Policy) -> Deadline {
        let (base, notice) = (self.base, policy.min_notice);
        match (&self.told, &self.unreachable) {
            _ if policy.strict => Deadline::Fixed(base),
            (Some(told), _) => Deadline::Fixed(told.deadline),
            (None, Some(unreachable)) => {
                Deadline::Fixed(base.max(later(unreachable.since, notice)))
            }
            (None, None) => Deadline::Untold { base, notice },
        }
    }

    /// Whether the deadline stays where it is as time goes by.
    #[must_use]
    pub fn is_fixed(&self, policy: &Policy) -> bool {
        matches!(self.due(policy), Deadline::Fixed(_))
    }

    /// Whether the deadline has passed: one that moves on with the present never has.
    #[must_use]
    pub fn is_over(&self, policy: &Policy, now: Timestamp) -> bool {
        self.is_fixed(policy) && self.deadline(policy, now) <= now
    }

    /// An earlier qualifying sign-in arrived late (rule T3): the opening moves back, the deadline only
    /// while nothing was announced and nobody moved it.
    #[must_use]
    pub fn opened_earlier(mut self, at: Timestamp, cause: &str) -> Self {
        self.opened_at = at;
        self.cause = Some(cause.to_owned());
        if self.told.is_none() && self.moves == 0 {
            self.base = later(at, self.span);
        }
        self
    }

    /// The deadline is now `deadline`, and a message of `kind` says so; its steps start anew.
    #[must_use]
    fn moved(mut self, deadline: Timestamp, kind: EventKind) -> Self {
        self.base = deadline;
        if let Some(told) = &mut self.told {
            told.deadline = deadline;
        }
        self.moves += 1;
        self.notice = kind;
        self.begun = false;
        self.dealt.clear();
        self
    }

    /// What a clock that was ahead dated is of now, and steps that it dealt with are still to come
    /// (rule 7.16).
    fn dated_by(&mut self, now: Timestamp) {
        self.untold_since = self.untold_since.min(now);
        self.running_since = self.running_since.map(|at| at.min(now));
        if let Some(unreachable) = &mut self.unreachable {
            unreachable.since = unreachable.since.min(now);
        }
        self.dealt.retain(|_, at| *at <= now);
    }

    /// The announcement is made again in this pass, whatever the steps: the one before came to
    /// nothing, or the address has changed (rule 7.2).
    pub fn announce_at_once(&mut self) {
        self.begun = false;
        self.retry = true;
    }

    /// No message of this window is a notice any more: the next one announces it.
    #[must_use]
    fn untold(mut self, now: Timestamp) -> Self {
        self.told = None;
        self.untold_since = now;
        self.unreachable = None;
        self
    }

    /// The switch came from report-only to on: as if the window opened in this pass (rule 7.19).
    #[must_use]
    pub fn announced_anew(self, now: Timestamp) -> Self {
        let base = self.base;
        self.untold(now).moved(base, EventKind::WindowOpened)
    }

    /// The configured length grew beyond the longest in force (rule T19): the deadline moves out by
    /// the excess. A window nobody was told of just gets it.
    #[must_use]
    pub fn lengthened(mut self, length: SignedDuration) -> Self {
        let excess = length - self.length;
        self.length = length;
        if let Some(told) = self.told {
            let deadline = later(told.deadline, excess);
            return self.moved(deadline, EventKind::WindowExtended);
        }
        self.span += excess;
        self.base = later(self.base, excess);
        self
    }
}

impl GraceWindow {
    /// The word for the state in messages.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match self {
            Self::NotOpened { .. } => "not opened",
            Self::Open(_) => "open",
            Self::Paused { .. } => "paused",
            Self::Elapsed(_) => "elapsed",
            Self::Closed { .. } => "closed",
        }
    }

    fn refuse(&self, verb: &'static str) -> InvalidTransition {
        InvalidTransition {
            verb,
            state: self.state(),
        }
    }

    /// The window itself, if one has opened.
    #[must_use]
    pub fn run(&self) -> Option<&Run> {
        match self {
            Self::NotOpened { .. } => None,
            Self::Open(run)
            | Self::Paused { run, .. }
            | Self::Elapsed(run)
            | Self::Closed { run, .. } => Some(run),
        }
    }

    /// The window itself, to write to.
    pub fn run_mut(&mut self) -> Option<&mut Run> {
        match self {
            Self::NotOpened { .. } => None,
            Self::Open(run)
            | Self::Paused { run, .. }
            | Self::Elapsed(run)
            | Self::Closed { run, .. } => Some(run),
        }
    }

    /// The deadline, of a window that runs or is over and was not paused then.
    #[must_use]
    pub fn due(&self, policy: &Policy) -> Option<Deadline> {
        match self {
            Self::NotOpened { .. } | Self::Paused { .. } => None,
            Self::Open(run) | Self::Elapsed(run) => Some(run.due(policy)),
            Self::Closed { deadline, .. } => deadline.map(Deadline::Fixed),
        }
    }

    /// What was left when the clock stopped.
    #[must_use]
    pub fn left(&self) -> Option<SignedDuration> {
        match self {
            Self::NotOpened { .. } | Self::Open(_) | Self::Elapsed(_) => None,
            Self::Paused { remaining, .. } | Self::Closed { remaining, .. } => Some(*remaining),
        }
    }

    /// Nothing that it remembers lies in the future: what does was dated by a clock that was ahead.
    pub fn dated_by(&mut self, now: Timestamp) {
        if let Some(run) = self.run_mut() {
            run.dated_by(now);
        }
    }

    /// Stops the clock and keeps what is left of it (rules T11, T13 and T15).
    pub fn pause(self, policy: &Policy, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open(run) | Self::Elapsed(run) => Ok(Self::Paused {
                remaining: run
                    .deadline(policy, now)
                    .duration_since(now)
                    .max(SignedDuration::ZERO),
                run,
            }),
            other => Err(other.refuse("pause")),
        }
    }

    /// Starts the clock again with what was left, and never less than the minimum notice (rules T12 and 7.3).
    pub fn resume(self, policy: &Policy, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Paused { mut run, remaining } => {
                let deadline = later(now, remaining.max(policy.notice_floor()));
                run.carried = run.bypasses;
                run.running_since = Some(now);
                Ok(Self::Open(
                    run.untold(now).moved(deadline, EventKind::WindowResumed),
                ))
            }
            other => Err(other.refuse("resume")),
        }
    }

    /// Moves the deadline `by` further out than the later of it and `at` (rule T18).
    pub fn extend(
        self,
        policy: &Policy,
        by: SignedDuration,
        at: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open(run) | Self::Elapsed(run) => {
                let deadline = later(run.deadline(policy, at).max(at), by);
                Ok(Self::Open(run.moved(deadline, EventKind::WindowExtended)))
            }
            Self::Paused { run, remaining } => Ok(Self::Paused {
                run,
                remaining: remaining + by,
            }),
            other => Err(other.refuse("extend")),
        }
    }

    /// Moves the deadline out to `until`, and never in (rule T18). One that is paused has no deadline
    /// to be moved.
    pub fn extend_until(
        self,
        policy: &Policy,
        until: Timestamp,
        at: Timestamp,
    ) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open(run) | Self::Elapsed(run) if until > run.deadline(policy, at).max(at) => {
                Ok(Self::Open(run.moved(until, EventKind::WindowExtended)))
            }
            other => Err(other.refuse("extend")),
        }
    }

    /// The deadline has passed and everything is proven (rule T9).
    pub fn elapse(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open(run) => Ok(Self::Elapsed(run)),
            other => Err(other.refuse("elapse")),
        }
    }

    /// The flag is taken back, the deadline stays where it is.
    pub fn unflag(self) -> Result<Self, InvalidTransition> {
        match self {
            Self::Elapsed(run) => Ok(Self::Open(run)),
            other => Err(other.refuse("take the flag from")),
        }
    }

    /// The person registered (rule T6).
    pub fn close(self, policy: &Policy, now: Timestamp) -> Result<Self, InvalidTransition> {
        match self {
            Self::Open(run) | Self::Elapsed(run) => {
                let deadline = run.deadline(policy, now);
                Ok(Self::Closed {
                    deadline: Some(deadline),
                    at: now,
                    remaining: deadline.duration_since(now).max(SignedDuration::ZERO),
                    run,
                })
            }
            Self::Paused { run, remaining } => Ok(Self::Closed {
                run,
                deadline: None,
                at: now,
                remaining,
            }),
            other => Err(other.refuse("close")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::story::{day, days, policy, run};

    fn told(mut run: Run, at: i64, deadline: i64) -> Run {
        run.told = Some(Told {
            at: day(at),
            deadline: day(deadline),
        });
        run
    }

    fn unreachable(mut run: Run, since: i64) -> Run {
        run.unreachable = Some(Unreachable {
            since: day(since),
            address: None,
        });
        run
    }

    #[test]
    fn the_deadline_is_told_and_kept_or_never_past() {
        let policy = policy("everyone");
        let mut strict = policy.clone();
        strict.strict = true;
        let bare = || run(&policy);
        for (what, run, policy, now, deadline) in [
            ("untold, far away", bare(), &policy, 5, 14),
            ("untold, at the floor", bare(), &policy, 11, 14),
            ("untold, past the floor", bare(), &policy, 12, 15),
            ("told", told(bare(), 1, 14), &policy, 20, 14),
            ("told late", told(bare(), 20, 23), &policy, 22, 23),
            ("unreachable early", unreachable(bare(), 2), &policy, 20, 14),
            ("unreachable late", unreachable(bare(), 13), &policy, 20, 16),
            ("strict, untold", bare(), &strict, 20, 14),
            ("strict, told late", told(bare(), 20, 23), &strict, 22, 14),
        ] {
            assert_eq!(run.deadline(policy, day(now)), day(deadline), "{what}");
        }
    }

    #[test]
    fn earlier_evidence_moves_the_deadline_only_while_nothing_was_said_or_moved() {
        let policy = policy("everyone");
        let late = Run::open(day(2), None, days(14), days(14), day(2));
        for (what, run, base) in [
            ("untold", late.clone(), day(14)),
            ("told", told(late.clone(), 2, 16), day(16)),
            ("moved", late.clone().announced_anew(day(3)), day(16)),
        ] {
            let earlier = run.opened_earlier(day(0), "s9");
            assert_eq!(earlier.opened_at, day(0), "{what}");
            assert_eq!(earlier.cause.as_deref(), Some("s9"), "{what}");
            assert_eq!(earlier.base, base, "{what}");
        }
        let resumed = GraceWindow::Open(late).pause(&policy, day(3)).unwrap();
        let resumed = resumed.resume(&policy, day(5)).unwrap();
        let run = resumed.run().unwrap().clone();
        assert_eq!(run.opened_earlier(day(0), "s9").base, day(18));
    }

    #[test]
    fn a_remainder_grows_by_the_excess_over_the_longest_length() {
        let short = Run::open(day(0), None, days(4), days(14), day(0));
        let untold = short.clone().lengthened(days(20));
        assert_eq!((untold.base, untold.moves), (day(10), 0));
        let told = told(short, 0, 4).lengthened(days(20));
        assert_eq!((told.base, told.moves), (day(10), 1));
        assert_eq!(told.told.unwrap().deadline, day(10));
        assert_eq!(told.notice, EventKind::WindowExtended);
    }

    fn windows() -> Vec<GraceWindow> {
        let policy = policy("everyone");
        let open = || GraceWindow::Open(run(&policy));
        vec![
            GraceWindow::default(),
            open(),
            open().pause(&policy, day(4)).unwrap(),
            open().elapse().unwrap(),
            open().close(&policy, day(4)).unwrap(),
        ]
    }

    type Transition<'a> = Box<dyn Fn(GraceWindow) -> Result<GraceWindow, InvalidTransition> + 'a>;

    #[test]
    fn transitions_lead_where_they_may_and_name_verb_and_state_where_not() {
        let policy = policy("everyone");
        let now = day(5);
        let table: [(&str, Transition<'_>, [Option<&str>; 5]); 7] = [
            (
                "pause",
                Box::new(|window| window.pause(&policy, now)),
                [None, Some("paused"), None, Some("paused"), None],
            ),
            (
                "resume",
                Box::new(|window| window.resume(&policy, now)),
                [None, None, Some("open"), None, None],
            ),
            (
                "extend",
                Box::new(|window| window.extend(&policy, days(2), now)),
                [None, Some("open"), Some("paused"), Some("open"), None],
            ),
            (
                "extend",
                Box::new(|window| window.extend_until(&policy, day(20), now)),
                [None, Some("open"), None, Some("open"), None],
            ),
            (
                "elapse",
                Box::new(GraceWindow::elapse),
                [None, Some("elapsed"), None, None, None],
            ),
            (
                "take the flag from",
                Box::new(GraceWindow::unflag),
                [None, None, None, Some("open"), None],
            ),
            (
                "close",
                Box::new(|window| window.close(&policy, now)),
                [None, Some("closed"), Some("closed"), Some("closed"), None],
            ),
        ];
        for (verb, transition, leads_to) in table {
            for (window, expected) in windows().into_iter().zip(leads_to) {
                let state = window.state();
                match transition(window) {
                    Ok(window) => assert_eq!(Some(window.state()), expected, "{verb} {state}"),
                    Err(error) => {
                        assert_eq!(expected, None, "{verb} {state}");
                        let text = format!("cannot {verb} a window that is {state}");
                        assert_eq!(error.to_string(), text);
                    }
                }
            }
        }
    }

    #[test]
    fn only_a_window_that_opened_has_a_run() {
        for mut window in windows() {
            let opened = window != GraceWindow::default();
            assert_eq!(window.run().is_some(), opened);
            assert_eq!(window.run_mut().is_some(), opened);
        }
    }

    #[test]
    fn time_has_ends() {
        assert_eq!(later(Timestamp::MAX, days(1)), Timestamp::MAX);
        assert_eq!(later(Timestamp::MIN, days(-1)), Timestamp::MIN);
    }
}
