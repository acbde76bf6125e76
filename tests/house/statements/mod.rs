//! Every statement of the store is understood by PostgreSQL as well, but for those that are listed
//! here as SQLite's own.
//!
//! A story plays all that the program does, and each text that SQLite executes meanwhile is kept
//! ([`executed`]). What the source says in SQL must occur among them ([`written`]), so that nothing
//! goes unseen; and PostgreSQL prepares each of them over the same migrations ([`postgres`]).

mod executed;
mod postgres;
mod story;
mod written;

use std::collections::BTreeMap;

use executed::Executed;
use postgres::{Postgres, Prepared};
use written::Piece;

/// What begins like this is SQLite's own, and why there is no need that PostgreSQL knows it. It
/// stands in `src/store/db.rs` alone.
const SQLITES_OWN: [(&str, &str); 4] = [
    (
        "BEGIN IMMEDIATE",
        "a reader that turns writer fails as busy",
    ),
    (
        "PRAGMA ",
        "how the file is written, and whether it is whole",
    ),
    (
        "SELECT name FROM sqlite_master",
        "which tables there are at all",
    ),
    ("VACUUM INTO ", "a copy of the file while it is in use"),
];

/// The library that migrates keeps a table of its own, and executes files that begin with a comment.
const OF_THE_MIGRATOR: [&str; 2] = ["_sqlx_migrations", "-- "];

/// How a write ends: PostgreSQL knows both, and prepares neither.
const ENDS: [&str; 2] = ["COMMIT", "ROLLBACK"];

/// The types that columns and parameters have: what the program binds and reads.
const TYPES: [&str; 3] = ["text", "bigint", "boolean"];

/// Set where this test runs in a process of its own: what others execute is none of its business.
const ALONE: &str = "FORTNIGHT_TEST_ALONE";

fn alone() {
    let name = "house::statements::postgresql_understands_what_is_not_sqlites_own";
    let mut run = std::process::Command::new(std::env::current_exe().unwrap());
    run.args([name, "--exact", "--nocapture"]).env(ALONE, "1");
    assert!(run.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_understands_what_is_not_sqlites_own() {
    if std::env::var_os(ALONE).is_none() {
        return alone();
    }
    let Some(postgres) = Postgres::new() else {
        return;
    };
    let written = written::pieces();
    assert!(written.len() > 100, "the statements were not found");
    let executed = Executed::record();
    story::play().await;
    let executed = executed.texts();
    let faults = [
        unseen(&written, &executed),
        out_of_place(&written),
        refused(&postgres, &one_of_each_shape(&executed)),
    ];
    let faults = faults.concat();
    assert!(faults.is_empty(), "{}", faults.join("\n\n"));
}

/// What the source says and the story never comes to.
fn unseen(written: &[Piece], executed: &[String]) -> Vec<String> {
    let comes_to = |piece: &Piece| executed.iter().any(|text| text.contains(&piece.text));
    written
        .iter()
        .filter(|piece| own(&piece.text).is_none() && !comes_to(piece))
        .map(|piece| format!("{} is not in the story: {}", piece.module, piece.text))
        .collect()
}

/// What is SQLite's own and stands elsewhere than in its file, and what is listed and gone.
fn out_of_place(written: &[Piece]) -> Vec<String> {
    let elsewhere = written
        .iter()
        .filter(|piece| own(&piece.text).is_some() && piece.module != "store::db")
        .map(|piece| format!("{} has what is SQLite's own: {}", piece.module, piece.text));
    let gone = SQLITES_OWN
        .iter()
        .filter(|(own, _)| !written.iter().any(|piece| piece.text.starts_with(own)))
        .map(|(own, why)| format!("nothing says {own:?} ({why})"));
    elsewhere.chain(gone).collect()
}

/// What PostgreSQL does not understand, or understands otherwise.
fn refused(postgres: &Postgres, statements: &[String]) -> Vec<String> {
    let Prepared {
        mut refused,
        parameters,
    } = postgres.prepare(statements);
    for (number, types) in parameters {
        let strange = types.iter().find(|one| !TYPES.contains(&one.as_str()));
        refused
            .extend(strange.map(|one| format!("a parameter is {one} in {}", statements[number])));
    }
    refused
}

fn own(text: &str) -> Option<&'static str> {
    let mut all = SQLITES_OWN.iter().map(|(own, _)| *own);
    all.find(|own| text.starts_with(own))
}

/// Of statements that differ in their number of rows alone, the shortest; in the order in which
/// they were executed first.
fn one_of_each_shape(executed: &[String]) -> Vec<String> {
    let mut shapes: BTreeMap<String, usize> = BTreeMap::new();
    let mut kept: Vec<String> = Vec::new();
    for text in executed {
        if own(text).is_some()
            || ENDS.contains(&text.as_str())
            || OF_THE_MIGRATOR.iter().any(|of_it| text.contains(of_it))
        {
            continue;
        }
        let text = numbered(text);
        match shapes.get(&shape(&text)) {
            Some(at) if text.len() < kept[*at].len() => kept[*at] = text,
            Some(_) => {}
            None => {
                shapes.insert(shape(&text), kept.len());
                kept.push(text);
            }
        }
    }
    kept
}

/// What sqlx puts together has `?` for a parameter; for PostgreSQL it numbers them.
fn numbered(text: &str) -> String {
    let mut pieces = text.split('?');
    let first = pieces.next().unwrap_or_default().to_owned();
    (1..).zip(pieces).fold(first, |text, (number, piece)| {
        format!("{text}${number}{piece}")
    })
}

/// A statement without the numbers of its parameters, a list of them and a list of rows as one.
fn shape(text: &str) -> String {
    let mut shape: String = text
        .split_inclusive('$')
        .map(|piece| piece.trim_start_matches(|c: char| c.is_ascii_digit()))
        .collect();
    for (many, one) in [("$, $", "$"), ("($), ($)", "($)")] {
        while shape.contains(many) {
            shape = shape.replace(many, one);
        }
    }
    shape
}

#[test]
fn what_postgresql_refuses_or_takes_otherwise_is_named() {
    let Some(postgres) = Postgres::new() else {
        return;
    };
    let planted = [
        "INSERT OR REPLACE INTO meta (key, value) VALUES ($1, $2)",
        "SELECT value FROM meta WHERE key = $1 LIMIT $2",
        "SELECT next FROM counters WHERE next % 2 = $1 / 2",
    ];
    let faults = refused(&postgres, &planted.map(str::to_owned));
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].starts_with("ERROR:  syntax error at or near \"OR\""));
    assert!(faults[0].contains(planted[0]));
    assert_eq!(
        faults[1],
        format!("a parameter is integer in {}", planted[2])
    );
}

#[test]
fn what_the_story_does_not_come_to_is_named_and_what_is_out_of_place() {
    let source = r#"
        fn one() { sqlx::query("SELECT a\n FROM b"); }
        fn two(mut statement: QueryBuilder<Db>) { statement.push(if three { " OR c" } else { ")" }); }
        fn four() { sqlx::query("PRAGMA five"); }
        #[cfg(test)] mod tests { fn six() { sqlx::query("SELECT seven"); } }"#;
    let written = written::pieces_of("store::planted", source);
    let executed = ["SELECT d OR e".to_owned()];
    assert_eq!(
        unseen(&written, &executed),
        ["SELECT a FROM b", "OR c", ")"]
            .map(|text| format!("store::planted is not in the story: {text}"))
    );
    let misplaced = out_of_place(&written);
    assert!(misplaced[0].ends_with("store::planted has what is SQLite's own: PRAGMA five"));
}

#[test]
fn statements_that_differ_in_their_number_of_rows_are_one() {
    let executed = [
        "INSERT INTO a (b, c) VALUES (?, ?), (?, ?) ON CONFLICT (b) DO NOTHING",
        "INSERT INTO a (b, c) VALUES (?, ?) ON CONFLICT (b) DO NOTHING",
        "DELETE FROM a WHERE b IN (?, ?, ?)",
        "VACUUM INTO $1",
    ];
    assert_eq!(
        one_of_each_shape(&executed.map(str::to_owned)),
        [
            "INSERT INTO a (b, c) VALUES ($1, $2) ON CONFLICT (b) DO NOTHING",
            "DELETE FROM a WHERE b IN ($1, $2, $3)",
        ]
    );
}
