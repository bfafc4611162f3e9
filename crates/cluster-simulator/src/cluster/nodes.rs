//! Nodes: their room, and how pods share their CPU where it is short.

use mora_core::Amount;

use super::pod::Pod;
use super::{Cluster, PERIOD_MILLIS};
use crate::NodeSize;

/// The kernel gives even a pod without a request two of 1,024 shares of a core.
const LEAST_WEIGHT: f64 = 2.0;
/// A pod may want more in this step than it did in the last.
const MORE: f64 = 1.25;

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) size: Amount,
    /// Cores that can work at a time.
    pub(crate) cores: usize,
    /// What its pods claim.
    pub(crate) claimed: Amount,
    /// When it is back, in milliseconds; `None` while it is there.
    pub(crate) gone: Option<i64>,
    /// Its pods.
    pub(crate) pods: Vec<usize>,
    /// Core seconds that are left in this step.
    pub(crate) left: f64,
    /// Whether pods wanted more than there was in the last step.
    pub(crate) short: bool,
    /// Whether pods have shares in this step.
    shared: bool,
    /// Its CPU in cores.
    cpu: f64,
}

impl Node {
    pub(crate) fn new(size: &NodeSize) -> Self {
        Self {
            size: Amount { cpu: size.cpu, memory: size.memory },
            cores: size.cpu.cores().ceil().max(1.0) as usize,
            claimed: Amount { cpu: mora_core::Millicores::ZERO, memory: mora_core::Bytes::ZERO },
            gone: None,
            pods: Vec::new(),
            left: 0.0,
            short: false,
            shared: false,
            cpu: size.cpu.cores(),
        }
    }

    /// What further pods can claim.
    pub(crate) const fn room(&self) -> Amount {
        match self.gone {
            Some(_) => Amount { cpu: mora_core::Millicores::ZERO, memory: mora_core::Bytes::ZERO },
            None => self.size.less(self.claimed),
        }
    }
}

impl Cluster {
    /// A new step: nodes have their CPU again, and in a new period pods have their quotas.
    pub(super) fn refill(&mut self) {
        let seconds = self.seconds();
        for node in &mut self.nodes {
            node.left = node.cpu * seconds;
            if std::mem::take(&mut node.short) {
                share(node, &mut self.pods);
                node.shared = true;
            } else if std::mem::take(&mut node.shared) {
                node.pods.iter().for_each(|pod| self.pods[*pod].fair = f64::INFINITY);
            }
        }
        let quota_seconds = if self.is_coarse() { seconds } else { PERIOD_MILLIS as f64 / 1000.0 };
        if self.now % PERIOD_MILLIS == 0 {
            for pod in self.pods.iter_mut().filter(|pod| pod.runs()) {
                pod.budget = pod.cpu_limit * quota_seconds;
            }
        }
    }
}

/// Shares the CPU of a node among its pods, weighted by their requests; what one does not want goes to the others.
///
/// What pods want is known from the step before.
fn share(node: &Node, pods: &mut [Pod]) {
    let weight = |pod: &Pod| (pod.requests().cpu.get() as f64).max(LEAST_WEIGHT);
    let mut left = node.left;
    node.pods.iter().for_each(|pod| pods[*pod].fair = -1.0);
    loop {
        let open = || node.pods.iter().copied().filter(|pod| pods[*pod].fair < 0.0);
        let weights: f64 = open().map(|pod| weight(&pods[pod])).sum();
        if weights <= 0.0 {
            break;
        }
        let fair = |pod: &Pod| left * weight(pod) / weights;
        let modest = open().find(|pod| pods[*pod].demand * MORE <= fair(&pods[*pod]));
        let Some(modest) = modest else {
            for pod in open().collect::<Vec<_>>() {
                pods[pod].fair = left * weight(&pods[pod]) / weights;
            }
            break;
        };
        pods[modest].fair = pods[modest].demand * MORE;
        left -= pods[modest].fair;
    }
}
