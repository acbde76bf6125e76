//! What the store does, seen without a pass: what absorbing marks, what is buried, what is pruned.

mod approvals;

use std::os::unix::fs::{MetadataExt as _, chown};

use jiff::{SignedDuration, Timestamp};
use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::lock::PassLock;
use super::logs::PartEnd;
use super::outbox::{Content, Lease, NewDelivery, Settled};
use super::schema::migrations;
use super::settings::INSTANCE;
use super::sources::{NewPart, Source};
use super::{Store, Whom, micros, settings};
use crate::domain::audit::{AuditEvent, AuditKind};
use crate::domain::delivery::Disposition;
use crate::domain::facts::Gap;
use crate::domain::fault::Order;
use crate::domain::id::PolicyName;
use crate::domain::language::Language;
use crate::domain::message::EventKind;
use crate::domain::person::{AccountKind, Person, Presence};
use crate::domain::sign_in::{Route, SignIn};
use crate::domain::story::{codes, day, hour, user};

async fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fortnight.db");
    let store = Store::open(&path).await.unwrap();
    (folder, store)
}

#[tokio::test]
async fn a_pass_of_roots_leaves_nothing_behind_that_the_services_user_cannot_write() {
    const SERVICE: u32 = 61_234;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    chown(folder.path(), Some(SERVICE), Some(SERVICE)).unwrap();
    let path = folder.path().join("fortnight.db");
    let _lock = PassLock::take(&path, "cycle", day(0)).unwrap();
    let store = Store::open(&path).await.unwrap();
    store.set_room_aside().unwrap();
    let found = std::fs::read_dir(folder.path()).unwrap();
    let mut found: Vec<_> = found
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name(), entry.metadata().unwrap().uid())
        })
        .collect();
    found.sort();
    let expected = ["", "-shm", "-wal", ".lock", ".outcomes"];
    assert_eq!(
        found,
        expected.map(|end| (format!("fortnight.db{end}").into(), SERVICE))
    );
    store.close().await;
}

fn part(name: &str, now: Timestamp) -> NewPart {
    NewPart {
        names_next: false,
        name: name.to_owned(),
        fingerprint: now.to_string(),
    }
}

fn ana(last_sign_in_at: Option<Timestamp>) -> Person {
    Person {
        id: user("ana"),
        user_principal_name: "ana@contoso.com".to_owned(),
        display_name: None,
        mail: None,
        kind: AccountKind::Member,
        enabled: true,
        created_at: None,
        preferred_language: None,
        last_sign_in_at,
        presence: Presence::Present,
    }
}

/// Imports a users export with this one person.
async fn import(store: &Store, person: Person, now: Timestamp) {
    import_of(store, person, now, now).await;
}

/// Imports one that was written at `reading`.
async fn import_of(store: &Store, person: Person, reading: Timestamp, now: Timestamp) {
    let parts = store.parts(Source::Users).await.unwrap();
    let reread: Vec<i64> = parts.iter().map(|part| part.id).collect();
    let mut import = store.import(Source::Users, &reread, now).await.unwrap();
    import.begin_part(part("users.json", now)).await.unwrap();
    import.people(vec![person]).await.unwrap();
    import.end_part(reading);
    import.finish(&[], &[], None).await.unwrap();
}

/// Reads a sign-in log with these rows, and leaves it there if the pass dies.
async fn read_log(store: &Store, name: &str, rows: &[(Route, Timestamp)], now: Timestamp) {
    let rows: Vec<SignIn> = rows
        .iter()
        .map(|(route, at)| SignIn {
            id: at.to_string(),
            user: user("stranger"),
            at: *at,
            code: 0,
            route: *route,
            app: None,
            multifactor_met: false,
        })
        .collect();
    let end = PartEnd {
        part: part(name, now),
        as_of: now,
        rows: rows.len() as u64,
    };
    let (begin, rest) = rows.split_at(rows.len() / 2);
    let codes = codes();
    store
        .absorb_sign_ins(begin, &codes, &[], None)
        .await
        .unwrap();
    store
        .absorb_sign_ins(rest, &codes, &[end], None)
        .await
        .unwrap();
}

async fn absorb(store: &Store, rows: &[SignIn]) {
    store
        .absorb_sign_ins(rows, &codes(), &[], None)
        .await
        .unwrap();
}

async fn accept(store: &Store, now: Timestamp) {
    let source = Source::SignIns;
    store.accept_log(source, &[], now).await.unwrap();
}

async fn gap(store: &Store) -> Option<(Timestamp, Timestamp)> {
    let gap = store.log_gap().await.unwrap();
    gap.map(|Gap { from, to }| (from, to))
}

/// Whether ana was marked since the last look; the log's strangers do not matter here.
async fn marked(store: &Store) -> bool {
    let marks = store.due("", Timestamp::MIN, 10).await.unwrap();
    sqlx::query("DELETE FROM changed")
        .execute(&store.write)
        .await
        .unwrap();
    marks.iter().any(|id| id == "ana")
}

/// Ana in an export of day 0, and a log that is empty up to then.
async fn since_day_0() -> (tempfile::TempDir, Store) {
    let (folder, store) = store().await;
    import(&store, ana(None), day(0)).await;
    read_log(&store, "day-0", &[], day(0)).await;
    accept(&store, day(0)).await;
    (folder, store)
}

#[tokio::test]
async fn the_last_sign_in_alone_is_stored_and_marks_nobody() {
    let (_folder, store) = since_day_0().await;
    let moved = Some(hour(1, 7) + SignedDuration::from_nanos(100));
    import(&store, ana(moved), day(2)).await;
    assert!(!marked(&store).await);
    let whom = super::Whom::these(["ana"]);
    let stored = store.load(&whom).await.unwrap().remove(0);
    assert_eq!(stored.activity.hinted, Some(hour(1, 7)));
    let renamed = Person {
        display_name: Some("Ana".to_owned()),
        ..ana(Some(day(2)))
    };
    import(&store, renamed, day(3)).await;
    assert!(marked(&store).await);
}

#[tokio::test]
async fn with_a_gap_only_a_new_hint_within_it_marks() {
    let (_folder, store) = since_day_0().await;
    import(&store, ana(Some(day(39))), day(40)).await;
    read_log(&store, "day-40", &[(Route::Interactive, day(38))], day(40)).await;
    accept(&store, day(40)).await;
    assert_eq!(gap(&store).await, Some((day(0), day(38))));
    assert!(!marked(&store).await, "the hint lies after the gap");
    for (hint, expected) in [(20, true), (20, false), (38, true), (40, false)] {
        import(&store, ana(Some(day(hint))), day(41)).await;
        assert_eq!(marked(&store).await, expected, "{hint}");
    }
}

#[tokio::test]
async fn accepting_the_log_marks_whom_the_directory_hints_at_in_the_gap() {
    let (_folder, store) = since_day_0().await;
    import(&store, ana(Some(day(20))), day(40)).await;
    read_log(&store, "day-40", &[(Route::Interactive, day(38))], day(40)).await;
    assert!(!marked(&store).await, "the log is not accepted yet");
    accept(&store, day(40)).await;
    assert!(marked(&store).await);
    read_log(
        &store,
        "day-41",
        &[(Route::Interactive, hour(40, 9))],
        day(41),
    )
    .await;
    accept(&store, day(41)).await;
    assert_eq!(gap(&store).await, Some((day(0), day(38))), "it stays");
    assert!(!marked(&store).await);
}

#[tokio::test]
async fn a_gap_ends_where_the_log_goes_on_whatever_was_read_before_a_crash() {
    let interactive = |at| (Route::Interactive, at);
    let cases: [(&str, Vec<_>, Option<i64>); 5] = [
        // A pass that read this died before it accepted the log.
        (
            "the oldest",
            vec![interactive(day(12)), interactive(day(35))],
            Some(12),
        ),
        (
            "old rows again",
            vec![interactive(day(-5)), interactive(day(12))],
            Some(12),
        ),
        (
            "background only",
            vec![(Route::NonInteractive, day(1))],
            Some(39),
        ),
        ("no row", vec![], Some(39)),
        ("right after", vec![interactive(hour(0, 9))], None),
    ];
    for (what, rows, expected) in cases {
        let (_folder, store) = since_day_0().await;
        read_log(&store, "first", &rows, day(39)).await;
        read_log(&store, "second", &[], day(40)).await;
        accept(&store, day(40)).await;
        let expected = expected.map(|to| (day(0), day(to)));
        assert_eq!(gap(&store).await, expected, "{what}");
    }
}

#[tokio::test]
async fn rows_that_come_after_all_shorten_the_gap() {
    let (_folder, store) = since_day_0().await;
    read_log(&store, "day-40", &[(Route::Interactive, day(38))], day(40)).await;
    accept(&store, day(40)).await;
    for (row, left) in [(day(10), Some((day(0), day(10)))), (hour(0, 9), None)] {
        read_log(&store, "archive", &[(Route::Interactive, row)], day(41)).await;
        accept(&store, day(41)).await;
        assert_eq!(gap(&store).await, left, "{row}");
    }
}

/// Rule 7.8: what rule R9 goes by.
#[tokio::test]
async fn an_older_export_put_back_is_as_old_as_it_is_and_a_log_is_as_new_as_it_was() {
    let reading = async |store: &Store, source: Source| {
        let sources = store.sources().await.unwrap();
        let one = sources.into_iter().find(|one| one.name == source.as_str());
        let one = one.unwrap();
        (one.reading, one.as_of)
    };
    let (_folder, store) = store().await;
    import_of(&store, ana(None), day(9), day(9)).await;
    import_of(&store, ana(None), day(5), day(10)).await;
    let old = (Some(day(5)), Some(day(5)));
    assert_eq!(reading(&store, Source::Users).await, old);
    read_log(&store, "new", &[], day(9)).await;
    accept(&store, day(9)).await;
    let parts = store.parts(Source::SignIns).await.unwrap();
    read_log(&store, "old", &[], day(5)).await;
    store
        .accept_log(Source::SignIns, &parts, day(10))
        .await
        .unwrap();
    accept(&store, day(11)).await;
    let new = (Some(day(9)), Some(day(9)));
    assert_eq!(reading(&store, Source::SignIns).await, new);
}

/// A row of the outbox for a destination.
fn row(key: String, destination: &str) -> NewDelivery<'_> {
    NewDelivery {
        message_id: key.clone(),
        key,
        destination,
        event: EventKind::WindowOpened,
        policy: None,
        user: None,
        sequence: 0,
        moves: 0,
        step: None,
        opened_at: None,
        deadline: None,
        not_after: None,
        is_fact: false,
        content: Content::Body {
            body: "{}",
            ordering_key: None,
        },
    }
}

/// One row of the outbox for each of these destinations, waiting.
async fn queue(store: &Store, destinations: &[&str]) {
    let rows: Vec<NewDelivery<'_>> = destinations
        .iter()
        .enumerate()
        .map(|(number, destination)| row(number.to_string(), destination))
        .collect();
    let mut transaction = store.begin().await.unwrap();
    super::outbox::queue::queue(&mut transaction, &rows, day(0))
        .await
        .unwrap();
    transaction.commit().await.unwrap();
}

#[tokio::test]
async fn every_webhook_that_is_not_configured_any_more_is_found() {
    let (_folder, store) = store().await;
    queue(&store, &["chat", "desk", "email", "chat", "zulip"]).await;
    let buried = store
        .bury_stranded(&["desk"], Language::English, day(0))
        .await
        .unwrap();
    assert_eq!(buried, 3);
    let waiting: Vec<String> = sqlx::query_scalar(
        "SELECT destination FROM outbox WHERE next_at IS NOT NULL ORDER BY destination",
    )
    .fetch_all(&store.read)
    .await
    .unwrap();
    assert_eq!(waiting, ["desk", "email"]);
    assert_eq!(
        store
            .bury_stranded(&["desk"], Language::English, day(0))
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn old_attempts_go_whatever_their_destination() {
    let (_folder, store) = store().await;
    let attempts = [
        ("chat", 0),
        ("chat", 200),
        ("desk", 200),
        ("email", 0),
        ("zulip", 0),
    ];
    for (number, (destination, at)) in (1_i64..).zip(attempts) {
        sqlx::query(
            "INSERT INTO attempts (delivery_id, number, started_at, destination) VALUES ('a', $1, $2, $3)",
        )
        .bind(number)
        .bind(micros(day(at)))
        .bind(destination)
        .execute(&store.write)
        .await
        .unwrap();
    }
    assert!(!store.prune(day(200)).await.unwrap());
    let kept: Vec<String> =
        sqlx::query_scalar("SELECT destination FROM attempts ORDER BY destination")
            .fetch_all(&store.read)
            .await
            .unwrap();
    assert_eq!(kept, ["chat", "desk"]);
}

#[tokio::test]
async fn old_sign_ins_go_unless_an_open_window_needs_them_and_those_of_strangers_within_a_week() {
    let (_folder, store) = store().await;
    let ben = Person {
        id: user("ben"),
        ..ana(None)
    };
    let mut import = store.import(Source::Users, &[], day(0)).await.unwrap();
    import.begin_part(part("users", day(0))).await.unwrap();
    import.people(vec![ana(None), ben]).await.unwrap();
    import.end_part(day(0));
    import.finish(&[], &[], None).await.unwrap();
    sqlx::query("INSERT INTO standings (policy, user_id, state, registered, in_scope, sequence, is_open, memory) VALUES ('everyone', 'ben', 'in_grace', FALSE, TRUE, 1, TRUE, '{}')")
        .execute(&store.write)
        .await
        .unwrap();
    let made = [("ana", 4), ("ana", 6), ("ben", 1), ("zoe", 32), ("zoe", 34)];
    let rows = made.map(|(name, number)| SignIn {
        id: format!("{name} {number}"),
        user: user(name),
        at: day(number),
        code: 0,
        route: Route::Interactive,
        app: None,
        multifactor_met: false,
    });
    absorb(&store, &rows).await;
    assert_eq!(store.events_kept(Source::SignIns).await.unwrap(), 5);
    absorb(&store, &rows).await;
    assert_eq!(store.events_kept(Source::SignIns).await.unwrap(), 5);
    assert!(!store.prune(day(40)).await.unwrap());
    assert_eq!(store.events_kept(Source::SignIns).await.unwrap(), 3);
    let kept: Vec<String> = sqlx::query_scalar("SELECT id FROM sign_ins ORDER BY id")
        .fetch_all(&store.read)
        .await
        .unwrap();
    assert_eq!(kept, ["ana 6", "ben 1", "zoe 34"]);
}

/// An interactive sign-in of ana's.
fn with_code(id: &str, code: i64, at: Timestamp) -> SignIn {
    SignIn {
        id: id.to_owned(),
        user: user("ana"),
        at,
        code,
        route: Route::Interactive,
        app: None,
        multifactor_met: false,
    }
}

/// The ids of what is stored of ana's sign-ins: each, and the newest.
async fn stored(store: &Store) -> [Vec<String>; 2] {
    let mut stored = [Vec::new(), Vec::new()];
    for (table, ids) in ["sign_ins", "newest_sign_ins"].iter().zip(&mut stored) {
        let text = format!("SELECT id FROM {table} WHERE user_id = 'ana' ORDER BY id");
        *ids = sqlx::query_scalar(sqlx::AssertSqlSafe(text))
            .fetch_all(&store.read)
            .await
            .unwrap();
    }
    stored
}

#[tokio::test]
async fn a_hundred_thousand_wrong_passwords_are_one_row_and_mark_nobody() {
    let (_folder, store) = since_day_0().await;
    marked(&store).await;
    let wrong = |number: i64| {
        let at = day(1) + SignedDuration::from_millis(number);
        with_code(&format!("{number:06}"), 50_126, at)
    };
    let rows: Vec<SignIn> = (0..100_000).map(wrong).collect();
    for rows in rows.chunks(20_000).rev() {
        absorb(&store, rows).await;
    }
    absorb(&store, &rows[..500]).await;
    assert_eq!(stored(&store).await, [vec![], vec!["099999".to_owned()]]);
    assert!(!marked(&store).await);
    let known = store.load(&Whom::these(["ana"])).await.unwrap();
    assert_eq!(known[0].sign_ins, rows[99_999..]);
}

#[tokio::test]
async fn a_sign_in_counts_as_what_it_was_read_last() {
    let (_folder, store) = since_day_0().await;
    absorb(&store, &[with_code("a", 0, day(1))]).await;
    assert_eq!(stored(&store).await, [vec!["a".to_owned()], vec![]]);
    marked(&store).await;
    absorb(&store, &[with_code("a", 53_003, day(1))]).await;
    assert_eq!(stored(&store).await, [vec![], vec!["a".to_owned()]]);
    assert_eq!(store.events_kept(Source::SignIns).await.unwrap(), 0);
    assert!(marked(&store).await, "her window may have to be looked at");
    let both = [with_code("b", 50_126, day(2)), with_code("b", 0, day(2))];
    absorb(&store, &both).await;
    assert_eq!(stored(&store).await[0], ["b"]);
}

#[tokio::test]
async fn what_an_earlier_version_stored_is_sorted_and_nothing_is_decided_by_it() {
    let (_folder, store) = since_day_0().await;
    for number in 0..6_000 {
        let code = if number % 100 == 0 { 0 } else { 50_126 };
        sqlx::query("INSERT INTO sign_ins (id, user_id, at, code, route, app, multifactor_met) VALUES ($1, 'ana', $2, $3, 'interactive', NULL, FALSE)")
            .bind(format!("{number:04}"))
            .bind(micros(day(1)) + number)
            .bind(code)
            .execute(&store.write)
            .await
            .unwrap();
    }
    sqlx::query("INSERT INTO totals (name, rows) VALUES ('sign_ins', 6000) ON CONFLICT (name) DO UPDATE SET rows = 6000")
        .execute(&store.write)
        .await
        .unwrap();
    assert!(!store.sort_sign_ins(&codes()).await.unwrap());
    assert_eq!(
        stored(&store).await[0].len(),
        6_000,
        "they are told by the migration"
    );
    marked(&store).await;
    let key = &settings::UNSORTED_SIGN_INS;
    store.set(key, &String::new()).await.unwrap();
    while store.sort_sign_ins(&codes()).await.unwrap() {}
    let [each, newest] = stored(&store).await;
    assert_eq!((each.len(), newest), (60, vec!["5999".to_owned()]));
    assert_eq!(store.events_kept(Source::SignIns).await.unwrap(), 60);
    assert!(!marked(&store).await);
    // Both go when nothing needs them.
    assert!(!store.prune(day(50)).await.unwrap());
    assert_eq!(stored(&store).await, [vec![""; 0], vec![]]);
}

#[tokio::test]
async fn audit_events_are_counted_once_and_not_after_they_went() {
    let (_folder, store) = store().await;
    let event = |id: &str, at| AuditEvent {
        id: id.to_owned(),
        user: user("ana"),
        at,
        kind: AuditKind::Registered,
    };
    let rows = [event("a", day(0)), event("a", day(0)), event("b", day(30))];
    for _ in 0..2 {
        store.absorb_audits(&rows, &[], None).await.unwrap();
        assert_eq!(store.events_kept(Source::Audits).await.unwrap(), 2);
    }
    assert!(!store.prune(day(40)).await.unwrap());
    assert_eq!(store.events_kept(Source::Audits).await.unwrap(), 1);
}

/// What the outbox holds, counted row by row, after what was done to it.
async fn assert_counted(store: &Store, expected: &[(&str, u64)]) {
    let mut found: Vec<(String, i64)> =
        sqlx::query_as("SELECT state, COUNT(*) FROM outbox GROUP BY state")
            .fetch_all(&store.read)
            .await
            .unwrap();
    found.sort();
    let counts = store.delivery_counts().await.unwrap();
    let counts: Vec<(&str, u64)> = counts.iter().map(|(state, n)| (&**state, *n)).collect();
    assert_eq!(counts, expected);
    let found: Vec<(&str, u64)> = found
        .iter()
        .map(|(state, n)| (&**state, u64::try_from(*n).unwrap()))
        .collect();
    assert_eq!(found, expected);
}

/// `SQLite` takes a write back by itself when there is no room, and the driver does not see it.
#[tokio::test]
async fn a_write_that_the_database_took_back_by_itself_does_not_stop_the_next() {
    let (_folder, store) = store().await;
    for _ in 0..2 {
        let mut transaction = store.begin().await.unwrap();
        sqlx::query("ROLLBACK")
            .execute(&mut *transaction)
            .await
            .unwrap();
        transaction.commit().await.unwrap_err();
        queue(&store, &["desk"]).await;
    }
    assert_counted(&store, &[("pending", 1)]).await;
}

#[tokio::test]
async fn deliveries_are_counted_by_every_verb_of_the_outbox() {
    let (_folder, store) = store().await;
    queue(&store, &["desk", "desk", "email", "email", "email"]).await;
    assert_counted(&store, &[("pending", 5)]).await;
    let lease = Lease {
        by: "a delivery".to_owned(),
        until: day(1),
    };
    let claimed = store
        .claim("desk", 5, Order::Turn, &lease, day(0))
        .await
        .unwrap();
    assert_counted(&store, &[("leased", 2), ("pending", 3)]).await;
    let settled: Vec<Settled> = claimed
        .iter()
        .zip([Disposition::Sent, Disposition::Lost(day(1))])
        .map(|(row, disposition)| Settled {
            id: row.id.clone(),
            attempt: row.attempt,
            resent: row.resent,
            disposition,
            code: String::new(),
            text: String::new(),
            at: day(0),
        })
        .collect();
    let settle = || store.settle_at("desk", &settled, None, None, None, day(0));
    settle().await.unwrap();
    let after = [("ambiguous", 1), ("pending", 3), ("sent", 1)];
    assert_counted(&store, &after).await;
    settle().await.unwrap();
    assert_counted(&store, &after).await;
    store.bury_waiting("desk", day(0)).await.unwrap();
    assert_counted(&store, &[("dead", 1), ("pending", 3), ("sent", 1)]).await;
    let dead = claimed[1].id.as_str();
    for (discard, expected) in [
        (false, [("pending", 4), ("sent", 1)].as_slice()),
        (true, &[("pending", 3), ("sent", 1), ("superseded", 1)]),
    ] {
        store.replay(dead, discard, day(0)).await.unwrap();
        assert_counted(&store, expected).await;
    }
    queue(&store, &["desk", "desk", "email", "email", "email", "chat"]).await;
    store.bury_waiting("chat", day(0)).await.unwrap();
    store.reopen("chat", day(0)).await.unwrap();
    let after = [("pending", 4), ("sent", 1), ("superseded", 1)];
    assert_counted(&store, &after).await;
    sqlx::query("UPDATE outbox SET not_after = $1 WHERE next_at IS NOT NULL")
        .bind(micros(day(2)))
        .execute(&store.write)
        .await
        .unwrap();
    store.expire(day(3)).await.unwrap();
    let expired = [("expired", 4), ("sent", 1), ("superseded", 1)];
    assert_counted(&store, &expired).await;
    store.date_deliveries_by(day(1)).await.unwrap();
    assert_counted(&store, &after).await;
}

/// A database as it was before everybody had a row: the states are counted, and the next pass
/// decides about everybody once.
#[tokio::test]
async fn rows_from_before_the_lists_are_counted_and_filled_by_a_sweep() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fortnight.db");
    let old = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut old = old.connect().await.unwrap();
    let before = migrations()
        .into_iter()
        .filter(|migration| migration.version < 20_261_128_020_000);
    let migrator = Migrator::with_migrations(before.collect());
    migrator.run_direct(None, &mut old, false).await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO people (id, user_principal_name, upn_key, kind, enabled, part) VALUES ('ana', 'ana@contoso.com', 'ana@contoso.com', 'member', TRUE, 1);
         INSERT INTO standings VALUES ('everyone', 'ana', 'in_grace', 1, TRUE, 7, '{\"memory\": 1}'), ('old', 'ana', 'paused', 1, TRUE, NULL, '{}')",
    )
    .execute(&mut old)
    .await
    .unwrap();
    old.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    assert!(!store.is_listed().await.unwrap());
    assert_eq!(store.sweep_cursor().await.unwrap().as_deref(), Some(""));
    let counts = store.state_counts().await.unwrap();
    assert_eq!(
        counts[&PolicyName::new("everyone")],
        [("in_grace".to_owned(), 1)].into()
    );
    let kept: (String, i64, String, bool) = sqlx::query_as(
        "SELECT state, next_at, memory, is_open FROM standings WHERE policy = 'everyone'",
    )
    .fetch_one(&store.read)
    .await
    .unwrap();
    assert_eq!(
        kept,
        ("in_grace".to_owned(), 7, "{\"memory\": 1}".to_owned(), true)
    );
    store.end_sweep().await.unwrap();
    assert!(store.is_listed().await.unwrap());
}

#[tokio::test]
async fn a_new_database_has_nothing_to_fill() {
    let (_folder, store) = store().await;
    assert!(store.is_listed().await.unwrap());
    assert_eq!(store.sweep_cursor().await.unwrap(), None);
}

/// An address that an earlier version took for refused is held against nobody, unless a code said so.
#[tokio::test]
async fn of_earlier_refusals_only_those_count_whose_code_accuses_the_recipient() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("fortnight.db");
    let options = SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true);
    let mut old = options.connect().await.unwrap();
    let before = migrations()
        .into_iter()
        .filter(|migration| migration.version < 20_261_128_091_000);
    let migrator = Migrator::with_migrations(before.collect());
    migrator.run_direct(None, &mut old, false).await.unwrap();
    for (position, who, state, error, at) in [
        (1, "unknown", "failed", "5.1.1 no such mailbox", 10),
        (2, "restricted", "failed", "5.7.133 restricted", 10),
        (3, "blocked", "failed", "5.1.8 sender blocked", 10),
        (4, "back", "failed", "5.1.1 no such mailbox", 10),
        (5, "back", "sent", "", 20),
    ] {
        sqlx::query(
            "INSERT INTO outbox (id, dedup_key, position, destination, event, asks, user_id, sequence, moves, address, floats, is_fact,
                 must_register, queued_at, turn, state, attempts, resent, in_doubt, last_code, last_error, settled_at, message_id)
             VALUES ($1, $1, $1, 'email', 'window.opened', 'notice', $2, 1, 0, $2, TRUE, TRUE, FALSE, 1, 1, $3, 1, FALSE, FALSE, '550', $4, $5, '')",
        )
        .bind(position)
        .bind(who)
        .bind(state)
        .bind(error)
        .bind(at)
        .execute(&mut old)
        .await
        .unwrap();
    }
    old.close().await.unwrap();
    let store = Store::open(&path).await.unwrap();
    let all = ["unknown", "restricted", "blocked", "back"].map(ToOwned::to_owned);
    assert_eq!(store.at_fault(&all).await.unwrap(), ["unknown"]);
}

/// A disk on which there is no more room: the write fails as a whole, and the next one goes on.
#[tokio::test]
async fn a_write_that_failed_costs_its_connection() {
    let (_folder, store) = store().await;
    sqlx::query("PRAGMA max_page_count = 1")
        .execute(&store.write)
        .await
        .unwrap();
    let long = "x".repeat(1 << 20);
    let failed = store.set(&INSTANCE, &long).await.unwrap_err();
    assert!(failed.to_string().contains("the disk is full"), "{failed}");
    // The limit was that connection's.
    store.set(&INSTANCE, &long).await.unwrap();
    assert_eq!(store.setting(&INSTANCE).await.unwrap(), Some(long));
}

/// A commit that fails ends nothing that the next write would trip over.
#[tokio::test]
async fn a_write_that_was_given_up_leaves_nothing_under_way() {
    let (_folder, store) = store().await;
    for _ in 0..3 {
        drop(store.begin().await.unwrap());
    }
    store.begin().await.unwrap().rollback().await.unwrap();
    store.try_write().await.unwrap();
    store.set(&INSTANCE, &"kept".to_owned()).await.unwrap();
}
