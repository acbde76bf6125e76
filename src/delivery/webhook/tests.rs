//! What the formats say, whole and under hostile names.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::delivery::text::tests::hostile;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

fn opened() -> Happening {
    Happening {
        id: "2f1c7a52-55a4-5f0c-9d3e-0d8f5c2b7a11".to_owned(),
        kind: EventKind::WindowOpened,
        time: at("2026-12-02T08:00:00Z"),
        policy: Some(PolicyName::new("everyone")),
        person: Some(Person {
            id: UserId::parse("8c1d2f6e-3f64-4c1a-9a53-2f9f0e8a7b10").unwrap(),
            user_principal_name: "ana@contoso.com".to_owned(),
            display_name: Some("Ana Weber".to_owned()),
            mail: Some("ana.weber@contoso.com".to_owned()),
        }),
        window: Some(Window {
            sequence: 1,
            opened_at: Some(at("2026-12-02T07:41:09Z")),
            deadline: Some(at("2026-12-16T07:41:09Z")),
        }),
        step: Some("0d".to_owned()),
        text: None,
        links: BTreeMap::new(),
    }
}

fn held() -> Happening {
    Happening {
        kind: EventKind::HoldRaised,
        person: None,
        window: None,
        step: None,
        text: Some("mass: 412 of 5,000 people would be flagged at once".to_owned()),
        ..opened()
    }
}

fn group(kind: EventKind, count: u64, names: &[&str]) -> Group {
    Group {
        kind,
        time: at("2026-12-02T08:00:00Z"),
        policies: vec![PolicyName::new("everyone")],
        count,
        deadlines: Some((at("2026-12-16T07:41:09Z"), at("2026-12-16T08:00:00Z"))),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        lines: Vec::new(),
    }
}

fn many(kind: EventKind) -> Group {
    let names = [
        "Ana", "Ben", "Cem", "Dora", "Eve", "Finn", "Gül", "Hugo", "Ida", "Jan",
    ];
    group(kind, 37, &names)
}

fn pretty(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn every_format_is_found_by_its_name() {
    for format in Format::ALL {
        assert_eq!(Format::parse(format.as_str()), Some(format));
    }
    assert_eq!(Format::parse("discord"), None);
}

#[test]
fn an_event_about_a_person() {
    insta::assert_snapshot!(standard(&opened(), "urn:fortnight:contoso"));
}

#[test]
fn an_event_for_operators() {
    insta::assert_snapshot!(standard(&held(), "urn:fortnight:contoso"));
}

#[test]
fn a_message_in_slack() {
    insta::assert_snapshot!(pretty(&slack(&many(EventKind::WindowOpened), &berlin())));
}

#[test]
fn a_message_in_teams() {
    insta::assert_snapshot!(pretty(&teams(&many(EventKind::WindowOpened), &berlin())));
}

/// The texts of a message in reading order, without a chat's markup.
fn read_slack(group: &Group) -> String {
    let body: Value = serde_json::from_str(&slack(group, &berlin())).unwrap();
    let blocks = body["blocks"].as_array().unwrap();
    let texts: Vec<&str> = blocks
        .iter()
        .map(|block| block["text"]["text"].as_str().unwrap())
        .collect();
    texts.join("\n")
}

#[test]
fn every_kind_of_event_has_its_words() {
    let mut read = Vec::new();
    for kind in EventKind::ALL {
        for count in [1, 2] {
            let mut group = group(kind, count, &[]);
            group.deadlines = None;
            read.push(read_slack(&group).lines().next().unwrap().to_owned());
        }
    }
    insta::assert_snapshot!(read.join("\n"));
}

#[test]
fn one_deadline_is_no_range_and_operators_get_their_lines() {
    let mut one = group(EventKind::EnforcementNeeded, 1, &["Ana Weber"]);
    one.deadlines = Some((at("2026-12-16T07:41:09Z"), at("2026-12-16T07:41:30Z")));
    let mut hold = group(EventKind::HoldRaised, 1, &[]);
    hold.deadlines = None;
    hold.policies = ["a", "b", "c", "d", "e", "f", "g"]
        .map(PolicyName::new)
        .to_vec();
    hold.lines = vec!["mass: 412 of 5,000 people\nwould be flagged at once".to_owned()];
    insta::assert_snapshot!(format!("{}\n\n{}", read_slack(&one), read_slack(&hold)));
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
    insta::assert_snapshot!(read_slack(&group).replace('\u{2060}', "(WJ)"));
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
fn what_is_too_long_is_cut_and_counted() {
    let mut digest = group(EventKind::Digest, 1, &[]);
    digest.lines = (0..5_000)
        .map(|n| format!("line {n}: \"{}\"", "&".repeat(n % 700)))
        .collect();
    let slack = slack(&digest, &berlin());
    assert!(
        slack.len() < 12_000 && slack.contains("more lines"),
        "{}",
        slack.len()
    );
    let teams = teams(&digest, &berlin());
    assert!(
        teams.len() < 21_000 && teams.contains("more lines"),
        "{}",
        teams.len()
    );
    let mut happening = held();
    happening.text = Some(digest.lines.join("\n"));
    let body = standard(&happening, "urn:fortnight:contoso");
    assert!(
        body.len() < 20_000 && body.contains("more lines"),
        "{}",
        body.len()
    );
}

fn hostile_group() -> impl Strategy<Value = Group> {
    let texts = || proptest::collection::vec(hostile(), 0..14);
    (
        texts(),
        texts(),
        texts(),
        0..EventKind::ALL.len(),
        any::<u64>(),
    )
        .prop_map(|(names, lines, policies, kind, count)| Group {
            policies: policies.iter().map(|name| PolicyName::new(name)).collect(),
            names,
            lines,
            ..group(EventKind::ALL[kind], count, &[])
        })
}

proptest! {
    #[test]
    fn whatever_the_directory_says_a_message_is_within_its_limits(group in hostile_group()) {
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
            for word in text.split_whitespace() {
                prop_assert!(!["@here", "@channel", "@everyone"].contains(&word));
            }
        }
        let text = teams(&group, &berlin());
        prop_assert!(text.len() < 21_000, "{}", text.len());
        prop_assert_eq!(&text, &teams(&group, &berlin()));
    }

    #[test]
    fn whatever_the_directory_says_an_event_is_small_json_without_control(
        texts in proptest::collection::vec(hostile(), 3),
    ) {
        let mut happening = opened();
        let person = happening.person.as_mut().unwrap();
        person.user_principal_name.clone_from(&texts[0]);
        person.display_name = Some(texts[1].clone());
        happening.text = Some(texts[2].clone());
        let body = standard(&happening, "urn:fortnight:contoso");
        prop_assert!(body.len() < 20_000);
        prop_assert!(!body.chars().any(char::is_control));
        prop_assert_eq!(&body, &standard(&happening, "urn:fortnight:contoso"));
        let event: Value = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(event["subject"].as_str(), happening.person.as_ref().map(|p| p.id.as_str()));
    }
}
