//! Users and groups, and every change since the beginning: deltas are read off that list.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};

use super::service::{Removal, Service};

/// How long a soft-deleted user can be restored.
const BIN: SignedDuration = SignedDuration::from_hours(30 * 24);

#[derive(Debug, Default)]
pub struct Directory {
    users: BTreeMap<String, User>,
    pub groups: BTreeMap<String, Group>,
    /// Whose turn it was, oldest first.
    pub changes: Vec<String>,
    /// Groups whose members applications do not see.
    hidden: BTreeSet<String>,
    /// Each delta tells so many changes again that it told before.
    pub replays: usize,
    pub membership_lag: SignedDuration,
}

#[derive(Debug, Default, Clone, PartialEq)]
pub struct User {
    /// Properties that were ever set; null once they are unset.
    pub properties: Map<String, Value>,
    deleted_at: Option<Timestamp>,
}

#[derive(Debug, Default)]
pub struct Group {
    pub name: String,
    /// Since when there were which members.
    editions: Vec<(Timestamp, BTreeSet<String>)>,
}

impl Directory {
    /// Users who are there, not those in the bin.
    pub fn present(&self) -> impl Iterator<Item = (&String, &User)> {
        self.users
            .iter()
            .filter(|(_, user)| user.deleted_at.is_none())
    }

    pub fn user(&self, id: &str) -> Option<&User> {
        self.users.get(id).filter(|user| user.deleted_at.is_none())
    }

    pub fn is_in_the_bin(&self, id: &str) -> bool {
        self.users
            .get(id)
            .is_some_and(|user| user.deleted_at.is_some())
    }

    pub fn id_of(&self, member: &str) -> String {
        let named = self
            .present()
            .find(|(_, user)| user.properties.get("userPrincipalName") == Some(&json!(member)));
        named.map_or(member, |(id, _)| id).to_owned()
    }

    pub fn count(&self) -> usize {
        self.present().count()
    }

    pub fn hide(&mut self, group: &str, hidden: bool) {
        if hidden {
            self.hidden.insert(group.to_owned());
        } else {
            self.hidden.remove(group);
        }
    }

    pub fn is_hidden(&self, group: &str) -> bool {
        self.hidden.contains(group)
    }

    /// Who was soft-deleted thirty days ago is gone for good.
    pub fn empty_the_bin(&mut self, now: Timestamp) {
        let old = |user: &User| {
            user.deleted_at
                .is_some_and(|at| now.duration_since(at) > BIN)
        };
        let gone: Vec<String> = self
            .users
            .iter()
            .filter(|(_, user)| old(user))
            .map(|(id, _)| id.clone())
            .collect();
        for id in gone {
            self.users.remove(&id);
            self.changes.push(id);
        }
    }

    /// Users below a group, through all levels or directly; cycles end by themselves.
    pub fn members(&self, group: &str, transitive: bool, now: Timestamp) -> BTreeSet<String> {
        let (mut users, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![group.to_owned()];
        while let Some(id) = open.pop() {
            let Some(group) = self.groups.get(&id).filter(|_| seen.insert(id.clone())) else {
                continue;
            };
            for member in group.members(now - self.membership_lag) {
                if self.user(member).is_some() {
                    users.insert(member.clone());
                } else if transitive {
                    open.push(member.clone());
                }
            }
        }
        users
    }
}

impl Group {
    fn members(&self, at: Timestamp) -> &BTreeSet<String> {
        let known = self.editions.iter().rev().find(|(since, _)| *since <= at);
        let (_, members) = known
            .or(self.editions.first())
            .expect("a group has an edition");
        members
    }
}

impl Service {
    pub fn put_user(&mut self, user: &Value) {
        let id = id_of(user).to_owned();
        let before = self.directory.users.get(&id).cloned();
        let mut after = before.clone().unwrap_or_default();
        for (name, value) in user.as_object().unwrap() {
            if !value.is_null() || after.properties.contains_key(name) {
                after.properties.insert(name.clone(), value.clone());
            }
        }
        if before.as_ref() != Some(&after) {
            self.directory.users.insert(id.clone(), after);
            self.directory.changes.push(id);
        }
    }

    /// Makes these the users: the others go into the bin, and who is in it and named comes back.
    pub fn set_users(&mut self, rows: &[Value]) {
        let named: BTreeSet<&str> = rows.iter().map(id_of).collect();
        let present: Vec<String> = self.directory.present().map(|(id, _)| id.clone()).collect();
        for id in present.iter().filter(|id| !named.contains(id.as_str())) {
            self.remove_user(id, Removal::Soft);
        }
        for row in rows {
            if self.directory.is_in_the_bin(id_of(row)) {
                self.restore_user(id_of(row));
            }
            self.put_user(row);
        }
    }

    pub fn remove_user(&mut self, id: &str, removal: Removal) {
        let now = self.now();
        match removal {
            Removal::Soft => {
                self.directory.users.get_mut(id).unwrap().deleted_at = Some(now);
            }
            Removal::Hard => {
                self.directory.users.remove(id).unwrap();
            }
        }
        self.directory.changes.push(id.to_owned());
    }

    pub fn restore_user(&mut self, id: &str) {
        let user = self.directory.users.get_mut(id).unwrap();
        assert!(user.deleted_at.take().is_some(), "{id} is not in the bin");
        self.directory.changes.push(id.to_owned());
    }

    pub fn put_group(&mut self, id: &str, name: &str, members: BTreeSet<String>) {
        let now = self.now();
        let group = self.directory.groups.entry(id.to_owned()).or_default();
        name.clone_into(&mut group.name);
        if group.editions.last().map(|(_, last)| last) != Some(&members) {
            group.editions.push((now, members));
        }
    }

    /// Makes these the groups; members are ids, or UPNs of users who are there.
    pub fn set_groups(&mut self, rows: &[Value]) {
        let named: BTreeSet<&str> = rows.iter().map(id_of).collect();
        self.directory
            .groups
            .retain(|id, _| named.contains(id.as_str()));
        for row in rows {
            let members = row["members"].as_array().into_iter().flatten();
            let members = members
                .filter_map(Value::as_str)
                .map(|member| self.directory.id_of(member))
                .collect();
            let name = row["displayName"].as_str().unwrap_or_default();
            self.put_group(id_of(row), name, members);
        }
    }

    pub fn remove_group(&mut self, id: &str) {
        self.directory.groups.remove(id).unwrap();
    }
}

pub fn id_of(row: &Value) -> &str {
    row["id"].as_str().unwrap()
}

/// A group as Graph spells it.
pub fn spelled(id: &str, group: &Group) -> Value {
    json!({ "id": id, "displayName": group.name, "securityEnabled": true, "mailEnabled": false, "groupTypes": [] })
}
