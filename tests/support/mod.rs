//! What stands in for the world outside, and what many tests begin with.

pub(crate) mod authority;
pub(crate) mod endpoint;
pub(crate) mod graph;
pub(crate) mod happenings;
pub(crate) mod lists;
pub(crate) mod program;
pub(crate) mod recorder;
pub(crate) mod said;
pub(crate) mod smtp_peer;
pub(crate) mod webhook_peer;
pub(crate) mod world;
