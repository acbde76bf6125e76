//! Names of people and groups that mean nothing, or more than one: against the last snapshot, or
//! the exported files where a pass has not read them yet.

use std::collections::BTreeSet;

use super::roster::Roster;
use crate::config::{Config, Directory, Fault, IncludeNames, PolicyConfig, nearest};
use crate::desk::Reader;
use crate::domain::assignment::NameList;
use crate::errors::chain;
use crate::pass;
use crate::sources::SourceError;

/// A name that means nobody, or more than one group.
struct Stray<'a> {
    policy: &'a PolicyConfig,
    list: NameList,
    name: &'a str,
    matches: usize,
}

/// What is wrong with the names by the last snapshot; none where that does not know yet, and the exports
/// have to be asked.
pub(super) async fn by_snapshot(
    config: &Config,
    reader: &Reader,
) -> anyhow::Result<Option<Vec<Fault>>> {
    let is_exported = matches!(config.directory, Directory::Files(_));
    if reader.world.users.is_none() {
        return Ok(None);
    }
    let unread = pass::unread_names(&reader.store, config).await?;
    if !unread.is_empty() && is_exported {
        return Ok(None);
    }
    in_snapshot(config, reader, &unread).await.map(Some)
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

/// The same by the exports; those that cannot be read say nothing about names.
pub(in crate::cli) fn by_exports(config: &Config, roster: &Roster) -> Vec<Fault> {
    if matches!(roster.users(), Err(SourceError::Absent { .. })) {
        return Vec::new();
    }
    let known = Known {
        users: roster.user_names().map(str::to_owned).collect(),
        groups: roster.group_names().map(str::to_owned).collect(),
    };
    let unread = |list: NameList| {
        let error = if list.is_of_users() {
            roster.users().err()
        } else {
            roster.groups().and_then(Result::err)
        };
        error.map(|error| chain(error))
    };
    let matches = |list: NameList, name: &str| {
        if list.is_of_users() {
            return usize::from(!roster.users_of(name).is_empty());
        }
        roster.groups_of(name).len()
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
