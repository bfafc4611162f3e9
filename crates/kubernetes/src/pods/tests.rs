use http::Method;

use super::*;
use crate::cluster::tests::list;
use crate::pod_template::tests::answering;

fn pod(conditions: &Value) -> Value {
    json!({
        "metadata": {
            "namespace": "shop", "name": "cart-7d9c5b8f4-x", "uid": "v1", "resourceVersion": "7", "generation": 3,
            "labels": {"pod-template-hash": "7d9c5b8f4"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "cart-7d9c5b8f4", "uid": "r", "controller": true}],
        },
        "spec": {
            "initContainers": [{"name": "proxy", "restartPolicy": "Always", "resources": {"requests": {"cpu": "10m"}}}],
            "containers": [{
                "name": "server",
                "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
                "resizePolicy": [
                    {"resourceName": "cpu", "restartPolicy": "NotRequired"},
                    {"resourceName": "memory", "restartPolicy": "RestartContainer"},
                ],
            }],
        },
        "status": {
            "phase": "Running", "observedGeneration": 2, "conditions": conditions,
            "containerStatuses": [{
                "name": "server", "image": "i", "imageID": "i", "ready": true, "restartCount": 4,
                "allocatedResources": {"cpu": "100m", "memory": "64Mi"},
                "resources": {"requests": {"cpu": "90m", "memory": "64Mi"}},
            }],
        },
    })
}

async fn read(conditions: Value) -> PodState {
    let (cluster, _) = answering(move |_, _| (200, pod(&conditions)));
    cluster.pod("shop", "cart-7d9c5b8f4-x").await.unwrap().unwrap()
}

#[tokio::test]
async fn a_pod_tells_what_it_states_what_it_has_and_what_restarts_it() {
    let state = read(json!([{"type": "Ready", "status": "True"}])).await;
    assert!(state.runs && state.ready && !state.whole);
    assert_eq!(state.observed, Some(false), "the kubelet is one generation behind");
    let server = state.container("server").unwrap();
    assert_eq!(server.resources, json!({"requests": {"cpu": "100m", "memory": "64Mi"}}));
    assert_eq!(server.actual, Some(json!({"requests": {"cpu": "90m", "memory": "64Mi"}})));
    assert_eq!(server.restarts, 4);
    assert_eq!(server.restarts_for, ["memory".to_owned()].into());
    assert_eq!(state.init_resources, [json!({"requests": {"cpu": "10m"}})]);
}

#[tokio::test]
async fn conditions_say_how_far_a_resize_is() {
    let pending = |reason: &str| json!([{"type": "PodResizePending", "status": "True", "reason": reason, "message": "why"}]);
    let progress = |reason: Value| json!([{"type": "PodResizeInProgress", "status": "True", "reason": reason, "message": "why"}]);
    for (conditions, expected) in [
        (json!([]), Resizing::None),
        (
            json!([{"type": "PodResizePending", "status": "False", "reason": "Deferred"}]),
            Resizing::None,
        ),
        (pending("Deferred"), Resizing::Deferred("why".to_owned())),
        (pending("Infeasible"), Resizing::Infeasible("why".to_owned())),
        (progress(Value::Null), Resizing::InProgress),
        (progress(json!("Error")), Resizing::Failed("why".to_owned())),
    ] {
        assert_eq!(read(conditions.clone()).await.resizing, expected, "{conditions}");
    }
}

#[tokio::test]
async fn a_size_is_asked_for_through_the_subresource_of_the_pod_that_was_read() {
    let (cluster, written) = answering(|_, _| (200, pod(&json!([]))));
    let state = cluster.pod("shop", "cart-7d9c5b8f4-x").await.unwrap().unwrap();
    let sizes = [("server".to_owned(), json!({"requests": {"cpu": "150m"}}))].into();
    cluster.resize("shop", &state, &sizes).await.unwrap();
    let (method, uri, kind, body) = written.lock().unwrap().pop().unwrap();
    assert_eq!(method, Method::PATCH);
    let path = "/api/v1/namespaces/shop/pods/cart-7d9c5b8f4-x/resize?";
    assert!(uri.starts_with(path) && uri.contains("fieldManager=mora"), "{uri}");
    assert_eq!(kind, "application/strategic-merge-patch+json");
    assert_eq!(
        body,
        json!({
            "metadata": {"uid": "v1", "resourceVersion": "7"},
            "spec": {"containers": [{"name": "server", "resources": {"requests": {"cpu": "150m"}}}]},
        })
    );
}

#[tokio::test]
async fn only_pods_of_the_workload_are_its_pods_and_a_pod_that_is_gone_is_none() {
    let mut other = pod(&json!([]));
    other["metadata"]["labels"]["pod-template-hash"] = json!("other");
    let mut ending = pod(&json!([]));
    ending["metadata"]["name"] = json!("a");
    ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    let items = json!([pod(&json!([])), other, ending]);
    let (cluster, _) = answering(move |_, path| {
        if path.ends_with("/pods") {
            return (200, list(&items));
        }
        (
            404,
            json!({"kind": "Status", "status": "Failure", "code": 404, "message": "none", "reason": "NotFound"}),
        )
    });
    let pods = cluster.pods_of(&"shop/cart".parse().unwrap()).await.unwrap();
    let runs: Vec<(&str, bool)> = pods.iter().map(|pod| (pod.name.as_str(), pod.runs)).collect();
    assert_eq!(runs, [("a", false), ("cart-7d9c5b8f4-x", true)]);
    assert_eq!(cluster.pod("shop", "x").await.unwrap(), None);
}
