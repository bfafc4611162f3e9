//! One run: an arm acts on a simulated cluster.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Change, Cluster, ClusterError, ClusterOptions, Recording};
use mora_core::{Dataset, Lookback, ResourceClaim, Step, WorkloadRef};
use thiserror::Error;

use crate::{Arm, ArmError, History, RunContext, Scenario, ScenarioError, Setup, View};

/// Why a run came to no end.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cluster cannot be simulated.
    #[error("the cluster cannot be simulated")]
    Cluster(#[from] ClusterError),
    /// The scenario does not fit.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The arm gave up.
    #[error(transparent)]
    Arm(#[from] ArmError),
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The judged time.
    pub recording: Recording,
    /// Changes that the cluster refused, also before the judged time.
    pub refused: u32,
}

/// What is observed under stock claims before arms act in `scenario` with `seed`.
///
/// Fails when it cannot be simulated.
pub fn history(setup: &Setup, scenario: &Scenario, seed: u64) -> Result<History, RunError> {
    let (from, until) = (setup.history_from(), setup.acts_from());
    let options = ClusterOptions {
        seed,
        start: from,
        nodes: setup.nodes.clone(),
        step_millis: setup.history_step_millis,
        events: Vec::new(),
    };
    let demand = scenario.demand(seed, setup.rate, setup.start);
    let mut cluster = Cluster::new(setup.application.clone(), demand, options)?;
    cluster.advance_to(until);
    let lookback = Lookback { from, to: until, step: Step::MINUTE };
    Ok(History::new(cluster.datasets(&lookback), until))
}

/// Lets `arm` act on a cluster of its own in what `context` names, and records the judged time.
///
/// The simulation computes for seconds between two decisions, so this is for a thread that may be blocked. Fails when the arm
/// does or the cluster cannot be simulated; a change that the cluster refuses is only counted.
pub async fn run(context: &RunContext<'_>, arm: &mut dyn Arm) -> Result<Outcome, RunError> {
    let setup = context.setup;
    let cluster = cluster(setup, context.scenario, context.key.seed)?;
    let mut running = Running { cluster, history: context.history, setup, refused: 0 };
    let end = setup.end(context.scenario);
    let mut recording = false;
    let mut now = setup.acts_from();
    loop {
        running.decide(arm, now).await?;
        let next = next_decision(now, arm.every()).unwrap_or(end).min(end);
        if !recording && next >= setup.start {
            running.cluster.advance_to(setup.start);
            running.cluster.begin_recording();
            recording = true;
        }
        running.cluster.advance_to(next);
        if next >= end {
            break;
        }
        now = next;
    }
    Ok(Outcome { recording: running.cluster.into_recording(), refused: running.refused })
}

/// The cluster in `scenario` with `seed`, from when arms begin to act.
fn cluster(setup: &Setup, scenario: &Scenario, seed: u64) -> Result<Cluster, RunError> {
    let application = setup.application.clone();
    let options = ClusterOptions {
        seed,
        start: setup.acts_from(),
        nodes: setup.nodes.clone(),
        step_millis: setup.step_millis,
        events: scenario.events(&application, seed, setup.start, setup.nodes.len())?,
    };
    let demand = scenario.demand(seed, setup.rate, setup.start);
    Ok(Cluster::new(application, demand, options)?)
}

/// What happens where no arm acts, also before the judged time.
pub(crate) fn without_arm(
    setup: &Setup,
    scenario: &Scenario,
    seed: u64,
) -> Result<Recording, RunError> {
    let mut cluster = cluster(setup, scenario, seed)?;
    cluster.advance_to(setup.end(scenario));
    Ok(cluster.into_recording())
}

/// When an arm that decides `every` so often decides next after `now`; `None` where it does not. Decisions fall on multiples of
/// their interval since the Unix epoch, so that one an hour falls on full hours.
#[must_use]
pub fn next_decision(now: Timestamp, every: Option<SignedDuration>) -> Option<Timestamp> {
    let every = every?.as_millis().max(1);
    let next = (i128::from(now.as_millisecond()).div_euclid(every) + 1) * every;
    Timestamp::from_millisecond(i64::try_from(next).ok()?).ok()
}

/// A cluster in which an arm acts, as it sees it.
struct Running<'a> {
    cluster: Cluster,
    history: &'a Arc<History>,
    setup: &'a Setup,
    refused: u32,
}

impl Running<'_> {
    async fn decide(&mut self, arm: &mut dyn Arm, now: Timestamp) -> Result<(), RunError> {
        for change in arm.decide(self, now).await? {
            self.refused += u32::from(self.refuses(&change));
        }
        Ok(())
    }

    fn refuses(&mut self, change: &Change) -> bool {
        self.cluster.apply(change).is_err()
    }
}

impl View for Running<'_> {
    fn datasets(&self, lookback: &Lookback) -> Vec<Dataset> {
        self.history.continued(self.cluster.datasets(lookback), lookback)
    }

    fn pods(&self, workload: &WorkloadRef) -> (Vec<(f64, f64)>, u32) {
        self.cluster.recent(workload)
    }

    fn replicas(&self, workload: &WorkloadRef) -> u32 {
        self.cluster.replicas(workload)
    }

    fn claim(&self, workload: &WorkloadRef) -> ResourceClaim {
        self.cluster.claim(workload)
    }

    fn workloads(&self) -> Vec<WorkloadRef> {
        self.setup.application.microservices.iter().map(|m| m.workload.clone()).collect()
    }

    fn scales(&self, workload: &WorkloadRef) -> bool {
        let mut microservices = self.setup.application.microservices.iter();
        microservices.any(|microservice| microservice.workload == *workload && microservice.scales)
    }
}
