//! Writing to standard output.

use std::io::{ErrorKind, Write};

use anyhow::Context;

/// Writes `text` to standard output. A reader that has seen enough, such as `head`, is no failure.
///
/// Fails when it cannot be written otherwise, as on a full disk.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => {
            written.context("cannot write to standard output; check what it is redirected to")
        }
    }
}
