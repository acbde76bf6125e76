//! Delivery: from a row of the outbox to an accepted message.
//!
//! [`text`] makes foreign text safe, [`mail`] renders a row as the bytes of a message, [`smtp`]
//! and [`mod@file`] hand these over; [`webhook`] does both for programs and chats, and dials only
//! where [`egress`] lets it. What became of an attempt is one [`Outcome`] for all. Nothing here
//! reads the clock or the store: rows, moments and settings come in as arguments.

pub mod egress;
pub mod file;
pub mod mail;
mod outcome;
pub mod smtp;
pub mod text;
mod trust;
pub mod webhook;

pub use self::outcome::Outcome;
