//! The groups that policies name: found by id or display name, and their members, transitively as
//! Graph itself flattens them, read anew in every pass (domain 4).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::Graph;
use crate::config::{IncludeNames, PolicyConfig};
use crate::domain::id::{GroupId, UserId};
use crate::pass::collect::groups::{Wanted, judge, meant, unread};
use crate::pass::collect::{CollectError, Collected};
use crate::pass::report::PassReport;
use crate::sources::graph::{Ask, GraphError};
use crate::sources::wire::{Row, RowError, Scalar, parse};
use crate::store::memberships::{GroupSnapshot, Members};
use crate::store::sources::{NewPart, Source};

/// The name of the snapshot among the parts of its source.
const PART: &str = "graph";

/// A group or a member, as far as it was asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRow<'a> {
    #[serde(borrow)]
    id: Scalar<'a>,
    #[serde(borrow)]
    display_name: Scalar<'a>,
}

impl Graph<'_> {
    pub(super) async fn groups(
        &self,
        wanted: &Wanted,
        collected: &mut Collected,
        report: &mut PassReport,
    ) -> Result<(), CollectError> {
        if wanted.names.is_empty() {
            return Ok(());
        }
        let mut snapshot = GroupSnapshot {
            names: self.names(wanted, report).await?,
            members: BTreeMap::new(),
        };
        report.read.groups += snapshot.names.len() as u64;
        let directly = named_directly(&self.collector.config.policies);
        let mut refused = BTreeSet::new();
        for name in &wanted.names {
            for group in meant(name, &snapshot.names, wanted) {
                // The members of a group that is no more stay as they are.
                if !snapshot.names.contains_key(&group) {
                    continue;
                }
                match self.members(&group, directly.contains(name), report).await {
                    Ok(members) => {
                        snapshot.members.insert(group, members);
                    }
                    // One group whose members are hidden stops the policies that name it.
                    Err(CollectError::Source(error)) if is_refused(&error) => {
                        report.errors.push(format!("group {name:?}: {error}"));
                        refused.insert(name.clone());
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        let (refused, readable) = wanted.partition(&refused);
        collected.holds.extend(unread(self.collector, &refused));
        let held = judge(self.collector, &readable, &mut snapshot).await?;
        collected.holds.extend(held);
        self.accept_groups(&snapshot).await
    }

    async fn accept_groups(&self, snapshot: &GroupSnapshot) -> Result<(), CollectError> {
        let (store, now) = (self.collector.store, self.collector.now);
        let part = NewPart {
            name: PART.to_owned(),
            fingerprint: String::new(),
        };
        let gone: Vec<i64> = store
            .parts(Source::Groups)
            .await?
            .into_iter()
            .filter(|part| part.name != PART)
            .map(|part| part.id)
            .collect();
        store
            .absorb_groups(snapshot, &[(part, now)], &gone, now)
            .await?;
        Ok(())
    }

    /// The groups that the names mean now, and those that they meant last.
    async fn names(
        &self,
        wanted: &Wanted,
        report: &mut PassReport,
    ) -> Result<BTreeMap<GroupId, String>, CollectError> {
        let mut found = BTreeMap::new();
        let remembered = wanted.remembered.iter();
        let remembered = remembered
            .filter(|(name, _)| wanted.names.contains(*name))
            .map(|(_, id)| id.clone());
        let named = wanted.names.iter().filter_map(|name| object_id(name));
        let ids: BTreeSet<GroupId> = remembered.chain(named).collect();
        for id in ids {
            match self.client.object(&Ask::group(&id)).await {
                Ok(row) => {
                    if let Ok(Row::Fact(named)) = group(row.get().as_bytes()) {
                        found.extend([named]);
                    }
                }
                Err(GraphError::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        for name in wanted.names.iter().filter(|name| object_id(name).is_none()) {
            found.extend(self.all(Ask::groups_named(name), report, group).await?);
        }
        Ok(found)
    }

    async fn members(
        &self,
        group: &GroupId,
        directly: bool,
        report: &mut PassReport,
    ) -> Result<Members, CollectError> {
        let transitive = self.all(Ask::members(group, true), report, member).await?;
        let direct = if directly {
            self.all(Ask::members(group, false), report, member).await?
        } else {
            Vec::new()
        };
        Ok(Members {
            transitive: transitive.into_iter().collect(),
            direct: direct.into_iter().collect(),
        })
    }

    /// All rows of all pages: a membership counts whole or not at all.
    async fn all<T>(
        &self,
        ask: Ask,
        report: &mut PassReport,
        row: fn(&[u8]) -> Result<Row<T>, RowError>,
    ) -> Result<Vec<T>, CollectError> {
        let (mut all, mut next) = (Vec::new(), None);
        loop {
            let page = match next {
                Some(link) => self.client.page(&ask.clone().at(link)).await?,
                None => self.client.page(&ask).await?,
            };
            all.extend(self.facts(Source::Groups, &page, row, report).await?);
            next = page.next;
            if next.is_none() {
                return Ok(all);
            }
        }
    }
}

/// Names of groups whose direct members count.
fn named_directly(policies: &[PolicyConfig]) -> BTreeSet<String> {
    policies
        .iter()
        .filter(|policy| !policy.nested)
        .flat_map(|policy| {
            let included = match &policy.include {
                IncludeNames::Selected(names) => names.groups.as_slice(),
                IncludeNames::AllUsers => &[],
            };
            included.iter().chain(&policy.exclude.groups)
        })
        .cloned()
        .collect()
}

fn is_refused(error: &crate::sources::SourceError) -> bool {
    matches!(
        error,
        crate::sources::SourceError::Graph(
            GraphError::Forbidden { .. } | GraphError::NotFound { .. }
        )
    )
}

/// The object id that a name of the configuration is, if it is one; else it is a display name.
fn object_id(name: &str) -> Option<GroupId> {
    uuid::Uuid::try_parse(name.trim()).ok()?;
    GroupId::parse(name).ok()
}

fn group(raw: &[u8]) -> Result<Row<(GroupId, String)>, RowError> {
    let row: ObjectRow<'_> = parse(raw)?;
    let id = row.id.text("id")?.ok_or(RowError::Missing("id"))?;
    let id = GroupId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
    let name = row.display_name.as_str().unwrap_or_default().to_owned();
    Ok(Row::Fact((id, name)))
}

fn member(raw: &[u8]) -> Result<Row<UserId>, RowError> {
    let row: ObjectRow<'_> = parse(raw)?;
    let id = row.id.text("id")?.ok_or(RowError::Missing("id"))?;
    let id = UserId::parse(id).map_err(|why| RowError::Id { name: "id", why })?;
    Ok(Row::Fact(id))
}
