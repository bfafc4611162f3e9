//! Cycles of calls that would multiply load without end.

use crate::network::{Edge, Network};
use crate::order::Order;

/// Rounds after which a damped cycle has faded; a round trip that keeps more than 98.6 % has not.
const ROUNDS: usize = 1000;
/// What is left of one request once it counts as faded.
const FADED: f64 = 1e-6;
/// Keeps a growing cycle representable.
const CEILING: f64 = 1e9;

/// Removes the edges that lead back towards the entries in every cycle whose gain is not below 1, and
/// says which.
///
/// What remains of such a cycle leads away from the entries, so it has none.
pub(crate) fn open_runaway_cycles(network: &mut Network, entries: &[usize]) -> Vec<Edge> {
    let order = Order::new(network);
    let cyclic: Vec<Edge> =
        network.edges.iter().filter(|edge| order.is_cyclic(edge)).copied().collect();
    if cyclic.is_empty() {
        return Vec::new();
    }
    let lasting = lasting(network.len(), &cyclic);
    let distance = network.distances(entries);
    let runs_back = |edge: &Edge| {
        lasting[edge.caller]
            && lasting[edge.callee]
            && distance[edge.callee] <= distance[edge.caller]
            && order.is_cyclic(edge)
    };
    network.keep(|edge| !runs_back(edge))
}

/// A sentence about an edge that was removed.
pub(crate) fn warning(network: &Network, edge: &Edge) -> String {
    format!(
        "{} calls {} in a cycle that multiplies load without end, so these calls are left out; declare the call ratios of the cycle if they were measured wrongly",
        network.workloads[edge.caller], network.workloads[edge.callee]
    )
}

/// Which workloads still receive load after many rounds through the cycles alone.
fn lasting(workloads: usize, cyclic: &[Edge]) -> Vec<bool> {
    let mut load = vec![1.0; workloads];
    for _ in 0..ROUNDS {
        let mut next = vec![0.0; workloads];
        for edge in cyclic {
            next[edge.callee] += edge.ratio * load[edge.caller];
        }
        load = next.into_iter().map(|v| f64::min(v, CEILING)).collect();
        if load.iter().all(|v| *v <= FADED) {
            break;
        }
    }
    load.into_iter().map(|v| v > FADED).collect()
}
