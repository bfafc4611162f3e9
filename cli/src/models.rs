//! `mora models`: the versions of a model library, as their users see them.

mod card;
mod comparison;
mod export;
mod listing;
mod page;

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use jiff::Timestamp;
use mora_coordinator::{Format, write_whole};
use mora_core::WorkloadRef;
use mora_model_worker::{Library, WorkerConfig, WorkloadModel};
use mora_runtime::{Exit, load_config};
use serde::Serialize;

use self::card::Card;
use crate::progress::say;
use crate::stdout::print;

/// Options of `mora models`.
#[derive(Debug, Args)]
pub(crate) struct ModelsArguments {
    /// Directory of the model library; the key `library` of the configuration when absent
    #[arg(long, global = true)]
    library: Option<PathBuf>,
    /// YAML configuration file of a model-worker
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, Subcommand)]
enum ModelsCommand {
    /// List workloads and their versions
    List {
        /// Only this workload: namespace/Kind/name, namespace/name, or the name where it is unique
        workload: Option<String>,
        /// Output format: table, json or yaml
        #[arg(long, short, default_value_t = Format::Table)]
        output: Format,
    },
    /// Show the card of a version: data, members, figures, decision, files
    Show(ShowArguments),
    /// Hold two versions against each other on the same slots
    Compare {
        /// The workload
        workload: String,
        /// The first version
        first: String,
        /// The second version
        second: String,
        /// Output format: table, json or yaml
        #[arg(long, short, default_value_t = Format::Table)]
        output: Format,
    },
    /// Let another version serve
    Rollback {
        /// The workload
        workload: String,
        /// The version to serve; the one published before the one that serves when absent
        #[arg(long, alias = "to")]
        version: Option<String>,
    },
    /// Copy a version with its card and checksums
    Export {
        /// The workload
        workload: String,
        /// The version; the one that serves when absent
        #[arg(long)]
        version: Option<String>,
        /// A directory that does not exist or is empty, or a file ending in `.tar`
        #[arg(long)]
        to: PathBuf,
    },
    /// Remove old versions, never the one that serves
    Prune {
        /// Only this workload
        workload: Option<String>,
        /// Newest versions to keep of each workload; the key `keep_versions` when absent
        #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
        keep: Option<u32>,
        /// Only say what would be removed
        #[arg(long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct ShowArguments {
    /// The workload
    workload: String,
    /// The version; the one that serves when absent
    #[arg(long)]
    version: Option<String>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = CardFormat::Text)]
    output: CardFormat,
    /// Write to this file instead of standard output
    #[arg(long, alias = "out")]
    to: Option<PathBuf>,
}

/// How a card is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CardFormat {
    /// For a terminal
    Text,
    /// For programs
    Json,
    /// For a wiki or a review
    Markdown,
    /// One page with plots of the back-test and the next day, readable offline
    Html,
}

/// Runs the command.
pub(crate) fn models(arguments: ModelsArguments) -> anyhow::Result<Exit> {
    let config: WorkerConfig = load_config(arguments.config.as_deref())?;
    let root = arguments.library.unwrap_or(config.library);
    let known = known_workloads(root)?;
    match arguments.command {
        ModelsCommand::List { workload, output } => {
            let wanted = known.wanted(workload.as_deref())?;
            print(&listing::listing(&known.root, &wanted, Timestamp::now(), output)?)?;
        }
        ModelsCommand::Show(arguments) => show(&known, &arguments)?,
        ModelsCommand::Compare { workload, first, second, output } => {
            let (_, library) = known.library(&workload)?;
            let (first, second) = (library.load(&first)?, library.load(&second)?);
            print(&comparison::comparison(&first, &second, output)?)?;
        }
        ModelsCommand::Rollback { workload, version } => rollback(&known, &workload, version)?,
        ModelsCommand::Export { workload, version, to } => {
            let (library, version) = known.version(&workload, version)?;
            let card = Card::of(&library, &library.load(&version)?)?;
            export::export(&library, &version, &card, &to)?;
            say(&format!("{} {version} is in {}", card.workload, to.display()));
        }
        ModelsCommand::Prune { workload, keep, dry_run } => {
            let keep = keep.map_or(config.keep_versions, |keep| keep as usize);
            prune(&known, workload.as_deref(), keep, dry_run)?;
        }
    }
    Ok(Exit::Success)
}

/// A library that holds at least one version.
struct Known {
    root: PathBuf,
    workloads: Vec<WorkloadRef>,
}

fn known_workloads(root: PathBuf) -> anyhow::Result<Known> {
    let workloads = Library::workloads(&root)?;
    anyhow::ensure!(
        !workloads.is_empty(),
        "the model library {} holds no version; name another with --library, or fill it: `mora demo --library {0}` \
         trains a simulated shop, a mora-model-worker with --library {0} keeps what it is trained",
        root.display()
    );
    Ok(Known { root, workloads })
}

impl Known {
    /// The workload that `text` names.
    fn resolve(&self, text: &str) -> anyhow::Result<&WorkloadRef> {
        let parts: Vec<&str> = text.split('/').collect();
        let named = |workload: &&WorkloadRef| match parts[..] {
            [name] => workload.name() == name,
            [namespace, name] => workload.namespace() == namespace && workload.name() == name,
            [namespace, kind, name] => {
                workload.namespace() == namespace
                    && workload.kind().as_str().eq_ignore_ascii_case(kind)
                    && workload.name() == name
            }
            _ => false,
        };
        let found: Vec<&WorkloadRef> = self.workloads.iter().filter(named).collect();
        match found[..] {
            [workload] => Ok(workload),
            [] => anyhow::bail!(
                "the model library {} has no workload `{text}`; it has {}",
                self.root.display(),
                listed(self.workloads.iter())
            ),
            _ => anyhow::bail!(
                "`{text}` names several workloads; write one of {}",
                listed(found.into_iter())
            ),
        }
    }

    /// The workload that `text` names, or all.
    fn wanted(&self, text: Option<&str>) -> anyhow::Result<Vec<WorkloadRef>> {
        text.map_or_else(
            || Ok(self.workloads.clone()),
            |text| Ok(vec![self.resolve(text)?.clone()]),
        )
    }

    fn library(&self, workload: &str) -> anyhow::Result<(&WorkloadRef, Library)> {
        let workload = self.resolve(workload)?;
        Ok((workload, Library::existing(&self.root, workload)))
    }

    /// The versions of `workload`, and `version` or the one that serves.
    fn version(
        &self,
        workload: &str,
        version: Option<String>,
    ) -> anyhow::Result<(Library, String)> {
        let (workload, library) = self.library(workload)?;
        let version = match version {
            Some(version) => version,
            None => library.current()?.with_context(|| {
                format!("no version of {workload} serves; name one with --version, as `mora models list` shows them")
            })?,
        };
        Ok((library, version))
    }
}

fn listed<'a>(workloads: impl Iterator<Item = &'a WorkloadRef>) -> String {
    workloads.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn show(known: &Known, arguments: &ShowArguments) -> anyhow::Result<()> {
    let (library, version) = known.version(&arguments.workload, arguments.version.clone())?;
    let model: WorkloadModel = library.load(&version)?;
    let card = Card::of(&library, &model)?;
    let text = match arguments.output {
        CardFormat::Text => card.text(),
        CardFormat::Markdown => card.markdown(),
        CardFormat::Json => serde_json::to_string_pretty(&card)? + "\n",
        CardFormat::Html => page::page(&card, &model)?,
    };
    match &arguments.to {
        Some(path) => {
            write_whole(path, &text)?;
            say(&format!("card: {}", path.display()));
        }
        None => print(&text)?,
    }
    Ok(())
}

fn rollback(known: &Known, workload: &str, to: Option<String>) -> anyhow::Result<()> {
    let (workload, library) = known.library(workload)?;
    let current = library.current()?;
    let target = match to {
        Some(version) => version,
        None => library.predecessor()?.with_context(|| {
            format!("no version of {workload} was published before the one that serves; name one with --version, as `mora models list` shows them")
        })?,
    };
    library.load(&target).context("nothing was changed")?;
    library.serve(&target)?;
    let before = current.unwrap_or_else(|| "none".to_owned());
    print(&format!("{workload}: {before} -> {target}\n"))?;
    say(
        "a running worker answers with it from its next request on; the next version that is no worse replaces it",
    );
    Ok(())
}

fn prune(known: &Known, workload: Option<&str>, keep: usize, dry_run: bool) -> anyhow::Result<()> {
    let (mut count, mut bytes) = (0_usize, 0);
    for workload in known.wanted(workload)? {
        let library = Library::existing(&known.root, &workload);
        let prunable = library.prunable(keep)?;
        // One that cannot be read has an unknown size and goes as well.
        let size = |version| library.manifest(version).map_or(0, |manifest| manifest.bytes());
        bytes += prunable.iter().map(|version| size(version)).sum::<u64>();
        count += prunable.len();
        let removed = if dry_run { prunable } else { library.prune(keep)? };
        let line = |version: &String| format!("{workload} {version}\n");
        print(&removed.iter().map(line).collect::<String>())?;
    }
    let verb = if dry_run { "would remove" } else { "removed" };
    say(&format!("{verb} {count} versions, {}", listing::size(bytes)));
    Ok(())
}

/// `value` as JSON or YAML, or as what `table` makes of it.
pub(crate) fn structured<T: Serialize>(
    value: &T,
    format: Format,
    table: impl FnOnce(&T) -> String,
) -> anyhow::Result<String> {
    Ok(match format {
        Format::Table => table(value),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Yaml => serde_saphyr::to_string(value)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let names = ["shop/cart", "shop/statefulset/redis", "test/cart"];
        let workloads = names.iter().map(|name| name.parse().unwrap()).collect();
        Known { root: PathBuf::from("models"), workloads }
    }

    #[test]
    fn a_workload_is_named_in_full_by_namespace_or_by_a_unique_name() {
        let resolved = |text: &str| known().resolve(text).map(ToString::to_string);
        assert_eq!(resolved("redis").unwrap(), "shop/StatefulSet/redis");
        assert_eq!(resolved("shop/redis").unwrap(), "shop/StatefulSet/redis");
        assert_eq!(resolved("test/deployment/cart").unwrap(), "test/Deployment/cart");
        let several = resolved("cart").unwrap_err().to_string();
        assert!(several.contains("shop/Deployment/cart, test/Deployment/cart"), "{several}");
        let unknown = resolved("basket").unwrap_err().to_string();
        assert!(unknown.contains("`basket`") && unknown.contains("shop/StatefulSet/redis"));
        assert!(resolved("shop/deployment/redis").is_err() && resolved("a/b/c/d").is_err());
    }

    #[test]
    fn an_empty_library_says_how_to_fill_it() {
        let folder = tempfile::tempdir().unwrap();
        let message = known_workloads(folder.path().join("absent")).err().unwrap().to_string();
        assert!(message.contains("mora demo --library") && message.contains("absent"), "{message}");
    }
}
