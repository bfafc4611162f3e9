//! The collector's loop: collect, keep, train, wait.

mod nodes;

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Lookback, Step, WorkloadRef};
use mora_discovery::discover;
use mora_proto::v1;
use mora_runtime::{Security, ServerLimits, with_causes};
use mora_store::{Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::MetricsSource;
use crate::config::CollectorConfig;
use crate::error::CollectError;
use crate::history::{History, blocking, guard};
use crate::incremental::{self, Wanted, observations};
use crate::metrics::CollectorMetrics;
use crate::records::{Record, Records};
use crate::report::DatasetReport;
use crate::schedule::{ByAge, Due, Trained};
use crate::train::{TrainError, TrainingData, TrainingOptions, train_worker};

/// How often is looked whether a workload has changed: its last day has to be read for that.
const LOOK_EVERY: SignedDuration = SignedDuration::from_hours(1);

/// Collects from one source and trains the workers of what it finds.
pub struct Collector {
    source: Box<dyn MetricsSource>,
    config: CollectorConfig,
    history: History,
    records: Records,
    metrics: CollectorMetrics,
    security: Security,
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
    /// Workloads whose data may not be learned from, with the reasons.
    pub rejected: Vec<(WorkloadRef, Vec<String>)>,
    /// What failed.
    pub failed: Vec<TrainError>,
}

/// What is known of one workload.
#[derive(Debug, Clone)]
pub struct WorkloadState {
    /// What was observed over the newest lookback.
    pub dataset: Arc<Dataset>,
    /// How good that is.
    pub report: DatasetReport,
    /// Its newest training job; `None` before the first of this process.
    pub job: Option<v1::TrainingJob>,
    /// What its worker was last trained with.
    pub trained: Option<Trained>,
    /// Why its worker will be trained next; `None` where it need not be yet.
    pub due: Option<Due>,
}

impl Collector {
    /// A collector of `source` that has seen nothing yet and keeps the newest lookback in memory and speaks in plain
    /// text, whatever `config` says.
    #[must_use]
    pub fn new(source: Box<dyn MetricsSource>, config: CollectorConfig) -> Self {
        let (history, records) = (History::in_memory(), Records::in_memory());
        let (metrics, security) = (CollectorMetrics::default(), Security::default());
        Self { source, config, history, records, metrics, security }
    }

    /// A collector of `source` that keeps what it collects where `config` says, and speaks as it says.
    ///
    /// Fails when the store cannot be opened and when the configuration or a certificate cannot be used.
    pub fn open(
        source: Box<dyn MetricsSource>,
        config: CollectorConfig,
    ) -> Result<Self, CollectError> {
        config.store.chunk()?;
        config.quality.checked().map_err(CollectError::Quality)?;
        let security = Security::open(config.tls.as_ref())?;
        let Some(path) = config.store.path.clone() else {
            return Ok(Self { security, ..Self::new(source, config) });
        };
        let store = Arc::new(Store::open(&path)?);
        tracing::info!("keeping what is collected in {}", path.display());
        let records = Records::open(&path)?;
        let metrics = CollectorMetrics::default();
        Ok(Self { source, config, history: History::kept(store), records, metrics, security })
    }

    /// How workers, and who calls it, are spoken to.
    pub(crate) const fn security(&self) -> &Security {
        &self.security
    }

    /// What its server takes from its clients at most.
    pub(crate) const fn limits(&self) -> ServerLimits {
        self.config.limits
    }

    /// Figures of what it does.
    #[must_use]
    pub const fn metrics(&self) -> &CollectorMetrics {
        &self.metrics
    }

    /// Collects what is new until `now`, or where the source ends, rounded down to a step; gives the number of workloads.
    ///
    /// Without a store that is the whole lookback. Fails when the source does or nothing at all was found; what was
    /// collected before stays.
    pub async fn collect(&self, now: Timestamp) -> Result<usize, CollectError> {
        let began = std::time::Instant::now();
        let collected = match &self.history {
            History::Memory(_) => self.collect_anew(now).await,
            History::Kept { store, .. } => self.collect_more(store, now).await,
        };
        self.metrics.collected(collected.as_ref().ok().copied(), began.elapsed());
        collected?;
        Ok(self.history.workloads().len())
    }

    /// Observations collected.
    async fn collect_anew(&self, now: Timestamp) -> Result<usize, CollectError> {
        let lookback = self.lookback(self.source.newest(now));
        let datasets = self.source.collect(&lookback).await?;
        let samples = datasets.iter().map(observations).sum();
        if let History::Memory(kept) = &self.history {
            let datasets = datasets.into_iter().map(|d| (d.workload.clone(), Arc::new(d)));
            guard(kept).extend(datasets);
        }
        Ok(samples)
    }

    async fn collect_more(
        &self,
        store: &Arc<Store>,
        now: Timestamp,
    ) -> Result<usize, CollectError> {
        let settled = SignedDuration::from_secs(i64::from(self.config.store.settle_seconds));
        let newest = self.source.newest(now).min(now.saturating_sub(settled).unwrap_or(now));
        let wanted = Wanted { lookback: self.lookback(newest), chunk: self.config.store.chunk()? };
        let brought = incremental::collect(self.source.as_ref(), store, wanted).await?;
        tracing::info!("{} observations in {} chunks are new", brought.samples, brought.chunks);
        if let History::Kept { lookback, .. } = &self.history {
            *guard(lookback) = Some(wanted.lookback);
        }
        if store.workloads().is_empty() {
            // Only the whole knows why there is nothing.
            let hour = SignedDuration::from_hours(1);
            let from = wanted.lookback.to.saturating_sub(hour).unwrap_or(wanted.lookback.from);
            self.source.collect(&Lookback { from, ..wanted.lookback }).await?;
        }
        self.tidy(store.clone(), now).await?;
        Ok(brought.samples)
    }

    /// Compacts and forgets.
    async fn tidy(&self, store: Arc<Store>, now: Timestamp) -> Result<(), CollectError> {
        let days = i64::from(self.config.store.retention_days);
        let oldest = now.saturating_sub(SignedDuration::from_hours(24 * days)).ok();
        let oldest = oldest.filter(|_| days > 0);
        let size = blocking(move || {
            store.compact()?;
            oldest.map(|oldest| store.forget_before(oldest)).transpose()?;
            store.size()
        });
        self.metrics.stored(size.await?);
        Ok(())
    }

    fn lookback(&self, newest: Timestamp) -> Lookback {
        let step = self.config.step();
        let to = step.floor(newest);
        let hours = SignedDuration::from_hours(i64::from(self.config.lookback_hours));
        Lookback { from: to.saturating_sub(hours).unwrap_or(to), to, step }
    }

    /// Sends every worker that has an address and is due for it its history, several at once. A worker whose version is
    /// not due for a new fit keeps it.
    pub async fn train(&self, now: Timestamp) -> TrainingRound {
        let training = &self.config.training;
        let found = discover(&self.config.workers, &self.security).await;
        for warning in &found.warnings {
            tracing::warn!("{warning}");
        }
        let mut round = TrainingRound::default();
        let mut jobs = Vec::new();
        for workload in self.history.workloads() {
            match found.workers.resolve(&workload) {
                Some(endpoint) if self.may_be_due(&workload, now) => {
                    jobs.push(self.train_one(endpoint, workload, now));
                }
                Some(_) => {}
                None => round.without_worker.push(workload),
            }
        }
        let mut jobs = futures::stream::iter(jobs).buffer_unordered(training.concurrency.max(1));
        while let Some((workload, ended)) = jobs.next().await {
            round.take(workload, ended);
        }
        drop(jobs);
        if let Err(error) = self.records.save() {
            tracing::error!("what was trained is not remembered: {}", with_causes(&error));
        }
        self.metrics.trained(&round);
        round
    }

    /// Whether the data of `workload` has to be looked at to tell.
    fn may_be_due(&self, workload: &WorkloadRef, now: Timestamp) -> bool {
        let Record { trained, looked, .. } = self.records.of(workload);
        match self.config.training.due_by_age(trained.as_ref(), now) {
            ByAge::Due(_) => true,
            ByAge::TooEarly => false,
            ByAge::Open => looked.is_none_or(|looked| now.duration_since(looked) >= LOOK_EVERY),
        }
    }

    /// Trains the worker of `workload` if its data says so.
    async fn train_one(
        &self,
        endpoint: String,
        workload: WorkloadRef,
        now: Timestamp,
    ) -> (WorkloadRef, Ended) {
        let ended = match self.history.dataset(&workload).await {
            Err(error) => Ended::Unreadable(error),
            Ok(None) => Ended::NotDue,
            Ok(Some(dataset)) => self.train_with(&endpoint, &dataset, now).await,
        };
        (workload, ended)
    }

    async fn train_with(&self, endpoint: &str, dataset: &Dataset, now: Timestamp) -> Ended {
        let report = DatasetReport::of(dataset, &self.config.quality);
        let (seen, faults) = (Trained::with(dataset, now), report.faults());
        let due =
            self.config.training.due(self.records.of(&dataset.workload).trained.as_ref(), &seen);
        self.records.change(&dataset.workload, |record| record.looked = Some(now));
        let Some(due) = due else { return Ended::NotDue };
        if !faults.is_empty() {
            return Ended::Rejected(faults);
        }
        tracing::debug!(workload = %dataset.workload, "training: {due}");
        match self.send(endpoint, self.data(dataset, &report)).await {
            Err(error) => Ended::Failed(error),
            Ok(job) => {
                tracing::info!(workload = %dataset.workload, version = %job.version, "{}", job.message);
                self.records.change(&dataset.workload, |record| record.trained = Some(seen));
                Ended::Done(job.state())
            }
        }
    }

    /// What of `dataset` is learned from.
    fn data(&self, dataset: &Dataset, report: &DatasetReport) -> TrainingData {
        let leave_out = &self.config.training.leave_out;
        let marks = report.marks.iter().filter(|mark| leave_out.contains(&mark.kind));
        let marks: Vec<_> = marks.cloned().collect();
        let mut data = TrainingData::from(dataset);
        let accepted: Vec<_> = report.accepted().collect();
        data.signals.retain(|signal, _| accepted.contains(signal));
        for series in data.signals.values_mut() {
            *series = series.without(&marks);
        }
        data
    }

    async fn send(
        &self,
        endpoint: &str,
        data: TrainingData,
    ) -> Result<v1::TrainingJob, TrainError> {
        let training = &self.config.training;
        let options = TrainingOptions {
            slot: Step::from_seconds(training.slot_seconds).unwrap_or(Step::HOUR),
            seed: training.seed,
            deadline: Duration::from_secs(training.deadline_seconds),
            force: training.force,
        };
        let workload = data.workload.clone();
        let mut observe = |job: &v1::TrainingJob| {
            self.records.change(&workload, |record| record.job = Some(job.clone()));
        };
        train_worker(endpoint, &self.security, data, options, &mut observe).await
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

    /// The workloads of which anything is known, in order, with their newest training jobs.
    #[must_use]
    pub fn jobs(&self) -> Vec<(WorkloadRef, Option<v1::TrainingJob>)> {
        let workloads = self.history.workloads().into_iter();
        workloads.map(|workload| (workload.clone(), self.records.of(&workload).job)).collect()
    }

    /// The dataset of `workload` over the newest lookback; `None` where nothing was observed.
    ///
    /// Fails when the store cannot be read.
    pub async fn dataset(
        &self,
        workload: &WorkloadRef,
    ) -> Result<Option<Arc<Dataset>>, StoreError> {
        self.history.dataset(workload).await
    }

    /// What is known of `workload`; `None` where nothing was observed.
    ///
    /// Fails when the store cannot be read.
    pub async fn state(&self, workload: &WorkloadRef) -> Result<Option<WorkloadState>, StoreError> {
        let Some(dataset) = self.history.dataset(workload).await? else { return Ok(None) };
        let Record { job, trained, .. } = self.records.of(workload);
        let now = self.config.step().floor(Timestamp::now());
        let due = self.config.training.due(trained.as_ref(), &Trained::with(&dataset, now));
        let report = DatasetReport::of(&dataset, &self.config.quality);
        Ok(Some(WorkloadState { dataset, report, job, trained, due }))
    }
}

/// How the training of one workload ended.
enum Ended {
    Done(v1::TrainingState),
    NotDue,
    Rejected(Vec<String>),
    Unreadable(StoreError),
    Failed(TrainError),
}

impl TrainingRound {
    fn take(&mut self, workload: WorkloadRef, ended: Ended) {
        match ended {
            Ended::Done(v1::TrainingState::Kept) => self.kept.push(workload),
            Ended::Done(_) => self.trained.push(workload),
            Ended::NotDue => {}
            Ended::Rejected(faults) => self.rejected.push((workload, faults)),
            Ended::Unreadable(source) => self.failed.push(TrainError::Store { workload, source }),
            Ended::Failed(error) => self.failed.push(error),
        }
    }
}

/// Logs what a round of training did.
pub fn log_round(round: &TrainingRound) {
    for error in &round.failed {
        tracing::error!("{}", with_causes(error));
    }
    for (workload, faults) in &round.rejected {
        tracing::warn!(%workload, "is not trained, its data is not good enough: {}", faults.join("; "));
    }
    for workload in &round.without_worker {
        tracing::warn!(%workload, "has no worker; add it to workers.endpoints, or set workers.endpoint_pattern or workers.discovery");
    }
    let (trained, kept, failed) = (round.trained.len(), round.kept.len(), round.failed.len());
    let rejected = round.rejected.len();
    if trained + kept + failed + rejected > 0 {
        tracing::info!(
            "training round done: {trained} trained, {kept} kept, {rejected} rejected, {failed} failed"
        );
    }
}
