use mora_core::{ContainerRole, InventoryContainer, InventoryItem, InventoryPod, ResourceClaim};

use super::*;

fn item(kind: OwnerKind, name: &str, pods: &[&str], generations: &[&str]) -> InventoryItem {
    let pod = |name: &&str| InventoryPod { name: (*name).into(), is_active: true };
    let container =
        InventoryContainer { role: ContainerRole::Main, claim: ResourceClaim::default() };
    InventoryItem {
        owner: OwnerRef::new("shop", kind, name),
        labels: BTreeMap::new(),
        replicas: 1,
        containers: vec![("app".into(), container)],
        pods: pods.iter().map(pod).collect(),
        generations: generations.iter().map(|name| (*name).into()).collect(),
        autoscaler: None,
        warnings: Vec::new(),
    }
}

fn owners(items: Vec<InventoryItem>) -> (Inventory, Owners) {
    let inventory = Inventory { items, warnings: Vec::new() };
    let owners = Owners::new(&inventory);
    (inventory, owners)
}

fn seen(metric: &str, label: (&str, &str), owner: (&str, &str)) -> Labels {
    let labels = [
        ("__name__", metric),
        ("namespace", "shop"),
        label,
        ("owner_kind", owner.0),
        ("owner_name", owner.1),
    ];
    labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// Kind and name of the owner of `pod`.
fn owner((inventory, owners): &(Inventory, Owners), pod: &str) -> Option<String> {
    let owner = &inventory.items[owners.owner("shop", pod)?].owner;
    Some(format!("{}/{}", owner.kind, owner.name))
}

#[test]
fn names_tell_whose_a_pod_was_and_never_by_a_beginning() {
    let known = owners(vec![
        item(OwnerKind::Deployment, "cart", &["cart-7d9c5b6f4d-x2v8k"], &["cart-7d9c5b6f4d"]),
        item(OwnerKind::StatefulSet, "cart-db", &["cart-db-0"], &[]),
        item(OwnerKind::DaemonSet, "agent", &[], &[]),
        item(OwnerKind::CronJob, "backup", &[], &["backup-28493820"]),
        item(OwnerKind::Job, "import", &[], &[]),
        item(OwnerKind::Rollout, "front", &[], &[]),
        item(OwnerKind::DeploymentConfig, "legacy", &[], &["legacy-3"]),
        item(OwnerKind::Other("Kafka".into()), "events", &["events-0"], &[]),
        item(OwnerKind::Pod, "debug", &["debug"], &[]),
    ]);
    for (pod, expected) in [
        ("cart-7d9c5b6f4d-x2v8k", Some("Deployment/cart")),
        ("cart-7d9c5b6f4d-2xk9z", Some("Deployment/cart")),
        ("cart-58f68557c-2xk9z", Some("Deployment/cart")),
        ("cart-db-0", Some("StatefulSet/cart-db")),
        ("cart-db-7", Some("StatefulSet/cart-db")),
        ("cart-db-58f68557c-2xk9z", None),
        ("cart-0", None),
        ("cart-2xk9z", None),
        ("cart", None),
        ("agent-2xk9z", Some("DaemonSet/agent")),
        ("backup-28493820-2xk9z", Some("CronJob/backup")),
        ("backup-28499999-2xk9z", Some("CronJob/backup")),
        ("import-2xk9z", Some("Job/import")),
        ("import-3-2xk9z", Some("Job/import")),
        ("front-58f68557c-2xk9z", Some("Rollout/front")),
        ("legacy-3-2xk9z", Some("DeploymentConfig/legacy")),
        ("legacy-2-2xk9z", Some("DeploymentConfig/legacy")),
        ("events-4", Some("Kafka/events")),
        ("debug", Some("Pod/debug")),
        ("stranger-58f68557c-2xk9z", None),
    ] {
        assert_eq!(owner(&known, pod).as_deref(), expected, "{pod}");
    }
    assert_eq!(known.1.owner("other", "cart-db-0"), None, "a pod of another namespace");
}

#[test]
fn what_kube_state_metrics_saw_goes_before_names() {
    let mut known = owners(vec![
        item(OwnerKind::Deployment, "web", &[], &[]),
        item(OwnerKind::Deployment, "website", &[], &[]),
        item(OwnerKind::ReplicaSet, "alone", &[], &[]),
        item(OwnerKind::CronJob, "nightly", &[], &[]),
        item(OwnerKind::StatefulSet, "db", &[], &[]),
        item(OwnerKind::Other("Kafka".into()), "events", &[], &[]),
    ]);
    for labels in [
        seen("kube_pod_owner", ("pod", "web-6b7c9d5f8-4xk2z"), ("ReplicaSet", "web-6b7c9d5f8")),
        seen("kube_replicaset_owner", ("replicaset", "web-6b7c9d5f8"), ("Deployment", "website")),
        seen("kube_pod_owner", ("pod", "alone-4xk2z"), ("ReplicaSet", "alone")),
        seen("kube_replicaset_owner", ("replicaset", "alone"), ("<none>", "<none>")),
        seen("kube_pod_owner", ("pod", "n-4xk2z"), ("Job", "run-by-hand")),
        seen("kube_job_owner", ("job_name", "run-by-hand"), ("CronJob", "nightly")),
        seen("kube_pod_owner", ("pod", "db-0"), ("StatefulSet", "another")),
        seen("kube_pod_owner", ("pod", "events-broker-0"), ("Kafka", "events")),
        seen("kube_pod_owner", ("pod", "half"), ("Kafka", "")),
    ] {
        known.1.add_seen(&labels);
    }
    for (pod, expected) in [
        ("web-6b7c9d5f8-4xk2z", Some("Deployment/website")),
        ("web-58f68557c-2xk9z", Some("Deployment/web")),
        ("alone-4xk2z", Some("ReplicaSet/alone")),
        ("n-4xk2z", Some("CronJob/nightly")),
        ("db-0", None),
        ("db-1", Some("StatefulSet/db")),
        ("events-broker-0", Some("Kafka/events")),
        ("half", None),
    ] {
        assert_eq!(owner(&known, pod).as_deref(), expected, "{pod}");
    }
}
