//! Putting together what was listed.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{Inventory, InventoryItem, InventoryPod, OwnerAutoscaler, OwnerKind, OwnerRef};

use super::autoscaler::HorizontalPodAutoscaler;
use super::chain::{Chains, owner};
use super::containers::Containers;
use super::lists::Listed;
use super::selector::LabelSelector;
use super::wire::{Metadata, Named, Pod, PodSpec, Templated};

/// An owner as its own object has it.
#[derive(Debug, Default)]
struct Stated {
    labels: BTreeMap<String, String>,
    /// `None` where only its pods tell.
    replicas: Option<u32>,
    template: Option<PodSpec>,
}

/// What was listed so far.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    stated: BTreeMap<OwnerRef, Stated>,
    /// Owners that another owner stands for.
    replaced: BTreeSet<OwnerRef>,
    chains: Chains,
    autoscalers: BTreeMap<OwnerRef, OwnerAutoscaler>,
    warnings: Vec<String>,
}

impl Assembly {
    /// Owners of one kind, each with a template of pods.
    pub(super) fn add_templated(&mut self, kind: &OwnerKind, listed: Listed<Templated>) {
        self.warnings.extend(listed.warnings);
        for object in listed.objects {
            self.state(kind, object);
        }
    }

    /// Rollouts, after the Deployments: a Rollout may take its template from one.
    pub(super) fn add_rollouts(&mut self, listed: Listed<Templated>) {
        self.warnings.extend(listed.warnings);
        for mut object in listed.objects {
            let namespace = object.metadata.namespace.clone();
            let source = object.spec.workload_ref.take().map(|source| owner(&namespace, &source));
            let rollout = self.state(&OwnerKind::Rollout, object);
            let Some(source) = source else { continue };
            let Some(deployment) = self.stated.get(&source) else { continue };
            let (template, replicas) = (deployment.template.clone(), deployment.replicas);
            if let Some(stated) = self.stated.get_mut(&rollout) {
                stated.template = template.or(stated.template.take());
            }
            if replicas == Some(0) {
                self.replaced.insert(source);
            }
        }
    }

    /// Jobs: those of a CronJob, or of anything else, are its generations.
    pub(super) fn add_jobs(&mut self, listed: Listed<Templated>) {
        self.warnings.extend(listed.warnings);
        for object in listed.objects {
            if self.chains.add(&OwnerKind::Job, &object.metadata).is_none() {
                self.state(&OwnerKind::Job, object);
            }
        }
    }

    /// What stands between pods and their owners.
    pub(super) fn add_generations(&mut self, kind: &OwnerKind, listed: Listed<Named>) {
        self.warnings.extend(listed.warnings);
        for object in listed.objects {
            self.chains.add(kind, &object.metadata);
        }
    }

    /// What scales owners.
    pub(super) fn add_autoscalers(&mut self, listed: Listed<HorizontalPodAutoscaler>) {
        self.warnings.extend(listed.warnings);
        self.autoscalers.extend(listed.objects.iter().map(HorizontalPodAutoscaler::read));
    }

    fn state(&mut self, kind: &OwnerKind, object: Templated) -> OwnerRef {
        let Templated { metadata: Metadata { name, namespace, labels, .. }, spec, status } = object;
        let own = OwnerRef::new(&namespace, kind.clone(), &name);
        let replicas = match kind {
            OwnerKind::CronJob | OwnerKind::Job => None,
            OwnerKind::DaemonSet => Some(status.desired_number_scheduled),
            _ => Some(spec.replicas.unwrap_or(1)),
        };
        let stated = Stated { labels, replicas, template: spec.pod() };
        self.stated.insert(own.clone(), stated);
        own
    }

    /// The owners that `selector` selects, with their `pods`.
    pub(super) fn into_inventory(mut self, pods: &[Pod], selector: &LabelSelector) -> Inventory {
        let mut by_owner: BTreeMap<OwnerRef, Vec<&Pod>> = BTreeMap::new();
        for pod in pods {
            if let Some(owner) = self.chains.top(pod) {
                by_owner.entry(owner).or_default().push(pod);
            }
        }
        let mut owners: BTreeSet<OwnerRef> =
            self.stated.keys().chain(by_owner.keys()).cloned().collect();
        owners.retain(|owner| !self.replaced.contains(owner));
        let items = owners.into_iter().filter_map(|owner| {
            let pods = by_owner.remove(&owner).unwrap_or_default();
            let item = self.item(owner, &pods);
            selector.selects(&item.labels).then_some(item)
        });
        let items = items.collect();
        Inventory { items, warnings: self.warnings }
    }

    fn item(&mut self, owner: OwnerRef, pods: &[&Pod]) -> InventoryItem {
        let newest = newest(pods);
        let stated = self.stated.remove(&owner).unwrap_or_else(|| told_by(newest));
        let active = pods.iter().filter(|pod| pod.is_active()).count();
        let spec = newest.map(|pod| &pod.spec);
        let containers = Containers::of(&owner, stated.template.as_ref(), spec);
        let (containers, warnings) = (containers.found, containers.warnings);
        InventoryItem {
            labels: stated.labels,
            replicas: stated.replicas.unwrap_or_else(|| u32::try_from(active).unwrap_or(u32::MAX)),
            containers,
            pods: inventory_pods(pods),
            generations: self.chains.generations(&owner),
            autoscaler: self.autoscalers.remove(&owner),
            warnings,
            owner,
        }
    }
}

/// What a pod tells of an owner that was not listed.
fn told_by(pod: Option<&Pod>) -> Stated {
    let labels = pod.map(|pod| pod.metadata.labels.clone()).unwrap_or_default();
    Stated { labels, ..Stated::default() }
}

/// The pod that is most like those to come: one that has not ended, and of these the youngest.
fn newest<'a>(pods: &[&'a Pod]) -> Option<&'a Pod> {
    let age =
        |pod: &'a Pod| (pod.is_active(), &pod.metadata.creation_timestamp, &pod.metadata.name);
    pods.iter().copied().max_by_key(|pod| age(pod))
}

fn inventory_pods(pods: &[&Pod]) -> Vec<InventoryPod> {
    let pods = pods.iter().map(|pod| InventoryPod {
        name: pod.metadata.name.as_str().into(),
        is_active: pod.is_active(),
    });
    let mut pods: Vec<InventoryPod> = pods.collect();
    pods.sort();
    pods
}
