//! How people and their registrations lie in their tables, and the marks of whose facts changed.

use sqlx::{QueryBuilder, Row as _};

use super::db::{Connection, Db, Row};
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, StoreError, instant, micros};
use crate::domain::id::UserId;
use crate::domain::person::{AccountKind, Person, Presence};
use crate::domain::registration::{Detail, Level, Registration, Track};

/// Marks people whose facts changed: the next pass decides about them.
pub(super) async fn mark_changed(
    connection: &mut Connection,
    ids: &[String],
) -> Result<(), StoreError> {
    let statements = ids.chunks(ROWS_PER_STATEMENT).map(|ids| {
        let mut statement = QueryBuilder::<Db>::new("INSERT INTO changed (user_id, mark) ");
        let ids: std::collections::BTreeSet<&String> = ids.iter().collect();
        statement.push_values(ids, |mut row, id| {
            row.push_bind(id.clone()).push_bind(1_i64);
        });
        statement.push(" ON CONFLICT (user_id) DO UPDATE SET mark = changed.mark + 1");
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("marking who changed")?;
    Ok(())
}

/// How many people are there: all but those who are gone, so that indexes alone are counted.
pub(super) const PRESENT: &str = "SELECT (SELECT COUNT(*) FROM people) - (SELECT COUNT(*) FROM people WHERE gone_at IS NOT NULL)";

/// The columns of a person, in the order in which [`person`] reads them.
pub(super) const PERSON: &str = "people.id, people.user_principal_name, people.display_name, people.mail, people.kind, \
     people.enabled, people.created_at, people.preferred_language, people.gone_at, people.last_sign_in_at, people.unsure";
/// How many these are.
pub(super) const PERSON_COLUMNS: usize = 11;

pub(super) fn person(row: &Row) -> Result<Person, StoreError> {
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
            row.try_get::<bool, _>(10)?,
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
        unsure,
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
        presence: match gone_at {
            Some(at) => Presence::Gone { at: instant(at) },
            None if unsure => Presence::Unsure,
            None => Presence::Present,
        },
    })
}

pub(super) fn user_id(table: &'static str, id: &str) -> Result<UserId, StoreError> {
    UserId::stored(id).map_err(|_| StoreError::Inconsistent {
        table,
        key: id.to_owned(),
        column: "id",
        value: id.to_owned(),
    })
}

pub(super) async fn stored_people(
    connection: &mut Connection,
    ids: &[String],
) -> Result<Vec<(Person, i64)>, StoreError> {
    let mut found = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT ");
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
            let part = row.try_get(PERSON_COLUMNS).doing("reading people")?;
            found.push((person(&row)?, part));
        }
    }
    Ok(found)
}

pub(super) async fn write_people(
    connection: &mut Connection,
    people: &[&(Person, i64)],
) -> Result<(), StoreError> {
    let statements = people.chunks(ROWS_PER_STATEMENT).map(|people| {
        let mut statement = QueryBuilder::<Db>::new(
            "INSERT INTO people (id, user_principal_name, upn_key, display_name, mail, kind, enabled, created_at, preferred_language, last_sign_in_at, unsure, part) ",
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
                .push_bind(person.presence == Presence::Unsure)
                .push_bind(*part);
        });
        statement.push(
            " ON CONFLICT (id) DO UPDATE SET user_principal_name = excluded.user_principal_name, upn_key = excluded.upn_key,
              display_name = excluded.display_name, mail = excluded.mail, kind = excluded.kind, enabled = excluded.enabled,
              created_at = excluded.created_at, preferred_language = excluded.preferred_language,
              last_sign_in_at = excluded.last_sign_in_at, gone_at = NULL, unsure = excluded.unsure, part = excluded.part",
        );
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing people")
        .map(drop)
}

/// Writes of people that they are there, and that no more is sure; how many were sure before.
pub(super) async fn write_unsure(
    connection: &mut Connection,
    mut known: Vec<(Person, i64)>,
    part: i64,
) -> Result<u64, StoreError> {
    known.retain(|(person, was_in)| person.presence != Presence::Unsure || *was_in != part);
    let changed: Vec<String> = known
        .iter()
        .filter(|(person, _)| person.presence != Presence::Unsure)
        .map(|(person, _)| person.id.as_str().to_owned())
        .collect();
    let rows: Vec<(Person, i64)> = known
        .into_iter()
        .map(|(person, _)| {
            let presence = Presence::Unsure;
            (Person { presence, ..person }, part)
        })
        .collect();
    write_people(connection, &rows.iter().collect::<Vec<_>>()).await?;
    mark_changed(connection, &changed).await?;
    Ok(changed.len() as u64)
}

/// The columns of a registration, in the order in which [`registration`] reads them.
pub(super) const REGISTRATION: &str = "registrations.user_id, registrations.level, registrations.detail, registrations.absent_since, \
     registrations.capable_done_as_of, registrations.capable_missing_since, \
     registrations.passwordless_done_as_of, registrations.passwordless_missing_since";

/// How many these are.
pub(super) const REGISTRATION_COLUMNS: usize = 8;

/// Reads a registration whose columns begin at `from`; none where the join found no row.
pub(super) fn registration(
    row: &Row,
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

pub(super) async fn stored_registrations(
    connection: &mut Connection,
    ids: &[String],
) -> Result<Vec<(String, Registration, i64)>, StoreError> {
    let mut found = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT) {
        let mut statement = QueryBuilder::<Db>::new("SELECT ");
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
                    row.try_get(REGISTRATION_COLUMNS)
                        .doing("reading registrations")?,
                ));
            }
        }
    }
    Ok(found)
}

pub(super) async fn write_registrations(
    connection: &mut Connection,
    rows: &[(String, Registration, i64)],
) -> Result<(), StoreError> {
    let statements = rows.chunks(ROWS_PER_STATEMENT).map(|rows| {
        let mut statement = QueryBuilder::<Db>::new(
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
    });
    execute_each(connection, statements)
        .await
        .doing("writing registrations")
        .map(drop)
}

/// Forgets what reports said of these.
pub(super) async fn forget_registrations(
    connection: &mut Connection,
    ids: &[String],
) -> Result<(), StoreError> {
    let statements = ids.chunks(ROWS_PER_STATEMENT).map(|ids| {
        let mut statement = QueryBuilder::<Db>::new("DELETE FROM registrations WHERE ");
        super::Whom::these(ids).restrict(&mut statement, "user_id");
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("forgetting registrations")
        .map(drop)
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

pub(super) fn level_name(level: Level) -> &'static str {
    match level {
        Level::Missing => "missing",
        Level::Passwordless => "passwordless",
        Level::Capable => "capable",
    }
}

pub(super) fn detail_name(detail: Detail) -> &'static str {
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
