//! The load that is put on the application.

use std::path::PathBuf;
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::Foreign;

/// One load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOrder {
    /// What the users do; the name of a load plan.
    pub scenario: String,
    /// Concurrent users.
    pub users: u32,
    /// Time in which the users begin one after another.
    pub ramp: Duration,
    /// How long the load lasts, ramp included.
    pub duration: Duration,
    /// Where the load's own files go; it does not exist yet.
    pub folder: PathBuf,
}

/// What a load did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadResult {
    /// When its first request began.
    pub started: Timestamp,
    /// When its last request ended.
    pub ended: Timestamp,
    /// Requests that were answered or failed.
    pub samples: u64,
    /// Those that failed, or whose answer was wrong.
    pub errors: u64,
    /// Requests per second between the two instants.
    pub throughput: f64,
    /// 95 % of the requests took no longer, in milliseconds.
    pub p95_ms: f64,
    /// What made the load, with its version.
    pub by: String,
}

impl LoadResult {
    /// Share of requests that failed, in [0, 1]; 0 without requests.
    #[must_use]
    pub fn error_ratio(&self) -> f64 {
        if self.samples == 0 { 0.0 } else { self.errors as f64 / self.samples as f64 }
    }
}

/// Something that puts load on the application.
pub trait Load: Send + Sync {
    /// Puts the load of `order` on it, to its end or until `stop`, after which nothing of it runs any more.
    ///
    /// Fails when the load cannot be made, or was stopped.
    fn run<'a>(
        &'a self,
        order: &'a LoadOrder,
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<LoadResult, Foreign>>;
}
