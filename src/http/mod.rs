//! `/healthz` and `/readyz`: whether the process lives, and whether its passes are fresh and its
//! database can be written.
//!
//! Whoever reaches the port may ask: so nothing of the configuration is in an answer, and
//! connections that only wait take nothing that passes need.

mod health;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::health::is_fresh;
use crate::store::Store;
use crate::time::Clock;

pub use self::health::Health;

/// Connections at once; more wait until one ends. Each takes a descriptor, of which there are often
/// 1,024.
const CONNECTIONS: usize = 64;
/// How long a head may take, and a connection lie idle.
const HEAD: Duration = Duration::from_secs(10);
/// A connection that cannot be accepted, as without a free descriptor, is not tried again at once.
const PAUSE: Duration = Duration::from_secs(1);

const FAILED: &str = "the last pass failed: the log says why";
const WARNED: &str = "the newest configuration is not in use as a whole: the log says why";

#[derive(Clone)]
struct Shared {
    health: watch::Receiver<Health>,
    store: Store,
}

/// What `/readyz` answers.
#[derive(Debug, Serialize)]
struct Readiness {
    ready: bool,
    last_pass: Option<Timestamp>,
    fresh: bool,
    database_writable: bool,
    holds: usize,
    error: Option<&'static str>,
    warning: Option<&'static str>,
}

/// Serves until the daemon stops.
pub async fn serve(
    listener: TcpListener,
    health: watch::Receiver<Health>,
    store: Store,
    stop: CancellationToken,
) {
    let router = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .with_state(Shared { health, store });
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            () = stop.cancelled() => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let connection = converse(stream, router.clone(), stop.clone());
                connections.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!("a connection could not be accepted: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

/// Answers on one connection until it ends, or the request under way when the daemon stops.
async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}

async fn readyz(State(shared): State<Shared>) -> (StatusCode, Json<Readiness>) {
    let health = shared.health.borrow().clone();
    let fresh = is_fresh(&health, Clock::system().now());
    let database_writable = shared.store.try_write().await.is_ok();
    let ready = fresh && database_writable && health.error.is_none();
    let readiness = Readiness {
        ready,
        last_pass: health.last_pass,
        fresh,
        database_writable,
        holds: health.holds,
        error: health.error.map(|_| FAILED),
        warning: health.warning.map(|_| WARNED),
    };
    (
        if ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        },
        Json(readiness),
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// The pages on a port, with a store of their own.
    async fn serving(
        health: Health,
    ) -> (tempfile::TempDir, std::net::SocketAddr, CancellationToken) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("a.db")).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        let health = watch::channel(health).1;
        tokio::spawn(serve(listener, health, store, stop.clone()));
        (folder, address, stop)
    }

    async fn said(stream: &mut TcpStream) -> String {
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    }

    const READY: &[u8] = b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    /// Faults and failures name files, hosts and lines of the configuration.
    #[tokio::test]
    async fn readiness_tells_that_something_is_wrong_and_nothing_of_what() {
        let health = Health {
            error: Some("connecting to CANARY".to_owned()),
            warning: Some("fortnight.toml:3: CANARY".to_owned()),
            holds: 2,
            ..Health::default()
        };
        let (_folder, address, _stop) = serving(health).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(READY).await.unwrap();
        let said = said(&mut stream).await;
        assert!(said.starts_with("HTTP/1.1 503"), "{said}");
        for part in [FAILED, WARNED, "\"holds\":2"] {
            assert!(said.contains(part), "{said}");
        }
        assert!(!said.contains("CANARY"), "{said}");
    }

    /// Time stands but where everybody waits, so ten seconds are over at once.
    #[tokio::test]
    async fn half_a_request_holds_no_place_for_long() {
        let (_folder, address, stop) = serving(Health::default()).await;
        tokio::time::pause();
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS + 8 {
            let mut stream = TcpStream::connect(address).await.unwrap();
            stream.write_all(b"GET /heal").await.unwrap();
            idle.push(stream);
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream
            .write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        assert!(said(&mut stream).await.starts_with("HTTP/1.1 200"));
        for mut stream in idle {
            // It was closed: nothing but perhaps a fault was said.
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.ok();
            assert!(!rest.starts_with(b"HTTP/1.1 200"));
        }
        stop.cancel();
    }
}
