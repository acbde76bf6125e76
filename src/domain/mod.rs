//! The rules, pure: facts and a time go in, decisions with their reasons come out.
//!
//! What is deliberately absent: input and output, async, logging and the clock. `now` is an
//! argument everywhere, so that every rule can be tried on any day. Read [`decide`] first.

pub mod assignment;
pub mod audit;
pub mod id;
pub mod message;
pub mod person;
pub mod policy;
pub mod registration;
pub mod sign_in;
