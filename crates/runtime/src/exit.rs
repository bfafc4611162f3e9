//! Exit codes, one table for every command and process.

use std::process::{ExitCode, Termination};

/// How a process ended. The command-line parser itself exits with 2 on wrong usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything that was asked for was done.
    Success,
    /// 1: it failed; the message says why and what to do next.
    Failure,
    /// 3: it was done, but not as well as it could be: a plan with some workload on its baseline, experiments with some cell
    /// rejected, data that is not good enough to train with, or metrics lacking.
    Degraded,
    /// 4: a plan was made, but the demand does not fit what the cluster allows.
    Violation,
}

impl Exit {
    /// The code the operating system sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Degraded => 3,
            Self::Violation => 4,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}

/// An error and its causes in one line, outermost first, for a log or a message.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |e| e.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// The exit of a finished process; a failure is printed to standard error with its causes.
pub fn report<E>(result: Result<Exit, E>) -> Exit
where
    E: AsRef<dyn std::error::Error + Send + Sync + 'static>,
{
    match result {
        Ok(exit) => exit,
        Err(error) => {
            let top: &dyn std::error::Error = error.as_ref();
            eprintln!("error: {top}");
            for cause in std::iter::successors(top.source(), |e| e.source()) {
                eprintln!("  because: {cause}");
            }
            Exit::Failure
        }
    }
}
