//! Names of people and groups that mean nothing, or more than one: against the last snapshot, or
//! the exported files where a pass has not read them yet.

use std::collections::BTreeSet;

use anyhow::Context as _;
use jiff::Timestamp;

use super::folder;
use crate::config::{Config, Directory, Fault, IncludeNames, PolicyConfig, nearest};
use crate::desk::Reader;
use crate::domain::assignment::{NameList, is_same_name};
use crate::domain::person::Person;
use crate::errors::chain;
use crate::pass::{self, survey};
use crate::sources::SourceError;
use crate::sources::wire::Group;
use crate::time::Clock;

/// A name that means nobody, or more than one group.
struct Stray<'a> {
    policy: &'a PolicyConfig,
    list: NameList,
    name: &'a str,
    matches: usize,
}

/// What is wrong with the names; nothing, as long as nobody knows the directory.
pub(in crate::cli) async fn faults(
    config: &Config,
    reader: Option<&Reader>,
) -> anyhow::Result<Vec<Fault>> {
    let is_exported = matches!(config.directory, Directory::Files(_));
    if let Some(reader) = reader
        && reader.world.users.is_some()
    {
        let unread = pass::unread_names(&reader.store, config).await?;
        if unread.is_empty() || !is_exported {
            return in_snapshot(config, reader, &unread).await;
        }
    }
    let config = config.clone();
    let read = tokio::task::spawn_blocking(move || in_files(&config, Clock::system().now()));
    read.await.context("reading the exports")
}

async fn in_snapshot(
    config: &Config,
    reader: &Reader,
    unread: &BTreeSet<String>,
) -> anyhow::Result<Vec<Fault>> {
    let mut strays = Vec::new();
    for (policy, resolved) in config.policies.iter().zip(&reader.policies) {
        let unread = resolved.assignment.unread.iter();
        let unread = unread.filter(|name| name.matches == 0);
        for name in resolved.assignment.unresolved.iter().chain(unread) {
            strays.push(Stray {
                policy,
                list: name.list,
                name: &name.name,
                matches: name.matches,
            });
        }
    }
    let known = if strays.is_empty() {
        Known::default()
    } else {
        let groups = reader.store.groups().await?.into_iter();
        Known {
            users: reader.store.user_principal_names().await?,
            groups: groups.map(|(_, name)| name).collect(),
        }
    };
    let faults = strays.iter().map(|stray| {
        let is_of_groups = !stray.list.is_of_users();
        if is_of_groups && unread.contains(stray.name) {
            stray.not_read_yet(config)
        } else {
            stray.fault(config, &known)
        }
    });
    Ok(faults.collect())
}

/// How many people who can sign in the exports tell of; none, where there are no exports.
pub(in crate::cli) async fn people(config: &Config) -> anyhow::Result<Option<u64>> {
    let Some(folder) = folder(config) else {
        return Ok(None);
    };
    let count = move || {
        let is_enabled = |person: Person| person.enabled.then_some(());
        let enabled = survey::users(&folder, Clock::system().now(), is_enabled).ok()?;
        u64::try_from(enabled.facts.len()).ok()
    };
    let counted = tokio::task::spawn_blocking(count).await;
    counted.context("reading the exports")
}

/// Against the files; those that cannot be read say nothing here, a pass will name them.
fn in_files(config: &Config, now: Timestamp) -> Vec<Fault> {
    let Some(folder) = folder(config) else {
        return Vec::new();
    };
    let both = |person: Person| Some((person.id, person.user_principal_name));
    let users = survey::users(&folder, now, both);
    if matches!(users, Err(SourceError::Absent { .. })) {
        return Vec::new();
    }
    let both = |group: Group| Some((group.id, group.name.unwrap_or_default()));
    let all = survey::groups(&folder, now, both);
    let (mut known, mut ids) = (Known::default(), BTreeSet::new());
    for (id, name) in users.iter().flat_map(|users| &users.facts) {
        ids.insert(id.as_str().to_owned());
        known.users.push(name.clone());
    }
    ids.extend(known.users.iter().map(|name| name.to_lowercase()));
    let mut groups = BTreeSet::new();
    for (id, name) in all.iter().flat_map(|all| &all.facts) {
        groups.insert((id.as_str().to_owned(), name.clone()));
    }
    known.groups = groups.iter().map(|(_, name)| name.clone()).collect();
    // What no pass would read says nothing about names.
    let unread = |list: NameList| {
        let error = if list.is_of_users() {
            users.as_ref().err()
        } else {
            all.as_ref().err()
        };
        error.map(|error| chain(error))
    };
    let matches = |list: NameList, name: &str| {
        let key = name.trim().to_lowercase();
        if list.is_of_users() {
            return usize::from(ids.contains(&key));
        }
        if groups.iter().any(|(id, _)| *id == key) {
            return 1;
        }
        let bears = |(_, bearing): &&(String, String)| is_same_name(bearing, name);
        groups.iter().filter(bears).count()
    };
    config
        .policies
        .iter()
        .flat_map(|policy| named(policy).map(move |(list, name)| (policy, list, name)))
        .filter_map(|(policy, list, name)| {
            let matches = matches(list, name);
            let stray = Stray {
                policy,
                list,
                name,
                matches,
            };
            if let Some(error) = unread(list) {
                return Some(stray.not_known(config, error));
            }
            (matches != 1).then(|| stray.fault(config, &known))
        })
        .collect()
}

/// Every name of a policy, with its list.
fn named(policy: &PolicyConfig) -> impl Iterator<Item = (NameList, &str)> {
    let included = match &policy.include {
        IncludeNames::Selected(names) => Some(names),
        IncludeNames::AllUsers => None,
    };
    let included = included.into_iter().flat_map(|names| {
        let users = names
            .users
            .iter()
            .map(|name| (NameList::IncludeUsers, name));
        let groups = names
            .groups
            .iter()
            .map(|name| (NameList::IncludeGroups, name));
        users.chain(groups)
    });
    let users = policy
        .exclude
        .users
        .iter()
        .map(|name| (NameList::ExcludeUsers, name));
    let groups = policy
        .exclude
        .groups
        .iter()
        .map(|name| (NameList::ExcludeGroups, name));
    let all = included.chain(users).chain(groups);
    all.map(|(list, name)| (list, name.as_str()))
}

/// What could have been meant.
#[derive(Default)]
struct Known {
    users: Vec<String>,
    groups: Vec<String>,
}

impl Stray<'_> {
    fn fault(&self, config: &Config, known: &Known) -> Fault {
        let (matches, remedy) = match self.matches {
            0 => ("nothing".to_owned(), self.remedy(known)),
            count => (
                format!("{count} groups"),
                "name the one by its object id".to_owned(),
            ),
        };
        let message = format!("{}, which matches {matches}", self.said());
        let named = (self.list, self.name);
        config.fault_of_name(self.policy, named, message, remedy)
    }

    fn not_read_yet(&self, config: &Config) -> Fault {
        let remedy = "the next pass looks it up; `fortnight doctor` does so now".to_owned();
        self.not_known(config, remedy)
    }

    fn not_known(&self, config: &Config, remedy: String) -> Fault {
        let message = format!("{}, which is not known yet", self.said());
        let named = (self.list, self.name);
        config.fault_of_name(self.policy, named, message, remedy)
    }

    fn said(&self) -> String {
        let (policy, key) = (&self.policy.name, self.list.key());
        format!("policy {policy}: {key} names {:?}", self.name)
    }

    fn remedy(&self, known: &Known) -> String {
        let near = if self.list.is_of_users() {
            near_user(self.name, &known.users)
        } else {
            nearest(self.name, known.groups.iter().map(String::as_str))
        };
        match near {
            Some(near) => format!("did you mean {near:?}?"),
            None => "mend the name, or remove it: under this policy nobody is flagged until then"
                .to_owned(),
        }
    }
}

/// The user principal name that was probably meant. People are told apart by what stands before the
/// @: the domain, which all share, would make any two of them alike.
fn near_user<'a>(written: &str, users: &'a [String]) -> Option<&'a str> {
    let parts = |name: &'a str| name.split_once('@').unwrap_or((name, ""));
    let (local, domain) = written.split_once('@').unwrap_or((written, ""));
    let near = nearest(local, users.iter().map(|name| parts(name).0))?;
    let mut bearing = users.iter().filter(|name| parts(name).0 == near);
    let first = bearing.clone().next();
    let same = bearing.find(|name| parts(name).1.eq_ignore_ascii_case(domain));
    same.or(first).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_near_before_the_at() {
        let users = [
            "ana@contoso.example",
            "ben@fabrikam.example",
            "bea@contoso.example",
        ];
        let users = users.map(str::to_owned);
        for (written, meant) in [
            ("anna@contoso.example", Some("ana@contoso.example")),
            ("ben@contoso.example", Some("ben@fabrikam.example")),
            ("bea@x.example", Some("bea@contoso.example")),
            ("ana", Some("ana@contoso.example")),
            ("rob@contoso.example", None),
            ("glass@contoso.example", None),
        ] {
            assert_eq!(near_user(written, &users), meant, "{written}");
        }
    }
}
