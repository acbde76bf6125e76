//! Policies of the configuration become policies of the domain: names resolve to object ids, and
//! what is remembered between passes joins in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::collect::groups::{Wanted, named, read_for, unread_approved};
use super::names::Names;
use crate::config::{IncludeNames, PolicyConfig};
use crate::domain::assignment::{Assignment, Include, NameList, Selection, Unresolved};
use crate::domain::id::{GroupId, UserId};
use crate::domain::policy::{Enforce, Policy, StartOn};
use crate::store::read::PolicyMemory;
use crate::store::sources::Source;
use crate::store::{Store, StoreError};

/// The minimum notice of a policy that no longer says its own (rule 7.20).
const DEFAULT_MIN_NOTICE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// The groups that policies name.
pub(super) fn wanted(policies: &[PolicyConfig], names: &Names) -> Wanted {
    let mut wanted = Wanted {
        remembered: names.groups.clone(),
        ..Wanted::default()
    };
    for policy in policies {
        let name = |group: &String| (policy.name.clone(), group.clone());
        if let IncludeNames::Selected(names) = &policy.include {
            wanted.included.extend(names.groups.iter().map(name));
        }
        wanted
            .excluded
            .extend(policy.exclude.groups.iter().map(name));
    }
    wanted.names = wanted
        .included
        .iter()
        .chain(&wanted.excluded)
        .map(|(_, name)| name.clone())
        .collect();
    wanted
}

/// Resolves every policy. `first_look` is false while no users snapshot has been accepted: then
/// no policy begins yet.
pub(super) async fn resolve(
    store: &Store,
    policies: &[PolicyConfig],
    begins: bool,
    now: Timestamp,
    write: bool,
) -> Result<Vec<Policy>, StoreError> {
    let mut names = Names::load(store).await?;
    let before = names.clone();
    let groups: BTreeMap<GroupId, String> = store.groups().await?.into_iter().collect();
    let users_read = store.accepted_at(Source::Users).await?.is_some();
    let groups_read = read_for(store).await?;
    let approved = unread_approved(store).await?;
    let memories = store.policies().await?;
    let mut resolved = Vec::with_capacity(policies.len());
    for config in policies {
        let memory = memories.get(&config.name).copied();
        let next = remember(config, memory, now);
        // A policy that is off and was never on has not begun yet.
        let has_begun = memory.is_some() || config.enforce != Enforce::Off;
        if write && begins && has_begun && memory != Some(next) {
            store.remember_policy(&config.name, &next).await?;
        }
        let mut resolver = Resolver {
            store,
            groups: &groups,
            names: &mut names,
            users_read,
            groups_read: &groups_read,
            approved: approved.get(&config.name),
            unresolved: Vec::new(),
            unread: Vec::new(),
            group_names: BTreeMap::new(),
        };
        let include = match &config.include {
            IncludeNames::AllUsers => Include::AllUsers,
            IncludeNames::Selected(names) => Include::Selected(Selection {
                users: resolver.users(&names.users, NameList::IncludeUsers).await?,
                groups: resolver.groups(&names.groups, NameList::IncludeGroups),
            }),
        };
        let exclude = Selection {
            users: resolver
                .users(&config.exclude.users, NameList::ExcludeUsers)
                .await?,
            groups: resolver.groups(&config.exclude.groups, NameList::ExcludeGroups),
        };
        let Resolver {
            unresolved,
            unread,
            group_names,
            ..
        } = resolver;
        resolved.push(Policy {
            name: config.name.clone(),
            enforce: config.enforce,
            assignment: Assignment {
                include,
                exclude,
                unresolved,
                unread,
                group_names,
            },
            window: config.window,
            min_notice: config.min_notice,
            reminders: config.reminders.clone(),
            since: next.since,
            first_pass: next.first_pass,
            on_again: next.on_again,
            guests: config.guests,
            nested: config.nested,
            accept_passwordless: config.accept_passwordless,
            start_on: config.start_on,
            strict: config.strict,
        });
    }
    if write && names != before {
        names.keep(store).await?;
    }
    Ok(resolved)
}

/// Policies that left the configuration and were not off: for a last sweep they are off, so that
/// windows pause, flags go and what waits is withdrawn, as if they had been switched off (rule T11).
pub(super) async fn retired(
    store: &Store,
    policies: &[PolicyConfig],
) -> Result<Vec<Policy>, StoreError> {
    let memories = store.policies().await?;
    Ok(memories
        .into_iter()
        .filter(|(name, memory)| {
            memory.enforce != Enforce::Off && policies.iter().all(|policy| policy.name != *name)
        })
        .map(|(name, memory)| Policy {
            name,
            enforce: Enforce::Off,
            assignment: Assignment {
                include: Include::AllUsers,
                ..Assignment::default()
            },
            // What it was is forgotten; a pause takes a told deadline as it stands.
            window: SignedDuration::ZERO,
            min_notice: DEFAULT_MIN_NOTICE,
            reminders: Vec::new(),
            since: memory.since,
            first_pass: memory.first_pass,
            on_again: memory.on_again,
            guests: true,
            nested: true,
            accept_passwordless: true,
            start_on: StartOn::Prompted,
            strict: false,
        })
        .collect())
}

/// The last sweep is over: they are off, and on again if they come back.
pub(super) async fn retire(store: &Store, retired: &[Policy]) -> Result<(), StoreError> {
    for policy in retired {
        store.retire_policy(&policy.name).await?;
    }
    Ok(())
}

/// What a policy remembers after this pass.
fn remember(config: &PolicyConfig, memory: Option<PolicyMemory>, now: Timestamp) -> PolicyMemory {
    match memory {
        None => PolicyMemory {
            enforce: config.enforce,
            since: config.since.unwrap_or(now),
            first_pass: now,
            on_again: None,
        },
        Some(memory) if memory.enforce == Enforce::Off && config.enforce != Enforce::Off => {
            PolicyMemory {
                enforce: config.enforce,
                since: config.since.unwrap_or(memory.since),
                on_again: Some(now),
                ..memory
            }
        }
        Some(memory) => PolicyMemory {
            enforce: config.enforce,
            since: config.since.unwrap_or(memory.since),
            ..memory
        },
    }
}

struct Resolver<'a> {
    store: &'a Store,
    groups: &'a BTreeMap<GroupId, String>,
    names: &'a mut Names,
    users_read: bool,
    /// Names of groups that were read.
    groups_read: &'a BTreeSet<String>,
    /// Names of groups that cannot be read, of which an operator has approved that.
    approved: Option<&'a BTreeSet<String>>,
    unresolved: Vec<Unresolved>,
    unread: Vec<Unresolved>,
    group_names: BTreeMap<GroupId, String>,
}

impl Resolver<'_> {
    async fn users(
        &mut self,
        names: &[String],
        list: NameList,
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let keys: Vec<String> = names
            .iter()
            .map(|name| name.trim().to_lowercase())
            .collect();
        let known = self.store.known_users(&keys).await?;
        let by_name = self.store.users_by_name(&keys).await?;
        let mut users = BTreeSet::new();
        for (name, key) in names.iter().zip(keys) {
            let mut found: BTreeSet<UserId> =
                by_name.get(&key).into_iter().flatten().cloned().collect();
            if known.contains(&key) {
                found.extend(UserId::parse(&key));
            }
            if found.is_empty() {
                let stray = if self.users_read {
                    &mut self.unresolved
                } else {
                    &mut self.unread
                };
                stray.push(Unresolved {
                    name: name.clone(),
                    list,
                    matches: 0,
                });
                // A person who was excluded stays so until the name is mended.
                if list == NameList::ExcludeUsers {
                    users.extend(self.names.users.get(&key).into_iter().flatten().cloned());
                    users.extend(UserId::parse(&key).ok().filter(|_| !key.contains('@')));
                }
            } else {
                self.names.users.insert(key, found.clone());
                users.extend(found);
            }
        }
        Ok(users)
    }

    fn groups(&mut self, names: &[String], list: NameList) -> BTreeSet<GroupId> {
        let mut groups = BTreeSet::new();
        for name in names {
            let now = named(name, self.groups);
            let before = self.names.groups.get(name).cloned();
            if let [id] = now.as_slice() {
                // Made anew under its name: the former one is meant as well, until what was read is
                // believed (case 16).
                self.names.groups.entry(name.clone()).or_insert(id.clone());
            }
            let is_approved = self.approved.is_some_and(|good| good.contains(name));
            let is_read = self.groups_read.contains(name) || is_approved;
            let stray = Unresolved {
                name: name.clone(),
                list,
                matches: now.len(),
            };
            match now.len() {
                // Its members are what counts.
                1 if is_read || list == NameList::IncludeGroups => {}
                0 | 1 if !is_read => self.unread.push(stray),
                _ => self.unresolved.push(stray),
            }
            // Frozen: nobody leaves because a name no longer means anything (case 15). Of several
            // groups none is meant for sure; whoever is in one that may be excluded is.
            let is_sure = now.len() == 1 || list == NameList::ExcludeGroups;
            let meant = before
                .into_iter()
                .chain(now.into_iter().filter(|_| is_sure));
            for id in meant {
                self.group_names.insert(id.clone(), name.clone());
                groups.insert(id);
            }
        }
        groups
    }
}
