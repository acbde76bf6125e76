//! The rules of a decision as stories and tables: the transitions and the settled choices of docs/rules.md.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::age::{Frozen, ReportAge};
use crate::domain::assignment::{Include, NameList, Unresolved};
use crate::domain::audit::AuditKind;
use crate::domain::decision::{NextAction, Unreached};
use crate::domain::facts::{ActKind, Channel, DeliveryFact, DeliveryOutcome, NoticeBy};
use crate::domain::id::PolicyName;
use crate::domain::person::{AccountKind, Presence};
use crate::domain::registration::{Detail, Level};
use crate::domain::standing::ScopeMemory;
use crate::domain::story::{
    Server, Story, day, days, group, groups, hour, policy, says, step, users,
};

/// Something that happens to a story.
type Change = fn(&mut Story);

const EXTEND_5: ActKind = ActKind::Extend { days: 5 };

fn extend_until(number: i64) -> ActKind {
    let until = day(number);
    ActKind::ExtendUntil { until }
}

fn opened() -> Story {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(0));
    story
}

/// Ana by her group, so that being in scope begins when the membership is seen.
fn by_group() -> Story {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(groups(&["staff"]));
    story
}

fn flagged() -> Story {
    let mut story = opened();
    assert_eq!(story.daily(1..=14).state, State::EnforcementNeeded);
    story
}

fn window(story: &Story) -> &GraceWindow {
    &story.decisions[0].standing.window
}

fn unreachable(story: &Story) -> Option<Timestamp> {
    let run = window(story).run().unwrap();
    run.unreachable
        .as_ref()
        .map(|unreachable| unreachable.since)
}

// Rule 4.1: the state is the first that fits.

#[test]
fn of_several_states_the_first_in_the_order_counts() {
    let mut story = flagged();
    let mut states = vec![story.look(day(15)).state];
    let steps: [Change; 7] = [
        |story| {
            story.reports_say(Level::Capable);
        },
        |story| story.policy().enforce = Enforce::Off,
        |story| story.person.enabled = false,
        |story| story.policy().assignment.exclude = users(&["ana"]),
        |story| story.person.kind = AccountKind::Agent,
        |story| story.policy().assignment.include = Include::default(),
        |story| story.person.presence = Presence::Gone { at: day(15) },
    ];
    for change in steps {
        change(&mut story);
        states.push(story.look(day(15)).state);
    }
    assert_eq!(
        states,
        [
            State::EnforcementNeeded,
            State::Registered,
            State::Paused,
            State::Disabled,
            State::Exempt,
            State::NotEligible,
            State::OutOfScope,
            State::Gone,
        ]
    );
}

#[test]
fn a_flag_outlasts_a_hint_and_a_report_without_the_person() {
    let mut story = flagged();
    story.audit(hour(14, 1), AuditKind::Registered);
    assert_eq!(story.pass(hour(14, 2)).state, State::EnforcementNeeded);
    story.without_reports().report_without(day(15));
    let decision = story.pass(day(15));
    assert_eq!(decision.state, State::EnforcementNeeded);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::Needed { at: day(14) }
    );
}

#[test]
fn a_hint_comes_before_unknown_and_unknown_before_the_window() {
    let mut story = opened();
    story.without_reports().report_without(day(1));
    assert_eq!(story.look(day(1)).state, State::Unknown);
    story.audit(hour(0, 20), AuditKind::Registered);
    assert_eq!(story.look(day(1)).state, State::RegistrationReported);
}

#[test]
fn an_open_window_is_due_soon_with_three_days_left() {
    let mut story = opened();
    story.daily(1..=10);
    let minute = SignedDuration::from_mins(1);
    assert_eq!(story.look(day(11) - minute).state, State::InGrace);
    assert_eq!(story.look(day(11)).state, State::DueSoon);
    story.without_reports();
    assert_eq!(story.look(day(14) - minute).state, State::DueSoon);
    assert_eq!(story.look(day(14)).state, State::OverdueChecking);
}

#[test]
fn a_hint_without_a_window_shows_for_a_day() {
    let mut story = Story::default_policy();
    story.audit(day(1), AuditKind::Registered);
    assert_eq!(story.pass(day(1)).state, State::RegistrationReported);
    let next = story.decisions[0].next.unwrap();
    assert_eq!((next.at, next.action), (day(2), NextAction::WaitEnds));
    assert_eq!(story.pass(day(2)).state, State::WaitingFirstSignIn);
}

#[test]
fn a_registered_person_keeps_the_window_it_closed() {
    let mut story = opened();
    let decision = story.reports_say(Level::Capable).pass(day(5));
    assert_eq!(decision.deadline, Some(day(14)));
    assert_eq!(decision.remaining, Some(days(9)));

    let mut paused = opened();
    paused.policy().enforce = Enforce::Off;
    paused.pass(day(4));
    let decision = paused.reports_say(Level::Capable).pass(day(5));
    assert_eq!(
        (decision.deadline, decision.remaining),
        (None, Some(days(10)))
    );
    assert!(
        !paused.happened(EventKind::UserRegistered),
        "no window was open"
    );
}

#[test]
fn nobody_is_asked_told_or_flagged_while_the_members_of_an_exclusion_were_never_read() {
    let unread = || {
        vec![Unresolved {
            name: "emergency".to_owned(),
            list: NameList::ExcludeGroups,
            matches: 0,
        }]
    };
    let mut story = Story::default_policy();
    story.policy().assignment.unread = unread();
    let decision = story.sign_in(hour(0, 1), 0).pass(day(1));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    assert!(
        decision
            .reasons
            .iter()
            .any(|reason| reason.code == ReasonCode::ExclusionUnread)
    );
    assert_eq!((story.events(), story.mails()), (vec![], vec![]));
    story.policy().assignment.unread.clear();
    assert_eq!(story.pass(day(2)).state, State::InGrace);
    // Of a window that was opened before no step is said, nor looked for again and again.
    let told = story.mails().len();
    story.policy().assignment.unread = unread();
    let decision = story.daily(3..=30);
    assert!(!decision.would_flag);
    assert_eq!(
        (decision.state, story.mails().len()),
        (State::OverdueChecking, told)
    );
}

// Rule 7.1: since when sign-ins count.

/// Whether a sign-in of that hour opens a window in the pass after it.
fn counts(story: &Story, at: Timestamp, now: Timestamp) -> bool {
    let mut story = story.clone();
    story.sign_ins.clear();
    story.sign_in(at, 0).pass(now);
    !matches!(window(&story), GraceWindow::NotOpened { .. })
}

fn since(story: &Story, since: Timestamp, now: Timestamp) {
    assert!(counts(story, since, now), "a sign-in at {since} counts");
    let before = since - SignedDuration::from_secs(1);
    assert!(!counts(story, before, now), "one before {since} does not");
}

#[test]
fn sign_ins_count_since_the_policy_and_the_account_exist() {
    let mut story = Story::default_policy();
    since(&story, day(0), day(1));
    story.person.created_at = Some(hour(0, 5));
    since(&story, hour(0, 5), day(1));
}

#[test]
fn members_of_the_first_pass_are_in_since_the_policy_s_since() {
    let mut story = by_group();
    story.policy().first_pass = day(10);
    story.groups.insert(group("staff"));
    since(&story, day(0), day(10));
}

#[test]
fn members_seen_later_are_in_since_the_pass_that_saw_them() {
    let mut story = by_group();
    story.pass(day(0));
    story.groups.insert(group("staff"));
    since(&story, day(3), day(3));
    story.pass(day(3));
    since(&story, day(3), day(5));
}

#[test]
fn who_comes_back_without_a_window_is_in_since_the_pass_that_saw_it() {
    let leave: [(&str, Change, Change); 6] = [
        (
            "excluded",
            |story| story.policy().assignment.exclude = users(&["ana"]),
            |story| story.policy().assignment.exclude = users(&[]),
        ),
        (
            "out of the group",
            |story| story.groups.clear(),
            |story| {
                story.groups.insert(group("staff"));
            },
        ),
        (
            "policy off",
            |story| story.policy().enforce = Enforce::Off,
            |story| story.policy().enforce = Enforce::On,
        ),
        (
            "gone",
            |story| story.person.presence = Presence::Gone { at: day(2) },
            |story| story.person.presence = Presence::Present,
        ),
        (
            "not eligible",
            |story| story.person.kind = AccountKind::Guest,
            |story| story.person.kind = AccountKind::Member,
        ),
        (
            "off while disabled",
            |story| {
                story.policy().enforce = Enforce::Off;
                story.person.enabled = false;
            },
            |story| {
                story.policy().enforce = Enforce::On;
                story.person.enabled = true;
            },
        ),
    ];
    for (what, leaves, returns) in leave {
        let mut story = by_group();
        story.groups.insert(group("staff"));
        story.pass(day(0));
        leaves(&mut story);
        story.pass(day(2));
        returns(&mut story);
        story.pass(day(5));
        assert!(counts(&story, day(5), day(6)), "{what}");
        let before = day(5) - SignedDuration::from_secs(1);
        assert!(!counts(&story, before, day(6)), "{what}");
    }
}

#[test]
fn all_users_under_a_policy_that_is_on_again_are_in_since_then() {
    let mut story = Story::default_policy();
    story.policy().enforce = Enforce::Off;
    story.pass(day(2));
    story.policy().enforce = Enforce::On;
    story.policy().on_again = Some(day(5));
    since(&story, day(5), day(6));
}

#[test]
fn being_disabled_does_not_move_the_beginning() {
    let mut story = by_group();
    story.groups.insert(group("staff"));
    story.pass(day(0));
    story.person.enabled = false;
    story.pass(day(2));
    story.person.enabled = true;
    since(&story, day(0), day(5));
}

#[test]
fn being_disabled_before_the_policy_was_ever_on_does_not_either() {
    let mut story = Story::default_policy();
    story.policy().enforce = Enforce::Off;
    story.person.enabled = false;
    story.pass(day(2));
    story.policy().enforce = Enforce::On;
    story.person.enabled = true;
    since(&story, day(0), day(5));
}

#[test]
fn a_reset_before_the_first_pass_forgets_earlier_sign_ins_however_a_person_is_included() {
    for mut story in [Story::default_policy(), by_group()] {
        story.groups.insert(group("staff"));
        story.policy().first_pass = day(10);
        story.act(day(9), ActKind::Reset);
        since(&story, day(9), day(10));
    }
}

#[test]
fn a_sign_in_made_while_enabled_opens_a_window_that_is_paused_at_once() {
    let mut story = Story::default_policy();
    story.person.enabled = false;
    let decision = story.sign_in(hour(0, 8), 0).pass(hour(0, 9));
    assert_eq!(decision.state, State::Disabled);
    assert_eq!(
        story.events(),
        ["d0+9h window.opened 0d", "d0+9h window.paused"]
    );
    assert_eq!(story.mails(), Vec::<String>::new());
    story.person.enabled = true;
    assert_eq!(story.pass(day(5)).state, State::InGrace);
    assert_eq!(story.mails(), ["d5 window.resumed"]);
}

#[test]
fn a_disabled_person_gets_no_window_where_nobody_would() {
    let stop: [Change; 2] = [
        |story| story.policy().enforce = Enforce::Off,
        |story| {
            story.act(day(0), ActKind::Close);
        },
    ];
    for stop in stop {
        let mut story = Story::default_policy();
        story.person.enabled = false;
        stop(&mut story);
        let decision = story.sign_in(hour(0, 8), 0).pass(hour(0, 9));
        assert_eq!(decision.state, State::Disabled);
        assert_eq!(decision.standing.window, GraceWindow::default());
    }
}

// Rule 7.2: deadlines.

#[test]
fn an_untold_deadline_keeps_its_distance_until_it_is_told() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    let deadlines: Vec<_> = [0, 11, 12, 20]
        .map(|number| {
            story.sign_ins.clear();
            story.sign_in(day(0), 0);
            story.pass(day(number)).deadline.unwrap()
        })
        .to_vec();
    assert_eq!(deadlines, [14, 14, 15, 23].map(day));
    story.accept_what_waits(day(21));
    assert_eq!(story.pass(day(22)).deadline, Some(day(24)));
    assert_eq!(
        story.pass(day(23)).deadline,
        Some(day(24)),
        "told, and kept"
    );
}

#[test]
fn earlier_evidence_moves_an_untold_deadline_with_all_it_was_given() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    story.sign_in(day(2), 0).pass(day(2));
    story.policy().window = days(20);
    assert_eq!(story.pass(day(3)).deadline, Some(day(22)));
    assert_eq!(
        story.sign_in(day(0), 0).pass(day(4)).deadline,
        Some(day(20))
    );
}

#[test]
fn a_window_of_no_length_ends_with_its_notice() {
    let mut policy = policy("now");
    policy.window = days(0);
    policy.min_notice = days(0);
    let mut story = Story::new(policy);
    let told = story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(
        (told.state, told.deadline),
        (State::OverdueChecking, Some(day(0)))
    );
    assert_eq!(story.pass(hour(0, 1)).state, State::EnforcementNeeded);
}

#[test]
fn strict_counts_from_the_opening_told_or_not() {
    let mut policy = policy("strict");
    policy.strict = true;
    let mut story = Story::new(policy);
    story.server = Server::Silent;
    assert_eq!(
        story.sign_in(day(0), 0).pass(day(13)).deadline,
        Some(day(14))
    );
    assert_eq!(story.pass(day(14)).state, State::EnforcementNeeded);
    assert_eq!(
        story.mails(),
        ["d13 window.opened 0d", "d14 enforcement.needed"]
    );
}

/// The deadline had passed when the window was first seen, and no mail can name it.
#[test]
fn strict_announces_no_deadline_that_has_passed() {
    let mut policy = policy("strict");
    policy.strict = true;
    let mut story = Story::new(policy);
    story.sign_in(day(0), 0).report(day(1), Level::Missing);
    let decision = story.without_reports().pass(day(20));
    assert_eq!(decision.state, State::OverdueChecking);
    let unsaid = |decision: &Decision| {
        let mut reasons = decision.reasons.iter();
        reasons.any(|reason| reason.text.ends_with("no mail names it"))
    };
    assert!(unsaid(&decision), "{:?}", decision.reasons);
    assert!(!unsaid(&story.daily(21..=25)));
    assert_eq!(story.mails(), [""; 0]);
    assert_eq!(story.events(), ["d20 window.opened 0d"]);
    story.reports_say(Level::Missing);
    assert_eq!(story.pass(day(26)).state, State::EnforcementNeeded);
    assert_eq!(story.mails(), ["d26 enforcement.needed"]);
}

#[test]
fn strict_gives_up_announcing_once_the_deadline_has_passed() {
    let mut policy = policy("strict");
    policy.strict = true;
    let mut story = Story::new(policy);
    story.server = Server::Silent;
    story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(story.sent[0].1.not_after, Some(day(14)));
    story.deliveries[0].outcome = DeliveryOutcome::Dropped(day(14));
    story.without_reports();
    let decision = story.pass(day(16));
    assert_eq!(decision.state, State::OverdueChecking);
    assert_eq!(story.mails(), ["d0 window.opened 0d"]);
}

/// The extension is over before a pass comes to it: the flag goes and is raised in one pass, and one mail says so.
#[test]
fn an_extension_that_has_passed_leads_to_one_mail_about_the_flag() {
    let mut story = flagged();
    let before = story.mails().len();
    story.act(day(15), ActKind::Extend { days: 1 });
    assert_eq!(story.pass(day(20)).state, State::EnforcementNeeded);
    assert_eq!(story.mails()[before..], ["d20 enforcement.needed"]);
}

/// A longer window that still does not reach the present.
#[test]
fn a_move_into_the_past_is_not_told() {
    let mut story = opened();
    story.daily(1..=13);
    story.without_reports().pass(day(20));
    story.policy().window = days(16);
    let decision = story.pass(day(21));
    assert_eq!(decision.deadline, Some(day(16)));
    assert!(says(&decision, ReasonCode::StepOvertaken));
    assert!(!story.mails().iter().any(|mail| mail.contains("extended")));
}

#[test]
fn strict_flags_through_an_outage_of_mail_and_nobody_else_does() {
    for (strict, state) in [
        (false, State::OverdueChecking),
        (true, State::EnforcementNeeded),
    ] {
        let mut story = opened();
        story.daily(1..=13);
        story.policy().strict = strict;
        story.world.channel = Channel::Down;
        assert_eq!(story.pass(day(14)).state, state);
    }
}

#[test]
fn strict_still_waits_for_fresh_proof_and_for_blocked_registrations() {
    let mut policy = policy("strict");
    policy.strict = true;
    let mut story = Story::new(policy);
    story
        .sign_in(day(0), 0)
        .sign_in(day(13), 53004)
        .daily(0..=13);
    story.without_reports();
    let decision = story.pass(hour(14, 1));
    assert_eq!(
        decision.waits,
        [Wait::Proof(day(14)), Wait::Blocked(day(16))]
    );
}

#[test]
fn a_strict_return_has_just_what_was_left() {
    let mut policy = policy("strict");
    policy.strict = true;
    let mut story = Story::new(policy);
    story.sign_in(day(0), 0).daily(0..=12);
    story.person.enabled = false;
    story.pass(day(13));
    story.person.enabled = true;
    assert_eq!(story.pass(day(20)).deadline, Some(day(21)));
}

#[test]
fn only_growth_beyond_the_longest_length_moves_a_window() {
    let mut story = opened();
    let deadlines: Vec<_> = [14, 20, 30, 14, 30]
        .iter()
        .zip(1..)
        .map(|(&length, number)| {
            story.policy().window = days(length);
            story.pass(day(number)).deadline.unwrap()
        })
        .collect();
    assert_eq!(deadlines, [14, 20, 30, 30, 30].map(day));
    assert_eq!(story.mails().len(), 3, "{:?}", story.mails());
}

#[test]
fn growth_adds_to_a_paused_remainder_before_the_floor() {
    let mut story = opened();
    story.daily(1..=13);
    story.person.enabled = false;
    assert_eq!(story.pass(day(13)).remaining, Some(days(1)));
    story.policy().window = days(20);
    let mut both_at_once = story.clone();
    assert_eq!(story.pass(day(15)).remaining, Some(days(7)));
    for story in [&mut story, &mut both_at_once] {
        story.person.enabled = true;
        assert_eq!(story.pass(day(16)).deadline, Some(day(23)));
    }
}

#[test]
fn a_shorter_window_takes_nothing_from_a_paused_remainder() {
    let mut story = opened();
    story.person.enabled = false;
    story.pass(day(4));
    story.policy().window = days(7);
    assert_eq!(story.pass(day(5)).remaining, Some(days(10)));
}

#[test]
fn growth_says_by_how_much() {
    let mut story = opened();
    story.policy().window = days(20);
    let decision = story.pass(day(1));
    let grew = decision
        .reasons
        .iter()
        .find(|reason| reason.code == ReasonCode::WindowLengthened);
    assert_eq!(grew.unwrap().text, "the configured window grew by 6 d");
}

#[test]
fn growth_leaves_a_standing_flag() {
    let mut story = flagged();
    story.policy().window = days(30);
    assert_eq!(story.pass(day(15)).state, State::EnforcementNeeded);
    assert_eq!(story.decisions[0].deadline, Some(day(14)));
    // `window extend` is for that, and gives what the operator says and no more.
    story.act(day(20), EXTEND_5);
    assert_eq!(story.pass(day(20)).deadline, Some(day(25)));
}

// Rules 7.2, 7.11 and R8: people nobody can reach.

#[test]
fn without_an_address_the_present_is_when_a_message_fell_due() {
    let mut story = Story::default_policy();
    story.person.mail = None;
    story.sign_in(day(0), 0).pass(hour(12, 0));
    assert_eq!(unreachable(&story), Some(day(12)));
    let unreached = Unreached {
        since: day(12),
        flagged_from: Some(day(22)),
    };
    assert_eq!(story.decisions[0].unreached, Some(unreached));
    assert_eq!(story.daily(13..=14).deadline, Some(day(15)));
    // The seven days are said before the deadline, and not only once it has passed.
    let said = format!(
        "there is no address: not flagged before {}, seven days after the deadline",
        day(22)
    );
    let reasons = &story.decisions[0].reasons;
    assert!(
        reasons.iter().any(|reason| reason.text == said),
        "{reasons:?}"
    );
    assert_eq!(story.daily(15..=21).deadline, Some(day(15)));
    assert_eq!(story.decisions[0].waits, [Wait::Unreachable(day(22))]);
    assert_eq!(story.pass(day(22)).state, State::EnforcementNeeded);
}

#[test]
fn who_signed_in_before_the_policy_began_is_told_so() {
    let mut story = Story::default_policy();
    story.policy().since = day(3);
    story.sign_in(day(1), 0);
    let decision = story.pass(day(4));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    let reason = decision.reasons.iter();
    let reason = reason.filter(|reason| reason.code == ReasonCode::NeverSignedIn);
    let said = format!(
        "signed in at {}, before the person was in scope on {}; the next sign-in opens the window",
        day(1),
        day(3)
    );
    let texts: Vec<&str> = reason.map(|reason| reason.text.as_str()).collect();
    assert_eq!(texts, [said]);
}

#[test]
fn operators_hear_once_of_whom_nobody_can_reach_and_not_in_a_rehearsal() {
    let mut story = Story::default_policy();
    story.person.mail = None;
    story.policy().enforce = Enforce::ReportOnly;
    story.sign_in(day(0), 0).daily(0..=1);
    assert_eq!(unreachable(&story), Some(day(0)));
    assert_eq!(story.told_operators, [""; 0]);
    // What was only rehearsed is told now.
    story.policy().enforce = Enforce::On;
    story.daily(2..=5);
    assert_eq!(
        story.told_operators,
        [
            "ana@contoso.com (ana): there is no address; flagged from Monday, 26 January 2026, 00:00 UTC on, \
             unless a mail is accepted or the person registers before"
        ]
    );
}

#[test]
fn operators_hear_of_the_day_of_the_flag_again_for_each_window_that_nobody_can_be_told_of() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.witnessed = true;
    story.sign_in(day(0), 0).daily(0..=3);
    assert_eq!(
        story.told_operators, [""; 0],
        "the mail that was their witness said so"
    );
    story.act(day(3), ActKind::Reset).pass(day(4));
    story.sign_in(day(5), 0).daily(5..=9);
    assert_eq!(
        story.told_operators,
        [
            "ana@contoso.com (ana): the address was refused; flagged from Saturday, 31 January 2026, 00:00 UTC on, \
             unless a mail is accepted or the person registers before"
        ]
    );
}

#[test]
fn an_address_found_is_told_at_once_and_a_lost_one_changes_nothing() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).daily(0..=1);
    assert_eq!(unreachable(&story), Some(day(0)));
    story.person.mail = None;
    story.pass(day(2));
    assert_eq!(unreachable(&story), Some(day(0)));
    story.person.mail = Some("ana@example.org".to_owned());
    story.server = Server::Accepts;
    story.pass(day(3));
    story.pass(day(4));
    assert_eq!(unreachable(&story), None);
    assert_eq!(
        story.mails(),
        ["d0 window.opened 0d", "d3 window.opened 0d"]
    );
    let keys: Vec<String> = story
        .sent
        .iter()
        .map(|(_, mail)| mail.key(&story.person.id))
        .collect();
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn an_address_that_changes_as_it_refuses_is_told_at_once() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.policy().reminders = vec![step("0d")];
    story.sign_in(day(0), 0).pass(day(0));
    story.person.mail = Some("ana@example.org".to_owned());
    story.server = Server::Accepts;
    story.daily(1..=2);
    assert_eq!(
        story.mails(),
        ["d0 window.opened 0d", "d1 window.opened 0d"]
    );
}

#[test]
fn who_was_told_and_has_no_address_any_more_is_not_unreachable() {
    let mut story = opened();
    story.daily(1..=6);
    story.person.mail = None;
    assert!(!says(&story.pass(day(7)), ReasonCode::Unreachable));
    assert_eq!(unreachable(&story), None);
}

#[test]
fn a_refused_person_is_tried_again_by_the_next_step() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).daily(0..=7);
    assert_eq!(
        story.mails(),
        ["d0 window.opened 0d", "d7 window.reminder -7d"]
    );
    assert!(story.sent[1].1.announces);
}

#[test]
fn whose_newest_row_cannot_be_believed_is_told_and_not_flagged() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).daily(0..=10);
    story.person.presence = Presence::Unsure;
    let decision = story.daily(11..=20);
    assert_eq!(decision.waits, [Wait::RowUnbelieved]);
    assert_eq!(story.mails().len(), 4, "reminders go on");
    story.person.presence = Presence::Present;
    assert_eq!(story.pass(day(21)).state, State::EnforcementNeeded);
}

#[test]
fn an_outage_holds_even_those_nobody_can_reach() {
    let mut story = Story::default_policy();
    story.person.mail = None;
    story.sign_in(day(0), 0).daily(0..=20);
    story.world.channel = Channel::Down;
    let decision = story.daily(21..=30);
    assert_eq!(decision.waits, [Wait::ChannelDown]);
    story.world.channel = Channel::Works;
    assert_eq!(story.pass(day(31)).state, State::EnforcementNeeded);
}

#[test]
fn without_mail_an_address_makes_no_difference() {
    let mut story = Story::default_policy();
    story.world.channel = Channel::None;
    story.person.mail = None;
    let decision = story.sign_in(day(0), 0).daily(0..=40);
    assert_eq!(unreachable(&story), None);
    assert_eq!(
        decision.deadline,
        Some(day(43)),
        "nobody was told by webhook either"
    );
    assert_eq!(story.mails(), Vec::<String>::new());
}

#[test]
fn a_refusal_is_forgotten_once_mail_is_configured_no_more() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).daily(0..=5);
    story.world.channel = Channel::None;
    assert_eq!(story.daily(6..=40).deadline, Some(day(43)));
    assert_eq!(unreachable(&story), None);
}

// Rule 7.11: a webhook as notice, where no mail is configured.

fn by_webhook() -> Story {
    let mut story = Story::default_policy();
    story.world.notice_by = NoticeBy::Webhook;
    story.person.mail = None;
    story
}

#[test]
fn an_accepted_webhook_is_notice_and_leads_to_the_flag() {
    let mut story = by_webhook();
    let decision = story.sign_in(day(0), 0).daily(0..=14);
    assert_eq!(decision.state, State::EnforcementNeeded);
    assert_eq!(
        story.events(),
        [
            "d0 window.opened 0d",
            "d7 window.reminder -7d",
            "d11 window.reminder -3d",
            "d13 window.reminder -1d",
            "d14 enforcement.needed",
        ]
    );
    assert_eq!(story.mails(), Vec::<String>::new());
    assert_eq!(story.told_operators, Vec::<String>::new());
}

#[test]
fn a_webhook_fixes_the_later_of_what_it_names_and_its_acceptance_plus_the_notice() {
    for (accepted, deadline) in [(0, 14), (10, 14), (12, 15), (20, 23)] {
        let mut story = by_webhook();
        story.server = Server::Silent;
        story.policy().reminders = vec![step("0d")];
        story.sign_in(day(0), 0).daily(0..=accepted);
        story.accept_webhooks(day(accepted));
        let decision = story.daily(accepted..=accepted + 1);
        assert_eq!(decision.deadline, Some(day(deadline)), "day {accepted}");
        let before = story.daily(accepted + 2..=deadline - 1);
        assert_ne!(before.state, State::EnforcementNeeded, "day {accepted}");
        assert_eq!(story.pass(day(deadline)).state, State::EnforcementNeeded);
    }
}

#[test]
fn a_window_that_grew_while_its_webhook_waited_keeps_what_it_gained() {
    let mut story = by_webhook();
    story.server = Server::Silent;
    story.sign_in(day(0), 0).pass(day(0));
    story.policy().window = days(20);
    story.pass(day(1));
    story.accept_webhooks(day(2));
    assert_eq!(story.pass(day(2)).deadline, Some(day(20)));
}

#[test]
fn a_webhook_that_nobody_takes_is_no_unreachable_person() {
    for server in [Server::Silent, Server::RefusesForGood] {
        let mut story = by_webhook();
        story.server = server;
        let decision = story.sign_in(day(0), 0).daily(0..=60);
        assert_eq!(unreachable(&story), None);
        assert_eq!(decision.waits, []);
        assert_eq!(decision.deadline, Some(day(63)), "it moves on untold");
        assert!(!story.happened(EventKind::EnforcementNeeded));
    }
}

#[test]
fn an_announcement_that_came_to_nothing_is_made_again_each_time_a_day_later_still() {
    for (mut story, server) in [
        (by_webhook(), Server::RefusesForGood),
        (by_webhook(), Server::Loses),
        (Story::default_policy(), Server::Loses),
    ] {
        story.server = server;
        story.policy().reminders = vec![step("0d")];
        story.sign_in(day(0), 0).daily(0..=16);
        let told: Vec<Timestamp> = match story.world.notice_by {
            NoticeBy::Mail => story.sent.iter().map(|(at, _)| *at).collect(),
            NoticeBy::Webhook => story.journal.iter().map(|(at, ..)| *at).collect(),
        };
        assert_eq!(told, [0, 1, 3, 6, 10, 15].map(day), "{server:?}");
        assert_eq!(next(&mut story, 17), (day(20), NextAction::Deadline));
        story.server = Server::Accepts;
        assert_ne!(story.daily(18..=23).state, State::EnforcementNeeded);
        assert_eq!(story.pass(day(24)).state, State::EnforcementNeeded);
    }
}

#[test]
fn an_announcement_that_came_to_nothing_is_left_to_a_step_that_tells_early_enough() {
    let mut story = by_webhook();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).daily(0..=13);
    assert_eq!(
        story.events(),
        [
            "d0 window.opened 0d",
            "d7 window.reminder -7d",
            "d11 window.opened 0d",
        ]
    );
    story.server = Server::Accepts;
    assert_eq!(story.daily(14..=17).state, State::EnforcementNeeded);
    assert_eq!(
        story.events()[3..],
        [
            "d14 window.opened 0d",
            "d16 window.reminder -1d",
            "d17 enforcement.needed"
        ]
    );
}

#[test]
fn nothing_is_announced_anew_while_the_way_is_closed() {
    let mut story = by_webhook();
    story.server = Server::Loses;
    story.policy().reminders = vec![step("0d")];
    story.sign_in(day(0), 0).pass(day(0));
    story.world.channel = Channel::Down;
    story.daily(1..=20);
    assert_eq!(story.events(), ["d0 window.opened 0d"]);
    story.world.channel = Channel::Works;
    story.pass(day(21));
    assert_eq!(story.events()[1..], ["d21 window.opened 0d"]);
}

#[test]
fn a_mail_that_waits_where_mail_is_no_longer_the_way_is_no_announcement() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    story.policy().reminders = vec![step("0d")];
    story.sign_in(day(0), 0).daily(0..=3);
    story.world.notice_by = NoticeBy::Webhook;
    story.server = Server::Accepts;
    assert_eq!(story.daily(4..=13).state, State::DueSoon);
    assert_eq!(story.events()[1..], ["d4 window.opened 0d"]);
    assert_eq!(story.pass(day(14)).state, State::EnforcementNeeded);
}

#[test]
fn an_outage_of_the_endpoint_holds_those_who_were_told() {
    let mut story = by_webhook();
    story.sign_in(day(0), 0).daily(0..=13);
    story.world.channel = Channel::Down;
    assert_eq!(story.daily(14..=20).waits, [Wait::ChannelDown]);
    story.world.channel = Channel::Works;
    assert_eq!(story.pass(day(21)).state, State::EnforcementNeeded);
}

#[test]
fn without_0d_a_webhook_says_all_the_same_that_a_window_opened() {
    for enforce in [Enforce::On, Enforce::ReportOnly] {
        let mut story = by_webhook();
        story.policy().enforce = enforce;
        story.policy().reminders = vec![step("-7d")];
        story.sign_in(day(0), 0).daily(0..=3);
        assert_eq!(story.events(), ["d0 window.opened 0d"]);
        let run = story.decisions[0].standing.window.run().unwrap();
        assert_eq!(run.told.map(|told| told.at), Some(day(0)), "{enforce:?}");
    }
}

#[test]
fn a_window_from_before_the_endpoint_is_announced_once_it_is_there() {
    let mut story = by_webhook();
    story.world.notice_by = NoticeBy::Mail;
    story.world.channel = Channel::None;
    story.policy().reminders = vec![step("0d")];
    story.sign_in(day(0), 0).daily(0..=20);
    story.world.notice_by = NoticeBy::Webhook;
    story.world.channel = Channel::Works;
    story.daily(21..=23);
    assert_eq!(
        story.events(),
        ["d0 window.opened 0d", "d21 window.opened 0d"]
    );
    let keys: std::collections::BTreeSet<String> = story
        .journal
        .iter()
        .map(|(_, policy, event)| event.key(policy, &story.person.id))
        .collect();
    assert_eq!(keys.len(), 2, "two events, two ids: {keys:?}");
    assert_eq!(story.pass(day(24)).state, State::EnforcementNeeded);
}

#[test]
fn an_accepted_webhook_is_notice_of_its_own_policy_alone() {
    let mut story = Story::under(vec![policy("admins"), policy("everyone")]);
    story.world.notice_by = NoticeBy::Webhook;
    story.sign_in(day(0), 0).pass(day(0));
    story
        .deliveries
        .retain(|fact| fact.policy == policy("admins").name);
    let told: Vec<bool> = {
        story.pass(day(1));
        let runs = story.decisions.iter().map(|one| one.standing.window.run());
        runs.map(|run| run.unwrap().told.is_some()).collect()
    };
    assert_eq!(told, [true, false]);
}

#[test]
fn what_a_switch_from_on_takes_back_was_no_rehearsal() {
    for (to, kinds) in [
        (
            Enforce::ReportOnly,
            vec![
                ("enforcement.released", false),
                ("enforcement.needed", true),
            ],
        ),
        (
            Enforce::Off,
            vec![("enforcement.released", false), ("window.paused", false)],
        ),
    ] {
        let mut story = by_webhook();
        story.sign_in(day(0), 0).daily(0..=14);
        let before = story.journal.len();
        story.policy().enforce = to;
        story.pass(day(15));
        let told: Vec<(&str, bool)> = story.journal[before..]
            .iter()
            .map(|(_, _, event)| (event.kind.as_str(), event.rehearsed))
            .collect();
        assert_eq!(told, kinds, "{to:?}");
    }
    let mut story = by_webhook();
    story.policy().enforce = Enforce::ReportOnly;
    story.sign_in(day(0), 0).daily(0..=14);
    story.policy().enforce = Enforce::Off;
    story.pass(day(15));
    assert!(story.journal.iter().all(|(_, _, event)| event.rehearsed));
}

// Rules 7.3 and 7.18: returns, moves, and their messages.

#[test]
fn a_return_is_untold_until_a_message_sent_after_it_is_accepted() {
    let mut story = opened();
    story.daily(1..=10);
    story.server = Server::Silent;
    story.pass(day(11));
    story.person.enabled = false;
    story.pass(day(12));
    story.person.enabled = true;
    assert_eq!(
        story.pass(day(20)).deadline,
        Some(day(23)),
        "2 d left, but 3 d notice"
    );
    // The reminder of day 11 is accepted by a slow server: it says nothing of the return.
    story.deliveries[2].outcome = DeliveryOutcome::Accepted(day(21));
    assert_eq!(story.pass(day(22)).deadline, Some(day(25)));
    story.accept_what_waits(day(22));
    assert_eq!(story.pass(day(23)).deadline, Some(day(25)));
    assert!(says(&story.decisions[0], ReasonCode::NoticeGiven));
}

#[test]
fn steps_start_anew_after_a_move_and_their_keys_differ() {
    let mut story = opened();
    story.daily(1..=12);
    story.act(day(12), EXTEND_5);
    story.daily(13..=19);
    assert_eq!(
        story.mails(),
        [
            "d0 window.opened 0d",
            "d7 window.reminder -7d",
            "d11 window.reminder -3d",
            "d13 window.extended",
            "d16 window.reminder -3d",
            "d18 window.reminder -1d",
            "d19 enforcement.needed",
        ]
    );
    let keys: std::collections::BTreeSet<String> = story
        .sent
        .iter()
        .map(|(_, mail)| mail.key(&story.person.id))
        .collect();
    assert_eq!(keys.len(), 7);
    let moves: Vec<u32> = story
        .journal
        .iter()
        .filter(|(_, _, event)| event.step == Some(step("-3d")))
        .map(|(_, _, event)| event.moves)
        .collect();
    assert_eq!(moves, [0, 1]);
}

#[test]
fn without_0d_the_first_due_reminder_gives_the_notice() {
    let mut story = Story::default_policy();
    story.policy().reminders = vec![step("-7d"), step("-3d")];
    story.sign_in(day(0), 0).daily(0..=14);
    assert_eq!(
        story.mails(),
        [
            "d7 window.reminder -7d",
            "d11 window.reminder -3d",
            "d14 enforcement.needed"
        ]
    );
    assert_eq!(story.events()[0], "d0 window.opened 0d");
}

// Rules T4 and T5.

#[test]
fn bypasses_count_while_the_clock_runs_and_nobody_is_flagged() {
    let mut story = opened();
    story.sign_in(day(1), 0).sign_in(day(1), 50072).pass(day(1));
    let bypasses = |story: &Story| window(story).run().unwrap().bypasses;
    assert_eq!(bypasses(&story), 2);
    story.policy().enforce = Enforce::Off;
    story.sign_in(day(2), 0).pass(day(2));
    story.sign_in(day(3), 0);
    story.policy().enforce = Enforce::On;
    story.pass(day(4));
    assert_eq!(bypasses(&story), 2, "the clock stood still");
    story.sign_in(hour(4, 1), 0).pass(day(5));
    assert_eq!(bypasses(&story), 3);
    assert_eq!(story.daily(6..=30).state, State::EnforcementNeeded);
    story.sign_in(day(31), 0).pass(day(31));
    assert_eq!(bypasses(&story), 3);
}

// Rule T6.

#[test]
fn thanks_go_to_those_who_were_told() {
    for (server, mails) in [(Server::Accepts, 2), (Server::Silent, 1)] {
        let mut story = Story::default_policy();
        story.server = server;
        story.sign_in(day(0), 0).pass(day(0));
        story.reports_say(Level::Capable).pass(day(1));
        assert!(story.happened(EventKind::UserRegistered));
        assert_eq!(story.sent.len(), mails, "{server:?}");
    }
}

// Rules T7 and 7.12.

/// Hours from and to.
type Spans = &'static [(i64, i64)];

/// Until when events at these hours after the opening hold, by looking hour by hour.
fn held_hours(events: &[i64]) -> Vec<i64> {
    let mut story = opened();
    for &at in events {
        story.audit(hour(0, at), AuditKind::Registered);
    }
    (0..200)
        .filter(|&at| story.look(hour(0, at)).state == State::RegistrationReported)
        .collect()
}

#[test]
fn events_hold_a_day_each_and_three_days_in_all() {
    let table: [(&[i64], Spans); 8] = [
        (&[], &[]),
        (&[10], &[(10, 34)]),
        (&[10, 20], &[(10, 44)]),
        (&[10, 40], &[(10, 34), (40, 64)]),
        (&[0, 24, 48, 72], &[(0, 72)]),
        (&[0, 30, 60, 90], &[(0, 24), (30, 54), (60, 84)]),
        // Registered shortly before the opening: held all the same.
        (&[-10], &[(0, 14)]),
        (&[-24], &[]),
    ];
    for (events, held) in table {
        let hours: Vec<i64> = held.iter().flat_map(|&(from, to)| from..to).collect();
        assert_eq!(held_hours(events), hours, "{events:?}");
    }
}

#[test]
fn a_hint_holds_messages_and_the_latest_step_follows_when_it_ends() {
    let mut story = opened();
    story.daily(1..=6);
    story.audit(hour(6, 12), AuditKind::Registered);
    story.pass(day(7));
    assert_eq!(story.mails(), ["d0 window.opened 0d"]);
    story.pass(hour(7, 12));
    assert_eq!(story.mails()[1..], ["d7+12h window.reminder -7d"]);
}

#[test]
fn a_hint_holds_the_announcement_of_a_window_that_is_dated_ahead() {
    let mut story = Story::default_policy();
    let minutes = SignedDuration::from_mins;
    story.audit(day(1), AuditKind::Registered);
    story.sign_in(day(2) + minutes(1), 0);
    let held = story.pass(day(2) - minutes(2));
    let next = held.next.unwrap();
    assert_eq!((next.at, next.action), (day(2), NextAction::WaitEnds));
    assert_eq!(story.mails(), Vec::<String>::new());
    story.pass(day(2));
    assert_eq!(story.mails(), ["d2 window.opened 0d"]);
}

// Rules T11, T12, T13, T14, T15, 7.3 and 7.5: leaving and coming back.

#[test]
fn whoever_leaves_is_released_in_the_same_pass() {
    let leave: [(bool, Change); 6] = [
        (false, |story| {
            story.policy().assignment.exclude = users(&["ana"]);
        }),
        (true, |story| {
            story.policy().assignment.include = Include::default();
        }),
        (true, |story| story.policy().enforce = Enforce::Off),
        (false, |story| story.person.enabled = false),
        (false, |story| {
            story.person.presence = Presence::Gone { at: day(15) };
        }),
        (true, |story| {
            story.act(day(15), ActKind::Close);
        }),
    ];
    for (is_told, leaves) in leave {
        let mut story = flagged();
        leaves(&mut story);
        let decision = story.pass(day(15));
        assert_eq!(
            decision.standing.enforcement,
            Enforcement::Released { at: day(15) }
        );
        assert_eq!(
            (decision.deadline, decision.remaining),
            (None, Some(days(0)))
        );
        assert_eq!(
            story.events()[5..],
            ["d15 enforcement.released", "d15 window.paused"]
        );
        assert_eq!(story.sent.len(), 5 + usize::from(is_told));
    }
}

#[test]
fn who_left_an_exclusion_is_flagged_after_two_snapshots_and_a_new_notice() {
    let mut story = flagged();
    story.policy().assignment.exclude = users(&["ana"]);
    story.pass(day(15));
    story.policy().assignment.exclude = users(&[]);
    let back = story.pass(day(16));
    assert_eq!((back.state, back.deadline), (State::DueSoon, Some(day(19))));
    story.fresh = false;
    story.world.freshness.users = days(30);
    story.world.freshness.sign_ins = days(30);
    let waiting = story.daily(17..=20);
    assert_eq!(waiting.waits, [Wait::LeftExclusion(day(17))]);
    story.world.users = Some(day(17));
    assert_eq!(story.pass(day(20)).state, State::EnforcementNeeded);
}

#[test]
fn who_left_an_exclusion_waits_for_groups_of_a_day_later_where_the_policy_names_any() {
    for (named, waits) in [(true, true), (false, false)] {
        let mut story = flagged();
        let others = if named {
            groups(&["others"])
        } else {
            users(&[])
        };
        story.policy().assignment.exclude = users(&["ana"]);
        story.pass(day(15));
        story.policy().assignment.exclude = others;
        // The users were read most of a day before the groups that say it.
        story.fresh = false;
        story.world.freshness.sign_ins = days(30);
        story.world.users = Some(hour(15, 1));
        story.world.groups = Some(day(16));
        story.pass(day(16));
        story.world.users = Some(day(20));
        story.world.groups = Some(hour(16, 1));
        let decision = story.pass(day(20));
        let expected: &[Wait] = if waits {
            &[Wait::LeftExclusion(day(17))]
        } else {
            &[]
        };
        assert_eq!(decision.waits, expected, "{named}");
        story.world.groups = Some(day(17));
        assert_eq!(story.pass(day(20)).state, State::EnforcementNeeded);
    }
}

#[test]
fn strict_lets_who_left_an_exclusion_have_two_readings_a_day_apart_and_the_minimum_notice() {
    let mut story = flagged();
    story.policy().strict = true;
    story.policy().assignment.exclude = users(&["ana"]);
    story.pass(day(15));
    story.policy().assignment.exclude = users(&[]);
    story.fresh = false;
    story.world.freshness.sign_ins = days(30);
    // The users export of an hour after the passing of 24 h since the one of yesterday.
    story.world.users = Some(hour(15, 1));
    let back = story.pass(day(16));
    assert_eq!(back.waits, [Wait::LeftExclusion(hour(16, 1))]);
    story.world.users = Some(hour(16, 1));
    let waiting = story.pass(hour(16, 1));
    assert_eq!(waiting.waits, [Wait::Notice(Some(day(19)))]);
    story.world.users = Some(day(19));
    assert_eq!(story.pass(day(19)).state, State::EnforcementNeeded);
}

#[test]
fn who_comes_back_from_being_disabled_was_not_left_out_by_the_reports() {
    let mut story = opened();
    story.pass(day(1));
    story.person.enabled = false;
    story.without_reports().report_without(day(2)).pass(day(2));
    story.report_without(day(8)).pass(day(8));
    story.person.enabled = true;
    story.report_without(day(9)).pass(day(9));
    assert_eq!(story.told_operators, [""; 0]);
    story.report_without(hour(10, 23)).pass(hour(10, 23));
    assert_eq!(story.told_operators, [""; 0]);
    // From then on they do.
    story.report_without(day(11)).pass(day(11));
    assert_eq!(story.told_operators.len(), 1);
}

#[test]
fn an_exclusion_made_and_taken_back_while_somebody_is_gone_is_still_doubted() {
    let mut story = Story::default_policy();
    story.pass(day(0));
    story.person.presence = Presence::Gone { at: day(1) };
    story.policy().assignment.exclude = users(&["ana"]);
    story.pass(day(1));
    story.policy().assignment.exclude = users(&[]);
    story.pass(day(2));
    story.person.presence = Presence::Present;
    let decision = story.pass(day(3));
    assert_eq!(decision.standing.left_exclusion, Some(day(3)));
}

#[test]
fn leaving_an_exclusion_by_a_reset_is_still_doubted() {
    let mut story = opened();
    story.policy().assignment.exclude = users(&["ana"]);
    story.pass(day(1));
    story.policy().assignment.exclude = users(&[]);
    let decision = story.act(day(2), ActKind::Reset).pass(day(3));
    assert_eq!(decision.standing.left_exclusion, Some(day(3)));
}

// Rules T16, T17, 7.4 and 7.5: losses.

/// Audit events and their times.
type Events = &'static [(i64, AuditKind)];

/// Registered on day 10 with 4 days left, and from then on missing in every report.
fn registered_and_missing() -> Story {
    let mut story = opened();
    story.reports_say(Level::Capable).pass(day(10));
    story.reports_say(Level::Missing);
    story
}

#[test]
fn a_loss_gives_the_remainder_or_a_full_window() {
    use AuditKind::{AdminDeleted, UserDeleted};
    let table: [(&str, Events, i64, i64); 6] = [
        ("two reports a day apart", &[], 12, 4),
        ("an administrator", &[(241, AdminDeleted)], 11, 14),
        ("the person", &[(241, UserDeleted)], 11, 4),
        (
            "the latest event counts",
            &[(241, UserDeleted), (242, AdminDeleted)],
            11,
            14,
        ),
        ("an event of the day before", &[(216, AdminDeleted)], 11, 14),
        (
            "an older one explains nothing",
            &[(215, AdminDeleted)],
            12,
            4,
        ),
    ];
    for (what, events, confirmed, left) in table {
        let mut story = registered_and_missing();
        for &(at, kind) in events {
            story.audit(hour(0, at), kind);
        }
        assert!(
            story.daily(11..=confirmed).state != State::Registered,
            "{what}"
        );
        let decision = story.sign_in(day(20), 0).pass(day(20));
        assert_eq!(decision.deadline, Some(day(20 + left)), "{what}");
    }
}

#[test]
fn a_loss_first_reported_while_disabled_gives_a_full_window() {
    let mut story = registered_and_missing();
    story.person.enabled = false;
    story.pass(day(11));
    story.person.enabled = true;
    story.daily(12..=13);
    let decision = story.sign_in(day(20), 0).pass(day(20));
    assert_eq!(decision.deadline, Some(day(34)));
}

#[test]
fn one_report_alone_and_reports_that_disagree_are_doubted() {
    let mut story = registered_and_missing();
    assert!(says(&story.pass(day(11)), ReasonCode::ReversalUnconfirmed));
    story.reports_say(Level::Capable).pass(hour(11, 12));
    let decision = story.reports_say(Level::Missing).pass(day(12));
    assert_eq!(
        (decision.state, decision.registered),
        (State::Registered, true)
    );
    let next = decision.next.unwrap();
    assert_eq!((next.at, next.action), (day(13), NextAction::WaitEnds));
    assert_eq!(story.pass(day(13)).state, State::WaitingFirstSignIn);
}

#[test]
fn a_loss_while_out_of_scope_keeps_out_who_was_out() {
    let table: [(Change, ScopeMemory); 2] = [
        (
            |story| story.policy().assignment.exclude = users(&["ana"]),
            ScopeMemory::Excluded,
        ),
        (
            |story| story.policy().enforce = Enforce::Off,
            ScopeMemory::Out,
        ),
    ];
    for (leaves, memory) in table {
        let mut story = registered_and_missing();
        leaves(&mut story);
        let decision = story.daily(11..=12);
        assert_eq!(decision.standing.scope, memory);
        assert_eq!(
            decision.standing.window,
            GraceWindow::NotOpened {
                remainder: Some(days(4))
            }
        );
    }
}

#[test]
fn a_remainder_is_never_below_the_minimum_notice() {
    let mut story = opened();
    story.daily(1..=12);
    story.reports_say(Level::Capable).pass(day(13));
    story.audit(day(14), AuditKind::UserDeleted);
    story.reports_say(Level::Missing).pass(day(14));
    assert_eq!(
        *window(&story),
        GraceWindow::NotOpened {
            remainder: Some(days(3))
        }
    );
    assert_eq!(
        story.sign_in(day(15), 0).pass(day(15)).deadline,
        Some(day(18))
    );
}

#[test]
fn a_loss_without_an_earlier_window_gives_a_full_one() {
    let mut story = Story::default_policy();
    story.reports_say(Level::Capable).pass(day(0));
    story.audit(day(1), AuditKind::UserDeleted);
    story.reports_say(Level::Missing).pass(day(1));
    assert_eq!(
        story.sign_in(day(2), 0).pass(day(2)).deadline,
        Some(day(16))
    );
}

#[test]
fn sign_ins_before_a_loss_was_confirmed_do_not_count() {
    let mut story = opened();
    story
        .reports_say(Level::Capable)
        .sign_in(day(11), 0)
        .pass(day(10));
    story.audit(hour(10, 1), AuditKind::UserDeleted);
    story.reports_say(Level::Missing).pass(day(12));
    assert_eq!(story.pass(day(13)).state, State::WaitingFirstSignIn);
}

#[test]
fn an_administrator_s_reset_forgets_an_unused_remainder() {
    let mut story = opened();
    for (at, kind) in [(11, AuditKind::UserDeleted), (13, AuditKind::AdminDeleted)] {
        story.reports_say(Level::Capable).pass(day(at - 1));
        story.audit(hour(at - 1, 12), kind);
        story.reports_say(Level::Missing).pass(day(at));
    }
    assert_eq!(
        story.sign_in(day(14), 0).pass(day(14)).deadline,
        Some(day(28))
    );
}

#[test]
fn the_second_self_made_loss_within_90_days_is_told() {
    use AuditKind::{AdminDeleted, UserDeleted};
    for (losses, told) in [
        (vec![(10, UserDeleted)], 0),
        (vec![(10, UserDeleted), (100, UserDeleted)], 1),
        (vec![(10, UserDeleted), (101, UserDeleted)], 0),
        (vec![(10, AdminDeleted), (20, UserDeleted)], 0),
        (
            vec![(10, UserDeleted), (20, AdminDeleted), (30, UserDeleted)],
            1,
        ),
    ] {
        let mut story = Story::default_policy();
        for &(at, kind) in &losses {
            story.reports_say(Level::Capable).pass(day(at - 1));
            story.audit(hour(at - 1, 12), kind);
            story.reports_say(Level::Missing).pass(day(at));
        }
        assert_eq!(story.told_operators.len(), told, "{losses:?}");
        assert_eq!(
            says(&story.decisions[0], ReasonCode::RepeatedLoss),
            told == 1
        );
    }
}

#[test]
fn absent_from_the_report_the_last_known_stays() {
    let mut story = Story::default_policy();
    story.reports_say(Level::Capable).pass(day(0));
    story.without_reports().report_without(day(1));
    let decision = story.pass(day(1));
    assert_eq!(
        (decision.state, decision.registered),
        (State::Registered, true)
    );
    // Back, and no longer registered: one report is not believed.
    let decision = story.report(day(3), Level::Missing).pass(day(3));
    assert_eq!(decision.state, State::Registered);
    assert_eq!(
        story.report(day(4), Level::Missing).pass(day(4)).state,
        State::WaitingFirstSignIn
    );
    // A confirmed loss that vanishes from the report is unknown.
    assert_eq!(
        story.report_without(day(5)).pass(day(5)).state,
        State::Unknown
    );
}

#[test]
fn before_the_first_report_nobody_is_asked_and_then_whoever_is_not_registered() {
    for (level, deadline) in [(Level::Missing, Some(day(14))), (Level::Capable, None)] {
        let mut story = Story::default_policy();
        story.without_reports().sign_in(day(0), 0);
        let decision = story.pass(day(2));
        assert_eq!(decision.state, State::Unknown);
        assert_eq!((decision.deadline, &decision.effects), (None, &vec![]));
        assert!(says(&decision, ReasonCode::RegistrationUnknown));
        let decision = story.report(day(3), level).pass(day(3));
        assert_eq!(decision.deadline, deadline);
        assert_eq!(decision.effects.is_empty(), deadline.is_none());
    }
}

#[test]
fn a_method_the_policy_no_longer_accepts_opens_a_full_window_at_the_next_prompt() {
    let mut story = opened();
    story.reports_say(Level::Passwordless).pass(day(10));
    story.policy().accept_passwordless = false;
    assert_eq!(story.pass(day(11)).state, State::WaitingFirstSignIn);
    assert_eq!(
        story.sign_in(day(12), 0).pass(day(12)).deadline,
        Some(day(26))
    );
}

#[test]
fn a_method_no_longer_allowed_is_named() {
    let mut story = opened();
    story
        .without_reports()
        .row(day(1), Level::Missing, Detail::MethodNotAllowed);
    assert!(says(&story.pass(day(1)), ReasonCode::MethodNotAllowed));
}

// Rule T18: operators.

#[test]
fn extending_moves_out_from_the_later_of_deadline_and_now_and_releases() {
    let mut open = opened();
    open.act(hour(2, 1), EXTEND_5);
    assert_eq!(open.pass(day(3)).deadline, Some(day(19)));
    assert_eq!(open.mails().last().unwrap(), "d3 window.extended");

    let mut flagged = flagged();
    flagged.act(day(20), EXTEND_5);
    let decision = flagged.pass(day(20));
    assert_eq!(decision.deadline, Some(day(25)));
    assert_eq!(decision.state, State::InGrace);
    assert_eq!(
        flagged.events()[5..],
        ["d20 window.extended", "d20 enforcement.released"]
    );
    assert_eq!(flagged.daily(21..=25).state, State::EnforcementNeeded);
}

#[test]
fn extending_an_accepted_announcement_counts_from_what_it_named() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(20));
    story.act(hour(20, 6), EXTEND_5);
    assert_eq!(
        story.pass(hour(20, 7)).deadline,
        Some(day(28)),
        "told day 23, and 5 d"
    );
}

#[test]
fn extending_a_paused_window_adds_to_what_is_left() {
    let mut story = opened();
    story.person.enabled = false;
    story.pass(day(4));
    assert_eq!(
        story.act(day(5), EXTEND_5).pass(day(5)).remaining,
        Some(days(15))
    );
    assert!(!story.happened(EventKind::WindowExtended));
    story.person.enabled = true;
    assert_eq!(story.pass(day(6)).deadline, Some(day(21)));
}

#[test]
fn extending_until_a_day_moves_the_deadline_there_and_never_in() {
    let mut story = opened();
    story.act(day(4), extend_until(20));
    let decision = story.pass(day(4));
    assert_eq!(decision.deadline, Some(day(20)));
    assert_eq!(
        decision.reasons[0].text,
        format!(
            "oscar extended the window until {}: parental leave",
            day(20)
        )
    );
    assert_eq!(story.mails().last().unwrap(), "d4 window.extended");
    // The same once more says nothing, and an earlier day moves nothing.
    for until in [20, 18] {
        story.act(day(5), extend_until(until));
        let decision = story.pass(day(5));
        assert_eq!(decision.deadline, Some(day(20)));
        assert!(
            decision.reasons[0]
                .text
                .contains("but no deadline is before that")
        );
    }
    assert_eq!(story.mails(), ["d0 window.opened 0d", "d4 window.extended"]);
}

#[test]
fn extending_until_a_day_takes_a_flag_back_and_leaves_a_paused_window_alone() {
    let mut story = flagged();
    let decision = story.act(day(15), extend_until(18)).pass(day(15));
    assert_eq!(decision.deadline, Some(day(18)));
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::Released { at: day(15) }
    );
    let mut story = opened();
    story.person.enabled = false;
    story.pass(day(4));
    let decision = story.act(day(5), extend_until(30)).pass(day(5));
    assert_eq!(decision.remaining, Some(days(10)));
}

#[test]
fn extending_where_no_window_is_open_says_so() {
    let mut story = Story::default_policy();
    let decision = story.act(day(0), EXTEND_5).pass(day(0));
    let reason = &decision.reasons[0];
    assert_eq!(
        (reason.code, reason.text.as_str()),
        (
            ReasonCode::OperatorAct,
            "oscar extended by 5 days, but no window is open: parental leave"
        )
    );
    assert_eq!(story.reports_say(Level::Capable).pass(day(1)).effects, []);
}

/// These acts on somebody who has just signed in for the first time: with a pass before each of them
/// and one at the end, or with that one alone.
fn acted(acts: &[ActKind], seen: bool) -> Story {
    let mut story = Story::default_policy();
    let at = hour(0, 3);
    story.sign_in(hour(0, 1), 0);
    for act in acts {
        if seen {
            story.pass(at);
        }
        story.act(at, *act);
    }
    story.pass(at);
    story
}

#[test]
fn an_act_counts_after_the_sign_ins_before_it_whether_a_pass_saw_them_or_not() {
    use ActKind::{Close, Reopen, Reset};
    let kinds = [EXTEND_5, extend_until(30), Reset, Close, Reopen];
    let mut orders: Vec<Vec<ActKind>> = kinds.iter().map(|kind| vec![*kind]).collect();
    for _ in 0..2 {
        let longer = orders.iter().flat_map(|acts| {
            kinds.map(|kind| acts.iter().copied().chain([kind]).collect::<Vec<_>>())
        });
        orders.extend(longer.collect::<Vec<_>>());
    }
    for acts in orders {
        let [late, seen] = [false, true].map(|seen| acted(&acts, seen).decisions.remove(0));
        let of = |decision: &Decision| (decision.state, decision.deadline, decision.remaining);
        // Whoever is closed in the end gets no new window; all else is as after a pass.
        match late.state {
            State::Paused => assert_eq!((seen.state, late.remaining), (State::Paused, None)),
            _ => assert_eq!(of(&late), of(&seen), "{acts:?}"),
        }
    }
    let extended = acted(&[EXTEND_5], false);
    assert_eq!(extended.decisions[0].deadline, Some(hour(19, 1)));
    assert!(says(&extended.decisions[0], ReasonCode::OperatorAct));
    assert_eq!(extended.mails(), ["d0+3h window.extended"]);
    assert!(acted(&[EXTEND_5, Close], false).events().is_empty());
    assert!(acted(&[Reset], false).events().is_empty());
    assert!(acted(&[EXTEND_5, Reset], false).events().is_empty());
}

#[test]
fn an_act_finds_no_window_that_a_later_sign_in_opens() {
    let mut story = Story::default_policy();
    story.act(hour(0, 1), EXTEND_5).sign_in(hour(0, 2), 0);
    let decision = story.pass(hour(0, 3));
    assert_eq!(decision.deadline, Some(hour(14, 2)));
    assert!(decision.reasons[0].text.contains("but no window is open"));
}

#[test]
fn an_act_finds_what_else_was_there_before_it() {
    // An earlier sign-in that arrived late moves the deadline from which an operator counts.
    let mut earlier = Story::default_policy();
    earlier.server = Server::Silent;
    earlier.sign_in(day(3), 0).pass(day(3));
    earlier.sign_in(day(1), 0).act(day(4), EXTEND_5);
    assert_eq!(earlier.pass(day(4)).deadline, Some(day(20)));
    // Whoever has registered has no window to be extended.
    let mut registered = opened();
    registered.reports_say(Level::Capable);
    registered.act(day(1), EXTEND_5).pass(day(1));
    assert!(!registered.happened(EventKind::WindowExtended));
}

#[test]
fn a_reset_takes_all_and_a_later_sign_in_opens_a_full_window() {
    let mut story = flagged();
    let decision = story.act(day(15), ActKind::Reset).pass(day(15));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::Released { at: day(15) }
    );
    let decision = story.sign_in(day(16), 0).pass(day(16));
    assert_eq!(
        (decision.standing.sequence, decision.deadline),
        (2, Some(day(30)))
    );
    assert_eq!(story.mails().last().unwrap(), "d16 window.opened 0d");
}

#[test]
fn a_closed_window_stays_closed_until_it_is_reopened() {
    let mut story = opened();
    story.act(day(4), ActKind::Close);
    assert_eq!(story.daily(4..=40).state, State::Paused);
    assert_eq!(story.mails(), ["d0 window.opened 0d"]);
    let registered = {
        let mut story = story.clone();
        story.reports_say(Level::Capable).pass(day(40)).state
    };
    assert_eq!(registered, State::Paused);
    let decision = story.act(day(41), ActKind::Reopen).pass(day(41));
    assert_eq!(decision.deadline, Some(day(51)));
    assert_eq!(story.mails().last().unwrap(), "d41 window.resumed");
}

#[test]
fn closing_before_the_first_sign_in_keeps_a_window_from_opening() {
    let mut story = Story::default_policy();
    story.act(day(0), ActKind::Close).pass(day(0));
    story.sign_in(day(1), 0).pass(day(1));
    let reopened = story.act(day(2), ActKind::Reopen).pass(day(2));
    assert_eq!(reopened.state, State::WaitingFirstSignIn);
}

#[test]
fn a_close_counts_while_the_person_is_disabled_too() {
    let mut story = Story::default_policy();
    story.person.enabled = false;
    story.act(day(1), ActKind::Close).pass(day(1));
    story.person.enabled = true;
    story.act(day(3), ActKind::Reopen);
    let decision = story.sign_in(day(2), 0).pass(day(3));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
}

#[test]
fn an_act_for_another_policy_is_not_mine_and_each_is_applied_once() {
    let mut story = opened();
    story.act(day(1), EXTEND_5);
    story.acts[0].policy = Some(PolicyName::new("admins"));
    assert_eq!(story.pass(day(1)).deadline, Some(day(14)));
    story.act(day(2), EXTEND_5);
    assert_eq!(story.daily(2..=4).deadline, Some(day(19)));
}

// Rules T8, T9, 7.12 and 7.14: proof and blocked registrations.

#[test]
fn a_report_of_the_deadline_is_proof_and_an_older_one_is_not() {
    for (report, state) in [
        (day(14), State::EnforcementNeeded),
        (
            day(14) - SignedDuration::from_secs(1),
            State::OverdueChecking,
        ),
    ] {
        let mut story = opened();
        story.daily(1..=13);
        story.without_reports().report(report, Level::Missing);
        assert_eq!(story.pass(hour(14, 2)).state, state);
    }
}

#[test]
fn the_minimum_notice_runs_from_the_acceptance() {
    let mut story = Story::default_policy();
    story.policy().window = days(3);
    story.server = Server::Silent;
    story.sign_in(day(0), 0).daily(0..=2);
    story.accept_what_waits(hour(2, 6));
    let decision = story.pass(day(5));
    assert_eq!(
        (decision.state, decision.deadline),
        (State::DueSoon, Some(hour(5, 6)))
    );
    assert_eq!(story.pass(hour(5, 6)).state, State::EnforcementNeeded);
}

#[test]
fn a_told_deadline_still_waits_for_a_later_notice_floor() {
    let mut story = opened();
    story.policy().min_notice = days(20);
    let decision = story.daily(1..=14);
    assert_eq!(decision.waits, [Wait::Notice(Some(day(20)))]);
    assert_eq!(story.daily(15..=20).state, State::EnforcementNeeded);
}

#[test]
fn blocked_registrations_delay_seven_days_at_most_and_lift_nothing() {
    let mut story = opened();
    for number in 12..=30 {
        story.sign_in(day(number), 53010);
    }
    assert_eq!(story.daily(1..=20).state, State::OverdueChecking);
    assert_eq!(story.daily(21..=30).state, State::EnforcementNeeded);
    assert_eq!(
        story.decisions[0].standing.enforcement,
        Enforcement::Needed { at: day(21) }
    );
}

#[test]
fn whoever_lets_a_flag_go_learns_what_speaks_against_it() {
    let said = |story: &Story, at: Timestamp| {
        let decision = story.look(at);
        assert!(decision.would_flag, "{:?}", decision.waits);
        let codes: Vec<_> = decision.misgivings().iter().map(|one| one.code).collect();
        (
            codes,
            decision.held_back_by(story.world.registration.as_ref()),
        )
    };
    let mut told = opened();
    told.daily(1..=13);
    assert_eq!(said(&told, day(14)), (vec![], vec![]));
    let mut blocked = opened();
    for number in 12..=20 {
        blocked.sign_in(day(number), 53010);
    }
    blocked.daily(1..=20);
    assert_eq!(said(&blocked, day(21)).0, [ReasonCode::RegistrationBlocked]);
    let mut unreachable = Story::default_policy();
    unreachable.server = Server::RefusesForGood;
    unreachable.sign_in(day(0), 0);
    unreachable.daily(0..=20);
    assert_eq!(
        said(&unreachable, day(21)).0,
        [ReasonCode::NoticeMissing, ReasonCode::Unreachable]
    );
    // A report that may be an old one proves nothing by its own time.
    let mut doubted = opened();
    doubted.daily(1..=13);
    doubted.without_reports();
    let proof = vec![Wait::Proof(day(14))];
    for (frozen, as_of, waits) in [
        (Frozen::Copied, day(13), &proof),
        (Frozen::Copied, day(14), &vec![]),
        (Frozen::Old { newest: day(6) }, day(14), &proof),
        (
            Frozen::Overtaken {
                newest: day(11),
                event: day(12),
            },
            day(14),
            &proof,
        ),
    ] {
        doubted.world.registration = Some(ReportAge {
            as_of,
            frozen: Some(frozen),
            ..ReportAge::at(day(14))
        });
        assert_eq!(
            &said(&doubted, day(14)).1,
            waits,
            "{frozen:?} as of {as_of}"
        );
    }
}

#[test]
fn a_blocked_sign_in_that_does_not_qualify_delays_nothing() {
    let mut story = opened();
    story.sign_in_by(day(13), 53010, crate::domain::sign_in::Route::Legacy);
    assert_eq!(story.daily(1..=14).state, State::EnforcementNeeded);
}

// Rule 7.17: several policies.

fn two_policies() -> Story {
    let mut short = policy("admins");
    short.window = days(7);
    Story::under(vec![policy("everyone"), short])
}

/// Flagged under one policy in the very pass, on day 7, that opens a window under the other, which
/// no later step announces.
fn displaced(server: Server) -> Story {
    let mut story = two_policies();
    story.sign_in(day(0), 0);
    story.policies[0].enforce = Enforce::Off;
    story.daily(0..=6);
    story.policies[0].enforce = Enforce::On;
    story.policies[0].reminders = vec![Step::OPENING];
    story.server = server;
    story.sign_in(day(7), 0).pass(day(7));
    assert_eq!(story.mails()[3..], ["d7 enforcement.needed"]);
    story
}

#[test]
fn a_displaced_announcement_is_sent_when_nothing_else_tells() {
    let mut story = displaced(Server::Accepts);
    story.pass(hour(7, 1));
    story.daily(8..=9);
    let (_, mail) = story.sent.last().unwrap();
    assert_eq!(
        story.mails()[3..],
        ["d7 enforcement.needed", "d7+1h window.opened 0d"]
    );
    assert_eq!(mail.policy.as_str(), "everyone");
    assert!(says(&story.decisions[0], ReasonCode::NoticeGiven));
}

#[test]
fn a_displaced_announcement_does_not_join_a_mail_that_waits() {
    let mut story = displaced(Server::Silent);
    story.daily(8..=9);
    assert_eq!(story.mails()[3..], ["d7 enforcement.needed"]);
    story.accept_what_waits(hour(9, 1)).pass(hour(9, 2));
    assert_eq!(story.mails()[4..], ["d9+2h window.opened 0d"]);
}

#[test]
fn a_displaced_announcement_follows_the_pass_that_withdrew_the_mail_before_it() {
    let mut story = displaced(Server::Silent);
    story.policies[1].enforce = Enforce::Off;
    story.pass(day(8));
    story.pass(day(8));
    assert_eq!(story.mails()[3..], ["d7 enforcement.needed"]);
    story.pass(hour(8, 1));
    assert_eq!(story.mails()[4..], ["d8+1h window.opened 0d"]);
}

#[test]
fn a_rehearsing_policy_takes_no_notice_of_real_mail() {
    let mut story = two_policies();
    story.policies[0].enforce = Enforce::ReportOnly;
    story.policies[0].reminders = vec![step("-3d")];
    story.sign_in(day(0), 0).daily(0..=3);
    assert!(says(&story.decisions[1], ReasonCode::NoticeGiven));
    assert!(!says(&story.decisions[0], ReasonCode::NoticeGiven));
}

// Rule 7.19: report-only.

fn rehearsed() -> Story {
    let mut policy = policy("everyone");
    policy.enforce = Enforce::ReportOnly;
    let mut story = Story::new(policy);
    story.sign_in(day(0), 0).pass(day(0));
    story
}

#[test]
fn a_rehearsal_shows_all_and_sends_nothing() {
    let mut story = rehearsed();
    let told = window(&story).run().unwrap().told.unwrap();
    assert_eq!((told.at, told.deadline), (day(0), day(14)));
    let decision = story.daily(1..=14);
    assert_eq!(decision.state, State::EnforcementNeeded);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::WouldNeed { at: day(14) }
    );
    assert_eq!(story.mails(), Vec::<String>::new());
    assert!(
        story.happened(EventKind::EnforcementNeeded),
        "the journal is as if on"
    );
    story.reports_say(Level::Capable);
    assert_eq!(story.pass(day(15)).standing.enforcement, Enforcement::None);
    assert!(!story.happened(EventKind::EnforcementReleased));
}

#[test]
fn a_rehearsal_flags_whom_nobody_could_reach_seven_days_later() {
    let mut story = rehearsed();
    story.standings.clear();
    story.person.mail = None;
    assert_eq!(story.daily(0..=20).state, State::OverdueChecking);
    let decision = story.pass(day(21));
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::WouldNeed { at: day(21) }
    );
}

#[test]
fn a_rehearsal_without_mail_needs_no_address() {
    let mut story = rehearsed();
    story.standings.clear();
    story.world.channel = Channel::None;
    story.person.mail = None;
    assert_eq!(story.daily(0..=14).state, State::EnforcementNeeded);
}

#[test]
fn a_rehearsal_does_not_mind_an_outage() {
    let mut story = rehearsed();
    story.world.channel = Channel::Down;
    assert_eq!(story.daily(1..=14).state, State::EnforcementNeeded);
}

#[test]
fn switching_on_forgets_the_rehearsal_and_announces_anew() {
    for passes in [5, 20] {
        let mut story = rehearsed();
        story.daily(1..=passes);
        story.policy().enforce = Enforce::On;
        let now = day(passes + 1);
        let decision = story.pass(now);
        let deadline = day(14).max(now + days(3));
        assert_eq!(decision.deadline, Some(deadline));
        assert_eq!(decision.standing.enforcement, Enforcement::None);
        assert!(says(&decision, ReasonCode::EnforceChanged));
        let last = format!("d{} window.opened 0d", passes + 1);
        assert_eq!(story.events().last(), Some(&last));
        assert_eq!(story.mails(), [last]);
    }
}

#[test]
fn switching_away_from_on_takes_flags_and_waiting_mails_back() {
    for enforce in [Enforce::ReportOnly, Enforce::Off] {
        let mut story = flagged();
        story.policy().enforce = enforce;
        let decision = story.pass(hour(14, 1));
        assert!(
            story.happened(EventKind::EnforcementReleased),
            "{enforce:?}"
        );
        assert!(decision.effects.contains(&Effect::WithdrawMessages));

        let mut thanked = opened();
        thanked.server = Server::Silent;
        thanked.reports_say(Level::Capable).pass(day(1));
        thanked.policy().enforce = enforce;
        thanked.pass(day(2));
        let outcome = thanked.deliveries.last().unwrap().outcome;
        assert_eq!(outcome, DeliveryOutcome::Dropped(day(2)), "{enforce:?}");
    }
}

// A clock that was ahead, and was set right (rule 7.16).

#[test]
fn days_that_never_were_raise_no_flag_and_skip_no_step() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(story.pass(day(30)).state, State::EnforcementNeeded);
    let decision = story.pass(day(2));
    assert_eq!(
        (decision.state, decision.deadline),
        (State::InGrace, Some(day(14)))
    );
    assert_ne!(story.daily(3..=13).state, State::EnforcementNeeded);
    assert_eq!(story.pass(day(14)).state, State::EnforcementNeeded);
    assert_eq!(
        story.events(),
        [
            "d0 window.opened 0d",
            "d30 enforcement.needed",
            "d2 enforcement.released",
            "d7 window.reminder -7d",
            "d11 window.reminder -3d",
            "d13 window.reminder -1d",
            "d14 enforcement.needed",
        ]
    );
}

#[test]
fn a_flag_whose_deadline_is_over_by_either_clock_stays() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(0));
    story.pass(day(30));
    assert_eq!(story.pass(day(20)).state, State::EnforcementNeeded);
    assert!(!story.happened(EventKind::EnforcementReleased));
}

#[test]
fn who_could_not_be_reached_in_days_that_never_were_has_seven_days_all_the_same() {
    let mut story = Story::default_policy();
    story.person.mail = None;
    story.sign_in(day(0), 0).pass(day(20));
    assert_eq!(story.pass(day(40)).state, State::EnforcementNeeded);
    let decision = story.pass(day(1));
    assert_eq!(
        (decision.state, decision.deadline),
        (State::InGrace, Some(day(14)))
    );
    assert_eq!(story.daily(2..=20).state, State::OverdueChecking);
    assert_eq!(story.pass(day(21)).state, State::EnforcementNeeded);
}

#[test]
fn a_window_that_opened_in_days_that_never_were_is_told_by_what_is_accepted_now() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    story.sign_in(day(0), 0).pass(day(20));
    story.pass(day(1));
    story.accept_what_waits(day(1));
    let run = story.pass(day(1)).standing.window.run().cloned();
    assert_eq!(
        run.and_then(|run| run.told).map(|told| told.at),
        Some(day(1))
    );
}

#[test]
fn what_a_person_skips_after_days_that_never_were_is_counted() {
    let mut story = opened();
    story.person.enabled = false;
    story.pass(day(1));
    story.person.enabled = true;
    story.pass(day(20));
    story.pass(day(2));
    story.sign_in(day(3), 0);
    let run = story.pass(day(3)).standing.window.run().cloned();
    assert_eq!(run.map(|run| run.bypasses), Some(2), "the first opened it");
}

#[test]
fn who_came_into_scope_in_days_that_never_were_is_in_it_from_now_on() {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(users(&["ana"]));
    story.pass(day(20));
    story.pass(day(1));
    story.sign_in(day(2), 0);
    assert_eq!(story.pass(day(2)).state, State::InGrace);
}

#[test]
fn a_policy_that_begins_later_is_no_clock_that_was_ahead() {
    let mut story = Story::default_policy();
    story.policy().since = day(10);
    story.policy().assignment.include = Include::Selected(users(&["ana"]));
    story.pass(day(0));
    story.sign_in(day(2), 0);
    assert_eq!(story.pass(day(2)).state, State::WaitingFirstSignIn);
}

// What comes next.

#[test]
fn next_is_the_earliest_thing_that_can_change_something() {
    let mut story = opened();
    let mut next = |now: i64| {
        let next = story.pass(day(now)).next.unwrap();
        (next.at, next.action)
    };
    assert_eq!(next(1), (day(7), NextAction::Reminder(step("-7d"))));
    assert_eq!(next(8), (day(11), NextAction::Reminder(step("-3d"))));
    assert_eq!(next(13), (day(14), NextAction::Deadline));
    story.without_reports();
    let next = story.pass(day(15)).next.unwrap();
    assert_eq!((next.at, next.action), (day(14), NextAction::CheckFlag));
}

/// When to look again after a pass at midnight of that day, and for what.
fn next(story: &mut Story, number: i64) -> (Timestamp, NextAction) {
    let next = story.pass(day(number)).next.unwrap();
    (next.at, next.action)
}

fn reminder(text: &str) -> NextAction {
    NextAction::Reminder(step(text))
}

#[test]
fn the_last_three_days_are_noticed_where_no_step_marks_them() {
    let mut story = Story::default_policy();
    story.policy().reminders = ["0d", "-1d"].map(step).to_vec();
    story.sign_in(day(0), 0).daily(0..=1);
    assert_eq!(next(&mut story, 2), (day(11), NextAction::DueSoon));
    assert_eq!(next(&mut story, 11), (day(13), reminder("-1d")));
}

#[test]
fn a_step_of_an_untold_window_is_expected_when_it_falls_due() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(next(&mut story, 1), (day(7), reminder("-7d")));
    assert_eq!(next(&mut story, 7), (day(11), reminder("-3d")));
}

#[test]
fn a_step_longer_than_the_window_is_expected_when_an_untold_deadline_has_made_room_for_it() {
    let mut story = Story::default_policy();
    story.policy().reminders = ["0d", "-20d", "-30d"].map(step).to_vec();
    story.server = Server::Silent;
    story.sign_in(day(0), 0).daily(0..=14);
    assert_eq!(next(&mut story, 15), (day(17), reminder("-20d")));
    assert_eq!(next(&mut story, 17), (day(20), NextAction::Deadline));
    assert_eq!(next(&mut story, 25), (day(27), reminder("-30d")));
    assert_eq!(next(&mut story, 27), (day(30), NextAction::Deadline));
    assert_eq!(
        story.mails(),
        [
            "d0 window.opened 0d",
            "d17 window.reminder -20d",
            "d27 window.reminder -30d",
        ]
    );
}

#[test]
fn a_step_longer_than_the_window_is_not_expected_where_the_deadline_stands() {
    let told_or_not: [Change; 2] = [|_| {}, |story| story.person.mail = None];
    for change in told_or_not {
        let mut story = Story::default_policy();
        story.policy().reminders = ["0d", "-16d"].map(step).to_vec();
        change(&mut story);
        story.sign_in(day(0), 0).daily(0..=11);
        assert_eq!(next(&mut story, 12), (day(14), NextAction::Deadline));
    }
}

#[test]
fn a_step_is_dealt_with_once_however_far_an_untold_deadline_moves_out() {
    let mut story = Story::default_policy();
    story.server = Server::Silent;
    story.sign_in(day(0), 0).daily(0..=7);
    story.policy().window = days(30);
    assert_eq!(next(&mut story, 8), (day(27), reminder("-3d")));
    story.daily(9..=27);
    assert_eq!(
        story.mails(),
        [
            "d0 window.opened 0d",
            "d7 window.reminder -7d",
            "d27 window.reminder -3d",
        ]
    );
}

#[test]
fn without_mail_no_announcement_is_looked_for_again() {
    let mut story = Story::default_policy();
    story.world.channel = Channel::None;
    story.policy().reminders = vec![Step::OPENING];
    story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(next(&mut story, 1), (day(11), NextAction::DueSoon));
}

#[test]
fn a_flag_is_raised_only_from_an_open_window() {
    let story = Story::default_policy();
    let world = story.world.clone();
    let mut story = story;
    let waiting = story.pass(day(0));
    let facts = PersonFacts {
        world: &world,
        person: &story.person,
        groups: &story.groups,
        registration: None,
        sign_ins: &[],
        activity: crate::domain::facts::Activity::default(),
        audits: &[],
        acts: &[],
        deliveries: Vec::new(),
        standings: &story.standings,
    };
    let same = waiting.clone().flagged(&story.policies[0], &facts, day(0));
    assert_eq!((same.state, same.effects), (waiting.state, waiting.effects));
}

/// A rehearsed notice ends that nobody could be reached in the same pass, so that a pass repeated
/// at once changes nothing (invariant 11).
#[test]
fn i11_a_rehearsed_notice_ends_being_unreachable_at_once() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).daily(0..=1);
    assert_eq!(unreachable(&story), Some(day(0)));
    story.policy().enforce = Enforce::ReportOnly;
    story.act(day(2), ActKind::Extend { days: 1 });
    let rehearsed = story.pass(day(2)).standing;
    assert_eq!(unreachable(&story), None);
    assert_eq!(story.pass(day(2)).standing, rehearsed);
}

// Rules T5, 5.11 and 7.18: what mails say of what sign-ins showed.

#[test]
fn only_the_newest_sign_in_that_says_anything_shows_that_it_cannot_be_put_off() {
    for (codes, demanded, blocked) in [
        (&[0_i64] as &[i64], false, None),
        (&[0, 50072], true, None),
        (&[50072, 0], false, None),
        (&[50079, 50126, 53003], true, None),
        (&[50072, 53004], false, Some(53004)),
        (&[53004, 53010], false, Some(53010)),
        (&[53004, 50072], true, Some(53004)),
        (&[53004, 50072, 0], false, None),
    ] {
        let mut story = Story::default_policy();
        for (hours, code) in (0..).zip(codes) {
            story.sign_in(hour(0, hours), *code);
        }
        let decision = story.pass(hour(0, 12));
        let shown = decision.shown;
        assert_eq!(
            (
                shown.demanded_at.is_some(),
                shown.blocked.map(|block| block.code)
            ),
            (demanded, blocked),
            "{codes:?}"
        );
        assert_eq!(says(&decision, ReasonCode::MustRegister), demanded);
        assert_eq!(
            says(&decision, ReasonCode::RegistrationBlocked),
            blocked.is_some()
        );
        story.reports_say(Level::Capable);
        assert_eq!(story.pass(day(1)).shown, Shown::default(), "{codes:?}");
    }
}

#[test]
fn a_blocked_registration_is_told_once_a_window_and_code_to_operators_and_endpoints() {
    let mut story = opened();
    for (number, code) in [(1, 53004), (2, 53004), (3, 53010), (4, 53004)] {
        story.sign_in(hour(number, -1), code);
        story.pass(day(number));
        story.pass(day(number));
    }
    let blocked: Vec<String> = story
        .events()
        .into_iter()
        .filter(|event| event.ends_with("blocked"))
        .collect();
    assert_eq!(
        blocked,
        ["d1 registration.blocked", "d3 registration.blocked"]
    );
    assert_eq!(story.told_operators.len(), 2);
    assert!(
        story.told_operators[1].contains("code 53010")
            && story.told_operators[1].contains("Conditional Access"),
        "{}",
        story.told_operators[1]
    );
}

#[test]
fn who_is_flagged_and_cannot_register_is_told_of_too_and_a_rehearsal_tells_nobody() {
    let mut story = flagged();
    story.sign_in(hour(14, 1), 53004).pass(hour(14, 2));
    assert!(story.happened(EventKind::RegistrationBlocked));
    assert_eq!(story.told_operators.len(), 1);
    let mut story = Story::default_policy();
    story.policy().enforce = Enforce::ReportOnly;
    story.sign_in(day(0), 53004).pass(day(0));
    assert!(
        story.happened(EventKind::RegistrationBlocked),
        "in the journal"
    );
    assert_eq!(story.told_operators, [""; 0]);
}

#[test]
fn a_window_of_an_earlier_version_tells_of_no_block_that_it_had_seen() {
    for (is_old, told) in [(true, 0), (false, 1)] {
        let mut story = opened();
        if is_old {
            let name = story.policies[0].name.clone();
            let standing = story.standings.get_mut(&name).unwrap();
            standing.window.run_mut().unwrap().blocked = None;
        }
        story.sign_in(hour(0, 1), 53004).pass(day(1));
        assert_eq!(story.told_operators.len(), told);
        story.sign_in(hour(1, 1), 53010).pass(day(2));
        assert_eq!(story.told_operators.len(), told + 1);
    }
}

#[test]
fn a_release_is_told_to_whom_the_flag_was_unless_they_are_out_of_it() {
    let close: Change = |story| {
        story.act(hour(14, 1), ActKind::Close);
    };
    let table: [(&str, Change, Option<&str>); 13] = [
        (
            "left the scope",
            |story| story.policy().assignment.include = Include::default(),
            Some("enforcement.released"),
        ),
        (
            "report-only",
            |story| story.policy().enforce = Enforce::ReportOnly,
            Some("enforcement.released"),
        ),
        (
            "off",
            |story| story.policy().enforce = Enforce::Off,
            Some("enforcement.released"),
        ),
        (
            "no member",
            |story| story.person.kind = AccountKind::Guest,
            Some("enforcement.released"),
        ),
        ("closed", close, Some("enforcement.released")),
        (
            "reset",
            |story| {
                story.act(hour(14, 1), ActKind::Reset);
            },
            Some("enforcement.released"),
        ),
        (
            "extended",
            |story| {
                story.act(hour(14, 1), EXTEND_5);
            },
            Some("window.extended"),
        ),
        (
            "excluded",
            |story| story.policy().assignment.exclude = users(&["ana"]),
            None,
        ),
        (
            "left the scope and excluded",
            |story| {
                story.policy().assignment.include = Include::default();
                story.policy().assignment.exclude = users(&["ana"]);
            },
            None,
        ),
        ("disabled", |story| story.person.enabled = false, None),
        (
            "left the scope and disabled",
            |story| {
                story.policy().assignment.include = Include::default();
                story.person.enabled = false;
            },
            None,
        ),
        (
            "gone",
            |story| story.person.presence = Presence::Gone { at: day(15) },
            None,
        ),
        (
            "registered",
            |story| {
                story.reports_say(Level::Capable);
            },
            Some("user.registered"),
        ),
    ];
    for (what, change, mail) in table {
        for accepted in [true, false] {
            let mut story = flagged();
            if !accepted {
                // The flag's mail was never taken.
                story.deliveries.last_mut().unwrap().outcome = DeliveryOutcome::Dropped(day(14));
            }
            let before = story.sent.len();
            change(&mut story);
            for _ in 0..2 {
                story.pass(day(15));
            }
            story.pass(day(16));
            let told: Vec<&str> = story.sent[before..]
                .iter()
                .map(|(_, mail)| mail.kind.as_str())
                .collect();
            let expected = mail.filter(|mail| accepted || *mail != "enforcement.released");
            assert_eq!(
                told,
                expected.into_iter().collect::<Vec<_>>(),
                "{what}, {accepted}"
            );
        }
    }
}

#[test]
fn a_release_is_told_also_where_the_flag_was_taken_only_after_it() {
    let mut story = flagged();
    story.deliveries.last_mut().unwrap().outcome = DeliveryOutcome::Open;
    story.policy().assignment.include = Include::default();
    let before = story.sent.len();
    story.pass(hour(14, 1));
    assert_eq!(story.sent.len(), before);
    let accepted = DeliveryOutcome::Accepted(hour(14, 2));
    let flag = |fact: &&mut DeliveryFact| fact.kind == EventKind::EnforcementNeeded;
    story.deliveries.iter_mut().find(flag).unwrap().outcome = accepted;
    for hours in 3..6 {
        story.pass(hour(14, hours));
    }
    assert_eq!(story.sent.len(), before + 1, "once");
    assert_eq!(story.sent[before].1.kind, EventKind::EnforcementReleased);
}
