//! `mora completions`: what a shell needs to complete commands and options.

use clap::Args;
use clap_complete::{Shell, generate};
use mora_runtime::Exit;

use crate::stdout::print;
use crate::tree::tree;

/// Options of `mora completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command; the script goes to standard output.
pub(crate) fn completions(arguments: &CompletionsArguments) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    generate(arguments.shell, &mut tree(), "mora", &mut script);
    print(&String::from_utf8(script)?)?;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_the_commands() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            generate(*shell, &mut tree(), "mora", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["recommend", "clean-experiments", "prometheus-token-file"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
