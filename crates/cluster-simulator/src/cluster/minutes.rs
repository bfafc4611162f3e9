//! Counts of seconds and minutes become a recording and a history.

use super::Cluster;
use super::history::{PodHistory, QUANTILES};
use super::service::Tally;
use crate::WorkloadMinute;

const MINUTE: f64 = 60.0;

impl Cluster {
    /// Adds what the pods of `service` held and used over `span` seconds.
    pub(super) fn tally_second(&mut self, service: usize, span: f64) {
        let Self { services, pods, now, .. } = self;
        let service = &mut services[service];
        let mut memory = 0.0;
        for pod in &service.pods {
            let pod = &mut pods[*pod];
            let usage = pod.take_second(*now);
            let tally = &mut service.tally;
            tally.cpu_used += usage.cpu;
            tally.periods += usage.periods;
            tally.throttled += usage.throttled;
            if pod.node.is_none() {
                continue;
            }
            let claimed = pod.requests();
            tally.pod_seconds += span;
            tally.cpu_requested += claimed.cpu.cores() * span;
            tally.memory_requested += claimed.memory.get() as f64 * span;
            tally.ready_seconds += if pod.is_ready() { span } else { 0.0 };
            memory += pod.memory;
            pod.minute_memory = pod.minute_memory.max(pod.memory);
        }
        service.tally.memory_used = service.tally.memory_used.max(memory);
    }

    pub(super) fn end_minute(&mut self) {
        let minute = self.history.minutes();
        for service in 0..self.services.len() {
            self.pods_to_history(service, minute);
            let mut tally = std::mem::take(&mut self.services[service].tally);
            self.recording.minutes[service].push(minute_of(&tally));
            self.minute_to_history(service, &tally);
            tally.latencies.clear();
            let latencies = std::mem::take(&mut tally.latencies);
            self.services[service].tally = Tally { latencies, ..Tally::default() };
        }
    }

    fn pods_to_history(&mut self, service: usize, minute: usize) {
        let history = &mut self.history.services[service];
        for pod in &self.services[service].pods {
            let pod = &mut self.pods[*pod];
            if pod.node.is_none() {
                continue;
            }
            if pod.history == usize::MAX {
                pod.history = history.pods.len();
                let name = pod.name.clone();
                let (cpu, memory) = (Vec::new(), Vec::new());
                history.pods.push(PodHistory { name, first: minute, cpu, memory });
            }
            let cpu = std::mem::take(&mut pod.minute_cpu) / MINUTE;
            let memory = std::mem::take(&mut pod.minute_memory);
            history.pods[pod.history].cpu.push(cpu as f32);
            history.pods[pod.history].memory.push(memory as f32);
        }
    }

    fn minute_to_history(&mut self, service: usize, tally: &Tally) {
        let history = &mut self.history.services[service];
        let seen = |value: Option<f64>| value.map_or(f32::NAN, |value| value as f32);
        history.rate.push((tally.received / MINUTE) as f32);
        history.replicas.push((tally.ready_seconds / MINUTE) as f32);
        history.throttled.push(seen(share(tally.throttled, tally.periods)));
        for (series, quantile) in history.latency.iter_mut().zip(QUANTILES) {
            series.push(seen(tally.latencies.quantile(quantile)));
        }
        history.errors.push(seen(share(tally.failed, tally.received)));
        history.restarts.push(tally.restarts as f32);
        for callee in &mut self.services[service].callees {
            let made = std::mem::take(&mut callee.made);
            self.history.calls[callee.edge].push((made / MINUTE) as f32);
        }
    }
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).clamp(0.0, 1.0))
}

fn minute_of(tally: &Tally) -> WorkloadMinute {
    WorkloadMinute {
        pods: tally.pod_seconds / MINUTE,
        ready: tally.ready_seconds / MINUTE,
        cpu_requested: tally.cpu_requested / MINUTE,
        cpu_used: tally.cpu_used / MINUTE,
        memory_requested: tally.memory_requested / MINUTE,
        memory_used: tally.memory_used,
        throttled: share(tally.throttled, tally.periods).unwrap_or(0.0),
        received: tally.received / MINUTE,
        failed: tally.failed / MINUTE,
        latency_p95: tally.latencies.quantile(0.95),
        oom_kills: tally.oom_kills,
    }
}
