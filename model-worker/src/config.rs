//! The worker's configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::RetrainPolicy;

/// How a worker fits and keeps its models; see `docs/configuration.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WorkerConfig {
    /// Directory of the model library, shared by all workers.
    pub library: PathBuf,
    /// Versions kept per workload, at least 1; older ones are removed when a new one is kept.
    pub keep_versions: usize,
    /// Rolling origins of the back-test, at most.
    pub origins: usize,
    /// Slots the members learn to forecast at once; longer horizons are answered without the LSTM's help.
    pub horizon_slots: usize,
    /// By how much the loss of a new version may exceed that of the one that serves, as a share, before it is
    /// rejected.
    pub challenger_tolerance: f64,
    /// When an upload is worth a fit.
    pub retrain: RetrainPolicy,
}

impl Default for WorkerConfig {
    fn default() -> Self {
        Self {
            library: PathBuf::from("models"),
            keep_versions: 5,
            origins: 14,
            horizon_slots: 24,
            challenger_tolerance: 0.02,
            retrain: RetrainPolicy::default(),
        }
    }
}
