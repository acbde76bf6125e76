//! What endpoints are told: events become bodies here, before the transaction that queues them.
//!
//! An endpoint of format `standard` gets each event by itself, a chat one message per pass and
//! event type. Who wants what, and how long it is of use, is decided here too; which rows that
//! makes is the store's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{Config, Webhook};
use crate::delivery::webhook::{Format, Group, Happening, MAX_NAMES, Person, Window};
use crate::delivery::webhook::{slack, standard, teams};
use crate::domain::decision::Decision;
use crate::domain::effect::{Effect, Event};
use crate::domain::facts::NoticeBy;
use crate::domain::message::EventKind;
use crate::domain::person::Person as Account;
use crate::domain::policy::Step;
use crate::domain::window::later;
use crate::store::chats::ChatNews;
use crate::store::operators::News;
use crate::store::outcome::Announcement;
use crate::store::outcome::{Outcome, delivery_id};
use crate::store::settings::INSTANCE;
use crate::store::{Store, StoreError};
use crate::time::to_micros;

/// What changes somebody's standing is kept for an endpoint that is away this long: a flag that
/// was taken back must arrive, even after holidays.
const STANDINGS_USEFUL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What only people read is old news after this.
const NEWS_USEFUL: SignedDuration = SignedDuration::from_hours(72);

/// Writes what endpoints are told in a pass.
#[derive(Debug, Clone)]
pub struct Herald {
    listeners: Arc<[Listener]>,
    /// Whether notice is given by webhook.
    by_webhook: bool,
    source: Arc<str>,
    zone: TimeZone,
    now: Timestamp,
}

/// An endpoint, as far as writing to it goes.
#[derive(Debug)]
struct Listener {
    name: String,
    format: Format,
    events: BTreeSet<EventKind>,
    gives_notice: bool,
}

impl Listener {
    fn of(webhook: &Webhook, by_webhook: bool) -> Self {
        Self {
            name: webhook.endpoint.name.clone(),
            format: webhook.endpoint.format,
            events: webhook.events.clone(),
            gives_notice: by_webhook && webhook.gives_notice(),
        }
    }
}

impl Herald {
    /// For the endpoints of a configuration.
    pub async fn new(store: &Store, config: &Config, now: Timestamp) -> Result<Self, StoreError> {
        let by_webhook = config.notice_by() == NoticeBy::Webhook;
        let listeners = config.webhooks.iter();
        Ok(Self {
            listeners: listeners.map(|one| Listener::of(one, by_webhook)).collect(),
            by_webhook,
            source: instance(store, config, now).await?.into(),
            zone: config.zone.clone(),
            now,
        })
    }

    /// Adds to decisions what endpoints are to hear of them.
    pub fn announce(&self, outcomes: &mut [Outcome]) {
        if self.listeners.is_empty() {
            return;
        }
        for outcome in outcomes {
            let announcements = outcome
                .decisions
                .iter()
                .flat_map(|decision| {
                    let events = decision.effects.iter().filter_map(|effect| match effect {
                        Effect::Event(event) => Some(event),
                        Effect::Message(_)
                        | Effect::WithdrawMessages
                        | Effect::TellOperators { .. } => None,
                    });
                    events.map(move |event| (decision, event))
                })
                .filter(|(_, event)| !event.rehearsed)
                .filter_map(|(decision, event)| {
                    self.of_person(&outcome.dossier.person, decision, event)
                })
                .collect();
            outcome.announcements = announcements;
        }
    }

    fn of_person(
        &self,
        account: &Account,
        decision: &Decision,
        event: &Event,
    ) -> Option<Announcement> {
        let (endpoints, chats) = self.who_wants(event.kind)?;
        let key = event.key(&decision.policy, &account.id);
        let happening = Happening {
            id: delivery_id(&format!("event/{key}")),
            kind: event.kind,
            time: self.now,
            policy: Some(decision.policy.clone()),
            person: Some(Person {
                id: account.id.clone(),
                user_principal_name: account.user_principal_name.clone(),
                display_name: account.display_name.clone(),
                mail: account.mail.clone(),
            }),
            window: event.opened_at.map(|opened_at| Window {
                sequence: event.sequence,
                opened_at: Some(opened_at),
                deadline: event
                    .deadline
                    .filter(|_| event.kind != EventKind::WindowPaused),
            }),
            step: step(event),
            text: None,
            links: BTreeMap::new(),
        };
        let name = account.display_name.as_ref();
        Some(Announcement {
            event: event.kind,
            policy: happening.policy.clone(),
            user: Some(account.id.clone()),
            sequence: event.sequence,
            moves: event.moves,
            step: event.step,
            opened_at: event.opened_at,
            deadline: event.deadline,
            ordering_key: Some(account.id.to_string()),
            not_after: self.not_after(event),
            body: self.body(&endpoints, &happening),
            endpoints,
            notice_by: self.notice_by(event.kind),
            chat: chats.then(|| name.unwrap_or(&account.user_principal_name).clone()),
            id: happening.id,
        })
    }

    /// What operators are told, for whoever else wants it.
    pub fn of_news(&self, news: &News) -> Option<Announcement> {
        let (endpoints, chats) = self.who_wants(news.event)?;
        let text = news.lines.join("\n");
        let happening = Happening {
            id: delivery_id(&format!("event/{}/{text}", news.key)),
            kind: news.event,
            time: self.now,
            policy: news.policy.clone(),
            person: None,
            window: None,
            step: None,
            text: Some(format!("{}\n{text}", news.title)),
            links: BTreeMap::new(),
        };
        Some(Announcement {
            event: news.event,
            policy: news.policy.clone(),
            user: None,
            sequence: 0,
            moves: 0,
            step: None,
            opened_at: None,
            deadline: None,
            ordering_key: Some(news.about.clone()),
            not_after: Some(later(self.now, NEWS_USEFUL)),
            body: self.body(&endpoints, &happening),
            endpoints,
            notice_by: Vec::new(),
            chat: chats.then(|| news.lines.join("; ")),
            id: happening.id,
        })
    }

    /// The endpoints that get an event by itself, and whether a chat wants it; none if nobody does.
    fn who_wants(&self, kind: EventKind) -> Option<(Vec<String>, bool)> {
        let (chats, programs): (Vec<_>, Vec<_>) = self
            .listeners
            .iter()
            .filter(|listener| listener.events.contains(&kind))
            .partition(|listener| listener.format.is_chat());
        let names: Vec<String> = programs.into_iter().map(|one| one.name.clone()).collect();
        (!names.is_empty() || !chats.is_empty()).then_some((names, !chats.is_empty()))
    }

    /// The endpoints whose acceptance of such an event is a notice.
    fn notice_by(&self, kind: EventKind) -> Vec<String> {
        self.listeners
            .iter()
            .filter(|listener| listener.gives_notice && kind.announces())
            .map(|listener| listener.name.clone())
            .collect()
    }

    fn body(&self, endpoints: &[String], happening: &Happening) -> String {
        if endpoints.is_empty() {
            return String::new();
        }
        standard(happening, &self.source)
    }

    /// A notice is of use while its window is open, and a decision withdraws it; any other
    /// message about a deadline until then.
    fn not_after(&self, event: &Event) -> Option<Timestamp> {
        if !event.kind.announces() {
            return Some(later(self.now, STANDINGS_USEFUL));
        }
        event.deadline.filter(|_| !self.by_webhook)
    }

    /// The messages that chats get about all of one event type.
    #[must_use]
    pub fn to_chats(&self, news: &ChatNews) -> Vec<Announcement> {
        let (names, lines) = if news.event.is_about_person() {
            let names = news.lines.iter().take(MAX_NAMES).cloned().collect();
            (names, Vec::new())
        } else {
            (Vec::new(), news.lines.clone())
        };
        let group = Group {
            kind: news.event,
            time: self.now,
            policies: news.policies.clone(),
            count: news.count,
            deadlines: news.deadlines,
            names,
            lines,
        };
        let id = delivery_id(&format!(
            "chat/{}/{}",
            news.event.as_str(),
            to_micros(self.now)
        ));
        self.listeners
            .iter()
            .filter(|listener| listener.events.contains(&news.event))
            .filter_map(|listener| {
                let body = match listener.format {
                    Format::Standard => return None,
                    Format::Slack => slack(&group, &self.zone),
                    Format::Teams => teams(&group, &self.zone),
                };
                Some(Announcement {
                    id: id.clone(),
                    event: news.event,
                    policy: None,
                    user: None,
                    sequence: 0,
                    moves: 0,
                    step: None,
                    opened_at: None,
                    deadline: None,
                    ordering_key: None,
                    not_after: Some(later(self.now, NEWS_USEFUL)),
                    body,
                    endpoints: vec![listener.name.clone()],
                    notice_by: Vec::new(),
                    chat: None,
                })
            })
            .collect()
    }
}

/// The entry of `reminders` that fell due, or the deadline itself (contract 5).
fn step(event: &Event) -> Option<String> {
    match event.kind {
        EventKind::WindowOpened => Some(Step::OPENING.to_string()),
        EventKind::EnforcementNeeded => Some("deadline".to_owned()),
        _ => event.step.map(|step| step.to_string()),
    }
}

/// The source of events: tells the installations of one receiver apart, and stays over restarts.
async fn instance(store: &Store, config: &Config, now: Timestamp) -> Result<String, StoreError> {
    if config.webhooks.is_empty() {
        return Ok(String::new());
    }
    if let Some(known) = store.setting(&INSTANCE).await? {
        return Ok(known);
    }
    let seed = format!("{}/{now}", config.database.display());
    let instance = format!("urn:uuid:{}", delivery_id(&seed));
    store.set(&INSTANCE, &instance).await?;
    Ok(instance)
}
