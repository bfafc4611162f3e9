//! Logging to standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Sends the process's log to standard error.
///
/// `MORA_LOG` filters it (default `info`, in the syntax of `tracing`); `MORA_LOG_FORMAT=json` writes one
/// JSON object a line. A second call does nothing.
pub fn init_telemetry() {
    let filter = EnvFilter::try_from_env("MORA_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    let json = std::env::var("MORA_LOG_FORMAT").is_ok_and(|format| format == "json");
    // An error means that a subscriber is installed already, as in a test binary.
    let _installed = if json { builder.json().try_init() } else { builder.try_init() };
}
