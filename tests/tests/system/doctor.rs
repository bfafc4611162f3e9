//! `mora doctor` against a Prometheus that has everything and against some that lack something.

use std::process::Output;

use mora_tests::{Complete, Told, free_port, mora};
use serde_json::Value;

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
