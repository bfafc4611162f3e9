//! The connection to one cluster and what is asked of it.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::config::{AuthInfo, KubeConfigOptions};
use kube::{Client, Config};
use mora_core::{Capacity, WorkloadRef};
use tracing::warn;

use crate::list::{list_all, list_namespaced};
use crate::observed::Described;
use crate::owner::workload_of;
use crate::requests::{Amount, Reader};
use crate::{ClusterError, ObservedWorkload};

/// Namespaces of Kubernetes itself, left out unless they are asked for.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// A cluster whose API is read.
#[derive(Clone)]
pub struct Cluster {
    pub(crate) client: Client,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").finish_non_exhaustive()
    }
}

impl Cluster {
    /// The cluster of a kubeconfig's `context`; without one, of its current context or, in a pod, of
    /// the service account. The API is not asked for anything yet.
    ///
    /// Fails when there is no such configuration or it cannot be used.
    pub async fn connect(context: Option<&str>) -> Result<Self, ClusterError> {
        let config = match context {
            None => Config::infer().await.map_err(ClusterError::not_inferred)?,
            Some(context) => of_context(context).await?,
        };
        if has_unsendable_token(&config.auth_info) {
            let cause = "the token in the kubeconfig has a line break or another control character";
            return Err(ClusterError::Credentials(cause.into()));
        }
        let client =
            Client::try_from(config).map_err(|source| ClusterError::Credentials(source.into()))?;
        Ok(Self { client })
    }

    /// Every Deployment, StatefulSet and DaemonSet of `namespaces`, ordered; if that is empty, of all
    /// but those of Kubernetes itself.
    ///
    /// Fails when one of the kinds cannot be listed.
    pub async fn workloads(
        &self,
        namespaces: &[String],
    ) -> Result<Vec<ObservedWorkload>, ClusterError> {
        let mut described: Vec<Described> = Vec::new();
        let deployments = list_namespaced::<Deployment>(&self.client, namespaces).await?;
        described.extend(deployments.into_iter().map(Described::from));
        let stateful_sets = list_namespaced::<StatefulSet>(&self.client, namespaces).await?;
        described.extend(stateful_sets.into_iter().map(Described::from));
        let daemon_sets = list_namespaced::<DaemonSet>(&self.client, namespaces).await?;
        described.extend(daemon_sets.into_iter().map(Described::from));
        let classes = self.priority_classes(&described).await;
        let wanted = |w: &ObservedWorkload| {
            !namespaces.is_empty() || !SYSTEM_NAMESPACES.contains(&w.workload.namespace())
        };
        let mut workloads: Vec<ObservedWorkload> =
            described.into_iter().filter_map(|d| d.observe(&classes)).filter(wanted).collect();
        workloads.sort_by(|a, b| a.workload.cmp(&b.workload));
        Ok(workloads)
    }

    /// What schedulable nodes can allocate, less what pods on them request that no workload in
    /// `managed` owns; `cap` in (0, 1] is the share that may be requested.
    ///
    /// A quantity that cannot be read counts as 0 and is logged. Fails when nodes or pods cannot be listed.
    pub async fn capacity(
        &self,
        managed: &BTreeSet<WorkloadRef>,
        cap: f64,
    ) -> Result<Capacity, ClusterError> {
        let nodes: Vec<Node> = list_all(&self.client).await?;
        let pods: Vec<Pod> = list_all(&self.client).await?;
        let (capacity, warnings) = capacity_of(&nodes, &pods, managed, cap);
        for warning in warnings {
            warn!("{warning}");
        }
        Ok(capacity)
    }

    /// Every PriorityClass, if any workload names one; a missing permission is only logged.
    async fn priority_classes(&self, described: &[Described]) -> Vec<PriorityClass> {
        if !described.iter().any(Described::has_priority_class) {
            return Vec::new();
        }
        list_all(&self.client).await.unwrap_or_else(|error| {
            warn!("priorities of workloads are not used: {error}");
            Vec::new()
        })
    }
}

async fn of_context(context: &str) -> Result<Config, ClusterError> {
    let options =
        KubeConfigOptions { context: Some(context.to_owned()), ..KubeConfigOptions::default() };
    Config::from_kubeconfig(&options).await.map_err(|source| ClusterError::Context {
        context: context.to_owned(),
        source: source.into(),
    })
}

/// Whether the token cannot stand in an HTTP header, which would make the client panic.
fn has_unsendable_token(credentials: &AuthInfo) -> bool {
    // The token is secret to all but its serialization.
    let fields = serde_json::to_value(credentials).unwrap_or_default();
    fields["token"].as_str().is_some_and(|token| token.contains(|c: char| c.is_ascii_control()))
}

fn capacity_of(
    nodes: &[Node],
    pods: &[Pod],
    managed: &BTreeSet<WorkloadRef>,
    cap: f64,
) -> (Capacity, Vec<String>) {
    let usable: Vec<&Node> = nodes.iter().filter(|node| is_schedulable(node)).collect();
    let names: BTreeSet<&str> = usable.iter().filter_map(|n| n.metadata.name.as_deref()).collect();
    let others = pods.iter().filter(|pod| runs_on(pod, &names)).filter(|pod| {
        let owner = workload_of(pod);
        !owner.is_some_and(|owner| managed.contains(&owner))
    });
    let mut warnings = Vec::new();
    let allocatable = total(usable.into_iter().map(allocatable), &mut warnings);
    let unmanaged = total(others.map(reserved), &mut warnings);
    let capacity = Capacity {
        cpu_allocatable: allocatable.cpu,
        memory_allocatable: allocatable.memory,
        cpu_unmanaged: unmanaged.cpu,
        memory_unmanaged: unmanaged.memory,
        cap,
    };
    (capacity, warnings)
}

fn total(
    amounts: impl Iterator<Item = (Amount, Vec<String>)>,
    warnings: &mut Vec<String>,
) -> Amount {
    amounts.fold(Amount::default(), |sum, (amount, unreadable)| {
        warnings.extend(unreadable);
        sum.plus(amount)
    })
}

fn allocatable(node: &Node) -> (Amount, Vec<String>) {
    let mut reader = Reader::new(format!("node {}", name(node.metadata.name.as_deref())));
    let stated = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    (reader.amount(stated), reader.warnings)
}

fn reserved(pod: &Pod) -> (Amount, Vec<String>) {
    let (namespace, pod_name) = (&pod.metadata.namespace, &pod.metadata.name);
    let object = format!("pod {}/{}", name(namespace.as_deref()), name(pod_name.as_deref()));
    let mut reader = Reader::new(object);
    let amount = pod.spec.as_ref().map(|spec| reader.pod(spec)).unwrap_or_default();
    (amount, reader.warnings)
}

/// The API server names every object; a text for messages should it not.
fn name(stated: Option<&str>) -> &str {
    stated.unwrap_or("without a name")
}

/// Whether new pods without special tolerations can be put on a node.
fn is_schedulable(node: &Node) -> bool {
    let spec = node.spec.as_ref();
    let cordoned = spec.and_then(|s| s.unschedulable).unwrap_or(false);
    let taints = spec.and_then(|s| s.taints.as_deref()).unwrap_or_default();
    let kept_free = taints.iter().any(|t| t.effect == "NoSchedule" || t.effect == "NoExecute");
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    let unready = conditions.iter().any(|c| c.type_ == "Ready" && c.status != "True");
    !(cordoned || kept_free || unready)
}

/// Whether the pod holds its requests on one of `nodes`.
fn runs_on(pod: &Pod, nodes: &BTreeSet<&str>) -> bool {
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    node.is_some_and(|node| nodes.contains(node)) && !matches!(phase, Some("Succeeded" | "Failed"))
}

#[cfg(test)]
pub(crate) mod tests;
