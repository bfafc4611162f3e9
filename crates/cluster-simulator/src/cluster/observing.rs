//! What controllers can observe.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{
    ContainerUsage, Dataset, Indicator, Lookback, ResourceClaim, Series, Step, WorkloadRef,
};

use super::history::{PodHistory, ServiceHistory};
use super::pod::Phase;
use super::{Cluster, MINUTE_MILLIS};

/// A pod's CPU counts once it was ready for so long, in milliseconds: a metrics API knows nothing of younger ones.
const MEASURED: i64 = 30_000;

/// How minutes become one step.
type Combine = fn(&mut dyn Iterator<Item = f64>) -> f64;

impl Cluster {
    /// Everything a collector would have seen over `lookback`, ordered by workload: only whole minutes, and so steps of a
    /// minute at least. Longer steps are means of their minutes, of memory the maximum, of restarts the sum.
    ///
    /// Each is made when it is asked for: all of a thousand microservices at once take gigabytes.
    pub fn datasets(&self, lookback: &Lookback) -> impl Iterator<Item = Dataset> + '_ {
        let window = Window::new(lookback, self.history.start, self.history.minutes());
        (0..self.services.len()).map(move |service| self.dataset(service, &window))
    }

    /// CPU usage over about the last half a minute, in cores, of each pod that has been ready for as long, with its CPU
    /// request in cores; and the number of pods that are there but are not, or not for so long. Nothing of an unknown
    /// workload.
    #[must_use]
    pub fn recent(&self, workload: &WorkloadRef) -> (Vec<(f64, f64)>, u32) {
        let Some(service) = self.index.get(workload) else { return (Vec::new(), 0) };
        let (mut measured, mut others) = (Vec::new(), 0);
        for pod in self.services[*service].pods.iter().map(|pod| &self.pods[*pod]) {
            let settled = matches!(pod.phase, Phase::Ready(since) if self.now - since >= MEASURED);
            match pod.recent_cpu().filter(|_| settled) {
                Some(cpu) => measured.push((cpu, pod.requests().cpu.cores())),
                None => others += u32::from(pod.counts()),
            }
        }
        (measured, others)
    }

    /// Replicas asked for; 0 for an unknown workload.
    #[must_use]
    pub fn replicas(&self, workload: &WorkloadRef) -> u32 {
        self.index.get(workload).map_or(0, |service| self.services[*service].replicas)
    }

    /// What pods of `workload` are asked to claim; nothing for an unknown workload.
    #[must_use]
    pub fn claim(&self, workload: &WorkloadRef) -> ResourceClaim {
        let known = self.index.get(workload);
        known.map_or_else(ResourceClaim::default, |service| self.services[*service].template)
    }

    fn dataset(&self, service: usize, window: &Window) -> Dataset {
        let microservice = &self.application.microservices[service];
        let history = &self.history.services[service];
        let mut dataset = Dataset::new(microservice.workload.clone());
        let usage = self.usage(service, window);
        dataset.containers.insert(microservice.container.clone(), usage);
        dataset.request_rate = window.series(0, &history.rate, mean);
        dataset.replicas = window.series(0, &history.replicas, mean);
        for (edge, call) in self.application.calls.iter().enumerate() {
            if call.callee == service {
                let caller = self.application.microservices[call.caller].workload.clone();
                let series = window.series(0, &self.history.calls[edge], mean);
                dataset.calls.extend(series.map(|series| (caller, series)));
            }
        }
        dataset.indicators = indicators(history, window);
        dataset
    }

    fn usage(&self, service: usize, window: &Window) -> ContainerUsage {
        let history = &self.history.services[service];
        let by_pod =
            |of: fn(&PodHistory) -> &[f32], combine: Combine| -> BTreeMap<String, Series> {
                let series = |pod: &PodHistory| {
                    let series = window.series(pod.first, of(pod), combine)?;
                    Some((pod.name.clone(), series))
                };
                history.pods.iter().filter_map(series).collect()
            };
        let kills = history.oom_kills.iter().filter(|kill| window.holds(kill.killed));
        ContainerUsage {
            claim: self.services[service].template,
            cpu: by_pod(|pod| &pod.cpu, mean),
            memory: by_pod(|pod| &pod.memory, largest),
            oom_kills: kills.cloned().collect(),
        }
    }
}

fn indicators(history: &ServiceHistory, window: &Window) -> BTreeMap<Indicator, Series> {
    let [p50, p95, p99] = &history.latency;
    [
        (Indicator::ThrottledRatio, &history.throttled, mean as Combine),
        (Indicator::LatencyP50, p50, mean),
        (Indicator::LatencyP95, p95, mean),
        (Indicator::LatencyP99, p99, mean),
        (Indicator::ErrorRatio, &history.errors, mean),
        (Indicator::Restarts, &history.restarts, total),
    ]
    .into_iter()
    .filter_map(|(indicator, values, combine)| {
        Some((indicator, window.series(0, values, combine)?))
    })
    .collect()
}

fn mean(values: &mut dyn Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    sum / count
}

fn largest(values: &mut dyn Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

fn total(values: &mut dyn Iterator<Item = f64>) -> f64 {
    values.sum()
}

/// A lookback in minutes of the history.
struct Window {
    step: Step,
    /// Minutes in a step.
    width: usize,
    /// The first minute, in minutes since the Unix epoch.
    origin: i64,
    /// First and last step that hold whole minutes of the history, counted from the epoch.
    first: i64,
    end: i64,
    lookback: Lookback,
}

impl Window {
    fn new(lookback: &Lookback, start: i64, minutes: usize) -> Self {
        let seconds = lookback.step.seconds().max(60).div_ceil(60) * 60;
        let step = Step::from_seconds(seconds).unwrap_or(Step::MINUTE);
        let (width, origin) = (i64::from(seconds) / 60, start / MINUTE_MILLIS);
        let known = origin + minutes as i64;
        let aligned = Lookback { step, ..*lookback };
        let first = aligned.first_second() / i64::from(seconds);
        let end = first + aligned.steps() as i64;
        let first = first.max(-(-origin).div_euclid(width));
        let end = end.min(known.div_euclid(width));
        Self { step, width: width as usize, origin, first, end, lookback: *lookback }
    }

    fn holds(&self, time: Timestamp) -> bool {
        self.lookback.holds(time)
    }

    /// `values` of the history from minute `offset` on, in the steps of the window they reach into; `None` where they reach
    /// into none.
    fn series(&self, offset: usize, values: &[f32], combine: Combine) -> Option<Series> {
        let width = self.width as i64;
        let from = self.origin + offset as i64;
        let to = from + values.len() as i64;
        let first = self.first.max(from.div_euclid(width));
        let end = self.end.min(-(-to).div_euclid(width));
        let step = |step: i64| {
            let bound = |minute: i64| (minute - from).clamp(0, values.len() as i64) as usize;
            let minutes = &values[bound(step * width)..bound((step + 1) * width)];
            let mut seen =
                minutes.iter().filter(|v| v.is_finite()).map(|v| f64::from(*v)).peekable();
            seen.peek()?;
            Some(combine(&mut seen))
        };
        let start = Timestamp::from_second(first * width * 60).ok()?;
        let values: Vec<Option<f64>> = (first..end).map(step).collect();
        Series::new(start, self.step, values).ok().filter(|series| !series.is_empty())
    }
}
