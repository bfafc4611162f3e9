//! From answers to datasets.

use std::collections::BTreeMap;

use mora_core::{
    Bytes, ContainerUsage, Dataset, Millicores, ResourceClaim, Series, WorkloadKind, WorkloadRef,
};

use super::answer::Labelled;
use super::oom::Killed;
use super::owners::Owners;
use super::promql::{Bound, TrafficQuery};
use crate::Lookback;
use crate::regularise::{Cells, regularise};

/// The datasets of one namespace as they come together.
pub(super) struct Assembly<'a> {
    namespace: &'a str,
    lookback: &'a Lookback,
    owners: Owners,
    datasets: BTreeMap<WorkloadRef, Dataset>,
}

impl<'a> Assembly<'a> {
    pub(super) const fn new(namespace: &'a str, lookback: &'a Lookback, owners: Owners) -> Self {
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
        let (pod, container) = (series.label("pod")?, series.label("container")?);
        let (kind, name) = self.owners.workload(pod)?;
        let workload = WorkloadRef::new(self.namespace, kind, &name).ok()?;
        Some((workload, container.to_owned(), pod.to_owned()))
    }

    pub(super) fn add_replicas(&mut self, kind: WorkloadKind, answer: Vec<Labelled>) {
        let label = kind.as_str().to_lowercase();
        for series in answer {
            let workload = series
                .label(&label)
                .and_then(|name| WorkloadRef::new(self.namespace, kind, name).ok());
            let dataset = workload.and_then(|workload| self.datasets.get_mut(&workload));
            if let Some(dataset) = dataset {
                dataset.replicas = regularise(series.samples, self.lookback);
            }
        }
    }

    /// Sets what containers claim: the largest claim of the workload's current pods.
    pub(super) fn add_claims(&mut self, bound: Bound, answer: Vec<Labelled>) {
        for series in answer {
            let Some((workload, container, _)) = self.place(&series) else { continue };
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

    /// Adds request rates and calls; whether the answer is about any workload of the namespace.
    pub(super) fn add_traffic(&mut self, query: &TrafficQuery, answer: Vec<Labelled>) -> bool {
        let by_name: BTreeMap<String, WorkloadRef> =
            self.datasets.keys().map(|w| (w.name().to_owned(), w.clone())).collect();
        let mut rates: BTreeMap<&WorkloadRef, Cells> = BTreeMap::new();
        let mut calls: BTreeMap<(&WorkloadRef, WorkloadRef), Cells> = BTreeMap::new();
        for series in answer {
            let Some(callee) = series.label(query.callee).and_then(|name| by_name.get(name)) else {
                continue;
            };
            let caller = self.caller(query, &series, &by_name);
            let cells = Cells::of(series.samples, self.lookback);
            if let Some(caller) = caller {
                accumulate(&mut calls, (callee, caller), &cells);
            }
            accumulate(&mut rates, callee, &cells);
        }
        let found = !rates.is_empty();
        for (callee, cells) in rates {
            if let Some(dataset) = self.datasets.get_mut(callee) {
                dataset.request_rate = cells.trimmed(self.lookback);
            }
        }
        for ((callee, caller), cells) in calls {
            if let Some((dataset, series)) =
                self.datasets.get_mut(callee).zip(cells.trimmed(self.lookback))
            {
                dataset.calls.insert(caller, series);
            }
        }
        found
    }

    /// The calling workload; `None` where it is unknown, as for requests from outside.
    fn caller(
        &self,
        query: &TrafficQuery,
        series: &Labelled,
        by_name: &BTreeMap<String, WorkloadRef>,
    ) -> Option<WorkloadRef> {
        let name = series.label(query.caller)?;
        match series.label(query.caller_namespace) {
            Some("unknown") => None,
            Some(namespace) if namespace != self.namespace => {
                WorkloadRef::deployment(namespace, name).ok()
            }
            _ => by_name.get(name).cloned(),
        }
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
    use crate::source::prometheus::config::TrafficMetric;
    use crate::source::prometheus::promql::traffic;
    use jiff::Timestamp;
    use mora_core::Step;

    const CART: &str = "cart-6b7c9d5f8-4xk2z";
    const FRONT: &str = "front-6b7c9d5f8-4xk2z";

    fn lookback() -> Lookback {
        let at = |second| Timestamp::from_second(second).unwrap();
        Lookback { from: at(0), to: at(240), step: Step::MINUTE }
    }

    fn series(labels: &[(&str, &str)], values: &[f64]) -> Labelled {
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

    fn assembled(fill: impl FnOnce(&mut Assembly<'_>)) -> BTreeMap<String, Dataset> {
        let lookback = lookback();
        let mut assembly = Assembly::new("shop", &lookback, Owners::default());
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
                vec![
                    claimed(CART, "cpu", 0.1),
                    claimed("cart-6b7c9d5f8-bbbbb", "cpu", 0.2),
                    claimed(CART, "memory", 100_000_000.0),
                ],
            );
            assembly.add_claims(Bound::Limit, vec![claimed(CART, "cpu", 0.3)]);
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
    fn request_rates_add_up_over_callers_and_unknown_callers_count() {
        let called = |namespace, caller, values: &[f64]| {
            let labels = [
                ("destination_workload", "cart"),
                ("source_workload", caller),
                ("source_workload_namespace", namespace),
            ];
            series(&labels, values)
        };
        let query = traffic(&TrafficMetric::Istio, "shop", Step::MINUTE, 60);
        let datasets = assembled(|assembly| {
            let answer = vec![
                called("shop", "front", &[1.0, 1.0]),
                called("unknown", "unknown", &[2.0]),
                called("billing", "invoices", &[f64::NAN, f64::NAN, 5.0]),
            ];
            assert!(assembly.add_traffic(&query, answer));
        });
        let cart = &datasets["cart"];
        assert_eq!(cart.request_rate.as_ref().unwrap().values(), [Some(3.0), Some(1.0), Some(5.0)]);
        let callers: Vec<String> = cart.calls.keys().map(ToString::to_string).collect();
        assert_eq!(callers, ["billing/Deployment/invoices", "shop/Deployment/front"]);
        assert_eq!(datasets["front"].request_rate, None);
    }

    #[test]
    fn traffic_of_other_applications_is_no_answer() {
        let query = traffic(&TrafficMetric::ServiceGraph, "shop", Step::MINUTE, 60);
        assembled(|assembly| {
            let other = series(&[("client", "x"), ("server", "elsewhere")], &[1.0]);
            assert!(!assembly.add_traffic(&query, vec![other]));
        });
    }

    #[test]
    fn replicas_go_to_the_workload_of_their_kind() {
        let datasets = assembled(|assembly| {
            let ready = || vec![series(&[("deployment", "cart"), ("statefulset", "cart")], &[2.0])];
            assembly.add_replicas(WorkloadKind::StatefulSet, ready());
            assembly.add_replicas(WorkloadKind::Deployment, ready());
        });
        assert_eq!(datasets["cart"].current_replicas(), 2);
        assert_eq!(datasets.len(), 2);
    }
}
