//! Many rows, or many ids, in one statement.
//!
//! The trap is the type of a value in a list: where nothing else says it, `PostgreSQL` takes it for a
//! text. So the first row of such a list says of each value what it is.

use std::slice::Iter;
use std::sync::Arc;

use futures_util::future;
use sqlx::query_builder::Separated;
use sqlx::{Encode, QueryBuilder, Type};

use super::db::{Connection, Db};

/// What a column of a list holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Column {
    Text,
    Bigint,
    Boolean,
}

/// A row of a list while it is being written.
pub(super) struct Cells<'list> {
    row: Separated<'list, Db, &'static str>,
    /// The types of what is still to come, in the first row.
    types: Iter<'static, (&'static str, Column)>,
}

impl Cells<'_> {
    /// The next value.
    pub(super) fn bind<'v, T>(&mut self, value: T) -> &mut Self
    where
        T: 'v + Encode<'v, Db> + Type<Db>,
    {
        let cast = self.types.next().map(|(_, column)| match column {
            Column::Text => " AS TEXT)",
            Column::Bigint => " AS BIGINT)",
            Column::Boolean => " AS BOOLEAN)",
        });
        match cast {
            Some(cast) => {
                self.row.push("CAST(").push_bind_unseparated(value);
                self.row.push_unseparated(cast);
            }
            None => {
                self.row.push_bind(value);
            }
        }
        self
    }
}

/// Begins a statement with a list of rows under a name: `WITH name (columns) AS (VALUES …) `.
pub(super) fn with_rows<T>(
    name: &'static str,
    columns: &'static [(&'static str, Column)],
    rows: impl IntoIterator<Item = T>,
    mut write: impl FnMut(&mut Cells<'_>, T),
) -> QueryBuilder<Db> {
    let mut statement = QueryBuilder::new("WITH ");
    statement.push(name).push(" (");
    let mut names = statement.separated(", ");
    for (column, _) in columns {
        names.push(*column);
    }
    statement.push(") AS (");
    let mut types = columns;
    statement.push_values(rows, |row, item| {
        let types = std::mem::take(&mut types).iter();
        write(&mut Cells { row, types }, item);
    });
    statement.push(") ");
    statement
}

/// Executes statements in their order, each written while the one before runs; how many rows they
/// touched.
pub(super) async fn execute_each(
    connection: &mut Connection,
    mut statements: impl Iterator<Item = QueryBuilder<Db>>,
) -> Result<u64, sqlx::Error> {
    let mut touched = 0;
    let mut next = statements.next();
    while let Some(mut statement) = next {
        let running = statement.build().execute(&mut *connection);
        // What is polled first has begun by the time the next statement is written.
        let (done, following) = future::join(running, async { statements.next() }).await;
        touched += done?.rows_affected();
        next = following;
    }
    Ok(touched)
}

/// Which rows of a table about people a statement looks at.
#[derive(Debug, Clone)]
pub enum Whom {
    /// Ids above the first (exclusive) up to the second (inclusive).
    Range(String, String),
    /// These ids, shared by the statements that name them.
    These(Vec<Arc<str>>),
}

impl Whom {
    /// These ids.
    pub fn these<Id: AsRef<str>>(ids: impl IntoIterator<Item = Id>) -> Self {
        Self::These(ids.into_iter().map(|id| Arc::from(id.as_ref())).collect())
    }

    /// Ends a statement with the restriction of `column`.
    pub(super) fn restrict(&self, statement: &mut QueryBuilder<Db>, column: &'static str) {
        match self {
            Self::Range(above, to) => {
                statement.push(column).push(" > ").push_bind(above.clone());
                statement
                    .push(" AND ")
                    .push(column)
                    .push(" <= ")
                    .push_bind(to.clone());
            }
            Self::These(ids) => {
                statement.push(column).push(" IN (");
                let mut list = statement.separated(", ");
                for id in ids {
                    list.push_bind(Arc::clone(id));
                }
                statement.push(")");
            }
        }
    }
}
