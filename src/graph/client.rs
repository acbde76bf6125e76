//! Asking Graph: one page at a time, within the limits, as often as it makes sense.
//!
//! The trap is the bearer token: it goes to the configured host and nowhere else, so every link
//! that Graph gives is checked before it is followed.

use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::Instant;
use url::Url;

use super::ask::{Ask, Bucket, Place};
use super::error::{GraphError, refused};
use super::limiter::Limiter;
use super::link::Link;
use super::text::cleaned;
use crate::answer::{self, End};
use crate::domain::seen::ClockFault;
use crate::entra::{Application, Cloud, Tokens};
use crate::errors::chain;
use crate::time::{Clock, retry_after};

/// Tries of one page.
const TRIES: u32 = 5;
/// The first wait after a failure that says nothing of waiting; each later one doubles.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// No page is tried for longer, waits and all: the other sources of the pass wait with it. The last
/// try takes an answer's time more.
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// Connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two pieces of an answer, and for a whole one (rule 7.29). A service that was silent for
/// so long, or that never came to an end, is not asked for that page again in this pass.
const READ_TIMEOUT: Duration = Duration::from_mins(1);
const ANSWER_TIMEOUT: Duration = Duration::from_mins(5);
/// A page has a thousand rows of a few kilobytes; more than this is no page (rule 7.29).
const PAGE_AT_MOST: usize = 32 * 1024 * 1024;
/// What a tenant of any size takes of users and groups in ten seconds.
const DIRECTORY_UNITS: u32 = 3_500;

/// Clocks that part by more are worth a word, and by more than the second hold flags (rule R3).
const CLOCKS_WARN: SignedDuration = SignedDuration::from_mins(2);
const CLOCKS_PARTED: SignedDuration = SignedDuration::from_mins(15);

/// Where Graph is, and who asks.
#[derive(Debug, Clone)]
pub struct GraphConfig {
    /// The application.
    pub application: Application,
    /// The cloud that it is in.
    pub cloud: Cloud,
    /// Graph's host.
    pub graph: Url,
    /// What reports and logs take in ten seconds.
    pub reports_per_10s: u32,
}

/// The pages of one reading so far, of each a hash of its link: one that leads back to one of them
/// would never end.
#[derive(Debug, Default)]
pub struct Trail(HashSet<u64>, RandomState);

/// A page of rows, as Graph spells them.
#[derive(Debug)]
pub struct Page {
    /// Its rows.
    pub rows: Vec<Box<RawValue>>,
    /// The next page.
    pub next: Option<Link>,
    /// Where changes are to be had from, after the last page of a delta.
    pub delta: Option<Link>,
    /// How many rows all pages have together, on the first one where that was asked for.
    pub counted: Option<usize>,
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Box<RawValue>>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<Link>,
    #[serde(rename = "@odata.deltaLink")]
    delta: Option<Link>,
    #[serde(rename = "@odata.count")]
    counted: Option<usize>,
}

/// Asks Graph.
#[derive(Debug)]
pub struct Client {
    http: RwLock<reqwest::Client>,
    root: Url,
    resource: String,
    tokens: Tokens,
    reports: Limiter,
    directory: Limiter,
    clocks: Mutex<Clocks>,
    tries: u32,
}

/// This machine's clock beside Graph's.
#[derive(Debug, Default)]
struct Clocks {
    /// By how much it is ahead, as the last answer shows.
    ahead: Option<SignedDuration>,
    /// What of that an operator accepted.
    accepted: SignedDuration,
}

/// What became of one try.
enum Tried {
    Answered(Vec<u8>),
    /// Worth another try, after so long if Graph said so.
    Again(GraphError, Option<Duration>),
    Failed(GraphError),
}

impl Client {
    /// A client; nothing is asked yet.
    pub fn new(config: &GraphConfig) -> Result<Self, GraphError> {
        Ok(Self {
            http: RwLock::new(connect()?),
            resource: config.graph.origin().ascii_serialization(),
            root: config.graph.clone(),
            tokens: Tokens::new(config.application.clone()),
            reports: Limiter::new(config.reports_per_10s),
            directory: Limiter::new(DIRECTORY_UNITS),
            clocks: Mutex::default(),
            tries: TRIES,
        })
    }

    /// A client that asks once and waits for nobody: somebody looks on.
    pub fn impatient(config: &GraphConfig) -> Result<Self, GraphError> {
        Ok(Self {
            tries: 1,
            ..Self::new(config)?
        })
    }

    /// Whether there is a token for Graph.
    pub async fn try_token(&self) -> Result<(), GraphError> {
        self.tokens.get(&self.resource).await?;
        Ok(())
    }

    /// By how much this machine's clock is ahead of Graph's, as the last answer shows.
    #[must_use]
    pub fn clock_ahead(&self) -> Option<SignedDuration> {
        let clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        clocks.ahead
    }

    /// A page of rows, one more on this trail.
    pub async fn page(&self, ask: &Ask, trail: &mut Trail) -> Result<Page, GraphError> {
        let body: Body = self.read(ask).await?;
        for link in body.next.iter().chain(&body.delta) {
            self.vet(ask, link)?;
        }
        if let Some(next) = &body.next
            && !trail.0.insert(trail.1.hash_one(next))
        {
            return Err(GraphError::Circle { what: ask.what });
        }
        Ok(Page {
            rows: body.value,
            next: body.next,
            delta: body.delta,
            counted: body.counted,
        })
    }

    /// One object, as Graph spells it.
    pub async fn object(&self, ask: &Ask) -> Result<Box<RawValue>, GraphError> {
        self.read(ask).await
    }

    /// Whether this machine's clock has parted from Graph's (rule R3). `accepted`: an operator says that
    /// the present one is right.
    pub fn clock_fault(&self, accepted: bool) -> Option<ClockFault> {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        let ahead = clocks.ahead?;
        if accepted {
            clocks.accepted = ahead;
        }
        let parted = (ahead - clocks.accepted).abs();
        let fault = ClockFault::FromGraph {
            by: crate::time::format_duration(ahead.abs()),
            ahead: !ahead.is_negative(),
        };
        if parted > CLOCKS_WARN {
            tracing::warn!("{fault}");
        }
        (parted > CLOCKS_PARTED).then_some(fault)
    }

    /// An answer that is cut off or garbled is asked for once more.
    async fn read<T: DeserializeOwned>(&self, ask: &Ask) -> Result<T, GraphError> {
        let begun = Instant::now();
        let body = self.answer(ask, begun).await?;
        if let Ok(read) = serde_json::from_slice(&body) {
            return Ok(read);
        }
        let body = self.answer(ask, begun).await?;
        serde_json::from_slice(&body).map_err(|error| GraphError::Malformed {
            what: ask.what,
            reason: crate::quote::quote(&error.to_string()),
        })
    }

    async fn answer(&self, ask: &Ask, begun: Instant) -> Result<Vec<u8>, GraphError> {
        let (mut attempt, mut renewed) = (1, false);
        loop {
            let patience = LONGEST_WAIT.saturating_sub(begun.elapsed());
            let (error, wait) = match self.attempt(ask, patience).await? {
                Tried::Answered(body) => return Ok(body),
                Tried::Failed(GraphError::Unauthorized { .. }) if !renewed => {
                    // It may have ended on the way, or been revoked.
                    renewed = true;
                    self.tokens.forget(&self.resource).await;
                    continue;
                }
                Tried::Failed(error) => {
                    if let GraphError::Forbidden { .. } = error {
                        // What a token permits is fixed when it is given: once the permission is
                        // granted, only a fresh one has it.
                        self.tokens.forget(&self.resource).await;
                    }
                    return Err(error);
                }
                Tried::Again(error, wait) => (error, wait),
            };
            let wait = wait.unwrap_or(FIRST_WAIT * 2_u32.pow(attempt - 1));
            tracing::warn!(
                what = ask.what,
                attempt,
                wait_s = wait.as_secs(),
                "{}",
                chain(&error)
            );
            self.limiter(ask.bucket).pause(wait).await;
            attempt += 1;
            if attempt > self.tries || begun.elapsed() + wait > LONGEST_WAIT {
                return Err(error);
            }
        }
    }

    async fn attempt(&self, ask: &Ask, patience: Duration) -> Result<Tried, GraphError> {
        let token = self.tokens.get(&self.resource).await?;
        let url = self.url(ask)?;
        let passed = self.limiter(ask.bucket).pass(ask.cost, patience).await;
        if let Err(retry_after) = passed {
            return Err(GraphError::Throttled {
                what: ask.what,
                retry_after,
            });
        }
        let http = self
            .http
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let mut request = http
            .get(url)
            .bearer_auth(token.expose_secret())
            .header("x-ms-throttle-priority", HeaderValue::from_static("Low"));
        if ask.eventual {
            request = request.header("ConsistencyLevel", HeaderValue::from_static("eventual"));
        }
        let network = |source: reqwest::Error| {
            let was_silent = source.is_timeout() && !source.is_connect();
            let error = GraphError::Network {
                what: ask.what,
                source: source.without_url(),
            };
            if was_silent {
                Tried::Failed(error)
            } else {
                Tried::Again(error, None)
            }
        };
        let asked_at = Instant::now();
        tracing::debug!("asking Graph for {}: {}", ask.what, ask.place);
        let response = match request.send().await {
            Ok(response) => response,
            Err(source) => return Ok(network(source)),
        };
        let now = Clock::system().host().wall;
        let (status, wait) = (response.status().as_u16(), wait(response.headers(), now));
        self.compare_clocks(response.headers(), now);
        let answer = answer::read(response, PAGE_AT_MOST).await;
        match answer.end {
            End::Whole => {}
            End::TooLong => {
                let reason = format!("it is larger than {} MB", PAGE_AT_MOST >> 20);
                return Ok(Tried::Failed(GraphError::Malformed {
                    what: ask.what,
                    reason,
                }));
            }
            End::Broken(source) => return Ok(network(source)),
        }
        let body = answer.bytes;
        tracing::debug!(
            status,
            bytes = body.len(),
            duration_ms = asked_at.elapsed().as_millis(),
            "Graph answered {status} to the question for {}",
            ask.what
        );
        Ok(match status {
            200..300 => Tried::Answered(cleaned(body)),
            429 => {
                let retry_after = wait.unwrap_or(FIRST_WAIT);
                Tried::Again(
                    GraphError::Throttled {
                        what: ask.what,
                        retry_after,
                    },
                    wait,
                )
            }
            500 | 502..=504 => {
                // A server that is not well is not asked again over the same connection.
                if let Ok(fresh) = connect() {
                    *self.http.write().unwrap_or_else(PoisonError::into_inner) = fresh;
                }
                Tried::Again(
                    GraphError::Unavailable {
                        what: ask.what,
                        status,
                    },
                    wait,
                )
            }
            _ => {
                let linked = matches!(ask.place, Place::Link(_));
                Tried::Failed(refused(ask.what, ask.permission, linked, status, &body))
            }
        })
    }

    fn limiter(&self, bucket: Bucket) -> &Limiter {
        match bucket {
            Bucket::Reports => &self.reports,
            Bucket::Directory => &self.directory,
        }
    }

    fn url(&self, ask: &Ask) -> Result<Url, GraphError> {
        match &ask.place {
            // A link of this run has been vetted; another one is of a Graph that was configured
            // before, and the reading begins anew.
            Place::Link(link) => self
                .own(link)
                .ok_or(GraphError::LinkExpired { what: ask.what }),
            Place::Path(path, query) => {
                let mut url = self.root.clone();
                if let Ok(mut steps) = url.path_segments_mut() {
                    steps.clear().push("v1.0").extend(path);
                }
                if !query.is_empty() {
                    url.query_pairs_mut().extend_pairs(query);
                }
                Ok(url)
            }
        }
    }

    /// A link may lead to the configured host only: the token goes with it.
    fn vet(&self, ask: &Ask, link: &Link) -> Result<(), GraphError> {
        if self.own(link).is_some() {
            return Ok(());
        }
        let url = Url::parse(&link.0).ok();
        let host = url.as_ref().and_then(Url::host_str).unwrap_or(&link.0);
        let error = GraphError::ForeignLink {
            what: ask.what,
            host: crate::quote::quote(host),
        };
        tracing::error!(security = true, "{error}");
        Err(error)
    }

    /// Where a link leads, if that is the configured host.
    fn own(&self, link: &Link) -> Option<Url> {
        Url::parse(&link.0).ok().filter(|url| {
            url.origin() == self.root.origin()
                && url.username().is_empty()
                && url.password().is_none()
        })
    }

    fn compare_clocks(&self, headers: &HeaderMap, now: Timestamp) {
        let date = headers.get(DATE).and_then(|value| value.to_str().ok());
        if let Some(graph) = date.and_then(retry_after::http_date) {
            self.clocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .ahead = Some(now.duration_since(graph));
        }
    }
}

fn connect() -> Result<reqwest::Client, GraphError> {
    reqwest::Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .user_agent(concat!("fortnight/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(GraphError::Setup)
}

fn wait(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    Duration::try_from(retry_after::parse(text, now)?).ok()
}
