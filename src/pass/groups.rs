//! The members of the groups that policies name, from the groups file: nested groups are
//! flattened here, each membership is judged by itself, and an emptied exclusion is not believed.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;

use super::collect::{CollectError, Collected, Collector, difference, new_part};
use super::reader::{Reader, Step};
use super::report::PassReport;
use crate::domain::brake::{Hold, HoldKind, collapsed};
use crate::domain::id::{GroupId, PolicyName, UserId};
use crate::sources::Collection;
use crate::sources::files::{self, Folder, Part};
use crate::sources::wire::{Group, Member, Who};
use crate::store::holds::Raised;
use crate::store::memberships::{GroupSnapshot, Members};
use crate::store::sources::Source;

/// The setting that says for which names the groups were read last and, where members are named by
/// user principal name, with which users snapshot.
const READ_FOR: &str = "groups_read_for";

/// The groups that policies name, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Every name of a group in a policy.
    pub(super) names: BTreeSet<String>,
    /// Names in exclusions, with their policies.
    pub(super) excluded: BTreeSet<(PolicyName, String)>,
    /// Names in inclusions, with their policies.
    pub(super) included: BTreeSet<(PolicyName, String)>,
    /// What names meant the last time they meant something.
    pub(super) remembered: BTreeMap<String, GroupId>,
}

pub(super) async fn collect(
    collector: &Collector<'_>,
    folder: &Folder,
    wanted: &Wanted,
    collected: &mut Collected,
    report: &mut PassReport,
) -> Result<(), CollectError> {
    if wanted.names.is_empty() {
        return Ok(());
    }
    let store = collector.store;
    let parts = folder.required(Collection::Groups)?;
    let users = collector.users_snapshot().await?;
    let read_for = |by_name: bool| {
        let users = by_name.then_some(&users);
        serde_json::to_string(&(&wanted.names, users)).unwrap_or_default()
    };
    let means_the_same = store
        .setting(READ_FOR)
        .await?
        .is_some_and(|before| before == read_for(false) || before == read_for(true));
    let change = difference(parts, store.parts(Source::Groups).await?, false);
    if change.is_empty() && means_the_same {
        return Ok(collector
            .unchanged(Source::Groups, &change.unchanged)
            .await?);
    }
    let mut directory = Directory::default();
    let mut read_parts = Vec::new();
    for part in parts {
        let as_of = directory.read(collector, part, report).await?;
        read_parts.push((new_part(part), as_of));
    }
    let mut snapshot = directory.flatten(collector, wanted).await?;
    let held = judge(collector, wanted, &mut snapshot).await?;
    if !held.is_empty() {
        // What was not believed is looked at again in every pass.
        for (part, _) in &mut read_parts {
            part.fingerprint.clear();
        }
    }
    collected.holds.extend(held);
    let gone: Vec<i64> = change.gone.iter().map(|part| part.id).collect();
    store
        .absorb_groups(&snapshot, &read_parts, &gone, collector.now)
        .await?;
    store.set(READ_FOR, &read_for(directory.by_name)).await?;
    Ok(())
}

/// All groups of the files.
#[derive(Debug, Default)]
struct Directory {
    groups: HashMap<GroupId, (String, Vec<Member>)>,
    /// Whether any member is named by user principal name.
    by_name: bool,
}

impl Directory {
    async fn read(
        &mut self,
        collector: &Collector<'_>,
        part: &Part,
        report: &mut PassReport,
    ) -> Result<Timestamp, CollectError> {
        let mut reader = Reader::start(&[part], collector.now, files::groups);
        let mut read = loop {
            match reader.next().await? {
                Step::Facts(batch) => {
                    collector.progress.absorbed(batch.len());
                    for group in batch {
                        self.add(group);
                    }
                }
                Step::PartRead(read) => break read,
            }
        };
        report.read.groups += read.facts;
        collector
            .note_quarantined(Source::Groups, &mut read, report)
            .await?;
        Ok(collector.as_of(part, &read))
    }

    fn add(&mut self, group: Group) {
        self.by_name |= group
            .members
            .iter()
            .any(|member| matches!(member, Member::User(Who::Upn(_))));
        let known = self.groups.entry(group.id).or_default();
        if let Some(name) = group.name {
            known.0 = name;
        }
        if !group.adds_up {
            known.1.clear();
        }
        known.1.extend(group.members);
    }

    /// Names of all groups, and the members of the wanted ones.
    async fn flatten(
        &self,
        collector: &Collector<'_>,
        wanted: &Wanted,
    ) -> Result<GroupSnapshot, CollectError> {
        let mut snapshot = GroupSnapshot {
            names: self
                .groups
                .iter()
                .map(|(id, (name, _))| (id.clone(), name.clone()))
                .collect(),
            members: BTreeMap::new(),
        };
        for name in &wanted.names {
            let meant = meant(name, &snapshot.names, wanted);
            // The members of a group that is no more stay as they are.
            for id in meant.into_iter().filter(|id| self.groups.contains_key(id)) {
                let members = self.members(collector, &id).await?;
                snapshot.members.insert(id, members);
            }
        }
        Ok(snapshot)
    }

    /// The users below a group. Groups may nest in circles: each is visited once (case 12).
    async fn members(
        &self,
        collector: &Collector<'_>,
        group: &GroupId,
    ) -> Result<Members, CollectError> {
        let mut members = Members::default();
        let mut visited = BTreeSet::new();
        let mut to_visit = vec![group.clone()];
        let mut by_name: Vec<(String, bool)> = Vec::new();
        while let Some(id) = to_visit.pop() {
            if !visited.insert(id.clone()) {
                continue;
            }
            let direct = id == *group;
            for member in self.groups.get(&id).map_or(&[][..], |(_, members)| members) {
                match self.kind(member) {
                    Kind::Group(nested) => to_visit.push(nested),
                    Kind::User(user) => add(&mut members, user, direct),
                    Kind::Name(name) => by_name.push((name, direct)),
                }
            }
        }
        let names: Vec<String> = by_name.iter().map(|(name, _)| name.clone()).collect();
        let known = collector.store.users_by_name(&names).await?;
        for (name, direct) in by_name {
            for user in known.get(&name).into_iter().flatten() {
                add(&mut members, user.clone(), direct);
            }
        }
        Ok(members)
    }

    fn kind(&self, member: &Member) -> Kind {
        match member {
            Member::Group(id) => Kind::Group(id.clone()),
            Member::User(Who::Id(id)) => Kind::User(id.clone()),
            Member::User(Who::Upn(name)) => Kind::Name(name.to_lowercase()),
            Member::Either(id) => match GroupId::parse(id.as_str()) {
                Ok(group) if self.groups.contains_key(&group) => Kind::Group(group),
                _ => Kind::User(id.clone()),
            },
        }
    }
}

enum Kind {
    Group(GroupId),
    User(UserId),
    Name(String),
}

fn add(members: &mut Members, user: UserId, direct: bool) {
    if direct {
        members.direct.insert(user.clone());
    }
    members.transitive.insert(user);
}

/// The groups that a name of the configuration means: an object id, or a display name.
pub(super) fn named(name: &str, groups: &BTreeMap<GroupId, String>) -> Vec<GroupId> {
    if let Ok(id) = GroupId::parse(name)
        && groups.contains_key(&id)
    {
        return vec![id];
    }
    groups
        .iter()
        .filter(|(_, display_name)| display_name.trim() == name.trim())
        .map(|(id, _)| id.clone())
        .collect()
}

/// The groups that a name means, or meant last: the members of a renamed group stay known while
/// its policy waits for the name to be mended (contract 7.9).
fn meant(name: &str, groups: &BTreeMap<GroupId, String>, wanted: &Wanted) -> Vec<GroupId> {
    let ids = named(name, groups);
    if ids.is_empty() {
        return wanted.remembered.get(name).cloned().into_iter().collect();
    }
    ids
}

/// A membership that is not believed under one policy.
struct Doubt {
    group: GroupId,
    after: u64,
    hold: Hold,
}

/// Judges each wanted membership: what is not believed is taken out of the snapshot, so that the
/// last members stay, and held (contract 7.6). A group that several policies name is believed
/// when an operator has approved the hold of each.
async fn judge(
    collector: &Collector<'_>,
    wanted: &Wanted,
    snapshot: &mut GroupSnapshot,
) -> Result<Vec<Raised>, CollectError> {
    let sizes = collector.store.membership_sizes().await?;
    let doubts = doubts(wanted, snapshot, &sizes);
    let held: BTreeSet<GroupId> = doubts
        .iter()
        .filter(|doubt| !approved(collector, &doubt.hold, doubt.after))
        .map(|doubt| doubt.group.clone())
        .collect();
    let mut raised = Vec::new();
    for doubt in doubts {
        if held.contains(&doubt.group) {
            snapshot.members.remove(&doubt.group);
            raised.push(Raised {
                hold: doubt.hold,
                evidence: doubt.after.to_string(),
            });
        } else if doubt.hold.kind == HoldKind::Exclusion {
            collector.store.forget_members(&doubt.group).await?;
        }
    }
    Ok(raised)
}

fn doubts(wanted: &Wanted, snapshot: &GroupSnapshot, sizes: &HashMap<GroupId, u64>) -> Vec<Doubt> {
    let excluded = wanted.excluded.iter().map(|named| (named, true));
    let included = wanted.included.iter().map(|named| (named, false));
    let mut doubts: Vec<Doubt> = Vec::new();
    for ((policy, name), excludes) in excluded.chain(included) {
        for group in meant(name, &snapshot.names, wanted) {
            let before = sizes.get(&group).copied().unwrap_or(0);
            let members = snapshot.members.get(&group);
            let after = members.map_or(0, |members| members.transitive.len() as u64);
            // Members of an included group that is no more stay in any case.
            if !collapsed(before, after) || members.is_none() && !excludes {
                continue;
            }
            let kind = if excludes && after == 0 {
                HoldKind::Exclusion
            } else {
                HoldKind::Snapshot
            };
            let exists = snapshot.names.contains_key(&group);
            let text = text(name, before, after, exists);
            let hold = Hold::new(kind, &format!("{policy}/{group}"), Some(policy), text);
            if doubts.iter().all(|doubt| doubt.hold.id != hold.id) {
                doubts.push(Doubt { group, after, hold });
            }
        }
    }
    doubts
}

/// What a hold is about when all groups could not be read.
const UNREAD: &str = "/groups";

/// Whether the hold says that the groups could not be read.
pub(super) fn is_unread(hold: &Hold) -> bool {
    hold.id.ends_with(UNREAD)
}

/// The holds of all policies that name groups, while the groups cannot be read: the last members
/// stay, but who joined an exclusion since is not known.
pub(super) fn unread(collector: &Collector<'_>, wanted: &Wanted) -> Vec<Raised> {
    let excludes: BTreeSet<&PolicyName> = wanted.excluded.iter().map(|(name, _)| name).collect();
    let includes = wanted.included.iter().map(|(name, _)| name);
    let policies: BTreeSet<&PolicyName> = includes.chain(excludes.iter().copied()).collect();
    policies
        .into_iter()
        .map(|policy| {
            let kind = if excludes.contains(policy) {
                HoldKind::Exclusion
            } else {
                HoldKind::Snapshot
            };
            let text = "the groups could not be read; their last members stay".to_owned();
            Hold::new(kind, &format!("{policy}{UNREAD}"), Some(policy), text)
        })
        .filter(|hold| {
            !collector
                .approvals
                .iter()
                .any(|approval| approval.hold == hold.id)
        })
        .map(|hold| Raised {
            hold,
            evidence: String::new(),
        })
        .collect()
}

fn approved(collector: &Collector<'_>, hold: &Hold, after: u64) -> bool {
    collector
        .approvals
        .iter()
        .filter(|approval| approval.hold == hold.id)
        .any(|approval| {
            approval
                .evidence
                .parse::<u64>()
                .is_ok_and(|least| after >= least)
        })
}

fn text(name: &str, before: u64, after: u64, exists: bool) -> String {
    if exists {
        format!("the group {name:?} has {after} members where it had {before}; the last ones stay")
    } else {
        format!("the group {name:?} is no more, its {before} last members stay exempt")
    }
}
