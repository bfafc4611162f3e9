//! The bounds of a fan-out.

use std::time::Duration;

/// Bounds of one fan-out, and when a worker is left alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FanOutLimits {
    /// Longest time for one call.
    pub per_call: Duration,
    /// Longest time for all workers together.
    pub overall: Duration,
    /// Most workers asked at once; 0 counts as 1.
    pub concurrency: usize,
    /// How often a call that failed for a passing reason is repeated.
    pub retries: u32,
    /// Repetitions for all workers together, as a share of their number; ten are always allowed.
    pub retry_share: f64,
    /// A second call is made when the first has taken this many times as long as nineteen in twenty of the others; 0 for never.
    pub hedge_factor: f64,
    /// Second calls for all workers together, as a share of their number, rounded up.
    pub hedge_share: f64,
    /// The share of workers that must have answered before the time of the rest is bounded; 1 or more for never.
    pub straggler_share: f64,
    /// The rest have this many times as long as that share took, while answers come.
    pub straggler_factor: f64,
    /// The least the rest have beyond that share, where a hundred answered; ten times as long where ten did, a third where 300 did.
    pub straggler_least: Duration,
    /// Failures in a row after which a worker is left alone; 0 for never.
    pub breaker_failures: u32,
    /// How long it is left alone before it is tried again.
    pub breaker_pause: Duration,
}

impl Default for FanOutLimits {
    fn default() -> Self {
        Self {
            per_call: Duration::from_secs(3),
            overall: Duration::from_secs(15),
            // A process may often open no more than 1,024 files.
            concurrency: 768,
            retries: 1,
            retry_share: 0.2,
            hedge_factor: 1.1,
            hedge_share: 0.05,
            straggler_share: 0.95,
            straggler_factor: 1.25,
            straggler_least: Duration::from_millis(150),
            breaker_failures: 5,
            breaker_pause: Duration::from_secs(30),
        }
    }
}
