//! How well a workload does, as it is observed but not forecast.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A measured quality of one workload, over all its pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Indicator {
    /// Share of the scheduler's periods in which a container was held back by its CPU limit, in [0, 1].
    ThrottledRatio,
    /// The latency that half of the requests stay below, in seconds.
    LatencyP50,
    /// The latency that 95 % of requests stay below, in seconds.
    LatencyP95,
    /// The latency that 99 % of requests stay below, in seconds.
    LatencyP99,
    /// Share of requests that failed, in [0, 1].
    ErrorRatio,
    /// What all pods receive over the network, in bytes per second.
    NetworkReceive,
    /// What all pods send over the network, in bytes per second.
    NetworkTransmit,
    /// How often containers were started again within a step, over all pods.
    Restarts,
}

impl Indicator {
    /// All indicators, in the order they are reported.
    pub const ALL: [Self; 8] = [
        Self::ThrottledRatio,
        Self::LatencyP50,
        Self::LatencyP95,
        Self::LatencyP99,
        Self::ErrorRatio,
        Self::NetworkReceive,
        Self::NetworkTransmit,
        Self::Restarts,
    ];

    /// The indicator's name in files, flags and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ThrottledRatio => "throttled_ratio",
            Self::LatencyP50 => "latency_p50",
            Self::LatencyP95 => "latency_p95",
            Self::LatencyP99 => "latency_p99",
            Self::ErrorRatio => "error_ratio",
            Self::NetworkReceive => "network_receive",
            Self::NetworkTransmit => "network_transmit",
            Self::Restarts => "restarts",
        }
    }

    /// What its observations are counted in.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::ThrottledRatio | Self::ErrorRatio => "share",
            Self::LatencyP50 | Self::LatencyP95 | Self::LatencyP99 => "seconds",
            Self::NetworkReceive | Self::NetworkTransmit => "bytes per second",
            Self::Restarts => "restarts per step",
        }
    }

    /// The largest value an observation can have; the smallest is 0.
    #[must_use]
    pub const fn most(self) -> f64 {
        match self {
            Self::ThrottledRatio | Self::ErrorRatio => 1.0,
            Self::LatencyP50
            | Self::LatencyP95
            | Self::LatencyP99
            | Self::NetworkReceive
            | Self::NetworkTransmit
            | Self::Restarts => f64::INFINITY,
        }
    }
}

impl fmt::Display for Indicator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_indicator_is_written_by_its_name_and_only_shares_end_at_one() {
        for indicator in Indicator::ALL {
            let json = serde_json::to_string(&indicator).unwrap();
            assert_eq!(json, format!("\"{indicator}\""));
            assert_eq!(indicator.most() <= 1.0, indicator.unit() == "share", "{indicator}");
        }
        assert!(Indicator::ALL.is_sorted());
    }
}
