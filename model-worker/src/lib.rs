//! The model-worker: trains, back-tests, keeps and serves the forecasts of one workload.
//!
//! An upload arrives over `TrainingService`, is fitted off the async runtime, and is published to the
//! model library; `ForecastService` answers from the published version, which a restart finds again.

mod config;
mod fit;
mod jobs;
mod library;
mod manifest;
mod model;
mod request;
mod service;
mod worker;

pub use config::WorkerConfig;
pub use library::{Library, LibraryError};
pub use manifest::{FileDigest, Manifest, SignalSummary};
pub use model::WorkloadModel;
pub use worker::{OpenError, Worker};
