//! `mora config init`: a file with every key, its default and what it is for.

use std::path::PathBuf;

use clap::Args;
use mora_coordinator::write_whole;
use mora_runtime::{ConfigKey, Exit, KeyKind};

use super::Process;
use super::explained::explanation;
use super::process::Configuration;
use super::yaml::{Said, yaml};
use crate::progress::say;
use crate::stdout::print;

/// Options of `mora config init`.
#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// Whose configuration
    #[arg(long = "for", value_enum, default_value_t = Process::Recommend, value_name = "PROCESS")]
    process: Process,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Write over a file that is there
    #[arg(long, requires = "to")]
    force: bool,
}

/// Runs the command.
pub(super) fn init(arguments: &InitArguments) -> anyhow::Result<Exit> {
    let text = template(arguments.process);
    let Some(path) = &arguments.to else {
        print(&text)?;
        return Ok(Exit::Success);
    };
    anyhow::ensure!(
        arguments.force || !path.exists(),
        "{} is there already and was left as it is; name another file, or write over it with --force",
        path.display()
    );
    write_whole(path, &text)?;
    say(&format!("configuration: {}", path.display()));
    Ok(Exit::Success)
}

/// The file.
fn template(process: Process) -> String {
    let configuration = process.configuration();
    let head = format!(
        "# Configuration of `{}`: every key at its default. What is left out stays at it.\n\
         # Variables such as {} are laid over this file, and options over both.\n",
        process.program(),
        variable(process),
    );
    let body = yaml(&configuration, &configuration.defaults, |key, value| {
        let mut before = Vec::new();
        if !key.path.contains('.') {
            before.push(String::new());
        }
        before.extend(comment(process, key));
        if value.is_null() || key.kind == KeyKind::List {
            before.extend(inner(process, &configuration, key));
        }
        Said { before, after: None }
    });
    // A blank line says that something new begins, where a comment would say nothing.
    (head + &body).replace("\n#\n", "\n\n")
}

const fn variable(process: Process) -> &'static str {
    match process {
        Process::Recommend | Process::Collector => "MORA__LOOKBACK_HOURS=72",
        Process::Worker => "MORA__KEEP_VERSIONS=9",
        Process::Coordinator => "MORA__POLICY__CAP=0.7",
    }
}

/// What a key is for, and which words it takes.
fn comment(process: Process, key: &ConfigKey) -> Option<String> {
    let text = explanation(process, &key.path)?;
    Some(match words(key.kind) {
        Some(words) => format!("{}: {words}", capital(text)),
        None => capital(text),
    })
}

fn words(kind: KeyKind) -> Option<String> {
    if let KeyKind::Choice(words) = kind { Some(words.join(", ")) } else { None }
}

/// The keys below one that has no value to show them in.
fn inner(process: Process, configuration: &Configuration, key: &ConfigKey) -> Vec<String> {
    let line = |inner: &ConfigKey| {
        let text = explanation(process, &inner.path)?;
        let name = inner.path[key.path.len()..].trim_start_matches("[]").trim_start_matches('.');
        let words = words(inner.kind).map(|words| format!(": {words}")).unwrap_or_default();
        let default = configuration.default_of(&inner.path).filter(|default| !default.is_object());
        let default = default.map(|default| format!(" ({default})")).unwrap_or_default();
        Some(format!("  {name}: {text}{words}{default}"))
    };
    configuration.below(&key.path).filter_map(line).collect()
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_gives_the_defaults_when_it_is_read() {
        for process in Process::ALL {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("config.yaml");
            std::fs::write(&path, template(process)).unwrap();
            let configuration = process.configuration();
            let (read, _) = (configuration.load)(Some(&path)).unwrap();
            assert_eq!(read, configuration.defaults, "{process:?}");
        }
    }

    #[test]
    fn every_key_stands_in_the_file_below_a_comment_that_says_what_it_is_for() {
        for process in Process::ALL {
            let text = template(process);
            let lines: Vec<&str> = text.lines().collect();
            let mut keys = 0;
            for (before, line) in lines.iter().zip(&lines[1..]) {
                if line.is_empty() || line.trim_start().starts_with('#') {
                    continue;
                }
                keys += 1;
                assert!(before.trim_start().starts_with("# "), "{process:?}: {line}");
            }
            let configuration = process.configuration();
            let shown = |key: &&ConfigKey| {
                super::super::process::at(&configuration.defaults, &key.path).is_some()
            };
            assert_eq!(keys, configuration.keys.iter().filter(shown).count(), "{process:?}");
        }
    }

    #[test]
    fn a_file_that_is_there_is_not_written_over_unless_it_is_wanted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yaml");
        std::fs::write(&path, "mine").unwrap();
        let mut arguments =
            InitArguments { process: Process::Worker, to: Some(path.clone()), force: false };
        let refused = init(&arguments).unwrap_err().to_string();
        assert!(refused.contains("--force"), "{refused}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        arguments.force = true;
        init(&arguments).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), template(Process::Worker));
    }
}
