//! The value that counts of each key, and where it came from: collected while the keys are read, so
//! that `config show` and faults that only the disk or the clock can show need no second list.

use serde_json::{Map, Value, json};
use toml::de::DeValue;
use url::Url;

use super::REQUIRED;
use super::document::{Kind, Setting};
use super::fault::Place;
use super::reader::Section;
use super::values::list;

/// What is shown of a secret.
const HIDDEN: &str = "***";

impl Section<'_> {
    pub(super) fn label_of(&self, key: &str) -> String {
        if self.label.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.label)
        }
    }

    /// Writes down what counts of a key: the variable, else the file, else the default in words.
    pub(super) fn record(&self, key: &str, kind: Kind, default: &str) {
        let (value, place) = match (self.variable(key), self.get(key)) {
            (Some((name, text)), _) => (of_variable(kind, &text), Place::Variable(name)),
            (None, Some(value)) => (json_of(value.get_ref()), Place::File(value.span())),
            (None, None) => (read(kind, default), Place::Missing),
        };
        self.set(key, value, place);
    }

    /// What the default comes to, where that depends on other keys.
    pub(super) fn settle(&self, key: &str, value: impl Into<Value>) {
        let key = self.label_of(key);
        let mut settings = self.document.settings.borrow_mut();
        let setting = settings.iter_mut().find(|setting| setting.key == key);
        if let Some(setting) = setting.filter(|setting| setting.place == Place::Missing) {
            setting.value = value.into();
        }
    }

    /// A secret that stands in a variable.
    pub(super) fn record_secret(&self, key: &str, variable: String) {
        self.set(key, json!(HIDDEN), Place::Variable(variable));
    }

    /// A value that turned out to be a secret.
    pub(super) fn hide(&self, key: &str) {
        let key = self.label_of(key);
        let mut settings = self.document.settings.borrow_mut();
        for setting in settings.iter_mut().filter(|setting| setting.key == key) {
            if !setting.value.is_null() {
                setting.value = json!(HIDDEN);
            }
        }
    }

    /// Nothing of this table counts.
    pub(super) fn forget(&self) {
        let below = format!("{}.", self.label);
        let mut settings = self.document.settings.borrow_mut();
        settings.retain(|setting| !setting.key.starts_with(&below));
    }

    pub(super) fn set(&self, key: &str, value: Value, place: Place) {
        let key = self.label_of(key);
        let mut settings = self.document.settings.borrow_mut();
        settings.retain(|setting| setting.key != key);
        let value = without_login(value);
        settings.push(Setting { key, value, place });
    }
}

/// What a variable comes to; one that is wrong is shown as it is.
fn of_variable(kind: Kind, text: &str) -> Value {
    let value = match kind {
        Kind::Number => text.trim().parse::<u32>().ok().map(Value::from),
        Kind::Flag => text.parse::<bool>().ok().map(Value::from),
        Kind::Texts => list(text, false).map(Value::from),
        Kind::TextOrTexts if text.trim_start().starts_with('[') => {
            list(text, true).map(Value::from)
        }
        Kind::TextOrTexts
        | Kind::Text
        | Kind::Wording
        | Kind::OneOf(_)
        | Kind::Duration
        | Kind::Instant
        | Kind::Codes => None,
    };
    value.unwrap_or_else(|| json!(text))
}

/// A default, which is written as a text.
fn read(kind: Kind, text: &str) -> Value {
    let as_json = || serde_json::from_str(text.trim()).ok();
    match (kind, text) {
        (_, none) if none.is_empty() || none.starts_with(REQUIRED) => Value::Null,
        (Kind::Flag | Kind::Number, _) => as_json().unwrap_or_else(|| json!(text)),
        (Kind::Texts | Kind::TextOrTexts, list) if list.trim_start().starts_with('[') => {
            as_json().unwrap_or_else(|| json!(text))
        }
        _ => json!(text),
    }
}

/// A value of the file.
fn json_of(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => json!(text),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            digits
                .parse::<i64>()
                .map_or(json!(digits), |number| json!(number))
        }
        DeValue::Float(number) => json!(number.as_str()),
        DeValue::Boolean(flag) => json!(flag),
        DeValue::Datetime(at) => json!(at.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json_of(item.get_ref())).collect(),
        DeValue::Table(table) => {
            let pairs = table
                .iter()
                .map(|(key, value)| (key.get_ref().to_string(), json_of(value.get_ref())));
            Value::Object(pairs.collect::<Map<_, _>>())
        }
    }
}

/// An address without what lets somebody in: a login before its host, and what stands behind a question mark.
fn without_login(value: Value) -> Value {
    let Some(mut url) = value.as_str().and_then(|text| Url::parse(text).ok()) else {
        return value;
    };
    if url.username().is_empty() && url.password().is_none() && url.query().is_none() {
        return value;
    }
    if !url.username().is_empty() || url.password().is_some() {
        let _ = url.set_username(HIDDEN);
        let _ = url.set_password(None);
    }
    if url.query().is_some() {
        url.set_query(Some(HIDDEN));
    }
    Value::String(url.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_variable_the_value_that_counts_is_shown() {
        for (kind, text, value) in [
            (Kind::Number, "0587", json!(587)),
            (Kind::Number, " 25 ", json!(25)),
            (Kind::Number, "many", json!("many")),
            (Kind::Flag, "true", json!(true)),
            (Kind::Texts, "a, b,", json!(["a", "b"])),
            (Kind::Texts, "a", json!(["a"])),
            (Kind::Texts, "['a', \"b\"]", json!(["a", "b"])),
            (Kind::TextOrTexts, "0 0 6,18 * * *", json!("0 0 6,18 * * *")),
            (Kind::TextOrTexts, "['a']", json!(["a"])),
            (Kind::Text, "true", json!("true")),
        ] {
            assert_eq!(of_variable(kind, text), value, "{text}");
        }
    }

    #[test]
    fn an_address_shows_no_login_and_nothing_behind_the_question_mark() {
        for (value, shown) in [
            (
                "https://user:pass@desk.contoso.com/hooks?sig=x",
                "https://***@desk.contoso.com/hooks?***",
            ),
            (
                "sqlite://user:pass@x/fortnight.db",
                "sqlite://***@x/fortnight.db",
            ),
            ("sqlite:fortnight.db", "sqlite:fortnight.db"),
            (
                "https://desk.contoso.com/hooks",
                "https://desk.contoso.com/hooks",
            ),
            ("Europe/Berlin", "Europe/Berlin"),
        ] {
            assert_eq!(without_login(json!(value)), json!(shown));
        }
    }
}
