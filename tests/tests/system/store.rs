//! What the collector keeps, checked against the Prometheus it came from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mora_collector::{Lookback, MetricsSource, PrometheusConfig, PrometheusSource};
use mora_core::{Dataset, Step};
use mora_store::{Run, Store};
use mora_tests::{Prometheus, tools};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

const KILLS: usize = 200;
const HOURS: u32 = 72;

/// The namespace with most workloads, and a lookback that ends where the recording does.
fn wanted(prometheus: &Prometheus) -> (String, Lookback) {
    let recording = prometheus.recording();
    let namespace = |dataset: &Dataset| dataset.workload.namespace().to_owned();
    let namespaces: Vec<String> = recording.datasets.iter().map(namespace).collect();
    let count = |name: &String| namespaces.iter().filter(|other| *other == name).count();
    let largest = namespaces.iter().max_by_key(|name| count(name)).unwrap().clone();
    let to = Step::MINUTE.floor(recording.newest);
    let from = to - SignedDuration::from_hours(i64::from(HOURS));
    (largest, Lookback { from, to, step: Step::MINUTE })
}

/// A configuration of the collector that ends where the recording does: it asks for what is long settled.
fn configured(
    folder: &Path,
    store: &Path,
    prometheus: &Prometheus,
    wanted: &(String, Lookback),
) -> PathBuf {
    let age = Timestamp::now().duration_since(wanted.1.to).as_secs();
    let text = format!(
        "lookback_hours: {HOURS}\nstore:\n  path: {}\n  chunk_hours: 1\n  settle_seconds: {age}\nsource:\n  prometheus:\n    url: {}\n    namespaces: [{}]\n    busy_share: 1.0\n",
        store.display(),
        prometheus.url(),
        wanted.0
    );
    let path = folder.join("collector.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

fn collector(config: &Path) -> Command {
    let mut command = Command::new(tools::binary("mora-collector").unwrap());
    command.args(["--once", "--no-training", "--listen", "127.0.0.1:0", "--config"]).arg(config);
    command.stdout(Stdio::null());
    command
}

/// Kills a collection after at most 600 ms; whether it ended by itself before.
fn collect_and_kill(config: &Path, random: &mut ChaCha8Rng) -> bool {
    let mut child = collector(config).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(random.random_range(5..600)));
    let ended = child.try_wait().unwrap();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    ended.is_some_and(|_| status.success())
}

/// Asserts that the store holds every sample of `source`, once.
async fn assert_complete(store: &Path, prometheus: &Prometheus, wanted: &(String, Lookback)) {
    let store = Store::open(store).unwrap();
    let until = store.collected(&wanted.0).unwrap();
    let oldest =
        store.workloads().iter().flat_map(|w| store.runs(w).unwrap()).map(|r| r.start).min();
    let from = Timestamp::from_second(oldest.unwrap()).unwrap();
    let lookback = Lookback { from, to: until, step: Step::MINUTE };
    let config = PrometheusConfig {
        url: prometheus.url(),
        namespaces: vec![wanted.0.clone()],
        busy_share: 1.0,
        ..PrometheusConfig::default()
    };
    let expected = PrometheusSource::new(config).unwrap().collect(&lookback).await.unwrap();
    assert!(expected.len() > 5, "{} workloads", expected.len());
    let mut samples = 0;
    for dataset in &expected {
        let kept = store.dataset(&dataset.workload, &lookback).unwrap().unwrap();
        for (container, usage) in &dataset.containers {
            let kept = &kept.containers[container];
            assert_eq!(
                (&kept.cpu, &kept.memory),
                (&usage.cpu, &usage.memory),
                "{}",
                dataset.workload
            );
        }
        assert_eq!(kept.request_rate, dataset.request_rate, "{}", dataset.workload);
        assert_eq!((&kept.calls, &kept.indicators), (&dataset.calls, &dataset.indicators));
        // Nothing twice: every run of the files together has no more than the series they make.
        let usage = |run: &Run| ["cpu", "memory"].contains(&run.what.metric());
        let runs = store.runs(&dataset.workload).unwrap();
        let stored: usize = runs.iter().filter(|r| usage(r)).map(|r| r.samples().count()).sum();
        let series =
            dataset.containers.values().flat_map(|c| c.cpu.values().chain(c.memory.values()));
        let observed: usize = series.map(|series| series.observed().count()).sum();
        assert_eq!(stored, observed, "{}", dataset.workload);
        samples += stored;
    }
    let counted = counted(prometheus, &wanted.0, &lookback).await;
    println!("{samples} samples kept, {counted} counted by Prometheus");
    assert_eq!(samples, counted);
}

/// The samples of CPU and memory over `lookback`, as Prometheus counts them itself.
async fn counted(prometheus: &Prometheus, namespace: &str, lookback: &Lookback) -> usize {
    let of = format!(r#"namespace="{namespace}",pod!="",container!="",container!="POD""#);
    let cpu =
        format!("sum by (pod,container) (rate(container_cpu_usage_seconds_total{{{of}}}[300s]))");
    let memory = format!(
        "max by (pod,container) (max_over_time(container_memory_working_set_bytes{{{of}}}[120s]))"
    );
    let seconds = 60 * lookback.steps() - 1;
    let mut count = 0.0;
    for query in [cpu, memory] {
        let query = format!("sum(count_over_time(({query})[{seconds}s:60s]))");
        let newest = lookback.to - SignedDuration::from_secs(60);
        count += prometheus.query(&query, newest).await.unwrap()[0].value;
    }
    count as usize
}

#[tokio::test]
async fn collections_that_are_killed_lose_nothing_and_keep_nothing_twice() {
    let prometheus: Arc<Prometheus> = Prometheus::shared().unwrap();
    let wanted = wanted(&prometheus);
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let (mut killed, mut stores) = (0, 0);
    while killed < KILLS {
        let folder = TempDir::new().unwrap();
        let store = folder.path().join("store");
        let config = configured(folder.path(), &store, &prometheus, &wanted);
        while killed < KILLS && !collect_and_kill(&config, &mut random) {
            killed += 1;
        }
        let output = collector(&config).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_complete(&store, &prometheus, &wanted).await;
        stores += 1;
    }
    println!("{killed} collections killed, {stores} stores complete");
}
