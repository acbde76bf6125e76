//! The floor: what the same rows cost with nothing but a JSON parser and `SQLite`.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use serde::Deserialize;
use serde::de::DeserializeOwned;

#[derive(Deserialize)]
struct Page<Row> {
    value: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    #[serde(rename = "userPrincipalName")]
    name: String,
    display_name: String,
    mail: String,
    account_enabled: bool,
    #[serde(rename = "userType")]
    kind: String,
    created_date_time: String,
    preferred_language: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Registration {
    id: String,
    is_mfa_registered: bool,
    is_mfa_capable: bool,
    is_passwordless_capable: bool,
    last_updated_date_time: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignIn {
    id: String,
    user_id: String,
    created_date_time: String,
    is_interactive: bool,
    client_app_used: String,
    app_display_name: String,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    error_code: i64,
}

/// Parses every page and upserts every row, one transaction a collection.
pub(crate) fn import(folder: &Path) -> Duration {
    let began = Instant::now();
    let dump = folder.join("tenant");
    let mut connection = open(&folder.join("floor.db"));
    connection
        .execute_batch(
            "CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, name TEXT, display_name TEXT, mail TEXT, enabled BOOLEAN, kind TEXT, created_at TEXT, language TEXT);
             CREATE TABLE registrations (id TEXT NOT NULL PRIMARY KEY, registered BOOLEAN, capable BOOLEAN, passwordless BOOLEAN, updated_at TEXT);
             CREATE TABLE sign_ins (id TEXT NOT NULL PRIMARY KEY, user_id TEXT, at TEXT, interactive BOOLEAN, client TEXT, app TEXT, code INTEGER);",
        )
        .unwrap();
    upsert(
        &mut connection,
        &dump.join("users"),
        "INSERT INTO users VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (id) DO UPDATE SET name = excluded.name, display_name = excluded.display_name, mail = excluded.mail,
             enabled = excluded.enabled, kind = excluded.kind, created_at = excluded.created_at, language = excluded.language",
        |statement, row: User| {
            statement.execute(params![
                row.id, row.name, row.display_name, row.mail, row.account_enabled, row.kind,
                row.created_date_time, row.preferred_language
            ])
        },
    );
    upsert(
        &mut connection,
        &dump.join("userRegistrationDetails"),
        "INSERT INTO registrations VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO UPDATE SET registered = excluded.registered, capable = excluded.capable,
             passwordless = excluded.passwordless, updated_at = excluded.updated_at",
        |statement, row: Registration| {
            statement.execute(params![
                row.id, row.is_mfa_registered, row.is_mfa_capable, row.is_passwordless_capable, row.last_updated_date_time
            ])
        },
    );
    upsert(
        &mut connection,
        &dump.join("signIns"),
        "INSERT INTO sign_ins VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
         ON CONFLICT (id) DO UPDATE SET user_id = excluded.user_id, at = excluded.at, interactive = excluded.interactive,
             client = excluded.client, app = excluded.app, code = excluded.code",
        |statement, row: SignIn| {
            statement.execute(params![
                row.id, row.user_id, row.created_date_time, row.is_interactive, row.client_app_used, row.app_display_name,
                row.status.error_code
            ])
        },
    );
    began.elapsed()
}

fn upsert<Row: DeserializeOwned>(
    connection: &mut Connection,
    folder: &Path,
    statement: &str,
    write: impl Fn(&mut rusqlite::Statement<'_>, Row) -> rusqlite::Result<usize>,
) {
    let mut pages: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    pages.sort();
    let transaction = connection.transaction().unwrap();
    {
        let mut statement = transaction.prepare(statement).unwrap();
        for page in pages {
            let bytes = fs::read(page).unwrap();
            let page: Page<Row> = serde_json::from_slice(&bytes).unwrap();
            for row in page.value {
                write(&mut statement, row).unwrap();
            }
        }
    }
    transaction.commit().unwrap();
}

/// Inserts the rows of the outbox again, prepared, in one transaction and with its indexes; that
/// they are read and removed before is not counted.
pub(crate) fn insert_outbox(database: &Path) -> Duration {
    let mut connection = open(database);
    let mut select = connection
        .prepare("SELECT * FROM outbox ORDER BY position")
        .unwrap();
    let columns = select.column_count();
    let rows: Vec<Vec<rusqlite::types::Value>> = select
        .query_map([], |row| {
            (0..columns).map(|column| row.get(column)).collect()
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    drop(select);
    connection.execute("DELETE FROM outbox", []).unwrap();
    let places = vec!["?"; columns].join(", ");
    let began = Instant::now();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare(&format!("INSERT INTO outbox VALUES ({places})"))
            .unwrap();
        for row in &rows {
            insert.execute(rusqlite::params_from_iter(row)).unwrap();
        }
    }
    transaction.commit().unwrap();
    began.elapsed()
}

fn open(database: &Path) -> Connection {
    let connection = Connection::open(database).unwrap();
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    connection
        .execute_batch("PRAGMA synchronous = FULL")
        .unwrap();
    connection
}
