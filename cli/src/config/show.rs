//! `mora config show`: what is configured, and by which layer.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use mora_runtime::{ConfigKey, Exit, KeyKind, Origins, default_config_file, hide_secrets};
use serde_json::{Value, json};

use super::Process;
use super::process::{Configuration, at};
use super::yaml::{Said, yaml};
use crate::gather::{SourceArguments, layered};
use crate::recommend::{RuleArguments, SelectionArguments};
use crate::stdout::print;

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShowFormat {
    /// As a configuration file
    Yaml,
    /// For programs
    Json,
}

/// Options of `mora config show`.
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Whose configuration; the options of `mora recommend` are only laid over its own
    #[arg(long = "for", value_enum, default_value_t = Process::Recommend, value_name = "PROCESS")]
    process: Process,
    /// Say of each value which layer set it
    #[arg(long, help_heading = "Output")]
    origins: bool,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = ShowFormat::Yaml)]
    output: ShowFormat,
    #[command(flatten)]
    source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    rule: RuleArguments,
}

/// What is in effect and where it comes from.
struct Effective {
    configuration: Configuration,
    /// With the options, without secrets.
    value: Value,
    /// Before the options.
    before: Value,
    origins: Origins,
}

/// Runs the command; the configuration goes to standard output.
pub(super) fn show(arguments: ShowArguments) -> anyhow::Result<Exit> {
    let (output, origins) = (arguments.output, arguments.origins);
    let effective = effective(arguments)?;
    let text = match (output, origins) {
        (ShowFormat::Yaml, _) => yaml(&effective.configuration, &effective.value, |key, value| {
            let section = key.kind == KeyKind::Section && value.is_object();
            let says = origins && !section;
            let after = says.then(|| effective.origin(key));
            Said { before: Vec::new(), after }
        }),
        (ShowFormat::Json, false) => pretty(&effective.value)?,
        (ShowFormat::Json, true) => pretty(&effective.listed())?,
    };
    print(&text)?;
    Ok(Exit::Success)
}

fn pretty(value: &Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value).context("it cannot be written as JSON")? + "\n")
}

fn effective(arguments: ShowArguments) -> anyhow::Result<Effective> {
    let ShowArguments { process, source, selection, rule, .. } = arguments;
    let configuration = process.configuration();
    let own = process == Process::Recommend;
    let file: Option<PathBuf> = source.config.clone();
    let file = file.or_else(|| default_config_file().filter(|_| own));
    let (mut before, origins) = (configuration.load)(file.as_deref())?;
    let mut value = if own {
        let mut config = layered(&source)?;
        selection.lay_over(&mut config);
        rule.lay_over(&mut config);
        serde_json::to_value(config)?
    } else {
        before.clone()
    };
    hide_secrets(&mut value);
    hide_secrets(&mut before);
    Ok(Effective { configuration, value, before, origins })
}

impl Effective {
    /// The layer that set what stands at `key`.
    fn origin(&self, key: &ConfigKey) -> String {
        if at(&self.value, &key.path) == at(&self.before, &key.path) {
            self.origins.of(&key.path).to_string()
        } else {
            "option of the command line".to_owned()
        }
    }

    /// Each key that has a value of its own, with the layer that set it.
    fn listed(&self) -> Value {
        let entry = |key: &ConfigKey| {
            let value = at(&self.value, &key.path).filter(|value| {
                !value.is_object() || self.configuration.below(&key.path).next().is_none()
            })?;
            Some(json!({"key": key.path, "value": value, "origin": self.origin(key)}))
        };
        self.configuration.keys.iter().filter_map(entry).collect()
    }
}
