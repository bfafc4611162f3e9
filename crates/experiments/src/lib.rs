//! Clean load experiments: isolate, load, measure, restore.
//!
//! A workload is measured under a known load with a known number of replicas while nothing else holds it back. Every
//! change this takes is written to a journal before it is made, so that it can be undone after any end, `kill -9`
//! included.

mod bed;
mod change;
mod config;
mod export;
mod gates;
mod isolation;
mod jmeter;
mod journal;
mod kubernetes_bed;
mod load;
mod manifest;
mod matrix;
mod measure;
mod pace;
mod plan;
mod process_bed;
mod restore;
mod results;
mod run;
mod summary;

pub use bed::{Bed, BedError, BedName, WorkloadState};
pub use change::{Aspect, Bounds, Change, Value};
pub use config::{ConfigError, ExperimentsConfig, LoadConfig, Timing};
pub use export::{EXPORT_COLUMNS, ExportError};
pub use gates::{ExperimentGates, Observation, judge};
pub use isolation::{Isolation, IsolationConfig, IsolationError, isolate};
pub use jmeter::{
    JMeter, JMeterConfig, LabelReport, Latency, LoadError, LoadReport, LoadRequest, PageSample,
    page_samples,
};
pub use journal::{Journal, JournalError, Outstanding};
pub use kubernetes_bed::KubernetesBed;
pub use load::Load;
pub use manifest::Manifest;
pub use matrix::{Cell, Matrix};
pub use measure::{Foreign, Measure};
pub use plan::Plan;
pub use process_bed::ProcessBed;
pub use restore::{NotRestored, Restored, restore};
pub use results::{Results, ResultsError, Setup};
pub use run::{Ended, Experiment, ExperimentError};
pub use summary::{Attempt, CellOutcome, Figures};
