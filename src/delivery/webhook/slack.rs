//! Incoming webhooks of Slack.
//!
//! Foreign text stands in `plain_text` objects, where asterisks and underscores mean nothing, and
//! is escaped all the same: Slack reads `&`, `<` and `>` everywhere, and `<!channel>` rings
//! everybody. `text` is always there, for notifications and for clients without blocks.
//!
//! The trap: Slack also answers 200 to what it did not post, and says so in the text alone.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Group;
use super::answer::of_text;
use super::chat::{self, Words};
use super::dialect::{Auth, Dialect, Per};
use crate::delivery::text;

/// An incoming webhook: one message per pass and kind of event.
pub(super) const SLACK: Dialect = Dialect {
    name: "slack",
    about: "an [incoming webhook](https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks) of Slack. Only 200 with the text `ok` means that it was posted",
    per: Per::Fold(slack),
    auth: Auth::Address,
    media: "application/json",
    connections: chat::CONNECTIONS,
    refuses: |_| None,
    means: |answer| of_text(answer, "ok"),
};

/// The longest title of a header block.
const MAX_HEADER: usize = 150;

/// A section takes 3,000 characters; we count bytes of JSON, which are never fewer.
const MAX_SECTION: usize = 2_900;

/// For names and lines, in bytes of JSON. Slack has refused messages of 13,200 characters
/// (`msg_blocks_too_long`), so all is to stay below 12,000.
const MAX_LISTED: usize = 8_500;

/// The body of a message about all of these.
fn slack(group: &Group, zone: &TimeZone) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::answer::tests::meaning;
    use super::super::tests::{berlin, digest, group, hostile_group, many, pretty};
    use super::*;
    use crate::delivery::Outcome;
    use crate::domain::message::EventKind;

    /// The texts of a message in reading order, without the markup.
    fn read(group: &Group) -> String {
        let body: Value = serde_json::from_str(&slack(group, &berlin())).unwrap();
        let blocks = body["blocks"].as_array().unwrap();
        let texts: Vec<&str> = blocks
            .iter()
            .map(|block| block["text"]["text"].as_str().unwrap())
            .collect();
        texts.join("\n")
    }

    #[test]
    fn a_message() {
        insta::assert_snapshot!(pretty(&slack(&many(EventKind::WindowOpened), &berlin())));
    }

    #[test]
    fn names_call_nobody_and_mark_nothing_up() {
        let names = [
            "<!channel> & <@U024BE7LH>",
            "@here *bold* _it_ ~no~ `code`",
            "[click](https://evil.example) <at>everyone</at>",
            "ana_weber@contoso.com",
        ];
        let group = group(EventKind::WindowOpened, 4, &names);
        insta::assert_snapshot!(read(&group).replace('\u{2060}', "(WJ)"));
    }

    #[test]
    fn what_is_too_long_for_slack_is_cut() {
        let body = slack(&digest(), &berlin());
        assert!(body.len() < 12_000, "{}", body.len());
    }

    #[test]
    fn it_says_ok_or_has_not_posted() {
        let slack = |body| meaning(&SLACK, 200, body);
        assert_eq!(slack("ok"), Outcome::Accepted { code: 200 });
        assert_eq!(slack("ok\n"), Outcome::Accepted { code: 200 });
        for body in ["", "OK!", "<html>Log in to the guest network</html>"] {
            assert_eq!(slack(body).word(), "refused", "{body:?}");
        }
        assert_eq!(meaning(&SLACK, 202, "").word(), "accepted");
    }

    proptest! {
        #[test]
        fn whatever_the_directory_says_a_message_is_within_the_limits_of_slack(
            group in hostile_group(),
        ) {
            let text = slack(&group, &berlin());
            prop_assert!(text.len() < 14_000, "{}", text.len());
            prop_assert!(!text.contains(['<', '>']));
            let body: Value = serde_json::from_str(&text).unwrap();
            let blocks = body["blocks"].as_array().unwrap();
            prop_assert!(blocks.len() <= 50);
            for (index, block) in blocks.iter().enumerate() {
                let text = block["text"]["text"].as_str().unwrap();
                let limit = if index == 0 { 150 } else { 3_000 };
                prop_assert!((1..=limit).contains(&text.chars().count()));
            }
        }
    }
}
