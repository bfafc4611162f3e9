//! The Prometheus the other tests collect from holds what was recorded, under a real cluster's names.

use jiff::Timestamp;
use mora_core::{Dataset, Series};
use mora_tests::{Prometheus, Recording};

/// The one value `expression` has at `time`.
async fn value(prometheus: &Prometheus, expression: &str, time: Timestamp) -> f64 {
    match &prometheus.query(expression, time).await.unwrap()[..] {
        [measured] => measured.value,
        several => panic!("`{expression}` has {} values", several.len()),
    }
}

/// The CPU usage of a workload's only pod.
fn cpu(dataset: &Dataset) -> &Series {
    dataset.containers.values().next().unwrap().cpu.values().next().unwrap()
}

/// A selector of the containers of `dataset`'s workload, without pod cgroups.
fn containers(dataset: &Dataset) -> String {
    let workload = &dataset.workload;
    format!(r#"{{namespace="{}",pod=~"{}-.*",container!=""}}"#, workload.namespace(), workload.name())
}

fn start() -> (std::sync::Arc<Prometheus>, Recording) {
    let prometheus = Prometheus::shared().unwrap_or_else(|error| panic!("{error}"));
    let recording = prometheus.recording().clone();
    (prometheus, recording)
}

#[tokio::test]
async fn every_observation_is_a_sample_and_the_newest_is_where_it_should_be() {
    let (prometheus, recording) = start();
    for dataset in &recording.datasets {
        let metric = format!("container_cpu_usage_seconds_total{}", containers(dataset));
        let count = value(&prometheus, &format!("sum(count_over_time({metric}[100d]))"), recording.newest).await;
        let expected = dataset.containers.values().flat_map(|c| c.cpu.values());
        let expected: usize = expected.map(|series| series.observed().count()).sum();
        assert_eq!(count, expected as f64, "{}", dataset.workload);
    }
}
