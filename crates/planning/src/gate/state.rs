//! What the change gate remembers from run to run.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Bytes, Millicores, Recommendation, WorkloadRef};
use serde::{Deserialize, Serialize};

use super::resource::Resource;

/// A workload that no plan named for this long is forgotten.
const FORGOTTEN_AFTER: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Everything the gate remembers; kept with the plans, because without it no decrease is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateState {
    /// Version of this schema; grows when a field changes its meaning.
    pub schema: u32,
    pub(super) containers: BTreeMap<WorkloadRef, BTreeMap<String, ContainerState>>,
}

/// The requests of a container, per replica; `None` where none is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Requests {
    pub(super) cpu: Option<Millicores>,
    pub(super) memory: Option<Bytes>,
}

/// What is remembered of a container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ContainerState {
    /// What was last seen in force.
    pub(super) requests: Requests,
    /// When that was.
    pub(super) seen_at: Timestamp,
    /// When it was first seen to differ from what was in force before; `None` where it never did.
    pub(super) changed_at: Option<Timestamp>,
    /// What was in force before.
    pub(super) previous: Option<Requests>,
    pub(super) cpu_decrease: Agreement,
    pub(super) memory_decrease: Agreement,
    /// A decrease whose effect is not known yet.
    pub(super) watch: Option<Watch>,
    /// The consequence of a decrease that did harm.
    pub(super) hold: Option<Hold>,
    /// What the last run let through, until it is seen in force.
    pub(super) decided: Option<Decided>,
}

/// Runs in a row that wanted a decrease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Agreement {
    pub(super) runs: u32,
    pub(super) last: Option<Timestamp>,
    /// The highest amount that one of them wanted to go down to, in the resource's smallest unit.
    pub(super) highest: u64,
}

/// A decrease to be watched: made after `unchanged_at`, seen at `changed_at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Watch {
    pub(super) before: Requests,
    pub(super) unchanged_at: Timestamp,
    pub(super) changed_at: Timestamp,
}

/// No decreases until `until`; and `restore` is to be in force again, unless it already was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Hold {
    pub(super) until: Timestamp,
    pub(super) reason: String,
    pub(super) restore: Option<Requests>,
}

/// Requests that a run let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) at: Timestamp,
    pub(super) requests: Requests,
}

impl Default for GateState {
    /// Nothing is remembered.
    fn default() -> Self {
        Self { schema: Self::SCHEMA, containers: BTreeMap::new() }
    }
}

impl GateState {
    /// The schema version this build writes, and the newest it reads.
    pub const SCHEMA: u32 = 1;

    pub(super) fn get(&self, workload: &WorkloadRef, container: &str) -> Option<&ContainerState> {
        self.containers.get(workload)?.get(container)
    }

    pub(super) fn insert(&mut self, recommendation: &Recommendation, state: ContainerState) {
        let containers = self.containers.entry(recommendation.workload.clone()).or_default();
        containers.insert(recommendation.container.clone(), state);
    }

    /// Drops what no plan named for long before `now`.
    pub(super) fn forget(&mut self, now: Timestamp) {
        for containers in self.containers.values_mut() {
            containers.retain(|_, state| now.duration_since(state.seen_at) < FORGOTTEN_AFTER);
        }
        self.containers.retain(|_, containers| !containers.is_empty());
    }
}

impl Requests {
    pub(super) const fn in_force(recommendation: &Recommendation) -> Self {
        Self { cpu: recommendation.cpu.current, memory: recommendation.memory.current }
    }

    pub(super) fn get(self, resource: Resource) -> Option<u64> {
        match resource {
            Resource::Cpu => self.cpu.map(Millicores::get),
            Resource::Memory => self.memory.map(Bytes::get),
        }
    }

    pub(super) const fn set(&mut self, resource: Resource, amount: u64) {
        match resource {
            Resource::Cpu => self.cpu = Some(Millicores::new(amount)),
            Resource::Memory => self.memory = Some(Bytes::new(amount)),
        }
    }

    /// Whether one of both is lower here than in `other`.
    pub(super) fn below(self, other: Self) -> bool {
        Resource::ALL.into_iter().any(|r| self.get(r) < other.get(r) && self.get(r).is_some())
    }
}

impl ContainerState {
    pub(super) const fn new(requests: Requests, now: Timestamp) -> Self {
        Self {
            requests,
            seen_at: now,
            changed_at: None,
            previous: None,
            cpu_decrease: Agreement { runs: 0, last: None, highest: 0 },
            memory_decrease: Agreement { runs: 0, last: None, highest: 0 },
            watch: None,
            hold: None,
            decided: None,
        }
    }

    pub(super) const fn agreement(&mut self, resource: Resource) -> &mut Agreement {
        match resource {
            Resource::Cpu => &mut self.cpu_decrease,
            Resource::Memory => &mut self.memory_decrease,
        }
    }

    pub(super) const fn agreed(&self, resource: Resource) -> Agreement {
        match resource {
            Resource::Cpu => self.cpu_decrease,
            Resource::Memory => self.memory_decrease,
        }
    }

    /// When it last changed or was last told to.
    pub(super) fn last_change(&self) -> Option<Timestamp> {
        self.changed_at.max(self.decided.map(|decided| decided.at))
    }
}

impl Decided {
    /// Whether `requests` are what this run let through, or a part of it beside what is `in_force`.
    pub(super) fn leaves(&self, requests: Requests, in_force: Requests) -> bool {
        let part = |r| [self.requests.get(r), in_force.get(r)].contains(&requests.get(r));
        Resource::ALL.into_iter().all(part)
    }
}

impl Agreement {
    /// Counts a run at `now` that wants a decrease to `goal`, or starts anew where it wants none.
    pub(super) fn count(&mut self, goal: Option<u64>, now: Timestamp, apart: SignedDuration) {
        let Some(goal) = goal else {
            *self = Self::default();
            return;
        };
        self.highest = self.highest.max(goal);
        if self.last.is_none_or(|last| now.duration_since(last) >= apart) {
            self.runs = self.runs.saturating_add(1);
            self.last = Some(now);
        }
    }
}
