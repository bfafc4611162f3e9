//! What an arm sees of a real cluster.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::{Dataset, Lookback, ResourceClaim, Series, WorkloadRef};

use super::{Holding, MeasuredRun};
use crate::{History, View};

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
    history: Arc<History>,
    live: BTreeMap<WorkloadRef, Dataset>,
    containers: BTreeMap<WorkloadRef, ContainerOf>,
    holdings: BTreeMap<WorkloadRef, Holding>,
}

impl MeasuredView {
    /// What is seen of `run` at `now` on its clock, after `history`, which ends where the run begins.
    #[must_use]
    pub fn new(
        history: Arc<History>,
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
    fn datasets(&self, lookback: &Lookback) -> Vec<Dataset> {
        let live = self.live.values().map(|dataset| within(dataset, lookback));
        self.history.continued(live.collect(), lookback)
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

/// What of a live dataset lies in `lookback`.
fn within(dataset: &Dataset, lookback: &Lookback) -> Dataset {
    let cut = |series: &Series| series.between(lookback.from, lookback.to);
    let cut_all = |all: &BTreeMap<String, Series>| {
        let pods = all.iter().map(|(pod, series)| (pod.clone(), cut(series)));
        pods.filter(|(_, series)| series.coverage() > 0.0).collect()
    };
    let mut within = dataset.clone();
    for usage in within.containers.values_mut() {
        (usage.cpu, usage.memory) = (cut_all(&usage.cpu), cut_all(&usage.memory));
    }
    within.request_rate = dataset.request_rate.as_ref().map(cut);
    within.replicas = dataset.replicas.as_ref().map(cut);
    within.calls.values_mut().for_each(|series| *series = cut(series));
    within
}
