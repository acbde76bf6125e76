//! What the project promises about its own code and documents.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail at once, and read better with values written in place"
)]

mod floors;
mod statements;

#[path = "../support/endpoint.rs"]
mod endpoint;
#[path = "../support/world.rs"]
mod world;

/// Worlds are told by exports unless a story says otherwise.
fn on_graph() -> bool {
    false
}
