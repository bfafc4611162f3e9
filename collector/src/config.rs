//! The collector's configuration.

use mora_core::Step;
use mora_runtime::WorkerEndpoints;
use serde::{Deserialize, Serialize};

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
    /// When and how workers are trained.
    pub training: TrainingConfig,
    /// Where workers listen.
    pub workers: WorkerEndpoints,
}

/// When and how workers are trained.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Hours after which the worker of a workload is sent its history again.
    pub every_hours: u32,
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
            training: TrainingConfig::default(),
            workers: WorkerEndpoints::default(),
        }
    }
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            every_hours: 24,
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
