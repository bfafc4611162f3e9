//! What runs in a cluster, whatever kind of object owns it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::text::serde_as_text;
use crate::{ResourceClaim, WorkloadKind, WorkloadRef};

/// The kind of object that owns pods, at the top of the chain of owners.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// A Deployment.
    Deployment,
    /// A StatefulSet.
    StatefulSet,
    /// A DaemonSet.
    DaemonSet,
    /// A CronJob; its Jobs count as it.
    CronJob,
    /// A Job that no CronJob owns.
    Job,
    /// A Rollout of Argo Rollouts.
    Rollout,
    /// A `DeploymentConfig` of `OpenShift`.
    DeploymentConfig,
    /// A ReplicaSet that nobody owns.
    ReplicaSet,
    /// A pod that nobody owns.
    Pod,
    /// The object of an operator, by its kind, as in `Kafka`.
    Other(Arc<str>),
}

impl OwnerKind {
    /// Those with a name of their own, in the order they are documented.
    pub const KNOWN: [Self; 9] = [
        Self::Deployment,
        Self::StatefulSet,
        Self::DaemonSet,
        Self::CronJob,
        Self::Job,
        Self::Rollout,
        Self::DeploymentConfig,
        Self::ReplicaSet,
        Self::Pod,
    ];

    /// The kind as the Kubernetes API spells it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
            Self::Rollout => "Rollout",
            Self::DeploymentConfig => "DeploymentConfig",
            Self::ReplicaSet => "ReplicaSet",
            Self::Pod => "Pod",
            Self::Other(kind) => kind,
        }
    }

    /// Whether its pods run to an end.
    #[must_use]
    pub const fn is_batch(&self) -> bool {
        matches!(self, Self::CronJob | Self::Job)
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OwnerKind {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::KNOWN.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(text));
        Ok(known.unwrap_or_else(|| Self::Other(text.into())))
    }
}

serde_as_text!(OwnerKind);

/// The identity of what owns pods: namespace, kind and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerRef {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its kind.
    pub kind: OwnerKind,
    /// Its name.
    pub name: Arc<str>,
}

impl OwnerRef {
    /// The owner `kind` `name` in `namespace`.
    #[must_use]
    pub fn new(namespace: &str, kind: OwnerKind, name: &str) -> Self {
        Self { namespace: namespace.into(), kind, name: name.into() }
    }

    /// The workload that it is, if models, plans and applying know its kind.
    #[must_use]
    pub fn workload(&self) -> Option<WorkloadRef> {
        let kind: WorkloadKind = self.kind.as_str().parse().ok()?;
        WorkloadRef::new(&self.namespace, kind, &self.name).ok()
    }
}

impl fmt::Display for OwnerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}/{}", self.namespace, self.kind, self.name))
    }
}

impl From<&WorkloadRef> for OwnerRef {
    fn from(workload: &WorkloadRef) -> Self {
        let kind = match workload.kind() {
            WorkloadKind::Deployment => OwnerKind::Deployment,
            WorkloadKind::StatefulSet => OwnerKind::StatefulSet,
            WorkloadKind::DaemonSet => OwnerKind::DaemonSet,
        };
        Self::new(workload.namespace(), kind, workload.name())
    }
}

/// When a container runs in its pod.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum ContainerRole {
    /// All the time, as what the pod is for.
    Main,
    /// All the time, beside it: an init container that is always restarted, or one that a mesh or an operator adds.
    Sidecar,
    /// Before the others, to an end.
    Init,
}

impl ContainerRole {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Main => "main",
            Self::Sidecar => "sidecar",
            Self::Init => "init",
        }
    }
}

/// A container as its owner's template, or else its newest pod, has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryContainer {
    /// When it runs.
    pub role: ContainerRole,
    /// What it requests and is limited to.
    pub claim: ResourceClaim,
}

/// What scales an owner's replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerAutoscaler {
    /// Fewest replicas.
    pub min_replicas: u32,
    /// Most replicas.
    pub max_replicas: u32,
    /// Replicas it asks for now.
    pub current_replicas: u32,
    /// Percent of the CPU request it aims at (`averageUtilization`); `None` where it does not scale on that.
    pub cpu_percent: Option<u32>,
    /// Percent of the memory request it aims at; `None` where it does not scale on that.
    pub memory_percent: Option<u32>,
    /// Whether it also, or only, scales on something that does not depend on requests: an `AverageValue`, or a metric of KEDA's.
    pub on_absolute: bool,
}

/// A pod that exists.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InventoryPod {
    /// Its name.
    pub name: Arc<str>,
    /// Whether it has not ended.
    pub is_active: bool,
}

/// What owns pods, as the cluster has it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InventoryItem {
    /// Which.
    pub owner: OwnerRef,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Replicas it is to have; of a batch owner, its active pods.
    pub replicas: u32,
    /// Its containers by name, in the order of the template.
    pub containers: Vec<(Arc<str>, InventoryContainer)>,
    /// The pods it has now.
    pub pods: Vec<InventoryPod>,
    /// `ReplicaSets` (or `ReplicationControllers`, or Jobs) between it and pods, also those without a pod now.
    pub generations: Vec<Arc<str>>,
    /// What scales it.
    pub autoscaler: Option<OwnerAutoscaler>,
    /// What could not be read of it, each a sentence.
    pub warnings: Vec<String>,
}

/// What owns pods in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// Ordered by owner.
    pub items: Vec<InventoryItem>,
    /// What could not be looked at, each a sentence.
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_read_in_any_case_and_an_operators_kind_is_kept_as_it_is() {
        for kind in OwnerKind::KNOWN {
            assert_eq!(kind.as_str().to_lowercase().parse(), Ok(kind));
        }
        assert_eq!("Kafka".parse(), Ok(OwnerKind::Other("Kafka".into())));
    }

    #[test]
    fn an_owner_is_a_workload_if_its_kind_has_models() {
        let cart = OwnerRef::new("shop", OwnerKind::Deployment, "cart");
        let workload = cart.workload().unwrap();
        assert_eq!(OwnerRef::from(&workload), cart);
        assert_eq!(OwnerRef::new("shop", OwnerKind::Job, "import").workload(), None);
    }
}
