//! The parts of the API's objects that an inventory is made of. A cluster's pods are tens of megabytes, of which this is a tenth.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de};

/// What every object has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    pub(super) namespace: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    pub(super) owner_references: Vec<OwnerReference>,
    /// In UTC and to the second, so that texts are ordered as times are.
    #[serde(deserialize_with = "or_default")]
    pub(super) creation_timestamp: String,
}

/// Who owns an object.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct OwnerReference {
    pub(super) api_version: String,
    pub(super) kind: String,
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) controller: bool,
}

impl Metadata {
    /// The one that sees to it that the object exists.
    pub(super) fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller)
    }
}

/// An object of which only the metadata matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Named {
    pub(super) metadata: Metadata,
}

/// A pod.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    pub(super) spec: PodSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: PodStatus,
}

impl Pod {
    /// Whether it has not ended.
    pub(super) fn is_active(&self) -> bool {
        !matches!(self.status.phase.as_str(), "Succeeded" | "Failed")
    }
}

/// How a pod is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PodStatus {
    phase: String,
}

/// What a pod is made of.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct PodSpec {
    #[serde(deserialize_with = "or_default")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "or_default")]
    pub(super) init_containers: Vec<Container>,
}

/// A container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Container {
    pub(super) name: String,
    #[serde(deserialize_with = "or_default")]
    pub(super) resources: Resources,
    pub(super) restart_policy: Option<String>,
}

/// What a container requests and is limited to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Resources {
    #[serde(deserialize_with = "or_default")]
    pub(super) requests: Claims,
    #[serde(deserialize_with = "or_default")]
    pub(super) limits: Claims,
}

/// One side of it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Claims {
    pub(super) cpu: Option<QuantityText>,
    pub(super) memory: Option<QuantityText>,
}

/// An object with a template of pods, of any kind.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Templated {
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "or_default")]
    pub(super) spec: TemplatedSpec,
    #[serde(deserialize_with = "or_default")]
    pub(super) status: TemplatedStatus,
}

/// What it asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TemplatedSpec {
    pub(super) replicas: Option<u32>,
    pub(super) template: Option<Template>,
    /// Of a `CronJob`.
    job_template: Option<JobTemplate>,
    /// Of a Rollout that takes over a Deployment.
    pub(super) workload_ref: Option<OwnerReference>,
}

impl TemplatedSpec {
    /// The pods it makes, wherever its kind keeps them.
    pub(super) fn pod(self) -> Option<PodSpec> {
        let of_jobs = self.job_template.and_then(|jobs| jobs.spec.template);
        self.template.or(of_jobs).map(|template| template.spec)
    }
}

/// A template of pods.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Template {
    #[serde(deserialize_with = "or_default")]
    spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobTemplate {
    spec: JobSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct JobSpec {
    template: Option<Template>,
}

/// How it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct TemplatedStatus {
    /// Of a DaemonSet.
    pub(super) desired_number_scheduled: u32,
}

/// A quantity as it is written: a text, or in custom resources also a number; what cannot be one is kept to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QuantityText(pub(super) String);

impl<'de> Deserialize<'de> for QuantityText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyQuantity)
    }
}

struct AnyQuantity;

impl<'de> Visitor<'de> for AnyQuantity {
    type Value = QuantityText;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a quantity")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<QuantityText, E> {
        Ok(QuantityText(text.to_owned()))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<QuantityText, E> {
        Ok(QuantityText(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<QuantityText, E> {
        Ok(QuantityText(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<QuantityText, E> {
        Ok(QuantityText(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<QuantityText, E> {
        Ok(QuantityText(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<QuantityText, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(QuantityText("[..]".to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<QuantityText, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(QuantityText("{..}".to_owned()))
    }
}

/// A value that may also be `null`.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
