//! Finding room on nodes, as the scheduler and the kubelet do.

use mora_core::{Amount, ResourceClaim};

use super::pod::{Phase, Resize, requests_of};
use super::{Cluster, SECOND_MILLIS};

/// A kubelet takes one to three seconds until a resize is in force.
const RESIZE_MILLIS: (f64, f64) = (1_000.0, 3_000.0);

impl Cluster {
    /// Pods that wait for a node get one where there is room; says whether one did.
    pub(super) fn place_pending(&mut self) -> bool {
        let mut placed = false;
        for pod in 0..self.pods.len() {
            if self.pods[pod].phase == Phase::Pending {
                placed |= self.place(pod);
            }
        }
        placed
    }

    fn place(&mut self, place: usize) -> bool {
        let wanted = self.pods[place].requests();
        let Some(node) = self.emptiest(wanted) else { return false };
        self.nodes[node].claimed = self.nodes[node].claimed.plus(wanted);
        self.nodes[node].pods.push(place);
        self.pods[place].node = Some(node);
        self.start_container(place);
        true
    }

    /// The node with the largest share of its room left, over both resources, as the scheduler scores by default.
    fn emptiest(&self, wanted: Amount) -> Option<usize> {
        let score = |node: usize| {
            let left = self.nodes[node].room().less(wanted);
            let size = self.nodes[node].size;
            left.cpu.cores() / size.cpu.cores().max(1e-9)
                + left.memory.get() as f64 / (size.memory.get() as f64).max(1.0)
        };
        (0..self.nodes.len())
            .filter(|node| self.nodes[*node].gone.is_none() && self.has_room(*node, wanted))
            .max_by(|a, b| score(*a).total_cmp(&score(*b)).then(b.cmp(a)))
    }

    fn has_room(&self, node: usize, wanted: Amount) -> bool {
        let room = self.nodes[node].room();
        room.cpu >= wanted.cpu && room.memory >= wanted.memory
    }

    pub(super) fn leave_node(&mut self, place: usize) {
        let claimed = self.pods[place].requests();
        if let Some(node) = self.pods[place].node.take() {
            let node = &mut self.nodes[node];
            node.claimed = node.claimed.less(claimed);
            node.pods.retain(|pod| *pod != place);
        }
    }

    /// All running pods of `service` are to have `claim`, and those that start later too; whether that is another one.
    pub(super) fn resize(&mut self, service: usize, claim: ResourceClaim) -> bool {
        if self.services[service].template == claim {
            return false;
        }
        self.services[service].template = claim;
        for place in self.services[service].pods.clone() {
            let (least, most) = RESIZE_MILLIS;
            let wait = least + (most - least) * self.streams.pods.uniform();
            let pod = &mut self.pods[place];
            match pod.phase {
                Phase::Pending => pod.set_claim(claim),
                Phase::Ending(_) | Phase::Lost(_) | Phase::Gone => {}
                _ => {
                    let at = self.now + wait as i64;
                    pod.resize = (pod.claim != claim).then_some(Resize { claim, at });
                }
            }
        }
        true
    }

    /// A resize is put in force where its node has room and the memory limit is not below what is used; else it waits.
    pub(super) fn try_resize(&mut self, place: usize) {
        let pod = &self.pods[place];
        let Some(Resize { claim, at }) = pod.resize else { return };
        let Some(node) = pod.node else { return };
        let limit = claim.memory_limit.map_or(f64::INFINITY, |limit| limit.get() as f64);
        if at > self.now || limit < pod.memory {
            return;
        }
        let (before, after) = (pod.requests(), requests_of(&claim));
        let room = self.nodes[node].room().plus(before);
        let raises = after.cpu > before.cpu || after.memory > before.memory;
        if raises && (room.cpu < after.cpu || room.memory < after.memory) {
            return;
        }
        self.nodes[node].claimed = self.nodes[node].claimed.less(before).plus(after);
        self.pods[place].set_claim(claim);
        self.pods[place].resize = None;
    }

    /// Nodes that were gone are back, empty; says whether one is.
    pub(super) fn nodes_return(&mut self) -> bool {
        let now = self.now;
        let mut back = false;
        for node in &mut self.nodes {
            if node.gone.is_some_and(|until| until <= now) {
                node.gone = None;
                back = true;
            }
        }
        back
    }

    /// Instant of the next second, in milliseconds.
    pub(super) const fn in_seconds(&self, seconds: i64) -> i64 {
        self.now + seconds * SECOND_MILLIS
    }
}
