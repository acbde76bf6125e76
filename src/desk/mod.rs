//! The desk: whatever is asked or ordered comes here.

pub mod capacity;
