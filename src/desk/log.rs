//! What happened, in order of time: what was decided, what operators did, and which mails were
//! accepted.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::Serialize;

use super::{DeskError, Reader};
use crate::delivery::text::mask_address;
use crate::domain::facts::ActKind;
use crate::domain::message::EventKind;
use crate::domain::reason::ReasonCode;
use crate::store::log::{Lane, Logged, LoggedLine, Wanted};

/// Rows of a page: the first is small, for who wants a few.
const FIRST_PAGE: u32 = 100;
/// The others amortise a look at an index.
const PAGE: u32 = 2_000;

/// A mail that was accepted.
const MAIL: &str = "mail.accepted";
/// What operators do.
const BY_OPERATORS: [&str; 6] = [
    "operator.extend",
    "operator.reset",
    "operator.close",
    "operator.reopen",
    "hold.approved",
    "approval.withdrawn",
];

/// Every name of what can happen.
#[must_use]
pub fn events() -> Vec<&'static str> {
    let decided = EventKind::ALL.into_iter().filter(|kind| {
        kind.is_about_person() || matches!(kind, EventKind::HoldRaised | EventKind::HoldCleared)
    });
    let decided = decided.map(EventKind::as_str);
    decided.chain(BY_OPERATORS).chain([MAIL]).collect()
}

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// From this moment on.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
    /// Only about this person.
    pub user: Option<String>,
    /// Only these; all if none is named.
    pub events: Vec<String>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    /// When: the time of the pass, of the act, or of the server's answer.
    pub at: Timestamp,
    /// What: the name of an event, `mail.accepted`, or what an operator did.
    pub event: String,
    /// Under which policy; null: under all, or none.
    pub policy: Option<String>,
    /// To whom; null: to nobody in particular.
    pub user: Option<Who>,
    /// The step that fell due.
    pub step: Option<String>,
    /// The deadline as of then.
    pub deadline: Option<Timestamp>,
    /// The operator who did it, or whose approval ended the hold.
    pub by: Option<String>,
    /// The number of the operator's account, which no environment can say otherwise.
    pub uid: Option<u64>,
    /// Why, in the operator's words.
    pub reason: Option<String>,
    /// The operator's ticket.
    pub ticket: Option<String>,
    /// The hold.
    pub hold: Option<String>,
    /// The mail that was accepted.
    pub mail: Option<Mail>,
    /// Only rehearsed: the policy was report-only.
    pub rehearsed: bool,
    /// What was seen or done, in words.
    pub detail: Option<String>,
}

/// A person.
#[derive(Debug, Clone, Serialize)]
pub struct Who {
    /// The object id.
    pub id: String,
    /// For display; null of somebody whom no snapshot has shown.
    pub user_principal_name: Option<String>,
    /// For display.
    pub display_name: Option<String>,
}

/// A mail.
#[derive(Debug, Clone, Serialize)]
pub struct Mail {
    /// What it says, by the event.
    pub event: String,
    /// To which address, masked.
    pub address: String,
}

/// What happened, as it is being read.
pub struct Log<'a> {
    reader: &'a Reader,
    wanted: Wanted,
    events: Vec<String>,
    lanes: Vec<Reading>,
}

/// A lane that is being read.
struct Reading {
    lane: Lane,
    read: VecDeque<Logged>,
    last: Option<(Timestamp, i64)>,
    is_over: bool,
}

/// All that is wanted, the oldest first.
pub async fn list(reader: &Reader, query: Query) -> Result<Log<'_>, DeskError> {
    begin(reader, query, false).await
}

/// The newest so many of what is wanted, the newest last, and whether there is more.
pub async fn newest(
    reader: &Reader,
    query: Query,
    limit: u64,
) -> Result<(Vec<Entry>, bool), DeskError> {
    let mut log = begin(reader, query, true).await?;
    let mut entries = VecDeque::new();
    while let Some(entry) = log.next().await? {
        if entries.len() as u64 == limit {
            return Ok((entries.into(), true));
        }
        entries.push_front(entry);
    }
    Ok((entries.into(), false))
}

async fn begin(reader: &Reader, query: Query, newest_first: bool) -> Result<Log<'_>, DeskError> {
    let user = match &query.user {
        Some(name) => Some(reader.person(name).await?),
        None => None,
    };
    let named = |name: &str| query.events.is_empty() || query.events.iter().any(|one| one == name);
    // Of one person there is little: what is not wanted of it is left out as it is read.
    let lines = if query.events.is_empty() || user.is_some() {
        vec![Lane::Journal]
    } else {
        let kinds = events()
            .into_iter()
            .filter(|kind| named(kind) && *kind != MAIL);
        kinds.map(|kind| Lane::Kind(kind.to_owned())).collect()
    };
    let mails = named(MAIL).then_some(Lane::Mails);
    let lanes = lines.into_iter().chain(mails).map(|lane| Reading {
        lane,
        read: VecDeque::new(),
        last: None,
        is_over: false,
    });
    Ok(Log {
        lanes: lanes.collect(),
        reader,
        wanted: Wanted {
            since: query.since,
            until: query.until,
            user,
            newest_first,
        },
        events: query.events,
    })
}

impl Log<'_> {
    /// The next entry.
    pub async fn next(&mut self) -> Result<Option<Entry>, DeskError> {
        loop {
            for lane in &mut self.lanes {
                lane.fill(self.reader, &self.wanted).await?;
            }
            let waiting = self.lanes.iter_mut().filter(|lane| !lane.read.is_empty());
            let next = if self.wanted.newest_first {
                waiting.max_by_key(|lane| lane.place())
            } else {
                waiting.min_by_key(|lane| lane.place())
            };
            let Some(logged) = next.and_then(|lane| lane.read.pop_front()) else {
                return Ok(None);
            };
            let entry = Entry::of(logged);
            if self.events.is_empty() || self.events.contains(&entry.event) {
                return Ok(Some(entry));
            }
        }
    }
}

impl Reading {
    async fn fill(&mut self, reader: &Reader, wanted: &Wanted) -> Result<(), DeskError> {
        if self.is_over || !self.read.is_empty() {
            return Ok(());
        }
        let limit = if self.last.is_none() {
            FIRST_PAGE
        } else {
            PAGE
        };
        let page = reader.store.log_page(&self.lane, wanted, self.last, limit);
        let page = page.await?;
        self.is_over = page.len() < limit as usize;
        self.last = page.last().map(|logged| logged.place);
        self.read = page.into();
        Ok(())
    }

    /// What lanes are merged by: a mail comes after what it tells of.
    fn place(&self) -> Option<(Timestamp, bool, i64)> {
        let (at, number) = self.read.front()?.place;
        Some((at, self.lane == Lane::Mails, number))
    }
}

impl Entry {
    fn of(logged: Logged) -> Self {
        let is_mail = logged.line.is_none();
        let entry = Self {
            at: logged.place.0,
            event: if is_mail {
                MAIL.to_owned()
            } else {
                logged.kind.clone()
            },
            policy: logged.policy,
            user: logged.user.map(|id| Who {
                id,
                user_principal_name: logged.user_principal_name,
                display_name: logged.display_name,
            }),
            step: logged.step,
            deadline: logged.deadline,
            by: None,
            uid: None,
            reason: None,
            ticket: None,
            hold: None,
            mail: is_mail.then(|| Mail {
                event: logged.kind.clone(),
                address: mask_address(logged.address.as_deref().unwrap_or_default()),
            }),
            rehearsed: false,
            detail: None,
        };
        match logged.line {
            None => entry,
            Some(line) if BY_OPERATORS.contains(&logged.kind.as_str()) => entry.ordered(line),
            Some(line) => entry.decided(line),
        }
    }

    /// What an operator did.
    fn ordered(self, line: LoggedLine) -> Self {
        let said = &line.reasons[0];
        let field = |name: &str| said[name].as_str().map(ToOwned::to_owned);
        let text = said["text"].as_str().unwrap_or_default();
        // A line of an earlier version has all in one sentence.
        let between = if self.event == "hold.approved" {
            " approved: "
        } else {
            ": "
        };
        let earlier = text.split_once(between);
        let earlier = |at: fn((&str, &str)) -> String| earlier.map(at);
        let act: Option<ActKind> = serde_json::from_value(said["act"].clone()).ok();
        Self {
            by: field("by").or_else(|| earlier(|(by, _)| by.to_owned())),
            uid: said["uid"].as_u64(),
            reason: field("reason").or_else(|| earlier(|(_, why)| why.to_owned())),
            ticket: field("ticket"),
            detail: act.and_then(|act| match act {
                ActKind::Extend { days: 1 } => Some("by 1 day".to_owned()),
                ActKind::Extend { days } => Some(format!("by {days} days")),
                ActKind::ExtendUntil { until } => Some(format!("until {until}")),
                ActKind::Reset | ActKind::Close | ActKind::Reopen => None,
            }),
            hold: line.hold,
            ..self
        }
    }

    /// What a pass decided: of its reasons those that brought this about.
    fn decided(self, line: LoggedLine) -> Self {
        let kind = EventKind::parse(&self.event);
        let codes = kind.map_or(&[][..], brought_about_by);
        let reasons = line.reasons.as_array();
        // Of several that say more of the same, the first.
        let brought = codes.iter().filter_map(|code| {
            let mut reasons = reasons.into_iter().flatten();
            let reason = reasons.find(|reason| reason["code"] == code.as_str())?;
            reason["text"].as_str()
        });
        let texts: Vec<&str> = brought.collect();
        let approved = |name: &str| line.reasons[0][name].as_str().map(ToOwned::to_owned);
        Self {
            by: approved("by"),
            reason: approved("reason"),
            detail: (!texts.is_empty()).then(|| texts.join("; ")),
            rehearsed: line.rehearsed,
            // A flag names the hold whose approval let it through.
            hold: line.hold,
            ..self
        }
    }
}

/// The reasons for which something happens.
fn brought_about_by(kind: EventKind) -> &'static [ReasonCode] {
    match kind {
        EventKind::WindowOpened => &[
            ReasonCode::QualifyingSignIn,
            ReasonCode::Backfill,
            ReasonCode::EnforceChanged,
        ],
        EventKind::WindowExtended => &[ReasonCode::OperatorAct, ReasonCode::WindowLengthened],
        EventKind::WindowPaused => &[
            ReasonCode::Gone,
            ReasonCode::NotIncluded,
            ReasonCode::NotEligible,
            ReasonCode::Excluded,
            ReasonCode::Disabled,
            ReasonCode::PolicyOff,
            ReasonCode::ClosedByOperator,
        ],
        EventKind::UserRegistered => &[ReasonCode::Registered],
        EventKind::RegistrationBlocked => &[ReasonCode::RegistrationBlocked],
        EventKind::EnforcementNeeded => &[
            ReasonCode::DeadlinePassed,
            ReasonCode::Unreachable,
            ReasonCode::Approved,
        ],
        EventKind::EnforcementReleased => &[ReasonCode::Released],
        EventKind::HoldRaised | EventKind::HoldCleared => &[ReasonCode::Held],
        EventKind::WindowReminder
        | EventKind::WindowResumed
        | EventKind::DeliveryDead
        | EventKind::Digest
        | EventKind::Test => &[],
    }
}
