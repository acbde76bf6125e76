//! The server: from the wire to a question, and an answer, or what a fault leaves of it, back.

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use futures_util::stream;
use tokio::sync::oneshot;

use super::answer::Answer;
use super::faults::Fault;
use super::question::Question;
use super::service::Service;

/// A form of a token request is small.
const BODY_AT_MOST: usize = 64 * 1024;
/// A piece of a body that never ends.
const PIECE: &[u8] = &[b' '; 64 * 1024];

type Shared = Arc<Mutex<Service>>;

/// Runs on a thread of its own until it is dropped.
pub struct Server {
    _stop: oneshot::Sender<Infallible>,
}

impl Server {
    pub fn start(listener: TcpListener, service: Shared) -> Self {
        let (stop, stopped) = oneshot::channel();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let router = Router::new().fallback(handle).with_state(service);
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
        });
        Self { _stop: stop }
    }
}

async fn handle(State(service): State<Shared>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_AT_MOST).await.unwrap_or_default();
    let (path, query) = (head.uri.path(), head.uri.query().unwrap_or_default());
    let headers = headers(&head.headers);
    let Some(question) = Question::read(head.method.as_str(), path, query, headers, &body) else {
        return render(&Service::missing(path), whole);
    };
    let (answer, fault) = service.lock().unwrap().answer(&question);
    match fault {
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Slow(time)) => {
            tokio::time::sleep(time).await;
            render(&answer, whole)
        }
        Some(Fault::Cut) => render(&answer, cut),
        Some(Fault::Garbled) => render(&answer, garbled),
        Some(Fault::Drip) => render(&answer, |_| Body::from_stream(drip())),
        Some(Fault::Spelled(text, bytes)) => render(&answer, |body| {
            let (before, after) = body.split_once(text).unwrap_or((body, ""));
            Body::from([before.as_bytes(), bytes, after.as_bytes()].concat())
        }),
        Some(Fault::Endless) => render(&answer, |_| {
            Body::from_stream(stream::repeat_with(|| Ok::<_, Infallible>(PIECE)))
        }),
        _ => render(&answer, whole),
    }
}

fn headers(map: &HeaderMap) -> std::collections::BTreeMap<String, String> {
    map.iter()
        .filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned())))
        .collect()
}

fn render(answer: &Answer, body: impl FnOnce(&str) -> Body) -> Response {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(answer.status).unwrap())
        .header("content-type", "application/json;odata.metadata=minimal");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    response.body(body(&answer.body.to_string())).unwrap()
}

fn whole(text: &str) -> Body {
    Body::from(text.to_owned())
}

fn garbled(text: &str) -> Body {
    let (half, _) = halves(text);
    Body::from(format!("{half}\u{fffd}<html>"))
}

/// The other half never comes: the connection ends.
fn cut(text: &str) -> Body {
    let half = halves(text).0.to_owned();
    let pieces = stream::unfold(Some(half), |half| async {
        if let Some(half) = half {
            return Some((Ok(half), None));
        }
        // Only what was flushed arrives at all.
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Err(io::Error::other("cut")), None))
    });
    Body::from_stream(pieces)
}

/// White space, now and then.
fn drip() -> impl stream::Stream<Item = Result<&'static [u8], Infallible>> + Send {
    stream::unfold((), |()| async {
        tokio::time::sleep(Duration::from_millis(5)).await;
        Some((Ok(&b" "[..]), ()))
    })
}

fn halves(text: &str) -> (&str, &str) {
    let mut middle = text.len() / 2;
    while !text.is_char_boundary(middle) {
        middle -= 1;
    }
    text.split_at(middle)
}
