//! A child process that does not outlive its guard.

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;

/// Why a process is not where the test wants it.
#[derive(Debug, Error)]
pub enum ProcessError {
    /// The program cannot be started.
    #[error("{name} cannot be started")]
    Spawn {
        /// The process.
        name: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The process ended, or too much time passed, before it wrote the line.
    #[error("{name} did not write `{text}` within {} s; it wrote:\n{log}", .within.as_secs())]
    NoLine {
        /// The process.
        name: String,
        /// What the line should contain.
        text: String,
        /// How long was waited.
        within: Duration,
        /// What it wrote to standard error.
        log: String,
    },
    /// The line names no address.
    #[error("{name} names no address in `{line}`")]
    NoAddress {
        /// The process.
        name: String,
        /// The line.
        line: String,
    },
}

/// What a process has written to standard error.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    ended: bool,
}

type SharedLog = Arc<(Mutex<Log>, Condvar)>;

/// A running child process: killed when dropped, its standard error kept line by line.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: SharedLog,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts `command`, called `name` in messages, without standard input and output.
    ///
    /// Fails when the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command) -> Result<Self, ProcessError> {
        let spawn = |source| ProcessError::Spawn { name: name.to_owned(), source };
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(spawn)?;
        let log = SharedLog::default();
        let reader = child.stderr.take().map(|stderr| {
            let log = log.clone();
            std::thread::spawn(move || keep_lines(stderr, &log))
        });
        Ok(Self { name: name.to_owned(), child, log, reader })
    }

    /// Waits for a line that contains `text`, among those already written too, and gives the first.
    ///
    /// Fails when the process ends or `within` passes without one.
    pub fn wait_for_line(&self, text: &str, within: Duration) -> Result<String, ProcessError> {
        let (mutex, written) = &*self.log;
        let line = |log: &Log| log.lines.iter().find(|line| line.contains(text)).cloned();
        let waits = |log: &mut Log| line(log).is_none() && !log.ended;
        let log = written
            .wait_timeout_while(lock(mutex), within, waits)
            .unwrap_or_else(PoisonError::into_inner)
            .0;
        line(&log).ok_or_else(|| ProcessError::NoLine {
            name: self.name.clone(),
            text: text.to_owned(),
            within,
            log: log.lines.join("\n"),
        })
    }

    /// The address in the line `listening on ADDRESS`, which every service of MOrA writes.
    ///
    /// Fails as [`Process::wait_for_line`] does, or when the line names no address.
    pub fn listening_address(&self, within: Duration) -> Result<SocketAddr, ProcessError> {
        const BEFORE: &str = "listening on ";
        let line = self.wait_for_line(BEFORE, within)?;
        let named = line.split(BEFORE).nth(1).and_then(|rest| rest.split_whitespace().next());
        named
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| ProcessError::NoAddress { name: self.name.clone(), line })
    }

    /// What the process has written to standard error so far.
    #[must_use]
    pub fn log(&self) -> String {
        lock(&self.log.0).lines.join("\n")
    }

    /// Whether the process still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// The operating system's number of the process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the process ends by itself.
    ///
    /// Fails when the operating system refuses.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait()
    }

    /// Kills the process at once and waits until it is gone.
    ///
    /// Fails when the operating system refuses.
    pub fn kill(&mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that cannot be killed is gone already, and there is nobody to tell.
        let _gone = self.kill();
        if let Some(reader) = self.reader.take() {
            let _ended = reader.join();
        }
    }
}

fn keep_lines(stderr: ChildStderr, log: &SharedLog) {
    let (mutex, written) = &**log;
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        lock(mutex).lines.push(line);
        written.notify_all();
    }
    lock(mutex).ended = true;
    written.notify_all();
}

/// The guard, also after a panic elsewhere: a line is pushed whole or not at all.
fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A loopback port that was free a moment ago, for programs that cannot report the one they took.
///
/// Fails when no port can be bound.
pub fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    fn shell(script: &str) -> Process {
        Process::spawn("shell", Command::new("sh").args(["-c", script])).unwrap()
    }

    #[test]
    fn the_address_is_read_from_the_line_that_names_it() {
        let process = shell(
            "echo starting >&2; echo 'INFO listening on 127.0.0.1:4071 now' >&2; exec sleep 600",
        );
        assert_eq!(process.listening_address(LONG).unwrap(), "127.0.0.1:4071".parse().unwrap());
        assert!(process.log().starts_with("starting\n"));
    }

    #[test]
    fn waiting_ends_with_the_process_and_the_error_quotes_its_log() {
        let error =
            shell("echo bad flag >&2; exit 2").wait_for_line("listening", LONG).unwrap_err();
        assert!(error.to_string().contains("bad flag"), "{error}");
    }

    #[test]
    fn a_dropped_guard_leaves_no_process_behind() {
        let process = shell("echo ready >&2; exec sleep 600");
        process.wait_for_line("ready", LONG).unwrap();
        let entry = Path::new("/proc").join(process.id().to_string());
        assert!(entry.exists());
        drop(process);
        assert!(!entry.exists());
    }
}
