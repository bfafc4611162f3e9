//! One run: an arm acts on a simulated cluster.

use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Change, ChangeError, Cluster, ClusterError, Recording};
use mora_core::{Lookback, ResourceClaim, WorkloadRef};
use thiserror::Error;

use crate::{Arm, ArmError, Datasets, RunContext, ScenarioError, Setup, View};

/// Why a run came to no end.
#[derive(Debug, Error)]
pub enum RunError {
    /// The cluster cannot be simulated.
    #[error("the cluster cannot be simulated")]
    Cluster(#[from] ClusterError),
    /// A change that must not be refused was.
    #[error("the cluster refuses to go without limits")]
    Change(#[from] ChangeError),
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

/// Lets `arm` act on a cluster of its own in what `context` names, and records the judged time.
///
/// The simulation computes for seconds between two decisions, so this is for a thread that may be blocked. Fails when the arm
/// does or the cluster cannot be simulated; a change that the cluster refuses is only counted.
pub async fn run(context: &RunContext<'_>, arm: &mut dyn Arm) -> Result<Outcome, RunError> {
    let setup = context.setup;
    let cluster = context.history.goes_on(setup, context.scenario, context.key.seed)?;
    let mut running = Running { cluster, setup, refused: 0 };
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

/// What happens from when arms begin to act, also before the judged time, where the only changes are `changes` at once.
pub(crate) fn with_changes(
    context: &RunContext<'_>,
    changes: impl IntoIterator<Item = Change>,
) -> Result<Recording, RunError> {
    let RunContext { key, setup, scenario, history } = *context;
    let mut cluster = history.goes_on(setup, scenario, key.seed)?;
    cluster.begin_recording();
    for change in changes {
        cluster.apply(&change)?;
    }
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
    fn datasets(&self, lookback: &Lookback) -> Datasets<'_> {
        Box::new(self.cluster.datasets(lookback))
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

#[cfg(test)]
mod tests;
