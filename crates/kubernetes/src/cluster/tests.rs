use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

/// A cluster whose API answers each request with `answer(path, query)`: a status code and a body.
pub(crate) fn scripted(
    answer: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static,
) -> (Cluster, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let cluster = responding(move |uri| {
        log.lock().unwrap().push(uri.to_string());
        let (code, body) = answer(uri.path(), uri.query().unwrap_or_default());
        Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
    });
    (cluster, seen)
}

/// A cluster whose API answers a request for an address with `answer`.
pub(crate) fn responding(
    answer: impl Fn(&http::Uri) -> Response<Body> + Send + Sync + 'static,
) -> Cluster {
    let service = service_fn(move |request: Request<Body>| {
        let response = answer(request.uri());
        async move { Ok::<_, Infallible>(response) }
    });
    Cluster { client: Client::new(service, "default") }
}

pub(crate) fn list(items: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

pub(crate) fn failure(code: u16) -> (u16, Value) {
    let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": "Script"});
    (code, body)
}

fn daemon(name: &str) -> Value {
    json!({"metadata": {"namespace": "logs", "name": name}})
}

#[tokio::test]
async fn lists_are_read_to_the_last_page_and_start_again_when_their_token_expires() {
    let expired = Mutex::new(false);
    let (cluster, seen) = scripted(move |path, query| {
        if !path.ends_with("/daemonsets") {
            return (200, list(&json!([])));
        }
        if !query.contains("continue=") {
            let mut first = list(&json!([daemon("a")]));
            first["metadata"] = json!({"continue": "next"});
            return (200, first);
        }
        let again = std::mem::replace(&mut *expired.lock().unwrap(), true);
        if again { (200, list(&json!([daemon("b")]))) } else { failure(410) }
    });
    assert_eq!(cluster.workloads(&[]).await.unwrap().len(), 2);
    assert_eq!(seen.lock().unwrap().iter().filter(|uri| uri.contains("/daemonsets")).count(), 4);
}

#[tokio::test]
async fn workloads_of_all_kinds_are_listed_without_those_of_kubernetes_itself() {
    let named = |namespace: &str, name: &str| {
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": {
            "selector": {}, "serviceName": name, "template": {"spec": {"containers": [{"name": "c"}]}}}})
    };
    let items = json!([named("shop", "cart"), named("kube-system", "dns")]);
    let (cluster, seen) = scripted(move |_, _| (200, list(&items)));
    let names = |workloads: Vec<ObservedWorkload>| -> Vec<String> {
        workloads.into_iter().map(|w| w.workload.to_string()).collect()
    };
    let all = names(cluster.workloads(&[]).await.unwrap());
    assert_eq!(all, ["shop/Deployment/cart", "shop/StatefulSet/cart", "shop/DaemonSet/cart"]);
    let system = cluster.workloads(&["kube-system".to_owned()]).await.unwrap();
    assert!(names(system).iter().any(|name| name == "kube-system/Deployment/dns"));
    assert!(
        seen.lock().unwrap().iter().any(|uri| uri.contains("/namespaces/kube-system/deployments"))
    );
}

#[tokio::test]
async fn a_missing_permission_on_priority_classes_does_not_stop_the_scan() {
    let deployment = json!({"metadata": {"namespace": "shop", "name": "cart"}, "spec": {"selector": {},
        "template": {"spec": {"priorityClassName": "critical", "containers": [{"name": "c"}]}}}});
    let (cluster, _) = scripted(move |path, _| {
        if path.ends_with("/priorityclasses") {
            return failure(403);
        }
        let found = path.ends_with("/deployments");
        (200, list(&if found { json!([deployment]) } else { json!([]) }))
    });
    let workloads = cluster.workloads(&[]).await.unwrap();
    assert_eq!((workloads.len(), workloads[0].priority), (1, None));
}

#[tokio::test(start_paused = true)]
async fn each_failure_of_the_api_says_what_to_do() {
    for (code, hint) in [
        (401, "renew the token"),
        (
            403,
            "add the rule {apiGroups: [\"apps\"], resources: [\"deployments\"], verbs: [\"list\"]}",
        ),
        (429, "try again later"),
        (500, "see its log"),
    ] {
        let (cluster, _) = scripted(move |_, _| failure(code));
        let error = cluster.workloads(&["shop".to_owned()]).await.unwrap_err();
        assert!(error.to_string().contains(hint), "{code}: {error}");
    }
    let (cluster, _) = scripted(|_, _| failure(403));
    let error = cluster.workloads(&["shop".to_owned()]).await.unwrap_err();
    assert!(error.to_string().contains("deployments in namespace shop is forbidden"));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_never_answers_is_given_up_on() {
    let service =
        service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let cluster = Cluster { client: Client::new(service, "default") };
    let error = cluster.workloads(&[]).await.unwrap_err();
    assert!(
        matches!(error, ClusterError::TimedOut { ref resource, .. } if resource == "deployments")
    );
}

#[tokio::test]
async fn a_connection_that_fails_says_that_the_api_cannot_be_reached() {
    let service = service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(std::io::Error::other("connection refused"))
    });
    let cluster = Cluster { client: Client::new(service, "default") };
    let error = cluster.workloads(&[]).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreachable(_)));
    assert!(error.to_string().contains("has its certificate authority"), "a cause it has too");
}

#[tokio::test]
async fn credentials_that_cannot_be_renewed_are_not_an_api_that_cannot_be_reached() {
    let service = service_fn(|_: Request<Body>| async {
        Err::<Response<Body>, _>(kube::client::AuthError::ExecPluginFailed)
    });
    let cluster = Cluster { client: Client::new(service, "default") };
    let error = cluster.workloads(&[]).await.unwrap_err();
    assert!(matches!(error, ClusterError::Credentials(_)), "{error:?}");
}

#[test]
fn a_token_with_a_line_break_is_found_before_the_client_panics() {
    let credentials = |value: Value| -> AuthInfo { serde_json::from_value(value).unwrap() };
    assert!(has_unsendable_token(&credentials(json!({"token": "abc\n"}))));
    assert!(!has_unsendable_token(&credentials(json!({"token": "abc"}))));
    assert!(!has_unsendable_token(&credentials(json!({}))));
}
