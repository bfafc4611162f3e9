//! What a cluster allows, as it was read at one moment.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Bytes, Capacity, Millicores, ResourceClaim, WorkloadRef};

/// An amount of both resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Amount {
    /// CPU.
    pub cpu: Millicores,
    /// Memory.
    pub memory: Bytes,
}

impl Amount {
    /// Both amounts together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { cpu: self.cpu + other.cpu, memory: self.memory + other.memory }
    }

    /// What is left of each resource after taking `other` away, never below zero.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_sub(other.cpu),
            memory: self.memory.saturating_sub(other.memory),
        }
    }

    /// `count` times the amount.
    #[must_use]
    pub const fn times(self, count: u32) -> Self {
        let count = count as u64;
        Self {
            cpu: Millicores::new(self.cpu.get().saturating_mul(count)),
            memory: Bytes::new(self.memory.get().saturating_mul(count)),
        }
    }

    /// The larger amount of each resource.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { cpu: self.cpu.max(other.cpu), memory: self.memory.max(other.memory) }
    }
}

/// An amount of each resource for which one is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Stated {
    /// CPU.
    pub cpu: Option<Millicores>,
    /// Memory.
    pub memory: Option<Bytes>,
}

impl Stated {
    /// What is left of what is stated after taking `other` away, never below zero.
    #[must_use]
    pub fn less(self, other: Amount) -> Self {
        Self {
            cpu: self.cpu.map(|cpu| cpu.saturating_sub(other.cpu)),
            memory: self.memory.map(|memory| memory.saturating_sub(other.memory)),
        }
    }
}

/// What a cluster allows: room on nodes, quotas, limit ranges, autoscalers and what is deployed.
///
/// A part that could not be read is empty, or `None` where empty would say something else, and named
/// in `warnings`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ClusterState {
    /// Nodes that pods can be put on, ordered by name; `None` where nodes or pods could not be read.
    pub nodes: Option<Vec<NodeRoom>>,
    /// Every ResourceQuota that counts for the plan's pods.
    pub quotas: Vec<Quota>,
    /// Every limit of a LimitRange on containers and pods.
    pub limit_ranges: Vec<LimitRangeRule>,
    /// The HorizontalPodAutoscaler of each workload that has one.
    pub autoscalers: BTreeMap<WorkloadRef, Autoscaler>,
    /// What is deployed.
    pub workloads: BTreeMap<WorkloadRef, Deployed>,
    /// What could not be read and what follows from that, each a sentence.
    pub warnings: Vec<String>,
}

impl ClusterState {
    /// What can be given to the plan's workloads under `cap` in (0, 1]; `None` where no node is known.
    #[must_use]
    pub fn capacity(&self, cap: f64) -> Option<Capacity> {
        let nodes = self.nodes.as_ref()?;
        let sum = |part: fn(&NodeRoom) -> Amount| {
            nodes.iter().map(part).fold(Amount::default(), Amount::plus)
        };
        let (allocatable, unmanaged) = (sum(|node| node.allocatable), sum(|node| node.unmanaged));
        Some(Capacity {
            cpu_allocatable: allocatable.cpu,
            memory_allocatable: allocatable.memory,
            cpu_unmanaged: unmanaged.cpu,
            memory_unmanaged: unmanaged.memory,
            cap,
        })
    }
}

/// What one node has for pods.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct NodeRoom {
    /// Its name.
    pub name: String,
    /// What pods can request on it.
    pub allocatable: Amount,
    /// What pods outside the plan request on it.
    pub unmanaged: Amount,
    /// Pods of the plan it can run besides those outside it; `None` for any number.
    #[serde(default)]
    pub pods: Option<u32>,
}

impl NodeRoom {
    /// What the plan's pods can request on it.
    #[must_use]
    pub const fn room(&self) -> Amount {
        self.allocatable.less(self.unmanaged)
    }
}

/// A ResourceQuota: what the pods of a namespace may request and be limited to in total.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quota {
    /// The namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Most of all requests.
    pub requests: Stated,
    /// Most of all limits.
    pub limits: Stated,
    /// What pods outside the plan request.
    pub unmanaged_requests: Amount,
    /// What pods outside the plan are limited to.
    pub unmanaged_limits: Amount,
}

/// One limit of a LimitRange.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LimitRangeRule {
    /// The namespace.
    pub namespace: String,
    /// The name of the LimitRange.
    pub name: String,
    /// What it bounds.
    pub scope: LimitScope,
    /// Smallest request and limit.
    pub min: Stated,
    /// Largest request and limit.
    pub max: Stated,
    /// The limit a container without one gets.
    pub default_limit: Stated,
    /// Largest CPU limit per CPU request.
    pub max_cpu_ratio: Option<f64>,
    /// Largest memory limit per memory request.
    pub max_memory_ratio: Option<f64>,
}

/// What a limit of a LimitRange bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitScope {
    /// Each container.
    #[default]
    Container,
    /// The containers of a pod together.
    Pod,
}

/// A HorizontalPodAutoscaler of one workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Autoscaler {
    /// Fewest replicas, at least 0.
    pub min_replicas: u32,
    /// Most replicas.
    pub max_replicas: u32,
    /// Replicas it asks for now.
    pub current_replicas: u32,
    /// Percent of the CPU request that the pods shall use on average; `None` where it does not scale on that.
    pub cpu_target_percent: Option<u32>,
    /// Whether it scales on anything else too.
    pub other_metrics: bool,
}

/// A workload as the cluster has it now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Deployed {
    /// Replicas it is to have.
    pub replicas: u32,
    /// What its containers claim, by name; init containers are left out.
    pub containers: BTreeMap<String, ResourceClaim>,
    /// The value of its PriorityClass; `None` where it has none or it may not be read.
    pub priority: Option<i32>,
    /// Hosts it calls, from environment variables that end in `_ADDR`, sorted; names of Services.
    pub callee_hosts: Vec<String>,
}

/// What kind of rule a plan runs into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ViolationKind {
    /// A LimitRange allows no more.
    LimitRange,
    /// No node has the room for such a pod.
    Node,
    /// A ResourceQuota allows no more.
    Quota,
    /// The nodes together have no more under the cap.
    Capacity,
    /// What was given is below what a LimitRange asks for, so that pods would be refused.
    BelowMinimum,
    /// The pods of a workload find no place on the nodes beside the others.
    Packing,
}

impl ViolationKind {
    /// All kinds, in the order in which they are looked for.
    pub const ALL: [Self; 6] = [
        Self::LimitRange,
        Self::Node,
        Self::Quota,
        Self::Capacity,
        Self::BelowMinimum,
        Self::Packing,
    ];

    /// The kind in lower case with underscores, as in JSON and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LimitRange => "limit_range",
            Self::Node => "node",
            Self::Quota => "quota",
            Self::Capacity => "capacity",
            Self::BelowMinimum => "below_minimum",
            Self::Packing => "packing",
        }
    }

    /// Whether its amount was taken away from a request; the amounts of these kinds sum to what was not given.
    #[must_use]
    pub const fn withholds(self) -> bool {
        matches!(self, Self::LimitRange | Self::Node | Self::Quota | Self::Capacity)
    }
}

impl fmt::Display for ViolationKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How much of which resource is missing, over all replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "resource", content = "amount", rename_all = "snake_case")]
pub enum Shortfall {
    /// Of CPU requests.
    CpuRequest(Millicores),
    /// Of CPU limits.
    CpuLimit(Millicores),
    /// Of memory requests.
    MemoryRequest(Bytes),
    /// Of memory limits.
    MemoryLimit(Bytes),
}

impl Shortfall {
    /// The resource in lower case with underscores, as in JSON and in metrics.
    #[must_use]
    pub const fn resource(self) -> &'static str {
        match self {
            Self::CpuRequest(_) => "cpu_request",
            Self::CpuLimit(_) => "cpu_limit",
            Self::MemoryRequest(_) => "memory_request",
            Self::MemoryLimit(_) => "memory_limit",
        }
    }
}

impl fmt::Display for Shortfall {
    /// The amount and its resource, as in `250m of CPU requests`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CpuRequest(amount) => write!(f, "{amount} of CPU requests"),
            Self::CpuLimit(amount) => write!(f, "{amount} of CPU limits"),
            Self::MemoryRequest(amount) => write!(f, "{amount} of memory requests"),
            Self::MemoryLimit(amount) => write!(f, "{amount} of memory limits"),
        }
    }
}

/// A rule of the cluster that the demand does not respect, and what that costs whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Violation {
    /// What kind of rule.
    pub kind: ViolationKind,
    /// The workload it is about; `None` for the cluster as a whole.
    pub workload: Option<WorkloadRef>,
    /// The container; `None` for all of the workload's pods.
    pub container: Option<String>,
    /// The node, or the namespace and name of the rule; `None` where the kind says enough.
    pub place: Option<String>,
    /// What is missing.
    #[serde(flatten)]
    pub shortfall: Shortfall,
    /// Why, a sentence without a full stop.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(cpu: u64, unmanaged: u64) -> NodeRoom {
        let amount = |cpu| Amount { cpu: Millicores::new(cpu), memory: Bytes::from_mebibytes(cpu) };
        NodeRoom {
            name: format!("n{cpu}"),
            allocatable: amount(cpu),
            unmanaged: amount(unmanaged),
            pods: None,
        }
    }

    #[test]
    fn capacity_is_what_all_nodes_have_and_unknown_without_nodes() {
        let state = ClusterState {
            nodes: Some(vec![node(1000, 200), node(500, 600)]),
            ..ClusterState::default()
        };
        let capacity = state.capacity(0.8).unwrap();
        assert_eq!(capacity.cpu(), Millicores::new(400));
        assert_eq!(state.nodes.unwrap()[1].room().cpu, Millicores::ZERO);
        assert_eq!(ClusterState::default().capacity(0.8), None);
    }

    #[test]
    fn a_violation_states_resource_and_amount_beside_its_kind() {
        let violation = Violation {
            kind: ViolationKind::Quota,
            workload: Some("shop/cart".parse().unwrap()),
            container: None,
            place: Some("shop/team".to_owned()),
            shortfall: Shortfall::CpuLimit(Millicores::new(250)),
            reason: "it is full".to_owned(),
        };
        let json = serde_json::to_value(&violation).unwrap();
        assert_eq!(
            (json["kind"].as_str(), json["resource"].as_str()),
            (Some("quota"), Some("cpu_limit"))
        );
        assert_eq!(json["amount"], "250m");
        assert_eq!(serde_json::from_value::<Violation>(json).unwrap(), violation);
    }

    #[test]
    fn what_a_state_does_not_say_is_unknown() {
        let state: ClusterState = serde_json::from_str("{}").unwrap();
        assert_eq!(state, ClusterState::default());
    }
}
