//! Compares ways to size an application in closed loop: scenarios, arms, a matrix of runs that can be resumed, and what
//! follows from their results.
//!
//! A run is one [`Arm`] under one [`Scenario`] with one seed, in an environment of its own. [`metrics()`] judges what was
//! recorded of it, whether the cluster was simulated or real. Everything here is pure but what keeps rows in
//! Parquet files.

mod arm;
mod measured;
mod metrics;
mod results;

pub use arm::{Arm, ArmError, ArmName, UnknownArm, View};
pub use measured::{
    Clock, ClockError, ContainerOf, Held, Holding, MeasuredRun, MeasuredView, Page, Track,
    WorkloadTracks, load_schedule,
};
pub use metrics::{Metrics, Objective, metrics};
pub use results::{Provenance, ResultRow, RunKey};
