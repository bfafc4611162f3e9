//! What a pod does within one step: first come, first served, on the cores of its node, until its quota is used up.

use super::pod::Pod;

/// Requests that waited longer than this fail, in seconds: what a caller's deadline would be.
pub(crate) const PATIENCE: f64 = 10.0;
/// More cores than this a pod does not use at a time.
pub(crate) const MOST_CORES: usize = 64;
/// Core seconds that count as none.
const NONE: f64 = 1e-12;

/// A request that waits for CPU.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Waiting {
    pub(crate) request: u32,
    /// When it arrived, in seconds since the start of the simulation.
    pub(crate) arrived: f64,
    /// CPU it needs, in core seconds.
    pub(crate) work: f64,
}

/// What a step allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Allowance {
    /// The step, in seconds since the start of the simulation.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Requests that can be worked on at a time.
    pub(crate) cores: usize,
    /// Core seconds.
    pub(crate) work: f64,
    /// Seconds for each core second, at least 1: other pods take turns on the cores.
    pub(crate) stretch: f64,
}

/// Room to work in, used again in each step.
#[derive(Debug, Clone, Default)]
pub(crate) struct Served {
    /// Requests whose CPU is done, and the seconds since their arrival.
    pub(crate) done: Vec<(u32, f64)>,
    /// Requests that waited too long.
    pub(crate) expired: Vec<u32>,
    begun: Vec<Waiting>,
    /// When each core has time again.
    free: Vec<f64>,
}

/// Works off the queue of `pod`; says how many core seconds were used, and whether work waited although cores were free.
pub(crate) fn serve(pod: &mut Pod, allowance: Allowance, served: &mut Served) -> (f64, bool) {
    let Allowance { from, to, work, stretch, .. } = allowance;
    let cores = allowance.cores.min(MOST_CORES);
    if pod.queue.is_empty() {
        return (0.0, false);
    }
    served.free.clear();
    served.free.resize(cores, from);
    let (mut left, mut short) = (work, false);
    while let Some(next) = pod.queue.front().copied() {
        if next.arrived + PATIENCE < from {
            served.expired.push(next.request);
            pod.queue.pop_front();
            continue;
        }
        let Some(core) = earliest(&served.free) else { break };
        let start = served.free[core].max(next.arrived);
        if start >= to {
            break;
        }
        if left <= NONE {
            short = true;
            break;
        }
        pod.queue.pop_front();
        let used = next.work.min((to - start) / stretch).min(left);
        left -= used;
        served.free[core] = start + used * stretch;
        if next.work - used <= NONE {
            served.done.push((next.request, served.free[core] - next.arrived));
        } else {
            short |= left <= NONE;
            served.begun.push(Waiting { work: next.work - used, ..next });
        }
    }
    while let Some(begun) = served.begun.pop() {
        pod.queue.push_front(begun);
    }
    (work - left, short)
}

fn earliest(free: &[f64]) -> Option<usize> {
    let mut best = 0;
    for core in 1..free.len() {
        if free[core] < free[best] {
            best = core;
        }
    }
    (best < free.len()).then_some(best)
}
