//! Microsoft Graph, v1.0: the questions, and the way to ask them.
//!
//! What is asked for is decided in `pass`, what rows mean in [`wire`](super::wire). The trap: a
//! page is not a snapshot. Only a reading that came to its end says who is *not* there.

mod ask;
mod client;
mod error;
mod groups;
mod limiter;
mod slices;

pub use ask::Ask;
pub use client::{Client, GraphConfig, Link, Page, Trail};
pub use error::GraphError;
pub use slices::{Depth, Reading, Slice};
