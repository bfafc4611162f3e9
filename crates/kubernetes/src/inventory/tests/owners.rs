use super::*;

#[tokio::test]
async fn a_pod_of_a_replica_set_is_its_deployments_and_old_replica_sets_are_its_generations() {
    let objects = json!({
        "deployments": [workload("cart", 3)],
        "replicasets": [
            {"metadata": owned("cart-new", "apps/v1", "Deployment", "cart")},
            {"metadata": owned("cart-old", "apps/v1", "Deployment", "cart")},
        ],
        "pods": [pod(&owned("cart-new-1", "apps/v1", "ReplicaSet", "cart-new"))],
    });
    let item = only(&objects).await;
    assert_eq!(item.owner.to_string(), "shop/Deployment/cart");
    assert_eq!((item.replicas, item.labels["app"].as_str()), (3, "cart"));
    assert_eq!(names(&item.generations), ["cart-new", "cart-old"]);
    assert_eq!(item.pods.len(), 1);
    assert_eq!((&*item.pods[0].name, item.pods[0].is_active), ("cart-new-1", true));
}

#[tokio::test]
async fn stateful_and_daemon_sets_own_their_pods_and_a_daemon_set_counts_nodes() {
    let mut agent = workload("agent", 0);
    agent["status"] = json!({"desiredNumberScheduled": 4, "currentNumberScheduled": 3});
    let objects = json!({
        "statefulsets": [workload("redis", 2)],
        "daemonsets": [agent],
        "pods": [
            pod(&owned("redis-0", "apps/v1", "StatefulSet", "redis")),
            pod(&owned("agent-x", "apps/v1", "DaemonSet", "agent")),
        ],
    });
    let found = inventory(&objects).await;
    assert_eq!(owners(&found), ["shop/StatefulSet/redis", "shop/DaemonSet/agent"]);
    let figures = found.items.iter().map(|item| (item.replicas, item.pods.len()));
    assert_eq!(figures.collect::<Vec<_>>(), [(2, 1), (4, 1)]);
}

#[tokio::test]
async fn jobs_count_as_their_cron_job_and_replicas_of_both_are_active_pods() {
    let cron = json!({"metadata": meta("report"), "spec": {"jobTemplate": {"spec": {"template":
        {"spec": {"containers": [container("report", "1")]}}}}}});
    let mut ended = pod(&owned("report-1-a", "batch/v1", "Job", "report-1"));
    ended["status"]["phase"] = json!("Succeeded");
    let objects = json!({
        "cronjobs": [cron],
        "jobs": [
            {"metadata": owned("report-1", "batch/v1", "CronJob", "report")},
            {"metadata": owned("report-2", "batch/v1", "CronJob", "report")},
            workload("import", 1),
        ],
        "pods": [
            ended,
            pod(&owned("report-2-b", "batch/v1", "Job", "report-2")),
            pod(&owned("import-c", "batch/v1", "Job", "import")),
        ],
    });
    let found = inventory(&objects).await;
    assert_eq!(owners(&found), ["shop/CronJob/report", "shop/Job/import"]);
    let report = &found.items[0];
    assert_eq!((report.replicas, report.pods.len()), (1, 2));
    assert_eq!(names(&report.generations), ["report-1", "report-2"]);
    assert_eq!(named(report)["report"].1.cpu_request, Some(Millicores::new(1000)));
    assert_eq!((found.items[1].replicas, found.items[1].generations.len()), (1, 0));
}

#[tokio::test]
async fn a_rollout_owns_its_replica_sets() {
    let objects = json!({
        "rollouts": [workload("cart", 2)],
        "replicasets": [{"metadata": owned("cart-1", "argoproj.io/v1alpha1", "Rollout", "cart")}],
        "pods": [pod(&owned("cart-1-a", "apps/v1", "ReplicaSet", "cart-1"))],
    });
    let item = only(&objects).await;
    assert_eq!(item.owner.to_string(), "shop/Rollout/cart");
    assert_eq!((item.replicas, item.pods.len()), (2, 1));
}

#[tokio::test]
async fn a_rollout_takes_the_template_of_a_deployment_which_counts_only_while_it_has_replicas() {
    let rollout = json!({"metadata": meta("cart"), "spec": {"replicas": 5,
        "workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}}});
    let of = |replicas| json!({"rollouts": [rollout], "deployments": [workload("cart", replicas)]});
    let item = only(&of(0)).await;
    assert_eq!(item.owner.to_string(), "shop/Rollout/cart");
    assert_eq!(item.replicas, 5);
    assert_eq!(named(&item)["server"].1.cpu_request, Some(Millicores::new(100)));
    let migrating = inventory(&of(1)).await;
    assert_eq!(owners(&migrating), ["shop/Deployment/cart", "shop/Rollout/cart"]);
}

#[tokio::test]
async fn a_deployment_config_owns_its_replication_controllers() {
    let objects = json!({
        "deploymentconfigs": [workload("cart", 1)],
        "replicationcontrollers":
            [{"metadata": owned("cart-7", "apps.openshift.io/v1", "DeploymentConfig", "cart")}],
        "pods": [pod(&owned("cart-7-x", "v1", "ReplicationController", "cart-7"))],
    });
    let item = only(&objects).await;
    assert_eq!(item.owner.to_string(), "shop/DeploymentConfig/cart");
    assert_eq!((names(&item.generations), item.pods.len()), (vec!["cart-7"], 1));
}

#[tokio::test]
async fn replication_controllers_are_only_asked_for_where_something_owns_them() {
    let (cluster, seen) = cluster(&json!({}));
    cluster.inventory(&InventoryScope::default()).await.unwrap();
    assert!(!seen.lock().unwrap().join(" ").contains("replicationcontrollers"));
}

#[tokio::test]
async fn an_operators_object_owns_its_pods_with_the_containers_of_the_newest() {
    let of = |name: &str, created: &str, cpu: &str, phase: &str| {
        let mut pod = pod(&owned(name, "core.strimzi.io/v1beta2", "StrimziPodSet", "kafka"));
        pod["metadata"]["creationTimestamp"] = json!(created);
        pod["spec"]["containers"] = json!([container("kafka", cpu)]);
        pod["status"]["phase"] = json!(phase);
        pod
    };
    let objects = json!({"pods": [
        of("kafka-0", "2026-01-02T00:00:00Z", "2", "Running"),
        of("kafka-1", "2026-01-03T00:00:00Z", "3", "Running"),
        of("kafka-2", "2026-01-04T00:00:00Z", "4", "Failed"),
    ]});
    let item = only(&objects).await;
    assert_eq!(item.owner.to_string(), "shop/StrimziPodSet/kafka");
    assert_eq!(item.owner.kind, OwnerKind::Other("StrimziPodSet".into()));
    assert_eq!((item.replicas, item.pods.len()), (2, 3));
    let (role, claim) = named(&item)["kafka"];
    assert_eq!((role, claim.cpu_request), (ContainerRole::Main, Some(Millicores::new(3000))));
}

#[tokio::test]
async fn a_kind_of_another_group_is_not_taken_for_the_known_one_of_its_name() {
    let objects =
        json!({"pods": [pod(&owned("a-0", "apps.kruise.io/v1beta1", "StatefulSet", "a"))]});
    assert_eq!(only(&objects).await.owner.to_string(), "shop/StatefulSet.apps.kruise.io/a");
}

#[tokio::test]
async fn bare_pods_and_bare_replica_sets_own_themselves_and_a_nodes_own_pods_are_nobodys() {
    let objects = json!({
        "replicasets": [{"metadata": meta("lone")}],
        "pods": [
            pod(&meta("debug")),
            pod(&owned("lone-a", "apps/v1", "ReplicaSet", "lone")),
            pod(&owned("etcd-node", "v1", "Node", "node")),
        ],
    });
    let found = inventory(&objects).await;
    assert_eq!(owners(&found), ["shop/ReplicaSet/lone", "shop/Pod/debug"]);
    assert!(found.items.iter().all(|item| item.replicas == 1 && item.containers.len() == 1));
}

#[tokio::test]
async fn what_is_scaled_to_zero_stays() {
    let item = only(&json!({"deployments": [workload("cart", 0)]})).await;
    assert_eq!((item.replicas, item.containers.len(), item.pods.len()), (0, 1, 0));
}

#[tokio::test]
async fn a_replica_set_that_was_not_listed_is_told_by_the_hash_in_its_name() {
    let mut young = owned("cart-7d9c-x", "apps/v1", "ReplicaSet", "cart-7d9c");
    young["labels"] = json!({"pod-template-hash": "7d9c"});
    let mut canary = owned("ad-5f6-x", "apps/v1", "ReplicaSet", "ad-5f6");
    canary["labels"] = json!({"rollouts-pod-template-hash": "5f6"});
    let found = inventory(&json!({"pods": [pod(&young), pod(&canary)]})).await;
    assert_eq!(owners(&found), ["shop/Deployment/cart", "shop/Rollout/ad"]);
}
