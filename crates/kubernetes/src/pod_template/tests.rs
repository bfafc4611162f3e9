use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Method, Response};
use kube::Client;
use kube::client::Body;
use tower::service_fn;

use super::*;

/// A request that writes: method, address, content type and body.
pub(crate) type Written = (Method, String, String, Value);

/// A cluster that answers a request of `method` to `path` with `answer(method, path)`, and what was written to it.
pub(crate) fn answering(
    answer: impl Fn(&Method, &str) -> (u16, Value) + Send + Sync + 'static,
) -> (Cluster, Arc<Mutex<Vec<Written>>>) {
    let written: Arc<Mutex<Vec<Written>>> = Arc::default();
    let (log, answer) = (Arc::clone(&written), Arc::new(answer));
    let service = service_fn(move |request: http::Request<Body>| {
        let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
        async move {
            let (parts, body) = request.into_parts();
            let sent = body.collect_bytes().await.unwrap();
            let (code, body) = answer(&parts.method, parts.uri.path());
            if parts.method != Method::GET {
                let kind = parts.headers["content-type"].to_str().unwrap().to_owned();
                let sent = serde_json::from_slice(&sent).unwrap();
                log.lock().unwrap().push((parts.method, parts.uri.to_string(), kind, sent));
            }
            let body = Body::from(body.to_string().into_bytes());
            Ok::<_, Infallible>(Response::builder().status(code).body(body).unwrap())
        }
    });
    (Cluster { client: Client::new(service, "default") }, written)
}

fn deployment() -> Value {
    json!({
        "metadata": {
            "namespace": "shop", "name": "cart", "uid": "u1", "resourceVersion": "41", "generation": 2,
            "annotations": {"mora.dev/plan": "p0"},
            "managedFields": [
                {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"server\"}": {"f:resources": {"f:limits": {"f:cpu": {}}}}}}}}}},
                {"manager": "mora", "operation": "Apply", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"server\"}": {".": {}, "f:name": {}, "f:resources": {"f:requests": {"f:memory": {}, "f:cpu": {}}}}}}}}}},
                {"manager": "mora", "operation": "Update", "fieldsV1": {"f:spec": {"f:template": {"f:spec": {"f:containers": {
                    "k:{\"name\":\"proxy\"}": {"f:resources": {"f:requests": {"f:cpu": {}}}}}}}}}},
            ],
        },
        "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": [
            {"name": "proxy", "resources": {}},
            {"name": "server", "resources": {"requests": {"cpu": "100m", "memory": "64Mi", "ephemeral-storage": "1Gi"}, "limits": {"cpu": "200m"}}},
            {"name": "bare"},
        ]}}},
        "status": {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
    })
}

fn field(container: &str, side: Side, resource: &str) -> Field {
    Field { container: container.to_owned(), side, resource: resource.to_owned() }
}

async fn read() -> (Cluster, Arc<Mutex<Vec<Written>>>, PodTemplate) {
    let (cluster, written) = answering(|_, _| (200, deployment()));
    let template = cluster.pod_template(&"shop/cart".parse().unwrap()).await.unwrap();
    (cluster, written, template)
}

#[tokio::test]
async fn a_template_has_its_resources_as_the_api_gave_them_and_what_mora_owns() {
    let (_, _, template) = read().await;
    assert_eq!((template.uid.as_str(), template.resource_version.as_str()), ("u1", "41"));
    assert_eq!(template.plan.as_deref(), Some("p0"));
    assert!(template.settled);
    let server = template.resources("server").unwrap();
    assert_eq!(server["requests"]["ephemeral-storage"], "1Gi");
    assert_eq!(template.resources("proxy"), Some(&json!({})));
    assert!(template.has("bare") && template.resources("bare").is_none());
    let owned: Vec<_> = template.owned.iter().cloned().collect();
    let expected = ["cpu", "memory"].map(|name| field("server", Side::Requests, name));
    assert_eq!(owned, expected, "only what was applied by mora");
}

#[tokio::test]
async fn server_side_apply_states_what_changes_and_what_was_stated_before() {
    let (cluster, written, template) = read().await;
    let change = TemplateChange {
        plan: "p1".to_owned(),
        set: [(field("server", Side::Requests, "cpu"), "150m".to_owned())].into(),
        ..TemplateChange::default()
    };
    cluster.apply_template(&template, &change).await.unwrap();
    let (method, uri, kind, body) = written.lock().unwrap().pop().unwrap();
    assert_eq!(method, Method::PATCH);
    assert_eq!(kind, "application/apply-patch+yaml");
    let (path, query) = uri.split_once('?').unwrap();
    assert_eq!(path, "/apis/apps/v1/namespaces/shop/deployments/cart");
    let mut query: Vec<&str> = query.split('&').filter(|part| !part.is_empty()).collect();
    query.sort_unstable();
    assert_eq!(query, ["fieldManager=mora", "force=true"]);
    assert_eq!(
        body,
        json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {
                "name": "cart", "namespace": "shop", "resourceVersion": "41",
                "annotations": {"mora.dev/plan": "p1"},
            },
            "spec": {"template": {"spec": {"containers": [
                {"name": "server", "resources": {"requests": {"cpu": "150m", "memory": "64Mi"}}}]}}},
        })
    );
}

#[tokio::test]
async fn what_others_stated_is_removed_before_the_rest_is_applied() {
    let (cluster, written, template) = read().await;
    let change = TemplateChange {
        plan: "p1".to_owned(),
        set: [(field("server", Side::Requests, "cpu"), "150m".to_owned())].into(),
        removed: [field("server", Side::Limits, "cpu"), field("server", Side::Limits, "memory")]
            .into(),
    };
    cluster.apply_template(&template, &change).await.unwrap();
    let written = written.lock().unwrap();
    assert_eq!(written.len(), 2);
    assert_eq!(written[0].2, "application/json-patch+json");
    assert_eq!(
        written[0].3,
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
            {"op": "remove", "path": "/spec/template/spec/containers/1/resources/limits/cpu"},
        ])
    );
    assert_eq!(written[1].2, "application/apply-patch+yaml");
}

#[tokio::test]
async fn restoring_writes_resources_as_they_were_spelt_and_takes_away_what_was_not_there() {
    let (cluster, written, template) = read().await;
    let before = json!({"requests": {"cpu": "0.5", "memory": "128974848"}});
    let resources = [
        ("server".to_owned(), Some(before.clone())),
        ("proxy".to_owned(), None),
        ("bare".to_owned(), None),
    ];
    cluster.restore_template(&template, &resources.into(), None).await.unwrap();
    let (_, uri, kind, body) = written.lock().unwrap().pop().unwrap();
    assert_eq!(uri, "/apis/apps/v1/namespaces/shop/deployments/cart?fieldManager=mora");
    assert_eq!(kind, "application/json-patch+json");
    assert_eq!(
        body,
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "41"},
            {"op": "remove", "path": "/spec/template/spec/containers/0/resources"},
            {"op": "add", "path": "/spec/template/spec/containers/1/resources", "value": before},
            {"op": "remove", "path": "/metadata/annotations/mora.dev~1plan"},
        ])
    );
}

#[tokio::test]
async fn a_conflict_is_not_asked_for_again() {
    let (cluster, written) = answering(|method, _| match *method {
        Method::GET => (200, deployment()),
        _ => (
            409,
            json!({"kind": "Status", "status": "Failure", "code": 409, "message": "changed", "reason": "Conflict"}),
        ),
    });
    let template = cluster.pod_template(&"shop/cart".parse().unwrap()).await.unwrap();
    let error = cluster.apply_template(&template, &TemplateChange::default()).await.unwrap_err();
    assert!(matches!(error, ClusterError::Failed { code: 409, .. }), "{error}");
    assert_eq!(written.lock().unwrap().len(), 1);
}
