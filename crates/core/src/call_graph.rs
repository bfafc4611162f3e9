//! Who calls whom, and how often per request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::WorkloadRef;

/// Where a call ratio comes from, from the most to the least trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// Calls between the two were counted by a mesh or in traces.
    Measured,
    /// A person wrote the ratio down.
    Stated,
    /// The callee's request rate was explained by those of its declared callers.
    Regressed,
    /// Only that there are calls is known: the ratio is 0 and takes no part in any number.
    Declared,
}

impl Trust {
    /// The word for it in every output.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Stated => "stated",
            Self::Regressed => "regressed",
            Self::Declared => "declared",
        }
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A lasting change of a call ratio; what came before it is not learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// Start of the first window after the change.
    pub since: Timestamp,
    /// The ratio before it.
    pub before: f64,
}

/// Calls a caller makes to one callee per request it serves itself.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CallRatio {
    /// Calls per request of the caller, finite and at least 0.
    pub ratio: f64,
    /// Standard deviation of the ratio itself over time, counting noise taken out; at least 0.
    pub spread: f64,
    /// Variance of the number of calls in one step that the caller's requests do not explain, over
    /// their mean: 1 where every call comes on its own; at least 0.
    pub dispersion: f64,
    /// The ratio that a tenth of the windows stay below.
    pub q10: f64,
    /// The ratio that a tenth of the windows exceed.
    pub q90: f64,
    /// Five-minute windows it was measured on; 0 for a ratio that nothing measured.
    pub windows: u32,
    /// Where it comes from.
    pub trust: Trust,
    /// The last lasting change, if there was one.
    pub drift: Option<Drift>,
}

impl CallRatio {
    /// A ratio that was written down, with its standard deviation; calls come on their own.
    #[must_use]
    pub const fn stated(ratio: f64, spread: f64) -> Self {
        Self {
            ratio,
            spread,
            dispersion: 1.0,
            q10: ratio,
            q90: ratio,
            windows: 0,
            trust: Trust::Stated,
            drift: None,
        }
    }

    /// Calls of which nothing but their existence is known.
    #[must_use]
    pub const fn declared() -> Self {
        Self { trust: Trust::Declared, ..Self::stated(0.0, 0.0) }
    }

    /// Whether the ratio is a number to compute with.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        !matches!(self.trust, Trust::Declared)
    }
}

type Edges = BTreeMap<WorkloadRef, BTreeMap<WorkloadRef, CallRatio>>;

/// A directed graph of workloads; at most one edge per ordered pair.
///
/// Written as a map from caller to callee to ratio.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(from = "Edges", into = "Edges")]
pub struct CallGraph {
    edges: Edges,
    /// The callers of each callee, so that nobody has to look through all edges for them.
    callers: BTreeMap<WorkloadRef, BTreeSet<WorkloadRef>>,
}

impl From<Edges> for CallGraph {
    fn from(edges: Edges) -> Self {
        let mut graph = Self::default();
        for (caller, callees) in edges {
            for (callee, ratio) in callees {
                graph.insert(caller.clone(), callee, ratio);
            }
        }
        graph
    }
}

impl From<CallGraph> for Edges {
    fn from(graph: CallGraph) -> Self {
        graph.edges
    }
}

impl CallGraph {
    /// Sets the ratio of `caller` to `callee`, replacing what was there.
    pub fn insert(&mut self, caller: WorkloadRef, callee: WorkloadRef, ratio: CallRatio) {
        self.callers.entry(callee.clone()).or_default().insert(caller.clone());
        self.edges.entry(caller).or_default().insert(callee, ratio);
    }

    /// Takes the edge from `caller` to `callee` out, and says what its ratio was.
    pub fn remove(&mut self, caller: &WorkloadRef, callee: &WorkloadRef) -> Option<CallRatio> {
        self.callers.get_mut(callee)?.remove(caller);
        self.edges.get_mut(caller)?.remove(callee)
    }

    /// The ratio of `caller` to `callee`; `None` without an edge.
    #[must_use]
    pub fn get(&self, caller: &WorkloadRef, callee: &WorkloadRef) -> Option<&CallRatio> {
        self.edges.get(caller)?.get(callee)
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
        let callers = self.callers.get(callee).into_iter().flatten();
        callers.filter_map(move |caller| Some((caller, self.get(caller, callee)?)))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("shop", name).unwrap()
    }

    #[test]
    fn a_graph_is_written_and_read_as_caller_callee_and_ratio() {
        let mut graph = CallGraph::default();
        graph.insert(workload("frontend"), workload("cart"), CallRatio::stated(0.84, 0.02));
        graph.insert(workload("frontend"), workload("cache"), CallRatio::declared());
        let text = serde_json::to_string(&graph).unwrap();
        assert!(
            text.starts_with(
                r#"{"shop/Deployment/frontend":{"shop/Deployment/cache":{"ratio":0.0,"#
            )
        );
        assert_eq!(serde_json::from_str::<CallGraph>(&text).unwrap(), graph);
    }

    #[test]
    fn callers_and_callees_see_the_same_edges_until_one_is_removed() {
        let mut graph = CallGraph::default();
        for caller in ["checkout", "frontend"] {
            graph.insert(workload(caller), workload("cart"), CallRatio::stated(1.0, 0.0));
        }
        let callers = |graph: &CallGraph| graph.callers(&workload("cart")).count();
        assert_eq!(callers(&graph), 2);
        assert!(graph.remove(&workload("frontend"), &workload("cart")).is_some());
        assert_eq!((callers(&graph), graph.callees(&workload("frontend")).count()), (1, 0));
        assert!(graph.remove(&workload("frontend"), &workload("cart")).is_none());
    }
}
