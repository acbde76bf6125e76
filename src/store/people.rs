//! Snapshots of people and of their registration, absorbed as a whole or not at all.
//!
//! An import is one transaction. Only the parts that changed are read again; a row that says
//! what is stored already is not written, so that a snapshot costs what changed. Whoever was in
//! a part that was read again and is in none of them now is gone (people) or absent (report).

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::{SignedDuration, Timestamp};
use sqlx::QueryBuilder;

use super::approvals::has_collapsed;
use super::db::{Connection, Db, Write};
use super::holds::Approval;
use super::records::{
    PRESENT, forget_registrations, mark_changed, stored_people, stored_registrations, write_people,
    write_registrations, write_unsure,
};
use super::rows::execute_each;
use super::sources::{self, NewPart, Source};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros, settings};
use crate::domain::age::{self, Another, RowDates, Rows};
use crate::domain::brake::Size;
use crate::domain::facts::Gap;
use crate::domain::person::Person;
use crate::domain::registration::{Registration, ReportRow};

/// Rows that are sorted by key before they are written: some 30 MB of people.
const SORTED_AT_ONCE: usize = 50_000;

/// Parts are editions of one thing where one in so many ids of either is in the other.
pub const EDITION_SHARE: u64 = 10;

/// A report's date while it is being read: only its last row tells the newest.
const NOT_DATED_YET: Timestamp = Timestamp::MAX;

/// How an import ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Imported {
    /// Accepted and committed.
    Accepted {
        /// How many people's facts changed.
        changed: u64,
        /// The snapshot's rows.
        rows: u64,
        /// Of the registration report: rows that are dated later than it was read, in words.
        ahead: Option<String>,
    },
    /// Not believed: it shrank too much. The last good snapshot stays.
    Collapsed {
        /// Rows before.
        before: u64,
        /// What the snapshot holds that was refused.
        size: Size,
    },
    /// An id is in two parts, one of which was not read: read all parts.
    ReadAll,
}

/// An import in progress: one transaction, dropped unless it is finished.
#[derive(Debug)]
pub struct Import {
    transaction: Write,
    source: Source,
    now: Timestamp,
    first: bool,
    previous: Option<Timestamp>,
    before: u64,
    /// The stretch that the sign-in logs do not cover.
    log_gap: Option<Gap>,
    /// Numbers of the parts that are read again or are no more.
    reread: HashSet<i64>,
    /// Numbers of the parts that are neither.
    unread: HashSet<i64>,
    part: i64,
    part_rows: u64,
    parts: Vec<(NewPart, i64, u64, Timestamp)>,
    /// Ids that were read, each with the number of the last part that has it. In halves, an id
    /// takes no more room than it needs.
    seen: HashMap<[u64; 2], u32>,
    /// How many ids each part has that was read, by number.
    ids: HashMap<i64, u64>,
    /// How many ids two parts share, by their numbers.
    shared: HashMap<(i64, i64), u64>,
    /// Ids that more than one row of this import has.
    repeated: HashSet<u128>,
    /// What was known, before this import, of registrations that it has changed.
    replaced: HashMap<u128, Option<Registration>>,
    duplicates: bool,
    read_all: bool,
    changed: u64,
    quarantined: Vec<(String, u64, String)>,
    /// Rows that wait to be written in the order of their keys, with their parts.
    people: Vec<(Person, i64)>,
    registrations: Vec<(ReportRow, i64)>,
    /// Of the registration report: what dates it.
    report: Option<(Another, SignedDuration)>,
    /// The dates of its rows.
    dates: Rows,
    /// Who was not in the report before it.
    appeared: HashSet<String>,
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
        let parts = sources::part_numbers(&mut transaction, source).await?;
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
            unread: parts
                .into_iter()
                .filter(|part| !reread.contains(part))
                .collect(),
            part: 0,
            part_rows: 0,
            parts: Vec::new(),
            seen: HashMap::new(),
            ids: HashMap::new(),
            shared: HashMap::new(),
            repeated: HashSet::new(),
            replaced: HashMap::new(),
            duplicates: false,
            read_all: false,
            changed: 0,
            quarantined: Vec::new(),
            people: Vec::new(),
            registrations: Vec::new(),
            report: None,
            dates: Rows::default(),
            appeared: HashSet::new(),
        })
    }

    /// Whether an id was in two parts the last time: then all parts are read whenever one changed.
    pub async fn has_duplicates(&self, source: Source) -> Result<bool, StoreError> {
        let duplicates = settings::read(&self.read, &settings::duplicates(source.as_str())).await?;
        Ok(duplicates.is_some())
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
    connection: &mut Connection,
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

fn halves(digest: u128) -> [u64; 2] {
    #[allow(clippy::cast_possible_truncation, reason = "it is the lower half")]
    [(digest >> 64) as u64, digest as u64]
}

/// The part of a row, of rows in the order of their keys.
fn part_of<T>(rows: &[(T, i64)], key: &str, key_of: impl Fn(&(T, i64)) -> &str) -> Option<i64> {
    let at = rows.binary_search_by(|row| key_of(row).cmp(key)).ok()?;
    Some(rows[at].1)
}

impl Import {
    /// The rows that follow are this part's.
    pub async fn begin_part(&mut self, part: NewPart) -> Result<(), StoreError> {
        self.part =
            sources::note_part(&mut self.transaction, self.source, &part, self.now, 0).await?;
        self.reread.insert(self.part);
        self.unread.remove(&self.part);
        self.parts.push((part, self.part, 0, self.now));
        self.part_rows = 0;
        Ok(())
    }

    /// The part is read; `reading` is its time (rule 7.8).
    pub fn end_part(&mut self, reading: Timestamp) {
        if let Some(part) = self.parts.last_mut() {
            part.2 = self.part_rows;
            part.3 = reading;
        }
    }

    /// The present part has pages alone that each name a next one.
    pub fn names_next(&mut self) {
        if let Some(part) = self.parts.last_mut() {
            part.0.names_next = true;
        }
    }

    /// What follows comes from elsewhere than from Graph, whose changes since its last reading say
    /// nothing about it: if it is accepted, Graph is read from the beginning the next time.
    pub async fn replace_reading(&mut self) -> Result<(), StoreError> {
        sources::forget_reading(&mut self.transaction, self.source).await
    }

    /// What follows is a registration report that the service may be `lag` behind with; `another`
    /// says whether it was read before.
    pub fn is_report(&mut self, another: Another, lag: SignedDuration) {
        self.report = Some((another, lag));
    }

    /// Rows that could not be read; they are written down with the import, if it is accepted.
    pub fn quarantine(&mut self, rows: impl IntoIterator<Item = (String, u64, String)>) {
        self.quarantined.extend(rows);
    }

    /// Notes an id that was read in this import.
    fn see(&mut self, id: &str) {
        let digest = digest(id);
        let at = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
        let before = self.seen.insert(halves(digest), at);
        if before != Some(at) {
            *self.ids.entry(self.part).or_default() += 1;
        }
        if let Some(before) = before {
            self.repeated.insert(digest);
            self.duplicates = true;
            let before = self.parts.get((before as usize).saturating_sub(1));
            if let Some((_, number, ..)) = before.filter(|(_, number, ..)| *number != self.part) {
                *self.shared.entry((*number, self.part)).or_default() += 1;
            }
        }
    }

    /// Pairs of parts that share so many ids that they are editions of one thing (rule 3.5).
    /// `unchanged` are the parts that were not read.
    pub async fn editions(
        &mut self,
        unchanged: &[sources::StoredPart],
    ) -> Result<Vec<(String, String)>, StoreError> {
        self.write_people().await?;
        self.write_registrations().await?;
        let mut parts: HashMap<i64, (&str, u64)> = unchanged
            .iter()
            .map(|part| (part.id, (part.name.as_str(), part.rows)))
            .collect();
        parts.extend(self.parts.iter().map(|(part, number, ..)| {
            let ids = self.ids.get(number).copied().unwrap_or(0);
            (*number, (part.name.as_str(), ids))
        }));
        let pairs = self.shared.iter().filter_map(|((one, other), shared)| {
            let ((one, ids), (other, other_ids)) = (parts.get(one)?, parts.get(other)?);
            (shared * EDITION_SHARE >= *ids.min(other_ids))
                .then(|| ((*one).to_owned(), (*other).to_owned()))
        });
        let mut pairs: Vec<(String, String)> = pairs.collect();
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// What the reports before this one said of a registration that is stored: an earlier row of
    /// the same report is no report.
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
    /// parts must decide, and only a full read knows it. `is_in` is the part that has the row now.
    fn belongs_elsewhere(&mut self, part: i64, is_in: impl FnOnce() -> Option<i64>) {
        if self.unread.contains(&part) {
            self.duplicates = true;
            self.read_all = true;
            if let Some(is_in) = is_in() {
                *self.shared.entry((part, is_in)).or_default() += 1;
            }
        }
    }

    async fn mark_changed(&mut self, ids: &[String]) -> Result<(), StoreError> {
        self.changed += ids.len() as u64;
        if self.first {
            return Ok(());
        }
        mark_changed(&mut self.transaction, ids).await
    }

    /// Rows that are compared with what is stored at once; where nothing is stored, all of them.
    fn rows_at_once(&self) -> usize {
        if self.first && !self.duplicates {
            SORTED_AT_ONCE
        } else {
            ROWS_PER_STATEMENT
        }
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

    /// Rows of the present part that cannot be believed name these: they are there, and what is
    /// known of them stays, unsure.
    pub async fn still_there(&mut self, ids: &BTreeSet<String>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        self.write_people().await?;
        let ids: Vec<String> = ids.iter().cloned().collect();
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            let mut known = stored_people(&mut self.transaction, ids).await?;
            known.retain(|(person, _)| !person.is_gone());
            // A row that nobody can read makes two files no editions of one thing.
            for (_, part) in &known {
                self.belongs_elsewhere(*part, || None);
            }
            let at = u32::try_from(self.parts.len()).unwrap_or(u32::MAX);
            let ids = known.iter().map(|(person, _)| digest(person.id.as_str()));
            self.seen.extend(ids.map(|digest| (halves(digest), at)));
            let part = self.part;
            self.changed += write_unsure(&mut self.transaction, known, part).await?;
        }
        Ok(())
    }

    /// Writes the people who wait, in the order of their keys: random keys would touch a page of
    /// the index each.
    async fn write_people(&mut self) -> Result<(), StoreError> {
        let mut rows = std::mem::take(&mut self.people);
        in_key_order(&mut rows, |(person, _)| person.id.as_str());
        for rows in rows.chunks(self.rows_at_once()) {
            let mut known: HashMap<String, (Person, i64)> = HashMap::new();
            if !self.first || self.duplicates {
                let ids: Vec<String> = rows
                    .iter()
                    .map(|(person, _)| person.id.as_str().to_owned())
                    .collect();
                for (person, part) in stored_people(&mut self.transaction, &ids).await? {
                    if !person.is_gone() {
                        let is_in =
                            || part_of(rows, person.id.as_str(), |(person, _)| person.id.as_str());
                        self.belongs_elsewhere(part, is_in);
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

    /// The date of a row of the report, whether or not it is known whose it is.
    pub fn dated(&mut self, dated: Option<Timestamp>) {
        self.dates.add(dated);
    }

    /// Absorbs rows of the registration report.
    pub async fn registrations(
        &mut self,
        rows: impl IntoIterator<Item = ReportRow>,
    ) -> Result<(), StoreError> {
        for row in rows {
            self.part_rows += 1;
            self.see(row.user.as_str());
            self.registrations.push((row, self.part));
        }
        if self.registrations.len() >= SORTED_AT_ONCE {
            self.write_registrations().await
        } else {
            Ok(())
        }
    }

    /// Rows of the present part of the report that cannot be believed are about these: what rows
    /// before them say counts no more, as if the report lacked them (rule 3.4).
    pub async fn unsettle(&mut self, ids: &BTreeSet<String>) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        // A part that is read again without this one must not settle them.
        self.duplicates = true;
        self.write_registrations().await?;
        let ids: Vec<String> = ids.iter().cloned().collect();
        for ids in ids.chunks(ROWS_PER_STATEMENT) {
            let (mut known, mut unknown) = (Vec::new(), Vec::new());
            for (id, stored, part) in stored_registrations(&mut self.transaction, ids).await? {
                if stored.absent_since.is_none() {
                    self.belongs_elsewhere(part, || None);
                }
                let digest = digest(&id);
                self.seen.remove(&halves(digest));
                let before = match self.replaced.remove(&digest) {
                    Some(before) => before,
                    None if self.first => None,
                    None => Some(stored),
                };
                match before {
                    Some(before) => known.push((id, before, self.part)),
                    None => unknown.push(id),
                }
            }
            write_registrations(&mut self.transaction, &known).await?;
            forget_registrations(&mut self.transaction, &unknown).await?;
        }
        Ok(())
    }

    async fn write_registrations(&mut self) -> Result<(), StoreError> {
        let mut rows = std::mem::take(&mut self.registrations);
        in_key_order(&mut rows, |(row, _)| row.user.as_str());
        let previous = self.previous.unwrap_or(self.now);
        for rows in rows.chunks(self.rows_at_once()) {
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
                        let is_in = || part_of(rows, &id, |(row, _)| row.user.as_str());
                        self.belongs_elsewhere(part, is_in);
                    }
                    known.insert(id, (registration, part));
                }
            }
            let (mut write, mut changed) = (Vec::with_capacity(rows.len()), Vec::new());
            for (row, part) in rows {
                let id = row.user.as_str();
                let stored = known.get(id);
                if stored.is_none_or(|(stored, _)| stored.absent_since.is_some()) && !self.first {
                    self.appeared.insert(id.to_owned());
                }
                let before = stored.and_then(|(stored, _)| self.before_this_report(id, stored));
                let next = before.as_ref().map_or_else(
                    || Registration::first(row),
                    |before| before.then(row, previous, NOT_DATED_YET),
                );
                let differs = |stored: &Registration| {
                    stored.level != next.level || stored.absent_since != next.absent_since
                };
                if !self.first && stored.is_none_or(|(stored, _)| differs(stored)) {
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
    /// operator accepts a collapse, as long as that approval stands.
    pub async fn finish(
        mut self,
        unchanged: &[sources::StoredPart],
        gone_parts: &[i64],
        approved: Option<(&Approval, Size)>,
    ) -> Result<Imported, StoreError> {
        self.write_people().await?;
        self.write_registrations().await?;
        if self.read_all {
            self.transaction
                .rollback()
                .await
                .doing("leaving an import")?;
            return Ok(Imported::ReadAll);
        }
        let missing = self.missing().await?;
        let rows = if self.first {
            self.seen.len() as u64
        } else {
            self.rows_after(missing.len() as u64).await?
        };
        let (before, size) = if self.source == Source::Registration {
            self.enabled(&missing).await?
        } else {
            let kept = self.before.saturating_sub(missing.len() as u64);
            (self.before, Size { rows, kept })
        };
        if has_collapsed(&mut self.transaction, before, size, approved, self.now).await? {
            self.transaction
                .rollback()
                .await
                .doing("leaving an import")?;
            return Ok(Imported::Collapsed { before, size });
        }
        // A snapshot of several parts is as old as the oldest of them (rule 7.8).
        let mut oldest = unchanged.iter().map(|part| part.as_of).min();
        for (part, _, part_rows, part_as_of) in std::mem::take(&mut self.parts) {
            sources::note_part(
                &mut self.transaction,
                self.source,
                &part,
                part_as_of,
                part_rows,
            )
            .await?;
            oldest = Some(oldest.map_or(part_as_of, |oldest| oldest.min(part_as_of)));
        }
        for id in gone_parts {
            sources::forget_part(&mut self.transaction, *id).await?;
        }
        let aside = std::mem::take(&mut self.quarantined);
        sources::quarantine(&mut self.transaction, self.source, &aside, self.now).await?;
        let reading = oldest.unwrap_or(Timestamp::MIN).min(self.now);
        let (mut as_of, mut ahead) = (reading, None);
        match self.source {
            Source::Registration => {
                let dates = std::mem::take(&mut self.dates).read_at(reading);
                ahead = dates.named_ahead();
                as_of = self.date_report(reading, dates).await?;
                self.end_report(&missing, as_of).await?;
            }
            _ => self.end_people(&missing).await?,
        }
        sources::accept(
            &mut self.transaction,
            self.source,
            reading,
            as_of,
            rows,
            self.now,
        )
        .await?;
        if self.duplicates {
            settings::write(
                &mut self.transaction,
                &settings::duplicates(self.source.as_str()),
                &true,
            )
            .await?;
        }
        if self.first {
            settings::write(&mut self.transaction, &settings::SWEEP, &String::new()).await?;
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
        Ok(Imported::Accepted {
            changed,
            rows,
            ahead,
        })
    }

    /// The snapshot's rows now: those before, less the missing, and those who are new or back.
    async fn rows_after(&mut self, missing: u64) -> Result<u64, StoreError> {
        let statement = match self.source {
            Source::Registration => {
                "SELECT (SELECT COUNT(*) FROM registrations) - (SELECT COUNT(*) FROM registrations WHERE absent_since IS NOT NULL)"
            }
            _ => PRESENT,
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
                    .filter(|id| !self.seen.contains_key(&halves(digest(id)))),
            );
        }
        Ok(missing)
    }

    async fn end_people(&mut self, missing: &[String]) -> Result<(), StoreError> {
        let statements = missing.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new("UPDATE people SET gone_at = ");
            statement.push_bind(micros(self.now)).push(" WHERE ");
            super::Whom::these(ids).restrict(&mut statement, "id");
            statement
        });
        execute_each(&mut self.transaction, statements)
            .await
            .doing("noting who is gone")?;
        self.mark_changed(missing).await
    }

    /// The rows, before and now, of people who are enabled: reports leave out who is disabled
    /// (rule 7.6). Where nobody is missing, nothing shrank.
    async fn enabled(&mut self, missing: &[String]) -> Result<(u64, Size), StoreError> {
        if self.first || missing.is_empty() {
            return Ok((0, Size { rows: 0, kept: 0 }));
        }
        let present: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM registrations JOIN people ON people.id = registrations.user_id
             WHERE absent_since IS NULL AND gone_at IS NULL AND enabled = TRUE",
        )
        .fetch_one(&mut *self.transaction)
        .await
        .doing("counting a snapshot")?;
        let present = u64::try_from(present).unwrap_or(0);
        let appeared: Vec<&str> = self.appeared.iter().map(String::as_str).collect();
        let appeared = enabled_of(&mut self.transaction, &appeared).await?;
        let missing: Vec<&str> = missing.iter().map(String::as_str).collect();
        let missing = enabled_of(&mut self.transaction, &missing).await?;
        let before = present.saturating_sub(appeared);
        let size = Size {
            rows: present.saturating_sub(missing),
            kept: before.saturating_sub(missing),
        };
        Ok((before, size))
    }

    /// What the report is as of; remembers what dates it (rule 7.8).
    async fn date_report(
        &mut self,
        reading: Timestamp,
        dates: RowDates,
    ) -> Result<Timestamp, StoreError> {
        let another = Another::Yes { digest: None };
        let (another, lag) = self
            .report
            .take()
            .unwrap_or((another, SignedDuration::ZERO));
        let before = settings::read(&mut *self.transaction, &settings::LAST_REPORT).await?;
        let reached = dates.reached;
        let report = before.unwrap_or_default().then(another, dates);
        settings::write(&mut self.transaction, &settings::LAST_REPORT, &report).await?;
        Ok(match self.previous {
            Some(previous) if report.copied => previous,
            previous => age::as_of(reading, lag, reached, previous),
        })
    }

    /// The date of what this report says was lost: the report's, and always later than that of the
    /// one before, which may be younger if it came from elsewhere.
    async fn date_losses(&mut self, as_of: Timestamp) -> Result<Timestamp, StoreError> {
        let last = settings::read(&mut *self.transaction, &settings::LOSSES_DATED).await?;
        let dated = last.map_or(micros(as_of), |last| micros(as_of).max(micros(last) + 1));
        let dated = instant(dated);
        settings::write(&mut self.transaction, &settings::LOSSES_DATED, &dated).await?;
        Ok(dated)
    }

    /// Dates the losses of this report, notes who is absent, and has all doubted losses looked
    /// at again: one more report may confirm them.
    async fn end_report(&mut self, missing: &[String], as_of: Timestamp) -> Result<(), StoreError> {
        let since = self.previous.unwrap_or(as_of);
        let as_of = self.date_losses(as_of).await?;
        for statement in [
            "UPDATE registrations SET capable_missing_since = CASE WHEN capable_done_as_of > $1 THEN capable_done_as_of ELSE $1 END
             WHERE capable_done_as_of IS NOT NULL AND capable_missing_since = $2",
            "UPDATE registrations SET passwordless_missing_since = CASE WHEN passwordless_done_as_of > $1 THEN passwordless_done_as_of ELSE $1 END
             WHERE passwordless_done_as_of IS NOT NULL AND passwordless_missing_since = $2",
        ] {
            sqlx::query(statement)
                .bind(micros(as_of))
                .bind(micros(NOT_DATED_YET))
                .execute(&mut *self.transaction)
                .await
                .doing("dating losses")?;
        }
        let statements = missing.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new("UPDATE registrations SET absent_since = ");
            statement.push_bind(micros(since)).push(" WHERE ");
            super::Whom::these(ids).restrict(&mut statement, "user_id");
            statement
        });
        execute_each(&mut self.transaction, statements)
            .await
            .doing("noting who is absent")?;
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

/// How many of these people are there and enabled.
async fn enabled_of(connection: &mut Connection, ids: &[&str]) -> Result<u64, StoreError> {
    let mut count = 0;
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new(
            "SELECT COUNT(*) FROM people WHERE gone_at IS NULL AND enabled = TRUE AND ",
        );
        super::Whom::these(ids.iter().copied()).restrict(&mut statement, "id");
        let enabled: i64 = statement
            .build_query_scalar()
            .fetch_one(&mut *connection)
            .await
            .doing("counting a snapshot")?;
        count += u64::try_from(enabled).unwrap_or(0);
    }
    Ok(count)
}

/// Whether a row tells decisions anything new. Nearly everybody signs in daily: that alone counts
/// only in a stretch that the logs do not cover.
pub(super) fn is_news(mut known: Person, row: &Person, log_gap: Option<Gap>) -> bool {
    let before = std::mem::replace(&mut known.last_sign_in_at, row.last_sign_in_at);
    let hinted = row.last_sign_in_at.filter(|at| before != Some(*at));
    known != *row || log_gap.is_some_and(|gap| hinted.is_some_and(|at| gap.contains(at)))
}
