//! The tree of commands as it is parsed and documented: what every command has in common is added here, so that it is the same
//! everywhere.

mod examples;
mod options;

use clap::{Arg, Command, CommandFactory};
use mora_runtime::exit_codes;

use self::examples::examples;
use self::options::common;
use crate::Arguments;

/// Options of a command from which they are put under headings.
const MANY: usize = 8;

/// The whole tree.
pub(crate) fn tree() -> Command {
    let root = with_common(Arguments::command(), "");
    let codes = exit_codes();
    let codes = codes.iter().map(|(code, meaning)| format!("  {code}  {meaning}\n"));
    root.after_long_help(format!("Exit codes:\n{}", codes.collect::<String>()))
}

/// `command` at `path` with examples, headings and names of values, and so with all below it.
fn with_common(command: Command, path: &str) -> Command {
    let many = command.get_arguments().filter(|arg| !arg.is_positional()).count() > MANY;
    let mut command = command.mut_args(|arg| dressed(arg, many));
    if let Some(examples) = examples(path) {
        command = command.after_help(format!("Examples:\n{examples}"));
    }
    let names: Vec<String> =
        command.get_subcommands().map(|inner| inner.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| {
        let path = if path.is_empty() { name.clone() } else { format!("{path} {name}") };
        command.mut_subcommand(name, |inner| with_common(inner, &path))
    })
}

fn dressed(arg: Arg, many: bool) -> Arg {
    let Some(common) = common(arg.get_id().as_str()) else { return arg };
    let named = arg.get_value_names().is_some_and(|names| {
        // Without one of its own, it is called as the option is.
        names.iter().any(|name| name.as_str() != arg.get_id().as_str().to_uppercase())
    });
    let valued = arg.get_action().takes_values();
    let arg = match common.value {
        Some(value) if valued && !named && !arg.is_positional() => arg.value_name(value),
        _ => arg,
    };
    if many && arg.get_help_heading().is_none() && !arg.is_positional() {
        arg.help_heading(common.heading)
    } else {
        arg
    }
}

#[cfg(test)]
mod tests;
