//! What is asked: the kind of endpoint, the object, and the query.

use std::collections::BTreeMap;

use url::form_urlencoded;

/// An endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The token endpoints of the identity platform and of a machine (IMDS, App Service).
    Token,
    /// `users/delta`.
    Users,
    /// One user, or a list of them.
    User,
    /// A list of users by their last sign-in.
    Activity,
    /// One group, or groups by name.
    Groups,
    /// `transitiveMembers` and `members`, cast to users.
    Members,
    /// The registration report.
    Report,
    /// One person's row of it.
    ReportRow,
    SignIns,
    Audits,
    Organization,
    /// The security defaults of the tenant.
    SecurityDefaults,
}

/// Stands where the path of a token endpoint names no tenant.
pub const MACHINE: &str = "";

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
        let (mut kind, id) = endpoint(path)?;
        if kind == Kind::User && query.contains("signInActivity") {
            kind = Kind::Activity;
        }
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

    /// What it costs.
    pub fn units(&self) -> u32 {
        let base: u32 = match self.kind {
            Kind::Users | Kind::User | Kind::Activity => 2,
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
            Self::Report | Self::ReportRow | Self::SignIns | Self::Audits
        )
    }

    pub fn is_graph(self) -> bool {
        self != Self::Token
    }
}

fn endpoint(path: &str) -> Option<(Kind, String)> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let (kind, id) = match parts[..] {
        [tenant, "oauth2", "v2.0", "token"] => (Kind::Token, tenant),
        ["metadata", "identity", "oauth2", "token"] | ["msi", "token"] => (Kind::Token, MACHINE),
        ["v1.0", "users", "delta"] => (Kind::Users, ""),
        ["v1.0", "users"] => (Kind::User, ""),
        ["v1.0", "users", id] => (Kind::User, id),
        ["v1.0", "groups"] => (Kind::Groups, ""),
        ["v1.0", "groups", id] => (Kind::Groups, id),
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
        ] => (Kind::Report, ""),
        [
            "v1.0",
            "reports",
            "authenticationMethods",
            "userRegistrationDetails",
            id,
        ] => (Kind::ReportRow, id),
        ["v1.0", "auditLogs", "signIns"] => (Kind::SignIns, ""),
        ["v1.0", "auditLogs", "directoryAudits"] => (Kind::Audits, ""),
        ["v1.0", "organization"] => (Kind::Organization, ""),
        [
            "v1.0",
            "policies",
            "identitySecurityDefaultsEnforcementPolicy",
        ] => (Kind::SecurityDefaults, ""),
        _ => return None,
    };
    Some((kind, id.to_owned()))
}
