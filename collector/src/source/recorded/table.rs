//! A recording in memory.

use std::collections::BTreeMap;

use mora_core::{ContainerUsage, Dataset, Series, WorkloadRef};

use super::config::RecordedConfig;
use super::error::RecordedError;
use super::rows::Observation;
use crate::Lookback;
use crate::regularise::{Cells, Sample};

/// Observations by workload, then container and pod, then instant.
#[derive(Debug, Default)]
pub(super) struct Table {
    workloads: BTreeMap<WorkloadRef, BTreeMap<String, Pods>>,
}

type Pods = BTreeMap<String, BTreeMap<Instant, Reading>>;

/// Nanoseconds since the Unix epoch: an exact order, unlike that of floating-point seconds.
type Instant = i64;

#[derive(Debug, Clone, Copy)]
struct Reading {
    line: u64,
    second: f64,
    cpu: Option<f64>,
    memory: Option<f64>,
    request_rate: Option<f64>,
    replicas: Option<f64>,
}

impl Table {
    /// Adds `row`; fails when its workload, container, pod and instant are already there.
    pub(super) fn insert(
        &mut self,
        config: &RecordedConfig,
        row: Observation,
    ) -> Result<(), RecordedError> {
        let Observation { line, second, cpu, memory, request_rate, replicas, .. } = row;
        let reading = Reading { line, second, cpu, memory, request_rate, replicas };
        let containers = self.workloads.entry(row.workload).or_default();
        let readings = containers.entry(row.container).or_default().entry(row.pod).or_default();
        match readings.insert((second * 1e9) as Instant, reading) {
            None => Ok(()),
            Some(known) => Err(RecordedError::Duplicate {
                path: config.path.clone(),
                first: known.line,
                second: line,
            }),
        }
    }

    /// The first and the last instant, in seconds since the Unix epoch; `None` when there is none.
    pub(super) fn span(&self) -> Option<(f64, f64)> {
        let pods = || self.workloads.values().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
        let first = pods().filter_map(|r| r.first_key_value()).map(|(_, r)| r.second);
        let last = pods().filter_map(|r| r.last_key_value()).map(|(_, r)| r.second);
        Some((first.reduce(f64::min)?, last.reduce(f64::max)?))
    }

    /// What was observed over `lookback`, ordered by workload; a workload without observations is absent.
    pub(super) fn datasets(&self, lookback: &Lookback) -> Vec<Dataset> {
        let dataset = |(workload, containers): (&WorkloadRef, &BTreeMap<String, Pods>)| {
            let mut dataset = Dataset::new(workload.clone());
            dataset.containers = containers
                .iter()
                .filter_map(|(name, pods)| Some((name.clone(), usage(pods, lookback)?)))
                .collect();
            dataset.request_rate = rate_over_pods(containers, lookback);
            let pods = containers.values().flat_map(BTreeMap::values);
            dataset.replicas =
                cells(pods.flat_map(BTreeMap::values), |r| r.replicas, lookback).trimmed(lookback);
            dataset
        };
        let observed =
            |dataset: &Dataset| !dataset.containers.is_empty() || dataset.request_rate.is_some();
        self.workloads.iter().map(dataset).filter(observed).collect()
    }
}

/// `None` when nothing was observed of any pod.
fn usage(pods: &Pods, lookback: &Lookback) -> Option<ContainerUsage> {
    let of = |signal: fn(&Reading) -> Option<f64>| -> BTreeMap<String, Series> {
        let series = |(pod, readings): (&String, &BTreeMap<Instant, Reading>)| {
            Some((pod.clone(), cells(readings.values(), signal, lookback).trimmed(lookback)?))
        };
        pods.iter().filter_map(series).collect()
    };
    let (cpu, memory) = (of(|r| r.cpu), of(|r| r.memory));
    let observed = !cpu.is_empty() || !memory.is_empty();
    observed.then(|| ContainerUsage { cpu, memory, ..ContainerUsage::default() })
}

/// A pod's request rate stands in the rows of each of its containers and counts once.
fn rate_over_pods(containers: &BTreeMap<String, Pods>, lookback: &Lookback) -> Option<Series> {
    let mut pods: BTreeMap<&str, Vec<&Reading>> = BTreeMap::new();
    for (pod, readings) in containers.values().flatten() {
        pods.entry(pod).or_default().extend(readings.values());
    }
    let per_pod = pods.into_values().map(|readings| cells(readings, |r| r.request_rate, lookback));
    let total = per_pod.reduce(|mut sum, pod| {
        sum.add(&pod);
        sum
    });
    total?.trimmed(lookback)
}

fn cells<'a>(
    readings: impl IntoIterator<Item = &'a Reading>,
    signal: fn(&Reading) -> Option<f64>,
    lookback: &Lookback,
) -> Cells {
    let sample =
        |reading: &Reading| Some(Sample { second: reading.second, value: signal(reading)? });
    Cells::of(readings.into_iter().filter_map(sample), lookback)
}
