//! What has changed in a folder of exports since it was read last.

use std::collections::BTreeMap;

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
}

impl Difference<'_> {
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
    };
    for part in parts {
        match stored.remove(&part.name) {
            Some(known) if known.fingerprint == fingerprint(part) && !all => {
                result.unchanged.push(known);
            }
            known => {
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
