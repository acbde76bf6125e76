//! `fortnight` runs a multi-factor registration rollout: it reads directory data and sign-in
//! logs, keeps every person's window, sends reminders, and flags those who need enforcement.
//!
//! The map, in reading order:
//!
//! - [`domain`]: the rules, pure. Begin with [`domain::decide`].
//! - [`pass`]: the road, once: collect → decide → notice → brake → commit → deliver.
//! - [`sources`]: exports become facts, streamed.
//! - [`store`]: facts, decisions and deliveries in one `SQLite` file.
//! - [`delivery`]: from a row to the bytes of a mail or a webhook, and to a mail server, a folder
//!   or an endpoint; [`transport`] and [`courier`] join it with the outbox.
//! - [`engine`]: a pass with its deliveries; [`daemon`], [`http`], [`cli`] and the demo turn it.
//! - [`config`] and [`time`]: the leaves.

mod answer;
pub mod capacity;
pub mod cli;
pub mod config;
pub mod courier;
pub mod daemon;
pub mod delivery;
mod demo;
pub mod domain;
pub mod engine;
pub mod entra;
pub mod errors;
pub mod http;
pub mod pass;
pub mod sources;
mod stop;
pub mod store;
pub mod time;
pub mod transport;
