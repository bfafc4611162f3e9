//! Why there is no load.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::LoadReport;

/// Why there was no load, or why it does not count as one.
#[derive(Debug, Error)]
pub enum LoadError {
    /// JMeter is not where the configuration says.
    #[error(
        "there is no JMeter at {}; name the program `jmeter` or the folder of an installation (5.6)", .0.display()
    )]
    NotAt(PathBuf),
    /// JMeter is not on the `PATH`.
    #[error(
        "there is no `jmeter` on the PATH; install JMeter 5.6 and a Java to run it, or name its program in the configuration"
    )]
    NotFound,
    /// A bound is no share.
    #[error("{key} = {value} is no share of the samples; use a number from 0 to 1")]
    Bound {
        /// The key.
        key: &'static str,
        /// Its value.
        value: f64,
    },
    /// There is no such plan.
    #[error("there is no plan {}; name one of the folder of plans, or the path of a .jmx file", .0.display())]
    NoPlan(PathBuf),
    /// The request asks for nothing.
    #[error("this load cannot be made: {0}")]
    NoLoad(&'static str),
    /// The folder of the results cannot be used.
    #[error("the load's files cannot be kept in {}", .folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// JMeter cannot be started.
    #[error("{} cannot be started", .program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// JMeter ended with an error.
    #[error("JMeter ended with {status}; its log is {}; it ends with:\n{tail}", .log.display())]
    Failed {
        /// How it ended.
        status: String,
        /// Its log.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// JMeter did not end.
    #[error("JMeter was stopped, because it still ran after {seconds} s; its log is {}", .log.display())]
    TooLong {
        /// After how many seconds.
        seconds: u64,
        /// Its log.
        log: PathBuf,
    },
    /// It was asked to stop.
    #[error("the load was stopped before its end")]
    Stopped,
    /// The samples cannot be read.
    #[error("the samples in {} cannot be read", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: csv::Error,
    },
    /// A line of the samples is none.
    #[error("line {line} of {} has no usable `{column}`", .path.display())]
    BadSample {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: u64,
        /// The column.
        column: &'static str,
    },
    /// Nothing was asked of the application.
    #[error("JMeter made no request at all; its log is {}", .log.display())]
    Empty {
        /// JMeter's log.
        log: PathBuf,
    },
    /// Too many samples failed.
    #[error(
        "{} of {} samples failed, {:.1} % where {:.1} % are allowed; {example}",
        .report.errors, .report.samples, .report.error_ratio * 100.0, .allowed * 100.0
    )]
    Errors {
        /// What was seen.
        report: Box<LoadReport>,
        /// The share that may fail.
        allowed: f64,
        /// One failure.
        example: String,
    },
    /// The users did not do what they should have.
    #[error(
        "{} samples are {:.0} % of what the users' think times give, where {:.0} % are wanted; give JMeter more processors, \
         or ask for fewer users",
        .report.samples, .report.reached * 100.0, .wanted * 100.0
    )]
    TooFew {
        /// What was seen.
        report: Box<LoadReport>,
        /// The share that is wanted.
        wanted: f64,
    },
}
