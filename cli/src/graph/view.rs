//! What is shown of a call graph.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, CallRatio, Dataset, Drift, Series, Trust, WorkloadKind, WorkloadRef};
use mora_planning::{drift_warnings, external_share};
use serde::Serialize;

/// A call graph with what is known of its workloads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct View {
    /// In order of workload.
    pub(super) workloads: Vec<Node>,
    /// In order of caller, then callee.
    pub(super) calls: Vec<Call>,
    /// What a reader must know, each a sentence.
    pub(super) warnings: Vec<String>,
}

/// A workload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Node {
    pub(super) workload: WorkloadRef,
    /// The shortest text that tells it from the others.
    #[serde(skip)]
    pub(super) label: String,
    /// Requests per second it served on average; `None` where nothing measured them.
    pub(super) request_rate: Option<f64>,
    /// Whether it receives requests from outside the graph.
    pub(super) entry: bool,
    /// The share of its requests that no caller accounts for.
    pub(super) external_share: f64,
}

/// One workload calling another.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Call {
    pub(super) caller: WorkloadRef,
    pub(super) callee: WorkloadRef,
    /// Indices into [`View::workloads`].
    #[serde(skip)]
    pub(super) between: (usize, usize),
    /// Calls per request of the caller; `None` where only their existence is known.
    pub(super) ratio: Option<f64>,
    pub(super) spread: Option<f64>,
    pub(super) dispersion: Option<f64>,
    pub(super) q10: Option<f64>,
    pub(super) q90: Option<f64>,
    pub(super) windows: u32,
    pub(super) trust: Trust,
    pub(super) drift: Option<Drift>,
}

impl View {
    /// The view of `graph` and of every workload in `datasets`, called or not.
    pub(super) fn new(graph: &CallGraph, datasets: &BTreeMap<WorkloadRef, Dataset>) -> Self {
        let every: BTreeSet<&WorkloadRef> =
            graph.workloads().into_iter().chain(datasets.keys()).collect();
        let every: Vec<&WorkloadRef> = every.into_iter().collect();
        let one_namespace = every.windows(2).all(|two| two[0].namespace() == two[1].namespace());
        let node = |workload: &&WorkloadRef| Node {
            label: label(workload, one_namespace),
            ..node(workload, graph, datasets)
        };
        let index = |workload: &WorkloadRef| every.binary_search(&workload).unwrap_or_default();
        let call = |(u, v, ratio): (&WorkloadRef, &WorkloadRef, &CallRatio)| Call {
            between: (index(u), index(v)),
            ..call(u, v, ratio)
        };
        Self {
            workloads: every.iter().map(node).collect(),
            calls: graph.edges().map(call).collect(),
            warnings: drift_warnings(graph),
        }
    }
}

fn node(
    workload: &WorkloadRef,
    graph: &CallGraph,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> Node {
    let request_rate =
        datasets.get(workload).and_then(|d| d.request_rate.as_ref()).and_then(Series::mean);
    let external_share = external_share(workload, graph, datasets);
    let called = graph.callers(workload).next().is_some();
    Node {
        workload: workload.clone(),
        label: String::new(),
        request_rate,
        // Of a workload whose callers are declared only, nobody knows without its own rate.
        entry: external_share > 0.0 && (!called || request_rate.is_some()),
        external_share,
    }
}

fn call(caller: &WorkloadRef, callee: &WorkloadRef, ratio: &CallRatio) -> Call {
    let known = |value: f64| ratio.is_known().then_some(value);
    Call {
        caller: caller.clone(),
        callee: callee.clone(),
        between: (0, 0),
        ratio: known(ratio.ratio),
        spread: known(ratio.spread),
        dispersion: known(ratio.dispersion),
        q10: known(ratio.q10),
        q90: known(ratio.q90),
        windows: ratio.windows,
        trust: ratio.trust,
        drift: ratio.drift,
    }
}

fn label(workload: &WorkloadRef, one_namespace: bool) -> String {
    let namespace =
        if one_namespace { String::new() } else { workload.namespace().to_owned() + "/" };
    let kind = match workload.kind() {
        WorkloadKind::Deployment => String::new(),
        kind => format!("{kind}/"),
    };
    format!("{namespace}{kind}{}", workload.name())
}

/// A ratio or rate with three significant digits, whatever its size.
pub(super) fn figure(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = 2 - value.abs().log10().floor() as i32;
    format!("{value:.*}", digits.clamp(0, 6) as usize)
}

impl Call {
    /// The ratio as a short text, `?` where it is not known.
    pub(super) fn ratio_text(&self) -> String {
        self.ratio.map_or_else(|| "?".to_owned(), figure)
    }

    /// Where the ratio comes from and how it varies, in a few words.
    pub(super) fn story(&self) -> String {
        let windows = format!(" over {} windows", self.windows);
        let range = self.q10.zip(self.q90).filter(|_| self.windows > 0);
        let range =
            range.map(|(low, high)| format!(", {} to {}{windows}", figure(low), figure(high)));
        let drift =
            self.drift.map(|drift| format!(", {} until {}", figure(drift.before), drift.since));
        format!("{}{}{}", self.trust, range.unwrap_or_default(), drift.unwrap_or_default())
    }
}

impl Node {
    /// Its request rate as a short text, if it is known.
    pub(super) fn rate_text(&self) -> Option<String> {
        self.request_rate.map(|rate| format!("{}/s", figure(rate)))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("shop", name).unwrap()
    }

    /// A frontend with 8 requests per second that calls a cart, in a cycle with a cache, and declares an ad.
    pub(in crate::graph) fn shop() -> View {
        let mut graph = CallGraph::default();
        let measured = CallRatio {
            q10: 0.8,
            q90: 0.9,
            windows: 288,
            trust: Trust::Measured,
            drift: Some(Drift { since: Timestamp::UNIX_EPOCH, before: 0.5 }),
            ..CallRatio::stated(0.84, 0.01)
        };
        graph.insert(workload("frontend"), workload("cart"), measured);
        graph.insert(workload("frontend"), workload("ad"), CallRatio::declared());
        let redis = WorkloadRef::new("shop", WorkloadKind::StatefulSet, "redis").unwrap();
        graph.insert(workload("cart"), redis.clone(), CallRatio::stated(2.0, 0.0));
        graph.insert(redis, workload("cart"), CallRatio::stated(0.01, 0.0));
        let mut dataset = Dataset::new(workload("frontend"));
        dataset.request_rate =
            Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, vec![Some(7.0), None, Some(9.0)]).ok();
        View::new(&graph, &[(workload("frontend"), dataset)].into())
    }

    #[test]
    fn workloads_have_the_shortest_names_that_differ_and_entries_are_marked() {
        let view = shop();
        let found: Vec<_> = view
            .workloads
            .iter()
            .map(|n| (n.label.as_str(), n.entry, n.rate_text().unwrap_or_default()))
            .collect();
        let rate = |text: &str| text.to_owned();
        assert_eq!(
            found,
            [
                ("ad", false, rate("")),
                ("cart", false, rate("")),
                ("frontend", true, rate("8.00/s")),
                ("StatefulSet/redis", false, rate("")),
            ]
        );
        assert_eq!(view.warnings.len(), 1);
    }

    #[test]
    fn a_call_without_a_ratio_has_none_in_any_output() {
        let view = shop();
        let ad = view.calls.iter().find(|c| c.callee.name() == "ad").unwrap();
        assert_eq!((ad.ratio_text().as_str(), ad.story().as_str()), ("?", "declared"));
        let json = serde_json::to_value(&view).unwrap();
        assert!(json["calls"][1]["ratio"].is_null() && json["calls"][2]["ratio"] == 0.84);
        assert!(json["workloads"][2]["label"].is_null());
    }

    #[test]
    fn figures_have_three_digits_that_count() {
        for (value, text) in [(0.0, "0"), (4.345, "4.34"), (0.03512, "0.0351"), (1234.5, "1234")] {
            assert_eq!(figure(value), text);
        }
    }
}
