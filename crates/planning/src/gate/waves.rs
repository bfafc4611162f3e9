//! In which order changes follow the calls.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, CallRatio, Trust, WorkloadRef};

/// The wave of each change, from 1: first the raises, callees before their callers, then the decreases, callers
/// before their callees. Workloads that call each other in a circle share a wave.
pub(super) fn waves<'a>(
    graph: &'a CallGraph,
    raised: &BTreeSet<&'a WorkloadRef>,
    lowered: &BTreeSet<&'a WorkloadRef>,
) -> BTreeMap<&'a WorkloadRef, u32> {
    let heights = Calls::new(graph).heights();
    let height = |workload: &WorkloadRef| heights.get(workload).copied().unwrap_or(0);
    let levels = |of: &BTreeSet<&WorkloadRef>| -> Vec<usize> {
        of.iter().map(|w| height(w)).collect::<BTreeSet<_>>().into_iter().collect()
    };
    let (up, down) = (levels(raised), levels(lowered));
    let place = |levels: &[usize], w| levels.partition_point(|level| *level < height(w));
    let first = raised.iter().map(|w| (*w, place(&up, w) as u32 + 1));
    let then = lowered.iter().map(|w| (*w, (up.len() + down.len() - place(&down, w)) as u32));
    first.chain(then).collect()
}

/// The calls that are made, also those of which only that is known, between indices of workloads.
struct Calls<'a> {
    workloads: Vec<&'a WorkloadRef>,
    callees: Vec<Vec<usize>>,
    callers: Vec<Vec<usize>>,
}

impl<'a> Calls<'a> {
    fn new(graph: &'a CallGraph) -> Self {
        let workloads: Vec<&WorkloadRef> = graph.workloads().into_iter().collect();
        let index = |workload| workloads.binary_search(&workload).unwrap_or_default();
        let (mut callees, mut callers) =
            (vec![Vec::new(); workloads.len()], vec![Vec::new(); workloads.len()]);
        let made = |call: &CallRatio| call.ratio > 0.0 || call.trust == Trust::Declared;
        for (caller, callee, _) in graph.edges().filter(|(_, _, call)| made(call)) {
            callees[index(caller)].push(index(callee));
            callers[index(callee)].push(index(caller));
        }
        Self { workloads, callees, callers }
    }

    /// The most calls in a row that lead on from each workload, a circle counted as one workload.
    fn heights(&self) -> BTreeMap<&'a WorkloadRef, usize> {
        let circles = self.circles();
        let mut order: Vec<usize> = (0..circles.len()).collect();
        order.sort_by_key(|at| Reverse(circles[*at]));
        let mut heights = vec![0; circles.len()];
        for at in order {
            let leaving = self.callees[at].iter().map(|callee| circles[*callee]);
            for circle in leaving.filter(|circle| *circle != circles[at]) {
                heights[circles[at]] = heights[circles[at]].max(heights[circle] + 1);
            }
        }
        self.workloads.iter().zip(circles).map(|(w, circle)| (*w, heights[circle])).collect()
    }

    /// For each workload the number of its circle, callers before callees (Kosaraju's algorithm).
    fn circles(&self) -> Vec<usize> {
        let mut circles = vec![usize::MAX; self.workloads.len()];
        let mut next = 0;
        for root in self.finished().into_iter().rev() {
            let is_new = circles[root] == usize::MAX;
            let mut reached = vec![root];
            while let Some(at) = reached.pop() {
                if circles[at] == usize::MAX {
                    circles[at] = next;
                    reached.extend(&self.callers[at]);
                }
            }
            next += usize::from(is_new);
        }
        circles
    }

    /// The workloads in the order in which a walk along the calls leaves them for good.
    fn finished(&self) -> Vec<usize> {
        let (mut order, mut seen) = (Vec::new(), vec![false; self.workloads.len()]);
        for root in 0..self.workloads.len() {
            let mut path = Vec::new();
            if !std::mem::replace(&mut seen[root], true) {
                path.push((root, self.callees[root].iter()));
            }
            while let Some((at, rest)) = path.last_mut() {
                match rest.next() {
                    None => {
                        order.push(*at);
                        path.pop();
                    }
                    Some(&callee) if !std::mem::replace(&mut seen[callee], true) => {
                        path.push((callee, self.callees[callee].iter()));
                    }
                    Some(_) => {}
                }
            }
        }
        order
    }
}
