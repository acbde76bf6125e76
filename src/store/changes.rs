//! People as Graph tells of them: page by page, first everybody and then who changed.
//!
//! A page is absorbed with the place where its reading goes on. What it says of somebody *present*
//! is true at once; that somebody is gone is only a doubt until they were asked for by id, because
//! a delta repeats itself and comes in any order.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::db::{Connection, Db};
use super::people::is_news;
use super::records::{PRESENT, mark_changed, stored_people, user_id, write_people, write_unsure};
use super::rows::{Column, execute_each, with_rows};
use super::sources::{self, NewPart, Source};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, instant, micros, settings};
use crate::domain::id::UserId;
use crate::domain::person::Person;

/// So many people whose row cannot be believed are asked for at once: the rest wait for a change.
const UNSURE_ASKED_FOR: i64 = 100;

/// A page of a reading of users.
#[derive(Debug, Default)]
pub struct UserPage {
    /// Who is there.
    pub people: Vec<Person>,
    /// Who was removed, as a delta has it.
    pub removed: Vec<UserId>,
    /// Whose row cannot be believed.
    pub unbelieved: Vec<UserId>,
}

/// A reading of users that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsersRead {
    /// The number of the last reading of everybody.
    pub part: i64,
    /// How old its facts are.
    pub as_of: Timestamp,
    /// Whether it told of anybody; if not, nobody is counted again.
    pub differs: bool,
}

/// How many users there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Headcount {
    /// Who is not gone.
    pub present: u64,
    /// Of these, who may be gone.
    pub doubted: u64,
    /// How many the last accepted snapshot had.
    pub accepted: u64,
}

impl Store {
    /// Begins a reading of everybody and gives its number: whoever does not bear it at the end was
    /// not in it.
    pub async fn begin_users(&self, name: &str, now: Timestamp) -> Result<i64, StoreError> {
        let mut transaction = self.begin().await?;
        let part = NewPart {
            names_next: false,
            name: name.to_owned(),
            fingerprint: String::new(),
        };
        let number = sources::note_part(&mut transaction, Source::Users, &part, now, 0).await?;
        transaction
            .commit()
            .await
            .doing("beginning to read users")?;
        Ok(number)
    }

    /// Absorbs a page, and with it the place where the reading goes on.
    pub async fn absorb_users(
        &self,
        part: i64,
        page: UserPage,
        reading: &str,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let doubts = write_present(&mut transaction, part, page.people, Back::Doubted).await?;
        let removed = page.removed.into_iter().map(|id| id.as_str().to_owned());
        let removed: Vec<String> = removed.chain(doubts).collect();
        doubt(&mut transaction, &removed).await?;
        // Until they are asked for, nobody knows enough of either to flag them.
        let unbelieved = page.unbelieved.iter().map(|id| id.as_str().to_owned());
        let unsure: Vec<String> = unbelieved.chain(removed).collect();
        mark_unsure(&mut transaction, &unsure, part).await?;
        sources::set_reading(&mut transaction, Source::Users, reading).await?;
        transaction.commit().await.doing("absorbing users")
    }

    /// A reading of everybody is over: whoever was not in it may be gone.
    pub async fn doubt_absent(&self, part: i64, reading: &str) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        sqlx::query(
            "INSERT INTO doubted_people (user_id)
             SELECT id FROM people WHERE part <> $1 AND gone_at IS NULL
             ON CONFLICT (user_id) DO NOTHING",
        )
        .bind(part)
        .execute(&mut *transaction)
        .await
        .doing("looking for absent users")?;
        sources::set_reading(&mut transaction, Source::Users, reading).await?;
        transaction.commit().await.doing("looking for absent users")
    }

    /// Who is gone, and whom something that is new since the last decision names nevertheless: a sign-in
    /// or an event since then, a row of the report, or a membership. They are doubted, and to be asked
    /// for.
    pub async fn doubt_gone_who_are_named(
        &self,
        now: Timestamp,
    ) -> Result<Vec<UserId>, StoreError> {
        let doing = "looking for who may be back";
        let mut transaction = self.begin().await?;
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT people.id FROM changed JOIN people ON people.id = changed.user_id WHERE people.gone_at < $1 AND (
                 EXISTS (SELECT 1 FROM sign_ins WHERE sign_ins.user_id = people.id AND sign_ins.at > people.gone_at)
                 OR EXISTS (SELECT 1 FROM audits WHERE audits.user_id = people.id AND audits.at > people.gone_at)
                 OR EXISTS (SELECT 1 FROM registrations WHERE registrations.user_id = people.id AND absent_since IS NULL)
                 OR EXISTS (SELECT 1 FROM memberships WHERE memberships.user_id = people.id))
             ORDER BY people.id",
        )
        .bind(micros(now))
        .fetch_all(&mut *transaction)
        .await
        .doing(doing)?;
        doubt(&mut transaction, &ids).await?;
        transaction.commit().await.doing(doing)?;
        ids.iter().map(|id| user_id("people", id)).collect()
    }

    /// Who may be gone, and some of those whose row cannot be believed: they are to be asked for.
    pub async fn doubted_users(&self) -> Result<Vec<UserId>, StoreError> {
        let ids: Vec<String> = sqlx::query_scalar(
            "SELECT user_id FROM doubted_people
             UNION SELECT id FROM (SELECT id FROM people WHERE unsure = TRUE AND gone_at IS NULL ORDER BY id LIMIT $1) AS unsure
             ORDER BY 1",
        )
        .bind(UNSURE_ASKED_FOR)
        .fetch_all(&self.read)
        .await
        .doing("reading who is doubted")?;
        ids.iter().map(|id| user_id("doubted_people", id)).collect()
    }

    /// How many there are.
    pub async fn headcount(&self) -> Result<Headcount, StoreError> {
        let present: i64 = sqlx::query_scalar(PRESENT)
            .fetch_one(&self.read)
            .await
            .doing("counting users")?;
        let (doubted, accepted): (i64, i64) = sqlx::query_as(
            "SELECT (SELECT COUNT(*) FROM doubted_people JOIN people ON people.id = doubted_people.user_id WHERE gone_at IS NULL),
                    COALESCE((SELECT rows_read FROM sources WHERE name = $1), 0)",
        )
        .bind(Source::Users.as_str())
        .fetch_one(&self.read)
        .await
        .doing("counting users")?;
        let count = |count| u64::try_from(count).unwrap_or(0);
        Ok(Headcount {
            present: count(present),
            doubted: count(doubted),
            accepted: count(accepted),
        })
    }

    /// Some of the doubted were asked for by id: who is there, and who is gone. Whose row cannot be
    /// believed is there, and unsure.
    pub async fn settle_doubts(
        &self,
        part: i64,
        present: Vec<Person>,
        unreadable: &[UserId],
        gone: &[UserId],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        let gone: Vec<String> = gone.iter().map(|id| id.as_str().to_owned()).collect();
        let settled: Vec<String> = present
            .iter()
            .map(|person| &person.id)
            .chain(unreadable)
            .map(|id| id.as_str().to_owned())
            .chain(gone.iter().cloned())
            .collect();
        write_present(connection, part, present, Back::Believed).await?;
        let unreadable: Vec<String> = unreadable.iter().map(|id| id.as_str().to_owned()).collect();
        mark_unsure(connection, &unreadable, part).await?;
        for ids in gone.chunks(ROWS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new("UPDATE people SET gone_at = ");
            statement
                .push_bind(micros(now))
                .push(" WHERE gone_at IS NULL AND ");
            super::Whom::these(ids).restrict(&mut statement, "id");
            let changed: Vec<String> = statement
                .push(" RETURNING id")
                .build_query_scalar()
                .fetch_all(&mut *connection)
                .await
                .doing("noting who is gone")?;
            mark_changed(connection, &changed).await?;
        }
        let statements = settled.chunks(ROWS_PER_STATEMENT).map(|ids| {
            let mut statement = QueryBuilder::<Db>::new("DELETE FROM doubted_people WHERE ");
            super::Whom::these(ids).restrict(&mut statement, "user_id");
            statement
        });
        execute_each(connection, statements)
            .await
            .doing("settling who is gone")?;
        transaction.commit().await.doing("settling who is gone")
    }

    /// A reading is over and believed.
    pub async fn accept_users(
        &self,
        read: UsersRead,
        reading: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        let doing = "accepting users";
        let (before, mut rows) = sources::accepted(connection, Source::Users).await?;
        if read.differs {
            let present: i64 = sqlx::query_scalar(PRESENT)
                .fetch_one(&mut *connection)
                .await
                .doing(doing)?;
            rows = u64::try_from(present).unwrap_or(0);
        }
        sqlx::query("DELETE FROM parts WHERE source = $1 AND id <> $2")
            .bind(Source::Users.as_str())
            .bind(read.part)
            .execute(&mut *connection)
            .await
            .doing(doing)?;
        sources::accept(connection, Source::Users, read.as_of, read.as_of, rows, now).await?;
        sources::set_reading(connection, Source::Users, reading).await?;
        if before.is_none() {
            // Nobody was marked while there was no snapshot to decide on.
            settings::write(connection, &settings::SWEEP, &String::new()).await?;
        }
        transaction.commit().await.doing(doing)
    }

    /// What the directory itself remembers of people's last sign-ins: a hint where logs are gone
    /// (case 23).
    pub async fn note_last_sign_ins(&self, rows: &[(UserId, Timestamp)]) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let gap = sources::log_gap(&mut *transaction).await?;
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            let columns = &[("user_id", Column::Text), ("at", Column::Bigint)];
            let mut statement = with_rows("seen", columns, rows, |row, (user, at)| {
                row.bind(user.as_str()).bind(micros(*at));
            });
            statement.push(
                "UPDATE people SET last_sign_in_at = seen.at FROM seen
                 WHERE people.id = seen.user_id AND (people.last_sign_in_at IS NULL OR people.last_sign_in_at <> seen.at)
                 RETURNING people.id, people.last_sign_in_at",
            );
            let changed: Vec<(String, i64)> = statement
                .build_query_as()
                .fetch_all(&mut *transaction)
                .await
                .doing("noting last sign-ins")?;
            let hinted: Vec<String> = changed
                .into_iter()
                .filter(|(_, at)| gap.is_some_and(|gap| gap.contains(instant(*at))))
                .map(|(id, _)| id)
                .collect();
            mark_changed(&mut transaction, &hinted).await?;
        }
        transaction.commit().await.doing("noting last sign-ins")
    }
}

/// Whether somebody who was gone is back because a row says so.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Back {
    /// They were asked for by id.
    Believed,
    /// An old change may have been repeated: they are asked for first.
    Doubted,
}

/// Writes who is there; the ids of those about whom that is in doubt.
async fn write_present(
    connection: &mut Connection,
    part: i64,
    people: Vec<Person>,
    back: Back,
) -> Result<Vec<String>, StoreError> {
    let (accepted, _) = sources::accepted(connection, Source::Users).await?;
    let gap = sources::log_gap(&mut *connection).await?;
    // Of several rows of one person on a page the last one counts.
    let mut by_id: HashMap<String, Person> = HashMap::new();
    for person in people {
        by_id.insert(person.id.as_str().to_owned(), person);
    }
    let mut ids: Vec<String> = by_id.keys().cloned().collect();
    ids.sort_unstable();
    let mut known: HashMap<String, (Person, i64)> = stored_people(connection, &ids)
        .await?
        .into_iter()
        .map(|(person, part)| (person.id.as_str().to_owned(), (person, part)))
        .collect();
    let (mut rows, mut news, mut doubts) = (Vec::new(), Vec::new(), Vec::new());
    for id in ids {
        let Some(mut person) = by_id.remove(&id) else {
            continue;
        };
        person.created_at = person.created_at.map(|at| instant(micros(at)));
        let stored = known.remove(&id);
        if let Some((stored, stored_part)) = &stored {
            if stored.is_gone() && back == Back::Doubted {
                doubts.push(id);
                continue;
            }
            // A delta does not tell of sign-ins.
            person.last_sign_in_at = person.last_sign_in_at.or(stored.last_sign_in_at);
            if *stored == person && *stored_part == part {
                continue;
            }
        }
        if stored.is_none_or(|(stored, _)| is_news(stored, &person, gap)) {
            news.push(id);
        }
        rows.push((person, part));
    }
    let rows: Vec<&(Person, i64)> = rows.iter().collect();
    write_people(connection, &rows).await?;
    if accepted.is_some() {
        mark_changed(connection, &news).await?;
    }
    Ok(doubts)
}

/// What is known of some people who are there is not enough to flag them.
async fn mark_unsure(
    connection: &mut Connection,
    ids: &[String],
    part: i64,
) -> Result<(), StoreError> {
    let mut known = stored_people(connection, ids).await?;
    known.retain(|(person, _)| !person.is_gone());
    write_unsure(connection, known, part).await?;
    Ok(())
}

async fn doubt(connection: &mut Connection, ids: &[String]) -> Result<(), StoreError> {
    let statements = ids.chunks(ROWS_PER_STATEMENT).map(|ids| {
        let mut statement = QueryBuilder::<Db>::new("INSERT INTO doubted_people (user_id) ");
        statement.push_values(ids, |mut row, id| {
            row.push_bind(id.clone());
        });
        statement.push(" ON CONFLICT (user_id) DO NOTHING");
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("noting who may be gone")?;
    Ok(())
}
