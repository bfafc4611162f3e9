use axum::body::Body;
use http::Response;
use serde_json::{Value, json};

use super::*;
use crate::fake_api::{Asked, FakeApi, json_of, service, status, vector};

const NAME: &str = "app.kubernetes.io/name";

fn prometheus(name: &str) -> Value {
    service(name, &json!({NAME: "prometheus"}), 9090)
}

async fn tunnel(
    services: Value,
    answer: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static,
) -> Result<PrometheusTunnel, PrometheusDiscoveryError> {
    let api = FakeApi::start(services, answer).await;
    PrometheusTunnel::through(api.cluster().await).await
}

fn of(asked: &Asked, service: &str) -> bool {
    asked.service.contains(&format!(":{service}:"))
}

#[tokio::test]
async fn the_best_service_that_answers_as_prometheus_does_is_found() {
    let services = json!([
        prometheus("a-page"),
        prometheus("b-broken"),
        prometheus("c-good"),
        service("grafana", &json!({NAME: "grafana"}), 80),
    ]);
    let found = tunnel(services, |asked| match asked.service.as_str() {
        "monitoring/http:a-page:9090" => Response::new(Body::from("<html>log in</html>")),
        "monitoring/http:c-good:9090" => vector(1),
        _ => status(503, "no endpoints available"),
    })
    .await
    .unwrap();
    assert_eq!(found.shown(), "Prometheus monitoring/c-good (through the API server)");
    assert!(found.is_local());
    let url: http::Uri = found.url().parse().unwrap();
    assert_eq!((url.scheme_str(), url.host()), (Some("http"), Some("127.0.0.1")));
    assert_eq!(url.path().len(), 33, "a slash and the secret");
    found.close().await;
}

#[tokio::test]
async fn of_several_the_first_that_knows_containers_is_taken() {
    let services = json!([prometheus("a-mesh"), prometheus("b-cluster"), prometheus("c-other")]);
    let found = tunnel(services.clone(), |asked| {
        let knows = asked.path.ends_with("query=1") || !of(asked, "a-mesh");
        vector(usize::from(knows))
    });
    assert!(found.await.unwrap().shown().contains("monitoring/b-cluster"));
    let none = tunnel(services, |asked| vector(usize::from(asked.path.ends_with("query=1"))));
    assert!(none.await.unwrap().shown().contains("monitoring/a-mesh"), "the first of equals");
}

#[tokio::test]
async fn what_answers_below_a_path_is_asked_and_given_there() {
    let services = json!([service("mimir", &json!({NAME: "mimir-nginx"}), 80)]);
    let found = tunnel(services, |asked| {
        let is_asked_there = asked.path.starts_with("/prometheus/api/v1/query?");
        if is_asked_there { vector(1) } else { status(404, "not here") }
    });
    let found = found.await.unwrap();
    assert!(found.url().ends_with("/prometheus"), "{}", found.url());
    assert_eq!(found.shown(), "Mimir monitoring/mimir (through the API server)");
}

#[tokio::test]
async fn one_whose_routes_have_a_prefix_is_found_below_it() {
    let found = tunnel(json!([prometheus("it")]), |asked| {
        let missing = Response::builder().status(404).body(Body::from("404 page not found"));
        if asked.path.starts_with("/prometheus/api") { vector(1) } else { missing.unwrap() }
    });
    assert!(found.await.unwrap().url().ends_with("/prometheus"));
}

#[tokio::test]
async fn one_that_asks_for_a_tenant_is_taken_where_there_is_no_other() {
    let mimir = service("mimir", &json!({NAME: "mimir-nginx"}), 80);
    let answer = |asked: &Asked| {
        let unknown = Response::builder().status(401).body(Body::from("no org id\n"));
        if of(asked, "mimir") { unknown.unwrap() } else { vector(1) }
    };
    let alone = tunnel(json!([mimir]), answer).await.unwrap();
    assert!(alone.shown().starts_with("Mimir"), "{}", alone.shown());
    let beside = tunnel(json!([mimir, prometheus("p")]), answer).await.unwrap();
    assert!(beside.shown().starts_with("Prometheus"), "{}", beside.shown());
}

#[tokio::test]
async fn where_none_answers_each_is_named_with_its_reason() {
    let services = json!([
        prometheus("forbidden"),
        prometheus("gone"),
        prometheus("page"),
        prometheus("wants-token"),
        prometheus("wrong"),
    ]);
    let error = tunnel(services, |asked| {
        let name = asked.service.split(':').nth(1).unwrap_or_default();
        match name {
            "forbidden" => status(403, "no"),
            "gone" => status(503, "no endpoints available"),
            "page" => Response::new(Body::from("<html>")),
            "wants-token" => Response::builder().status(403).body(Body::from("Forbidden")).unwrap(),
            _ => json_of(404, &json!({"message": "nothing"})),
        }
    })
    .await
    .unwrap_err()
    .to_string();
    for part in [
        "monitoring/forbidden cannot be asked: to get services/proxy in namespace monitoring is forbidden; add the rule",
        "monitoring/gone cannot be asked: the API server does not reach the Service monitoring/gone",
        "monitoring/page does not answer as Prometheus does",
        "monitoring/wants-token wants a token of its own (403 Forbidden)",
        "monitoring/wrong answers with 404 Not Found: {\"message\":\"nothing\"}",
    ] {
        assert!(error.contains(part), "{part}\n{error}");
    }
}

#[tokio::test]
async fn inside_of_the_cluster_the_service_itself_is_called_and_no_port_is_opened() {
    let api = FakeApi::start(json!([prometheus("it")]), |_| status(503, "nobody")).await;
    let found = PrometheusTunnel::within(&api.cluster().await).await.unwrap();
    assert_eq!(found.url(), "http://it.monitoring.svc:9090");
    assert_eq!(found.shown(), "Prometheus monitoring/it");
    assert!(!found.is_local());
    assert_eq!(api.asked.lock().unwrap().len(), 0);
}

#[tokio::test]
async fn where_no_service_has_the_labels_the_url_is_asked_for() {
    let services = json!([service("grafana", &json!({NAME: "grafana"}), 80)]);
    let error = tunnel(services, |_| vector(1)).await.unwrap_err();
    assert!(matches!(error, PrometheusDiscoveryError::Absent), "{error}");
}
