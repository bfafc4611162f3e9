//! The call graph as indices, and how much of one request at a workload arrives at every other.

use std::collections::BTreeMap;

use mora_core::{CallGraph, WorkloadRef};

/// A change below this share of the largest gain is rounding.
const SETTLED: f64 = 1e-13;
/// Sweeps after which a cycle counts as settled; cycles that need more have been opened before.
const MAX_SWEEPS: usize = 5000;

/// One edge of the graph, between indices into [`Network::workloads`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) caller: usize,
    pub(crate) callee: usize,
    pub(crate) ratio: f64,
    pub(crate) spread: f64,
}

/// The call graph and every other workload that receives load, by index.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) workloads: Vec<WorkloadRef>,
    /// In order of caller, then callee.
    pub(crate) edges: Vec<Edge>,
}

impl Network {
    /// The network of `graph` and of workloads that stand alone.
    pub(crate) fn new<'a>(
        graph: &'a CallGraph,
        others: impl Iterator<Item = &'a WorkloadRef>,
    ) -> Self {
        let mut index: BTreeMap<WorkloadRef, usize> =
            graph.workloads().into_iter().chain(others).map(|w| (w.clone(), 0)).collect();
        for (position, value) in index.values_mut().enumerate() {
            *value = position;
        }
        let edges = graph.edges().map(|(caller, callee, call)| Edge {
            caller: index[caller],
            callee: index[callee],
            ratio: call.ratio,
            spread: call.spread,
        });
        Self { edges: edges.collect(), workloads: index.into_keys().collect() }
    }

    /// The index of `workload`, if it is in the network.
    pub(crate) fn index(&self, workload: &WorkloadRef) -> Option<usize> {
        self.workloads.binary_search(workload).ok()
    }

    /// The edges that start at `caller`.
    pub(crate) fn calls(&self, caller: usize) -> &[Edge] {
        let first = self.edges.partition_point(|edge| edge.caller < caller);
        let last = self.edges.partition_point(|edge| edge.caller <= caller);
        &self.edges[first..last]
    }

    /// Requests that arrive at every workload for one request that enters at `source`.
    ///
    /// Each sweep follows the calls one edge further: a graph without cycles settles exactly, after
    /// as many sweeps as its longest path has edges; a damped cycle settles geometrically.
    pub(crate) fn gains(&self, source: usize) -> Vec<f64> {
        let mut gains = vec![0.0; self.workloads.len()];
        gains[source] = 1.0;
        for _ in 0..MAX_SWEEPS {
            let mut next = vec![0.0; gains.len()];
            next[source] = 1.0;
            for edge in &self.edges {
                next[edge.callee] += edge.ratio * gains[edge.caller];
            }
            let largest = next.iter().copied().fold(0.0, f64::max);
            let settled = next.iter().zip(&gains).all(|(a, b)| (a - b).abs() <= SETTLED * largest);
            gains = next;
            if settled {
                break;
            }
        }
        gains
    }
}
