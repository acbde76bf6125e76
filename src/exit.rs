//! What a command ends with; who calls it may go by that alone.

/// Done.
pub const DONE: u8 = 0;
/// Failed.
pub const FAILED: u8 = 1;
/// Wrong usage or configuration.
pub const WRONG: u8 = 2;
/// Done, but held or degraded: a person should look.
pub const DEGRADED: u8 = 3;

/// Each with its meaning, as the manual and the documents name them.
pub const MEANINGS: [(u8, &str); 4] = [
    (DONE, "done"),
    (FAILED, "failed"),
    (WRONG, "wrong usage or configuration"),
    (
        DEGRADED,
        "done, but something is held or degraded: a person should look",
    ),
];
