//! What a pass would read of a folder of exports, for whoever only wants to know: the same rows, the
//! same editions, the same refusals, and nothing stored.

use jiff::Timestamp;

use super::editions::{Shares, older};
use super::parts::are_whole;
use super::reader::About;
use crate::domain::person::Person;
use crate::sources::files::{self, Folder, Part, Rows};
use crate::sources::wire::Group;
use crate::sources::{Collection, Item, SourceError};

/// The parts that count, and what was kept of their facts.
#[derive(Debug)]
pub struct Survey<T> {
    /// Without the older editions.
    pub parts: Vec<Part>,
    /// Of all of them.
    pub facts: Vec<T>,
}

/// The users export, and of its people what `keep` keeps.
pub fn users<T>(
    folder: &Folder,
    now: Timestamp,
    keep: impl Fn(Person) -> Option<T>,
) -> Result<Survey<T>, SourceError> {
    survey(folder, Collection::Users, files::users, now, keep)
}

/// The groups export, and of its groups what `keep` keeps.
pub fn groups<T>(
    folder: &Folder,
    now: Timestamp,
    keep: impl Fn(Group) -> Option<T>,
) -> Result<Survey<T>, SourceError> {
    survey(folder, Collection::Groups, files::groups, now, keep)
}

/// The parts of a collection that a pass would read.
pub fn parts(
    folder: &Folder,
    collection: Collection,
    now: Timestamp,
) -> Result<Vec<Part>, SourceError> {
    Ok(match collection {
        Collection::Users => users(folder, now, |_| None::<()>)?.parts,
        Collection::Groups => groups(folder, now, |_| None::<()>)?.parts,
        Collection::Registration => {
            let rows = files::registration;
            survey(folder, collection, rows, now, |_| None::<()>)?.parts
        }
        Collection::SignIns => {
            let rows = files::sign_ins;
            survey(folder, collection, rows, now, |_| None::<()>)?.parts
        }
        Collection::Audits => {
            let rows = files::audits;
            survey(folder, collection, rows, now, |_| None::<()>)?.parts
        }
    })
}

fn survey<T: About, U>(
    folder: &Folder,
    collection: Collection,
    rows_of: fn(&Part, Timestamp) -> Rows<T>,
    now: Timestamp,
    keep: impl Fn(T) -> Option<U>,
) -> Result<Survey<U>, SourceError> {
    let mut parts = folder.required(collection)?.to_vec();
    loop {
        let (mut facts, mut pages, mut shares) = (Vec::new(), Vec::new(), Shares::default());
        for part in &parts {
            shares.begin_part();
            let mut rows = rows_of(part, now);
            for item in rows.by_ref() {
                if let Item::Fact(fact) = item? {
                    shares.extend(fact.about());
                    facts.extend(keep(fact));
                }
            }
            pages.push((part.name.as_str(), rows.names_next()));
        }
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let pairs = shares.pairs(&names);
        let older = older(&names, &pairs)?;
        if older.is_empty() {
            are_whole(pages)?;
            return Ok(Survey { parts, facts });
        }
        let older: Vec<String> = older.keys().map(|name| (*name).to_owned()).collect();
        parts.retain(|part| !older.contains(&part.name));
    }
}
