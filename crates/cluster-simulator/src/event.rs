//! What happens to a cluster and its application by itself.

use jiff::{SignedDuration, Timestamp};
use mora_core::WorkloadRef;

/// Something that happens, and is not asked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The node in this place, from 0, is gone, with the pods on it, and comes back empty.
    NodeLost {
        /// Its place.
        node: usize,
        /// How long it is gone.
        lasts: SignedDuration,
    },
    /// From now on a caller makes `factor` times as many calls to a callee, at least 0.
    CallMix {
        /// The caller.
        caller: WorkloadRef,
        /// The callee.
        callee: WorkloadRef,
        /// By how much the ratio of the application is multiplied.
        factor: f64,
    },
    /// From now on each pod of a workload keeps so many more bytes every hour.
    Leak {
        /// The workload.
        workload: WorkloadRef,
        /// Bytes per hour.
        per_hour: f64,
    },
}

/// An event and its instant.
#[derive(Debug, Clone, PartialEq)]
pub struct TimedEvent {
    /// When.
    pub at: Timestamp,
    /// What.
    pub event: Event,
}
