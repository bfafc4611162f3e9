use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use mora_core::{Bytes, Millicores};
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

/// A cluster whose API answers each request with `answer(path, query)`: a status code and a body.
pub(crate) fn scripted(
    answer: impl Fn(&str, &str) -> (u16, Value) + Send + Sync + 'static,
) -> (Cluster, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let service = service_fn(move |request: Request<Body>| {
        let uri = request.uri();
        log.lock().unwrap().push(uri.to_string());
        let (code, body) = answer(uri.path(), uri.query().unwrap_or_default());
        let response =
            Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
        async move { Ok::<_, Infallible>(response.unwrap()) }
    });
    (Cluster { client: Client::new(service, "default") }, seen)
}

pub(crate) fn list(items: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items})
}

pub(crate) fn failure(code: u16) -> (u16, Value) {
    let body = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "message": "no", "reason": "Script"});
    (code, body)
}

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn pod(name: &str, owner: &Value, node: &str, cpu: &str) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": name, "ownerReferences": [owner], "labels": {"pod-template-hash": "abc"}},
        "spec": {"nodeName": node, "containers": [{"name": "c", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}]},
        "status": {"phase": "Running"},
    })
}

fn owner(kind: &str, name: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": "1", "controller": true})
}

fn managed() -> BTreeSet<WorkloadRef> {
    ["shop/cart".parse().unwrap()].into()
}

#[tokio::test]
async fn capacity_is_what_schedulable_nodes_have_less_what_others_request_there() {
    let mut cordoned = node("cordoned", "16");
    cordoned["spec"] = json!({"unschedulable": true});
    let mut control_plane = node("control-plane", "16");
    control_plane["spec"] = json!({"taints": [{"key": "control-plane", "effect": "NoSchedule"}]});
    let mut broken = node("broken", "16");
    broken["status"]["conditions"][0]["status"] = json!("Unknown");
    let nodes = json!([node("a", "4"), node("b", "3900m"), cordoned, control_plane, broken]);
    let mut done = pod("import", &owner("Job", "import"), "a", "1");
    done["status"]["phase"] = json!("Succeeded");
    let pods = json!([
        pod("cart-abc-1", &owner("ReplicaSet", "cart-abc"), "a", "2"),
        pod("agent-1", &owner("DaemonSet", "agent"), "b", "100u"),
        pod("redis-0", &owner("StatefulSet", "redis"), "b", "250m"),
        pod("garbage", &owner("Job", "x"), "a", "plenty"),
        pod("elsewhere", &owner("Job", "x"), "cordoned", "5"),
        done,
    ]);
    let (cluster, _) =
        scripted(move |path, _| (200, list(if path.ends_with("/nodes") { &nodes } else { &pods })));
    let capacity = cluster.capacity(&managed(), 0.8).await.unwrap();
    assert_eq!(capacity.cpu_allocatable, Millicores::new(7900));
    assert_eq!(capacity.cpu_unmanaged, Millicores::new(251), "1m of 100u, 250m, and 0 of plenty");
    assert_eq!(capacity.memory_unmanaged, Bytes::from_mebibytes(3 * 1024));
}

#[tokio::test]
async fn lists_are_read_to_the_last_page_and_start_again_when_their_token_expires() {
    let expired = Mutex::new(false);
    let (cluster, seen) = scripted(move |path, query| {
        if path.ends_with("/pods") {
            return (200, list(&json!([])));
        }
        if !query.contains("continue=") {
            let mut first = list(&json!([node("a", "1")]));
            first["metadata"] = json!({"continue": "next"});
            return (200, first);
        }
        let again = std::mem::replace(&mut *expired.lock().unwrap(), true);
        if again { (200, list(&json!([node("b", "2")]))) } else { failure(410) }
    });
    let capacity = cluster.capacity(&managed(), 0.8).await.unwrap();
    assert_eq!(capacity.cpu_allocatable, Millicores::new(3000));
    assert_eq!(seen.lock().unwrap().iter().filter(|uri| uri.contains("/nodes")).count(), 4);
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

#[tokio::test]
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

#[tokio::test]
async fn an_answer_that_is_no_list_is_named_as_such() {
    let (cluster, _) = scripted(|_, _| (200, json!("welcome to nginx")));
    let error = cluster.capacity(&managed(), 0.8).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unreadable { ref resource, .. } if resource == "nodes"));
}

#[tokio::test(start_paused = true)]
async fn an_api_that_never_answers_is_given_up_on() {
    let service =
        service_fn(|_: Request<Body>| std::future::pending::<Result<Response<Body>, Infallible>>());
    let cluster = Cluster { client: Client::new(service, "default") };
    let error = cluster.capacity(&managed(), 0.8).await.unwrap_err();
    assert!(matches!(error, ClusterError::TimedOut { ref resource, .. } if resource == "nodes"));
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
