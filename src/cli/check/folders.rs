//! Folders that the configuration names and that are not there: what the disk shows without a network.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::config::{Config, Directory, EmailTransport, Fault};
use crate::errors::chain;
use crate::sources::files;

/// What a pass could not use.
pub(super) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    if let Directory::Files(exports) = &config.directory
        && let Err(error) = files::scan(&exports.path, exports.dates)
    {
        let remedy = "make the folder and put the exports there, or name the right one; a relative path starts at this file's folder";
        faults.push(config.fault_of_key("directory.files.path", chain(&error), remedy));
    }
    if let Some(email) = &config.email
        && let EmailTransport::File(outbox) = &email.transport
        && let Some(folder) = missing_above(outbox)
    {
        let message = format!(
            "there is no folder {} for `email.file.path`",
            folder.display()
        );
        faults.push(config.fault_of_key("email.file.path", message, MAKE));
    }
    if let Some(folder) = missing_above(&config.database) {
        let message = format!("there is no folder {} for the database", folder.display());
        faults.push(config.fault_of_key("database.url", message, MAKE));
    }
    faults
}

/// What mends a missing folder.
pub(in crate::cli) const MAKE: &str =
    "make it, owned by the user that runs fortnight, or name another";

/// The folder of a path, if it is not there.
pub(in crate::cli) fn missing_above(path: &Path) -> Option<&Path> {
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())?;
    let is_missing = match fs::metadata(folder) {
        Ok(found) => !found.is_dir(),
        // Who may not look cannot say.
        Err(error) => error.kind() != ErrorKind::PermissionDenied,
    };
    is_missing.then_some(folder)
}
