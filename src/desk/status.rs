//! Is it well, how old is the data, where do people stand, what comes next, what is held.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{DeskError, Reader, capacity};
use crate::config::Config;
use crate::courier::Queue;
use crate::domain::assignment::NameList;
use crate::domain::decision::{Next, NextAction};
use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::domain::language::Language;
use crate::domain::policy::Enforce;
use crate::domain::state::State;
use crate::store::Whom;
use crate::store::destinations::TroubledDestination;
use crate::store::lists::NextPerson;
use crate::store::lock::{self, Running};
use crate::store::outbox::EMAIL;
use crate::store::sources::Source;
use crate::time::{Clock, CronPattern, cron, format_duration};

/// A daemon that missed so many passes does not run; fewer can be one long pass.
const PASSES_MISSED: u32 = 3;
/// However often passes are due: an import or a restart takes its time.
const LATE_AT_LEAST: SignedDuration = SignedDuration::from_hours(1);
/// They add up: what the last reading brought says nothing of how much is there.
const LOGS: [Source; 2] = [Source::SignIns, Source::Audits];
/// Rows put aside that `status` shows.
pub const QUARANTINE_SHOWN: u32 = 20;

/// The whole of it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// `ok` or `degraded`.
    pub health: &'static str,
    /// The newest pass.
    pub last_pass: Option<Timestamp>,
    /// Whether its time was given by `--as-of`: a rehearsal, by whose time everything is told.
    pub rehearsed: bool,
    /// Who runs passes at present, as far as the system says.
    pub running: Option<Running>,
    /// When the schedule asks for the next pass.
    pub next_pass: Option<Timestamp>,
    /// A sentence if the schedule has asked for passes and none came.
    pub overdue: Option<String>,
    /// Where facts come from, and how old they are.
    pub sources: Vec<SourceView>,
    /// How far each policy is.
    pub policies: Vec<PolicyView>,
    /// How many people are in each state, by policy.
    pub states: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many rows of the outbox are in each state.
    pub deliveries: BTreeMap<String, u64>,
    /// The mails that are due, and when the last of them can go by the budgets alone.
    pub queue: Queue,
    /// What comes next, of all people, and whose it is.
    pub next: Option<NextView>,
    /// What stops flags.
    pub holds: Vec<StandingHold>,
    /// The way to mailboxes, where its server asked for time.
    pub mail: Option<TroubledDestination>,
    /// Webhooks that are paused or dead, asked for time, or fail while rows wait for them.
    pub webhooks: Vec<TroubledDestination>,
    /// What waits for webhooks that are not configured any more.
    pub stranded: Vec<String>,
    /// Names of the configuration that mean nobody, or more than one group.
    pub unresolved: Vec<String>,
    /// A sentence if the people in scope cannot be told in time through the budgets.
    pub capacity: Option<String>,
    /// People whose newest sign-ins could not register, until one is completed.
    pub blocked: Vec<BlockedView>,
    /// People whom nobody can reach, until a message is accepted.
    pub unreachable: Vec<UnreachableView>,
    /// People whose newest row of the users could not be believed.
    pub unreadable: Vec<UnreadableView>,
    /// People who lost methods they had registered for the second time within 90 days.
    pub repeated_losses: Vec<String>,
    /// Rows of the sources that could not be read.
    pub quarantined: Vec<QuarantinedView>,
    /// Until when real passes wait, as a rehearsal ahead of the clock came after them.
    #[serde(skip)]
    pub real_passes_wait: Option<Timestamp>,
    /// How many need a person, of whom only the first may be named.
    #[serde(skip)]
    pub needing: Needing,
}

/// How many people need somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needing {
    /// Who could not register.
    pub blocked: u64,
    /// Whom nobody can reach.
    pub unreachable: u64,
    /// Whose newest row could not be believed.
    pub unreadable: u64,
}

impl Status {
    /// Whether nobody needs to look.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.health == "ok"
    }
}

/// How far a policy is.
#[derive(Debug, Serialize)]
pub struct PolicyView {
    /// Its name.
    pub name: String,
    /// `on`, `report-only` or `off`.
    pub mode: Enforce,
    /// How many people it reaches, be it on or not.
    pub in_scope: u64,
    /// How many of them are registered.
    pub registered: u64,
    /// How many people are in each state.
    pub states: BTreeMap<String, u64>,
}

/// What comes next, and whose it is.
#[derive(Debug, Serialize)]
pub struct NextView {
    /// When, and for what.
    #[serde(flatten)]
    pub next: Next,
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
    /// Of a flag that waits for a known day: it does not come before, unless what else it waits for comes.
    pub not_before: Option<Timestamp>,
}

/// A source.
#[derive(Debug, Serialize)]
pub struct SourceView {
    /// Which.
    pub name: String,
    /// When it was read, or its files were written; how fresh it is goes by that.
    pub reading: Option<Timestamp>,
    /// How old its facts are: of the registration report, what that reading proves.
    pub as_of: Option<Timestamp>,
    /// The same in seconds.
    pub age_seconds: Option<i64>,
    /// Too old to flag anybody.
    pub stale: bool,
    /// How many rows it has; of a log, how many are kept.
    pub rows: u64,
    /// Why it could not be read.
    pub error: Option<String>,
}

impl SourceView {
    /// Whether it is a log: its rows add up.
    #[must_use]
    pub fn is_log(&self) -> bool {
        LOGS.iter().any(|log| log.as_str() == self.name)
    }
}

/// Somebody who could not register.
#[derive(Debug, Serialize)]
pub struct BlockedView {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
    /// The result code of the sign-in.
    pub code: i64,
    /// When that was.
    pub at: Timestamp,
    /// What the code means.
    pub meaning: String,
    /// What helps.
    pub remedy: String,
}

/// Somebody whom nobody can reach.
#[derive(Debug, Serialize)]
pub struct UnreachableView {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
    /// Under which policy.
    pub policy: String,
    /// The first refusal, or the pass in which a message fell due with no address.
    pub since: Timestamp,
    /// The flag comes from then on; null under a strict policy, which does not wait for it.
    pub flagged_from: Option<Timestamp>,
}

/// Somebody whose newest row could not be believed.
#[derive(Debug, Serialize)]
pub struct UnreadableView {
    /// The object id.
    pub id: String,
    /// For display.
    pub user_principal_name: String,
}

/// A row that could not be read.
#[derive(Debug, Serialize)]
pub struct QuarantinedView {
    /// Of which source.
    pub source: String,
    /// In which file.
    pub file: String,
    /// In which line.
    pub line: i64,
    /// Why.
    pub reason: String,
}

/// How things stand. Who needs a person is named, all of them or the first so many of each kind.
pub async fn status(
    config: &Config,
    reader: &Reader,
    limit: Option<u32>,
) -> Result<Status, DeskError> {
    let store = &reader.store;
    let policies = reader.policy_names();
    let holds = reader.holds().await?;
    let clocked = store.newest_clocked_pass().await?;
    let now = reader.present.at;
    let overdue = clocked.and_then(|last| overdue(&config.schedule.poll, &config.zone, last, now));
    let sources = sources(config, reader, now).await?;
    let unresolved = unresolved(reader, &sources);
    let mut webhooks = store.troubled_destinations(reader.now).await?;
    let mail = webhooks.iter().position(|troubled| troubled.name == EMAIL);
    let mail = mail.map(|at| webhooks.remove(at));
    webhooks.retain(|troubled| config.webhook(&troubled.name).is_some());
    let policy_views = policy_views(reader).await?;
    let blocked = blocked(config, reader, limit).await?;
    let unreachable = unreachable(reader, limit).await?;
    let unreadable = unreadable(reader, limit).await?;
    let named = [blocked.len(), unreachable.len(), unreadable.len()];
    let next = next(reader).await?;
    let real_passes_wait = real_passes_wait(reader).await?;
    let degraded = overdue.is_some()
        || real_passes_wait.is_some()
        || !holds.is_empty()
        || sources.iter().any(|source| source.error.is_some())
        || webhooks.iter().any(|webhook| webhook.is_stuck(now));
    Ok(Status {
        health: if degraded { "degraded" } else { "ok" },
        last_pass: store.newest_pass().await?,
        real_passes_wait,
        rehearsed: reader.present.is_rehearsed,
        running: lock::running(&config.database),
        next_pass: reader.next_pass,
        overdue,
        sources,
        states: policy_views
            .iter()
            .filter(|policy| !policy.states.is_empty())
            .map(|policy| (policy.name.clone(), policy.states.clone()))
            .collect(),
        policies: policy_views,
        deliveries: store.delivery_counts().await?,
        queue: Queue::of(store, config, now).await?,
        next,
        holds,
        mail,
        webhooks,
        stranded: stranded(config, reader).await?,
        unresolved,
        capacity: capacity::shortage(config, store.people_in_scope().await?, now),
        blocked,
        unreachable,
        needing: needing(reader, named, limit).await?,
        unreadable,
        repeated_losses: store
            .lost_again(&policies)
            .await?
            .into_iter()
            .map(|(name, policy)| format!("{name} ({policy})"))
            .collect(),
        quarantined: store
            .quarantined(QUARANTINE_SHOWN)
            .await?
            .into_iter()
            .map(|(source, file, line, reason)| QuarantinedView {
                source,
                file,
                line,
                reason,
            })
            .collect(),
    })
}

/// What comes next, of all people. A flag is checked by every pass, also where it can come on a later
/// day only.
async fn next(reader: &Reader) -> Result<Option<NextView>, DeskError> {
    let next = reader.store.next_of_all(&reader.policy_names()).await?;
    let next = next.and_then(|one| Some((reader.upcoming(Some(one.next))?, one)));
    let Some((next, one)) = next else {
        return Ok(None);
    };
    let not_before = match next.action {
        NextAction::CheckFlag => known_day(reader, &one).await?,
        NextAction::Reminder(_)
        | NextAction::Deadline
        | NextAction::WaitEnds
        | NextAction::SignInDue
        | NextAction::DueSoon => None,
    };
    Ok(Some(NextView {
        not_before: not_before.filter(|until| *until > next.at),
        next,
        id: one.id,
        user_principal_name: one.user_principal_name,
        policy: one.policy,
    }))
}

/// The last day that the flag of somebody waits for, of those that are known.
async fn known_day(reader: &Reader, one: &NextPerson) -> Result<Option<Timestamp>, DeskError> {
    let outcomes = reader.look(&Whom::these([one.id.as_str()])).await?;
    let decisions = outcomes.iter().flat_map(|outcome| &outcome.decisions);
    let waits = decisions
        .filter(|decision| decision.policy.as_str() == one.policy)
        .flat_map(|decision| decision.waits.iter().filter_map(|wait| wait.until()));
    Ok(waits.max())
}

/// How far each policy is; no counts while the rows of an earlier version are not whole.
async fn policy_views(reader: &Reader) -> Result<Vec<PolicyView>, DeskError> {
    let mut counts = if reader.store.is_listed().await? {
        reader.store.state_counts().await?
    } else {
        BTreeMap::new()
    };
    let policies = reader.policies.iter().map(|policy| {
        let states = counts.remove(&policy.name).unwrap_or_default();
        let reached = states
            .iter()
            .filter(|(state, _)| State::parse(state).is_some_and(State::is_in_scope));
        PolicyView {
            name: policy.name.to_string(),
            mode: policy.enforce,
            in_scope: reached.map(|(_, people)| people).sum(),
            registered: states
                .get(State::Registered.as_str())
                .copied()
                .unwrap_or_default(),
            states,
        }
    });
    Ok(policies.collect())
}

/// What to say if three passes were due since the last one, and an hour has gone by.
fn overdue(
    schedule: &[CronPattern],
    zone: &TimeZone,
    last: Timestamp,
    now: Timestamp,
) -> Option<String> {
    let third = (0..PASSES_MISSED).try_fold(last, |at, _| cron::next_after(schedule, zone, at))?;
    let since = now.duration_since(last);
    (now >= third && since >= LATE_AT_LEAST).then(|| {
        format!(
            "no pass for {}, and schedule.poll asks for more: check that `fortnight run` runs (under systemd: systemctl status fortnight), or run `fortnight cycle`",
            format_duration(since)
        )
    })
}

async fn sources(
    config: &Config,
    reader: &Reader,
    now: Timestamp,
) -> Result<Vec<SourceView>, DeskError> {
    let limit = |name: &str| match name {
        "users" => Some(config.freshness.users),
        "registration" => Some(config.freshness.registration),
        "sign_ins" => Some(config.freshness.sign_ins),
        _ => None,
    };
    let mut sources = reader.store.sources().await?;
    for log in LOGS {
        for source in sources
            .iter_mut()
            .filter(|source| source.name == log.as_str())
        {
            source.rows = reader.store.events_kept(log).await?;
        }
    }
    let sources = sources.into_iter().map(|source| {
        let since = |at: Timestamp| now.duration_since(at);
        SourceView {
            stale: source
                .reading
                .map(since)
                .zip(limit(&source.name))
                .is_some_and(|(age, limit)| age > limit),
            age_seconds: source.as_of.map(|at| since(at).as_secs()),
            reading: source.reading,
            name: source.name,
            as_of: source.as_of,
            rows: source.rows,
            error: source.error,
        }
    });
    Ok(sources.collect())
}

/// Until when real passes wait, if a rehearsal ahead of the clock came after them.
async fn real_passes_wait(reader: &Reader) -> Result<Option<Timestamp>, DeskError> {
    let (present, store) = (reader.present, &reader.store);
    let is_ahead = present.is_rehearsed && present.at > Clock::system().now();
    Ok((is_ahead && store.was_clocked().await?).then_some(present.at))
}

/// How many need a person, of whom so many were read: they are counted where the limit was reached.
async fn needing(
    reader: &Reader,
    [blocked, unreachable, unreadable]: [usize; 3],
    limit: Option<u32>,
) -> Result<Needing, DeskError> {
    let (store, on) = (&reader.store, on(reader));
    let are_all = |read: usize| limit.is_none_or(|limit| read < limit as usize);
    Ok(Needing {
        blocked: if are_all(blocked) {
            blocked as u64
        } else {
            store.count_blocked(&on).await?
        },
        unreachable: if are_all(unreachable) {
            unreachable as u64
        } else {
            store.count_unreached(&on).await?
        },
        unreadable: if are_all(unreadable) {
            unreadable as u64
        } else {
            store.count_unreadable().await?
        },
    })
}

async fn unreadable(reader: &Reader, limit: Option<u32>) -> Result<Vec<UnreadableView>, DeskError> {
    let people = reader.store.unreadable(limit).await?.into_iter();
    let views = people.map(|(id, user_principal_name)| UnreadableView {
        id,
        user_principal_name,
    });
    Ok(views.collect())
}

async fn blocked(
    config: &Config,
    reader: &Reader,
    limit: Option<u32>,
) -> Result<Vec<BlockedView>, DeskError> {
    let people = reader.store.blocked(&on(reader), limit).await?;
    let views = people.into_iter().map(|person| {
        let block = config.result_codes.block(person.code);
        let [meaning, remedy] = [&block.meaning, &block.remedy]
            .map(|phrase| phrase.told_in(Language::English).to_owned());
        BlockedView {
            id: person.id,
            user_principal_name: person.user_principal_name,
            policy: person.policy,
            code: person.code,
            at: person.at,
            meaning,
            remedy,
        }
    });
    Ok(views.collect())
}

async fn unreachable(
    reader: &Reader,
    limit: Option<u32>,
) -> Result<Vec<UnreachableView>, DeskError> {
    let people = reader.store.unreached(&on(reader), limit).await?;
    let views = people.into_iter().map(|person| UnreachableView {
        id: person.id,
        user_principal_name: person.user_principal_name,
        policy: person.policy,
        since: person.unreached.since,
        flagged_from: person.unreached.flagged_from,
    });
    Ok(views.collect())
}

/// The policies that ask people for something.
fn on(reader: &Reader) -> Vec<PolicyName> {
    let on = reader.policies.iter();
    on.filter(|policy| policy.enforce == Enforce::On)
        .map(|policy| policy.name.clone())
        .collect()
}

/// An endpoint that was renamed or removed leaves behind what waited for it.
async fn stranded(config: &Config, reader: &Reader) -> Result<Vec<String>, DeskError> {
    let mut waiting = reader.store.waiting_by_webhook().await?;
    waiting.retain(|(name, _)| config.webhook(name).is_none());
    let lines = waiting.into_iter().map(|(name, rows)| {
        let rows = match rows {
            1 => "one row waits".to_owned(),
            rows => format!("{rows} rows wait"),
        };
        format!("{rows} for the webhook {name}, which is not configured: configure it again, or use `deliveries discard`")
    });
    Ok(lines.collect())
}

/// Names that mean nobody, or more than one group, and those of which nothing was read yet: the name
/// may be right then.
fn unresolved(reader: &Reader, sources: &[SourceView]) -> Vec<String> {
    let not_known = |list: NameList| {
        let source = if list.is_of_users() {
            Source::Users
        } else {
            Source::Groups
        };
        let failed = |one: &SourceView| one.name == source.as_str() && one.error.is_some();
        if sources.iter().any(failed) {
            format!("is not known yet: {source} could not be read")
        } else {
            "is not known yet: the next pass looks it up".to_owned()
        }
    };
    let mut lines = Vec::new();
    for policy in &reader.policies {
        let assignment = &policy.assignment;
        let unresolved = assignment.unresolved.iter().map(|name| {
            let matches = match name.matches {
                0 => "matches nothing".to_owned(),
                count => format!("matches {count} groups"),
            };
            (name, matches)
        });
        let unread = assignment.unread.iter();
        for (name, matches) in unresolved.chain(unread.map(|name| (name, not_known(name.list)))) {
            let (key, policy) = (name.list.key(), &policy.name);
            lines.push(format!(
                "{policy}: {key} names {:?}, which {matches}",
                name.name
            ));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_is_overdue_by_its_own_schedule() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let missed = |pattern: &str, last: &str, now: &str| {
            let schedule = [CronPattern::parse(pattern).unwrap()];
            overdue(&schedule, &TimeZone::UTC, at(last), at(now)).is_some()
        };
        let often = "0 */10 * * * *";
        assert!(!missed(
            often,
            "2026-01-05T09:00:00Z",
            "2026-01-05T09:59:00Z"
        ));
        assert!(missed(
            often,
            "2026-01-05T09:00:00Z",
            "2026-01-05T10:00:00Z"
        ));
        // Over a weekend nothing is due.
        let workdays = "0 0 9 * * MON-FRI";
        assert!(!missed(
            workdays,
            "2026-01-09T09:00:00Z",
            "2026-01-14T08:00:00Z"
        ));
        assert!(missed(
            workdays,
            "2026-01-09T09:00:00Z",
            "2026-01-14T10:00:00Z"
        ));
    }
}
