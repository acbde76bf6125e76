//! The body for a workflow of Microsoft Teams: an adaptive card in a message.
//!
//! `TextBlock` and `FactSet` read Markdown, and have no way to spell every character so that all
//! clients agree. Foreign text therefore stands in text runs, which are never read as Markdown.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Group;
use super::chat::Words;
use crate::delivery::text;

/// For names and lines, in bytes of JSON with what is around each. Teams takes about 28 KB, and
/// 21 KB is known to be safe.
const MAX_LISTED: usize = 12_000;

/// How many of them, as the markup around each costs about 100 bytes.
const MAX_LINES: usize = 60;

/// The body of a message about all of these.
#[must_use]
pub fn teams(group: &Group, zone: &TimeZone) -> String {
    let words = Words::of(group, zone);
    let mut body = vec![
        json!({ "type": "TextBlock", "text": words.state, "isSubtle": true, "wrap": true }),
        json!({
            "type": "TextBlock", "text": words.title, "size": "Large", "weight": "Bolder",
            "wrap": true
        }),
    ];
    for (what, value) in &words.figures {
        let label = json!({ "type": "TextRun", "text": format!("{what}: "), "weight": "Bolder" });
        body.push(rich(&[label, run(value)]));
    }
    let listed = [words.names.as_slice(), words.lines.as_slice()].concat();
    let (fitting, _) = text::fitting(&listed, MAX_LISTED);
    let fitting = &fitting[..fitting.len().min(MAX_LINES)];
    body.extend(fitting.iter().map(|line| rich(&[run(line)])));
    let left = listed.len() - fitting.len();
    if left > 0 {
        body.push(rich(&[run(&format!("… and {left} more lines"))]));
    }
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": format!("{}: {}", words.state, words.title),
        "body": body,
    });
    let attachment = json!({
        "contentType": "application/vnd.microsoft.card.adaptive",
        "contentUrl": null,
        "content": card,
    });
    json!({ "type": "message", "attachments": [attachment] }).to_string()
}

fn rich(runs: &[Value]) -> Value {
    json!({ "type": "RichTextBlock", "inlines": runs })
}

fn run(text: &str) -> Value {
    json!({ "type": "TextRun", "text": text::without_mentions(text) })
}
