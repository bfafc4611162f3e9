//! The wire form of a policy in the cluster.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Amount, Mode, schema};

/// What the coordinator has to respect, over its own configuration: what is stated here takes the place of the same key
/// there, a list as a whole; what is left out stays as configured.
#[derive(CustomResource, Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "mora.dev",
    version = "v1alpha1",
    kind = "RightsizingPolicy",
    plural = "rightsizingpolicies",
    shortname = "rspolicy",
    category = "mora",
    namespaced,
    derive = "PartialEq",
    derive = "Default",
    doc = "Rules for MOrA's plans: the cap, priorities, bounds, limits and how plans are put in force.",
    printcolumn(
        name = "Cap",
        type_ = "number",
        json_path = ".spec.cap",
        description = "Share of what the nodes can allocate that may be requested"
    ),
    printcolumn(
        name = "Mode",
        type_ = "string",
        json_path = ".spec.apply.defaultMode",
        description = "How plans are put in force where no pattern says otherwise"
    ),
    printcolumn(
        name = "CPU-Limits",
        type_ = "string",
        json_path = ".spec.limits.cpu",
        priority = 1
    ),
    printcolumn(
        name = "Memory-Limits",
        type_ = "string",
        json_path = ".spec.limits.memory",
        priority = 1
    ),
    printcolumn(
        name = "Generation",
        type_ = "integer",
        json_path = ".metadata.generation",
        description = "As plans name it"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RightsizingPolicySpec {
    /// Share of what the nodes can allocate that all requests together may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minimum" = 0, "exclusiveMinimum" = true, "maximum" = 1))]
    pub(crate) cap: Option<f64>,
    /// The priority of every workload that no pattern matches and that has no PriorityClass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_priority: Option<i32>,
    /// Which workloads are served first when capacity is short; the first pattern that matches counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub(crate) priorities: Option<Vec<PriorityEntry>>,
    /// Bounds of the requests of the containers that patterns match; the first rule that matches counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub(crate) bounds: Option<Vec<BoundsEntry>>,
    /// How limits follow requests.
    #[serde(default, skip_serializing_if = "LimitsEntry::is_none")]
    pub(crate) limits: LimitsEntry,
    /// How plans are put in force.
    #[serde(default, skip_serializing_if = "ApplyEntry::is_none")]
    pub(crate) apply: ApplyEntry,
}

/// The priority of the workloads a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PriorityEntry {
    /// Pattern over namespace/name, in which * stands for any text and ? for one character.
    #[schemars(length(min = 1, max = 330), regex(pattern = schema::PATTERN))]
    pub(crate) workload: String,
    /// Higher is served first.
    pub(crate) priority: i32,
}

/// The bounds of the containers that two patterns match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BoundsEntry {
    /// Pattern over namespace/name.
    #[serde(default = "anything")]
    #[schemars(length(min = 1, max = 330), regex(pattern = schema::PATTERN))]
    pub(crate) workload: String,
    /// Pattern over the container's name.
    #[serde(default = "anything")]
    #[schemars(length(min = 1, max = 63), regex(pattern = schema::PATTERN))]
    pub(crate) container: String,
    /// Bounds of the CPU request, per replica.
    #[serde(default, skip_serializing_if = "BoundEntry::is_none")]
    pub(crate) cpu: BoundEntry,
    /// Bounds of the memory request, per replica.
    #[serde(default, skip_serializing_if = "BoundEntry::is_none")]
    pub(crate) memory: BoundEntry,
}

fn anything() -> String {
    "*".to_owned()
}

/// The bounds of one resource; what is left out stays as it is for all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{
    "rule": "!has(self.minAllowed) || !has(self.maxAllowed) || quantity(string(self.minAllowed)).compareTo(quantity(string(self.maxAllowed))) <= 0",
    "message": "minAllowed must not be above maxAllowed",
}]))]
pub(crate) struct BoundEntry {
    /// Smallest request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_allowed: Option<Amount>,
    /// Largest request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_allowed: Option<Amount>,
}

impl BoundEntry {
    const fn is_none(&self) -> bool {
        self.min_allowed.is_none() && self.max_allowed.is_none()
    }
}

/// How limits follow requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct LimitsEntry {
    /// The CPU limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu: Option<LimitName>,
    /// The memory limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<LimitName>,
}

impl LimitsEntry {
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
    const fn is_none(&self) -> bool {
        self.cpu.is_none() && self.memory.is_none()
    }
}

/// How a limit follows its request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum LimitName {
    KeepRatio,
    NeverLower,
    EqualToRequest,
    None,
}

/// How plans are put in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ApplyEntry {
    /// The mode of every workload that no pattern matches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) default_mode: Option<Mode>,
    /// The mode of the workloads that patterns match; the first pattern that matches counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 500), extend("x-kubernetes-list-type" = "atomic"))]
    pub(crate) modes: Option<Vec<ModeEntry>>,
}

impl ApplyEntry {
    const fn is_none(&self) -> bool {
        self.default_mode.is_none() && self.modes.is_none()
    }
}

/// The mode of the workloads a pattern matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ModeEntry {
    /// Pattern over namespace/name.
    #[schemars(length(min = 1, max = 330), regex(pattern = schema::PATTERN))]
    pub(crate) workload: String,
    /// How what the change gate lets through is put in force.
    pub(crate) mode: Mode,
}
