//! `mora evaluate`: ways to size an application compared in closed loop.

mod mora_arm;
mod settings;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use mora_runtime::Exit;

use settings::RunArguments;

/// Options of `mora evaluate`; see `docs/evaluation.md`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    #[command(subcommand)]
    command: EvaluateCommand,
}

#[derive(Debug, Subcommand)]
enum EvaluateCommand {
    /// Run every arm under every scenario with every seed on a simulated cluster
    Run(Box<RunArguments>),
    /// Go on with an evaluation that was interrupted
    Resume(ResumeArguments),
    /// Compare what was run: tables, figures and a page
    Report(ReportArguments),
}

/// Options of `mora evaluate resume`.
#[derive(Debug, Args)]
struct ResumeArguments {
    /// Folder of the evaluation
    #[arg(long, value_name = "DIR", alias = "output")]
    results: PathBuf,
    /// Runs at once; as many as there are processors when absent
    #[arg(long, value_name = "N", alias = "parallel")]
    jobs: Option<std::num::NonZeroUsize>,
}

/// Options of `mora evaluate report`.
#[derive(Debug, Args)]
struct ReportArguments {
    /// Folder of the evaluation; what is made is written to it
    #[arg(long, value_name = "DIR", alias = "output")]
    results: PathBuf,
}

/// Runs the command; tables go to standard output, everything else to files and standard error.
pub(crate) async fn evaluate(arguments: EvaluateArguments) -> anyhow::Result<Exit> {
    match arguments.command {
        EvaluateCommand::Run(arguments) => todo!("{arguments:?}"),
        EvaluateCommand::Resume(arguments) => todo!("{arguments:?}"),
        EvaluateCommand::Report(arguments) => todo!("{arguments:?}"),
    }
}
