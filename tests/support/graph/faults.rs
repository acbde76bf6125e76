//! Failing on purpose, and throttling.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::serve::{Answer, Kind};
use super::{FakeGraph, State};

/// What happens to a request instead of an answer.
#[derive(Debug, Clone)]
pub enum Fault {
    /// Nothing: the request after it is meant.
    None,
    /// An error with this code.
    Status(u16, &'static str),
    /// 429 or 503, and when to come again.
    Busy(u16, RetryAfter),
    /// The body ends in the middle.
    Cut,
    /// The body is no JSON.
    Garbled,
    /// The link to the next page leads to another host.
    ForeignLink,
    /// Neither a next page nor an end.
    DeadEnd,
    /// Paging broke: `Skip token is null.`
    SkipToken,
}

/// How a service says when to come again (domain case 53).
#[derive(Debug, Clone, Copy)]
pub enum RetryAfter {
    Missing,
    Text(&'static str),
    /// An HTTP date, so many seconds from now.
    Date(u64),
}

/// Buckets as the service keeps them.
pub(super) struct Throttle {
    reports_per_10s: usize,
    reports: VecDeque<Instant>,
    /// How many were turned away.
    refused: u32,
}

const WINDOW: Duration = Duration::from_secs(10);

impl FakeGraph {
    /// The next requests of this kind meet these, in their order.
    pub fn fail(&self, kind: Kind, faults: &[Fault]) {
        let mut state = self.state();
        state
            .faults
            .entry(kind)
            .or_default()
            .extend(faults.iter().cloned());
    }

    /// Every request of this kind meets this, until it is mended.
    pub fn break_down(&self, kind: Kind, fault: Fault) {
        self.state().broken.insert(kind, fault);
    }

    pub fn mend(&self, kind: Kind) {
        self.state().broken.remove(&kind);
    }

    pub fn revoke_permission(&self, permission: &str) {
        self.state()
            .permissions
            .retain(|granted| *granted != permission);
    }

    pub fn grant_permission(&self, permission: &'static str) {
        self.state().permissions.insert(permission);
    }

    /// Whether the tenant has P1.
    pub fn set_licensed(&self, licensed: bool) {
        self.state().licensed = licensed;
    }

    /// Requests beyond the limits are turned away, by the host's clock.
    pub fn throttle(&self, reports_per_10s: usize) {
        self.state().throttle = Some(Throttle {
            reports_per_10s,
            reports: VecDeque::new(),
            refused: 0,
        });
    }

    /// How many requests the limits turned away.
    pub fn throttled(&self) -> u32 {
        self.state()
            .throttle
            .as_ref()
            .map_or(0, |throttle| throttle.refused)
    }
}

impl State {
    /// What comes instead of an answer, if anything does.
    pub(super) fn fault(&mut self, kind: Kind) -> Option<Fault> {
        if let Some(fault) = self.faults.get_mut(&kind).and_then(VecDeque::pop_front) {
            return Some(fault);
        }
        self.broken.get(&kind).cloned()
    }

    /// Whether the limits turn a request away.
    pub(super) fn turned_away(&mut self, kind: Kind) -> Option<Answer> {
        if !kind.is_report() {
            return None;
        }
        let throttle = self.throttle.as_mut()?;
        let now = Instant::now();
        while throttle
            .reports
            .front()
            .is_some_and(|at| now.duration_since(*at) >= WINDOW)
        {
            throttle.reports.pop_front();
        }
        throttle.reports.push_back(now);
        if throttle.reports.len() <= throttle.reports_per_10s {
            return None;
        }
        throttle.refused += 1;
        Some(busy(429, RetryAfter::Text("2.128")))
    }
}

pub(super) fn busy(status: u16, retry_after: RetryAfter) -> Answer {
    let answer = Answer::error(status, "TooManyRequests", "Please retry after");
    match retry_after {
        RetryAfter::Missing => answer,
        RetryAfter::Text(text) => answer.header("Retry-After", text),
        RetryAfter::Date(seconds) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "HTTP dates are of the host's clock"
            )]
            let at = std::time::SystemTime::now() + Duration::from_secs(seconds);
            answer.header("Retry-After", &httpdate::fmt_http_date(at))
        }
    }
}

pub(super) fn forbidden() -> Answer {
    Answer::error(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )
}

pub(super) fn unlicensed() -> Answer {
    Answer::error(
        403,
        "Authentication_RequestFromNonPremiumTenantOrB2CTenant",
        "Neither tenant is B2C or tenant doesn't have premium license",
    )
}

/// A page whose links were tampered with.
pub(super) fn tamper(mut body: Value, fault: &Fault) -> Value {
    let links = ["@odata.nextLink", "@odata.deltaLink"];
    for name in links {
        if let Some(link) = body.get(name).and_then(Value::as_str).map(str::to_owned) {
            match fault {
                Fault::ForeignLink => {
                    let path = link.split("/v1.0/").nth(1).unwrap_or_default();
                    body[name] = json!(format!("https://graph.microsoft.com.example/v1.0/{path}"));
                }
                _ => {
                    body.as_object_mut().unwrap().remove(name);
                }
            }
        }
    }
    body
}
