//! How much of a workload's load comes from outside the graph.

use std::collections::BTreeMap;

use mora_core::{CallGraph, Dataset, WorkloadRef, empirical_quantile};

use crate::windows::window_means;

/// Below this share of its own load, what a workload receives from outside counts as measurement error.
const ENTRY_SHARE: f64 = 0.05;

/// The share of a workload's load that no caller in the graph accounts for, in [0, 1]: the median
/// over five-minute windows, and 0 when it is too small to tell from measurement error.
///
/// A workload nobody is known to call receives everything from outside; one whose history cannot
/// tell, nothing.
#[must_use]
pub fn external_share(
    workload: &WorkloadRef,
    graph: &CallGraph,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> f64 {
    let callers = || graph.callers(workload).filter(|(_, call)| call.ratio > 0.0);
    if callers().next().is_none() {
        return 1.0;
    }
    let Some(dataset) = datasets.get(workload) else { return 0.0 };
    let Some(own) = rate_windows(dataset) else { return 0.0 };
    let sent: Vec<BTreeMap<i64, f64>> = callers()
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

pub(super) fn rate_windows(dataset: &Dataset) -> Option<BTreeMap<i64, f64>> {
    dataset.request_rate.as_ref().map(window_means)
}

/// What `caller` sent per second: observed, or by the ratio where nobody observed it.
pub(super) fn sent_windows(
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
