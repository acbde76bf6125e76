//! What holds of the repository itself, and no compiler looks at.

#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod citations;
mod repository;
mod rules;
