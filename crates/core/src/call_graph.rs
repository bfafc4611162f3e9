//! Who calls whom, and how often per request.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::WorkloadRef;

/// Calls a caller makes to one callee per request it serves itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallRatio {
    /// Calls per request of the caller, finite and at least 0.
    pub ratio: f64,
    /// Standard deviation of the ratio between windows, at least 0.
    pub spread: f64,
    /// Windows it was measured on; 0 for a ratio that was only declared.
    pub windows: u32,
}

/// A directed graph of workloads; at most one edge per ordered pair.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallGraph {
    edges: BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, CallRatio>>,
}

impl CallGraph {
    /// Sets the ratio of `caller` to `callee`, replacing what was there.
    pub fn insert(&mut self, caller: WorkloadRef, callee: WorkloadRef, ratio: CallRatio) {
        self.edges.entry(caller).or_default().insert(callee, ratio);
    }

    /// The edges in order of caller, then callee.
    pub fn edges(&self) -> impl Iterator<Item = (&WorkloadRef, &WorkloadRef, &CallRatio)> {
        self.edges.iter().flat_map(|(caller, callees)| {
            callees.iter().map(move |(callee, ratio)| (caller, callee, ratio))
        })
    }

    /// The edges that end at `callee`, in order of caller.
    pub fn callers<'a>(
        &'a self,
        callee: &'a WorkloadRef,
    ) -> impl Iterator<Item = (&'a WorkloadRef, &'a CallRatio)> {
        self.edges
            .iter()
            .filter_map(move |(caller, callees)| callees.get(callee).map(|ratio| (caller, ratio)))
    }

    /// The edges that start at `caller`, in order of callee.
    pub fn callees(
        &self,
        caller: &WorkloadRef,
    ) -> impl Iterator<Item = (&WorkloadRef, &CallRatio)> {
        self.edges.get(caller).into_iter().flatten()
    }

    /// Every workload an edge touches.
    #[must_use]
    pub fn workloads(&self) -> BTreeSet<&WorkloadRef> {
        self.edges().flat_map(|(caller, callee, _)| [caller, callee]).collect()
    }

    /// Whether the graph has no edge.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edges.values().all(BTreeMap::is_empty)
    }
}
