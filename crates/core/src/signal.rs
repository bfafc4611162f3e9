//! What is observed and forecast.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A measured quantity of one workload that is collected, learned and forecast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// CPU usage summed over the workload's pods, in cores.
    Cpu,
    /// Memory working set of the workload's largest pod, in bytes.
    Memory,
    /// Requests received per second, summed over the pods.
    RequestRate,
}

impl Signal {
    /// All signals, in the order they are reported.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::RequestRate];

    /// The signal's name in files, flags and labels.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::RequestRate => "request_rate",
        }
    }

    /// The unit its values are in.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Cpu => "cores",
            Self::Memory => "bytes",
            Self::RequestRate => "1/s",
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A name that is no [`Signal`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a signal; use cpu, memory or request_rate")]
pub struct UnknownSignal(pub String);

impl FromStr for Signal {
    type Err = UnknownSignal;

    fn from_str(text: &str) -> Result<Self, UnknownSignal> {
        Self::ALL
            .into_iter()
            .find(|signal| signal.as_str() == text)
            .ok_or_else(|| UnknownSignal(text.to_owned()))
    }
}
