//! Histories that once broke an invariant, shrunken: each is tried again on its own.

use fortnight::domain::facts::ActKind;
use fortnight::domain::policy::Enforce;
use fortnight::domain::registration::Level;
use fortnight::domain::sign_in::Route;
use proptest::test_runner::TestCaseError;

use super::history::{Doing, Happening, History, Mailbox, Rule, Start};
use super::{
    a_repeated_pass_changes_nothing, rehearsals_keep_to_themselves, sleepers_miss_nothing,
    told_deadlines_are_kept, windows_open_rightly,
};

type Tried = Result<(), TestCaseError>;

fn person() -> Start {
    Start {
        mail: true,
        guest: false,
        enabled: true,
        pilot: true,
        emergency: false,
        level: Level::Missing,
    }
}

fn rule() -> Rule {
    Rule {
        everybody: false,
        enforce: Enforce::On,
        window_days: 0,
        min_notice_days: None,
        reminders: vec!["0d", "-7d", "-3d", "-1d"],
        strict: false,
        guests: false,
        any_primary: false,
        accept_passwordless: false,
    }
}

fn history(person: Start, rules: Vec<Rule>, steps: Vec<(i64, Happening)>) -> History {
    History {
        people: vec![person],
        policies: rules,
        audit_feed: false,
        steps,
    }
}

fn signs_in(minutes_ago: i64) -> Happening {
    Happening::SignsIn {
        who: 0,
        route: Route::Interactive,
        code: 0,
        minutes_ago,
        seen_after_minutes: 0,
    }
}

fn quiet(days: i64) -> Happening {
    Happening::Quiet {
        days,
        every_hours: 6,
    }
}

#[test]
fn an_extension_opens_no_window_that_a_reset_takes_in_the_same_pass() -> Tried {
    let act = |kind| Happening::Act { who: 0, kind };
    let steps = vec![
        (0, Happening::Pass),
        (0, signs_in(0)),
        (0, act(ActKind::Extend { days: 1 })),
        (1, act(ActKind::Reset)),
        (0, quiet(1)),
    ];
    windows_open_rightly(&history(person(), vec![rule()], steps))
}

#[test]
fn a_reset_does_not_let_earlier_sign_ins_count() -> Tried {
    let steps = vec![
        (
            0,
            Happening::Act {
                who: 0,
                kind: ActKind::Reset,
            },
        ),
        (0, signs_in(0)),
        (0, quiet(1)),
    ];
    windows_open_rightly(&history(person(), vec![rule()], steps))
}

#[test]
fn a_loss_while_out_of_scope_is_remembered_once() -> Tried {
    let outside = Start {
        pilot: false,
        level: Level::Capable,
        ..person()
    };
    let loses = Happening::LosesMethods {
        who: 0,
        by: Doing::Unexplained,
    };
    let steps = vec![(0, Happening::Pass), (0, loses)];
    a_repeated_pass_changes_nothing(&history(outside, vec![rule()], steps))
}

#[test]
fn a_loss_while_disabled_and_closed_is_remembered_once() -> Tried {
    let capable = Start {
        level: Level::Capable,
        enabled: false,
        ..person()
    };
    let close = Happening::Act {
        who: 0,
        kind: ActKind::Close,
    };
    let loses = Happening::LosesMethods {
        who: 0,
        by: Doing::Admin,
    };
    let steps = vec![(0, close), (0, Happening::Pass), (0, loses)];
    a_repeated_pass_changes_nothing(&history(capable, vec![rule()], steps))
}

#[test]
fn no_window_opens_for_the_disabled_while_the_policy_is_off() -> Tried {
    let disabled = Start {
        enabled: false,
        ..person()
    };
    let off = Rule {
        enforce: Enforce::Off,
        ..rule()
    };
    let on = Happening::Switch {
        policy: 0,
        enforce: Enforce::On,
    };
    let steps = vec![(0, quiet(5)), (0, signs_in(0)), (0, quiet(1)), (0, on)];
    windows_open_rightly(&history(disabled, vec![off], steps))
}

#[test]
fn a_strict_deadline_that_was_told_does_not_move_back() -> Tried {
    let strict = Rule {
        strict: true,
        window_days: 1,
        ..rule()
    };
    let steps = vec![
        (0, Happening::Pass),
        (600, signs_in(0)),
        (1, Happening::Pass),
        (60, signs_in(120)),
    ];
    told_deadlines_are_kept(&history(person(), vec![strict], steps))
}

#[test]
fn an_old_refusal_says_nothing_in_a_rehearsal() -> Tried {
    let rehearsed = Rule {
        enforce: Enforce::ReportOnly,
        window_days: 5,
        min_notice_days: Some(0),
        reminders: vec!["-7d", "-1d"],
        ..rule()
    };
    let refuses = Happening::MailServer {
        who: 0,
        does: Mailbox::Refuses,
    };
    let steps = vec![
        (0, refuses),
        (0, Happening::Pass),
        (0, signs_in(0)),
        (0, quiet(2)),
    ];
    a_repeated_pass_changes_nothing(&history(person(), vec![rehearsed, rule()], steps))
}

#[test]
fn a_rehearsal_takes_no_notice_from_another_policy() -> Tried {
    let rehearsed = Rule {
        enforce: Enforce::ReportOnly,
        window_days: 14,
        reminders: vec!["-7d"],
        ..rule()
    };
    let steps = vec![(0, Happening::Pass), (0, signs_in(0)), (0, quiet(2))];
    rehearsals_keep_to_themselves(&history(person(), vec![rehearsed, rule()], steps))
}

#[test]
fn the_last_three_days_are_noticed_by_themselves() -> Tried {
    let two_reminders = Rule {
        window_days: 12,
        reminders: vec!["-7d", "-1d"],
        ..rule()
    };
    let steps = vec![(0, Happening::Pass), (0, signs_in(0)), (0, quiet(10))];
    sleepers_miss_nothing(&history(person(), vec![two_reminders], steps))
}

#[test]
fn a_loss_is_confirmed_by_the_date_of_a_report_alone() -> Tried {
    let capable = Start {
        level: Level::Capable,
        ..person()
    };
    let loses = Happening::LosesMethods {
        who: 0,
        by: Doing::Unexplained,
    };
    let steps = vec![(0, Happening::Pass), (0, loses), (0, quiet(3))];
    sleepers_miss_nothing(&history(capable, vec![rule()], steps))
}

#[test]
fn a_step_longer_than_the_window_falls_due_when_the_deadline_has_moved_on() -> Tried {
    let one_day = Rule {
        window_days: 1,
        ..rule()
    };
    let down = Happening::Channel { works: false };
    let steps = vec![
        (0, Happening::Pass),
        (0, signs_in(0)),
        (0, down),
        (0, quiet(5)),
    ];
    sleepers_miss_nothing(&history(person(), vec![one_day], steps))
}
