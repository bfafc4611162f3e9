//! The collector: where usage comes from, how complete it is, and how it reaches the model-workers.

mod collector;
mod config;
mod quality;
mod regularise;
mod service;
mod source;
mod train;

pub use collector::{Collector, TrainingRound, log_round};
pub use config::{CollectorConfig, TrainingConfig};
pub use quality::{Quality, quality};
pub use regularise::{Cells, Sample, regularise};
pub use service::serve;
pub use source::{
    About, BasicAuth, Column, CustomTraffic, Diagnosis, Finding, Lookback, Metric, MetricsSource,
    PrometheusConfig, PrometheusError, PrometheusSource, Provided, Provider, QueryFilling,
    QuerySetting, RecordedColumns, RecordedConfig, RecordedError, RecordedSource, Row, Secret,
    SimulatedConfig, SimulatedSource, SourceConfig, SourceError, State, TidyFile, TrafficMetric,
    catalogue, settle_callers,
};
pub use train::{TrainError, TrainingOptions, train_worker};
