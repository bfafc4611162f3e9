//! Compares ways to size an application in closed loop: scenarios, arms, a matrix of runs that can be resumed, and what
//! follows from their results.
//!
//! A run is one [`Arm`] under one [`Scenario`] with one seed, in an environment of its own. [`metrics()`] judges what was
//! recorded of it, whether the cluster was simulated or real. Everything here is pure but what keeps rows in
//! Parquet files.

mod arm;
mod calibration;
mod metrics;
mod results;

pub use arm::{Arm, ArmError, ArmName, UnknownArm, View};
pub use calibration::{
    Calibrated, CalibrationError, ServiceError, ServiceQuality, calibrate, validate,
};
pub use metrics::{Metrics, Objective, metrics};
pub use results::{Provenance, ResultRow, RunKey};
