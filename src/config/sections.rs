//! The smaller tables, in the order of the file.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::document::Kind;
use super::mask::shows;
use super::reader::Section;
use super::zones;
use super::{Http, Schedule};
use crate::domain::facts::Freshness;
use crate::domain::policy::Mode;
use crate::time::CronPattern;
use crate::time::cron::InvalidCron;

pub(super) fn zone(root: &Section<'_>) -> TimeZone {
    const KEY: &str = "timezone";
    let about = "The IANA zone of people, of the schedule and of the dates in mails.";
    let Some(found) = root.text(KEY, "UTC", about) else {
        return TimeZone::UTC;
    };
    zones::named(&found.value).unwrap_or_else(|| {
        let message = if shows(KEY, &found.value) {
            format!("there is no time zone \"{}\"", found.value)
        } else {
            "`timezone`: there is no such time zone".to_owned()
        };
        root.document()
            .error(found.place, message, zones::remedy(&found.value));
        TimeZone::UTC
    })
}

pub(super) fn database(section: &Section<'_>) -> Option<PathBuf> {
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
    section.close();
    path
}

/// A file, rather than `:memory:` or a list of parameters.
fn is_plain_path(path: &str) -> bool {
    !path.trim_start_matches('/').is_empty() && !path.starts_with(':') && !path.contains('?')
}

pub(super) fn schedule(section: &Section<'_>) -> Option<Schedule> {
    let about = "When passes run: a cron pattern with seconds or a list of them, in `timezone`.";
    let texts = section.texts("poll", true, "0 */10 * * * *", about);
    let registration = section.duration("registration", "1h", "How often the whole registration report is read from Graph, and once as soon as its reading less `registration_lag` can prove a deadline that a flag waits for; files are read when they change.");
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
                        format!("`schedule.poll`: {}", no_pattern(&error)),
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
    section.close();
    (!patterns.is_empty()).then(|| Schedule {
        poll: patterns,
        registration: registration.map_or(SignedDuration::from_hours(1), |found| found.value),
    })
}

/// What the library says repeats the pattern.
fn no_pattern(error: &InvalidCron) -> String {
    match error {
        InvalidCron::Unreadable(_) => "this is no cron pattern".to_owned(),
        InvalidCron::Never => error.to_string(),
    }
}

pub(super) fn freshness(section: &Section<'_>) -> Freshness {
    let default = Freshness::default();
    let value = Freshness {
        users: section
            .duration("users", "24h", "An older users export flags nobody.")
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
        registration_lag: section
            .duration("registration_lag", "24h", "How far the registration report may be behind the moment it is read: nobody is flagged before it can prove the deadline.")
            .map_or(default.registration_lag, |found| found.value),
    };
    section.close();
    value
}

/// What follows from a flag: nothing by us, in either mode, with or without `dry_run`.
pub(super) fn enforcement(section: &Section<'_>) -> Mode {
    let mode = section.one_of(
        "mode",
        &[("flag", Mode::Flag), ("native", Mode::Native)],
        &["flag", "native"],
        &["group"],
        "flag",
        "What follows for people who must register, and so what mails may say. `flag`: nothing in Entra; mails ask, and the service desk follows up. `native`: the registration policy of ID Protection is on for the same people and asks too, with 14 days of its own that nobody can move.",
    );
    section.flag(
        "dry_run",
        true,
        "For enforcement by group, which is not in this version.",
    );
    section.later("group");
    section.close();
    mode.map_or(Mode::Flag, |found| found.value)
}

pub(super) fn http(section: &Section<'_>) -> Option<Http> {
    let about = "Where /healthz and /readyz are served; absent: nowhere.";
    let listen = section.parsed("listen", Kind::Text, "", about, |text| {
        text.parse::<SocketAddr>()
            .map_err(|_| "this is no address and port; write \"127.0.0.1:8080\"")
    });
    section.close();
    listen.map(|found| Http {
        listen: found.value,
    })
}
