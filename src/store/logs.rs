//! Sign-ins and audit events: they add, are keyed by their id, and the last read wins.
//!
//! From when on a log goes on after an outage is noted with every batch: a pass that dies before it
//! accepts the log does not read its parts again. Accepting compares it with where the log ended,
//! and so finds the stretch that no row covers (case 23).
//!
//! What no decision can ever need is not stored (rules 7.30 and R15): no sign-in of a person who is registered
//! (only those after a confirmed loss count, rule 7.4), unless the account is gone and this shows
//! that it is back; of those that cannot qualify the newest of each class, and of those that could not
//! prompt the time alone. Neither of these marks anybody: they decide nothing.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use sqlx::query_builder::Separated;
use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db};
use super::load::sign_in;
use super::records::{mark_changed, user_id};
use super::rows::{Column, execute_each, with_rows};
use super::sources::{self, NewPart, Source, StoredPart};
use super::totals::{Total, Totals, number};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, Whom, micros, name_of, settings};
use crate::domain::audit::AuditEvent;
use crate::domain::facts::Gap;
use crate::domain::sign_in::{Keeping, ResultCodes, Route, SignIn};

/// Sign-ins of an earlier version that are sorted in one go.
const SORTED_AT_ONCE: i64 = 5_000;

/// A part of a log that was read to its end.
#[derive(Debug, Clone)]
pub struct PartEnd {
    /// The part.
    pub part: NewPart,
    /// The age of its facts.
    pub as_of: Timestamp,
    /// How many facts it has.
    pub rows: u64,
}

impl Store {
    /// Absorbs sign-ins, and with them the parts that end with them, or where the reading goes on.
    pub async fn absorb_sign_ins(
        &self,
        rows: &[SignIn],
        codes: &ResultCodes,
        ended: &[PartEnd],
        reading: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let (mut added, mut newest) = (0, Newest::default());
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            added += write_sign_ins(&mut transaction, rows, codes, &mut newest).await?;
        }
        newest.write(&mut transaction).await?;
        Totals::of(Total::SignIns, added)
            .keep(&mut transaction)
            .await?;
        note_resumption(&mut transaction, rows, ended).await?;
        end_parts(&mut transaction, Source::SignIns, ended, reading).await?;
        transaction.commit().await.doing("absorbing sign-ins")
    }

    /// Absorbs audit events, and with them the parts that end with them, or where the reading goes
    /// on.
    pub async fn absorb_audits(
        &self,
        rows: &[AuditEvent],
        ended: &[PartEnd],
        reading: Option<&str>,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let mut added = 0;
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Db>::new("INSERT INTO audits (id, user_id, at, kind) ");
            let rows: HashMap<&str, &AuditEvent> =
                rows.iter().map(|row| (row.id.as_str(), row)).collect();
            let ids = rows.keys().copied();
            added += new(&mut transaction, "SELECT COUNT(*) FROM audits WHERE ", ids).await?;
            statement.push_values(rows.values(), |mut row, event| {
                row.push_bind(event.id.clone())
                    .push_bind(event.user.as_str().to_owned())
                    .push_bind(micros(event.at))
                    .push_bind(name_of(&event.kind));
            });
            statement.push(
                " ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, at = excluded.at, kind = excluded.kind
                  WHERE audits.at <> excluded.at OR audits.kind <> excluded.kind OR audits.user_id <> excluded.user_id
                  RETURNING user_id",
            );
            let changed: Vec<String> = statement
                .build_query_scalar()
                .fetch_all(&mut *transaction)
                .await
                .doing("writing audit events")?;
            mark_changed(&mut transaction, &changed).await?;
        }
        Totals::of(Total::Audits, added)
            .keep(&mut transaction)
            .await?;
        end_parts(&mut transaction, Source::Audits, ended, reading).await?;
        transaction.commit().await.doing("absorbing audit events")
    }

    /// Sorts one stretch of the sign-ins that an earlier version stored: of those that no rule counts
    /// the newest of each class is left. Nothing is decided by it. Whether more is to be sorted.
    pub async fn sort_sign_ins(&self, codes: &ResultCodes) -> Result<bool, StoreError> {
        let doing = "sorting sign-ins";
        let Some(above) = self.setting(&settings::UNSORTED_SIGN_INS).await? else {
            return Ok(false);
        };
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        let rows = sqlx::query(
            "SELECT user_id, id, at, code, route, app, multifactor_met FROM sign_ins WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(above)
        .bind(SORTED_AT_ONCE)
        .fetch_all(&mut *connection)
        .await
        .doing(doing)?;
        let mut stored = Vec::with_capacity(rows.len());
        for row in &rows {
            let user: String = row.try_get(0).doing(doing)?;
            stored.push(sign_in(user_id("sign_ins", &user)?, row)?);
        }
        let (mut newest, mut surplus) = (Newest::default(), Vec::new());
        for sign_in in &stored {
            if let Keeping::Newest(drawer) = sign_in.keeping(codes) {
                newest.see(drawer, sign_in);
                surplus.push(sign_in.id.as_str());
            }
        }
        newest.write(connection).await?;
        let statements = surplus.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM sign_ins WHERE ");
            Whom::these(ids).restrict(&mut statement, "id");
            statement
        });
        let removed = execute_each(connection, statements).await.doing(doing)?;
        Totals::of(Total::SignIns, -number(removed))
            .keep(connection)
            .await?;
        let last = stored.last().map(|sign_in| sign_in.id.clone());
        match &last {
            Some(last) => settings::write(connection, &settings::UNSORTED_SIGN_INS, last).await?,
            None => settings::forget(&mut *connection, &settings::UNSORTED_SIGN_INS).await?,
        }
        transaction.commit().await.doing(doing)?;
        Ok(last.is_some())
    }

    /// Accepts a log whose changed parts were read; its age is that of its newest part.
    pub async fn accept_log(
        &self,
        source: Source,
        gone_parts: &[StoredPart],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        // A log that was taken away is as old as it was: what it told is still known.
        let gone_as_of = gone_parts.iter().map(|part| part.as_of).max();
        for part in gone_parts {
            sources::forget_part(connection, part.id).await?;
        }
        let row: (Option<i64>, Option<i64>) = sqlx::query_as(
            "SELECT MAX(as_of), CAST(SUM(rows_read) AS BIGINT) FROM parts WHERE source = $1",
        )
        .bind(source.as_str())
        .fetch_one(&mut *connection)
        .await
        .doing("reading the age of a log")?;
        let as_of = row
            .0
            .map(super::instant)
            .max(gone_as_of)
            .unwrap_or(now)
            .min(now);
        let rows = u64::try_from(row.1.unwrap_or(0)).unwrap_or(0);
        if source == Source::SignIns {
            note_gap(connection, now).await?;
        }
        sources::accept(connection, source, as_of, as_of, rows, now).await?;
        transaction.commit().await.doing("accepting a log")
    }
}

/// How many of these events are not known yet, of a statement that counts those that are.
async fn new<'a>(
    connection: &mut Connection,
    known: &'static str,
    ids: impl ExactSizeIterator<Item = &'a str>,
) -> Result<i64, StoreError> {
    let count = i64::try_from(ids.len()).unwrap_or(i64::MAX);
    let mut statement = QueryBuilder::<Db>::new(known);
    Whom::these(ids).restrict(&mut statement, "id");
    let known: i64 = statement
        .build_query_scalar()
        .fetch_one(connection)
        .await
        .doing("looking for known events")?;
    Ok(count - known)
}

async fn end_parts(
    connection: &mut Connection,
    source: Source,
    ended: &[PartEnd],
    reading: Option<&str>,
) -> Result<(), StoreError> {
    for PartEnd { part, as_of, rows } in ended {
        sources::note_part(connection, source, part, *as_of, *rows).await?;
    }
    if let Some(reading) = reading {
        sources::set_reading(connection, source, reading).await?;
    }
    Ok(())
}

/// Notes from when on the log is known that was not known before: its rows, or where there are
/// none, the age of the part. Rows within a known gap shorten it.
async fn note_resumption(
    connection: &mut Connection,
    rows: &[SignIn],
    ended: &[PartEnd],
) -> Result<(), StoreError> {
    // Tokens refreshed in the background have a log of their own.
    let known: Vec<Timestamp> = rows
        .iter()
        .filter(|row| row.route != Route::NonInteractive)
        .map(|row| row.at)
        .chain(ended.iter().map(|end| end.as_of))
        .collect();
    let oldest_above = |above| known.iter().copied().filter(|at| *at > above).min();
    if let Some(gap) = sources::log_gap(&mut *connection).await?
        && let Some(at) = oldest_above(gap.from).filter(|at| *at < gap.to)
    {
        sources::set_log_gap(connection, gap.resumed_at(at)).await?;
    }
    let (as_of, _) = sources::accepted(connection, Source::SignIns).await?;
    let Some(at) = as_of.and_then(oldest_above) else {
        return Ok(());
    };
    sqlx::query(
        "UPDATE sources SET resumed_at = $1
         WHERE name = $2 AND (resumed_at IS NULL OR resumed_at > $1 OR resumed_at <= as_of)",
    )
    .bind(micros(at))
    .bind(Source::SignIns.as_str())
    .execute(connection)
    .await
    .doing("noting from when on sign-ins are known")
    .map(drop)
}

/// Notes the gap that an outage left in the log, and has those decided about whom the directory
/// hints at within it.
async fn note_gap(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let doing = "looking for a gap of the sign-in logs";
    let row: Option<(Option<i64>, Option<i64>)> =
        sqlx::query_as("SELECT as_of, resumed_at FROM sources WHERE name = $1")
            .bind(Source::SignIns.as_str())
            .fetch_optional(&mut *connection)
            .await
            .doing(doing)?;
    let Some((Some(known_to), Some(resumed))) = row else {
        return Ok(());
    };
    sqlx::query("UPDATE sources SET resumed_at = NULL WHERE name = $1")
        .bind(Source::SignIns.as_str())
        .execute(&mut *connection)
        .await
        .doing(doing)?;
    let Some(gap) = Gap::after_outage(super::instant(known_to), super::instant(resumed), now)
    else {
        return Ok(());
    };
    sources::set_log_gap(connection, Some(gap)).await?;
    sqlx::query(
        "INSERT INTO changed (user_id, mark)
         SELECT id, 1 FROM people WHERE last_sign_in_at BETWEEN $1 AND $2
         ON CONFLICT (user_id) DO UPDATE SET mark = changed.mark + 1",
    )
    .bind(micros(gap.from))
    .bind(micros(gap.to))
    .execute(connection)
    .await
    .doing("marking who was active in the gap")
    .map(drop)
}

/// Writes what a decision may need of them, and collects the newest of the rest; how many rows that
/// adds.
async fn write_sign_ins<'a>(
    connection: &mut Connection,
    rows: &'a [SignIn],
    codes: &ResultCodes,
    newest: &mut Newest<'a>,
) -> Result<i64, StoreError> {
    let users: BTreeSet<&str> = rows.iter().map(|row| row.user.as_str()).collect();
    let columns = &[("user_id", Column::Text)];
    let mut statement = with_rows("seen", columns, users, |row, user| {
        row.bind(user);
    });
    statement.push(
        "SELECT user_id FROM seen WHERE NOT EXISTS (
             SELECT 1 FROM registrations WHERE registrations.user_id = seen.user_id AND level = 'capable')
         OR EXISTS (SELECT 1 FROM people WHERE people.id = seen.user_id AND gone_at IS NOT NULL)",
    );
    let wanted: HashSet<String> = statement
        .build_query_scalar()
        .fetch_all(&mut *connection)
        .await
        .doing("looking up who is not registered")?
        .into_iter()
        .collect();
    // Of several rows with one id the last one counts.
    let by_id: HashMap<&str, &SignIn> = rows.iter().map(|row| (row.id.as_str(), row)).collect();
    let (mut prompts, mut others) = (Vec::new(), Vec::new());
    let mut activity: HashMap<&str, [Option<Timestamp>; 2]> = HashMap::new();
    for row in by_id.into_values() {
        if !wanted.contains(row.user.as_str()) {
            continue;
        }
        match row.keeping(codes) {
            Keeping::Each => prompts.push(row),
            Keeping::Newest(drawer) => {
                others.push(row.id.as_str());
                newest.see(drawer, row);
            }
            Keeping::Moment => {
                let slot = usize::from(row.route == Route::Legacy);
                let last = &mut activity.entry(row.user.as_str()).or_default()[slot];
                *last = (*last).max(Some(row.at));
            }
        }
    }
    let added = write_prompts(connection, prompts).await?;
    let removed = take_back(connection, &others).await?;
    write_activity(connection, activity).await?;
    Ok(added - removed)
}

/// Sign-ins that were stored and do not qualify any more, as they were read last (case 4); how many.
async fn take_back(connection: &mut Connection, ids: &[&str]) -> Result<i64, StoreError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut statement = QueryBuilder::<Db>::new("DELETE FROM sign_ins WHERE ");
    Whom::these(ids).restrict(&mut statement, "id");
    let changed: Vec<String> = statement
        .push(" RETURNING user_id")
        .build_query_scalar()
        .fetch_all(&mut *connection)
        .await
        .doing("taking sign-ins back")?;
    mark_changed(connection, &changed).await?;
    Ok(i64::try_from(changed.len()).unwrap_or(i64::MAX))
}

/// The newest sign-in of each person and drawer.
#[derive(Default)]
struct Newest<'a>(HashMap<(&'a str, &'static str), &'a SignIn>);

impl<'a> Newest<'a> {
    fn see(&mut self, drawer: &'static str, row: &'a SignIn) {
        let newest = self.0.entry((row.user.as_str(), drawer)).or_insert(row);
        if (newest.at, &newest.id) < (row.at, &row.id) {
            *newest = row;
        }
    }

    /// Writes them where none is known that is newer.
    async fn write(self, connection: &mut Connection) -> Result<(), StoreError> {
        let mut rows: Vec<_> = self.0.into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
            let mut statement = QueryBuilder::<Db>::new(
                "INSERT INTO newest_sign_ins (user_id, class, id, at, code, route, app, multifactor_met) ",
            );
            statement.push_values(rows, |mut row, ((user, drawer), sign_in)| {
                row.push_bind((*user).to_owned())
                    .push_bind(*drawer)
                    .push_bind(sign_in.id.clone());
                bind_facts(&mut row, sign_in);
            });
            statement.push(
                " ON CONFLICT (user_id, class) DO UPDATE SET id = excluded.id, at = excluded.at, code = excluded.code,
                      route = excluded.route, app = excluded.app, multifactor_met = excluded.multifactor_met
                  WHERE excluded.at >= newest_sign_ins.at",
            );
            statement
        });
        execute_each(connection, statements)
            .await
            .doing("writing the newest sign-ins")?;
        Ok(())
    }
}

/// What both tables keep of a sign-in, in the order of their columns from `at` on.
fn bind_facts(row: &mut Separated<'_, Db, &'static str>, sign_in: &SignIn) {
    row.push_bind(micros(sign_in.at))
        .push_bind(sign_in.code)
        .push_bind(name_of(&sign_in.route))
        .push_bind(sign_in.app.clone())
        .push_bind(sign_in.multifactor_met);
}

async fn write_prompts(
    connection: &mut Connection,
    mut rows: Vec<&SignIn>,
) -> Result<i64, StoreError> {
    if rows.is_empty() {
        return Ok(0);
    }
    let ids = rows.iter().map(|row| row.id.as_str());
    let added = new(connection, "SELECT COUNT(*) FROM sign_ins WHERE ", ids).await?;
    rows.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    let mut statement = QueryBuilder::<Db>::new(
        "INSERT INTO sign_ins (id, user_id, at, code, route, app, multifactor_met) ",
    );
    statement.push_values(rows, |mut row, sign_in| {
        row.push_bind(sign_in.id.clone())
            .push_bind(sign_in.user.as_str().to_owned());
        bind_facts(&mut row, sign_in);
    });
    statement.push(
        " ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, at = excluded.at, code = excluded.code,
              route = excluded.route, app = excluded.app, multifactor_met = excluded.multifactor_met
          WHERE sign_ins.user_id <> excluded.user_id OR sign_ins.at <> excluded.at OR sign_ins.code <> excluded.code
              OR sign_ins.route <> excluded.route OR sign_ins.multifactor_met <> excluded.multifactor_met
          RETURNING user_id",
    );
    let changed: Vec<String> = statement
        .build_query_scalar()
        .fetch_all(&mut *connection)
        .await
        .doing("writing sign-ins")?;
    mark_changed(connection, &changed).await?;
    Ok(added)
}

async fn write_activity(
    connection: &mut Connection,
    rows: HashMap<&str, [Option<Timestamp>; 2]>,
) -> Result<(), StoreError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut statement =
        QueryBuilder::<Db>::new("INSERT INTO activity (user_id, non_interactive_at, legacy_at) ");
    statement.push_values(rows, |mut row, (user, [non_interactive, legacy])| {
        row.push_bind(user.to_owned())
            .push_bind(non_interactive.map(micros))
            .push_bind(legacy.map(micros));
    });
    statement.push(
        " ON CONFLICT (user_id) DO UPDATE SET
              non_interactive_at = CASE WHEN activity.non_interactive_at IS NULL OR excluded.non_interactive_at > activity.non_interactive_at
                  THEN COALESCE(excluded.non_interactive_at, activity.non_interactive_at) ELSE activity.non_interactive_at END,
              legacy_at = CASE WHEN activity.legacy_at IS NULL OR excluded.legacy_at > activity.legacy_at
                  THEN COALESCE(excluded.legacy_at, activity.legacy_at) ELSE activity.legacy_at END",
    );
    statement
        .build()
        .execute(&mut *connection)
        .await
        .doing("writing activity")
        .map(drop)
}
