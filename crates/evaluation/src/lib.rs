//! Compares ways to size an application in closed loop: scenarios, arms, a matrix of runs that can be resumed, and what
//! follows from their results.
//!
//! A run is one [`Arm`] under one [`Scenario`] with one seed, in an environment of its own. [`metrics()`] judges what was
//! recorded of it, whether the cluster was simulated or real. Everything here is pure but what keeps rows in
//! Parquet files.

mod arm;
mod arms;
mod calibration;
mod closed_loop;
mod comparison;
mod configuration;
mod factory;
mod history;
#[cfg(test)]
mod made;
mod matrix;
mod measured;
mod metrics;
mod noise;
mod results;
mod scenario;
mod setup;
mod shared;
pub mod statistics;
mod trace;

pub use arm::{Arm, ArmError, ArmName, Datasets, UnknownArm, View};
pub use arms::{
    BuiltInArms, Hpa, NotBuiltIn, Oracle, OracleNeeds, StatisticalBaseline, Stock, Vpa,
};
pub use calibration::{
    Calibrated, CalibrationError, Compared, ServiceError, ServiceQuality, calibrate, validate,
};
pub use closed_loop::{Outcome, RunError, next_decision, run};
pub use comparison::{
    AtEqualRisk, Comparison, CostAtRisk, FrontierPoint, Goal, INDICATORS, Indicator, Overall,
    REFERENCES, SCHEMA, ScenarioComparison, Summary, Versus, indicator,
};
pub use configuration::{AS_IT_IS, Configuration, Matrix};
pub use factory::{ArmFactory, RunContext};
pub use history::History;
pub use matrix::{Evaluation, MatrixError, MatrixSummary, Progress};
pub use measured::{
    Clock, ClockError, ContainerOf, Held, Holding, MeasuredRun, MeasuredView, Page, Track,
    WorkloadTracks, load_schedule,
};
pub use metrics::{Metrics, Objective, metrics};
pub use results::{
    Provenance, ResultRow, Results, ResultsError, RunKey, SIMULATED, configuration_in, load,
    load_table, load_traces,
};
pub use scenario::{HistoryKind, Scenario, ScenarioError, ShapeError};
pub use setup::{MOST_REPLICAS, Setup};
pub use shared::Shared;
pub use trace::{TRACE_MINUTES, Trace, TracePoint};
