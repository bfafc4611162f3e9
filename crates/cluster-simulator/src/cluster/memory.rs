//! Memory of pods, and what happens where it does not suffice.

use jiff::Timestamp;
use mora_core::{Bytes, OomKill};

use super::Cluster;
use super::pod::Phase;
use super::random::{Purpose, trait_of};
use crate::MemoryProfile;

/// Standard deviation of memory around its expectation, and half the width of the differences among pods, relative; as in
/// the simulated series.
const NOISE: f64 = 0.003;
const DIFFERENCE: f64 = 0.03;

impl Cluster {
    /// What a second did: CPU and memory are summed up, and containers that use too much are killed.
    pub(super) fn end_second(&mut self) {
        let span = self.tick() as f64 / 1000.0;
        self.crowd(span);
        for place in 0..self.pods.len() {
            if self.pods[place].runs() {
                self.pods[place].memory = self.memory(place, span);
                self.outgrow(place);
            }
        }
        for node in 0..self.nodes.len() {
            self.relieve(node);
        }
        for service in 0..self.services.len() {
            self.tally_second(service, span);
        }
    }

    /// In bytes, at the end of `span` seconds.
    fn memory(&mut self, place: usize, span: f64) -> f64 {
        let noise = self.streams.memory.normal();
        let pod = &mut self.pods[place];
        let service = &self.services[pod.service];
        let MemoryProfile { base, cache, cache_seconds, per_request, .. } =
            self.application.microservices[pod.service].memory;
        // Requests that came and went within the span count by the time they spent (Little's law).
        let inside = pod.inside() + std::mem::take(&mut pod.residence) / span;
        pod.leaked += service.leak_per_hour * span / 3600.0;
        let age = (self.now - pod.started) as f64 / 1000.0;
        let difference =
            trait_of(self.options.seed, Purpose::Memory, pod.service as u64, pod.place);
        let filled = cache * (1.0 - (-age / cache_seconds).exp());
        let expected =
            base * (1.0 + DIFFERENCE * difference) + filled + per_request * inside + pod.leaked;
        (expected * (1.0 + NOISE * noise)).max(0.0)
    }

    /// A container above its limit is killed; one that leaked long enough ends by itself.
    fn outgrow(&mut self, place: usize) {
        let pod = &self.pods[place];
        let hours = (self.now - pod.started) as f64 / 3_600_000.0;
        if pod.memory > pod.memory_limit() {
            self.note_kill(place);
        } else if self.services[pod.service].restart_hours.is_none_or(|after| hours < after) {
            return;
        }
        let service = self.pods[place].service;
        if matches!(self.pods[place].phase, Phase::Ending(_)) {
            self.remove(place);
        } else {
            self.end_container(place);
        }
        self.balance(service);
    }

    fn note_kill(&mut self, place: usize) {
        let pod = &self.pods[place];
        let peak = pod.memory_limit().min(pod.memory);
        let kill = OomKill {
            killed: Timestamp::from_millisecond(self.now).unwrap_or(Timestamp::MAX),
            pod: pod.name.clone(),
            peak: Bytes::new(peak as u64),
        };
        let service = pod.service;
        self.services[service].tally.oom_kills += 1;
        self.history.note_kill(service, kill);
    }

    /// Where a node's memory does not suffice, the pod that uses most beyond its request is evicted, until it does.
    fn relieve(&mut self, node: usize) {
        loop {
            let pods = &self.nodes[node].pods;
            let used: f64 = pods.iter().map(|pod| self.pods[*pod].memory).sum();
            if used <= self.nodes[node].size.memory.get() as f64 {
                return;
            }
            let excess =
                |pod: usize| self.pods[pod].memory - self.pods[pod].requests().memory.get() as f64;
            let worst = pods.iter().copied().max_by(|a, b| excess(*a).total_cmp(&excess(*b)));
            let Some(worst) = worst else { return };
            let service = self.pods[worst].service;
            self.note_kill(worst);
            self.remove(worst);
            self.balance(service);
        }
    }
}
