//! The program over a fake Graph in trouble: what it decides and says is what it would have
//! decided and said on a calm day. `journey_graph` has the calm days.

mod borders;
mod cases;
mod chance;
mod credentials;
mod daemon;
mod directory;
mod kills;
mod logs;
mod moving;
mod pace;
mod program;
mod registration;
mod service;
mod troubled;
