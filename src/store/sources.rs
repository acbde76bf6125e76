//! What was read from where: the parts of each source, how old its facts are, what went wrong.

use jiff::Timestamp;
use sqlx::Row as _;

use super::db::{Connection, Executor};
use super::numbers::{self, Series};
use super::{Doing, Store, StoreError, instant, micros, settings};
use crate::domain::age::EVENT_KNOWN_AFTER;
use crate::domain::facts::Gap;
use crate::domain::window::later;

/// A collection of facts that is read as one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// The users snapshot.
    Users,
    /// The groups that policies name.
    Groups,
    /// The registration report.
    Registration,
    /// The sign-in logs.
    SignIns,
    /// The audit log.
    Audits,
}

impl Source {
    /// Every source, in the order in which they are read.
    pub const ALL: [Self; 5] = [
        Self::Users,
        Self::Groups,
        Self::Registration,
        Self::SignIns,
        Self::Audits,
    ];

    /// The name in JSON and SQL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Registration => "registration",
            Self::SignIns => "sign_ins",
            Self::Audits => "audits",
        }
    }
}

/// A part of a source, a file for example, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPart {
    /// Its number in the store.
    pub id: i64,
    /// Its name within the source.
    pub name: String,
    /// What tells whether it has changed.
    pub fingerprint: String,
    /// How old its facts are.
    pub as_of: Timestamp,
    /// How many facts it has.
    pub rows: u64,
    /// Whether it has pages alone that each name a next one.
    pub names_next: bool,
}

/// How a source stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which.
    pub name: String,
    /// When it was read, or its files were written (rule 7.8).
    pub reading: Option<Timestamp>,
    /// What that is as of.
    pub as_of: Option<Timestamp>,
    /// The pass that last accepted it.
    pub accepted_at: Option<Timestamp>,
    /// How many rows the accepted snapshot has.
    pub rows: u64,
    /// Why the last read failed, if it did.
    pub error: Option<String>,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Store {
    /// The parts of a source as they were read last.
    pub async fn parts(&self, source: Source) -> Result<Vec<StoredPart>, StoreError> {
        let rows = sqlx::query("SELECT id, name, fingerprint, as_of, rows_read, names_next FROM parts WHERE source = $1")
            .bind(source.as_str())
            .fetch_all(&self.read)
            .await
            .doing("reading the parts of a source")?;
        rows.into_iter()
            .map(|row| {
                Ok(StoredPart {
                    id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    fingerprint: row.try_get(2)?,
                    as_of: instant(row.try_get(3)?),
                    rows: u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0),
                    names_next: row.try_get(5)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading the parts of a source")
    }

    /// How every source stands.
    pub async fn sources(&self) -> Result<Vec<SourceStatus>, StoreError> {
        let rows = sqlx::query(
            "SELECT name, reading, as_of, accepted_at, rows_read, error FROM sources ORDER BY name",
        )
        .fetch_all(&self.read)
        .await
        .doing("reading the sources")?;
        rows.into_iter()
            .map(|row| {
                Ok(SourceStatus {
                    name: row.try_get(0)?,
                    reading: row.try_get::<Option<i64>, _>(1)?.map(instant),
                    as_of: row.try_get::<Option<i64>, _>(2)?.map(instant),
                    accepted_at: row.try_get::<Option<i64>, _>(3)?.map(instant),
                    rows: u64::try_from(row.try_get::<i64, _>(4)?).unwrap_or(0),
                    error: row.try_get(5)?,
                })
            })
            .collect::<Result<_, sqlx::Error>>()
            .doing("reading the sources")
    }

    /// The pass that last accepted a source.
    pub async fn accepted_at(&self, source: Source) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<Option<i64>> =
            sqlx::query_scalar("SELECT accepted_at FROM sources WHERE name = $1")
                .bind(source.as_str())
                .fetch_optional(&self.read)
                .await
                .doing("reading a source")?;
        Ok(at.flatten().map(instant))
    }

    /// Where the reading of a source is, as it was kept with its last page.
    pub async fn reading(&self, source: Source) -> Result<Option<String>, StoreError> {
        settings::read(&self.read, &settings::reading(source.as_str())).await
    }

    /// The newest stretch that the sign-in logs do not cover.
    pub async fn log_gap(&self) -> Result<Option<Gap>, StoreError> {
        log_gap(&self.read).await
    }

    /// Notes why a source failed; its last good snapshot stays.
    pub async fn source_failed(
        &self,
        source: Source,
        error: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sources (name, error, error_at) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET error = excluded.error, error_at = excluded.error_at",
        )
        .bind(source.as_str())
        .bind(error)
        .bind(micros(now))
        .execute(&self.write)
        .await
        .doing("noting a failed source")
        .map(drop)
    }

    /// Notes that a source is whole although nothing was read: it is as old as it was.
    pub async fn source_unchanged(&self, source: Source) -> Result<(), StoreError> {
        tracing::debug!("{source}: nothing has changed since it was read");
        sqlx::query(
            "UPDATE sources SET error = NULL, error_at = NULL WHERE name = $1 AND error IS NOT NULL",
        )
        .bind(source.as_str())
        .execute(&self.write)
        .await
        .doing("noting an unchanged source")
        .map(drop)
    }

    /// The registration report is as of then, if not later.
    pub async fn date_report(&self, as_of: Timestamp) -> Result<(), StoreError> {
        sqlx::query("UPDATE sources SET as_of = $2 WHERE name = $1 AND as_of < $2")
            .bind(Source::Registration.as_str())
            .bind(micros(as_of))
            .execute(&self.write)
            .await
            .doing("dating the registration report")
            .map(drop)
    }

    /// The last registration that a report read at `reading` should know of, of somebody in it, if
    /// its newest row is older than that.
    pub async fn overtaking_event(
        &self,
        newest_row: Timestamp,
        reading: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(at) FROM audits WHERE kind = 'registered' AND at > $1 AND at <= $2
             AND EXISTS (SELECT 1 FROM registrations WHERE registrations.user_id = audits.user_id AND absent_since IS NULL)",
        )
        .bind(micros(newest_row))
        .bind(micros(later(reading, -EVENT_KNOWN_AFTER)))
        .fetch_one(&self.read)
        .await
        .doing("looking for registrations that a report should know of")?;
        Ok(at.map(instant))
    }

    /// Replaces what is known of the quarantined rows of a source.
    pub async fn quarantine(
        &self,
        source: Source,
        rows: &[(String, u64, String)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        quarantine(&mut transaction, source, rows, now).await?;
        transaction.commit().await.doing("noting quarantined rows")
    }

    /// Facts that a clock ahead of this one dated are as old as this, if not older.
    pub async fn date_sources_by(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for statement in [
            "UPDATE sources SET reading = $1 WHERE reading > $1",
            "UPDATE sources SET as_of = $1 WHERE as_of > $1",
            "UPDATE sources SET previous_as_of = $1 WHERE previous_as_of > $1",
            "UPDATE parts SET as_of = $1 WHERE as_of > $1",
            "UPDATE registration_probes SET at = $1 WHERE at > $1",
        ] {
            sqlx::query(statement)
                .bind(micros(now))
                .execute(&mut *transaction)
                .await
                .doing("dating facts anew")?;
        }
        transaction.commit().await.doing("dating facts anew")
    }
}

/// Where the reading of a source is, in the words of whoever reads it: kept in the transaction of
/// the page before.
pub(super) async fn set_reading(
    connection: &mut Connection,
    source: Source,
    reading: &str,
) -> Result<(), StoreError> {
    settings::write(
        connection,
        &settings::reading(source.as_str()),
        &reading.to_owned(),
    )
    .await
}

/// The reading of a source begins anew: what it has told so far is replaced.
pub(super) async fn forget_reading(
    connection: &mut Connection,
    source: Source,
) -> Result<(), StoreError> {
    settings::forget(connection, &settings::reading(source.as_str())).await
}

pub(super) async fn quarantine(
    connection: &mut Connection,
    source: Source,
    rows: &[(String, u64, String)],
    now: Timestamp,
) -> Result<(), StoreError> {
    for (file, line, reason) in rows {
        sqlx::query(
            "INSERT INTO quarantine (source, file, line, reason, at) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (source, file, line) DO UPDATE SET reason = excluded.reason, at = excluded.at",
        )
        .bind(source.as_str())
        .bind(file)
        .bind(i64::try_from(*line).unwrap_or(i64::MAX))
        .bind(reason)
        .bind(micros(now))
        .execute(&mut *connection)
        .await
        .doing("noting quarantined rows")?;
    }
    Ok(())
}

/// What an accepted source leaves in `sources`. Only the registration report is as of another time
/// than its reading.
pub(super) async fn accept(
    connection: &mut Connection,
    source: Source,
    reading: Timestamp,
    as_of: Timestamp,
    rows: u64,
    now: Timestamp,
) -> Result<(), StoreError> {
    // An older export put back makes a snapshot as old as it is. What a log told is still known, and
    // a report is never as of a time before the one before it.
    let (reads_on, proves_on) = match source {
        Source::Users | Source::Groups => (false, false),
        Source::Registration => (false, true),
        Source::SignIns | Source::Audits => (true, true),
    };
    sqlx::query(
        "INSERT INTO sources (name, reading, as_of, accepted_at, rows_read) VALUES ($1, $5, $2, $3, $4)
         ON CONFLICT (name) DO UPDATE SET
             previous_as_of = sources.as_of,
             reading = CASE WHEN $6 AND sources.reading > excluded.reading THEN sources.reading ELSE excluded.reading END,
             as_of = CASE WHEN $7 AND sources.as_of > excluded.as_of THEN sources.as_of ELSE excluded.as_of END,
             accepted_at = excluded.accepted_at, rows_read = excluded.rows_read, error = NULL, error_at = NULL",
    )
    .bind(source.as_str())
    .bind(micros(as_of))
    .bind(micros(now))
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .bind(micros(reading))
    .bind(reads_on)
    .bind(proves_on)
    .execute(connection)
    .await
    .doing("accepting a source")
    .map(drop)
}

/// The age and size of the last accepted snapshot.
pub(super) async fn accepted(
    connection: &mut Connection,
    source: Source,
) -> Result<(Option<Timestamp>, u64), StoreError> {
    let row: Option<(Option<i64>, i64)> =
        sqlx::query_as("SELECT as_of, rows_read FROM sources WHERE name = $1")
            .bind(source.as_str())
            .fetch_optional(connection)
            .await
            .doing("reading a source")?;
    Ok(row.map_or((None, 0), |(as_of, rows)| {
        (as_of.map(instant), u64::try_from(rows).unwrap_or(0))
    }))
}

/// The newest stretch that the sign-in logs do not cover.
pub(super) async fn log_gap<'e>(executor: impl Executor<'e>) -> Result<Option<Gap>, StoreError> {
    let gap: Option<(i64, i64)> = sqlx::query_as(
        "SELECT gap_from, gap_to FROM sources WHERE name = $1 AND gap_from IS NOT NULL AND gap_to IS NOT NULL",
    )
    .bind(Source::SignIns.as_str())
    .fetch_optional(executor)
    .await
    .doing("reading the gap of the sign-in logs")?;
    Ok(gap.map(|(from, to)| Gap {
        from: instant(from),
        to: instant(to),
    }))
}

pub(super) async fn set_log_gap(
    connection: &mut Connection,
    gap: Option<Gap>,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE sources SET gap_from = $1, gap_to = $2 WHERE name = $3")
        .bind(gap.map(|gap| micros(gap.from)))
        .bind(gap.map(|gap| micros(gap.to)))
        .bind(Source::SignIns.as_str())
        .execute(connection)
        .await
        .doing("noting the gap of the sign-in logs")
        .map(drop)
}

/// A part that is being read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPart {
    /// Its name within the source.
    pub name: String,
    /// What tells whether it has changed.
    pub fingerprint: String,
    /// Whether it has pages alone that each name a next one; known once it is read.
    pub names_next: bool,
}

/// Writes down a part that was read, and gives its number.
pub(super) async fn note_part(
    connection: &mut Connection,
    source: Source,
    part: &NewPart,
    as_of: Timestamp,
    rows: u64,
) -> Result<i64, StoreError> {
    sqlx::query("DELETE FROM quarantine WHERE source = $1 AND file = $2")
        .bind(source.as_str())
        .bind(&part.name)
        .execute(&mut *connection)
        .await
        .doing("noting a part of a source")?;
    let number = numbers::take(connection, Series::Parts, 1)
        .await
        .doing("noting a part of a source")?;
    sqlx::query_scalar(
        "INSERT INTO parts (id, source, name, fingerprint, as_of, rows_read, names_next) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (source, name) DO UPDATE SET
             fingerprint = excluded.fingerprint, as_of = excluded.as_of, rows_read = excluded.rows_read,
             names_next = excluded.names_next
         RETURNING id",
    )
    .bind(number)
    .bind(source.as_str())
    .bind(&part.name)
    .bind(&part.fingerprint)
    .bind(micros(as_of))
    .bind(i64::try_from(rows).unwrap_or(i64::MAX))
    .bind(part.names_next)
    .fetch_one(connection)
    .await
    .doing("noting a part of a source")
}

/// The numbers of all parts of a source.
pub(super) async fn part_numbers(
    connection: &mut Connection,
    source: Source,
) -> Result<Vec<i64>, StoreError> {
    sqlx::query_scalar("SELECT id FROM parts WHERE source = $1")
        .bind(source.as_str())
        .fetch_all(connection)
        .await
        .doing("reading the parts of a source")
}

pub(super) async fn forget_part(connection: &mut Connection, id: i64) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM parts WHERE id = $1")
        .bind(id)
        .execute(connection)
        .await
        .doing("forgetting a part of a source")
        .map(drop)
}
