//! Why the desk cannot answer, cut by what whoever asked can do about it.

use crate::store::StoreError;

/// Why something that was asked or ordered came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// Nothing bears the name that was given: it says what does.
    #[error("{0}")]
    Unknown(String),
    /// Several people bear it: it says who.
    #[error("{0}")]
    Several(String),
    /// What is there does not allow it.
    #[error("{0}")]
    Refused(String),
    /// What is there is not whole yet: it says when it is.
    #[error("{0}")]
    NotYet(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
