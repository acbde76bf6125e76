//! Whether the exported logs hold sign-ins at which anybody could have been asked (rule T2).

use super::folder;
use crate::config::Config;
use crate::sources::wire::Recorded;
use crate::sources::{Collection, files};

/// What to say where they do not.
pub(in crate::cli) const UNSEEN: &str = "the sign-ins in the folder are all non-interactive, at which nobody is asked: no window opens before the interactive ones are exported too (InteractiveSignIns in the portal)";

/// Whether every log of sign-ins in the folder is one of sign-ins that prompt nobody.
pub(in crate::cli) fn are_absent(config: &Config) -> bool {
    let Some(folder) = folder(config) else {
        return false;
    };
    let parts = folder.parts(Collection::SignIns).unwrap_or(&[]);
    let is_silent = |part: &files::Part| part.recorded == Recorded::NonInteractive;
    !parts.is_empty() && parts.iter().all(is_silent)
}
