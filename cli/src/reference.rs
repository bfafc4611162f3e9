//! `mora reference`: documents that are made from the command itself; hidden, as only who writes documents needs it.

use std::fmt::Write as _;

use clap::{Args, Command, ValueEnum};
use mora_runtime::{Exit, exit_codes};

use crate::config::document;
use crate::stdout::print;
use crate::tree::tree;

/// Which document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Reference {
    /// Commands and options
    Cli,
    /// Keys of the configuration files
    Config,
}

/// Options of `mora reference`.
#[derive(Debug, Args)]
pub(crate) struct ReferenceArguments {
    /// The document
    #[arg(value_enum)]
    document: Reference,
}

/// Runs the command; the document goes to standard output.
pub(crate) fn reference(arguments: &ReferenceArguments) -> anyhow::Result<Exit> {
    print(&written(arguments.document))?;
    Ok(Exit::Success)
}

fn written(reference: Reference) -> String {
    match reference {
        Reference::Cli => commands(),
        Reference::Config => document(),
    }
}

const HEAD: &str = "# Command reference

<!-- Made by `mora reference cli`; the texts are those of `--help`. -->

What a command finds goes to standard output, everything else to standard error. `mora COMMAND --help` shows the same as this page.
";

/// All commands with their options and examples.
fn commands() -> String {
    let mut tree = tree().term_width(100);
    tree.build();
    let mut text = HEAD.to_owned();
    text += "\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n";
    for (code, meaning) in exit_codes() {
        text += &format!("| {code} | {meaning} |\n");
    }
    describe(&mut tree, &mut text);
    text
}

fn describe(command: &mut Command, text: &mut String) {
    let name = command.get_bin_name().unwrap_or(command.get_name()).to_owned();
    let help = without_defaults_of_this_machine(&command.render_long_help().to_string());
    // Writing to a string does not fail.
    let _ = write!(text, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    for inner in command.get_subcommands_mut() {
        if !inner.is_hide_set() && inner.get_name() != "help" {
            describe(inner, text);
        }
    }
}

/// Help shows what a variable of the environment is set to.
fn without_defaults_of_this_machine(help: &str) -> String {
    let line = |line: &str| match line.split_once("[env: ") {
        Some((before, rest)) => {
            let (variable, after) = rest.split_once(']').unwrap_or((rest, ""));
            let variable = variable.split('=').next().unwrap_or(variable);
            format!("{before}[env: {variable}]{after}")
        }
        None => line.to_owned(),
    };
    help.lines().map(|text| line(text).trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_current(reference: Reference, file: &str, name: &str) {
        let path = format!("{}/../docs/reference/{file}", env!("CARGO_MANIFEST_DIR"));
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            kept == written(reference),
            "docs/reference/{file} is out of date; write it anew with `cargo run -p mora-cli -- reference {name} > docs/reference/{file}`"
        );
    }

    #[test]
    fn the_reference_of_commands_is_what_the_command_prints() {
        assert_current(Reference::Cli, "cli.md", "cli");
    }

    #[test]
    fn the_reference_of_configurations_is_what_the_command_prints() {
        assert_current(Reference::Config, "configuration.md", "config");
    }

    #[test]
    fn what_this_machine_has_in_its_environment_is_not_shown() {
        let help = "  --x <X>  text [env: PROMETHEUS_URL=http://secret] [default: 1]\n";
        let expected = "  --x <X>  text [env: PROMETHEUS_URL] [default: 1]\n";
        assert_eq!(without_defaults_of_this_machine(help), expected);
        let help = "  --x  [env: A=]\n";
        assert_eq!(without_defaults_of_this_machine(help), "  --x  [env: A]\n");
    }
}
