//! Histories that once broke an invariant, shrunken: each is tried again on its own.

use fortnight::domain::policy::Enforce;
use fortnight::domain::registration::Level;
use fortnight::domain::sign_in::Route;
use proptest::test_runner::TestCaseError;

use super::history::{Happening, History, Rule, Start};
use super::windows_open_rightly;

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
