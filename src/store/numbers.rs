//! Numbers that grow: each series has a counter of its own, from which a batch takes a block.
//!
//! The largest number of a table would do as well while one process writes; of two that look at
//! once, both would find the same. A counter lets the second wait until the first has committed.

use super::db::Connection;

/// What is numbered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Series {
    /// Lines of the journal.
    Journal,
    /// Places in the order of the outbox.
    Outbox,
    /// Lines that are to be said.
    Lines,
    /// Operators' acts.
    Acts,
    /// Parts of sources.
    Parts,
}

impl Series {
    fn as_str(self) -> &'static str {
        match self {
            Self::Journal => "journal",
            Self::Outbox => "outbox",
            Self::Lines => "lines",
            Self::Acts => "acts",
            Self::Parts => "parts",
        }
    }
}

/// Takes so many numbers that follow each other, and gives the first. Those of a transaction that
/// is rolled back are taken again; those of a row that was there already are left out.
pub(super) async fn take(
    connection: &mut Connection,
    series: Series,
    count: usize,
) -> Result<i64, sqlx::Error> {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let next: i64 = sqlx::query_scalar(
        "UPDATE counters SET next = counters.next + $2 WHERE name = $1 RETURNING next",
    )
    .bind(series.as_str())
    .bind(count)
    .fetch_one(connection)
    .await?;
    Ok(next - count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn a_block_follows_what_was_committed_and_each_series_counts_for_itself() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a.db")).await.unwrap();
        for (count, commit, first) in [(3, true, 1), (5, false, 4), (1, true, 4), (1, true, 5)] {
            let mut transaction = store.begin().await.unwrap();
            let taken = take(&mut transaction, Series::Journal, count)
                .await
                .unwrap();
            assert_eq!(taken, first);
            if commit {
                transaction.commit().await.unwrap();
            }
        }
        let mut transaction = store.begin().await.unwrap();
        assert_eq!(take(&mut transaction, Series::Acts, 2).await.unwrap(), 1);
    }
}
