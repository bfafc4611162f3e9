//! How much of one request at a workload arrives at every other.

use crate::network::Network;
use crate::order::Order;

/// A change below this share of the largest gain is rounding.
const SETTLED: f64 = 1e-13;
/// Rounds after which a cycle counts as settled; cycles that need more have been opened before.
const MAX_ROUNDS: usize = 5000;

/// Follows requests through a network, over the workloads they reach and no others.
#[derive(Debug)]
pub(crate) struct Flow<'a> {
    network: &'a Network,
    order: Order,
    /// By workload; 0 but for those reached last.
    gains: Vec<f64>,
    seen: Vec<bool>,
    /// The ranks of the workloads reached last, in order.
    reached: Vec<usize>,
}

impl<'a> Flow<'a> {
    pub(crate) fn new(network: &'a Network) -> Self {
        let (gains, seen) = (vec![0.0; network.len()], vec![false; network.len()]);
        Self { network, order: Order::new(network), gains, seen, reached: Vec::new() }
    }

    /// The workloads that one request at `source` reaches, itself included, and how many requests
    /// arrive there over all routes together.
    pub(crate) fn follow(&mut self, source: usize) -> impl Iterator<Item = (usize, f64)> + '_ {
        self.clear();
        self.reach(source);
        self.gains[source] = 1.0;
        let mut at = 0;
        while at < self.reached.len() {
            let size = self.order.cycle_size(self.order.workloads[self.reached[at]]);
            self.pass_on(at, size);
            at += size;
        }
        self.reached.iter().map(|rank| {
            let workload = self.order.workloads[*rank];
            (workload, self.gains[workload])
        })
    }

    fn clear(&mut self) {
        for rank in self.reached.drain(..) {
            let workload = self.order.workloads[rank];
            (self.gains[workload], self.seen[workload]) = (0.0, false);
        }
    }

    fn reach(&mut self, source: usize) {
        let mut open = vec![source];
        self.seen[source] = true;
        while let Some(workload) = open.pop() {
            self.reached.push(self.order.ranks[workload]);
            for edge in self.network.calls(workload) {
                if !std::mem::replace(&mut self.seen[edge.callee], true) {
                    open.push(edge.callee);
                }
            }
        }
        self.reached.sort_unstable();
    }

    /// Passes what arrived at the `size` workloads of one cycle, the first of them reached as number
    /// `at`, on to whom they call.
    fn pass_on(&mut self, at: usize, size: usize) {
        let first = self.reached[at];
        self.settle(first, size);
        for rank in first..first + size {
            let workload = self.order.workloads[rank];
            let gain = self.gains[workload];
            for edge in self.network.calls(workload).iter().filter(|e| !self.order.is_cyclic(e)) {
                self.gains[edge.callee] += edge.ratio * gain;
            }
        }
    }

    /// Follows the calls within a cycle round by round; a damped one settles geometrically.
    fn settle(&mut self, first: usize, size: usize) {
        let members = &self.order.workloads[first..first + size];
        let cyclic = |w: &usize| self.network.calls(*w).iter().any(|e| self.order.is_cyclic(e));
        if !members.iter().any(cyclic) {
            return;
        }
        let entered: Vec<f64> = members.iter().map(|w| self.gains[*w]).collect();
        for _ in 0..MAX_ROUNDS {
            let mut next = entered.clone();
            for &caller in members {
                let edges = self.network.calls(caller).iter();
                for edge in edges.filter(|e| self.order.is_cyclic(e)) {
                    let place = self.order.ranks[edge.callee] - first;
                    next[place] += edge.ratio * self.gains[caller];
                }
            }
            let largest = next.iter().copied().fold(0.0, f64::max);
            let moved = |(w, new): (&usize, &f64)| (self.gains[*w] - new).abs() > SETTLED * largest;
            let settled = !members.iter().zip(&next).any(moved);
            members.iter().zip(next).for_each(|(w, new)| self.gains[*w] = new);
            if settled {
                break;
            }
        }
    }
}
