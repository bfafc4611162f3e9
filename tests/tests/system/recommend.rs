//! `mora recommend` against a real Prometheus.

use mora_core::{ContainerUsage, Dataset, OomRule, Plan, Source, StatisticalRule};
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
        "--namespace",
        namespace,
        "--lookback-hours",
        "360",
        "--at",
        &at,
    ];
    mora(&[&fixed[..], more].concat()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_statistical_strategy_gives_p95_and_maximum_plus_margin_of_what_was_recorded() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let output = recommend(&prometheus, dataset, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: Plan = serde_json::from_slice(&output.stdout).unwrap();
    let found = plan.recommendations.iter().find(|r| r.workload == dataset.workload).unwrap();
    let usage: &ContainerUsage = dataset.containers.values().next().unwrap();
    let expected = StatisticalRule::default().recommend(usage).unwrap();
    assert_eq!(found.source, Source::Statistical);
    // Prometheus' rate smooths over five scrapes, which lowers the tail of a spiky series.
    let ratio = found.cpu.target.cores() / expected.cpu.cores();
    assert!((0.85..1.05).contains(&ratio), "{} for {}", found.cpu.target, expected.cpu);
    assert_eq!(found.memory.target, expected.memory);
    assert_eq!(found.cpu.current, usage.claim.cpu_request);
    assert_eq!(found.memory.current, usage.claim.memory_request);
}

#[test]
fn a_container_that_ran_out_of_memory_is_recommended_more_than_it_had() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let recording = prometheus.recording();
    let killed = |dataset: &&Dataset| dataset.containers.values().any(|c| !c.oom_kills.is_empty());
    let dataset = recording.datasets.iter().find(killed).unwrap();
    let usage = dataset.containers.values().next().unwrap();
    let now = recording.newest;
    let (kill, least) = OomRule::default().deciding(&usage.oom_kills, now).unwrap();
    let output = recommend(&prometheus, dataset, &["--output", "json"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let plan: Plan = serde_json::from_slice(&output.stdout).unwrap();
    let found = plan.recommendations.iter().find(|r| r.workload == dataset.workload).unwrap();
    assert_eq!(found.memory.target, least);
    let note = format!("pod {} was killed for lack of memory at {}", kill.pod, kill.killed);
    let notes = &found.justification.notes;
    assert!(notes.iter().any(|found| found.contains(&note)), "no `{note}` in {notes:?}");
    let mut others = plan.recommendations.iter().filter(|r| r.workload != dataset.workload);
    assert!(others.all(|r| r.justification.notes.is_empty()));
}

#[test]
fn the_predictive_strategy_trains_here_when_no_worker_is_configured() {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let dataset = long_histories(&prometheus)[0];
    let folder = tempfile::tempdir().unwrap();
    let report = folder.path().join("report.html");
    let more =
        ["--strategy", "predictive", "--output", "yaml", "--report", report.to_str().unwrap()];
    let output = recommend(&prometheus, dataset, &more);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let yaml = String::from_utf8(output.stdout).unwrap();
    assert!(yaml.contains("status: complete") && yaml.contains("kind: forecast"), "{yaml}");
    let html = std::fs::read_to_string(report).unwrap();
    assert!(html.contains("<svg") && html.contains(dataset.workload.name()));
}
