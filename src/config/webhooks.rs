//! The `[[webhook]]` tables: where events go, and which of them (rules 5.1 and 7.11).
//!
//! The trap is the address: a chat's is its password, so it may come from a file, and no fault
//! repeats one.

use std::collections::BTreeSet;

use ipnet::IpNet;
use secrecy::ExposeSecret as _;

use super::document::{Document, Found, Kind};
use super::reader::Section;
use super::suggest::nearest;
use super::{REQUIRED, Webhook};
use crate::delivery::webhook::{
    Auth, DIALECTS, Dialect, Endpoint, FORMATS, LATER_FORMATS, SecretUrl, SigningSecret,
};
use crate::domain::message::EventKind;

/// The name of mail in the outbox.
const MAIL: &str = "email";

/// An event of the contract that no part of this version makes.
const LATER_EVENT: &str = "enforcement.applied";

/// The endpoints, and whether one of them gives notice. A faulty table is taken for one that
/// does: it has its faults already.
pub(super) fn read(root: &Section<'_>) -> (Vec<Webhook>, bool) {
    let document = root.document();
    let mut names = BTreeSet::new();
    let mut notice = false;
    let webhooks = root
        .sections("webhook")
        .into_iter()
        .filter_map(|section| {
            let place = section.place();
            let webhook = webhook(&section);
            notice |= webhook.as_ref().is_none_or(Webhook::gives_notice);
            let webhook = webhook?;
            if !names.insert(webhook.endpoint.name.clone()) {
                document.error(
                    place,
                    format!("two webhooks are named {:?}", webhook.endpoint.name),
                    "give each its own name",
                );
            }
            Some(webhook)
        })
        .collect();
    (webhooks, notice)
}

fn webhook(section: &Section<'_>) -> Option<Webhook> {
    let document = section.document();
    let errors_before = document.errors();
    let name = section.parsed(
        "name",
        Kind::Text,
        REQUIRED,
        "Its name in `deliveries` and `status`; not \"email\".",
        parse_name,
    );
    let url = url(section);
    let dialects: Vec<(&str, &Dialect)> = DIALECTS.iter().map(|one| (one.name, *one)).collect();
    let dialect = section.one_of(
        "format",
        &dialects,
        FORMATS,
        LATER_FORMATS,
        REQUIRED,
        "CloudEvents for programs, one per event and signed; or a chat, one message per pass and event type.",
    );
    if dialect
        .as_ref()
        .is_none_or(|dialect| dialect.value.auth == Auth::Address)
    {
        section.hide("url");
    }
    let events = events(section);
    let secrets = secrets(section, dialect.as_ref().map(|dialect| dialect.value));
    let allow_networks = networks(section);
    section.require("name", "add name = \"…\"");
    section.require("format", format!("say {}", one_of(FORMATS)));
    section.close();
    if document.errors() > errors_before {
        return None;
    }
    let url = url?;
    let endpoint = Endpoint {
        name: name?.value,
        url: url.value,
        dialect: dialect?.value,
        secrets: secrets?,
        allow_networks,
    };
    if let Err(fault) = endpoint.check() {
        document.error(url.place, fault.to_string(), fault.remedy());
        return None;
    }
    if endpoint.dialect.auth == Auth::Address && !section.lacks("url") {
        document.warning(
            url.place,
            "a chat's address is its password, and stands here for every reader of this file",
            "keep it in a file of its own, and name that in `url_file`",
        );
    }
    Some(Webhook { endpoint, events })
}

fn parse_name(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    if text == MAIL {
        return Err("\"email\" is the name of mail itself");
    }
    let sound = !text.is_empty() && text.chars().count() <= 64;
    if !sound || text.contains(char::is_control) || text.contains('/') {
        return Err("a name has 1 to 64 characters, without slashes and control characters");
    }
    Ok(text.to_owned())
}

/// The address, from this file or from one of its own.
fn url(section: &Section<'_>) -> Option<Found<SecretUrl>> {
    let inline = section.text("url", "", "The address, where it is no secret.");
    let file = section.secret_file(
        "url_file",
        "The file of the address, where it is a secret, as that of a chat.",
    );
    let written = match (inline, file) {
        (Some(inline), None) => inline,
        (None, Some(file)) => Found {
            value: file.value.expose_secret().to_owned(),
            place: file.place,
        },
        (Some(inline), Some(_)) => {
            let message = "`url` and `url_file` both name the address";
            section.document().error(inline.place, message, "keep one");
            return None;
        }
        (None, None) => {
            // A file that cannot be read has its fault already.
            if section.lacks("url") && section.lacks("url_file") {
                let message = "a webhook without an address";
                let remedy = "name it in `url`, or the file that holds it in `url_file`";
                section.document().error(section.place(), message, remedy);
            }
            return None;
        }
    };
    match SecretUrl::parse(written.value.trim()) {
        Ok(value) => Some(Found {
            value,
            place: written.place,
        }),
        Err(fault) => {
            section
                .document()
                .error(written.place, fault.to_string(), fault.remedy());
            None
        }
    }
}

fn events(section: &Section<'_>) -> BTreeSet<EventKind> {
    let about = "Which events it gets.";
    let Some(texts) = section.texts("events", false, "all", about) else {
        return EventKind::ALL.into_iter().collect();
    };
    if texts.is_empty() {
        let message = "`webhook.events` names none, so nothing would ever be sent";
        section
            .document()
            .error(section.place(), message, "leave it out for all events");
    }
    texts
        .into_iter()
        .filter_map(|text| event(section.document(), text))
        .collect()
}

fn event(document: &Document, text: Found<String>) -> Option<EventKind> {
    let kind = EventKind::parse(&text.value);
    if kind.is_none() {
        let names = || EventKind::ALL.into_iter().map(EventKind::as_str);
        let (message, remedy) = if text.value == LATER_EVENT {
            let message = format!("the event {LATER_EVENT:?} is not in this version");
            (message, "remove it".to_owned())
        } else {
            let remedy = nearest(&text.value, names()).map_or_else(
                || format!("the events are {}", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near:?}?"),
            );
            ("there is no such event".to_owned(), remedy)
        };
        document.error(text.place, message, remedy);
    }
    kind
}

/// What signs, where that is how the receiver knows us.
fn secrets(section: &Section<'_>, dialect: Option<&Dialect>) -> Option<Vec<SigningSecret>> {
    let file = section.secret_file(
        "secret_file",
        "For \"standard\": the file of the Standard Webhooks secret (`whsec_…`), or of two in a line each while it is changed.",
    );
    match (dialect.map(|dialect| dialect.auth), file) {
        (Some(Auth::Address), Some(file)) => {
            let message = "only format \"standard\" is signed";
            section.document().error(file.place, message, "remove it");
            None
        }
        (Some(Auth::Signature) | None, Some(file)) => {
            match SigningSecret::parse_file(file.value.expose_secret()) {
                Ok(secrets) => Some(secrets),
                Err(fault) => {
                    section
                        .document()
                        .error(file.place, fault.to_string(), fault.remedy());
                    None
                }
            }
        }
        (Some(Auth::Signature), None) => {
            section.require(
                "secret_file",
                "name a file with a `whsec_` secret, as your receiver shows it",
            );
            None
        }
        (Some(Auth::Address) | None, None) => Some(Vec::new()),
    }
}

/// Names in quotes, any of which may be said.
fn one_of(names: &[&str]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

fn networks(section: &Section<'_>) -> Vec<IpNet> {
    let about = "Private or loopback networks in which it may lie; plain http goes only to these.";
    let texts = section.texts("allow_networks", false, "", about);
    texts
        .unwrap_or_default()
        .into_iter()
        .filter_map(|text| {
            let network = network(&text.value);
            if network.is_none() {
                let message = "this is no network";
                let remedy = "write \"10.0.0.0/8\", or one address";
                section.document().error(text.place, message, remedy);
            }
            network
        })
        .collect()
}

fn network(text: &str) -> Option<IpNet> {
    let alone = || text.parse::<std::net::IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(alone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_not_that_of_mail() {
        for (written, name) in [
            (" chat ", Some("chat")),
            ("email", None),
            ("", None),
            ("a/b", None),
            ("a\nb", None),
        ] {
            assert_eq!(parse_name(written).ok().as_deref(), name, "{written:?}");
        }
    }

    #[test]
    fn a_network_is_a_range_or_one_address() {
        for (written, read) in [
            ("10.0.0.0/8", Some("10.0.0.0/8")),
            ("127.0.0.1", Some("127.0.0.1/32")),
            ("::1", Some("::1/128")),
            ("localhost", None),
        ] {
            let network = network(written).map(|network| network.to_string());
            assert_eq!(network.as_deref(), read);
        }
    }
}
