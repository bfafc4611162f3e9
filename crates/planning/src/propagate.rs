//! The load every workload receives when the entries receive theirs, slot by slot.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, Quantile, Step, WorkloadRef};

use crate::cycles::{open_runaway_cycles, warning};
use crate::flow::Flow;
use crate::gamma::upper_value;
use crate::network::{Edge, Network};
use crate::normal::normal_quantile;

/// A load per slot in requests per second, with the uncertainty about it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Load {
    /// Expected load, at least 0.
    pub mean: Vec<f64>,
    /// Variance of that expectation: what forecasts and call ratios leave open.
    pub variance: Vec<f64>,
    /// Variance of one measurement around it: how many of the calls fall into one step.
    pub arrivals: Vec<f64>,
}

/// What [`propagate`] finds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Traffic {
    /// The load of every workload in the graph or with load of its own.
    pub loads: BTreeMap<WorkloadRef, Load>,
    /// Requests per second that each entry causes at a workload, at the entry's highest slot.
    pub origins: BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, f64>>,
    /// Workloads whose load is not fully known, because that of an entry before them is not.
    pub blind: BTreeSet<WorkloadRef>,
    /// The graph the load followed, without the calls that were left out.
    pub graph: CallGraph,
    /// Calls that had to be left out, each a sentence.
    pub warnings: Vec<String>,
}

impl Load {
    /// The path that the largest of `steps` measurements per slot stays below with probability `quantile`.
    ///
    /// What is uncertain about the expectation is the same for all steps of a slot; arrivals are
    /// independent between them, so the largest of them lies further out. Few calls lean to the left,
    /// which the path follows.
    #[must_use]
    pub fn upper(&self, quantile: Quantile, steps: u32) -> Vec<f64> {
        let once = normal_quantile(quantile.get()).max(0.0);
        let largest = normal_quantile(quantile.get().powf(1.0 / f64::from(steps.max(1)))).max(0.0);
        let uncertainty = self.variance.iter().zip(&self.arrivals);
        let value = |(mean, (variance, arrivals)): (&f64, (&f64, &f64))| {
            let total = variance + arrivals;
            let reach = (once * once * variance + largest * largest * arrivals).sqrt();
            let deviations = if total > 0.0 { reach / total.sqrt() } else { 0.0 };
            upper_value(*mean, total, deviations)
        };
        self.mean.iter().zip(uncertainty).map(value).collect()
    }
}

/// Sends the load of the entries along the calls: `lambda = (I - K^T)^-1 x` in each of `slots` slots.
///
/// `step` is the spacing of the rates that were observed. The variance of a workload adds up what
/// each entry's forecast contributes over all its routes together, and what every call ratio and
/// the count of calls in one step add on the way.
#[must_use]
pub fn propagate(
    graph: &CallGraph,
    entries: &BTreeMap<WorkloadRef, Load>,
    slots: usize,
    step: Step,
) -> Traffic {
    let mut network = Network::new(graph, entries.keys());
    let sources: Vec<usize> = entries.keys().filter_map(|w| network.index(w)).collect();
    let removed = open_runaway_cycles(&mut network, &sources);
    let mut flow = Flow::new(&network);
    let mut table = Table::new(network.len(), slots);
    let mut origins: BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, f64>> = BTreeMap::new();
    for (&source, (entry, load)) in sources.iter().zip(entries) {
        let peak = load.mean.iter().copied().fold(0.0, f64::max);
        for (target, gain) in flow.follow(source) {
            table.add(target, load, gain);
            let from = origins.entry(network.workloads[target].clone()).or_default();
            from.insert(entry.clone(), peak * gain);
        }
    }
    add_call_noise(&network, &mut flow, &mut table, step);
    Traffic {
        loads: network.workloads.iter().cloned().zip(table.into_loads()).collect(),
        origins,
        blind: blind(&network, entries),
        graph: without(graph, &network, &removed),
        warnings: removed.iter().map(|edge| warning(&network, edge)).collect(),
    }
}

/// Loads of all workloads, slot after slot, in one piece.
#[derive(Debug, Clone)]
struct Table {
    slots: usize,
    mean: Vec<f64>,
    variance: Vec<f64>,
    arrivals: Vec<f64>,
}

impl Table {
    fn new(workloads: usize, slots: usize) -> Self {
        let zeros = || vec![0.0; workloads * slots];
        Self { slots, mean: zeros(), variance: zeros(), arrivals: zeros() }
    }

    const fn of(&self, workload: usize) -> std::ops::Range<usize> {
        workload * self.slots..(workload + 1) * self.slots
    }

    /// Adds `gain` times `load` to what `target` receives.
    fn add(&mut self, target: usize, load: &Load, gain: f64) {
        let cells = self.of(target);
        add_scaled(&mut self.mean[cells.clone()], &load.mean, gain);
        add_scaled(&mut self.variance[cells.clone()], &load.variance, gain * gain);
        add_scaled(&mut self.arrivals[cells], &load.arrivals, gain * gain);
    }

    fn into_loads(self) -> impl Iterator<Item = Load> {
        let workloads = self.mean.len() / self.slots.max(1);
        (0..workloads).map(move |workload| {
            let part = |of: &[f64]| of[self.of(workload)].to_vec();
            Load {
                mean: part(&self.mean),
                variance: part(&self.variance),
                arrivals: part(&self.arrivals),
            }
        })
    }
}

fn add_scaled(cells: &mut [f64], values: &[f64], factor: f64) {
    cells.iter_mut().zip(values).for_each(|(cell, value)| *cell += factor * value);
}

/// Adds, behind every edge, the variance of its ratio and of the number of calls in one step.
///
/// What the edges into one workload add is independent, so it goes on from there as one.
fn add_call_noise(network: &Network, flow: &mut Flow<'_>, table: &mut Table, step: Step) {
    let slots = table.slots;
    let mut noise = Table { mean: Vec::new(), ..Table::new(network.len(), slots) };
    for edge in &network.edges {
        let per_step = edge.dispersion * edge.ratio / f64::from(step.seconds());
        for (at, from) in noise.of(edge.callee).zip(table.of(edge.caller)) {
            let rate = table.mean[from];
            noise.variance[at] += (edge.spread * rate).powi(2);
            noise.arrivals[at] += per_step * rate;
        }
    }
    let called: BTreeSet<usize> = network.edges.iter().map(|edge| edge.callee).collect();
    for source in called {
        let from = noise.of(source);
        let (variance, arrivals) = (&noise.variance[from.clone()], &noise.arrivals[from]);
        for (target, gain) in flow.follow(source) {
            let cells = table.of(target);
            add_scaled(&mut table.variance[cells.clone()], variance, gain * gain);
            add_scaled(&mut table.arrivals[cells], arrivals, gain * gain);
        }
    }
}

/// The workloads that a workload nobody calls and nobody forecast leads to.
fn blind(network: &Network, entries: &BTreeMap<WorkloadRef, Load>) -> BTreeSet<WorkloadRef> {
    let called: BTreeSet<usize> = network.edges.iter().map(|e| e.callee).collect();
    let unknown = |i: &usize| !called.contains(i) && !entries.contains_key(&network.workloads[*i]);
    let sources: Vec<usize> = (0..network.len()).filter(unknown).collect();
    let distance = network.distances(&sources);
    let reached = (0..network.len()).filter(|target| distance[*target] != usize::MAX);
    reached.map(|i| network.workloads[i].clone()).collect()
}

/// `graph` without the edges that were `removed`.
fn without(graph: &CallGraph, network: &Network, removed: &[Edge]) -> CallGraph {
    let mut kept = graph.clone();
    for edge in removed {
        kept.remove(&network.workloads[edge.caller], &network.workloads[edge.callee]);
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
            let call =
                CallRatio { spread: 0.1 * ratio, dispersion: 1.5, ..CallRatio::stated(ratio, 0.0) };
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
        let call = |ratio| CallRatio::stated(ratio, 0.0);
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
    fn the_variance_of_calls_is_passed_on_and_grows_by_their_dispersion_and_the_ratios_spread() {
        let call = CallRatio { dispersion: 2.5, ..CallRatio::stated(3.0, 0.2) };
        let mut chain = CallGraph::default();
        chain.insert(workload(0), workload(1), call);
        let entry = Load { mean: vec![12.0], variance: vec![4.0], arrivals: vec![0.5] };
        let traffic = propagate(&chain, &[(workload(0), entry)].into(), 1, Step::MINUTE);
        let load = &traffic.loads[&workload(1)];
        assert!(close(load.variance[0], 9.0 * 4.0 + (0.2f64 * 12.0).powi(2)));
        assert!(close(load.arrivals[0], 9.0 * 0.5 + 2.5 * 3.0 * 12.0 / 60.0));
    }

    #[test]
    fn noise_that_takes_two_routes_meets_itself_again() {
        let call = CallRatio { dispersion: 0.0, ..CallRatio::stated(1.0, 0.0) };
        let mut diamond = CallGraph::default();
        for (caller, callee) in [(1, 2), (1, 3), (2, 4), (3, 4)] {
            diamond.insert(workload(caller), workload(callee), call);
        }
        diamond.insert(workload(0), workload(1), CallRatio::stated(1.0, 0.0));
        let load = Load { mean: vec![60.0], variance: vec![0.0], arrivals: vec![0.0] };
        let traffic = propagate(&diamond, &[(workload(0), load)].into(), 1, Step::MINUTE);
        assert!(
            close(traffic.loads[&workload(4)].arrivals[0], 4.0),
            "not the 2.0 of two strangers"
        );
    }

    #[test]
    fn the_upper_path_of_few_calls_is_that_of_their_count() {
        let of = |mean: f64| Load {
            mean: vec![mean / 60.0],
            variance: vec![0.0],
            arrivals: vec![mean / 3600.0],
        };
        let upper = |mean: f64| of(mean).upper(Quantile::new(0.99).unwrap(), 1)[0] * 60.0;
        // Of a Poisson count with mean 5, 0.987 are at most 10 and 0.995 at most 11.
        assert!((10.0..12.0).contains(&upper(5.0)), "{}", upper(5.0));
        assert!((upper(1e4) / 1e4 - 1.023_4).abs() < 1e-3, "{}", upper(1e4));
        let normal = 5.0 + 2.326 * 5f64.sqrt();
        assert!(upper(5.0) > 1.08 * normal, "{} {normal}", upper(5.0));
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
                silent.insert(workload(u), workload(v), CallRatio::declared());
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
