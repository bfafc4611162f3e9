//! The Prometheus the other tests collect from holds what was recorded, under a real cluster's names.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use flate2::read::GzDecoder;
use jiff::Timestamp;
use mora_core::{Bytes, ContainerUsage, Dataset, Series};
use mora_tests::{Origin, Prometheus};

fn start() -> Arc<Prometheus> {
    Prometheus::shared().unwrap_or_else(|error| panic!("{error}"))
}

/// The one value `expression` has at `time`.
async fn value(prometheus: &Prometheus, expression: &str, time: Timestamp) -> f64 {
    match &prometheus.query(expression, time).await.unwrap()[..] {
        [measured] => measured.value,
        several => panic!("`{expression}` has {} values at {time}", several.len()),
    }
}

/// Asserts that two values are the same up to rounding.
fn assert_same(found: f64, expected: f64, what: &str) {
    let same = (found - expected).abs() <= 1e-9 * expected.abs();
    assert!(same, "{what}: {found} instead of {expected}");
}

fn usage(dataset: &Dataset) -> &ContainerUsage {
    dataset.containers.values().next().unwrap()
}

/// The newest observation with its time.
fn last(series: &Series) -> (Timestamp, f64) {
    let index = series.values().iter().rposition(Option::is_some).unwrap();
    (series.time(index), series.values()[index].unwrap())
}

/// The pod of `dataset` observed last and the labels of its container, without the pod's cgroup.
fn pod(dataset: &Dataset) -> (&str, String) {
    let cpu = &usage(dataset).cpu;
    let pod = cpu.iter().max_by_key(|(_, series)| last(series).0).unwrap().0;
    let namespace = dataset.workload.namespace();
    (pod, format!(r#"namespace="{namespace}",pod="{pod}",container!="""#))
}

/// Asserts that the counter `selector` grew as `series` says over the last ten minutes without a gap.
async fn assert_grew(prometheus: &Prometheus, selector: &str, series: &Series) {
    const MINUTES: usize = 10;
    let whole = |minutes: &[Option<f64>]| minutes.iter().all(Option::is_some);
    let first = series.values().windows(MINUTES + 1).rposition(whole).unwrap();
    let expected: f64 = series.values()[first + 1..=first + MINUTES].iter().flatten().sum();
    let grown = format!("sum({selector}) - sum({selector} offset {MINUTES}m)");
    let grown = value(prometheus, &grown, series.time(first + MINUTES)).await;
    assert!((grown - 60.0 * expected).abs() < 1e-6 * grown.max(1.0), "{selector}: {grown}");
}

#[tokio::test]
async fn every_observation_is_a_sample_at_its_own_time() {
    let prometheus = start();
    let recording = prometheus.recording();
    for dataset in &recording.datasets {
        let (pod, labels) = pod(dataset);
        let metric = format!("container_cpu_usage_seconds_total{{{labels}}}");
        let series = &usage(dataset).cpu[pod];
        let newest = last(series).0;
        let count = value(&prometheus, &format!("count_over_time({metric}[100d])"), newest).await;
        assert_same(count, series.observed().count() as f64, &metric);
        let sampled = value(&prometheus, &format!("timestamp({metric})"), newest).await;
        assert_same(sampled, newest.as_second() as f64, &metric);
        assert!(newest <= recording.newest, "{metric}");
    }
}

#[tokio::test]
async fn usage_and_calls_grow_by_what_was_recorded() {
    let prometheus = start();
    for dataset in &prometheus.recording().datasets {
        let (pod, labels) = pod(dataset);
        let metric = format!("container_cpu_usage_seconds_total{{{labels}}}");
        assert_grew(&prometheus, &metric, &usage(dataset).cpu[pod]).await;
        for (caller, series) in &dataset.calls {
            let metric = format!(
                r#"istio_requests_total{{destination_workload="{}",source_workload="{}"}}"#,
                dataset.workload.name(),
                caller.name()
            );
            assert_grew(&prometheus, &metric, series).await;
        }
    }
}

#[tokio::test]
async fn the_newest_memory_of_cartservice_is_that_of_the_last_recorded_row() {
    let prometheus = start();
    let recording = prometheus.recording();
    let of = |dataset: &&Dataset| dataset.workload.name() == "cartservice";
    let dataset = recording.datasets.iter().find(of).unwrap();
    let (pod, labels) = pod(dataset);
    let (newest, bytes) = last(&usage(dataset).memory[pod]);
    let expected = match &recording.origin {
        Origin::Recorded(folder) => last_memory_mebibytes(folder, "cartservice"),
        Origin::Simulated => bytes / Bytes::MEBIBYTE.get() as f64,
    };
    let metric = format!("container_memory_working_set_bytes{{{labels}}} / 2^20");
    let found = value(&prometheus, &metric, newest).await;
    assert_same(found, expected, &metric);
}

/// The memory in the last row of `service`, read from the file without the code under test.
fn last_memory_mebibytes(folder: &Path, service: &str) -> f64 {
    let file = File::open(folder.join("online_boutique_pods_1min.csv.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    rows.rfind(|row| row[2] == service).unwrap()[5].parse().unwrap()
}

#[tokio::test]
async fn every_pod_leads_to_its_deployment() {
    let prometheus = start();
    for dataset in &prometheus.recording().datasets {
        let (pod, _) = pod(dataset);
        let owners = format!(
            r#"label_replace(kube_pod_owner{{pod="{pod}",owner_kind="ReplicaSet"}}, "replicaset", "$1", "owner_name", "(.*)")
               * on (namespace, replicaset) group_left kube_replicaset_owner{{owner_kind="Deployment",owner_name="{}"}}"#,
            dataset.workload.name()
        );
        let newest = last(&usage(dataset).cpu[pod]).0;
        assert_same(value(&prometheus, &owners, newest).await, 1.0, pod);
    }
}

#[tokio::test]
async fn claims_and_ready_replicas_are_the_recordings() {
    let prometheus = start();
    for dataset in &prometheus.recording().datasets {
        let (pod, labels) = pod(dataset);
        let requests = format!(
            r#"kube_pod_container_resource_requests{{{labels},resource="cpu",unit="core"}}"#
        );
        let claimed = usage(dataset).claim.cpu_request.unwrap().cores();
        let found = value(&prometheus, &requests, last(&usage(dataset).cpu[pod]).0).await;
        assert_same(found, claimed, &requests);
        let ready = format!(
            r#"kube_deployment_status_replicas_ready{{deployment="{}"}}"#,
            dataset.workload.name()
        );
        let (newest, replicas) = last(dataset.replicas.as_ref().unwrap());
        assert_same(value(&prometheus, &ready, newest).await, replicas, &ready);
    }
}
