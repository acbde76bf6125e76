//! Users and their changes, groups and their members.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::serve::{Answer, Ask, link, page};
use super::{FakeGraph, Group, State};

/// How a user left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Into the bin, for thirty days.
    Soft,
    /// For good.
    Hard,
}

/// Tokens of a delta are good for seven days (domain 4).
const DELTA_LIFETIME_S: i64 = 7 * 86_400;
/// What a delta gives without being asked by name.
const DEFAULT_PROPERTIES: [&str; 10] = [
    "id",
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

impl FakeGraph {
    /// Creates or changes a user.
    pub fn put_user(&self, row: Value) {
        self.state().put_user(row);
    }

    /// Makes these the users: the others are removed.
    pub fn set_users(&self, rows: Vec<Value>) {
        let mut state = self.state();
        let ids: BTreeSet<String> = rows.iter().map(id_of).collect();
        let gone: Vec<String> = state
            .users
            .keys()
            .filter(|id| !ids.contains(*id))
            .cloned()
            .collect();
        for id in gone {
            state.remove_user(&id, Removal::Soft);
        }
        for row in rows {
            state.put_user(row);
        }
    }

    pub fn remove_user(&self, id: &str, how: Removal) {
        self.state().remove_user(id, how);
    }

    /// Each delta also tells again of the last changes that it told of before.
    pub fn replay_changes(&self, count: usize) {
        self.state().replays = count;
    }

    pub fn send_empty_pages(&self) {
        self.state().empty_pages = true;
    }

    pub fn put_group(&self, id: &str, name: &str, members: &[&str]) {
        let group = Group {
            name: name.to_owned(),
            members: members.iter().map(|id| (*id).to_owned()).collect(),
        };
        self.state().groups.insert(id.to_owned(), group);
    }

    /// Makes these the groups: rows with `id`, `displayName` and `members`.
    pub fn set_groups(&self, rows: &[Value]) {
        let mut state = self.state();
        state.groups.clear();
        for row in rows {
            let members = row["members"].as_array().into_iter().flatten();
            let group = Group {
                name: row["displayName"].as_str().unwrap_or_default().to_owned(),
                members: members
                    .filter_map(|id| id.as_str().or_else(|| id["id"].as_str()))
                    .map(str::to_owned)
                    .collect(),
            };
            state.groups.insert(id_of(row), group);
        }
    }

    pub fn remove_group(&self, id: &str) {
        self.state().groups.remove(id);
    }

    /// Whether the application may see the members of this group.
    pub fn hide_members(&self, id: &str, hidden: bool) {
        let mut state = self.state();
        if hidden {
            state.hidden.insert(id.to_owned());
        } else {
            state.hidden.remove(id);
        }
    }
}

fn id_of(row: &Value) -> String {
    row["id"].as_str().unwrap().to_owned()
}

impl State {
    fn put_user(&mut self, row: Value) {
        let id = id_of(&row);
        if self.users.get(&id) != Some(&row) {
            self.changes.push(id.clone());
        }
        self.removed.remove(&id);
        self.users.insert(id, row);
    }

    fn remove_user(&mut self, id: &str, how: Removal) {
        if self.users.remove(id).is_some() {
            self.changes.push(id.to_owned());
        }
        self.removed.insert(id.to_owned(), how);
        self.report.remove(id);
    }

    /// `users/delta`: everybody at first, then what changed since the link was given.
    pub(super) fn users_delta(&self, ask: &Ask) -> Answer {
        let Some(token) = ask.token() else {
            let select = ask.query("$select").unwrap_or_default();
            let token = json!({ "all": true, "upto": self.changes.len(), "at": 0, "select": select, "issued": self.now().as_second() });
            return self.users_page(&token);
        };
        let age = self.now().as_second() - token["issued"].as_i64().unwrap_or(0);
        if age > DELTA_LIFETIME_S {
            let location = format!("{}/v1.0/users/delta?$deltatoken=", self.url);
            return Answer::error(410, "syncStateNotFound", "The sync state is not found.")
                .header("Location", &location);
        }
        self.users_page(&token)
    }

    fn users_page(&self, token: &Value) -> Answer {
        let number = |name: &str| usize::try_from(token[name].as_u64().unwrap_or(0)).unwrap();
        let (upto, at) = (number("upto"), number("at"));
        let ids: Vec<String> = if token["all"] == true {
            self.users.keys().cloned().collect()
        } else {
            let from = number("from").saturating_sub(self.replays);
            self.changes[from..upto].to_vec()
        };
        let select = token["select"].as_str().unwrap_or_default();
        // A page without rows and with a link is legal.
        let blank = self.empty_pages && token["blank"] != true;
        let end = if blank {
            at
        } else {
            ids.len().min(at + self.page_size)
        };
        let rows: Vec<Value> = ids
            .get(at..end)
            .unwrap_or_default()
            .iter()
            .map(|id| self.user_row(id, select))
            .collect();
        let mut next = token.clone();
        next["at"] = json!(end);
        next["blank"] = json!(blank);
        next["issued"] = json!(self.now().as_second());
        if end < ids.len() || blank {
            return page(
                rows,
                Some(link(&self.url, "users/delta", "$skiptoken", &next)),
                None,
            );
        }
        let delta = json!({ "from": upto, "select": select, "issued": self.now().as_second(), "opens": true });
        page(
            rows,
            None,
            Some(link(&self.url, "users/delta", "$deltatoken", &delta)),
        )
    }

    /// A delta link is opened: what changed since goes as far as now.
    pub(super) fn open_delta(&self, mut token: Value) -> Value {
        if token["opens"] == true {
            token["opens"] = json!(false);
            token["upto"] = json!(self.changes.len());
        }
        token
    }

    fn user_row(&self, id: &str, select: &str) -> Value {
        let Some(user) = self.users.get(id) else {
            let reason = match self.removed.get(id) {
                Some(Removal::Hard) => "deleted",
                _ => "changed",
            };
            return json!({ "id": id, "@removed": { "reason": reason } });
        };
        selected(user, select)
    }

    /// The directory remembers it whatever the log still keeps.
    fn last_attempt(&self, id: &str) -> Option<jiff::Timestamp> {
        let attempts = self
            .sign_ins
            .values()
            .filter(|event| event.row["userId"] == id);
        attempts.map(|event| event.at).max()
    }

    pub(super) fn user(&self, id: &str, ask: &Ask) -> Answer {
        match self.users.get(id) {
            Some(user) => Answer::json(selected(user, &ask.query("$select").unwrap_or_default())),
            None => not_found(id),
        }
    }

    /// `users?$top=…`.
    pub(super) fn some_users(&self, ask: &Ask) -> Answer {
        let select = ask.query("$select").unwrap_or_default();
        let rows = self.users.values().take(ask.top());
        page(
            rows.map(|user| selected(user, &select)).collect(),
            None,
            None,
        )
    }

    pub(super) fn group(&self, id: &str) -> Answer {
        match self.groups.get(id) {
            Some(group) => Answer::json(json!({ "id": id, "displayName": group.name })),
            None => not_found(id),
        }
    }

    pub(super) fn groups_named(&self, ask: &Ask) -> Answer {
        let filter = ask.query("$filter").unwrap_or_default();
        let name = filter
            .strip_prefix("displayName eq '")
            .and_then(|rest| rest.strip_suffix('\''))
            .map(|name| name.replace("''", "'"));
        let Some(name) = name else {
            return Answer::error(400, "Request_UnsupportedQuery", "Unsupported Query.");
        };
        let rows = self
            .groups
            .iter()
            .filter(|(_, group)| group.name == name)
            .map(|(id, group)| json!({ "id": id, "displayName": group.name }))
            .collect();
        page(rows, None, None)
    }

    /// Members by type are an advanced query: without its header and `$count` on every page it is
    /// refused (domain 5).
    pub(super) fn members(&self, id: &str, transitive: bool, ask: &Ask) -> Answer {
        let counted = ask.query("$count").as_deref() == Some("true")
            || ask.token().is_some_and(|token| token["count"] == true);
        if !counted || ask.header("ConsistencyLevel").as_deref() != Some("eventual") {
            return Answer::error(
                400,
                "Request_UnsupportedQuery",
                "Request with $count query parameter only works through MSGraph with a special request header: 'ConsistencyLevel: eventual'",
            );
        }
        if !self.groups.contains_key(id) {
            return not_found(id);
        }
        if self.hidden.contains(id) {
            return super::faults::forbidden();
        }
        let (mut users, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let mut open = vec![id.to_owned()];
        while let Some(group) = open.pop() {
            if !seen.insert(group.clone()) || !(transitive || group == id) {
                continue;
            }
            for member in self
                .groups
                .get(&group)
                .into_iter()
                .flat_map(|group| &group.members)
            {
                if self.groups.contains_key(member) {
                    open.push(member.clone());
                } else if self.users.contains_key(member) {
                    users.insert(member.clone());
                }
            }
        }
        let at = ask.token().map_or(0, |token| {
            usize::try_from(token["at"].as_u64().unwrap()).unwrap()
        });
        let rows: Vec<Value> = users
            .iter()
            .skip(at)
            .take(self.page_size)
            .map(|id| json!({ "@odata.type": "#microsoft.graph.user", "id": id }))
            .collect();
        let end = at + rows.len();
        let path = format!(
            "groups/{id}/{}/microsoft.graph.user",
            if transitive {
                "transitiveMembers"
            } else {
                "members"
            }
        );
        let next = (end < users.len()).then(|| {
            link(
                &self.url,
                &path,
                "$skiptoken",
                &json!({ "at": end, "count": true }),
            )
        });
        page(rows, next, None)
    }

    /// `users?$select=…,signInActivity&$filter=signInActivity/lastSignInDateTime ge …`.
    pub(super) fn active_users(&self, ask: &Ask) -> Answer {
        let filter = ask.query("$filter").unwrap_or_default();
        let Some(since) = filter.strip_prefix("signInActivity/lastSignInDateTime ge ") else {
            return Answer::error(400, "Request_UnsupportedQuery", "Unsupported Query.");
        };
        let since: jiff::Timestamp = since.parse().unwrap();
        let select = ask.query("$select").unwrap_or_default();
        let rows = self
            .users
            .iter()
            .filter_map(|(id, user)| {
                let at = self.last_attempt(id).filter(|at| *at >= since)?;
                let mut row = user.clone();
                row["signInActivity"] = json!({ "lastSignInDateTime": at.to_string() });
                Some(selected(&row, &select))
            })
            .collect();
        page(rows, None, None)
    }
}

/// Only what was named comes; without `$select` what always comes.
fn selected(row: &Value, select: &str) -> Value {
    let names: Vec<&str> = if select.is_empty() {
        DEFAULT_PROPERTIES.to_vec()
    } else {
        select.split(',').chain(["id"]).collect()
    };
    let properties = row.as_object().unwrap().iter();
    properties
        .filter(|(name, _)| names.contains(&name.as_str()) || name.starts_with('@'))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub(super) fn not_found(id: &str) -> Answer {
    let text = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    Answer::error(404, "Request_ResourceNotFound", &text)
}
