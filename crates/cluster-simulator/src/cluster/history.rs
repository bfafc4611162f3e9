//! What a collector would have: series by the minute, from the first minute on.

use mora_core::OomKill;

use crate::Application;

/// One pod from the minute it got its node in.
#[derive(Debug, Clone)]
pub(crate) struct PodHistory {
    pub(crate) name: String,
    /// Its first minute, counted from the first one of all.
    pub(crate) first: usize,
    /// Cores, on average.
    pub(crate) cpu: Vec<f32>,
    /// Bytes, at the most.
    pub(crate) memory: Vec<f32>,
}

/// Series of one workload; not a number where there was nothing to measure.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServiceHistory {
    pub(crate) rate: Vec<f32>,
    pub(crate) replicas: Vec<f32>,
    pub(crate) throttled: Vec<f32>,
    pub(crate) latency: [Vec<f32>; 3],
    pub(crate) errors: Vec<f32>,
    pub(crate) restarts: Vec<f32>,
    pub(crate) pods: Vec<PodHistory>,
    pub(crate) oom_kills: Vec<OomKill>,
}

/// The quantiles of latency that are kept.
pub(crate) const QUANTILES: [f64; 3] = [0.5, 0.95, 0.99];

#[derive(Debug, Clone)]
pub(crate) struct History {
    /// The first minute, in milliseconds since the Unix epoch.
    pub(crate) start: i64,
    pub(crate) services: Vec<ServiceHistory>,
    /// Calls per second, by call of the application.
    pub(crate) calls: Vec<Vec<f32>>,
}

impl History {
    pub(crate) fn new(application: &Application, start: i64) -> Self {
        Self {
            start,
            services: vec![ServiceHistory::default(); application.microservices.len()],
            calls: vec![Vec::new(); application.calls.len()],
        }
    }

    pub(crate) fn note_kill(&mut self, service: usize, kill: OomKill) {
        self.services[service].oom_kills.push(kill);
    }

    /// Whole minutes so far.
    pub(crate) fn minutes(&self) -> usize {
        self.services.first().map_or(0, |service| service.rate.len())
    }
}
