//! What endpoints are told: events become bodies here, before the transaction that queues them.
//!
//! A program gets each event by itself, a chat one message per pass and event type. Who wants what, and how long it is of use, is decided here too; which rows that
//! makes is the store's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::config::{Config, Webhook};
use crate::delivery::text::clean_line;
use crate::delivery::webhook::{Block, Group, Happening, MAX_NAMES, Per, Person, Window};
use crate::domain::decision::Decision;
use crate::domain::effect::{Effect, Event};
use crate::domain::facts::NoticeBy;
use crate::domain::id::PolicyName;
use crate::domain::language::{Language, Manner};
use crate::domain::message::EventKind;
use crate::domain::news::{Audience, News, Waiting, news, of_one_cause};
use crate::domain::person::Person as Account;
use crate::domain::policy::Step;
use crate::domain::sign_in::ResultCodes;
use crate::domain::window::later;
use crate::store::lines::Telling;
use crate::store::outbox::delivery_id;
use crate::store::outcome::{Announcement, Outcome};
use crate::store::settings::INSTANCE;
use crate::store::{Store, StoreError};
use crate::time::to_micros;

/// What changes somebody's standing is kept for an endpoint that is away this long: a flag that
/// was taken back must arrive, even after holidays.
const STANDINGS_USEFUL: SignedDuration = SignedDuration::from_hours(30 * 24);
/// What only people read is old news after this.
const NEWS_USEFUL: SignedDuration = SignedDuration::from_hours(72);

/// The longest line of news that a program gets.
const MAX_LINE: usize = 1_000;

/// Writes what endpoints are told in a pass.
#[derive(Debug, Clone)]
pub struct Herald {
    webhooks: Arc<[Webhook]>,
    /// Whether notice is given by webhook.
    by_webhook: bool,
    source: Arc<str>,
    zone: TimeZone,
    /// How operators are written to.
    manner: Manner,
    codes: Arc<ResultCodes>,
    now: Timestamp,
}

impl Herald {
    /// For the endpoints of a configuration.
    pub async fn new(store: &Store, config: &Config, now: Timestamp) -> Result<Self, StoreError> {
        let by_webhook = config.notice_by() == NoticeBy::Webhook;
        Ok(Self {
            webhooks: config.webhooks.as_slice().into(),
            by_webhook,
            // Tells the installations of one receiver apart.
            source: store.setting(&INSTANCE).await?.unwrap_or_default().into(),
            zone: config.zone.clone(),
            manner: config.manner(),
            codes: Arc::new(config.result_codes.clone()),
            now,
        })
    }

    /// Adds to decisions what endpoints are to hear of them.
    pub fn announce(&self, outcomes: &mut [Outcome]) {
        if self.webhooks.is_empty() {
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
        let (programs, chats) = self.who_wants(event.kind)?;
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
            block: event.code.map(|code| self.block(code)),
            text: None,
            links: BTreeMap::new(),
        };
        let name = account.display_name.as_ref();
        let name = name.unwrap_or(&account.user_principal_name);
        let name = match &happening.block {
            Some(block) => format!("{name} ({}: {})", block.code, block.meaning),
            None => name.clone(),
        };
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
            body: self.body(&programs, &happening),
            endpoints: names(&programs),
            notice_by: self.notice_by(event.kind),
            chat: chats.then_some(name),
            id: happening.id,
        })
    }

    /// What kept somebody from registering; programs read one language.
    fn block(&self, code: i64) -> Block {
        let block = self.codes.block(code);
        let [meaning, remedy] = [&block.meaning, &block.remedy]
            .map(|phrase| phrase.told_in(Language::English).to_owned());
        Block {
            code,
            meaning,
            remedy,
        }
    }

    /// The messages that say all waiting lines, those of one event together.
    #[must_use]
    pub fn of_lines<'a>(&self, waiting: &'a [Waiting]) -> Vec<Telling<'a>> {
        let mut tellings: Vec<Telling<'a>> = Vec::new();
        for (one, said) in news(waiting, &self.manner, self.now) {
            let same = |telling: &&mut Telling<'_>| telling.news[0].event == one.event;
            match tellings.iter_mut().find(same) {
                Some(telling) => {
                    telling.news.push(one);
                    telling.said.extend(said);
                }
                None => tellings.push(Telling {
                    // A hold is told once; other news of a moment that is repeated wait for the next.
                    waits_if_said: said.iter().all(|line| line.since.is_none()),
                    news: vec![one],
                    said,
                    ..Telling::default()
                }),
            }
        }
        // What happens to a person endpoints have heard by itself.
        let of_operators = |telling: &&mut Telling<'_>| !telling.news[0].event.is_about_person();
        for telling in tellings.iter_mut().filter(of_operators) {
            let each = telling.news.iter().filter_map(|one| self.of_news(one));
            telling.announcements = each.collect();
            let (group, about) = fold(&telling.news, self.now);
            telling.announcements.extend(self.to_chats(&group, &about));
        }
        for telling in &mut tellings {
            telling.news = of_one_cause(std::mem::take(&mut telling.news), self.manner.language);
        }
        let to_chats = waiting.iter().filter(|one| one.audience == Audience::Chats);
        tellings.extend(to_chats.map(|said| Telling {
            announcements: self.to_chats(&group(said, self.now), ""),
            said: vec![said],
            waits_if_said: true,
            ..Telling::default()
        }));
        tellings
    }

    /// What operators are told, for endpoints that get each event by itself.
    fn of_news(&self, news: &News) -> Option<Announcement> {
        let (programs, _) = self.who_wants(news.event)?;
        // Foreign words in a line make no further line.
        let lines = news.lines.iter();
        let lines: Vec<String> = lines.map(|line| clean_line(line, MAX_LINE)).collect();
        let text = lines.join("\n");
        let happening = Happening {
            id: delivery_id(&format!("event/{}/{text}", news.key)),
            kind: news.event,
            time: self.now,
            policy: news.policy.clone(),
            person: None,
            window: None,
            step: None,
            block: None,
            text: Some(format!("{}\n{text}", news.title)),
            links: BTreeMap::new(),
        };
        (!programs.is_empty()).then(|| Announcement {
            ordering_key: Some(news.about.clone()),
            not_after: Some(later(self.now, NEWS_USEFUL)),
            body: self.body(&programs, &happening),
            endpoints: names(&programs),
            policy: news.policy.clone(),
            ..Announcement::of_news(happening.id, news.event)
        })
    }

    /// Who gets an event by itself, and whether a chat wants it; none if nobody does.
    fn who_wants(&self, kind: EventKind) -> Option<(Vec<&Webhook>, bool)> {
        let (chats, programs): (Vec<_>, Vec<_>) = self
            .webhooks
            .iter()
            .filter(|webhook| webhook.events.contains(&kind))
            .partition(|webhook| webhook.endpoint.dialect.folds());
        (!programs.is_empty() || !chats.is_empty()).then_some((programs, !chats.is_empty()))
    }

    /// The endpoints whose acceptance of such an event is a notice.
    fn notice_by(&self, kind: EventKind) -> Vec<String> {
        self.webhooks
            .iter()
            .filter(|webhook| self.by_webhook && webhook.gives_notice() && kind.announces())
            .map(|webhook| webhook.endpoint.name.clone())
            .collect()
    }

    /// One body for all of them, as one format alone tells each event by itself.
    fn body(&self, programs: &[&Webhook], happening: &Happening) -> String {
        match programs.first().map(|program| program.endpoint.dialect.per) {
            Some(Per::Event(body)) => body(happening, &self.source),
            Some(Per::Fold(_)) | None => String::new(),
        }
    }

    /// A notice is of use while its window is open, and a decision withdraws it; any other
    /// message about a deadline until then.
    fn not_after(&self, event: &Event) -> Option<Timestamp> {
        if !event.kind.announces() {
            return Some(later(self.now, STANDINGS_USEFUL));
        }
        event.deadline.filter(|_| !self.by_webhook)
    }

    /// The messages that chats get about all of one event type, or of one piece of news.
    fn to_chats(&self, group: &Group, about: &str) -> Vec<Announcement> {
        let about = if about.is_empty() {
            String::new()
        } else {
            format!("{about}/")
        };
        let id = delivery_id(&format!(
            "chat/{}/{about}{}",
            group.kind.as_str(),
            to_micros(self.now)
        ));
        self.webhooks
            .iter()
            .filter(|webhook| webhook.events.contains(&group.kind))
            .filter_map(|webhook| {
                let body = match webhook.endpoint.dialect.per {
                    Per::Event(_) => return None,
                    Per::Fold(body) => body(group, &self.zone),
                };
                Some(Announcement {
                    not_after: Some(later(self.now, NEWS_USEFUL)),
                    body,
                    endpoints: vec![webhook.endpoint.name.clone()],
                    ..Announcement::of_news(id.clone(), group.kind)
                })
            })
            .collect()
    }
}

/// What a chat is told of all of one event type: of people by their names.
fn group(said: &Waiting, now: Timestamp) -> Group {
    let names = said.lines.iter().take(MAX_NAMES).cloned().collect();
    let (names, lines) = if said.event.is_about_person() {
        (names, Vec::new())
    } else {
        (Vec::new(), said.lines.clone())
    };
    Group {
        kind: said.event,
        time: now,
        policies: said.policies.clone(),
        count: said.count,
        deadlines: said.deadlines,
        names,
        lines,
    }
}

/// What a chat is told of all news of one event, and what they are about.
fn fold(news: &[News], now: Timestamp) -> (Group, String) {
    let policies: BTreeSet<&PolicyName> =
        news.iter().filter_map(|one| one.policy.as_ref()).collect();
    let about: Vec<&str> = news.iter().map(|one| one.about.as_str()).collect();
    let group = Group {
        kind: news[0].event,
        time: now,
        policies: policies.into_iter().cloned().collect(),
        count: news.len() as u64,
        deadlines: None,
        names: Vec::new(),
        lines: news.iter().map(|one| one.lines.join("; ")).collect(),
    };
    (group, about.join("+"))
}

fn names(webhooks: &[&Webhook]) -> Vec<String> {
    let names = webhooks.iter().map(|webhook| webhook.endpoint.name.clone());
    names.collect()
}

/// The entry of `reminders` that fell due, or the deadline itself (rule 5.2).
fn step(event: &Event) -> Option<String> {
    match event.kind {
        EventKind::WindowOpened => Some(Step::OPENING.to_string()),
        EventKind::EnforcementNeeded => Some("deadline".to_owned()),
        _ => event.step.map(|step| step.to_string()),
    }
}
