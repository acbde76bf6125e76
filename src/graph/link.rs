//! The links that Graph gives between pages, and from one reading to the next.

use serde::{Deserialize, Serialize};

/// A link that Graph gave: to the next page, or to what will have changed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Link(pub(super) String);
