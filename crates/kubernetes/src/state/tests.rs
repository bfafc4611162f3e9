use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use http::Response;
use kube::client::Body;
use mora_core::{Bytes, LimitScope, Millicores};
use serde_json::{Value, json};

use super::*;
use crate::cluster::tests::{failure, list, responding, scripted};

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
    let (cluster, _) = scripted(move |path, _| {
        let none = json!([]);
        let found = match kind(path) {
            "nodes" => &nodes,
            "pods" => &pods,
            _ => &none,
        };
        (200, list(found))
    });
    let state = cluster.state(&managed()).await.unwrap();
    let capacity = state.capacity(0.8).unwrap();
    assert_eq!(capacity.cpu_allocatable, Millicores::new(7900));
    assert_eq!(capacity.cpu_unmanaged, Millicores::new(251), "1m of 100u, 250m, and 0 of plenty");
    assert_eq!(capacity.memory_unmanaged, Bytes::from_mebibytes(3 * 1024));
}

/// The last part of a path: the plural of what is listed.
fn kind(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

/// What a small cluster answers when it is asked for `kind`.
fn small(kind: &str) -> Value {
    let named = |name: &str, spec: Value| json!([{"metadata": {"namespace": "shop", "name": name}, "spec": spec}]);
    let items = match kind {
        "nodes" => json!([node("a", "4")]),
        "pods" => json!([pod("job-1", &owner("Job", "job"), "a", "500m")]),
        "resourcequotas" => named(
            "team",
            json!({"hard": {"requests.cpu": "2", "cpu": "1900m", "limits.memory": "4Gi", "pods": "10"}}),
        ),
        "limitranges" => named(
            "small",
            json!({"limits": [
                {"type": "Container", "max": {"cpu": "1"}, "min": {"memory": "32Mi"},
                 "default": {"cpu": "500m"}, "maxLimitRequestRatio": {"cpu": "1.5"}},
                {"type": "PersistentVolumeClaim", "max": {"storage": "1Gi"}},
            ]}),
        ),
        "horizontalpodautoscalers" => named(
            "cart",
            json!({"minReplicas": 2, "maxReplicas": 9, "scaleTargetRef": {"kind": "Deployment", "name": "cart"},
            "metrics": [
                {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 60}}},
                {"type": "Resource", "resource": {"name": "memory", "target": {"type": "Utilization", "averageUtilization": 70}}},
            ]}),
        ),
        "deployments" => named(
            "cart",
            json!({"replicas": 3, "selector": {}, "template": {"spec": {"priorityClassName": "high", "containers": [{"name": "c"}]}}}),
        ),
        "priorityclasses" => json!([{"metadata": {"name": "high"}, "value": 7}]),
        _ => json!([]),
    };
    list(&items)
}

#[tokio::test]
async fn quotas_limit_ranges_autoscalers_and_priorities_are_read() {
    let (cluster, seen) = scripted(|path, _| (200, small(kind(path))));
    let state = cluster.state(&managed()).await.unwrap();
    assert_eq!(state.warnings, Vec::<String>::new());
    let quota = &state.quotas[0];
    assert_eq!(quota.requests.cpu, Some(Millicores::new(1900)), "the short form counts too");
    assert_eq!(quota.limits.memory, Some(Bytes::from_mebibytes(4096)));
    assert_eq!(quota.unmanaged_requests.cpu, Millicores::new(500));
    let rule = &state.limit_ranges[0];
    assert_eq!((state.limit_ranges.len(), rule.scope), (1, LimitScope::Container));
    assert_eq!((rule.max.cpu, rule.max_cpu_ratio), (Some(Millicores::new(1000)), Some(1.5)));
    assert_eq!(rule.default_limit.cpu, Some(Millicores::new(500)));
    let cart = "shop/cart".parse().unwrap();
    let scaler = state.autoscalers[&cart];
    assert_eq!((scaler.min_replicas, scaler.max_replicas), (2, 9));
    assert_eq!((scaler.cpu_target_percent, scaler.other_metrics), (Some(60), true));
    assert_eq!((state.workloads[&cart].replicas, state.workloads[&cart].priority), (3, Some(7)));
    let asked = seen.lock().unwrap();
    assert!(asked.iter().any(|uri| uri.starts_with("/apis/autoscaling/v2/namespaces/shop/")));
}

#[tokio::test]
async fn a_quota_of_pods_that_a_plan_has_none_of_does_not_count() {
    let quota = |name: &str, spec: Value| json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec});
    let hard = json!({"requests.cpu": "1"});
    let items = json!([
        quota("jobs", json!({"hard": hard, "scopes": ["Terminating"]})),
        quota("steady", json!({"hard": hard, "scopes": ["NotTerminating"]})),
        quota(
            "high",
            json!({"hard": hard, "scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "Exists"}]}})
        ),
        quota("objects", json!({"hard": {"pods": "4"}})),
    ]);
    let (cluster, _) = scripted(move |path, _| {
        if kind(path) == "resourcequotas" { (200, list(&items)) } else { (200, small(kind(path))) }
    });
    let state = cluster.state(&managed()).await.unwrap();
    let names: Vec<&str> = state.quotas.iter().map(|quota| quota.name.as_str()).collect();
    assert_eq!(names, ["steady"]);
    assert!(state.warnings[0].contains("ResourceQuota shop/high is not looked at"));
}

/// The state where asking for `closed` answers with `code`.
async fn without(closed: &'static str, code: u16) -> ClusterState {
    let (cluster, _) =
        scripted(
            move |path, _| {
                if kind(path) == closed { failure(code) } else { (200, small(kind(path))) }
            },
        );
    cluster.state(&managed()).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn one_closed_part_is_lost_alone_and_named_with_what_follows() {
    let whole = without("nothing", 403).await;
    for code in [403, 409, 429, 500] {
        let state = without("nodes", code).await;
        assert_eq!(
            state,
            ClusterState { nodes: None, warnings: state.warnings.clone(), ..whole.clone() }
        );
        assert!(state.warnings[0].starts_with("the plan knows no capacity: "), "{code}");
        assert_eq!(without("resourcequotas", code).await.quotas, []);
        assert_eq!(without("limitranges", code).await.limit_ranges, []);
        assert!(without("horizontalpodautoscalers", code).await.autoscalers.is_empty());
        let state = without("priorityclasses", code).await;
        assert_eq!(state.workloads.values().next().unwrap().priority, None);
        assert_eq!(without("pods", code).await.nodes, None, "what others hold is not known");
        assert_eq!(state.warnings.len(), 1, "{code}: {:?}", state.warnings);
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_answer_loses_its_part_and_an_api_that_does_not_know_who_asks_loses_all() {
    let cluster = responding(|uri| {
        let whole = small(kind(uri.path())).to_string();
        let end = if kind(uri.path()) == "limitranges" { whole.len() / 2 } else { whole.len() };
        Response::new(Body::from(whole.as_bytes()[..end].to_vec()))
    });
    let state = cluster.state(&managed()).await.unwrap();
    assert_eq!((state.limit_ranges.len(), state.quotas.len()), (0, 1));
    assert!(state.warnings[0].contains("about limitranges cannot be read"));
    let (cluster, _) = scripted(|_, _| failure(401));
    let error = cluster.state(&managed()).await.unwrap_err();
    assert!(matches!(error, ClusterError::Unauthorized(_)));
}

#[tokio::test(start_paused = true)]
async fn an_overloaded_api_is_asked_again_when_it_says_so() {
    let tries = AtomicU32::new(0);
    let cluster = responding(move |uri| {
        if kind(uri.path()) == "nodes" && tries.fetch_add(1, Ordering::SeqCst) < 2 {
            let builder = Response::builder().status(429).header("Retry-After", "7");
            return builder.body(Body::from(b"Too many requests".to_vec())).unwrap();
        }
        Response::new(Body::from(small(kind(uri.path())).to_string().into_bytes()))
    });
    let before = tokio::time::Instant::now();
    let state = cluster.state(&managed()).await.unwrap();
    assert_eq!(state.nodes.map(|nodes| nodes.len()), Some(1));
    assert!(before.elapsed() >= std::time::Duration::from_secs(14), "on the paused clock");
}
