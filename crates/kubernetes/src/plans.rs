//! Plans as objects in the cluster: writing, reading and letting go of them.

use kube::Resource;
use kube::api::{
    DeleteParams, GetParams, ListParams, ObjectList, PartialObjectMeta, Patch, PatchParams,
    PostParams,
};
use kube::core::Request as Path;
use mora_core::Plan;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::applied::{AppliedChange, change};
use crate::ask::Asked;
use crate::custom_resources::RightsizingPlan;
use crate::published::{AskedFor, object, recovered};
use crate::{Cluster, ClusterError, CustomResourceError};

/// Who writes, as the API records it.
const MANAGER: &str = "mora-coordinator";
/// Marks the plans that may be removed: one that somebody else made is left alone.
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Plans listed at once to remove the oldest of them.
const PAGE: u32 = 500;
const NOT_FOUND: u16 = 404;
const CONFLICT: u16 = 409;

/// A plan that was written to the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The name of its object.
    pub name: String,
    /// Why older plans were not removed, each a sentence.
    pub warnings: Vec<String>,
}

/// A plan as it was read from the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedPlan {
    /// The name of its object.
    pub name: String,
    /// The plan, without schedules, parts, cuts, capacity and violations, which the object does not hold. The summary of a
    /// recommendation is its only note.
    pub plan: Plan,
    /// Recommendations of the plan that the object does not list.
    pub left_out: u32,
    /// What was noted of putting it in force, in order.
    pub applied: Vec<AppliedChange>,
}

impl Cluster {
    /// Writes `plan`, which answers what was `asked`, as an object in `namespace`, and removes the oldest beyond
    /// `keep` of those that were written so. A plan that is there already gets its status anew.
    ///
    /// Of a plan too large for one object, those recommendations are listed that change most. Fails when the object cannot be
    /// written; older plans that cannot be removed are told in the answer.
    pub async fn publish_plan(
        &self,
        namespace: &str,
        plan: &Plan,
        asked: &AskedFor,
        keep: usize,
    ) -> Result<Published, CustomResourceError> {
        let mut object = object(plan, asked);
        let name = object.metadata.name.clone().unwrap_or_default();
        let labels = object.metadata.labels.get_or_insert_default();
        labels.insert(MANAGED_BY.to_owned(), MANAGER.to_owned());
        let status = object.status.take();
        self.create_plan(namespace, &object).await.map_err(|error| {
            CustomResourceError::of_creation::<RightsizingPlan>(error, namespace)
        })?;
        let patch = Patch::Merge(json!({"status": status}));
        self.patch_plan_status(namespace, &name, &patch).await?;
        let removed = self.remove_oldest_plans(namespace, keep).await;
        let told = |error| format!("older plans are still in namespace {namespace}: {error}");
        Ok(Published { name, warnings: removed.err().map(told).into_iter().collect() })
    }

    /// The plan that the object `name` in `namespace` holds.
    ///
    /// Fails when there is none, it is not whole, or the API refuses.
    pub async fn plan_of(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<PublishedPlan, CustomResourceError> {
        let object: RightsizingPlan = self.custom_resource(namespace, name).await?;
        let invalid =
            |reason| CustomResourceError::invalid::<RightsizingPlan>((namespace, name), reason);
        let plan = recovered(&object).map_err(invalid)?;
        let status = object.status.unwrap_or_default();
        let applied =
            status.applied.iter().map(change).collect::<Result<_, _>>().map_err(invalid)?;
        let left_out = u32::try_from(status.recommendations_left_out).unwrap_or(0);
        Ok(PublishedPlan { name: name.to_owned(), plan, left_out, applied })
    }

    /// The object `name` of the kind `K` in `namespace`, as far as it is one.
    pub(crate) async fn custom_resource<K>(
        &self,
        namespace: &str,
        name: &str,
    ) -> Result<K, CustomResourceError>
    where
        K: Resource<DynamicType = ()> + DeserializeOwned,
    {
        let path = Path::new(K::url_path(&(), Some(namespace)));
        let asked = Asked::of::<K>("get", namespace, "");
        let found: Result<Value, _> =
            self.answer(path.get(name, &GetParams::default()), &asked).await;
        let object =
            found.map_err(|error| CustomResourceError::of::<K>(error, (namespace, name)))?;
        serde_json::from_value(object).map_err(|error| {
            CustomResourceError::invalid::<K>((namespace, name), error.to_string())
        })
    }

    /// Merges `patch` into the object `name`, through its subresource `status`.
    pub(crate) async fn patch_plan_status(
        &self,
        namespace: &str,
        name: &str,
        patch: &Patch<Value>,
    ) -> Result<(), CustomResourceError> {
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let request = plans(namespace).patch_subresource("status", name, &parameters, patch);
        let asked = Asked::of::<RightsizingPlan>("patch", namespace, "/status");
        self.answer::<Value>(request, &asked)
            .await
            .map(drop)
            .map_err(|error| CustomResourceError::of::<RightsizingPlan>(error, (namespace, name)))
    }

    async fn create_plan(
        &self,
        namespace: &str,
        object: &RightsizingPlan,
    ) -> Result<(), ClusterError> {
        let asked = Asked::of::<RightsizingPlan>("create", namespace, "");
        let body = serde_json::to_vec(object)
            .map_err(|error| ClusterError::of(kube::Error::SerdeError(error), &asked))?;
        let parameters =
            PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        let request = plans(namespace).create(&parameters, body);
        match self.answer::<Value>(request, &asked).await {
            // A try whose answer was lost has made it already.
            Ok(_) | Err(ClusterError::Failed { code: CONFLICT, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn remove_oldest_plans(&self, namespace: &str, keep: usize) -> Result<(), ClusterError> {
        let managed = format!("{MANAGED_BY}={MANAGER}");
        let parameters = ListParams::default().labels(&managed).limit(PAGE);
        let asked = Asked::of::<RightsizingPlan>("list", namespace, "");
        let request = plans(namespace).list_metadata(&parameters);
        let listed: ObjectList<PartialObjectMeta<RightsizingPlan>> =
            self.answer(request, &asked).await?;
        let mut found: Vec<_> = listed
            .items
            .into_iter()
            .filter_map(|object| {
                let created = object.metadata.creation_timestamp.map(|time| time.0);
                Some((created, object.metadata.name?))
            })
            .collect();
        found.sort();
        let excess = found.len().saturating_sub(keep.max(1));
        for (_, name) in found.into_iter().take(excess) {
            self.remove_plan(namespace, &name).await?;
        }
        Ok(())
    }

    async fn remove_plan(&self, namespace: &str, name: &str) -> Result<(), ClusterError> {
        let asked = Asked::of::<RightsizingPlan>("delete", namespace, "");
        let request = plans(namespace).delete(name, &DeleteParams::default());
        match self.answer::<Value>(request, &asked).await {
            Ok(_) | Err(ClusterError::Failed { code: NOT_FOUND, .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}

fn plans(namespace: &str) -> Path {
    Path::new(RightsizingPlan::url_path(&(), Some(namespace)))
}

#[cfg(test)]
pub(crate) mod tests;
