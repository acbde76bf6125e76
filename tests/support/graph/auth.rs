//! Tokens: who gets one, what it permits, and when it ends.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use super::answer::Answer;
use super::assertion::Certificate;
use super::question::{Kind, MACHINE, Question};
use super::service::host_now;
use super::{CLIENT, MACHINE_HEADER, SECRET};

/// Resources beside Graph that give tokens a meaning.
const MAIL: &str = "https://outlook.office365.com";
const GRAPH: &str = "https://graph.microsoft.com";
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Debug)]
pub struct Auth {
    url: String,
    pub tenant: String,
    /// Tokens of somebody else that are accepted as proof.
    pub federated: BTreeSet<String>,
    pub certificate: Option<Certificate>,
    pub lifetime: Duration,
    pub tokens: HashMap<String, Token>,
    pub refusal: Option<u32>,
    pub granted: BTreeSet<&'static str>,
    pub licensed: bool,
    pub given: u32,
}

/// A token that was given.
#[derive(Debug)]
pub struct Token {
    for_graph: bool,
    ends_at: Instant,
    roles: BTreeSet<&'static str>,
}

impl Auth {
    pub fn new(url: &str, tenant: &str) -> Self {
        Self {
            url: url.to_owned(),
            tenant: tenant.to_owned(),
            federated: BTreeSet::new(),
            certificate: None,
            lifetime: Duration::from_secs(3_599),
            tokens: HashMap::new(),
            refusal: None,
            granted: BTreeSet::from(["AuditLog.Read.All", "GroupMember.Read.All", "User.Read.All"]),
            licensed: true,
            given: 0,
        }
    }

    /// The answer of either token endpoint.
    pub fn token(&mut self, question: &Question) -> Answer {
        if let Some(code) = self.refusal {
            return refusal(code);
        }
        let machine = question.id == MACHINE;
        let asked = if machine {
            self.ask_machine(question)
        } else {
            self.ask_authority(question)
        };
        let resource = match asked {
            Ok(resource) => resource,
            Err(refusal) => return refusal,
        };
        let token = self.issue(&resource);
        let seconds = self.lifetime.as_secs();
        Answer::ok(if machine {
            // Machines answer with texts.
            json!({ "token_type": "Bearer", "access_token": token, "resource": resource, "expires_in": seconds.to_string() })
        } else {
            json!({ "token_type": "Bearer", "access_token": token, "expires_in": seconds })
        })
    }

    /// What the bearer of a token may do.
    pub fn roles(&self, header: Option<&str>) -> Result<BTreeSet<&'static str>, Answer> {
        let bearer = header.and_then(|header| header.strip_prefix("Bearer "));
        let Some(bearer) = bearer else {
            return Err(Answer::bad_token("Access token is empty."));
        };
        match self.tokens.get(bearer) {
            Some(token) if !token.for_graph => Err(Answer::bad_token(
                "Access token validation failure. Invalid audience.",
            )),
            Some(token) if Instant::now() < token.ends_at => Ok(token.roles.clone()),
            Some(_) => Err(Answer::bad_token(
                "Lifetime validation failed, the token is expired.",
            )),
            None => Err(Answer::bad_token("CompactToken validation failed.")),
        }
    }

    pub fn permit(
        &self,
        question: &Question,
        roles: &BTreeSet<&'static str>,
    ) -> Result<(), Answer> {
        let needed: &[&str] = match question.kind {
            Kind::Activity => &["User.Read.All", "AuditLog.Read.All"],
            Kind::Users | Kind::User => &["User.Read.All"],
            Kind::Groups | Kind::Members => &["GroupMember.Read.All"],
            Kind::Report | Kind::ReportRow | Kind::SignIns | Kind::Audits => &["AuditLog.Read.All"],
            Kind::SecurityDefaults => &["Policy.Read.All"],
            Kind::Organization | Kind::Token => &[],
        };
        if needed.iter().any(|permission| !roles.contains(permission)) {
            return Err(Answer::denied());
        }
        let premium = question.kind == Kind::Activity || question.kind.is_report();
        if premium && !self.licensed {
            return Err(Answer::no_licence());
        }
        Ok(())
    }

    fn issue(&mut self, resource: &str) -> String {
        self.given += 1;
        let value = format!("token-{}-of-{}", self.given, resource.len());
        let token = Token {
            for_graph: resource != MAIL,
            ends_at: Instant::now() + self.lifetime,
            roles: self.granted.clone(),
        };
        self.tokens.insert(value.clone(), token);
        value
    }

    fn ask_authority(&mut self, question: &Question) -> Result<String, Answer> {
        if question.method != "POST" || question.field("grant_type") != "client_credentials" {
            return Err(refusal(900_561));
        }
        if question.id != self.tenant {
            return Err(refusal(90_002));
        }
        if question.field("client_id") != CLIENT {
            return Err(refusal(700_016));
        }
        let resource = question.field("scope").strip_suffix("/.default");
        let resource = resource.filter(|resource| self.is_known(resource));
        let resource = resource.ok_or_else(|| refusal(70_011))?.to_owned();
        self.prove(question).map_err(refusal)?;
        Ok(resource)
    }

    fn is_known(&self, resource: &str) -> bool {
        [self.url.as_str(), GRAPH, MAIL].contains(&resource)
    }

    fn prove(&mut self, question: &Question) -> Result<(), u32> {
        let (secret, assertion) = (
            question.field("client_secret"),
            question.field("client_assertion"),
        );
        if assertion.is_empty() {
            return (secret == SECRET).then_some(()).ok_or(7_000_215);
        }
        let endpoint = format!("{}/{}/oauth2/v2.0/token", self.url, self.tenant);
        let certificate = self.certificate.as_mut();
        let accepted = question.field("client_assertion_type") == ASSERTION
            && (self.federated.contains(assertion)
                || certificate.is_some_and(|known| known.verify(assertion, &endpoint)));
        accepted.then_some(()).ok_or(700_027)
    }

    /// IMDS knows its caller by a header that no browser sends; App Service by a secret one.
    fn ask_machine(&self, question: &Question) -> Result<String, Answer> {
        let known = match question.path.as_str() {
            "/msi/token" => question.header("x-identity-header") == Some(MACHINE_HEADER),
            _ => {
                question.header("metadata") == Some("true")
                    && question.header("x-forwarded-for").is_none()
            }
        };
        let resource = question.option("resource").unwrap_or_default();
        let version = question.option("api-version").is_some();
        if !known || !version || !self.is_known(resource) {
            let body = json!({ "error": "invalid_request", "error_description": "Required metadata header not specified" });
            return Err(Answer {
                status: 400,
                headers: Vec::new(),
                body,
            });
        }
        Ok(resource.to_owned())
    }
}

/// A refusal of the identity platform, in its own shape.
fn refusal(code: u32) -> Answer {
    let (status, error) = match code {
        7_000_215 | 7_000_222 | 7_000_112 | 700_027 => (401, "invalid_client"),
        700_016 => (400, "unauthorized_client"),
        70_011 => (400, "invalid_scope"),
        _ => (400, "invalid_request"),
    };
    let id = Uuid::new_v4();
    let timestamp = host_now().strftime("%Y-%m-%d %H:%M:%SZ").to_string();
    let text = format!(
        "AADSTS{code}: (text varies)\r\nTrace ID: {id}\r\nCorrelation ID: {id}\r\nTimestamp: {timestamp}"
    );
    Answer {
        status,
        headers: Vec::new(),
        body: json!({ "error": error, "error_description": text, "error_codes": [code], "timestamp": timestamp,
            "trace_id": id, "correlation_id": id, "error_uri": format!("https://login.microsoftonline.com/error?code={code}") }),
    }
}
