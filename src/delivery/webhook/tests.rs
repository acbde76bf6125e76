//! What holds in every format, over the table of them: the bytes for each kind of event, and what
//! hostile and endless text comes to. What one format alone promises is tested in its file.

use jiff::tz::TimeZone;
use proptest::prelude::*;
use serde_json::Value;

use super::chat::Words;
use super::*;
use crate::delivery::text::tests::hostile;

const SOURCE: &str = "urn:fortnight:contoso";

/// Receivers of every format take that much; most formats have closer limits of their own.
const MAX_BODY: usize = 21_000;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn berlin() -> TimeZone {
    TimeZone::get("Europe/Berlin").unwrap()
}

/// What a format makes of an event, or of many of its kind.
fn body(dialect: &Dialect, happening: &Happening, group: &Group) -> String {
    match dialect.per {
        Per::Event(body) => body(happening, SOURCE),
        Per::Fold(body) => body(group, &berlin()),
    }
}

pub(super) fn opened() -> Happening {
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
        block: None,
        text: None,
        links: BTreeMap::new(),
    }
}

pub(super) fn held() -> Happening {
    Happening {
        kind: EventKind::HoldRaised,
        person: None,
        window: None,
        step: None,
        text: Some("mass: 412 of 5,000 people would be flagged at once".to_owned()),
        ..opened()
    }
}

pub(super) fn group(kind: EventKind, count: u64, names: &[&str]) -> Group {
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

pub(super) fn many(kind: EventKind) -> Group {
    let names = [
        "Ana", "Ben", "Cem", "Dora", "Eve", "Finn", "Gül", "Hugo", "Ida", "Jan",
    ];
    group(kind, 37, &names)
}

/// More lines than any message takes.
pub(super) fn digest() -> Group {
    let lines = (0..5_000)
        .map(|n| format!("line {n}: \"{}\"", "&".repeat(n % 700)))
        .collect();
    Group {
        lines,
        ..group(EventKind::Digest, 1, &[])
    }
}

pub(super) fn pretty(json: &str) -> String {
    let value: Value = serde_json::from_str(json).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn every_format_is_found_by_its_name_and_none_is_said_to_come() {
    for one in DIALECTS {
        let found = dialect(one.name).map(|found| found.name);
        assert_eq!(found, Some(one.name));
        assert!(!LATER_FORMATS.contains(&one.name), "{one:?} is there");
    }
    assert!(LATER_FORMATS.iter().all(|name| dialect(name).is_none()));
    assert_eq!(FORMATS.len(), DIALECTS.len());
}

/// A herald writes one body for all who get events by themselves.
#[test]
fn one_format_alone_tells_each_event_by_itself() {
    let programs = DIALECTS.iter().filter(|dialect| !dialect.folds());
    assert_eq!(programs.count(), 1);
}

/// Receivers exist that we do not know, so these bytes change for a reason only.
#[test]
fn every_kind_of_event_in_every_format() {
    for dialect in DIALECTS {
        let of = |kind: EventKind| {
            if kind.is_about_person() {
                return body(dialect, &Happening { kind, ..opened() }, &many(kind));
            }
            let mut group = group(kind, 1, &[]);
            group.lines = vec!["mass: 412 of 5,000 people".to_owned()];
            body(dialect, &Happening { kind, ..held() }, &group)
        };
        insta::assert_snapshot!(dialect.name, EventKind::ALL.map(of).join("\n"));
    }
}

#[test]
fn every_kind_of_event_has_its_words() {
    let mut read = Vec::new();
    for kind in EventKind::ALL {
        for count in [1, 2] {
            let words = Words::of(&group(kind, count, &[]), &berlin());
            read.push(format!("{}: {}", words.state, words.title));
        }
    }
    insta::assert_snapshot!(read.join("\n"));
}

/// The texts of a message, without a chat's own markup.
fn read(group: &Group) -> String {
    let words = Words::of(group, &berlin());
    let mut read = vec![format!("{}: {}", words.state, words.title)];
    let figures = words.figures.iter();
    read.extend(figures.map(|(what, value)| format!("{what}: {value}")));
    read.extend(words.names.iter().map(|name| format!("• {name}")));
    read.extend(words.lines);
    read.join("\n")
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
    insta::assert_snapshot!(format!("{}\n\n{}", read(&one), read(&hold)));
}

#[test]
fn a_line_break_in_a_name_names_nobody_else() {
    for fold in [
        "\n", "\r\n", "\u{b}", "\u{85}", "\u{2028}", "\u{2029}", "\0",
    ] {
        let name = format!("Ana{fold}Eve{fold}");
        let group = group(EventKind::WindowOpened, 3, &[&name, "Ben", fold]);
        let words = Words::of(&group, &berlin());
        assert_eq!(words.names.len(), 3, "{fold:?}: {:?}", words.names);
        assert_eq!(words.names[1..], ["Ben", "and 1 more"], "{fold:?}");
        let mut lines = group;
        lines.lines = vec![name];
        assert_eq!(Words::of(&lines, &berlin()).lines.len(), 1, "{fold:?}");
    }
}

#[test]
fn what_is_too_long_is_cut_and_counted() {
    let digest = digest();
    let happening = Happening {
        text: Some(digest.lines.join("\n")),
        ..held()
    };
    for dialect in DIALECTS {
        let body = body(dialect, &happening, &digest);
        assert!(body.contains("more lines"), "{dialect:?}");
        assert!(body.len() < MAX_BODY, "{dialect:?}: {}", body.len());
    }
}

/// Every text in a message, wherever it stands.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(values) => values.iter().flat_map(texts).collect(),
        Value::Object(values) => values.values().flat_map(texts).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

pub(super) fn hostile_group() -> impl Strategy<Value = Group> {
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

fn hostile_happening() -> impl Strategy<Value = Happening> {
    proptest::collection::vec(hostile(), 3).prop_map(|texts| {
        let mut happening = opened();
        let person = happening.person.as_mut().unwrap();
        person.user_principal_name.clone_from(&texts[0]);
        person.display_name = Some(texts[1].clone());
        happening.text = Some(texts[2].clone());
        happening
    })
}

proptest! {
    #[test]
    fn whatever_the_directory_says_a_body_is_small_json_without_control(
        group in hostile_group(),
        happening in hostile_happening(),
    ) {
        for dialect in DIALECTS {
            let text = body(dialect, &happening, &group);
            prop_assert!(text.len() < MAX_BODY, "{dialect:?}: {}", text.len());
            prop_assert!(!text.chars().any(char::is_control), "{dialect:?}: {text}");
            prop_assert_eq!(&text, &body(dialect, &happening, &group));
            let body: Value = serde_json::from_str(&text).unwrap();
            let words = texts(&body).into_iter().flat_map(str::split_whitespace);
            for word in words.filter(|_| dialect.folds()) {
                let calls = ["@here", "@channel", "@everyone", "@all"].contains(&word);
                prop_assert!(!calls, "{dialect:?}: {text}");
            }
        }
    }
}
