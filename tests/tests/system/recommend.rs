//! `mora recommend` against a real Prometheus, without a cluster.

use mora_core::{ContainerUsage, Dataset, OomRule, Plan, StatisticalRule, WorkloadRef};
use mora_scan::{Proposed, Row, SCHEMA, ScanReport};
use mora_tests::{Prometheus, long_histories, mora};

/// Recommends for the namespace of `dataset` at the end of what was recorded.
fn recommend(prometheus: &Prometheus, dataset: &Dataset, more: &[&str]) -> std::process::Output {
    let url = prometheus.url();
    let at = prometheus.recording().newest.to_string();
    let namespace = dataset.workload.namespace();
    let fixed = [
        "recommend",
        "--prometheus",
        &url,
        "--no-cluster",
        "--namespace",
        namespace,
        "--lookback-hours",
        "360",
        "--at",
        &at,
    ];
    let output = mora(&[&fixed[..], more].concat()).unwrap_or_else(|error| panic!("{error}"));
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn report(prometheus: &Prometheus, dataset: &Dataset) -> ScanReport {
    let output = recommend(prometheus, dataset, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn row<'a>(report: &'a ScanReport, workload: &WorkloadRef) -> &'a Row {
    report.rows.iter().find(|row| row.owner() == workload.into()).unwrap()
}

#[test]
fn the_statistical_strategy_gives_p95_and_maximum_plus_margin_of_what_was_recorded() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let report = report(&prometheus, dataset);
    assert_eq!(report.schema, SCHEMA);
    let found = row(&report, &dataset.workload);
    let usage: &ContainerUsage = dataset.containers.values().next().unwrap();
    let expected = StatisticalRule::default().recommend(usage).unwrap();
    assert_eq!(found.strategy, "statistical");
    // Prometheus' rate smooths over five minutes, which lowers the tail of a spiky series.
    let cpu = found.cpu.request.recommended.value().unwrap();
    let ratio = cpu.cores() / expected.cpu.cores();
    assert!((0.85..1.05).contains(&ratio), "{cpu} for {}", expected.cpu);
    assert_eq!(found.memory.request.recommended, Proposed::Value(expected.memory));
    assert_eq!(found.cpu.request.current, usage.claim.cpu_request);
    assert_eq!(found.memory.request.current, usage.claim.memory_request);
}

#[test]
fn a_container_that_ran_out_of_memory_is_recommended_more_than_it_had() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let recording = prometheus.recording();
    let killed = |dataset: &&Dataset| dataset.containers.values().any(|c| !c.oom_kills.is_empty());
    let dataset = recording.datasets.iter().find(killed).unwrap();
    let usage = dataset.containers.values().next().unwrap();
    let (_, least) = OomRule::default().deciding(&usage.oom_kills, recording.newest).unwrap();
    let report = report(&prometheus, dataset);
    let found = row(&report, &dataset.workload);
    assert_eq!(found.memory.request.recommended, Proposed::Value(least));
    let told = |row: &Row| row.notes.iter().any(|note| note.contains("ran out of memory at"));
    assert!(told(found), "{:?}", found.notes);
    assert_eq!(report.rows.iter().filter(|row| told(row)).count(), 1);
}

#[test]
fn a_plan_of_the_scan_is_one_that_apply_reads() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let output = recommend(&prometheus, dataset, &["--output", "plan"]);
    assert_eq!(output.status.code(), Some(0));
    let plan: Plan = serde_json::from_slice(&output.stdout).unwrap();
    let found = plan.recommendations.iter().find(|r| r.workload == dataset.workload).unwrap();
    let report = report(&prometheus, dataset);
    let row = row(&report, &dataset.workload);
    assert_eq!(row.cpu.request.recommended, Proposed::Value(found.cpu.target));
    assert_eq!(row.memory.request.recommended, Proposed::Value(found.memory.target));
}

#[test]
fn severities_end_a_pipeline_and_an_empty_selection_is_no_success() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let worst = report(&prometheus, dataset).rows[0].severity;
    let code = |more: &[&str]| recommend(&prometheus, dataset, more).status.code();
    assert_eq!(code(&["--fail-on", worst.as_str()]), Some(6));
    let none = recommend(&prometheus, dataset, &["--name", "no-such-*"]);
    assert_eq!(none.status.code(), Some(5));
    assert!(none.stdout.is_empty());
    assert!(String::from_utf8_lossy(&none.stderr).contains("--selector"));
}

#[test]
fn the_predictive_strategy_trains_here_when_no_worker_is_configured() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html");
    let path = report.to_str().unwrap();
    let more = ["--strategy", "predictive", "--output", "json", "--report", path];
    let output = recommend(&prometheus, dataset, &more);
    assert_eq!(output.status.code(), Some(0));
    let found: ScanReport = serde_json::from_slice(&output.stdout).unwrap();
    let row = row(&found, &dataset.workload);
    let rungs = ["ensemble", "single member", "hour of week"];
    assert!(rungs.contains(&row.strategy.as_str()), "{row:?}");
    assert!(row.confidence.coverage.is_some_and(|covered| covered > 0.8), "{row:?}");
    assert!(row.confidence.origins.is_some_and(|origins| origins > 0), "{row:?}");
    let html = std::fs::read_to_string(report).unwrap();
    assert!(html.contains(dataset.workload.name()) && html.contains("<script"));
}
