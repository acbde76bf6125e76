//! The schema: the files of `migrations`, forward only, applied once each.

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use super::error::unusable;
use super::{Store, StoreError, db};

/// The schema, one folder for every database.
const MIGRATIONS: [(i64, &str, &str); 23] = [
    (
        20_261_124_090_000,
        "create facts",
        include_str!("../../migrations/20261124090000_create_facts.sql"),
    ),
    (
        20_261_124_090_100,
        "create decisions",
        include_str!("../../migrations/20261124090100_create_decisions.sql"),
    ),
    (
        20_261_124_120_000,
        "add log gap",
        include_str!("../../migrations/20261124120000_add_log_gap.sql"),
    ),
    (
        20_261_124_130_000,
        "create operator lines",
        include_str!("../../migrations/20261124130000_create_operator_lines.sql"),
    ),
    (
        20_261_124_150_000,
        "create graph readings",
        include_str!("../../migrations/20261124150000_create_graph_readings.sql"),
    ),
    (
        20_261_124_160_000,
        "create destinations",
        include_str!("../../migrations/20261124160000_create_destinations.sql"),
    ),
    (
        20_261_125_230_000,
        "add unsure people",
        include_str!("../../migrations/20261125230000_add_unsure_people.sql"),
    ),
    (
        20_261_126_070_000,
        "index what is due",
        include_str!("../../migrations/20261126070000_index_what_is_due.sql"),
    ),
    (
        20_261_128_010_000,
        "say what rows are",
        include_str!("../../migrations/20261128010000_say_what_rows_are.sql"),
    ),
    (
        20_261_128_020_000,
        "list everybody",
        include_str!("../../migrations/20261128020000_list_everybody.sql"),
    ),
    (
        20_261_128_060_000,
        "create counters",
        include_str!("../../migrations/20261128060000_create_counters.sql"),
    ),
    (
        20_261_128_070_000,
        "keep totals",
        include_str!("../../migrations/20261128070000_keep_totals.sql"),
    ),
    (
        20_261_128_080_000,
        "remember references",
        include_str!("../../migrations/20261128080000_remember_references.sql"),
    ),
    (
        20_261_128_090_100,
        "date readings",
        include_str!("../../migrations/20261128090100_date_readings.sql"),
    ),
    (
        20_261_128_091_000,
        "keep addresses",
        include_str!("../../migrations/20261128091000_keep_addresses.sql"),
    ),
    (
        20_261_128_092_000,
        "note pages that name a next",
        include_str!("../../migrations/20261128092000_note_pages_that_name_a_next.sql"),
    ),
    (
        20_261_128_094_000,
        "remember what was withdrawn under way",
        include_str!("../../migrations/20261128094000_remember_what_was_withdrawn_under_way.sql"),
    ),
    (
        20_261_128_095_000,
        "tell once",
        include_str!("../../migrations/20261128095000_tell_once.sql"),
    ),
    (
        20_261_128_096_000,
        "keep newest sign ins",
        include_str!("../../migrations/20261128096000_keep_newest_sign_ins.sql"),
    ),
    (
        20_261_128_097_000,
        "keep what holds saw",
        include_str!("../../migrations/20261128097000_keep_what_holds_saw.sql"),
    ),
    (
        20_261_128_100_000,
        "list unreachable",
        include_str!("../../migrations/20261128100000_list_unreachable.sql"),
    ),
    (
        20_261_128_110_000,
        "order what happened",
        include_str!("../../migrations/20261128110000_order_what_happened.sql"),
    ),
    (
        20_261_128_120_000,
        "note used approvals",
        include_str!("../../migrations/20261128120000_note_used_approvals.sql"),
    ),
];

/// Where the migrator notes what it has applied.
pub(super) const MIGRATED: &str = "_sqlx_migrations";

/// The version that this program knows.
const NEWEST: i64 = MIGRATIONS[MIGRATIONS.len() - 1].0;

impl Store {
    /// Refuses a database that a newer program wrote.
    pub(super) async fn refuse_newer(&self) -> Result<(), StoreError> {
        match self.schema().await? {
            Some(found) if found > NEWEST => Err(StoreError::Newer {
                path: self.path.clone(),
                found,
                known: NEWEST,
            }),
            _ => Ok(()),
        }
    }

    /// Refuses a database that is still as an older program wrote it.
    pub(super) async fn refuse_older(&self) -> Result<(), StoreError> {
        match self.schema().await? {
            Some(found) if found < NEWEST => Err(StoreError::Older {
                path: self.path.clone(),
            }),
            None => Err(StoreError::Absent(self.path.clone())),
            Some(_) => Ok(()),
        }
    }

    /// The newest migration that was applied.
    async fn schema(&self) -> Result<Option<i64>, StoreError> {
        let newest = async {
            let tables = db::tables(&self.read).await?;
            if !tables.iter().any(|table| table == MIGRATED) {
                return Ok(None);
            }
            sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations")
                .fetch_one(&self.read)
                .await
        };
        newest
            .await
            .map_err(|source| unusable("read", &self.path, source))
    }

    /// Applies what was not applied yet.
    pub(super) async fn migrate(&self) -> Result<(), StoreError> {
        Migrator::with_migrations(migrations())
            .run(&self.write)
            .await
            .map_err(|error| match error {
                MigrateError::Execute(source) => unusable("write", &self.path, source),
                other => unusable("migrate", &self.path, sqlx::Error::Migrate(Box::new(other))),
            })
    }
}

/// Every migration, oldest first.
pub(super) fn migrations() -> Vec<Migration> {
    let migrations = MIGRATIONS.into_iter().map(|(version, description, sql)| {
        Migration::new(
            version,
            description.into(),
            MigrationType::Simple,
            sqlx::SqlStr::from_static(sql),
            false,
        )
    });
    migrations.collect()
}
