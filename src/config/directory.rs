//! Where facts come from: a folder of exports, or Graph.

use std::path::PathBuf;

use url::Url;

use super::REQUIRED;
use super::document::{Found, Kind};
use super::email::is_this_machine;
use super::fault::Place;
use super::reader::Section;
use crate::entra::{Application, Certificate, Cloud, Credential};
use crate::graph::GraphConfig;
use crate::sources::wire::DateOrder;

/// The service's own limit on reports and logs: requests in ten seconds.
const REPORTS_PER_10S: u32 = 5;

/// The four ways to prove who asks; exactly one of them is to be named.
const WAYS: &str =
    "client_secret_file, certificate_file, managed_identity = true, federated_token_file";

/// Where facts come from.
#[derive(Debug, Clone)]
pub enum Directory {
    /// A folder of exports.
    Files(Exports),
    /// Microsoft Graph.
    Graph(Box<GraphConfig>),
}

/// A folder of exports.
#[derive(Debug, Clone)]
pub struct Exports {
    /// Where it is.
    pub path: PathBuf,
    /// How its CSV files write dates where nothing in them tells.
    pub dates: Option<DateOrder>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Files,
    Graph,
}

/// Where facts come from; and, whether or not it is Graph, who would ask there: mail by token
/// takes the same application.
pub(super) fn read(section: &Section<'_>) -> (Option<Directory>, Option<GraphConfig>) {
    let source = section.one_of(
        "source",
        &[("files", Source::Files), ("graph", Source::Graph)],
        &["files", "graph"],
        &[],
        REQUIRED,
        "Where facts come from.",
    );
    let chosen = |kind| source.as_ref().is_some_and(|source| source.value == kind);
    let graph = graph(&section.section("graph"), chosen(Source::Graph));
    let files = files(&section.section("files"), chosen(Source::Files));
    let directory = match source.as_ref().map(|source| source.value) {
        Some(Source::Files) => files.map(Directory::Files),
        Some(Source::Graph) => graph.clone().map(Box::new).map(Directory::Graph),
        None => {
            if section.is_there() {
                section.require("source", "say source = \"graph\" or \"files\"");
            } else {
                let remedy = "say source = \"files\" there, and path = \"…\" in [directory.files]; or source = \"graph\", and who asks in [directory.graph]";
                section
                    .document()
                    .error(Place::Missing, "`[directory]` is missing", remedy);
            }
            None
        }
    };
    section.close();
    (directory, graph)
}

fn files(section: &Section<'_>, wanted: bool) -> Option<Exports> {
    let about = "The folder of exports: users, registration, sign-ins, and groups where a policy names one.";
    let path = section
        .text("path", REQUIRED, about)
        .map(|found| section.document().resolve(&found.value));
    if wanted {
        section.require("path", "name the folder of exports");
    }
    let dates = section.one_of(
        "dates",
        &[
            ("day-first", DateOrder::DayFirst),
            ("month-first", DateOrder::MonthFirst),
        ],
        &["day-first", "month-first"],
        &[],
        "none",
        "How the machine that writes the CSV files writes dates like 3/11/2026, for files in which no date tells. Without it such a file is refused.",
    );
    section.close();
    Some(Exports {
        path: path?,
        dates: dates.map(|found| found.value),
    })
}

fn graph(section: &Section<'_>, wanted: bool) -> Option<GraphConfig> {
    let tenant = section.text(
        "tenant_id",
        REQUIRED,
        "The tenant: its id, or one of its domains.",
    );
    let client_id = section.text(
        "client_id",
        "required, but of a managed identity",
        "The application (client) id of the app registration; of a managed identity, which one where a machine has several.",
    );
    let credential = credential(section, wanted);
    let cloud = section
        .one_of(
            "cloud",
            &Cloud::NAMES,
            &["global", "usgov", "usgov-dod", "china"],
            &[],
            "global",
            "The national cloud: which hosts are asked.",
        )
        .map_or(Cloud::Global, |found| found.value);
    let graph = host(
        section,
        "graph_url",
        cloud.graph(),
        "Graph's host, where it is another than the cloud's.",
    );
    let authority = host(
        section,
        "authority_url",
        cloud.authority(),
        "The host that gives tokens, where it is another than the cloud's.",
    );
    let reports = section.number(
        "reports_per_10s",
        "5",
        "Requests for reports and logs in ten seconds: the service allows 5. More only against a local server.",
    );
    if wanted {
        section.require("tenant_id", "Entra admin center, Overview, Tenant ID");
        if !matches!(credential, Some(Credential::ManagedIdentity)) {
            section.require(
                "client_id",
                "the app registration's Overview, Application (client) ID",
            );
        }
    }
    section.close();
    Some(GraphConfig {
        application: Application {
            tenant: tenant?.value,
            client_id: client_id.map(|found| found.value),
            authority: authority?.origin().ascii_serialization(),
            credential: credential?,
        },
        cloud,
        graph: graph?,
        reports_per_10s: reports.map_or(REPORTS_PER_10S, |found| found.value.max(1)),
    })
}

/// How the application proves who it is: one way, and no doubt which.
fn credential(section: &Section<'_>, wanted: bool) -> Option<Credential> {
    let secret = section.secret(
        "client_secret",
        "client_secret_file",
        "The file of the client secret; or the variable FORTNIGHT__DIRECTORY__GRAPH__CLIENT_SECRET holds it.",
    );
    let certificate = section.text(
        "certificate_file",
        "",
        "The certificate of the app registration, PEM.",
    );
    let key = section.secret(
        "private_key",
        "private_key_file",
        "The certificate's private key, PEM, RSA, unencrypted.",
    );
    let managed = section.flag(
        "managed_identity",
        false,
        "Whether the machine's own identity asks: Azure, App Service or Arc.",
    );
    let federated = section.text(
        "federated_token_file",
        "",
        "A token that somebody else issues and renews there: workload identity federation.",
    );
    let named = [
        !section.lacks("client_secret") || !section.lacks("client_secret_file"),
        !section.lacks("certificate_file"),
        managed,
        !section.lacks("federated_token_file"),
    ];
    match named.iter().filter(|named| **named).count() {
        0 if wanted => {
            let message = "nothing says how the application proves who it is";
            section
                .document()
                .error(section.place(), message, format!("name one of {WAYS}"));
            return None;
        }
        0 | 1 => {}
        _ => {
            let message = "several ways to prove who asks are named";
            section
                .document()
                .error(section.place(), message, format!("keep one of {WAYS}"));
            return None;
        }
    }
    if let Some(found) = certificate {
        if section.lacks("private_key_file") {
            section.require("private_key", "name the key's file in private_key_file");
        }
        return certified(section, found, &key?);
    }
    if managed {
        return Some(Credential::ManagedIdentity);
    }
    if let Some(found) = federated {
        let path = section.document().resolve(&found.value);
        if let Err(error) = std::fs::metadata(&path) {
            let message = format!("the federated token is not there yet: {error}");
            let remedy = "check the path, and that its issuer has written it: it is read anew for each token";
            section.document().warning(found.place, message, remedy);
        }
        return Some(Credential::FederatedToken(path));
    }
    secret.map(Credential::Secret)
}

fn certified(
    section: &Section<'_>,
    found: Found<String>,
    key: &secrecy::SecretString,
) -> Option<Credential> {
    let path = section.document().resolve(&found.value);
    let certificate = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read the certificate: {error}");
            section.document().error(
                found.place,
                message,
                "check the path, its owner and its mode",
            );
            return None;
        }
    };
    match Certificate::new(&certificate, key) {
        Ok(certificate) => Some(Credential::Certificate(certificate)),
        Err(error) => {
            let message = format!("this cannot be used: {error}");
            section.document().error(
                found.place,
                message,
                "make both with openssl, as docs/graph.md shows",
            );
            None
        }
    }
}

/// A host, by default the cloud's; plain HTTP only to this machine.
fn host(
    section: &Section<'_>,
    key: &'static str,
    default: &'static str,
    about: &'static str,
) -> Option<Url> {
    let found = section.parsed(key, Kind::Text, "by `cloud`", about, |text| {
        let url =
            Url::parse(text).map_err(|_| "this is no URL; write \"https://graph.example.org\"")?;
        if url.path() != "/"
            || url.query().is_some()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            return Err("this must be a host, without a path or a login");
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if url.host_str().is_some_and(is_this_machine) => Ok(url),
            _ => Err("this would send tokens in clear: use https; http is for this machine only"),
        }
    });
    if section.lacks(key) {
        section.settle(key, default);
        return Url::parse(default).ok();
    }
    found.map(|found| found.value)
}
