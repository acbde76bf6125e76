//! Walks the document table by table: every read says which key it wants, of which kind and what
//! for, so that unknown keys, suggestions, the JSON Schema and the reference all come from the
//! same words. The values themselves are read in `values.rs` and `secret.rs`.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use serde_spanned::Spanned;
use toml::de::{DeTable, DeValue};

use super::REQUIRED;
use super::document::{Document, KeyDoc, Kind, variable};
use super::fault::Place;
use super::kinds::{describe, instead};
use super::suggest::nearest;

/// A table of the document.
pub(super) struct Section<'a> {
    pub(super) document: &'a Document,
    pub(super) table: Option<&'a DeTable<'a>>,
    span: Option<Range<usize>>,
    /// Where a table that is not there would be missed.
    above: Option<Range<usize>>,
    path: String,
    /// The path with the numbers of tables in lists.
    pub(super) label: String,
    pub(super) overridable: bool,
    pub(super) known: RefCell<BTreeSet<&'static str>>,
    /// Whether a key must be there where the table is.
    needs: Cell<bool>,
}

impl Document {
    pub(super) fn root<'a>(&'a self, table: &'a DeTable<'a>) -> Section<'a> {
        Section {
            document: self,
            table: Some(table),
            span: None,
            above: None,
            path: String::new(),
            label: String::new(),
            overridable: true,
            known: RefCell::default(),
            needs: Cell::new(false),
        }
    }
}

impl<'a> Section<'a> {
    pub(super) fn document(&self) -> &'a Document {
        self.document
    }

    /// Where the section is, for faults about it as a whole.
    pub(super) fn place(&self) -> Place {
        let span = self.span.clone().or_else(|| self.above.clone());
        span.map_or(Place::Missing, Place::File)
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

    pub(super) fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// The path as people write it.
    pub(super) fn shown(&self, key: &str) -> String {
        self.path_of(key).replace("[]", "")
    }

    pub(super) fn note(&self, key: &'static str, kind: Kind, default: &str, about: &'static str) {
        self.known.borrow_mut().insert(key);
        self.record(key, kind, default);
        if default == REQUIRED {
            self.needs.set(true);
        }
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

    pub(super) fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table?.get(key)
    }

    pub(super) fn variable(&self, key: &str) -> Option<(String, String)> {
        if !self.overridable {
            return None;
        }
        let name = variable(&self.path_of(key));
        let value = self.document.variables.get(&name)?.clone();
        self.document.used.borrow_mut().insert(name.clone());
        Some((name, value))
    }

    pub(super) fn wrong_kind(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        kind: Kind,
        wanted: &str,
    ) {
        let found = value.get_ref();
        let message = format!(
            "`{}` must be {wanted}, not {}",
            self.shown(key),
            describe(found)
        );
        let remedy = instead(key, kind, found);
        let place = Place::File(value.span());
        self.document.error(place, message, remedy);
    }

    /// A table below this one; absent ones read as empty.
    pub(super) fn section(&self, key: &'static str) -> Section<'a> {
        self.known.borrow_mut().insert(key);
        let value = self.get(key);
        let table = value.and_then(|value| self.table_in(key, value));
        let label = self.label_of(key);
        self.below(
            (key, label),
            table,
            value.map(Spanned::span),
            self.overridable,
        )
    }

    fn table_in(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Option<&'a DeTable<'a>> {
        if let DeValue::Table(table) = value.get_ref() {
            return Some(table);
        }
        let message = format!(
            "`{}` must be a table, not {}",
            self.shown(key),
            describe(value.get_ref())
        );
        let remedy = format!("write its keys below [{}]", self.shown(key));
        let place = Place::File(value.span());
        self.document.error(place, message, remedy);
        None
    }

    fn below(
        &self,
        (key, label): (&str, String),
        table: Option<&'a DeTable<'a>>,
        span: Option<Range<usize>>,
        overridable: bool,
    ) -> Section<'a> {
        Section {
            document: self.document,
            table,
            span,
            above: self.span.clone().or_else(|| self.above.clone()),
            path: self.path_of(key),
            label,
            overridable,
            known: RefCell::default(),
            needs: Cell::new(false),
        }
    }

    /// A list of tables.
    pub(super) fn sections(&self, key: &'static str) -> Vec<Section<'a>> {
        self.known.borrow_mut().insert(key);
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!(
                "`{}` must be a list of tables, not {}",
                self.shown(key),
                describe(value.get_ref())
            );
            let remedy = format!("write each below a line [[{}]]", self.shown(key));
            let place = Place::File(value.span());
            self.document.error(place, message, remedy);
            return Vec::new();
        };
        items
            .iter()
            .enumerate()
            .filter_map(|(number, item)| {
                let table = self.table_in(key, item)?;
                let names = (
                    &*format!("{key}[]"),
                    self.label_of(&format!("{key}[{number}]")),
                );
                Some(self.below(names, Some(table), Some(item.span()), false))
            })
            .collect()
    }

    /// Refuses a key or table of a later version by its name.
    pub(super) fn later(&self, key: &'static str) {
        self.known.borrow_mut().insert(key);
        let path = self.shown(key);
        let message = format!("`{path}` is not in this version");
        if let Some((key, _)) = self.table.and_then(|table| table.get_key_value(key)) {
            self.document
                .error(Place::File(key.span()), message.clone(), "remove it");
        }
        let (itself, below) = (variable(&path), format!("{}__", variable(&path)));
        for name in self.document.variables.keys() {
            if self.overridable && (*name == itself || name.starts_with(&below)) {
                self.document.used.borrow_mut().insert(name.clone());
                self.document
                    .error(Place::Variable(name.clone()), message.clone(), "remove it");
            }
        }
    }

    /// Whether a key stands neither in the file nor in the environment.
    pub(super) fn lacks(&self, key: &str) -> bool {
        self.get(key).is_none() && self.variable(key).is_none()
    }

    /// A key that must be there and is not. One that is there and wrong has its fault already.
    pub(super) fn require(&self, key: &'static str, remedy: impl Into<String>) {
        if self.lacks(key) {
            let message = format!("`{}` is missing", self.shown(key));
            self.document.error(self.place(), message, remedy);
        }
    }

    /// Unknown keys are faults, with the nearest known one. A table that is not there, and could not be
    /// without a key that it lacks, has no values that count.
    pub(super) fn close(&self) {
        if self.needs.get() && !self.is_there() {
            self.forget();
        }
        let known = self.known.borrow();
        for key in self.table.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if known.contains(name) {
                continue;
            }
            let remedy = nearest(name, known.iter().copied()).map_or_else(
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
                format!("unknown key `{}`", self.shown(name)),
                remedy,
            );
        }
    }
}
