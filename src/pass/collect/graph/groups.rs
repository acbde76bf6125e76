//! The groups that policies name: found by id or display name, and their members, transitively as
//! Graph itself flattens them, read anew in every pass.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{Graph, READING, part};
use crate::config::PolicyConfig;
use crate::domain::id::{GroupId, UserId};
use crate::errors::chain;
use crate::graph::GraphError;
use crate::pass::collect::groups::{ReadFor, Wanted, judge, meant, names_read, unread};
use crate::pass::collect::{CollectError, Collected};
use crate::report::PassReport;
use crate::store::memberships::{GroupSnapshot, Members};
use crate::store::settings::GROUPS_READ_FOR;
use crate::store::sources::Source;

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
            names: self.names(wanted).await?,
            members: BTreeMap::new(),
        };
        report.read.groups += snapshot.names.len() as u64;
        let sizes = self.collector.store.membership_sizes().await?;
        let refused = self
            .read_members(wanted, &sizes, &mut snapshot, report)
            .await?;
        let names_read = names_read(self.collector.store, wanted, &refused, &snapshot).await?;
        let (refused, readable) = wanted.partition(&refused);
        collected.unread.extend(unread(&refused));
        let held = judge(self.collector, &readable, &sizes, &mut snapshot).await?;
        collected.holds.extend(held);
        self.accept_groups(&snapshot).await?;
        let read_for: ReadFor = (names_read, None, None);
        let store = self.collector.store;
        Ok(store.set(&GROUPS_READ_FOR.of(), &read_for).await?)
    }

    /// The groups that the names mean now, and those that they meant last.
    async fn names(&self, wanted: &Wanted) -> Result<BTreeMap<GroupId, String>, GraphError> {
        let mut found = BTreeMap::new();
        for name in &wanted.names {
            found.extend(self.asked(self.client.groups_named(name)).await?);
            if let Some(id) = wanted.remembered.get(name)
                && !found.contains_key(id)
            {
                found.extend(self.asked(self.client.group(id)).await?);
            }
        }
        Ok(found)
    }

    /// Reads the members of the wanted groups; the names of those whose members may not be read.
    async fn read_members(
        &self,
        wanted: &Wanted,
        sizes: &HashMap<GroupId, u64>,
        snapshot: &mut GroupSnapshot,
        report: &mut PassReport,
    ) -> Result<BTreeSet<String>, CollectError> {
        let directly = named_directly(&self.collector.config.policies);
        let mut refused = BTreeSet::new();
        for name in &wanted.names {
            for group in meant(name, &snapshot.names, wanted) {
                // The members of a group that is no more stay as they are.
                if !snapshot.names.contains_key(&group) {
                    continue;
                }
                let before = sizes.get(&group).copied();
                match self.members(&group, directly.contains(name), before).await {
                    Ok(members) => {
                        self.collector.progress.absorbed(members.transitive.len());
                        snapshot.members.insert(group, members);
                    }
                    // One group whose members are hidden, or never come whole, stops the policies
                    // that name it.
                    Err(
                        error @ (GraphError::Forbidden { .. }
                        | GraphError::NotFound { .. }
                        | GraphError::BrokenOff { .. }),
                    ) => {
                        tracing::error!(group.id = %group, "{}", chain(&error));
                        report.errors.push(format!("group {name:?}: {error}"));
                        refused.insert(name.clone());
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(refused)
    }

    async fn members(
        &self,
        group: &GroupId,
        directly: bool,
        before: Option<u64>,
    ) -> Result<Members, GraphError> {
        let transitive = self.members_of(group, true, before).await?;
        let direct = if directly {
            self.members_of(group, false, before).await?
        } else {
            BTreeSet::new()
        };
        Ok(Members { transitive, direct })
    }

    /// Half a list is none, so that nothing of it is kept between passes.
    async fn members_of(
        &self,
        group: &GroupId,
        transitive: bool,
        before: Option<u64>,
    ) -> Result<BTreeSet<UserId>, GraphError> {
        let beat = || self.collector.progress.beat();
        let members = self.asked(self.client.members(group, transitive, before, &beat));
        let slow = GraphError::Slow {
            what: "members of groups",
        };
        tokio::time::timeout(READING, members)
            .await
            .unwrap_or(Err(slow))
    }

    async fn accept_groups(&self, snapshot: &GroupSnapshot) -> Result<(), CollectError> {
        let (store, now) = (self.collector.store, self.collector.now);
        let before = self.files_before(Source::Groups).await?;
        let gone: Vec<i64> = before.iter().map(|part| part.id).collect();
        let part = part(String::new());
        store
            .absorb_groups(snapshot, &[(part, now)], &gone, now)
            .await?;
        Ok(())
    }
}

/// Names of groups whose direct members count.
fn named_directly(policies: &[PolicyConfig]) -> BTreeSet<String> {
    policies
        .iter()
        .filter(|policy| !policy.nested)
        .flat_map(PolicyConfig::groups)
        .cloned()
        .collect()
}
