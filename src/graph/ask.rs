//! The questions that Graph is asked, each with its bucket, its cost, and what it takes.

use std::fmt;

use jiff::Timestamp;

use super::link::Link;
use crate::domain::id::{GroupId, UserId};

/// The properties of a user that count. A delta gives only those that its first question named.
const USER: &str = "id,userPrincipalName,displayName,mail,userType,accountEnabled,createdDateTime,preferredLanguage";
/// As many rows as Graph gives on one page of a log or of members.
const PAGE: u32 = 999;
/// The audit service that speaks of security info.
const AUDIT_SERVICE: &str = "Authentication Methods";

/// The path of the registration report.
const REGISTRATIONS: [&str; 3] = [
    "reports",
    "authenticationMethods",
    "userRegistrationDetails",
];

/// Which of the service's limits a question counts against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bucket {
    /// Reports and logs.
    Reports,
    /// Users and groups.
    Directory,
}

/// A question.
#[derive(Debug, Clone)]
pub struct Ask {
    /// What for, as messages name it.
    pub(crate) what: &'static str,
    /// The application permission that it takes.
    pub(super) permission: &'static str,
    pub(super) bucket: Bucket,
    pub(super) cost: u32,
    /// Members by type are an advanced query: each page needs `ConsistencyLevel: eventual`.
    pub(super) eventual: bool,
    pub(super) place: Place,
}

/// Where the answer is.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// The steps of a path below the version, and its query. An id is a step, whatever is in it.
    Path(Vec<String>, Vec<(&'static str, String)>),
    /// A link that Graph gave.
    Link(Link),
}

/// For the log: no query, which can name people, and no link, which can hold a token.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(steps, _) => write!(f, "/{}", steps.join("/")),
            Self::Link(_) => f.write_str("the next page"),
        }
    }
}

impl Ask {
    /// The same question at the page behind a link, where there is one.
    #[must_use]
    pub fn at(self, link: Option<Link>) -> Self {
        Self {
            place: link.map_or(self.place, Place::Link),
            ..self
        }
    }

    fn directory(what: &'static str, permission: &'static str, cost: u32, place: Place) -> Self {
        Self {
            what,
            permission,
            bucket: Bucket::Directory,
            cost,
            eventual: false,
            place,
        }
    }

    fn report(what: &'static str, place: Place) -> Self {
        Self {
            what,
            permission: "AuditLog.Read.All",
            bucket: Bucket::Reports,
            cost: 1,
            eventual: false,
            place,
        }
    }

    /// All users, and later their changes.
    #[must_use]
    pub fn users() -> Self {
        let query = vec![("$select", USER.to_owned())];
        let place = Place::Path(steps(["users", "delta"]), query);
        Self::directory("users", "User.Read.All", 1, place)
    }

    /// Any user: whether users may be read at all.
    #[must_use]
    pub fn any_user() -> Self {
        let query = vec![("$select", "id".to_owned()), ("$top", "1".to_owned())];
        let place = Place::Path(steps(["users"]), query);
        Self::directory("users", "User.Read.All", 1, place)
    }

    /// The same question for one row only: whether it is answered at all.
    #[must_use]
    pub fn for_one_row(mut self) -> Self {
        if let Place::Path(_, query) = &mut self.place {
            query.retain(|(name, _)| *name != "$top");
            query.push(("$top", "1".to_owned()));
        }
        self
    }

    /// One user.
    #[must_use]
    pub fn user(id: &UserId) -> Self {
        let query = vec![("$select", USER.to_owned())];
        let place = Place::Path(steps(["users", id.as_str()]), query);
        Self::directory("a user", "User.Read.All", 1, place)
    }

    /// One group by its id.
    #[must_use]
    pub fn group(id: &GroupId) -> Self {
        let query = vec![("$select", "id,displayName".to_owned())];
        let place = Place::Path(steps(["groups", id.as_str()]), query);
        Self::directory("groups", "GroupMember.Read.All", 1, place)
    }

    /// The groups of a name.
    #[must_use]
    pub fn groups_named(name: &str) -> Self {
        let query = vec![
            (
                "$filter",
                format!("displayName eq '{}'", name.replace('\'', "''")),
            ),
            ("$select", "id,displayName".to_owned()),
        ];
        let place = Place::Path(steps(["groups"]), query);
        Self::directory("groups", "GroupMember.Read.All", 1, place)
    }

    /// The users below a group, or its direct members only.
    #[must_use]
    pub fn members(group: &GroupId, transitive: bool) -> Self {
        let (kind, cost) = if transitive {
            ("transitiveMembers", 4)
        } else {
            ("members", 2)
        };
        let query = vec![
            ("$select", "id".to_owned()),
            ("$count", "true".to_owned()),
            ("$top", PAGE.to_string()),
        ];
        let path = steps(["groups", group.as_str(), kind, "microsoft.graph.user"]);
        let place = Place::Path(path, query);
        Self {
            eventual: true,
            ..Self::directory("members of groups", "GroupMember.Read.All", cost, place)
        }
    }

    /// The whole registration report.
    #[must_use]
    pub fn registrations() -> Self {
        let query = vec![("$top", PAGE.to_string())];
        Self::report(
            "the registration report",
            Place::Path(steps(REGISTRATIONS), query),
        )
    }

    /// One person's row of the report.
    #[must_use]
    pub fn registration(id: &UserId) -> Self {
        let path = steps(REGISTRATIONS.into_iter().chain([id.as_str()]));
        Self::report("a registration", Place::Path(path, Vec::new()))
    }

    /// The sign-ins of a stretch; without an end, up to the newest.
    #[must_use]
    pub fn sign_ins(from: Timestamp, to: Option<Timestamp>) -> Self {
        let query = vec![
            ("$filter", between("createdDateTime", from, to)),
            ("$top", PAGE.to_string()),
        ];
        Self::report(
            "sign-ins",
            Place::Path(steps(["auditLogs", "signIns"]), query),
        )
    }

    /// The audit events about security info of a stretch.
    #[must_use]
    pub fn audits(from: Timestamp, to: Option<Timestamp>) -> Self {
        let filter = format!(
            "{} and loggedByService eq '{AUDIT_SERVICE}'",
            between("activityDateTime", from, to)
        );
        let query = vec![("$filter", filter), ("$top", PAGE.to_string())];
        Self::report(
            "audit events",
            Place::Path(steps(["auditLogs", "directoryAudits"]), query),
        )
    }

    /// The newest audit events of one activity.
    #[must_use]
    pub fn activity_named(what: &'static str, activity: &'static str) -> Self {
        let query = vec![
            ("$filter", format!("activityDisplayName eq '{activity}'")),
            ("$top", "1".to_owned()),
        ];
        Self::report(
            what,
            Place::Path(steps(["auditLogs", "directoryAudits"]), query),
        )
    }

    /// Whether security defaults are on.
    #[must_use]
    pub fn security_defaults() -> Self {
        let path = steps(["policies", "identitySecurityDefaultsEnforcementPolicy"]);
        let query = vec![("$select", "isEnabled".to_owned())];
        Self::directory(
            "security defaults",
            "Policy.Read.All",
            1,
            Place::Path(path, query),
        )
    }

    /// The last sign-ins that the directory itself remembers, of those seen since then.
    #[must_use]
    pub fn activity(since: Timestamp) -> Self {
        let query = vec![
            ("$select", format!("{USER},signInActivity")),
            (
                "$filter",
                format!("signInActivity/lastSignInDateTime ge {}", seconds(since)),
            ),
        ];
        Self {
            permission: "AuditLog.Read.All",
            ..Self::directory(
                "last sign-ins",
                "AuditLog.Read.All",
                1,
                Place::Path(steps(["users"]), query),
            )
        }
    }
}

fn steps<'a>(path: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    path.into_iter().map(str::to_owned).collect()
}

/// Only `ge` and `le` work on the times of logs: `gt` and `lt` give everything.
fn between(property: &str, from: Timestamp, to: Option<Timestamp>) -> String {
    let from = format!("{property} ge {}", seconds(from));
    match to {
        Some(to) => format!("{from} and {property} le {}", seconds(to)),
        None => from,
    }
}

/// Whole seconds: every cloud reads them.
fn seconds(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(ask: &Ask) -> String {
        match &ask.place {
            Place::Path(path, query) => {
                let query: Vec<String> = query
                    .iter()
                    .map(|(name, value)| format!("{name}={value}"))
                    .collect();
                format!("{}?{}", path.join("/"), query.join("&"))
            }
            Place::Link(_) => unreachable!("no link was given"),
        }
    }

    #[test]
    fn logs_are_asked_for_by_stretches_that_include_their_ends() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (from, to) = (at("2026-03-01T08:00:00.75Z"), at("2026-03-01T09:00:00Z"));
        assert_eq!(
            query(&Ask::sign_ins(from, Some(to))),
            "auditLogs/signIns?$filter=createdDateTime ge 2026-03-01T08:00:00Z and createdDateTime le 2026-03-01T09:00:00Z&$top=999"
        );
        assert_eq!(
            query(&Ask::audits(from, None)),
            "auditLogs/directoryAudits?$filter=activityDateTime ge 2026-03-01T08:00:00Z and loggedByService eq 'Authentication Methods'&$top=999"
        );
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        let ask = Ask::groups_named("O'Brien' or id eq '");
        assert!(query(&ask).contains("displayName eq 'O''Brien'' or id eq '''&"));
    }
}
