//! The reference of all configurations, made from the same table as `mora config init`.

use mora_runtime::{ConfigKey, KeyKind};

use super::Process;
use super::explained::{Section, below, explanation, sections};
use super::process::Configuration;

const HEAD: &str = "# Configuration reference

<!-- Made by `mora reference config`; the texts are in cli/src/config/explained/. -->

Every key of every configuration file, with its default. What the keys decide is told in [configuration.md](../configuration.md) and the
pages it links to. `mora config init` writes such a file, `mora config check` says what is wrong with one, and
`mora config show --origins` which layer set what.

A variable of the environment sets a key when it is named `MORA__` and the key in capitals, with `__` for each `.`:
`MORA__POLICY__CAP=0.7` sets `policy.cap`. `[]` stands for any element of a list.
";

/// The whole reference.
pub(crate) fn document() -> String {
    sections().fold(HEAD.to_owned(), |text, section| text + "\n" + &of_section(section))
}

fn of_section(section: &Section) -> String {
    let mut text = format!("## {}\n\n{}\n\n", section.name, section.about);
    if let Some(places) = places(section) {
        text += &format!("{places}\n\n");
    }
    text += "| key | value | default | what |\n| --- | --- | --- | --- |\n";
    let Some((process, place)) = section.places.first() else { return text };
    let configuration = process.configuration();
    for key in &configuration.keys {
        let Some(name) = below(place, &key.path) else { continue };
        // Another section may say more of what stands below.
        let own = section.keys.iter().find(|(own, _)| *own == name);
        let Some((_, what)) = own else { continue };
        debug_assert!(explanation(*process, &key.path).is_some());
        let kind = kind(&configuration, key);
        let default = default(&configuration, key);
        text += &format!("| `{name}` | {kind} | {default} | {what} |\n");
    }
    text
}

/// In which files the keys stand; nothing where they are those at the top of one.
fn places(section: &Section) -> Option<String> {
    let place = |(process, place): &(Process, &str)| {
        (!place.is_empty()).then(|| format!("`{place}` of {}", named(*process)))
    };
    let places: Vec<String> = section.places.iter().filter_map(place).collect();
    (!places.is_empty()).then(|| format!("Below {}.", places.join(", ")))
}

const fn named(process: Process) -> &'static str {
    match process {
        Process::Recommend => "`mora recommend`",
        Process::Collector => "the collector",
        Process::Worker => "a model-worker",
        Process::Coordinator => "the coordinator",
    }
}

fn kind(configuration: &Configuration, key: &ConfigKey) -> String {
    let inner = |end: &str| {
        let path = format!("{}{end}", key.path);
        configuration.keys.iter().find(|key| key.path == path)
    };
    match key.kind {
        KeyKind::Section => "keys".to_owned(),
        KeyKind::Text => "text".to_owned(),
        KeyKind::Whole => "whole number".to_owned(),
        KeyKind::Number => "number".to_owned(),
        KeyKind::Switch => "`true`, `false`".to_owned(),
        KeyKind::Choice(words) => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        KeyKind::List => match inner("[]") {
            Some(element) => format!("list of {}", kind(configuration, element)),
            None => "list".to_owned(),
        },
        KeyKind::Map => "names with values".to_owned(),
        KeyKind::Any => "text, or keys".to_owned(),
    }
}

fn default(configuration: &Configuration, key: &ConfigKey) -> String {
    match configuration.default_of(&key.path) {
        Some(default) if default.as_object().is_some_and(|map| !map.is_empty()) => String::new(),
        Some(default) if *default == "" => "none".to_owned(),
        Some(default) => format!("`{}`", default.to_string().trim_matches('"')),
        None if key.path.contains("[]") => String::new(),
        None if key.optional => "none".to_owned(),
        None => "must be set".to_owned(),
    }
}
