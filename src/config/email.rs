//! The `[email]` table: who writes, and how mails leave.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::tz::TimeZone;
use lettre::message::Mailbox;

use super::document::Kind;
use super::reader::Section;
use super::{Budgets, Email, EmailTransport, REQUIRED};
use crate::delivery::mail::{Language, Sender};
use crate::delivery::smtp::{Login, Proof, SmtpConfig, Tls};
use crate::delivery::text::own_mailbox;
use crate::domain::policy::Mode;
use crate::entra::Tokens;
use crate::graph::GraphConfig;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Auth {
    Password,
    Xoauth2,
}

pub(super) fn read(
    section: &Section<'_>,
    zone: &TimeZone,
    graph: Option<&GraphConfig>,
) -> Option<Email> {
    let document = section.document();
    let from = mailbox(
        section,
        "from",
        REQUIRED,
        "The mailbox that mails come from: a monitored one of your own domain.",
    );
    let reply_to = mailbox(section, "reply_to", "", "Where answers go.");
    let operators = operators(section);
    let organisation = section.wording("organisation", "", "Named in every mail.");
    let help = section.wording(
        "help",
        "",
        "Whom to ask, and how to verify that a mail is genuine; printed in every mail to a person.",
    );
    let signature = section.wording(
        "signature",
        "the name of `from`",
        "Closes each mail to a person.",
    );
    let language = language(section).unwrap_or_else(|| "en".to_owned());
    let upn_domains = section
        .texts(
            "upn_domains",
            false,
            "",
            "Domains whose user principal names are mailboxes, for people without `mail`.",
        )
        .unwrap_or_default();
    let names = &["smtp", "file"];
    let way = section.one_of(
        "transport",
        &[("smtp", true), ("file", false)],
        names,
        &["graph"],
        REQUIRED,
        "How mails leave.",
    );
    let (smtp, budgets) = smtp(
        &section.section("smtp"),
        way.as_ref().is_some_and(|way| way.value),
        graph,
    );
    let files = section.section("file");
    let folder = files
        .text("path", REQUIRED, "The folder for one .eml a mail.")
        .map(|found| document.resolve(&found.value));
    if way.as_ref().is_some_and(|way| !way.value) {
        files.require("path", "name the folder");
    }
    files.close();
    let there = section.is_there();
    section.close();
    if !there {
        return None;
    }
    section.require("from", "name the mailbox that mails come from");
    let transport = if let Some(way) = way {
        if way.value {
            EmailTransport::Smtp(smtp?)
        } else {
            EmailTransport::File(folder?)
        }
    } else {
        section.require("transport", "say \"smtp\" or \"file\"");
        return None;
    };
    let sender = Sender {
        from: from?,
        reply_to,
        organisation,
        help,
        signature,
        // What other tables say comes with them.
        titles: BTreeMap::new(),
        mode: Mode::default(),
        language,
        time_zone: zone.clone(),
    };
    Some(Email {
        sender,
        operators,
        upn_domains: upn_domains.into_iter().map(|found| found.value).collect(),
        transport,
        budgets,
    })
}

/// Who is told of what goes wrong.
fn operators(section: &Section<'_>) -> Vec<Mailbox> {
    let operators = section
        .texts(
            "operators",
            false,
            "",
            "Told of holds, of what cannot be delivered, of who could not register, of registrations lost again, and of whom the registration report leaves out for two days.",
        )
        .unwrap_or_default();
    operators
        .into_iter()
        .filter_map(|found| match own_mailbox(&found.value) {
            Ok(mailbox) => Some(mailbox),
            Err(message) => {
                section
                    .document()
                    .error(found.place, format!("`email.operators`: {message}"), "");
                None
            }
        })
        .collect()
}

/// A language that there are mails in.
fn language(section: &Section<'_>) -> Option<String> {
    let about = "For operators, and for people without `preferredLanguage`: a BCP 47 tag; en and de are built in.";
    let found = section.parsed(
        "language",
        Kind::Text,
        "en",
        about,
        |tag| match Language::of_tag(tag) {
            Some(_) => Ok(tag.to_owned()),
            None => Err("there are no mails in this language; write \"en\" or \"de\""),
        },
    );
    found.map(|found| found.value)
}

fn mailbox(
    section: &Section<'_>,
    key: &'static str,
    default: &str,
    about: &'static str,
) -> Option<Mailbox> {
    section
        .parsed(key, Kind::Text, default, about, own_mailbox)
        .map(|found| found.value)
}

/// Everything is read and judged even where mails go elsewhere or something is wrong: the faults
/// come all at once.
#[expect(
    clippy::too_many_lines,
    reason = "one read for each key, then what holds between them"
)]
fn smtp(
    section: &Section<'_>,
    wanted: bool,
    graph: Option<&GraphConfig>,
) -> (Option<SmtpConfig>, Budgets) {
    let document = section.document();
    let host = section.text(
        "host",
        REQUIRED,
        "The server's name; its certificate must bear it.",
    );
    let port = section.number("port", "587, 465 or 25 by `tls`", "The port.");
    let username = section.text("username", "", "Who logs in.");
    let password = section.secret(
        "password",
        "password_file",
        "The file of the password; or the variable FORTNIGHT__EMAIL__SMTP__PASSWORD holds it.",
    );
    let tls = section.one_of(
        "tls",
        &[
            ("starttls", Tls::StartTls),
            ("implicit", Tls::Implicit),
            ("none", Tls::None),
        ],
        &["starttls", "implicit", "none"],
        &[],
        "starttls",
        "How the connection is protected; never downgraded. \"none\" only to this machine.",
    );
    let auth = section.one_of(
        "auth",
        &[("password", Auth::Password), ("xoauth2", Auth::Xoauth2)],
        &["password", "xoauth2"],
        &[],
        "password",
        "How to log in: by password, or by a token of the application in [directory.graph], as Exchange Online wants it.",
    );
    let connections = section.number(
        "connections",
        "3",
        "How many connections may be open at once.",
    );
    let budgets = Budgets {
        per_minute: section
            .number(
                "per_minute",
                "",
                "How many mails may leave in a minute; Exchange Online allows 30.",
            )
            .map(|found| found.value),
        per_day: section
            .number(
                "per_day",
                "",
                "How many mails may leave in 24 hours; Exchange Online allows 10,000.",
            )
            .map(|found| found.value),
    };
    // Budgets are what a server allows: a folder takes any number.
    let budgets = if wanted {
        section.require("host", "name the mail server");
        budgets
    } else {
        Budgets::default()
    };
    let protection = tls.as_ref().map_or(Tls::StartTls, |tls| tls.value);
    let default_port = SmtpConfig::new("", protection).port();
    section.settle("port", default_port);
    let mut sound = true;
    if let Some(host) = host.as_ref()
        && let Err((message, remedy)) = name_of_a_host(&host.value)
    {
        document.error(host.place.clone(), message, remedy);
        sound = false;
    } else if let Some(host) = host
        .as_ref()
        .filter(|host| protection == Tls::None && !is_this_machine(&host.value))
    {
        let place = tls.map_or(host.place.clone(), |tls| tls.place);
        let message = "tls = \"none\" to another machine would send mails and passwords in clear";
        document.error(place, message, "use \"starttls\" or \"implicit\"");
        sound = false;
    }
    if let Some(port) = port
        .as_ref()
        .filter(|port| u16::try_from(port.value).is_err())
    {
        document.error(port.place.clone(), "a port is at most 65535", "");
        sound = false;
    }
    let no_password = section.lacks("password") && section.lacks("password_file");
    let by_token = auth.filter(|auth| auth.value == Auth::Xoauth2);
    if let Some(auth) = &by_token {
        let fault = match (&username, graph) {
            _ if !no_password => Some(("a password beside a token", "keep one of the two")),
            (None, _) => Some((
                "a token without a username",
                "name the mailbox that mails come from in `username`",
            )),
            (Some(_), None) => Some((
                "a token without an application that could ask for it",
                "say in [directory.graph] who asks: tenant_id, client_id and one of its four ways to prove it",
            )),
            (Some(_), Some(_)) => None,
        };
        if let Some((message, remedy)) = fault {
            document.error(auth.place.clone(), message, remedy);
            sound = false;
        }
    } else if let Some(username) = username.as_ref().filter(|_| no_password) {
        let remedy = "name the file of the password in `password_file`";
        document.error(
            username.place.clone(),
            "a username without a password",
            remedy,
        );
        sound = false;
    }
    if by_token.is_none() && password.is_some() && section.lacks("username") {
        let remedy = "say who logs in with `username`";
        document.error(section.place(), "a password without a username", remedy);
        sound = false;
    }
    section.close();
    let Some(host) = host.filter(|_| wanted && sound) else {
        return (None, budgets);
    };
    let mut config = SmtpConfig::new(&host.value, protection);
    config.port = port.and_then(|port| u16::try_from(port.value).ok());
    let proof = match (by_token, graph) {
        (Some(_), Some(graph)) => Some(Proof::Token {
            tokens: Arc::new(Tokens::new(graph.application.clone())),
            resource: graph.cloud.exchange(),
        }),
        _ => password.map(Proof::Password),
    };
    config.login = username.zip(proof).map(|(username, proof)| Login {
        username: username.value,
        proof,
    });
    config.connections = connections.map_or(3, |found| found.value as usize);
    (Some(config), budgets)
}

/// The name or address of a server, and nothing beside it.
fn name_of_a_host(host: &str) -> Result<(), (&'static str, &'static str)> {
    let remedy = "write the name alone, host = \"smtp.contoso.com\"; the port is `port`, and `tls` says how the connection is protected";
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Ok(());
    }
    if host.contains("://") {
        return Err(("`email.smtp.host` must be a name, without a scheme", remedy));
    }
    if host.contains(':') {
        return Err(("`email.smtp.host` must be a name, without a port", remedy));
    }
    if rustls::pki_types::DnsName::try_from(host).is_err() {
        return Err(("`email.smtp.host` is no name of a server", remedy));
    }
    Ok(())
}

/// Whether what is sent to this host leaves the machine.
pub(super) fn is_this_machine(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}
