//! The document being read: its text, the variables that override it, and what is found to be
//! wrong with both.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::fault::{Fault, Place, Severity, Source};
use super::mask::mask;
use super::suggest::nearest;

/// The beginning of every variable that overrides a key.
const PREFIX: &str = "FORTNIGHT__";
/// Where systemd puts the secrets of a service.
pub(super) const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A key, as the reference and the schema describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// Its path, with `[]` behind lists of tables.
    pub path: String,
    /// What it takes.
    pub kind: Kind,
    /// The default, in words.
    pub default: String,
    /// What it is for.
    pub about: &'static str,
}

/// What a key takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A text, or a table of texts by language.
    Wording,
    /// Text of a small set.
    OneOf(&'static [&'static str]),
    /// A list of texts.
    Texts,
    /// A text or a list of texts.
    TextOrTexts,
    /// A duration: `"14d"`, `"6h"`, `"30s"`.
    Duration,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Number,
    /// A date and time with offset.
    Instant,
    /// A map of result codes to class names.
    Codes,
}

/// A key with the value that counts.
#[derive(Clone)]
pub struct Setting {
    /// Its path; tables of a list have a number from 0: `policy[0].window`.
    pub key: String,
    /// The value, as the file would spell it; null where there is none.
    pub value: Value,
    /// Where it came from; nowhere is the default.
    pub place: Place,
}

/// Values belong to whoever asks for them, not into a log.
impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setting")
            .field("key", &self.key)
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A document being read.
pub(super) struct Document {
    text: String,
    /// The same text as faults may show it.
    source: Arc<Source>,
    folder: PathBuf,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) used: RefCell<BTreeSet<String>>,
    pub(super) faults: RefCell<Vec<Fault>>,
    pub(super) keys: RefCell<Vec<KeyDoc>>,
    /// The value of each key that was read, and where it came from.
    pub(super) settings: RefCell<Vec<Setting>>,
    /// Keys that name the file of a secret which others can read.
    pub(super) exposed: RefCell<Vec<String>>,
}

/// A value with the place it came from.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

impl Document {
    pub(super) fn new(
        file: &Path,
        text: String,
        variables: impl IntoIterator<Item = (String, OsString)>,
    ) -> Self {
        let shown = mask(&text);
        let document = Self {
            text,
            source: Arc::new(Source::new(file.display().to_string(), shown)),
            folder: file.parent().map(Path::to_owned).unwrap_or_default(),
            variables: BTreeMap::new(),
            used: RefCell::default(),
            faults: RefCell::default(),
            keys: RefCell::default(),
            settings: RefCell::default(),
            exposed: RefCell::default(),
        };
        document.overridden_by(variables)
    }

    /// With the variables that are ours; one that is empty overrides nothing, as if it were not set.
    fn overridden_by(mut self, variables: impl IntoIterator<Item = (String, OsString)>) -> Self {
        for (name, value) in variables {
            if !(name.starts_with(PREFIX) || name == CREDENTIALS) {
                continue;
            }
            match value.into_string() {
                Ok(value) if value.is_empty() => {}
                Ok(value) => {
                    self.variables.insert(name, value);
                }
                Err(_) => self.error(
                    Place::Variable(name),
                    "the value of this variable is no UTF-8",
                    "set it anew, in UTF-8",
                ),
            }
        }
        self
    }

    /// The text as faults may show it.
    pub(super) fn source(&self) -> Arc<Source> {
        Arc::clone(&self.source)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn error(
        &self,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.fault(Severity::Error, place, message, remedy);
    }

    pub(super) fn warning(
        &self,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        self.fault(Severity::Warning, place, message, remedy);
    }

    /// How many errors there are by now; what is only warned of keeps nothing from being used.
    pub(super) fn errors(&self) -> usize {
        let faults = self.faults.borrow();
        let errors = faults
            .iter()
            .filter(|fault| fault.severity == Severity::Error);
        errors.count()
    }

    fn fault(
        &self,
        severity: Severity,
        place: Place,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        let fault = Fault::new(
            severity,
            place,
            message.into(),
            remedy.into(),
            Arc::clone(&self.source),
        );
        self.faults.borrow_mut().push(fault);
    }

    /// A path of the configuration: relative ones start at its folder.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Variables that override nothing.
    pub(super) fn refuse_unused_variables(&self) {
        let used = self.used.borrow();
        let known = used_names(&self.keys.borrow());
        for name in self.variables.keys() {
            if name == CREDENTIALS || used.contains(name) {
                continue;
            }
            let remedy = if name.starts_with("FORTNIGHT__POLICY") {
                "policies are set in the file only".to_owned()
            } else if name.starts_with("FORTNIGHT__WEBHOOK") {
                "webhooks are set in the file only".to_owned()
            } else {
                nearest(name, known.iter().map(String::as_str)).map_or_else(
                    || "remove it".to_owned(),
                    |near| format!("did you mean {near}?"),
                )
            };
            self.error(
                Place::Variable(name.clone()),
                "this variable overrides no key",
                remedy,
            );
        }
    }
}

fn used_names(keys: &[KeyDoc]) -> Vec<String> {
    let overridable = keys.iter().filter(|key| !key.path.contains("[]"));
    overridable
        .flat_map(|key| {
            let secret = key.path.strip_suffix("_file");
            [Some(variable(&key.path)), secret.map(variable)]
        })
        .flatten()
        .collect()
}

pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}
