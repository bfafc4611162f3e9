//! Which plan, and where is written down what it changed.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use mora_coordinator::Store;
use mora_core::Plan;
use serde::Deserialize;

/// Where plans and records are kept.
#[derive(Debug, Args)]
pub(crate) struct StateArguments {
    /// Folder in which a coordinator remembers its plans, its key `state`; what was there before each change is recorded in
    /// its folder `applied`. When absent, `mora` in `XDG_STATE_HOME`, which is ~/.local/state unless it is set
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
}

impl StateArguments {
    /// The folder; `configured` where no option names one.
    ///
    /// Fails when neither does, and there is no home folder.
    pub(crate) fn folder(self, configured: Option<PathBuf>) -> anyhow::Result<PathBuf> {
        let from = |name: &str| std::env::var_os(name).filter(|text| !text.is_empty());
        let of_user = || match from("XDG_STATE_HOME") {
            Some(folder) => Some(PathBuf::from(folder)),
            None => from("HOME").map(|home| Path::new(&home).join(".local/state")),
        };
        let found = self.state.or(configured).or_else(|| Some(of_user()?.join("mora")));
        found.context("there is no home folder to record changes in; name a folder with --state")
    }
}

/// A file with a plan: alone, or with what it was made of.
#[derive(Deserialize)]
#[serde(untagged)]
enum Written {
    Recorded { plan: Box<Plan> },
    Alone(Box<Plan>),
}

/// The plan `named` (a file, or an identifier in the folder `state`), or the newest in that folder.
///
/// Fails when there is none, or it cannot be read.
pub(crate) fn find(named: Option<&str>, state: &Path) -> anyhow::Result<Plan> {
    let Some(named) = named else { return Ok(Store::newest(state)?.plan) };
    let path = Path::new(named);
    if path.is_file() {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the plan {}", path.display()))?;
        let written: Written = serde_saphyr::from_str(&text).with_context(|| {
            format!(
                "{} is no plan; write one with `--output json` or `--output yaml`",
                path.display()
            )
        })?;
        return Ok(match written {
            Written::Recorded { plan } | Written::Alone(plan) => *plan,
        });
    }
    // Identifiers have neither folders nor an ending.
    anyhow::ensure!(
        path.components().count() == 1 && path.extension().is_none(),
        "there is no plan file {}; check the path, or name a plan by its identifier",
        path.display()
    );
    Ok(Store::named(state, named)?.plan)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_not_taken_for_an_identifier() {
        for named in ["/nowhere/plan", "plan.json"] {
            let error = find(Some(named), Path::new("/nowhere/state")).unwrap_err().to_string();
            assert!(error.contains(&format!("no plan file {named}")), "{error}");
        }
    }
}
