//! Where requests may go: not to metadata services, and into private networks only where the
//! configuration names them.
//!
//! The operator writes the address, so this is less about them than about names whose answers
//! somebody else decides. Every address that a name leads to is judged, and exactly those that
//! passed are dialled: the judge is the resolver, so a second look-up cannot slip in between. An
//! address that is written as one is never looked up, and is judged by [`check`].

mod vet;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use self::vet::is_named;
pub use self::vet::{Forbidden, vet};

/// What can be said about a whole address before its name is looked up.
pub fn check(url: &Url, allow: &[IpNet]) -> Result<(), Forbidden> {
    let egress = Egress::new(url, allow, system_lookup());
    match url.host() {
        Some(Host::Ipv4(address)) => egress.vet(address.into()),
        Some(Host::Ipv6(address)) => egress.vet(address.into()),
        // Whether the name leads into such a network shows when it is dialled.
        Some(Host::Domain(_)) | None if egress.in_clear && allow.is_empty() => {
            Err(Forbidden::InClear)
        }
        Some(Host::Domain(_)) | None => Ok(()),
    }
}

/// What turns a name into addresses.
pub type Lookup = Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// As the system does it.
#[must_use]
pub fn system_lookup() -> Lookup {
    Arc::new(|name| {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    })
}

/// Looks names up for one endpoint, and hands on only what may be dialled.
#[derive(Clone)]
pub struct Egress {
    allow: Arc<[IpNet]>,
    /// Plain http goes only to what is named.
    in_clear: bool,
    lookup: Lookup,
}

/// Why a name leads nowhere.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The name is unknown, or nobody answers for it.
    #[error("looking up {0}")]
    Failed(String, #[source] io::Error),
    /// It has no addresses.
    #[error("{0} has no addresses")]
    Nothing(String),
    /// It has, and none may be dialled.
    #[error("{0} leads to where nothing is sent")]
    Forbidden(String, #[source] Forbidden),
}

impl Egress {
    /// For requests to that address.
    #[must_use]
    pub fn new(url: &Url, allow: &[IpNet], lookup: Lookup) -> Self {
        Self {
            allow: allow.into(),
            in_clear: url.scheme() != "https",
            lookup,
        }
    }

    fn vet(&self, address: IpAddr) -> Result<(), Forbidden> {
        vet(address, &self.allow)?;
        if self.in_clear && !is_named(address.to_canonical(), &self.allow) {
            return Err(Forbidden::InClear);
        }
        Ok(())
    }

    /// The addresses of a name that may be dialled: some, or an error.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, LookupError> {
        let found = (self.lookup)(name.to_owned())
            .await
            .map_err(|error| LookupError::Failed(name.to_owned(), error))?;
        let mut refused = None;
        let mut good = Vec::new();
        for address in found {
            match self.vet(address) {
                Ok(()) => good.push(address),
                Err(forbidden) => refused = refused.or(Some(forbidden)),
            }
        }
        match refused {
            _ if !good.is_empty() => Ok(good),
            Some(forbidden) => Err(LookupError::Forbidden(name.to_owned(), forbidden)),
            None => Err(LookupError::Nothing(name.to_owned())),
        }
    }
}

impl Resolve for Egress {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.clone();
        Box::pin(async move {
            let good = egress.addresses(name.as_str()).await?;
            // Port 0 stands for that of the request.
            let good = good.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(good) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_goes_only_to_what_is_named() {
        let check = |url: &str, allow: &[&str]| {
            let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
            check(&url.parse().unwrap(), &allow)
        };
        assert_eq!(check("http://1.1.1.1/", &[]), Err(Forbidden::InClear));
        assert_eq!(
            check("http://1.1.1.1/", &["10.0.0.0/8"]),
            Err(Forbidden::InClear)
        );
        assert_eq!(check("http://hooks.example/", &[]), Err(Forbidden::InClear));
        assert_eq!(check("http://10.1.2.3/", &["10.0.0.0/8"]), Ok(()));
        assert_eq!(check("http://[::ffff:10.1.2.3]/", &["10.0.0.0/8"]), Ok(()));
        assert_eq!(
            check("http://mattermost.internal/", &["10.0.0.0/8"]),
            Ok(())
        );
        assert_eq!(check("https://hooks.example/", &[]), Ok(()));
    }

    #[tokio::test]
    async fn of_a_names_addresses_only_the_good_ones_are_handed_on() {
        let answers = |url: &str, found: &[&str], allow: &[&str]| {
            let found: Vec<IpAddr> = found.iter().map(|ip| ip.parse().unwrap()).collect();
            let allow: Vec<IpNet> = allow.iter().map(|net| net.parse().unwrap()).collect();
            let lookup: Lookup = Arc::new(move |_| {
                let found = found.clone();
                Box::pin(async move { Ok(found) })
            });
            let egress = Egress::new(&url.parse().unwrap(), &allow, lookup);
            async move {
                match egress.addresses("hooks.example").await {
                    Ok(good) => good.iter().map(ToString::to_string).collect(),
                    Err(error) => vec![error.to_string()],
                }
            }
        };
        let https = "https://hooks.example/";
        let mixed = ["10.0.0.1", "1.1.1.1", "::1"];
        assert_eq!(answers(https, &mixed, &[]).await, ["1.1.1.1"]);
        let nowhere = ["hooks.example leads to where nothing is sent"];
        assert_eq!(answers(https, &["10.0.0.1", "fe80::1"], &[]).await, nowhere);
        let http = "http://hooks.example/";
        assert_eq!(answers(http, &mixed, &["10.0.0.0/8"]).await, ["10.0.0.1"]);
        assert_eq!(answers(http, &["1.1.1.1"], &["10.0.0.0/8"]).await, nowhere);
        assert_eq!(
            answers(https, &[], &[]).await,
            ["hooks.example has no addresses"]
        );
    }
}
