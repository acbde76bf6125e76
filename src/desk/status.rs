//! Is it well, how old is the data, where do people stand, what comes next, what is held.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::{DeskError, Reader, capacity};
use crate::config::Config;
use crate::courier::Queue;
use crate::domain::assignment::NameList;
use crate::domain::decision::Next;
use crate::domain::hold::StandingHold;
use crate::domain::id::PolicyName;
use crate::domain::language::Language;
use crate::domain::policy::Enforce;
use crate::store::destinations::{HealthState, TroubledDestination};
use crate::store::sources::Source;
use crate::time::{CronPattern, cron, format_duration};

/// A daemon that missed so many passes does not run; fewer can be one long pass.
const PASSES_MISSED: u32 = 3;
/// However often passes are due: an import or a restart takes its time.
const LATE_AT_LEAST: SignedDuration = SignedDuration::from_hours(1);
/// They add up: what the last reading brought says nothing of how much is there.
const LOGS: [Source; 2] = [Source::SignIns, Source::Audits];
/// Rows put aside that `status` shows.
const QUARANTINE_SHOWN: u32 = 20;

/// The whole of it.
#[derive(Debug, Serialize)]
pub struct Status {
    /// `ok` or `degraded`.
    pub health: &'static str,
    /// The newest pass.
    pub last_pass: Option<Timestamp>,
    /// A sentence if the schedule has asked for passes and none came.
    pub overdue: Option<String>,
    /// Where facts come from, and how old they are.
    pub sources: Vec<SourceView>,
    /// How many people are in each state, by policy.
    pub states: BTreeMap<String, BTreeMap<String, u64>>,
    /// How many rows of the outbox are in each state.
    pub deliveries: BTreeMap<String, u64>,
    /// The mails that are due, and when the last of them can go by the budgets alone.
    pub queue: Queue,
    /// What comes next, of all people.
    pub next: Option<Next>,
    /// What stops flags.
    pub holds: Vec<StandingHold>,
    /// Webhooks that are paused or dead, or asked for time.
    pub webhooks: Vec<TroubledDestination>,
    /// What waits for webhooks that are not configured any more.
    pub stranded: Vec<String>,
    /// Names of the configuration that mean nobody, or more than one group.
    pub unresolved: Vec<String>,
    /// A sentence if the people in scope cannot be told in time through the budgets.
    pub capacity: Option<String>,
    /// People whose newest sign-ins could not register, until one is completed.
    pub blocked: Vec<BlockedView>,
    /// People who lost methods they had registered for the second time within 90 days.
    pub repeated_losses: Vec<String>,
    /// Rows of the sources that could not be read.
    pub quarantined: Vec<QuarantinedView>,
}

impl Status {
    /// Whether nobody needs to look.
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.health == "ok"
    }
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

/// How things stand.
pub async fn status(config: &Config, reader: &Reader) -> Result<Status, DeskError> {
    let store = &reader.store;
    let policies = reader.policy_names();
    let holds = store.holds().await?;
    let clocked = store.newest_clocked_pass().await?;
    let now = reader.present;
    let overdue = clocked.and_then(|last| overdue(&config.schedule.poll, &config.zone, last, now));
    let sources = sources(config, reader, now).await?;
    let unresolved = unresolved(reader, &sources);
    let mut webhooks = store.troubled_destinations(reader.now).await?;
    webhooks.retain(|troubled| config.webhook(&troubled.name).is_some());
    let degraded = overdue.is_some()
        || !holds.is_empty()
        || sources.iter().any(|source| source.error.is_some())
        || webhooks
            .iter()
            .any(|webhook| webhook.state != HealthState::Active);
    Ok(Status {
        health: if degraded { "degraded" } else { "ok" },
        last_pass: store.newest_pass().await?,
        overdue,
        sources,
        states: states(reader).await?,
        deliveries: store.delivery_counts().await?,
        queue: Queue::of(store, config, now).await?,
        next: reader.upcoming(store.next_of_all(&policies).await?),
        holds,
        webhooks,
        stranded: stranded(config, reader).await?,
        unresolved,
        capacity: capacity::shortage(config, store.people_in_scope().await?, now),
        blocked: blocked(config, reader).await?,
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

/// How many people are in each state; nothing while the rows of an earlier version are not whole.
async fn states(reader: &Reader) -> Result<BTreeMap<String, BTreeMap<String, u64>>, DeskError> {
    if !reader.store.is_listed().await? {
        return Ok(BTreeMap::new());
    }
    let mut counts = reader.store.state_counts().await?;
    let policies = reader.policies.iter().filter_map(|policy| {
        let counts = counts.remove(&policy.name)?;
        Some((policy.name.to_string(), counts))
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

async fn blocked(config: &Config, reader: &Reader) -> Result<Vec<BlockedView>, DeskError> {
    let people = reader.store.blocked(&on(reader)).await?;
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
