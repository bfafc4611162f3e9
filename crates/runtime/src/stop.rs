//! Waiting for the signal to stop.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Ends when the process is asked to stop, by SIGTERM or SIGINT.
///
/// Where a handler cannot be installed it never ends, and the signal's default action stops the process.
pub async fn stop_signal() {
    let wait = |kind| async move {
        match signal(kind) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = wait(SignalKind::terminate()) => {}
        _ = wait(SignalKind::interrupt()) => {}
    }
}

/// Runs `serving` until it ends; cancels `stop` when the process is asked to stop, and lets it end then.
pub async fn until_stopped<T>(serving: impl Future<Output = T>, stop: &CancellationToken) -> T {
    tokio::pin!(serving);
    tokio::select! {
        ended = &mut serving => ended,
        () = stop_signal() => {
            stop.cancel();
            serving.await
        }
    }
}
