//! Which workload a pod belongs to.

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use mora_core::{WorkloadKind, WorkloadRef};

/// The label that a Deployment puts on each ReplicaSet and its pods; also the end of a ReplicaSet's name.
const TEMPLATE_HASH: &str = "pod-template-hash";

/// The workload that controls `pod`; `None` for a pod of a Job, of a bare ReplicaSet or of nobody.
pub(crate) fn workload_of(pod: &Pod) -> Option<WorkloadRef> {
    let namespace = pod.metadata.namespace.as_deref()?;
    let owners = pod.metadata.owner_references.as_deref().unwrap_or_default();
    let owner = owners.iter().find(|owner| owner.controller == Some(true))?;
    if owner.kind == "ReplicaSet" {
        return WorkloadRef::deployment(namespace, deployment_of(owner, pod)?).ok();
    }
    let kind: WorkloadKind = owner.kind.parse().ok()?;
    WorkloadRef::new(namespace, kind, &owner.name).ok()
}

fn deployment_of<'a>(replica_set: &'a OwnerReference, pod: &Pod) -> Option<&'a str> {
    let hash = pod.metadata.labels.as_ref()?.get(TEMPLATE_HASH)?;
    replica_set.name.strip_suffix(hash.as_str())?.strip_suffix('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(kind: &str, name: &str, hash: Option<&str>) -> Pod {
        let labels = hash.map(|hash| serde_json::json!({ TEMPLATE_HASH: hash }));
        serde_json::from_value(serde_json::json!({
            "metadata": {
                "namespace": "shop",
                "labels": labels,
                "ownerReferences": [
                    {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"},
                    {"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "2", "controller": true},
                ],
            }
        }))
        .unwrap()
    }

    #[test]
    fn a_pod_of_a_replica_set_belongs_to_the_deployment_behind_it() {
        let owner = workload_of(&pod("ReplicaSet", "cart-v2-7d9c5b8f4", Some("7d9c5b8f4")));
        assert_eq!(owner, Some("shop/cart-v2".parse().unwrap()));
    }

    #[test]
    fn stateful_and_daemon_sets_own_their_pods_directly() {
        let owner = workload_of(&pod("StatefulSet", "redis", None));
        assert_eq!(owner, Some("shop/StatefulSet/redis".parse().unwrap()));
        assert!(workload_of(&pod("DaemonSet", "agent", None)).is_some());
    }

    #[test]
    fn pods_of_jobs_of_bare_replica_sets_and_of_nobody_belong_to_no_workload() {
        assert_eq!(workload_of(&pod("Job", "import", None)), None);
        assert_eq!(workload_of(&pod("ReplicaSet", "cart-7d9c5b8f4", None)), None);
        assert_eq!(workload_of(&pod("ReplicaSet", "cart", Some("7d9c5b8f4"))), None);
        assert_eq!(workload_of(&Pod::default()), None);
    }
}
