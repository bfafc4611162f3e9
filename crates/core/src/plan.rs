//! What the coordinator recommends.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    Bytes, Decision, Millicores, PolicyRevision, RequestRecord, Rung, Step, Violation, WorkloadRef,
};

/// A coordinated recommendation for every workload of an application.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Version of this schema; grows when a field changes its meaning.
    pub schema: u32,
    /// Identifier, unique per coordinator run.
    pub id: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whether every workload got a forecast and everything fits.
    pub status: PlanStatus,
    /// Start of the first slot of the schedules.
    pub start: Timestamp,
    /// Width of a slot in seconds.
    pub slot: Step,
    /// The policy of the cluster it was made under; `None` where it followed that of the configuration alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyRevision>,
    /// What there was to give; `None` where no cluster was looked at.
    pub capacity: Option<Capacity>,
    /// One per container, ordered by workload and container.
    pub recommendations: Vec<Recommendation>,
    /// What could not be given.
    pub cuts: Vec<Cut>,
    /// Rules of the cluster that the demand does not respect, and what that costs whom.
    #[serde(default)]
    pub violations: Vec<Violation>,
    /// What the reader should know, each a sentence.
    pub warnings: Vec<String>,
}

/// Whether a plan can be followed as it is, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanStatus {
    /// Every workload is on its forecast and everything fits.
    Complete,
    /// Some workload is on its baseline.
    Degraded,
    /// The demand does not fit what the cluster allows; cuts and violations are listed.
    Violation,
}

/// What the cluster can give to the managed workloads.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// CPU of all nodes that pods can use.
    pub cpu_allocatable: Millicores,
    /// Memory of all nodes that pods can use.
    pub memory_allocatable: Bytes,
    /// CPU requested by workloads outside the plan.
    pub cpu_unmanaged: Millicores,
    /// Memory requested by workloads outside the plan.
    pub memory_unmanaged: Bytes,
    /// Share of what is allocatable that may be requested, in (0, 1].
    pub cap: f64,
}

impl Capacity {
    /// CPU the plan may request over all replicas: `cap * allocatable - unmanaged`.
    #[must_use]
    pub fn cpu(&self) -> Millicores {
        Millicores::new((self.cpu_allocatable.get() as f64 * self.cap).floor() as u64)
            .saturating_sub(self.cpu_unmanaged)
    }

    /// Memory the plan may request over all replicas: `cap * allocatable - unmanaged`.
    #[must_use]
    pub fn memory(&self) -> Bytes {
        Bytes::new((self.memory_allocatable.get() as f64 * self.cap).floor() as u64)
            .saturating_sub(self.memory_unmanaged)
    }
}

/// The recommended request of one resource, per replica.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Target<Q> {
    /// The request in force; `None` where none is set or known.
    pub current: Option<Q>,
    /// The request to set.
    pub target: Q,
    /// A request below this is likely too small.
    pub lower_bound: Q,
    /// A request above this is likely wasted.
    pub upper_bound: Q,
    /// The target before bounds and policy.
    pub uncapped_target: Q,
}

/// The recommendation for one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The workload.
    pub workload: WorkloadRef,
    /// The container in its pods.
    pub container: String,
    /// Replicas the request is divided over.
    pub replicas: u32,
    /// CPU per replica.
    pub cpu: Target<Millicores>,
    /// Memory per replica.
    pub memory: Target<Bytes>,
    /// Limits per replica.
    #[serde(default)]
    pub limits: Limits,
    /// What the workload's HorizontalPodAutoscaler does then; `None` where none scales it on CPU.
    #[serde(default)]
    pub autoscaler: Option<AutoscalerAdvice>,
    /// CPU and memory per replica, slot by slot; empty for a baseline, which is the same at all times.
    pub schedule: Vec<ForecastPoint>,
    /// Where the numbers come from.
    pub source: Source,
    /// The reasoning behind the numbers.
    pub justification: Justification,
    /// What of it is to be put in force now; `None` where no change gate was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

/// The limit of one resource, per replica; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limit<Q> {
    /// The limit in force, as far as known.
    pub current: Option<Q>,
    /// The limit to set.
    pub target: Option<Q>,
    /// Whether it goes with every request of the schedule; else it keeps its ratio to the request of the target.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

/// The limits of one container, per replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// CPU.
    pub cpu: Limit<Millicores>,
    /// Memory.
    pub memory: Limit<Bytes>,
}

/// What a HorizontalPodAutoscaler that scales on CPU should aim at once the request has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoscalerAdvice {
    /// Fewest and most replicas, as configured.
    pub min_replicas: u32,
    /// See `min_replicas`.
    pub max_replicas: u32,
    /// Replicas it will ask for at the peak of the forecast.
    pub peak_replicas: u32,
    /// Percent of the CPU request it aims at now.
    pub current_target_percent: u32,
    /// Percent of the new CPU request at which it asks for as many replicas at the peak.
    pub target_percent: u32,
}

/// The requests of one slot, per replica.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ForecastPoint {
    /// Start of the slot.
    pub start: Timestamp,
    /// CPU request per replica.
    pub cpu: Millicores,
    /// Memory request per replica.
    pub memory: Bytes,
}

/// Where a recommendation comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// A worker's forecast.
    Forecast {
        /// Which step of the ladder answered for CPU.
        rung: Rung,
        /// Version of the model.
        model_version: String,
    },
    /// The statistical rule, and why no forecast was used.
    Baseline {
        /// The reason, a sentence.
        reason: String,
    },
    /// The statistical rule, because it was asked for.
    Statistical,
}

/// The reasoning behind a recommendation; CPU amounts are cores of the whole workload.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Justification {
    /// The workload's own forecast at its peak.
    pub own_cpu_peak: Option<f64>,
    /// CPU at the peak of the load that its callers will send.
    pub propagated_cpu_peak: Option<f64>,
    /// Requests per second at that peak, by caller.
    pub callers: BTreeMap<WorkloadRef, f64>,
    /// Weight of the own forecast against the propagated one, in [0, 1].
    pub own_weight: Option<f64>,
    /// Priority that decided the share when capacity was short; higher is served first.
    pub priority: i32,
    /// Pinball loss of the CPU model divided by the baseline's, in its back-test.
    pub pinball_ratio: Option<f64>,
    /// Observed coverage of the stated quantile in the back-test.
    pub observed_coverage: Option<f64>,
    /// Rolling origins behind both.
    pub origins: u32,
    /// What CPU requests by the rule of this recommendation would have cost on the last days; `None` where that
    /// is not known.
    #[serde(default)]
    pub request_record: Option<RequestRecord>,
    /// What the CPU request per replica is made of, in millicores; the parts add up to the target.
    #[serde(default)]
    pub cpu_parts: Vec<Part>,
    /// What the memory request per replica is made of, in bytes; the parts add up to the target.
    #[serde(default)]
    pub memory_parts: Vec<Part>,
    /// Start of the slot that decided about CPU; `None` for a baseline.
    #[serde(default)]
    pub decided_by: Option<Timestamp>,
    /// First observation behind the numbers; `None` where there is no history.
    #[serde(default)]
    pub data_from: Option<Timestamp>,
    /// The instant after the newest observation behind the numbers; `None` where it is not known.
    #[serde(default)]
    pub data_until: Option<Timestamp>,
    /// What the reader should know, each a sentence.
    pub notes: Vec<String>,
}

/// One part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Where it comes from.
    pub cause: Cause,
    /// How much it adds, in the resource's smallest unit; negative where it takes away.
    pub amount: i64,
}

/// Where a part of a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The median of the workload's own forecast.
    OwnForecast,
    /// The statistical rule.
    Baseline,
    /// What the request path or quantile lies above the median, and for memory the margin.
    Margin,
    /// What a quiet last half hour lets expect less.
    LastHour,
    /// The load that callers will send.
    Callers,
    /// Earlier use of memory, or a kill for lack of it.
    History,
    /// Other replicas than now, or headroom, because of an autoscaler.
    Replicas,
    /// The smallest and largest request allowed.
    Bounds,
    /// What the cluster could not give.
    Cluster,
}

impl Cause {
    /// All causes, in the order parts are listed.
    pub const ALL: [Self; 9] = [
        Self::OwnForecast,
        Self::Baseline,
        Self::Margin,
        Self::LastHour,
        Self::Callers,
        Self::History,
        Self::Replicas,
        Self::Bounds,
        Self::Cluster,
    ];

    /// The cause in words for a table.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OwnForecast => "own forecast, median",
            Self::Baseline => "statistical baseline",
            Self::Margin => "safety margin",
            Self::LastHour => "last half hour",
            Self::Callers => "load of callers",
            Self::History => "earlier use",
            Self::Replicas => "replicas of the autoscaler",
            Self::Bounds => "bounds",
            Self::Cluster => "cluster and policy",
        }
    }
}

/// An amount that policy took away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The workload.
    pub workload: WorkloadRef,
    /// The container.
    pub container: String,
    /// CPU not given, over all replicas.
    pub cpu: Millicores,
    /// Memory not given, over all replicas.
    pub memory: Bytes,
    /// Why, a sentence.
    pub reason: String,
}

impl Plan {
    /// The schema version this build writes.
    pub const SCHEMA: u32 = 1;

    /// A plan of hourly slots made at `now` that asks for `recommendations`, ordered by workload and container, with nothing cut.
    #[must_use]
    pub fn complete(id: String, now: Timestamp, recommendations: Vec<Recommendation>) -> Self {
        Self {
            schema: Self::SCHEMA,
            id,
            created_at: now,
            status: PlanStatus::Complete,
            start: Step::HOUR.floor(now),
            slot: Step::HOUR,
            policy: None,
            capacity: None,
            recommendations,
            cuts: Vec::new(),
            violations: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// CPU requested over all replicas.
    #[must_use]
    pub fn total_cpu(&self) -> Millicores {
        self.recommendations
            .iter()
            .map(|r| Millicores::new(r.cpu.target.get() * u64::from(r.replicas)))
            .sum()
    }

    /// Memory requested over all replicas.
    #[must_use]
    pub fn total_memory(&self) -> Bytes {
        self.recommendations
            .iter()
            .map(|r| Bytes::new(r.memory.target.get() * u64::from(r.replicas)))
            .sum()
    }
}
