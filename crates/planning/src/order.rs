//! An order in which every caller stands before whom it calls, but within a cycle.

use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use crate::network::{Edge, Network};

/// Workloads in the order load reaches them; those of one cycle stand side by side.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    /// The workload at each rank.
    pub(crate) workloads: Vec<usize>,
    /// The rank of each workload.
    pub(crate) ranks: Vec<usize>,
    /// The cycle each workload is in, or the one it makes alone.
    cycle: Vec<usize>,
    /// Size of each such cycle.
    sizes: Vec<usize>,
}

impl Order {
    pub(crate) fn new(network: &Network) -> Self {
        let mut graph: DiGraph<(), (), usize> =
            DiGraph::with_capacity(network.len(), network.edges.len());
        for _ in 0..network.len() {
            graph.add_node(());
        }
        for edge in &network.edges {
            graph.add_edge(NodeIndex::new(edge.caller), NodeIndex::new(edge.callee), ());
        }
        let mut order = Self {
            workloads: Vec::with_capacity(network.len()),
            ranks: vec![0; network.len()],
            cycle: vec![0; network.len()],
            sizes: Vec::new(),
        };
        for component in kosaraju_scc(&graph).into_iter().rev() {
            order.push(&component);
        }
        order
    }

    fn push(&mut self, component: &[NodeIndex<usize>]) {
        for workload in component.iter().map(|node| node.index()) {
            self.cycle[workload] = self.sizes.len();
            self.ranks[workload] = self.workloads.len();
            self.workloads.push(workload);
        }
        self.sizes.push(component.len());
    }

    /// How many workloads are in one cycle with `workload`, itself included.
    pub(crate) fn cycle_size(&self, workload: usize) -> usize {
        self.sizes[self.cycle[workload]]
    }

    /// Whether `edge` lies on a cycle.
    pub(crate) fn is_cyclic(&self, edge: &Edge) -> bool {
        self.cycle[edge.caller] == self.cycle[edge.callee]
    }
}
