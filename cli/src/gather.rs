//! What commands on a real Prometheus and cluster have in common: their options, and gathering what a plan needs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use jiff::{SignedDuration, Timestamp};
use mora_collector::{
    Collector, CollectorConfig, Lookback, MetricsSource, PrometheusConfig, PrometheusSource,
    SourceError, TrainingConfig,
};
use mora_coordinator::{ClusterConfig, CoordinatorConfig, FanOutConfig, Outcome, run_with};
use mora_core::{Dataset, Glob, Series, Step, WorkloadRef};
use mora_kubernetes::Cluster;
use mora_model_worker::WorkerConfig;
use mora_planning::Policy;
use mora_runtime::{TlsConfig, WorkerEndpoints, default_config_file, load_config};
use mora_scan::{KrrSettings, Prices, Selection, Severity, StatisticalSettings, WeekHours};
use serde::{Deserialize, Serialize};

use crate::embedded::EmbeddedWorkers;
use crate::progress::{say, train_with_progress};
use crate::recommend::{OutputConfig, ScanConfig, StrategyName};

/// Where the history of which workloads comes from; each option is also a key of the configuration file.
#[derive(Debug, Args)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArguments {
    /// URL of the Prometheus, with its path prefix if it has one; when absent or `auto` it is found by the labels of Services
    /// and asked through the API server
    #[arg(long, value_name = "URL", env = "PROMETHEUS_URL", hide_env_values = true)]
    prometheus: Option<String>,
    /// Namespace to look at; may be repeated, and `mora recommend` takes `*` and `?` for other letters
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Vec<String>,
    /// File with a bearer token for Prometheus
    #[arg(long, value_name = "FILE")]
    prometheus_token_file: Option<PathBuf>,
    /// File with the certificate authority of Prometheus, PEM
    #[arg(long, value_name = "FILE")]
    prometheus_ca_file: Option<PathBuf>,
    /// Read what runs, with its requests, replicas, addresses and capacity, from the cluster of the current kubeconfig context
    #[arg(long)]
    cluster: bool,
    /// Context of the kubeconfig; implies --cluster; `mora recommend` takes several
    #[arg(long, value_name = "CONTEXT")]
    context: Vec<String>,
    /// Ask no cluster, even where there is a kubeconfig: what runs is then taken from Prometheus
    #[arg(long, conflicts_with_all = ["cluster", "context"])]
    no_cluster: bool,
    /// Hours of history
    #[arg(long, value_name = "HOURS", allow_negative_numbers = true)]
    lookback_hours: Option<f64>,
    /// End of the history, RFC 3339; now when absent
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub(crate) at: Option<Timestamp>,
    /// YAML configuration file; when absent ~/.config/mora/config.yaml, if it is there
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Reads an instant of the command line.
pub(crate) fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "write it with its time zone, as in 2026-03-02T00:00:00Z".to_owned())
}

/// What was gathered.
pub(crate) struct Gathered {
    pub(crate) config: RecommendConfig,
    pub(crate) datasets: BTreeMap<WorkloadRef, Dataset>,
    /// The end of the history.
    pub(crate) now: Timestamp,
}

/// Reads configuration, history and, where it is asked for, the cluster.
pub(crate) async fn gather(arguments: &SourceArguments) -> anyhow::Result<Gathered> {
    let config = layered(arguments)?.resolved().await?;
    let now = config.at.unwrap_or_else(Timestamp::now);
    let mut datasets = collect(&config, now).await?;
    if config.cluster.kubernetes {
        merge_cluster(&config, &mut datasets, now).await?;
    }
    Ok(Gathered { config, datasets, now })
}

/// The configuration of `mora recommend`; see `docs/configuration.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RecommendConfig {
    /// Where the history comes from.
    pub(crate) prometheus: PrometheusConfig,
    /// Contexts of the kubeconfig; none for the current one.
    pub(crate) contexts: Vec<String>,
    /// Whether no cluster is asked.
    pub(crate) no_cluster: bool,
    /// How much history is looked at, in hours.
    pub(crate) lookback_hours: f64,
    /// Its end; now when absent.
    pub(crate) at: Option<Timestamp>,
    /// Which workloads are looked at, and which rows are shown.
    pub(crate) selection: Selection,
    /// Labels that workloads have to have.
    pub(crate) label_selector: Option<String>,
    /// How requests are computed.
    pub(crate) strategy: StrategyName,
    /// The rule of `statistical`.
    pub(crate) statistical: StatisticalSettings,
    /// The settings of `krr`.
    pub(crate) krr: KrrSettings,
    /// Hours of the week that count, UTC.
    pub(crate) hours: Option<WeekHours>,
    /// What resources cost.
    pub(crate) cost: Prices,
    /// What is written and where.
    pub(crate) output: OutputConfig,
    /// From which severity on it ends with exit code 6.
    pub(crate) fail_on: Option<Severity>,
    /// How Prometheus is asked about many workloads at once.
    pub(crate) scan: ScanConfig,
    /// Spacing of the samples that forecasts are made of, in seconds.
    pub(crate) step_seconds: u32,
    pub(crate) workers: WorkerEndpoints,
    pub(crate) call_graph: Option<PathBuf>,
    pub(crate) cluster: ClusterConfig,
    pub(crate) policy: Policy,
    training: TrainingConfig,
    fan_out: FanOutConfig,
    /// Certificates for running workers and coordinators; absent for plain text.
    pub(crate) tls: Option<TlsConfig>,
}

impl Default for RecommendConfig {
    fn default() -> Self {
        Self {
            prometheus: PrometheusConfig::default(),
            contexts: Vec::new(),
            no_cluster: false,
            lookback_hours: 14.0 * 24.0,
            at: None,
            selection: Selection::default(),
            label_selector: None,
            strategy: StrategyName::default(),
            statistical: StatisticalSettings::default(),
            krr: KrrSettings::default(),
            hours: None,
            cost: Prices::default(),
            output: OutputConfig::default(),
            fail_on: None,
            scan: ScanConfig::default(),
            step_seconds: 60,
            workers: WorkerEndpoints::default(),
            call_graph: None,
            cluster: ClusterConfig::default(),
            policy: Policy::default(),
            training: TrainingConfig::default(),
            fan_out: FanOutConfig::default(),
            tls: None,
        }
    }
}

/// The configuration with the flags laid over it; a Prometheus need not be named.
pub(crate) fn layered(arguments: &SourceArguments) -> anyhow::Result<RecommendConfig> {
    let file = arguments.config.clone().or_else(default_config_file);
    let mut config: RecommendConfig = load_config(file.as_deref())?;
    let prometheus = &mut config.prometheus;
    if let Some(url) = &arguments.prometheus {
        prometheus.url.clone_from(url);
    }
    if !arguments.namespace.is_empty() {
        prometheus.namespaces.clone_from(&arguments.namespace);
        config.selection.namespaces = arguments.namespace.iter().cloned().map(Glob::from).collect();
    }
    prometheus.bearer_token_file =
        arguments.prometheus_token_file.clone().or(prometheus.bearer_token_file.take());
    prometheus.ca_file = arguments.prometheus_ca_file.clone().or(prometheus.ca_file.take());
    if !arguments.context.is_empty() {
        config.contexts.clone_from(&arguments.context);
    }
    config.cluster.kubernetes |= arguments.cluster || !config.contexts.is_empty();
    if let [context] = &config.contexts[..] {
        config.cluster.context = Some(context.clone());
    }
    config.no_cluster |= arguments.no_cluster;
    config.lookback_hours = arguments.lookback_hours.unwrap_or(config.lookback_hours);
    config.at = arguments.at.or(config.at);
    config.check()?;
    Ok(config)
}

/// Longest lookback: a year with a day more.
const LONGEST_LOOKBACK_HOURS: f64 = 366.0 * 24.0;

impl RecommendConfig {
    /// Fails with the first value that is out of its range.
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.lookback_hours > 0.0 && self.lookback_hours <= LONGEST_LOOKBACK_HOURS,
            "a lookback of {} h cannot be asked for; set --lookback-hours or the key `lookback_hours` above 0 and up to {LONGEST_LOOKBACK_HOURS}",
            self.lookback_hours
        );
        self.statistical.check().context("the key `statistical` cannot be used")?;
        self.krr.check().context("the key `krr` cannot be used")?;
        Ok(())
    }

    /// How much history is looked at.
    pub(crate) fn lookback(&self) -> SignedDuration {
        SignedDuration::from_secs((self.lookback_hours * 3600.0).round() as i64)
    }

    /// The end of the history.
    pub(crate) fn now(&self) -> Timestamp {
        self.at.unwrap_or_else(Timestamp::now)
    }

    /// Itself with an address of Prometheus and namespaces, found in the cluster where they are not named.
    ///
    /// Fails when there is nothing to find them in, when several contexts are named, and when the cluster does not answer.
    pub(crate) async fn resolved(mut self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            self.contexts.len() < 2,
            "this command looks at one cluster at a time; give one --context"
        );
        if self.prometheus.url.is_empty() {
            anyhow::ensure!(!self.no_cluster && is_cluster_known()?, NO_PROMETHEUS);
            AUTO.clone_into(&mut self.prometheus.url);
            self.cluster.kubernetes = true;
        }
        if self.prometheus.namespaces.is_empty() {
            anyhow::ensure!(
                self.cluster.kubernetes,
                "no namespace is named; give at least one with --namespace or the key `prometheus.namespaces`"
            );
            let cluster = Cluster::connect(self.cluster.context.as_deref()).await?;
            let workloads = cluster.workloads(&[]).await?;
            let namespaces: BTreeSet<&str> =
                workloads.iter().map(|w| w.workload.namespace()).collect();
            self.prometheus.namespaces = namespaces.into_iter().map(str::to_owned).collect();
        }
        let context = self.cluster.context.clone();
        self.prometheus = self.prometheus.located(context.as_deref()).await?;
        Ok(self)
    }
}

/// The address that stands for one to be found.
pub(crate) const AUTO: &str = "auto";
/// What to do where there is neither an address nor a cluster.
pub(crate) const NO_PROMETHEUS: &str = "no Prometheus is named, and there is no kubeconfig in whose cluster it could be looked for; give its URL with --prometheus or the key `prometheus.url`, or point KUBECONFIG at a kubeconfig";

/// Whether there is a kubeconfig with a context, or this runs in a pod.
pub(crate) fn is_cluster_known() -> anyhow::Result<bool> {
    let in_pod = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some();
    Ok(in_pod || !Cluster::contexts()?.is_empty())
}

/// The history of every workload in the namespaces, up to `now`.
pub(crate) async fn collect(
    config: &RecommendConfig,
    now: Timestamp,
) -> anyhow::Result<BTreeMap<WorkloadRef, Dataset>> {
    let source = PrometheusSource::new(config.prometheus.clone())?;
    say(&format!("reading {} h of history from {}", config.lookback_hours, source.describe()));
    let step = Step::from_seconds(config.step_seconds).unwrap_or(Step::MINUTE);
    let to = step.floor(now);
    let from = to - config.lookback();
    let datasets = source.collect(&Lookback { from, to, step }).await?;
    Ok(datasets.into_iter().map(|dataset| (dataset.workload.clone(), dataset)).collect())
}

/// Takes claims and replicas from the cluster and leaves out what no longer exists there.
pub(crate) async fn merge_cluster(
    config: &RecommendConfig,
    datasets: &mut BTreeMap<WorkloadRef, Dataset>,
    now: Timestamp,
) -> anyhow::Result<()> {
    let cluster = Cluster::connect(config.cluster.context.as_deref()).await?;
    let observed = cluster.workloads(&config.prometheus.namespaces).await?;
    let existing: BTreeSet<&WorkloadRef> = observed.iter().map(|w| &w.workload).collect();
    datasets.retain(|workload, _| existing.contains(workload));
    for workload in &observed {
        let Some(dataset) = datasets.get_mut(&workload.workload) else {
            say(&format!("{} has no history in Prometheus and is left out", workload.workload));
            continue;
        };
        let replicas = vec![Some(f64::from(workload.replicas))];
        dataset.replicas = Series::new(now, Step::MINUTE, replicas).ok();
        for (container, claim) in &workload.containers {
            if let Some(usage) = dataset.containers.get_mut(container) {
                usage.claim = *claim;
            }
        }
    }
    anyhow::ensure!(
        !datasets.is_empty(),
        "no workload of the cluster has history in Prometheus; check --namespace and that both belong together"
    );
    Ok(())
}

/// The plan by forecasts, of the workers that are configured or else of workers trained here.
pub(crate) async fn predictive(
    config: &RecommendConfig,
    datasets: BTreeMap<WorkloadRef, Dataset>,
    now: Timestamp,
) -> anyhow::Result<Outcome> {
    let running = config.workers.discovery.is_on()
        || datasets.keys().any(|workload| config.workers.resolve(workload).is_some());
    if running {
        let coordinator = CoordinatorConfig {
            tls: config.tls.clone(),
            ..coordinator_config(config, &config.workers)
        };
        return Ok(run_with(&coordinator, datasets, now).await?);
    }
    let library = tempfile::tempdir().context("cannot make a temporary folder for the models")?;
    let worker_config =
        WorkerConfig { library: library.path().to_owned(), ..WorkerConfig::default() };
    let workers = EmbeddedWorkers::start(datasets.keys().cloned(), &worker_config).await?;
    say("no worker is configured: training one per workload here");
    let collector = Collector::new(
        Box::new(Collected(datasets.values().cloned().collect())),
        CollectorConfig {
            workers: workers.endpoints().clone(),
            training: TrainingConfig { concurrency: 64, ..config.training.clone() },
            ..CollectorConfig::default()
        },
    );
    collector.collect(now).await?;
    train_with_progress(&collector, now).await;
    let outcome = run_with(&coordinator_config(config, workers.endpoints()), datasets, now).await;
    workers.stop().await?;
    Ok(outcome?)
}

/// What a coordinator of workers in this process would be configured with.
pub(crate) fn coordinator_config(
    config: &RecommendConfig,
    workers: &WorkerEndpoints,
) -> CoordinatorConfig {
    CoordinatorConfig {
        workers: workers.clone(),
        call_graph: config.call_graph.clone(),
        cluster: config.cluster.clone(),
        policy: config.policy.clone(),
        slot_seconds: config.training.slot_seconds,
        fan_out: config.fan_out,
        ..CoordinatorConfig::default()
    }
}

/// What was collected already, as a source.
struct Collected(Vec<Dataset>);

impl MetricsSource for Collected {
    fn collect<'a>(
        &'a self,
        _: &'a Lookback,
    ) -> futures::future::BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
        Box::pin(async { Ok(self.0.clone()) })
    }

    fn describe(&self) -> String {
        "series collected before".to_owned()
    }
}
