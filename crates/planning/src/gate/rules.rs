//! What the operator decides about changes: how large, how often, how many, and when one is taken back.

use jiff::SignedDuration;
use mora_core::{Bytes, Millicores};
use serde::{Deserialize, Deserializer, Serialize};

use super::resource::Resource;
use crate::Share;

/// How fast what is in force may follow the targets of a plan. As a file, every key can be left out and an
/// unknown one is an error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GateRules {
    /// Differences up to this share of the request in force are left alone; 0.1.
    pub dead_band: Share,
    /// CPU differences up to this amount are left alone; 10m, so that tiny containers do not flap.
    pub cpu_dead_band: Millicores,
    /// Memory differences up to this amount are left alone; 16 MiB.
    pub memory_dead_band: Bytes,
    /// Most that a decrease takes away at once, as a share of the request in force; 0.2.
    pub decrease_step: Share,
    /// Runs in a row that must want a decrease before it is made; 2.
    pub agreeing_runs: u32,
    /// Least time between two changes of a workload; 30.
    pub cool_down_minutes: u32,
    /// Most workloads changed in a run; 10.
    pub changes_per_run: u32,
    /// The same as a share of the plan's workloads, but never less than one of them; 1.
    pub changes_per_run_share: Share,
    /// How long nothing of a workload is lowered after a decrease that did harm; 24.
    pub hold_hours: u32,
    /// When a decrease counts as harmful.
    pub regression: RegressionRules,
}

/// When a decrease counts as harmful: what the workload did since, against what it did before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegressionRules {
    /// How long a decrease is watched; 24, so that every hour of the day is seen.
    pub watch_hours: u32,
    /// How much of the newest past is compared; 60.
    pub window_minutes: u32,
    /// Least observations on either side of the comparison; 10.
    pub min_samples: u32,
    /// Latency p95 worse by more than this share of what it was; 0.25. At least 0.
    #[serde(deserialize_with = "at_least_zero")]
    pub latency_ratio: f64,
    /// And by more than this, in milliseconds; 5. At least 0.
    #[serde(deserialize_with = "at_least_zero")]
    pub latency_least_ms: f64,
    /// Or the error ratio higher by more than this; 0.01.
    pub error_ratio: Share,
}

impl Default for GateRules {
    fn default() -> Self {
        Self {
            dead_band: share(0.1),
            cpu_dead_band: Millicores::new(10),
            memory_dead_band: Bytes::from_mebibytes(16),
            decrease_step: share(0.2),
            agreeing_runs: 2,
            cool_down_minutes: 30,
            changes_per_run: 10,
            changes_per_run_share: share(1.0),
            hold_hours: 24,
            regression: RegressionRules::default(),
        }
    }
}

impl Default for RegressionRules {
    fn default() -> Self {
        Self {
            watch_hours: 24,
            window_minutes: 60,
            min_samples: 10,
            latency_ratio: 0.25,
            latency_least_ms: 5.0,
            error_ratio: share(0.01),
        }
    }
}

fn share(value: f64) -> Share {
    Share::new(value).expect("the defaults are shares")
}

fn at_least_zero<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    let valid = value.is_finite() && value >= 0.0;
    valid.then_some(value).ok_or_else(|| serde::de::Error::custom("must be at least 0"))
}

impl GateRules {
    /// Workloads that may change in a run over a plan of `workloads`.
    pub(super) fn budget(&self, workloads: usize) -> usize {
        let share = (workloads as f64 * self.changes_per_run_share.get()).floor() as usize;
        share.max(1).min(self.changes_per_run as usize)
    }

    /// The largest difference from `current` that is left alone.
    pub(super) fn dead_band(&self, resource: Resource, current: u64) -> u64 {
        let least = match resource {
            Resource::Cpu => self.cpu_dead_band.get(),
            Resource::Memory => self.memory_dead_band.get(),
        };
        ((current as f64 * self.dead_band.get()).floor() as u64).max(least)
    }

    /// The lowest request that one decrease may lead to from `current`.
    pub(super) fn step_down(&self, resource: Resource, current: u64) -> u64 {
        let grain = resource.grain();
        // Less than the smallest unit would never get anywhere.
        let step = ((current as f64 * self.decrease_step.get()).floor() as u64).max(grain);
        (current.saturating_sub(step).div_ceil(grain) * grain).min(current)
    }

    pub(super) fn cool_down(&self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.cool_down_minutes))
    }

    pub(super) fn hold(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.hold_hours))
    }
}

impl RegressionRules {
    pub(super) fn watch(&self) -> SignedDuration {
        SignedDuration::from_hours(i64::from(self.watch_hours))
    }

    pub(super) fn window(&self) -> SignedDuration {
        SignedDuration::from_mins(i64::from(self.window_minutes))
    }
}
