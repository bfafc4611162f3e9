use super::*;

/// What is known of an autoscaler with these metrics.
async fn with_metrics(metrics: Value) -> OwnerAutoscaler {
    of_target("Deployment", "apps/v1", metrics).await
}

async fn of_target(kind: &str, version: &str, metrics: Value) -> OwnerAutoscaler {
    let autoscaler = json!({"metadata": meta("it"), "status": {"currentReplicas": 3, "desiredReplicas": 4}, "spec": {
        "scaleTargetRef": {"apiVersion": version, "kind": kind, "name": "cart"},
        "minReplicas": 2, "maxReplicas": 9, "metrics": metrics}});
    let plural = format!("{}s", kind.to_lowercase());
    let mut objects = json!({"horizontalpodautoscalers": [autoscaler]});
    objects[plural] = json!([workload("cart", 3)]);
    only(&objects).await.autoscaler.unwrap()
}

fn resource(field: &str, name: &str, target: &Value) -> Value {
    let kind = format!("{}{}", field[..1].to_uppercase(), &field[1..]);
    let mut metric = json!({"type": kind});
    metric[field] = json!({"name": name, "target": target});
    metric
}

fn aims(autoscaler: OwnerAutoscaler) -> (Option<u32>, Option<u32>, bool) {
    (autoscaler.cpu_percent, autoscaler.memory_percent, autoscaler.on_absolute)
}

#[tokio::test]
async fn utilisation_is_a_percentage_of_the_request() {
    let of = |percent| json!({"type": "Utilization", "averageUtilization": percent});
    let metrics =
        json!([resource("resource", "cpu", &of(60)), resource("resource", "memory", &of(75))]);
    let autoscaler = with_metrics(metrics).await;
    assert_eq!(aims(autoscaler), (Some(60), Some(75), false));
    let replicas = (autoscaler.min_replicas, autoscaler.max_replicas, autoscaler.current_replicas);
    assert_eq!(replicas, (2, 9, 4));
    let one = json!([resource("containerResource", "cpu", &of(50))]);
    assert_eq!(aims(with_metrics(one).await), (Some(50), None, false), "of one container");
}

#[tokio::test]
async fn an_average_value_and_metrics_of_others_do_not_depend_on_requests() {
    let average =
        resource("resource", "cpu", &json!({"type": "AverageValue", "averageValue": "500m"}));
    assert_eq!(aims(with_metrics(json!([average])).await), (None, None, true));
    for kind in ["Pods", "Object", "External"] {
        let mut metric = json!({"type": kind});
        metric[kind.to_lowercase()] = json!({"metric": {"name": "s0-queue"}, "target": {"type": "AverageValue", "averageValue": "5"}});
        assert_eq!(aims(with_metrics(json!([metric])).await), (None, None, true), "{kind}");
    }
}

#[tokio::test]
async fn without_metrics_the_aim_is_80_percent_of_the_cpu_request() {
    for none in [json!(null), json!([])] {
        assert_eq!(aims(with_metrics(none).await), (Some(80), None, false));
    }
}

#[tokio::test]
async fn owners_of_every_kind_are_scaled() {
    for (kind, version) in [("Rollout", "argoproj.io/v1alpha1"), ("StatefulSet", "apps/v1")] {
        assert_eq!(of_target(kind, version, json!([])).await.max_replicas, 9, "{kind}");
    }
    let scaled = json!({"metadata": meta("it"), "spec": {"maxReplicas": 3,
        "scaleTargetRef": {"apiVersion": "core.strimzi.io/v1beta2", "kind": "StrimziPodSet", "name": "kafka"}}});
    let of_operator = pod(&owned("kafka-0", "core.strimzi.io/v1beta2", "StrimziPodSet", "kafka"));
    let item = only(&json!({"horizontalpodautoscalers": [scaled], "pods": [of_operator]})).await;
    let autoscaler = item.autoscaler.unwrap();
    assert_eq!((autoscaler.min_replicas, autoscaler.current_replicas), (1, 0), "neither is said");
}
