//! How far a simulated application is from a measured one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Application, Change, Cluster, ClusterOptions, NodeSize};
use mora_core::{Dataset, Indicator, Lookback, Series, Signal, Step, WorkloadRef};
use serde::{Deserialize, Serialize};

use super::{CalibrationError, aligned, entry_rate, median};

/// Minutes that are simulated before those that are compared, under the load of the first one.
const WARM_UP: i64 = 5;

/// Errors of one microservice; `None` where something was not measured or not seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceError {
    /// The workload.
    pub workload: WorkloadRef,
    /// Minutes that were compared.
    pub minutes: usize,
    /// Mean absolute error of CPU, relative to what was measured in each minute. What users do is drawn anew, so that this
    /// has a floor: with 36 requests a minute, counts of two runs differ by a fifth.
    pub cpu: Option<f64>,
    /// CPU over all minutes together, over what was measured, less 1.
    pub cpu_total: Option<f64>,
    /// The same of requests received.
    pub rate: Option<f64>,
    /// The same of the memory of the largest pod.
    pub memory: Option<f64>,
    /// Median over minutes of the simulated median latency over that of the measured one, less 1.
    pub latency_p50: Option<f64>,
    /// The same of the latency that 95 % stay below.
    pub latency_p95: Option<f64>,
    /// Both values of what was seen of both.
    pub compared: Vec<Compared>,
}

/// One quantity of a microservice: means over the steps that were both measured and simulated, of latencies the medians of each.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What, with its unit, as in `CPU, cores`.
    pub quantity: String,
    /// What was measured.
    pub measured: f64,
    /// What the simulator says.
    pub simulated: f64,
}

/// Simulates `application` on `nodes` with the request rate that was `measured` at its entry and the replicas that were
/// ready, minute by minute, and compares.
///
/// Fails when no rate of the entry was measured or the application cannot be simulated.
pub fn validate(
    application: &Application,
    measured: &[Dataset],
    nodes: &[NodeSize],
) -> Result<Vec<ServiceError>, CalibrationError> {
    let entry = &application.microservices[application.entry].workload;
    let rate = entry_rate(measured, entry)
        .ok_or_else(|| CalibrationError::NoEntry(entry.clone()))?
        .clone();
    let (from, to) = (Step::MINUTE.floor(rate.start()), rate.end());
    let before = from.saturating_sub(SignedDuration::from_mins(WARM_UP)).unwrap_or(from);
    let demand = demand(&rate);
    let options = ClusterOptions {
        seed: 1,
        start: before,
        nodes: nodes.to_vec(),
        step_millis: 100,
        events: Vec::new(),
    };
    let mut cluster = Cluster::new(application.clone(), Arc::new(demand), options)?;
    let mut now = from;
    while now < to {
        follow(&mut cluster, measured, now);
        now = now.saturating_add(SignedDuration::from_mins(1)).unwrap_or(Timestamp::MAX).min(to);
        cluster.advance_to(now);
    }
    let step = rate.step().max(Step::MINUTE);
    let simulated: Vec<Dataset> = cluster.datasets(&Lookback { from, to, step }).collect();
    Ok(simulated.iter().map(|simulated| compare(simulated, measured)).collect())
}

/// What was measured at each instant, at a gap what was before it; at the ends the first and the last.
fn demand(rate: &Series) -> impl Fn(f64) -> f64 + Send + Sync + 'static {
    let mut last = rate.observed().next().unwrap_or(0.0);
    let filled = rate.values().iter().map(|value| {
        last = value.unwrap_or(last);
        last
    });
    let values: Vec<f64> = filled.collect();
    let (start, step) = (rate.start().as_second() as f64, f64::from(rate.step().seconds()));
    move |second: f64| {
        let place = ((second - start) / step).max(0.0) as usize;
        values.get(place).or(values.last()).copied().unwrap_or(0.0)
    }
}

/// Gives the workloads as many replicas as were ready at `now`.
fn follow(cluster: &mut Cluster, measured: &[Dataset], now: Timestamp) {
    for dataset in measured {
        let Some(series) = &dataset.replicas else { continue };
        let second = now.as_second() - series.start().as_second();
        let place = second.div_euclid(i64::from(series.step().seconds()));
        let ready = usize::try_from(place).ok().and_then(|place| series.values().get(place));
        let Some(ready) = ready.copied().flatten() else { continue };
        let replicas = (ready.round() as u32).max(1);
        let workload = dataset.workload.clone();
        if cluster.replicas(&workload) > 0 {
            // A refusal leaves the workload as it is: what was measured has replicas that the application cannot have.
            let _refused = cluster.apply(&Change::Scale { workload, replicas });
        }
    }
}

fn compare(simulated: &Dataset, measured: &[Dataset]) -> ServiceError {
    let workload = simulated.workload.clone();
    let nothing = Dataset::new(workload.clone());
    let measured = measured.iter().find(|set| set.workload == workload).unwrap_or(&nothing);
    let (ours, theirs) = (simulated.signals(), measured.signals());
    let relative = |signal: Signal| error(theirs.get(&signal), ours.get(&signal));
    let middle = |set: &Dataset, indicator: Indicator| {
        median(set.indicators.get(&indicator)?.observed().collect())
    };
    let latency = |indicator: Indicator| {
        let theirs = middle(measured, indicator).filter(|seconds| *seconds > 0.0)?;
        Some(middle(simulated, indicator)? / theirs - 1.0)
    };
    let means = |signal: Signal| means(theirs.get(&signal)?, ours.get(&signal));
    let p95 = |set| middle(set, Indicator::LatencyP95);
    let pairs = [
        ("CPU, cores", means(Signal::Cpu)),
        ("requests/s", means(Signal::RequestRate)),
        ("latency p95, s", p95(measured).zip(p95(simulated))),
    ];
    let compared = pairs.into_iter().filter_map(|(quantity, pair)| {
        let (measured, simulated) = pair?;
        Some(Compared { quantity: quantity.to_owned(), measured, simulated })
    });
    let compared = compared.collect();
    ServiceError {
        workload,
        minutes: theirs.get(&Signal::RequestRate).map_or(0, |rate| rate.observed().count()),
        cpu: relative(Signal::Cpu),
        cpu_total: means(Signal::Cpu)
            .and_then(|(theirs, ours)| (theirs > 0.0).then(|| ours / theirs - 1.0)),
        rate: relative(Signal::RequestRate),
        memory: relative(Signal::Memory),
        latency_p50: latency(Indicator::LatencyP50),
        latency_p95: latency(Indicator::LatencyP95),
        compared,
    }
}

/// Mean of `|simulated - measured| / measured`.
fn error(measured: Option<&Series>, simulated: Option<&Series>) -> Option<f64> {
    let measured = measured?;
    let simulated = aligned(measured, simulated);
    let pairs = measured.values().iter().zip(simulated);
    let errors: Vec<f64> = pairs
        .filter_map(|(measured, simulated)| {
            let measured = measured.filter(|value| *value > 0.0)?;
            Some((simulated? - measured).abs() / measured)
        })
        .collect();
    (!errors.is_empty()).then(|| errors.iter().sum::<f64>() / errors.len() as f64)
}

/// The means of what was measured and of what was simulated over the steps that both have.
fn means(measured: &Series, simulated: Option<&Series>) -> Option<(f64, f64)> {
    let simulated = aligned(measured, simulated);
    let pairs = measured.values().iter().zip(simulated);
    let both = pairs.filter_map(|(measured, simulated)| Some(((*measured)?, simulated?)));
    let (theirs, ours): (Vec<f64>, Vec<f64>) = both.unzip();
    let count = theirs.len() as f64;
    (count > 0.0).then(|| (theirs.iter().sum::<f64>() / count, ours.iter().sum::<f64>() / count))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn means_are_over_the_steps_that_were_measured_and_simulated() {
        let series = |values: &[Option<f64>]| {
            Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.to_vec()).unwrap()
        };
        let measured = series(&[Some(1.0), None, Some(3.0), Some(100.0)]);
        let simulated = series(&[Some(2.0), Some(50.0), Some(6.0)]);
        assert_eq!(means(&measured, Some(&simulated)), Some((2.0, 4.0)));
        assert_eq!(means(&measured, None), None);
    }
}
