//! What is published about webhooks is what the program sends.

use std::collections::BTreeSet;

use fortnight::delivery::webhook::{TYPE_PREFIX, schema, standard};
use fortnight::domain::message::EventKind;
use serde_json::Value;

use crate::support::happenings::{SOURCE, happening};

#[test]
fn the_published_schemas_are_those_of_the_program() {
    published("schemas/asyncapi.json", &schema::asyncapi());
    for kind in EventKind::ALL {
        let file = format!("schemas/{}", schema::file(kind));
        published(&file, &schema::event(kind));
    }
    let known: BTreeSet<String> = EventKind::ALL
        .map(|kind| schema::file(kind).replace("webhook/", ""))
        .into();
    let there: BTreeSet<String> = std::fs::read_dir("schemas/webhook")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, known);
}

/// `FORTNIGHT_BLESS=1 ./dev test published` writes what is out of date.
fn published(file: &str, value: &Value) {
    let text = serde_json::to_string_pretty(value).unwrap() + "\n";
    if std::env::var_os("FORTNIGHT_BLESS").is_some() {
        std::fs::create_dir_all("schemas/webhook").unwrap();
        std::fs::write(file, &text).unwrap();
    }
    let there = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        there == text,
        "{file} is out of date: run FORTNIGHT_BLESS=1 ./dev test published"
    );
}

/// Validators let pass what a schema does not name, so that is compared here; types and formats
/// are the validator's, in `tests/webhook_tools.rs`.
#[test]
fn a_schema_names_exactly_what_is_sent() {
    for kind in EventKind::ALL {
        let event: Value = serde_json::from_str(&standard(&happening(kind), SOURCE)).unwrap();
        assert_eq!(event["type"], format!("{TYPE_PREFIX}{}", kind.as_str()));
        compare(kind.as_str(), &schema::event(kind), &event);
    }
}

fn compare(place: &str, schema: &Value, value: &Value) {
    let schema = schema["anyOf"].get(0).unwrap_or(schema);
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let named: BTreeSet<&str> = properties.keys().map(String::as_str).collect();
    let required: BTreeSet<&str> = schema["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    let sent: BTreeSet<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(sent, named, "{place}");
    assert_eq!(required, named, "{place}");
    for (name, schema) in properties {
        compare(&format!("{place}.{name}"), schema, &value[name]);
    }
}
