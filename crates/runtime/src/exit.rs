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
    /// 5: nothing was scanned: no workload is left by the selection, or none has a history.
    Nothing,
    /// 6: what was asked for was done, and found something as severe as `--fail-on` says.
    Severe,
}

impl Exit {
    /// Every way to end, by its code; 2 is the command-line parser's.
    pub const ALL: [Self; 6] = [
        Self::Success,
        Self::Failure,
        Self::Degraded,
        Self::Violation,
        Self::Nothing,
        Self::Severe,
    ];

    /// The code the operating system sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure => 1,
            Self::Degraded => 3,
            Self::Violation => 4,
            Self::Nothing => 5,
            Self::Severe => 6,
        }
    }

    /// What it means, in a line for help and documents.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done; for a plan: complete",
            Self::Failure => "failure; the message says why and what to do next",
            Self::Degraded => {
                "done, but not as well as it could be: a plan with some workload on its baseline or left as it is, an experiment with some cell rejected, data not good enough to train with, metrics lacking that can be done without"
            }
            Self::Violation => {
                "a plan was made, but the demand does not fit what the cluster allows"
            }
            Self::Nothing => "nothing was scanned: no workload was selected, or none has a history",
            Self::Severe => "something as severe as `--fail-on` says was found",
        }
    }

    /// The code of the command-line parser for wrong usage, and what it means.
    pub const USAGE: (u8, &str) = (2, "wrong usage of the command line");
}

/// A row for each exit code in ascending order: the code and what it means.
#[must_use]
pub fn exit_codes() -> Vec<(u8, &'static str)> {
    let mut codes: Vec<_> = Exit::ALL.iter().map(|exit| (exit.code(), exit.meaning())).collect();
    codes.push(Exit::USAGE);
    codes.sort_unstable();
    codes
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_told_once_in_ascending_order() {
        let codes = exit_codes();
        let numbers: Vec<u8> = codes.iter().map(|(code, _)| *code).collect();
        assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6]);
        assert!(codes.iter().all(|(_, meaning)| !meaning.is_empty()));
    }

    #[test]
    fn the_documents_list_the_codes_with_their_meanings() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let document = std::fs::read_to_string(path).unwrap();
        for (code, meaning) in exit_codes() {
            let row = format!("| {code} | {meaning} |");
            assert!(document.contains(&row), "docs/configuration.md lacks the row: {row}");
        }
    }
}
