//! Waiting: what the simulator misses of the measured median latencies at low load.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Application, Cluster, ClusterError, ClusterOptions, NodeSize};
use mora_core::{Dataset, Indicator, Lookback, Step};

use super::{ServiceQuality, aligned, entry_rate, median};

/// Runs of the simulator, each of so many minutes.
const ROUNDS: usize = 5;
const MINUTES: i64 = 20;

/// Finds the waiting of each microservice of which latencies were measured.
pub(super) fn fit(
    measured: &[Dataset],
    application: &mut Application,
    nodes: &[NodeSize],
    quality: &mut [ServiceQuality],
) -> Result<(), ClusterError> {
    let entry = &application.microservices[application.entry].workload;
    let Some(rate) = entry_rate(measured, entry) else { return Ok(()) };
    // A quarter of the minutes, those with the least load.
    let quarter = rate.sorted()[rate.observed().count() / 4];
    let low: Vec<bool> =
        rate.values().iter().map(|value| value.is_some_and(|value| value <= quarter)).collect();
    let load = rate.observed().filter(|value| *value <= quarter).collect();
    let Some(load) = median(load) else { return Ok(()) };
    let wanted: Vec<Option<f64>> = application
        .microservices
        .iter()
        .map(|microservice| {
            let dataset = measured.iter().find(|set| set.workload == microservice.workload)?;
            let latency = aligned(rate, dataset.indicators.get(&Indicator::LatencyP50));
            median(latency.iter().zip(&low).filter_map(|(v, low)| v.filter(|_| *low)).collect())
        })
        .collect();
    for _ in 0..ROUNDS {
        let simulated = medians(application, load, nodes)?;
        adjust(application, &wanted, &simulated);
    }
    let simulated = medians(application, load, nodes)?;
    for ((quality, wanted), simulated) in quality.iter_mut().zip(&wanted).zip(simulated) {
        quality.latency = wanted.zip(simulated).map(|(wanted, simulated)| simulated / wanted - 1.0);
    }
    Ok(())
}

/// Each microservice waits for what it misses itself, beyond what its callees miss.
fn adjust(application: &mut Application, wanted: &[Option<f64>], simulated: &[Option<f64>]) {
    let missed: Vec<Option<f64>> =
        wanted.iter().zip(simulated).map(|(wanted, got)| Some((*wanted)? - (*got)?)).collect();
    for place in 0..application.microservices.len() {
        let Some(all) = missed[place] else { continue };
        let calls = application.calls.iter().filter(|call| call.caller == place);
        let of_callees: f64 =
            calls.map(|call| call.ratio * missed[call.callee].unwrap_or(0.0)).sum();
        let cpu = &mut application.microservices[place].cpu;
        cpu.waiting = (cpu.waiting + all - of_callees).max(0.0);
    }
}

/// The median latency of each microservice under a steady `load`, in seconds.
fn medians(
    application: &Application,
    load: f64,
    nodes: &[NodeSize],
) -> Result<Vec<Option<f64>>, ClusterError> {
    let start = Timestamp::UNIX_EPOCH;
    let options = ClusterOptions {
        seed: 1,
        start,
        nodes: nodes.to_vec(),
        step_millis: 100,
        events: Vec::new(),
    };
    let mut cluster = Cluster::new(application.clone(), Arc::new(move |_: f64| load), options)?;
    let end = start.saturating_add(SignedDuration::from_mins(MINUTES)).unwrap_or(Timestamp::MAX);
    cluster.advance_to(end);
    let lookback = Lookback { from: start, to: end, step: Step::MINUTE };
    let median_of = |dataset: &Dataset| {
        let series = dataset.indicators.get(&Indicator::LatencyP50)?;
        median(series.observed().collect())
    };
    Ok(cluster.datasets(&lookback).map(|dataset| median_of(&dataset)).collect())
}
