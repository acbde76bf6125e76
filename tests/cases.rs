//! The numbered cases of the domain, each as the decision it asks for.
//!
//! Where a case is about a source or the store (a page that fails, a row read twice), the test
//! here shows what is decided on the facts that are left; the reading is tested there.

use fortnight::domain::{
    age, assignment, audit, brake, decide, decision, effect, facts, hold, id, language, message,
    notice, person, policy, reason, registration, seen, sign_in, standing, state, window,
};

#[path = "support/story.rs"]
mod story;

use std::collections::BTreeSet;

use assignment::{Include, NameList, Unresolved};
use audit::AuditKind;
use decision::{NextAction, Wait};
use facts::Gap;
use hold::{Hold, HoldKind, ReleasedBy};
use id::{InvalidId, UserId};
use jiff::{SignedDuration, Timestamp};
use message::EventKind;
use person::{AccountKind, Presence};
use policy::{Enforce, StartOn};
use reason::ReasonCode;
use registration::{Detail, Level};
use seen::Seen;
use sign_in::Route;
use standing::Enforcement;
use state::State;
use story::{Server, Story, codes, day, days, group, groups, hour, policy, says, user, users};
use window::GraceWindow;

/// A window opened on day 0, seen at once.
fn opened() -> Story {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(0));
    story
}

/// Flagged on day 14.
fn flagged() -> Story {
    let mut story = opened();
    let decision = story.daily(1..=14);
    assert_eq!(decision.state, State::EnforcementNeeded);
    story
}

fn opened_at(story: &Story) -> Option<Timestamp> {
    let window = &story.decisions[0].standing.window;
    window.run().map(|run| run.opened_at)
}

#[test]
fn case_01_a_late_event_dates_the_window() {
    let mut story = Story::default_policy();
    let decision = story.sign_in(hour(0, 10), 0).pass(hour(0, 13));
    assert_eq!(opened_at(&story), Some(hour(0, 10)));
    assert_eq!(decision.deadline, Some(hour(14, 10)));
}

#[test]
fn case_02_an_earlier_event_moves_the_opening_not_the_announced_deadline() {
    let mut story = Story::default_policy();
    story.sign_in(day(2), 0).pass(day(2));
    let decision = story.sign_in(day(0), 0).pass(day(4));
    assert_eq!(opened_at(&story), Some(day(0)));
    assert_eq!(decision.deadline, Some(day(16)));
    let history = decision
        .reasons
        .iter()
        .find(|reason| reason.code == ReasonCode::EarlierSignIn)
        .unwrap();
    assert_eq!(history.at, Some(day(0)));
    assert!(
        history.text.contains(&day(2).to_string()),
        "{}",
        history.text
    );
}

#[test]
fn case_03_a_row_read_again_counts_once() {
    let mut story = opened();
    for hours in 1..=3 {
        story.pass(hour(0, hours));
    }
    assert_eq!(story.events(), ["d0 window.opened 0d"]);
    assert_eq!(story.mails(), ["d0 window.opened 0d"]);
    let run = story.decisions[0].standing.window.run().cloned().unwrap();
    assert_eq!(run.bypasses, 1);
}

#[test]
fn case_04_the_last_reading_of_a_row_wins() {
    let mut story = Story::default_policy();
    let decision = story.sign_in(day(0), 50074).pass(day(0));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    story.sign_in(day(1), 0).pass(day(1));
    assert_eq!(opened_at(&story), Some(day(1)));
    story.sign_ins[0].code = 0;
    story.pass(day(2));
    assert_eq!(opened_at(&story), Some(day(0)));
}

#[test]
fn case_05_the_same_sign_in_by_another_route_changes_nothing() {
    let mut story = opened();
    let before = story.pass(day(0)).standing;
    let mut again = story.sign_ins.remove(0);
    again.app = None;
    story.sign_ins.push(again);
    let decision = story.pass(day(0));
    assert_eq!(decision.standing, before);
    assert_eq!(decision.effects, []);
}

#[test]
fn case_06_all_spellings_of_an_instant_open_the_same_window() {
    for text in [
        "2026-01-05T10:00:00Z",
        "2026-01-05T10:00:00.0000000Z",
        "2026-01-05T10:00:00+00:00",
        "2026-01-05T05:00:00-05:00",
    ] {
        let mut story = Story::default_policy();
        story.sign_in(text.parse().unwrap(), 0).pass(hour(0, 11));
        assert_eq!(opened_at(&story), Some(hour(0, 10)), "{text}");
    }
    assert!("05.01.2026 10:00".parse::<Timestamp>().is_err());
}

#[test]
fn case_07_a_sign_in_dated_ahead_waits_until_it_is_due() {
    let minutes = SignedDuration::from_mins;
    let now = hour(0, 10);
    let mut story = Story::default_policy();
    let decision = story.sign_in(now + minutes(10), 0).pass(now);
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    let next = decision.next.unwrap();
    assert_eq!(
        (next.at, next.action),
        (now + minutes(5), NextAction::SignInDue)
    );
    story.pass(now + minutes(5));
    assert_eq!(opened_at(&story), Some(now + minutes(10)));

    let mut story = Story::default_policy();
    let decision = story.sign_in(hour(2, 0), 0).pass(now);
    assert_eq!(decision.state, State::WaitingFirstSignIn);
}

#[test]
fn case_08_a_wrong_clock_holds_every_flag() {
    let hold = Hold::new(HoldKind::Clock, "", None, Seen::WebhookStuck);
    let mut story = opened();
    story.daily(1..=13);
    let decision = story.look(day(14));
    assert!(decision.would_flag);
    assert!(hold.stops(&decision.policy));
    assert_eq!(hold.kind.released_by(), ReleasedBy::Approval);
}

#[test]
fn case_09_a_name_given_to_another_account_is_another_person() {
    let mut old = opened();
    old.person.presence = Presence::Gone { at: day(3) };
    let decision = old.pass(day(3));
    assert_eq!(decision.state, State::Gone);
    assert!(matches!(
        decision.standing.window,
        GraceWindow::Paused { .. }
    ));

    let mut new = Story::default_policy();
    new.person.id = user("ana-two");
    new.person.user_principal_name = old.person.user_principal_name.clone();
    new.person.created_at = Some(day(3));
    let decision = new.pass(day(3));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    new.sign_in(day(4), 0).pass(day(4));
    let keys = [&old, &new].map(|story| story.sent[0].1.key(&story.person.id));
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn case_10_a_renamed_mailbox_gets_the_next_mail() {
    let mut story = opened();
    let before = story.decisions[0].standing.window.clone();
    story.person.user_principal_name = "anna@contoso.com".to_owned();
    story.person.mail = Some("anna@contoso.com".to_owned());
    let decision = story.pass(day(5));
    assert_eq!(
        decision.standing.window.run().unwrap().opened_at,
        before.run().unwrap().opened_at
    );
    assert_eq!(decision.deadline, Some(day(14)));
    story.pass(day(7));
    let addresses: Vec<&str> = story
        .sent
        .iter()
        .map(|(_, mail)| mail.address.as_str())
        .collect();
    assert_eq!(addresses, ["ana@contoso.com", "anna@contoso.com"]);
}

#[test]
fn case_11_a_deleted_person_comes_back_with_the_remainder() {
    let mut story = opened();
    story.person.presence = Presence::Gone { at: day(5) };
    let gone = story.pass(day(5));
    assert_eq!((gone.state, gone.deadline), (State::Gone, None));
    assert_eq!(gone.remaining, Some(days(9)));
    story.person.presence = Presence::Present;
    let back = story.pass(day(20));
    assert_eq!((back.state, back.deadline), (State::InGrace, Some(day(29))));
    assert_eq!(
        story.events(),
        [
            "d0 window.opened 0d",
            "d5 window.paused",
            "d20 window.resumed"
        ]
    );
}

#[test]
fn case_12_membership_through_nested_groups_counts_by_its_named_group() {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(groups(&["a"]));
    // Ana is in B, which is in A, which is in B: the walk ends and says A.
    story.groups = BTreeSet::from([group("a"), group("b")]);
    let decision = story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(decision.state, State::InGrace);
    let included = decision
        .reasons
        .iter()
        .find(|reason| reason.code == ReasonCode::Included)
        .unwrap();
    assert_eq!(included.text, "included as a member of group a");
    // With `nested = false` only B is left, which the policy does not name.
    story.groups = BTreeSet::from([group("b")]);
    assert_eq!(story.pass(day(1)).state, State::OutOfScope);
}

#[test]
fn case_13_leaving_one_of_two_groups_changes_nothing() {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(groups(&["a", "b"]));
    story.groups = BTreeSet::from([group("a"), group("b")]);
    story.sign_in(day(0), 0).pass(day(0));
    story.groups.remove(&group("a"));
    let decision = story.pass(day(1));
    assert_eq!(
        (decision.state, decision.deadline),
        (State::InGrace, Some(day(14)))
    );
    assert_eq!(story.events(), ["d0 window.opened 0d"]);
}

#[test]
fn case_14_exclude_beats_include() {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(users(&["ana"]));
    story.policy().assignment.exclude = groups(&["emergency"]);
    story.groups.insert(group("emergency"));
    let decision = story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(decision.state, State::Exempt);
    assert_eq!(decision.standing.window, GraceWindow::default());
}

#[test]
fn case_15_a_deleted_include_group_freezes_its_policy() {
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(groups(&["staff"]));
    story.groups.insert(group("staff"));
    story.sign_in(day(0), 0).pass(day(0));
    story.policy().assignment.unresolved = vec![Unresolved {
        name: "staff".to_owned(),
        list: NameList::IncludeGroups,
        matches: 0,
    }];
    let decision = story.daily(1..=15);
    assert_eq!(
        decision.state,
        State::OverdueChecking,
        "nobody leaves, nobody is flagged"
    );
    let policy = &story.policies[0];
    let hold = brake::assignment_hold(&policy.name, &policy.assignment.unresolved).unwrap();
    assert_eq!(
        hold.text,
        "include.groups names \"staff\", which matches nothing"
    );
    assert_eq!(hold.kind.released_by(), ReleasedBy::Data);
    story.policy().assignment.unresolved.clear();
    assert_eq!(story.pass(day(16)).state, State::EnforcementNeeded);
}

#[test]
fn case_16_an_unreadable_exclusion_fails_closed() {
    let mut story = Story::default_policy();
    story.groups.insert(group("emergency"));
    assert_eq!(story.sign_in(day(0), 0).pass(day(0)).state, State::Exempt);
    let [mine, other] = ["everyone", "admins"].map(|name| policy(name).name);
    let hold = Hold::new(
        HoldKind::Exclusion,
        "emergency",
        Some(&mine),
        Seen::WebhookStuck,
    );
    assert!(hold.stops(&mine));
    assert!(!hold.stops(&other));
    assert_eq!(hold.kind.released_by(), ReleasedBy::Approval);
}

#[test]
fn case_17_a_flagged_emergency_account_is_released_at_once() {
    let mut story = flagged();
    let mails = story.sent.len();
    story.policy().assignment.exclude = users(&["ana"]);
    let decision = story.pass(hour(14, 1));
    assert_eq!(decision.state, State::Exempt);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::Released { at: hour(14, 1) }
    );
    assert!(
        story
            .events()
            .contains(&"d14+1h enforcement.released".to_owned())
    );
    assert_eq!(story.sent.len(), mails, "no mail to an emergency account");
}

#[test]
fn case_18_an_excluded_emergency_account_signs_in_in_peace() {
    let mut story = Story::default_policy();
    story.policy().assignment.exclude = users(&["ana"]);
    let decision = story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(decision.state, State::Exempt);
    assert_eq!(story.daily(1..=40).state, State::Exempt);
    assert_eq!((story.events(), story.mails()), (vec![], vec![]));
}

#[test]
fn case_19_a_policy_that_was_off_goes_on_with_what_was_left() {
    let mut story = opened();
    story.policy().enforce = Enforce::Off;
    let off = story.pass(day(3));
    assert_eq!((off.state, off.remaining), (State::Paused, Some(days(11))));
    story.policy().enforce = Enforce::On;
    story.policy().on_again = Some(day(30));
    let on = story.pass(day(30));
    assert_eq!(on.deadline, Some(day(41)));
    story.daily(31..=41);
    assert_eq!(
        story.mails(),
        [
            "d0 window.opened 0d",
            "d30 window.resumed",
            "d34 window.reminder -7d",
            "d38 window.reminder -3d",
            "d40 window.reminder -1d",
            "d41 enforcement.needed",
        ]
    );
}

#[test]
fn case_20_a_shorter_window_binds_later_windows_only() {
    let mut story = opened();
    story.policy().window = days(7);
    assert_eq!(story.pass(day(9)).deadline, Some(day(14)));
    story.reports_say(Level::Capable).pass(day(10));
    story.audit(day(11), AuditKind::AdminDeleted);
    story.reports_say(Level::Missing).pass(day(11));
    let later = story.sign_in(day(12), 0).pass(day(12));
    assert_eq!(later.deadline, Some(day(19)));
}

#[test]
fn case_21_a_longer_window_moves_the_deadline_out_and_says_so_once() {
    let mut story = opened();
    story.policy().window = days(30);
    assert_eq!(story.pass(day(3)).deadline, Some(day(30)));
    story.daily(4..=22);
    assert_eq!(story.mails(), ["d0 window.opened 0d", "d3 window.extended"]);
    story.pass(day(23));
    assert_eq!(story.mails().last().unwrap(), "d23 window.reminder -7d");
}

#[test]
fn case_22_after_eight_days_down_each_person_gets_one_message() {
    let mut told = opened();
    told.pass(day(12));
    assert_eq!(
        told.mails(),
        ["d0 window.opened 0d", "d12 window.reminder -3d"]
    );

    // Rule R7: nobody was told while the deadline passed.
    let mut untold = Story::default_policy();
    let decision = untold.sign_in(day(0), 0).pass(day(20));
    assert_eq!(
        (decision.state, decision.deadline),
        (State::DueSoon, Some(day(23)))
    );
    assert_eq!(untold.mails(), ["d20 window.opened 0d"]);
}

#[test]
fn case_23_a_hint_in_a_gap_of_the_logs_opens_a_window_now() {
    let mut story = Story::default_policy();
    story.world.log_gap = Some(Gap {
        from: day(0),
        to: day(10),
    });
    story.activity.hinted = Some(day(5));
    let decision = story.pass(day(40));
    assert_eq!(opened_at(&story), Some(day(40)));
    assert_eq!(decision.deadline, Some(day(54)));
    assert!(says(&decision, ReasonCode::Backfill));
    let later = story.pass(day(45));
    assert_eq!(later.deadline, Some(day(54)), "never back-dated");
    assert!(says(&later, ReasonCode::Backfill));
    assert!(!says(&later, ReasonCode::QualifyingSignIn));

    for hinted in [None, Some(day(12))] {
        let mut story = Story::default_policy();
        story.world.log_gap = Some(Gap {
            from: day(0),
            to: day(10),
        });
        story.activity.hinted = hinted;
        assert_eq!(
            story.pass(day(40)).state,
            State::WaitingFirstSignIn,
            "{hinted:?}"
        );
    }
}

#[test]
fn case_24_a_restored_database_asks_for_the_same_keys() {
    let mut story = opened();
    let mut restored = story.clone();
    for story in [&mut story, &mut restored] {
        story.daily(1..=11);
    }
    let keys = |story: &Story| -> Vec<String> {
        let id = &story.person.id;
        story.sent.iter().map(|(_, mail)| mail.key(id)).collect()
    };
    assert_eq!(keys(&story).len(), 3);
    assert_eq!(keys(&story), keys(&restored));
}

#[test]
fn case_25_the_log_holds_the_flag_until_the_reports_catch_up() {
    let mut story = opened();
    story.without_reports().report(day(12), Level::Missing);
    story.audit(hour(13, 1), AuditKind::Registered);
    let reported = story.daily(13..=14);
    assert_eq!(reported.state, State::RegistrationReported);
    let silent = story.report(hour(12, 12), Level::Missing).pass(day(15));
    assert_eq!(silent.state, State::OverdueChecking);
    assert!(silent.waits.contains(&Wait::Proof(day(14))));
    let done = story.report(day(15), Level::Capable).pass(day(15));
    assert_eq!(done.state, State::Registered);
    assert!(!story.happened(EventKind::EnforcementNeeded));
}

#[test]
fn case_26_registering_after_the_flag_releases_and_thanks() {
    let mut story = flagged();
    let decision = story.reports_say(Level::Capable).pass(day(16));
    assert_eq!(decision.state, State::Registered);
    assert_eq!(
        story.events()[4..],
        [
            "d14 enforcement.needed",
            "d16 enforcement.released",
            "d16 user.registered"
        ]
    );
    assert_eq!(story.mails().last().unwrap(), "d16 user.registered");
}

/// Registers on day 10 of 14 and loses the methods on day 12.
fn lost_again(kind: AuditKind) -> Story {
    let mut story = opened();
    story.reports_say(Level::Capable).pass(day(10));
    story.audit(hour(11, 12), kind);
    story.reports_say(Level::Missing).pass(day(12));
    story
}

#[test]
fn case_27_deleting_the_method_oneself_gives_the_remainder() {
    let mut story = lost_again(AuditKind::UserDeleted);
    let decision = story.sign_in(day(13), 0).pass(day(13));
    assert_eq!(decision.deadline, Some(day(17)));
    assert_eq!(decision.standing.sequence, 2);
}

#[test]
fn case_28_a_reset_by_an_administrator_gives_a_full_window() {
    let mut story = lost_again(AuditKind::AdminDeleted);
    let decision = story.sign_in(day(13), 0).pass(day(13));
    assert_eq!(decision.deadline, Some(day(27)));
}

#[test]
fn case_29_thousands_who_lose_their_registration_are_a_glitch() {
    assert!(brake::missing_grew(500, 3_000));
    let mut story = Story::default_policy();
    story
        .reports_say(Level::Capable)
        .sign_in(day(0), 0)
        .pass(day(0));
    story.without_reports();
    story.row(day(1), Level::Missing, Detail::MethodNotAllowed);
    let decision = story.pass(day(1));
    assert_eq!(decision.state, State::Registered);
    assert!(says(&decision, ReasonCode::ReversalUnconfirmed));
}

#[test]
fn case_30_who_never_signs_in_waits_for_ever() {
    let mut story = Story::default_policy();
    let decision = story.daily(0..=100);
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    assert_eq!(story.mails(), Vec::<String>::new());
    assert!(says(&decision, ReasonCode::NeverSignedIn));
}

#[test]
fn case_31_a_long_holiday_ends_with_a_flag_if_notices_were_given() {
    let mut told = opened();
    assert_eq!(told.daily(1..=60).state, State::EnforcementNeeded);
    assert_eq!(
        told.decisions[0].standing.enforcement,
        Enforcement::Needed { at: day(14) }
    );

    let mut untold = Story::default_policy();
    untold.server = Server::Silent;
    untold.sign_in(day(0), 0);
    assert_eq!(untold.daily(0..=59).state, State::DueSoon);
    untold.accept_what_waits(day(60));
    assert_eq!(untold.pass(day(60)).state, State::DueSoon);
    assert_eq!(untold.daily(61..=62).state, State::DueSoon);
    assert_eq!(untold.pass(day(63)).state, State::EnforcementNeeded);
}

#[test]
fn case_32_guests_are_eligible_only_where_the_policy_says_so() {
    for (guests, state) in [(false, State::NotEligible), (true, State::InGrace)] {
        let mut story = Story::default_policy();
        story.person.kind = AccountKind::Guest;
        story.policy().guests = guests;
        assert_eq!(story.sign_in(day(0), 0).pass(day(0)).state, state);
    }
}

#[test]
fn case_33_a_guest_trusted_elsewhere_is_left_alone_by_default() {
    let mut story = Story::default_policy();
    story.person.kind = AccountKind::Guest;
    story.sign_in(day(0), 0);
    let decision = story.daily(0..=20);
    assert!(says(&decision, ReasonCode::NotEligible));
    assert!(says(&decision, ReasonCode::NotRegistered));
    assert_eq!(story.events(), Vec::<String>::new());
}

#[test]
fn case_34_disabling_stops_the_clock_and_a_loss_meanwhile_starts_anew() {
    let mut story = opened();
    story.person.enabled = false;
    let off = story.pass(day(4));
    assert_eq!(
        (off.state, off.remaining),
        (State::Disabled, Some(days(10)))
    );
    story.person.enabled = true;
    assert_eq!(story.pass(day(30)).deadline, Some(day(40)));

    let mut wiped = opened();
    wiped.reports_say(Level::Capable).pass(day(10));
    wiped.person.enabled = false;
    wiped.reports_say(Level::Missing);
    wiped.daily(20..=22);
    wiped.person.enabled = true;
    let back = wiped.sign_in(hour(30, 1), 0).pass(hour(30, 2));
    assert_eq!(back.deadline, Some(hour(44, 1)));
}

#[test]
fn case_35_background_refreshes_are_no_prompt() {
    let mut story = Story::default_policy();
    story.sign_in_by(day(0), 0, Route::NonInteractive);
    story.activity.non_interactive = Some(day(0));
    let decision = story.pass(day(0));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    assert!(says(&decision, ReasonCode::ActiveOnlyByRefresh));
}

#[test]
fn case_36_legacy_protocols_are_no_prompt_but_a_risk() {
    let mut story = Story::default_policy();
    story.sign_in_by(day(0), 0, Route::Legacy);
    story.activity.legacy = Some(day(0));
    let decision = story.pass(day(0));
    assert_eq!(decision.state, State::WaitingFirstSignIn);
    assert!(says(&decision, ReasonCode::LegacyOnly));
}

#[test]
fn case_37_a_script_opens_a_window_only_where_the_log_hides_it() {
    for (route, state) in [
        (Route::Interactive, State::InGrace),
        (Route::Ropc, State::WaitingFirstSignIn),
    ] {
        let mut story = Story::default_policy();
        assert_eq!(story.sign_in_by(day(0), 0, route).pass(day(0)).state, state);
    }
}

#[test]
fn case_38_guessing_passwords_starts_and_burns_no_clock() {
    let mut story = Story::default_policy();
    for minute in 0..40 {
        story.sign_in(day(0) + SignedDuration::from_mins(minute), 50126);
    }
    story.sign_in(day(1), 50053).sign_in(day(1), 50034);
    assert_eq!(story.pass(day(2)).state, State::WaitingFirstSignIn);
}

#[test]
fn case_39_a_thief_with_the_password_is_betrayed_by_the_first_mail() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0).pass(day(0));
    assert_eq!(story.mails(), ["d0 window.opened 0d"]);
    assert_eq!(story.sent[0].1.address, "ana@contoso.com");
}

#[test]
fn case_40_a_blocking_policy_starts_nothing() {
    let mut story = Story::default_policy();
    for number in 0..10 {
        story.sign_in(day(number), 53003);
    }
    assert_eq!(story.daily(0..=10).state, State::WaitingFirstSignIn);
}

#[test]
fn case_41_told_to_register_again_and_again() {
    let mut story = Story::default_policy();
    for number in 0..3 {
        story.sign_in(day(number), 50072);
    }
    let decision = story.daily(0..=2);
    assert_eq!(decision.state, State::InGrace);
    assert!(says(&decision, ReasonCode::MustRegister));
    let run = decision.standing.window.run().unwrap();
    assert_eq!(
        (run.bypasses, decision.shown.demanded_at),
        (0, Some(day(2)))
    );
}

#[test]
fn case_42_a_blocked_registration_delays_the_flag() {
    for code in [53004, 53010] {
        let mut story = Story::default_policy();
        story.sign_in(day(0), code).pass(day(0));
        assert_eq!(opened_at(&story), Some(day(0)), "it is a prompt");
        story.sign_in(day(13), code);
        let held = story.daily(1..=15);
        assert_eq!(held.state, State::OverdueChecking);
        assert_eq!(held.waits, [Wait::Blocked(day(16))]);
        assert_eq!(story.pass(day(16)).state, State::EnforcementNeeded);
    }
}

#[test]
fn case_43_keep_me_signed_in_is_no_prompt_by_default() {
    for (start_on, state) in [
        (StartOn::Prompted, State::WaitingFirstSignIn),
        (StartOn::AnyPrimary, State::InGrace),
    ] {
        let mut story = Story::default_policy();
        story.policy().start_on = start_on;
        assert_eq!(story.sign_in(day(0), 50140).pass(day(0)).state, state);
    }
}

#[test]
fn case_44_federated_mfa_is_shown_and_never_counts() {
    let mut story = Story::default_policy();
    story
        .sign_in(day(0), 50079)
        .sign_in(day(1), 0)
        .sign_in(day(2), 0);
    for sign_in in &mut story.sign_ins[1..] {
        sign_in.multifactor_met = true;
    }
    let decision = story.daily(0..=2);
    assert!(says(&decision, ReasonCode::ExternalMfa));
    assert!(!decision.registered);
    assert_eq!(decision.deadline, Some(day(14)));
    story.sign_ins.pop();
    assert!(
        !says(&story.look(day(2)), ReasonCode::ExternalMfa),
        "once is chance"
    );
}

#[test]
fn case_45_passwordless_alone_counts_where_the_policy_accepts_it() {
    for (accept, state) in [(true, State::Registered), (false, State::InGrace)] {
        let mut story = Story::default_policy();
        story.policy().accept_passwordless = accept;
        story.reports_say(Level::Passwordless);
        let decision = story.sign_in(day(0), 0).pass(day(0));
        assert_eq!(decision.state, state);
        assert_eq!(says(&decision, ReasonCode::PasswordlessOnly), !accept);
    }
}

fn only(detail: Detail) -> decision::Decision {
    let mut story = opened();
    story.without_reports().row(day(1), Level::Missing, detail);
    story.pass(day(1))
}

#[test]
fn case_46_a_temporary_access_pass_is_no_registration() {
    let decision = only(Detail::TemporaryAccessPassOnly);
    assert_eq!(
        (decision.state, decision.deadline),
        (State::InGrace, Some(day(14)))
    );
    assert!(says(&decision, ReasonCode::TemporaryAccessPassOnly));
}

#[test]
fn case_47_password_reset_methods_are_no_registration() {
    let decision = only(Detail::SsprOnly);
    assert_eq!(decision.state, State::InGrace);
    assert!(says(&decision, ReasonCode::SsprOnly));
}

#[test]
fn case_48_absent_from_the_report_is_unknown_and_never_flagged() {
    let mut story = Story::default_policy();
    story.without_reports().sign_in(day(0), 0);
    for number in 0..=20 {
        story.report_without(day(number)).pass(day(number));
    }
    let decision = &story.decisions[0];
    assert_eq!(decision.state, State::Unknown);
    assert_eq!(decision.waits, [Wait::RegistrationUnknown]);
    assert_eq!(story.mails().len(), 4, "window and reminders go on");
    let [told] = &story.told_operators[..] else {
        panic!("{:?}", story.told_operators);
    };
    assert!(
        told.contains("in no registration report since Monday, 5 January 2026, 00:00 UTC"),
        "{told}"
    );
    assert_eq!(
        story.report(day(21), Level::Missing).pass(day(21)).state,
        State::EnforcementNeeded
    );
}

#[test]
fn case_48_operators_hear_after_two_days_once_of_whom_the_report_leaves_out() {
    let mut story = Story::default_policy();
    story.without_reports().sign_in(day(0), 0);
    story.report(day(0), Level::Missing).pass(day(0));
    story.report_without(hour(0, 12)).pass(hour(0, 12));
    assert_eq!(story.decisions[0].state, State::Unknown);
    // The last report that had the person is of day 0; the next look is exactly two days later.
    for at in [hour(1, 23), hour(2, 0), hour(2, 1), day(5)] {
        story.report_without(at).pass(at);
        let due = usize::from(at >= day(2));
        assert_eq!(story.told_operators.len(), due, "{at}");
    }
    // Back in the report and out of it again is another time.
    story.report(day(6), Level::Missing).pass(day(6));
    story.report_without(day(7)).pass(day(7));
    assert_eq!(story.decisions[0].next.unwrap().at, day(8));
    story.report_without(day(8)).pass(day(8));
    assert_eq!(story.told_operators.len(), 2);
    // Whose window is not open, nobody waits for.
    let mut other = Story::default_policy();
    other.without_reports();
    for number in 0..=9 {
        other.report_without(day(number)).pass(day(number));
    }
    assert_eq!(other.told_operators, [""; 0]);
}

#[test]
fn case_49_a_new_hire_who_signs_in_at_once_is_caught_up_with() {
    let mut story = Story::default_policy();
    story.person.created_at = Some(hour(8, 9));
    story.sign_in(hour(8, 9), 0).pass(hour(8, 10));
    assert_eq!(opened_at(&story), Some(hour(8, 9)));
}

#[test]
fn case_50_a_sign_in_before_the_membership_was_seen_does_not_count() {
    let minutes = SignedDuration::from_mins;
    let mut story = Story::default_policy();
    story.policy().assignment.include = Include::Selected(groups(&["staff"]));
    story.pass(hour(1, 10));
    story.groups.insert(group("staff"));
    let at = |minute| hour(1, 10) + minutes(minute);
    let seen = story.sign_in(at(5), 0).pass(at(20));
    assert_eq!(seen.state, State::WaitingFirstSignIn);
    story.sign_in(at(30), 0).pass(at(40));
    assert_eq!(opened_at(&story), Some(at(30)));
}

#[test]
fn case_51_an_incomplete_report_proves_nothing() {
    let mut story = opened();
    story.daily(1..=13);
    story.without_reports();
    let decision = story.pass(hour(14, 1));
    assert_eq!(decision.state, State::OverdueChecking);
    assert_eq!(decision.waits, [Wait::Proof(day(14))]);
}

#[test]
fn case_52_a_report_cut_off_by_a_foreign_link_goes_stale() {
    let mut story = opened();
    story.daily(1..=13);
    story.without_reports();
    let stale = |story: &Story, now| brake::world_holds(&story.world, now);
    story.pass(hour(14, 12));
    assert_eq!(stale(&story, hour(14, 12)), []);
    story.pass(hour(14, 13));
    let holds = stale(&story, hour(14, 13));
    assert_eq!(holds[0].id, "stale:registration");
    assert_eq!(story.decisions[0].state, State::OverdueChecking);
}

#[test]
fn case_53_a_throttled_report_becomes_a_hold_by_and_by() {
    let mut world = Story::default_policy().world;
    for (audits, patience) in [(Some(day(14)), 24 + 6), (None, 24 + 24)] {
        world.audits = audits;
        let late = |hours| day(14) <= brake::proofs_late_since(&world, hour(14, hours));
        assert!(!late(patience - 1), "{patience}");
        assert!(late(patience), "{patience}");
    }
}

#[test]
fn case_54_a_lost_licence_stops_flags_and_says_which_source() {
    let mut story = opened();
    story.daily(1..=13);
    story.fresh = false;
    story.world.users = Some(day(15));
    assert_eq!(story.pass(day(15)).state, State::OverdueChecking);
    let holds = brake::world_holds(&story.world, day(15));
    assert_eq!(holds.len(), 1);
    assert_eq!(holds[0].id, "stale:sign_ins");
    assert_eq!(
        holds[0].text,
        format!(
            "the newest reading of sign-ins is of {}, older than 24 h",
            day(13)
        )
    );
    story.world.sign_ins = Some(day(15));
    assert_eq!(story.pass(day(15)).state, State::EnforcementNeeded);
}

#[test]
fn case_55_a_standing_flag_is_raised_once() {
    let mut story = flagged();
    let decision = story.daily(15..=20);
    assert_eq!(
        decision.standing.enforcement,
        Enforcement::Needed { at: day(14) }
    );
    let raised = story
        .journal
        .iter()
        .filter(|(_, _, event)| event.kind == EventKind::EnforcementNeeded);
    assert_eq!(raised.count(), 1);
}

#[test]
fn case_56_a_flag_does_not_depend_on_the_enforcement_group() {
    let mut story = flagged();
    story.groups.insert(group("must-register"));
    let inside = story.pass(day(15));
    story.groups.clear();
    let outside = story.pass(day(15));
    assert_eq!(inside.standing, outside.standing);
    assert_eq!(outside.state, State::EnforcementNeeded);
    assert_eq!(outside.effects, []);
}

#[test]
fn case_57_only_a_flag_of_ours_is_ever_released() {
    for (level, excluded) in [(Level::Capable, false), (Level::Missing, true)] {
        let mut story = opened();
        if excluded {
            story.policy().assignment.exclude = users(&["ana"]);
        }
        story.reports_say(level);
        story.daily(1..=20);
        assert!(!story.happened(EventKind::EnforcementReleased), "{level:?}");
        assert_eq!(story.decisions[0].standing.enforcement, Enforcement::None);
    }
}

#[test]
fn case_58_two_policies_share_one_stream_of_mail() {
    let mut short = policy("admins");
    short.window = days(7);
    let mut story = Story::under(vec![policy("everyone"), short]);
    story.sign_in(day(0), 0).daily(0..=6);
    assert_eq!(
        story.mails(),
        [
            "d0 window.opened 0d",
            "d4 window.reminder -3d",
            "d6 window.reminder -1d"
        ]
    );
    assert!(
        story
            .sent
            .iter()
            .all(|(_, mail)| mail.policy.as_str() == "admins")
    );
    let [everyone, admins] = [0, 1].map(|index| story.decisions[index].deadline);
    assert_eq!((admins, everyone), (Some(day(7)), Some(day(14))));
    assert!(
        says(&story.decisions[0], ReasonCode::NoticeGiven),
        "the one mail is notice for both"
    );
}

#[test]
fn case_59_a_policy_narrowed_to_groups_pauses_the_leavers() {
    let mut story = opened();
    story.policy().assignment.include = Include::Selected(groups(&["staff"]));
    let decision = story.pass(day(4));
    assert_eq!(decision.state, State::OutOfScope);
    assert_eq!(
        (decision.deadline, decision.remaining),
        (None, Some(days(10)))
    );
    assert_eq!(story.events().last().unwrap(), "d4 window.paused");
}

#[test]
fn case_60_accounts_that_cannot_register_are_not_eligible() {
    for kind in [AccountKind::Agent, AccountKind::Sync] {
        let mut story = Story::default_policy();
        story.policy().guests = true;
        story.person.kind = kind;
        let decision = story.sign_in(day(0), 0).pass(day(0));
        assert_eq!(decision.state, State::NotEligible);
        assert_eq!(decision.standing.window, GraceWindow::default());
    }
    let mut room = Story::default_policy();
    room.person.enabled = false;
    assert_eq!(room.pass(day(0)).state, State::Disabled);
}

#[test]
fn case_61_a_window_over_the_summer_time_change_has_14_days_of_24_hours() {
    let opened: Timestamp = "2026-03-28T08:30:00+01:00[Europe/Berlin]"
        .parse::<jiff::Zoned>()
        .unwrap()
        .timestamp();
    let mut story = Story::default_policy();
    let deadline = story.sign_in(opened, 0).pass(opened).deadline.unwrap();
    assert_eq!(
        deadline.duration_since(opened),
        SignedDuration::from_hours(14 * 24)
    );
    let local = deadline.to_zoned(jiff::tz::TimeZone::get("Europe/Berlin").unwrap());
    assert_eq!(local.strftime("%F %H:%M").to_string(), "2026-04-11 09:30");
}

#[test]
fn case_62_two_daemons_ask_for_the_same_message() {
    let mut story = Story::default_policy();
    story.sign_in(day(0), 0);
    let mut other = story.clone();
    story.pass(day(0));
    other.pass(hour(0, 1));
    let key = |story: &Story| story.sent[0].1.key(&story.person.id);
    assert_eq!(key(&story), key(&other));
    assert_eq!(key(&story), "everyone/ana/1/0/1/window.opened/0d");
}

#[test]
fn case_63_a_mailbox_that_refuses_delays_the_flag_seven_days_at_most() {
    let mut story = Story::default_policy();
    story.server = Server::RefusesForGood;
    story.sign_in(day(0), 0).pass(day(0));
    let waiting = story.daily(1..=20);
    assert_eq!(waiting.state, State::OverdueChecking);
    assert_eq!(waiting.waits, [Wait::Unreachable(day(21))]);
    let decision = story.pass(day(21));
    assert_eq!(decision.state, State::EnforcementNeeded);
    assert!(says(&decision, ReasonCode::Unreachable));
}

#[test]
fn case_64_an_expired_secret_makes_everything_stale() {
    let mut story = opened();
    story.daily(1..=12);
    story.fresh = false;
    story.without_reports();
    assert_eq!(story.daily(13..=15).state, State::OverdueChecking);
    let ids: Vec<String> = brake::world_holds(&story.world, day(15))
        .into_iter()
        .map(|hold| hold.id)
        .collect();
    assert_eq!(ids, ["stale:users", "stale:registration", "stale:sign_ins"]);
}

#[test]
fn case_65_nobody_knows_the_account_of_all_zeros() {
    let zeros = "00000000-0000-0000-0000-000000000000";
    assert_eq!(UserId::parse(zeros), Err(InvalidId::AllZeros));
    assert_eq!(
        codes().class(50034),
        sign_in::SignInClass::CredentialFailure
    );
    let mut story = Story::default_policy();
    assert_eq!(
        story.sign_in(day(0), 50034).pass(day(0)).state,
        State::WaitingFirstSignIn
    );
}

#[test]
fn case_66_a_sign_in_to_another_tenant_counts_unless_it_only_passed_through() {
    for (route, opens) in [(Route::Interactive, true), (Route::Passthrough, false)] {
        let mut story = Story::default_policy();
        story.sign_in_by(day(0), 0, route).pass(day(0));
        assert_eq!(opened_at(&story).is_some(), opens, "{route:?}");
    }
}

#[test]
fn case_48_no_report_at_all_leaves_nobody_out() {
    let mut story = Story::default_policy();
    story.without_reports().report_without(day(0));
    story.sign_in(hour(0, 1), 0).pass(hour(0, 1));
    // The service gives no report for three days.
    for number in 1..=3 {
        story.pass(day(number));
    }
    assert_eq!(story.told_operators, [""; 0]);
}

#[test]
fn case_48_operators_hear_once_although_an_earlier_sign_in_arrives() {
    let mut story = Story::default_policy();
    story.without_reports().report_without(day(0));
    story.sign_in(hour(0, 12), 0).pass(hour(0, 12));
    for number in 1..=3 {
        story.report_without(day(number)).pass(day(number));
    }
    assert_eq!(story.told_operators.len(), 1);
    story
        .sign_in(hour(0, 10), 0)
        .report_without(day(4))
        .pass(day(4));
    assert_eq!(story.told_operators.len(), 1, "{:?}", story.told_operators);
}
