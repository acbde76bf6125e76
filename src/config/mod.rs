//! The checked configuration: what the rest of the program may trust (contract 2).
//!
//! [`Config::load`] reads a file and the environment and gives either a whole configuration with
//! its warnings, or every fault at once. Values of later versions are refused by name.

pub mod fault;
mod mask;
mod policies;
mod reader;
pub mod reference;
mod suggest;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use lettre::message::Mailbox;
use toml::de::DeTable;

pub use self::fault::{Fault, Faults, Place, Severity};
pub use self::reader::{KeyDoc, Kind};

use self::fault::Source;
use self::reader::{Document, Section};
use crate::delivery::mail::Sender;
use crate::delivery::smtp::{Login, SmtpConfig, Tls};
use crate::delivery::text::is_mailbox;
use crate::domain::facts::Freshness;
use crate::domain::id::PolicyName;
use crate::domain::policy::{Enforce, StartOn, Step};
use crate::domain::sign_in::{ResultCodes, SignInClass};
use crate::time::CronPattern;

/// Where a configuration is looked for when none is named.
const PLACES: [&str; 2] = ["fortnight.toml", "/etc/fortnight/fortnight.toml"];

/// The default of a key that has none.
const REQUIRED: &str = "required";

/// The embedded classes of result codes: data with a version.
const RESULT_CODES: &str = include_str!("../domain/result_codes.toml");

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The zone of people and of the schedule.
    pub zone: TimeZone,
    /// The database file.
    pub database: PathBuf,
    /// The folder of exports.
    pub files: PathBuf,
    /// When passes run.
    pub schedule: Schedule,
    /// How old facts may be that flag somebody.
    pub freshness: Freshness,
    /// The policies, in the order of the file.
    pub policies: Vec<PolicyConfig>,
    /// How people are told; absent: not at all.
    pub email: Option<Email>,
    /// Where health is served.
    pub http: Option<Http>,
    /// The classes of result codes, overrides included.
    pub result_codes: ResultCodes,
}

/// When passes run.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Cron patterns with seconds, in the configured zone.
    pub poll: Vec<CronPattern>,
}

/// Where health is served.
#[derive(Debug, Clone, Copy)]
pub struct Http {
    /// The address.
    pub listen: SocketAddr,
}

/// A policy with names as the file spells them.
#[derive(Debug, Clone)]
pub struct PolicyConfig {
    /// Its name.
    pub name: PolicyName,
    /// On, report-only or off.
    pub enforce: Enforce,
    /// The length of the window.
    pub window: SignedDuration,
    /// The least time between a notice and a flag.
    pub min_notice: SignedDuration,
    /// Whom it includes.
    pub include: IncludeNames,
    /// Whom it excludes.
    pub exclude: Names,
    /// When messages are due.
    pub reminders: Vec<Step>,
    /// When the policy was switched on, if that was before the first pass.
    pub since: Option<Timestamp>,
    /// Whether guests are eligible.
    pub guests: bool,
    /// Whether members of nested groups count.
    pub nested: bool,
    /// Whether passwordless methods alone are enough.
    pub accept_passwordless: bool,
    /// Which sign-ins open a window.
    pub start_on: StartOn,
    /// Microsoft's own manner: no notice, no floors.
    pub strict: bool,
}

/// Whom a policy includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IncludeNames {
    /// All users.
    AllUsers,
    /// These.
    Selected(Names),
}

/// Users and groups by name or object id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// Users by object id or user principal name.
    pub users: Vec<String>,
    /// Groups by object id or display name.
    pub groups: Vec<String>,
}

/// How people are told.
#[derive(Debug, Clone)]
pub struct Email {
    /// Who writes, and in which words.
    pub sender: Sender,
    /// Told of holds and of what cannot be delivered.
    pub operators: Vec<Mailbox>,
    /// Domains whose user principal names are mailboxes.
    pub upn_domains: Vec<String>,
    /// How mails leave.
    pub transport: EmailTransport,
    /// How many may leave.
    pub budgets: Budgets,
}

/// How mails leave.
#[derive(Debug, Clone)]
pub enum EmailTransport {
    /// By SMTP.
    Smtp(SmtpConfig),
    /// Into a folder, one `.eml` each.
    File(PathBuf),
}

/// How many mails may leave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Budgets {
    /// In any minute.
    pub per_minute: Option<u32>,
    /// In any 24 hours.
    pub per_day: Option<u32>,
}

impl Email {
    /// The addresses of the operators.
    pub fn operator_addresses(&self) -> Vec<String> {
        self.operators
            .iter()
            .map(|mailbox| mailbox.email.to_string())
            .collect()
    }
}

impl Config {
    /// Reads a configuration. The warnings come with it; faults refuse it, all at once.
    pub fn load(
        path: &Path,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(Self, Vec<Fault>), Faults> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let source = Arc::new(Source::new(path.display().to_string(), String::new()));
            let message = format!("cannot read the configuration: {error}");
            let remedy = "name it with --config FILE or FORTNIGHT_CONFIG; fortnight.example.toml is a beginning".to_owned();
            Faults(vec![Fault::new(Severity::Error, Place::Missing, message, remedy, source)])
        })?;
        // Some editors of Windows begin a file with a mark of its encoding.
        let text = text
            .strip_prefix('\u{feff}')
            .map(str::to_owned)
            .unwrap_or(text);
        let document = Document::new(path, text, variables);
        let config = read(&document);
        let mut faults = document.faults.into_inner();
        faults.sort_by_key(|fault| (fault.severity, fault.position()));
        match config {
            Some(config)
                if faults
                    .iter()
                    .all(|fault| fault.severity == Severity::Warning) =>
            {
                Ok((config, faults))
            }
            _ => Err(Faults(faults)),
        }
    }

    /// The environment, as [`Self::load`] takes it; what is no text overrides nothing.
    pub fn environment() -> impl Iterator<Item = (String, String)> {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
    }

    /// The file that is read when none is named: the first of the usual places that exists.
    pub fn find() -> PathBuf {
        PLACES
            .into_iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .unwrap_or_else(|| PathBuf::from(PLACES[0]))
    }

    /// The domain of Message-IDs: that of the sender.
    pub fn sender_domain(&self) -> String {
        self.email.as_ref().map_or_else(
            || "fortnight.invalid".to_owned(),
            |email| email.sender.from.email.domain().to_owned(),
        )
    }

    /// Has mails go nowhere, for a dry run: the outbox is planned and not delivered.
    pub fn rehearse(&mut self) {
        if let Some(email) = &mut self.email {
            email.budgets = Budgets {
                per_minute: Some(0),
                per_day: Some(0),
            };
        }
    }

    /// Keys whose change takes a restart.
    pub fn restart_needed(&self, other: &Self) -> Vec<&'static str> {
        let mut keys = Vec::new();
        if self.database != other.database {
            keys.push("database.url");
        }
        if self.http.map(|http| http.listen) != other.http.map(|http| http.listen) {
            keys.push("http.listen");
        }
        keys
    }
}

fn read(document: &Document) -> Option<Config> {
    let parsed = match DeTable::parse(document.text()) {
        Ok(parsed) => parsed,
        Err(error) => {
            let place = error.span().map_or(Place::Missing, Place::File);
            let remedy = if is_bare_word(document.text(), error.span()) {
                "a text stands in quotes"
            } else {
                ""
            };
            document.error(
                place,
                format!("this is no TOML: {}", error.message()),
                remedy,
            );
            return None;
        }
    };
    let root = document.root(parsed.get_ref());
    let zone = zone(&root);
    let database = database(&root.section("database"));
    let files = directory(&root.section("directory"));
    let schedule = schedule(&root.section("schedule"));
    let freshness = freshness(root.section("freshness"));
    let email_section = root.section("email");
    let email = email(&email_section, &zone);
    // A configured but faulty [email] is one fault, not two.
    let policies = policies::read(&root, email_section.is_there() || !root.lacks("email"));
    enforcement(root.section("enforcement"));
    let http = http(root.section("http"));
    root.later("webhook");
    let result_codes = result_codes(&root);
    root.finish();
    document.refuse_unused_variables();
    Some(Config {
        zone,
        database: database?,
        files: files?,
        schedule: schedule?,
        freshness,
        policies,
        email,
        http,
        result_codes,
    })
}

fn is_bare_word(text: &str, span: Option<std::ops::Range<usize>>) -> bool {
    let before = |at: usize| text[..at].trim_end().ends_with('=');
    span.is_some_and(|span| {
        before(span.start) && text[span.start..].starts_with(char::is_alphabetic)
    })
}

fn zone(root: &Section<'_>) -> TimeZone {
    let about = "The IANA zone of people, of the schedule and of the dates in mails.";
    let found = root.parsed("timezone", Kind::Text, "UTC", about, |name| {
        TimeZone::get(name).map_err(|_| {
            format!("there is no time zone {name:?}; zones are written like \"Europe/Berlin\"")
        })
    });
    found.map_or(TimeZone::UTC, |found| found.value)
}

fn database(section: &Section<'_>) -> Option<PathBuf> {
    let document = section.document();
    let found = section.text(
        "url",
        "sqlite:fortnight.db",
        "The database: `sqlite:` and a path.",
    );
    let path = match found {
        None if section.lacks("url") => Some(document.resolve("fortnight.db")),
        None => None,
        Some(found) => match found.value.strip_prefix("sqlite:") {
            Some(path) if is_plain_path(path) => {
                Some(document.resolve(path.strip_prefix("//").unwrap_or(path)))
            }
            // The value may hold a password: no fault repeats it.
            _ if found.value.starts_with("postgres") => {
                let message = "`database.url = \"postgres…\"` is not in this version";
                document.error(found.place, message, "use \"sqlite:fortnight.db\"");
                None
            }
            _ => {
                let message = "`database.url` must be `sqlite:` and the path of a file";
                document.error(found.place, message, "write \"sqlite:fortnight.db\"");
                None
            }
        },
    };
    finish(section, path)
}

/// A file, rather than SQLite's `:memory:` or a list of parameters.
fn is_plain_path(path: &str) -> bool {
    !path.trim_start_matches('/').is_empty() && !path.starts_with(':') && !path.contains('?')
}

/// Sections are borrowed by their readers; this closes one.
fn finish<T>(section: &Section<'_>, value: T) -> T {
    section.close();
    value
}

fn directory(section: &Section<'_>) -> Option<PathBuf> {
    let source = section.one_of(
        "source",
        &[("files", ())],
        &["files"],
        &["graph"],
        REQUIRED,
        "Where facts come from.",
    );
    section.later("graph");
    let files = section.section("files");
    let about = "The folder of exports: users, registration, sign-ins, and groups where a policy names one.";
    let path = files
        .text("path", REQUIRED, about)
        .map(|found| section.document().resolve(&found.value));
    if !section.is_there() {
        let remedy = "say source = \"files\" there, and path = \"…\" in [directory.files]";
        section
            .document()
            .error(Place::Missing, "`[directory]` is missing", remedy);
    } else if source.is_some() {
        files.require("path", "name the folder of exports");
    } else {
        section.require("source", "say source = \"files\"");
    }
    files.close();
    finish(section, path)
}

fn schedule(section: &Section<'_>) -> Option<Schedule> {
    let about = "When passes run: a cron pattern with seconds or a list of them, in `timezone`.";
    let texts = section.texts("poll", true, "0 */10 * * * *", about);
    section.duration("registration", "1h", "How often the whole registration report is read from Graph, which is not in this version; files are read when they change.");
    let patterns: Vec<CronPattern> = match &texts {
        None => CronPattern::parse("0 */10 * * * *").into_iter().collect(),
        Some(texts) => texts
            .iter()
            .filter_map(|text| match CronPattern::parse(&text.value) {
                Ok(pattern) => Some(pattern),
                Err(error) => {
                    let remedy =
                        "six fields: second minute hour day month weekday, like \"0 */10 * * * *\"";
                    section.document().error(
                        text.place.clone(),
                        format!("`schedule.poll`: {error}"),
                        remedy,
                    );
                    None
                }
            })
            .collect(),
    };
    if patterns.is_empty() && texts.is_some_and(|texts| texts.is_empty()) {
        section.document().error(
            section.place(),
            "`schedule.poll` names no time",
            "leave it out for every ten minutes",
        );
    }
    finish(
        section,
        (!patterns.is_empty()).then_some(Schedule { poll: patterns }),
    )
}

fn freshness(section: Section<'_>) -> Freshness {
    let default = Freshness::default();
    let value = Freshness {
        users: section
            .duration("users", "24h", "An older users export flags nobody (R9).")
            .map_or(default.users, |found| found.value),
        registration: section
            .duration(
                "registration",
                "36h",
                "An older registration report flags nobody.",
            )
            .map_or(default.registration, |found| found.value),
        sign_ins: section
            .duration("sign_ins", "24h", "Older sign-in logs flag nobody.")
            .map_or(default.sign_ins, |found| found.value),
    };
    section.finish();
    value
}

fn mailbox(
    section: &Section<'_>,
    key: &'static str,
    default: &str,
    about: &'static str,
) -> Option<Mailbox> {
    section
        .parsed(key, Kind::Text, default, about, parse_mailbox)
        .map(|found| found.value)
}

fn parse_mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse()
        .ok()
        .filter(|mailbox: &Mailbox| is_mailbox(mailbox.email.as_ref()))
        .ok_or_else(|| format!("{text:?} is no mailbox; write \"Name <name@example.org>\""))
}

fn email(section: &Section<'_>, zone: &TimeZone) -> Option<Email> {
    let document = section.document();
    let from = mailbox(
        section,
        "from",
        REQUIRED,
        "The mailbox that mails come from: a monitored one of your own domain.",
    );
    let reply_to = mailbox(section, "reply_to", "", "Where answers go.");
    let operators = section
        .texts(
            "operators",
            false,
            "",
            "Told of holds and of what cannot be delivered.",
        )
        .unwrap_or_default();
    let operators = operators
        .into_iter()
        .filter_map(|found| match parse_mailbox(&found.value) {
            Ok(mailbox) => Some(mailbox),
            Err(message) => {
                document.error(found.place, format!("`email.operators`: {message}"), "");
                None
            }
        })
        .collect();
    let text = |key, default, about| section.text(key, default, about).map(|found| found.value);
    let organisation = text("organisation", "", "Named in every mail.");
    let help = text(
        "help",
        "",
        "Whom to ask, and how to verify that a mail is genuine; printed in every mail.",
    );
    let language = text(
        "language",
        "en",
        "For people without `preferredLanguage`: a BCP 47 tag; en and de are built in.",
    )
    .unwrap_or_else(|| "en".to_owned());
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
        section.section("smtp"),
        way.as_ref().is_some_and(|way| way.value),
    );
    let files = section.section("file");
    let folder = files
        .text("path", REQUIRED, "The folder for one .eml a mail.")
        .map(|found| document.resolve(&found.value));
    if way.as_ref().is_some_and(|way| !way.value) {
        files.require("path", "name the folder");
    }
    files.finish();
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

fn smtp(section: Section<'_>, wanted: bool) -> (Option<SmtpConfig>, Budgets) {
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
    section.one_of(
        "auth",
        &[("password", ())],
        &["password"],
        &["xoauth2"],
        "password",
        "How to log in.",
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
    let (no_username, no_password) = (
        section.lacks("username"),
        section.lacks("password") && section.lacks("password_file"),
    );
    if wanted {
        section.require("host", "name the mail server");
    }
    section.finish();
    let Some(host) = host.filter(|_| wanted) else {
        return (None, budgets);
    };
    let protection = tls.as_ref().map_or(Tls::StartTls, |tls| tls.value);
    if protection == Tls::None && !is_this_machine(&host.value) {
        let place = tls.map_or(host.place, |tls| tls.place);
        document.error(
            place,
            format!(
                "tls = \"none\" to {:?} would send mails and passwords in clear",
                host.value
            ),
            "use \"starttls\" or \"implicit\"",
        );
        return (None, budgets);
    }
    let port = match port {
        Some(port) => match u16::try_from(port.value) {
            Ok(port) => Some(port),
            Err(_) => {
                document.error(port.place, "a port is at most 65535", "");
                return (None, budgets);
            }
        },
        None => None,
    };
    let login = match (username, password) {
        (Some(username), Some(password)) => Some(Login {
            username: username.value,
            password,
        }),
        (Some(username), None) if no_password => {
            document.error(
                username.place,
                "a username without a password",
                "name the file of the password in `password_file`",
            );
            return (None, budgets);
        }
        (None, Some(_)) if no_username => {
            document.error(
                host.place,
                "a password without a username",
                "say who logs in with `username`",
            );
            return (None, budgets);
        }
        (None, None) if no_username && no_password => None,
        // What is there and wrong has its fault already.
        _ => return (None, budgets),
    };
    let mut config = SmtpConfig::new(&host.value, protection);
    config.port = port;
    config.login = login;
    config.connections = connections.map_or(3, |found| found.value as usize);
    (Some(config), budgets)
}

fn is_this_machine(host: &str) -> bool {
    let bare = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || bare
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Flags are all that this version has: `mode = "flag"`, with or without `dry_run`.
fn enforcement(section: Section<'_>) {
    section.one_of(
        "mode",
        &[("flag", ())],
        &["flag"],
        &["group"],
        "flag",
        "What happens to people who must register: they are flagged.",
    );
    section.flag(
        "dry_run",
        true,
        "For enforcement by group, which is not in this version.",
    );
    section.later("group");
    section.finish();
}

fn http(section: Section<'_>) -> Option<Http> {
    let about = "Where /healthz and /readyz are served; absent: nowhere.";
    let listen = section.parsed("listen", Kind::Text, "", about, |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| format!("{text:?} is no address and port; write \"127.0.0.1:8080\""))
    });
    section.finish();
    listen.map(|found| Http {
        listen: found.value,
    })
}

/// The embedded table, and what the configuration overrides.
fn result_codes(root: &Section<'_>) -> ResultCodes {
    let (version, mut classes) = embedded_codes();
    let overrides = root.codes(
        "result_codes",
        "Overrides of the classes of result codes: `50140 = \"completed\"`.",
    );
    let overridden = !overrides.is_empty();
    for (code, class) in overrides {
        match serde_json::from_value::<SignInClass>(serde_json::Value::String(class.value.clone()))
        {
            Ok(known) => {
                classes.insert(code.value, known);
            }
            Err(_) => {
                let message = format!("there is no class {:?}", class.value);
                let remedy = "completed, registration_interrupt, registration_blocked, mfa_challenge, post_primary, policy_block, not_authenticated, credential_failure, token_expiry or unknown";
                root.document().error(class.place, message, remedy);
            }
        }
    }
    ResultCodes::new(
        if overridden {
            format!("{version}+overrides")
        } else {
            version
        },
        classes,
    )
}

/// The table of this version, without overrides.
pub fn default_result_codes() -> ResultCodes {
    let (version, classes) = embedded_codes();
    ResultCodes::new(version, classes)
}

fn embedded_codes() -> (String, std::collections::BTreeMap<i64, SignInClass>) {
    #[derive(serde::Deserialize)]
    struct Table {
        version: String,
        classes: std::collections::BTreeMap<SignInClass, Vec<i64>>,
    }
    let table: Table =
        toml::from_str(RESULT_CODES).expect("the embedded table is checked by a test");
    let classes = table
        .classes
        .into_iter()
        .flat_map(|(class, codes)| codes.into_iter().map(move |code| (code, class)))
        .collect();
    (table.version, classes)
}
