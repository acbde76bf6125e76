//! The identity of the machine: Azure's instance metadata, App Service, and Azure Arc.
//!
//! The endpoints are on this machine or its link, so no proxy may ever see the requests. Arc
//! answers first with the name of a file that only those may read who are allowed a token; the
//! trap is to believe any path it names.

use std::path::{Path, PathBuf};

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use secrecy::{ExposeSecret, SecretString};

use super::error::TokenError;

const METADATA: &str = "http://169.254.169.254";
/// Where Arc's agent puts them on Linux.
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";
/// No such file is longer.
const ARC_KEY_AT_MOST: u64 = 4_096;

/// The endpoint of this machine, by the variables that Azure sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Metadata {
        base: String,
    },
    AppService {
        url: String,
        header: Secret,
    },
    /// `keys` is where its agent puts the files that it names.
    Arc {
        url: String,
        keys: PathBuf,
    },
}

/// A header that no `Debug` prints.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Endpoint {
    pub(super) fn find(variable: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name| variable(name).filter(|value| !value.is_empty());
        match (
            set("IDENTITY_ENDPOINT"),
            set("IDENTITY_HEADER"),
            set("IMDS_ENDPOINT"),
        ) {
            (Some(url), Some(header), _) => Self::AppService {
                url,
                header: Secret(header),
            },
            (Some(url), None, Some(_)) => Self::Arc {
                url,
                keys: ARC_KEYS.into(),
            },
            _ => Self::Metadata {
                base: set("AZURE_POD_IDENTITY_AUTHORITY_HOST")
                    .unwrap_or_else(|| METADATA.to_owned()),
            },
        }
    }

    /// The request for a token; `client_id` chooses among several identities of a machine.
    pub(super) fn request(
        &self,
        http: &reqwest::Client,
        resource: &str,
        client_id: Option<&str>,
    ) -> RequestBuilder {
        let (url, version) = match self {
            Self::Metadata { base } => (
                format!(
                    "{}/metadata/identity/oauth2/token",
                    base.trim_end_matches('/')
                ),
                "2018-02-01",
            ),
            Self::AppService { url, .. } => (url.clone(), "2019-08-01"),
            Self::Arc { url, .. } => (url.clone(), "2020-06-01"),
        };
        let mut query = vec![("api-version", version), ("resource", resource)];
        query.extend(client_id.map(|id| ("client_id", id)));
        let request = http.get(url).query(&query);
        match self {
            Self::Metadata { .. } | Self::Arc { .. } => request.header("Metadata", "true"),
            Self::AppService { header, .. } => request.header("X-IDENTITY-HEADER", &header.0),
        }
    }

    /// What Arc's first answer asks to be sent back: the content of the file it names.
    pub(super) fn challenge(
        &self,
        headers: &HeaderMap,
    ) -> Result<Option<SecretString>, TokenError> {
        let Self::Arc { keys, .. } = self else {
            return Ok(None);
        };
        let named = headers
            .get("www-authenticate")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.strip_prefix("Basic realm="))
            .ok_or(TokenError::ArcChallenge)?;
        let path = arc_key(named, keys).ok_or(TokenError::ArcChallenge)?;
        let fits = std::fs::metadata(&path).is_ok_and(|file| file.len() <= ARC_KEY_AT_MOST);
        let key = fits.then(|| std::fs::read_to_string(&path).ok()).flatten();
        key.map(|key| Some(SecretString::from(key)))
            .ok_or(TokenError::ArcKey(path))
    }
}

/// The answer to Arc's challenge.
pub(super) fn answer(request: RequestBuilder, key: &SecretString) -> RequestBuilder {
    request.header("Authorization", format!("Basic {}", key.expose_secret()))
}

/// The file that Arc names, if it is one of its own.
fn arc_key(named: &str, keys: &Path) -> Option<PathBuf> {
    let path = Path::new(named);
    let plain =
        path.parent() == Some(keys) && path.extension().is_some_and(|extension| extension == "key");
    plain.then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_arc_itself_are_read() {
        for (named, expected) in [
            ("/var/opt/azcmagent/tokens/0d1a.key", true),
            ("/var/opt/azcmagent/tokens/../../../etc/shadow", false),
            ("/var/opt/azcmagent/tokens/a/b.key", false),
            ("/etc/fortnight/graph-secret", false),
            ("tokens/0d1a.key", false),
        ] {
            let found = arc_key(named, Path::new(ARC_KEYS));
            assert_eq!(found.is_some(), expected, "{named}");
        }
    }

    #[test]
    fn azure_says_by_variables_where_the_machine_has_its_identity() {
        let find = |set: &[(&str, &str)]| {
            Endpoint::find(|name| {
                set.iter()
                    .find(|(known, _)| *known == name)
                    .map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(
            find(&[]),
            Endpoint::Metadata {
                base: METADATA.to_owned()
            }
        );
        let url = "http://127.0.0.1:40342/msi/token";
        assert!(matches!(
            find(&[("IDENTITY_ENDPOINT", url), ("IDENTITY_HEADER", "x")]),
            Endpoint::AppService { .. }
        ));
        assert!(matches!(
            find(&[("IDENTITY_ENDPOINT", url), ("IMDS_ENDPOINT", "y")]),
            Endpoint::Arc { .. }
        ));
    }
}
