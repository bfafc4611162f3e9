//! Requests go through the application: one step, service by service, callers first.

use super::pod::Phase;
use super::requests::USER;
use super::serving::{Allowance, Waiting, serve};
use super::{Cluster, PERIOD_MILLIS};

/// Requests that were in a pod for a shorter time are rarely there at the end of a second, when pods are looked at.
const BRIEF: f64 = 0.5;

/// The part of a random number that chooses the instant, the one that chooses the pod, and what is left for the work.
const INSTANT: f64 = 4_294_967_296.0;
const POD_SHIFT: u32 = 12;
const POD: u64 = 0xf_ffff;

impl Cluster {
    /// Users make requests. Their number depends on nothing but the seed and the demand.
    pub(super) fn users_arrive(&mut self) {
        let middle = (self.now as f64 + self.step_millis() as f64 / 2.0) / 1000.0;
        let mean = self.demand.rate(middle).max(0.0) * self.seconds();
        let count = self.streams.arrivals.poisson(mean);
        let entry = self.application.entry;
        if self.is_coarse() {
            self.services[entry].tally_arrivals(f64::from(count));
        } else {
            self.services[entry].arriving.extend(std::iter::repeat_n(USER, count as usize));
        }
    }

    /// The requests that arrive at `service` in this step are spread over its pods, and its pods work.
    pub(super) fn serve(&mut self, service: usize) {
        let mut arriving = std::mem::take(&mut self.services[service].arriving);
        if !arriving.is_empty() {
            let counted = arriving.len() as f64;
            self.services[service].tally.received += counted;
            self.services[service].totals.received += counted;
            if self.services[service].ready.is_empty() {
                self.refuse(service, &arriving);
            } else {
                self.spread(service, &arriving);
            }
            arriving.clear();
        }
        self.services[service].arriving = arriving;
        for place in 0..self.services[service].pods.len() {
            let pod = self.services[service].pods[place];
            if self.pods[pod].runs() {
                self.work(service, pod);
            }
        }
    }

    fn refuse(&mut self, service: usize, callers: &[u32]) {
        for caller in callers {
            let request = self.requests.insert(*caller, service);
            self.requests.get(request).failed = true;
            self.resolve(request);
        }
    }

    /// Each request arrives at an instant of its own in this step, at a pod by its share.
    fn spread(&mut self, service: usize, callers: &[u32]) {
        let Self { services, pods, requests, streams, arrivals, .. } = self;
        let service_now = &services[service];
        let (from, length) =
            ((self.now - self.start) as f64 / 1000.0, f64::from(self.options.step_millis) / 1000.0);
        arrivals.clear();
        arrivals.extend(callers.iter().map(|_| streams.requests.bits()));
        arrivals.sort_unstable();
        for (bits, caller) in arrivals.iter().zip(callers) {
            let instant = (bits >> 32) as f64 / INSTANT;
            let chosen = ((bits >> POD_SHIFT) & POD) as f64 / (POD + 1) as f64;
            let pod = service_now.ready_at(chosen);
            let request = requests.insert(*caller, service);
            let known = requests.get(request);
            known.pod = pod as u32;
            known.incarnation = pods[pod].incarnation;
            let (arrived, work) = (from + length * instant, service_now.work(*bits));
            pods[pod].queue.push_back(Waiting { request, arrived, work });
        }
    }

    /// A pod works off what its limit and its node allow in this step.
    fn work(&mut self, service: usize, place: usize) {
        let seconds = self.seconds();
        let from = (self.now - self.start) as f64 / 1000.0;
        let background = self.background(service, place);
        let period_ends = (self.now + self.step_millis()) % PERIOD_MILLIS == 0;
        let pod = &mut self.pods[place];
        let Some(node) = pod.node else { return };
        let node = &mut self.nodes[node];
        let of_node = node.allows(pod.fair);
        let allowed = pod.budget.min(of_node).max(0.0);
        let own = background.min(allowed);
        let concurrency = self.services[service].concurrency.saturating_sub(pod.held) as usize;
        let allowance = Allowance {
            from,
            to: from + seconds,
            cores: node.cores.min(concurrency),
            work: allowed - own,
            stretch: node.stretch(pod.stretch),
        };
        let (used, short) = serve(pod, allowance, &mut self.served);
        let starved = short || own < background;
        let by_limit = starved && pod.budget <= of_node;
        let by_node = starved && !by_limit;
        pod.held_back |= by_limit;
        node.short |= by_node;
        pod.budget -= used + own;
        node.spend(used + own);
        pod.used(used + own);
        // Only shares of a short node are made from it.
        pod.demand = if by_node { node.cores as f64 * seconds } else { used + own };
        pod.progress(background, own, seconds);
        if period_ends {
            pod.second.periods += 1.0;
            pod.second.throttled += f64::from(u8::from(std::mem::take(&mut pod.held_back)));
        }
        self.hand_on(service);
    }

    /// Core seconds in this step for which no request is the reason.
    pub(super) fn background(&self, service: usize, pod: usize) -> f64 {
        let cores = if matches!(self.pods[pod].phase, Phase::Starting(_)) {
            let start = self.application.microservices[service].start_up;
            if start.seconds > 0.0 { start.cpu / start.seconds } else { 0.0 }
        } else {
            self.services[service].cpu.idle
        };
        cores * self.seconds()
    }

    /// Requests whose CPU is done make their calls; those that waited too long fail.
    fn hand_on(&mut self, service: usize) {
        if self.served.done.is_empty() && self.served.expired.is_empty() {
            return;
        }
        let mut served = std::mem::take(&mut self.served);
        for (request, seconds) in served.done.drain(..) {
            self.requests.get(request).latency = seconds + self.services[service].cpu.waiting;
            let calls = self.services[service].calls(&mut self.streams.calls);
            if calls == 0 {
                self.resolve(request);
            } else {
                self.call(service, request, calls);
            }
        }
        for request in served.expired.drain(..) {
            let expired = self.requests.get(request);
            expired.failed = true;
            expired.latency = super::serving::PATIENCE;
            self.resolve(request);
        }
        self.served = served;
    }

    fn call(&mut self, service: usize, request: u32, calls: usize) {
        let known = self.requests.get(request);
        known.pending = calls as u32;
        known.held = true;
        self.pods[known.pod as usize].held += 1;
        for _ in 0..calls {
            let chosen = self.services[service].callee(self.streams.calls.uniform());
            let callee = &mut self.services[service].callees[chosen];
            callee.made += 1.0;
            let to = callee.service;
            self.services[to].arriving.push(request);
        }
    }

    /// `request` is done, and so are its callers that waited for nothing else.
    pub(super) fn resolve(&mut self, mut request: u32) {
        loop {
            let mut done = self.requests.remove(request);
            let pod = &mut self.pods[done.pod as usize];
            if pod.incarnation == done.incarnation {
                pod.held -= u32::from(done.held);
                if done.latency < BRIEF {
                    pod.residence += done.latency;
                }
            } else {
                // Its container ended while it waited for calls, or it found none.
                done.failed = true;
            }
            let service = &mut self.services[done.service as usize];
            if done.failed {
                service.tally.failed += 1.0;
                service.totals.failed += 1.0;
            } else {
                service.totals.done += 1.0;
                service.tally.latencies.add(done.latency, 1.0);
            }
            if done.caller == USER {
                if !done.failed {
                    self.recording.latencies.add(done.latency, 1.0);
                }
                return;
            }
            let caller = self.requests.get(done.caller);
            caller.latency += done.latency;
            caller.failed |= done.failed;
            caller.pending -= 1;
            if caller.pending > 0 {
                return;
            }
            request = done.caller;
        }
    }
}
