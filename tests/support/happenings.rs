//! One event and one message of every kind, as a row would tell them.

use std::collections::BTreeMap;

use fortnight::delivery::webhook::{Block, Group, Happening, Person, Window};
use fortnight::domain::id::{PolicyName, UserId};
use fortnight::domain::message::EventKind;
use jiff::Timestamp;

/// An installation, as a store names it.
pub(crate) const SOURCE: &str = "urn:uuid:9f3c1b0e-6a2d-5e7f-8c41-2b7d90e3a6c5";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn happening(kind: EventKind) -> Happening {
    let about_a_person = kind.is_about_person();
    let paused = kind == EventKind::WindowPaused;
    Happening {
        id: format!("2f1c7a52-55a4-5f0c-9d3e-{:012}", kind as u8),
        kind,
        time: at("2026-12-02T08:00:00Z"),
        policy: Some(PolicyName::new("everyone")),
        person: about_a_person.then(|| Person {
            id: UserId::parse("8c1d2f6e-3f64-4c1a-9a53-2f9f0e8a7b10").unwrap(),
            user_principal_name: "ana@contoso.com".to_owned(),
            display_name: Some("Ana Weber".to_owned()),
            mail: Some("ana.weber@contoso.com".to_owned()),
        }),
        window: about_a_person.then(|| Window {
            sequence: 1,
            opened_at: Some(at("2026-12-02T07:41:09Z")),
            deadline: (!paused).then(|| at("2026-12-16T07:41:09Z")),
        }),
        step: match kind {
            EventKind::WindowOpened => Some("0d".to_owned()),
            EventKind::WindowReminder => Some("-3d".to_owned()),
            EventKind::EnforcementNeeded => Some("deadline".to_owned()),
            _ => None,
        },
        block: (kind == EventKind::RegistrationBlocked).then(|| Block {
            code: 53004,
            meaning: "registering was blocked because of a risk that Entra saw".to_owned(),
            remedy: "Look at the person's risk.".to_owned(),
        }),
        text: (!about_a_person).then(|| "mass: 412 people would be flagged at once".to_owned()),
        links: BTreeMap::new(),
    }
}

pub(crate) fn group(kind: EventKind, names: &[&str], lines: &[&str]) -> Group {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Group {
        kind,
        time: at("2026-12-02T08:00:00Z"),
        policies: vec![PolicyName::new("everyone")],
        count: 37,
        deadlines: Some((at("2026-12-16T07:41:09Z"), at("2026-12-18T08:00:00Z"))),
        names: owned(names),
        lines: owned(lines),
    }
}
