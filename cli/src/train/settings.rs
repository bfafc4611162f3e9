//! Flags and configuration of `mora train clean-experiments`.

use std::path::PathBuf;

use clap::Args;
use mora_collector::PrometheusConfig;
use mora_core::WorkloadRef;
use mora_experiments::ExperimentsConfig;
use mora_runtime::load_config;
use serde::{Deserialize, Serialize};

/// Scrapes of a bed that is measured in quarters of a minute are as close.
const SCRAPE_SECONDS: u32 = 15;

/// Options of `mora train clean-experiments`; see `docs/clean-experiments.md`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct CleanExperimentsArguments {
    /// The workload to measure: namespace/Kind/name, or namespace/name for a Deployment
    #[arg(long, value_name = "WORKLOAD")]
    target: Option<WorkloadRef>,
    /// What users do, the name of a load plan; several with commas between them
    #[arg(long, value_name = "PLAN", value_delimiter = ',')]
    scenario: Vec<String>,
    /// Replicas of the target, with commas between them
    #[arg(long, value_name = "N", value_delimiter = ',')]
    replicas: Vec<u32>,
    /// Concurrent users, with commas between them
    #[arg(long, value_name = "N", value_delimiter = ',')]
    users: Vec<u32>,
    /// Where the application runs: kubernetes, or the URL of a control API
    #[arg(long, value_name = "BED")]
    bed: Option<String>,
    /// Context of the kubeconfig
    #[arg(long)]
    context: Option<String>,
    /// URL of the Prometheus, with its path prefix if it has one
    #[arg(long, env = "PROMETHEUS_URL")]
    prometheus: Option<String>,
    /// Host of the application's entry
    #[arg(long)]
    host: Option<String>,
    /// Port of the application's entry
    #[arg(long)]
    port: Option<u16>,
    /// The program `jmeter`, or the folder it is installed in
    #[arg(long, value_name = "FILE")]
    jmeter: Option<PathBuf>,
    /// Folder of datasets, state and journal
    #[arg(long, value_name = "DIR")]
    results: Option<PathBuf>,
    /// Hold the autoscalers of workloads whose replicas are changed
    #[arg(long)]
    pause_autoscalers: bool,
    /// Show what would be changed and run, and change nothing
    #[arg(long, conflicts_with_all = ["restore", "yes"])]
    pub(super) dry_run: bool,
    /// Restore what an earlier run left changed, and run the cells that are not done
    #[arg(long, conflicts_with = "restore")]
    pub(super) resume: bool,
    /// Only restore what an earlier run left changed
    #[arg(long)]
    pub(super) restore: bool,
    /// With --restore or --resume, also what somebody else has changed since
    #[arg(long)]
    pub(super) force: bool,
    /// Begin without asking
    #[arg(long, short)]
    pub(super) yes: bool,
    /// YAML configuration file
    #[arg(long)]
    config: Option<PathBuf>,
}

/// The configuration of `mora train clean-experiments`; see `docs/configuration.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct CleanExperimentsConfig {
    pub(super) prometheus: PrometheusConfig,
    pub(super) experiments: ExperimentsConfig,
}

impl Default for CleanExperimentsConfig {
    fn default() -> Self {
        let scrape_interval_seconds = SCRAPE_SECONDS;
        Self {
            prometheus: PrometheusConfig { scrape_interval_seconds, ..PrometheusConfig::default() },
            experiments: ExperimentsConfig::default(),
        }
    }
}

/// The configuration with the flags laid over it.
pub(super) fn layered(
    arguments: &CleanExperimentsArguments,
) -> anyhow::Result<CleanExperimentsConfig> {
    let mut config: CleanExperimentsConfig = load_config(arguments.config.as_deref())?;
    let experiments = &mut config.experiments;
    lay(arguments.target.clone().map(Some), &mut experiments.target);
    lay(non_empty(&arguments.scenario), &mut experiments.scenarios);
    lay(non_empty(&arguments.replicas), &mut experiments.replicas);
    lay(non_empty(&arguments.users), &mut experiments.users);
    lay(arguments.bed.clone(), &mut experiments.bed);
    lay(arguments.context.clone().map(Some), &mut experiments.context);
    lay(arguments.results.clone(), &mut experiments.results);
    lay(arguments.host.clone(), &mut experiments.load.host);
    lay(arguments.port, &mut experiments.load.port);
    lay(arguments.jmeter.clone().map(Some), &mut experiments.load.jmeter.program);
    experiments.isolation.pause_autoscalers |= arguments.pause_autoscalers;
    lay(arguments.prometheus.clone(), &mut config.prometheus.url);
    if let Some(target) = &config.experiments.target {
        config.prometheus.namespaces = vec![target.namespace().to_owned()];
    }
    Ok(config)
}

fn lay<T>(flag: Option<T>, setting: &mut T) {
    if let Some(value) = flag {
        *setting = value;
    }
}

fn non_empty<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        arguments: CleanExperimentsArguments,
    }

    fn parsed(arguments: &[&str]) -> Result<CleanExperimentsConfig, clap::Error> {
        let command = Command::try_parse_from([&["mora"], arguments].concat())?;
        Ok(layered(&command.arguments).unwrap())
    }

    #[test]
    fn flags_lie_over_the_file_and_the_file_over_the_defaults() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let text = "experiments:\n  target: shop/cart\n  users: [7]\n  load: {jmeter: {grace_seconds: 9}}\n";
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
        let path = file.path().to_str().unwrap();
        let config = parsed(&["--config", path, "--replicas", "1,3", "--jmeter", "/opt/jmeter"]);
        let CleanExperimentsConfig { prometheus, experiments } = config.unwrap();
        assert_eq!(prometheus.namespaces, ["shop"]);
        assert_eq!(prometheus.scrape_interval_seconds, 15);
        assert_eq!((experiments.replicas, experiments.users), (vec![1, 3], vec![7]));
        assert_eq!(experiments.scenarios, ["browsing", "checkout"]);
        let jmeter = experiments.load.jmeter;
        assert_eq!(jmeter.program, Some("/opt/jmeter".into()));
        // The default of the experiments, not that of JMeter alone.
        assert_eq!(jmeter.grace_seconds, 9);
        assert!((jmeter.max_error_ratio - 0.5).abs() < f64::EPSILON);
    }

    #[test]
    fn restoring_and_resuming_or_showing_exclude_each_other() {
        for pair in [["--restore", "--resume"], ["--restore", "--dry-run"], ["--dry-run", "--yes"]]
        {
            assert!(parsed(&pair).is_err(), "{pair:?}");
        }
        assert!(parsed(&["--target", "shop/Thing/x"]).is_err());
    }
}
