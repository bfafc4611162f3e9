//! Which workload a pod belongs to.

use std::collections::BTreeMap;

use mora_core::{WorkloadKind, without_generated, without_ordinal};

use super::answer::Labelled;

/// The owners kube-state-metrics saw; empty where it is not scraped.
#[derive(Debug, Clone, Default)]
pub(super) struct Owners {
    pods: BTreeMap<String, Owner>,
    replica_sets: BTreeMap<String, Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Owner {
    kind: String,
    name: String,
}

impl Owners {
    /// The owners in the answers about pods and about each ReplicaSet.
    pub(super) fn new(pods: &[Labelled], replica_sets: &[Labelled]) -> Self {
        Self { pods: owned(pods, "pod"), replica_sets: owned(replica_sets, "replicaset") }
    }

    /// The kind and name of the workload of `pod`: by its owners where they are known, else by its name.
    ///
    /// `None` for a pod of something MOrA does not size, such as a Job.
    pub(super) fn workload(&self, pod: &str) -> Option<(WorkloadKind, String)> {
        let Some(owner) = self.pods.get(pod) else { return by_name(pod) };
        if owner.kind == "ReplicaSet" {
            return self.deployment(&owner.name).map(|name| (WorkloadKind::Deployment, name));
        }
        owner.kind.parse().ok().map(|kind| (kind, owner.name.clone()))
    }

    fn deployment(&self, replica_set: &str) -> Option<String> {
        match self.replica_sets.get(replica_set) {
            Some(owner) => (owner.kind == "Deployment").then(|| owner.name.clone()),
            None => without_generated(replica_set, 5..=10).map(str::to_owned),
        }
    }
}

fn owned(series: &[Labelled], label: &str) -> BTreeMap<String, Owner> {
    let owner = |series: &Labelled| {
        let (kind, name) = (series.label("owner_kind")?, series.label("owner_name")?);
        let owner = Owner { kind: kind.to_owned(), name: name.to_owned() };
        Some((series.label(label)?.to_owned(), owner))
    };
    series.iter().filter_map(owner).collect()
}

/// What a pod's name says: `name-<ReplicaSet hash>-<5 letters>` is a Deployment's, `name-<ordinal>` a
/// StatefulSet's.
fn by_name(pod: &str) -> Option<(WorkloadKind, String)> {
    let deployment = without_generated(pod, 5..=5).and_then(|set| without_generated(set, 5..=10));
    if let Some(name) = deployment {
        return Some((WorkloadKind::Deployment, name.to_owned()));
    }
    Some((WorkloadKind::StatefulSet, without_ordinal(pod)?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(label: &str, name: &str, owner: (&str, &str)) -> Labelled {
        let pairs = [(label, name), ("owner_kind", owner.0), ("owner_name", owner.1)];
        let labels = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Labelled { labels, samples: Vec::new() }
    }

    fn found(owners: &Owners, pod: &str) -> Option<String> {
        owners.workload(pod).map(|(kind, name)| format!("{kind}/{name}"))
    }

    #[test]
    fn names_alone_tell_deployments_and_stateful_sets() {
        let by_name = |pod: &str| found(&Owners::default(), pod);
        assert_eq!(
            by_name("cartservice-7d9c5b6f4d-x2v8k").as_deref(),
            Some("Deployment/cartservice")
        );
        assert_eq!(by_name("redis-cart-58f68557c-2xk9z").as_deref(), Some("Deployment/redis-cart"));
        assert_eq!(by_name("postgres-0").as_deref(), Some("StatefulSet/postgres"));
        assert_eq!(by_name("my-db-12").as_deref(), Some("StatefulSet/my-db"));
        assert_eq!(by_name("debug"), None);
        assert_eq!(by_name("backup-28493820-abcde"), None);
        assert_eq!(by_name("web-01"), None);
    }

    #[test]
    fn owners_go_before_names() {
        let owners = Owners::new(
            &[
                owner("pod", "web-6b7c9d5f8-4xk2z", ("ReplicaSet", "web-6b7c9d5f8")),
                owner("pod", "old-6b7c9d5f8-4xk2z", ("ReplicaSet", "old-6b7c9d5f8")),
                owner("pod", "canary-6b7c9d5f8-4xk2z", ("ReplicaSet", "canary-6b7c9d5f8")),
                owner("pod", "agent-4xk2z", ("DaemonSet", "agent")),
                owner("pod", "import-0", ("Job", "import")),
            ],
            &[
                owner("replicaset", "web-6b7c9d5f8", ("Deployment", "website")),
                owner("replicaset", "canary-6b7c9d5f8", ("Rollout", "canary")),
            ],
        );
        assert_eq!(found(&owners, "web-6b7c9d5f8-4xk2z").as_deref(), Some("Deployment/website"));
        assert_eq!(found(&owners, "old-6b7c9d5f8-4xk2z").as_deref(), Some("Deployment/old"));
        assert_eq!(found(&owners, "canary-6b7c9d5f8-4xk2z"), None);
        assert_eq!(found(&owners, "agent-4xk2z").as_deref(), Some("DaemonSet/agent"));
        assert_eq!(found(&owners, "import-0"), None);
    }
}
