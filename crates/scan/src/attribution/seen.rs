//! What runs, as far as a Prometheus alone can tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mora_core::{
    Bytes, ContainerRole, Inventory, InventoryContainer, InventoryItem, InventoryPod, Millicores,
    OwnerKind, OwnerRef, ResourceClaim, without_generated, without_ordinal,
};

use super::Labels;
use super::names::{controlled_by, scheduled_by};

/// What a Prometheus has of a cluster: labels of series, and what kube-state-metrics says of containers.
#[derive(Debug, Clone, Default)]
pub struct SeenPods {
    pods: BTreeMap<(Arc<str>, Arc<str>), SeenPod>,
    owners: BTreeMap<(Of, String, String), (OwnerKind, String)>,
}

#[derive(Debug, Clone, Default)]
struct SeenPod {
    is_active: bool,
    containers: BTreeMap<Arc<str>, ResourceClaim>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Pod,
    ReplicaSet,
    Job,
}

/// What kube-state-metrics calls no owner.
const NOBODY: &str = "<none>";

impl SeenPods {
    /// Takes in the labels of a series of usage; `is_active` where it has a sample at the end of the history.
    pub fn add_usage(&mut self, labels: &Labels, is_active: bool) {
        let label =
            |name: &str| labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let (Some(namespace), Some(pod)) = (label("namespace"), label("pod")) else { return };
        let Some(container) = label("container").filter(|name| *name != "POD") else { return };
        let pod = self.pods.entry((namespace.into(), pod.into())).or_default();
        pod.is_active |= is_active;
        pod.containers.entry(container.into()).or_default();
    }

    /// Takes in the labels of a series of `kube_pod_owner`, `kube_replicaset_owner` or `kube_job_owner`.
    pub fn add_owner(&mut self, labels: &Labels) {
        let label = |name: &str| labels.get(name).cloned().filter(|text| !text.is_empty());
        let (of, name) = match labels.get("__name__").map(String::as_str) {
            Some("kube_pod_owner") => (Of::Pod, label("pod")),
            Some("kube_replicaset_owner") => (Of::ReplicaSet, label("replicaset")),
            Some("kube_job_owner") => (Of::Job, label("job_name")),
            _ => return,
        };
        let owner = (label("owner_kind"), label("owner_name"));
        let (Some(namespace), Some(name), (Some(kind), Some(owner))) =
            (label("namespace"), name, owner)
        else {
            return;
        };
        // Infallible: every text is a kind.
        let Ok(kind) = kind.parse::<OwnerKind>();
        self.owners.insert((of, namespace, name), (kind, owner));
    }

    /// Takes in a value of `kube_pod_container_resource_requests`, or with `is_limit` of `..._limits`; in cores or bytes.
    pub fn add_claim(&mut self, labels: &Labels, value: f64, is_limit: bool) {
        let label = |name: &str| labels.get(name).map(String::as_str).unwrap_or_default();
        let pod = self.pods.get_mut(&(label("namespace").into(), label("pod").into()));
        let Some(claim) = pod.and_then(|pod| pod.containers.get_mut(label("container"))) else {
            return;
        };
        match (label("resource"), is_limit) {
            ("cpu", false) => claim.cpu_request = Millicores::from_cores(value).ok(),
            ("cpu", true) => claim.cpu_limit = Millicores::from_cores(value).ok(),
            ("memory", false) => claim.memory_request = Some(Bytes::new(value as u64)),
            ("memory", true) => claim.memory_limit = Some(Bytes::new(value as u64)),
            _ => {}
        }
    }

    /// What runs: owners with a pod that has not ended, by what kube-state-metrics saw and else by their pods' names.
    #[must_use]
    pub fn inventory(&self) -> Inventory {
        let mut items: BTreeMap<OwnerRef, InventoryItem> = BTreeMap::new();
        let mut unknown = BTreeSet::new();
        for ((namespace, pod), seen) in &self.pods {
            let Some(owner) = self.owner(namespace, pod) else {
                unknown.insert((namespace, pod));
                continue;
            };
            let item = items.entry(owner.clone()).or_insert_with(|| empty(owner));
            item.pods.push(InventoryPod { name: Arc::clone(pod), is_active: seen.is_active });
            if seen.is_active {
                add_running(item, seen);
            }
        }
        let items = items.into_values().filter(|item| item.replicas > 0).collect();
        let warnings = match unknown.len() {
            0 => Vec::new(),
            count => vec![format!(
                "{count} pods are left out, because nothing tells what owns them; let Prometheus scrape kube-state-metrics, or ask the cluster with --cluster."
            )],
        };
        Inventory { items, warnings }
    }

    fn owner(&self, namespace: &str, pod: &str) -> Option<OwnerRef> {
        let (kind, name) = match self.seen(Of::Pod, namespace, pod) {
            Some((OwnerKind::Other(word), _)) if matches!(&**word, NOBODY | "Node") => {
                (OwnerKind::Pod, pod)
            }
            Some((kind, name)) => self.above(namespace, kind, name),
            None => by_name(pod)?,
        };
        Some(OwnerRef::new(namespace, kind, name))
    }

    /// The top of the chain that begins with the `kind` and `name` that own a pod.
    fn above<'a>(
        &'a self,
        namespace: &str,
        kind: &OwnerKind,
        name: &'a str,
    ) -> (OwnerKind, &'a str) {
        let of = match kind {
            OwnerKind::ReplicaSet => Of::ReplicaSet,
            OwnerKind::Job => Of::Job,
            OwnerKind::Other(word) if &**word == "ReplicationController" => {
                return (OwnerKind::DeploymentConfig, without_ordinal(name).unwrap_or(name));
            }
            _ => return (kind.clone(), name),
        };
        match self.seen(of, namespace, name) {
            Some((OwnerKind::Other(word), _)) if &**word == NOBODY => (kind.clone(), name),
            Some((kind, name)) => (kind.clone(), name),
            None => match of {
                Of::ReplicaSet => controlled_by(name)
                    .map_or((OwnerKind::ReplicaSet, name), |name| (OwnerKind::Deployment, name)),
                _ => scheduled_by(name)
                    .map_or((OwnerKind::Job, name), |name| (OwnerKind::CronJob, name)),
            },
        }
    }

    fn seen(&self, of: Of, namespace: &str, name: &str) -> Option<&(OwnerKind, String)> {
        self.owners.get(&(of, namespace.to_owned(), name.to_owned()))
    }
}

/// Who would have called a pod so; `None` where several would.
fn by_name(pod: &str) -> Option<(OwnerKind, &str)> {
    if let Some(front) = without_generated(pod, 5..=5) {
        let deployment = controlled_by(front).map(|name| (OwnerKind::Deployment, name));
        return deployment.or_else(|| Some((OwnerKind::CronJob, scheduled_by(front)?)));
    }
    Some(without_ordinal(pod).map_or((OwnerKind::Pod, pod), |name| (OwnerKind::StatefulSet, name)))
}

fn empty(owner: OwnerRef) -> InventoryItem {
    InventoryItem {
        owner,
        labels: BTreeMap::new(),
        replicas: 0,
        containers: Vec::new(),
        pods: Vec::new(),
        generations: Vec::new(),
        autoscaler: None,
        warnings: Vec::new(),
    }
}

fn add_running(item: &mut InventoryItem, seen: &SeenPod) {
    item.replicas += 1;
    for (name, claim) in &seen.containers {
        // Pods of a rollout under way may differ; the later in order of names is as good as any.
        match item.containers.iter_mut().find(|(known, _)| known == name) {
            Some((_, container)) => container.claim = *claim,
            None => item.containers.push((
                Arc::clone(name),
                InventoryContainer { role: ContainerRole::Main, claim: *claim },
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn ran(seen: &mut SeenPods, pod: &str, is_active: bool) {
        let usage = labels(&[("namespace", "shop"), ("pod", pod), ("container", "app")]);
        seen.add_usage(&usage, is_active);
    }

    fn owned(seen: &mut SeenPods, metric: &str, name: (&str, &str), owner: (&str, &str)) {
        seen.add_owner(&labels(&[
            ("__name__", metric),
            ("namespace", "shop"),
            name,
            ("owner_kind", owner.0),
            ("owner_name", owner.1),
        ]));
    }

    fn found(seen: &SeenPods) -> Vec<(String, u32)> {
        let items = seen.inventory().items;
        items.into_iter().map(|item| (item.owner.to_string(), item.replicas)).collect()
    }

    #[test]
    fn owners_are_followed_to_the_top_and_names_tell_where_none_was_seen() {
        let mut seen = SeenPods::default();
        for pod in ["web-6b7c9d5f8-4xk2z", "roll-6b7c9d5f8-4xk2z", "nightly-28493820-4xk2z", "db-0"]
        {
            ran(&mut seen, pod, true);
        }
        ran(&mut seen, "web-58f68557c-2xk9z", false);
        ran(&mut seen, "debug", true);
        owned(
            &mut seen,
            "kube_pod_owner",
            ("pod", "roll-6b7c9d5f8-4xk2z"),
            ("ReplicaSet", "roll-6b7c9d5f8"),
        );
        owned(
            &mut seen,
            "kube_replicaset_owner",
            ("replicaset", "roll-6b7c9d5f8"),
            ("Rollout", "roll"),
        );
        owned(&mut seen, "kube_pod_owner", ("pod", "debug"), ("<none>", "<none>"));
        let expected = [
            ("shop/Deployment/web", 1),
            ("shop/StatefulSet/db", 1),
            ("shop/CronJob/nightly", 1),
            ("shop/Rollout/roll", 1),
            ("shop/Pod/debug", 1),
        ];
        assert_eq!(found(&seen), expected.map(|(name, replicas)| (name.to_owned(), replicas)));
        let web = &seen.inventory().items[0];
        assert_eq!(web.pods.len(), 2, "one of them is gone");
    }

    #[test]
    fn what_nothing_tells_the_owner_of_is_counted_and_what_has_ended_is_left_out() {
        let mut seen = SeenPods::default();
        ran(&mut seen, "agent-4xk2z", true);
        ran(&mut seen, "old-0", false);
        assert!(found(&seen).is_empty());
        assert!(seen.inventory().warnings[0].starts_with("1 pods are left out"));
    }

    #[test]
    fn claims_are_those_of_the_pods_that_run() {
        let mut seen = SeenPods::default();
        ran(&mut seen, "db-0", true);
        let claim = |resource| {
            labels(&[
                ("namespace", "shop"),
                ("pod", "db-0"),
                ("container", "app"),
                ("resource", resource),
            ])
        };
        seen.add_claim(&claim("cpu"), 0.25, false);
        seen.add_claim(&claim("memory"), 1_048_576.0, true);
        let claim = seen.inventory().items[0].containers[0].1.claim;
        assert_eq!(claim.cpu_request, Some(Millicores::new(250)));
        assert_eq!(claim.memory_limit, Some(Bytes::from_mebibytes(1)));
        assert_eq!((claim.cpu_limit, claim.memory_request), (None, None));
    }
}
