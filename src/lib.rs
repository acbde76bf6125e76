//! `fortnight` runs a multi-factor registration rollout: it reads directory data and sign-in
//! logs, keeps every person's window, sends reminders, and flags those who need enforcement.
//!
//! The map, in reading order:
//!
//! - [`domain`]: the rules, pure. Begin with [`domain::decide`].
//! - [`pass`]: the road, once: collect → decide → notice → brake → commit → deliver.
//! - [`sources`]: exports and rows of Graph become facts, streamed; [`graph`] asks Graph, [`entra`]
//!   gets the tokens.
//! - [`store`]: facts, decisions and deliveries in one `SQLite` file.
//! - [`courier`]: out of the outbox, by the destinations of [`delivery`], which knows mail, SMTP,
//!   webhooks and where requests may go.
//! - [`engine`]: a pass with its deliveries; [`daemon`], [`http`] and [`cli`] turn it.
//! - [`desk`]: what is asked and ordered.
//! - [`config`], [`report`] and [`time`]: for many floors.

mod answer;
mod certificate;
pub mod cli;
pub mod config;
pub mod courier;
pub mod daemon;
pub mod delivery;
pub mod desk;
pub mod domain;
pub mod engine;
pub mod entra;
pub mod errors;
pub mod exit;
pub mod graph;
pub mod http;
pub mod pass;
mod private;
mod quote;
pub mod report;
pub mod sources;
mod stop;
pub mod store;
pub mod time;
