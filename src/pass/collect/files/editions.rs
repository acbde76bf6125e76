//! Files that are left alone because a newer edition of the same is there (rule 3.5).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;

use serde::{Deserialize, Serialize};

use super::parts::fingerprint;
use crate::pass::collect::{CollectError, Collector};
use crate::sources::SourceError;
use crate::sources::files::{Part, outdated};
use crate::store::StoreError;
use crate::store::people::EDITION_SHARE;
use crate::store::settings::LEFT_ALONE;
use crate::store::sources::Source;

/// Of each source, by name, what is left alone.
type LeftAlone = BTreeMap<String, BTreeMap<String, Left>>;

/// A file that is left alone, as it was then.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Left {
    fingerprint: String,
    /// The newer edition: while it is there, the older one need not be read to know that.
    instead: String,
}

/// Which parts have which ids, to tell editions of one thing (rule 3.5).
#[derive(Debug)]
pub(super) struct Shares<K> {
    /// The number of the last part that has each id, from 1.
    last_in: HashMap<K, usize>,
    /// How many ids each part has.
    sizes: Vec<u64>,
    /// How many ids two parts share.
    shared: BTreeMap<(usize, usize), u64>,
}

impl<K> Default for Shares<K> {
    fn default() -> Self {
        Self {
            last_in: HashMap::new(),
            sizes: Vec::new(),
            shared: BTreeMap::new(),
        }
    }
}

impl<K: Eq + Hash> Shares<K> {
    pub(super) fn begin_part(&mut self) {
        self.sizes.push(0);
    }

    /// The part that began last has these.
    pub(super) fn extend(&mut self, ids: impl IntoIterator<Item = K>) {
        let at = self.sizes.len();
        for id in ids {
            let before = self.last_in.insert(id, at);
            if before == Some(at) {
                continue;
            }
            if let Some(size) = self.sizes.last_mut() {
                *size += 1;
            }
            if let Some(before) = before {
                *self.shared.entry((before, at)).or_default() += 1;
            }
        }
    }

    /// Pairs of parts that share so many ids that they are editions of one thing.
    pub(super) fn pairs(&self, names: &[&str]) -> Vec<(String, String)> {
        let pairs = self.shared.iter().filter(|((one, other), shared)| {
            let smaller = self.sizes[one - 1].min(self.sizes[other - 1]);
            **shared * EDITION_SHARE >= smaller
        });
        pairs
            .map(|((one, other), _)| (names[one - 1].to_owned(), names[other - 1].to_owned()))
            .collect()
    }
}

/// Which parts are older editions than others, with one that counts instead of each; the pairs
/// share ids. Editions that names do not order fail the source.
pub(super) fn older<'a>(
    parts: &[&'a str],
    pairs: &'a [(String, String)],
) -> Result<BTreeMap<&'a str, &'a str>, SourceError> {
    let pairs: Vec<(&str, &str)> = pairs
        .iter()
        .map(|(one, other)| (one.as_str(), other.as_str()))
        .collect();
    outdated(parts, &pairs).map_err(|(one, other)| SourceError::WrongFile {
        file: one.to_owned(),
        line: None,
        reason: format!(
            "it and {other} hold the same ids, and their names do not tell which is the newer"
        ),
        remedy: "remove the older one, or name each by its date, like users_2026-11-10.csv"
            .to_owned(),
    })
}

impl Collector<'_> {
    /// The parts of a source but those that are left alone; what is no more there is forgotten.
    pub(super) async fn current(
        &self,
        source: Source,
        parts: &[Part],
    ) -> Result<Vec<Part>, StoreError> {
        let mut all = self.left_alone().await?;
        let names: BTreeSet<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let left = all.entry(source.as_str().to_owned()).or_default();
        let known = left.len();
        left.retain(|name, _| names.contains(name.as_str()));
        let left = left.clone();
        if left.len() < known {
            self.store.set(&LEFT_ALONE.of(), &all).await?;
        }
        let counts = |part: &&Part| {
            left.get(&part.name).is_none_or(|left| {
                left.fingerprint != fingerprint(part) || !names.contains(left.instead.as_str())
            })
        };
        Ok(parts.iter().filter(counts).cloned().collect())
    }

    /// Leaves older editions alone from now on, and says so.
    pub(super) async fn leave_alone(
        &self,
        source: Source,
        parts: &[Part],
        older: &BTreeMap<&str, &str>,
    ) -> Result<(), CollectError> {
        let mut all = self.left_alone().await?;
        let left = all.entry(source.as_str().to_owned()).or_default();
        for part in parts {
            let Some(instead) = older.get(part.name.as_str()) else {
                continue;
            };
            tracing::warn!(
                source = source.as_str(),
                file = part.name,
                newer = instead,
                "left {} alone: {instead} is a newer edition of it",
                part.name
            );
            let left_alone = Left {
                fingerprint: fingerprint(part),
                instead: (*instead).to_owned(),
            };
            left.insert(part.name.clone(), left_alone);
        }
        self.store.set(&LEFT_ALONE.of(), &all).await?;
        Ok(())
    }

    async fn left_alone(&self) -> Result<LeftAlone, StoreError> {
        let left = self.store.setting(&LEFT_ALONE.of::<LeftAlone>()).await?;
        Ok(left.unwrap_or_default())
    }
}
