//! `mora train`: what models are trained on.

mod clean_experiments;
mod measured;
mod settings;
mod status;
mod table;

use clap::{Args, Subcommand};
use mora_runtime::Exit;

/// Options of `mora train`.
#[derive(Debug, Args)]
pub(crate) struct TrainArguments {
    #[command(subcommand)]
    command: TrainCommand,
}

#[derive(Debug, Subcommand)]
enum TrainCommand {
    /// Measure a workload under known loads while nothing else holds it back; everything changed is restored
    CleanExperiments(Box<settings::CleanExperimentsArguments>),
    /// Show what a running collector has, how good it is, and where the training of each workload stands
    Status(status::StatusArguments),
}

/// Runs the command.
pub(crate) async fn train(arguments: TrainArguments) -> anyhow::Result<Exit> {
    match arguments.command {
        TrainCommand::CleanExperiments(arguments) => {
            clean_experiments::clean_experiments(&arguments).await
        }
        TrainCommand::Status(arguments) => status::status(&arguments).await,
    }
}
