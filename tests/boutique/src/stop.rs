//! When a process stops.

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Cancelled at SIGTERM or SIGINT and, if `with_input`, when standard input ends.
///
/// Must be called within a tokio runtime.
pub(crate) fn stop_token(with_input: bool) -> CancellationToken {
    let stop = CancellationToken::new();
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let stop = stop.clone();
        // Owned by the runtime: it ends with the process.
        tokio::spawn(async move {
            match signal(kind) {
                Ok(mut signal) => signal.recv().await,
                Err(_) => std::future::pending().await,
            };
            stop.cancel();
        });
    }
    if with_input {
        let stop = stop.clone();
        // A thread of its own, because a read of a pipe cannot be given up; it ends with the process.
        std::thread::spawn(move || {
            read_to_end();
            stop.cancel();
        });
    }
    stop
}

/// Whether standard input is the null device, whose end says nothing.
pub(crate) fn input_is_null() -> bool {
    let input = std::fs::read_link("/proc/self/fd/0").unwrap_or_else(|_| "/dev/null".into());
    let device = std::fs::metadata(&input).is_ok_and(|file| file.file_type().is_char_device());
    device && input == Path::new("/dev/null")
}

fn read_to_end() {
    let (mut input, mut ignored) = (std::io::stdin().lock(), [0; 256]);
    // An input that cannot be read has ended, too.
    while input.read(&mut ignored).is_ok_and(|read| read > 0) {}
}
