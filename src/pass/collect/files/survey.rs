//! What a pass would read of a folder of exports, for whoever only wants to know: the same rows, the
//! same editions, the same refusals, and nothing stored.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::editions::{Shares, older};
use super::parts::{are_whole, difference};
use super::reader::About;
use crate::domain::person::Person;
use crate::sources::files::{self, Folder, Part, Rows};
use crate::sources::wire::{Group, Report};
use crate::sources::{Collection, Item, Quarantined, SourceError};
use crate::store::sources::StoredPart;

/// The parts that count, and what was kept of their facts.
#[derive(Debug)]
pub struct Survey<T> {
    /// Without the older editions.
    pub parts: Vec<Part>,
    /// Of all of them.
    pub facts: Vec<T>,
    /// The rows that a pass would put aside.
    pub aside: Aside,
}

/// Rows that cannot be read.
#[derive(Debug, Default)]
pub struct Aside {
    /// How many.
    pub rows: u64,
    /// The first of them.
    pub first: Option<Quarantined>,
}

impl Aside {
    fn add(&mut self, row: Quarantined) {
        self.rows += 1;
        self.first.get_or_insert(row);
    }
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

/// The registration report, and the dates of its rows, where they bear one.
pub fn registration(
    folder: &Folder,
    now: Timestamp,
) -> Result<Survey<Option<Timestamp>>, SourceError> {
    let rows = files::registration;
    let dated = |row: Report| Some(row.refreshed_at);
    survey(folder, Collection::Registration, rows, now, dated)
}

/// The files of the sign-in log that a pass would read.
pub fn sign_ins(folder: &Folder, now: Timestamp) -> Result<Survey<()>, SourceError> {
    let rows = files::sign_ins;
    survey(folder, Collection::SignIns, rows, now, |_| None)
}

/// The files of the audit log likewise.
pub fn audits(folder: &Folder, now: Timestamp) -> Result<Survey<()>, SourceError> {
    let rows = files::audits;
    survey(folder, Collection::Audits, rows, now, |_| None)
}

/// The time of what these parts hold, as a pass would take it (rule 7.8): of those that it has read
/// before also by what it noted then.
#[must_use]
pub fn reading(
    parts: &[Part],
    stored: Vec<StoredPart>,
    is_log: bool,
    zone: &TimeZone,
    now: Timestamp,
) -> Option<Timestamp> {
    let known = difference(parts, stored, true);
    let times = parts.iter().map(|part| known.reading(part, zone, now));
    // A snapshot of several files is as old as the oldest of them, a log as the newest.
    if is_log { times.max() } else { times.min() }
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
        let mut aside = Aside::default();
        for part in &parts {
            shares.begin_part();
            let mut rows = rows_of(part, now);
            for item in rows.by_ref() {
                match item? {
                    Item::Fact(fact) => {
                        shares.extend(fact.about());
                        facts.extend(keep(fact));
                    }
                    Item::Skipped(_) => {}
                    Item::Quarantined(row, _) => aside.add(row),
                }
            }
            pages.push((part.name.as_str(), rows.names_next()));
        }
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let pairs = shares.pairs(&names);
        let older = older(&names, &pairs)?;
        if older.is_empty() {
            are_whole(pages)?;
            return Ok(Survey {
                parts,
                facts,
                aside,
            });
        }
        let older: Vec<String> = older.keys().map(|name| (*name).to_owned()).collect();
        parts.retain(|part| !older.contains(&part.name));
    }
}
