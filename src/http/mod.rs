//! `/healthz` and `/readyz`: whether the process lives, and whether its passes are fresh and its
//! database can be written.

mod health;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use jiff::Timestamp;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::health::is_fresh;
use crate::store::Store;
use crate::time::Clock;

pub use self::health::Health;

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
    error: Option<String>,
    warning: Option<String>,
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
    let served = axum::serve(listener, router)
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await;
    if let Err(error) = served {
        tracing::error!("the health pages ended: {error}");
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
        error: health.error,
        warning: health.warning,
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
