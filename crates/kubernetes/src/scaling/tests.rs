use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Response};
use kube::Client;
use kube::client::Body;
use mora_core::{Bytes, Millicores};
use tower::service_fn;

use super::*;
use crate::cluster::tests::list;

/// What was written: method, path with query, content type and body.
type Writes = Arc<Mutex<Vec<(Method, String, String, Value)>>>;

/// A cluster that answers a GET with `answer(path)` and takes every write.
fn cluster(answer: impl Fn(&str) -> Value + Send + Sync + 'static) -> (Cluster, Writes) {
    let writes = Writes::default();
    let (log, answer) = (Arc::clone(&writes), Arc::new(answer));
    let service = service_fn(move |request: http::Request<Body>| {
        let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let sent = body.collect_bytes().await.unwrap();
            let body = if parts.method == Method::GET {
                answer(parts.uri.path())
            } else {
                let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
                let sent = serde_json::from_slice(&sent).unwrap();
                log.lock().unwrap().push((parts.method, parts.uri.to_string(), kind, sent));
                json!({})
            };
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(200).body(body).unwrap())
        }
    });
    (Cluster { client: Client::new(service, "default") }, writes)
}

fn deployment(status: &Value) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": "cart", "generation": 4},
        "spec": {"replicas": 3, "selector": {}, "template": {"spec": {"containers": [
            {"name": "server", "resources": {"limits": {"cpu": "300m", "memory": "128Mi"}}}]}}},
        "status": status,
    })
}

async fn read(status: Value) -> RunningWorkload {
    let scaler = json!({"metadata": {"namespace": "shop", "name": "cart-hpa"}, "spec": {
        "maxReplicas": 9, "minReplicas": 2,
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "cart"}}});
    let (cluster, _) = cluster(move |path| {
        let scalers = path.ends_with("/horizontalpodautoscalers");
        if scalers { list(&json!([scaler])) } else { deployment(&status) }
    });
    cluster.running_workload(&"shop/cart".parse().unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_workload_is_settled_when_its_newest_specification_runs_and_nothing_else() {
    let settled = read(
        json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}),
    )
    .await;
    assert!(settled.settled);
    assert_eq!((settled.replicas, settled.ready), (3, 3));
    assert_eq!(settled.containers["server"].cpu_limit, Some(Millicores::new(300)));
    let bounds = AutoscalerBounds { name: "cart-hpa".to_owned(), min: 2, max: 9 };
    assert_eq!(settled.autoscaler, Some(bounds));
    for behind in [
        json!({"observedGeneration": 3, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 3}),
        json!({"observedGeneration": 4, "replicas": 4, "updatedReplicas": 3, "readyReplicas": 3}),
        json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 2, "readyReplicas": 3}),
        json!({"observedGeneration": 4, "replicas": 3, "updatedReplicas": 3, "readyReplicas": 2}),
        json!({}),
    ] {
        assert!(!read(behind.clone()).await.settled, "{behind}");
    }
}

#[tokio::test]
async fn replicas_are_set_by_the_scale_subresource() {
    let (cluster, writes) = cluster(|_| json!({}));
    cluster.scale(&"shop/StatefulSet/redis".parse().unwrap(), 2).await.unwrap();
    let (method, uri, kind, body) = writes.lock().unwrap().pop().unwrap();
    assert_eq!(method, Method::PATCH);
    assert!(uri.starts_with("/apis/apps/v1/namespaces/shop/statefulsets/redis/scale?"), "{uri}");
    assert_eq!(kind, "application/merge-patch+json");
    assert_eq!(body, json!({"spec": {"replicas": 2}}));
}

#[tokio::test]
async fn a_claim_names_its_container_and_removes_what_it_does_not_state() {
    let (cluster, writes) = cluster(|_| json!({}));
    let claim = ResourceClaim {
        cpu_limit: Some(Millicores::new(1500)),
        memory_request: Some(Bytes::from_mebibytes(64)),
        ..ResourceClaim::default()
    };
    cluster.set_claim(&"shop/cart".parse().unwrap(), "server", &claim).await.unwrap();
    let (_, uri, kind, body) = writes.lock().unwrap().pop().unwrap();
    assert!(uri.starts_with("/apis/apps/v1/namespaces/shop/deployments/cart?"), "{uri}");
    assert_eq!(kind, "application/strategic-merge-patch+json");
    let container = &body["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["name"], "server");
    assert_eq!(
        container["resources"],
        json!({"requests": {"cpu": null, "memory": "64Mi"}, "limits": {"cpu": "1500m", "memory": null}})
    );
}

#[tokio::test]
async fn the_bounds_of_an_autoscaler_are_set_on_it() {
    let (cluster, writes) = cluster(|_| json!({}));
    let bounds = AutoscalerBounds { name: "cart-hpa".to_owned(), min: 4, max: 4 };
    cluster.set_autoscaler_bounds("shop", &bounds).await.unwrap();
    let (_, uri, _, body) = writes.lock().unwrap().pop().unwrap();
    assert!(uri.contains("/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/cart-hpa?"));
    assert_eq!(body, json!({"spec": {"minReplicas": 4, "maxReplicas": 4}}));
}
