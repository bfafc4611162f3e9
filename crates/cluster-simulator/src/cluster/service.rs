//! A microservice as it runs: its numbers, its calls, its pods, and what was counted of it in this minute.

use mora_core::ResourceClaim;

use super::random::{Counts, Purpose, Stream, WorkTable, trait_of};
use crate::{CpuCost, Latencies, Microservice};

/// Spread of what the pods of a workload receive: the busiest gets at most 15 % above the mean, as in the simulated series.
const IMBALANCE: f64 = 0.15;
/// Most by which the cost of requests wanders around its mean.
const WANDER: f64 = 0.05;
/// More calls on average than this are drawn one by one.
const TABLED: f64 = 50.0;

/// Calls to one callee.
#[derive(Debug, Clone)]
pub(crate) struct Callee {
    pub(crate) service: usize,
    /// Its place among the calls of the application.
    pub(crate) edge: usize,
    /// Calls for each request now.
    pub(crate) ratio: f64,
    /// Calls made in this minute.
    pub(crate) made: f64,
}

/// Counts of one minute.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) pod_seconds: f64,
    pub(crate) ready_seconds: f64,
    pub(crate) cpu_requested: f64,
    pub(crate) memory_requested: f64,
    pub(crate) cpu_used: f64,
    pub(crate) memory_used: f64,
    pub(crate) periods: f64,
    pub(crate) throttled: f64,
    pub(crate) received: f64,
    pub(crate) failed: f64,
    pub(crate) oom_kills: u32,
    pub(crate) restarts: u32,
    pub(crate) latencies: Latencies,
}

/// Requests over the whole simulation.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) received: f64,
    pub(crate) done: f64,
    pub(crate) failed: f64,
}

#[derive(Debug, Clone)]
pub(crate) struct Service {
    pub(crate) cpu: CpuCost,
    pub(crate) concurrency: u32,
    pub(crate) scales: bool,
    work: WorkTable,
    pub(crate) callees: Vec<Callee>,
    counts: Counts,
    calls_mean: f64,
    /// Replicas asked for.
    pub(crate) replicas: u32,
    /// The pod template.
    pub(crate) template: ResourceClaim,
    pub(crate) generation: u32,
    /// Places of its pods, in the order they were created.
    pub(crate) pods: Vec<usize>,
    /// Ready pods with the share of requests up to and with each.
    pub(crate) ready: Vec<(usize, f64)>,
    /// Factor on the cost of requests at this time.
    pub(crate) wander: f64,
    pub(crate) leak_per_hour: f64,
    pub(crate) restart_hours: Option<f64>,
    /// Callers of the requests that arrive in this step.
    pub(crate) arriving: Vec<u32>,
    /// Requests that arrive in this step and that are done in it, where steps are long.
    pub(crate) flowing: f64,
    pub(crate) done: f64,
    pub(crate) tally: Tally,
    pub(crate) totals: Totals,
    /// Latencies seen of it in this step, where steps are long; and the share of its requests that failed.
    pub(crate) seen: [f64; 4],
    pub(crate) failing: f64,
}

impl Service {
    pub(crate) fn new(microservice: &Microservice, work: WorkTable) -> Self {
        let leak = microservice.memory.leak;
        Self {
            cpu: microservice.cpu,
            concurrency: microservice.concurrency,
            scales: microservice.scales,
            work,
            callees: Vec::new(),
            counts: Counts::default(),
            calls_mean: 0.0,
            replicas: microservice.replicas,
            template: microservice.claim,
            generation: 0,
            pods: Vec::new(),
            ready: Vec::new(),
            wander: 1.0,
            leak_per_hour: leak.map_or(0.0, |leak| leak.per_hour),
            restart_hours: leak.and_then(|leak| leak.restart_hours),
            arriving: Vec::new(),
            flowing: 0.0,
            done: 0.0,
            tally: Tally::default(),
            totals: Totals::default(),
            seen: [0.0; 4],
            failing: 0.0,
        }
    }

    /// To be called whenever a ratio is different.
    pub(crate) fn calls_changed(&mut self) {
        self.calls_mean = self.callees.iter().map(|callee| callee.ratio).sum();
        self.counts = Counts::new(self.calls_mean.min(TABLED));
    }

    /// How many calls one request makes.
    pub(crate) fn calls(&self, stream: &mut Stream) -> usize {
        if self.callees.is_empty() {
            return 0;
        }
        if self.calls_mean > TABLED {
            return stream.poisson(self.calls_mean) as usize;
        }
        self.counts.pick(stream.uniform())
    }

    /// Which callee one of its calls is to.
    pub(crate) fn callee(&self, uniform: f64) -> usize {
        let mut left = uniform * self.calls_mean;
        let passed = self.callees.iter().take_while(|callee| {
            left -= callee.ratio;
            left >= 0.0
        });
        passed.count().min(self.callees.len() - 1)
    }

    /// The ready pod that a number in [0, 1) chooses; there must be one.
    pub(crate) fn ready_at(&self, chosen: f64) -> usize {
        let place = self.ready.partition_point(|(_, share)| *share <= chosen);
        self.ready[place.min(self.ready.len() - 1)].0
    }

    /// Notes requests that arrive, where they are a fluid.
    pub(crate) fn tally_arrivals(&mut self, count: f64) {
        self.flowing += count;
    }

    /// Notes requests that fail, where they are a fluid.
    pub(crate) fn fail_flow(&mut self, count: f64) {
        self.tally.failed += count;
        self.totals.failed += count;
    }

    /// CPU of a request, in core seconds, chosen by the lower bits.
    pub(crate) fn work(&self, bits: u64) -> f64 {
        self.cpu.per_request * self.wander * self.work.pick(bits)
    }

    /// How the cost of requests is at `second` since the Unix epoch: within 5 % of its mean, slowly from hour to hour.
    pub(crate) fn wander(seed: u64, service: usize, second: f64) -> f64 {
        let hours = second / 3600.0;
        let (hour, part) = (hours.floor(), hours.rem_euclid(1.0));
        let knot = |hour: f64| trait_of(seed, Purpose::Wander, service as u64, hour as i64 as u64);
        1.0 + WANDER * (knot(hour) * (1.0 - part) + knot(hour + 1.0) * part)
    }

    /// What a pod receives relative to the others.
    pub(crate) fn weight(seed: u64, service: usize, place: u64) -> f64 {
        1.0 + IMBALANCE * trait_of(seed, Purpose::Share, service as u64, place)
    }
}
