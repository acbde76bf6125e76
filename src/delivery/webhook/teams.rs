//! Workflows of Microsoft Teams: an adaptive card in a message.
//!
//! `TextBlock` and `FactSet` read Markdown, and have no way to spell every character so that all
//! clients agree. Foreign text therefore stands in text runs, which are never read as Markdown.

use jiff::tz::TimeZone;
use serde_json::{Value, json};
use url::Url;

use super::Group;
use super::answer::of_secret_address;
use super::chat::{self, Words};
use super::dialect::{Auth, Dialect, Per, Unfit};
use crate::delivery::text;

/// A workflow: one message per pass and kind of event.
pub(super) const TEAMS: Dialect = Dialect {
    name: "teams",
    about: "the workflow \"Post to a channel when a webhook request is received\" of Microsoft Teams, which anyone may trigger. It answers 202 before it posts, so \"sent\" means that the workflow took it. Addresses at `webhook.office.com` belong to Office 365 connectors, which Microsoft has switched off; they are refused",
    per: Per::Fold(teams),
    auth: Auth::Address,
    media: "application/json",
    connections: chat::CONNECTIONS,
    refuses,
    means: of_secret_address,
};

/// Office 365 connectors, which no longer exist.
const RETIRED: Unfit = Unfit {
    why: "the address is of an Office 365 connector, and Microsoft has switched these off",
    remedy: "in Teams, add the workflow \"Post to a channel when a webhook request is received\" and use its address",
};

/// For names and lines, in bytes of JSON with what is around each. Teams takes about 28 KB, and
/// 21 KB is known to be safe.
const MAX_LISTED: usize = 12_000;

/// How many of them, as the markup around each costs about 100 bytes.
const MAX_LINES: usize = 60;

/// The body of a message about all of these.
fn teams(group: &Group, zone: &TimeZone) -> String {
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

/// Whether that is an Office 365 connector (`*.webhook.office.com`); May 2026 was their end.
fn refuses(url: &Url) -> Option<Unfit> {
    let domain = url.domain()?.trim_end_matches('.');
    let is_retired = domain == "webhook.office.com"
        || domain.ends_with(".webhook.office.com")
        || (domain == "outlook.office.com" && url.path().starts_with("/webhook"));
    is_retired.then_some(RETIRED)
}

#[cfg(test)]
mod tests {
    use super::super::answer::tests::meaning;
    use super::super::tests::{berlin, group, many, pretty};
    use super::*;
    use crate::domain::message::EventKind;

    #[test]
    fn a_message() {
        insta::assert_snapshot!(pretty(&teams(&many(EventKind::WindowOpened), &berlin())));
    }

    #[test]
    fn foreign_text_stands_where_nothing_is_marked_up() {
        let names = [
            "<!channel> & <@U024BE7LH>",
            "@here *bold* _it_ ~no~ `code`",
            "[click](https://evil.example) <at>everyone</at>",
        ];
        let group = group(EventKind::WindowOpened, 3, &names);
        let body: Value = serde_json::from_str(&teams(&group, &berlin())).unwrap();
        let card = &body["attachments"][0]["content"];
        for element in card["body"].as_array().unwrap() {
            // Only these read Markdown, and they hold our own words.
            if element["type"] != "RichTextBlock" {
                let text = element["text"].as_str().unwrap();
                assert!(!text.contains(['[', '<', '*', '@']), "{text}");
            }
        }
    }

    #[test]
    fn a_workflow_has_taken_it_by_any_2xx() {
        for code in [200, 202] {
            assert_eq!(meaning(&TEAMS, code, "").word(), "accepted");
        }
    }

    #[test]
    fn connectors_that_microsoft_has_switched_off_are_named_with_the_remedy() {
        let unfit = |url: &str| refuses(&Url::parse(url).unwrap());
        for url in [
            "https://contoso.webhook.office.com/webhookb2/1",
            "https://CONTOSO.WEBHOOK.OFFICE.COM./webhookb2/1",
            "https://webhook.office.com/1",
            "https://outlook.office.com/webhook/1",
        ] {
            assert_eq!(unfit(url), Some(RETIRED), "{url}");
        }
        for url in [
            "https://prod-12.westeurope.logic.azure.com/workflows/1",
            "https://default.environment.api.powerplatform.com/1",
            "https://xwebhook.office.com/1",
        ] {
            assert_eq!(unfit(url), None, "{url}");
        }
    }
}
