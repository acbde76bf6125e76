//! A folder of exports, in Graph's own spelling, becomes the state of the tenant: the same history
//! can be read as files and, through the fake, from Graph.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::{Deserializer, Value};

use super::service::Service;

#[derive(Debug, Default)]
struct Exports {
    users: Vec<Value>,
    groups: Vec<Value>,
    registration: Vec<Value>,
    sign_ins: Vec<Value>,
    audits: Vec<Value>,
}

impl Service {
    pub fn load_folder(&mut self, folder: &Path) {
        let exports = Exports::read(folder);
        self.set_users(&exports.users);
        self.set_groups(&exports.groups);
        self.report.replace(&exports.registration);
        let now = self.now();
        for row in &exports.sign_ins {
            self.sign_ins.appear(row, now);
        }
        for row in &exports.audits {
            self.audits.appear(row, now);
        }
    }
}

impl Exports {
    fn read(folder: &Path) -> Self {
        let mut exports = Self::default();
        for (name, path) in files(folder, "") {
            let name = name.to_lowercase().replace(['-', '_'], "");
            let rows = match name.as_str() {
                name if name.contains("signins") => &mut exports.sign_ins,
                name if name.contains("audits") => &mut exports.audits,
                name if name.contains("registration") => &mut exports.registration,
                name if name.starts_with("users") => &mut exports.users,
                name if name.starts_with("groups") => &mut exports.groups,
                _ => continue,
            };
            rows.extend(rows_of(&path));
        }
        exports
    }
}

/// Files by the name that says what they hold: a folder of pages gives its own.
fn files(folder: &Path, above: &str) -> Vec<(String, PathBuf)> {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    let mut files = Vec::new();
    for path in entries {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            files.extend(self::files(&path, &name));
        } else if name.contains(".json") || name.contains(".ndjson") {
            let name = if above.is_empty() { &name } else { above };
            files.push((name.to_owned(), path));
        }
    }
    files
}

/// Pages, arrays and single objects, one or many in a file.
fn rows_of(path: &Path) -> Vec<Value> {
    let mut bytes = std::fs::read(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "gz") {
        let packed = std::mem::take(&mut bytes);
        GzDecoder::new(packed.as_slice())
            .read_to_end(&mut bytes)
            .unwrap();
    }
    let mut rows = Vec::new();
    for value in Deserializer::from_slice(&bytes).into_iter::<Value>() {
        match value.unwrap() {
            Value::Array(array) => rows.extend(array),
            mut page if page["value"].is_array() => {
                rows.append(page["value"].as_array_mut().unwrap());
            }
            row => rows.push(row),
        }
    }
    rows
}
