//! Why there is no token.

use std::path::PathBuf;

use super::refusal::{Refusal, Remedy};

/// Who gives tokens to a machine.
pub(super) const MACHINE: &str = "the machine's identity endpoint";

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The identity platform refuses.
    #[error("no token for the application: {0}")]
    Refused(Refusal),
    /// The endpoint cannot be reached or breaks off.
    #[error("cannot reach {host} for a token: {}", mend(host))]
    Unreachable {
        /// Which.
        host: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The endpoint answers something else.
    #[error("{host} answered {status} instead of a token: {}", mend(host))]
    Unexpected {
        /// Which.
        host: String,
        /// The HTTP status.
        status: u16,
    },
    /// The federated token cannot be read.
    #[error("cannot read the federated token {}: check directory.graph.federated_token_file, and that its issuer has written it there for this user", path.display())]
    FederatedToken {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The assertion could not be signed.
    #[error("the private key cannot sign: it must be an RSA key of at least 2048 bits")]
    Unsigned,
    /// Arc's challenge names no file of its own.
    #[error("the identity endpoint of Azure Arc asks for something else than a file of its own")]
    ArcChallenge,
    /// The system's trust in certificates cannot be used.
    #[error("preparing the way to the identity platform")]
    Setup(#[source] reqwest::Error),
    /// The file that Arc names cannot be read.
    #[error("cannot read {}: put this user into the group himds", .0.display())]
    ArcKey(PathBuf),
}

/// What helps where whoever gives tokens does not.
fn mend(host: &str) -> &'static str {
    if host == MACHINE {
        "give this machine a managed identity in Azure, or name another credential in [directory.graph]"
    } else {
        "check directory.graph.authority_url, and that name service, firewall and proxy (HTTPS_PROXY) let this machine through"
    }
}

impl TokenError {
    /// Whether asking again at once could help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Refused(refusal) => refusal.remedy() == Remedy::Wait,
            Self::Unreachable { .. } | Self::Unexpected { .. } => true,
            Self::FederatedToken { .. }
            | Self::Unsigned
            | Self::ArcChallenge
            | Self::Setup(_)
            | Self::ArcKey(_) => false,
        }
    }
}
