//! Whether the pods of a plan find a place on the nodes.

use mora_core::{Amount, NodeRoom};

/// The pods of one workload: all alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pods {
    /// What each of them requests.
    pub(crate) each: Amount,
    /// How many there are.
    pub(crate) replicas: u32,
    /// Whether there is to be one on each node, as of a DaemonSet.
    pub(crate) one_per_node: bool,
}

/// How many pods of each workload find no node, by first-fit decreasing.
///
/// What is to run on each node is put there first, then the largest pods, measured by the resource of
/// which they take the larger part. The rule is a heuristic, as is the scheduler's own: pods it finds no
/// place for might still be squeezed in by moving others.
pub(crate) fn unplaced(pods: &[Pods], nodes: &[NodeRoom]) -> Vec<u32> {
    let mut free: Vec<Free> = nodes.iter().map(Free::of).collect();
    let whole = free.iter().fold(Amount::default(), |sum, node| sum.plus(node.room));
    let mut order: Vec<usize> = (0..pods.len()).collect();
    order.sort_by(|&a, &b| {
        let size = |i: usize| (pods[i].one_per_node, weight(pods[i].each, whole));
        size(b).partial_cmp(&size(a)).unwrap_or(std::cmp::Ordering::Equal).then(a.cmp(&b))
    });
    let mut missing = vec![0; pods.len()];
    for i in order {
        missing[i] = place(pods[i], &mut free);
    }
    missing
}

/// What is free on one node.
struct Free {
    room: Amount,
    pods: Option<u32>,
}

impl Free {
    fn of(node: &NodeRoom) -> Self {
        Self { room: node.room(), pods: node.pods }
    }

    /// Takes as many of `wanted` pods as fit; returns how many.
    fn take(&mut self, each: Amount, wanted: u32) -> u32 {
        let times = |room: u64, each: u64| room.checked_div(each).unwrap_or(u64::MAX);
        let cpu = times(self.room.cpu.get(), each.cpu.get());
        let memory = times(self.room.memory.get(), each.memory.get());
        let most = u64::from(wanted.min(self.pods.unwrap_or(u32::MAX)));
        let taken = u32::try_from(cpu.min(memory).min(most)).unwrap_or(u32::MAX);
        self.room = self.room.less(each.times(taken));
        self.pods = self.pods.map(|pods| pods - taken);
        taken
    }
}

/// Puts the pods on the first nodes with room; returns how many are left over.
fn place(pods: Pods, free: &mut [Free]) -> u32 {
    let mut left = pods.replicas;
    for node in free {
        if left == 0 {
            break;
        }
        left -= node.take(pods.each, if pods.one_per_node { 1 } else { left });
    }
    left
}

/// The larger part of the whole that a pod takes of either resource.
fn weight(each: Amount, whole: Amount) -> f64 {
    let part = |amount: u64, of: u64| amount as f64 / (of.max(1)) as f64;
    part(each.cpu.get(), whole.cpu.get()).max(part(each.memory.get(), whole.memory.get()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::{Bytes, Millicores};
    use proptest::prelude::*;

    fn amount(cpu: u64, mebibytes: u64) -> Amount {
        Amount { cpu: Millicores::new(cpu), memory: Bytes::from_mebibytes(mebibytes) }
    }

    fn node(cpu: u64, mebibytes: u64, pods: Option<u32>) -> NodeRoom {
        NodeRoom { allocatable: amount(cpu, mebibytes), pods, ..NodeRoom::default() }
    }

    fn pods(cpu: u64, mebibytes: u64, replicas: u32) -> Pods {
        Pods { each: amount(cpu, mebibytes), replicas, one_per_node: false }
    }

    #[test]
    fn large_pods_are_placed_first_so_that_small_ones_fill_the_gaps() {
        let nodes = [node(1000, 1000, None), node(1000, 1000, None)];
        let wanted = [pods(200, 10, 4), pods(600, 10, 2)];
        assert_eq!(unplaced(&wanted, &nodes), [0, 0]);
        assert_eq!(unplaced(&[pods(600, 10, 3)], &nodes), [1], "1.8 of 2 cores, but in two halves");
    }

    #[test]
    fn either_resource_and_the_number_of_pods_can_run_out() {
        assert_eq!(unplaced(&[pods(10, 600, 2)], &[node(1000, 1000, None)]), [1]);
        assert_eq!(unplaced(&[pods(0, 0, 5)], &[node(1000, 1000, Some(3))]), [2]);
        assert_eq!(unplaced(&[pods(1, 1, 2)], &[]), [2]);
    }

    #[test]
    fn a_daemon_has_one_pod_on_each_node() {
        let daemon = Pods { one_per_node: true, ..pods(100, 10, 2) };
        let nodes = [node(1000, 1000, None), node(50, 1000, None)];
        assert_eq!(unplaced(&[daemon], &nodes), [1]);
    }

    proptest! {
        #[test]
        fn what_is_placed_is_never_more_than_there_is(
            wanted in prop::collection::vec((0u64..800, 0u64..800, 0u32..5), 0..12),
            rooms in prop::collection::vec((0u64..2000, 0u64..2000), 0..6),
        ) {
            let wanted: Vec<Pods> = wanted.into_iter().map(|(c, m, r)| pods(c, m, r)).collect();
            let nodes: Vec<NodeRoom> = rooms.iter().map(|(c, m)| node(*c, *m, None)).collect();
            let missing = unplaced(&wanted, &nodes);
            let placed: u64 = wanted.iter().zip(&missing)
                .map(|(p, m)| p.each.cpu.get() * u64::from(p.replicas - m)).sum();
            prop_assert!(placed <= rooms.iter().map(|(cpu, _)| cpu).sum());
            let fits = |p: &Pods, n: &NodeRoom| p.each.less(n.room()) == Amount::default();
            for (p, m) in wanted.iter().zip(&missing) {
                prop_assert!(*m < p.replicas || p.replicas == 0 || wanted.len() > 1
                    || !nodes.iter().any(|n| fits(p, n)));
            }
        }
    }
}
