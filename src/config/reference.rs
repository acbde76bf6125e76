//! The reference of the configuration and its JSON Schema, from the words that reading uses.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::document::{Document, KeyDoc, Kind};
use crate::delivery::webhook::{Auth, DIALECTS, Per};
use crate::domain::language::Language;

/// A document that has every table, so that reading it meets every key.
const EVERY_TABLE: &str = "[[policy]]\nname = \"x\"\n[policy.include]\nall_users = true\n[directory.graph]\n[directory.files]\n[email.smtp]\n[email.file]\n[[webhook]]\n";

const INTRODUCTION: &str = "\
# Configuration reference

Made from the program's own words; [fortnight.example.toml](../fortnight.example.toml) is the annotated example, and
[fortnight.schema.json](../fortnight.schema.json) lets editors complete and check the file.

Durations are written `\"14d\"`, `\"6h\"`, `\"30s\"` or `\"1d 12h\"`; a day has 24 hours. Relative paths start at the file's
folder.

Every key outside `[[policy]]` and `[[webhook]]` can be overridden by an environment variable: `url` in `[database]` by
`FORTNIGHT__DATABASE__URL`. Lists are written there as in the file, `[\"a\", \"b\"]`, or `a,b`. A variable that is
empty counts as not set.

Texts that people read are one for everybody, `help = \"…\"`, or one for each language, `help = { en = \"…\", de = \"…\" }`;
whoever reads a language that is left out gets another one. In the environment `FORTNIGHT__EMAIL__HELP` is the one for
everybody, `FORTNIGHT__EMAIL__HELP__DE` the German one.

Secrets never stand in the file. A key that ends in `_file` names a file with the secret in it; relative paths start at
`$CREDENTIALS_DIRECTORY` where that is set, and white space at the end does not count. Or the variable of the key
without `_file` holds the secret.
";

const FORMATS: &str = "
| `format` | one message tells | needs | is for |
| --- | --- | --- | --- |
";

/// Every key, in the order in which it is read.
#[must_use]
pub fn keys() -> Vec<KeyDoc> {
    let document = Document::new(Path::new("fortnight.toml"), EVERY_TABLE.to_owned(), []);
    let _ = super::read(&document);
    document.keys.into_inner()
}

/// The reference, in Markdown: one table of keys for each table of the file.
#[must_use]
pub fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    let keys = keys();
    let mut tables: Vec<&str> = Vec::new();
    for key in &keys {
        let table = table_of(&key.path);
        if !tables.contains(&table) {
            tables.push(table);
        }
    }
    for table in tables {
        let _ = write!(
            text,
            "\n## {}\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n",
            heading(table)
        );
        for key in keys.iter().filter(|key| table_of(&key.path) == table) {
            let name = key.path.rsplit('.').next().unwrap_or_default();
            let (takes, default) = (takes(key.kind), default(key));
            let _ = writeln!(text, "| `{name}` | {takes} | {default} | {} |", key.about);
        }
        if table == "webhook[]" {
            formats(&mut text);
        }
    }
    text
}

/// The formats of webhooks.
fn formats(text: &mut String) {
    text.push_str(FORMATS);
    for dialect in DIALECTS {
        let tells = match dialect.per {
            Per::Event(_) => "each event by itself",
            Per::Fold(_) => "all events of one type in a pass",
        };
        let needs = match dialect.auth {
            Auth::Signature => "`url` or `url_file`, `secret_file`",
            Auth::Address => "`url_file`",
        };
        let (name, about) = (dialect.name, dialect.about);
        let _ = writeln!(text, "| `{name}` | {tells} | {needs} | {about} |");
    }
}

fn table_of(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(table, _)| table)
}

/// The header that opens a table in the file; what a policy holds is written inline.
fn heading(table: &str) -> String {
    if let Some(list) = table.strip_suffix("[]") {
        return format!("`[[{list}]]`");
    }
    match table.strip_prefix("policy[]") {
        None if table.is_empty() => "Top level".to_owned(),
        None => format!("`[{table}]`"),
        Some(inline) => format!("`{} = {{ … }}` of a policy", inline.trim_start_matches('.')),
    }
}

fn default(key: &KeyDoc) -> String {
    match key.default.as_str() {
        "" => "none".to_owned(),
        super::REQUIRED => format!("**{}**", super::REQUIRED),
        // The pattern's stars would be Markdown.
        default if default.contains('*') || default.contains('[') => format!("`{default}`"),
        default => default.to_owned(),
    }
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Wording => "text, or table of texts by language".to_owned(),
        Kind::OneOf(names) => names
            .iter()
            .map(|name| format!("`\"{name}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        Kind::Texts => "list of texts".to_owned(),
        Kind::TextOrTexts => "text or list of texts".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Flag => "`true`, `false`".to_owned(),
        Kind::Number => "whole number".to_owned(),
        Kind::Instant => "date and time".to_owned(),
        Kind::Codes => "table of codes".to_owned(),
    }
}

/// The JSON Schema (draft 2020-12) for editors.
#[must_use]
pub fn schema() -> Value {
    let mut root = object();
    for key in keys() {
        let mut at = &mut root;
        let steps: Vec<&str> = key.path.split('.').collect();
        let (last, tables) = steps.split_last().unwrap_or((&"", &[]));
        for table in tables {
            at = child(at, table);
        }
        at["properties"][*last] = describe(&key);
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("fortnight.toml");
    root
}

fn object() -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": Map::new() })
}

fn child<'a>(at: &'a mut Value, name: &str) -> &'a mut Value {
    if let Some(list) = name.strip_suffix("[]") {
        let slot = &mut at["properties"][list];
        if slot.is_null() {
            *slot = json!({ "type": "array", "items": object() });
        }
        return &mut slot["items"];
    }
    let slot = &mut at["properties"][name];
    if slot.is_null() {
        *slot = object();
    }
    slot
}

fn wording() -> Value {
    let text = || json!({ "type": "string" });
    let each = Language::ALL.map(|language| (language.code().to_owned(), text()));
    let mut table = object();
    table["properties"] = Value::Object(each.into_iter().collect());
    json!({ "anyOf": [text(), table] })
}

fn describe(key: &KeyDoc) -> Value {
    let mut value = match key.kind {
        // TOML's own dates reach a schema as texts.
        Kind::Text | Kind::Instant => json!({ "type": "string" }),
        Kind::Wording => wording(),
        Kind::OneOf(names) => json!({ "enum": names }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::TextOrTexts => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number => json!({ "type": "integer", "minimum": 1 }),
        Kind::Codes => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    let default = match key.default.as_str() {
        "" => String::new(),
        super::REQUIRED => " Required.".to_owned(),
        default => format!(" Default: {default}."),
    };
    value["description"] = json!(format!("{}{default}", key.about));
    value
}
