//! `fortnight` runs a multi-factor registration rollout: it reads directory data and sign-in
//! logs, keeps every person's window, sends reminders, and flags those who need enforcement.

pub mod delivery;
pub mod domain;
pub mod sources;
pub mod store;
