//! What stands in for the world outside, and what many tests begin with.

pub(crate) mod authority;
pub(crate) mod endpoint;
pub(crate) mod graph;
pub(crate) mod happenings;
pub(crate) mod lists;
pub(crate) mod program;
pub(crate) mod recorder;
pub(crate) mod said;
pub(crate) mod smtp_peer;
pub(crate) mod webhook_peer;
pub(crate) mod world;

/// A file that its owner alone may read.
pub(crate) fn write_secret(path: impl AsRef<std::path::Path>, text: impl AsRef<[u8]>) {
    use std::os::unix::fs::PermissionsExt as _;

    let path = path.as_ref();
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// What `check` says, without the time of the next pass, which is that of the clock.
pub(crate) fn without_next_pass(text: &str) -> String {
    let lines = text
        .split('\n')
        .map(|line| match line.split_once("next on ") {
            Some((line, _)) => format!("{line}next on DAY"),
            None => line.to_owned(),
        });
    lines.collect::<Vec<_>>().join("\n")
}
