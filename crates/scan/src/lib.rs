//! A scan of a cluster: from what runs and how it was used to a recommendation for every container.
//!
//! Everything here is pure: which queries to ask, whose their answers are, what follows from them, and
//! the report. Asking is done elsewhere, and so is rendering.

mod assemble;
mod attribution;
mod cost;
mod observed;
mod queries;
mod report;
mod selection;
mod settings_error;
mod severity;
mod strategy;

pub use assemble::{ClusterRows, assemble, row, rows, summary};
pub use attribution::{Labels, Owners, SeenPods};
pub use cost::Prices;
pub use observed::{Answers, ContainerObserved, Observed, PodObserved};
pub use queries::{
    Dialect, Of, Query, QuerySettings, Shard, Span, Subject, WeekHours, WeekHoursError, shards,
};
pub use report::{
    AutoscalerRow, Change, Confidence, ConfidenceLevel, Cost, History, Proposed, ResourceRow, Row,
    SCHEMA, ScanReport, ScannedCluster, StrategyUsed, Summary, Totals,
};
pub use selection::{Selection, SortBy, UnknownSort};
pub use settings_error::SettingsError;
pub use severity::{Severity, SeverityRule};
pub use strategy::{
    Advice, Advised, Case, KrrSettings, KrrStrategy, StatisticalSettings, Strategy, krr,
};
