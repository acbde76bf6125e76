//! An endpoint on a thread of its own that remembers every webhook it was sent, and answers as its
//! script says. Each path is an endpoint: `/desk`, `/chat`.

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

/// The signing secret of the endpoints.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// The same in front of the one that it replaces.
pub(crate) const TWO_SECRETS: &str =
    "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n";

/// A webhook that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Came {
    /// To which endpoint.
    pub(crate) to: String,
    /// The `webhook-id`; empty for a chat.
    pub(crate) id: String,
    /// How often it was signed.
    pub(crate) signatures: usize,
    /// The bytes.
    pub(crate) body: String,
    /// Whether it was taken.
    pub(crate) taken: bool,
}

impl Came {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// The event's type, without what stands before all of them.
    pub(crate) fn event(&self) -> String {
        let kind = self.json()["type"].as_str().unwrap_or_default().to_owned();
        kind.trim_start_matches("io.fortnight.").to_owned()
    }
}

/// What the script decides about.
#[derive(Debug)]
pub(crate) struct Knock<'a> {
    pub(crate) to: &'a str,
    /// How often this body came to this endpoint, this time included.
    pub(crate) nth: usize,
}

/// What happens then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// It is taken.
    Taken,
    /// This status.
    Say(u16),
    /// This status, with so many seconds in `Retry-After`.
    Wait(u16, u32),
    /// It is taken, after a while.
    Slow(Duration),
    /// It is taken, and nothing more is said before the peer is told to go on.
    Hold,
}

type Script = dyn Fn(&Knock<'_>) -> Reply + Send + Sync;

/// A running peer.
pub(crate) struct Endpoints {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    script: Mutex<Arc<Script>>,
    came: Mutex<Vec<Came>>,
    changed: Condvar,
    go_on: tokio::sync::watch::Sender<bool>,
}

impl Endpoints {
    pub(crate) fn start(script: impl Fn(&Knock<'_>) -> Reply + Send + Sync + 'static) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Mutex::new(Arc::new(script)),
            came: Mutex::default(),
            changed: Condvar::new(),
            go_on: tokio::sync::watch::channel(false).0,
        });
        let app = Router::new().fallback(take).with_state(Arc::clone(&shared));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, app).await.unwrap();
            });
        });
        Self { port, shared }
    }

    /// From now on it follows another script.
    pub(crate) fn follow(&self, script: impl Fn(&Knock<'_>) -> Reply + Send + Sync + 'static) {
        *self.shared.script.lock().unwrap() = Arc::new(script);
    }

    /// Lets held answers go.
    pub(crate) fn go_on(&self) {
        self.shared.go_on.send_replace(true);
    }

    /// Everything that came to an endpoint, taken or not.
    pub(crate) fn came(&self, to: &str) -> Vec<Came> {
        let mut came = self.shared.came.lock().unwrap().clone();
        came.retain(|one| one.to == to);
        came
    }

    /// What was taken there.
    pub(crate) fn taken(&self, to: &str) -> Vec<Came> {
        let mut came = self.came(to);
        came.retain(|one| one.taken);
        came
    }

    /// The events that were taken there, in order.
    pub(crate) fn events(&self, to: &str) -> Vec<String> {
        self.taken(to).iter().map(Came::event).collect()
    }

    /// The table of an endpoint of format `standard`; its secret lies in the file `hook`.
    pub(crate) fn standard(&self, name: &str) -> String {
        self.table(name, "format = \"standard\"\nsecret_file = \"hook\"")
    }

    /// The table of a chat in Slack.
    pub(crate) fn slack(&self, name: &str) -> String {
        self.chat(name, "slack")
    }

    /// The table of a chat of that format.
    pub(crate) fn chat(&self, name: &str, format: &str) -> String {
        self.table(name, &format!("format = \"{format}\""))
    }

    fn table(&self, name: &str, more: &str) -> String {
        let port = self.port;
        format!(
            "\n[[webhook]]\nname = \"{name}\"\nurl = \"http://127.0.0.1:{port}/{name}\"\nallow_networks = [\"127.0.0.1\"]\n{more}\n"
        )
    }
}

async fn take(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let to = uri.path().trim_start_matches('/').to_owned();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let id = headers.get("webhook-id").map(|id| id.to_str().unwrap());
    let signatures = headers.get("webhook-signature").map_or(0, |all| {
        let all = all.to_str().unwrap();
        all.split(' ').filter(|one| one.starts_with("v1,")).count()
    });
    let nth = {
        let came = shared.came.lock().unwrap();
        came.iter()
            .filter(|one| one.to == to && one.body == body)
            .count()
            + 1
    };
    let script = Arc::clone(&shared.script.lock().unwrap());
    let reply = script(&Knock { to: &to, nth });
    let taken = matches!(reply, Reply::Taken | Reply::Slow(_) | Reply::Hold);
    shared.came.lock().unwrap().push(Came {
        to,
        id: id.unwrap_or_default().to_owned(),
        signatures,
        body,
        taken,
    });
    shared.changed.notify_all();
    match reply {
        Reply::Taken => "ok".into_response(),
        Reply::Say(code) => StatusCode::from_u16(code).unwrap().into_response(),
        Reply::Wait(code, seconds) => (
            StatusCode::from_u16(code).unwrap(),
            [(header::RETRY_AFTER, seconds.to_string())],
        )
            .into_response(),
        Reply::Slow(length) => {
            tokio::time::sleep(length).await;
            "ok".into_response()
        }
        Reply::Hold => {
            let mut released = shared.go_on.subscribe();
            released.wait_for(|released| *released).await.unwrap();
            "ok".into_response()
        }
    }
}
