//! The cluster: time, requests, pods and nodes together.

mod coarse;
mod events;
mod flow;
mod history;
mod life;
mod memory;
mod minutes;
mod nodes;
mod observing;
mod placing;
mod pod;
mod random;
mod replicas;
mod requests;
mod service;
mod serving;
mod starting;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use mora_core::{Amount, ResourceClaim, WorkloadRef};
use thiserror::Error;

use self::history::History;
use self::nodes::Node;
use self::pod::Pod;
use self::random::Stream;
pub use self::random::mixed;
use self::requests::Requests;
use self::service::Service;
use self::serving::Served;
use crate::{
    Application, ApplicationError, Change, ChangeError, ClusterOptions, Demand, Event, Recording,
    ScalingEvent, ScalingKind,
};

/// The kernel's period of CPU bandwidth control, in milliseconds.
const PERIOD_MILLIS: i64 = 100;
const SECOND_MILLIS: i64 = 1_000;
const MINUTE_MILLIS: i64 = 60_000;

/// Why a cluster cannot be simulated.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ClusterError {
    /// The application is not in order.
    #[error("the application cannot be simulated")]
    Application(#[from] ApplicationError),
    /// There is nowhere to run anything.
    #[error("the cluster has no node; state at least one")]
    NoNode,
    /// Steps that fit into no minute or no period.
    #[error(
        "steps of {0} ms cannot be simulated; use a divisor of 100, or a multiple of 100 that divides a second or is a \
         whole number of seconds that divides a minute"
    )]
    Step(u32),
    /// A start within a minute.
    #[error("the simulation starts at {0}, within a minute; start it on a full one")]
    Start(Timestamp),
    /// An event about something that is not there.
    #[error("the event {0:?} is about a node, workload or call that is not there")]
    Event(Box<Event>),
}

/// Random numbers by purpose.
#[derive(Debug, Clone)]
struct Streams {
    arrivals: Stream,
    requests: Stream,
    calls: Stream,
    pods: Stream,
    memory: Stream,
}

/// A simulated cluster that runs one application under load.
///
/// A clone goes on exactly as the original does, until different changes are asked of them.
#[derive(Clone)]
pub struct Cluster {
    application: Application,
    demand: Arc<dyn Demand>,
    options: ClusterOptions,
    index: BTreeMap<WorkloadRef, usize>,
    /// Services from the entry on, each after its callers.
    order: Vec<usize>,
    /// Milliseconds since the Unix epoch.
    now: i64,
    start: i64,
    services: Vec<Service>,
    pods: Vec<Pod>,
    free_pods: Vec<usize>,
    incarnations: u32,
    nodes: Vec<Node>,
    requests: Requests,
    streams: Streams,
    served: Served,
    /// Arrivals of one service in one step, as random bits.
    arrivals: Vec<u64>,
    next_event: usize,
    history: History,
    recording: Recording,
}

impl Cluster {
    /// A cluster on which all pods of `application` run and are ready.
    ///
    /// Fails when the application cannot be simulated, there is no node, the step does not fit, the start lies within a
    /// minute, or an event is about something that is not there.
    pub fn new(
        application: Application,
        demand: Arc<dyn Demand>,
        options: ClusterOptions,
    ) -> Result<Self, ClusterError> {
        let mut cluster = Self::empty(application.checked()?, demand, options)?;
        cluster.start_all();
        Ok(cluster)
    }

    /// Simulates the steps that end at or before `to`.
    pub fn advance_to(&mut self, to: Timestamp) {
        let to = to.as_millisecond();
        while self.now + self.step_millis() <= to {
            self.step();
        }
    }

    /// Up to when was simulated.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        timestamp(self.now)
    }

    /// From here on, steps of `millis`; for a coarse history before time that is looked at closely.
    ///
    /// Fails when such steps do not fit.
    pub fn set_step(&mut self, millis: u32) -> Result<(), ClusterError> {
        check_step(millis)?;
        let coarse = self.is_coarse();
        self.options.step_millis = millis;
        if coarse && !self.is_coarse() {
            self.fluid_becomes_requests();
        } else if !coarse && self.is_coarse() {
            self.requests_become_fluid();
        }
        Ok(())
    }

    /// Asks for `change` now; what does not change anything counts as nothing.
    ///
    /// Fails as the Kubernetes API would refuse it.
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        match change {
            Change::Resize { workload, claim } => {
                let service = self.claimable(workload, claim)?;
                if self.resize(service, *claim) {
                    self.note(workload, ScalingKind::InPlace);
                }
            }
            Change::RollOut { workload, claim } => {
                let service = self.claimable(workload, claim)?;
                if self.roll_out(service, *claim) {
                    self.note(workload, ScalingKind::RollOut);
                }
            }
            Change::Scale { workload, replicas } => {
                let service = self.known(workload)?;
                if *replicas == 0 || (*replicas > 1 && !self.services[service].scales) {
                    let (workload, replicas) = (workload.clone(), *replicas);
                    return Err(ChangeError::Replicas { workload, replicas });
                }
                if self.scale(service, *replicas) {
                    self.note(workload, ScalingKind::Replicas);
                }
            }
        }
        Ok(())
    }

    /// Forgets what was recorded so far; what a collector would have stays.
    pub fn begin_recording(&mut self) {
        self.recording = Recording {
            start: self.now(),
            ..empty_recording(&self.application, self.options.start)
        };
    }

    /// What was recorded.
    #[must_use]
    pub const fn recording(&self) -> &Recording {
        &self.recording
    }

    /// What was recorded.
    #[must_use]
    pub fn into_recording(self) -> Recording {
        self.recording
    }

    /// What all nodes give to pods, those that are gone for a while too.
    #[must_use]
    pub fn capacity(&self) -> Amount {
        self.nodes.iter().map(|node| node.size).fold(Amount::default(), Amount::plus)
    }

    /// What runs on it.
    #[must_use]
    pub const fn application(&self) -> &Application {
        &self.application
    }

    const fn step_millis(&self) -> i64 {
        self.options.step_millis as i64
    }

    /// Whether steps are longer than a period, so that requests are a fluid.
    const fn is_coarse(&self) -> bool {
        self.step_millis() > PERIOD_MILLIS
    }

    /// Length of a step in seconds.
    fn seconds(&self) -> f64 {
        self.step_millis() as f64 / 1000.0
    }

    /// Milliseconds between two looks at pods.
    fn tick(&self) -> i64 {
        self.step_millis().max(SECOND_MILLIS)
    }

    fn step(&mut self) {
        let from = self.now;
        if (from - self.start) % self.tick() == 0 {
            self.begin_second();
        }
        self.refill();
        self.users_arrive();
        for place in 0..self.order.len() {
            let service = self.order[place];
            if self.is_coarse() { self.serve_coarse(service) } else { self.serve(service) }
        }
        if self.is_coarse() {
            self.answers_coarse();
        }
        self.now += self.step_millis();
        if (self.now - self.start) % self.tick() == 0 {
            self.end_second();
        }
        if self.now % MINUTE_MILLIS == 0 {
            self.end_minute();
        }
    }

    fn known(&self, workload: &WorkloadRef) -> Result<usize, ChangeError> {
        let found = self.index.get(workload).copied();
        found.ok_or_else(|| ChangeError::Unknown(workload.clone()))
    }

    fn claimable(
        &self,
        workload: &WorkloadRef,
        claim: &ResourceClaim,
    ) -> Result<usize, ChangeError> {
        let service = self.known(workload)?;
        let cpu = claim.cpu_limit.is_some_and(|limit| claim.cpu_request > Some(limit));
        let memory = claim.memory_limit.is_some_and(|limit| claim.memory_request > Some(limit));
        if cpu || memory {
            let resource = if cpu { "CPU" } else { "memory" };
            return Err(ChangeError::AboveLimit { workload: workload.clone(), resource });
        }
        Ok(service)
    }

    fn note(&mut self, workload: &WorkloadRef, kind: ScalingKind) {
        let event = ScalingEvent { at: self.now(), workload: workload.clone(), kind };
        self.recording.events.push(event);
    }
}

/// Fails when steps of `millis` milliseconds do not fit into periods and minutes.
pub fn check_step(millis: u32) -> Result<(), ClusterError> {
    let step = i64::from(millis);
    let fits = step > 0
        && if step < SECOND_MILLIS {
            SECOND_MILLIS % step == 0
                && if step <= PERIOD_MILLIS {
                    PERIOD_MILLIS % step == 0
                } else {
                    step % PERIOD_MILLIS == 0
                }
        } else {
            step % SECOND_MILLIS == 0 && MINUTE_MILLIS % step == 0
        };
    if fits { Ok(()) } else { Err(ClusterError::Step(millis)) }
}

fn timestamp(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
}

fn empty_recording(application: &Application, start: Timestamp) -> Recording {
    let workloads: Vec<WorkloadRef> =
        application.microservices.iter().map(|m| m.workload.clone()).collect();
    Recording {
        start,
        minutes: vec![Vec::new(); workloads.len()],
        workloads,
        entry: application.entry,
        latencies: crate::Latencies::default(),
        events: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
