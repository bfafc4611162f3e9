//! What the pod template of a workload says of resources, changed by server-side apply and restored byte for byte.

use std::collections::{BTreeMap, BTreeSet};

use http::Request;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use kube::api::{GetParams, Patch, PatchParams};
use mora_core::{WorkloadKind, WorkloadRef};
use serde_json::{Map, Value, json};

use crate::scaling::{asked_of, of_workload, running};
use crate::{Cluster, ClusterError};

/// Who changes it, as the API records it.
pub(crate) const MANAGER: &str = "mora";
/// The annotation that names the plan a workload follows.
const PLAN: &str = "mora.dev/plan";
/// The annotation as a JSON pointer.
const PLAN_POINTER: &str = "/metadata/annotations/mora.dev~1plan";
const CONTAINERS: &str = "/spec/template/spec/containers";

/// What is stated of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What the scheduler reserves.
    Requests,
    /// What the container may use at most.
    Limits,
}

impl Side {
    /// The side as the API spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Limits => "limits",
        }
    }
}

/// One quantity of a pod template, as `server.requests.cpu`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    /// The container.
    pub container: String,
    /// Request or limit.
    pub side: Side,
    /// The resource, as `cpu`.
    pub resource: String,
}

/// What is to change in a pod template.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateChange {
    /// Identifier of the plan that asks for it; it becomes an annotation of the workload.
    pub plan: String,
    /// Quantities to state, as the API spells them.
    pub set: BTreeMap<Field, String>,
    /// Quantities to state no longer.
    pub removed: BTreeSet<Field>,
}

/// A container as the pod template has it.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateContainer {
    /// Its name.
    pub name: String,
    /// Its `resources`, exactly as the API gave them; `None` where the field is absent.
    pub resources: Option<Value>,
}

/// The pod template of a workload, as far as its resources go.
#[derive(Debug, Clone, PartialEq)]
pub struct PodTemplate {
    /// The workload.
    pub workload: WorkloadRef,
    /// Identity of the object; a workload that was deleted and made again has another.
    pub uid: String,
    /// The state of the object that this is; a change of an older state is refused.
    pub resource_version: String,
    /// The plan the workload follows, by its annotation.
    pub plan: Option<String>,
    /// Its containers in their order; init containers are left out.
    pub containers: Vec<TemplateContainer>,
    /// Quantities that the API holds to be MOrA's.
    pub owned: BTreeSet<Field>,
    /// Whether the newest template has been rolled out and all its pods are ready.
    pub settled: bool,
}

impl PodTemplate {
    /// The `resources` of `container`; `None` where there is no such container or it states none.
    #[must_use]
    pub fn resources(&self, container: &str) -> Option<&Value> {
        self.containers.iter().find(|c| c.name == container)?.resources.as_ref()
    }

    /// Whether there is such a container.
    #[must_use]
    pub fn has(&self, container: &str) -> bool {
        self.containers.iter().any(|c| c.name == container)
    }

    /// What MOrA is to own after `change`: what it owned already keeps its value, as server-side apply drops what an owner
    /// no longer states.
    fn applied(&self, change: &TemplateChange) -> BTreeMap<Field, String> {
        let kept = self.owned.iter().filter(|field| !change.removed.contains(*field));
        let mut stated: BTreeMap<Field, String> =
            kept.filter_map(|field| Some((field.clone(), self.quantity(field)?))).collect();
        stated.extend(change.set.iter().map(|(field, text)| (field.clone(), text.clone())));
        stated
    }

    fn quantity(&self, field: &Field) -> Option<String> {
        let stated = self.resources(&field.container)?.get(field.side.as_str())?;
        stated.get(&field.resource)?.as_str().map(str::to_owned)
    }

    fn index(&self, container: &str) -> Option<usize> {
        self.containers.iter().position(|c| c.name == container)
    }
}

impl Cluster {
    /// The pod template of `workload`.
    ///
    /// Fails when the workload does not exist or cannot be read.
    pub async fn pod_template(&self, workload: &WorkloadRef) -> Result<PodTemplate, ClusterError> {
        let request = of_workload(workload).get(workload.name(), &GetParams::default());
        let object = self.answer(request, &asked_of(workload, "get", "")).await?;
        template(workload, &object)
    }

    /// Makes `change` to `template` by server-side apply as the manager `mora`; its pods are replaced by their controller.
    /// Returns the template as it is then.
    ///
    /// Quantities that others own become MOrA's, so the caller must have looked at them. Fails when the API refuses, with
    /// [`ClusterError::Failed`] and status 409 when the workload has changed since it was read.
    pub async fn apply_template(
        &self,
        template: &PodTemplate,
        change: &TemplateChange,
    ) -> Result<PodTemplate, ClusterError> {
        let cleared = self.without(template, change).await?;
        let template = cleared.as_ref().unwrap_or(template);
        let workload = &template.workload;
        let body = Patch::Apply(declaration(template, change));
        let parameters = PatchParams::apply(MANAGER).force();
        let request = of_workload(workload).patch(workload.name(), &parameters, &body);
        let object = self.answer(request, &asked_of(workload, "patch", "")).await?;
        self::template(workload, &object)
    }

    /// The template without what `change` removes; `None` where nothing is to be removed. An owner can only take back what it
    /// alone stated, so that server-side apply does not remove what others stated.
    async fn without(
        &self,
        template: &PodTemplate,
        change: &TemplateChange,
    ) -> Result<Option<PodTemplate>, ClusterError> {
        let stated = change.removed.iter().filter(|field| template.quantity(field).is_some());
        let pointers = stated.filter_map(|field| {
            let index = template.index(&field.container)?;
            let Field { side, resource, .. } = field;
            Some(format!("{CONTAINERS}/{index}/resources/{}/{resource}", side.as_str()))
        });
        let removals: Vec<Value> =
            pointers.map(|path| json!({"op": "remove", "path": path})).collect();
        if removals.is_empty() {
            return Ok(None);
        }
        self.edit(template, removals).await.map(Some)
    }

    /// Lets the containers of `template` have exactly these `resources` (`None` for none at all), and the workload the
    /// annotation `plan`. Returns the template as it is then.
    ///
    /// Fails when the API refuses, with [`ClusterError::Failed`] and status 409 when the workload has changed since it was read.
    pub async fn restore_template(
        &self,
        template: &PodTemplate,
        resources: &BTreeMap<String, Option<Value>>,
        plan: Option<&str>,
    ) -> Result<PodTemplate, ClusterError> {
        let mut edits: Vec<Value> = resources
            .iter()
            .filter_map(|(container, raw)| {
                let path = format!("{CONTAINERS}/{}/resources", template.index(container)?);
                edit(&path, template.resources(container), raw.as_ref())
            })
            .collect();
        let [now, before] = [template.plan.as_deref(), plan].map(|id| id.map(Value::from));
        edits.extend(edit(PLAN_POINTER, now.as_ref(), before.as_ref()));
        self.edit(template, edits).await
    }

    /// Makes `edits`, which are operations of a JSON patch, to the state that `template` is.
    async fn edit(
        &self,
        template: &PodTemplate,
        edits: Vec<Value>,
    ) -> Result<PodTemplate, ClusterError> {
        let workload = &template.workload;
        let version = &template.resource_version;
        let guard = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": version});
        let body: Vec<Value> = std::iter::once(guard).chain(edits).collect();
        let path = of_workload(workload).url_path;
        let uri = format!("{path}/{}?fieldManager={MANAGER}", workload.name());
        let asked = asked_of(workload, "patch", "");
        let bytes = serde_json::to_vec(&body)
            .map_err(|error| ClusterError::of(kube::Error::SerdeError(error), &asked))?;
        let request = Request::patch(uri)
            .header("accept", "application/json")
            .header("content-type", "application/json-patch+json")
            .body(bytes)
            .map_err(kube::core::request::Error::BuildRequest);
        let object = self.answer(request, &asked).await?;
        self::template(workload, &object)
    }
}

/// The operation that makes `wanted` of what is `now` at `path`; `None` where they are the same.
fn edit(path: &str, now: Option<&Value>, wanted: Option<&Value>) -> Option<Value> {
    match (now, wanted) {
        (now, wanted) if now == wanted => None,
        (_, None) => Some(json!({"op": "remove", "path": path})),
        // Adding to a key that is there replaces it.
        (_, Some(wanted)) => Some(json!({"op": "add", "path": path, "value": wanted})),
    }
}

/// All that MOrA states of the workload after `change`.
fn declaration(template: &PodTemplate, change: &TemplateChange) -> Value {
    let mut containers: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let stated = template.applied(change);
    for (Field { container, side, resource }, quantity) in &stated {
        let resources = containers.entry(container).or_default();
        let side = resources.entry(side.as_str()).or_insert_with(|| json!({}));
        side[resource] = json!(quantity);
    }
    let containers: Vec<Value> = containers
        .into_iter()
        .map(|(name, resources)| json!({"name": name, "resources": resources}))
        .collect();
    let workload = &template.workload;
    json!({
        "apiVersion": "apps/v1",
        "kind": workload.kind().as_str(),
        "metadata": {
            "name": workload.name(),
            "namespace": workload.namespace(),
            "resourceVersion": template.resource_version,
            "annotations": {PLAN: change.plan},
        },
        "spec": {"template": {"spec": {"containers": containers}}},
    })
}

fn template(workload: &WorkloadRef, object: &Value) -> Result<PodTemplate, ClusterError> {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    let containers = object.pointer(CONTAINERS).and_then(Value::as_array);
    let containers = containers.into_iter().flatten().filter_map(|container| {
        let name = container.get("name")?.as_str()?.to_owned();
        Some(TemplateContainer { name, resources: container.get("resources").cloned() })
    });
    Ok(PodTemplate {
        workload: workload.clone(),
        uid: text("/metadata/uid").unwrap_or_default(),
        resource_version: text("/metadata/resourceVersion").unwrap_or_default(),
        plan: text(PLAN_POINTER),
        containers: containers.collect(),
        owned: owned(object),
        settled: settled(workload, object)?,
    })
}

fn settled(workload: &WorkloadRef, object: &Value) -> Result<bool, ClusterError> {
    let object = object.clone();
    let state = match workload.kind() {
        WorkloadKind::Deployment => serde_json::from_value::<Deployment>(object).map(running),
        WorkloadKind::StatefulSet => serde_json::from_value::<StatefulSet>(object).map(running),
        WorkloadKind::DaemonSet => serde_json::from_value::<DaemonSet>(object).map(running),
    };
    let unreadable = |source| ClusterError::Unreadable { resource: workload.to_string(), source };
    let state = state.map_err(|error| unreadable(error.into()))?;
    state.map(|s| s.settled).ok_or_else(|| unreadable("the object has no valid name".into()))
}

/// What earlier applications by MOrA stated, from the object's record of who manages what.
fn owned(object: &Value) -> BTreeSet<Field> {
    let entries = object.pointer("/metadata/managedFields").and_then(Value::as_array);
    let ours = entries.into_iter().flatten().filter(|entry| {
        entry["manager"] == MANAGER
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    });
    let containers = |entry: &Value| {
        entry.pointer("/fieldsV1/f:spec/f:template/f:spec/f:containers")?.as_object().cloned()
    };
    ours.filter_map(containers)
        .flatten()
        .flat_map(|(key, fields)| of_container(&key, &fields))
        .collect()
}

/// The quantities below the `key` of one container, as `k:{"name":"server"}`.
fn of_container(key: &str, fields: &Value) -> Vec<Field> {
    let key: Option<Value> =
        key.strip_prefix("k:").and_then(|text| serde_json::from_str(text).ok());
    let Some(name) = key.as_ref().and_then(|key| key["name"].as_str()) else { return Vec::new() };
    let of_side = |side: Side| {
        let stated = fields["f:resources"][format!("f:{}", side.as_str())].as_object();
        let names = stated.into_iter().flat_map(Map::keys).filter_map(|key| key.strip_prefix("f:"));
        names
            .map(|resource| Field {
                container: name.to_owned(),
                side,
                resource: resource.to_owned(),
            })
            .collect::<Vec<_>>()
    };
    [of_side(Side::Requests), of_side(Side::Limits)].concat()
}

#[cfg(test)]
pub(crate) mod tests;
