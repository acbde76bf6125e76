//! From a request to an answer: who asks, whether they may, and what of.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request as HttpRequest, State as Shared};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use axum::routing::any;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::faults::{self, Fault};
use super::{Request, State};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Users,
    User,
    Groups,
    Members,
    Report,
    ReportRow,
    SignIns,
    Audits,
    Activity,
    Token,
    Other,
}

impl Kind {
    /// Whether it counts against the bucket of reports and logs.
    pub fn is_report(self) -> bool {
        matches!(
            self,
            Self::Report | Self::ReportRow | Self::SignIns | Self::Audits
        )
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Users | Self::User => "User.Read.All",
            Self::Groups | Self::Members => "GroupMember.Read.All",
            Self::Report | Self::ReportRow | Self::SignIns | Self::Audits | Self::Activity => {
                "AuditLog.Read.All"
            }
            Self::Token | Self::Other => "",
        }
    }
}

/// A request, as far as answers look at it.
pub(super) struct Ask {
    path: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
    token: Option<Value>,
}

impl Ask {
    fn new(uri: &Uri, headers: HeaderMap) -> Self {
        let query: Vec<(String, String)> =
            url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes())
                .into_owned()
                .collect();
        let token = query
            .iter()
            .find(|(name, value)| {
                (name == "$skiptoken" || name == "$deltatoken") && !value.is_empty()
            })
            .map(|(_, value)| {
                serde_json::from_slice(&URL_SAFE_NO_PAD.decode(value).unwrap()).unwrap()
            });
        Self {
            path: uri.path().to_owned(),
            query,
            headers,
            token,
        }
    }

    pub(super) fn query(&self, name: &str) -> Option<String> {
        self.query
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().ok()?.to_owned())
    }

    pub(super) fn token(&self) -> Option<Value> {
        self.token.clone()
    }

    /// The row at which the page begins.
    pub(super) fn at(&self) -> usize {
        self.token.as_ref().map_or(0, |token| {
            usize::try_from(token["at"].as_u64().unwrap()).unwrap()
        })
    }

    pub(super) fn top(&self) -> usize {
        self.query("$top")
            .and_then(|top| top.parse().ok())
            .unwrap_or(1_000)
    }
}

/// An answer before it is sent.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
    headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub(super) fn json(body: Value) -> Self {
        Self::raw(200, body)
    }

    pub(super) fn raw(status: u16, body: Value) -> Self {
        Self {
            status,
            body,
            headers: Vec::new(),
        }
    }

    pub(super) fn error(status: u16, code: &str, message: &str) -> Self {
        let inner = json!({ "date": "2026-09-14T08:00:00", "request-id": "11111111-1111-4111-8111-111111111111", "client-request-id": "22222222-2222-4222-8222-222222222222" });
        Self::raw(
            status,
            json!({ "error": { "code": code, "message": message, "innerError": inner } }),
        )
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

pub(super) fn page(rows: Vec<Value>, next: Option<String>, delta: Option<String>) -> Answer {
    let mut body =
        json!({ "@odata.context": "https://graph.microsoft.com/v1.0/$metadata", "value": rows });
    if let Some(next) = next {
        body["@odata.nextLink"] = json!(next);
    }
    if let Some(delta) = delta {
        body["@odata.deltaLink"] = json!(delta);
    }
    Answer::json(body)
}

/// A link with an opaque token.
pub(super) fn link(url: &str, path: &str, name: &str, token: &Value) -> String {
    format!(
        "{url}/v1.0/{path}?{name}={}",
        URL_SAFE_NO_PAD.encode(token.to_string())
    )
}

pub(super) fn routes(state: Arc<Mutex<State>>) -> Router {
    Router::new().fallback(any(handle)).with_state(state)
}

async fn handle(Shared(state): Shared<Arc<Mutex<State>>>, request: HttpRequest) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let mut state = state.lock().unwrap();
    let ask = Ask::new(&parts.uri, parts.headers);
    let path = ask.path.trim_matches('/').to_owned();
    let steps: Vec<&str> = path.split('/').collect();
    let kind = kind(&steps, &ask);
    let fault = state.fault(kind);
    let answer = match &fault {
        Some(Fault::Status(status, code)) => Answer::error(*status, code, "(text varies)"),
        Some(Fault::Busy(status, retry_after)) => faults::busy(*status, *retry_after),
        Some(Fault::SkipToken) => Answer::error(400, "BadRequest", "Skip token is null."),
        _ => state.answer(kind, &steps, ask, &body),
    };
    let at = state.now();
    state.requests.push(Request {
        kind,
        target: parts.uri.to_string(),
        status: answer.status,
        at,
    });
    respond(answer, fault)
}

fn kind(steps: &[&str], ask: &Ask) -> Kind {
    match steps {
        [_, "oauth2", "v2.0", "token"] | ["metadata", "identity", "oauth2", "token"] => Kind::Token,
        ["v1.0", "users", "delta"] => Kind::Users,
        ["v1.0", "users"] if ask.query("$filter").is_some() => Kind::Activity,
        ["v1.0", "users"] | ["v1.0", "users", _] => Kind::User,
        ["v1.0", "groups"] | ["v1.0", "groups", _] => Kind::Groups,
        ["v1.0", "groups", _, _, "microsoft.graph.user"] => Kind::Members,
        [
            "v1.0",
            "reports",
            "authenticationMethods",
            "userRegistrationDetails",
        ] => Kind::Report,
        [
            "v1.0",
            "reports",
            "authenticationMethods",
            "userRegistrationDetails",
            _,
        ] => Kind::ReportRow,
        ["v1.0", "auditLogs", "signIns"] => Kind::SignIns,
        ["v1.0", "auditLogs", "directoryAudits"] => Kind::Audits,
        _ => Kind::Other,
    }
}

impl State {
    fn answer(&mut self, kind: Kind, steps: &[&str], mut ask: Ask, body: &str) -> Answer {
        match steps {
            [tenant, "oauth2", "v2.0", "token"] => return self.token(tenant, body),
            ["metadata", ..] => {
                let resource = ask.query("resource").unwrap_or_default();
                return self.metadata(&resource, ask.header("Metadata").as_deref() == Some("true"));
            }
            _ => {}
        }
        if !self.accepts(ask.header("Authorization").as_deref()) {
            return Answer::error(
                401,
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.",
            );
        }
        if let Some(answer) = self.turned_away(kind) {
            return answer;
        }
        if !self.permissions.contains(kind.permission()) {
            return faults::forbidden();
        }
        if !self.licensed && kind.is_report() {
            return faults::unlicensed();
        }
        ask.token = ask.token.take().map(|token| self.open_delta(token));
        match (kind, steps) {
            (Kind::Users, _) => self.users_delta(&ask),
            (Kind::User, ["v1.0", "users"]) => self.some_users(&ask),
            (Kind::User, [.., id]) => self.user(id, &ask),
            (Kind::Activity, _) => self.active_users(&ask),
            (Kind::Groups, ["v1.0", "groups", id]) => self.group(id),
            (Kind::Groups, _) => self.groups_named(&ask),
            (Kind::Members, [_, _, id, how, _]) => {
                self.members(id, *how == "transitiveMembers", &ask)
            }
            (Kind::Report, _) => self.registrations(&ask),
            (Kind::ReportRow, [.., id]) => self.registration(id),
            (Kind::SignIns, _) => self.sign_ins(&ask),
            (Kind::Audits, _) => self.audits(&ask),
            _ => Answer::error(400, "BadRequest", "Resource not found for the segment."),
        }
    }
}

fn respond(answer: Answer, fault: Option<Fault>) -> Response {
    let mut response = Response::builder()
        .status(answer.status)
        .header("Content-Type", "application/json");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match &fault {
        Some(fault @ (Fault::ForeignLink | Fault::DeadEnd)) => {
            faults::tamper(answer.body, fault).to_string()
        }
        _ => answer.body.to_string(),
    };
    let body = match fault {
        Some(Fault::Garbled) => Body::from("<html>busy</html>"),
        Some(Fault::Cut) => {
            // More is promised than comes.
            response = response.header("Content-Length", body.len());
            let half = body[..body.len() / 2].to_owned();
            Body::from_stream(futures_util::stream::iter([
                Ok(half),
                Err(std::io::Error::other("cut")),
            ]))
        }
        _ => Body::from(body),
    };
    response.body(body).unwrap()
}
