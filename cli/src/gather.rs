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
use mora_core::{Dataset, Series, Step, WorkloadRef};
use mora_kubernetes::Cluster;
use mora_model_worker::WorkerConfig;
use mora_planning::Policy;
use mora_runtime::{TlsConfig, WorkerEndpoints, load_config};
use serde::{Deserialize, Serialize};

use crate::embedded::EmbeddedWorkers;
use crate::progress::{say, train_with_progress};

/// Where the history of which workloads comes from; each option is also a key of the configuration file.
#[derive(Debug, Args)]
pub(crate) struct SourceArguments {
    /// URL of the Prometheus, with its path prefix if it has one; `auto` finds it by the labels of Services
    #[arg(long, env = "PROMETHEUS_URL")]
    prometheus: Option<String>,
    /// Namespace to look at; may be repeated
    #[arg(long, short)]
    namespace: Vec<String>,
    /// File with a bearer token for Prometheus
    #[arg(long)]
    prometheus_token_file: Option<PathBuf>,
    /// File with the certificate authority of Prometheus, PEM
    #[arg(long)]
    prometheus_ca_file: Option<PathBuf>,
    /// Read what runs, with its requests, replicas, addresses and capacity, from the cluster of the current kubeconfig context
    #[arg(long)]
    cluster: bool,
    /// Context of the kubeconfig; implies --cluster
    #[arg(long)]
    context: Option<String>,
    /// Hours of history
    #[arg(long)]
    lookback_hours: Option<u32>,
    /// End of the history, RFC 3339; now when absent
    #[arg(long)]
    pub(crate) at: Option<Timestamp>,
    /// YAML configuration file
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
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
    let config = layered(arguments)?.with_prometheus()?;
    let now = arguments.at.unwrap_or_else(Timestamp::now);
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
    pub(crate) prometheus: PrometheusConfig,
    pub(crate) lookback_hours: u32,
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
            lookback_hours: 14 * 24,
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
    let mut config: RecommendConfig = load_config(arguments.config.as_deref())?;
    let prometheus = &mut config.prometheus;
    if let Some(url) = &arguments.prometheus {
        prometheus.url.clone_from(url);
    }
    if !arguments.namespace.is_empty() {
        prometheus.namespaces.clone_from(&arguments.namespace);
    }
    prometheus.bearer_token_file =
        arguments.prometheus_token_file.clone().or(prometheus.bearer_token_file.take());
    prometheus.ca_file = arguments.prometheus_ca_file.clone().or(prometheus.ca_file.take());
    config.cluster.kubernetes |= arguments.cluster || arguments.context.is_some();
    config.cluster.context = arguments.context.clone().or(config.cluster.context.take());
    config.lookback_hours = arguments.lookback_hours.unwrap_or(config.lookback_hours);
    Ok(config)
}

impl RecommendConfig {
    /// Itself, if it names a Prometheus and a namespace.
    pub(crate) fn with_prometheus(self) -> anyhow::Result<Self> {
        anyhow::ensure!(
            !self.prometheus.url.is_empty(),
            "no Prometheus is named; give its URL with --prometheus or the key `prometheus.url`"
        );
        anyhow::ensure!(
            !self.prometheus.namespaces.is_empty(),
            "no namespace is named; give at least one with --namespace or the key `prometheus.namespaces`"
        );
        Ok(self)
    }
}

/// The history of every workload in the namespaces, up to `now`.
pub(crate) async fn collect(
    config: &RecommendConfig,
    now: Timestamp,
) -> anyhow::Result<BTreeMap<WorkloadRef, Dataset>> {
    let prometheus = config.prometheus.clone();
    let prometheus = prometheus.located(config.cluster.context.as_deref()).await?;
    let source = PrometheusSource::new(prometheus)?;
    say(&format!("reading {} h of history from {}", config.lookback_hours, source.describe()));
    let step = Step::from_seconds(config.step_seconds).unwrap_or(Step::MINUTE);
    let to = step.floor(now);
    let from = to - SignedDuration::from_hours(i64::from(config.lookback_hours));
    let datasets = source.collect(&Lookback { from, to, step }).await?;
    Ok(datasets.into_iter().map(|dataset| (dataset.workload.clone(), dataset)).collect())
}

/// Takes claims and replicas from the cluster and leaves out what no longer exists there.
async fn merge_cluster(
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
