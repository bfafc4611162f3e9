//! The Vertical Pod Autoscaler, with its documented defaults, changing pods in place.
//!
//! Flags and constants as in kubernetes/autoscaler, `vertical-pod-autoscaler/docs/flags.md`,
//! `pkg/recommender/logic/recommender.go` and `pkg/updater/priority`. What differs from there: pods count as older than
//! the 12 h below which an updater leaves them alone, since the workloads ran unchanged for the whole history and a
//! change in place starts nothing anew.

mod estimate;

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::Change;
use mora_core::{
    Bytes, Dataset, LimitRule, Lookback, Millicores, OomKill, ResourceClaim, Step, WorkloadRef,
};

use estimate::{Bounds, Estimate};

use super::sizing::{requests, resize};
use crate::{Arm, ArmError, ArmName, View};

/// `--recommender-interval` and `--updater-interval`.
const EVERY: SignedDuration = SignedDuration::from_secs(60);
/// `--history-length`.
const HISTORY: SignedDuration = SignedDuration::from_hours(8 * 24);
/// The relative difference, summed over resources, from which on an old pod is changed within its bounds.
const LEAST_CHANGE: f64 = 0.1;
/// `--evict-after-oom-threshold`: a container killed for lack of memory so recently is changed at once.
const AFTER_OOM: SignedDuration = SignedDuration::from_mins(10);

/// Recommender and updater of the Vertical Pod Autoscaler over all workloads.
#[derive(Debug)]
pub struct Vpa {
    margin: f64,
    limits: LimitRule,
    seen_until: Option<Timestamp>,
    estimates: BTreeMap<WorkloadRef, Estimate>,
}

impl Vpa {
    /// With CPU recommendations times `margin`, and limits that follow them by `limits`.
    #[must_use]
    pub fn new(margin: f64, limits: LimitRule) -> Self {
        Self { margin, limits, seen_until: None, estimates: BTreeMap::new() }
    }

    fn changes(&mut self, view: &dyn View, now: Timestamp) -> Vec<Change> {
        let from = self.seen_until.unwrap_or(now - HISTORY);
        let datasets = view.datasets(&Lookback { from, to: now, step: Step::MINUTE });
        self.seen_until = Some(now);
        datasets.filter_map(|dataset| self.change(view, &dataset, now)).collect()
    }

    fn change(&mut self, view: &dyn View, dataset: &Dataset, now: Timestamp) -> Option<Change> {
        let workload = &dataset.workload;
        let estimate = self.estimates.entry(workload.clone()).or_insert_with(|| Estimate::new(now));
        let claim = view.claim(workload);
        for usage in dataset.containers.values() {
            estimate.observe(usage, claim.cpu_request.map_or(0.0, Millicores::cores));
        }
        let (cpu, memory) = estimate.bounds()?;
        let cpu = cpu.times(self.margin);
        let kills = dataset.containers.values().flat_map(|usage| &usage.oom_kills);
        let update = Update { claim, cpu, memory };
        if !update.is_due(killed_lately(kills, now)) {
            return None;
        }
        resize(view, workload, requests(cpu.target, memory.target), self.limits)
    }
}

fn killed_lately<'a>(mut kills: impl Iterator<Item = &'a OomKill>, now: Timestamp) -> bool {
    kills.any(|kill| kill.killed > now - AFTER_OOM)
}

/// What is claimed and what is recommended.
struct Update {
    claim: ResourceClaim,
    cpu: Bounds,
    memory: Bounds,
}

impl Update {
    /// Whether the updater changes the pods: a request lies outside its bounds, or all together differ by a tenth.
    fn is_due(&self, killed_lately: bool) -> bool {
        let cpu = self.claim.cpu_request.map_or(0.0, Millicores::cores);
        let memory = self.claim.memory_request.map_or(0.0, |bytes: Bytes| bytes.get() as f64);
        let difference = self.cpu.difference(cpu) + self.memory.difference(memory);
        !self.cpu.hold(cpu)
            || !self.memory.hold(memory)
            || difference >= LEAST_CHANGE
            || (killed_lately && difference > 0.0)
    }
}

impl Arm for Vpa {
    fn name(&self) -> ArmName {
        ArmName::Vpa
    }

    fn every(&self) -> Option<SignedDuration> {
        Some(EVERY)
    }

    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        future::ready(Ok(self.changes(view, now))).boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEBIBYTE: f64 = 1_048_576.0;

    fn update(cpu: u64, memory: u64) -> Update {
        let claim = ResourceClaim {
            cpu_request: Some(Millicores::new(cpu)),
            memory_request: Some(Bytes::from_mebibytes(memory)),
            ..ResourceClaim::default()
        };
        Update {
            claim,
            cpu: Bounds { lower: 0.05, target: 0.1, upper: 0.2 },
            memory: Bounds {
                lower: 200.0 * MEBIBYTE,
                target: 250.0 * MEBIBYTE,
                upper: 300.0 * MEBIBYTE,
            },
        }
    }

    #[test]
    fn requests_outside_their_bounds_or_a_tenth_off_in_all_are_changed() {
        assert!(!update(100, 250).is_due(false));
        assert!(!update(105, 245).is_due(false), "5 % and 2 %");
        assert!(update(105, 237).is_due(false), "5 % and 5 %");
        assert!(update(40, 250).is_due(false) && update(210, 250).is_due(false));
        assert!(update(100, 199).is_due(false) && update(100, 301).is_due(false));
        assert!(update(101, 250).is_due(true) && !update(100, 250).is_due(true));
    }
}
