//! What is published about the events for programs: a JSON Schema of each, and an `AsyncAPI`
//! document about all of them.
//!
//! The files in `schemas` are written from here, and a test compares them. What a schema promises
//! stays within its version: fields are added and never taken away, so receivers must not refuse
//! what they do not know.

use serde_json::{Value, json};

use super::standard::TYPE_PREFIX;
use crate::domain::message::EventKind;

/// Raised when a receiver could no longer read what it read before.
const VERSION: u32 = 1;

/// The file of a kind's schema, as the document beside it names it.
#[must_use]
pub fn file(kind: EventKind) -> String {
    format!("webhook/{}.json", kind.as_str())
}

/// When an event of that kind is sent.
#[must_use]
pub fn when(kind: EventKind) -> &'static str {
    match kind {
        EventKind::WindowOpened => {
            "A person made a qualifying sign-in without being registered, and a registration window opened."
        }
        EventKind::WindowReminder => {
            "A later entry of `reminders` fell due, and the person is not registered yet."
        }
        EventKind::WindowExtended => {
            "An operator, or a longer `window` in the configuration, moved the deadline out."
        }
        EventKind::WindowPaused => {
            "The clock of an open window stopped: the person was excluded, disabled or left the scope, or an operator closed the window."
        }
        EventKind::WindowResumed => "A paused window runs again, with a deadline told anew.",
        EventKind::UserRegistered => {
            "A person registered whose window was open or who was flagged."
        }
        EventKind::RegistrationBlocked => {
            "A sign-in shows that a person could not register: once per window and result code. Somebody has to help."
        }
        EventKind::EnforcementNeeded => {
            "The deadline has passed, everything is proven, no hold stands: the person must register now."
        }
        EventKind::EnforcementReleased => {
            "A flag was taken back: the person need not register now."
        }
        EventKind::HoldRaised => "New flags are held back until data or an approval ends that.",
        EventKind::HoldCleared => "A hold is over.",
        EventKind::DeliveryDead => {
            "A person cannot be reached, or an endpoint answered that it is gone."
        }
        EventKind::Digest => "Something that operators should know and that is none of the others.",
        EventKind::Test => "Somebody asked for a test message. Nothing has happened.",
    }
}

/// The schema of an event of that kind.
#[must_use]
pub fn event(kind: EventKind) -> Value {
    let about_a_person = kind.is_about_person();
    let mut required = vec![
        "specversion",
        "id",
        "source",
        "type",
        "time",
        "datacontenttype",
        "data",
    ];
    let mut properties = json!({
        "specversion": { "const": "1.0" },
        "id": {
            "type": "string", "pattern": "^[^.\\s]+$",
            "description": "The same at every attempt and endpoint: what to recognise repetitions by. Also the header webhook-id."
        },
        "source": {
            "type": "string", "format": "uri-reference", "minLength": 1,
            "description": "This installation."
        },
        "type": { "const": format!("{TYPE_PREFIX}{}", kind.as_str()) },
        "time": {
            "type": "string", "format": "date-time",
            "description": "The pass that queued the event."
        },
        "datacontenttype": { "const": "application/json" },
        "data": data(kind),
    });
    if about_a_person {
        required.push("subject");
        properties["subject"] = json!({
            "type": "string", "minLength": 1,
            "description": "The person's object id, as in data.user.id."
        });
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": format!("urn:fortnight:webhook:{}:{VERSION}", kind.as_str()),
        "title": kind.as_str(),
        "description": when(kind),
        "type": "object",
        "required": required,
        "properties": properties,
    })
}

fn data(kind: EventKind) -> Value {
    let about_a_person = kind.is_about_person();
    let text = if about_a_person {
        json!({ "type": "null" })
    } else if kind == EventKind::Test {
        json!({ "type": ["string", "null"] })
    } else {
        json!({ "type": "string", "description": "What operators are told, in lines, in the `language` of `[email]`." })
    };
    let policy = if about_a_person {
        json!("string")
    } else {
        json!(["string", "null"])
    };
    let mut data = json!({
        "type": "object",
        "required": ["policy", "user", "window", "step", "text", "links"],
        "properties": {
            "policy": { "type": policy, "description": "The name of the policy." },
            "user": if about_a_person { user() } else { json!({ "type": "null" }) },
            "window": window(kind),
            "step": step(kind),
            "text": text,
            "links": {
                "type": "object", "additionalProperties": { "type": "string" },
                "description": "Where to read on, by name; may be empty."
            },
        },
    });
    if kind == EventKind::RegistrationBlocked {
        let more = [
            (
                "code",
                json!({ "type": "integer", "description": "The result code of the sign-in." }),
            ),
            (
                "meaning",
                json!({ "type": "string", "description": "Why the person could not register." }),
            ),
            (
                "remedy",
                json!({ "type": "string", "description": "What helps." }),
            ),
        ];
        for (name, schema) in more {
            data["properties"][name] = schema;
            if let Some(required) = data["required"].as_array_mut() {
                required.push(name.into());
            }
        }
    }
    data
}

fn user() -> Value {
    json!({
        "type": "object",
        "description": "Personal data, as the directory has it.",
        "required": ["id", "user_principal_name", "display_name", "mail"],
        "properties": {
            "id": { "type": "string", "minLength": 1, "description": "The object id." },
            "user_principal_name": { "type": "string" },
            "display_name": { "type": ["string", "null"] },
            "mail": { "type": ["string", "null"] },
        },
    })
}

fn window(kind: EventKind) -> Value {
    if !kind.is_about_person() {
        return json!({ "type": "null" });
    }
    let moment = |nullable| {
        let kinds = if nullable {
            json!(["string", "null"])
        } else {
            json!("string")
        };
        json!({ "type": kinds, "format": "date-time" })
    };
    let mut deadline = moment(!kind.announces());
    deadline["description"] = "Null while the window is paused.".into();
    let mut opened_at = moment(true);
    opened_at["description"] = "The qualifying sign-in.".into();
    let window = json!({
        "type": "object",
        "required": ["sequence", "opened_at", "deadline"],
        "properties": {
            "sequence": {
                "type": "integer", "minimum": 0,
                "description": "Which of the person's windows under the policy."
            },
            "opened_at": opened_at,
            "deadline": deadline,
        },
    });
    match kind {
        // The window is over by then, and a receiver should not need it.
        EventKind::UserRegistered
        | EventKind::EnforcementNeeded
        | EventKind::EnforcementReleased => json!({ "anyOf": [window, { "type": "null" }] }),
        _ => window,
    }
}

fn step(kind: EventKind) -> Value {
    match kind {
        EventKind::WindowOpened => json!({ "const": "0d" }),
        EventKind::WindowReminder => json!({
            "type": "string", "description": "The entry of `reminders` that fell due."
        }),
        EventKind::EnforcementNeeded => json!({ "const": "deadline" }),
        _ => json!({ "type": "null" }),
    }
}

/// The `AsyncAPI` document about all events.
#[must_use]
pub fn asyncapi() -> Value {
    let mut in_channel = json!({});
    let mut messages = json!({});
    for kind in EventKind::ALL {
        let name = kind.as_str();
        in_channel[name] = json!({ "$ref": format!("#/components/messages/{name}") });
        messages[name] = json!({
            "name": format!("{TYPE_PREFIX}{name}"),
            "title": name,
            "summary": when(kind),
            "contentType": "application/cloudevents+json",
            "headers": { "$ref": "#/components/schemas/headers" },
            "payload": { "$ref": format!("./{}", file(kind)) },
        });
    }
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Webhooks of fortnight, format \"standard\"",
            "version": format!("{VERSION}.0.0"),
            "description": "CloudEvents 1.0 in structured JSON, signed as in Standard Webhooks 1.0. Delivered at least once: the id stays the same, and repetitions have the same bytes.",
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {
            "endpoint": {
                "address": null,
                "description": "The address that `[[webhook]]` names.",
                "messages": in_channel,
            },
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": { "$ref": "#/channels/endpoint" },
                "summary": "Each event of the kinds that `events` names, in a POST of its own.",
                "bindings": { "http": { "method": "POST", "bindingVersion": "0.3.0" } },
            },
        },
        "components": {
            "messages": messages,
            "schemas": { "headers": headers() },
        },
    })
}

fn headers() -> Value {
    json!({
        "type": "object",
        "required": ["webhook-id", "webhook-timestamp", "webhook-signature"],
        "properties": {
            "webhook-id": { "type": "string", "description": "The event's id." },
            "webhook-timestamp": {
                "type": "string", "pattern": "^[0-9]+$",
                "description": "The second of this attempt. Refuse what is more than five minutes away."
            },
            "webhook-signature": {
                "type": "string", "pattern": "^v1,[A-Za-z0-9+/]{43}=( v1,[A-Za-z0-9+/]{43}=)?$",
                "description": "HMAC-SHA256 of \"id.timestamp.body\", one for each secret while secrets are changed; one that matches is enough."
            },
        },
    })
}
