//! What Graph says when it gives no page, cut by what helps, each with its remedy.

use std::time::Duration;

use serde::Deserialize;

use crate::entra::TokenError;
use crate::errors::chain;
use crate::quote::quote;

/// A licence that a tenant lacks.
const NO_LICENCE: &str = "Authentication_RequestFromNonPremiumTenantOrB2CTenant";
/// What Graph says of links that are too old.
const EXPIRED: [&str; 3] = ["resyncRequired", "syncStateNotFound", "syncStateInvalid"];

/// Why there is no page.
#[derive(Debug, thiserror::Error)]
pub enum GraphError {
    /// There is no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Graph does not accept a fresh token.
    #[error(
        "Graph does not accept the token ({code}): check directory.graph.cloud and the clock of this machine"
    )]
    Unauthorized {
        /// Graph's word.
        code: String,
    },
    /// A permission is missing.
    #[error(
        "Graph refuses {what} ({code}): grant the application permission {permission} and consent to it for the tenant; docs/graph.md has the commands"
    )]
    Forbidden {
        /// What was asked for.
        what: &'static str,
        /// What it takes.
        permission: &'static str,
        /// Graph's word.
        code: String,
    },
    /// A licence is missing.
    #[error(
        "the tenant has no Entra ID P1 or P2 licence, without which Graph does not give {what}: license it, or export the files from the admin center and use source = \"files\""
    )]
    NoLicence {
        /// What was asked for.
        what: &'static str,
    },
    /// A link is too old: the reading begins anew.
    #[error("the link to the next page of {what} has expired")]
    LinkExpired {
        /// What was asked for.
        what: &'static str,
    },
    /// The pages lead back to one that was read.
    #[error("the pages of {what} lead in a circle; the next pass begins anew")]
    Circle {
        /// What was asked for.
        what: &'static str,
    },
    /// There are more pages than a reading has that ends (rule 7.29).
    #[error("the pages of {what} do not end: {pages} were read; the next pass begins anew")]
    Endless {
        /// What was asked for.
        what: &'static str,
        /// How many came.
        pages: u32,
    },
    /// A list that cannot be kept page by page took longer than a reading may.
    #[error("the pages of {what} did not end within two hours; the next pass begins anew")]
    Slow {
        /// What was asked for.
        what: &'static str,
    },
    /// Nobody waits for the answer any more: a stop, or an operator's act, does not wait for it either.
    #[error("the reading was cut short; it goes on from its last page")]
    CutShort,
    /// There is no such object.
    #[error("Graph knows no such object of {what}")]
    NotFound {
        /// What was asked for.
        what: &'static str,
    },
    /// Graph does not take the question.
    #[error("Graph does not take the question for {what} ({code}): {message}")]
    BadRequest {
        /// What was asked for.
        what: &'static str,
        /// Graph's word.
        code: String,
        /// Its text, quoted.
        message: String,
    },
    /// Too many requests, for longer than a pass waits.
    #[error("Graph has no time for {what}: it asks to wait {} s; the next pass goes on there", retry_after.as_secs())]
    Throttled {
        /// What was asked for.
        what: &'static str,
        /// How long.
        retry_after: Duration,
    },
    /// The service is not well.
    #[error("Graph cannot give {what} now (HTTP {status}); the next pass goes on there")]
    Unavailable {
        /// What was asked for.
        what: &'static str,
        /// The status.
        status: u16,
    },
    /// The network is not well.
    #[error("cannot read {what} from Graph; the next pass goes on there")]
    Network {
        /// What was asked for.
        what: &'static str,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer that is no page.
    #[error("Graph's answer for {what} is no page: {reason}")]
    Malformed {
        /// What was asked for.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// A list ended before all that was announced had come.
    #[error("Graph counts {counted} {what} and gave {came}: it is not taken for the whole list")]
    BrokenOff {
        /// What was asked for.
        what: &'static str,
        /// How many there are by its first page.
        counted: usize,
        /// How many came.
        came: usize,
    },
    /// A link to another host would take the token there (case 52).
    #[error(
        "the link to the next page of {what} leads to another host, {host}: it is not followed. Somebody may be between this machine and Graph"
    )]
    ForeignLink {
        /// What was asked for.
        what: &'static str,
        /// Where it leads.
        host: String,
    },
    /// The way to Graph cannot be set up.
    #[error("preparing the way to Graph")]
    Setup(#[source] reqwest::Error),
}

impl GraphError {
    /// Whether the link is of no use any more, and another reading from the beginning is.
    #[must_use]
    pub fn is_of_the_link(&self) -> bool {
        matches!(self, Self::LinkExpired { .. } | Self::Circle { .. })
    }

    /// Whether it may be the link that has died, or the service that is not well: only more passes
    /// tell (rule 7.29).
    #[must_use]
    pub fn may_be_of_the_link(&self) -> bool {
        matches!(
            self,
            Self::Unavailable { .. } | Self::Network { .. } | Self::Malformed { .. }
        )
    }

    /// What it says where the service or the way to it is to blame, whatever was asked for.
    #[must_use]
    pub fn outage(&self) -> Option<String> {
        match self {
            Self::Unavailable { status, .. } => Some(format!(
                "Graph cannot answer now (HTTP {status}); the next pass goes on there"
            )),
            Self::Network { source, .. } => Some(format!(
                "Graph cannot be reached; the next pass goes on there: {}",
                chain(source)
            )),
            Self::Token(_)
            | Self::Unauthorized { .. }
            | Self::Forbidden { .. }
            | Self::NoLicence { .. }
            | Self::LinkExpired { .. }
            | Self::Circle { .. }
            | Self::Endless { .. }
            | Self::Slow { .. }
            | Self::CutShort
            | Self::NotFound { .. }
            | Self::BadRequest { .. }
            | Self::Throttled { .. }
            | Self::Malformed { .. }
            | Self::BrokenOff { .. }
            | Self::ForeignLink { .. }
            | Self::Setup(_) => None,
        }
    }
}

#[derive(Default, Deserialize)]
struct Body {
    #[serde(default)]
    error: Inner,
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// What an answer without a page means. `linked`: the question was a link of Graph's own, so
/// that a 400 or a 404 can only mean that it has expired.
pub(super) fn refused(
    what: &'static str,
    permission: &'static str,
    linked: bool,
    status: u16,
    body: &[u8],
) -> GraphError {
    let Inner { code, message } = serde_json::from_slice::<Body>(body)
        .unwrap_or_default()
        .error;
    let expired = EXPIRED.contains(&code.as_str());
    match status {
        401 => GraphError::Unauthorized { code: word(&code) },
        403 if code == NO_LICENCE => GraphError::NoLicence { what },
        403 => GraphError::Forbidden {
            what,
            permission,
            code: word(&code),
        },
        404 if !linked => GraphError::NotFound { what },
        404 | 410 => GraphError::LinkExpired { what },
        400 if linked || expired => GraphError::LinkExpired { what },
        400..500 => GraphError::BadRequest {
            what,
            code: word(&code),
            message: quote(&message),
        },
        _ => GraphError::Unavailable { what, status },
    }
}

/// A code of Graph's is a word; anything else is somebody's text.
fn word(code: &str) -> String {
    let word: String = code
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-'))
        .take(80)
        .collect();
    if word.is_empty() {
        "no code".to_owned()
    } else {
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classed(linked: bool, status: u16, code: &str) -> String {
        let body = format!(
            r#"{{"error":{{"code":"{code}","message":"text \u001b[2J","innerError":{{}}}}}}"#
        );
        let error = refused(
            "sign-ins",
            "AuditLog.Read.All",
            linked,
            status,
            body.as_bytes(),
        );
        let debug = format!("{error:?}");
        debug
            .split([' ', '{'])
            .next()
            .unwrap_or_default()
            .to_owned()
    }

    #[test]
    fn answers_are_cut_by_what_helps() {
        for (linked, status, code, expected) in [
            (false, 401, "InvalidAuthenticationToken", "Unauthorized"),
            (false, 403, "Authorization_RequestDenied", "Forbidden"),
            (false, 403, NO_LICENCE, "NoLicence"),
            (false, 404, "Request_ResourceNotFound", "NotFound"),
            (true, 404, "UnknownError", "LinkExpired"),
            (true, 410, "syncStateNotFound", "LinkExpired"),
            (true, 410, "", "LinkExpired"),
            (true, 400, "BadRequest", "LinkExpired"),
            (false, 400, "resyncRequired", "LinkExpired"),
            (false, 400, "BadRequest", "BadRequest"),
            (false, 400, "Request_UnsupportedQuery", "BadRequest"),
            (false, 500, "UnknownError", "Unavailable"),
            (false, 501, "NotImplemented", "Unavailable"),
            (false, 504, "", "Unavailable"),
        ] {
            assert_eq!(classed(linked, status, code), expected, "{status} {code}");
        }
    }

    #[test]
    fn case_54_a_missing_licence_and_a_missing_permission_name_their_remedies() {
        let body = format!(r#"{{"error":{{"code":"{NO_LICENCE}"}}}}"#);
        let text =
            refused("sign-ins", "AuditLog.Read.All", false, 403, body.as_bytes()).to_string();
        assert!(
            text.contains("P1 or P2") && text.contains("source = \"files\""),
            "{text}"
        );
        let body = br#"{"error":{"code":"Authorization_RequestDenied"}}"#;
        let text = refused("users", "User.Read.All", false, 403, body).to_string();
        assert!(
            text.contains("User.Read.All") && text.contains("docs/graph.md"),
            "{text}"
        );
    }

    #[test]
    fn what_graph_says_cannot_write_on_a_terminal() {
        let body = br#"{"error":{"code":"Bad\u001b[2JRequest","message":"\u001b[2J"}}"#;
        let text = refused("users", "User.Read.All", false, 400, body).to_string();
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(
            refused("users", "x", false, 502, b"<html>")
                .to_string()
                .contains("502")
        );
    }
}
