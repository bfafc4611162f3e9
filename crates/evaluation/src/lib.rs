//! Compares ways to size an application in closed loop: scenarios, arms, a matrix of runs that can be resumed, and what
//! follows from their results.
//!
//! A run is one [`Arm`] under one [`Scenario`] with one seed, in an environment of its own. [`metrics()`] judges what was
//! recorded of it, whether the cluster was simulated or real. Everything here is pure but what keeps rows in
//! Parquet files.

mod arm;
mod comparison;
mod measured;
mod metrics;
mod results;
pub mod statistics;
mod trace;

pub use arm::{Arm, ArmError, ArmName, UnknownArm, View};
pub use comparison::{
    AtRiskOfBaseline, Comparison, CostAtRisk, FrontierPoint, Goal, INDICATORS, Indicator, Overall,
    REFERENCES, SCHEMA, ScenarioComparison, Summary, Versus, indicator,
};
pub use measured::{
    Clock, ClockError, ContainerOf, Held, Holding, MeasuredRun, MeasuredView, Page, Track,
    WorkloadTracks, load_schedule,
};
pub use metrics::{Metrics, Objective, metrics};
pub use results::{Provenance, ResultRow, RunKey};
pub use trace::{TRACE_MINUTES, Trace, TracePoint};
