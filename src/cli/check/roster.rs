//! Who there is by the exported files, read once: whom names mean, and whom policies reach before a pass
//! has read anything.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::config::{Config, IncludeNames, Names, PolicyConfig};
use crate::domain::assignment::is_same_name;
use crate::domain::id::{GroupId, UserId};
use crate::domain::language::Language;
use crate::domain::person::{AccountKind, Person};
use crate::domain::scope::Reach;
use crate::pass::survey::{self, Aside, Survey};
use crate::sources::SourceError;
use crate::sources::files::{Folder, Part};
use crate::sources::wire::{Group, Member, Who};

/// The people and groups of a folder of exports.
pub(in crate::cli) struct Roster {
    users: Result<Survey<Account>, SourceError>,
    /// Not read where no policy names one.
    groups: Option<Result<Survey<()>, SourceError>>,
    ids: HashSet<UserId>,
    by_name: HashMap<String, Vec<UserId>>,
    listed: BTreeMap<GroupId, Listed>,
}

/// The files of an export, and what of them a pass would put aside.
pub(in crate::cli) struct Read<'a> {
    pub(in crate::cli) parts: &'a [Part],
    pub(in crate::cli) aside: &'a Aside,
}

impl<'a> Read<'a> {
    pub(in crate::cli) fn of<T>(survey: &'a Survey<T>) -> Self {
        Self {
            parts: &survey.parts,
            aside: &survey.aside,
        }
    }
}

/// What counts of a person here.
struct Account {
    id: UserId,
    user_principal_name: String,
    kind: AccountKind,
    enabled: bool,
    language: Option<Language>,
}

/// A group with its direct members.
struct Listed {
    name: String,
    members: Vec<Member>,
}

impl Roster {
    /// Reads what the policies need.
    pub(in crate::cli) fn read(config: &Config, folder: &Folder, now: Timestamp) -> Self {
        let account = |person: Person| {
            Some(Account {
                id: person.id,
                user_principal_name: person.user_principal_name,
                kind: person.kind,
                enabled: person.enabled,
                language: person
                    .preferred_language
                    .as_deref()
                    .and_then(Language::of_preference),
            })
        };
        let users = survey::users(folder, now, account);
        let (mut ids, mut by_name) = (HashSet::new(), HashMap::<String, Vec<UserId>>::new());
        for account in users.iter().flat_map(|users| &users.facts) {
            ids.insert(account.id.clone());
            let name = account.user_principal_name.to_lowercase();
            by_name.entry(name).or_default().push(account.id.clone());
        }
        let names_groups = |policy: &PolicyConfig| policy.groups().next().is_some();
        let wanted = config.policies.iter().any(names_groups);
        let read = wanted.then(|| survey::groups(folder, now, Some));
        let mut listed = BTreeMap::new();
        let groups = read.map(|read| {
            read.map(
                |Survey {
                     parts,
                     facts,
                     aside,
                 }| {
                    for group in facts {
                        list(&mut listed, group);
                    }
                    Survey {
                        parts,
                        facts: Vec::new(),
                        aside,
                    }
                },
            )
        });
        Self {
            users,
            groups,
            ids,
            by_name,
            listed,
        }
    }

    /// The files of the users export.
    pub(in crate::cli) fn users(&self) -> Result<Read<'_>, &SourceError> {
        self.users.as_ref().map(Read::of)
    }

    /// The files of the groups export; none where no policy names a group.
    pub(in crate::cli) fn groups(&self) -> Option<Result<Read<'_>, &SourceError>> {
        Some(self.groups.as_ref()?.as_ref().map(Read::of))
    }

    /// How many people can sign in.
    pub(in crate::cli) fn enabled(&self) -> Option<u64> {
        let users = self.users.as_ref().ok()?;
        let enabled = users.facts.iter().filter(|account| account.enabled);
        u64::try_from(enabled.count()).ok()
    }

    /// The languages that people who can sign in prefer.
    pub(super) fn languages(&self) -> BTreeSet<Option<Language>> {
        let accounts = self.users.iter().flat_map(|users| &users.facts);
        let enabled = accounts.filter(|account| account.enabled);
        enabled.map(|account| account.language).collect()
    }

    /// Every user principal name.
    pub(super) fn user_names(&self) -> impl Iterator<Item = &str> {
        let accounts = self.users.iter().flat_map(|users| &users.facts);
        accounts.map(|account| account.user_principal_name.as_str())
    }

    /// Every display name of a group.
    pub(super) fn group_names(&self) -> impl Iterator<Item = &str> {
        self.listed.values().map(|group| group.name.as_str())
    }

    /// The people whom a name of a configuration means.
    pub(super) fn users_of(&self, name: &str) -> Vec<UserId> {
        let key = name.trim().to_lowercase();
        let named = self.by_name.get(&key).cloned().unwrap_or_default();
        let id = UserId::parse(&key).ok().filter(|id| self.ids.contains(id));
        named.into_iter().chain(id).collect()
    }

    /// The groups that a name means.
    pub(super) fn groups_of(&self, name: &str) -> Vec<&GroupId> {
        let id = GroupId::parse(name).ok();
        if let Some((id, _)) = id.and_then(|id| self.listed.get_key_value(&id)) {
            return vec![id];
        }
        let bearing = self.listed.iter();
        bearing
            .filter(|(_, group)| is_same_name(&group.name, name))
            .map(|(id, _)| id)
            .collect()
    }

    /// Groups that policies name and nobody is a member of.
    pub(in crate::cli) fn empty_groups(&self, config: &Config) -> BTreeSet<String> {
        let policies = config.policies.iter();
        let named = policies.flat_map(|policy| policy.groups().map(move |name| (policy, name)));
        named
            .filter(|(policy, name)| {
                let groups = self.groups_of(name);
                let [group] = groups.as_slice() else {
                    return false;
                };
                self.members(group, policy.nested).is_empty()
            })
            .map(|(_, name)| name.clone())
            .collect()
    }

    /// How many people a policy reaches; nothing where an export that says so is missing. Its twin for what
    /// a pass has read is `Store::reach`.
    pub(super) fn reach(&self, policy: &PolicyConfig) -> Option<Reach> {
        let users = self.users.as_ref().ok()?;
        if policy.groups().next().is_some() && !matches!(self.groups, Some(Ok(_))) {
            return None;
        }
        let included = match &policy.include {
            IncludeNames::AllUsers => None,
            IncludeNames::Selected(names) => Some(self.selected(names, policy.nested)),
        };
        let excluded = self.selected(&policy.exclude, policy.nested);
        let mut reach = Reach::default();
        for account in users.facts.iter().filter(|account| account.enabled) {
            let is_eligible = match account.kind {
                AccountKind::Member => true,
                AccountKind::Guest => policy.guests,
                AccountKind::Agent | AccountKind::Sync => false,
            };
            let is_in = |included: &HashSet<UserId>| included.contains(&account.id);
            if !is_eligible || !included.as_ref().is_none_or(is_in) {
                continue;
            }
            if excluded.contains(&account.id) {
                reach.excluded += 1;
            } else {
                reach.included += 1;
            }
        }
        Some(reach)
    }

    fn selected(&self, names: &Names, nested: bool) -> HashSet<UserId> {
        let users = names.users.iter().flat_map(|name| self.users_of(name));
        let groups = names.groups.iter().flat_map(|name| self.groups_of(name));
        let members = groups.flat_map(|group| self.members(group, nested));
        users.chain(members).collect()
    }

    /// The people below a group; groups may nest in circles.
    fn members(&self, group: &GroupId, nested: bool) -> HashSet<UserId> {
        let (mut found, mut seen) = (HashSet::new(), BTreeSet::from([group.clone()]));
        let mut waiting = vec![group.clone()];
        while let Some(group) = waiting.pop() {
            let members = self.listed.get(&group).map(|group| &group.members);
            for member in members.into_iter().flatten() {
                let below = match member {
                    Member::User(Who::Upn(name)) => {
                        found.extend(self.users_of(name));
                        None
                    }
                    Member::User(Who::Id(id)) => {
                        found.extend(self.ids.get(id).cloned());
                        None
                    }
                    Member::Either(id) if self.ids.contains(id) => {
                        found.insert(id.clone());
                        None
                    }
                    Member::Either(id) => GroupId::parse(id.as_str()).ok(),
                    Member::Group(id) => Some(id.clone()),
                };
                waiting.extend(below.filter(|id| nested && seen.insert(id.clone())));
            }
        }
        found
    }
}

/// Of rows with one id the later counts, unless they add up.
fn list(listed: &mut BTreeMap<GroupId, Listed>, group: Group) {
    let Group {
        id,
        name,
        members,
        adds_up,
    } = group;
    let name = name.unwrap_or_default();
    match listed.get_mut(&id) {
        Some(known) if adds_up => {
            known.members.extend(members);
            if known.name.is_empty() {
                known.name = name;
            }
        }
        _ => {
            listed.insert(id, Listed { name, members });
        }
    }
}
