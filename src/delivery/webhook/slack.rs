//! The body for an incoming webhook of Slack.
//!
//! Foreign text stands in `plain_text` objects, where asterisks and underscores mean nothing, and
//! is escaped all the same: Slack reads `&`, `<` and `>` everywhere, and `<!channel>` rings
//! everybody. `text` is always there, for notifications and for clients without blocks.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Group;
use super::chat::Words;
use crate::delivery::text;

/// The longest title of a header block.
const MAX_HEADER: usize = 150;

/// A section takes 3,000 characters; we count bytes of JSON, which are never fewer.
const MAX_SECTION: usize = 2_900;

/// For names and lines, in bytes of JSON. Slack has refused messages of 13,200 characters
/// (`msg_blocks_too_long`), so all is to stay below 12,000.
const MAX_LISTED: usize = 8_500;

/// The body of a message about all of these.
#[must_use]
pub fn slack(group: &Group, zone: &TimeZone) -> String {
    let words = Words::of(group, zone);
    let header = text::clean_line(&format!("{}: {}", words.state, words.title), MAX_HEADER);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&header) })];
    let figures: Vec<String> = words
        .figures
        .iter()
        .map(|(what, value)| escaped(&format!("{what}: {value}")))
        .collect();
    sections(&figures, &mut blocks);
    let names = words.names.iter().map(|name| format!("• {name}"));
    let listed: Vec<String> = names
        .chain(words.lines.iter().cloned())
        .map(|line| escaped(&line))
        .collect();
    let (fitting, left) = text::fitting(&listed, MAX_LISTED);
    sections(fitting, &mut blocks);
    if left > 0 {
        sections(&[format!("… and {left} more lines")], &mut blocks);
    }
    let text = escaped(&words.summary());
    json!({ "text": text, "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
        .to_string()
}

/// Lines as sections, each within its limit.
fn sections(lines: &[String], blocks: &mut Vec<Value>) {
    let mut rest = lines;
    while !rest.is_empty() {
        let (now, left) = text::fitting(rest, MAX_SECTION);
        if now.is_empty() {
            break; // no line is that long
        }
        blocks.push(json!({ "type": "section", "text": plain(&now.join("\n")) }));
        rest = &rest[rest.len() - left..];
    }
}

fn plain(text: &str) -> Value {
    json!({ "type": "plain_text", "text": text, "emoji": false })
}

/// Escaped as Slack asks, and with nothing that could call somebody.
fn escaped(text: &str) -> String {
    text::without_mentions(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
