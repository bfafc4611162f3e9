//! `mora version`: facts about this build. Nobody is asked whether there is a newer one.

use anyhow::Context;
use clap::Args;
use mora_coordinator::Format;
use mora_evaluation::{Provenance, SIMULATED};
use mora_runtime::Exit;
use serde::Serialize;

use crate::stdout::print;

/// The protocol between the processes.
const WIRE_CONTRACT: &str = "mora.v1";
/// The versions whose schemas and behaviour the manifests and the client are tested with.
const KUBERNETES: &str = "1.32 to 1.36; resizing running pods from 1.33";

/// Options of `mora version`.
#[derive(Debug, Args)]
pub(crate) struct VersionArguments {
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// What is known of the build.
#[derive(Debug, Serialize)]
struct Version {
    #[serde(rename = "version")]
    number: &'static str,
    commit: &'static str,
    compiler: &'static str,
    target: &'static str,
    profile: &'static str,
    features: Vec<&'static str>,
    wire_contract: &'static str,
    report_schema: &'static str,
    kubernetes: &'static str,
}

/// What is known of this build.
fn this() -> Version {
    Version {
        number: env!("CARGO_PKG_VERSION"),
        commit: env!("MORA_BUILD_COMMIT"),
        compiler: env!("MORA_BUILD_RUSTC"),
        target: env!("MORA_BUILD_TARGET"),
        profile: env!("MORA_BUILD_PROFILE"),
        features: env!("MORA_BUILD_FEATURES").split(',').filter(|name| !name.is_empty()).collect(),
        wire_contract: WIRE_CONTRACT,
        report_schema: mora_scan::SCHEMA,
        kubernetes: KUBERNETES,
    }
}

/// This build as what made a result; which configuration and environment is for others to say.
pub(crate) fn provenance() -> Provenance {
    let Version { number, commit, compiler, target, profile, .. } = this();
    let facts = [("compiler", compiler), ("target", target), ("profile", profile)];
    Provenance {
        version: number.to_owned(),
        commit: commit.to_owned(),
        environment: SIMULATED.to_owned(),
        facts: facts.map(|(name, fact)| (name.to_owned(), fact.to_owned())).into(),
        ..Provenance::default()
    }
}

/// Runs the command.
pub(crate) fn version(arguments: &VersionArguments) -> anyhow::Result<Exit> {
    let version = this();
    print(&match arguments.output {
        Format::Table => text(&version),
        Format::Json => {
            serde_json::to_string_pretty(&version).context("it cannot be written as JSON")? + "\n"
        }
        Format::Yaml => {
            serde_saphyr::to_string(&version).context("it cannot be written as YAML")?
        }
    })?;
    Ok(Exit::Success)
}

fn text(version: &Version) -> String {
    let features = version.features.join(", ");
    let features = if features.is_empty() { "none beyond the default" } else { &features };
    [
        ("mora", version.number),
        ("commit", version.commit),
        ("compiler", version.compiler),
        ("target", version.target),
        ("profile", version.profile),
        ("features", features),
        ("wire contract", version.wire_contract),
        ("report schema", version.report_schema),
        ("Kubernetes", version.kubernetes),
    ]
    .map(|(fact, value)| format!("{fact:<14} {value}\n"))
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_is_known_or_said_to_be_unknown() {
        let version = this();
        assert!(version.compiler.starts_with("rustc 1."), "{}", version.compiler);
        assert!(version.target.contains('-'), "{}", version.target);
        assert!(["debug", "release"].contains(&version.profile), "{}", version.profile);
        let commit = version.commit;
        assert!(
            commit == "unknown" || commit.chars().all(|letter| letter.is_ascii_hexdigit()),
            "{commit}"
        );
        assert!(text(&version).lines().all(|line| line.len() > 15), "{}", text(&version));
    }
}
