//! Snapshots of people and of their registration, absorbed as a whole or not at all.
//!
//! An import is one transaction. Only the parts that changed are read again; a row that says
//! what is stored already is not written, so that a snapshot costs what changed. Whoever was in
//! a part that was read again and is in none of them now is gone (people) or absent (report).

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection, Transaction};

use super::sources::{self, NewPart, Source};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros};
use crate::domain::brake::collapsed;
use crate::domain::facts::Gap;
use crate::domain::id::UserId;
use crate::domain::person::{AccountKind, Person, Presence};
use crate::domain::registration::{Detail, Level, Registration, ReportRow, Track};

/// Rows that are sorted by key before they are written: some 30 MB of people.
const SORTED_AT_ONCE: usize = 50_000;

/// A report's date while it is being read: only its last row tells the newest.
const NOT_DATED_YET: Timestamp = Timestamp::MAX;

/// How an import ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// Accepted and committed.
    Accepted {
        /// How many people's facts changed.
        changed: u64,
        /// The snapshot's rows.
        rows: u64,
    },
    /// Not believed: it shrank too much. The last good snapshot stays.
    Collapsed {
        /// Rows before.
        before: u64,
        /// Rows of the snapshot that was refused.
        after: u64,
    },
    /// An id is in two parts, one of which was not read: read all parts.
    ReadAll,
}

/// An import in progress: one transaction, dropped unless it is finished.
#[derive(Debug)]
pub struct Import {
    transaction: Transaction<'static, Sqlite>,
    source: Source,
    now: Timestamp,
    first: bool,
    previous: Option<Timestamp>,
    before: u64,
    /// The stretch that the sign-in logs do not cover.
    log_gap: Option<Gap>,
    /// Numbers of the parts that are read again or are no more.
    reread: HashSet<i64>,
    part: i64,
    part_rows: u64,
    parts: Vec<(NewPart, i64, u64, Timestamp)>,
    seen: HashSet<u128>,
    /// Ids that more than one row of this import has.
    repeated: HashSet<u128>,
    /// What was known, before this import, of registrations whose level it has changed.
    replaced: HashMap<u128, Option<Registration>>,
    duplicates: bool,
    read_all: bool,
    changed: u64,
    quarantined: Vec<(String, u64, String)>,
    /// Rows that wait to be written in the order of their keys, with their parts.
    people: Vec<(Person, i64)>,
    registrations: Vec<(ReportRow, i64)>,
}

impl Store {
    /// Begins an import of users or of the registration report. `reread` are the numbers of the
    /// parts that will be read again or are no more.
    pub async fn import(
        &self,
        source: Source,
        reread: &[i64],
        now: Timestamp,
    ) -> Result<Import, StoreError> {
        let mut transaction = self.begin().await?;
        let (previous, before) = sources::accepted(&mut transaction, source).await?;
        let log_gap = sources::log_gap(&mut *transaction).await?;
        if previous.is_none() {
            // An index of a million rows is built faster than it is grown.
            statements(
                &mut transaction,
                secondary_indexes(source).map(|(drop, _)| drop),
            )
            .await?;
        }
        Ok(Import {
            transaction,
            source,
            now,
            first: previous.is_none(),
            previous,
            before,
            log_gap,
            reread: reread.iter().copied().collect(),
            part: 0,
            part_rows: 0,
            parts: Vec::new(),
            seen: HashSet::new(),
            repeated: HashSet::new(),
            replaced: HashMap::new(),
            duplicates: false,
            read_all: false,
            changed: 0,
            quarantined: Vec::new(),
            people: Vec::new(),
            registrations: Vec::new(),
        })
    }

    /// Whether an id was in two parts the last time: then all parts are read whenever one changed.
    pub async fn has_duplicates(&self, source: Source) -> Result<bool, StoreError> {
        Ok(super::meta(&self.read, &duplicates_key(source))
            .await?
            .is_some())
    }
}

/// The indexes beside the primary key, and how they are made again.
fn secondary_indexes(source: Source) -> [(&'static str, &'static str); 2] {
    match source {
        Source::Registration => [
            (
                "DROP INDEX IF EXISTS registrations_by_part",
                "CREATE INDEX registrations_by_part ON registrations (part)",
            ),
            (
                "DROP INDEX IF EXISTS registrations_missing",
                "CREATE INDEX registrations_missing ON registrations (user_id) WHERE level <> 'capable'",
            ),
        ],
        _ => [
            (
                "DROP INDEX IF EXISTS people_by_name",
                "CREATE INDEX people_by_name ON people (upn_key)",
            ),
            (
                "DROP INDEX IF EXISTS people_by_part",
                "CREATE INDEX people_by_part ON people (part)",
            ),
        ],
    }
}

async fn statements(
    connection: &mut SqliteConnection,
    statements: [&'static str; 2],
) -> Result<(), StoreError> {
    for statement in statements {
        sqlx::query(statement)
            .execute(&mut *connection)
            .await
            .doing("preparing a first import")?;
    }
    Ok(())
}

/// Sorts rows by key; of several with one key the last one stays.
fn in_key_order<T>(rows: &mut Vec<T>, key: impl Fn(&T) -> &str) {
    // The sort is stable: rows of one key keep their order, and deduplication keeps the first.
    rows.reverse();
    rows.sort_by(|a, b| key(a).cmp(key(b)));
    rows.dedup_by(|later, earlier| key(later) == key(earlier));
}

fn duplicates_key(source: Source) -> String {
    format!("duplicates:{}", source.as_str())
}

/// Sixteen bytes that stand for an id while a snapshot is read: the GUID itself, or two hashes.
fn digest(id: &str) -> u128 {
    use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
    uuid::Uuid::try_parse(id).map_or_else(
        |_| {
            let build = BuildHasherDefault::<DefaultHasher>::default();

            u128::from(build.hash_one(id)) << 64 | u128::from(build.hash_one((id, "fortnight")))
        },
        |uuid| uuid.as_u128(),
    )
}

impl Import {
    /// The rows that follow are this part's.
    pub async fn begin_part(&mut self, part: NewPart) -> Result<(), StoreError> {
        self.part =
            sources::note_part(&mut self.transaction, self.source, &part, self.now, 0).await?;
        self.reread.insert(self.part);
        self.parts.push((part, self.part, 0, self.now));
        self.part_rows = 0;
        Ok(())
    }

    /// The part is read; `as_of` is the age of its facts.
    pub fn end_part(&mut self, as_of: Timestamp) {
        if let Some(part) = self.parts.last_mut() {
            part.2 = self.part_rows;
            part.3 = as_of;
        }
    }

    /// Rows that could not be read; they are written down with the import, if it is accepted.
    pub fn quarantine(&mut self, rows: impl IntoIterator<Item = (String, u64, String)>) {
        self.quarantined.extend(rows);
    }

    /// Notes an id that was read in this import.
    fn see(&mut self, id: &str) {
        let digest = digest(id);
        if !self.seen.insert(digest) {
            self.repeated.insert(digest);
            self.duplicates = true;
        }
    }

    /// What the reports before this one said of a registration that is stored: an earlier row of
    /// the same report is no report (contract 3).
    fn before_this_report(&self, id: &str, stored: &Registration) -> Option<Registration> {
        let digest = digest(id);
        if !self.repeated.contains(&digest) {
            return Some(stored.clone());
        }
        if self.first {
            return None;
        }
        self.replaced
            .get(&digest)
            .cloned()
            .unwrap_or_else(|| Some(stored.clone()))
    }

    /// Whether a stored row belongs to a part that is not being read: then the order of the
    /// parts must decide, and only a full read knows it.
    fn belongs_elsewhere(&mut self, part: i64) {
        if !self.reread.contains(&part) {
            self.duplicates = true;
            self.read_all = true;
        }
    }

    async fn mark_changed(&mut self, ids: &[String]) -> Result<(), StoreError> {
        self.changed += ids.len() as u64;
        if self.first {
            return Ok(());
        }
        mark_changed(&mut self.transaction, ids).await
    }

    /// Absorbs people of the present part.
    pub async fn people(&mut self, rows: Vec<Person>) -> Result<(), StoreError> {
        self.part_rows += rows.len() as u64;
        for mut person in rows {
            self.see(person.id.as_str());
            person.created_at = person.created_at.map(|at| instant(micros(at)));
            person.last_sign_in_at = person.last_sign_in_at.map(|at| instant(micros(at)));
            self.people.push((person, self.part));
        }
        if self.people.len() >= SORTED_AT_ONCE {
            self.write_people().await
        } else {
            Ok(())
        }
    }

    /// Writes the people who wait, in the order of their keys: random keys would touch a page of
    /// the index each.
    async fn write_people(&mut self) -> Result<(), StoreError> {
        let mut rows = std::mem::take(&mut self.people);
        in_key_order(&mut rows, |(person, _)| person.id.as_str());
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let mut known: HashMap<String, (Person, i64)> = HashMap::new();
            if !self.first || self.duplicates {
                let ids: Vec<String> = rows
                    .iter()
                    .map(|(person, _)| person.id.as_str().to_owned())
                    .collect();
                for (person, part) in stored_people(&mut self.transaction, &ids).await? {
                    if matches!(person.presence, Presence::Present) {
                        self.belongs_elsewhere(part);
                    }
                    known.insert(person.id.as_str().to_owned(), (person, part));
                }
            }
            let rows: Vec<&(Person, i64)> = rows
                .iter()
                .filter(|row| known.get(row.0.id.as_str()) != Some(*row))
                .collect();
            if rows.is_empty() {
                continue;
            }
            write_people(&mut self.transaction, &rows).await?;
            // A row that only moved to another part says nothing new about the person.
            let ids: Vec<String> = rows
                .iter()
                .filter(|(person, _)| {
                    let known = known.remove(person.id.as_str());
                    known.is_none_or(|(known, _)| is_news(known, person, self.log_gap))
                })
                .map(|(person, _)| person.id.as_str().to_owned())
                .collect();
            self.mark_changed(&ids).await?;
        }
        Ok(())
    }

    /// Absorbs rows of the registration report.
    pub async fn registrations(&mut self, rows: Vec<ReportRow>) -> Result<(), StoreError> {
        self.part_rows += rows.len() as u64;
        for row in rows {
            self.see(row.user.as_str());
            self.registrations.push((row, self.part));
        }
        if self.registrations.len() >= SORTED_AT_ONCE {
            self.write_registrations().await
        } else {
            Ok(())
        }
    }

    async fn write_registrations(&mut self) -> Result<(), StoreError> {
        let mut rows = std::mem::take(&mut self.registrations);
        in_key_order(&mut rows, |(row, _)| row.user.as_str());
        let previous = self.previous.unwrap_or(self.now);
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let mut known: HashMap<String, (Registration, i64)> = HashMap::new();
            if !self.first || self.duplicates {
                let ids: Vec<String> = rows
                    .iter()
                    .map(|(row, _)| row.user.as_str().to_owned())
                    .collect();
                for (id, registration, part) in
                    stored_registrations(&mut self.transaction, &ids).await?
                {
                    if registration.absent_since.is_none() {
                        self.belongs_elsewhere(part);
                    }
                    known.insert(id, (registration, part));
                }
            }
            let (mut write, mut changed) = (Vec::with_capacity(rows.len()), Vec::new());
            for (row, part) in rows {
                let id = row.user.as_str();
                let stored = known.get(id);
                let before = stored.and_then(|(stored, _)| self.before_this_report(id, stored));
                let next = before.as_ref().map_or_else(
                    || Registration::first(row),
                    |before| before.then(row, previous, NOT_DATED_YET),
                );
                if !self.first && stored.is_none_or(|(stored, _)| stored.level != next.level) {
                    self.replaced.entry(digest(id)).or_insert(before);
                }
                if stored.is_none_or(|(stored, _)| *stored != next) {
                    changed.push(id.to_owned());
                }
                if stored.is_none_or(|(stored, known)| *stored != next || known != part) {
                    write.push((id.to_owned(), next, *part));
                }
            }
            if write.is_empty() {
                continue;
            }
            write_registrations(&mut self.transaction, &write).await?;
            self.mark_changed(&changed).await?;
        }
        Ok(())
    }

    /// Ends the import: accepted and committed, or rolled back with the reason.
    ///
    /// `unchanged` are the parts that were not read; `approved` is the size down to which an
    /// operator accepts a collapse.
    pub async fn finish(
        mut self,
        unchanged: &[sources::StoredPart],
        gone_parts: &[i64],
        approved: Option<u64>,
    ) -> Result<Imported, StoreError> {
        self.write_people().await?;
        self.write_registrations().await?;
        if self.read_all {
            return Ok(Imported::ReadAll);
        }
        let missing = self.missing().await?;
        let rows = if self.first {
            self.seen.len() as u64
        } else {
            self.rows_after(missing.len() as u64).await?
        };
        if collapsed(self.before, rows) && approved.is_none_or(|least| rows < least) {
            return Ok(Imported::Collapsed {
                before: self.before,
                after: rows,
            });
        }
        let mut as_of = unchanged
            .iter()
            .map(|part| part.as_of)
            .max()
            .unwrap_or(Timestamp::MIN);
        for (part, _, part_rows, part_as_of) in std::mem::take(&mut self.parts) {
            sources::note_part(
                &mut self.transaction,
                self.source,
                &part,
                part_as_of,
                part_rows,
            )
            .await?;
            as_of = as_of.max(part_as_of);
        }
        for id in gone_parts {
            sources::forget_part(&mut self.transaction, *id).await?;
        }
        let aside = std::mem::take(&mut self.quarantined);
        sources::quarantine(&mut self.transaction, self.source, &aside, self.now).await?;
        let as_of = as_of.min(self.now);
        match self.source {
            Source::Registration => self.end_report(&missing, as_of).await?,
            _ => self.end_people(&missing).await?,
        }
        sources::accept(&mut self.transaction, self.source, as_of, rows, self.now).await?;
        if self.duplicates {
            super::set_meta(&mut self.transaction, &duplicates_key(self.source), "true").await?;
        }
        if self.first {
            super::set_meta(&mut self.transaction, super::load::SWEEP, "").await?;
            statements(
                &mut self.transaction,
                secondary_indexes(self.source).map(|(_, create)| create),
            )
            .await?;
        }
        let changed = self.changed;
        self.transaction
            .commit()
            .await
            .doing("accepting a snapshot")?;
        Ok(Imported::Accepted { changed, rows })
    }

    /// The snapshot's rows now: those before, less the missing, and those who are new or back.
    async fn rows_after(&mut self, missing: u64) -> Result<u64, StoreError> {
        let statement = match self.source {
            Source::Registration => "SELECT COUNT(*) FROM registrations WHERE absent_since IS NULL",
            _ => "SELECT COUNT(*) FROM people WHERE gone_at IS NULL",
        };
        let present: i64 = sqlx::query_scalar(statement)
            .fetch_one(&mut *self.transaction)
            .await
            .doing("counting a snapshot")?;
        Ok(u64::try_from(present).unwrap_or(0).saturating_sub(missing))
    }

    /// Who was in a part that was read again, or is no more, and is in none of them now.
    async fn missing(&mut self) -> Result<Vec<String>, StoreError> {
        if self.first {
            return Ok(Vec::new());
        }
        let mut missing = Vec::new();
        let statement = match self.source {
            Source::Registration => {
                "SELECT user_id FROM registrations WHERE part = $1 AND absent_since IS NULL"
            }
            _ => "SELECT id FROM people WHERE part = $1 AND gone_at IS NULL",
        };
        for part in &self.reread {
            let ids: Vec<String> = sqlx::query_scalar(statement)
                .bind(part)
                .fetch_all(&mut *self.transaction)
                .await
                .doing("looking for absent rows")?;
            missing.extend(
                ids.into_iter()
                    .filter(|id| !self.seen.contains(&digest(id))),
            );
        }
        Ok(missing)
    }

    async fn end_people(&mut self, missing: &[String]) -> Result<(), StoreError> {
        for ids in missing.chunks(ROWS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Sqlite>::new("UPDATE people SET gone_at = ");
            statement.push_bind(micros(self.now)).push(" WHERE ");
            super::Whom::these(ids).restrict(&mut statement, "id");
            statement
                .build()
                .execute(&mut *self.transaction)
                .await
                .doing("noting who is gone")?;
        }
        self.mark_changed(missing).await
    }

    /// Dates the losses of this report, notes who is absent, and has all doubted losses looked
    /// at again: one more report may confirm them.
    async fn end_report(&mut self, missing: &[String], as_of: Timestamp) -> Result<(), StoreError> {
        let as_of = self.previous.map_or(as_of, |previous| previous.max(as_of));
        for statement in [
            "UPDATE registrations SET capable_missing_since = $1 WHERE capable_done_as_of IS NOT NULL AND capable_missing_since = $2",
            "UPDATE registrations SET passwordless_missing_since = $1 WHERE passwordless_done_as_of IS NOT NULL AND passwordless_missing_since = $2",
        ] {
            sqlx::query(statement)
                .bind(micros(as_of))
                .bind(micros(NOT_DATED_YET))
                .execute(&mut *self.transaction)
                .await
                .doing("dating losses")?;
        }
        let since = self.previous.unwrap_or(as_of);
        for ids in missing.chunks(ROWS_PER_STATEMENT) {
            let mut statement =
                QueryBuilder::<Sqlite>::new("UPDATE registrations SET absent_since = ");
            statement.push_bind(micros(since)).push(" WHERE ");
            super::Whom::these(ids).restrict(&mut statement, "user_id");
            statement
                .build()
                .execute(&mut *self.transaction)
                .await
                .doing("noting who is absent")?;
        }
        self.mark_changed(missing).await?;
        sqlx::query(
            "INSERT INTO changed (user_id, mark)
             SELECT user_id, 1 FROM registrations WHERE capable_done_as_of IS NOT NULL OR passwordless_done_as_of IS NOT NULL
             ON CONFLICT (user_id) DO UPDATE SET mark = changed.mark + 1",
        )
        .execute(&mut *self.transaction)
        .await
        .doing("marking doubted losses")
        .map(drop)
    }
}

/// Whether a row tells decisions anything new. Nearly everybody signs in daily: that alone counts
/// only in a stretch that the logs do not cover.
fn is_news(mut known: Person, row: &Person, log_gap: Option<Gap>) -> bool {
    let before = std::mem::replace(&mut known.last_sign_in_at, row.last_sign_in_at);
    let hinted = row.last_sign_in_at.filter(|at| before != Some(*at));
    known != *row || log_gap.is_some_and(|gap| hinted.is_some_and(|at| gap.contains(at)))
}

/// Marks people whose facts changed: the next pass decides about them.
pub(super) async fn mark_changed(
    connection: &mut SqliteConnection,
    ids: &[String],
) -> Result<(), StoreError> {
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new("INSERT INTO changed (user_id, mark) ");
        let ids: std::collections::BTreeSet<&String> = ids.iter().collect();
        statement.push_values(ids, |mut row, id| {
            row.push_bind(id.clone()).push_bind(1_i64);
        });
        statement.push(" ON CONFLICT (user_id) DO UPDATE SET mark = changed.mark + 1");
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("marking who changed")?;
    }
    Ok(())
}

/// The columns of a person, in the order in which [`person`] reads them.
pub(super) const PERSON: &str = "people.id, people.user_principal_name, people.display_name, people.mail, people.kind, \
     people.enabled, people.created_at, people.preferred_language, people.gone_at, people.last_sign_in_at";

pub(super) fn person(row: &SqliteRow) -> Result<Person, StoreError> {
    let get = || -> Result<_, sqlx::Error> {
        Ok((
            row.try_get::<String, _>(0)?,
            row.try_get::<String, _>(1)?,
            row.try_get::<Option<String>, _>(2)?,
            row.try_get::<Option<String>, _>(3)?,
            row.try_get::<String, _>(4)?,
            row.try_get::<bool, _>(5)?,
            row.try_get::<Option<i64>, _>(6)?,
            row.try_get::<Option<String>, _>(7)?,
            row.try_get::<Option<i64>, _>(8)?,
            row.try_get::<Option<i64>, _>(9)?,
        ))
    };
    let (
        id,
        user_principal_name,
        display_name,
        mail,
        kind,
        enabled,
        created_at,
        preferred_language,
        gone_at,
        last_sign_in_at,
    ) = get().doing("reading a person")?;
    Ok(Person {
        kind: [
            AccountKind::Member,
            AccountKind::Guest,
            AccountKind::Agent,
            AccountKind::Sync,
        ]
        .into_iter()
        .find(|known| kind_name(*known) == kind)
        .ok_or_else(|| unexpected("people", &id, "kind", &kind))?,
        id: user_id("people", &id)?,
        user_principal_name,
        display_name,
        mail,
        enabled,
        created_at: created_at.map(instant),
        preferred_language,
        last_sign_in_at: last_sign_in_at.map(instant),
        presence: gone_at.map_or(Presence::Present, |at| Presence::Gone { at: instant(at) }),
    })
}

pub(super) fn user_id(table: &'static str, id: &str) -> Result<UserId, StoreError> {
    UserId::parse(id).map_err(|_| StoreError::Inconsistent {
        table,
        key: id.to_owned(),
        column: "id",
        value: id.to_owned(),
    })
}

async fn stored_people(
    connection: &mut SqliteConnection,
    ids: &[String],
) -> Result<Vec<(Person, i64)>, StoreError> {
    let mut found = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new("SELECT ");
        statement
            .push(PERSON)
            .push(", people.part FROM people WHERE ");
        super::Whom::these(ids).restrict(&mut statement, "people.id");
        let rows = statement
            .build()
            .fetch_all(&mut *connection)
            .await
            .doing("reading people")?;
        for row in rows {
            found.push((person(&row)?, row.try_get(10).doing("reading people")?));
        }
    }
    Ok(found)
}

async fn write_people(
    connection: &mut SqliteConnection,
    people: &[&(Person, i64)],
) -> Result<(), StoreError> {
    for people in people.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO people (id, user_principal_name, upn_key, display_name, mail, kind, enabled, created_at, preferred_language, last_sign_in_at, part) ",
        );
        statement.push_values(people, |mut row, (person, part)| {
            row.push_bind(person.id.as_str().to_owned())
                .push_bind(person.user_principal_name.clone())
                .push_bind(person.user_principal_name.to_lowercase())
                .push_bind(person.display_name.clone())
                .push_bind(person.mail.clone())
                .push_bind(kind_name(person.kind))
                .push_bind(person.enabled)
                .push_bind(person.created_at.map(micros))
                .push_bind(person.preferred_language.clone())
                .push_bind(person.last_sign_in_at.map(micros))
                .push_bind(*part);
        });
        statement.push(
            " ON CONFLICT (id) DO UPDATE SET user_principal_name = excluded.user_principal_name, upn_key = excluded.upn_key,
              display_name = excluded.display_name, mail = excluded.mail, kind = excluded.kind, enabled = excluded.enabled,
              created_at = excluded.created_at, preferred_language = excluded.preferred_language,
              last_sign_in_at = excluded.last_sign_in_at, gone_at = NULL, part = excluded.part",
        );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("writing people")?;
    }
    Ok(())
}

/// The columns of a registration, in the order in which [`registration`] reads them.
pub(super) const REGISTRATION: &str = "registrations.user_id, registrations.level, registrations.detail, registrations.absent_since, \
     registrations.capable_done_as_of, registrations.capable_missing_since, \
     registrations.passwordless_done_as_of, registrations.passwordless_missing_since";

/// Reads a registration whose columns begin at `from`; none where the join found no row.
pub(super) fn registration(
    row: &SqliteRow,
    from: usize,
) -> Result<Option<(String, Registration)>, StoreError> {
    let reading = "reading a registration";
    let Some(id) = row.try_get::<Option<String>, _>(from).doing(reading)? else {
        return Ok(None);
    };
    let level: String = row.try_get(from + 1).doing(reading)?;
    let detail: String = row.try_get(from + 2).doing(reading)?;
    let at = |column: usize| {
        row.try_get::<Option<i64>, _>(from + column)
            .map(|at| at.map(instant))
            .doing(reading)
    };
    let registration = Registration {
        level: [Level::Capable, Level::Missing, Level::Passwordless]
            .into_iter()
            .find(|known| level_name(*known) == level)
            .ok_or_else(|| unexpected("registrations", &id, "level", &level))?,
        detail: [
            Detail::None,
            Detail::MethodNotAllowed,
            Detail::SsprOnly,
            Detail::TemporaryAccessPassOnly,
        ]
        .into_iter()
        .find(|known| detail_name(*known) == detail)
        .ok_or_else(|| unexpected("registrations", &id, "detail", &detail))?,
        absent_since: at(3)?,
        capable: Track {
            done_as_of: at(4)?,
            missing_since: at(5)?,
        },
        passwordless: Track {
            done_as_of: at(6)?,
            missing_since: at(7)?,
        },
    };
    Ok(Some((id, registration)))
}

async fn stored_registrations(
    connection: &mut SqliteConnection,
    ids: &[String],
) -> Result<Vec<(String, Registration, i64)>, StoreError> {
    let mut found = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new("SELECT ");
        statement
            .push(REGISTRATION)
            .push(", registrations.part FROM registrations WHERE ");
        super::Whom::these(ids).restrict(&mut statement, "registrations.user_id");
        let rows = statement
            .build()
            .fetch_all(&mut *connection)
            .await
            .doing("reading registrations")?;
        for row in rows {
            if let Some((id, registration)) = registration(&row, 0)? {
                found.push((
                    id,
                    registration,
                    row.try_get(8).doing("reading registrations")?,
                ));
            }
        }
    }
    Ok(found)
}

async fn write_registrations(
    connection: &mut SqliteConnection,
    rows: &[(String, Registration, i64)],
) -> Result<(), StoreError> {
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Sqlite>::new(
            "INSERT INTO registrations (user_id, level, detail, absent_since, capable_done_as_of, capable_missing_since,
             passwordless_done_as_of, passwordless_missing_since, part) ",
        );
        statement.push_values(rows, |mut row, (id, registration, part)| {
            row.push_bind(id.clone())
                .push_bind(level_name(registration.level))
                .push_bind(detail_name(registration.detail))
                .push_bind(registration.absent_since.map(micros))
                .push_bind(registration.capable.done_as_of.map(micros))
                .push_bind(registration.capable.missing_since.map(micros))
                .push_bind(registration.passwordless.done_as_of.map(micros))
                .push_bind(registration.passwordless.missing_since.map(micros))
                .push_bind(*part);
        });
        statement.push(
            " ON CONFLICT (user_id) DO UPDATE SET level = excluded.level, detail = excluded.detail, absent_since = excluded.absent_since,
              capable_done_as_of = excluded.capable_done_as_of, capable_missing_since = excluded.capable_missing_since,
              passwordless_done_as_of = excluded.passwordless_done_as_of,
              passwordless_missing_since = excluded.passwordless_missing_since, part = excluded.part",
        );
        statement
            .build()
            .execute(&mut *connection)
            .await
            .doing("writing registrations")?;
    }
    Ok(())
}

// The names in SQL. A million rows a snapshot: no detour over serde.

fn kind_name(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Member => "member",
        AccountKind::Guest => "guest",
        AccountKind::Agent => "agent",
        AccountKind::Sync => "sync",
    }
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::Missing => "missing",
        Level::Passwordless => "passwordless",
        Level::Capable => "capable",
    }
}

fn detail_name(detail: Detail) -> &'static str {
    match detail {
        Detail::None => "none",
        Detail::MethodNotAllowed => "method_not_allowed",
        Detail::SsprOnly => "sspr_only",
        Detail::TemporaryAccessPassOnly => "temporary_access_pass_only",
    }
}

fn unexpected(table: &'static str, id: &str, column: &'static str, value: &str) -> StoreError {
    StoreError::Inconsistent {
        table,
        key: id.to_owned(),
        column,
        value: value.to_owned(),
    }
}
