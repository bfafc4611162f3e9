//! `mora doctor` against a Prometheus that has everything and against some that lack something.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Command, Output};

use axum::routing::{get, post};
use axum::{Json, Router};
use mora_tests::{Complete, Host, Told, free_port, mora, tools};
use serde_json::{Value, json};

/// The exit code and the findings for `namespace`.
fn examined(url: &str, complete: &Complete, namespace: &str, more: &[&str]) -> (i32, Vec<Value>) {
    let at = complete.newest().to_string();
    let mut arguments = vec!["doctor", "--prometheus", url, "--namespace", namespace];
    arguments.extend(["--at", &at, "--lookback-hours", "1", "--no-cluster", "-o", "json"]);
    arguments.extend(more);
    let Output { status, stdout, stderr } = mora(&arguments).unwrap();
    let stderr = String::from_utf8_lossy(&stderr).into_owned();
    let report: Value =
        serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"));
    assert_eq!(report["prometheus"], url);
    (status.code().unwrap(), report["findings"].as_array().unwrap().clone())
}

fn states<'a>(findings: &'a [Value], state: &str) -> Vec<&'a str> {
    let of = findings.iter().filter(|finding| finding["state"] == state);
    of.map(|finding| finding["check"].as_str().unwrap()).collect()
}

fn finding<'a>(findings: &'a [Value], check: &str) -> &'a Value {
    findings.iter().find(|finding| finding["check"] == check).unwrap()
}

#[test]
fn where_everything_is_there_nothing_is_to_do() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let (code, findings) = examined(&complete.url(), &complete, "shop", &[]);
    assert_eq!(states(&findings, "lacking"), Vec::<&str>::new(), "{findings:#?}");
    assert_eq!(states(&findings, "broken"), Vec::<&str>::new(), "{findings:#?}");
    assert_eq!(code, 0);
    assert!(findings.iter().all(|finding| finding["fix"].is_null()));
    let detail = |check| finding(&findings, check)["detail"].as_str().unwrap().to_owned();
    assert!(detail("version").starts_with("Prometheus 2."), "{}", detail("version"));
    assert!(detail("scrape_interval").contains("every 6"), "{}", detail("scrape_interval"));
    assert!(detail("latency_p99").contains("Istio"), "{}", detail("latency_p99"));
    assert!(detail("node_cpu").contains("node_exporter"), "{}", detail("node_cpu"));
    let listed = mora_collector::catalogue();
    assert!(listed.iter().all(|metric| findings.iter().any(|f| f["check"] == metric.name)));
}

#[test]
fn what_is_missing_is_named_with_who_would_provide_it() {
    let told = Told { kube_state_metrics: false, meshes: false, ..Told::ALL };
    let complete = Complete::start(told).unwrap_or_else(|error| panic!("{error}"));
    let (code, findings) = examined(&complete.url(), &complete, "shop", &[]);
    assert_eq!(code, 3);
    assert_eq!(states(&findings, "broken"), Vec::<&str>::new(), "{findings:#?}");
    let expected = [
        "kube_state_metrics",
        "request_rate",
        "latency_p50",
        "latency_p95",
        "latency_p99",
        "error_ratio",
        "replicas",
        "resource_requests",
        "resource_limits",
        "restarts",
        "oom_kills",
        "oom_limits",
        "pod_owners",
        "replica_set_owners",
        "node_allocatable",
    ];
    assert_eq!(states(&findings, "lacking"), expected);
    for finding in findings.iter().filter(|finding| finding["state"] != "good") {
        assert!(finding["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{finding}");
    }
    let restarts = finding(&findings, "restarts");
    assert!(restarts["detail"].as_str().unwrap().contains("kube-state-metrics"), "{restarts}");
    assert!(restarts["fix"].as_str().unwrap().contains("install kube-state-metrics"), "{restarts}");
    let requests = finding(&findings, "request_rate")["detail"].as_str().unwrap();
    assert!(requests.contains("Istio or Linkerd or Cilium Hubble"), "{requests}");
}

#[test]
fn a_namespace_that_is_not_known_and_a_prometheus_that_is_not_there_end_with_failure() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let (code, findings) = examined(&complete.url(), &complete, "shops", &[]);
    assert_eq!(code, 1);
    let namespace = finding(&findings, "namespace");
    assert_eq!(namespace["state"], "broken");
    assert!(namespace["fix"].as_str().unwrap().contains("shop"), "{namespace}");
    let url = format!("http://127.0.0.1:{}", free_port().unwrap());
    let (code, findings) = examined(&url, &complete, "shop", &[]);
    assert_eq!((code, states(&findings, "broken")), (1, vec!["reachable"]));
    assert_eq!(findings.len(), 1, "there is no sense in asking further");
    let fix = finding(&findings, "reachable")["fix"].as_str().unwrap();
    assert!(fix.contains("and prometheus.url"), "{fix}");
}

#[test]
fn what_is_configured_is_compared_with_what_is_scraped() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mora.yaml");
    let config = "prometheus:\n  scrape_interval_seconds: 30\n  queries: {restarts: off}\n";
    std::fs::write(&path, config).unwrap();
    let path = path.to_str().unwrap();
    let more = ["--config", path, "--lookback-hours", "48"];
    let at = complete.newest().to_string();
    let url = complete.url();
    let mut arguments = vec!["doctor", "--prometheus", &url, "--namespace", "shop", "--at", &at];
    arguments.extend(more);
    let output = mora(&arguments).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(
        text.contains("scrape_interval of shop: set prometheus.scrape_interval_seconds to 6"),
        "{text}"
    );
    assert!(text.contains("history of shop: keep samples longer"), "{text}");
    assert!(text.contains("turned off"), "{text}");
    let unknown = "prometheus:\n  queries: {restart: off}\n";
    std::fs::write(path, unknown).unwrap();
    let output = mora(&arguments).unwrap();
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.code() == Some(1) && message.contains("restarts, oom_kills"),
        "{message}"
    );
}

#[test]
fn without_a_namespace_all_are_looked_at_together_in_few_queries() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let at = complete.newest().to_string();
    let url = complete.url();
    let arguments = ["doctor", "--no-cluster", "--prometheus", &url, "--at", &at];
    let output = mora(&[&arguments[..], &["--lookback-hours", "1", "-o", "json"]].concat());
    let Output { status, stdout, stderr } = output.unwrap();
    let told = String::from_utf8_lossy(&stderr);
    let report: Value =
        serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {told}"));
    let findings = report["findings"].as_array().unwrap();
    assert_eq!(states(findings, "lacking"), Vec::<&str>::new(), "{findings:#?}");
    assert_eq!(states(findings, "broken"), Vec::<&str>::new(), "{findings:#?}");
    assert_eq!(status.code(), Some(0), "{told}");
    assert!(findings.iter().all(|finding| finding["namespace"].is_null()), "{findings:#?}");
    assert_eq!(finding(findings, "clusters")["state"], "good");
    // Each check once, however many namespaces there are.
    let checks: BTreeSet<&str> =
        findings.iter().map(|finding| finding["check"].as_str().unwrap()).collect();
    assert_eq!(checks.len(), findings.len());
}

/// An API server of Kubernetes 1.33 that grants everything but two rights.
fn api_server(host: &Host) -> SocketAddr {
    let version = || async { Json(json!({"major": "1", "minor": "33", "gitVersion": "v1.33.1"})) };
    let review = |Json(asked): Json<Value>| async move {
        let attributes = &asked["spec"]["resourceAttributes"];
        let resource = attributes["resource"].as_str().unwrap_or_default();
        let proxied = resource == "services" && attributes["subresource"] == "proxy";
        let allowed = !proxied && resource != "cronjobs";
        let status = json!({"allowed": allowed, "reason": if allowed { "" } else { "no rule" }});
        Json(json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "metadata": {}, "spec": asked["spec"], "status": status,
        }))
    };
    let reviews = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
    host.http(Router::new().route("/version", get(version)).route(reviews, post(review)))
}

#[test]
fn what_the_cluster_does_not_let_be_read_is_told_with_its_cost_and_the_rule_to_add() {
    let complete = Complete::shared().unwrap_or_else(|error| panic!("{error}"));
    let (host, folder) = (Host::new(), tempfile::tempdir().unwrap());
    let kubeconfig = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: boutique, cluster: {{server: \"http://{}\"}}}}]\n\
         users: [{{name: u, user: {{}}}}]\n\
         contexts: [{{name: test, context: {{cluster: boutique, user: u}}}}]\n",
        api_server(&host)
    );
    let path = folder.path().join("config");
    std::fs::write(&path, kubeconfig).unwrap();
    let (url, at) = (complete.url(), complete.newest().to_string());
    let mut command = Command::new(tools::binary("mora").unwrap());
    command.args(["doctor", "--prometheus", &url, "--at", &at, "--lookback-hours", "1"]);
    let output = command.args(["-o", "json"]).env("KUBECONFIG", path).output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let detail = |check| finding(findings, check)["detail"].as_str().unwrap();
    assert_eq!(detail("kubeconfig"), "context test, cluster boutique");
    assert_eq!(detail("api_server"), "it answers as Kubernetes 1.33.1");
    let rights = findings.iter().filter(|finding| finding["check"] == "permissions");
    let rights: Vec<(&str, &str)> = rights
        .map(|finding| (finding["detail"].as_str().unwrap(), finding["fix"].as_str().unwrap()))
        .collect();
    assert_eq!(rights.len(), 2, "{rights:?}");
    assert!(rights[0].0.starts_with("get services/proxy is not allowed (no rule): "), "{rights:?}");
    assert!(rights[1].0.contains("workloads of this kind are left out"), "{rights:?}");
    assert!(rights[1].1.contains(r#"resources: ["cronjobs"], verbs: ["list"]"#), "{rights:?}");
}
