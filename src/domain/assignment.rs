//! Whom a policy includes and excludes, resolved to object ids. Exclude beats include (rule R13).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::id::{GroupId, UserId};

/// An include and an exclude set, and the names that could not be resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assignment {
    /// Everybody of the directory, or the selected.
    pub include: Include,
    /// Never asked, never flagged: the emergency accounts first of all.
    pub exclude: Selection,
    /// Names that match nothing, or more than one group: the policy is degraded (rule 7.9).
    pub unresolved: Vec<Unresolved>,
    /// Names of which nothing was read yet: nobody can say what, or whom, they mean.
    pub unread: Vec<Unresolved>,
    /// What the configuration calls its groups, for people.
    pub group_names: BTreeMap<GroupId, String>,
}

impl Assignment {
    /// Whether membership of any group matters.
    #[must_use]
    pub fn names_groups(&self) -> bool {
        let included = match &self.include {
            Include::AllUsers => false,
            Include::Selected(selection) => !selection.groups.is_empty(),
        };
        included || !self.exclude.groups.is_empty()
    }

    /// Whether anybody may be excluded by a group whose members were never read (rule 7.6).
    #[must_use]
    pub fn excludes_unread(&self) -> bool {
        let mut lists = self.unread.iter().map(|name| name.list);
        lists.any(|list| list == NameList::ExcludeGroups)
    }
}

/// Whether a name of the configuration is an object's display name: without regard to case, as Graph
/// compares (rule 7.9).
#[must_use]
pub fn is_same_name(display_name: &str, name: &str) -> bool {
    display_name.trim().to_lowercase() == name.trim().to_lowercase()
}

/// Whom a policy includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Include {
    /// All users.
    AllUsers,
    /// The selected users and members of groups.
    Selected(Selection),
}

impl Default for Include {
    fn default() -> Self {
        Self::Selected(Selection::default())
    }
}

/// Users and groups by object id.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Named one by one.
    pub users: BTreeSet<UserId>,
    /// Their members count: transitively, unless the policy says `nested = false`.
    pub groups: BTreeSet<GroupId>,
}

/// What in a selection matches a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedBy {
    /// All users are included.
    AllUsers,
    /// The person is named.
    Name,
    /// The person is a member of this group.
    Group(GroupId),
}

impl Selection {
    /// What matches a person who is in these groups, if anything does.
    #[must_use]
    pub fn matches(&self, user: &UserId, groups: &BTreeSet<GroupId>) -> Option<MatchedBy> {
        if self.users.contains(user) {
            return Some(MatchedBy::Name);
        }
        groups
            .iter()
            .find(|group| self.groups.contains(*group))
            .map(|group| MatchedBy::Group(group.clone()))
    }
}

/// A name of the configuration that means nobody, or more than one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unresolved {
    /// As the configuration spells it.
    pub name: String,
    /// Where it stands.
    pub list: NameList,
    /// How many groups of the snapshot bear the name: 0 or more than 1, where it was read.
    pub matches: usize,
}

/// A list of names of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameList {
    /// `include.users`
    IncludeUsers,
    /// `include.groups`
    IncludeGroups,
    /// `exclude.users`
    ExcludeUsers,
    /// `exclude.groups`
    ExcludeGroups,
}

impl NameList {
    /// Whether it names users, rather than groups.
    #[must_use]
    pub fn is_of_users(self) -> bool {
        match self {
            Self::IncludeUsers | Self::ExcludeUsers => true,
            Self::IncludeGroups | Self::ExcludeGroups => false,
        }
    }

    /// The key in the configuration.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::IncludeUsers => "include.users",
            Self::IncludeGroups => "include.groups",
            Self::ExcludeUsers => "exclude.users",
            Self::ExcludeGroups => "exclude.groups",
        }
    }
}
