//! Of Graph, what is a source: the members of groups, and which slices of a log are read when.

mod groups;
mod slices;

pub use slices::{Depth, Reading, Slice};
