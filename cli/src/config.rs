//! `mora config`: what is configured, by which layer, what is wrong with it, and a file to begin with.

mod check;
mod document;
mod explained;
mod init;
mod process;
mod show;
mod yaml;

use clap::{Args, Subcommand};
use mora_runtime::Exit;

pub(crate) use self::document::document;
use self::process::Process;

/// Options of `mora config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show what is configured after defaults, file, environment and options, without secrets
    Show(Box<show::ShowArguments>),
    /// Say everything that is wrong with a configuration file and the environment
    Check(check::CheckArguments),
    /// Write a configuration file with every key, its default and what it is for
    Init(init::InitArguments),
}

/// Runs the command.
pub(crate) fn config(arguments: ConfigArguments) -> anyhow::Result<Exit> {
    match arguments.command {
        ConfigCommand::Show(arguments) => show::show(*arguments),
        ConfigCommand::Check(arguments) => check::check(&arguments),
        ConfigCommand::Init(arguments) => init::init(&arguments),
    }
}
