//! Reads the value of a key, from the environment or the file: every fault names the key, the
//! place and how to write it. None repeats the value, but of keys that take names of this program alone:
//! nobody knows which other one is a secret that was put where it does not belong.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde_spanned::Spanned;
use toml::de::DeValue;

use super::document::{Found, Kind, variable};
use super::fault::Place;
use super::kinds::FULL_DATE;
use super::mask::shows;
use super::reader::Section;
use super::suggest::nearest;
use crate::domain::language::{Language, Wording};
use crate::time::parse_duration;

const LIST: &str = "a list of texts in quotes";

impl Section<'_> {
    /// A text, from the environment or the file.
    pub(super) fn text(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<String>> {
        self.note(key, Kind::Text, default, about);
        self.raw_text(key, Kind::Text, "a text in quotes")
    }

    pub(super) fn raw_text(&self, key: &str, kind: Kind, wanted: &str) -> Option<Found<String>> {
        if let Some((name, value)) = self.variable(key) {
            return Some(Found {
                value,
                place: Place::Variable(name),
            });
        }
        self.text_in(key, self.get(key)?, kind, wanted)
    }

    fn text_in(
        &self,
        key: &str,
        value: &Spanned<DeValue<'_>>,
        kind: Kind,
        wanted: &str,
    ) -> Option<Found<String>> {
        if let DeValue::String(text) = value.get_ref() {
            return Some(Found {
                value: text.clone().into_owned(),
                place: Place::File(value.span()),
            });
        }
        self.wrong_kind(key, value, kind, wanted);
        None
    }

    /// A text that people read: one for everybody, or one for each language.
    pub(super) fn wording(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Wording> {
        self.note(key, Kind::Wording, default, about);
        let wording = match self.variable(key) {
            Some((_, text)) => Wording::of(text),
            None => self.wording_of_file(key),
        };
        let wording = self.with_variables(key, wording);
        Some(wording).filter(|wording| *wording != Wording::default())
    }

    fn wording_of_file(&self, key: &str) -> Wording {
        const WANTED: &str = "a text in quotes, or a table of them by language";
        let Some(value) = self.get(key) else {
            return Wording::default();
        };
        let DeValue::Table(table) = value.get_ref() else {
            let text = self.text_in(key, value, Kind::Wording, WANTED);
            return text.map_or_else(Wording::default, |text| Wording::of(text.value));
        };
        let texts = table.iter().filter_map(|(tag, text)| {
            let Some(language) = Language::of_code(tag.get_ref()) else {
                let message = format!(
                    "`{}` has a language that there are no mails in",
                    self.shown(key)
                );
                let remedy = format!("the languages are {}", Language::known());
                self.document
                    .error(Place::File(tag.span()), message, remedy);
                return None;
            };
            Some((
                language,
                self.text_in(key, text, Kind::Text, "a text in quotes")?,
            ))
        });
        texts.fold(Wording::default(), |wording, (language, text)| {
            wording.with(language, text.value)
        })
    }

    /// What variables say in one language each.
    fn with_variables(&self, key: &str, wording: Wording) -> Wording {
        let texts = Language::ALL.into_iter().filter_map(|language| {
            let of_language = format!("{key}.{}", language.code());
            let (name, text) = self.variable(&of_language)?;
            self.set(&of_language, text.as_str().into(), Place::Variable(name));
            Some((language, text))
        });
        texts.fold(wording, |wording, (language, text)| {
            wording.with(language, text)
        })
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
        self.note(key, kind, default, about);
        let wanted = match kind {
            Kind::Duration => "a duration in quotes, like \"14d\"",
            _ => "a text in quotes",
        };
        let found = self.raw_text(key, kind, wanted)?;
        match parse(&found.value) {
            Ok(value) => Some(Found {
                value,
                place: found.place,
            }),
            Err(error) => {
                let shown = self.shown(key);
                let message = if shows(key, &found.value) {
                    format!("`{shown}`: {error}, not \"{}\"", found.value)
                } else {
                    format!("`{shown}`: {error}")
                };
                self.document.error(found.place, message, "");
                None
            }
        }
    }

    /// A text of a small set.
    pub(super) fn one_of<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
        names: &'static [&'static str],
        later: &[&str],
        default: &str,
        about: &'static str,
    ) -> Option<Found<T>> {
        self.note(key, Kind::OneOf(names), default, about);
        let found = self.raw_text(key, Kind::OneOf(names), "a text in quotes")?;
        if let Some((_, value)) = choices.iter().find(|(name, _)| *name == found.value) {
            return Some(Found {
                value: *value,
                place: found.place,
            });
        }
        let path = self.shown(key);
        if later.contains(&found.value.as_str()) {
            let message = format!("`{path} = \"{}\"` is not in this version", found.value);
            self.document.error(
                found.place,
                message,
                format!("use \"{}\"", names.join("\" or \"")),
            );
        } else {
            let near = nearest(&found.value, names.iter().copied());
            let remedy = near.map_or_else(
                || format!("use \"{}\"", names.join("\" or \"")),
                |near| format!("did you mean \"{near}\"?"),
            );
            let message = if shows(key, &found.value) {
                format!("`{path}` has no value \"{}\"", found.value)
            } else {
                format!("`{path}` has no such value")
            };
            self.document.error(found.place, message, remedy);
        }
        None
    }

    pub(super) fn duration(
        &self,
        key: &'static str,
        default: &str,
        about: &'static str,
    ) -> Option<Found<SignedDuration>> {
        self.parsed(key, Kind::Duration, default, about, |text| {
            parse_duration(text)
                .map_err(|_| "a duration is written like \"14d\", \"6h\", \"90m\" or \"1d 12h\"")
        })
    }

    pub(super) fn flag(&self, key: &'static str, default: bool, about: &'static str) -> bool {
        self.note(key, Kind::Flag, &default.to_string(), about);
        if let Some((name, value)) = self.variable(key) {
            return value.parse().unwrap_or_else(|_| {
                self.document.error(
                    Place::Variable(name),
                    format!("`{}` must be true or false", self.shown(key)),
                    "",
                );
                default
            });
        }
        match self.get(key).map(|value| (value, value.get_ref())) {
            None => default,
            Some((_, DeValue::Boolean(flag))) => *flag,
            Some((value, _)) => {
                self.wrong_kind(key, value, Kind::Flag, "true or false");
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
                self.wrong_kind(key, value, Kind::Number, "a whole number");
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
                    format!("`{}` must be a whole number from 1 on", self.shown(key)),
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
            return self.texts_of_variable(key, single, name, &value);
        }
        let value = self.get(key)?;
        match value.get_ref() {
            DeValue::String(_) if single => {
                Some(vec![self.text_in(key, value, Kind::Texts, LIST)?])
            }
            DeValue::Array(items) => {
                let texts = items
                    .iter()
                    .filter_map(|item| self.text_in(key, item, Kind::Text, LIST));
                Some(texts.collect())
            }
            _ => {
                self.wrong_kind(key, value, Kind::Texts, LIST);
                None
            }
        }
    }

    /// A list in a variable.
    fn texts_of_variable(
        &self,
        key: &str,
        single: bool,
        name: String,
        value: &str,
    ) -> Option<Vec<Found<String>>> {
        let place = Place::Variable(name);
        let Some(texts) = list(value, single) else {
            let message = format!("`{}` must be {LIST}", self.shown(key));
            self.document
                .error(place, message, "write [\"one\", \"two\"]");
            return None;
        };
        let found = |value| Found {
            value,
            place: place.clone(),
        };
        Some(texts.into_iter().map(found).collect())
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
                self.wrong_kind(key, value, Kind::Instant, "a date and time");
                return None;
            }
        };
        let place = Place::File(value.span());
        if let Ok(value) = text.parse() {
            return Some(Found { value, place });
        }
        let message = format!(
            "`{}` must be a date and time with its offset from UTC",
            self.shown(key)
        );
        self.document.error(place, message, FULL_DATE);
        None
    }

    /// A map of whole numbers to texts.
    pub(super) fn codes(
        &self,
        key: &'static str,
        about: &'static str,
    ) -> Vec<(Found<i64>, Found<String>)> {
        self.note(key, Kind::Codes, "", about);
        let mut codes = self.codes_of_file(key);
        let overrides = self.codes_of_variables(key);
        for (code, class) in &overrides {
            let key = format!("{key}.{}", code.value);
            self.set(&key, class.value.clone().into(), class.place.clone());
        }
        codes.extend(overrides);
        codes
    }

    fn codes_of_variables(&self, key: &str) -> Vec<(Found<i64>, Found<String>)> {
        let below = format!("{}__", variable(&self.path_of(key)));
        let mut codes = Vec::new();
        for (name, class) in &self.document.variables {
            let Some(number) = name.strip_prefix(&below).and_then(|code| code.parse().ok()) else {
                continue;
            };
            self.document.used.borrow_mut().insert(name.clone());
            let place = Place::Variable(name.clone());
            codes.push((
                Found {
                    value: number,
                    place: place.clone(),
                },
                Found {
                    value: class.clone(),
                    place,
                },
            ));
        }
        codes
    }

    fn codes_of_file(&self, key: &str) -> Vec<(Found<i64>, Found<String>)> {
        let Some(value) = self.get(key) else {
            return Vec::new();
        };
        let DeValue::Table(table) = value.get_ref() else {
            self.wrong_kind(key, value, Kind::Codes, "a table of codes");
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
                            "this is no result code",
                            "result codes are whole numbers",
                        );
                        None
                    }
                    _ => {
                        self.wrong_kind(key, class, Kind::Text, "the name of a class");
                        None
                    }
                }
            })
            .collect()
    }
}

/// A list in a variable: as in the file, `["a", "b"]`; or between commas, unless a `single` text
/// may hold commas itself.
pub(super) fn list(value: &str, single: bool) -> Option<Vec<String>> {
    if value.trim_start().starts_with('[') {
        let line = format!("list = {value}");
        let table = toml::from_str::<BTreeMap<String, Vec<String>>>(&line);
        return table.ok()?.remove("list");
    }
    if single {
        return Some(vec![value.to_owned()]);
    }
    let parts = value.split(',').map(str::trim);
    let texts = parts.filter(|text| !text.is_empty());
    Some(texts.map(str::to_owned).collect())
}
