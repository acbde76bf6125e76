//! Commands of a later version: refused by name, with what serves instead. They are no commands of
//! the parser's, so that neither help nor completions offer them.

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// How a database is kept, as long as no command does it.
const BY_HAND: &str = "copy the database together with the .lock file beside it while fortnight is stopped, or use sqlite3's .backup at any time";

/// What serves instead of each.
const LATER: [(&str, &str); 6] = [
    (
        "simulate",
        "rehearse the draft with enforce = \"report-only\" on a database of its own",
    ),
    ("exempt", "exclude the person in the policy"),
    ("audit", "`fortnight log` tells what happened"),
    ("backup", BY_HAND),
    ("restore", BY_HAND),
    (
        "undo",
        "`fortnight window extend` takes one flag back, a policy that is not \"on\" all of its own",
    ),
];

/// What to say if the parser stumbled over a command of a later version.
#[must_use]
pub fn refusal(error: &clap::Error) -> Option<String> {
    let named = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(named)) if error.kind() == ErrorKind::InvalidSubcommand => named,
        _ => return None,
    };
    let (name, instead) = LATER.iter().find(|(name, _)| name == named)?;
    Some(format!(
        "`{name}` is not in this version; instead: {instead}"
    ))
}
