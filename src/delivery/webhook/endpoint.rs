//! An endpoint as the configuration describes it, and what cannot be one.

use std::fmt;

use ipnet::IpNet;
use url::{Host, Url};

use super::dialect::{Auth, Dialect, Unfit};
use super::signing::SigningSecret;
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
    /// The format in which it is told.
    pub dialect: &'static Dialect,
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
    #[error("the address does not begin with `https:`")]
    Scheme,
    /// Nothing to dial.
    #[error("the address names no host")]
    NoHost,
    /// Not dialled, or not in clear.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// A format that is always signed.
    #[error("format {0:?} is signed, and there is no signing secret")]
    NoSecret(&'static str),
    /// The format cannot use it.
    #[error("{}", .0.why)]
    Unfit(Unfit),
}

impl EndpointFault {
    /// What to do about it.
    #[must_use]
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotAUrl(_) | Self::Scheme | Self::NoHost => {
                "write the whole address, beginning with https://"
            }
            Self::Forbidden(forbidden) => forbidden.remedy(),
            Self::NoSecret(_) => "name a file with a `whsec_` secret in `secret_file`",
            Self::Unfit(unfit) => unfit.remedy,
        }
    }
}

impl Endpoint {
    /// What can be said against it without looking up a name.
    pub fn check(&self) -> Result<(), EndpointFault> {
        let url = self.url.expose();
        let Dialect {
            name,
            auth,
            refuses,
            ..
        } = self.dialect;
        if let Some(unfit) = refuses(url) {
            return Err(EndpointFault::Unfit(unfit));
        }
        match auth {
            Auth::Signature if self.secrets.is_empty() => {
                return Err(EndpointFault::NoSecret(name));
            }
            Auth::Signature | Auth::Address => {}
        }
        Ok(egress::check(url, &self.allow_networks)?)
    }
}

/// An address that is a password: only its host is ever shown.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretUrl(Url);

impl SecretUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, EndpointFault> {
        let url = Url::parse(text.trim()).map_err(EndpointFault::NotAUrl)?;
        if !matches!(url.scheme(), "https" | "http") {
            return Err(EndpointFault::Scheme);
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

#[cfg(test)]
mod tests {
    use super::super::DIALECTS;
    use super::*;

    #[test]
    fn what_is_no_address_is_refused_and_not_repeated() {
        for (text, expected) in [
            ("", "the address is not a URL: relative URL without a base"),
            (
                "hooks.slack.com/services/T0SECRET",
                "the address is not a URL: relative URL without a base",
            ),
            (
                "ftp://hooks.example/T0SECRET",
                "the address does not begin with `https:`",
            ),
            (
                "file:///etc/T0SECRET",
                "the address does not begin with `https:`",
            ),
            ("https://", "the address is not a URL: empty host"),
            (
                "https://a b/T0SECRET",
                "the address is not a URL: invalid international domain name",
            ),
            (
                "https://[::1/T0SECRET",
                "the address is not a URL: invalid IPv6 address",
            ),
            (
                "https://256.1.1.1/T0SECRET",
                "the address is not a URL: invalid IPv4 address",
            ),
            (
                "https://[fe80::1%25eth0]/",
                "the address is not a URL: invalid IPv6 address",
            ),
        ] {
            let fault = SecretUrl::parse(text).unwrap_err();
            assert_eq!(fault.to_string(), expected, "{text:?}");
            assert!(!format!("{fault:?}").contains("SECRET"));
        }
    }

    #[test]
    fn an_address_shows_its_host_only() {
        let url = SecretUrl::parse(" https://u:pw@hooks.slack.com/services/T0SECRET?sig=SECRET \n");
        let url = url.unwrap();
        assert_eq!(url.to_string(), "https://hooks.slack.com/***");
        assert_eq!(format!("{url:?}"), url.to_string());
        assert_eq!(url.host(), "hooks.slack.com");
    }

    #[test]
    fn a_text_that_repeats_the_address_is_noticed() {
        let url = SecretUrl::parse("https://a:passphrase@x.example/flow/0d2f1c7a?sig=AbC%2Bdef01");
        let url = url.unwrap();
        for text in [
            "no flow 0d2f1c7a",
            "sig=AbC+def01",
            "AbC%2Bdef01",
            "passphrase",
        ] {
            assert!(url.is_repeated_in(text), "{text}");
        }
        for text in ["", "no such flow", "x.example", "sig"] {
            assert!(!url.is_repeated_in(text), "{text}");
        }
    }

    #[test]
    fn who_asks_for_a_signature_is_never_told_without_one() {
        let secrets = SigningSecret::parse_file("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        for dialect in DIALECTS {
            let mut endpoint = Endpoint {
                name: "hook".to_owned(),
                url: SecretUrl::parse("https://hooks.example/").unwrap(),
                dialect,
                secrets: secrets.clone(),
                allow_networks: Vec::new(),
            };
            assert_eq!(endpoint.check(), Ok(()), "{dialect:?}");
            endpoint.secrets.clear();
            let expected = match dialect.auth {
                Auth::Signature => Err(EndpointFault::NoSecret(dialect.name)),
                Auth::Address => Ok(()),
            };
            assert_eq!(endpoint.check(), expected, "{dialect:?}");
        }
    }
}
