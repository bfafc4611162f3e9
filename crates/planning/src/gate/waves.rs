//! In which order changes follow the calls.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, WorkloadRef};

use crate::network::{Edge, Network};

/// The wave of each change, from 1: first the raises, callees before their callers, then the decreases, callers
/// before their callees. Workloads that call each other in a circle share a wave.
pub(super) fn waves<'a>(
    graph: &CallGraph,
    raised: &BTreeSet<&'a WorkloadRef>,
    lowered: &BTreeSet<&'a WorkloadRef>,
) -> BTreeMap<&'a WorkloadRef, u32> {
    let network = Network::new(graph, raised.iter().chain(lowered).copied());
    let heights = heights(&network);
    let height = |workload: &WorkloadRef| network.index(workload).map_or(0, |i| heights[i]);
    let levels = |of: &BTreeSet<&WorkloadRef>| -> Vec<usize> {
        of.iter().map(|w| height(w)).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (up, down) = (levels(raised), levels(lowered));
    let place = |levels: &[usize], w| levels.partition_point(|level| *level < height(w));
    let first = raised.iter().map(|w| (*w, place(&up, w) as u32 + 1));
    let then = lowered.iter().map(|w| (*w, (up.len() + down.len() - place(&down, w)) as u32));
    first.chain(then).collect()
}

/// The most calls in a row that lead on from each workload, a circle counted as one workload.
fn heights(network: &Network) -> Vec<usize> {
    let circles = circles(network);
    let mut order: Vec<usize> = (0..circles.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(circles[*at]));
    let mut heights = vec![0; circles.len()];
    for at in order {
        for edge in calls(network, at).filter(|edge| circles[edge.callee] != circles[at]) {
            let above = heights[circles[edge.callee]] + 1;
            heights[circles[at]] = heights[circles[at]].max(above);
        }
    }
    circles.into_iter().map(|circle| heights[circle]).collect()
}

/// For each workload the number of its circle, callers before callees (Kosaraju's algorithm).
fn circles(network: &Network) -> Vec<usize> {
    let mut callers = vec![Vec::new(); network.workloads.len()];
    for at in 0..callers.len() {
        calls(network, at).for_each(|edge| callers[edge.callee].push(at));
    }
    let mut circles = vec![usize::MAX; callers.len()];
    let mut next = 0;
    for root in finished(network).into_iter().rev() {
        let mut reached = vec![root];
        let is_new = circles[root] == usize::MAX;
        while let Some(at) = reached.pop() {
            if circles[at] == usize::MAX {
                circles[at] = next;
                reached.extend(&callers[at]);
            }
        }
        next += usize::from(is_new);
    }
    circles
}

/// The workloads in the order in which a walk along the calls leaves them for good.
fn finished(network: &Network) -> Vec<usize> {
    let count = network.workloads.len();
    let (mut order, mut seen) = (Vec::with_capacity(count), vec![false; count]);
    for root in 0..count {
        let mut path = Vec::new();
        if !std::mem::replace(&mut seen[root], true) {
            path.push((root, calls(network, root)));
        }
        while let Some((at, rest)) = path.last_mut() {
            match rest.next() {
                None => {
                    order.push(*at);
                    path.pop();
                }
                Some(edge) if !std::mem::replace(&mut seen[edge.callee], true) => {
                    path.push((edge.callee, calls(network, edge.callee)));
                }
                Some(_) => {}
            }
        }
    }
    order
}

/// The calls that are made; a ratio of 0 says that none is.
fn calls(network: &Network, caller: usize) -> impl Iterator<Item = &Edge> {
    network.calls(caller).iter().filter(|edge| edge.ratio > 0.0)
}
