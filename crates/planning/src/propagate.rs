//! The load every workload receives when the entries receive theirs, slot by slot.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, Quantile, Step, WorkloadRef};

use crate::cycles::open_runaway_cycles;
use crate::network::Network;
use crate::normal::normal_quantile;

/// A load per slot in requests per second, with the uncertainty about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Load {
    /// Expected load, at least 0.
    pub(crate) mean: Vec<f64>,
    /// Variance of that expectation: what forecasts and call ratios leave open.
    pub(crate) variance: Vec<f64>,
    /// Variance of one measurement around it: how many of the calls fall into one step.
    pub(crate) arrivals: Vec<f64>,
}

/// What [`propagate`] finds.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Traffic {
    /// The load of every workload in the graph or with load of its own.
    pub(crate) loads: BTreeMap<WorkloadRef, Load>,
    /// Requests per second that each entry causes at a workload, at the entry's highest slot.
    pub(crate) origins: BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, f64>>,
    /// Workloads whose load is not fully known, because that of an entry before them is not.
    pub(crate) blind: BTreeSet<WorkloadRef>,
    /// The graph the load followed, without the calls that were left out.
    pub(crate) graph: CallGraph,
    /// Calls that had to be left out, each a sentence.
    pub(crate) warnings: Vec<String>,
}

impl Load {
    fn zero(slots: usize) -> Self {
        let zeros = || vec![0.0; slots];
        Self { mean: zeros(), variance: zeros(), arrivals: zeros() }
    }

    /// The path that the largest of `steps` measurements per slot stays below with probability `quantile`.
    ///
    /// What is uncertain about the expectation is the same for all steps of a slot; arrivals are
    /// independent between them, so the largest of them lies further out.
    pub(crate) fn upper(&self, quantile: Quantile, steps: u32) -> Vec<f64> {
        let once = normal_quantile(quantile.get()).max(0.0);
        let largest = normal_quantile(quantile.get().powf(1.0 / f64::from(steps.max(1)))).max(0.0);
        let uncertainty = self.variance.iter().zip(&self.arrivals);
        self.mean
            .iter()
            .zip(uncertainty)
            .map(|(mean, (v, a))| mean + (once * once * v + largest * largest * a).sqrt())
            .collect()
    }
}

/// Sends the load of the entries along the calls: `lambda = (I - K^T)^-1 x` in every slot.
///
/// `step` is the spacing of the rates that were observed. The variance of a workload adds up what
/// each entry's forecast contributes over all its routes together, and what every call ratio and
/// the count of calls in one step add on the way.
pub(crate) fn propagate(
    graph: &CallGraph,
    entries: &BTreeMap<WorkloadRef, Load>,
    slots: usize,
    step: Step,
) -> Traffic {
    let mut network = Network::new(graph, entries.keys());
    let sources: Vec<usize> = entries.keys().filter_map(|w| network.index(w)).collect();
    let warnings = open_runaway_cycles(&mut network, &sources);
    let gains: Vec<Vec<f64>> = (0..network.workloads.len()).map(|i| network.gains(i)).collect();
    let mut loads = vec![Load::zero(slots); network.workloads.len()];
    let mut origins: BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, f64>> = BTreeMap::new();
    for (&source, (entry, load)) in sources.iter().zip(entries) {
        let peak = load.mean.iter().copied().fold(0.0, f64::max);
        for (target, gain) in gains[source].iter().enumerate().filter(|(_, gain)| **gain > 0.0) {
            loads[target].add(load, *gain);
            let from = origins.entry(network.workloads[target].clone()).or_default();
            from.insert(entry.clone(), peak * gain);
        }
    }
    add_call_noise(&network, &gains, &mut loads, step);
    let blind = blind(&network, &gains, entries);
    let graph = followed(graph, &network);
    let loads = network.workloads.into_iter().zip(loads).collect();
    Traffic { loads, origins, blind, graph, warnings }
}

impl Load {
    fn add(&mut self, load: &Self, gain: f64) {
        let cells = self.mean.iter_mut().zip(&load.mean);
        cells.for_each(|(cell, mean)| *cell += gain * mean);
        let cells = self.variance.iter_mut().zip(&load.variance);
        cells.for_each(|(cell, variance)| *cell += gain * gain * variance);
    }
}

/// Adds, behind every edge, the variance of its ratio and of the number of calls in one step.
fn add_call_noise(network: &Network, gains: &[Vec<f64>], loads: &mut [Load], step: Step) {
    let means: Vec<Vec<f64>> = loads.iter().map(|load| load.mean.clone()).collect();
    let seconds = f64::from(step.seconds());
    for edge in &network.edges {
        for (target, gain) in gains[edge.callee].iter().enumerate().filter(|(_, g)| **g > 0.0) {
            let load = &mut loads[target];
            for (slot, rate) in means[edge.caller].iter().enumerate() {
                load.variance[slot] += (gain * edge.spread * rate).powi(2);
                load.arrivals[slot] += gain * gain * edge.ratio * rate / seconds;
            }
        }
    }
}

/// The workloads that a workload nobody calls and nobody forecast leads to.
fn blind(
    network: &Network,
    gains: &[Vec<f64>],
    entries: &BTreeMap<WorkloadRef, Load>,
) -> BTreeSet<WorkloadRef> {
    let called: BTreeSet<usize> =
        network.edges.iter().filter(|e| e.ratio > 0.0).map(|e| e.callee).collect();
    let unknown = |i: &usize| !called.contains(i) && !entries.contains_key(&network.workloads[*i]);
    let sources: Vec<usize> = (0..network.workloads.len()).filter(unknown).collect();
    let reached = |target: &usize| sources.iter().any(|&source| gains[source][*target] > 0.0);
    let targets = (0..network.workloads.len()).filter(reached);
    targets.map(|i| network.workloads[i].clone()).collect()
}

/// The part of `graph` whose edges the network kept.
fn followed(graph: &CallGraph, network: &Network) -> CallGraph {
    let mut kept = CallGraph::default();
    for edge in &network.edges {
        let (caller, callee) = (&network.workloads[edge.caller], &network.workloads[edge.callee]);
        if let Some((_, ratio)) = graph.callees(caller).find(|(name, _)| *name == callee) {
            kept.insert(caller.clone(), callee.clone(), *ratio);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::CallRatio;
    use proptest::prelude::*;

    fn workload(index: usize) -> WorkloadRef {
        WorkloadRef::deployment("shop", &format!("w{index:02}")).unwrap()
    }

    fn graph(edges: &[(usize, usize, f64)]) -> CallGraph {
        let mut graph = CallGraph::default();
        for &(caller, callee, ratio) in edges {
            let call = CallRatio { ratio, spread: 0.1 * ratio, windows: 100 };
            graph.insert(workload(caller), workload(callee), call);
        }
        graph
    }

    fn entry(index: usize, mean: &[f64]) -> BTreeMap<WorkloadRef, Load> {
        let variance = mean.iter().map(|m| (0.2 * m).powi(2)).collect();
        let load = Load { mean: mean.to_vec(), variance, arrivals: vec![0.0; mean.len()] };
        [(workload(index), load)].into()
    }

    fn run(graph: &CallGraph, entries: &BTreeMap<WorkloadRef, Load>) -> Traffic {
        let slots = entries.values().next().unwrap().mean.len();
        propagate(graph, entries, slots, Step::MINUTE)
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-9 * (1.0 + a.abs().max(b.abs()))
    }

    #[test]
    fn load_reaches_a_callee_over_every_route_and_in_its_own_slot() {
        let diamond = graph(&[(0, 1, 2.0), (0, 2, 1.0), (1, 3, 0.5), (2, 3, 3.0)]);
        let traffic = run(&diamond, &entry(0, &[10.0, 1.0]));
        assert_eq!(traffic.loads[&workload(3)].mean, [40.0, 4.0]);
        assert_eq!(traffic.origins[&workload(3)], BTreeMap::from([(workload(0), 40.0)]));
    }

    #[test]
    fn routes_of_one_entry_rise_together() {
        let call = |ratio| CallRatio { ratio, spread: 0.0, windows: 1 };
        let mut diamond = CallGraph::default();
        for (caller, callee) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
            diamond.insert(workload(caller), workload(callee), call(1.0));
        }
        let traffic = run(&diamond, &entry(0, &[10.0]));
        let deviation = traffic.loads[&workload(3)].variance[0].sqrt();
        assert!(close(deviation, 4.0), "twice the 2.0 of the entry, not 2.83: {deviation}");
    }

    #[test]
    fn a_rare_callee_keeps_more_headroom_than_a_busy_one() {
        let fan = graph(&[(0, 1, 4.0), (0, 2, 0.03)]);
        let loads = run(&fan, &entry(0, &[8.0])).loads;
        let headroom = |i| {
            let load: &Load = &loads[&workload(i)];
            load.upper(Quantile::new(0.99).unwrap(), 60)[0] / load.mean[0]
        };
        assert!(headroom(2) > 1.3 * headroom(1), "{} {}", headroom(2), headroom(1));
    }

    #[test]
    fn a_damped_cycle_converges_without_a_warning() {
        let traffic = run(&graph(&[(0, 1, 1.0), (1, 2, 0.5), (2, 1, 0.5)]), &entry(0, &[6.0]));
        assert!(close(traffic.loads[&workload(1)].mean[0], 8.0));
        assert!(traffic.warnings.is_empty());
    }

    #[test]
    fn a_cycle_that_multiplies_load_is_opened_where_it_leads_back() {
        let traffic = run(&graph(&[(0, 1, 2.0), (1, 2, 2.0), (2, 0, 1.0)]), &entry(0, &[1.0]));
        assert_eq!(traffic.loads[&workload(2)].mean, [4.0]);
        assert_eq!(traffic.warnings.len(), 1);
        assert!(traffic.warnings[0].contains("w02 calls shop/Deployment/w00"));
        assert_eq!(traffic.graph.edges().count(), 2);
    }

    #[test]
    fn what_an_unknown_entry_leads_to_is_named() {
        let traffic = run(&graph(&[(0, 1, 1.0), (2, 1, 1.0), (0, 3, 1.0)]), &entry(0, &[1.0]));
        assert_eq!(traffic.blind, [workload(1), workload(2)].into());
    }

    /// Edges from lower to higher indices, so no cycle.
    fn acyclic() -> impl Strategy<Value = Vec<(usize, usize, f64)>> {
        prop::collection::vec((0usize..6, 1usize..4, 0.0..3.0f64), 0..12)
            .prop_map(|edges| edges.into_iter().map(|(u, d, k)| (u, u + d, k)).collect())
    }

    proptest! {
        #[test]
        fn entries_receive_what_enters_and_every_callee_what_its_callers_send(
            edges in acyclic(), load in 0.0..100.0f64,
        ) {
            let graph = graph(&edges);
            let traffic = run(&graph, &entry(0, &[load]));
            for (name, found) in &traffic.loads {
                let sent: f64 = graph.callers(name).map(|(u, k)| k.ratio * traffic.loads[u].mean[0]).sum();
                let outside = if *name == workload(0) { load } else { 0.0 };
                prop_assert!(close(found.mean[0], outside + sent));
            }
        }

        #[test]
        fn twice_the_load_is_twice_the_load_everywhere(edges in acyclic(), load in 0.1..100.0f64) {
            let graph = graph(&edges);
            let (once, twice) = (run(&graph, &entry(0, &[load])), run(&graph, &entry(0, &[2.0 * load])));
            for (name, load) in &once.loads {
                prop_assert!(close(2.0 * load.mean[0], twice.loads[name].mean[0]));
                prop_assert!(close(4.0 * load.variance[0], twice.loads[name].variance[0]));
                prop_assert!(close(2.0 * load.arrivals[0], twice.loads[name].arrivals[0]));
            }
        }

        #[test]
        fn renaming_workloads_changes_nothing_else(edges in acyclic(), load in 0.1..100.0f64) {
            let renamed = |i: usize| (i * 7 + 3) % 10;
            let other: Vec<_> = edges.iter().map(|&(u, v, k)| (renamed(u), renamed(v), k)).collect();
            let first = run(&graph(&edges), &entry(0, &[load]));
            let second = run(&graph(&other), &entry(renamed(0), &[load]));
            for index in 0..10 {
                let pair = (first.loads.get(&workload(index)), second.loads.get(&workload(renamed(index))));
                if let (Some(a), Some(b)) = pair {
                    prop_assert!(close(a.mean[0], b.mean[0]) && close(a.variance[0], b.variance[0]));
                } else {
                    prop_assert_eq!(pair.0, pair.1);
                }
            }
        }

        #[test]
        fn edges_without_traffic_change_no_load(edges in acyclic(), u in 0usize..8, v in 0usize..8) {
            let mut silent = graph(&edges);
            if silent.callees(&workload(u)).all(|(name, _)| *name != workload(v)) {
                silent.insert(workload(u), workload(v), CallRatio { ratio: 0.0, spread: 0.0, windows: 5 });
            }
            let (without, with) = (run(&graph(&edges), &entry(0, &[9.0])), run(&silent, &entry(0, &[9.0])));
            for (name, load) in &without.loads {
                prop_assert!(close(load.mean[0], with.loads[name].mean[0]));
            }
            prop_assert!(with.warnings.is_empty());
        }

        #[test]
        fn any_graph_gives_finite_loads(
            edges in prop::collection::vec((0usize..6, 0usize..6, 0.0..4.0f64), 0..20),
        ) {
            let traffic = run(&graph(&edges), &entry(0, &[10.0]));
            for load in traffic.loads.values() {
                prop_assert!(load.mean[0].is_finite() && load.variance[0].is_finite());
            }
        }
    }
}
