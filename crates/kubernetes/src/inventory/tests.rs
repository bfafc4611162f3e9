use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mora_core::{Bytes, ContainerRole, InventoryItem, Millicores, OwnerAutoscaler, ResourceClaim};
use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::{failure, list, scripted};

mod autoscalers;
mod containers;
mod owners;
mod reading;

/// A cluster with these objects by the plural of their kind, and what it is asked for.
fn cluster(objects: &Value) -> (Cluster, Arc<Mutex<Vec<String>>>) {
    let objects = objects.clone();
    scripted(move |path, _| {
        let kind = path.rsplit('/').next().unwrap_or_default();
        match objects.get(kind) {
            Some(Value::Number(code)) => failure(u16::try_from(code.as_u64().unwrap()).unwrap()),
            Some(items) => (200, list(items)),
            None if is_foreign(path) => failure(404),
            None => (200, list(&json!([]))),
        }
    })
}

fn is_foreign(path: &str) -> bool {
    path.contains("argoproj.io") || path.contains("openshift.io")
}

async fn inventory(objects: &Value) -> Inventory {
    cluster(objects).0.inventory(&InventoryScope::default()).await.unwrap()
}

/// The owners, as `shop/Deployment/cart`.
fn owners(inventory: &Inventory) -> Vec<String> {
    inventory.items.iter().map(|item| item.owner.to_string()).collect()
}

/// The only owner of the cluster.
async fn only(objects: &Value) -> InventoryItem {
    let mut found = inventory(objects).await;
    assert_eq!(found.items.len(), 1, "{:?}", owners(&found));
    assert_eq!(found.warnings, Vec::<String>::new());
    found.items.remove(0)
}

fn meta(name: &str) -> Value {
    json!({"namespace": "shop", "name": name, "labels": {"app": name}})
}

/// The metadata of an object that `kind` `owner` of the API `version` controls.
fn owned(name: &str, version: &str, kind: &str, owner: &str) -> Value {
    let mut metadata = meta(name);
    metadata["ownerReferences"] = json!([{"apiVersion": version, "kind": kind, "name": owner, "uid": "1", "controller": true}]);
    metadata
}

fn container(name: &str, cpu: &str) -> Value {
    json!({"name": name, "image": "i", "resources": {"requests": {"cpu": cpu, "memory": "64Mi"}}})
}

/// A Deployment or the like, of one container `server`.
fn workload(name: &str, replicas: u32) -> Value {
    json!({"metadata": meta(name), "spec": {"replicas": replicas, "selector": {},
        "template": {"metadata": {}, "spec": {"containers": [container("server", "100m")]}}}})
}

fn pod(metadata: &Value) -> Value {
    json!({"metadata": metadata, "spec": {"containers": [container("server", "100m")]}, "status": {"phase": "Running"}})
}

fn named(item: &InventoryItem) -> BTreeMap<&str, (ContainerRole, ResourceClaim)> {
    item.containers.iter().map(|(name, c)| (&**name, (c.role, c.claim))).collect()
}

fn names(names: &[Arc<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}
