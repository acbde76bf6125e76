//! Every message in every language, and what a hostile directory can do to them: nothing.

use mail_parser::{HeaderName as Name, MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;
use crate::delivery::text::tests::hostile;

/// Nobody is written to about these.
const UNMAILED: [EventKind; 1] = [EventKind::WindowPaused];

fn kinds() -> impl Iterator<Item = EventKind> {
    let kinds = EventKind::ALL.into_iter();
    kinds.filter(|kind| !UNMAILED.contains(kind))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn morning() -> Timestamp {
    at("2026-12-02T08:00:00Z")
}

fn sender() -> Sender {
    Sender {
        from: text::mailbox("Identity team <identity@contoso.com>").unwrap(),
        reply_to: text::mailbox("servicedesk@contoso.com"),
        organisation: Some("Contoso".to_owned()),
        help: Some("Service desk, room 12, extension 4711.".to_owned()),
        language: "en".to_owned(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn bare() -> Sender {
    Sender {
        reply_to: None,
        organisation: None,
        help: None,
        ..sender()
    }
}

fn notice(kind: EventKind, language: &str) -> Notice {
    let about = if kind.is_mailed_to_operators() {
        About::Operators(OperatorNotice {
            kind,
            title: "registration report shrank".to_owned(),
            lines: vec!["before: 214".to_owned(), "now: 3 <of> 214".to_owned()],
        })
    } else {
        About::Window(WindowNotice {
            kind,
            policy: PolicyName::new("everyone"),
            opened_at: at("2026-11-24T10:15:00Z"),
            deadline: Some(at("2026-12-08T22:59:00Z")),
            shows: Shows::Nothing,
        })
    };
    Notice {
        message_id: "<0b6f3a@contoso.com>".to_owned(),
        in_reply_to: None,
        to: Recipient {
            address: "ana@contoso.com".to_owned(),
            name: Some("Ana Müller".to_owned()),
            language: Some(language.to_owned()),
        },
        queued_at: morning(),
        test: false,
        about,
    }
}

fn window(notice: &mut Notice) -> &mut WindowNotice {
    match &mut notice.about {
        About::Window(about) => about,
        About::Operators(_) => panic!("a mail to operators"),
    }
}

/// By what sign-ins showed, with one day left, and as usual, where these differ.
fn variants() -> Vec<(String, Notice, Timestamp)> {
    let mut all = Vec::new();
    for kind in kinds() {
        for language in ["en", "de"] {
            let name = format!("{}.{language}", kind.as_str());
            all.push((name.clone(), notice(kind, language), morning()));
            if kind == EventKind::WindowReminder {
                let late = at("2026-12-08T05:00:00Z");
                all.push((format!("last_day.{language}"), notice(kind, language), late));
            }
            let shown = |shows| {
                let mut notice = notice(kind, language);
                window(&mut notice).shows = shows;
                notice
            };
            if kind.announces() {
                let demand = shown(Shows::Demand);
                all.push((format!("{name}.demanded"), demand, morning()));
            }
            let passed = at("2026-12-09T08:00:00Z");
            for (event, desk_knows, when) in [
                (EventKind::WindowOpened, true, morning()),
                (EventKind::WindowReminder, false, morning()),
                (EventKind::EnforcementNeeded, false, passed),
            ] {
                let code = 53004;
                if event == kind {
                    let block = shown(Shows::Block { code, desk_knows });
                    all.push((format!("{name}.blocked"), block, when));
                }
            }
            if kind == EventKind::EnforcementReleased {
                all.push((format!("{name}.passed"), notice(kind, language), passed));
            }
        }
    }
    all
}

#[test]
fn every_message_in_every_language() {
    for (name, notice, at) in variants() {
        let mail = render(&sender(), &notice, at).unwrap();
        insta::assert_snapshot!(name, format!("{}\n\n{}", mail.subject, mail.text));
    }
}

#[test]
fn the_html_part() {
    for language in ["en", "de"] {
        let mail = render(
            &sender(),
            &notice(EventKind::WindowOpened, language),
            morning(),
        )
        .unwrap();
        insta::assert_snapshot!(format!("html.{language}"), mail.html);
    }
}

#[test]
fn without_organisation_help_and_name_it_still_reads_well() {
    let mut notice = notice(EventKind::WindowOpened, "fr");
    notice.to.name = Some("http://evil.example".to_owned());
    let mail = render(&bare(), &notice, morning()).unwrap();
    insta::assert_snapshot!("bare", format!("{}\n\n{}", mail.subject, mail.text));
}

/// Words of a part, whatever its layout.
fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .map(str::to_owned)
        .collect()
}

fn without_tags(html: &str) -> String {
    let body = html.split_once("<body").unwrap().1;
    let mut text = String::new();
    let mut inside = true;
    for c in body.chars() {
        match c {
            '<' => inside = true,
            '>' => {
                inside = false;
                text.push(' ');
            }
            c if !inside => text.push(c),
            _ => {}
        }
    }
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&#x2f;", "/")
        .replace("&amp;", "&")
}

#[test]
fn both_parts_tell_the_same() {
    for sender in [sender(), bare()] {
        for (name, notice, at) in variants() {
            let mail = render(&sender, &notice, at).unwrap();
            assert_eq!(
                words(&mail.text),
                words(&without_tags(&mail.html)),
                "{name}"
            );
        }
    }
}

#[test]
fn nothing_to_click_load_or_follow() {
    for (name, notice, at) in variants() {
        let mail = render(&sender(), &notice, at).unwrap();
        assert!(mail.html.len() < 30_000, "{name}");
        for lure in [
            "http", "<a ", "<img", "href", "src=", "url(", "www.", "<script",
        ] {
            assert!(!mail.html.contains(lure), "{name}: {lure}");
        }
        assert!(
            !format!("{} {}", mail.subject, mail.text).contains('!'),
            "{name}"
        );
    }
}

#[test]
fn a_passed_deadline_is_not_promised() {
    let late = at("2026-12-08T22:59:00Z");
    let stale = render(&sender(), &notice(EventKind::WindowReminder, "en"), late);
    assert!(matches!(stale, Err(MailError::DeadlinePassed { .. })));
    let passed = render(&sender(), &notice(EventKind::EnforcementNeeded, "en"), late);
    assert!(passed.is_ok());
}

#[test]
fn events_that_no_mail_tells_of_are_refused() {
    for kind in UNMAILED {
        let refused = render(&sender(), &notice(kind, "en"), morning());
        assert!(matches!(refused, Err(MailError::NoText(of)) if of == kind));
    }
}

#[test]
fn days_left_are_those_of_the_attempt() {
    let notice = notice(EventKind::WindowOpened, "de");
    let left = |when: &str| render(&sender(), &notice, at(when)).unwrap().subject;
    assert!(left("2026-12-02T08:00:00Z").contains("Restzeit: 6 Tage"));
    assert!(left("2026-12-07T08:00:00Z").contains("Restzeit: 1 Tag)"));
    assert!(left("2026-12-08T21:30:00Z").contains("Restzeit: 1 Stunde)"));
}

#[test]
fn tests_are_marked() {
    let mut notice = notice(EventKind::WindowOpened, "en");
    notice.test = true;
    let mail = render(&sender(), &notice, morning()).unwrap();
    assert!(mail.subject.starts_with("[TEST] [Contoso] "));
    assert!(mail.text.contains("This is a test."));
}

#[test]
fn headers_and_structure() {
    let mut notice = notice(EventKind::WindowReminder, "de");
    notice.in_reply_to = Some("<first@contoso.com>".to_owned());
    notice.to.address = "ana@bücher.example".to_owned();
    let letter = letter(&sender(), &notice, morning()).unwrap();
    assert_eq!(letter.to.to_string(), "ana@xn--bcher-kva.example");
    let raw = String::from_utf8(letter.bytes.clone()).unwrap();
    assert!(raw.is_ascii() && raw.lines().all(|line| line.len() <= 998));
    insta::assert_snapshot!(
        "headers",
        raw.split_once("\r\n\r\n").unwrap().0.replace('\r', "")
    );

    let parsed = MessageParser::new().parse(&letter.bytes).unwrap();
    let rendered = render(&sender(), &notice, morning()).unwrap();
    assert_eq!(parsed.subject().unwrap(), rendered.subject);
    assert_eq!(
        parsed.to().unwrap().first().unwrap().name(),
        Some("Ana Müller")
    );
    let kinds: Vec<_> = parsed
        .parts
        .iter()
        .map(|part| part.content_type().unwrap().subtype().unwrap())
        .collect();
    assert_eq!(kinds, ["alternative", "plain", "html"]);
    let unix = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    assert_eq!(unix(&parsed.body_text(0).unwrap()), unix(&rendered.text));
    assert_eq!(unix(&parsed.body_html(0).unwrap()), unix(&rendered.html));
}

#[test]
fn the_same_row_and_moment_give_the_same_bytes() {
    let notice = notice(EventKind::WindowOpened, "de");
    let first = letter(&sender(), &notice, morning()).unwrap();
    assert_eq!(first, letter(&sender(), &notice, morning()).unwrap());
}

#[test]
fn an_address_that_is_none_is_named_masked() {
    let mut notice = notice(EventKind::WindowOpened, "en");
    notice.to.address = "ana weber@contoso.com".to_owned();
    let refused = letter(&sender(), &notice, morning()).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "a***@contoso.com is no address that mail can be sent to"
    );
}

#[test]
fn rows_survive_storage() {
    for (_, notice, _) in variants() {
        let stored = serde_json::to_string(&notice).unwrap();
        assert_eq!(serde_json::from_str::<Notice>(&stored).unwrap(), notice);
    }
}

proptest! {
    #[test]
    fn hostile_text_adds_no_header_part_or_tag(
        name in hostile(), title in hostile(), line in hostile(),
        organisation in hostile(), help in hostile(), id in hostile(),
        kind in prop::sample::select(kinds().collect::<Vec<_>>()),
    ) {
        let mut sender = sender();
        sender.organisation = Some(organisation);
        sender.help = Some(help);
        sender.from = text::named_mailbox(Some(&title), sender.from.email);
        let mut notice = notice(kind, "en");
        notice.to.name = Some(name);
        match &mut notice.about {
            About::Window(about) => about.policy = PolicyName::new(&title),
            About::Operators(about) => {
                about.title = title;
                about.lines = vec![line];
            }
        }
        notice.in_reply_to = Some("<first@contoso.com>".to_owned());
        notice.message_id = format!("<{id}@contoso.com>");
        let bytes = letter(&sender, &notice, morning()).unwrap().bytes;
        let raw = String::from_utf8(bytes.clone()).unwrap();
        prop_assert!(raw.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        let parsed = MessageParser::new().parse(&bytes).unwrap();
        prop_assert_eq!(parsed.headers().len(), 13, "{}", raw);
        prop_assert_eq!(parsed.parts.len(), 3);
        prop_assert!(parsed.header(Name::Bcc).is_none());
        let html = parsed.body_html(0).unwrap();
        prop_assert!(!html.contains("<script") && !html.contains("<a ") && !html.contains("<img"));
    }
}
