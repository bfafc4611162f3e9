//! `mora graph`, from a file alone and from a real Prometheus.

use std::process::Output;

use mora_tests::{Prometheus, long_histories, mora};
use serde_json::Value;

fn graph(arguments: &[&str]) -> Output {
    mora(&[&["graph"][..], arguments].concat()).unwrap_or_else(|error| panic!("{error}"))
}

fn printed(output: &Output) -> String {
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{log}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn a_file_alone_is_drawn_in_every_format() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("calls.yaml");
    let text = "calls:\n  - {caller: shop/frontend, callee: shop/cart, ratio: 0.84, spread: 0.02}\n  - {caller: shop/frontend, callee: shop/ads}\n";
    std::fs::write(&path, text).unwrap();
    let file = path.to_str().unwrap();
    let of = |format: &str| printed(&graph(&["--call-graph", file, "-o", format]));
    assert!(of("table").contains("stated") && of("table").contains("declared"));
    assert!(of("dot").starts_with("digraph") && of("mermaid").starts_with("flowchart"));
    assert!(of("svg").starts_with("<svg") && !of("svg").contains("href"));
    let json: Value = serde_json::from_str(&of("json")).unwrap();
    assert_eq!(json["workloads"][2]["entry"], true);
    assert_eq!(json["calls"][1]["ratio"], 0.84);
    assert!(json["calls"][0]["ratio"].is_null());
}

#[test]
fn nothing_to_draw_from_is_a_failure_that_says_what_to_give() {
    let output = graph(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--prometheus"));
    let output = graph(&["--call-graph", "absent.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("absent.yaml"));
}

#[test]
fn the_graph_of_a_namespace_is_measured_from_its_mesh() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let recording = prometheus.recording();
    let (url, at) = (prometheus.url(), recording.newest.to_string());
    let frontend = recording.datasets.iter().find(|d| d.workload.name() == "frontend").unwrap();
    let namespace = frontend.workload.namespace();
    let arguments = [
        "--prometheus",
        &url,
        "-n",
        namespace,
        "--at",
        &at,
        "--lookback-hours",
        "24",
        "-o",
        "json",
    ];
    let json: Value = serde_json::from_str(&printed(&graph(&arguments))).unwrap();
    let workloads = json["workloads"].as_array().unwrap();
    let entries: Vec<&Value> = workloads.iter().filter(|w| w["entry"] == true).collect();
    assert_eq!(entries.len(), 1, "{entries:?}");
    assert!(entries[0]["request_rate"].as_f64().unwrap() > 1.0);
    let calls = json["calls"].as_array().unwrap();
    assert!(calls.len() >= 12 && calls.iter().all(|c| c["trust"] == "measured"), "{calls:?}");
    assert!(!long_histories(&prometheus).is_empty());
}
