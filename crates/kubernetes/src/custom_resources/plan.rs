//! The wire form of a plan in the cluster.

use jiff::Timestamp;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Mode, schema};

/// What was asked of the coordinator. It does not change: another run makes another plan.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mora.dev",
    version = "v1alpha1",
    kind = "RightsizingPlan",
    plural = "rightsizingplans",
    shortname = "rsplan",
    category = "mora",
    namespaced,
    status = "RightsizingPlanStatus",
    derive = "PartialEq",
    doc = "A coordinated recommendation of CPU and memory for all workloads, made by MOrA.",
    printcolumn(
        name = "Status",
        type_ = "string",
        json_path = ".status.outcome",
        description = "Complete, Degraded or Violation"
    ),
    printcolumn(
        name = "Workloads",
        type_ = "integer",
        json_path = ".status.totals.workloads",
        description = "Workloads in the plan"
    ),
    printcolumn(
        name = "Changes",
        type_ = "integer",
        json_path = ".status.totals.changes",
        description = "Containers whose requests change in this run"
    ),
    printcolumn(
        name = "CPU",
        type_ = "string",
        json_path = ".status.totals.cpuRequested",
        description = "CPU requested over all replicas"
    ),
    printcolumn(
        name = "Memory",
        type_ = "string",
        json_path = ".status.totals.memoryRequested",
        description = "Memory requested over all replicas"
    ),
    printcolumn(
        name = "Cap-Use",
        type_ = "string",
        json_path = ".status.totals.capUse",
        description = "Share of what may be requested that is: CPU/memory"
    ),
    printcolumn(
        name = "Applied",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Applied\")].reason",
        description = "Whether it was put in force"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".spec.createdAt"),
    printcolumn(name = "Summary", type_ = "string", json_path = ".status.summary", priority = 1)
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "self == oldSelf",
    "message": "what was asked for a plan does not change; let the coordinator make another plan",
}]))]
pub(crate) struct RightsizingPlanSpec {
    /// Identifier of the plan, as in files and answers of the coordinator.
    #[schemars(length(min = 1, max = 253))]
    pub(crate) plan_id: String,
    /// When it was made.
    #[schemars(schema_with = "schema::instant")]
    pub(crate) created_at: Timestamp,
    /// Start of the first slot.
    #[schemars(schema_with = "schema::instant")]
    pub(crate) start: Timestamp,
    /// How many hours it plans for.
    #[schemars(range(min = 1, max = 168))]
    pub(crate) horizon_hours: i32,
    /// Width of a slot in seconds.
    #[schemars(range(min = 1, max = 604_800))]
    pub(crate) slot_seconds: i32,
    /// Which path of the forecast becomes the CPU request.
    pub(crate) cpu_path: RequestedPath,
    /// The quantile that load and memory follow, and CPU where cpuPath says so.
    #[schemars(extend(
        "minimum" = 0, "exclusiveMinimum" = true, "maximum" = 1, "exclusiveMaximum" = true
    ))]
    pub(crate) quantile: f64,
    /// The workloads asked for, as namespace/Kind/name; the first 500.
    #[schemars(schema_with = "schema::workloads")]
    pub(crate) workloads: Vec<String>,
    /// How many were asked for beyond those listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub(crate) workloads_left_out: i32,
    /// The RightsizingPolicy it was made under; absent where it followed the coordinator's configuration alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<PolicyUsed>,
}

/// Which path of the forecast becomes the CPU request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum RequestedPath {
    LeastCost,
    Quantile,
}

/// The policy a plan was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PolicyUsed {
    /// Its namespace.
    #[schemars(length(max = 63))]
    pub(crate) namespace: String,
    /// Its name.
    #[schemars(length(max = 253))]
    pub(crate) name: String,
    /// Its generation at that time.
    #[schemars(range(min = 0))]
    pub(crate) generation: i64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RightsizingPlanStatus {
    /// Whether the plan can be followed as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<Outcome>,
    /// The plan in a few sentences.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub(crate) summary: Option<String>,
    /// Amounts over all workloads and replicas.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) totals: Option<Totals>,
    /// One per container, ordered by workload and container; of a large plan the largest changes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 500), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["workload", "container"]
    ))]
    pub(crate) recommendations: Vec<RecommendationEntry>,
    /// Recommendations that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub(crate) recommendations_left_out: i32,
    /// Rules of the cluster that the demand does not respect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), extend("x-kubernetes-list-type" = "atomic"))]
    pub(crate) violations: Vec<ViolationEntry>,
    /// Violations that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub(crate) violations_left_out: i32,
    /// What the reader should know, each a sentence.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "schema::sentences")]
    pub(crate) warnings: Vec<String>,
    /// Warnings that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0))]
    pub(crate) warnings_left_out: i32,
    /// Complete, Degraded, WithinCapacity and Applied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]
    ))]
    pub(crate) conditions: Vec<Condition>,
    /// What was changed in the cluster, and what was there before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2000), extend(
        "x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["workload", "place", "object", "container"]
    ))]
    pub(crate) applied: Vec<AppliedEntry>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
fn is_zero(count: &i32) -> bool {
    *count == 0
}

/// Whether a plan can be followed as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Outcome {
    Complete,
    Degraded,
    Violation,
}

/// Amounts over all workloads and replicas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Totals {
    /// Workloads in the plan.
    #[schemars(range(min = 0))]
    pub(crate) workloads: i32,
    /// Containers in the plan.
    #[schemars(range(min = 0))]
    pub(crate) containers: i32,
    /// Containers whose requests change in this run.
    #[schemars(range(min = 0))]
    pub(crate) changes: i32,
    /// CPU requests in force, as far as known.
    pub(crate) cpu_current: Amount,
    /// CPU requests of the plan.
    pub(crate) cpu_requested: Amount,
    /// Memory requests in force, as far as known.
    pub(crate) memory_current: Amount,
    /// Memory requests of the plan.
    pub(crate) memory_requested: Amount,
    /// CPU that the plan may request under the cap; absent where no cluster was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_allowed: Option<Amount>,
    /// Memory that the plan may request under the cap; absent where no cluster was looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_allowed: Option<Amount>,
    /// Share of what may be requested that is, CPU and memory, as in 71%/40%.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub(crate) cap_use: Option<String>,
}

/// The recommendation for one container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub(crate) struct RecommendationEntry {
    /// The workload as namespace/Kind/name.
    #[schemars(schema_with = "schema::workload")]
    pub(crate) workload: String,
    /// The container in its pods.
    #[schemars(length(min = 1, max = 63))]
    pub(crate) container: String,
    /// Replicas the amounts are divided over.
    #[schemars(range(min = 0))]
    pub(crate) replicas: i32,
    /// CPU per replica.
    pub(crate) cpu: ResourceEntry,
    /// Memory per replica.
    pub(crate) memory: ResourceEntry,
    /// What of it is put in force in this run; absent where no change gate was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) step: Option<StepEntry>,
    /// Where the numbers come from.
    pub(crate) source: Origin,
    /// The step of the worker's ladder that answered, where a worker did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub(crate) rung: Option<String>,
    /// Version of the model, where a worker answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub(crate) model_version: Option<String>,
    /// Why these numbers, in a sentence.
    #[schemars(length(max = 512))]
    pub(crate) summary: String,
}

/// The request and limit of one resource, per replica.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ResourceEntry {
    /// The request in force; absent where none is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<Amount>,
    /// The request to set in the end.
    pub(crate) target: Amount,
    /// Below this it is likely too small.
    pub(crate) lower_bound: Amount,
    /// Above this it is likely wasted.
    pub(crate) upper_bound: Amount,
    /// The target before bounds and policy.
    pub(crate) uncapped_target: Amount,
    /// The limit.
    #[serde(default, skip_serializing_if = "Limited::is_none")]
    pub(crate) limit: Limited,
}

/// A limit per replica; what is absent is no limit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Limited {
    /// The limit in force.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<Amount>,
    /// The limit to set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Amount>,
    /// Whether it goes with every request of the schedule.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) fixed: bool,
}

impl Limited {
    const fn is_none(&self) -> bool {
        self.current.is_none() && self.target.is_none()
    }
}

/// Where the numbers of a recommendation come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Origin {
    Forecast,
    Baseline,
    Statistical,
}

/// What the change gate lets through in this run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StepEntry {
    /// Which way the container goes.
    pub(crate) verdict: StepVerdict,
    /// CPU request per replica after this run; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<Amount>,
    /// Memory request per replica after this run; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Amount>,
    /// Place in the order of changes, from 1; absent where nothing changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub(crate) wave: Option<i32>,
    /// Why, a sentence.
    #[schemars(length(max = 512))]
    pub(crate) reason: String,
}

/// Which way a container goes in a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum StepVerdict {
    Raise,
    Lower,
    Hold,
    RollBack,
}

/// A rule of the cluster that the demand does not respect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViolationEntry {
    /// What kind of rule, as in the plan's JSON.
    #[schemars(length(max = 32))]
    pub(crate) kind: String,
    /// The workload; absent for the cluster as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 330))]
    pub(crate) workload: Option<String>,
    /// The container; absent for all of the workload's pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub(crate) container: Option<String>,
    /// How much of what is missing, over all replicas.
    #[schemars(length(max = 64))]
    pub(crate) missing: String,
    /// Why, a sentence.
    #[schemars(length(max = 512))]
    pub(crate) reason: String,
}

/// One aspect of the plan's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Condition {
    /// Which aspect.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub(crate) type_: String,
    /// Whether it holds.
    pub(crate) status: ConditionStatus,
    /// Why, in one word.
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z]+$"))]
    pub(crate) reason: String,
    /// Why, in a sentence.
    #[schemars(length(max = 1024))]
    pub(crate) message: String,
    /// When the status last changed.
    #[schemars(schema_with = "schema::instant")]
    pub(crate) last_transition_time: Timestamp,
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum ConditionStatus {
    True,
    False,
    Unknown,
}

/// One thing that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub(crate) struct AppliedEntry {
    /// The workload as namespace/Kind/name.
    #[schemars(schema_with = "schema::workload")]
    pub(crate) workload: String,
    /// What of it was changed.
    pub(crate) place: AppliedPlace,
    /// The pod or the autoscaler that was changed; empty for the pod template.
    #[serde(default)]
    #[schemars(length(max = 253))]
    pub(crate) object: String,
    /// The container; empty where no container was changed.
    #[serde(default)]
    #[schemars(length(max = 63))]
    pub(crate) container: String,
    /// Identity of the object that was changed.
    #[schemars(length(max = 64))]
    pub(crate) uid: String,
    /// How it was changed.
    pub(crate) mode: Mode,
    /// What was there before, as the API gave it, in JSON; of a container its resources.
    #[schemars(length(max = 16_384))]
    pub(crate) before: String,
    /// What was there after, in JSON.
    #[schemars(length(max = 16_384))]
    pub(crate) after: String,
    /// What else taking it back needs, in JSON.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 1024))]
    pub(crate) extra: String,
    /// When the outcome was noted.
    #[schemars(schema_with = "schema::instant")]
    pub(crate) at: Timestamp,
    /// How far it came.
    pub(crate) outcome: AppliedResult,
    /// What there is to say of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 512))]
    pub(crate) message: String,
}

/// What was changed of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum AppliedPlace {
    Template,
    Pod,
    Autoscaler,
}

/// How far a change came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum AppliedResult {
    Started,
    Applied,
    LeftAlone,
    Failed,
    RolledBack,
}
