//! What has changed in a folder of exports since it was read last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::reader::PartRead;
use crate::domain::age::Another;
use crate::sources::SourceError;
use crate::sources::files::Part;
use crate::store::sources::{NewPart, StoredPart};

/// Which parts of a source changed since they were read.
pub(super) struct Difference<'a> {
    /// To be read, in name order.
    pub(super) read: Vec<&'a Part>,
    /// Read before and not changed.
    pub(super) unchanged: Vec<StoredPart>,
    /// No more there.
    pub(super) gone: Vec<StoredPart>,
    /// Numbers of parts that are read again or are no more.
    pub(super) reread: Vec<i64>,
    /// When parts that have not changed were written, as the pass saw it that first read them.
    first_read: BTreeMap<String, Timestamp>,
    /// Of the registration report: whether it was read before.
    pub(super) report: Option<Another>,
}

impl Difference<'_> {
    /// The time of the reading of a part: when it was written, and never later than the pass that
    /// first read it (rule 7.8).
    pub(super) fn reading(&self, part: &Part, zone: &TimeZone, now: Timestamp) -> Timestamp {
        let first = self.first_read.get(&part.name).copied();
        first.unwrap_or_else(|| part.written_at(zone).min(now))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.read.is_empty() && self.gone.is_empty()
    }
}

pub(super) fn difference(parts: &[Part], stored: Vec<StoredPart>, all: bool) -> Difference<'_> {
    let mut stored: BTreeMap<String, StoredPart> = stored
        .into_iter()
        .map(|part| (part.name.clone(), part))
        .collect();
    let mut result = Difference {
        read: Vec::new(),
        unchanged: Vec::new(),
        gone: Vec::new(),
        reread: Vec::new(),
        first_read: BTreeMap::new(),
        report: None,
    };
    for part in parts {
        match stored.remove(&part.name) {
            Some(known) if known.fingerprint == fingerprint(part) && !all => {
                result.unchanged.push(known);
            }
            known => {
                // Written at the same time, it was read before, also where it was copied since.
                let same = known.as_ref().filter(|known| {
                    without_inode(&known.fingerprint) == without_inode(&fingerprint(part))
                });
                let first_read = same.map(|known| (part.name.clone(), known.as_of));
                result.first_read.extend(first_read);
                result.reread.extend(known.map(|known| known.id));
                result.read.push(part);
            }
        }
    }
    result.reread.extend(stored.values().map(|part| part.id));
    result.gone = stored.into_values().collect();
    result
}

pub(super) fn fingerprint(part: &Part) -> String {
    let mark = part.fingerprint;
    format!(
        "{}/{}/{}",
        mark.size,
        mark.modified.as_nanosecond(),
        mark.inode
    )
}

/// What a copy that keeps the time has in common with the file.
fn without_inode(fingerprint: &str) -> Option<&str> {
    let (mark, _) = fingerprint.rsplit_once('/')?;
    Some(mark)
}

pub(super) fn new_part(part: &Part) -> NewPart {
    NewPart {
        name: part.name.clone(),
        fingerprint: fingerprint(part),
        names_next: false,
    }
}

/// A part as it was read: the one that is written down.
pub(super) fn read_part(part: &Part, read: &PartRead) -> NewPart {
    NewPart {
        names_next: read.names_next,
        ..new_part(part)
    }
}

/// Refuses pages of a folder of which none is a last one: whoever wrote them did not get to the
/// end, or the last one was lost (rule 3.1). With each page comes whether it names a next one.
pub(super) fn are_whole<'a>(
    pages: impl IntoIterator<Item = (&'a str, bool)>,
) -> Result<(), SourceError> {
    /// Its number, where the name is one; its name; whether it names a next page.
    type Page<'a> = (Option<u64>, &'a str, bool);
    let mut folders: BTreeMap<&str, Vec<Page<'a>>> = BTreeMap::new();
    for (name, names_next) in pages {
        let (folder, page) = name.rsplit_once('/').unwrap_or(("", name));
        let number = page.split('.').next().and_then(|page| page.parse().ok());
        let pages = folders.entry(folder).or_default();
        pages.push((number, name, names_next));
    }
    let unended = folders.into_values().find_map(|pages| {
        let (_, last, names_next) = pages.iter().max()?;
        // Pages whose names are numbers are in the order in which they were written.
        let in_order = pages.iter().all(|(number, ..)| number.is_some());
        let none_is_last = pages.iter().all(|(.., names_next)| *names_next);
        (none_is_last || (in_order && *names_next)).then_some(*last)
    });
    unended.map_or(Ok(()), |last| {
        Err(SourceError::WrongFile {
            file: last.to_owned(),
            line: None,
            reason: "it names a next page (`@odata.nextLink`), and no page there is a last one"
                .to_owned(),
            remedy: "read the pages to the end and write them all there".to_owned(),
        })
    })
}
