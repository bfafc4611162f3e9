//! Whose a pod is, also one that is gone.

mod names;
mod seen;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use mora_core::{Inventory, OwnerKind, OwnerRef, without_generated, without_ordinal};

pub use seen::SeenPods;

use names::{controlled_by, scheduled_by};

/// The labels of a series.
pub type Labels = BTreeMap<String, String>;

type Named = (Arc<str>, Arc<str>);

/// The owners of pods: those the cluster has now, those kube-state-metrics saw, and for the rest what names say.
///
/// A name alone decides only where an owner of the inventory would have given a pod exactly that name: `cart-db-0` is never
/// a pod of `cart`.
#[derive(Debug)]
pub struct Owners {
    /// Index in the inventory of the owner of a pod, by namespace and pod.
    pods: HashMap<Named, usize>,
    /// The same by ReplicaSet, `ReplicationController` or Job between an owner and its pods.
    generations: HashMap<Named, usize>,
    items: HashMap<OwnerRef, usize>,
    /// Owners of a kind that only its operator knows how to name pods after, by namespace and name.
    others: HashMap<Named, usize>,
    /// What kube-state-metrics saw: kind and name of the owner of a pod, a ReplicaSet or a Job.
    seen: HashMap<(Seen, Named), (OwnerKind, Arc<str>)>,
}

/// Of what kube-state-metrics told the owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Seen {
    Pod,
    ReplicaSet,
    Job,
}

impl Owners {
    /// The owners in `inventory`; indices are those of its items.
    #[must_use]
    pub fn new(inventory: &Inventory) -> Self {
        let mut owners = Self {
            pods: HashMap::new(),
            generations: HashMap::new(),
            items: HashMap::new(),
            others: HashMap::new(),
            seen: HashMap::new(),
        };
        for (index, item) in inventory.items.iter().enumerate() {
            let namespace = &item.owner.namespace;
            let named = |name: &Arc<str>| (Arc::clone(namespace), Arc::clone(name));
            owners.pods.extend(item.pods.iter().map(|pod| (named(&pod.name), index)));
            owners.generations.extend(item.generations.iter().map(|name| (named(name), index)));
            if matches!(item.owner.kind, OwnerKind::Other(_)) {
                owners.others.insert(named(&item.owner.name), index);
            }
            owners.items.insert(item.owner.clone(), index);
        }
        owners
    }

    /// Takes in the `labels` of a series of `kube_pod_owner`, `kube_replicaset_owner` or `kube_job_owner`.
    pub fn add_seen(&mut self, labels: &Labels) {
        let label =
            |name: &str| labels.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let subject =
            [("replicaset", Seen::ReplicaSet), ("job_name", Seen::Job), ("pod", Seen::Pod)];
        let family = label("__name__").unwrap_or_default();
        let subject = subject.into_iter().find(|(name, seen)| match seen {
            Seen::ReplicaSet => family == "kube_replicaset_owner",
            Seen::Job => family == "kube_job_owner",
            Seen::Pod => family == "kube_pod_owner",
        } && label(name).is_some());
        let (Some((name, seen)), Some(namespace)) = (subject, label("namespace")) else { return };
        let (Some(name), Some(kind), Some(owner)) =
            (label(name), label("owner_kind"), label("owner_name"))
        else {
            return;
        };
        // Infallible: every text is a kind.
        let Ok(kind) = kind.parse::<OwnerKind>();
        self.seen.insert((seen, (namespace.into(), name.into())), (kind, owner.into()));
    }

    /// Index in the inventory of the owner of `pod` in `namespace`; `None` where it is of nobody in it.
    #[must_use]
    pub fn owner(&self, namespace: &str, pod: &str) -> Option<usize> {
        let namespace: Arc<str> = namespace.into();
        let named: Named = (Arc::clone(&namespace), pod.into());
        if let Some(index) = self.pods.get(&named) {
            return Some(*index);
        }
        match self.seen.get(&(Seen::Pod, named)) {
            Some((kind, name)) => self.owner_seen(&namespace, kind, name, pod),
            None => self.by_name(&namespace, pod),
        }
    }

    /// The owner at the top of the chain that begins with the `kind` and `name` that own `pod`.
    fn owner_seen(
        &self,
        namespace: &Arc<str>,
        kind: &OwnerKind,
        name: &Arc<str>,
        pod: &str,
    ) -> Option<usize> {
        let named = (Arc::clone(namespace), Arc::clone(name));
        let item = |kind: &OwnerKind, name: &str| self.item(namespace, kind, name);
        let above = match kind {
            OwnerKind::ReplicaSet => Seen::ReplicaSet,
            OwnerKind::Job => Seen::Job,
            // What owns no pod, or the node that a static pod is of.
            OwnerKind::Other(word) if matches!(&**word, "<none>" | "Node") => {
                return item(&OwnerKind::Pod, pod);
            }
            _ => {
                return item(kind, name).or_else(|| self.generations.get(&named).copied());
            }
        };
        if let Some(index) = self.generations.get(&named) {
            return Some(*index);
        }
        match self.seen.get(&(above, named)) {
            Some((OwnerKind::Other(word), _)) if &**word == "<none>" => item(kind, name),
            Some((kind, owner)) => item(kind, owner),
            None => item(kind, name).or_else(|| match above {
                Seen::ReplicaSet => self.deployment(namespace, name),
                _ => item(&OwnerKind::CronJob, scheduled_by(name)?),
            }),
        }
    }

    /// Whoever would have called a pod so.
    fn by_name(&self, namespace: &Arc<str>, pod: &str) -> Option<usize> {
        let item = |kind: OwnerKind, name: &str| self.item(namespace, &kind, name);
        let generation =
            |name: &str| self.generations.get(&(Arc::clone(namespace), Arc::from(name))).copied();
        let by_letters = without_generated(pod, 5..=5).and_then(|front| {
            generation(front)
                .or_else(|| generation(without_ordinal(front)?))
                .or_else(|| self.deployment(namespace, front))
                .or_else(|| item(OwnerKind::DaemonSet, front))
                .or_else(|| item(OwnerKind::ReplicaSet, front))
                .or_else(|| item(OwnerKind::Job, front))
                .or_else(|| item(OwnerKind::Job, without_ordinal(front)?))
                .or_else(|| item(OwnerKind::CronJob, scheduled_by(front)?))
                .or_else(|| item(OwnerKind::DeploymentConfig, without_ordinal(front)?))
        });
        by_letters
            .or_else(|| item(OwnerKind::StatefulSet, without_ordinal(pod)?))
            .or_else(|| item(OwnerKind::Pod, pod))
            .or_else(|| self.operated(namespace, pod))
    }

    /// The Deployment or Rollout that owns a ReplicaSet of this name, by its name alone.
    fn deployment(&self, namespace: &Arc<str>, replica_set: &str) -> Option<usize> {
        let name = controlled_by(replica_set)?;
        let kinds = [OwnerKind::Deployment, OwnerKind::Rollout];
        kinds.iter().find_map(|kind| self.item(namespace, kind, name))
    }

    /// The object of an operator after which exactly this pod is called but for an ordinal.
    fn operated(&self, namespace: &Arc<str>, pod: &str) -> Option<usize> {
        let name = without_ordinal(pod)?;
        self.others.get(&(Arc::clone(namespace), Arc::from(name))).copied()
    }

    fn item(&self, namespace: &str, kind: &OwnerKind, name: &str) -> Option<usize> {
        self.items.get(&OwnerRef::new(namespace, kind.clone(), name)).copied()
    }
}

/// The pods that are of nobody, to be told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Strays {
    pods: HashSet<(Arc<str>, Arc<str>)>,
}

impl Strays {
    pub(crate) fn add(&mut self, namespace: &Arc<str>, pod: &Arc<str>) {
        self.pods.insert((Arc::clone(namespace), Arc::clone(pod)));
    }

    pub(crate) fn count(&self) -> usize {
        self.pods.len()
    }
}
