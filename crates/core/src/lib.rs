//! The vocabulary every part of MOrA shares: quantities, series, workloads, forecasts and plans.
//!
//! Everything here is pure: no clock, no I/O, no randomness. A value that exists is valid; the
//! fallible step is its construction.

mod apply_mode;
mod baseline;
mod call_graph;
mod cluster;
mod dataset;
mod decision;
mod forecast;
mod generated_name;
mod glob;
mod indicator;
mod inventory;
mod limit_rule;
mod lookback;
mod mark;
mod memory;
mod node;
mod plan;
mod policy_revision;
mod quality;
mod quantile;
mod quantity;
mod risk;
mod series;
mod signal;
mod text;
mod workload;

pub use apply_mode::{ApplyMode, UnknownApplyMode};
pub use baseline::{Baseline, StatisticalRule, TooFewSamples};
pub use call_graph::{CallGraph, CallRatio, Drift, Trust};
pub use cluster::{
    Amount, Autoscaler, ClusterState, Deployed, LimitRangeRule, LimitScope, NodeRoom, Quota,
    Shortfall, Stated, Violation, ViolationKind,
};
pub use dataset::{ContainerUsage, Dataset, OomKill, ResourceClaim};
pub use decision::{Decision, Verdict};
pub use forecast::{Confidence, Forecast, MemberWeight, Peak, Rung, SignalForecast, Skill};
pub use generated_name::{without_generated, without_ordinal};
pub use glob::{Glob, matches_glob};
pub use indicator::Indicator;
pub use inventory::{
    ContainerRole, Inventory, InventoryContainer, InventoryItem, InventoryPod, OwnerAutoscaler,
    OwnerKind, OwnerRef,
};
pub use limit_rule::{LimitPolicy, LimitRule};
pub use lookback::Lookback;
pub use mark::{Mark, MarkKind};
pub use memory::{OomFactorError, OomRule, Ratchet};
pub use node::NodeSeries;
pub use plan::{
    AutoscalerAdvice, Capacity, Cause, Cut, ForecastPoint, Justification, Limit, Limits, Part,
    Plan, PlanStatus, Recommendation, Source, Target,
};
pub use policy_revision::PolicyRevision;
pub use quality::{QualityFault, QualityGates, QualityGatesError, QualityReport, SeriesQuality};
pub use quantile::{Quantile, QuantileError, empirical_quantile};
pub use quantity::{Bytes, Millicores, QuantityError};
pub use risk::{RequestRecord, RiskPrice, RiskPriceError};
pub use series::{Series, SeriesError, Slot, Step};
pub use signal::{Signal, UnknownSignal};
pub use text::hexadecimal;
pub use workload::{WorkloadError, WorkloadKind, WorkloadRef};
