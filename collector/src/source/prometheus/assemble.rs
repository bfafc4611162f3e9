//! From answers to datasets.

mod traffic;

use std::collections::BTreeMap;

use mora_core::{
    Bytes, ContainerUsage, Dataset, Indicator, Millicores, ResourceClaim, Series, WorkloadKind,
    WorkloadRef,
};

use super::answer::Labelled;
use super::oom::Killed;
use super::owners::Owners;
use super::promql::Bound;
use crate::Lookback;
use crate::regularise::{Cells, regularise};

pub use traffic::settle_callers;

/// The datasets of one namespace as they come together.
pub(super) struct Assembly<'a> {
    namespace: &'a str,
    lookback: &'a Lookback,
    owners: &'a Owners,
    datasets: BTreeMap<WorkloadRef, Dataset>,
}

impl<'a> Assembly<'a> {
    pub(super) const fn new(
        namespace: &'a str,
        lookback: &'a Lookback,
        owners: &'a Owners,
    ) -> Self {
        Self { namespace, lookback, owners, datasets: BTreeMap::new() }
    }

    /// Whether no usage was found.
    pub(super) fn is_empty(&self) -> bool {
        self.datasets.is_empty()
    }

    pub(super) fn into_datasets(self) -> Vec<Dataset> {
        self.datasets.into_values().collect()
    }

    pub(super) fn add_cpu(&mut self, answer: Vec<Labelled>) {
        self.add_usage(answer, |usage| &mut usage.cpu);
    }

    pub(super) fn add_memory(&mut self, answer: Vec<Labelled>) {
        self.add_usage(answer, |usage| &mut usage.memory);
    }

    fn add_usage(
        &mut self,
        answer: Vec<Labelled>,
        signal: fn(&mut ContainerUsage) -> &mut BTreeMap<String, Series>,
    ) {
        for series in answer {
            let Some((workload, container, pod)) = self.place(&series) else { continue };
            let Some(regular) = regularise(series.samples, self.lookback) else { continue };
            let dataset =
                self.datasets.entry(workload).or_insert_with_key(|key| Dataset::new(key.clone()));
            let usage = dataset.containers.entry(container).or_default();
            signal(usage).insert(pod, regular);
        }
    }

    /// The workload, container and pod a series is about; `None` for what MOrA does not size.
    fn place(&self, series: &Labelled) -> Option<(WorkloadRef, String, String)> {
        let container = series.label("container")?.to_owned();
        let (workload, pod) = self.place_pod(series)?;
        Some((workload, container, pod))
    }

    /// The workload and pod a series is about.
    fn place_pod(&self, series: &Labelled) -> Option<(WorkloadRef, String)> {
        let pod = series.label("pod")?;
        let (kind, name) = self.owners.workload(pod)?;
        let workload = WorkloadRef::new(self.namespace, kind, &name).ok()?;
        Some((workload, pod.to_owned()))
    }

    /// Sets the ready replicas; the label with the workload's name is its kind in lower case.
    pub(super) fn add_replicas(&mut self, answer: Vec<Labelled>) {
        for series in answer {
            let named = WorkloadKind::ALL.into_iter().find_map(|kind| {
                series.label(&kind.as_str().to_lowercase()).map(|name| (kind, name))
            });
            let workload =
                named.and_then(|(kind, name)| WorkloadRef::new(self.namespace, kind, name).ok());
            let dataset = workload.and_then(|workload| self.datasets.get_mut(&workload));
            if let Some(dataset) = dataset {
                dataset.replicas = regularise(series.samples, self.lookback);
            }
        }
    }

    /// Adds what is measured by pod, or by pod and container, summed over both.
    pub(super) fn add_summed(&mut self, indicator: Indicator, answer: Vec<Labelled>) {
        let mut sums: BTreeMap<WorkloadRef, Cells> = BTreeMap::new();
        for series in answer {
            let Some((workload, _)) = self.place_pod(&series) else { continue };
            accumulate(&mut sums, workload, &Cells::of(series.samples, self.lookback));
        }
        self.set(sums, |dataset, cells, lookback| {
            let series = cells.held_to(indicator.most()).trimmed(lookback);
            dataset.indicators.extend(series.map(|series| (indicator, series)));
        });
    }

    /// Sets what containers claim: the largest claim of the workload's current pods.
    pub(super) fn add_claims(&mut self, bound: Bound, answer: &[Labelled]) {
        for series in answer {
            let Some((workload, container, _)) = self.place(series) else { continue };
            let usage =
                self.datasets.get_mut(&workload).and_then(|d| d.containers.get_mut(&container));
            let resource = series.label("resource");
            if let (Some(usage), Some(resource), Some(sample)) =
                (usage, resource, series.samples.last())
            {
                claim(&mut usage.claim, bound, resource, sample.value);
            }
        }
    }

    /// Adds the kills of containers whose usage was observed: when, and the limits they had.
    pub(super) fn add_oom_kills(&mut self, times: &[Labelled], limits: &[Labelled]) {
        for series in times {
            let Some((workload, container, pod)) = self.place(series) else { continue };
            let usage =
                self.datasets.get_mut(&workload).and_then(|d| d.containers.get_mut(&container));
            let Some(usage) = usage else { continue };
            let limit = limits.iter().find(|limit| limit.labels == series.labels);
            let killed = Killed {
                pod: &pod,
                times: &series.samples,
                limits: limit.map_or(&[], |limit| &limit.samples),
                memory: usage.memory.get(&pod),
            };
            let kills = killed.kills();
            usage.oom_kills.extend(kills);
        }
    }

    /// Adds the share of periods in which a workload's most throttled container was held back: of all the periods of
    /// all its pods. A container without a CPU limit is never held back and has no periods.
    pub(super) fn add_throttling(&mut self, periods: Vec<Labelled>, throttled: Vec<Labelled>) {
        let (periods, throttled) = (self.by_container(periods), self.by_container(throttled));
        let mut largest: BTreeMap<WorkloadRef, Cells> = BTreeMap::new();
        for ((workload, container), held_back) in throttled {
            let Some(all) = periods.get(&(workload.clone(), container)) else { continue };
            let share = held_back.share_of(all);
            largest.entry(workload).and_modify(|most| most.raise_to(&share)).or_insert(share);
        }
        self.set(largest, |dataset, cells, lookback| {
            let series = cells.trimmed(lookback);
            dataset.indicators.extend(series.map(|series| (Indicator::ThrottledRatio, series)));
        });
    }

    fn by_container(&self, answer: Vec<Labelled>) -> BTreeMap<(WorkloadRef, String), Cells> {
        let mut sums = BTreeMap::new();
        for series in answer {
            let Some((workload, container, _)) = self.place(&series) else { continue };
            let cells = Cells::of(series.samples, self.lookback);
            accumulate(&mut sums, (workload, container), &cells);
        }
        sums
    }

    /// Sets something of every dataset `found` holds cells of; whether there is any.
    fn set(
        &mut self,
        found: BTreeMap<WorkloadRef, Cells>,
        set: impl Fn(&mut Dataset, &Cells, &Lookback),
    ) -> bool {
        let any = !found.is_empty();
        for (workload, cells) in found {
            if let Some(dataset) = self.datasets.get_mut(&workload) {
                set(dataset, &cells, self.lookback);
            }
        }
        any
    }
}

fn accumulate<K: Ord>(sums: &mut BTreeMap<K, Cells>, key: K, cells: &Cells) {
    sums.entry(key).and_modify(|sum| sum.add(cells)).or_insert_with(|| cells.clone());
}

fn claim(claim: &mut ResourceClaim, bound: Bound, resource: &str, value: f64) {
    let cpu = || Millicores::from_cores(value).ok();
    let memory = || (value.is_finite() && value >= 0.0).then(|| Bytes::new(value as u64));
    match (bound, resource) {
        (Bound::Request, "cpu") => claim.cpu_request = claim.cpu_request.max(cpu()),
        (Bound::Limit, "cpu") => claim.cpu_limit = claim.cpu_limit.max(cpu()),
        (Bound::Request, "memory") => claim.memory_request = claim.memory_request.max(memory()),
        (Bound::Limit, "memory") => claim.memory_limit = claim.memory_limit.max(memory()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regularise::Sample;
    use jiff::Timestamp;
    use mora_core::Step;

    const CART: &str = "cart-6b7c9d5f8-4xk2z";
    const FRONT: &str = "front-6b7c9d5f8-4xk2z";

    pub(super) fn lookback() -> Lookback {
        let at = |second| Timestamp::from_second(second).unwrap();
        Lookback { from: at(0), to: at(240), step: Step::MINUTE }
    }

    pub(super) fn series(labels: &[(&str, &str)], values: &[f64]) -> Labelled {
        let sample = |(i, value): (usize, &f64)| Sample { second: i as f64 * 60.0, value: *value };
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Labelled {
            labels: labels.collect(),
            samples: values.iter().enumerate().map(sample).collect(),
        }
    }

    fn usage(pod: &str, values: &[f64]) -> Labelled {
        series(&[("pod", pod), ("container", "server")], values)
    }

    pub(super) fn assembled(fill: impl FnOnce(&mut Assembly<'_>)) -> BTreeMap<String, Dataset> {
        let lookback = lookback();
        let owners = Owners::default();
        let mut assembly = Assembly::new("shop", &lookback, &owners);
        assembly.add_cpu(vec![usage(CART, &[1.0, f64::NAN, 3.0]), usage(FRONT, &[1.0])]);
        fill(&mut assembly);
        let named = |dataset: Dataset| (dataset.workload.name().to_owned(), dataset);
        assembly.into_datasets().into_iter().map(named).collect()
    }

    #[test]
    fn pods_of_a_workload_come_together_and_those_of_a_job_stay_out() {
        let datasets = assembled(|assembly| {
            assembly.add_cpu(vec![
                usage("cart-6b7c9d5f8-bbbbb", &[2.0]),
                usage("job-17-abcde", &[2.0]),
            ]);
        });
        assert_eq!(datasets.len(), 2);
        let cpu = &datasets["cart"].containers["server"].cpu;
        assert_eq!(cpu.len(), 2);
        assert_eq!(cpu[CART].values(), [Some(1.0), None, Some(3.0)]);
    }

    #[test]
    fn the_largest_claim_of_the_current_pods_counts() {
        let claimed = |pod, resource, value| {
            series(&[("pod", pod), ("container", "server"), ("resource", resource)], &[value])
        };
        let datasets = assembled(|assembly| {
            assembly.add_claims(
                Bound::Request,
                &[
                    claimed(CART, "cpu", 0.1),
                    claimed("cart-6b7c9d5f8-bbbbb", "cpu", 0.2),
                    claimed(CART, "memory", 100_000_000.0),
                ],
            );
            assembly.add_claims(Bound::Limit, &[claimed(CART, "cpu", 0.3)]);
        });
        let claim = datasets["cart"].containers["server"].claim;
        assert_eq!(claim.cpu_request, Some(Millicores::new(200)));
        assert_eq!(claim.cpu_limit, Some(Millicores::new(300)));
        assert_eq!(claim.memory_request, Some(Bytes::new(100_000_000)));
        assert_eq!(claim.memory_limit, None);
    }

    #[test]
    fn kills_go_to_their_container_and_those_of_a_job_stay_out() {
        let of = |pod, container, values: &[f64]| {
            series(&[("pod", pod), ("container", container)], values)
        };
        let datasets = assembled(|assembly| {
            assembly.add_memory(vec![usage(CART, &[100.0, 200.0])]);
            let times = [
                of(CART, "server", &[f64::NAN, 70.0, 70.0]),
                of(CART, "unseen", &[70.0]),
                of("job-17-abcde", "server", &[70.0]),
            ];
            let limits = [of(FRONT, "server", &[9e9; 3]), of(CART, "server", &[300.0; 3])];
            assembly.add_oom_kills(&times, &limits);
        });
        let kills: Vec<_> = datasets["cart"].containers["server"].oom_kills.iter().collect();
        let [kill] = kills[..] else { panic!("{kills:?}") };
        assert_eq!((kill.killed.as_second(), kill.pod.as_str()), (70, CART));
        assert_eq!(kill.peak, Bytes::new(300));
        assert!(datasets["front"].containers["server"].oom_kills.is_empty());
    }

    #[test]
    fn throttling_is_that_of_the_most_throttled_container_over_all_its_pods() {
        let of = |pod, container, values: &[f64]| {
            series(&[("pod", pod), ("container", container)], values)
        };
        let other = "cart-6b7c9d5f8-bbbbb";
        let datasets = assembled(|assembly| {
            let periods = vec![
                of(CART, "server", &[10.0, 10.0, 0.0]),
                of(other, "server", &[30.0]),
                of(CART, "sidecar", &[10.0, 10.0]),
                of(FRONT, "server", &[10.0]),
            ];
            let throttled = vec![
                of(CART, "server", &[1.0, 1.0, 0.0]),
                of(other, "server", &[11.0]),
                of(CART, "sidecar", &[1.0, 2.0]),
            ];
            assembly.add_throttling(periods, throttled);
        });
        let cart = &datasets["cart"].indicators[&Indicator::ThrottledRatio];
        assert_eq!(cart.values(), [Some(0.3), Some(0.2)]);
        assert!(datasets["front"].indicators.is_empty());
    }

    #[test]
    fn replicas_go_to_the_workload_of_their_kind() {
        let datasets = assembled(|assembly| {
            let ready = |kind, count| series(&[(kind, "cart")], &[count]);
            assembly.add_replicas(vec![ready("deployment", 2.0), ready("statefulset", 3.0)]);
        });
        assert_eq!(datasets["cart"].current_replicas(), 2);
        assert_eq!(datasets.len(), 2);
    }

    #[test]
    fn network_and_restarts_are_summed_over_the_pods_of_a_workload() {
        let other = "cart-6b7c9d5f8-bbbbb";
        let datasets = assembled(|assembly| {
            let received = |pod, values: &[f64]| series(&[("pod", pod)], values);
            let answer = vec![
                received(CART, &[100.0, 200.0]),
                received(other, &[f64::NAN, 50.0]),
                received("job-17-abcde", &[9.0]),
            ];
            assembly.add_summed(Indicator::NetworkReceive, answer);
            let restarts = vec![usage(CART, &[0.0, 1.0]), usage(other, &[2.0])];
            assembly.add_summed(Indicator::Restarts, restarts);
        });
        let cart = &datasets["cart"].indicators;
        assert_eq!(cart[&Indicator::NetworkReceive].values(), [Some(100.0), Some(250.0)]);
        assert_eq!(cart[&Indicator::Restarts].values(), [Some(2.0), Some(1.0)]);
        assert!(datasets["front"].indicators.is_empty());
    }
}
