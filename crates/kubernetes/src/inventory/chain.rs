//! From a pod to what owns it in the end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use mora_core::{OwnerKind, OwnerRef};

use super::wire::{Metadata, OwnerReference, Pod};

/// Labels of pods that end the name of their ReplicaSet, with the kind whose name begins it.
const HASHES: [(&str, OwnerKind); 2] = [
    ("pod-template-hash", OwnerKind::Deployment),
    ("rollouts-pod-template-hash", OwnerKind::Rollout),
];

/// The kind between a `DeploymentConfig` and its pods.
pub(super) fn replication_controller() -> OwnerKind {
    OwnerKind::Other("ReplicationController".into())
}

/// What stands between pods and their owners.
#[derive(Debug, Default)]
pub(super) struct Chains {
    /// What controls a ReplicaSet, `ReplicationController` or Job; `None` where nothing does.
    parents: HashMap<OwnerRef, Option<OwnerRef>>,
    generations: BTreeMap<OwnerRef, Vec<Arc<str>>>,
}

impl Chains {
    /// Takes the object of `kind` with these `metadata` for a link, and says what controls it.
    pub(super) fn add(&mut self, kind: &OwnerKind, metadata: &Metadata) -> Option<&OwnerRef> {
        let own = OwnerRef::new(&metadata.namespace, kind.clone(), &metadata.name);
        let parent = metadata.controller().map(|controller| owner(&metadata.namespace, controller));
        if let Some(parent) = &parent {
            self.generations.entry(parent.clone()).or_default().push(own.name.clone());
        }
        self.parents.entry(own).insert_entry(parent).into_mut().as_ref()
    }

    /// Names of what stands between `owner` and its pods, ordered.
    pub(super) fn generations(&mut self, owner: &OwnerRef) -> Vec<Arc<str>> {
        let mut names = self.generations.remove(owner).unwrap_or_default();
        names.sort();
        names
    }

    /// What owns `pod` in the end; `None` for one that a node runs by itself.
    pub(super) fn top(&self, pod: &Pod) -> Option<OwnerRef> {
        let Metadata { namespace, name, .. } = &pod.metadata;
        let Some(controller) = pod.metadata.controller() else {
            return Some(OwnerRef::new(namespace, OwnerKind::Pod, name));
        };
        if controller.kind == "Node" {
            return None;
        }
        let direct = owner(namespace, controller);
        match self.parents.get(&direct) {
            Some(Some(parent)) => Some(parent.clone()),
            Some(None) => Some(direct),
            None => Some(told_by_hash(&direct, pod).unwrap_or(direct)),
        }
    }
}

/// The owner of a ReplicaSet that is not known, by the name that a controller gives it.
fn told_by_hash(replica_set: &OwnerRef, pod: &Pod) -> Option<OwnerRef> {
    if replica_set.kind != OwnerKind::ReplicaSet {
        return None;
    }
    HASHES.iter().find_map(|(label, kind)| {
        let hash = pod.metadata.labels.get(*label)?;
        let name = replica_set.name.strip_suffix(hash.as_str())?.strip_suffix('-')?;
        Some(OwnerRef::new(&replica_set.namespace, kind.clone(), name))
    })
}

/// The owner that an object in `namespace` names.
pub(super) fn owner(namespace: &str, reference: &OwnerReference) -> OwnerRef {
    OwnerRef::new(namespace, kind_of(reference), &reference.name)
}

/// A kind by its name; with its API group where that makes it another kind than the one of that name.
fn kind_of(reference: &OwnerReference) -> OwnerKind {
    let Ok(kind) = reference.kind.parse::<OwnerKind>();
    let group = reference.api_version.split_once('/').map_or("", |(group, _)| group);
    let is_own = matches!(kind, OwnerKind::Other(_)) || own_groups(&kind).contains(&group);
    // Whoever names no version at all means what everybody means by the kind.
    if is_own || reference.api_version.is_empty() {
        return kind;
    }
    OwnerKind::Other(format!("{}.{group}", reference.kind).into())
}

/// The API groups in which a kind is what its name says.
const fn own_groups(kind: &OwnerKind) -> &'static [&'static str] {
    match kind {
        OwnerKind::Deployment | OwnerKind::DaemonSet | OwnerKind::ReplicaSet => {
            &["apps", "extensions"]
        }
        OwnerKind::StatefulSet => &["apps"],
        OwnerKind::CronJob | OwnerKind::Job => &["batch"],
        OwnerKind::Rollout => &["argoproj.io"],
        OwnerKind::DeploymentConfig => &["apps.openshift.io", ""],
        OwnerKind::Pod | OwnerKind::Other(_) => &[""],
    }
}
