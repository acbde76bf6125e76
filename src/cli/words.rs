//! Words and colours that several commands share.

use super::screen::Tone;
use super::table::Cell;
use crate::domain::decision::NextAction;
use crate::domain::state::State;

/// So many, in words that go with the number.
pub(super) fn counted(count: u64, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

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

/// What comes next, to whom it really comes or under a policy that is only rehearsed.
pub(super) fn next(action: NextAction, is_rehearsed: bool) -> String {
    match action {
        NextAction::Reminder(step) if is_rehearsed => format!("the reminder {step} would go"),
        NextAction::CheckFlag if is_rehearsed => "whether one would flag".to_owned(),
        NextAction::Reminder(step) => format!("the reminder {step}"),
        NextAction::Deadline => "the deadline".to_owned(),
        NextAction::CheckFlag => "whether to flag".to_owned(),
        NextAction::WaitEnds => "a wait ends".to_owned(),
        NextAction::SignInDue => "a sign-in dated ahead comes due".to_owned(),
        NextAction::DueSoon => "three days are left".to_owned(),
    }
}

/// What a state means, in a few words.
pub(super) fn meaning(state: State) -> String {
    let about = state.about().trim_end_matches('.');
    let mut rest = about.chars();
    let first = rest.next().into_iter().flat_map(char::to_lowercase);
    first.chain(rest).collect()
}
