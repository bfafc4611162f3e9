//! The call graph as indices.

use std::collections::{BTreeSet, VecDeque};

use mora_core::{CallGraph, WorkloadRef};

/// One edge that carries load, between indices into [`Network::workloads`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Edge {
    pub(crate) caller: usize,
    pub(crate) callee: usize,
    pub(crate) ratio: f64,
    pub(crate) spread: f64,
    pub(crate) dispersion: f64,
}

/// The call graph and every other workload that receives load, by index.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    pub(crate) workloads: Vec<WorkloadRef>,
    /// Those with a ratio above 0, in order of caller, then callee.
    pub(crate) edges: Vec<Edge>,
    /// Where the edges of each caller start, and behind the last of them where they end.
    starts: Vec<usize>,
}

impl Network {
    /// The network of `graph` and of workloads that stand alone.
    pub(crate) fn new<'a>(
        graph: &'a CallGraph,
        others: impl Iterator<Item = &'a WorkloadRef>,
    ) -> Self {
        let names: BTreeSet<&WorkloadRef> = graph.workloads().into_iter().chain(others).collect();
        let workloads: Vec<WorkloadRef> = names.into_iter().cloned().collect();
        let index = |workload: &WorkloadRef| workloads.binary_search(workload).unwrap_or_default();
        let edges = graph.edges().filter(|(_, _, call)| call.ratio > 0.0);
        let edge = |(caller, callee, call): (&_, &_, &mora_core::CallRatio)| Edge {
            caller: index(caller),
            callee: index(callee),
            ratio: call.ratio,
            spread: call.spread,
            dispersion: call.dispersion,
        };
        let edges: Vec<Edge> = edges.map(edge).collect();
        let starts = starts(&edges, workloads.len());
        Self { workloads, edges, starts }
    }

    /// The index of `workload`, if it is in the network.
    pub(crate) fn index(&self, workload: &WorkloadRef) -> Option<usize> {
        self.workloads.binary_search(workload).ok()
    }

    /// Number of workloads.
    pub(crate) const fn len(&self) -> usize {
        self.workloads.len()
    }

    /// The edges that start at `caller`.
    pub(crate) fn calls(&self, caller: usize) -> &[Edge] {
        &self.edges[self.starts[caller]..self.starts[caller + 1]]
    }

    /// Takes the edges for which `wanted` is false out, and gives them back.
    pub(crate) fn keep(&mut self, wanted: impl Fn(&Edge) -> bool) -> Vec<Edge> {
        let (kept, removed) = self.edges.iter().partition(|edge| wanted(edge));
        self.edges = kept;
        self.starts = starts(&self.edges, self.workloads.len());
        removed
    }

    /// Calls from the nearest of `sources` to each workload; `usize::MAX` where none leads there.
    pub(crate) fn distances(&self, sources: &[usize]) -> Vec<usize> {
        let mut distance = vec![usize::MAX; self.len()];
        let mut queue: VecDeque<usize> = sources.iter().copied().collect();
        for &source in sources {
            distance[source] = 0;
        }
        while let Some(at) = queue.pop_front() {
            for edge in self.calls(at) {
                if distance[edge.callee] == usize::MAX {
                    distance[edge.callee] = distance[at] + 1;
                    queue.push_back(edge.callee);
                }
            }
        }
        distance
    }
}

fn starts(edges: &[Edge], workloads: usize) -> Vec<usize> {
    (0..=workloads).map(|caller| edges.partition_point(|edge| edge.caller < caller)).collect()
}
