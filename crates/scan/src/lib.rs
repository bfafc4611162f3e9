//! A scan of a cluster: from what runs and how it was used to a recommendation for every container.
//!
//! Everything here is pure: which queries to ask, whose their answers are, what follows from them, and
//! the report. Asking is done elsewhere, and so is rendering.

mod report;
mod severity;

pub use report::{
    AutoscalerRow, Change, Confidence, ConfidenceLevel, Cost, History, Proposed, ResourceRow, Row,
    SCHEMA, ScanReport, ScannedCluster, StrategyUsed, Summary, Totals,
};
pub use severity::Severity;
