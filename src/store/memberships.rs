//! Groups and their members, and the names of assignments resolved to object ids.
//!
//! Only the members of groups that a policy names are kept. Each membership is judged by itself:
//! one that collapsed is not believed, and an emptied exclusion least of all (rule 7.6).

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use sqlx::QueryBuilder;

use super::db::{Connection, Db};
use super::records::mark_changed;
use super::rows::execute_each;
use super::sources::{self, NewPart, Source};
use super::{Doing, ROWS_PER_STATEMENT, Store, StoreError};
use crate::domain::id::{GroupId, UserId};

/// The members of one group as a snapshot has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Members {
    /// All users below the group.
    pub transitive: BTreeSet<UserId>,
    /// Its direct members only.
    pub direct: BTreeSet<UserId>,
}

impl Members {
    /// These as well.
    pub fn extend(&mut self, others: Self) {
        self.transitive.extend(others.transitive);
        self.direct.extend(others.direct);
    }
}

/// The groups of a snapshot: every group's name, and the members of those that policies name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupSnapshot {
    /// Display names by id.
    pub names: BTreeMap<GroupId, String>,
    /// Members of the named groups.
    pub members: BTreeMap<GroupId, Members>,
}

impl Store {
    /// Accepts the groups' names and the memberships that the caller believes; the members of
    /// every other group stay as they are.
    pub async fn absorb_groups(
        &self,
        snapshot: &GroupSnapshot,
        parts: &[(NewPart, Timestamp)],
        gone_parts: &[i64],
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let mut transaction = self.begin().await?;
        let connection = &mut *transaction;
        sqlx::query("DELETE FROM directory_groups")
            .execute(&mut *connection)
            .await
            .doing("writing groups")?;
        let names: Vec<_> = snapshot.names.iter().collect();
        let statements = names.chunks(ROWS_PER_STATEMENT).map(|names| {
            let mut statement =
                QueryBuilder::<Db>::new("INSERT INTO directory_groups (id, display_name) ");
            statement.push_values(names, |mut row, (id, name)| {
                row.push_bind(id.as_str().to_owned())
                    .push_bind((*name).clone());
            });
            statement
        });
        execute_each(connection, statements)
            .await
            .doing("writing groups")?;
        let mut changed = 0;
        for (group, members) in &snapshot.members {
            for (direct, users) in [(false, &members.transitive), (true, &members.direct)] {
                changed += replace_members(connection, group, direct, users).await?;
            }
        }
        // A snapshot of several files is as old as the oldest of them (rule 7.8).
        let oldest = parts.iter().map(|(_, as_of)| *as_of).min();
        let as_of = oldest.unwrap_or(Timestamp::MIN).min(now);
        for (part, part_as_of) in parts {
            sources::note_part(connection, Source::Groups, part, *part_as_of, 0).await?;
        }
        for id in gone_parts {
            sources::forget_part(connection, *id).await?;
        }
        sources::accept(
            connection,
            Source::Groups,
            as_of,
            as_of,
            snapshot.names.len() as u64,
            now,
        )
        .await?;
        transaction.commit().await.doing("accepting groups")?;
        Ok(changed)
    }

    /// How many users each known membership has; a group that was never read is not in it.
    pub async fn membership_sizes(&self) -> Result<HashMap<GroupId, u64>, StoreError> {
        let rows: Vec<(String, i64)> = sqlx::query_as(
            "SELECT group_id, COUNT(*) FROM memberships WHERE direct = FALSE GROUP BY group_id",
        )
        .fetch_all(&self.read)
        .await
        .doing("counting members")?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, count)| {
                Some((
                    GroupId::stored(&id).ok()?,
                    u64::try_from(count).unwrap_or(0),
                ))
            })
            .collect())
    }

    /// The members of a group as they are known.
    pub async fn members(&self, group: &GroupId) -> Result<Members, StoreError> {
        let rows: Vec<(String, bool)> =
            sqlx::query_as("SELECT user_id, direct FROM memberships WHERE group_id = $1")
                .bind(group.as_str())
                .fetch_all(&self.read)
                .await
                .doing("reading members")?;
        let mut members = Members::default();
        for (id, direct) in rows {
            let user = super::records::user_id("memberships", &id)?;
            if direct {
                members.direct.insert(user);
            } else {
                members.transitive.insert(user);
            }
        }
        Ok(members)
    }

    /// Forgets the members of a group: an approval ended an exclusion.
    pub async fn forget_members(&self, group: &GroupId) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        for direct in [false, true] {
            replace_members(&mut transaction, group, direct, &BTreeSet::new()).await?;
        }
        transaction.commit().await.doing("forgetting members")
    }

    /// Ids and display names of all groups of the last snapshot.
    pub async fn groups(&self) -> Result<Vec<(GroupId, String)>, StoreError> {
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT id, display_name FROM directory_groups")
                .fetch_all(&self.read)
                .await
                .doing("reading groups")?;
        Ok(rows
            .into_iter()
            .filter_map(|(id, name)| Some((GroupId::stored(&id).ok()?, name)))
            .collect())
    }

    /// The object ids of user principal names, lower-cased, among people who are present.
    pub async fn users_by_name(
        &self,
        names: &[String],
    ) -> Result<HashMap<String, Vec<UserId>>, StoreError> {
        let mut found: HashMap<String, Vec<UserId>> = HashMap::new();
        for names in names.chunks(ROWS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(
                "SELECT upn_key, id FROM people WHERE gone_at IS NULL AND ",
            );
            super::Whom::these(names).restrict(&mut statement, "upn_key");
            let rows: Vec<(String, String)> = statement
                .build_query_as()
                .fetch_all(&self.read)
                .await
                .doing("looking up names")?;
            for (name, id) in rows {
                found
                    .entry(name)
                    .or_default()
                    .push(super::records::user_id("people", &id)?);
            }
        }
        Ok(found)
    }

    /// Which of these user principal names, lower-cased, are known, present or gone.
    pub async fn known_names(&self, names: &[String]) -> Result<HashSet<String>, StoreError> {
        self.known("SELECT upn_key FROM people WHERE ", "upn_key", names)
            .await
    }

    /// Which of these object ids are known, present or gone.
    pub async fn known_users(&self, ids: &[String]) -> Result<HashSet<String>, StoreError> {
        self.known("SELECT id FROM people WHERE ", "id", ids).await
    }

    /// Which of these values a column of people has.
    async fn known(
        &self,
        select: &'static str,
        column: &'static str,
        values: &[String],
    ) -> Result<HashSet<String>, StoreError> {
        let mut known = HashSet::new();
        for values in values.chunks(ROWS_PER_STATEMENT) {
            let mut statement = QueryBuilder::<Db>::new(select);
            super::Whom::these(values).restrict(&mut statement, column);
            known.extend(
                statement
                    .build_query_scalar::<String>()
                    .fetch_all(&self.read)
                    .await
                    .doing("looking up people")?,
            );
        }
        Ok(known)
    }
}

async fn replace_members(
    connection: &mut Connection,
    group: &GroupId,
    direct: bool,
    users: &BTreeSet<UserId>,
) -> Result<u64, StoreError> {
    let stored: Vec<String> =
        sqlx::query_scalar("SELECT user_id FROM memberships WHERE group_id = $1 AND direct = $2")
            .bind(group.as_str())
            .bind(direct)
            .fetch_all(&mut *connection)
            .await
            .doing("reading members")?;
    let stored: BTreeSet<String> = stored.into_iter().collect();
    let joined: Vec<String> = users
        .iter()
        .map(|user| user.as_str().to_owned())
        .filter(|user| !stored.contains(user))
        .collect();
    let left: Vec<String> = stored
        .into_iter()
        .filter(|id| UserId::stored(id).is_ok_and(|id| !users.contains(&id)))
        .collect();
    let statements = left.chunks(ROWS_PER_STATEMENT).map(|left| {
        let mut statement = QueryBuilder::<Db>::new("DELETE FROM memberships WHERE group_id = ");
        statement
            .push_bind(group.as_str().to_owned())
            .push(" AND direct = ")
            .push_bind(direct)
            .push(" AND ");
        super::Whom::these(left).restrict(&mut statement, "user_id");
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing members")?;
    let statements = joined.chunks(ROWS_PER_STATEMENT).map(|joined| {
        let mut statement =
            QueryBuilder::<Db>::new("INSERT INTO memberships (group_id, direct, user_id) ");
        statement.push_values(joined, |mut row, user| {
            row.push_bind(group.as_str().to_owned())
                .push_bind(direct)
                .push_bind(user.clone());
        });
        statement
    });
    execute_each(connection, statements)
        .await
        .doing("writing members")?;
    mark_changed(connection, &joined).await?;
    mark_changed(connection, &left).await?;
    Ok((joined.len() + left.len()) as u64)
}
