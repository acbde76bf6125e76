//! What names of the configuration meant the last time they meant something.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::domain::id::{GroupId, UserId};
use crate::store::{Store, StoreError, settings};

/// The people and groups that were meant.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Names {
    pub(super) users: BTreeMap<String, BTreeSet<UserId>>,
    pub(super) groups: BTreeMap<String, GroupId>,
}

impl Names {
    pub(super) async fn load(store: &Store) -> Result<Self, StoreError> {
        let names = store.setting(&settings::NAMES.of()).await?;
        Ok(names.unwrap_or_default())
    }

    pub(super) async fn keep(&self, store: &Store) -> Result<(), StoreError> {
        store.set(&settings::NAMES.of(), self).await
    }
}
