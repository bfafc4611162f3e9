//! How well a workload does, as it is observed but not forecast.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A measured quality of one workload, over all its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Share of the scheduler's periods in which a container was held back by its CPU limit, in [0, 1].
    ThrottledRatio,
    /// The latency that 95 % of requests stay below, in seconds.
    LatencyP95,
    /// Share of requests that failed, in [0, 1].
    ErrorRatio,
}

impl Indicator {
    /// All indicators, in the order they are reported.
    pub const ALL: [Self; 3] = [Self::ThrottledRatio, Self::LatencyP95, Self::ErrorRatio];

    /// The indicator's name in files, flags and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThrottledRatio => "throttled_ratio",
            Self::LatencyP95 => "latency_p95",
            Self::ErrorRatio => "error_ratio",
        }
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
