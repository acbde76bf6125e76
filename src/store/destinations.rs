//! The health of each destination: whether it takes what it is sent, and what follows for its rows.
//!
//! A destination that always did has no row. What an answer means for an endpoint is decided by
//! `courier::health`; here it is written down with what became of the rows.

use jiff::{SignedDuration, Timestamp};
use sqlx::Row as _;

use super::addresses::{self, Notes};
use super::db::Connection;
use super::lines::write_lines;
use super::outbox::withdraw::bury;
use super::outbox::{EMAIL, Settled, SettledTally, settle};
use super::{Doing, Store, StoreError, instant, micros};
use crate::domain::language::Language;
use crate::domain::news::{self, Line, Topic};

/// Whether a destination is sent anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// Yes.
    #[default]
    Active,
    /// It does not accept our secret, or nothing that it is sent: now and then one is tried.
    Paused,
    /// It is no more, until an operator says otherwise.
    Dead,
}

impl HealthState {
    /// The name in storage.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Dead => "dead",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Active, Self::Paused, Self::Dead]
            .into_iter()
            .find(|state| state.as_str() == name)
    }
}

/// What is known of a destination from its answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether it is sent anything.
    pub state: HealthState,
    /// Nothing is sent before.
    pub paused_until: Option<Timestamp>,
    /// Why, in its words or ours.
    pub reason: Option<String>,
    /// Attempts in a row that led to nothing.
    pub failures: u32,
    /// When the first of them was made.
    pub failing_since: Option<Timestamp>,
    /// Rows in a row that it refused for good.
    pub refusals: u32,
}

/// An endpoint that does not take everything, as `status` shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TroubledDestination {
    /// Its name.
    pub name: String,
    /// Paused or dead; active where it only asked for a pause.
    pub state: HealthState,
    /// Nothing is sent before.
    pub paused_until: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// Since when every attempt led to nothing.
    pub failing_since: Option<Timestamp>,
    /// How many rows wait for it.
    pub waiting: u64,
}

/// An endpoint that has taken nothing for so long keeps from it what somebody waits for.
const STUCK_AFTER: SignedDuration = SignedDuration::from_hours(1);

impl TroubledDestination {
    /// Whether it fails, and rows wait for it.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.state == HealthState::Active && self.failing_since.is_some() && self.waiting > 0
    }

    /// Whether a person should look.
    #[must_use]
    pub fn is_stuck(&self, now: Timestamp) -> bool {
        let is_long = |since| now.duration_since(since) >= STUCK_AFTER;
        self.state != HealthState::Active
            || (self.is_failing() && self.failing_since.is_some_and(is_long))
    }
}

const READING: &str = "reading the health of a destination";

impl Store {
    /// What is known of a destination.
    pub async fn health(&self, name: &str) -> Result<Health, StoreError> {
        let row = sqlx::query(
            "SELECT state, paused_until, reason, failures, refusals, failing_since FROM destinations WHERE name = $1",
        )
        .bind(name)
        .fetch_optional(&self.read)
        .await
        .doing(READING)?;
        let Some(row) = row else {
            return Ok(Health::default());
        };
        let state: String = row.try_get(0).doing(READING)?;
        let count = |column| {
            row.try_get::<i64, _>(column)
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX))
                .doing(READING)
        };
        Ok(Health {
            state: known_state(name, &state)?,
            paused_until: row
                .try_get::<Option<i64>, _>(1)
                .doing(READING)?
                .map(instant),
            reason: row.try_get(2).doing(READING)?,
            failing_since: row
                .try_get::<Option<i64>, _>(5)
                .doing(READING)?
                .map(instant),
            failures: count(3)?,
            refusals: count(4)?,
        })
    }

    /// The endpoints that are paused or dead, asked for time, or fail while rows wait for them.
    pub async fn troubled_destinations(
        &self,
        now: Timestamp,
    ) -> Result<Vec<TroubledDestination>, StoreError> {
        type Row = (String, String, Option<i64>, Option<String>, Option<i64>);
        let waiting = self.waiting_by_webhook().await?;
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT name, state, paused_until, reason, failing_since FROM destinations
             WHERE state <> 'active' OR paused_until > $1 OR (failing_since IS NOT NULL AND name <> $2) ORDER BY name",
        )
        .bind(micros(now))
        .bind(EMAIL)
        .fetch_all(&self.read)
        .await
        .doing(READING)?;
        let troubled = rows
            .into_iter()
            .map(|(name, state, until, reason, failing)| {
                let rows = waiting.iter().find(|(of, _)| *of == name);
                Ok(TroubledDestination {
                    state: known_state(&name, &state)?,
                    paused_until: until.map(instant),
                    failing_since: failing.map(instant),
                    waiting: rows.map_or(0, |(_, rows)| u64::try_from(*rows).unwrap_or(0)),
                    name,
                    reason,
                })
            });
        let mut troubled = troubled.collect::<Result<Vec<_>, StoreError>>()?;
        troubled.retain(|one| {
            one.state != HealthState::Active
                || one.paused_until.is_some_and(|until| until > now)
                || one.is_failing()
        });
        Ok(troubled)
    }

    /// Settles attempts at a destination together with its health, if they changed it, a line for the
    /// operators, and what was learned of addresses. Where it is dead now, so is everything that waits for it.
    pub async fn settle_at(
        &self,
        name: &str,
        batch: &[Settled],
        health: Option<&Health>,
        line: Option<&str>,
        notes: Option<&Notes>,
        now: Timestamp,
    ) -> Result<SettledTally, StoreError> {
        let mut transaction = self.begin().await?;
        let mut tally = settle(&mut transaction, batch, now).await?;
        if let Some(notes) = notes {
            addresses::note(&mut transaction, notes, now).await?;
        }
        if let Some(health) = health {
            remember(&mut transaction, name, health).await?;
            if health.state == HealthState::Dead {
                tally.failed += bury(&mut transaction, name, now).await?;
            }
        }
        if let Some(line) = line {
            write_lines(
                &mut transaction,
                &[Line::of_topic(Topic::DeadEndpoint, line.to_owned())],
            )
            .await?;
        }
        transaction.commit().await.doing("settling deliveries")?;
        Ok(tally)
    }

    /// What was queued for a dead endpoint since it died is not sent; how many rows that are.
    pub async fn bury_waiting(&self, name: &str, now: Timestamp) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let buried = bury(&mut transaction, name, now).await?;
        transaction.commit().await.doing("settling deliveries")?;
        Ok(buried)
    }

    /// What waits for a webhook that is not configured any more is not sent: it is dead until that
    /// webhook is configured again and reopened, and operators hear of it. How many rows that are.
    pub async fn bury_stranded(
        &self,
        configured: &[&str],
        language: Language,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut stranded = self.waiting_webhooks().await?;
        stranded.retain(|name| !configured.contains(&name.as_str()));
        let mut buried = 0;
        for name in stranded {
            let mut transaction = self.begin().await?;
            let rows = bury(&mut transaction, &name, now).await?;
            let line = news::endpoint_is_not_configured(&name, rows, language);
            write_lines(
                &mut transaction,
                &[Line::of_topic(Topic::DeadEndpoint, line)],
            )
            .await?;
            transaction.commit().await.doing("settling deliveries")?;
            tracing::warn!(
                webhook = name,
                rows,
                "what waited for webhook {name}, which is not configured any more, is not sent"
            );
            buried += rows;
        }
        Ok(buried)
    }
}

fn known_state(name: &str, state: &str) -> Result<HealthState, StoreError> {
    HealthState::parse(state).ok_or_else(|| StoreError::Inconsistent {
        table: "destinations",
        key: name.to_owned(),
        column: "state",
        value: state.to_owned(),
    })
}

pub(super) async fn remember(
    connection: &mut Connection,
    name: &str,
    health: &Health,
) -> Result<(), StoreError> {
    if *health == Health::default() {
        return sqlx::query("DELETE FROM destinations WHERE name = $1")
            .bind(name)
            .execute(connection)
            .await
            .doing("noting an endpoint")
            .map(drop);
    }
    sqlx::query(
        "INSERT INTO destinations (name, state, paused_until, reason, failures, refusals, failing_since) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (name) DO UPDATE SET state = excluded.state, paused_until = excluded.paused_until,
             reason = excluded.reason, failures = excluded.failures, refusals = excluded.refusals,
             failing_since = excluded.failing_since",
    )
    .bind(name)
    .bind(health.state.as_str())
    .bind(health.paused_until.map(micros))
    .bind(&health.reason)
    .bind(i64::from(health.failures))
    .bind(i64::from(health.refusals))
    .bind(health.failing_since.map(micros))
    .execute(connection)
    .await
    .doing("noting an endpoint")
    .map(drop)
}
