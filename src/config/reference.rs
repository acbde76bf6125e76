//! The reference of the configuration and its JSON Schema, from the words that reading uses.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::reader::{Document, KeyDoc, Kind};

/// A document that has every table, so that reading it meets every key.
const EVERY_TABLE: &str = "[[policy]]\nname = \"x\"\n[policy.include]\nall_users = true\n[directory.files]\n[email.smtp]\n[email.file]\n";

/// Every key, in the order in which it is read.
pub fn keys() -> Vec<KeyDoc> {
    let document = Document::new(Path::new("fortnight.toml"), EVERY_TABLE.to_owned(), []);
    let _ = super::read(&document);
    document.keys.into_inner()
}

/// The reference, in Markdown.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Configuration reference\n\nMade from the program itself; `fortnight.example.toml` is the annotated example. Durations are written `\"14d\"`,\n\
         `\"6h\"`, `\"30s\"`; a day has 24 hours. Relative paths start at the file's folder. Every key outside `[[policy]]` can be\n\
         overridden by the environment: `database.url` by `FORTNIGHT__DATABASE__URL`.\n\n| key | takes | default | meaning |\n| --- | --- | --- | --- |\n",
    );
    for key in keys() {
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} |",
            key.path,
            takes(key.kind),
            key.default.replace('|', "\\|"),
            key.about
        );
    }
    text
}

fn takes(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
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
    match name.strip_suffix("[]") {
        Some(list) => {
            let slot = &mut at["properties"][list];
            if slot.is_null() {
                *slot = json!({ "type": "array", "items": object() });
            }
            &mut slot["items"]
        }
        None => {
            let slot = &mut at["properties"][name];
            if slot.is_null() {
                *slot = object();
            }
            slot
        }
    }
}

fn describe(key: &KeyDoc) -> Value {
    let mut value = match key.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::OneOf(names) => json!({ "enum": names }),
        Kind::Texts => json!({ "type": "array", "items": { "type": "string" } }),
        Kind::TextOrTexts => json!({ "type": ["string", "array"], "items": { "type": "string" } }),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Number => json!({ "type": "integer", "minimum": 1 }),
        // TOML's own dates reach a schema as texts.
        Kind::Instant => json!({ "type": "string" }),
        Kind::Codes => json!({ "type": "object", "additionalProperties": { "type": "string" } }),
    };
    value["description"] = json!(format!("{} Default: {}.", key.about, key.default));
    value
}
