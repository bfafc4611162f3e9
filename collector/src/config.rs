//! The collector's configuration.

use std::path::PathBuf;

use jiff::SignedDuration;
use mora_core::{MarkKind, QualityGates, Step};
use mora_runtime::{ServerLimits, TlsConfig, WorkerEndpoints};
use serde::{Deserialize, Serialize};

use crate::error::CollectError;
use crate::source::SourceConfig;

/// What to collect and whom to train; see `docs/configuration.md`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CollectorConfig {
    /// Where the metrics come from.
    pub source: SourceConfig,
    /// How much history is collected, in hours.
    pub lookback_hours: u32,
    /// Spacing of samples, in seconds; 0 is read as 60.
    pub step_seconds: u32,
    /// Time between two collections, in seconds.
    pub collect_every_seconds: u64,
    /// Where what was collected is kept.
    pub store: StoreConfig,
    /// What a dataset must keep to be learned from; usage need not be flat, so the gate on stability is off unless set.
    pub quality: QualityGates,
    /// When and how workers are trained.
    pub training: TrainingConfig,
    /// Where workers listen.
    pub workers: WorkerEndpoints,
    /// Certificates; absent for plain text.
    pub tls: Option<TlsConfig>,
    /// What the server takes from its clients at most.
    pub limits: ServerLimits,
}

/// Where and how long what was collected is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StoreConfig {
    /// Folder; without one the newest lookback is kept in memory and collected anew each time.
    pub path: Option<PathBuf>,
    /// Days after which what was collected is removed; 0 for never.
    pub retention_days: u32,
    /// Longest time that is collected and committed at once, in hours: a divisor of 24.
    pub chunk_hours: u32,
    /// How long a step is left to settle before it is collected, in seconds: what is scraped late is never asked for again.
    pub settle_seconds: u32,
}

/// When and how workers are trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Hours after which the worker of a workload is trained again.
    pub every_hours: u32,
    /// Hours after which it is trained again when the workload has changed or has much more history.
    pub pause_hours: u32,
    /// How far the mean CPU of a day must lie outside those of the days it was trained with to be a change: 0.5 is half as much
    /// again as on the largest, or two thirds of the smallest.
    pub drift_ratio: f64,
    /// Times left out of what is learned from.
    pub leave_out: Vec<MarkKind>,
    /// Workers trained at once.
    pub concurrency: usize,
    /// Width of the slots to forecast, in seconds: a divisor of a day from 900 to 86,400.
    pub slot_seconds: u32,
    /// Longest time for one job, in seconds.
    pub deadline_seconds: u64,
    /// Seed of everything random in a fit.
    pub seed: u64,
    /// Fit even where a worker's version is not due for it.
    pub force: bool,
}

impl Default for CollectorConfig {
    fn default() -> Self {
        Self {
            source: SourceConfig::default(),
            lookback_hours: 14 * 24,
            step_seconds: 60,
            collect_every_seconds: 300,
            store: StoreConfig::default(),
            quality: QualityGates::default().without_stability(),
            training: TrainingConfig::default(),
            workers: WorkerEndpoints::default(),
            tls: None,
            limits: ServerLimits::default(),
        }
    }
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: None, retention_days: 180, chunk_hours: 12, settle_seconds: 120 }
    }
}

impl StoreConfig {
    /// The longest chunk; fails when it does not divide a day.
    pub(crate) fn chunk(&self) -> Result<SignedDuration, CollectError> {
        let hours = self.chunk_hours;
        if (1..=24).contains(&hours) && 24 % hours == 0 {
            return Ok(SignedDuration::from_hours(i64::from(hours)));
        }
        let problem = format!("{hours} does not divide a day; write 1, 2, 3, 4, 6, 8, 12 or 24");
        Err(CollectError::Setting { key: "store.chunk_hours", problem })
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            every_hours: 24,
            pause_hours: 6,
            drift_ratio: 0.5,
            leave_out: Vec::new(),
            concurrency: 4,
            slot_seconds: 3600,
            deadline_seconds: 600,
            seed: 1,
            force: false,
        }
    }
}

impl CollectorConfig {
    /// The spacing of samples.
    #[must_use]
    pub fn step(&self) -> Step {
        Step::from_seconds(self.step_seconds).unwrap_or(Step::MINUTE)
    }
}
