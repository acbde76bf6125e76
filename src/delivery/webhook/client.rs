//! Sends what is rendered to one endpoint, and says what became of it.
//!
//! The signature is made here, as it is of the attempt. The trap is the moment at which doubt
//! begins: until the connection stands nothing can have been taken, and afterwards everything
//! may have been, whatever the error says.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, redirect};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use url::Host;

use super::answer::Answer;
use super::dialect::Auth;
use super::endpoint::{Endpoint, EndpointFault};
use super::signing;
use crate::answer::{self, End};
use crate::certificate;
use crate::delivery::Outcome;
use crate::delivery::egress::{Egress, Lookup, system_lookup};
use crate::delivery::text;
use crate::delivery::trust::{TrustError, system_trust};
use crate::errors::chain;

/// How much of an answer is read; nobody needs more than its first words.
const MAX_ANSWER: usize = 64 * 1024;

/// An unused connection is closed before the 5 s after which common servers close theirs: a
/// request that crosses with that is lost.
const IDLE: Duration = Duration::from_secs(4);

/// What stands for the words of a server that repeats our address.
const WITHHELD: &[u8] = b"its words are withheld, as they repeat the address";

/// One attempt to send a row.
#[derive(Debug, Clone, Copy)]
pub struct Attempt<'a> {
    /// The event's id, which stays over all attempts.
    pub id: &'a str,
    /// The rendered body, which stays too.
    pub body: &'a [u8],
    /// The real time: receivers compare it with their clock (rule 7.22).
    pub at: Timestamp,
}

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To find and connect, with TLS.
    pub connect: Duration,
    /// For everything until the answer is read.
    pub whole: Duration,
}

impl Default for Timeouts {
    /// Standard Webhooks asks for 15 to 30 seconds.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            whole: Duration::from_secs(20),
        }
    }
}

/// How the outside is reached.
#[derive(Clone)]
pub struct Reach {
    /// Whose certificates are trusted.
    pub trust: Arc<ClientConfig>,
    /// What turns names into addresses.
    pub lookup: Lookup,
    /// How long to wait.
    pub timeouts: Timeouts,
}

impl Reach {
    /// As the system is set up.
    pub fn system() -> Result<Self, TrustError> {
        Ok(Self {
            trust: system_trust()?,
            lookup: system_lookup(),
            timeouts: Timeouts::default(),
        })
    }
}

/// Why an endpoint cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The configuration is wrong.
    #[error(transparent)]
    Endpoint(#[from] EndpointFault),
    /// No certificates.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// The library refuses its settings.
    #[error("setting up HTTP")]
    Http(#[source] reqwest::Error),
}

/// One endpoint and the open connections to it.
pub struct Client {
    endpoint: Endpoint,
    http: reqwest::Client,
    egress: Egress,
    trust: Arc<ClientConfig>,
    timeouts: Timeouts,
}

impl Client {
    /// For that endpoint, reached as the system is set up.
    pub fn new(endpoint: Endpoint) -> Result<Self, ClientError> {
        Self::reaching(endpoint, Reach::system()?)
    }

    /// For that endpoint, reached in that way.
    pub fn reaching(endpoint: Endpoint, reach: Reach) -> Result<Self, ClientError> {
        endpoint.check()?;
        let Reach {
            trust,
            lookup,
            timeouts,
        } = reach;
        let egress = Egress::new(endpoint.url.expose(), &endpoint.allow_networks, lookup);
        let http = reqwest::Client::builder()
            .user_agent(concat!("fortnight/", env!("CARGO_PKG_VERSION")))
            .tls_backend_preconfigured(ClientConfig::clone(&trust))
            .dns_resolver(egress.clone())
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_gzip()
            .http1_only()
            .pool_idle_timeout(IDLE)
            .connect_timeout(timeouts.connect)
            .timeout(timeouts.whole)
            .build()
            .map_err(ClientError::Http)?;
        Ok(Self {
            endpoint,
            http,
            egress,
            trust,
            timeouts,
        })
    }

    /// The endpoint.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sends a body. Cancelling this leaves open whether it arrived.
    pub async fn send(&self, attempt: &Attempt<'_>) -> Outcome {
        let request = self
            .http
            .post(self.endpoint.url.expose().clone())
            .headers(self.headers(attempt))
            .body(attempt.body.to_vec());
        match request.send().await {
            Ok(response) => self.judge(response, attempt.at).await,
            Err(error) => unanswered(error),
        }
    }

    /// Whether the endpoint can be reached: finds it, connects, and sends nothing. Says when its certificate ends.
    pub async fn probe(&self) -> Result<Option<Timestamp>, String> {
        let limit = self.timeouts.connect;
        match timeout(limit, self.connect()).await {
            Ok(connected) => connected,
            Err(_) => Err(format!("no connection within {limit:?}")),
        }
    }

    fn headers(&self, attempt: &Attempt<'_>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let media = HeaderValue::from_static(self.endpoint.dialect.media);
        headers.insert(CONTENT_TYPE, media);
        match self.endpoint.dialect.auth {
            Auth::Signature => self.sign(attempt, &mut headers),
            Auth::Address => {}
        }
        headers
    }

    fn sign(&self, attempt: &Attempt<'_>, headers: &mut HeaderMap) {
        let Attempt { id, body, at } = *attempt;
        let signature = signing::signature(&self.endpoint.secrets, id, at, body);
        for (name, value) in [
            ("webhook-id", id),
            ("webhook-timestamp", &at.as_second().to_string()),
            ("webhook-signature", &signature),
        ] {
            // Ids are UUIDs; without the header of one that is not, receivers refuse the request.
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
    }

    async fn judge(&self, response: Response, at: Timestamp) -> Outcome {
        let (status, headers) = (response.status(), response.headers().clone());
        tracing::debug!("webhook {} answered {status}", self.endpoint.name);
        let read = answer::read(response, MAX_ANSWER).await;
        let mut body = read.bytes;
        if self
            .endpoint
            .url
            .is_repeated_in(&String::from_utf8_lossy(&body))
        {
            body = WITHHELD.to_vec();
        }
        (self.endpoint.dialect.means)(&Answer {
            status,
            headers: &headers,
            body: &body,
            is_whole: !matches!(read.end, End::Broken(_)),
            at,
        })
    }

    async fn connect(&self) -> Result<Option<Timestamp>, String> {
        let url = self.endpoint.url.expose();
        let host = url.host().ok_or("the address names no host")?;
        let (addresses, name) = match host {
            Host::Ipv4(address) => (vec![address.into()], IpAddr::V4(address).into()),
            Host::Ipv6(address) => (vec![address.into()], IpAddr::V6(address).into()),
            Host::Domain(domain) => {
                let found = self.egress.addresses(domain).await;
                let name = ServerName::try_from(domain.to_owned());
                (
                    found.map_err(|error| words(&error))?,
                    name.map_err(|error| words(&error))?,
                )
            }
        };
        let port = url.port_or_known_default().unwrap_or(443);
        let tcp = first(&addresses, port).await?;
        if url.scheme() != "https" {
            return Ok(None);
        }
        let connector = TlsConnector::from(Arc::clone(&self.trust));
        let shaken = connector.connect(name, tcp).await;
        let stream = shaken
            .map_err(|error| format!("TLS with {}: {}", self.endpoint.url.host(), words(&error)))?;
        let (_, connection) = stream.get_ref();
        let shown = connection.peer_certificates().unwrap_or_default();
        Ok(shown.first().and_then(|shown| certificate::ends_at(shown)))
    }
}

/// The first of the addresses that answers.
async fn first(addresses: &[IpAddr], port: u16) -> Result<TcpStream, String> {
    let mut failure = "no address to connect to".to_owned();
    for address in addresses {
        let address = SocketAddr::new(*address, port);
        match TcpStream::connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failure = format!("connecting to {address}: {error}"),
        }
    }
    Err(failure)
}

fn unanswered(error: reqwest::Error) -> Outcome {
    let nothing_sent = error.is_connect() || error.is_builder();
    let text = words(&error.without_url());
    if nothing_sent {
        Outcome::unreachable(None, &text)
    } else {
        Outcome::lost(&text)
    }
}

/// An error and its causes on one line, cleaned.
fn words(error: &dyn Error) -> String {
    text::clean_line(&chain(error), text::MAX_REPLY)
}
