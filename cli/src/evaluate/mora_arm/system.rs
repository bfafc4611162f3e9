//! The processes of MOrA for one run, served on loopback: model-workers, a collector of what the arm sees, and whoever asks them for plans.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::Timestamp;
use mora_collector::{Collector, CollectorConfig, Lookback, TrainingConfig, TrainingRound, serve};
use mora_coordinator::{
    ClusterConfig, CoordinatorConfig, FanOutConfig, Outcome, Workers, run_gated,
};
use mora_core::{Dataset, LimitPolicy, WorkloadRef};
use mora_model_worker::WorkerConfig;
use mora_planning::Policy;
use mora_runtime::{GrpcServer, ServeError, with_causes};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::MoraOptions;
use super::source::Observed;
use crate::embedded::{EmbeddedWorkers, LOOPBACK};

/// Longest time for anything that is asked of a worker: a run must not depend on how busy the machine is.
const PATIENCE_SECONDS: u64 = 4 * 3600;

/// Workers that are trained and a collector that trains them.
pub(super) struct Trainers {
    workers: EmbeddedWorkers,
    collector: Arc<Collector>,
    observed: Observed,
    fits_until: Timestamp,
}

impl Trainers {
    /// Workers of `workloads` with the models in `library`, and a collector that has seen nothing.
    pub(super) async fn start(
        options: &MoraOptions,
        library: &Path,
        workloads: impl IntoIterator<Item = WorkloadRef>,
    ) -> anyhow::Result<Self> {
        let worker_config = WorkerConfig {
            library: library.to_owned(),
            members: options.members.clone(),
            ..WorkerConfig::default()
        };
        let processors = options.processors.clone();
        let workers = EmbeddedWorkers::sharing(workloads, &worker_config, processors).await?;
        let config = CollectorConfig {
            lookback_hours: options.history_days * 24,
            training: TrainingConfig {
                seed: options.seed,
                // All jobs wait at the workers, which share this machine's processors.
                concurrency: 64,
                deadline_seconds: PATIENCE_SECONDS,
                ..TrainingConfig::default()
            },
            workers: workers.endpoints().clone(),
            ..CollectorConfig::default()
        };
        let observed = Observed::default();
        let collector = Arc::new(Collector::new(Box::new(observed.clone()), config));
        Ok(Self { workers, collector, observed, fits_until: options.fits_until })
    }

    /// Collects `datasets`, seen over `lookback`, and trains the workers that are due.
    ///
    /// Fails when a worker does: a run without it would be another one.
    pub(super) async fn observe(
        &self,
        lookback: Lookback,
        datasets: Vec<Dataset>,
    ) -> anyhow::Result<()> {
        self.observed.put(lookback, datasets);
        self.collector.collect(lookback.to).await?;
        if lookback.to > self.fits_until {
            return Ok(());
        }
        let TrainingRound { failed, trained, .. } = self.collector.train(lookback.to).await;
        if let Some(error) = failed.first() {
            let failures = failed.len();
            anyhow::bail!("{failures} model-workers were not trained: {}", with_causes(error));
        }
        tracing::debug!("{} model-workers have a new version", trained.len());
        Ok(())
    }

    /// Ends the workers.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        self.workers.stop().await
    }
}

/// All of MOrA, with a memory of its plans; ends when it is dropped.
pub(super) struct System {
    trainers: Trainers,
    asking: Workers,
    config: CoordinatorConfig,
    _serving: JoinSet<Result<(), ServeError>>,
    _folder: TempDir,
}

impl System {
    /// MOrA as `options` say, with `trainers`; what it remembers is kept in `folder`.
    pub(super) async fn start(
        options: &MoraOptions,
        trainers: Trainers,
        folder: TempDir,
    ) -> anyhow::Result<Self> {
        let server = GrpcServer::bind(LOOPBACK).await?;
        let config = CoordinatorConfig {
            collector: Some(format!("http://{}", server.address())),
            workers: trainers.workers.endpoints().clone(),
            policy: Policy {
                requests: options.requests,
                follow_recent_load: options.follow_recent_load,
                limits: LimitPolicy { cpu: options.limits, memory: options.limits },
                ..Policy::default()
            },
            state: Some(folder.path().join("state")),
            cluster: ClusterConfig {
                cpu_allocatable: Some(options.capacity.0),
                memory_allocatable: Some(options.capacity.1),
                ..ClusterConfig::default()
            },
            fan_out: patient(),
            ..CoordinatorConfig::default()
        };
        let mut serving = JoinSet::new();
        serving.spawn(serve(trainers.collector.clone(), server, CancellationToken::new()));
        let asking = Workers::kept(&config)?;
        Ok(Self { trainers, asking, config, _serving: serving, _folder: folder })
    }

    /// The plan at the end of `lookback`, over which `datasets` were seen.
    ///
    /// Fails when no plan can be made of them.
    pub(super) async fn plan(
        &self,
        lookback: Lookback,
        datasets: Vec<Dataset>,
    ) -> anyhow::Result<Outcome> {
        self.trainers.observe(lookback, datasets).await?;
        self.gated(lookback.to).await
    }

    async fn gated(&self, now: Timestamp) -> anyhow::Result<Outcome> {
        let outcome = Box::pin(run_gated(&self.asking, &self.config, now)).await?;
        let seen = (!outcome.datasets.is_empty()).then_some(outcome);
        // A coordinator would go on without history; a comparison must not.
        seen.context("the collector in this process did not answer in time; let fewer runs go at once, with --jobs")
    }
}

/// Every worker is waited for: one that is passed over because others run at the same time would make another run of it.
fn patient() -> FanOutConfig {
    let patience = PATIENCE_SECONDS * 1000;
    FanOutConfig {
        per_call_ms: patience,
        overall_ms: patience,
        hedge_factor: 0.0,
        straggler_share: 1.0,
        breaker_failures: 0,
        ..FanOutConfig::default()
    }
}
