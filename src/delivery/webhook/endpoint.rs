//! An endpoint as the configuration describes it, and what cannot be one.

use std::fmt;

use ipnet::IpNet;
use url::{Host, Url};

use super::{Format, SigningSecret};
use crate::delivery::egress::{self, Forbidden};

/// The shortest part of an address whose repetition would give something away.
const TELLING: usize = 8;

/// Where messages go, and how.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Its name in the configuration.
    pub name: String,
    /// Its address.
    pub url: SecretUrl,
    /// How it wants to be told.
    pub format: Format,
    /// What signs, the first of them first; none for a chat.
    pub secrets: Vec<SigningSecret>,
    /// Private networks in which it may lie.
    pub allow_networks: Vec<IpNet>,
}

/// Why an address can be none of an endpoint. No variant repeats it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndpointFault {
    /// Not an absolute address at all.
    #[error("the address is not a URL: {0}")]
    NotAUrl(url::ParseError),
    /// Neither https nor http.
    #[error("the address begins with `{0}:` instead of `https:`")]
    Scheme(String),
    /// Nothing to dial.
    #[error("the address names no host")]
    NoHost,
    /// Not dialled, or not in clear.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Format `standard` is always signed.
    #[error("format \"standard\" is signed, and there is no signing secret")]
    NoSecret,
    /// Switched off by Microsoft in May 2026.
    #[error("the address is of an Office 365 connector, and Microsoft has switched these off")]
    RetiredConnector,
}

impl EndpointFault {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotAUrl(_) | Self::Scheme(_) | Self::NoHost => {
                "write the whole address, beginning with https://"
            }
            Self::Forbidden(forbidden) => forbidden.remedy(),
            Self::NoSecret => "name a file with a `whsec_` secret in `secret_file`",
            Self::RetiredConnector => {
                "in Teams, add the workflow \"Post to a channel when a webhook request is received\" and use its address"
            }
        }
    }
}

impl Endpoint {
    /// What can be said against it without looking up a name.
    pub fn check(&self) -> Result<(), EndpointFault> {
        let url = self.url.expose();
        if self.format == Format::Teams && is_retired_connector(url) {
            return Err(EndpointFault::RetiredConnector);
        }
        if self.format == Format::Standard && self.secrets.is_empty() {
            return Err(EndpointFault::NoSecret);
        }
        Ok(egress::check(url, &self.allow_networks)?)
    }
}

/// Whether that is an Office 365 connector (`*.webhook.office.com`), which no longer exist.
fn is_retired_connector(url: &Url) -> bool {
    url.domain().is_some_and(|domain| {
        let domain = domain.trim_end_matches('.');
        domain == "webhook.office.com"
            || domain.ends_with(".webhook.office.com")
            || (domain == "outlook.office.com" && url.path().starts_with("/webhook"))
    })
}

/// An address that is a password: only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, EndpointFault> {
        let url = Url::parse(text.trim()).map_err(EndpointFault::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointFault::Scheme(url.scheme().to_owned()));
        }
        match url.host() {
            None | Some(Host::Domain("")) => Err(EndpointFault::NoHost),
            Some(_) => Ok(Self(url)),
        }
    }

    /// The host, which is no secret.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(super) fn expose(&self) -> &Url {
        &self.0
    }

    /// Whether a text repeats what is secret in the address: a server that does not know a path
    /// likes to say which.
    pub(super) fn is_repeated_in(&self, text: &str) -> bool {
        let url = self.expose();
        let path = url.path_segments().into_iter().flatten().map(str::to_owned);
        let query = url.query_pairs().map(|(_, value)| value.into_owned());
        let raw = url
            .query()
            .unwrap_or_default()
            .split(['&', '='])
            .map(str::to_owned);
        let password = url.password().map(str::to_owned);
        path.chain(query)
            .chain(raw)
            .chain(password)
            .any(|part| part.len() >= TELLING && text.contains(&part))
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/***", self.expose().scheme(), self.host())
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
