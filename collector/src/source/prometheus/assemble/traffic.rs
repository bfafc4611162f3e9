//! From answers about requests to request rates, calls and indicators.

use std::collections::BTreeMap;

use mora_core::{Dataset, Indicator, WorkloadKind, WorkloadRef};

use super::super::answer::Labelled;
use super::super::traffic::{Named, Peer, Question, TrafficQueries};
use super::{Assembly, accumulate};
use crate::regularise::Cells;

impl Assembly<'_> {
    /// Whether `series` names a workload of the namespace where `peer` says.
    pub(in super::super) fn knows(&self, peer: &Peer, series: &Labelled) -> bool {
        peer.of(series).is_some_and(|named| self.find(named).is_some())
    }

    /// Adds request rates and calls; whether the answer is about any workload of the namespace.
    pub(in super::super) fn add_calls(
        &mut self,
        queries: &TrafficQueries,
        answer: Vec<Labelled>,
    ) -> bool {
        let mut rates: BTreeMap<WorkloadRef, Cells> = BTreeMap::new();
        let mut calls: BTreeMap<(WorkloadRef, WorkloadRef), Cells> = BTreeMap::new();
        for series in answer {
            let Some(callee) = self.callee(&queries.calls.callee, &series) else { continue };
            let caller = self.caller(&queries.caller, &series);
            let cells = Cells::of(series.samples, self.lookback);
            if let Some(caller) = caller {
                accumulate(&mut calls, (callee.clone(), caller), &cells);
            }
            accumulate(&mut rates, callee, &cells);
        }
        for ((callee, caller), cells) in calls {
            let known = self.datasets.get_mut(&callee).zip(cells.trimmed(self.lookback));
            if let Some((dataset, series)) = known {
                dataset.calls.insert(caller, series);
            }
        }
        self.set(rates, |dataset, cells, lookback| dataset.request_rate = cells.trimmed(lookback))
    }

    /// Sets the request rates of the workloads the answer is about; whether there are any.
    pub(in super::super) fn add_received(
        &mut self,
        question: &Question,
        answer: Vec<Labelled>,
    ) -> bool {
        let rates = self.by_callee(question, answer);
        self.set(rates, |dataset, cells, lookback| dataset.request_rate = cells.trimmed(lookback))
    }

    /// Adds what was measured of `indicator`; a workload the answer is not about, or has no number for, keeps none.
    pub(in super::super) fn add_indicator(
        &mut self,
        indicator: Indicator,
        question: &Question,
        answer: Vec<Labelled>,
    ) {
        let measured = self.by_callee(question, answer);
        self.set(measured, |dataset, cells, lookback| {
            // A share of sums in another order may exceed 1 by rounding.
            let series = cells.held_to(indicator.most()).trimmed(lookback);
            dataset.indicators.extend(series.map(|series| (indicator, series)));
        });
    }

    fn by_callee(
        &self,
        question: &Question,
        answer: Vec<Labelled>,
    ) -> BTreeMap<WorkloadRef, Cells> {
        let mut sums = BTreeMap::new();
        for series in answer {
            if let Some(callee) = self.callee(&question.callee, &series) {
                accumulate(&mut sums, callee, &Cells::of(series.samples, self.lookback));
            }
        }
        sums
    }

    fn callee(&self, peer: &Peer, series: &Labelled) -> Option<WorkloadRef> {
        self.find(peer.of(series)?).cloned()
    }

    /// The calling workload; `None` where it is unknown, as for requests from outside.
    fn caller(&self, peer: &Peer, series: &Labelled) -> Option<WorkloadRef> {
        let named = peer.of(series)?;
        match named.namespace {
            Some(namespace) if namespace != self.namespace => {
                let kind = named.kind.unwrap_or(WorkloadKind::Deployment);
                WorkloadRef::new(namespace, kind, named.name).ok()
            }
            _ => self.find(named).cloned(),
        }
    }

    /// The workload of this namespace that is called so, of the kind that is named, or of the first that has one.
    fn find(&self, named: Named<'_>) -> Option<&WorkloadRef> {
        let kinds = WorkloadKind::ALL.into_iter();
        kinds.filter(|kind| named.kind.is_none_or(|known| known == *kind)).find_map(|kind| {
            let workload = WorkloadRef::new(self.namespace, kind, named.name).ok()?;
            self.datasets.get_key_value(&workload).map(|(known, _)| known)
        })
    }
}

/// Names callers as they were collected where only their kind differs: most metrics do not tell it, and that of a
/// caller in another namespace was assumed to be Deployment. `datasets` should be those of all scopes over the same time.
pub fn settle_callers(datasets: &mut [Dataset]) {
    let mut collected: BTreeMap<(String, String), Vec<WorkloadRef>> = BTreeMap::new();
    for dataset in &*datasets {
        let workload = &dataset.workload;
        let name = (workload.namespace().to_owned(), workload.name().to_owned());
        collected.entry(name).or_default().push(workload.clone());
    }
    for dataset in datasets {
        let calls = std::mem::take(&mut dataset.calls);
        for (caller, series) in calls {
            let name = (caller.namespace().to_owned(), caller.name().to_owned());
            let settled = match collected.get(&name) {
                Some(known) if !known.contains(&caller) => known[0].clone(),
                _ => caller,
            };
            dataset.calls.insert(settled, series);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{assembled, lookback, series};
    use super::*;
    use crate::source::prometheus::owners::Owners;
    use crate::source::prometheus::traffic::{Scope, queries};
    use crate::source::prometheus::traffic_metric::TrafficMetric;

    fn asked(metric: &TrafficMetric) -> TrafficQueries {
        queries(metric, Scope { namespace: "shop", window: "300s" })
    }

    fn callers(dataset: &Dataset) -> Vec<String> {
        dataset.calls.keys().map(ToString::to_string).collect()
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
        let datasets = assembled(|assembly| {
            let answer = vec![
                called("shop", "front", &[1.0, 1.0]),
                called("unknown", "unknown", &[2.0]),
                called("billing", "invoices", &[f64::NAN, f64::NAN, 5.0]),
            ];
            assert!(assembly.add_calls(&asked(&TrafficMetric::Istio), answer));
        });
        let cart = &datasets["cart"];
        assert_eq!(cart.request_rate.as_ref().unwrap().values(), [Some(3.0), Some(1.0), Some(5.0)]);
        assert_eq!(callers(cart), ["billing/Deployment/invoices", "shop/Deployment/front"]);
        assert_eq!(datasets["front"].request_rate, None);
    }

    #[test]
    fn what_was_received_counts_and_not_only_what_known_callers_sent() {
        let linkerd = asked(&TrafficMetric::Linkerd);
        let sent = [("dst_deployment", "cart"), ("deployment", "front"), ("namespace", "shop")];
        let datasets = assembled(|assembly| {
            assembly.add_calls(&linkerd, vec![series(&sent, &[2.0, 2.0])]);
            let received = vec![
                series(&[("deployment", "cart")], &[5.0, 2.0]),
                series(&[("statefulset", "front")], &[9.0]),
            ];
            assert!(assembly.add_received(linkerd.received.as_ref().unwrap(), received));
        });
        let cart = &datasets["cart"];
        assert_eq!(cart.request_rate.as_ref().unwrap().values(), [Some(5.0), Some(2.0)]);
        assert_eq!(cart.calls.values().next().unwrap().values(), [Some(2.0), Some(2.0)]);
        assert_eq!(datasets["front"].request_rate, None, "a StatefulSet of that name is another");
    }

    #[test]
    fn traffic_of_other_applications_is_no_answer() {
        let graph = asked(&TrafficMetric::ServiceGraph);
        assembled(|assembly| {
            let other = series(&[("client", "x"), ("server", "elsewhere")], &[1.0]);
            assert!(!assembly.knows(&graph.calls.callee, &other));
            assert!(!assembly.add_calls(&graph, vec![other]));
        });
    }

    #[test]
    fn an_indicator_without_a_number_stays_absent_and_shares_do_not_exceed_one() {
        let asked = asked(&TrafficMetric::Hubble);
        let of = |name, values: &[f64]| series(&[("destination_workload", name)], values);
        let datasets = assembled(|assembly| {
            let latency = vec![of("cart", &[0.25, f64::NAN]), of("front", &[f64::NAN])];
            let question = asked.of(Indicator::LatencyP95).unwrap();
            assembly.add_indicator(Indicator::LatencyP95, question, latency);
            let errors = vec![of("cart", &[1.000_000_1, 0.0])];
            assembly.add_indicator(
                Indicator::ErrorRatio,
                asked.of(Indicator::ErrorRatio).unwrap(),
                errors,
            );
        });
        let cart = &datasets["cart"].indicators;
        assert_eq!(cart[&Indicator::LatencyP95].values(), [Some(0.25)]);
        assert_eq!(cart[&Indicator::ErrorRatio].values(), [Some(1.0), Some(0.0)]);
        assert!(datasets["front"].indicators.is_empty());
    }

    #[test]
    fn a_workload_of_any_kind_is_found_by_its_name() {
        let lookback = lookback();
        let owners = Owners::default();
        let mut assembly = Assembly::new("shop", &lookback, &owners);
        assembly.add_cpu(vec![series(&[("pod", "redis-0"), ("container", "redis")], &[1.0])]);
        let called = series(&[("server", "redis"), ("client", "cart")], &[4.0]);
        assert!(assembly.add_calls(&asked(&TrafficMetric::ServiceGraph), vec![called]));
        let [redis] = &assembly.into_datasets()[..] else { panic!("one workload") };
        assert_eq!(redis.workload.to_string(), "shop/StatefulSet/redis");
        assert_eq!(redis.request_rate.as_ref().unwrap().values(), [Some(4.0)]);
    }

    #[test]
    fn a_caller_of_another_namespace_has_the_kind_it_was_collected_with() {
        let called = series(
            &[
                ("destination_workload", "cart"),
                ("source_workload", "reports"),
                ("source_namespace", "office"),
            ],
            &[1.0],
        );
        let datasets = assembled(|assembly| {
            assembly.add_calls(&asked(&TrafficMetric::Hubble), vec![called]);
        });
        let mut datasets: Vec<Dataset> = datasets.into_values().collect();
        assert_eq!(callers(&datasets[0]), ["office/Deployment/reports"]);
        datasets.push(Dataset::new("office/StatefulSet/reports".parse().unwrap()));
        settle_callers(&mut datasets);
        assert_eq!(callers(&datasets[0]), ["office/StatefulSet/reports"]);
    }
}
