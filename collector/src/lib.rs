//! The collector: where usage comes from, how complete it is, and how it reaches the model-workers.

mod client;
mod collector;
mod config;
mod error;
mod history;
mod incremental;
mod metrics;
mod quality;
mod records;
mod regularise;
mod report;
mod schedule;
mod service;
mod source;
mod train;

pub use client::{ClientError, CollectorClient, JobSummary, SignalSummary, WorkloadSummary};
pub use collector::{Collector, TrainingRound, WorkloadState, log_round};
pub use config::{CollectorConfig, StoreConfig, TrainingConfig};
pub use error::CollectError;
pub use metrics::CollectorMetrics;
pub use quality::{Quality, quality};
pub use regularise::{Cells, Sample, regularise};
pub use report::DatasetReport;
pub use schedule::{Due, Trained};
pub use service::serve;
pub use source::{
    About, BasicAuth, Column, CustomTraffic, Diagnosis, Finding, Labelled, Labels, Lookback,
    Metric, MetricsSource, PrometheusApi, PrometheusConfig, PrometheusError, PrometheusSource,
    Provided, Provider, QueryFilling, QuerySetting, RecordedColumns, RecordedConfig, RecordedError,
    RecordedSource, Row, Secret, SimulatedConfig, SimulatedSource, SourceConfig, SourceError,
    State, TidyFile, TrafficMetric, catalogue, settle_callers,
};
pub use train::{TrainError, TrainingData, TrainingOptions, train_worker};
