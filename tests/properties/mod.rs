//! The invariants, tried on random histories: one property for each of 1 to 14, 32 and 33, and a
//! few that the store and the courier rest on.
//!
//! A failure prints the shrunken history as a story. More cases: `PROPTEST_CASES=5000`.

mod citizen;
mod found;
mod history;
mod rollout;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

use fortnight::delivery::mail::{About, Notice, Recipient, Sender, WindowNotice, render};
use fortnight::delivery::text;
use fortnight::domain::audit::AuditKind;
use fortnight::domain::effect::{Effect, Message};
use fortnight::domain::facts::{Channel, DeliveryOutcome};
use fortnight::domain::message::{EventKind, Shows};
use fortnight::domain::news::Topic;
use fortnight::domain::policy::{Enforce, Mode, StartOn};
use fortnight::domain::registration::Level;
use fortnight::domain::sign_in::Route;
use fortnight::domain::state::State;
use fortnight::domain::window::{GraceWindow, Run};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use history::{History, crowds, histories};
use rollout::{Decided, Reading, Rollout, days, has_flag, hours, live, minutes};

type Checked = Result<(), TestCaseError>;

fn config() -> ProptestConfig {
    ProptestConfig {
        // A shrunken history becomes a unit test, not a seed.
        failure_persistence: None,
        max_shrink_iters: 20_000,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn i01_no_flag_before_the_deadline_and_the_window_has_its_length(history in histories()) {
        // What a window must have: its length when it opened, or what the one before had left.
        let mut owed: BTreeMap<(String, u32), SignedDuration> = BTreeMap::new();
        let mut left: BTreeMap<String, SignedDuration> = BTreeMap::new();
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                let standing = &one.decision.standing;
                if standing.sequence > one.before.sequence {
                    let rest = match one.before.window {
                        GraceWindow::NotOpened { remainder: Some(_) } => left.get(&one.whose()).copied(),
                        _ => None,
                    };
                    let floor = one.policy.notice_floor();
                    let length = rest.map_or(one.policy.window, |rest| rest.max(floor));
                    owed.insert((one.whose(), standing.sequence), length);
                }
                if let GraceWindow::Closed { .. } = standing.window
                    && !matches!(one.before.window, GraceWindow::Closed { .. })
                {
                    left.insert(one.whose(), one.decision.remaining.unwrap_or_default());
                }
            }
            for flag in rollout.last().new_flags() {
                let (now, run) = (rollout.last().at, run(flag)?);
                let deadline = flag.decision.deadline.unwrap_or(Timestamp::MAX);
                let length = owed[&(flag.whose(), flag.decision.standing.sequence)];
                prop_assert!(now >= deadline, "{} flagged at {now} before {deadline}", flag.whose());
                prop_assert!(
                    deadline >= run.opened_at + length,
                    "{}: {deadline} is less than {length} after {}", flag.whose(), run.opened_at
                );
            }
            Ok(())
        })?;
    }

    #[test]
    fn i02_no_flag_without_notice(history in histories()) {
        let mut untold_since: BTreeMap<String, Timestamp> = BTreeMap::new();
        live(&history, Reading::Plain, |rollout| -> Checked {
            let now = rollout.last().at;
            for one in &rollout.last().decided {
                if is_untold_anew(one) {
                    untold_since.insert(one.whose(), now);
                }
            }
            for flag in rollout.last().real_flags().filter(|flag| !flag.policy.strict) {
                let since = untold_since[&flag.whose()];
                let told = told(rollout, flag, since, now - flag.policy.min_notice);
                let unreachable = unreachable(rollout, flag, since, now - flag.policy.min_notice - days(7));
                prop_assert!(told || unreachable, "{} flagged at {now} without notice since {since}", flag.whose());
            }
            Ok(())
        })?;
    }

    /// The same where webhooks are the notice (rule 7.11): each policy by itself, no deadline
    /// below the notice, and nobody is flagged for not being reachable.
    #[test]
    fn i02_no_flag_without_a_webhook_where_there_is_no_mail(history in histories()) {
        let mut untold_since: BTreeMap<String, Timestamp> = BTreeMap::new();
        live(&history, Reading::ByWebhook, |rollout| -> Checked {
            let now = rollout.last().at;
            for one in &rollout.last().decided {
                if is_untold_anew(one) {
                    untold_since.insert(one.whose(), now);
                }
                let unreachable = one.decision.standing.window.run().is_some_and(|run| run.unreachable.is_some());
                prop_assert!(!unreachable, "{} is unreachable by webhook", one.whose());
            }
            for flag in rollout.last().real_flags().filter(|flag| !flag.policy.strict) {
                let since = untold_since[&flag.whose()];
                let until = now - flag.policy.min_notice;
                let told = accepted_mails(rollout, flag).any(|hook| {
                    let DeliveryOutcome::Accepted(at) = hook.fact.outcome else {
                        return false;
                    };
                    hook.fact.policy == flag.policy.name && (since..=until).contains(&at)
                });
                prop_assert!(told, "{} flagged at {now} without a webhook since {since}", flag.whose());
                prop_assert!(rollout.last().world.channel != Channel::Down, "{} flagged in an outage", flag.whose());
            }
            Ok(())
        })?;
    }

    #[test]
    fn i03_nobody_is_flagged_whom_the_policy_does_not_reach(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            for flag in rollout.last().new_flags() {
                prop_assert!(
                    flag.place.applies() && !flag.place.registered,
                    "{} flagged as {:?}", flag.whose(), flag.place
                );
            }
            Ok(())
        })?;
    }

    #[test]
    fn i04_exclusion_beats_everything(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in rollout.last().decided.iter().filter(|one| one.place.excluded) {
                let decision = &one.decision;
                let place = one.place;
                if place.present && place.included && place.eligible {
                    prop_assert_eq!(decision.state, State::Exempt, "{}", one.whose());
                }
                prop_assert!(!decision.standing.is_flagged(), "{} flagged", one.whose());
                prop_assert!(!decision.would_flag, "{} would be flagged", one.whose());
                prop_assert_eq!(one.messages().count(), 0, "mail to {}", one.whose());
                let runs = matches!(decision.standing.window, GraceWindow::Open(_) | GraceWindow::Elapsed(_));
                prop_assert!(!runs, "the clock runs for {}", one.whose());
            }
            Ok(())
        })?;
    }

    #[test]
    fn i05_no_flag_under_a_hold_or_on_stale_facts(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            let pass = rollout.last();
            let old = |as_of: Option<Timestamp>, limit| {
                as_of.is_none_or(|as_of| pass.at.duration_since(as_of) > limit)
            };
            let world = &pass.world;
            let stale = old(world.users, hours(24))
                || old(world.registration.as_ref().map(|report| report.reading), hours(36))
                || old(world.sign_ins, hours(24));
            for flag in pass.new_flags() {
                prop_assert!(!flag.held && !stale, "{} flagged on stale facts or held", flag.whose());
                prop_assert!(flag.policy.assignment.unresolved.is_empty(), "{} flagged", flag.whose());
                prop_assert!(flag.policy.enforce != Enforce::Off, "{} flagged while off", flag.whose());
                // An outage holds nothing that goes without notice: `strict` and rehearsals
                // (rules 7.11 and 7.19).
                let told = flag.policy.enforce == Enforce::On && !flag.policy.strict;
                prop_assert!(
                    !told || world.channel != Channel::Down,
                    "{} flagged while nobody can be told",
                    flag.whose()
                );
                let rehearsed = flag.policy.enforce == Enforce::ReportOnly;
                prop_assert_eq!(has_flag(&flag.decision.standing), !rehearsed);
            }
            Ok(())
        })?;
    }

    #[test]
    fn i06_flagged_is_what_the_journal_says(history in histories()) {
        let mut journal: BTreeMap<String, bool> = BTreeMap::new();
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                for event in one.events() {
                    match event.kind {
                        EventKind::EnforcementNeeded if one.policy.enforce == Enforce::On => {
                            journal.insert(one.whose(), true);
                        }
                        EventKind::EnforcementReleased => {
                            journal.insert(one.whose(), false);
                        }
                        _ => {}
                    }
                }
                let standing = &one.decision.standing;
                let says = journal.get(&one.whose()).copied().unwrap_or(false);
                prop_assert_eq!(has_flag(standing), says, "{}", one.whose());
                let elapsed = matches!(standing.window, GraceWindow::Elapsed(_));
                prop_assert_eq!(standing.is_flagged(), elapsed, "{}", one.whose());
            }
            Ok(())
        })?;
    }

    /// Nothing is queued that no mail could say.
    #[test]
    fn every_message_can_be_written(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            let now = rollout.last().at;
            for one in &rollout.last().decided {
                for message in one.messages() {
                    prop_assert!(message.not_after.is_none_or(|end| end >= now), "{}: {message:?}", one.whose());
                    for mode in [Mode::Flag, Mode::Native] {
                        let written = render(&sender(mode), &letter(message), now);
                        prop_assert!(written.is_ok(), "{}: {message:?} at {now}: {written:?}", one.whose());
                    }
                }
            }
            Ok(())
        })?;
    }

    /// The id of a webhook is a function of its event: two events with one key would be one row.
    #[test]
    fn every_event_has_a_key_of_its_own(history in histories()) {
        let mut keys = BTreeSet::new();
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                for event in one.events() {
                    let key = event.key(&one.policy.name, &one.user);
                    prop_assert!(keys.insert(key.clone()), "{key} twice");
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn i07_leaving_takes_the_flag_back_in_the_same_pass(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                if one.place.applies() && !one.place.registered {
                    continue;
                }
                prop_assert!(!one.decision.standing.is_flagged(), "{} is {:?}", one.whose(), one.place);
                if has_flag(&one.before) {
                    let mut events = one.events();
                    let released = events.any(|event| event.kind == EventKind::EnforcementReleased);
                    prop_assert!(released, "the flag of {} went without a word", one.whose());
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn i08_only_a_qualifying_sign_in_opens_a_window_and_only_one(history in histories()) {
        windows_open_rightly(&history)?;
    }

    #[test]
    fn i09_one_window_at_a_time_numbered_in_order(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                let (before, after) = (one.before.sequence, one.decision.standing.sequence);
                // The switch to on announces a window as if it opened, by its old number (rule 7.19).
                let anew = one.before.enforce == Some(Enforce::ReportOnly)
                    && one.policy.enforce == Enforce::On;
                let opened = one.events().filter(|event| {
                    event.kind == EventKind::WindowOpened && !(anew && event.sequence == before)
                });
                let opened = u32::try_from(opened.count()).unwrap_or(u32::MAX);
                prop_assert!(opened <= 1, "{} opened {opened} windows at once", one.whose());
                prop_assert_eq!(before + opened, after, "{}", one.whose());
                let was_open = matches!(
                    one.before.window,
                    GraceWindow::Open(_) | GraceWindow::Elapsed(_) | GraceWindow::Paused { .. }
                );
                let reset = one.decision.reasons.iter().any(|reason| reason.text.contains("reset the window"));
                prop_assert!(opened == 0 || !was_open || reset, "{} has two windows", one.whose());
            }
            Ok(())
        })?;
    }

    #[test]
    fn i10_a_told_deadline_is_kept(history in histories()) {
        told_deadlines_are_kept(&history)?;
    }

    #[test]
    fn i11_the_same_pass_again_changes_nothing(history in histories()) {
        a_repeated_pass_changes_nothing(&history)?;
    }

    #[test]
    fn i12_no_more_flags_at_once_than_the_brake_allows(history in crowds()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            let pass = rollout.last();
            let flags = pass.real_flags().filter(|flag| !flag.approved);
            let new: BTreeSet<_> = flags.map(|flag| flag.user.clone()).collect();
            let all = new.union(&pass.recent).count();
            let limit = (pass.in_scope / 20).max(10);
            prop_assert!(new.is_empty() || all <= limit, "{all} flags, {limit} allowed");
            Ok(())
        })?;
    }

    #[test]
    fn i13_a_rejected_snapshot_changes_nothing(history in histories()) {
        same_course(&history, Reading::RejectedDoNotCome)?;
    }

    #[test]
    fn i14_a_lost_registration_or_exclusion_is_doubted(history in histories()) {
        // For everybody who was excluded: the first pass after it, and the users read by then.
        let mut left: BTreeMap<String, (Timestamp, Option<Timestamp>)> = BTreeMap::new();
        let mut excluded: BTreeSet<String> = BTreeSet::new();
        live(&history, Reading::Plain, |rollout| -> Checked {
            let pass = rollout.last();
            for one in &pass.decided {
                if one.place.excluded {
                    excluded.insert(one.whose());
                } else if one.place.present && excluded.remove(&one.whose()) {
                    left.insert(one.whose(), (pass.at, pass.world.users));
                }
            }
            for one in &pass.decided {
                let believed = one.decision.registered || loss_is_confirmed(rollout, one);
                prop_assert!(believed, "{} lost the registration by one report", one.whose());
            }
            for flag in pass.new_flags() {
                let Some((since, users)) = left.get(&flag.whose()) else { continue };
                let agreed = pass.world.users >= users.map(|users| users + hours(24));
                let noticed = pass.at >= *since + flag.policy.notice_floor();
                prop_assert!(agreed && noticed, "{} flagged too soon after an exclusion", flag.whose());
            }
            Ok(())
        })?;
    }

    #[test]
    fn i32_reading_twice_is_reading_once(history in histories()) {
        same_course(&history, Reading::Twice)?;
    }

    #[test]
    fn i33_the_order_of_facts_does_not_matter(history in histories(), seed in any::<u64>()) {
        same_course(&history, Reading::Shuffled(seed))?;
    }

    #[test]
    fn every_mail_has_a_key_of_its_own_and_a_person_gets_one_at_a_time(history in histories()) {
        let mut seen = 0;
        let rollout = live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                prop_assert!(one.messages().count() <= 1, "{}: {:?}", one.whose(), one.decision.effects);
            }
            let mut people: Vec<_> = rollout.mails[seen..].iter().map(|mail| &mail.user).collect();
            seen = rollout.mails.len();
            let count = people.len();
            people.dedup();
            prop_assert_eq!(people.len(), count);
            Ok(())
        })?;
        let keys = rollout.keys();
        let distinct: BTreeSet<_> = keys.iter().collect();
        prop_assert_eq!(keys.len(), distinct.len(), "{:?}", keys);
    }

    #[test]
    fn only_mail_that_applies_is_sent(history in histories()) {
        live(&history, Reading::Plain, |rollout| -> Checked {
            for one in &rollout.last().decided {
                for message in one.messages() {
                    if message.kind == EventKind::EnforcementReleased {
                        // Whoever was told of a flag hears that it is gone, but for these (rule 7.18).
                        let citizen::Place { present, enabled, excluded, registered, .. } = one.place;
                        prop_assert!(present && enabled && !excluded && !registered, "release to {} as {:?}", one.whose(), one.place);
                        continue;
                    }
                    prop_assert!(one.place.applies(), "mail to {} as {:?}", one.whose(), one.place);
                    prop_assert_eq!(one.policy.enforce, Enforce::On);
                }
            }
            Ok(())
        })?;
    }

    #[test]
    fn a_rehearsal_keeps_to_itself(history in histories()) {
        rehearsals_keep_to_themselves(&history)?;
    }

    #[test]
    fn whoever_sleeps_until_the_next_look_misses_nothing(history in histories()) {
        sleepers_miss_nothing(&history)?;
    }
}

fn course(history: &History, reading: Reading) -> Result<Rollout, TestCaseError> {
    live(history, reading, |_| Ok(()))
}

/// Both ways of reading come to the same decisions in every pass.
fn same_course(history: &History, reading: Reading) -> Checked {
    let plain = course(history, Reading::Plain)?;
    let other = course(history, reading)?;
    for (plain, other) in plain.log.iter().zip(other.log.iter()) {
        for (one, two) in plain.decided.iter().zip(&other.decided) {
            prop_assert_eq!(
                &one.decision,
                &two.decision,
                "{} at {}",
                one.whose(),
                plain.at
            );
        }
        prop_assert_eq!(plain.decided.len(), other.decided.len());
        prop_assert_eq!(plain.holds.len(), other.holds.len());
    }
    prop_assert_eq!(plain.keys(), other.keys());
    Ok(())
}

fn run(flag: &Decided) -> Result<&Run, TestCaseError> {
    let run = flag.decision.standing.window.run();
    run.ok_or_else(|| TestCaseError::fail(format!("{} flagged without a window", flag.whose())))
}

fn sender(mode: Mode) -> Sender {
    Sender {
        from: text::mailbox("Identity team <identity@contoso.com>").unwrap(),
        reply_to: None,
        organisation: None,
        help: None,
        signature: None,
        titles: BTreeMap::new(),
        mode,
        language: "en".to_owned(),
        time_zone: TimeZone::UTC,
    }
}

/// A message as it would be sent at once.
fn letter(message: &Message) -> Notice {
    Notice {
        message_id: "<1@contoso.com>".to_owned(),
        in_reply_to: None,
        to: Recipient {
            address: message.address.clone(),
            name: None,
            language: None,
        },
        queued_at: message.opened_at,
        about: About::Window(WindowNotice {
            kind: message.kind,
            policy: message.policy.clone(),
            opened_at: message.opened_at,
            deadline: Some(message.deadline),
            shows: Shows::Nothing,
        }),
    }
}

fn accepted_mails<'a>(
    rollout: &'a Rollout,
    one: &'a Decided,
) -> impl Iterator<Item = &'a rollout::Mail> {
    rollout.mails.iter().filter(|mail| {
        mail.user == one.user && matches!(mail.fact.outcome, DeliveryOutcome::Accepted(_))
    })
}

/// The window opened or came back, or its policy is on where it was report-only.
fn is_untold_anew(one: &Decided) -> bool {
    let switched =
        one.before.enforce == Some(Enforce::ReportOnly) && one.policy.enforce == Enforce::On;
    let anew = one.events().any(|event| {
        matches!(
            event.kind,
            EventKind::WindowOpened | EventKind::WindowResumed
        )
    });
    anew || switched
}

/// A mail naming this deadline or an earlier one was accepted between the two moments.
fn told(rollout: &Rollout, flag: &Decided, since: Timestamp, until: Timestamp) -> bool {
    let deadline = flag.decision.deadline;
    accepted_mails(rollout, flag).any(|mail| {
        let DeliveryOutcome::Accepted(at) = mail.fact.outcome else {
            return false;
        };
        mail.fact.kind.announces()
            && mail.fact.deadline <= deadline
            && (since..=until).contains(&at)
    })
}

/// There has been no address, or a refusing one, from some moment between the two until now, and
/// no mail was accepted.
fn unreachable(rollout: &Rollout, flag: &Decided, since: Timestamp, until: Timestamp) -> bool {
    let citizen = &rollout.people[flag.who];
    let address = citizen.known.as_ref().and_then(|known| known.mail.clone());
    if told(rollout, flag, since, rollout.now) {
        return false;
    }
    rollout.mails.iter().any(|mail| {
        let DeliveryOutcome::Refused(at) = mail.fact.outcome else {
            return false;
        };
        mail.user == flag.user
            && Some(&mail.fact.address) == address.as_ref()
            && (since..=until).contains(&at)
    }) || (address.is_none() && since <= until)
}

fn opened_rightly(
    rollout: &Rollout,
    one: &Decided,
    outside: Option<Timestamp>,
    used: &mut BTreeSet<(String, String)>,
) -> Checked {
    let (run, place) = (run(one)?, one.place);
    let in_scope = place.present && place.included && place.eligible && !place.excluded;
    prop_assert!(
        in_scope && !place.off && !place.closed,
        "{} opened as {place:?}",
        one.whose()
    );
    let citizen = &rollout.people[one.who];
    let world = &rollout.last().world;
    let Some(cause) = &run.cause else {
        let gap = world.log_gap;
        prop_assert!(gap.is_some(), "{} opened without a cause", one.whose());
        prop_assert_eq!(run.opened_at, rollout.last().at, "a backfill is dated now");
        return Ok(());
    };
    let Some(sign_in) = citizen.sign_ins.get(cause) else {
        return Err(TestCaseError::fail(format!("{cause} is nobody's sign-in")));
    };
    let prompts: &[i64] = match one.policy.start_on {
        StartOn::Prompted => &[0, 50_079, 53_004],
        StartOn::AnyPrimary => &[0, 50_079, 53_004, 65_001],
    };
    prop_assert_eq!(sign_in.route, Route::Interactive);
    prop_assert!(
        prompts.contains(&sign_in.code),
        "{} opened by {}",
        one.whose(),
        sign_in.code
    );
    prop_assert_eq!(sign_in.at, run.opened_at);
    prop_assert!(
        sign_in.at <= rollout.last().at + minutes(5),
        "{} opened by the future",
        one.whose()
    );
    prop_assert!(
        sign_in.at >= one.policy.since,
        "{} opened before the policy",
        one.whose()
    );
    prop_assert!(
        outside.is_none_or(|outside| sign_in.at > outside),
        "{} opened by a sign-in of {}, when out of scope",
        one.whose(),
        sign_in.at
    );
    prop_assert!(
        used.insert((one.whose(), cause.clone())),
        "{} opened twice by {cause}",
        one.whose()
    );
    Ok(())
}

/// Reports since the last that said registered agree over 24 hours, or the log explains the loss.
fn loss_is_confirmed(rollout: &Rollout, one: &Decided) -> bool {
    let enough = if one.policy.accept_passwordless {
        Level::Passwordless
    } else {
        Level::Capable
    };
    let citizen = &rollout.people[one.who];
    let Some(last) = citizen
        .reports
        .iter()
        .rposition(|(_, level)| *level >= enough)
    else {
        return true;
    };
    let (done, _) = citizen.reports[last];
    let since = citizen.reports[last + 1..].first().map(|(at, _)| *at);
    let newest = citizen.reports.last().map(|(at, _)| *at);
    let agree = since
        .zip(newest)
        .is_some_and(|(since, newest)| newest.duration_since(since) >= hours(24));
    let explained = citizen
        .audits
        .values()
        .any(|audit| audit.kind != AuditKind::Registered && audit.at >= done - hours(24));
    agree || explained
}

/// Invariant 8.
fn windows_open_rightly(history: &History) -> Checked {
    let mut used: BTreeSet<(String, String)> = BTreeSet::new();
    let mut outside: BTreeMap<String, Timestamp> = BTreeMap::new();
    live(history, Reading::Plain, |rollout| -> Checked {
        let pass = rollout.last();
        for one in &pass.decided {
            if one.decision.standing.sequence > one.before.sequence {
                opened_rightly(rollout, one, outside.get(&one.whose()).copied(), &mut used)?;
            }
            let place = one.place;
            if !(place.present && place.included && !place.excluded) || place.closed {
                outside.insert(one.whose(), pass.at);
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Invariant 10.
fn told_deadlines_are_kept(history: &History) -> Checked {
    live(history, Reading::Plain, |rollout| -> Checked {
        for one in &rollout.last().decided {
            let Some(deadline) = one.decision.deadline else {
                continue;
            };
            for mail in accepted_mails(rollout, one) {
                let own = mail.fact.policy == one.policy.name
                    && mail.fact.sequence == one.decision.standing.sequence;
                let named = mail.fact.deadline.unwrap_or(Timestamp::MIN);
                prop_assert!(
                    !own || !mail.fact.kind.announces() || deadline >= named,
                    "{} was told {named} and now has until {deadline}",
                    one.whose()
                );
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// Invariant 11.
fn a_repeated_pass_changes_nothing(history: &History) -> Checked {
    live(history, Reading::Plain, |rollout| -> Checked {
        let (pass, after) = rollout.repeated();
        for one in &pass.decided {
            prop_assert!(
                one.decision.effects.is_empty(),
                "{}: {:?}",
                one.whose(),
                one.decision.effects
            );
            prop_assert_eq!(&one.before, &one.decision.standing, "{}", one.whose());
        }
        prop_assert_eq!(after.keys(), rollout.keys());
        prop_assert_eq!(pass.states, rollout.last().states.clone());
        Ok(())
    })?;
    Ok(())
}

/// What follows, but for the line on whom the reports leave out: who is looked at for that comes to it within the hour.
fn at_once(effects: &[Effect]) -> Vec<&Effect> {
    let is_late = |effect: &&Effect| matches!(effect, Effect::TellOperators { topic, .. } if *topic == Topic::Unreported);
    effects.iter().filter(|effect| !is_late(effect)).collect()
}

/// Deciding only about people with something new or a look that is due comes to the same.
fn sleepers_miss_nothing(history: &History) -> Checked {
    let all = course(history, Reading::Plain)?;
    let due = course(history, Reading::OnlyTheDue)?;
    for (all, due) in all.log.iter().zip(due.log.iter()) {
        for one in &all.decided {
            let expected = &one.decision.effects;
            let woken = due.of(&one.policy.name, &one.user);
            let done = woken.map_or(&[][..], |one| &one.decision.effects);
            let (done, expected) = (at_once(done), at_once(expected));
            prop_assert_eq!(done, expected, "{} at {}", one.whose(), all.at);
            let (state, key) = (
                one.decision.state,
                (one.policy.name.clone(), one.user.clone()),
            );
            prop_assert_eq!(due.states[&key], state, "{} at {}", one.whose(), all.at);
        }
    }
    let remembered = |rollout: &Rollout| {
        let mut standings = rollout.standings().clone();
        for run in standings
            .values_mut()
            .filter_map(|one| one.window.run_mut())
        {
            run.unreported = None;
        }
        standings
    };
    prop_assert_eq!(remembered(&all), remembered(&due));
    prop_assert_eq!(all.keys(), due.keys());
    Ok(())
}

/// A report-only policy learns of a notice only by its own rehearsal, or its own mail of before.
fn rehearsals_keep_to_themselves(history: &History) -> Checked {
    live(history, Reading::Plain, |rollout| -> Checked {
        let pass = rollout.last();
        let rehearsed = |one: &&Decided| one.policy.enforce == Enforce::ReportOnly;
        for one in pass.decided.iter().filter(rehearsed) {
            let told = one.decision.standing.window.run().and_then(|run| run.told);
            let before = one.before.window.run().and_then(|run| run.told);
            let Some(told) = told.filter(|told| before.is_none_or(|before| before.at != told.at))
            else {
                continue;
            };
            let own = accepted_mails(rollout, one).any(|mail| {
                mail.fact.policy == one.policy.name
                    && mail.fact.outcome == DeliveryOutcome::Accepted(told.at)
            });
            prop_assert!(
                own || told.at == pass.at,
                "{} took another's notice",
                one.whose()
            );
        }
        Ok(())
    })?;
    Ok(())
}
