//! What exported groups call their members, and whom that meant.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::QueryBuilder;

use super::db::Db;
use super::rows::execute_each;
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError, Whom, instant, micros};
use crate::domain::id::GroupId;
use crate::domain::reference::Reference;

impl Store {
    /// What is remembered of the names in a group.
    pub async fn references(
        &self,
        group: &GroupId,
    ) -> Result<BTreeMap<String, Reference>, StoreError> {
        let rows: Vec<(String, String, Option<i64>)> = sqlx::query_as(
            "SELECT reference, state, lacked FROM member_references WHERE group_id = $1",
        )
        .bind(group.as_str())
        .fetch_all(&self.read)
        .await
        .doing("reading what members are called")?;
        rows.into_iter()
            .map(|(reference, state, lacked)| {
                let known = parse(&state, lacked).ok_or_else(|| StoreError::Inconsistent {
                    table: "member_references",
                    key: reference.clone(),
                    column: "state",
                    value: state,
                })?;
                Ok((reference, known))
            })
            .collect()
    }

    /// Remembers the names in a group, and no others; writes what differs from `before`.
    pub async fn note_references(
        &self,
        group: &GroupId,
        before: &BTreeMap<String, Reference>,
        now: &BTreeMap<String, Reference>,
    ) -> Result<(), StoreError> {
        let doing = "noting what members are called";
        let changed: Vec<_> = now
            .iter()
            .filter(|(name, state)| before.get(*name) != Some(*state))
            .collect();
        let gone: Vec<&String> = before
            .keys()
            .filter(|name| !now.contains_key(*name))
            .collect();
        if changed.is_empty() && gone.is_empty() {
            return Ok(());
        }
        let mut transaction = self.begin().await?;
        let written = changed.chunks(ROWS_PER_STATEMENT).map(|rows| {
            let mut statement = QueryBuilder::<Db>::new(
                "INSERT INTO member_references (group_id, reference, state, lacked) ",
            );
            statement.push_values(rows, |mut row, (reference, state)| {
                let (state, lacked) = columns(**state);
                row.push_bind(group.as_str())
                    .push_bind(reference.as_str())
                    .push_bind(state)
                    .push_bind(lacked);
            });
            statement.push(
                " ON CONFLICT (group_id, reference) DO UPDATE SET state = excluded.state, lacked = excluded.lacked",
            );
            statement
        });
        execute_each(&mut transaction, written).await.doing(doing)?;
        let removed = gone.chunks(ROWS_PER_STATEMENT).map(|names| {
            let mut statement =
                QueryBuilder::<Db>::new("DELETE FROM member_references WHERE group_id = ");
            statement.push_bind(group.as_str()).push(" AND ");
            Whom::these(names).restrict(&mut statement, "reference");
            statement
        });
        execute_each(&mut transaction, removed).await.doing(doing)?;
        transaction.commit().await.doing(doing)
    }

    /// An operator has approved that these mean nobody.
    pub async fn note_nobody(
        &self,
        references: &BTreeSet<(GroupId, String)>,
    ) -> Result<(), StoreError> {
        let doing = "noting what members are called";
        let (nobody, _) = columns(Reference::Nobody);
        let mut transaction = self.begin().await?;
        for (group, reference) in references {
            sqlx::query(
                "UPDATE member_references SET state = $3, lacked = NULL WHERE group_id = $1 AND reference = $2",
            )
            .bind(group.as_str())
            .bind(reference)
            .bind(nobody)
            .execute(&mut *transaction)
            .await
            .doing(doing)?;
        }
        transaction.commit().await.doing(doing)
    }
}

fn columns(reference: Reference) -> (&'static str, Option<i64>) {
    match reference {
        Reference::Known => ("known", None),
        Reference::New { lacked } => ("new", Some(micros(lacked))),
        Reference::Lost => ("lost", None),
        Reference::Nobody => ("nobody", None),
    }
}

fn parse(state: &str, lacked: Option<i64>) -> Option<Reference> {
    match (state, lacked) {
        ("known", _) => Some(Reference::Known),
        ("new", Some(lacked)) => Some(Reference::New {
            lacked: instant(lacked),
        }),
        ("lost", _) => Some(Reference::Lost),
        ("nobody", _) => Some(Reference::Nobody),
        _ => None,
    }
}
