//! Pieces of schemas, and the document of a definition.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// `namespace/Kind/name` of a workload.
pub(crate) const WORKLOAD: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?/(Deployment|StatefulSet|DaemonSet)/[a-z0-9]([-.a-z0-9]*[a-z0-9])?$";
/// A pattern over `namespace/name` or over the name of a container.
pub(crate) const PATTERN: &str = "^[-.a-z0-9*?/]+$";

/// An instant as a text.
pub(crate) fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// The name of a workload.
pub(crate) fn workload(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "pattern": WORKLOAD, "maxLength": 330})
}

/// The names of workloads.
pub(crate) fn workloads(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "items": workload(generator), "maxItems": super::MOST_ENTRIES,
        "x-kubernetes-list-type": "atomic",
    })
}

/// Sentences, of which there are few.
pub(crate) fn sentences(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "items": {"type": "string", "maxLength": 1024}, "maxItems": 100,
        "x-kubernetes-list-type": "atomic",
    })
}

/// The definition as a document without what the API server fills in.
pub(crate) fn document(definition: &CustomResourceDefinition) -> Value {
    let mut document = serde_json::to_value(definition).unwrap_or_default();
    if let Some(fields) = document.as_object_mut() {
        fields.remove("status");
    }
    without_nulls(&mut document);
    document
}

/// Takes out that a field may be null, which the API server does not allow in a list of values: a field is there or not.
fn without_nulls(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if fields.get("nullable") == Some(&Value::Bool(true)) {
                fields.remove("nullable");
            }
            if let Some(values) = fields.get_mut("enum").and_then(Value::as_array_mut) {
                values.retain(|value| !value.is_null());
            }
            fields.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}
