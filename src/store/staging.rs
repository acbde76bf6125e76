//! The registration report as Graph gives it: a page at a time into a staging table, since only a
//! whole report counts, and one person at a time where an event says that they registered.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use sqlx::{QueryBuilder, Row as _};

use super::db::Db;
use super::records::{
    REGISTRATION_COLUMNS, detail_name, level_name, mark_changed, registration,
    stored_registrations, user_id, write_registrations,
};
use super::rows::execute_each;
use super::sources::{self, Source};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::id::UserId;
use crate::domain::registration::{Registration, ReportRow};
use crate::domain::window::later;

/// An event is followed up for this long.
const FOLLOWED: SignedDuration = SignedDuration::from_hours(25);

impl Store {
    /// Stages a page of the report, and with it the place where the reading goes on. `first`:
    /// what an earlier reading staged is dropped.
    pub async fn stage_registrations(
        &self,
        first: bool,
        rows: &[(ReportRow, Option<Timestamp>)],
        reading: &str,
    ) -> Result<(), StoreError> {
        let doing = "staging the registration report";
        let mut transaction = self.begin().await?;
        if first {
            sqlx::query("DELETE FROM staged_registrations")
                .execute(&mut *transaction)
                .await
                .doing(doing)?;
        }
        let rows: BTreeMap<&str, &(ReportRow, Option<Timestamp>)> =
            rows.iter().map(|row| (row.0.user.as_str(), row)).collect();
        let rows: Vec<_> = rows.into_values().collect();
        let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
            let mut statement = QueryBuilder::<Db>::new(
                "INSERT INTO staged_registrations (user_id, level, detail, dated) ",
            );
            statement.push_values(rows, |mut row, (staged, dated)| {
                row.push_bind(staged.user.as_str())
                    .push_bind(level_name(staged.level))
                    .push_bind(detail_name(staged.detail))
                    .push_bind(dated.map(micros));
            });
            statement.push(
                " ON CONFLICT (user_id) DO UPDATE SET level = excluded.level, detail = excluded.detail, dated = excluded.dated",
            );
            statement
        });
        execute_each(&mut transaction, statements)
            .await
            .doing(doing)?;
        sources::set_reading(&mut transaction, Source::Registration, reading).await?;
        transaction.commit().await.doing(doing)
    }

    /// Staged rows of ids above this one, each with its date.
    pub async fn staged_registrations(
        &self,
        above: &str,
        limit: u32,
    ) -> Result<Vec<(ReportRow, Option<Timestamp>)>, StoreError> {
        let doing = "reading the staged report";
        let rows = sqlx::query(
            "SELECT user_id, level, detail, NULL, NULL, NULL, NULL, NULL, dated FROM staged_registrations
             WHERE user_id > $1 ORDER BY user_id LIMIT $2",
        )
        .bind(above)
        .bind(limit)
        .fetch_all(&self.read)
        .await
        .doing(doing)?;
        let mut staged = Vec::with_capacity(rows.len());
        for row in &rows {
            if let Some((id, Registration { level, detail, .. })) = registration(row, 0)? {
                let dated: Option<i64> = row.try_get(REGISTRATION_COLUMNS).doing(doing)?;
                let row = ReportRow {
                    user: user_id("staged_registrations", &id)?,
                    level,
                    detail,
                };
                staged.push((row, dated.map(instant)));
            }
        }
        Ok(staged)
    }

    /// The staged report was taken over, or is of no use.
    pub async fn clear_staged_registrations(&self, reading: &str) -> Result<(), StoreError> {
        self.stage_registrations(true, &[], reading).await
    }

    /// Whose last report does not know yet of a registration that an event tells of, and when
    /// the event was: those about whom the report was not asked since one of `after` its event.
    pub async fn probes_due(
        &self,
        after: &[SignedDuration],
        now: Timestamp,
    ) -> Result<Vec<UserId>, StoreError> {
        let rows: Vec<(String, i64, Option<i64>)> = sqlx::query_as(
            "SELECT audits.user_id, MAX(audits.at), MAX(registration_probes.at)
             FROM audits LEFT JOIN registration_probes ON registration_probes.user_id = audits.user_id
             WHERE audits.kind = 'registered' AND audits.at > $1 AND audits.at <= $2
                 AND NOT EXISTS (SELECT 1 FROM registrations
                     WHERE registrations.user_id = audits.user_id AND registrations.level = 'capable')
             GROUP BY audits.user_id",
        )
        .bind(micros(later(now, -FOLLOWED)))
        .bind(micros(now))
        .fetch_all(&self.read)
        .await
        .doing("looking for reported registrations")?;
        rows.into_iter()
            .filter(|(_, at, asked)| {
                after.iter().any(|wait| {
                    let due = micros(later(instant(*at), *wait));
                    due <= micros(now) && asked.is_none_or(|asked| asked < due)
                })
            })
            .map(|(id, _, _)| user_id("audits", &id))
            .collect()
    }

    /// The report was asked about these people; `found` are those whom it calls registered, and what
    /// each row is as of. That somebody is *not* is left to a whole report (rule 7.5).
    pub async fn absorb_probes(
        &self,
        asked: &[UserId],
        found: &[(ReportRow, Timestamp)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let doing = "following up reported registrations";
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        let statements = asked.chunks(ROWS_PER_STATEMENT).map(|asked| {
            let mut statement =
                QueryBuilder::<Db>::new("INSERT INTO registration_probes (user_id, at) ");
            statement.push_values(asked, |mut row, id| {
                row.push_bind(id.as_str()).push_bind(micros(now));
            });
            statement.push(" ON CONFLICT (user_id) DO UPDATE SET at = excluded.at");
            statement
        });
        execute_each(connection, statements).await.doing(doing)?;
        sqlx::query("DELETE FROM registration_probes WHERE at < $1")
            .bind(micros(later(now, -FOLLOWED - FOLLOWED)))
            .execute(&mut *connection)
            .await
            .doing(doing)?;
        let ids: Vec<String> = found
            .iter()
            .map(|(row, _)| row.user.as_str().to_owned())
            .collect();
        // Whom no whole report contained yet has no row to better; the next one brings it.
        let known = stored_registrations(connection, &ids).await?;
        let mut rows = Vec::new();
        for (id, stored, part) in known {
            let row = found.iter().find(|(row, _)| row.user.as_str() == id);
            let Some((row, as_of)) = row.filter(|(row, _)| row.level > stored.level) else {
                continue;
            };
            rows.push((id, stored.asked(row, *as_of), part));
        }
        write_registrations(connection, &rows).await?;
        let changed: Vec<String> = rows.into_iter().map(|(id, _, _)| id).collect();
        mark_changed(connection, &changed).await?;
        transaction.commit().await.doing(doing)
    }

    /// The newest deadline up to `proven` of those who would be flagged if only a report as of it
    /// or later said that they are not registered (rule T8).
    pub async fn newest_waiting_deadline(
        &self,
        proven: Timestamp,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        let newest: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(window_deadline) FROM standings WHERE next_at <= $1 AND is_open = TRUE AND window_deadline <= $2",
        )
        .bind(micros(now))
        .bind(micros(proven))
        .fetch_one(&self.read)
        .await
        .doing("looking for flags that wait")?;
        Ok(newest.map(instant))
    }
}
