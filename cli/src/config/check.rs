//! `mora config check`: everything that is wrong with a configuration.

mod doubts;

use std::path::PathBuf;

use clap::Args;
use mora_runtime::{Exit, default_config_file, with_causes};

use self::doubts::doubts;
use super::Process;
use crate::progress::say;
use crate::stdout::print;

/// Options of `mora config check`.
#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// The YAML file; for `mora recommend` the one of the user, `mora/config.yaml` in `XDG_CONFIG_HOME`, when absent
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Whose configuration
    #[arg(long = "for", value_enum, default_value_t = Process::Recommend, value_name = "PROCESS")]
    process: Process,
}

/// Runs the command; problems go to standard error, a word that there are none to standard output.
pub(super) fn check(arguments: &CheckArguments) -> anyhow::Result<Exit> {
    let process = arguments.process;
    let own = || default_config_file().filter(|_| process == Process::Recommend);
    let file = arguments.file.clone().or_else(own);
    let place = file.as_ref().map_or("the environment".to_owned(), |f| f.display().to_string());
    let configuration = process.configuration();
    let problems = (configuration.problems)(file.as_deref());
    if !problems.is_empty() {
        for problem in &problems {
            say(&format!("error: {}", with_causes(problem)));
        }
        let count = problems.len();
        let things = if count == 1 { "problem" } else { "problems" };
        say(&format!("{count} {things} in the configuration of {}", process.program()));
        return Ok(Exit::Failure);
    }
    let (value, _) = (configuration.load)(file.as_deref())?;
    for doubt in doubts(&configuration, &value, file.as_deref()) {
        say(&format!("warning: {doubt}"));
    }
    print(&format!("{place}: ok for {}\n", process.program()))?;
    Ok(Exit::Success)
}
