//! Answers of Prometheus and of the Kubernetes API that cannot be used.

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use mora_tests::Host;
use serde_json::json;

use super::{AT, Refused, from_prometheus};

const JSON: &str = "application/json";

/// A server that answers everything in the same way.
fn always(status: u16, kind: &'static str, body: &'static str) -> Router {
    let status = StatusCode::from_u16(status).unwrap();
    let answer = move || async move { (status, [(header::CONTENT_TYPE, kind)], body) };
    Router::new().fallback(answer)
}

/// A recommendation from a Prometheus that answers so.
fn of_prometheus(name: &str, router: Router) -> i32 {
    let host = Host::new();
    let address = host.http(router);
    let url = format!("http://{address}");
    Refused::new().port(address).is_told(name, &from_prometheus(&url))
}

#[test]
fn a_prometheus_that_is_not_there_is_named() {
    let refused = Refused::new();
    assert_eq!(
        refused.is_told("prometheus-unreachable", &from_prometheus("http://127.0.0.1:1")),
        1
    );
    assert_eq!(refused.is_told("prometheus-no-address", &from_prometheus("prometheus:9090")), 1);
}

#[test]
fn a_prometheus_that_refuses_is_told_with_what_it_said() {
    let error = r#"{"status":"error","errorType":"execution","error":"query processing would load too many samples into memory"}"#;
    let cases = [
        ("prometheus-401", 401, "text/plain", "Unauthorized\n"),
        ("prometheus-403", 403, "text/plain", "Forbidden\n"),
        ("prometheus-404", 404, "text/plain", "404 page not found\n"),
        ("prometheus-422", 422, JSON, error),
        ("prometheus-503", 503, "text/plain", "no healthy upstream"),
    ];
    for (name, status, kind, body) in cases {
        assert_eq!(of_prometheus(name, always(status, kind, body)), 1, "{name}");
    }
}

#[test]
fn what_is_no_answer_of_a_prometheus_is_told_as_such() {
    let cases = [
        ("prometheus-login-page", "text/html", "<!doctype html><title>Sign in</title>"),
        ("prometheus-truncated", JSON, r#"{"status":"succ"#),
        ("prometheus-another-json", JSON, r#"{"hello":"world"}"#),
    ];
    for (name, kind, body) in cases {
        assert_eq!(of_prometheus(name, always(200, kind, body)), 1, "{name}");
    }
}

/// A Prometheus that answers instants with `vector`, and knows of nothing else.
fn knowing(vector: &'static str) -> Router {
    Router::new().fallback(move |uri: Uri| async move {
        let path = uri.path();
        let data = if path.ends_with("/series") || path.contains("/label") {
            "[]".to_owned()
        } else if path.ends_with("/query_range") {
            r#"{"resultType":"matrix","result":[]}"#.to_owned()
        } else {
            format!(r#"{{"resultType":"vector","result":[{vector}]}}"#)
        };
        let body = format!(r#"{{"status":"success","data":{data}}}"#);
        ([(header::CONTENT_TYPE, JSON)], body)
    })
}

#[test]
fn a_prometheus_that_knows_nothing_is_no_success() {
    assert_eq!(of_prometheus("prometheus-empty", knowing("")), 5);
}

#[test]
fn what_is_not_a_number_is_not_recommended_from() {
    let cart = r#"{"metric":{"namespace":"shop","pod":"cart-5d9c8b7f6-abcde","container":"server"},"value":[1772409600,"NaN"]}"#;
    let host = Host::new();
    let url = format!("http://{}", host.http(knowing(cart)));
    let output = Refused::new().run(&[&from_prometheus(&url)[..], &["-o", "csv"]].concat());
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(5), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    assert!(!String::from_utf8_lossy(&output.stdout).contains("NaN"));
}

/// A recommendation from a cluster whose API answers so.
fn of_api(name: &str, router: Router) -> i32 {
    let host = Host::new();
    let (address, prometheus) = (host.http(router), host.http(always(200, JSON, "{}")));
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: c, cluster: {{server: \"http://{address}\"}}}}]\n\
         users: [{{name: u, user: {{token: open-sesame}}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    );
    let refused = Refused::new().file("config", &kubeconfig).variable("KUBECONFIG", "config");
    let url = format!("http://{prometheus}");
    let arguments = ["recommend", "--prometheus", &url, "-n", "shop", "--at", AT];
    refused.port(address).port(prometheus).is_told(name, &arguments)
}

/// How the API says no.
fn status(code: u16, reason: &str, message: &str) -> (StatusCode, axum::Json<serde_json::Value>) {
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    });
    (StatusCode::from_u16(code).unwrap(), axum::Json(body))
}

#[test]
fn a_kubernetes_api_that_refuses_is_told_with_what_would_help() {
    let unknown = Router::new().fallback(|| async { status(401, "Unauthorized", "Unauthorized") });
    assert_eq!(of_api("api-401", unknown), 1);
    let pods = Router::new().fallback(|uri: Uri| async move {
        if uri.path().ends_with("/pods") {
            let message = "pods is forbidden: User \"mora\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";
            return status(403, "Forbidden", message).into_response();
        }
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": []});
        axum::Json(list).into_response()
    });
    assert_eq!(of_api("api-403-on-pods", pods), 1);
    let broken = Router::new().fallback(|| async { status(500, "InternalError", "etcd is away") });
    assert_eq!(of_api("api-500", broken), 1);
    assert_eq!(of_api("api-no-json", always(200, "text/html", "<title>Sign in</title>")), 1);
}
