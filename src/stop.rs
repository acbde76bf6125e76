//! Stopping in order: what is being sent ends, what is not sent yet waits for the next time.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Deliveries that are under way when a stop is asked for have this long to end.
pub(crate) const DRAIN: Duration = Duration::from_secs(30);

/// Cancelled by the first SIGTERM or SIGINT; a second one ends the process as usual.
pub(crate) fn on_signal() -> std::io::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let stopped = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if stopped.is_cancelled() {
                std::process::exit(130);
            }
            tracing::info!(
                "stopping; what is being sent has {} seconds",
                DRAIN.as_secs()
            );
            stopped.cancel();
        }
    });
    Ok(stop)
}

/// The work's result; none if it did not end soon enough after a stop.
pub(crate) async fn within_drain<T>(
    stop: &CancellationToken,
    work: impl Future<Output = T>,
) -> Option<T> {
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        result = work => Some(result),
        () = drained => None,
    }
}
