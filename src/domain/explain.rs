//! Why, in words: the reasons of a decision, each with its evidence and its time.

use jiff::Timestamp;

use super::assignment::{MatchedBy, NameList};
use super::decide::Case;
use super::decision::Wait;
use super::language::Language;
use super::notice;
use super::person::AccountKind;
use super::policy::Enforce;
use super::reason::{ReasonCode, days};
use super::registration::{Detail, Level, LossCause, Verdict};
use super::scope::{PausedBy, Scope};
use super::sign_in::Blocked;
use super::standing::Enforcement;
use super::window::{GraceWindow, Run};

impl Case<'_> {
    pub(super) fn explain_scope(&mut self, scope: &Scope) {
        let (code, text, at) = match scope {
            Scope::Gone { at } => (
                ReasonCode::Gone,
                "the account is not in the last accepted users snapshot".to_owned(),
                Some(*at),
            ),
            Scope::OutOfScope => (
                ReasonCode::NotIncluded,
                "the policy does not include the person".to_owned(),
                None,
            ),
            Scope::NotEligible(kind) => (
                ReasonCode::NotEligible,
                format!("the account is {}", account(*kind)),
                None,
            ),
            Scope::Exempt(by) => (
                ReasonCode::Excluded,
                format!("excluded {}; exclusion beats inclusion", self.by_words(by)),
                None,
            ),
            Scope::Disabled => (
                ReasonCode::Disabled,
                "the account is disabled".to_owned(),
                None,
            ),
            Scope::Paused(PausedBy::Policy) => {
                (ReasonCode::PolicyOff, "the policy is off".to_owned(), None)
            }
            Scope::Paused(PausedBy::Operator) => (
                ReasonCode::ClosedByOperator,
                "an operator closed the window; `window reopen` ends that".to_owned(),
                None,
            ),
            Scope::In(by) => (
                ReasonCode::Included,
                format!("included {}", self.by_words(by)),
                None,
            ),
        };
        self.because(code, text, at);
        let mut unread = self.policy.assignment.unread.iter();
        let group = unread.find(|name| name.list == NameList::ExcludeGroups);
        if let (Scope::In(_), Some(group)) = (scope, group) {
            let text = format!(
                "the members of {:?}, whom the policy excludes, were never read; until they are, nobody is asked, told or flagged",
                group.name
            );
            self.because(ReasonCode::ExclusionUnread, text, None);
        }
    }

    fn by_words(&self, by: &MatchedBy) -> String {
        match by {
            MatchedBy::AllUsers => "as one of all users".to_owned(),
            MatchedBy::Name => "by name".to_owned(),
            MatchedBy::Group(id) => match self.policy.assignment.group_names.get(id) {
                Some(name) => format!("as a member of group {name:?}"),
                None => format!("as a member of group {id}"),
            },
        }
    }

    pub(super) fn explain_registration(&mut self, verdict: Verdict) {
        let report = self.facts.world.report();
        match verdict {
            Verdict::Done => self.because(ReasonCode::Registered, "the registration report says registered", report),
            Verdict::DoneUnconfirmed { missing_since, .. } => self.because(
                ReasonCode::ReversalUnconfirmed,
                "a report says no longer registered; a second one at least 24 hours later or an audit event must confirm it",
                missing_since,
            ),
            Verdict::Missing => self.explain_missing(report),
            Verdict::Lost(lost) => {
                let by = match lost.cause {
                    LossCause::Admin => "an administrator deleted the methods",
                    LossCause::Person => "the person deleted the methods",
                    LossCause::Unexplained => "two reports at least 24 hours apart agree",
                };
                self.because(ReasonCode::RegistrationLost, format!("no longer registered: {by}"), lost.missing_since);
            }
            Verdict::Unknown { report: None } => self.because(ReasonCode::RegistrationUnknown, "no registration report has been read yet", None),
            Verdict::Unknown { report } => self.because(ReasonCode::RegistrationUnknown, "the registration report does not contain the person", report),
        }
    }

    pub(super) fn explain_missing(&mut self, report: Option<Timestamp>) {
        self.because(
            ReasonCode::NotRegistered,
            "the registration report says not registered",
            report,
        );
        let Some(known) = self.facts.registration else {
            return;
        };
        let passwordless = known.level == Level::Passwordless;
        match known.detail {
            _ if passwordless => self.because(
                ReasonCode::PasswordlessOnly,
                "only passwordless methods, which the policy does not accept",
                report,
            ),
            Detail::None => {}
            Detail::MethodNotAllowed => self.because(
                ReasonCode::MethodNotAllowed,
                "registered, but the method is no longer allowed",
                report,
            ),
            Detail::SsprOnly => self.because(
                ReasonCode::SsprOnly,
                "only methods for password reset",
                report,
            ),
            Detail::TemporaryAccessPassOnly => self.because(
                ReasonCode::TemporaryAccessPassOnly,
                "only a Temporary Access Pass",
                report,
            ),
        }
    }

    pub(super) fn explain_window(&mut self, scope: &Scope, verdict: Verdict) {
        let facts = self.facts;
        match self.standing.window.clone() {
            GraceWindow::NotOpened { .. } => {
                if matches!(scope, Scope::In(_))
                    && !matches!(verdict, Verdict::Done | Verdict::DoneUnconfirmed { .. })
                {
                    self.explain_waiting();
                }
            }
            GraceWindow::Open(run) | GraceWindow::Elapsed(run) => {
                self.explain_deadline(&run);
                self.explain_waits();
            }
            GraceWindow::Paused { remaining, .. } => {
                self.because(
                    ReasonCode::Deadline,
                    format!("the clock is stopped with {} left", days(remaining)),
                    None,
                );
            }
            GraceWindow::Closed { at, .. } => {
                self.because(ReasonCode::Deadline, "the window is closed", at);
            }
        }
        if let Enforcement::Needed { at } | Enforcement::WouldNeed { at } =
            self.standing.enforcement
        {
            self.because(
                ReasonCode::DeadlinePassed,
                "the deadline passed and everything was proven",
                at,
            );
            let run = self.standing.window.run();
            if run.is_some_and(|run| run.unreachable.is_some()) && !self.policy.strict {
                self.because(
                    ReasonCode::Unreachable,
                    "nobody could be reached for seven days after the deadline",
                    at,
                );
            }
        }
        let elsewhere = facts
            .sign_ins
            .iter()
            .filter(|sign_in| sign_in.multifactor_met)
            .map(|sign_in| sign_in.at);
        if let (true, Some(at)) = (elsewhere.clone().count() >= 2, elsewhere.max()) {
            self.because(
                ReasonCode::ExternalMfa,
                "multifactor authentication is met elsewhere; that never counts as registered",
                at,
            );
        }
    }

    pub(super) fn explain_waiting(&mut self) {
        let activity = self.facts.activity;
        match (activity.non_interactive, activity.legacy) {
            (None, None) => {
                let before = self.signed_in_before();
                let text = match before {
                    Some(at) => format!(
                        "signed in at {at}, before the person was in scope on {}; the next sign-in opens the window",
                        self.since
                    ),
                    None => "no qualifying sign-in since the person came into scope".to_owned(),
                };
                self.because(ReasonCode::NeverSignedIn, text, before);
            }
            (Some(at), None) => self.because(
                ReasonCode::ActiveOnlyByRefresh,
                "only tokens refreshed in the background; revoking sessions would prompt",
                at,
            ),
            (_, Some(at)) => self.because(
                ReasonCode::LegacyOnly,
                "only legacy protocols, which cannot prompt: a risk of its own",
                at,
            ),
        }
    }

    /// The newest sign-in that would have opened the window, had the person been in scope.
    fn signed_in_before(&self) -> Option<Timestamp> {
        let world = self.facts.world;
        let sign_ins = self.facts.sign_ins.iter();
        sign_ins
            .filter(|sign_in| {
                sign_in
                    .qualifies(&world.codes, self.policy.start_on, Timestamp::MIN, self.now)
                    .is_some()
            })
            .map(|sign_in| sign_in.at)
            .max()
    }

    pub(super) fn explain_deadline(&mut self, run: &Run) {
        let deadline = run.deadline(self.policy, self.now);
        let (sequence, deliveries) = (self.standing.sequence, &self.facts.deliveries);
        let named = notice::accepted(run, self.policy, sequence, deliveries);
        let is_rehearsed = named.is_none() && self.policy.enforce == Enforce::ReportOnly;
        let how = match (run.told, self.policy.strict) {
            (_, true) => "the opening plus the window, told or not (strict)".to_owned(),
            (Some(_), false) if is_rehearsed => "kept as if told (report-only)".to_owned(),
            (Some(_), false) if named.is_none() => {
                "moved out; an earlier one was told, this one is still to be told".to_owned()
            }
            (Some(_), false) => "told, and kept".to_owned(),
            (None, false) if deadline > run.base => format!(
                "nobody was told yet, so never earlier than the minimum notice of {} from now",
                days(self.policy.min_notice)
            ),
            (None, false) => "not told yet".to_owned(),
        };
        let at = run.opened_at;
        let (code, counts) = match run.cause {
            Some(_) => (
                ReasonCode::QualifyingSignIn,
                format!("the window counts from a sign-in at {at}"),
            ),
            None => (
                ReasonCode::Backfill,
                format!("the window counts from {at}: of an earlier sign-in the log is gone"),
            ),
        };
        self.because(code, counts, at);
        let text = format!("the deadline is {deadline}: {how}");
        self.because(ReasonCode::Deadline, text, deadline);
        if let Some(told) = run.told {
            let (text, at) = match named {
                Some(named) => ("a message naming the deadline was accepted", named.at),
                None if is_rehearsed => ("a message would have named the deadline", told.at),
                None => (
                    "a message was accepted, and named the deadline before it moved out",
                    told.at,
                ),
            };
            self.because(ReasonCode::NoticeGiven, text, at);
        }
        if let Some(unreachable) = &run.unreachable {
            let lack = if unreachable.address.is_some() {
                "the address was refused for good"
            } else {
                "there is no address"
            };
            let is_flagged = self.standing.is_flagged();
            let text = match self.unreached_until(run).filter(|_| !is_flagged) {
                Some(until) => {
                    format!("{lack}: not flagged before {until}, seven days after the deadline")
                }
                None => lack.to_owned(),
            };
            self.because(ReasonCode::Unreachable, text, unreachable.since);
        }
        if let Some(at) = self.shown.demanded_at {
            self.because(
                ReasonCode::MustRegister,
                "the newest sign-in that says anything about it was told to register: there it cannot be put off",
                at,
            );
        }
        if let Some(Blocked { code, at }) = self.shown.blocked {
            let block = self.facts.world.codes.block(code);
            let [meaning, remedy] =
                [&block.meaning, &block.remedy].map(|phrase| phrase.told_in(Language::English));
            self.because(
                ReasonCode::RegistrationBlocked,
                format!("a sign-in could not register ({code}): {meaning}. {remedy}"),
                at,
            );
        }
        if let Some(until) = self.reported_until {
            self.because(
                ReasonCode::RegistrationReported,
                format!("the log says registered; the report has until {until} to show it"),
                until,
            );
        }
    }

    pub(super) fn explain_waits(&mut self) {
        for wait in self.waits.clone() {
            let (code, text, at) = match wait {
                Wait::RegistrationUnknown => (
                    ReasonCode::RegistrationUnknown,
                    "not flagged while nobody knows whether the person is registered".to_owned(),
                    None,
                ),
                Wait::Reported(until) => (
                    ReasonCode::RegistrationReported,
                    "not flagged while the log says registered".to_owned(),
                    Some(until),
                ),
                Wait::Proof(deadline) => (
                    ReasonCode::ProofMissing,
                    "not flagged before a registration report as of the deadline or later".to_owned(),
                    Some(deadline),
                ),
                Wait::Notice(Some(until)) => (
                    ReasonCode::NoticeMissing,
                    format!("not flagged before {until}: the minimum notice"),
                    Some(until),
                ),
                Wait::Notice(None) => (
                    ReasonCode::NoticeMissing,
                    "not flagged before a notice was accepted".to_owned(),
                    None,
                ),
                Wait::Unreachable(until) => (
                    ReasonCode::Unreachable,
                    format!(
                        "nobody can be reached; flagged after {until} while the way to people works"
                    ),
                    Some(until),
                ),
                Wait::Blocked(until) => (
                    ReasonCode::RegistrationBlocked,
                    format!("registering was blocked; not flagged before {until}"),
                    Some(until),
                ),
                Wait::ChannelDown => (
                    ReasonCode::NoticeMissing,
                    "not flagged while the way to people is closed".to_owned(),
                    None,
                ),
                Wait::RowUnbelieved => (
                    ReasonCode::RowUnbelieved,
                    "the newest users row of the person could not be read: not flagged on what was known before".to_owned(),
                    None,
                ),
                Wait::LeftExclusion(from) => (
                    ReasonCode::LeftExclusion,
                    format!("left an exclusion; readings of users and groups of {from} or later must agree"),
                    Some(from),
                ),
            };
            self.because(code, text, at);
        }
    }
}

fn account(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Member => "a member",
        AccountKind::Guest => "a guest, and the policy leaves guests out",
        AccountKind::Agent => "an AI agent's, which cannot register",
        AccountKind::Sync => "the directory synchronisation's, which cannot register",
    }
}
