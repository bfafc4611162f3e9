//! The rule of one HorizontalPodAutoscaler.
//!
//! As documented in "Horizontal Pod Autoscaling" of the Kubernetes documentation (algorithm details and configurable scaling
//! behavior) and, where that leaves something open, as `pkg/controller/podautoscaler` computes it: utilisation is a whole
//! percentage, pods that are not ready count as using nothing when more are asked for, and a change of direction through them
//! changes nothing.

use jiff::{SignedDuration, Timestamp};

/// The controller's `--horizontal-pod-autoscaler-tolerance`.
const TOLERANCE: f64 = 0.1;
/// The default `behavior.scaleDown.stabilizationWindowSeconds`.
const STABILISATION: SignedDuration = SignedDuration::from_secs(300);
/// The default policies of `behavior.scaleUp` within [`POLICY_PERIOD`]: four pods or as many again, whichever is more.
const MORE_PODS: u32 = 4;
const MORE_TIMES: u32 = 2;
const POLICY_PERIOD: SignedDuration = SignedDuration::from_secs(15);

/// Between which replicas, and for which utilisation in percent of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) target: u32,
}

/// Pods as the metrics API shows them; CPU in cores.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pods<'a> {
    /// Usage and request of those that are ready.
    pub(super) ready: &'a [(f64, f64)],
    /// How many are not.
    pub(super) unready: u32,
    /// What one that is not ready requests.
    pub(super) request: f64,
}

/// One autoscaler and what it remembers.
#[derive(Debug)]
pub(super) struct Autoscaler {
    bounds: Bounds,
    recommendations: Vec<(Timestamp, u32)>,
    /// When and by how much the replicas became more; fewer are negative.
    changes: Vec<(Timestamp, i64)>,
}

impl Autoscaler {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self { bounds, recommendations: Vec::new(), changes: Vec::new() }
    }

    /// Replicas to have from `now` on, where there are `current`.
    pub(super) fn desired(&mut self, now: Timestamp, current: u32, pods: &Pods<'_>) -> u32 {
        if self.recommendations.is_empty() {
            self.recommendations.push((now, current));
        }
        let recommended = recommended(current, pods, self.bounds.target);
        let stabilised = self.stabilised(now, current, recommended);
        let desired = self.limited(now, current, stabilised);
        if desired != current {
            self.changes.push((now, i64::from(desired) - i64::from(current)));
        }
        desired
    }

    /// Down only to the most that was recommended within the window; up at once.
    fn stabilised(&mut self, now: Timestamp, current: u32, recommended: u32) -> u32 {
        self.recommendations.retain(|(at, _)| *at > now - STABILISATION);
        let most = self.recommendations.iter().map(|(_, replicas)| *replicas).max();
        self.recommendations.push((now, recommended));
        let floor = most.unwrap_or(recommended).max(recommended);
        current.max(recommended).min(floor)
    }

    fn limited(&mut self, now: Timestamp, current: u32, desired: u32) -> u32 {
        self.changes.retain(|(at, _)| *at > now - POLICY_PERIOD);
        let changed: i64 = self.changes.iter().map(|(_, change)| *change).sum();
        let before = u32::try_from(i64::from(current) - changed).unwrap_or(0);
        let most = (before + MORE_PODS).max(before * MORE_TIMES);
        // The limit is on what a change adds; it takes nothing from what is there.
        let allowed = if desired > current { desired.min(most.max(current)) } else { desired };
        allowed.clamp(self.bounds.least, self.bounds.most)
    }
}

/// Replicas for the utilisation that pods show, before any stabilisation or limit.
fn recommended(current: u32, pods: &Pods<'_>, target: u32) -> u32 {
    let Some(ratio) = utilisation(pods.ready.iter().copied(), target) else { return current };
    let ready = pods.ready.len() as f64;
    if pods.unready == 0 || ratio <= 1.0 {
        return if within_tolerance(ratio) { current } else { (ratio * ready).ceil() as u32 };
    }
    let idle = (0..pods.unready).map(|_| (0.0, pods.request));
    let Some(damped) = utilisation(pods.ready.iter().copied().chain(idle), target) else {
        return current;
    };
    if within_tolerance(damped) || damped < 1.0 {
        return current;
    }
    let replicas = (damped * (ready + f64::from(pods.unready))).ceil() as u32;
    replicas.max(current)
}

/// Utilisation by its target; `None` where nothing is requested.
fn utilisation(pods: impl Iterator<Item = (f64, f64)>, target: u32) -> Option<f64> {
    // As the metrics API rounds: usage up to a thousandth of a core, utilisation down to a percent.
    let milli = |(usage, request): (f64, f64)| {
        ((usage * 1000.0 - 1e-9).ceil().max(0.0) as u64, (request * 1000.0).round() as u64)
    };
    let (usage, request) = pods.map(milli).fold((0, 0), |sum, pod| (sum.0 + pod.0, sum.1 + pod.1));
    (request > 0).then(|| (usage * 100 / request) as f64 / f64::from(target.max(1)))
}

fn within_tolerance(ratio: f64) -> bool {
    (1.0 - TOLERANCE..=1.0 + TOLERANCE).contains(&ratio)
}

#[cfg(test)]
mod tests;
