//! Whether there is an audit feed, and what is not seen without one (rule 7.8).

use super::folder;
use crate::config::{Config, Directory};
use crate::desk::Reader;
use crate::sources::Collection;

/// What to say where there is none.
pub(in crate::cli) const UNSEEN: &str = "without an audit feed a registration service that stands still for less than 7 days is not seen: who registers meanwhile can be flagged until the report shows it";

/// Whether the folder has no audit log, or Graph was read and gave none.
pub(in crate::cli) fn are_absent(config: &Config, reader: Option<&Reader>) -> bool {
    match &config.directory {
        Directory::Files(_) => folder(config)
            .is_some_and(|folder| folder.parts(Collection::Audits).is_ok_and(<[_]>::is_empty)),
        Directory::Graph(_) => {
            let world = reader.map(|reader| &reader.world);
            world.is_some_and(|world| world.users.is_some() && world.audits.is_none())
        }
    }
}
