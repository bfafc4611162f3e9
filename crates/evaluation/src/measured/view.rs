//! What an arm sees of a real cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::{Dataset, Lookback, ResourceClaim, WorkloadRef};

use super::datasets::joined;
use super::{Holding, MeasuredRun};
use crate::{Datasets, View};

/// The one container of a workload that is sized.
#[derive(Debug, Clone, PartialEq)]
pub struct ContainerOf {
    /// Its name.
    pub name: String,
    /// What it claims now.
    pub claim: ResourceClaim,
    /// Whether its workload may have more than one replica.
    pub scales: bool,
}

/// A history, what has been measured since, and what there is now.
#[derive(Debug, Clone)]
pub struct MeasuredView {
    history: Arc<Vec<Dataset>>,
    live: BTreeMap<WorkloadRef, Dataset>,
    containers: BTreeMap<WorkloadRef, ContainerOf>,
    holdings: BTreeMap<WorkloadRef, Holding>,
}

impl MeasuredView {
    /// What is seen of `run` at `now` on its clock, after `history`, which ends where the run begins.
    #[must_use]
    pub fn new(
        history: Arc<Vec<Dataset>>,
        run: &MeasuredRun,
        now: Timestamp,
        containers: BTreeMap<WorkloadRef, ContainerOf>,
    ) -> Self {
        let live = run.datasets(now, &containers).into_iter();
        let live = live.map(|dataset| (dataset.workload.clone(), dataset)).collect();
        let holdings = run.held.last().map(|held| held.workloads.clone()).unwrap_or_default();
        Self { history, live, containers, holdings }
    }
}

impl View for MeasuredView {
    fn datasets(&self, lookback: &Lookback) -> Datasets<'_> {
        let lookback = *lookback;
        let known = |past: &&Dataset| self.containers.contains_key(&past.workload);
        let past = self.history.iter().filter(known);
        Box::new(past.map(move |past| joined(past, self.live.get(&past.workload), &lookback)))
    }

    fn pods(&self, workload: &WorkloadRef) -> (Vec<(f64, f64)>, u32) {
        let Some(container) = self.containers.get(workload) else { return (Vec::new(), 0) };
        let request = container.claim.cpu_request.map_or(0.0, mora_core::Millicores::cores);
        let usage = self.live.get(workload).and_then(|one| one.containers.get(&container.name));
        let newest = usage.into_iter().flat_map(|usage| usage.cpu.values());
        let newest = newest.filter_map(|series| Some((series.values().last().copied()??, request)));
        let holding = self.holdings.get(workload).copied().unwrap_or_default();
        (newest.collect(), holding.pods.saturating_sub(holding.ready))
    }

    fn replicas(&self, workload: &WorkloadRef) -> u32 {
        self.holdings.get(workload).map_or(1, |holding| holding.replicas)
    }

    fn claim(&self, workload: &WorkloadRef) -> ResourceClaim {
        self.containers.get(workload).map(|container| container.claim).unwrap_or_default()
    }

    fn workloads(&self) -> Vec<WorkloadRef> {
        self.containers.keys().cloned().collect()
    }

    fn scales(&self, workload: &WorkloadRef) -> bool {
        self.containers.get(workload).is_some_and(|container| container.scales)
    }
}
