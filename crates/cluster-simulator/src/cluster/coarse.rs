//! Steps longer than a period: requests are a fluid, and what happens within periods is computed from means and variances.

use super::Cluster;
use super::pod::Fluid;
use super::random::Stream;
use super::requests::USER;
use super::serving::{PATIENCE, Waiting};

/// A period in seconds.
const PERIOD: f64 = 0.1;
/// Latencies that are looked at in each step.
const SEEN: usize = 4;

impl Cluster {
    /// The pods of `service` work off what arrives in this step and call others.
    pub(super) fn serve_coarse(&mut self, service: usize) {
        let arriving = std::mem::take(&mut self.services[service].flowing);
        self.services[service].tally.received += arriving;
        self.services[service].totals.received += arriving;
        let failed_before = self.services[service].totals.failed;
        if self.services[service].ready.is_empty() {
            self.services[service].fail_flow(arriving);
        } else if arriving > 0.0 {
            self.pour(service, arriving);
        }
        let mut done = 0.0;
        for place in 0..self.services[service].pods.len() {
            let pod = self.services[service].pods[place];
            if self.pods[pod].runs() {
                done += self.work_coarse(service, pod);
            }
        }
        let failed = self.services[service].totals.failed - failed_before;
        let of_service = &mut self.services[service];
        of_service.done = done;
        of_service.failing = if failed > 0.0 { failed / (done + failed) } else { 0.0 };
        for callee in 0..self.services[service].callees.len() {
            let called = &mut self.services[service].callees[callee];
            let calls = f64::from(self.streams.calls.poisson(called.ratio * done));
            called.made += calls;
            let to = called.service;
            self.services[to].flowing += calls;
        }
    }

    /// Spreads requests over the ready pods, each of which gets about its share.
    fn pour(&mut self, service: usize, arriving: f64) {
        let Self { services, pods, streams, .. } = self;
        let of_service = &services[service];
        let variation = of_service.cpu.variation;
        let mean = of_service.cpu.per_request * of_service.wander;
        let (mut left, mut before) = (arriving, 0.0);
        for (pod, share) in &of_service.ready {
            let part = ((share - before) / (1.0 - before)).clamp(0.0, 1.0);
            let requests = binomial(&mut streams.requests, left, part);
            (left, before) = (left - requests, *share);
            let spread = variation * requests.sqrt() * streams.requests.normal();
            let work = mean * (requests + spread).max(requests * 0.1);
            pods[*pod].fluid.requests += requests;
            pods[*pod].fluid.work += work;
        }
    }

    /// Requests done.
    fn work_coarse(&mut self, service: usize, place: usize) -> f64 {
        let seconds = self.seconds();
        let background = self.background(service, place);
        let Some(node) = self.pods[place].node else { return 0.0 };
        let of_service = &self.services[service];
        let pod = &mut self.pods[place];
        let node = &mut self.nodes[node];
        let cores = node.cores.min(of_service.concurrency as usize) as f64;
        let of_node = node.allows(pod.fair);
        let allowed = pod.budget.min(of_node).max(0.0);
        let own = background.min(allowed);
        let room = (allowed - own).min(cores * seconds);
        let Fluid { requests, work } = pod.fluid;
        let used = work.min(room);
        let (done, left) = if work > room {
            (
                requests * used / work,
                Fluid { requests: requests * (1.0 - used / work), work: work - used },
            )
        } else {
            (requests, Fluid::default())
        };
        let starved = work > room || own < background;
        let by_node = starved && of_node < pod.budget;
        node.short |= by_node;
        node.spend(used + own);
        pod.used(used + own);
        pod.demand = if by_node { cores * seconds } else { used + own };
        pod.second.periods += seconds / PERIOD;
        let full = starved && !by_node;
        let mean = of_service.cpu.per_request * of_service.wander;
        let held = if full {
            1.0
        } else {
            exceeding(
                pod.budget,
                own + used,
                done,
                mean * of_service.cpu.variation.hypot(1.0),
                seconds,
            )
        };
        pod.second.throttled += held * seconds / PERIOD;
        pod.progress(background, own, seconds);
        pod.fluid = left;
        // What would wait longer than callers do fails.
        let patient = room / seconds * PATIENCE;
        if left.work > patient && left.requests > 0.0 {
            let kept = patient / left.work;
            pod.fluid = Fluid { requests: left.requests * kept, work: patient };
            self.services[service].fail_flow(left.requests * (1.0 - kept));
        }
        done
    }

    /// What users and callers see: failures and latencies, callees first.
    pub(super) fn answers_coarse(&mut self) {
        for place in (0..self.order.len()).rev() {
            let service = self.order[place];
            let done = std::mem::take(&mut self.services[service].done);
            let works = self.services[service].callees.iter().fold(1.0, |works, callee| {
                works * (1.0 - self.services[callee.service].failing).powf(callee.ratio)
            });
            let failed = done * (1.0 - works);
            let of_service = &mut self.services[service];
            of_service.failing = 1.0 - (1.0 - of_service.failing) * works;
            of_service.fail_flow(failed);
            of_service.totals.done += done - failed;
            if done > 0.0 {
                self.see(service, done - failed);
            }
        }
    }

    /// A few latencies stand for all of this step.
    fn see(&mut self, service: usize, count: f64) {
        let mut seen = [0.0; SEEN];
        for latency in &mut seen {
            *latency = self.own_latency(service);
            let calls = self.services[service].calls(&mut self.streams.calls);
            for _ in 0..calls {
                let bits = self.streams.calls.bits();
                let chosen = self.services[service].callee(super::random::unit(bits));
                let callee = self.services[service].callees[chosen].service;
                *latency += self.services[callee].seen[bits as usize % SEEN];
            }
            self.services[service].tally.latencies.add(*latency, count / SEEN as f64);
            if service == self.application.entry {
                self.recording.latencies.add(*latency, count / SEEN as f64);
            }
        }
        self.services[service].seen = seen;
    }

    /// CPU and waiting of one request, behind what waits in its pod, and in a throttled period until the next one.
    fn own_latency(&mut self, service: usize) -> f64 {
        let bits = self.streams.requests.bits();
        let chosen = super::random::unit(bits.rotate_left(20));
        let of_service = &self.services[service];
        let work = of_service.work(bits);
        let Some(pod) = (!of_service.ready.is_empty()).then(|| of_service.ready_at(chosen)) else {
            return work + of_service.cpu.waiting;
        };
        let pod = &self.pods[pod];
        let own = work * pod.stretch + of_service.cpu.waiting;
        let limit = pod.cpu_limit;
        let queued = if limit.is_finite() { pod.fluid.work / limit.max(1e-6) } else { 0.0 };
        let held = pod.second.throttled / pod.second.periods.max(1.0);
        let stalled = if self.streams.requests.uniform() < held {
            PERIOD * self.streams.requests.uniform()
        } else {
            0.0
        };
        own + queued + stalled
    }

    /// Before shorter steps: what waits in pods is made of requests again.
    pub(super) fn fluid_becomes_requests(&mut self) {
        let arrived = (self.now - self.start) as f64 / 1000.0;
        for pod in 0..self.pods.len() {
            let Fluid { requests, work } = std::mem::take(&mut self.pods[pod].fluid);
            let count = requests.round();
            let service = self.pods[pod].service;
            // A part of a request counts as done.
            self.services[service].totals.done += requests - count;
            for _ in 0..count as usize {
                let request = self.requests.insert(USER, service);
                let known = self.requests.get(request);
                known.pod = pod as u32;
                known.incarnation = self.pods[pod].incarnation;
                let waiting = Waiting { request, arrived, work: work / count };
                self.pods[pod].queue.push_back(waiting);
            }
        }
    }

    /// Before longer steps: what waits in pods becomes a fluid, and what waits for calls is done.
    pub(super) fn requests_become_fluid(&mut self) {
        for place in 0..self.pods.len() {
            let pod = &mut self.pods[place];
            pod.held = 0;
            for waiting in std::mem::take(&mut pod.queue) {
                pod.fluid.requests += 1.0;
                pod.fluid.work += waiting.work;
            }
        }
        for (service, waiting) in self.requests.clear(self.services.len()).into_iter().enumerate() {
            let inside =
                self.services[service].pods.iter().map(|pod| self.pods[*pod].fluid.requests);
            let inside: f64 = inside.sum();
            self.services[service].totals.done += waiting as f64 - inside;
        }
    }
}

/// A count of about `part` of `whole`.
fn binomial(stream: &mut Stream, whole: f64, part: f64) -> f64 {
    if part >= 1.0 {
        return whole;
    }
    let mean = whole * part;
    let spread = (mean * (1.0 - part)).sqrt();
    (mean + spread * stream.normal()).round().clamp(0.0, whole)
}

/// The share of periods in which what arrives is more than the limit gives, where `requests` with a root mean square of
/// `size` core seconds come at random over `seconds`.
fn exceeding(budget: f64, used: f64, requests: f64, size: f64, seconds: f64) -> f64 {
    let periods = seconds / PERIOD;
    let (quota, mean) = (budget / periods, used / periods);
    let spread = (requests / periods).sqrt() * size;
    if !quota.is_finite() || spread <= 0.0 {
        return 0.0;
    }
    // The logistic curve is within 0.01 of the normal one.
    1.0 / (1.0 + (1.702 * (quota - mean) / spread).exp())
}
