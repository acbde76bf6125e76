//! What a command ends with; who calls it may go by that alone.

/// Done.
pub const DONE: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub const WRONG: u8 = 2;
/// Done, but held or degraded: a person should look.
pub const DEGRADED: u8 = 3;
