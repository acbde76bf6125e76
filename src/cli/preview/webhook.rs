//! What an endpoint will be sent: rendered, or sent for real as one marked test.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal as _};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::super::Usage;
use super::super::operator::operator;
use super::super::output::Printer;
use super::{host, sample, write};
use crate::config::{Config, Webhook};
use crate::delivery::webhook::{
    Attempt, Block, Client, DIALECTS, Dialect, Group, Happening, Per, Person, Window,
};
use crate::domain::id::UserId;
use crate::domain::language::Language;
use crate::domain::message::EventKind;
use crate::domain::window::later;
use crate::exit::{DONE, FAILED};
use crate::store::Store;
use crate::store::outbox::delivery_id;
use crate::store::settings::INSTANCE;
use crate::time::Clock;

/// The body as the endpoint would get it; without a name, as the first would, or a program.
pub(super) async fn preview(
    config: &Config,
    name: Option<&str>,
    kind: EventKind,
    file: Option<&std::path::Path>,
    out: &mut Printer,
) -> anyhow::Result<u8> {
    let webhook = match name {
        Some(name) => Some(find(config, name)?),
        None => config.webhooks.first(),
    };
    let dialect = webhook.map_or(DIALECTS[0], |webhook| webhook.endpoint.dialect);
    let now = Clock::system().now();
    let body = body(config, dialect, kind, "preview", now).await;
    let to_be_read = file.is_none() && io::stdout().is_terminal();
    match serde_json::from_str::<Value>(&body) {
        Ok(read) if to_be_read => out.line(format!("{read:#}"))?,
        _ => write(body.as_bytes(), file, out)?,
    }
    Ok(DONE)
}

/// Sends one event that is marked as a test.
pub(super) async fn test(config: &Config, name: &str, out: &mut Printer) -> anyhow::Result<u8> {
    let endpoint = find(config, name)?.endpoint.clone();
    let clock = Clock::system();
    let now = clock.now();
    let id = delivery_id(&format!("test/{name}/{now}"));
    let body = body(config, endpoint.dialect, EventKind::Test, &id, now).await;
    let client = Client::new(endpoint)?;
    let attempt = Attempt {
        id: &id,
        body: body.as_bytes(),
        at: clock.host().wall,
    };
    let outcome = client.send(&attempt).await;
    out.line(format!("{name}: {outcome}"))?;
    Ok(if outcome.is_accepted() { DONE } else { FAILED })
}

fn find<'a>(config: &'a Config, name: &str) -> Result<&'a Webhook, Usage> {
    config.webhook(name).ok_or_else(|| {
        let names: Vec<&str> = config
            .webhooks
            .iter()
            .map(|webhook| webhook.endpoint.name.as_str())
            .collect();
        Usage(match names.as_slice() {
            [] => "no [[webhook]] is configured".to_owned(),
            names => format!(
                "there is no webhook {name:?}; the webhooks are {}",
                names.join(", ")
            ),
        })
    })
}

/// A message with facts that nobody can mistake for a person's.
async fn body(
    config: &Config,
    dialect: &Dialect,
    kind: EventKind,
    id: &str,
    now: Timestamp,
) -> String {
    match dialect.per {
        Per::Event(body) => body(&happening(config, kind, id, now), &source(config).await),
        Per::Fold(body) => body(&group(config, kind, now), &config.zone),
    }
}

/// The installation's name, once a pass has given it one.
async fn source(config: &Config) -> String {
    let known = async {
        let store = Store::open_existing(&config.database).await.ok()?;
        let known = store.setting(&INSTANCE).await.ok()?;
        store.close().await;
        known
    };
    known.await.unwrap_or_else(|| "urn:fortnight".to_owned())
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// The deadline: what says that it has passed, or takes that back, comes the day after.
fn deadline(kind: EventKind, now: Timestamp) -> Timestamp {
    let is_over = matches!(
        kind,
        EventKind::EnforcementNeeded | EventKind::EnforcementReleased
    );
    later(now, days(if is_over { -1 } else { 7 }))
}

fn happening(config: &Config, kind: EventKind, id: &str, now: Timestamp) -> Happening {
    let person = UserId::parse(sample::NOBODY).ok().map(|id| Person {
        id,
        user_principal_name: sample::ADDRESS.to_owned(),
        display_name: Some(sample::NAME.to_owned()),
        mail: Some(sample::ADDRESS.to_owned()),
    });
    let about_person = kind.is_about_person();
    Happening {
        id: id.to_owned(),
        kind,
        time: now,
        policy: about_person.then(|| sample::policy(config)),
        person: person.filter(|_| about_person),
        window: about_person.then(|| Window {
            sequence: 1,
            opened_at: Some(later(deadline(kind, now), -days(14))),
            deadline: (kind != EventKind::WindowPaused).then(|| deadline(kind, now)),
        }),
        step: match kind {
            EventKind::WindowOpened => Some("0d".to_owned()),
            EventKind::WindowReminder => Some("-7d".to_owned()),
            EventKind::EnforcementNeeded => Some("deadline".to_owned()),
            _ => None,
        },
        block: (kind == EventKind::RegistrationBlocked).then(|| {
            let block = config.result_codes.block(sample::CODE);
            let [meaning, remedy] = [&block.meaning, &block.remedy]
                .map(|phrase| phrase.told_in(Language::English).to_owned());
            Block {
                code: sample::CODE,
                meaning,
                remedy,
            }
        }),
        text: lines(config, kind, now).map(|lines| lines.join("\n")),
        links: BTreeMap::new(),
    }
}

fn group(config: &Config, kind: EventKind, now: Timestamp) -> Group {
    let about_person = kind.is_about_person();
    Group {
        kind,
        time: now,
        policies: about_person
            .then(|| sample::policy(config))
            .into_iter()
            .collect(),
        count: 1,
        deadlines: about_person.then(|| (deadline(kind, now), deadline(kind, now))),
        names: about_person
            .then(|| sample::NAME.to_owned())
            .into_iter()
            .collect(),
        lines: lines(config, kind, now).into_iter().flatten().collect(),
    }
}

/// What an event that is about no person says.
fn lines(config: &Config, kind: EventKind, now: Timestamp) -> Option<Vec<String>> {
    if kind.is_about_person() {
        return None;
    }
    let manner = config.manner();
    let told = sample::news(config, kind, &manner, sample::CODE, now);
    let told = told.map(|(title, lines)| [title].into_iter().chain(lines).collect());
    Some(told.unwrap_or_else(|| vec![test_line(manner.language)]))
}

/// What a test says of itself.
fn test_line(language: Language) -> String {
    let (by, host) = (operator().name, host());
    match language {
        Language::English => format!(
            "This is only a test, sent by hand by {by}, with `fortnight test webhook` on {host}. Nothing has happened, and there is nothing to do."
        ),
        Language::German => format!(
            "Dies ist nur ein Test, von Hand gesendet von {by} mit „fortnight test webhook“ auf {host}. Nichts ist geschehen, und es ist nichts zu tun."
        ),
    }
}
