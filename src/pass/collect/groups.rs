//! What is believed of the groups that policies name: each membership is judged by itself, and an
//! emptied exclusion is not believed (contract 7.6).

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{CollectError, Collector};
use crate::domain::brake::{Hold, HoldKind, collapsed};
use crate::domain::id::{GroupId, PolicyName};
use crate::store::holds::Raised;
use crate::store::memberships::GroupSnapshot;

/// The groups that policies name, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::pass) struct Wanted {
    /// Every name of a group in a policy.
    pub(in crate::pass) names: BTreeSet<String>,
    /// Names in exclusions, with their policies.
    pub(in crate::pass) excluded: BTreeSet<(PolicyName, String)>,
    /// Names in inclusions, with their policies.
    pub(in crate::pass) included: BTreeSet<(PolicyName, String)>,
    /// What names meant the last time they meant something.
    pub(in crate::pass) remembered: BTreeMap<String, GroupId>,
}

impl Wanted {
    /// What is wanted under these names, and what under all others.
    pub(super) fn partition(&self, these: &BTreeSet<String>) -> (Self, Self) {
        let part = |is_in: bool| {
            let keep = |name: &String| these.contains(name) == is_in;
            let named = |list: &BTreeSet<(PolicyName, String)>| {
                list.iter()
                    .filter(|(_, name)| keep(name))
                    .cloned()
                    .collect()
            };
            Self {
                names: self
                    .names
                    .iter()
                    .filter(|name| keep(name))
                    .cloned()
                    .collect(),
                excluded: named(&self.excluded),
                included: named(&self.included),
                remembered: self.remembered.clone(),
            }
        };
        (part(true), part(false))
    }
}

/// The groups that a name of the configuration means: an object id, or a display name.
pub(in crate::pass) fn named(name: &str, groups: &BTreeMap<GroupId, String>) -> Vec<GroupId> {
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
pub(super) fn meant(
    name: &str,
    groups: &BTreeMap<GroupId, String>,
    wanted: &Wanted,
) -> Vec<GroupId> {
    let ids = named(name, groups);
    if ids.is_empty() {
        return wanted.remembered.get(name).cloned().into_iter().collect();
    }
    ids
}

/// A membership that is not believed under one policy.
struct Doubt {
    /// The name of the group in the policy.
    name: String,
    /// What the name means now.
    group: GroupId,
    /// What it meant when its members were believed last: another group, if this one was made anew.
    known: GroupId,
    after: u64,
    hold: Hold,
}

/// Judges each wanted membership: what is not believed is taken out of the snapshot, so that the
/// last members stay, and held (contract 7.6). A group that several policies name is believed
/// when an operator has approved the hold of each.
pub(super) async fn judge(
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
            if doubt.known != doubt.group {
                snapshot.names.remove(&doubt.group);
                snapshot.names.insert(doubt.known, doubt.name);
            }
            raised.push(Raised {
                hold: doubt.hold,
                evidence: doubt.after.to_string(),
            });
        } else if doubt.hold.kind == HoldKind::Exclusion {
            collector.store.forget_members(&doubt.known).await?;
        }
    }
    Ok(raised)
}

fn doubts(wanted: &Wanted, snapshot: &GroupSnapshot, sizes: &HashMap<GroupId, u64>) -> Vec<Doubt> {
    let excluded = wanted.excluded.iter().map(|named| (named, true));
    let included = wanted.included.iter().map(|named| (named, false));
    let mut doubts: Vec<Doubt> = Vec::new();
    for ((policy, name), excludes) in excluded.chain(included) {
        let meant = meant(name, &snapshot.names, wanted);
        let anew = match meant.as_slice() {
            [id] if !sizes.contains_key(id) => wanted.remembered.get(name),
            _ => None,
        };
        for group in meant {
            let known = anew.unwrap_or(&group).clone();
            let before = sizes.get(&known).copied().unwrap_or(0);
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
            let hold = Hold::new(kind, &format!("{policy}/{known}"), Some(policy), text);
            if doubts.iter().all(|doubt| doubt.hold.id != hold.id) {
                doubts.push(Doubt {
                    name: name.clone(),
                    group,
                    known,
                    after,
                    hold,
                });
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

/// The holds of all policies that name these groups, while they cannot be read whole: the last
/// members stay, but who joined an exclusion since is not known.
pub(super) fn unread(wanted: &Wanted) -> Vec<Raised> {
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
            let named = wanted.included.iter().chain(&wanted.excluded);
            let names: BTreeSet<String> = named
                .filter(|(of, _)| of == policy)
                .map(|(_, name)| format!("{name:?}"))
                .collect();
            let names: Vec<String> = names.into_iter().collect();
            let text = format!(
                "the members of {} could not be read whole; the last ones stay",
                names.join(", ")
            );
            Hold::new(kind, &format!("{policy}{UNREAD}"), Some(policy), text).into()
        })
        .collect()
}

fn approved(collector: &Collector<'_>, hold: &Hold, after: u64) -> bool {
    collector
        .approvals
        .iter()
        .filter(|approval| approval.hold == hold.id)
        .any(|approval| {
            let approved = approval.evidence.parse::<u64>();
            approved.is_ok_and(|approved| !collapsed(approved, after))
        })
}

fn text(name: &str, before: u64, after: u64, exists: bool) -> String {
    if exists {
        format!("the group {name:?} has {after} members where it had {before}; the last ones stay")
    } else {
        format!("the group {name:?} is no more, its {before} last members stay exempt")
    }
}
