//! Whether what a cell measured can be learned from.

use mora_core::{Dataset, Lookback, QualityFault, QualityGates, Series, Signal, WorkloadRef};
use serde::{Deserialize, Serialize};

use crate::{LoadReport, WorkloadState};

/// Bounds a cell must keep to be accepted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentGates {
    /// Of the target's series; only its CPU usage has to be stable.
    pub quality: QualityGates,
    /// Most requests that may fail, as a share in [0, 1].
    pub error_ratio: f64,
    /// Most CPU that a container of another workload may use of its limit, as a share in [0, 1]: what is closer to its
    /// limit may be what holds the target back.
    pub others_of_limit: f64,
}

impl Default for ExperimentGates {
    fn default() -> Self {
        Self { quality: QualityGates::default(), error_ratio: 0.01, others_of_limit: 0.9 }
    }
}

/// Everything a cell is judged by.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The workload that was measured.
    pub target: &'a WorkloadRef,
    /// Replicas it was to have.
    pub replicas: u32,
    /// The steady part of the load.
    pub expected: &'a Lookback,
    /// What was observed in it, of every workload.
    pub datasets: &'a [Dataset],
    /// How the workloads were while the load ran.
    pub states: &'a [WorkloadState],
    /// What the load did.
    pub load: &'a LoadReport,
}

/// Why the cell is rejected, one sentence for each gate it does not pass; none for a cell that is accepted.
#[must_use]
pub fn judge(observation: &Observation<'_>, gates: &ExperimentGates) -> Vec<String> {
    let of_target = observation.datasets.iter().find(|d| d.workload == *observation.target);
    let mut reasons = Vec::new();
    reasons.extend(errors(observation.load, gates.error_ratio));
    if observation.expected.steps() == 0 {
        reasons.push("the load ended before its steady part began".to_owned());
        return reasons;
    }
    let Some(dataset) = of_target else {
        reasons.push(format!("nothing was measured of {}", observation.target));
        return reasons;
    };
    reasons.extend(replicas(dataset, observation.replicas));
    reasons.extend(series(dataset, observation.expected, &gates.quality));
    for other in observation.datasets.iter().filter(|d| d.workload != *observation.target) {
        reasons.extend(bottlenecks(other, observation.states, gates.others_of_limit));
    }
    reasons
}

fn errors(load: &LoadReport, most: f64) -> Option<String> {
    let found = load.error_ratio;
    (found > most).then(|| {
        format!(
            "{} of {} requests failed ({:.2} %) where {:.2} % may",
            load.errors,
            load.samples,
            found * 100.0,
            most * 100.0
        )
    })
}

fn replicas(dataset: &Dataset, wanted: u32) -> Option<String> {
    let ran = dataset.current_replicas();
    (ran != wanted)
        .then(|| format!("{ran} replicas of {} ran where {wanted} should", dataset.workload))
}

fn series(dataset: &Dataset, expected: &Lookback, gates: &QualityGates) -> Vec<String> {
    let signals = dataset.signals();
    let mut reasons = Vec::new();
    for signal in Signal::ALL {
        let gates = if signal == Signal::Cpu { *gates } else { gates.without_stability() };
        match signals.get(&signal) {
            Some(series) => reasons.extend(faults(signal, series, expected, &gates)),
            // Not every application tells how often it is asked.
            None if signal == Signal::RequestRate => {}
            None => reasons.push(format!("{} of the target was not measured", name(signal))),
        }
    }
    reasons
}

fn faults(
    signal: Signal,
    series: &Series,
    expected: &Lookback,
    gates: &QualityGates,
) -> Vec<String> {
    let sentence = |fault: &QualityFault| format!("{}: {fault}", name(signal));
    gates.judge(series, expected).faults.iter().map(sentence).collect()
}

const fn name(signal: Signal) -> &'static str {
    match signal {
        Signal::Cpu => "CPU usage",
        Signal::Memory => "memory working set",
        Signal::RequestRate => "request rate",
    }
}

/// The containers of `other` of which a pod used more than the share `most` of its CPU limit on average.
fn bottlenecks(other: &Dataset, states: &[WorkloadState], most: f64) -> Vec<String> {
    let Some(state) = states.iter().find(|state| state.workload == other.workload) else {
        return Vec::new();
    };
    let mut reasons = Vec::new();
    for (container, usage) in &other.containers {
        let limit = state.containers.get(container).and_then(|claim| claim.cpu_limit);
        let Some(limit) = limit.filter(|limit| limit.get() > 0) else { continue };
        let largest = usage.cpu.values().filter_map(mean).fold(0.0, f64::max);
        let share = largest / limit.cores();
        if share > most {
            reasons.push(format!(
                "container {container} of {} used {:.0} % of its CPU limit of {limit} and may hold the target back",
                other.workload,
                share * 100.0
            ));
        }
    }
    reasons
}

/// The mean of what was observed; `None` where nothing was.
pub(crate) fn mean(series: &Series) -> Option<f64> {
    let count = series.observed().count();
    (count > 0).then(|| series.observed().map(|value| value / count as f64).sum())
}

#[cfg(test)]
pub(crate) mod tests;
