//! The pods of a workload, and resizing them while they run.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod, PodCondition};
use kube::Resource;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams};
use kube::core::Request as Path;
use mora_core::WorkloadRef;
use serde_json::{Value, json};

use crate::list::list_namespaced;
use crate::owner::workload_of;
use crate::pod_template::MANAGER;
use crate::scaling::asked;
use crate::{Cluster, ClusterError};

const NOT_FOUND: u16 = 404;

/// How far a pod is with a new size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resizing {
    /// Nothing is under way.
    None,
    /// It is being made.
    InProgress,
    /// The node has no room now; the kubelet tries again.
    Deferred(String),
    /// The node can never do it.
    Infeasible(String),
    /// It was tried and went wrong; the kubelet tries again.
    Failed(String),
}

/// A container of a pod.
#[derive(Debug, Clone, PartialEq)]
pub struct PodContainer {
    /// Its name.
    pub name: String,
    /// Its `resources` as the pod states them; an empty object where it states none.
    pub resources: Value,
    /// Its `resources` as the kubelet says they are; `None` where it does not say.
    pub actual: Option<Value>,
    /// Requests the kubelet has set aside, by resource; `None` where it does not say.
    pub allocated: Option<Value>,
    /// Resources whose change restarts it.
    pub restarts_for: BTreeSet<String>,
    /// How often it was restarted.
    pub restarts: u32,
}

/// A pod of a workload.
#[expect(clippy::struct_excessive_bools, reason = "a pod's object says each of them by itself")]
#[derive(Debug, Clone, PartialEq)]
pub struct PodState {
    /// Its name.
    pub name: String,
    /// Its identity; a pod that takes another's place has another.
    pub uid: String,
    /// The state of the object that this is; a change of an older state is refused.
    pub resource_version: String,
    /// Whether it runs and is not being ended.
    pub runs: bool,
    /// Whether it is ready.
    pub ready: bool,
    /// Whether a node holds its requests: it was given one, and has not ended.
    pub placed: bool,
    /// Whether it states resources for the pod as a whole.
    pub whole: bool,
    /// Its containers; init containers are left out.
    pub containers: Vec<PodContainer>,
    /// Sidecars and other init containers: their `resources`, which count for the class of service.
    pub init_resources: Vec<Value>,
    /// How far it is with a new size.
    pub resizing: Resizing,
    /// Whether the kubelet has seen the newest specification; `None` where it does not say.
    pub observed: Option<bool>,
}

impl PodState {
    /// The container `name`.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&PodContainer> {
        self.containers.iter().find(|container| container.name == name)
    }
}

impl Cluster {
    /// The pods that `workload` controls, ordered by name, also those that are being replaced.
    ///
    /// Fails when pods cannot be listed.
    pub async fn pods_of(&self, workload: &WorkloadRef) -> Result<Vec<PodState>, ClusterError> {
        let namespaces = [workload.namespace().to_owned()];
        let pods: Vec<Pod> = list_namespaced(&self.client, &namespaces).await?;
        let own = pods.into_iter().filter(|pod| workload_of(pod).as_ref() == Some(workload));
        let mut states: Vec<PodState> = own.map(state).collect();
        states.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(states)
    }

    /// The pods of every workload of `namespace`, also those that are being replaced, each workload's ordered by name; pods of no
    /// workload are left out.
    ///
    /// Fails when pods cannot be listed.
    pub async fn pods_in(
        &self,
        namespace: &str,
    ) -> Result<BTreeMap<WorkloadRef, Vec<PodState>>, ClusterError> {
        let pods: Vec<Pod> = list_namespaced(&self.client, &[namespace.to_owned()]).await?;
        let mut by_workload: BTreeMap<WorkloadRef, Vec<PodState>> = BTreeMap::new();
        for pod in pods {
            if let Some(workload) = workload_of(&pod) {
                by_workload.entry(workload).or_default().push(state(pod));
            }
        }
        for pods in by_workload.values_mut() {
            pods.sort_by(|a, b| a.name.cmp(&b.name));
        }
        Ok(by_workload)
    }

    /// Asks for the end of the pod `name` of `namespace`, which its controller replaces by one from its template.
    ///
    /// Fails when the API refuses; one that is gone already is no failure.
    pub async fn delete_pod(&self, namespace: &str, name: &str) -> Result<(), ClusterError> {
        let request = of_pods(namespace).delete(name, &DeleteParams::default());
        match self.answer::<Value>(request, &asked::<Pod>("delete", namespace, "")).await {
            Ok(_) | Err(ClusterError::Failed { code: NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The pod `name` of `namespace`; `None` where there is none.
    ///
    /// Fails when it cannot be read.
    pub async fn pod(&self, namespace: &str, name: &str) -> Result<Option<PodState>, ClusterError> {
        let request = of_pods(namespace).get(name, &GetParams::default());
        match self.answer::<Pod>(request, &asked::<Pod>("get", namespace, "")).await {
            Ok(pod) => Ok(Some(state(pod))),
            Err(ClusterError::Failed { code: NOT_FOUND, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Asks for `resources` (`requests` and `limits` by container) of `pod` through its subresource `resize`; what they do not
    /// name stays. Whether it is done shows in the pod's state. Returns that state.
    ///
    /// Fails when the API refuses, with [`ClusterError::Failed`] and status 409 when the pod has changed since it was read.
    pub async fn resize(
        &self,
        namespace: &str,
        pod: &PodState,
        resources: &BTreeMap<String, Value>,
    ) -> Result<PodState, ClusterError> {
        let containers: Vec<Value> = resources
            .iter()
            .map(|(name, resources)| json!({"name": name, "resources": resources}))
            .collect();
        let patch = Patch::Strategic(json!({
            "metadata": {"uid": pod.uid, "resourceVersion": pod.resource_version},
            "spec": {"containers": containers},
        }));
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let path = of_pods(namespace);
        let request = path.patch_subresource("resize", &pod.name, &parameters, &patch);
        let asked = asked::<Pod>("patch", namespace, "/resize");
        self.answer::<Pod>(request, &asked).await.map(state)
    }
}

fn of_pods(namespace: &str) -> Path {
    Path::new(Pod::url_path(&(), Some(namespace)))
}

fn state(pod: Pod) -> PodState {
    let Pod { metadata, spec, status } = pod;
    let (spec, status) = (spec.unwrap_or_default(), status.unwrap_or_default());
    let statuses = status.container_statuses.unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let containers = spec.containers.into_iter().map(|container| {
        let status = statuses.iter().find(|status| status.name == container.name);
        pod_container(container, status)
    });
    let inits = spec.init_containers.into_iter().flatten();
    let is_ready = |c: &PodCondition| c.type_ == "Ready" && c.status == "True";
    PodState {
        name: metadata.name.unwrap_or_default(),
        uid: metadata.uid.unwrap_or_default(),
        resource_version: metadata.resource_version.unwrap_or_default(),
        runs: status.phase.as_deref() == Some("Running") && metadata.deletion_timestamp.is_none(),
        ready: conditions.iter().any(is_ready),
        placed: spec.node_name.is_some()
            && !matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
        whole: spec.resources.is_some(),
        containers: containers.collect(),
        init_resources: inits.map(|container| raw(container.resources.as_ref())).collect(),
        resizing: resizing(&conditions, status.resize.as_deref()),
        observed: metadata
            .generation
            .zip(status.observed_generation.filter(|seen| *seen > 0))
            .map(|(newest, seen)| seen >= newest),
    }
}

fn pod_container(container: Container, status: Option<&ContainerStatus>) -> PodContainer {
    let restarting = container.resize_policy.into_iter().flatten();
    let restarting = restarting.filter(|policy| policy.restart_policy == "RestartContainer");
    PodContainer {
        name: container.name,
        resources: raw(container.resources.as_ref()),
        actual: status.and_then(|s| s.resources.as_ref()).map(|r| raw(Some(r))),
        allocated: status.and_then(|s| s.allocated_resources.as_ref()).map(|r| json!(r)),
        restarts_for: restarting.map(|policy| policy.resource_name).collect(),
        restarts: status.map_or(0, |s| u32::try_from(s.restart_count).unwrap_or(0)),
    }
}

fn raw<T: serde::Serialize>(resources: Option<&T>) -> Value {
    resources.map_or_else(|| json!({}), |resources| json!(resources))
}

/// From the conditions of 1.33 and newer, or the field of before.
fn resizing(conditions: &[PodCondition], field: Option<&str>) -> Resizing {
    let condition = |kind: &str| conditions.iter().find(|c| c.type_ == kind && c.status == "True");
    let said = |c: &PodCondition| c.message.clone().unwrap_or_default();
    if let Some(pending) = condition("PodResizePending") {
        return match pending.reason.as_deref() {
            Some("Infeasible") => Resizing::Infeasible(said(pending)),
            _ => Resizing::Deferred(said(pending)),
        };
    }
    if let Some(progress) = condition("PodResizeInProgress") {
        return match progress.reason.as_deref() {
            Some("Error") => Resizing::Failed(said(progress)),
            _ => Resizing::InProgress,
        };
    }
    match field {
        Some("Infeasible") => Resizing::Infeasible(String::new()),
        Some("Deferred") => Resizing::Deferred(String::new()),
        Some("Proposed" | "InProgress") => Resizing::InProgress,
        _ => Resizing::None,
    }
}

#[cfg(test)]
mod tests;
