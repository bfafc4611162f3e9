//! What was needed, known beforehand.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{Change, Recording, WorkloadMinute};
use mora_core::{LimitRule, ResourceClaim, WorkloadRef};

use super::sizing::{Requests, requests, resize};
use crate::closed_loop::{RunError, with_changes};
use crate::shared::Shared;
use crate::{Arm, ArmError, ArmName, RunContext, View};

const HOUR: i64 = 3600;
/// Below so many ready pods in a minute on average, usage by pod says nothing.
const LEAST_READY: f64 = 0.5;

/// CPU in cores and memory in bytes of each pod, the largest minute of an hour, by the start of the hour in seconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Needs(BTreeMap<WorkloadRef, BTreeMap<i64, (f64, f64)>>);

/// What runs need, by scenario and seed.
#[derive(Debug, Default)]
pub struct OracleNeeds(Shared<(String, u64), Needs>);

impl OracleNeeds {
    /// What the run of `context` needs by the hour: seen in a first pass of the same scenario with the same seed, with the
    /// replicas and requests of the manifests and no limits.
    ///
    /// Fails when it cannot be simulated.
    pub fn of(&self, context: &RunContext<'_>) -> Result<Arc<Needs>, RunError> {
        let key = (context.key.scenario.clone(), context.key.seed);
        self.0.get(&key, || {
            let without_limits =
                context.setup.application.microservices.iter().map(|microservice| {
                    let (workload, claim) = (microservice.workload.clone(), microservice.claim);
                    let claim = ResourceClaim { cpu_limit: None, memory_limit: None, ..claim };
                    Change::Resize { workload, claim }
                });
            Ok(needs(&with_changes(context, without_limits)?))
        })
    }
}

fn needs(recording: &Recording) -> Needs {
    let start = recording.start.as_second();
    let hours = |minutes: &[WorkloadMinute]| {
        let mut hours: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
        for (index, minute) in minutes.iter().enumerate() {
            if minute.ready < LEAST_READY {
                continue;
            }
            let second = start + 60 * index as i64;
            let most = hours.entry(second - second.rem_euclid(HOUR)).or_default();
            most.0 = most.0.max(minute.cpu_used / minute.ready);
            most.1 = most.1.max(minute.memory_used / minute.ready);
        }
        hours
    };
    let workloads = recording.workloads.iter().zip(&recording.minutes);
    Needs(workloads.map(|(workload, minutes)| (workload.clone(), hours(minutes))).collect())
}

/// Requests in place for the largest minute of the coming hour, which it knows. A bound that no forecast can reach.
#[derive(Debug)]
pub struct Oracle {
    margin: f64,
    limits: LimitRule,
    needs: Arc<Needs>,
}

impl Oracle {
    /// With CPU requests times `margin`, and limits that follow them by `limits`.
    #[must_use]
    pub const fn new(margin: f64, limits: LimitRule, needs: Arc<Needs>) -> Self {
        Self { margin, limits, needs }
    }

    fn requests(&self, workload: &WorkloadRef, now: Timestamp) -> Option<Requests> {
        let hours = self.needs.0.get(workload)?;
        let hour = now.as_second() - now.as_second().rem_euclid(HOUR);
        let (cpu, memory) = hours.get(&hour)?;
        Some(requests(cpu * self.margin, *memory))
    }

    fn changes(&self, view: &dyn View, now: Timestamp) -> Vec<Change> {
        let mut changes = Vec::new();
        for workload in view.workloads() {
            if let Some(requests) = self.requests(&workload, now) {
                changes.extend(resize(view, &workload, requests, self.limits));
            }
        }
        changes
    }
}

impl Arm for Oracle {
    fn name(&self) -> ArmName {
        ArmName::Oracle
    }

    fn every(&self) -> Option<SignedDuration> {
        Some(SignedDuration::from_hours(1))
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
    use mora_cluster_simulator::Latencies;

    use super::*;

    #[test]
    fn the_need_of_an_hour_is_its_largest_minute_by_pod() {
        let minute = |cpu_used, ready| WorkloadMinute {
            cpu_used,
            memory_used: 1000.0 * cpu_used,
            ready,
            ..WorkloadMinute::default()
        };
        let mut minutes = vec![minute(0.2, 2.0); 90];
        minutes[10] = minute(0.6, 3.0);
        minutes[20] = minute(0.5, 2.0);
        minutes[70] = minute(0.9, 0.1);
        let workload = WorkloadRef::deployment("shop", "cart").unwrap();
        let recording = Recording {
            start: "2026-03-03T00:00Z".parse().unwrap(),
            workloads: vec![workload.clone()],
            entry: 0,
            minutes: vec![minutes],
            latencies: Latencies::default(),
            events: Vec::new(),
        };
        let oracle = Oracle::new(2.0, LimitRule::KeepRatio, Arc::new(needs(&recording)));
        let cpu = |minute: i64| {
            let now = recording.start + SignedDuration::from_mins(minute);
            oracle.requests(&workload, now).map(|requests| requests.cpu.get())
        };
        assert_eq!([0, 30, 60, 120].map(cpu), [Some(500), Some(500), Some(200), None]);
    }
}
