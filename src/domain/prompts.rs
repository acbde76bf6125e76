//! Qualifying prompts: what opens a window, moves its opening back, or counts within it.

use jiff::{SignedDuration, Timestamp};

use super::decide::Case;
use super::decision::{Next, NextAction, Shown};
use super::effect::Effect;
use super::facts::World;
use super::message::EventKind;
use super::news::{self, Topic};
use super::policy::{Enforce, Step};
use super::reason::ReasonCode;
use super::registration::Verdict;
use super::sign_in::{Blocked, Route, SignIn, SignInClass, TOLERATED_AHEAD};
use super::standing::Enforcement;
use super::window::{GraceWindow, Run, later};

impl Case<'_> {
    /// Qualifying prompts open a window or move its opening back (rules T2, T3, T4 and T5): those that
    /// a pass at `until` would see.
    pub(super) fn follow_sign_ins(&mut self, verdict: Verdict, until: Timestamp) {
        // Before the first report most of those who sign in may be registered: nobody is asked for
        // what they did long ago. The report finds every sign-in that came before it.
        if matches!(
            verdict,
            Verdict::Done | Verdict::DoneUnconfirmed { .. } | Verdict::Unknown { report: None }
        ) {
            return;
        }
        let (facts, since) = (self.facts, self.since);
        let codes = &facts.world.codes;
        let earliest = facts
            .sign_ins
            .iter()
            .filter_map(|sign_in| {
                let class = sign_in.qualifies(codes, self.policy.start_on, since, until)?;
                Some((sign_in, class))
            })
            .min_by_key(|(sign_in, _)| (sign_in.at, &sign_in.id));
        match (&self.standing.window, earliest) {
            (GraceWindow::NotOpened { remainder }, Some((sign_in, class))) => {
                let span = remainder.unwrap_or(self.policy.window);
                self.open(sign_in.at, Some(sign_in.id.clone()), span);
                let text = format!(
                    "{} sign-in{} opened the window",
                    article(class),
                    at_app(sign_in.app.as_deref())
                );
                self.because(ReasonCode::QualifyingSignIn, text, sign_in.at);
            }
            (GraceWindow::NotOpened { remainder }, None) => {
                let span = remainder.unwrap_or(self.policy.window);
                self.backfill(since, span);
            }
            (GraceWindow::Open(run), Some((sign_in, _))) if sign_in.at < run.opened_at => {
                let text = format!(
                    "an earlier sign-in arrived late; the window was dated {} before",
                    run.opened_at
                );
                self.standing.window =
                    GraceWindow::Open(run.clone().opened_earlier(sign_in.at, &sign_in.id));
                self.because(ReasonCode::EarlierSignIn, text, sign_in.at);
            }
            _ => {}
        }
        self.count_sign_ins();
        self.wake.extend(
            facts
                .sign_ins
                .iter()
                .map(|sign_in| later(sign_in.at, -TOLERATED_AHEAD))
                .filter(|at| *at > self.now)
                .min()
                .map(|at| Next {
                    at,
                    action: NextAction::SignInDue,
                }),
        );
    }

    pub(super) fn open(&mut self, at: Timestamp, cause: Option<String>, span: SignedDuration) {
        self.standing.sequence += 1;
        self.standing.window =
            GraceWindow::Open(Run::open(at, cause, span, self.policy.window, self.now));
        self.standing.enforcement = Enforcement::None;
        self.event(EventKind::WindowOpened, Some(Step::OPENING));
    }

    /// The logs of a long outage are gone; the directory's hint opens a window, dated now, never
    /// back (case 23).
    pub(super) fn backfill(&mut self, since: Timestamp, span: SignedDuration) {
        let (Some(gap), Some(hinted)) = (self.facts.world.log_gap, self.facts.activity.hinted)
        else {
            return;
        };
        if gap.contains(hinted) && hinted >= since {
            self.open(self.now, None, span);
            self.because(ReasonCode::Backfill, "the directory shows activity in a stretch that no sign-in log covers; the window starts now", hinted);
        }
    }

    /// Bypasses (rule T4), and what sign-ins show of registering (rule T5).
    pub(super) fn count_sign_ins(&mut self) {
        let is_flagged = self.standing.is_flagged();
        let (GraceWindow::Open(run) | GraceWindow::Elapsed(run)) = &self.standing.window else {
            return;
        };
        let from = run.running_since.unwrap_or(run.opened_at);
        self.shown = self.shown_since(run.opened_at);
        if !is_flagged {
            let completed = |(_, class): &(_, SignInClass)| *class == SignInClass::Completed;
            let bypasses = self.signed_in_since(from).filter(completed).count();
            let bypasses = u32::try_from(bypasses).unwrap_or(u32::MAX);
            if let Some(run) = self.standing.window.run_mut() {
                run.bypasses = run.bypasses.max(run.carried.saturating_add(bypasses));
            }
        }
        self.tell_of_blocks(from);
    }

    /// Interactive sign-ins since then, with their classes.
    fn signed_in_since(&self, from: Timestamp) -> impl Iterator<Item = (&SignIn, SignInClass)> {
        let until = later(self.now, TOLERATED_AHEAD);
        let codes = &self.facts.world.codes;
        self.facts
            .sign_ins
            .iter()
            .filter(move |sign_in| {
                sign_in.route == Route::Interactive && sign_in.at >= from && sign_in.at <= until
            })
            .map(|sign_in| (sign_in, codes.class(sign_in.code)))
    }

    fn shown_since(&self, from: Timestamp) -> Shown {
        let newest = |class: SignInClass| {
            let of_class = self.signed_in_since(from).filter(|(_, of)| *of == class);
            of_class
                .map(|(sign_in, _)| (sign_in.at, &sign_in.id, sign_in.code))
                .max()
        };
        let completed = newest(SignInClass::Completed);
        let demanded = newest(SignInClass::RegistrationInterrupt);
        let blocked = newest(SignInClass::RegistrationBlocked);
        Shown {
            demanded_at: demanded
                .filter(|_| demanded > completed && demanded > blocked)
                .map(|(at, ..)| at),
            blocked: blocked
                .filter(|_| blocked > completed)
                .map(|(at, _, code)| Blocked { code, at }),
        }
    }

    /// Each code is told once in a window (rule 5.11); what a window of an earlier version has seen is not.
    fn tell_of_blocks(&mut self, from: Timestamp) {
        let mut blocks: Vec<(Timestamp, i64)> = self
            .signed_in_since(from)
            .filter(|(_, class)| *class == SignInClass::RegistrationBlocked)
            .map(|(sign_in, _)| (sign_in.at, sign_in.code))
            .collect();
        blocks.sort_unstable();
        let now = self.now;
        let Some(run) = self.standing.window.run_mut() else {
            return;
        };
        let is_known = run.blocked.is_some();
        let told = run.blocked.get_or_insert_default();
        blocks.retain(|(_, code)| {
            let is_new = !told.contains_key(code);
            told.entry(*code).or_insert(now);
            is_new
        });
        for (at, code) in blocks.into_iter().filter(|_| is_known) {
            self.tell_of_block(code, at);
        }
    }

    fn tell_of_block(&mut self, code: i64, at: Timestamp) {
        self.event_of(EventKind::RegistrationBlocked, None, Some(code));
        if self.policy.enforce == Enforce::On {
            let World { codes, manner, .. } = self.facts.world;
            let blocked = Blocked { code, at };
            let block = codes.block(code);
            let line = news::blocked(self.facts.person, &self.policy.name, blocked, block, manner);
            self.effects.push(Effect::TellOperators {
                topic: Topic::Blocked,
                line,
            });
        }
    }
}

fn article(class: SignInClass) -> &'static str {
    match class {
        SignInClass::RegistrationInterrupt => "a sign-in that was told to register; this",
        SignInClass::RegistrationBlocked => "a sign-in that could not register; this",
        _ => "a completed interactive",
    }
}

fn at_app(app: Option<&str>) -> String {
    app.map_or_else(String::new, |app| format!(" at {app}"))
}
