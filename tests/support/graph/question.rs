//! What is asked: the kind of endpoint, the object, and the query.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The token endpoint of the identity platform.
    Token,
    /// The token endpoint of a machine: IMDS, or App Service.
    Machine,
    UsersDelta,
    Users,
    User,
    Groups,
    Group,
    /// `transitiveMembers` and `members`, cast to users.
    Members,
    Registrations,
    Registration,
    SignIns,
    Audits,
    Organization,
}

/// A request, read.
#[derive(Debug, Clone)]
pub struct Question {
    pub kind: Kind,
    pub method: String,
    /// The path after the version, and the query as it came.
    pub target: String,
    pub path: String,
    /// The object that the path names.
    pub id: String,
    pub query: BTreeMap<String, String>,
    pub headers: BTreeMap<String, String>,
    pub form: BTreeMap<String, String>,
}

impl Question {
    /// None: there is no such endpoint.
    pub fn read(
        method: &str,
        path: &str,
        query: &str,
        headers: BTreeMap<String, String>,
        body: &[u8],
    ) -> Option<Self> {
        let (kind, id) = endpoint(path)?;
        let separator = if query.is_empty() { "" } else { "?" };
        Some(Self {
            kind,
            method: method.to_owned(),
            target: format!("{path}{separator}{query}"),
            path: path.to_owned(),
            id,
            query: form_urlencoded::parse(query.as_bytes())
                .into_owned()
                .collect(),
            headers,
            form: form_urlencoded::parse(body).into_owned().collect(),
        })
    }

    pub fn option(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    pub fn field(&self, name: &str) -> &str {
        self.form.get(name).map_or("", String::as_str)
    }

    /// Whether members are asked for through all levels.
    pub fn is_transitive(&self) -> bool {
        self.path.contains("/transitiveMembers/")
    }

    /// What it costs (domain 5).
    pub fn units(&self) -> u32 {
        let base: u32 = match self.kind {
            Kind::UsersDelta | Kind::Users | Kind::User => 2,
            Kind::Members if self.is_transitive() => 5,
            Kind::Members => 3,
            _ => 1,
        };
        let selected = u32::from(self.query.contains_key("$select"));
        let small = self.option("$top").and_then(|top| top.parse::<u32>().ok());
        let small = u32::from(small.is_some_and(|top| top < 20));
        base.saturating_sub(selected + small).max(1)
    }
}

impl Kind {
    /// Reports and logs, which have a bucket of their own.
    pub fn is_report(self) -> bool {
        matches!(
            self,
            Self::Registrations | Self::Registration | Self::SignIns | Self::Audits
        )
    }

    pub fn is_graph(self) -> bool {
        !matches!(self, Self::Token | Self::Machine)
    }
}

fn endpoint(path: &str) -> Option<(Kind, String)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (kind, id) = match parts[..] {
        [tenant, "oauth2", "v2.0", "token"] => (Kind::Token, tenant),
        ["metadata", "identity", "oauth2", "token"] | ["msi", "token"] => (Kind::Machine, ""),
        ["v1.0", "users", "delta"] => (Kind::UsersDelta, ""),
        ["v1.0", "users"] => (Kind::Users, ""),
        ["v1.0", "users", id] => (Kind::User, id),
        ["v1.0", "groups"] => (Kind::Groups, ""),
        ["v1.0", "groups", id] => (Kind::Group, id),
        [
            "v1.0",
            "groups",
            id,
            "members" | "transitiveMembers",
            "microsoft.graph.user",
        ] => (Kind::Members, id),
        [
            "v1.0",
            "reports",
            "authenticationMethods",
            "userRegistrationDetails",
        ] => (Kind::Registrations, ""),
        [
            "v1.0",
            "reports",
            "authenticationMethods",
            "userRegistrationDetails",
            id,
        ] => (Kind::Registration, id),
        ["v1.0", "auditLogs", "signIns"] => (Kind::SignIns, ""),
        ["v1.0", "auditLogs", "directoryAudits"] => (Kind::Audits, ""),
        ["v1.0", "organization"] => (Kind::Organization, ""),
        _ => return None,
    };
    Some((kind, id.to_owned()))
}
