//! Of Graph, what is a source: the members of groups, and which slices of a log are read when.

mod groups;
mod pages;
mod slices;

pub use pages::Pages;
pub use slices::{Depth, Reading, Slice};
