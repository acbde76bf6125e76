//! The program over a fake Graph in trouble: what it decides and says is what it would have
//! decided and said on a calm day. `journey_graph` has the calm days.

#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "helpers of tests fail at once, and read better with values written in place"
)]

mod cases;
mod chance;
mod credentials;
mod daemon;
mod directory;
mod kills;
mod logs;
mod moving;
mod pace;
mod program;
mod registration;
mod service;
mod troubled;
#[path = "../support/world.rs"]
mod world;

fn on_graph() -> bool {
    true
}
