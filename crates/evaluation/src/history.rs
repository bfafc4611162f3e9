//! What was observed before arms act.

use std::fmt;

use jiff::Timestamp;
use mora_cluster_simulator::{Cluster, ClusterOptions};
use mora_core::{Dataset, Lookback, Step};

use crate::{RunError, Scenario, Setup};

/// An application under its stock claims before arms act; shared by all runs with one seed and one kind of load, each of which goes
/// on with a copy of the cluster.
#[derive(Clone)]
pub struct History {
    cluster: Cluster,
    from: Timestamp,
}

impl fmt::Debug for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, until) = (self.from, self.until());
        f.debug_struct("History")
            .field("from", &from)
            .field("until", &until)
            .finish_non_exhaustive()
    }
}

impl History {
    /// What comes before `scenario` with `seed`, in the coarse steps of the setup.
    ///
    /// Fails when it cannot be simulated.
    pub fn simulate(setup: &Setup, scenario: &Scenario, seed: u64) -> Result<Self, RunError> {
        let from = setup.history_from();
        let options = ClusterOptions {
            seed,
            start: from,
            nodes: setup.nodes.clone(),
            step_millis: setup.history_step_millis,
            events: Vec::new(),
        };
        let demand = scenario.demand(seed, setup.rate, setup.start);
        let mut cluster = Cluster::new(setup.application.clone(), demand, options)?;
        cluster.advance_to(setup.acts_from());
        // What nobody judges is not kept; what is observed stays.
        cluster.begin_recording();
        Ok(Self { cluster, from })
    }

    /// The first instant that was observed.
    #[must_use]
    pub const fn from(&self) -> Timestamp {
        self.from
    }

    /// The instant after the last observation.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.cluster.now()
    }

    /// Everything observed by the minute, ordered by workload.
    #[must_use]
    pub fn datasets(&self) -> Vec<Dataset> {
        let (from, to) = (self.from, self.until());
        self.cluster.datasets(&Lookback { from, to, step: Step::MINUTE }).collect()
    }

    /// The cluster as it is when arms begin to act in `scenario` with `seed`.
    pub(crate) fn goes_on(
        &self,
        setup: &Setup,
        scenario: &Scenario,
        seed: u64,
    ) -> Result<Cluster, RunError> {
        let mut cluster = self.cluster.clone();
        let events = scenario.events(&setup.application, seed, setup.start, setup.nodes.len())?;
        cluster.set_future(scenario.demand(seed, setup.rate, setup.start), events)?;
        cluster.set_step(setup.step_millis)?;
        Ok(cluster)
    }
}
