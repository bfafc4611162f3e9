//! Cycles of calls that would multiply load without end.

use std::collections::VecDeque;

use crate::network::{Edge, Network};

/// Rounds after which a damped cycle has faded; a round trip that keeps more than 98.6 % has not.
const ROUNDS: usize = 1000;
/// What is left of one request once it counts as faded.
const FADED: f64 = 1e-6;
/// Keeps a growing cycle representable.
const CEILING: f64 = 1e9;

/// Removes the edges that lead back towards the entries in every cycle whose gain is not below 1.
///
/// What remains of such a cycle leads away from the entries, so it has none. The answer holds a
/// sentence for each edge removed.
pub(crate) fn open_runaway_cycles(network: &mut Network, entries: &[usize]) -> Vec<String> {
    let cyclic = cyclic_edges(network);
    if cyclic.is_empty() {
        return Vec::new();
    }
    let lasting = lasting(network.workloads.len(), &cyclic);
    let distance = distances(network, entries);
    let runs_back = |edge: &Edge| {
        lasting[edge.caller]
            && lasting[edge.callee]
            && distance[edge.callee] <= distance[edge.caller]
            && cyclic.iter().any(|c| (c.caller, c.callee) == (edge.caller, edge.callee))
    };
    let removed: Vec<Edge> = network.edges.iter().copied().filter(runs_back).collect();
    network.edges.retain(|edge| !runs_back(edge));
    removed.iter().map(|edge| warning(network, edge)).collect()
}

fn warning(network: &Network, edge: &Edge) -> String {
    format!(
        "{} calls {} in a cycle that multiplies load without end, so these calls are left out; declare the call ratios of the cycle if they were measured wrongly",
        network.workloads[edge.caller], network.workloads[edge.callee]
    )
}

/// The edges that lie on a cycle: those whose callee leads back to their caller.
fn cyclic_edges(network: &Network) -> Vec<Edge> {
    let mut cyclic = Vec::new();
    for callee in 0..network.workloads.len() {
        let distance = distances(network, &[callee]);
        let leads_back = |e: &&Edge| e.callee == callee && distance[e.caller] != usize::MAX;
        cyclic.extend(network.edges.iter().filter(|e| e.ratio > 0.0).filter(leads_back));
    }
    cyclic
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
    }
    load.into_iter().map(|v| v > FADED).collect()
}

/// Calls from the nearest of `sources` to each workload; `usize::MAX` where none leads there.
fn distances(network: &Network, sources: &[usize]) -> Vec<usize> {
    let mut distance = vec![usize::MAX; network.workloads.len()];
    let mut queue: VecDeque<usize> = sources.iter().copied().collect();
    for &source in sources {
        distance[source] = 0;
    }
    while let Some(at) = queue.pop_front() {
        for edge in network.calls(at).iter().filter(|e| e.ratio > 0.0) {
            if distance[edge.callee] == usize::MAX {
                distance[edge.callee] = distance[at] + 1;
                queue.push_back(edge.callee);
            }
        }
    }
    distance
}
