//! A load that does not outlive whoever asked for it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{ChildStdin, Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::LoadError;

/// Runs a program until standard input ends, which it does however its holder ends, `kill -9` included: then the whole
/// process group is told to end, and what has not ended after the given seconds is killed. The distribution's `jmeter` is a
/// script that starts Java and would not pass a signal on, hence the group.
const SCRIPT: &str = r#"
grace=$1; shift
stopped=
trap 'stopped=yes' TERM
exec 3<&0
"$@" </dev/null 3<&- &
load=$!
{ trap '' TERM; read -r _; kill -TERM 0; sleep "$grace"; kill -KILL 0; } <&3 >/dev/null 2>&1 &
exec 3<&-
wait "$load"; status=$?
while kill -0 "$load" 2>/dev/null; do wait "$load"; status=$?; done
[ -z "$stopped" ] || kill -KILL 0
exit "$status"
"#;
/// Lines of a log that an error quotes.
const QUOTED: usize = 12;

/// A running program that ends with this value.
#[derive(Debug)]
pub(super) struct Lifeline {
    held: ChildStdin,
    waiting: JoinHandle<io::Result<ExitStatus>>,
}

impl Lifeline {
    /// Starts `program`, with what it prints going to the file `output`.
    pub(super) fn start(
        program: &Path,
        arguments: &[OsString],
        output: &Path,
        stopping: Duration,
    ) -> io::Result<Self> {
        let output = File::create(output)?;
        let mut command = Command::new("sh");
        command.args(["-c", SCRIPT, "load", &stopping.as_secs().to_string()]);
        command.arg(program).args(arguments);
        // A group of its own, so that Ctrl-C at a terminal reaches it only through us.
        command.stdin(Stdio::piped()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let mut child = command.spawn()?;
        let held = child.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(Self { held, waiting: tokio::task::spawn_blocking(move || child.wait()) })
    }

    /// Waits until the program ends by itself, and ends it after `deadline` or on `stop`.
    ///
    /// Fails when it ends with an error or was ended.
    pub(super) async fn ended(
        self,
        deadline: Duration,
        stop: &CancellationToken,
        log: &Path,
    ) -> Result<(), LoadError> {
        let Self { held, mut waiting } = self;
        let told = tokio::select! {
            ended = &mut waiting => return judged(ended.map_err(io::Error::other).flatten(), log),
            () = stop.cancelled() => LoadError::Stopped,
            () = tokio::time::sleep(deadline) => {
                LoadError::TooLong { seconds: deadline.as_secs(), log: log.to_owned() }
            }
        };
        drop(held);
        // It ends within the time it is given; how does not matter any more.
        let _ended = waiting.await;
        Err(told)
    }
}

fn judged(ended: io::Result<ExitStatus>, log: &Path) -> Result<(), LoadError> {
    let status = match ended {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines[lines.len().saturating_sub(QUOTED)..].join("\n");
    Err(LoadError::Failed { status, log: log.to_owned(), tail })
}
