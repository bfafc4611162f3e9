//! What was observed of one workload.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Bytes, Indicator, Millicores, Series, Signal, Step, WorkloadRef};

/// The CPU and memory requests and limits a container has now; `None` where it states none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ResourceClaim {
    /// CPU request.
    pub cpu_request: Option<Millicores>,
    /// CPU limit.
    pub cpu_limit: Option<Millicores>,
    /// Memory request.
    pub memory_request: Option<Bytes>,
    /// Memory limit.
    pub memory_limit: Option<Bytes>,
}

/// One time the kernel killed a container for lack of memory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct OomKill {
    /// When.
    pub killed: Timestamp,
    /// The pod it ran in.
    pub pod: String,
    /// What it had: the largest working set of the hour before, or its limit where that is higher.
    pub peak: Bytes,
}

/// Usage of one container in every pod that ran it, keyed by pod name.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ContainerUsage {
    /// What the container claims now.
    pub claim: ResourceClaim,
    /// CPU usage by pod, in cores.
    pub cpu: BTreeMap<String, Series>,
    /// Memory working set by pod, in bytes.
    pub memory: BTreeMap<String, Series>,
    /// When it ran out of memory; empty where that is not measured.
    #[serde(default)]
    pub oom_kills: BTreeSet<OomKill>,
}

const DAY_SECONDS: i64 = 86_400;

impl ContainerUsage {
    /// The largest memory working set of any pod per day, oldest first, in days that end at `now`; `None` for a day
    /// without an observation.
    #[must_use]
    pub fn daily_memory(&self, now: Timestamp) -> Vec<Option<Bytes>> {
        let mut by_age: BTreeMap<usize, f64> = BTreeMap::new();
        for series in self.memory.values() {
            let oldest = now.as_second() - series.start().as_second();
            let step = i64::from(series.step().seconds());
            for (index, value) in series.values().iter().enumerate() {
                let Some(value) = *value else { continue };
                let age = oldest - index as i64 * step;
                let days = usize::try_from(age / DAY_SECONDS).unwrap_or(0);
                by_age.entry(days).and_modify(|most| *most = most.max(value)).or_insert(value);
            }
        }
        let oldest = by_age.last_key_value().map_or(0, |(age, _)| age + 1);
        let largest = |age| by_age.get(&age).and_then(|most| Bytes::from_measured(*most).ok());
        (0..oldest).rev().map(largest).collect()
    }
}

/// Everything observed of one workload over a lookback.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dataset {
    /// The workload.
    pub workload: WorkloadRef,
    /// Usage by container name.
    pub containers: BTreeMap<String, ContainerUsage>,
    /// Requests received per second, summed over pods; `None` where nothing measures it.
    pub request_rate: Option<Series>,
    /// Ready replicas; `None` where nothing measures it.
    pub replicas: Option<Series>,
    /// Requests received per second, by calling workload.
    pub calls: BTreeMap<WorkloadRef, Series>,
    /// How well it did, where that is measured.
    #[serde(default)]
    pub indicators: BTreeMap<Indicator, Series>,
}

impl Dataset {
    /// An empty dataset of `workload`.
    #[must_use]
    pub const fn new(workload: WorkloadRef) -> Self {
        Self {
            workload,
            containers: BTreeMap::new(),
            request_rate: None,
            replicas: None,
            calls: BTreeMap::new(),
            indicators: BTreeMap::new(),
        }
    }

    /// The signals a model learns from: CPU summed over pods, memory of the largest pod, request rate.
    ///
    /// CPU has a gap where one of the pods that ran was not observed. A signal nothing was
    /// observed of is absent.
    #[must_use]
    pub fn signals(&self) -> BTreeMap<Signal, Series> {
        let cpu = self.containers.values().flat_map(|c| c.cpu.values());
        let cpu = combine(cpu.clone(), |a, b| a + b).map(|sum| without_partial_steps(sum, cpu));
        let memory = combine(self.pod_memory().values(), f64::max);
        [
            (Signal::Cpu, cpu),
            (Signal::Memory, memory),
            (Signal::RequestRate, self.request_rate.clone()),
        ]
        .into_iter()
        .filter_map(|(signal, series)| series.map(|s| (signal, s)))
        .filter(|(_, series)| series.coverage() > 0.0)
        .collect()
    }

    /// Replicas that ran at the end of the lookback: the last one counted, else the pods whose usage reaches the end.
    #[must_use]
    pub fn current_replicas(&self) -> u32 {
        let counted = self.replicas.as_ref().and_then(|r| r.observed().last());
        counted.map_or_else(|| self.pods_at_end(), |replicas| replicas.round() as u32).max(1)
    }

    /// The instant after the newest observation; `None` when there is none.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        self.signals().values().filter_map(Series::observed_until).max()
    }

    /// Each container's share of the workload's CPU and of its memory, both in [0, 1] and summing to 1
    /// over the containers.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<String, (f64, f64)> {
        let total = |of: fn(&ContainerUsage) -> &BTreeMap<String, Series>, c: &ContainerUsage| {
            of(c).values().flat_map(Series::observed).sum::<f64>()
        };
        let cpu: f64 = self.containers.values().map(|c| total(|c| &c.cpu, c)).sum();
        let memory: f64 = self.containers.values().map(|c| total(|c| &c.memory, c)).sum();
        let even = 1.0 / self.containers.len().max(1) as f64;
        let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { even };
        self.containers
            .iter()
            .map(|(name, c)| {
                let shares =
                    (share(total(|c| &c.cpu, c), cpu), share(total(|c| &c.memory, c), memory));
                (name.clone(), shares)
            })
            .collect()
    }

    fn pod_memory(&self) -> BTreeMap<&str, Series> {
        let mut pods: BTreeMap<&str, Vec<&Series>> = BTreeMap::new();
        for container in self.containers.values() {
            for (pod, series) in &container.memory {
                pods.entry(pod).or_default().push(series);
            }
        }
        pods.into_iter()
            .filter_map(|(pod, series)| Some((pod, combine(series.into_iter(), |a, b| a + b)?)))
            .collect()
    }

    fn pods_at_end(&self) -> u32 {
        let Some(end) = self.end() else { return 0 };
        let running = |container: &ContainerUsage| {
            container.cpu.values().filter(|s| s.observed_until() == Some(end)).count()
        };
        self.containers.values().map(running).max().unwrap_or(0) as u32
    }
}

/// The series combined step by step with `merge`; a step is a gap only where every series has one.
///
/// Series with another step than the first are left out: one source collects at one step.
fn combine<'a>(
    all: impl Iterator<Item = &'a Series>,
    merge: fn(f64, f64) -> f64,
) -> Option<Series> {
    let all: Vec<&Series> = all.filter(|s| !s.is_empty()).collect();
    let step = all.first()?.step();
    let start = step.floor(all.iter().map(|s| s.start()).min()?);
    let end = all.iter().map(|s| s.end()).max()?;
    let mut values = vec![None; steps_between(start, end, step)];
    for series in all.iter().filter(|s| s.step() == step) {
        let offset = steps_between(start, step.floor(series.start()), step);
        for (cell, value) in values[offset..].iter_mut().zip(series.values()) {
            *cell = match (*cell, *value) {
                (Some(a), Some(b)) => Some(merge(a, b)),
                (a, b) => a.or(b),
            };
        }
    }
    Series::new(start, step, values).ok()
}

/// The sum with a gap wherever a pod that was observed before and after was not: a missed scrape is no
/// drop in usage.
fn without_partial_steps<'a>(sum: Series, pods: impl Iterator<Item = &'a Series>) -> Series {
    let (start, step) = (sum.start(), sum.step());
    let mut values = sum.values().to_vec();
    for pod in pods.filter(|pod| pod.step() == step) {
        let observed = |value: &Option<f64>| value.is_some();
        let first = pod.values().iter().position(observed).unwrap_or(pod.len());
        let last = pod.values().iter().rposition(observed).unwrap_or(0);
        let offset = steps_between(start, step.floor(pod.start()), step);
        let missed = (first..last).filter(|index| pod.values()[*index].is_none());
        missed.for_each(|index| values[offset + index] = None);
    }
    // Fewer of the same finite values on the same grid are still a series.
    Series::new(start, step, values).unwrap_or(sum)
}

fn steps_between(start: Timestamp, end: Timestamp, step: Step) -> usize {
    let seconds = end.as_second() - start.as_second();
    usize::try_from(seconds / i64::from(step.seconds())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(start: i64, values: &[Option<f64>]) -> Series {
        Series::new(Timestamp::from_second(start).unwrap(), Step::MINUTE, values.to_vec()).unwrap()
    }

    fn two_pods() -> Dataset {
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let container = ContainerUsage {
            cpu: [
                ("a".to_owned(), series(0, &[Some(1.0), None, Some(1.0)])),
                ("b".to_owned(), series(60, &[Some(2.0), Some(2.0)])),
            ]
            .into(),
            memory: [
                ("a".to_owned(), series(0, &[Some(10.0), Some(10.0)])),
                ("b".to_owned(), series(60, &[Some(30.0)])),
            ]
            .into(),
            ..ContainerUsage::default()
        };
        dataset.containers.insert("server".to_owned(), container);
        dataset
    }

    #[test]
    fn cpu_adds_up_over_pods_unless_one_was_missed_and_memory_is_that_of_the_largest() {
        let signals = two_pods().signals();
        assert_eq!(signals[&Signal::Cpu].values(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(signals[&Signal::Memory].values(), [Some(10.0), Some(30.0)]);
        assert!(!signals.contains_key(&Signal::RequestRate));
    }

    #[test]
    fn memory_by_day_is_that_of_the_largest_pod_in_days_that_end_now() {
        let day = |from, mebibytes: f64| series(from, &[Some(mebibytes * 1_048_576.0), None]);
        let usage = ContainerUsage {
            memory: [
                ("a".to_owned(), day(1, 5.0)),
                ("b".to_owned(), day(60, 7.0)),
                ("c".to_owned(), day(3 * DAY_SECONDS, 2.0)),
            ]
            .into(),
            ..ContainerUsage::default()
        };
        let at = |second| Timestamp::from_second(second).unwrap();
        let days = usage.daily_memory(at(3 * DAY_SECONDS));
        assert_eq!(days, [Some(7), None, Some(2)].map(|m| m.map(Bytes::from_mebibytes)));
        assert_eq!(usage.daily_memory(at(0)).len(), 1, "what is newer than now counts as today");
        assert!(ContainerUsage::default().daily_memory(at(0)).is_empty());
    }

    #[test]
    fn replicas_are_the_pods_that_still_run_unless_counted() {
        let mut dataset = two_pods();
        assert_eq!(dataset.current_replicas(), 2);
        dataset.replicas = Some(series(0, &[Some(3.0), None]));
        assert_eq!(dataset.current_replicas(), 3);
    }

    #[test]
    fn shares_of_containers_sum_to_one() {
        let mut dataset = two_pods();
        let sidecar = dataset.containers["server"].clone();
        dataset.containers.insert("sidecar".to_owned(), sidecar);
        let (cpu, memory) =
            dataset.shares().values().fold((0.0, 0.0), |a, s| (a.0 + s.0, a.1 + s.1));
        assert!((cpu - 1.0).abs() < 1e-12 && (memory - 1.0).abs() < 1e-12);
    }
}
