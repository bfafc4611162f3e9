//! Waiting for the signal to stop.

use tokio::signal::unix::{SignalKind, signal};

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
