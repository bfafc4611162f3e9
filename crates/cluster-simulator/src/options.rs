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
    /// The first instant.
    pub start: Timestamp,
    /// The nodes, at least one.
    pub nodes: Vec<NodeSize>,
    /// Milliseconds of simulated time in a step, which divide a second: 100 is the kernel's period; longer steps are faster and
    /// know less of throttling and latency.
    pub step_millis: u32,
    /// What happens by itself, in order of time.
    pub events: Vec<TimedEvent>,
}
