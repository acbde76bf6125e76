//! The journeys of `journey`, with what the directory knows served by Graph: the same states, the
//! same windows, the same mails.

#[path = "journey.rs"]
mod journey;

pub(crate) fn on_graph() -> bool {
    true
}
