//! What a run cost and how well its users were served.

use mora_cluster_simulator::{Recording, ScalingKind, WorkloadMinute};
use serde::{Deserialize, Serialize};

/// What users were promised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Latency from end to end that 95 % of the requests of each minute stay below, in seconds.
    pub latency_p95: f64,
    /// Share of the requests of each minute that may fail, in [0, 1].
    pub error_ratio: f64,
}

/// The figures of one run. CPU in cores, memory in GiB, latencies in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    /// Length of the run.
    pub hours: f64,
    /// CPU requests over time.
    pub cpu_hours_requested: f64,
    /// CPU usage over time.
    pub cpu_hours_used: f64,
    /// Memory requests over time, in GiB hours.
    pub memory_hours_requested: f64,
    /// Memory usage over time, in GiB hours.
    pub memory_hours_used: f64,
    /// Mean latency of requests that did not fail; `None` without one.
    pub latency_mean: Option<f64>,
    /// Latency that 95 % of them stayed below.
    pub latency_p95: Option<f64>,
    /// Latency that 99 % of them stayed below.
    pub latency_p99: Option<f64>,
    /// Share of users' requests that failed.
    pub error_ratio: f64,
    /// Share of minutes in which the objective was missed.
    pub violations: f64,
    /// Changes of the number of replicas or of a pod template: something started or ended.
    pub scaling_events: f64,
    /// Changes of running pods in place.
    pub resizes: f64,
    /// `sum(|delta request|) / mean request` of CPU, over workloads.
    pub volatility: f64,
    /// U: share of minutes of workloads with CPU usage above the request.
    pub cpu_under: f64,
    /// O: CPU requested by CPU used.
    pub cpu_over: f64,
    /// The same of memory.
    pub memory_over: f64,
    /// Share of periods in which pods were held back by their limits, mean over minutes of workloads.
    pub throttled: f64,
    /// Containers killed for lack of memory.
    pub oom_kills: f64,
}

/// Judges `recording` by `objective`.
#[must_use]
pub fn metrics(recording: &Recording, objective: Objective) -> Metrics {
    const GIB: f64 = 1_073_741_824.0;
    let sum = |of: fn(&WorkloadMinute) -> f64| -> f64 {
        recording.minutes.iter().flatten().map(of).sum::<f64>()
    };
    let cells = recording.minutes.iter().map(Vec::len).sum::<usize>().max(1) as f64;
    let empty = Vec::new();
    let entry = recording.minutes.get(recording.entry).unwrap_or(&empty);
    let requests: f64 = entry.iter().map(|minute| minute.received).sum();
    let failures: f64 = entry.iter().map(|minute| minute.failed).sum();
    let missed = entry.iter().filter(|minute| objective.is_missed(minute)).count();
    let events = |wanted: fn(ScalingKind) -> bool| {
        recording.events.iter().filter(|event| wanted(event.kind)).count() as f64
    };
    let under = recording.minutes.iter().flatten();
    let under = under.filter(|minute| minute.cpu_used > minute.cpu_requested).count();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    Metrics {
        hours: entry.len() as f64 / 60.0,
        cpu_hours_requested: sum(|minute| minute.cpu_requested) / 60.0,
        cpu_hours_used: sum(|minute| minute.cpu_used) / 60.0,
        memory_hours_requested: sum(|minute| minute.memory_requested) / GIB / 60.0,
        memory_hours_used: sum(|minute| minute.memory_used) / GIB / 60.0,
        latency_mean: recording.latencies.mean(),
        latency_p95: recording.latencies.quantile(0.95),
        latency_p99: recording.latencies.quantile(0.99),
        error_ratio: share(failures, requests),
        violations: share(missed as f64, entry.len() as f64),
        scaling_events: events(|kind| kind != ScalingKind::InPlace),
        resizes: events(|kind| kind == ScalingKind::InPlace),
        volatility: recording.minutes.iter().map(|minutes| volatility(minutes)).sum(),
        cpu_under: under as f64 / cells,
        cpu_over: share(sum(|minute| minute.cpu_requested), sum(|minute| minute.cpu_used)),
        memory_over: share(sum(|minute| minute.memory_requested), sum(|minute| minute.memory_used)),
        throttled: sum(|minute| minute.throttled) / cells,
        oom_kills: sum(|minute| f64::from(minute.oom_kills)),
    }
}

impl Objective {
    fn is_missed(self, minute: &WorkloadMinute) -> bool {
        minute.failed > self.error_ratio * minute.received
            || minute.latency_p95.is_some_and(|latency| latency > self.latency_p95)
    }
}

fn volatility(minutes: &[WorkloadMinute]) -> f64 {
    let changes = minutes.windows(2);
    let changes = changes.map(|pair| (pair[1].cpu_requested - pair[0].cpu_requested).abs());
    let requested: f64 = minutes.iter().map(|minute| minute.cpu_requested).sum();
    let mean = requested / minutes.len().max(1) as f64;
    if mean > 0.0 { changes.sum::<f64>() / mean } else { 0.0 }
}

#[cfg(test)]
mod tests;
