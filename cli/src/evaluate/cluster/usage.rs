//! What Prometheus measured of a namespace, as tracks.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_collector::{Labelled, PrometheusApi, PrometheusError};
use mora_core::{Step, WorkloadRef};
use mora_evaluation::{Track, WorkloadTracks};

/// Scrapes that a rate is taken over: fewer, and one that is missed leaves a gap.
const SCRAPES: u32 = 5;

/// Whom to ask about which namespace.
pub(super) struct Usage<'a> {
    pub(super) api: &'a PrometheusApi,
    pub(super) namespace: &'a str,
    pub(super) scrape_seconds: u32,
    /// Whose pods there were, by name.
    pub(super) owners: &'a BTreeMap<String, WorkloadRef>,
}

type Tracks = BTreeMap<WorkloadRef, WorkloadTracks>;
type Samples = Vec<(f64, f64)>;

impl Usage<'_> {
    /// What was measured of every workload between two instants.
    ///
    /// Fails when Prometheus does not answer.
    pub(super) async fn between(
        &self,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Tracks, PrometheusError> {
        let ask = |promql: String| async move { self.ask(&promql, from, to).await };
        let (cpu, memory, throttled, kills, requests, failures) = tokio::try_join!(
            ask(Self::of_pods(&self.rate("container_cpu_usage_seconds_total"))),
            ask(Self::of_pods(&self.selected("container_memory_working_set_bytes"))),
            ask(self.throttled()),
            ask(Self::of_pods(&self.selected("container_oom_events_total"))),
            ask(self.requests("")),
            ask(self.requests(",response_code=~\"5..\"")),
        )?;
        let mut tracks = Tracks::new();
        let half = f64::from(self.window()) / 2.0;
        for (workload, pod, samples) in self.by_pod(cpu) {
            tracks.entry(workload).or_default().cpu.insert(pod, earlier(samples, half));
        }
        for (workload, pod, samples) in self.by_pod(memory) {
            tracks.entry(workload).or_default().memory.insert(pod, Track::new(samples));
        }
        for (workload, samples) in mean_by_workload(self.by_pod(throttled)) {
            tracks.entry(workload).or_default().throttled = earlier(samples, half);
        }
        for (workload, _, samples) in self.by_pod(kills) {
            tracks.entry(workload).or_default().oom_kills.extend(rises(&samples));
        }
        self.add_requests(&mut tracks, requests, half);
        for ((callee, _), samples) in self.by_call(failures) {
            let track = &mut tracks.entry(callee).or_default().failed;
            *track = Track::new(samples.into_iter().map(|(at, value)| (at - half, value)));
        }
        Ok(tracks)
    }

    async fn ask(
        &self,
        promql: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        let step = Step::from_seconds(self.scrape_seconds).unwrap_or(Step::MINUTE);
        // Rates belong to the middle of what they were taken over.
        let to = to + SignedDuration::from_secs(i64::from(self.window().div_ceil(2)));
        self.api.range(promql, from, to, step).await
    }

    fn window(&self) -> u32 {
        self.scrape_seconds * SCRAPES
    }

    fn selected(&self, metric: &str) -> String {
        format!(
            "{metric}{{namespace=\"{}\",container!=\"\",container!=\"POD\",pod!=\"\"}}",
            self.namespace
        )
    }

    fn rate(&self, metric: &str) -> String {
        format!("rate({}[{}s])", self.selected(metric), self.window())
    }

    fn of_pods(inner: &str) -> String {
        format!("sum by (pod) ({inner})")
    }

    fn throttled(&self) -> String {
        let held = Self::of_pods(&self.rate("container_cpu_cfs_throttled_periods_total"));
        let all = Self::of_pods(&self.rate("container_cpu_cfs_periods_total"));
        format!("{held} / ({all} > 0)")
    }

    fn requests(&self, more: &str) -> String {
        let (namespace, window) = (self.namespace, self.window());
        let selected = format!(
            "istio_requests_total{{reporter=\"destination\",destination_workload_namespace=\"{namespace}\"{more}}}"
        );
        format!("sum by (source_workload, destination_workload) (rate({selected}[{window}s]))")
    }

    /// Each series of a pod whose owner is known.
    fn by_pod(&self, answer: Vec<Labelled>) -> Vec<(WorkloadRef, String, Samples)> {
        let known = |one: Labelled| {
            let pod = one.labels.get("pod")?.clone();
            let workload = self.owners.get(&pod)?.clone();
            Some((workload, pod, samples(&one)))
        };
        answer.into_iter().filter_map(known).collect()
    }

    /// Each series of requests by who got and who made them, if that is a workload of the namespace.
    fn by_call(
        &self,
        answer: Vec<Labelled>,
    ) -> BTreeMap<(WorkloadRef, Option<WorkloadRef>), Samples> {
        let named = |name: &str| self.owners.values().find(|one| one.name() == name).cloned();
        let call = |one: Labelled| {
            let callee = named(one.labels.get("destination_workload")?)?;
            let caller = one.labels.get("source_workload").and_then(|name| named(name));
            Some(((callee, caller), samples(&one)))
        };
        let mut calls = BTreeMap::new();
        for (key, more) in answer.into_iter().filter_map(call) {
            let all: &mut Samples = calls.entry(key).or_default();
            all.extend(more);
        }
        calls
    }

    fn add_requests(&self, tracks: &mut Tracks, answer: Vec<Labelled>, half: f64) {
        let mut sums: BTreeMap<WorkloadRef, BTreeMap<i64, f64>> = BTreeMap::new();
        for ((callee, caller), samples) in self.by_call(answer) {
            let sum = sums.entry(callee.clone()).or_default();
            for (at, value) in &samples {
                *sum.entry((at * 1000.0) as i64).or_default() += value;
            }
            if let Some(caller) = caller {
                let calls = &mut tracks.entry(callee).or_default().calls;
                calls.insert(caller, earlier(samples, half));
            }
        }
        for (callee, sum) in sums {
            let samples = sum.into_iter().map(|(at, value)| (at as f64 / 1000.0, value));
            tracks.entry(callee).or_default().received = earlier(samples.collect(), half);
        }
    }
}

fn samples(one: &Labelled) -> Samples {
    one.samples.iter().map(|sample| (sample.second, sample.value)).collect()
}

fn earlier(samples: Samples, by: f64) -> Track {
    Track::new(samples.into_iter().map(|(at, value)| (at - by, value)))
}

/// The mean over the pods of each workload, instant by instant.
fn mean_by_workload(pods: Vec<(WorkloadRef, String, Samples)>) -> BTreeMap<WorkloadRef, Samples> {
    let mut sums: BTreeMap<WorkloadRef, BTreeMap<i64, (f64, f64)>> = BTreeMap::new();
    for (workload, _, samples) in pods {
        let sums = sums.entry(workload).or_default();
        for (at, value) in samples {
            let (sum, count) = sums.entry((at * 1000.0) as i64).or_default();
            *sum += value;
            *count += 1.0;
        }
    }
    let mean = |(at, (sum, count)): (i64, (f64, f64))| (at as f64 / 1000.0, sum / count);
    sums.into_iter()
        .map(|(workload, sums)| (workload, sums.into_iter().map(mean).collect()))
        .collect()
}

/// The instants at which a counter went up, once for each count.
fn rises(samples: &[(f64, f64)]) -> Vec<f64> {
    let more = |pair: &[(f64, f64)]| {
        let by = (pair[1].1 - pair[0].1).max(0.0).round() as usize;
        std::iter::repeat_n(pair[1].0, by)
    };
    samples.windows(2).flat_map(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_of_kills_is_counted_where_it_rises() {
        assert_eq!(
            rises(&[(1.0, 0.0), (2.0, 2.0), (3.0, 2.0), (4.0, 0.0), (5.0, 1.0)]),
            [2.0, 2.0, 5.0]
        );
    }

    #[test]
    fn the_mean_over_pods_is_taken_where_there_are_some() {
        let workload: WorkloadRef = "shop/cart".parse().unwrap();
        let pod = |name: &str, samples: &[(f64, f64)]| {
            (workload.clone(), name.to_owned(), samples.to_vec())
        };
        let pods = vec![pod("a", &[(1.0, 0.2), (2.0, 0.4)]), pod("b", &[(2.0, 0.8)])];
        let mean = &mean_by_workload(pods)[&workload];
        assert_eq!(mean.len(), 2);
        assert!((mean[1].1 - 0.6).abs() < 1e-9);
    }
}
