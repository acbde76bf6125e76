//! What has changed in a folder of exports since it was read last.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::age::Another;
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
                let same = known
                    .as_ref()
                    .filter(|known| known.fingerprint == fingerprint(part));
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

fn fingerprint(part: &Part) -> String {
    let mark = part.fingerprint;
    format!(
        "{}/{}/{}",
        mark.size,
        mark.modified.as_nanosecond(),
        mark.inode
    )
}

pub(super) fn new_part(part: &Part) -> NewPart {
    NewPart {
        name: part.name.clone(),
        fingerprint: fingerprint(part),
    }
}
