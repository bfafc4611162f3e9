//! What nodes have for the plan's pods.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node, Pod};
use mora_core::{Amount, NodeRoom, WorkloadRef};

use crate::owner::workload_of;
use crate::requests::Reader;

/// What the pods outside a plan hold.
#[derive(Debug, Default)]
pub(crate) struct Unmanaged {
    /// Requests and number of pods, by node.
    pub(crate) on_nodes: BTreeMap<String, (Amount, u32)>,
    /// Requests and limits, by namespace.
    pub(crate) in_namespaces: BTreeMap<String, (Amount, Amount)>,
    /// Quantities that could not be read and count as 0, each a sentence.
    pub(crate) warnings: Vec<String>,
}

impl Unmanaged {
    /// What those of `pods` hold that no workload in `managed` owns.
    pub(crate) fn of(pods: &[Pod], managed: &BTreeSet<WorkloadRef>) -> Self {
        let mut unmanaged = Self::default();
        let others = pods.iter().filter(|pod| {
            !has_ended(pod) && workload_of(pod).is_none_or(|owner| !managed.contains(&owner))
        });
        others.for_each(|pod| unmanaged.add(pod));
        unmanaged
    }

    fn add(&mut self, pod: &Pod) {
        let Some(spec) = pod.spec.as_ref() else { return };
        let namespace = name(pod.metadata.namespace.as_deref());
        let object = format!("pod {namespace}/{}", name(pod.metadata.name.as_deref()));
        let mut reader = Reader::new(object);
        let (requests, limits) = (reader.pod(spec), reader.pod_limits(spec));
        self.warnings.extend(reader.warnings);
        if let Some(node) = &spec.node_name {
            let (amount, pods) = self.on_nodes.entry(node.clone()).or_default();
            *amount = amount.plus(requests);
            *pods += 1;
        }
        let (requested, limited) = self.in_namespaces.entry(namespace.to_owned()).or_default();
        *requested = requested.plus(requests);
        *limited = limited.plus(limits);
    }
}

/// The room on each of `nodes` that pods can be put on, ordered by name, and quantities that could not be read.
pub(crate) fn rooms(nodes: &[Node], unmanaged: &Unmanaged) -> (Vec<NodeRoom>, Vec<String>) {
    let mut warnings = Vec::new();
    let mut rooms: Vec<NodeRoom> = nodes
        .iter()
        .filter(|node| is_schedulable(node))
        .map(|node| room(node, unmanaged, &mut warnings))
        .collect();
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    (rooms, warnings)
}

fn room(node: &Node, unmanaged: &Unmanaged, warnings: &mut Vec<String>) -> NodeRoom {
    let name = name(node.metadata.name.as_deref());
    let mut reader = Reader::new(format!("node {name}"));
    let stated = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let allocatable = reader.amount(stated);
    let most_pods = reader.number(stated, "pods").map(|pods| pods as u32);
    warnings.extend(reader.warnings);
    let (held, pods) = unmanaged.on_nodes.get(name).copied().unwrap_or_default();
    NodeRoom {
        name: name.to_owned(),
        allocatable,
        unmanaged: held,
        pods: most_pods.map(|most| most.saturating_sub(pods)),
    }
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

/// Whether the pod holds nothing any more.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}
