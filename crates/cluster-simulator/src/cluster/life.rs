//! Once a second: pods start, become ready, end; and who takes requests.

use super::pod::{Phase, Pod};
use super::service::Service;
use super::{Cluster, SECOND_MILLIS};

/// The kubelet starts a container again after 10 s, then after twice as long each time, up to 300 s; once it ran for ten
/// minutes, after 10 s again.
const BACK_OFF: i64 = 10 * SECOND_MILLIS;
const MOST_BACK_OFF: i64 = 300 * SECOND_MILLIS;
const FORGIVEN: i64 = 600 * SECOND_MILLIS;

impl Cluster {
    /// What happens between two seconds: events, nodes that come back, pods that go on in their lives.
    pub(super) fn begin_second(&mut self) {
        self.events_happen();
        let mut different = self.nodes_return();
        for pod in 0..self.pods.len() {
            different |= self.live(pod);
        }
        for service in 0..self.services.len() {
            different |= self.reconcile(service);
            let second = self.now as f64 / 1000.0;
            self.services[service].wander = Service::wander(self.options.seed, service, second);
        }
        different |= self.place_pending();
        if different {
            self.balance_all();
        }
    }

    /// Whether the pod is in another phase than before.
    fn live(&mut self, place: usize) -> bool {
        let now = self.now;
        let pod = &self.pods[place];
        match pod.phase {
            Phase::Starting(progress) => {
                let start = self.application.microservices[pod.service].start_up;
                let ready = progress + 1e-9 >= start.seconds;
                if ready {
                    self.pods[place].phase = Phase::Ready(now);
                }
                ready
            }
            Phase::BackOff(until) if until <= now => {
                self.start_container(place);
                true
            }
            Phase::Lost(until) if until <= now => {
                self.remove(place);
                true
            }
            Phase::Ending(until) if until <= now || pod.inside() <= 0.0 => {
                self.remove(place);
                true
            }
            _ => {
                self.try_resize(place);
                false
            }
        }
    }

    /// A new run of the container of a pod that has its node.
    pub(super) fn start_container(&mut self, place: usize) {
        self.incarnations += 1;
        let pod = &mut self.pods[place];
        pod.incarnation = self.incarnations;
        pod.phase = Phase::Starting(0.0);
        pod.started = self.now;
        pod.leaked = 0.0;
        pod.budget = 0.0;
        pod.fair = f64::INFINITY;
    }

    /// The container ends; what is in it fails, and it starts again later.
    pub(super) fn end_container(&mut self, place: usize) {
        let pod = &mut self.pods[place];
        let lasted = self.now - pod.started;
        pod.back_off = if lasted >= FORGIVEN || pod.back_off == 0 {
            BACK_OFF
        } else {
            (pod.back_off * 2).min(MOST_BACK_OFF)
        };
        pod.phase = Phase::BackOff(self.now + pod.back_off);
        let service = pod.service;
        self.services[service].tally.restarts += 1;
        self.fail_inside(place);
    }

    /// All requests in the pod fail.
    pub(super) fn fail_inside(&mut self, place: usize) {
        self.incarnations += 1;
        let pod = &mut self.pods[place];
        // What waits for calls finds another run of the container when it comes back.
        pod.incarnation = self.incarnations;
        pod.held = 0;
        pod.memory = 0.0;
        let service = pod.service;
        let fluid = std::mem::take(&mut pod.fluid).requests;
        let queue = std::mem::take(&mut pod.queue);
        self.services[service].tally.failed += fluid;
        self.services[service].totals.failed += fluid;
        for waiting in queue {
            self.requests.get(waiting.request).failed = true;
            self.resolve(waiting.request);
        }
    }

    /// The pod is no more.
    pub(super) fn remove(&mut self, place: usize) {
        self.leave_node(place);
        self.fail_inside(place);
        let service = self.pods[place].service;
        self.services[service].pods.retain(|pod| *pod != place);
        let incarnation = self.pods[place].incarnation;
        let claim = self.pods[place].claim;
        // Requests on their way still name this place and the run they were in.
        self.pods[place] = Pod { phase: Phase::Gone, incarnation, ..Pod::new(service, claim) };
        self.free_pods.push(place);
    }

    /// Which pods take requests, and how many each.
    pub(super) fn balance_all(&mut self) {
        for service in 0..self.services.len() {
            self.balance(service);
        }
    }

    pub(super) fn balance(&mut self, service: usize) {
        let Self { services, pods, options, .. } = self;
        let Service { ready, pods: own, .. } = &mut services[service];
        ready.clear();
        let mut sum = 0.0;
        for pod in own.iter().copied().filter(|pod| pods[*pod].is_ready()) {
            sum += Service::weight(options.seed, service, pods[pod].place);
            ready.push((pod, sum));
        }
        for (_, share) in ready {
            *share /= sum;
        }
    }
}
