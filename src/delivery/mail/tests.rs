//! Every message in every language, and what a hostile directory can do to them: nothing.

use mail_parser::{HeaderName as Name, MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;
use crate::delivery::text::tests::hostile;
use crate::domain::hold::{HoldKind, StandingHold};
use crate::domain::language::Manner;
use crate::domain::news::{News, Topic};
use crate::domain::seen::Seen;

fn kinds() -> impl Iterator<Item = EventKind> {
    let kinds = EventKind::ALL.into_iter();
    kinds.filter(|kind| kind.is_mailed())
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn morning() -> Timestamp {
    at("2026-12-02T08:00:00Z")
}

fn sender() -> Sender {
    let help = Wording::of("Service desk, room 12, extension 4711.")
        .with(Language::German, "Servicedesk, Raum 12, Durchwahl 4711.");
    let title = Wording::of("Secure sign-in").with(Language::German, "Sicher anmelden");
    Sender {
        from: text::mailbox("Identity team <identity@contoso.com>").unwrap(),
        reply_to: text::mailbox("servicedesk@contoso.com"),
        organisation: Some(Wording::of("Contoso")),
        help: Some(help),
        signature: None,
        titles: BTreeMap::from([(PolicyName::new("everyone"), title)]),
        mode: Mode::Flag,
        language: "en".to_owned(),
        time_zone: TimeZone::get("Europe/Berlin").unwrap(),
    }
}

fn native() -> Sender {
    Sender {
        mode: Mode::Native,
        ..sender()
    }
}

fn bare() -> Sender {
    Sender {
        from: text::mailbox("identity@contoso.com").unwrap(),
        reply_to: None,
        organisation: None,
        help: None,
        titles: BTreeMap::new(),
        ..sender()
    }
}

/// What operators read of an event, as the program words it.
fn told_to_operators(kind: EventKind, language: &str) -> OperatorNotice {
    let manner = Manner {
        language: Language::of_tag(language).unwrap(),
        zone: TimeZone::get("Europe/Berlin").unwrap(),
    };
    let (title, lines) = match kind {
        EventKind::HoldRaised | EventKind::HoldCleared => {
            let seen = Seen::Mass {
                people: 22,
                recent: 3,
                in_scope: 200,
            };
            let news = News::of_hold(kind, &standing(HoldKind::Mass, seen), &manner);
            (news.title, news.lines)
        }
        EventKind::DeliveryDead => (
            Topic::DeadEndpoint.title(1, manner.language),
            vec![news::endpoint_is_dead(
                "desk",
                "410 <gone>",
                manner.language,
            )],
        ),
        kind => {
            let topic = Topic::ALL.into_iter().find(|topic| topic.event() == kind);
            let title = topic.unwrap().title(2, manner.language);
            (
                title,
                vec!["ana@contoso.com (1)".to_owned(), "bo <b>".to_owned()],
            )
        }
    };
    OperatorNotice { kind, title, lines }
}

fn standing(kind: HoldKind, seen: Seen) -> StandingHold {
    StandingHold {
        id: kind.id_of(""),
        kind,
        policy: None,
        since: at("2026-12-02T07:00:00Z"),
        text: seen.text(),
        seen: Some(seen),
        released_by: kind.released_by(),
        approved_at: None,
        approved_by: None,
        approved_because: None,
        told: true,
    }
}

fn notice(kind: EventKind, language: &str) -> Notice {
    let about = if kind == EventKind::Test {
        About::Test(TestNotice {
            by: "ada".to_owned(),
            host: "id1.contoso.com".to_owned(),
            to_operator: true,
        })
    } else if kind.is_mailed_to_operators() {
        About::Operators(told_to_operators(kind, language))
    } else {
        About::Window(WindowNotice {
            kind,
            policy: PolicyName::new("everyone"),
            opened_at: at("2026-11-24T22:59:00Z"),
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
        about,
    }
}

fn window(notice: &mut Notice) -> &mut WindowNotice {
    match &mut notice.about {
        About::Window(about) => about,
        About::Operators(_) | About::Test(_) => panic!("not about a window"),
    }
}

/// By what sign-ins showed, with one day left, after the deadline, with a deadline that was moved, and as
/// usual.
fn variants() -> Vec<(String, Notice, Timestamp)> {
    let mut all = Vec::new();
    for kind in kinds() {
        for language in ["en", "de"] {
            let name = format!("{}.{language}", kind.as_str());
            let passed = at("2026-12-09T08:00:00Z");
            let usual = match kind {
                EventKind::EnforcementNeeded | EventKind::EnforcementReleased => passed,
                _ => morning(),
            };
            all.push((name.clone(), notice(kind, language), usual));
            let shown = |shows| {
                let mut notice = notice(kind, language);
                window(&mut notice).shows = shows;
                notice
            };
            let until = |deadline| {
                let mut notice = notice(kind, language);
                window(&mut notice).deadline = Some(at(deadline));
                notice
            };
            if kind == EventKind::WindowReminder {
                let late = at("2026-12-08T05:00:00Z");
                all.push((format!("last_day.{language}"), notice(kind, language), late));
            }
            if kind == EventKind::Test {
                let mut notice = notice(kind, language);
                if let About::Test(about) = &mut notice.about {
                    about.to_operator = false;
                }
                all.push((format!("{name}.person"), notice, morning()));
            }
            if kind.announces() {
                let demand = shown(Shows::Demand);
                all.push((format!("{name}.demanded"), demand, morning()));
                let later = until("2026-12-20T22:59:00Z");
                all.push((format!("{name}.later"), later.clone(), morning()));
                all.push((format!("{name}.much_later"), later, passed));
            }
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
                let again = until("2026-12-20T22:59:00Z");
                all.push((format!("{name}.again"), again, passed));
            }
        }
    }
    all
}

/// As under `flag`; of `native` only what reads otherwise.
#[test]
fn every_message_in_every_language_and_mode() {
    let read = |sender: &Sender, notice: &Notice, at| {
        let mail = render(sender, notice, at).unwrap();
        format!("{}\n\n{}", mail.subject, mail.text)
    };
    for (name, notice, at) in variants() {
        let flag = read(&sender(), &notice, at);
        let native = read(&native(), &notice, at);
        if native != flag {
            insta::assert_snapshot!(format!("{name}.native"), native);
        }
        insta::assert_snapshot!(name, flag);
    }
}

/// Rule 7.27: nothing in Entra follows from us, so nothing may sound as if it did. What a sign-in has shown
/// is said, and names what was demanded then.
#[test]
fn under_flag_no_mail_says_what_somebody_must_do_or_is_kept_from() {
    let promises = [
        "must",
        "have to",
        "required",
        "force",
        "locked",
        "lock",
        "complete",
        "completed",
        "only once",
        "put off",
        "before your next",
        "muss",
        "müssen",
        "verlangt",
        "erzwungen",
        "ausgesperrt",
        "abgeschlossen",
        "erst",
        "aufschieben",
        "aufschub",
        "nächsten anmeldung",
    ];
    for (name, notice, at) in variants() {
        let to_people = matches!(notice.about, About::Window(_) | About::Test(_));
        if !to_people || name.contains("demanded") {
            continue;
        }
        for sender in [sender(), bare()] {
            let mail = render(&sender, &notice, at).unwrap();
            let said = format!("{} {}", mail.subject, mail.text).to_lowercase();
            let words: Vec<&str> = said
                .split(|c: char| !c.is_alphabetic())
                .filter(|word| !word.is_empty())
                .collect();
            let said = format!(" {} ", words.join(" "));
            for promise in promises {
                assert!(
                    !said.contains(&format!(" {promise} ")),
                    "{name}: {promise}: {said}"
                );
            }
        }
    }
}

/// Rule 7.27: the earlier of both clocks is the last day on which it can be put off.
#[test]
fn under_native_the_earlier_day_is_named_and_the_later_one_is_no_promise() {
    let mail = |kind, deadline, when| {
        let mut notice = notice(kind, "en");
        window(&mut notice).deadline = Some(at(deadline));
        render(&native(), &notice, at(when)).unwrap()
    };
    let extended = mail(
        EventKind::WindowExtended,
        "2026-12-20T22:59:00Z",
        "2026-12-02T08:00:00Z",
    );
    assert!(
        extended.subject.contains("by Tue 8 Dec (6 days left)"),
        "{}",
        extended.subject
    );
    assert!(
        extended
            .text
            .contains("Please register by Tuesday, 8 December 2026"),
        "{}",
        extended.text
    );
    assert!(
        extended.text.contains("Sunday, 20 December 2026"),
        "ours is named too"
    );
    assert!(
        !extended.subject.contains("More time"),
        "{}",
        extended.subject
    );
    let over = mail(
        EventKind::WindowReminder,
        "2026-12-20T22:59:00Z",
        "2026-12-10T08:00:00Z",
    );
    assert!(
        over.text
            .contains("Please register by Sunday, 20 December 2026"),
        "{}",
        over.text
    );
    assert!(
        over.text.contains("may demand it at any time by now"),
        "{}",
        over.text
    );
    let sooner = mail(
        EventKind::WindowReminder,
        "2026-12-05T22:59:00Z",
        "2026-12-02T08:00:00Z",
    );
    assert!(
        sooner.subject.contains("by Sat 5 Dec"),
        "{}",
        sooner.subject
    );
    assert!(!sooner.text.contains("8 December"), "{}", sooner.text);
    let last = mail(
        EventKind::WindowReminder,
        "2026-12-20T22:59:00Z",
        "2026-12-08T08:00:00Z",
    );
    assert!(last.subject.contains("Last day"), "{}", last.subject);
}

#[test]
fn people_read_a_title_and_never_the_name_of_a_policy() {
    for (name, notice, at) in variants() {
        let About::Window(_) = notice.about else {
            continue;
        };
        let titled = render(&sender(), &notice, at).unwrap().text;
        assert!(
            titled.contains("Secure sign-in") || titled.contains("Sicher anmelden"),
            "{name}: {titled}"
        );
        for sender in [sender(), bare()] {
            let text = render(&sender, &notice, at).unwrap().text;
            assert!(!text.contains("everyone"), "{name}: {text}");
        }
    }
}

#[test]
fn a_mail_to_a_person_is_signed_and_one_to_operators_is_not() {
    let signed = Sender {
        signature: Some(
            Wording::of("Your identity team").with(Language::German, "Ihr Identity-Team"),
        ),
        ..sender()
    };
    let reminder = |sender: &Sender, language| {
        let mail = render(
            sender,
            &notice(EventKind::WindowReminder, language),
            morning(),
        )
        .unwrap();
        mail.text.trim_end().to_owned()
    };
    assert!(reminder(&sender(), "en").ends_with("Kind regards\n\nIdentity team"));
    assert!(reminder(&signed, "en").ends_with("Kind regards\n\nYour identity team"));
    assert!(reminder(&signed, "de").ends_with("Mit freundlichen Grüßen\n\nIhr Identity-Team"));
    assert!(
        !reminder(&bare(), "en").contains("Kind regards"),
        "nobody to name"
    );
    let hold = render(&signed, &notice(EventKind::HoldRaised, "en"), morning()).unwrap();
    assert!(!hold.text.contains("Your identity team"));
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
    for sender in [sender(), native(), bare()] {
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
    let late = at("2026-12-08T22:59:01Z");
    let stale = render(&sender(), &notice(EventKind::WindowReminder, "en"), late);
    assert!(matches!(stale, Err(MailError::DeadlinePassed { .. })));
    let passed = render(&sender(), &notice(EventKind::EnforcementNeeded, "en"), late);
    assert!(passed.is_ok());
}

#[test]
fn events_that_no_mail_tells_of_are_refused() {
    let all = EventKind::ALL.into_iter();
    for kind in all.filter(|kind| !kind.is_mailed()) {
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
fn tests_are_marked_and_say_who_sent_them() {
    for to_operator in [true, false] {
        let mut notice = notice(EventKind::Test, "en");
        let About::Test(about) = &mut notice.about else {
            panic!("no test");
        };
        about.to_operator = to_operator;
        let mail = render(&sender(), &notice, morning()).unwrap();
        assert!(mail.subject.starts_with("[TEST] ["), "{}", mail.subject);
        for said in ["ada", "id1.contoso.com", "there is nothing to do"] {
            assert!(
                mail.text.to_lowercase().contains(said),
                "{said}: {}",
                mail.text
            );
        }
    }
    let mail = render(&sender(), &notice(EventKind::WindowOpened, "en"), morning()).unwrap();
    assert!(!mail.subject.contains("[TEST]"));
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
        sender.organisation = Some(Wording::of(organisation));
        sender.help = Some(Wording::of(help));
        sender.signature = Some(Wording::of(&title));
        sender.titles.insert(PolicyName::new(&title), Wording::of(&line));
        sender.from = text::named_mailbox(Some(&title), sender.from.email);
        let mut notice = notice(kind, "en");
        notice.to.name = Some(name);
        match &mut notice.about {
            About::Window(about) => about.policy = PolicyName::new(&title),
            About::Operators(about) => {
                about.title = title;
                about.lines = vec![line];
            }
            About::Test(about) => {
                about.by = title;
                about.host = line;
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
