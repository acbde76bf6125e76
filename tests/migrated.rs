//! A database that an earlier version left goes on: windows, waiting rows, a delivery that was cut
//! off, holds and acts. What was said is not said again, and what waits is not lost.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use fortnight::config::Config;
use fortnight::domain::delivery::State;
use fortnight::engine::{Engine, Wake};
use fortnight::report::{PassReport, Progress};
use fortnight::store::{Store, Whom};
use fortnight::time::Clock;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

/// Written by passes from 1 to 17 January 2026 with two policies, two endpoints that were away, and
/// a mail server that went away on the 8th; the last delivery was cut off.
const BEFORE: &str = include_str!("data/migrations/20261126_before_rows_said_what_they_are.sql");

/// Written by passes from 5 to 22 January 2026: two people whose address a restricted mailbox
/// refuses, one who is flagged, two who are due, and a report that has stood still since the 19th.
const BEFORE_FAULTS: &str = include_str!("data/migrations/20261128_before_faults_were_weighed.sql");

const CONFIGURATION: &str = r#"timezone = "Europe/Berlin"
[database]
url = "sqlite:fortnight.db"
[directory]
source = "files"
[directory.files]
path = "tenant"
[freshness]
users = "900d"
registration = "900d"
sign_ins = "900d"
[[policy]]
name = "everyone"
enforce = "on"
include = { all_users = true }
exclude = { groups = ["Emergency"] }
[[policy]]
name = "rehearsed"
enforce = "report-only"
include = { users = ["ana@contoso.com", "bo@contoso.com"] }
exclude = { groups = ["Emergency"] }
[email]
from = "Identity team <identity@contoso.com>"
operators = ["oncall@contoso.com"]
transport = "file"
[email.file]
path = "outbox"
"#;

const CONFIGURATION_SINCE: &str = r#"timezone = "UTC"
[database]
url = "sqlite:fortnight.db"
[directory]
source = "files"
[directory.files]
path = "tenant"
[[policy]]
name = "everyone"
enforce = "on"
since = 2026-01-05T12:00:00Z
include = { all_users = true }
allow_empty_exclusion = true
[email]
from = "Identity team <identity@contoso.com>"
operators = ["oncall@contoso.com"]
transport = "file"
[email.file]
path = "outbox"
"#;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A row of the outbox as it was: its state, and the id that its receiver sees.
type Row = (String, String, String, Option<String>);

/// The mails of the earlier version, by their ids, and what everybody's state was.
fn as_it_was(
    database: &Path,
    before: &str,
) -> (BTreeMap<String, Row>, BTreeMap<(String, String), String>) {
    let old = rusqlite::Connection::open(database).unwrap();
    old.execute_batch(before).unwrap();
    let mut rows = old
        .prepare(
            "SELECT id, state, message_id, event, user_id FROM outbox WHERE message_id LIKE '<%'",
        )
        .unwrap();
    let rows = rows
        .query_map([], |row| {
            let id: String = row.get(0)?;
            Ok((id, (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
        })
        .unwrap();
    let mut states = old
        .prepare("SELECT policy, user_id, state FROM standings")
        .unwrap();
    let states = states
        .query_map([], |row| Ok(((row.get(0)?, row.get(1)?), row.get(2)?)))
        .unwrap();
    (
        rows.map(Result::unwrap).collect(),
        states.map(Result::unwrap).collect(),
    )
}

/// The configuration, beside a folder of exports in which there are none.
fn configured(folder: &Path, configuration: &str) -> Config {
    std::fs::create_dir(folder.join("tenant")).unwrap();
    let file = folder.join("fortnight.toml");
    std::fs::write(&file, configuration).unwrap();
    Config::load(&file, []).unwrap().0
}

/// Everybody stands where the earlier version left them.
async fn states_are(store: &Store, states: &BTreeMap<(String, String), String>) {
    let everybody = Whom::Range(String::new(), "z".to_owned());
    for dossier in store.load(&everybody).await.unwrap() {
        for (policy, kept) in &dossier.kept {
            let key = (policy.to_string(), dossier.person.id.to_string());
            let state = states.get(&key).map(String::as_str);
            assert_eq!(state, Some(kept.state.as_str()), "{key:?}");
        }
    }
}

async fn pass(store: &Store, config: &Config, now: &str) -> PassReport {
    let progress = Arc::new(Progress::default());
    let clock = Clock::fixed_at(at(now));
    let engine = Engine::new(store.clone(), config.clone(), clock, progress).unwrap();
    let mut report = PassReport::new(at(now));
    engine
        .pass(Wake::Changes, &mut report, &CancellationToken::new())
        .await
        .unwrap();
    report
}

/// The Message-IDs of all mails in a folder.
fn sent(folder: &Path) -> Vec<String> {
    let mails = std::fs::read_dir(folder).unwrap();
    mails
        .map(|mail| {
            let bytes = std::fs::read(mail.unwrap().path()).unwrap();
            let mail = mail_parser::MessageParser::new().parse(&bytes).unwrap();
            format!("<{}>", mail.message_id().unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_database_of_an_earlier_version_is_no_riddle_to_whoever_asks_before_the_next_pass() {
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("fortnight.db");
    as_it_was(&database, BEFORE);
    let asked = Store::open_existing(&database).await.unwrap_err();
    assert_eq!(
        asked.to_string(),
        format!(
            "the database {} is of an earlier fortnight: ask again after the next pass of `fortnight run` or `fortnight cycle`, which brings it up to date",
            database.display()
        )
    );
    Store::open(&database).await.unwrap().close().await;
    Store::open_existing(&database).await.unwrap();
}

#[tokio::test]
async fn a_database_of_an_earlier_version_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = configured(folder.path(), CONFIGURATION);
    let (mails, states) = as_it_was(&path("fortnight.db"), BEFORE);
    let store = Store::open(&config.database).await.unwrap();
    states_are(&store, &states).await;
    assert_eq!(store.holds().await.unwrap().len(), 3);

    pass(&store, &config, "2026-01-17T09:00:00Z").await;
    pass(&store, &config, "2026-01-17T09:20:00Z").await;
    let went = sent(&path("outbox"));
    let once: BTreeSet<&String> = went.iter().collect();
    assert_eq!(once.len(), went.len(), "nothing is sent twice");
    let now: BTreeMap<String, State> = store
        .deliveries(&[], None)
        .await
        .unwrap()
        .into_iter()
        .map(|row| (row.id, row.state))
        .collect();
    for (id, (state, message_id, event, user)) in &mails {
        let what = format!("{event} to {user:?}, {state}");
        let went = once.contains(message_id);
        match state.as_str() {
            "pending" | "leased" => {
                assert!(went, "{what}: what waited is sent under its id");
                assert_eq!(now[id], State::Sent, "{what}");
            }
            _ => {
                assert!(!went, "{what}: what was over stays over");
                assert_eq!(now[id].as_str(), state, "{what}");
            }
        }
    }
    // What waited for endpoints that are not configured any more is told, and kept.
    let dead = now.values().filter(|state| **state == State::Dead).count();
    assert_eq!(dead, 9);
}

#[tokio::test]
async fn what_was_dated_by_readings_is_dated_a_day_earlier_all_of_it_alike() {
    const DAY: i64 = 86_400_000_000;
    let folder = tempfile::tempdir().unwrap();
    let database = folder.path().join("fortnight.db");
    as_it_was(&database, BEFORE);
    let number = |sql: &str| -> i64 {
        let database = rusqlite::Connection::open(&database).unwrap();
        database.query_row(sql, [], |row| row.get(0)).unwrap()
    };
    let lost = "SELECT capable_missing_since FROM registrations WHERE user_id = 'lost'";
    let yardstick = "SELECT CAST(substr(value, 2, 16) AS BIGINT) FROM meta WHERE key = 'yardstick'";
    let dated = "SELECT CAST(value AS BIGINT) FROM meta WHERE key = 'losses_dated'";
    let report = "SELECT as_of FROM sources WHERE name = 'registration'";
    let users = "SELECT as_of FROM sources WHERE name = 'users'";
    let open = rusqlite::Connection::open(&database).unwrap();
    open.execute_batch(
        "INSERT INTO registrations (user_id, level, detail, capable_done_as_of, capable_missing_since, part)
             VALUES ('lost', 'missing', 'none', 1767900000000000, 1767990000000000, 1);
         INSERT INTO meta (key, value) VALUES ('yardstick', '[1767990000000001,17]'), ('losses_dated', '1767990000000002')
             ON CONFLICT (key) DO UPDATE SET value = excluded.value;",
    )
    .unwrap();
    drop(open);
    let read = number(report);
    let of_users = number(users);
    Store::open(&database).await.unwrap().close().await;
    assert_eq!(number(report), read - DAY);
    assert_eq!(
        number("SELECT reading FROM sources WHERE name = 'registration'"),
        read
    );
    assert_eq!(number(users), of_users);
    assert_eq!(number(lost), 1_767_990_000_000_000 - DAY);
    assert_eq!(number(yardstick), 1_767_990_000_000_001 - DAY);
    assert_eq!(number(dated), 1_767_990_000_000_002 - DAY);
    let rest = "SELECT CAST(substr(value, 19, 2) AS BIGINT) FROM meta WHERE key = 'yardstick'";
    assert_eq!(number(rest), 17);
}

#[tokio::test]
async fn the_upgrade_to_weighed_faults_flags_and_tells_nobody_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let config = configured(folder.path(), CONFIGURATION_SINCE);
    let (mails, states) = as_it_was(&path("fortnight.db"), BEFORE_FAULTS);
    let mark = "a fortnight database stands beside this file\n";
    std::fs::write(path("fortnight.db.lock"), mark).unwrap();
    let store = Store::open(&config.database).await.unwrap();

    for now in ["2026-01-22T15:00:00Z", "2026-01-23T14:00:00Z"] {
        let report = pass(&store, &config, now).await;
        assert_eq!((report.flagged, report.released), (0, 0), "{now}");
        let holds: Vec<&str> = report.holds.iter().map(|hold| hold.id.as_str()).collect();
        assert!(holds.starts_with(&["stale:registration"]), "{holds:?}");
    }
    states_are(&store, &states).await;
    // Of people only the two hear whose mails waited, each once and under its id.
    let waited: BTreeSet<&String> = mails
        .values()
        .filter(|(state, ..)| state == "pending")
        .map(|(_, message_id, ..)| message_id)
        .collect();
    assert_eq!(waited.len(), 2);
    let went = sent(&path("outbox"));
    let known: BTreeSet<&String> = mails.values().map(|row| &row.1).collect();
    let again: BTreeSet<&String> = went.iter().filter(|id| known.contains(id)).collect();
    assert_eq!(again, waited);
    let to_people = store.deliveries(&[], None).await.unwrap();
    let to_people = to_people.iter().filter(|row| row.user.is_some()).count();
    let before = mails.values().filter(|row| row.3.is_some()).count();
    assert_eq!(to_people, before, "nobody is told anything new");
}
