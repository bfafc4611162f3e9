//! What holds for every command.

use std::collections::{BTreeMap, BTreeSet};

use clap::{Arg, Command};

use super::examples::paths;
use super::options::known;
use super::tree;

/// Every command with the words that lead to it, except those that clap adds.
fn commands() -> Vec<(String, Command)> {
    fn walk(command: &Command, path: &str, found: &mut Vec<(String, Command)>) {
        found.push((path.to_owned(), command.clone()));
        for inner in command.get_subcommands().filter(|inner| inner.get_name() != "help") {
            walk(inner, format!("{path} {}", inner.get_name()).trim_start(), found);
        }
    }
    let mut root = tree();
    root.build();
    let mut found = Vec::new();
    walk(&root, "", &mut found);
    found
}

fn leaves() -> impl Iterator<Item = (String, Command)> {
    commands().into_iter().filter(|(_, command)| !command.has_subcommands())
}

fn own_arguments(command: &Command) -> Vec<&Arg> {
    let added = ["help", "version"];
    let arguments = command.get_arguments();
    arguments
        .filter(|arg| !added.contains(&arg.get_id().as_str()) || arg.get_action().takes_values())
        .collect()
}

fn examples_of(command: &Command) -> Vec<String> {
    let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    text.lines().filter(|line| line.starts_with("  mora")).map(str::to_owned).collect()
}

#[test]
fn the_tree_is_sound() {
    tree().debug_assert();
}

#[test]
fn every_command_says_what_it_does_and_every_argument_what_it_is_for() {
    for (path, command) in commands() {
        assert!(command.get_about().is_some(), "mora {path} has no description");
        for arg in own_arguments(&command) {
            let id = arg.get_id();
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!help.is_empty(), "mora {path}: {id} has no help");
            assert!(!help.ends_with('.'), "mora {path}: the help of {id} ends with a full stop");
        }
    }
}

#[test]
fn every_command_that_does_something_has_examples_that_it_takes() {
    for (path, command) in leaves() {
        let examples = examples_of(&command);
        assert!(!examples.is_empty(), "mora {path} has no example");
        for line in examples {
            let words = words(&line);
            let parsed = tree().try_get_matches_from(&words);
            if let Err(error) = parsed {
                panic!("an example of mora {path} is refused: {line}\n{error}");
            }
            let begin = format!("mora {path}");
            assert!(words.join(" ").starts_with(&begin), "no example of mora {path}: {line}");
        }
    }
    let known: BTreeSet<String> = leaves().map(|(path, _)| path).collect();
    let stale: Vec<&str> = paths().filter(|path| !known.contains(*path)).collect();
    assert!(stale.is_empty(), "examples of commands that are not: {stale:?}");
}

/// The words of the command in an example: without what the shell does with its output, and without the remark after it.
fn words(line: &str) -> Vec<String> {
    let command = line.trim().split("  ").next().unwrap();
    let command = command.split(" > ").next().unwrap().split(" | ").next().unwrap();
    command.split_whitespace().map(|word| word.trim_matches('\'').to_owned()).collect()
}

#[test]
fn a_short_option_means_the_same_everywhere() {
    let mut meanings: BTreeMap<char, BTreeSet<String>> = BTreeMap::new();
    for (_, command) in commands() {
        for arg in own_arguments(&command) {
            if let (Some(short), Some(long)) = (arg.get_short(), arg.get_long()) {
                meanings.entry(short).or_default().insert(long.to_owned());
            }
        }
    }
    for (short, longs) in meanings {
        assert_eq!(longs.len(), 1, "-{short} stands for {longs:?}");
    }
}

#[test]
fn an_option_takes_the_same_kind_of_value_everywhere() {
    let mut values: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (_, command) in commands() {
        for arg in own_arguments(&command).into_iter().filter(|arg| arg.get_action().takes_values())
        {
            let names = arg.get_value_names().unwrap_or_default();
            let name = names.first().map(ToString::to_string).unwrap_or_default();
            if let Some(long) = arg.get_long() {
                values.entry(long.to_owned()).or_default().insert(name);
            }
        }
    }
    // A folder or a file with an ending.
    let path = BTreeSet::from(["DIR".to_owned(), "FILE".to_owned(), "PATH".to_owned()]);
    for (long, names) in values {
        let same = names.len() == 1 || names.is_subset(&path);
        assert!(same, "--{long} takes {names:?}");
    }
}

#[test]
fn the_options_of_a_large_command_stand_under_headings() {
    for (path, command) in leaves() {
        let options: Vec<&Arg> =
            own_arguments(&command).into_iter().filter(|arg| !arg.is_positional()).collect();
        if options.len() <= super::MANY {
            continue;
        }
        for option in options {
            let id = option.get_id();
            assert!(
                option.get_help_heading().is_some(),
                "mora {path}: {id} has no heading; name one in cli/src/tree/options.rs"
            );
        }
    }
}

#[test]
fn what_is_common_is_of_options_that_are_there() {
    let ids: BTreeSet<String> = commands()
        .iter()
        .flat_map(|(_, command)| command.get_arguments().map(|arg| arg.get_id().to_string()))
        .collect();
    let stale: Vec<&str> = known().filter(|id| !ids.contains(*id)).collect();
    assert!(stale.is_empty(), "no command has these: {stale:?}");
}
