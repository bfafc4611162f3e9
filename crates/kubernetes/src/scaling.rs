//! Replicas, claims and autoscaler bounds of workloads, read and changed: what load experiments need.

use std::collections::BTreeMap;
use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::Resource;
use kube::api::{GetParams, Patch, PatchParams};
use kube::core::Request as Path;
use mora_core::{ResourceClaim, WorkloadKind, WorkloadRef};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::ask::Asked;
use crate::list::list_namespaced;
use crate::observed::Described;
use crate::{Cluster, ClusterError};

/// Who changes it, as the API records it.
const MANAGER: &str = "mora-experiments";

/// Between how many replicas an autoscaler moves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutoscalerBounds {
    /// Name of the HorizontalPodAutoscaler, in the workload's namespace.
    pub name: String,
    /// Fewest replicas.
    pub min: u32,
    /// Most replicas.
    pub max: u32,
}

/// A workload, and whether its pods are as it asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningWorkload {
    /// The workload.
    pub workload: WorkloadRef,
    /// Replicas it is to have.
    pub replicas: u32,
    /// Pods that are ready.
    pub ready: u32,
    /// Whether the newest specification has been observed, and exactly the pods it asks for run and are ready.
    pub settled: bool,
    /// What its containers claim, by name; init containers are left out.
    pub containers: BTreeMap<String, ResourceClaim>,
    /// The autoscaler that sets its replicas.
    pub autoscaler: Option<AutoscalerBounds>,
}

/// How far the controller of a workload is.
pub(crate) struct Progress {
    /// Replicas, those of the newest revision, and those that are ready.
    pods: [i32; 3],
    observed: bool,
}

pub(crate) trait Progressing {
    fn progress(&self) -> Progress;
}

impl Progressing for Deployment {
    fn progress(&self) -> Progress {
        let status = self.status.clone().unwrap_or_default();
        Progress {
            pods: [status.replicas, status.updated_replicas, status.ready_replicas]
                .map(Option::unwrap_or_default),
            observed: is_observed(self.metadata.generation, status.observed_generation),
        }
    }
}

impl Progressing for StatefulSet {
    fn progress(&self) -> Progress {
        let status = self.status.clone().unwrap_or_default();
        // With one revision there is nothing to update, and old API servers leave the count at zero then.
        let done = status.update_revision == status.current_revision;
        let updated = if done { Some(status.replicas) } else { status.updated_replicas };
        Progress {
            pods: [Some(status.replicas), updated, status.ready_replicas]
                .map(Option::unwrap_or_default),
            observed: is_observed(self.metadata.generation, status.observed_generation),
        }
    }
}

impl Progressing for DaemonSet {
    fn progress(&self) -> Progress {
        let status = self.status.clone().unwrap_or_default();
        let updated = status.updated_number_scheduled.unwrap_or_default();
        Progress {
            pods: [status.current_number_scheduled, updated, status.number_ready],
            observed: is_observed(self.metadata.generation, status.observed_generation),
        }
    }
}

/// Whether the controller has seen the newest specification; an object without a generation was never changed.
fn is_observed(generation: Option<i64>, observed: Option<i64>) -> bool {
    observed.unwrap_or_default() >= generation.unwrap_or_default()
}

impl Cluster {
    /// Every workload of `namespace`, ordered, with the autoscaler it has.
    ///
    /// Fails when a kind or the autoscalers cannot be listed.
    pub async fn running_workloads(
        &self,
        namespace: &str,
    ) -> Result<Vec<RunningWorkload>, ClusterError> {
        let (deployments, stateful_sets, daemon_sets, bounds) = tokio::join!(
            self.running_of::<Deployment>(namespace),
            self.running_of::<StatefulSet>(namespace),
            self.running_of::<DaemonSet>(namespace),
            self.autoscaler_bounds(namespace),
        );
        let mut running = [deployments?, stateful_sets?, daemon_sets?].concat();
        let mut bounds = bounds?;
        for workload in &mut running {
            workload.autoscaler = bounds.remove(&workload.workload);
        }
        running.sort_by(|a, b| a.workload.cmp(&b.workload));
        Ok(running)
    }

    /// How `workload` runs now.
    ///
    /// Fails when it does not exist or cannot be read, and when autoscalers cannot be listed.
    pub async fn running_workload(
        &self,
        workload: &WorkloadRef,
    ) -> Result<RunningWorkload, ClusterError> {
        let running = match workload.kind() {
            WorkloadKind::Deployment => self.read::<Deployment>(workload).await?,
            WorkloadKind::StatefulSet => self.read::<StatefulSet>(workload).await?,
            WorkloadKind::DaemonSet => self.read::<DaemonSet>(workload).await?,
        };
        let autoscaler = self.autoscaler_bounds(workload.namespace()).await?.remove(workload);
        Ok(RunningWorkload { autoscaler, ..running })
    }

    /// Asks for `replicas` of `workload`, a Deployment or StatefulSet, through its subresource `scale`.
    ///
    /// Fails when the API refuses, as it does for a DaemonSet.
    pub async fn scale(&self, workload: &WorkloadRef, replicas: u32) -> Result<(), ClusterError> {
        let patch = Patch::Merge(json!({"spec": {"replicas": replicas}}));
        let path = of_workload(workload);
        let request = path.patch_subresource("scale", workload.name(), &parameters(), &patch);
        let asked = asked_of(workload, "patch", "/scale");
        self.answer::<Value>(request, &asked).await.map(drop)
    }

    /// Lets `container` of `workload` claim exactly `claim`; what it does not state is removed. The workload's pods are
    /// replaced by their controller.
    ///
    /// Fails when the API refuses.
    pub async fn set_claim(
        &self,
        workload: &WorkloadRef,
        container: &str,
        claim: &ResourceClaim,
    ) -> Result<(), ClusterError> {
        let ResourceClaim { cpu_request, cpu_limit, memory_request, memory_limit } = claim;
        let resources = json!({
            "requests": {"cpu": cpu_request, "memory": memory_request},
            "limits": {"cpu": cpu_limit, "memory": memory_limit},
        });
        let containers = json!([{"name": container, "resources": resources}]);
        let patch = json!({"spec": {"template": {"spec": {"containers": containers}}}});
        let path = of_workload(workload);
        let request = path.patch(workload.name(), &parameters(), &Patch::Strategic(patch));
        self.answer::<Value>(request, &asked_of(workload, "patch", "")).await.map(drop)
    }

    /// Lets the autoscaler of `bounds` in `namespace` move between them.
    ///
    /// Fails when the API refuses.
    pub async fn set_autoscaler_bounds(
        &self,
        namespace: &str,
        bounds: &AutoscalerBounds,
    ) -> Result<(), ClusterError> {
        let AutoscalerBounds { name, min, max } = bounds;
        let patch = Patch::Merge(json!({"spec": {"minReplicas": min, "maxReplicas": max}}));
        let path = Path::new(HorizontalPodAutoscaler::url_path(&(), Some(namespace)));
        let request = path.patch(name, &parameters(), &patch);
        let asked = asked::<HorizontalPodAutoscaler>("patch", namespace, "");
        self.answer::<Value>(request, &asked).await.map(drop)
    }

    async fn running_of<K>(&self, namespace: &str) -> Result<Vec<RunningWorkload>, ClusterError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + DeserializeOwned
            + Debug
            + Progressing,
        Described: From<K>,
    {
        let objects = list_namespaced::<K>(&self.client, &[namespace.to_owned()]).await?;
        Ok(objects.into_iter().filter_map(running).collect())
    }

    async fn read<K>(&self, workload: &WorkloadRef) -> Result<RunningWorkload, ClusterError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned + Progressing,
        Described: From<K>,
    {
        let asked = asked_of(workload, "get", "");
        let request = of_workload(workload).get(workload.name(), &GetParams::default());
        let object: K = self.answer(request, &asked).await?;
        running(object).ok_or_else(|| ClusterError::Unreadable {
            resource: workload.to_string(),
            source: "the object has no valid name".into(),
        })
    }

    async fn autoscaler_bounds(
        &self,
        namespace: &str,
    ) -> Result<BTreeMap<WorkloadRef, AutoscalerBounds>, ClusterError> {
        let namespaces = [namespace.to_owned()];
        let objects: Vec<HorizontalPodAutoscaler> =
            list_namespaced(&self.client, &namespaces).await?;
        Ok(objects.into_iter().filter_map(|object| bounds(namespace, object)).collect())
    }
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

pub(crate) fn running<K: Progressing>(object: K) -> Option<RunningWorkload>
where
    Described: From<K>,
{
    let Progress { pods, observed } = object.progress();
    let seen = Described::from(object).observe(&[])?;
    let whole = |count: i32| u32::try_from(count).unwrap_or(0);
    Some(RunningWorkload {
        settled: observed && pods.into_iter().all(|count| whole(count) == seen.replicas),
        ready: whole(pods[2]),
        replicas: seen.replicas,
        containers: seen.containers,
        workload: seen.workload,
        autoscaler: None,
    })
}

fn bounds(
    namespace: &str,
    object: HorizontalPodAutoscaler,
) -> Option<(WorkloadRef, AutoscalerBounds)> {
    let spec = object.spec?;
    let target = &spec.scale_target_ref;
    let workload = WorkloadRef::new(namespace, target.kind.parse().ok()?, &target.name).ok()?;
    let whole = |count: i32| u32::try_from(count).unwrap_or(0);
    let name = object.metadata.name?;
    let (min, max) = (spec.min_replicas.map_or(1, whole), whole(spec.max_replicas));
    Some((workload, AutoscalerBounds { name, min, max }))
}

pub(crate) fn of_workload(workload: &WorkloadRef) -> Path {
    let namespace = Some(workload.namespace());
    Path::new(match workload.kind() {
        WorkloadKind::Deployment => Deployment::url_path(&(), namespace),
        WorkloadKind::StatefulSet => StatefulSet::url_path(&(), namespace),
        WorkloadKind::DaemonSet => DaemonSet::url_path(&(), namespace),
    })
}

pub(crate) fn asked_of(workload: &WorkloadRef, verb: &'static str, subresource: &str) -> Asked {
    let namespace = workload.namespace();
    match workload.kind() {
        WorkloadKind::Deployment => asked::<Deployment>(verb, namespace, subresource),
        WorkloadKind::StatefulSet => asked::<StatefulSet>(verb, namespace, subresource),
        WorkloadKind::DaemonSet => asked::<DaemonSet>(verb, namespace, subresource),
    }
}

pub(crate) fn asked<K: Resource<DynamicType = ()>>(
    verb: &'static str,
    namespace: &str,
    subresource: &str,
) -> Asked {
    Asked {
        verb,
        group: K::group(&()).into_owned(),
        resource: format!("{}{subresource}", K::plural(&())),
        scope: format!(" in namespace {namespace}"),
    }
}

#[cfg(test)]
mod tests;
