//! What a simulation is made with.

use jiff::Timestamp;
use mora_core::{Bytes, Millicores};
use serde::{Deserialize, Serialize};

use crate::TimedEvent;

/// What a node gives to pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeSize {
    /// Allocatable CPU.
    pub cpu: Millicores,
    /// Allocatable memory.
    pub memory: Bytes,
}

/// How a cluster is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct ClusterOptions {
    /// Seed of everything random.
    pub seed: u64,
    /// The first instant, a full minute.
    pub start: Timestamp,
    /// The nodes, at least one.
    pub nodes: Vec<NodeSize>,
    /// Milliseconds of simulated time in a step: 100 is the kernel's period, or a divisor of it. Longer steps, such as 10,000
    /// for a long history, take requests together: they are faster and know less of throttling and latency. They divide a
    /// second, or are whole seconds that divide a minute.
    pub step_millis: u32,
    /// What happens by itself, in order of time.
    pub events: Vec<TimedEvent>,
}
