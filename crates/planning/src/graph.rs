//! The call graph: learned from observed calls, or declared in a file.

use std::collections::BTreeMap;

use mora_core::{CallGraph, CallRatio, Dataset, WorkloadRef, empirical_quantile};
use serde::Deserialize;
use thiserror::Error;

use crate::windows::{WINDOW_SECONDS, paired, window_means};

/// Below this share of its own load, what a workload receives from outside counts as measurement error.
const ENTRY_SHARE: f64 = 0.05;
/// Below this many calls in a typical window the median of windows is dominated by counting noise.
const COUNTABLE_CALLS: f64 = 10.0;

/// Why a declared call graph cannot be used.
#[derive(Debug, Error)]
pub enum GraphError {
    /// The text is not the expected YAML.
    #[error(
        "the call graph is not readable; write `calls:` with a list of caller, callee and ratio"
    )]
    Unreadable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A ratio or spread is negative or not a number.
    #[error("the {field} of {caller} to {callee} is {value}; write a finite number of at least 0")]
    OutOfRange {
        /// The caller.
        caller: Box<WorkloadRef>,
        /// The callee.
        callee: Box<WorkloadRef>,
        /// `ratio` or `spread`.
        field: &'static str,
        /// The number found.
        value: f64,
    },
    /// The same pair stands in the file twice.
    #[error("the call from {caller} to {callee} is declared twice; keep one of them")]
    Repeated {
        /// The caller.
        caller: Box<WorkloadRef>,
        /// The callee.
        callee: Box<WorkloadRef>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Declaration {
    calls: Vec<DeclaredCall>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeclaredCall {
    caller: WorkloadRef,
    callee: WorkloadRef,
    ratio: f64,
    #[serde(default)]
    spread: f64,
}

/// The call graph written in `text`: YAML with `calls`, a list of `caller`, `callee`, `ratio` (calls
/// per request of the caller) and optionally `spread` (its standard deviation).
///
/// Fails when the text is not of that form, a number is out of range or a pair is repeated.
pub fn declared_graph(text: &str) -> Result<CallGraph, GraphError> {
    let declaration: Declaration =
        serde_saphyr::from_str(text).map_err(|error| GraphError::Unreadable(Box::new(error)))?;
    let mut graph = CallGraph::default();
    for call in declaration.calls {
        let ratio = checked(&call)?;
        if graph.callees(&call.caller).any(|(callee, _)| *callee == call.callee) {
            let (caller, callee) = (Box::new(call.caller), Box::new(call.callee));
            return Err(GraphError::Repeated { caller, callee });
        }
        graph.insert(call.caller, call.callee, ratio);
    }
    Ok(graph)
}

fn checked(call: &DeclaredCall) -> Result<CallRatio, GraphError> {
    for (field, value) in [("ratio", call.ratio), ("spread", call.spread)] {
        if !value.is_finite() || value < 0.0 {
            let (caller, callee) = (call.caller.clone().into(), call.callee.clone().into());
            return Err(GraphError::OutOfRange { caller, callee, field, value });
        }
    }
    Ok(CallRatio { ratio: call.ratio, spread: call.spread, windows: 0 })
}

/// The call graph observed in `datasets`: per edge, the calls a callee received from a caller
/// divided by the caller's own request rate, over five-minute windows.
///
/// A caller whose request rate is not measured gives no edge.
#[must_use]
pub fn learn_call_graph(datasets: &BTreeMap<WorkloadRef, Dataset>) -> CallGraph {
    let mut graph = CallGraph::default();
    for (callee, dataset) in datasets {
        for (caller, calls) in &dataset.calls {
            let Some(rate) = datasets.get(caller).and_then(rate_windows) else { continue };
            if let Some(ratio) = call_ratio(&paired(&rate, &window_means(calls))) {
                graph.insert(caller.clone(), callee.clone(), ratio);
            }
        }
    }
    graph
}

/// The ratio over windows of (request rate of the caller, calls per second); `None` without traffic.
fn call_ratio(windows: &[(f64, f64)]) -> Option<CallRatio> {
    let busy = || windows.iter().filter(|(rate, _)| *rate > 0.0);
    let mut ratios: Vec<f64> = busy().map(|(rate, calls)| calls / rate).collect();
    ratios.sort_by(f64::total_cmp);
    let (rates, calls) = busy().fold((0.0, 0.0), |sum, (r, c)| (sum.0 + r, sum.1 + c));
    let median = empirical_quantile(&ratios, 0.5)?;
    let typical_calls = calls / ratios.len() as f64 * f64::from(WINDOW_SECONDS);
    let ratio = if typical_calls < COUNTABLE_CALLS { calls / rates } else { median };
    Some(CallRatio { ratio, spread: deviation(&ratios), windows: ratios.len() as u32 })
}

fn deviation(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (values.len().max(2) - 1) as f64).sqrt()
}

fn rate_windows(dataset: &Dataset) -> Option<BTreeMap<i64, f64>> {
    dataset.request_rate.as_ref().map(window_means)
}

/// The share of a workload's load that no caller in the graph accounts for, in [0, 1]: the median
/// over five-minute windows, and 0 when it is too small to tell from measurement error.
///
/// A workload nobody calls receives everything from outside; one whose history cannot tell, nothing.
pub(crate) fn external_share(
    workload: &WorkloadRef,
    graph: &CallGraph,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> f64 {
    if graph.callers(workload).all(|(_, call)| call.ratio <= 0.0) {
        return 1.0;
    }
    let Some(dataset) = datasets.get(workload) else { return 0.0 };
    let Some(own) = rate_windows(dataset) else { return 0.0 };
    let sent: Vec<BTreeMap<i64, f64>> = graph
        .callers(workload)
        .map(|(caller, call)| sent_windows(dataset, caller, call.ratio, datasets))
        .collect();
    let mut shares: Vec<f64> = own
        .iter()
        .filter(|(_, rate)| **rate > 0.0)
        .filter_map(|(at, rate)| {
            let received: Option<f64> = sent.iter().map(|windows| windows.get(at)).sum();
            Some((1.0 - received? / rate).clamp(0.0, 1.0))
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    empirical_quantile(&shares, 0.5).filter(|share| *share > ENTRY_SHARE).unwrap_or(0.0)
}

/// What `caller` sent per second: observed, or by the ratio where nobody observed it.
fn sent_windows(
    callee: &Dataset,
    caller: &WorkloadRef,
    ratio: f64,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> BTreeMap<i64, f64> {
    if let Some(calls) = callee.calls.get(caller) {
        return window_means(calls);
    }
    let rate = datasets.get(caller).and_then(rate_windows).unwrap_or_default();
    rate.into_iter().map(|(at, rate)| (at, rate * ratio)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{Series, Step};

    fn workload(name: &str) -> WorkloadRef {
        WorkloadRef::deployment("shop", name).unwrap()
    }

    fn rates(values: impl Iterator<Item = f64>) -> Series {
        Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values.map(Some).collect()).unwrap()
    }

    fn observed(name: &str, rate: &Series, calls: &[(&str, Series)]) -> (WorkloadRef, Dataset) {
        let mut dataset = Dataset::new(workload(name));
        dataset.request_rate = Some(rate.clone());
        dataset.calls = calls.iter().map(|(u, s)| (workload(u), s.clone())).collect();
        (workload(name), dataset)
    }

    fn swing() -> impl Iterator<Item = f64> {
        (0..600).map(|i| 20.0 + f64::from(i % 60) / 6.0)
    }

    #[test]
    fn ratios_are_learned_from_calls_and_the_callers_own_rate() {
        let datasets = BTreeMap::from([
            observed("frontend", &rates(swing()), &[]),
            observed(
                "cart",
                &rates(swing().map(|r| 0.8 * r)),
                &[("frontend", rates(swing().map(|r| 0.8 * r))), ("unknown", rates(swing()))],
            ),
        ]);
        let graph = learn_call_graph(&datasets);
        let edges: Vec<_> = graph.edges().collect();
        assert_eq!(edges.len(), 1);
        assert!((edges[0].2.ratio - 0.8).abs() < 1e-9 && edges[0].2.spread < 1e-9);
        assert_eq!(edges[0].2.windows, 120);
    }

    #[test]
    fn a_callee_so_rare_that_most_windows_are_empty_keeps_its_mean_ratio() {
        let rare = (0..600).map(|i| if i % 25 == 0 { 0.5 } else { 0.0 });
        let datasets = BTreeMap::from([
            observed("frontend", &rates((0..600).map(|_| 10.0)), &[]),
            observed("email", &rates(rare.clone()), &[("frontend", rates(rare))]),
        ]);
        let graph = learn_call_graph(&datasets);
        let ratio = graph.edges().next().unwrap().2.ratio;
        assert!((ratio - 0.002).abs() < 1e-9, "{ratio}");
    }

    #[test]
    fn load_no_caller_accounts_for_comes_from_outside() {
        let half = || rates(swing().map(|r| 0.5 * r));
        let datasets = BTreeMap::from([
            observed("frontend", &rates(swing()), &[]),
            observed("cart", &rates(swing()), &[("frontend", half())]),
            observed("catalog", &half(), &[("frontend", half())]),
        ]);
        let graph = learn_call_graph(&datasets);
        let share = |name| external_share(&workload(name), &graph, &datasets);
        assert!((share("frontend") - 1.0).abs() < f64::EPSILON);
        assert!((share("cart") - 0.5).abs() < 1e-9);
        assert!(share("catalog").abs() < f64::EPSILON);
    }

    #[test]
    fn a_declared_graph_is_read_and_its_mistakes_are_named() {
        let graph =
            declared_graph("calls:\n  - {caller: shop/frontend, callee: shop/cart, ratio: 0.8}\n")
                .unwrap();
        assert!((graph.edges().next().unwrap().2.ratio - 0.8).abs() < f64::EPSILON);

        let error = |text| declared_graph(text).unwrap_err();
        assert!(matches!(error("edges: []"), GraphError::Unreadable(_)));
        assert!(matches!(
            error("calls: [{caller: a/b, callee: a/c, ratio: -1}]"),
            GraphError::OutOfRange { field: "ratio", .. }
        ));
        assert!(matches!(
            error(
                "calls: [{caller: a/b, callee: a/c, ratio: 1}, {caller: a/b, callee: a/c, ratio: 2}]"
            ),
            GraphError::Repeated { .. }
        ));
    }
}
