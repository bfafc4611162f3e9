//! What was seen of a run, by the minute: the same of a simulated and of a real cluster.

use jiff::Timestamp;
use mora_core::WorkloadRef;
use serde::{Deserialize, Serialize};

use crate::Latencies;

/// One minute of one workload, over all its pods.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct WorkloadMinute {
    /// Pods that held a place on a node, on average.
    pub pods: f64,
    /// Pods that took requests, on average.
    pub ready: f64,
    /// CPU requests of the pods that held a place, in cores, on average.
    pub cpu_requested: f64,
    /// CPU used, in cores, on average.
    pub cpu_used: f64,
    /// Memory requests of the pods that held a place, in bytes, on average.
    pub memory_requested: f64,
    /// Memory used, in bytes, at the most.
    pub memory_used: f64,
    /// Share of periods in which pods were held back by their limits, in [0, 1].
    pub throttled: f64,
    /// Requests received per second.
    pub received: f64,
    /// Requests per second that failed.
    pub failed: f64,
    /// Latency that 95 % of its requests stayed below, in seconds; `None` without a request or where it is not measured.
    pub latency_p95: Option<f64>,
    /// Containers killed for lack of memory.
    pub oom_kills: u32,
}

/// How many pods a workload has, or what they claim, became different.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalingEvent {
    /// When it was asked for.
    pub at: Timestamp,
    /// The workload.
    pub workload: WorkloadRef,
    /// What.
    pub kind: ScalingKind,
}

/// What became different.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalingKind {
    /// The number of replicas: pods start or end.
    Replicas,
    /// The pod template: pods are replaced.
    RollOut,
    /// The claims of running pods, in place: nothing starts or ends.
    InPlace,
}

/// A run from its first minute on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// The first minute.
    pub start: Timestamp,
    /// The workloads, in order.
    pub workloads: Vec<WorkloadRef>,
    /// Place of the workload that users reach.
    pub entry: usize,
    /// By workload, then by minute; all of one length.
    pub minutes: Vec<Vec<WorkloadMinute>>,
    /// Latencies of what users asked for, over the whole run, from end to end; failed requests are not in it.
    pub latencies: Latencies,
    /// What was changed, in order of time.
    pub events: Vec<ScalingEvent>,
}
