//! Walks the document key by key: every read says which key it wants, of which kind and what for,
//! so that unknown keys, suggestions, the JSON Schema and the reference all come from the same
//! words.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::SignedDuration;
use miette::NamedSource;
use secrecy::SecretString;
use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::{Fault, Place, Severity};
use crate::time::parse_duration;

/// The beginning of every variable that overrides a key.
const PREFIX: &str = "FORTNIGHT__";

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

/// A document being read.
pub(super) struct Document {
    source: Arc<NamedSource<String>>,
    folder: PathBuf,
    variables: BTreeMap<String, String>,
    used: RefCell<BTreeSet<String>>,
    pub(super) faults: RefCell<Vec<Fault>>,
    pub(super) keys: RefCell<Vec<KeyDoc>>,
}

/// A value with the place it came from.
#[derive(Debug, Clone)]
pub(super) struct Found<T> {
    pub(super) value: T,
    pub(super) place: Place,
}

/// A table of the document.
pub(super) struct Section<'a> {
    document: &'a Document,
    table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    path: String,
    overridable: bool,
    known: RefCell<BTreeSet<&'static str>>,
}

impl Document {
    pub(super) fn new(
        file: &Path,
        text: String,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        Self {
            source: Arc::new(NamedSource::new(file.display().to_string(), text)),
            folder: file.parent().map(Path::to_owned).unwrap_or_default(),
            variables: variables
                .into_iter()
                .filter(|(name, _)| name.starts_with(PREFIX))
                .collect(),
            used: RefCell::default(),
            faults: RefCell::default(),
            keys: RefCell::default(),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.source.inner()
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

    pub(super) fn root<'a>(&'a self, table: &'a DeTable<'a>) -> Section<'a> {
        Section {
            document: self,
            table: Some(table),
            span: None,
            path: String::new(),
            overridable: true,
            known: RefCell::default(),
        }
    }

    /// Variables that override nothing.
    pub(super) fn refuse_unused_variables(&self) {
        let used = self.used.borrow();
        for name in self.variables.keys().filter(|name| !used.contains(*name)) {
            let known = used_names(&self.keys.borrow());
            let remedy = suggestion(name, known.iter().map(String::as_str)).map_or_else(
                || "remove it".to_owned(),
                |near| format!("did you mean {near}?"),
            );
            self.error(
                Place::Variable(name.clone()),
                "this variable overrides no key",
                remedy,
            );
        }
    }
}

fn used_names(keys: &[KeyDoc]) -> Vec<String> {
    keys.iter()
        .filter(|key| !key.path.contains("[]"))
        .map(|key| variable(&key.path))
        .collect()
}

fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "__").to_uppercase())
}

/// The nearest of some names, if one is near.
pub(super) fn suggestion<'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::damerau_levenshtein(name, known), known))
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(1))
        .min()
        .map(|(_, known)| known)
}

impl<'a> Section<'a> {
    pub(super) fn document(&self) -> &'a Document {
        self.document
    }

    /// Where the section is, for faults about it as a whole.
    pub(super) fn place(&self) -> Place {
        self.span.clone().map_or(Place::Missing, Place::File)
    }

    /// Whether the section is in the document or in the environment.
    pub(super) fn is_there(&self) -> bool {
        let prefix = format!("{}__", variable(&self.path));
        self.table.is_some()
            || self.overridable
                && self
                    .document
                    .variables
                    .keys()
                    .any(|name| name.starts_with(&prefix))
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn note(&self, key: &'static str, kind: Kind, default: &str, about: &'static str) {
        self.known.borrow_mut().insert(key);
        let doc = KeyDoc {
            path: self.path_of(key),
            kind,
            default: default.to_owned(),
            about,
        };
        let mut keys = self.document.keys.borrow_mut();
        if !keys.contains(&doc) {
            keys.push(doc);
        }
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(key)
    }

    fn variable(&self, key: &str) -> Option<(String, String)> {
        if !self.overridable {
            return None;
        }
        let name = variable(&self.path_of(key));
        let value = self.document.variables.get(&name)?.clone();
        self.document.used.borrow_mut().insert(name.clone());
        Some((name, value))
    }

    fn wrong_kind(&self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &str) {
        let message = format!(
            "`{}` must be {wanted}, not {}",
            self.path_of(key),
            describe(value.get_ref())
        );
        self.document.error(Place::File(value.span()), message, "");
    }

    /// A text, from the environment or the file.
    pub(super) fn text(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<String>> {
        self.note(key, Kind::Text, default, about);
        self.raw_text(key, "a text in quotes")
    }

    fn raw_text(&self, key: &str, wanted: &str) -> Option<Found<String>> {
        if let Some((name, value)) = self.variable(key) {
            return Some(Found {
                value,
                place: Place::Variable(name),
            });
        }
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) => Some(Found {
                value: text.clone().into_owned(),
                place: Place::File(value.span()),
            }),
            _ => {
                self.wrong_kind(key, value, wanted);
                None
            }
        }
    }

    /// A text that something reads further.
    pub(super) fn parsed<T, E: std::fmt::Display>(
        &self,
        key: &'static str,
        kind: Kind,
        default: &str,
        about: &'static str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Found<T>> {
        let wanted = match kind {
            Kind::Duration => "a duration in quotes, like \"14d\"",
            _ => "a text in quotes",
        };
        self.note(key, kind, default, about);
        let found = self.raw_text(key, wanted)?;
        match parse(&found.value) {
            Ok(value) => Some(Found {
                value,
                place: found.place,
            }),
            Err(error) => {
                self.document
                    .error(found.place, format!("`{}`: {error}", self.path_of(key)), "");
                None
            }
        }
    }

    /// A text of a small set.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        choices: &'static [(&'static str, T)],
        names: &'static [&'static str],
        later: &[&str],
        default: &str,
        about: &'static str,
    ) -> Option<Found<T>> {
        self.note(key, Kind::OneOf(names), default, about);
        let found = self.raw_text(key, "a text in quotes")?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == found.value) {
            return Some(Found {
                value: *value,
                place: found.place,
            });
        }
        let path = self.path_of(key);
        if later.contains(&found.value.as_str()) {
            let message = format!("`{path} = \"{}\"` is not in this version", found.value);
            self.document
                .error(found.place, message, format!("use {}", names.join(" or ")));
        } else {
            let near = suggestion(&found.value, names.iter().copied());
            let remedy = near.map_or_else(
                || format!("use one of {}", names.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            self.document.error(
                found.place,
                format!("`{path}` cannot be {:?}", found.value),
                remedy,
            );
        }
        None
    }

    pub(super) fn duration(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<SignedDuration>> {
        self.parsed(key, Kind::Duration, default, about, parse_duration)
    }

    pub(super) fn flag(&self, key: &'static str, default: bool, about: &'static str) -> bool {
        self.note(key, Kind::Flag, &default.to_string(), about);
        if let Some((name, value)) = self.variable(key) {
            return value.parse().unwrap_or_else(|_| {
                self.document.error(
                    Place::Variable(name),
                    format!("must be true or false, not {value:?}"),
                    "",
                );
                default
            });
        }
        match self.get(key).map(|value| (value, value.get_ref())) {
            None => default,
            Some((_, DeValue::Boolean(flag))) => *flag,
            Some((value, _)) => {
                self.wrong_kind(key, value, "true or false");
                default
            }
        }
    }

    pub(super) fn number(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<u32>> {
        self.note(key, Kind::Number, default, about);
        let (text, place) = if let Some((name, value)) = self.variable(key) {
            (value, Place::Variable(name))
        } else {
            let value = self.get(key)?;
            let DeValue::Integer(number) = value.get_ref() else {
                self.wrong_kind(key, value, "a whole number");
                return None;
            };
            (number.as_str().replace('_', ""), Place::File(value.span()))
        };
        match text.trim().parse::<u32>() {
            Ok(number) if number > 0 => Some(Found {
                value: number,
                place,
            }),
            _ => {
                self.document.error(
                    place,
                    format!("`{}` must be a whole number from 1 on", self.path_of(key)),
                    "",
                );
                None
            }
        }
    }

    /// A list of texts; `single` also takes one text.
    pub(super) fn texts(
        &self,
        key: &'static str,
        single: bool,
        default: &str,
        about: &'static str,
    ) -> Option<Vec<Found<String>>> {
        self.note(
            key,
            if single {
                Kind::TextOrTexts
            } else {
                Kind::Texts
            },
            default,
            about,
        );
        if let Some((name, value)) = self.variable(key) {
            let list = value
                .split(',')
                .map(str::trim)
                .filter(|text| !text.is_empty());
            return Some(
                list.map(|text| Found {
                    value: text.to_owned(),
                    place: Place::Variable(name.clone()),
                })
                .collect(),
            );
        }
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(text) if single => Some(vec![Found {
                value: text.clone().into_owned(),
                place: Place::File(value.span()),
            }]),
            DeValue::Array(items) => Some(
                items
                    .iter()
                    .filter_map(|item| match item.get_ref() {
                        DeValue::String(text) => Some(Found {
                            value: text.clone().into_owned(),
                            place: Place::File(item.span()),
                        }),
                        _ => {
                            self.wrong_kind(key, item, "a list of texts in quotes");
                            None
                        }
                    })
                    .collect(),
            ),
            _ => {
                self.wrong_kind(key, value, "a list of texts in quotes");
                None
            }
        }
    }

    /// A date and time with offset, as TOML writes it or as a text.
    pub(super) fn instant(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<jiff::Timestamp>> {
        self.note(key, Kind::Instant, default, about);
        let value = self.get(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(at) => at.to_string(),
            DeValue::String(text) => text.clone().into_owned(),
            _ => {
                self.wrong_kind(key, value, "a date and time");
                return None;
            }
        };
        match text.parse() {
            Ok(at) => Some(Found {
                value: at,
                place: Place::File(value.span()),
            }),
            Err(_) => {
                let message = format!(
                    "`{}` must be a date and time with its offset from UTC",
                    self.path_of(key)
                );
                self.document.error(
                    Place::File(value.span()),
                    message,
                    "write it like 2026-01-05T00:00:00Z",
                );
                None
            }
        }
    }

    /// A secret: `KEY_file` names a file, or the variable of the key holds it. Never inline.
    pub(super) fn secret(
        &self,
        key: &'static str,
        key_file: &'static str,
        about: &'static str,
    ) -> Option<SecretString> {
        self.note(key_file, Kind::Text, "none", about);
        if let Some((_, value)) = self.variable(key) {
            return Some(SecretString::from(value));
        }
        if let Some(value) = self.get(key) {
            self.known.borrow_mut().insert(key);
            let message = format!(
                "`{}` is a secret and does not belong in this file",
                self.path_of(key)
            );
            self.document.error(
                Place::File(value.span()),
                message,
                format!("write it into a file and name that in `{key_file}`"),
            );
            return None;
        }
        let found = self.raw_text(key_file, "the path of a file")?;
        let path = match self
            .document
            .variables
            .get("CREDENTIALS_DIRECTORY")
            .map(PathBuf::from)
            .or_else(|| std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from))
        {
            Some(folder) => folder.join(&found.value),
            None => self.document.resolve(&found.value),
        };
        match std::fs::read_to_string(&path) {
            Ok(text) if text.trim_end().is_empty() => {
                self.document.error(
                    found.place,
                    format!("the secret file {} is empty", path.display()),
                    "write the secret into it",
                );
                None
            }
            Ok(text) => Some(SecretString::from(text.trim_end().to_owned())),
            Err(error) => {
                let message = format!("cannot read the secret file {}: {error}", path.display());
                self.document.error(found.place, message, "check the path, its owner and its mode; relative paths start at $CREDENTIALS_DIRECTORY, else at this file's folder");
                None
            }
        }
    }

    /// A table below this one; absent ones read as empty.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        self.known.borrow_mut().insert(key);
        let value = self.get(key);
        let table = value.and_then(|value| match value.get_ref() {
            DeValue::Table(table) => Some(table),
            _ => {
                self.wrong_kind(key, value, "a table");
                None
            }
        });
        self.below(key, table, value.map(Spanned::span), self.overridable)
    }

    fn below(
        &self,
        key: &str,
        table: Option<&'a DeTable<'a>>,
        span: Option<Range<usize>>,
        overridable: bool,
    ) -> Section<'a> {
        Section {
            document: self.document,
            table,
            span,
            path: self.path_of(key),
            overridable,
            known: RefCell::default(),
        }
    }

    /// A list of tables.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        self.known.borrow_mut().insert(key);
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            self.wrong_kind(key, value, "a list of tables, each under [[…]]");
            return Vec::new();
        };
        items
            .iter()
            .filter_map(|item| match item.get_ref() {
                DeValue::Table(table) => {
                    Some(self.below(&format!("{key}[]"), Some(table), Some(item.span()), false))
                }
                _ => {
                    self.wrong_kind(key, item, "a table");
                    None
                }
            })
            .collect()
    }

    /// A map of whole numbers to texts.
    pub(super) fn codes(
        &self,
        key: &'static str,
        about: &'static str,
    ) -> Vec<(Found<i64>, Found<String>)> {
        self.note(key, Kind::Codes, "none", about);
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_kind(key, value, "a table of codes");
            return Vec::new();
        };
        table
            .iter()
            .filter_map(|(code, class)| {
                let number = code.get_ref().parse::<i64>();
                match (number, class.get_ref()) {
                    (Ok(number), DeValue::String(text)) => Some((
                        Found {
                            value: number,
                            place: Place::File(code.span()),
                        },
                        Found {
                            value: text.clone().into_owned(),
                            place: Place::File(class.span()),
                        },
                    )),
                    (Err(_), _) => {
                        self.document.error(
                            Place::File(code.span()),
                            format!("`{}` is no result code", code.get_ref()),
                            "result codes are whole numbers",
                        );
                        None
                    }
                    _ => {
                        self.wrong_kind(key, class, "the name of a class");
                        None
                    }
                }
            })
            .collect()
    }

    /// Refuses a key or table of a later version by its name.
    pub(super) fn later(&self, key: &'static str) {
        self.known.borrow_mut().insert(key);
        if let Some(value) = self.get(key) {
            let message = format!("`{}` is not in this version", self.path_of(key));
            self.document
                .error(Place::File(value.span()), message, "remove it");
        }
    }

    /// Whether a key stands neither in the file nor in the environment.
    pub(super) fn text_is_absent(&self, key: &str) -> bool {
        self.get(key).is_none() && self.variable(key).is_none()
    }

    /// Reading is over: see [`Self::close`].
    pub(super) fn finish(self) {
        self.close();
    }

    /// Unknown keys are faults, with the nearest known one.
    pub(super) fn close(&self) {
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if known.contains(name) {
                continue;
            }
            let remedy = suggestion(name, known.iter().copied()).map_or_else(
                || {
                    format!(
                        "the keys here are {}",
                        known.iter().copied().collect::<Vec<_>>().join(", ")
                    )
                },
                |near| format!("did you mean `{near}`?"),
            );
            self.document.error(
                Place::File(key.span()),
                format!("unknown key `{}`", self.path_of(name)),
                remedy,
            );
        }
    }
}

fn describe(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
