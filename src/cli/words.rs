//! Words and colours that several commands share.

use super::screen::Tone;
use super::table::Cell;
use crate::domain::decision::NextAction;
use crate::domain::state::State;

/// A state, in the colour of what it asks for.
pub(super) fn state(state: State) -> Cell {
    Cell::toned(tone(state), state.as_str())
}

/// What a state asks for.
pub(super) fn tone(state: State) -> Tone {
    match state {
        State::EnforcementNeeded | State::Enforced => Tone::Bad,
        State::OverdueChecking | State::DueSoon => Tone::Watch,
        State::Registered | State::RegistrationReported => Tone::Good,
        State::OutOfScope
        | State::Exempt
        | State::NotEligible
        | State::Disabled
        | State::Gone
        | State::Paused => Tone::Faint,
        State::Unknown | State::WaitingFirstSignIn | State::InGrace => Tone::Plain,
    }
}

/// What comes next.
pub(super) fn next(action: NextAction) -> String {
    match action {
        NextAction::Reminder(step) => format!("the reminder {step}"),
        NextAction::Deadline => "the deadline".to_owned(),
        NextAction::CheckFlag => "whether to flag".to_owned(),
        NextAction::WaitEnds => "a wait ends".to_owned(),
        NextAction::SignInDue => "a sign-in dated ahead comes due".to_owned(),
        NextAction::DueSoon => "three days are left".to_owned(),
    }
}

/// What a state means, in a few words.
pub(super) fn meaning(state: State) -> &'static str {
    match state {
        State::OutOfScope => "the policy does not include them",
        State::Exempt => "the policy excludes them",
        State::NotEligible => "guests and accounts that cannot register",
        State::Disabled => "the account is disabled",
        State::Gone => "no longer in the directory",
        State::Unknown => "no report says whether they are registered",
        State::Registered => "done",
        State::RegistrationReported => "the log says registered, the report not yet",
        State::WaitingFirstSignIn => "have not signed in since; nobody asked them yet",
        State::InGrace => "the window is open",
        State::DueSoon => "three days are left, or less",
        State::OverdueChecking => "the deadline has passed; something is still to be proven",
        State::EnforcementNeeded => "flagged: late, and everything is proven",
        State::Enforced => "enforced in the directory",
        State::Paused => "the clock is stopped",
    }
}
