//! A simulated Kubernetes cluster that runs a simulated application under load, for closed-loop evaluation.
//!
//! Time goes in periods of the kernel's CPU bandwidth control. In each, requests arrive and go along the call graph, pods work
//! off what their limits and nodes give them, queue the rest, grow in memory, are killed and started again. What an operator
//! could observe is recorded by the minute; what an autoscaler sees, by its own interval. Everything follows from the options
//! and the changes that are asked for: no clock, no I/O, one seed.

mod application;
mod boutique;
mod change;
mod cluster;
mod demand;
mod event;
mod latencies;
mod options;
mod recording;

pub use application::{
    Application, ApplicationError, Call, CpuCost, Leak, MemoryProfile, Microservice, StartUp,
};
pub use boutique::boutique;
pub use change::{Change, ChangeError};
pub use cluster::{Cluster, ClusterError, check_step, mixed};
pub use demand::Demand;
pub use event::{Event, TimedEvent};
pub use latencies::Latencies;
pub use options::{ClusterOptions, NodeSize};
pub use recording::{Recording, ScalingEvent, ScalingKind, WorkloadMinute};
