use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{ContainerUsage, Millicores, ResourceClaim, Step};

use super::*;
use crate::Latency;

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// Twenty steps of 15 s from the epoch.
pub(crate) fn five_minutes() -> Lookback {
    Lookback { from: at(0), to: at(300), step: Step::from_seconds(15).unwrap() }
}

/// `pods` pods of `name` that use `cores` each over the `expected` time.
pub(crate) fn dataset(name: &str, pods: u32, cores: f64, expected: &Lookback) -> Dataset {
    let series = |value: f64| {
        Series::new(expected.from, expected.step, vec![Some(value); expected.steps()]).unwrap()
    };
    let by_pod = |value: f64| -> BTreeMap<String, Series> {
        (0..pods).map(|pod| (format!("pod-{pod}"), series(value))).collect()
    };
    let mut dataset = Dataset::new(name.parse().unwrap());
    let usage =
        ContainerUsage { cpu: by_pod(cores), memory: by_pod(1e8), ..ContainerUsage::default() };
    dataset.containers.insert("server".to_owned(), usage);
    dataset
}

pub(crate) fn load(samples: u64, errors: u64) -> LoadReport {
    LoadReport {
        by: "a script".to_owned(),
        started: at(0),
        ended: at(300),
        seconds: 300.0,
        samples,
        errors,
        error_ratio: errors as f64 / samples.max(1) as f64,
        throughput: 1.0,
        reached: 1.0,
        mean_seconds: 0.01,
        latency: Latency { p50_ms: 8.0, p95_ms: 10.0, p99_ms: 12.0 },
        labels: BTreeMap::new(),
    }
}

pub(crate) fn state(name: &str, replicas: u32, limit: u64) -> WorkloadState {
    let cpu_limit = Some(Millicores::new(limit));
    let claim = ResourceClaim { cpu_limit, ..ResourceClaim::default() };
    WorkloadState {
        workload: name.parse().unwrap(),
        replicas,
        ready: replicas,
        settled: true,
        containers: [("server".to_owned(), claim)].into(),
        autoscaler: None,
    }
}

fn verdict(datasets: &[Dataset], load: &LoadReport, expected: &Lookback) -> Vec<String> {
    let target = "shop/frontend".parse().unwrap();
    let states = [state("shop/frontend", 2, 500), state("shop/cart", 1, 500)];
    let observation =
        Observation { target: &target, replicas: 2, expected, datasets, states: &states, load };
    judge(&observation, &ExperimentGates::default())
}

#[test]
fn a_steady_cell_without_errors_is_accepted() {
    let expected = five_minutes();
    let datasets =
        [dataset("shop/cart", 1, 0.4, &expected), dataset("shop/frontend", 2, 0.5, &expected)];
    assert_eq!(verdict(&datasets, &load(1000, 10), &expected), Vec::<String>::new());
}

#[test]
fn every_gate_gives_its_own_reason() {
    let expected = five_minutes();
    let steady = dataset("shop/frontend", 2, 0.5, &expected);
    let failing = verdict(std::slice::from_ref(&steady), &load(1000, 11), &expected);
    assert_eq!(failing, ["11 of 1000 requests failed (1.10 %) where 1.00 % may"]);

    let busy = [steady.clone(), dataset("shop/cart", 2, 0.46, &expected)];
    let held_back = verdict(&busy, &load(1000, 0), &expected);
    assert!(held_back[0].contains("shop/Deployment/cart used 92 % of its CPU limit of 500m"));

    let fewer = [dataset("shop/frontend", 1, 0.5, &expected)];
    let found = verdict(&fewer, &load(1000, 0), &expected);
    assert_eq!(found, ["1 replicas of shop/Deployment/frontend ran where 2 should"]);

    assert_eq!(
        verdict(&[], &load(1000, 0), &expected),
        ["nothing was measured of shop/Deployment/frontend"]
    );
    let nothing = Lookback { to: at(0), ..expected };
    assert_eq!(
        verdict(&[steady], &load(1000, 0), &nothing),
        ["the load ended before its steady part began"]
    );
}

#[test]
fn only_cpu_usage_has_to_be_stable_and_everything_complete() {
    let expected = five_minutes();
    let mut moving = dataset("shop/frontend", 2, 0.5, &expected);
    let rising = (0..20).map(|i| Some(f64::from(1 + i * i))).collect();
    let rising = Series::new(expected.from, expected.step, rising).unwrap();
    let usage = moving.containers.get_mut("server").unwrap();
    usage.cpu.insert("pod-0".to_owned(), rising.clone());
    usage.memory.insert("pod-0".to_owned(), rising.between(at(0), at(150)));
    usage.memory.remove("pod-1");
    moving.request_rate = Some(rising.between(at(0), at(150)));
    let reasons = verdict(&[moving], &load(1000, 0), &expected);
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons[0].starts_with("CPU usage: the last 300 s vary by"), "{reasons:?}");
    let incomplete = "50.0 % of the steps were observed where 90.0 % are needed";
    assert_eq!(reasons[1], format!("memory working set: {incomplete}"));
    assert_eq!(reasons[2], format!("request rate: {incomplete}"));
}
