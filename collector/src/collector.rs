//! The collector's loop: collect, keep, train, wait.

mod nodes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Step, WorkloadRef};
use mora_discovery::discover;
use mora_proto::v1;
use mora_runtime::with_causes;
use tokio_util::sync::CancellationToken;

use crate::config::{CollectorConfig, TrainingConfig};
use crate::train::{TrainError, TrainingOptions, train_worker};
use crate::{Lookback, MetricsSource, SourceError};

/// What is known of one workload.
#[derive(Debug, Clone, Default)]
struct Record {
    dataset: Option<Arc<Dataset>>,
    training: Option<v1::TrainingJob>,
    trained_at: Option<Timestamp>,
}

/// Collects from one source and trains the workers of what it finds.
pub struct Collector {
    source: Box<dyn MetricsSource>,
    config: CollectorConfig,
    records: Mutex<BTreeMap<WorkloadRef, Record>>,
}

/// How one round of training went.
#[derive(Debug, Default)]
pub struct TrainingRound {
    /// Workloads whose worker published or refused a version.
    pub trained: Vec<WorkloadRef>,
    /// Workloads whose worker keeps its version, which is not due for a new fit.
    pub kept: Vec<WorkloadRef>,
    /// Workloads without a worker address.
    pub without_worker: Vec<WorkloadRef>,
    /// What failed.
    pub failed: Vec<TrainError>,
}

impl Collector {
    /// A collector of `source` that has seen nothing yet.
    #[must_use]
    pub fn new(source: Box<dyn MetricsSource>, config: CollectorConfig) -> Self {
        Self { source, config, records: Mutex::default() }
    }

    /// Collects the lookback that ends at `now`, or where the source ends, rounded down to a step; gives
    /// the number of workloads.
    ///
    /// Fails when the source does; what was collected before stays.
    pub async fn collect(&self, now: Timestamp) -> Result<usize, SourceError> {
        let step = self.config.step();
        let to = step.floor(self.source.newest(now));
        let from = to - SignedDuration::from_hours(i64::from(self.config.lookback_hours));
        let datasets = self.source.collect(&Lookback { from, to, step }).await?;
        let mut records = self.records();
        let count = datasets.len();
        for dataset in datasets {
            let record = records.entry(dataset.workload.clone()).or_default();
            record.dataset = Some(Arc::new(dataset));
        }
        Ok(count)
    }

    /// Sends every worker that has an address its history, unless it got it within the configured time, several at
    /// once. A worker whose version is not due for a new fit keeps it.
    pub async fn train(&self, now: Timestamp) -> TrainingRound {
        let training = &self.config.training;
        let found = discover(&self.config.workers).await;
        for warning in &found.warnings {
            tracing::warn!("{warning}");
        }
        let mut round = TrainingRound::default();
        let mut due = Vec::new();
        for (workload, record) in self.records().iter() {
            let Some(dataset) = record.dataset.clone().filter(|_| is_due(record, training, now))
            else {
                continue;
            };
            match found.workers.resolve(workload) {
                Some(endpoint) => due.push((endpoint, dataset)),
                None => round.without_worker.push(workload.clone()),
            }
        }
        let jobs = due.into_iter().map(|(endpoint, dataset)| async move {
            (dataset.workload.clone(), self.train_one(&endpoint, &dataset, now).await)
        });
        let mut jobs = futures::stream::iter(jobs).buffer_unordered(training.concurrency.max(1));
        while let Some((workload, ended)) = jobs.next().await {
            match ended {
                Ok(v1::TrainingState::Kept) => round.kept.push(workload),
                Ok(_) => round.trained.push(workload),
                Err(error) => round.failed.push(error),
            }
        }
        round
    }

    async fn train_one(
        &self,
        endpoint: &str,
        dataset: &Dataset,
        now: Timestamp,
    ) -> Result<v1::TrainingState, TrainError> {
        let training = &self.config.training;
        let options = TrainingOptions {
            slot: Step::from_seconds(training.slot_seconds).unwrap_or(Step::HOUR),
            seed: training.seed,
            deadline: Duration::from_secs(training.deadline_seconds),
            force: training.force,
        };
        let mut observe = |job: &v1::TrainingJob| {
            let mut records = self.records();
            records.entry(dataset.workload.clone()).or_default().training = Some(job.clone());
        };
        let job = train_worker(endpoint, dataset, options, &mut observe).await?;
        tracing::info!(workload = %dataset.workload, version = %job.version, "{}", job.message);
        self.records().entry(dataset.workload.clone()).or_default().trained_at = Some(now);
        Ok(job.state())
    }

    /// Collects and trains again and again until `stop` is cancelled; a round that fails is logged, and
    /// the next one tries again.
    pub async fn run(&self, stop: &CancellationToken) {
        let pause = Duration::from_secs(self.config.collect_every_seconds.max(1));
        while stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let round = async {
                let now = Timestamp::now();
                match self.collect(now).await {
                    Ok(_) => log_round(&self.train(now).await),
                    Err(error) => tracing::error!("collection failed: {}", with_causes(&error)),
                }
            };
            if stop.run_until_cancelled(round).await.is_none() {
                return;
            }
        }
    }

    /// The dataset of `workload`, as last collected.
    #[must_use]
    pub fn dataset(&self, workload: &WorkloadRef) -> Option<Arc<Dataset>> {
        self.records().get(workload)?.dataset.clone()
    }

    /// Every workload with its dataset and its newest training job, in order.
    #[must_use]
    pub fn workloads(&self) -> Vec<(Arc<Dataset>, Option<v1::TrainingJob>)> {
        let records = self.records();
        records.values().filter_map(|r| Some((r.dataset.clone()?, r.training.clone()))).collect()
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn records(&self) -> MutexGuard<'_, BTreeMap<WorkloadRef, Record>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_due(record: &Record, training: &TrainingConfig, now: Timestamp) -> bool {
    let every = SignedDuration::from_hours(i64::from(training.every_hours));
    record.trained_at.is_none_or(|trained| now.duration_since(trained) >= every)
}

/// Logs what a round of training did.
pub fn log_round(round: &TrainingRound) {
    for error in &round.failed {
        tracing::error!("{}", with_causes(error));
    }
    for workload in &round.without_worker {
        tracing::warn!(%workload, "has no worker; add it to workers.endpoints, or set workers.endpoint_pattern or workers.discovery");
    }
    let (trained, kept, failed) = (round.trained.len(), round.kept.len(), round.failed.len());
    if trained + kept + failed > 0 {
        tracing::info!("training round done: {trained} trained, {kept} kept, {failed} failed");
    }
}
