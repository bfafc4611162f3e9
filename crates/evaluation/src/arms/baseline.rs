//! The statistical baseline.

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::Change;
use mora_core::{ContainerUsage, Dataset, LimitRule, Lookback, StatisticalRule, Step};

use super::sizing::{Requests, resize};
use crate::{Arm, ArmError, ArmName, View};

/// As much of the past as there is, up to four weeks.
const LOOKBACK: SignedDuration = SignedDuration::from_hours(28 * 24);

/// The statistical rule over the history, set once in place.
#[derive(Debug)]
pub struct StatisticalBaseline {
    margin: f64,
    limits: LimitRule,
}

impl StatisticalBaseline {
    /// With CPU requests times `margin`, and limits that follow them by `limits`.
    #[must_use]
    pub const fn new(margin: f64, limits: LimitRule) -> Self {
        Self { margin, limits }
    }

    fn changes(&self, view: &dyn View, now: Timestamp) -> Result<Vec<Change>, ArmError> {
        let lookback = Lookback { from: now - LOOKBACK, to: now, step: Step::MINUTE };
        let mut changes = Vec::new();
        for dataset in view.datasets(&lookback) {
            let requests = self.requests(&dataset, now)?;
            changes.extend(resize(view, &dataset.workload, requests, self.limits));
        }
        Ok(changes)
    }

    fn requests(&self, dataset: &Dataset, now: Timestamp) -> Result<Requests, ArmError> {
        let nothing = ContainerUsage::default();
        let usage = dataset.containers.values().next().unwrap_or(&nothing);
        let rule = StatisticalRule::default();
        let failed =
            |source| ArmError { arm: ArmName::Baseline, at: now, source: Box::new(source) };
        let baseline = rule.recommend(usage).map_err(failed)?;
        let cpu = baseline.cpu.scaled(self.margin).max(rule.cpu_min_allowed);
        Ok(Requests { cpu, memory: baseline.memory })
    }
}

impl Arm for StatisticalBaseline {
    fn name(&self) -> ArmName {
        ArmName::Baseline
    }

    fn every(&self) -> Option<SignedDuration> {
        None
    }

    fn decide<'a>(
        &'a mut self,
        view: &'a dyn View,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        future::ready(self.changes(view, now)).boxed()
    }
}
