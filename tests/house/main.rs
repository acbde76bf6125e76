//! What the project promises about its own code and documents.

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
