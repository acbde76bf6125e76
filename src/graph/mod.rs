//! Microsoft Graph, v1.0: the questions, and the way to ask them.
//!
//! What is asked for is decided in `pass`, what rows mean in [`wire`](crate::sources::wire). The
//! trap: a page is not a snapshot. Only a reading that came to its end says who is *not* there.

mod ask;
mod client;
mod error;
mod limiter;
mod link;
mod text;

pub use ask::Ask;
pub use client::{Client, GraphConfig, Page, Trail};
pub use error::GraphError;
pub use link::Link;
