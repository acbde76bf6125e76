//! The whole service: who may ask, what is found, and what goes wrong on purpose.
//!
//! The order is the real one's: token, throttle, permission, and only then the question itself.

use std::time::Instant;

use fortnight::time::Clock;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Found};
use super::auth::Auth;
use super::directory::Directory;
use super::faults::{Fault, Faults};
use super::logs::Log;
use super::paging::Paging;
use super::question::{Kind, Question};
use super::report::Report;
use super::sample::Sample;
use super::throttle::Throttle;

/// A request that came.
#[derive(Debug, Clone)]
pub struct Asked {
    /// By the tenant's clock.
    pub at: Timestamp,
    pub kind: Kind,
    /// Path and query.
    pub target: String,
    pub units: u32,
    pub status: u16,
    /// By the host's clock.
    pub came_at: Instant,
}

/// How a user goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removal {
    /// Into the recycle bin, for thirty days.
    Soft,
    /// For good.
    Hard,
}

pub struct Service {
    pub url: String,
    pub now: Option<Timestamp>,
    pub clock_ahead: SignedDuration,
    pub directory: Directory,
    pub report: Report,
    pub sign_ins: Log,
    pub audits: Log,
    pub auth: Auth,
    pub throttle: Throttle,
    pub faults: Faults,
    pub paging: Paging,
    pub asked: Vec<Asked>,
    pub sample: Option<Sample>,
    pub security_defaults: bool,
}

impl Service {
    pub fn new(url: &str, tenant: &str) -> Self {
        Self {
            url: url.to_owned(),
            now: None,
            clock_ahead: SignedDuration::ZERO,
            directory: Directory::default(),
            report: Report::default(),
            sign_ins: Log::sign_ins(),
            audits: Log::audits(),
            auth: Auth::new(url, tenant),
            throttle: Throttle::default(),
            faults: Faults::default(),
            paging: Paging::default(),
            asked: Vec::new(),
            sample: None,
            security_defaults: false,
        }
    }

    /// The tenant's clock.
    pub fn now(&self) -> Timestamp {
        self.now.unwrap_or_else(host_now)
    }

    /// What the service says, and how the answer goes wrong on its way.
    pub fn answer(&mut self, question: &Question) -> (Answer, Option<Fault>) {
        if let Some(mut sample) = self.sample.take() {
            sample.live(self);
            self.sample = Some(sample);
        }
        let fault = self.faults.next(question);
        let mut answer = match &fault {
            Some(fault) if let Some(refusal) = fault.instead() => refusal,
            _ if question.kind.is_graph() => self.graph(question),
            _ => self.auth.token(question),
        };
        if let Some(fault) = &fault {
            fault.spoil(&mut answer.body);
            if *fault == Fault::Circle && answer.status == 200 {
                answer.body["@odata.nextLink"] = json!(format!("{}{}", self.url, question.target));
            }
        }
        self.date(&mut answer);
        self.asked.push(Asked {
            at: self.now(),
            kind: question.kind,
            target: question.target.clone(),
            units: question.units(),
            status: answer.status,
            came_at: Instant::now(),
        });
        (answer, fault)
    }

    pub fn missing(question: &str) -> Answer {
        let message = format!("Resource not found for the segment '{question}'.");
        Answer::error(400, "BadRequest", &message)
    }

    fn graph(&mut self, question: &Question) -> Answer {
        let roles = match self.auth.roles(question.header("authorization")) {
            Ok(roles) => roles,
            Err(refusal) => return refusal,
        };
        let users = self.directory.count();
        let (throttled, headers) = self
            .throttle
            .count(question, users, Instant::now(), host_now());
        let mut answer = match throttled {
            Some(refusal) => refusal,
            None => self
                .auth
                .permit(question, &roles)
                .and_then(|()| self.find(question))
                .map_or_else(|refusal| refusal, Answer::ok),
        };
        answer.headers.extend(headers);
        answer
    }

    fn find(&mut self, question: &Question) -> Found {
        if question.method != "GET" {
            return Err(Answer::error(
                405,
                "Request_BadRequest",
                "The method is not allowed.",
            ));
        }
        let now = self.now();
        self.directory.empty_the_bin(now);
        match question.kind {
            Kind::Users => self.users_delta(question),
            Kind::User | Kind::Activity if question.id.is_empty() => self.users(question),
            Kind::User | Kind::Activity => self.user(question),
            Kind::Groups if question.id.is_empty() => self.groups(question),
            Kind::Groups => self.group(question),
            Kind::Members => self.members(question),
            Kind::Report => self.registrations(question),
            Kind::ReportRow => self.report.one(&question.id),
            Kind::SignIns => self
                .sign_ins
                .find(&self.paging, &self.url, question, self.now()),
            Kind::Audits => self
                .audits
                .find(&self.paging, &self.url, question, self.now()),
            Kind::Organization => Ok(self.organization()),
            Kind::SecurityDefaults => Ok(self.defaults()),
            Kind::Token => unreachable!("it is no part of Graph"),
        }
    }

    fn organization(&self) -> Value {
        json!({
            "@odata.context": format!("{}/v1.0/$metadata#organization", self.url),
            "value": [{ "id": self.auth.tenant, "displayName": "Contoso",
                "verifiedDomains": [{ "name": "contoso.example", "isDefault": true }] }],
        })
    }

    fn defaults(&self) -> Value {
        json!({
            "@odata.context": format!("{}/v1.0/$metadata#policies/identitySecurityDefaultsEnforcementPolicy/$entity", self.url),
            "id": "00000000-0000-0000-0000-000000000005", "displayName": "Security Defaults",
            "isEnabled": self.security_defaults,
        })
    }

    /// Errors bear the number and the time of the request; all answers a number.
    fn date(&self, answer: &mut Answer) {
        let number = Uuid::from_u128(self.asked.len() as u128 + 1).to_string();
        if answer.status >= 400 && answer.body["error"].is_object() {
            let date = self.now().strftime("%Y-%m-%dT%H:%M:%S").to_string();
            answer.body["error"]["innerError"] =
                json!({ "date": date, "request-id": number, "client-request-id": number });
        }
        answer.headers.push(("request-id", number));
        if !self.clock_ahead.is_zero() {
            let date = host_now() + self.clock_ahead;
            answer
                .headers
                .push(("date", httpdate::fmt_http_date(date.into())));
        }
    }
}

/// The clock of this machine.
pub fn host_now() -> Timestamp {
    Clock::system().host().wall
}
