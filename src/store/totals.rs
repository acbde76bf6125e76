//! How many rows of a kind there are, kept in the transactions that add and remove them: whoever
//! asks reads one number, however many rows there are.

use std::collections::{BTreeMap, HashMap};

use sqlx::QueryBuilder;

use super::db::{Connection, Db};
use super::{Doing, Store, StoreError};
use crate::domain::delivery::State;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Total {
    /// Rows of the outbox, whatever became of them.
    Queued,
    /// Rows of the outbox that are over, by the state in which they ended.
    Ended(State),
    /// Sign-ins that are kept.
    SignIns,
    /// Audit events that are kept.
    Audits,
}

impl Total {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Ended(state) => state.as_str(),
            Self::SignIns => "sign_ins",
            Self::Audits => "audits",
        }
    }
}

/// By how much totals change.
#[derive(Debug, Default)]
pub(super) struct Totals(BTreeMap<Total, i64>);

impl Totals {
    /// One kind alone.
    pub(super) fn of(total: Total, more: i64) -> Self {
        Self(BTreeMap::from([(total, more)]))
    }

    /// So many more.
    pub(super) fn add(&mut self, total: Total, more: i64) {
        *self.0.entry(total).or_default() += more;
    }

    /// Keeps them, with what changed them.
    pub(super) async fn keep(self, connection: &mut Connection) -> Result<(), StoreError> {
        let changes: Vec<_> = self.0.into_iter().filter(|(_, more)| *more != 0).collect();
        if changes.is_empty() {
            return Ok(());
        }
        let mut statement = QueryBuilder::<Db>::new("INSERT INTO totals (name, rows) ");
        statement.push_values(changes, |mut row, (total, more)| {
            row.push_bind(total.name()).push_bind(more);
        });
        statement
            .push(" ON CONFLICT (name) DO UPDATE SET rows = totals.rows + excluded.rows")
            .build()
            .execute(connection)
            .await
            .doing("keeping totals")
            .map(drop)
    }
}

/// The number of rows that a statement touched, as one that can be taken away.
pub(super) fn number(affected: u64) -> i64 {
    i64::try_from(affected).unwrap_or(i64::MAX)
}

impl Store {
    /// All that is counted, by what; what is not in it never was.
    pub(super) async fn totals(&self) -> Result<HashMap<String, u64>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT name, rows FROM totals")
            .fetch_all(&self.read)
            .await
            .doing("reading totals")?;
        let totals = rows
            .into_iter()
            .map(|(name, rows)| (name, u64::try_from(rows).unwrap_or(0)));
        Ok(totals.collect())
    }
}
