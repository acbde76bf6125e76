//! The rules, pure: facts and a time go in, decisions with their reasons come out.
//!
//! What is deliberately absent: input and output, async, logging and the clock. `now` is an
//! argument everywhere, so that every rule can be tried on any day. Read [`decide`] first.

mod acts;
pub mod age;
pub mod assignment;
pub mod audit;
pub mod brake;
pub mod decide;
pub mod decision;
pub mod delivery;
pub mod effect;
mod entering;
mod explain;
pub mod facts;
pub mod fault;
mod flagging;
pub mod hold;
pub mod id;
mod judge;
pub mod language;
pub mod listed;
mod losses;
pub mod message;
pub mod news;
pub mod notice;
pub mod person;
pub mod policy;
mod prompts;
pub mod reason;
pub mod reference;
pub mod registration;
pub mod scope;
pub mod seen;
pub mod sign_in;
pub mod standing;
pub mod state;
#[cfg(test)]
#[path = "../../tests/support/story.rs"]
pub(crate) mod story;
mod telling;
mod wake;
pub mod window;
