//! The model-worker: trains, back-tests, keeps and serves the forecasts of one workload.
//!
//! An upload arrives over `TrainingService`, is fitted off the async runtime, and is published to the
//! model library; `ForecastService` answers from the published version, which a restart finds again.

mod challenge;
mod config;
mod fit;
mod jobs;
mod library;
#[cfg(test)]
mod made;
mod manifest;
mod model;
mod paired;
mod request;
mod retrain;
mod service;
mod worker;

pub use challenge::Decision;
pub use config::WorkerConfig;
pub use library::{Library, LibraryError};
pub use manifest::{FileDigest, Manifest, SignalSummary};
pub use model::WorkloadModel;
pub use mora_forecast::{
    BACK_TEST_QUANTILES, BackTestSlot, ForecastError, Member, SignalModel, Tuning,
};
pub use paired::{Comparison, SignalComparison};
pub use retrain::{Reason, RetrainPolicy, due};
pub use worker::{OpenError, Worker};
