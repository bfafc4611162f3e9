//! VerticalPodAutoscalers that leave recommending to MOrA, and what is recommended to them.

use kube::api::{Patch, PatchParams};
use kube::core::Request as Path;
use kube::{CustomResource, Resource};
use mora_core::{WorkloadKind, WorkloadRef};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::list::list_namespaced;
use crate::pod_template::MANAGER;
use crate::scaling::asked;
use crate::{Cluster, ClusterError};

const NOT_FOUND: u16 = 404;

/// The part of the API's object that is read.
#[derive(CustomResource, Debug, Clone, Serialize, Deserialize)]
#[kube(
    group = "autoscaling.k8s.io",
    version = "v1",
    kind = "VerticalPodAutoscaler",
    namespaced,
    status = "Value",
    schema = "disabled"
)]
#[serde(rename_all = "camelCase")]
struct VpaSpec {
    target_ref: Option<TargetRef>,
    #[serde(default)]
    recommenders: Vec<Named>,
    resource_policy: Option<ResourcePolicy>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct TargetRef {
    api_version: Option<String>,
    kind: String,
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourcePolicy {
    #[serde(default)]
    container_policies: Vec<ContainerPolicy>,
}

/// What a VerticalPodAutoscaler allows for a container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPolicy {
    /// The container; `*` for all that no other policy names.
    pub container_name: Option<String>,
    /// `Off` where nothing is recommended for it.
    pub mode: Option<String>,
    /// Least target by resource.
    #[serde(default)]
    pub min_allowed: Value,
    /// Largest target by resource.
    #[serde(default)]
    pub max_allowed: Value,
    /// Resources that are recommended; `None` for CPU and memory.
    pub controlled_resources: Option<Vec<String>>,
}

/// A VerticalPodAutoscaler whose target is a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct RecommendedAutoscaler {
    /// Its name, in the workload's namespace.
    pub name: String,
    /// The state of the object that this is; a change of an older state is refused.
    pub resource_version: String,
    /// What it allows, by container.
    pub policies: Vec<ContainerPolicy>,
    /// Its status as the API has it; null where there is none.
    pub status: Value,
}

impl Cluster {
    /// The VerticalPodAutoscalers whose target is `workload` and that name `recommender`, ordered by name; those of other
    /// recommenders are left out.
    ///
    /// Fails when they cannot be listed, with [`ClusterError::Failed`] and status 404 where the cluster has no such kind.
    pub async fn recommended_autoscalers(
        &self,
        workload: &WorkloadRef,
        recommender: &str,
    ) -> Result<Vec<RecommendedAutoscaler>, ClusterError> {
        let namespaces = [workload.namespace().to_owned()];
        let objects: Vec<VerticalPodAutoscaler> =
            list_namespaced(&self.client, &namespaces).await?;
        let ours = |object: &VerticalPodAutoscaler| {
            object.spec.recommenders.iter().any(|named| named.name == recommender)
                && target(object).as_ref() == Some(workload)
        };
        let mut found: Vec<RecommendedAutoscaler> =
            objects.into_iter().filter(ours).map(autoscaler).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    /// Lets the status of `autoscaler` in `namespace` have `recommendation` and `conditions`, null for none; all else of it
    /// stays.
    ///
    /// Fails when the API refuses, with [`ClusterError::Failed`] and status 409 when it has changed since it was read.
    pub async fn recommend(
        &self,
        namespace: &str,
        autoscaler: &RecommendedAutoscaler,
        recommendation: &Value,
        conditions: &Value,
    ) -> Result<(), ClusterError> {
        let patch = Patch::Merge(json!({
            "metadata": {"resourceVersion": autoscaler.resource_version},
            "status": {"recommendation": recommendation, "conditions": conditions},
        }));
        let path = Path::new(VerticalPodAutoscaler::url_path(&(), Some(namespace)));
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let name = &autoscaler.name;
        let request = path.patch_subresource("status", name, &parameters, &patch);
        let asked = |of| asked::<VerticalPodAutoscaler>("patch", namespace, of);
        match self.answer::<Value>(request, &asked("/status")).await {
            // Older definitions of the kind have no such subresource.
            Err(ClusterError::Failed { code: NOT_FOUND, .. }) => {
                let request = path.patch(name, &parameters, &patch);
                self.answer::<Value>(request, &asked("")).await.map(drop)
            }
            answer => answer.map(drop),
        }
    }
}

fn target(object: &VerticalPodAutoscaler) -> Option<WorkloadRef> {
    let target = object.spec.target_ref.as_ref()?;
    let version = target.api_version.as_deref().unwrap_or("apps/v1");
    let kind: WorkloadKind = target.kind.parse().ok().filter(|_| version.starts_with("apps/"))?;
    WorkloadRef::new(object.metadata.namespace.as_deref()?, kind, &target.name).ok()
}

fn autoscaler(object: VerticalPodAutoscaler) -> RecommendedAutoscaler {
    RecommendedAutoscaler {
        name: object.metadata.name.unwrap_or_default(),
        resource_version: object.metadata.resource_version.unwrap_or_default(),
        policies: object.spec.resource_policy.map(|p| p.container_policies).unwrap_or_default(),
        status: object.status.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests;
