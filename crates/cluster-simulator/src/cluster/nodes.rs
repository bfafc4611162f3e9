//! Nodes: their room, and how pods share their CPU where it is short.

use mora_core::Amount;

use super::pod::Pod;
use super::{Cluster, PERIOD_MILLIS};
use crate::NodeSize;

/// The kernel gives even a pod without a request two of 1,024 shares of a core.
const LEAST_WEIGHT: f64 = 2.0;
/// How much of what is known of a pod's CPU comes from the last second.
const NEWEST: f64 = 0.2;
/// Pods never slow others down as if they used more of the cores than this.
const FULLEST: f64 = 0.95;

/// Seconds by which pods of a node may run ahead of its cores before they have to share. What single steps hold varies by
/// chance, and how pods are in one another's way by chance is in how long their requests take.
const DEBT: f64 = 0.5;

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
    /// Core seconds that are left; below 0 where more was used than there was.
    left: f64,
    /// Core seconds of this step that have no owner yet, and those that pods will be given which had no turn.
    spare: f64,
    reserved: f64,
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
            spare: 0.0,
            reserved: 0.0,
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

    /// Core seconds that a pod with a share of `fair` may use in this step.
    pub(crate) fn allows(&mut self, fair: f64) -> f64 {
        let most = (self.left + DEBT * self.cpu).max(0.0);
        if !self.shared {
            return most;
        }
        self.reserved -= fair;
        fair.max(self.spare - self.reserved).min(most)
    }

    /// The factor on the time of requests: none where pods have shares of the node.
    pub(crate) const fn stretch(&self, by_others: f64) -> f64 {
        if self.shared { 1.0 } else { by_others }
    }

    /// Notes that core seconds were used.
    pub(crate) fn spend(&mut self, core_seconds: f64) {
        self.left -= core_seconds;
        self.spare -= core_seconds;
    }
}

impl Cluster {
    /// A new step: nodes have their CPU again, and in a new period pods have their quotas.
    pub(super) fn refill(&mut self) {
        let seconds = self.seconds();
        for node in &mut self.nodes {
            node.spare = node.cpu * seconds;
            node.left = (node.left + node.spare).min(node.spare);
            if std::mem::take(&mut node.short) {
                share(node, &mut self.pods);
                node.shared = true;
                node.reserved = node.spare;
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

    /// After `span` seconds: how much the pods of each node are in one another's way while there is CPU for all.
    ///
    /// Requests on cores that others use too are taken to be served by turns: with the offered load `a` of the others on
    /// `c` cores, they take `1 + C(c, a) / (c - a)` times as long, with Erlang's formula C; on one core that is
    /// `1 / (1 - a)`. Nobody is slowed down below the share that his request guarantees.
    pub(super) fn crowd(&mut self, span: f64) {
        let Self { nodes, pods, .. } = self;
        for node in nodes {
            let (mut busy, mut weights) = (0.0, 0.0);
            for place in &node.pods {
                let pod = &mut pods[*place];
                pod.busy += NEWEST * (pod.second.cpu / span - pod.busy);
                busy += pod.busy;
                weights += weight(pod);
            }
            for place in &node.pods {
                let pod = &mut pods[*place];
                let others = (busy - pod.busy).clamp(0.0, FULLEST * node.cores as f64);
                let guaranteed = (node.cpu * weight(pod) / weights).min(1.0);
                pod.stretch = stretch(node.cores, others).min(1.0 / guaranteed);
            }
        }
    }
}

fn stretch(cores: usize, others: f64) -> f64 {
    let (mut blocking, all) = (1.0, cores as f64);
    // Erlang's formula B by its recursion, from which C follows.
    for count in 1..=cores {
        blocking = others * blocking / (count as f64 + others * blocking);
    }
    let waits = blocking / (1.0 - others / all * (1.0 - blocking));
    1.0 + waits / (all - others)
}

/// What the kernel weighs a pod's turns by.
fn weight(pod: &Pod) -> f64 {
    (pod.requests().cpu.get() as f64).max(LEAST_WEIGHT)
}

/// Shares the CPU of a node among its pods, weighted by their requests; what one does not want goes to the others.
///
/// What pods want is known from the step before.
fn share(node: &Node, pods: &mut [Pod]) {
    let mut left = node.spare;
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
