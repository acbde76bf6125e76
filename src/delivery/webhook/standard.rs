//! The body for programs: a `CloudEvents` 1.0 event in structured JSON (rule 5.2).
//!
//! Every attribute is always there, so that a receiver reads one shape; the exception is
//! `subject`, which may not be empty and is absent where nobody is the subject. The bytes are a
//! function of the row: a receiver that sees them twice can compare them.

use std::collections::BTreeMap;

use serde::Serialize;

use super::answer::of_program;
use super::dialect::{Auth, Dialect, Per};
use super::{Block, Happening, Person, Window};
use crate::delivery::text;
use crate::domain::id::PolicyName;

/// `CloudEvents`, one per event, signed as in Standard Webhooks: for programs.
pub(super) const STANDARD: Dialect = Dialect {
    name: "standard",
    about: "programs: CloudEvents, signed as in Standard Webhooks ([webhooks.md](webhooks.md))",
    per: Per::Event(standard),
    auth: Auth::Signature,
    media: "application/cloudevents+json; charset=UTF-8",
    // Nothing orders events about different people, and those about one wait for each other.
    connections: 4,
    refuses: |_| None,
    means: of_program,
};

/// What stands before the name of an event in `type`.
pub const TYPE_PREFIX: &str = "io.fortnight.";

/// The longest name, user principal name or address that a directory holds.
const MAX_ATTRIBUTE: usize = 256;

/// How much of what operators are told is sent: with everything else it stays below the 20 kB
/// that receivers of Standard Webhooks are asked to take.
const MAX_TEXT: usize = 12_000;

/// The body, the same bytes at every call. `source` names this installation, as a URI reference.
///
/// # Panics
/// Never: only keys that are no text, and numbers that are none, cannot be written as JSON.
#[must_use]
pub fn standard(happening: &Happening, source: &str) -> String {
    let event = Event {
        specversion: "1.0",
        id: &happening.id,
        source,
        r#type: format!("{TYPE_PREFIX}{}", happening.kind.as_str()),
        subject: happening.person.as_ref().map(|person| person.id.as_str()),
        time: happening.time.to_string(),
        datacontenttype: "application/json",
        data: Data {
            policy: happening.policy.as_ref().map(PolicyName::as_str),
            user: happening.person.as_ref().map(Subject::of),
            window: happening.window.as_ref().map(Span::of),
            step: happening.step.as_deref(),
            block: happening.block.as_ref(),
            text: happening.text.as_deref().map(shortened),
            links: &happening.links,
        },
    };
    serde_json::to_string(&event).expect("every key is text")
}

/// Whole lines up to [`MAX_TEXT`] bytes as JSON spells them.
fn shortened(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| text::clean_line(line, 1_000))
        .collect();
    let (kept, left) = text::fitting(&lines, MAX_TEXT);
    let mut kept = kept.to_vec();
    if left > 0 {
        kept.push(format!("… and {left} more lines"));
    }
    kept.join("\n")
}

#[derive(Serialize)]
struct Event<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    r#type: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    time: String,
    datacontenttype: &'static str,
    data: Data<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    policy: Option<&'a str>,
    user: Option<Subject<'a>>,
    window: Option<Span>,
    step: Option<&'a str>,
    #[serde(flatten)]
    block: Option<&'a Block>,
    text: Option<String>,
    links: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct Subject<'a> {
    id: &'a str,
    user_principal_name: String,
    display_name: Option<String>,
    mail: Option<String>,
}

#[derive(Serialize)]
struct Span {
    sequence: u32,
    opened_at: Option<String>,
    deadline: Option<String>,
}

impl<'a> Subject<'a> {
    /// JSON encodes whatever the directory says; what steers terminals and turns the reading
    /// direction is of use to no receiver.
    fn of(person: &'a Person) -> Self {
        let clean = |text: &str| text::clean_line(text, MAX_ATTRIBUTE);
        Self {
            id: person.id.as_str(),
            user_principal_name: clean(&person.user_principal_name),
            display_name: person.display_name.as_deref().map(clean),
            mail: person.mail.as_deref().map(clean),
        }
    }
}

impl Span {
    fn of(window: &Window) -> Self {
        Self {
            sequence: window.sequence,
            opened_at: window.opened_at.map(|at| at.to_string()),
            deadline: window.deadline.map(|at| at.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::super::tests::{digest, held, opened};
    use super::*;
    use crate::delivery::text::tests::hostile;

    const SOURCE: &str = "urn:fortnight:contoso";

    #[test]
    fn an_event_about_a_person() {
        insta::assert_snapshot!(standard(&opened(), SOURCE));
    }

    #[test]
    fn an_event_for_operators() {
        insta::assert_snapshot!(standard(&held(), SOURCE));
    }

    #[test]
    fn what_is_too_long_for_a_program_is_cut() {
        let mut happening = held();
        happening.text = Some(digest().lines.join("\n"));
        let body = standard(&happening, SOURCE);
        assert!(body.len() < 20_000, "{}", body.len());
    }

    proptest! {
        #[test]
        fn whatever_a_person_writes_the_event_is_about_the_same_person(
            texts in proptest::collection::vec(hostile(), 3),
        ) {
            let mut happening = opened();
            let person = happening.person.as_mut().unwrap();
            person.user_principal_name.clone_from(&texts[0]);
            person.display_name = Some(texts[1].clone());
            happening.text = Some(texts[2].clone());
            let event: Value = serde_json::from_str(&standard(&happening, SOURCE)).unwrap();
            let id = happening.person.as_ref().map(|person| person.id.as_str());
            prop_assert_eq!(event["subject"].as_str(), id);
        }
    }
}
