//! One graph from everything that is known of calls.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{CallGraph, CallRatio, Dataset, Series, Trust, WorkloadRef};

use super::entries::{rate_windows, sent_windows};
use super::pairs::Pairs;
use super::ratio::{decay, describe, measured};
use super::regression::{Problem, ratios};

/// The call graph observed in `datasets`: per edge, the calls a callee received from a caller
/// divided by the caller's own request rate, over five-minute windows.
///
/// A caller whose request rate is not measured gives no edge.
#[must_use]
pub fn learn_call_graph(datasets: &BTreeMap<WorkloadRef, Dataset>) -> CallGraph {
    let mut graph = CallGraph::default();
    for (callee, dataset) in datasets {
        for (caller, calls) in &dataset.calls {
            let rate = datasets.get(caller).and_then(|d| d.request_rate.as_ref());
            let ratio = rate.and_then(|rate| measured(&Pairs::new(rate, calls)));
            if let Some(ratio) = ratio {
                graph.insert(caller.clone(), callee.clone(), ratio);
            }
        }
    }
    graph
}

/// One graph of what `datasets` measured, what `declared` says is called, and what a person wrote into
/// `file`.
///
/// A ratio in the file stands. Else measured calls win; the request rates of a callee and of its
/// remaining callers give a ratio where it can be told from them; else the edge is declared only.
#[must_use]
pub fn assemble_graph(
    datasets: &BTreeMap<WorkloadRef, Dataset>,
    declared: &CallGraph,
    file: &CallGraph,
) -> CallGraph {
    let mut graph = learn_call_graph(datasets);
    for (caller, callee, ratio) in file.edges().filter(|(_, _, ratio)| ratio.is_known()) {
        graph.insert(caller.clone(), callee.clone(), *ratio);
    }
    let mut open: BTreeMap<&WorkloadRef, BTreeSet<&WorkloadRef>> = BTreeMap::new();
    for (caller, callee, _) in file.edges().chain(declared.edges()) {
        if graph.get(caller, callee).is_none() {
            open.entry(callee).or_default().insert(caller);
        }
    }
    for (callee, callers) in open {
        for (caller, ratio) in explained(callee, &callers, &graph, datasets) {
            graph.insert(caller, callee.clone(), ratio);
        }
    }
    graph
}

/// What the request rates say of the calls of `callers` to `callee`, besides the calls `known`.
fn explained(
    callee: &WorkloadRef,
    callers: &BTreeSet<&WorkloadRef>,
    known: &CallGraph,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> BTreeMap<WorkloadRef, CallRatio> {
    let mut found: BTreeMap<WorkloadRef, CallRatio> =
        callers.iter().map(|caller| ((*caller).clone(), CallRatio::declared())).collect();
    let rate = |workload: &WorkloadRef| datasets.get(workload)?.request_rate.as_ref();
    let observed: Vec<(&WorkloadRef, &Series)> =
        callers.iter().filter_map(|caller| Some((*caller, rate(caller)?))).collect();
    let Some(problem) = problem(callee, &observed, known, datasets) else { return found };
    let told: Vec<(&WorkloadRef, &Series, f64)> = observed
        .into_iter()
        .zip(ratios(&problem))
        .filter_map(|((caller, series), ratio)| Some((caller, series, ratio?)))
        .collect();
    for (caller, series, ratio) in &told {
        let others = told.iter().filter(|other| other.0 != *caller).map(|o| (o.1, o.2));
        let Some(rate) = rate(callee) else { continue };
        let calls = share(rate, (series, *ratio), &others.collect::<Vec<_>>());
        let described = describe(&Pairs::new(series, &calls), *ratio, Trust::Regressed);
        found.insert((*caller).clone(), described);
    }
    found
}

/// The windows in which the callee and every caller were observed; `None` without the callee's rate.
fn problem(
    callee: &WorkloadRef,
    callers: &[(&WorkloadRef, &Series)],
    known: &CallGraph,
    datasets: &BTreeMap<WorkloadRef, Dataset>,
) -> Option<Problem> {
    let dataset = datasets.get(callee)?;
    let own = rate_windows(dataset)?;
    let sent = known.callers(callee).filter(|(_, call)| call.is_known());
    let sent: Vec<_> =
        sent.map(|(u, call)| sent_windows(dataset, u, call.ratio, datasets)).collect();
    let rates: Vec<_> = callers.iter().map(|(_, s)| crate::windows::window_means(s)).collect();
    let newest = *own.last_key_value()?.0;
    let mut problem = Problem { callers: vec![Vec::new(); rates.len()], ..Problem::default() };
    for (at, rate) in &own {
        let accounted: Option<f64> = sent.iter().map(|windows| windows.get(at)).sum();
        let row: Option<Vec<f64>> = rates.iter().map(|windows| windows.get(at).copied()).collect();
        let (Some(accounted), Some(row)) = (accounted, row) else { continue };
        problem.target.push(rate - accounted);
        problem.weights.push(decay(*at, newest));
        problem.callers.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    Some(problem)
}

/// The part of a callee's `rate` that one caller causes beside `others`, by their requests and ratios.
fn share(rate: &Series, caller: (&Series, f64), others: &[(&Series, f64)]) -> Series {
    let sent = |(series, ratio): (&Series, f64), index: usize| {
        let step = i64::from(series.step().seconds());
        let at = (rate.time(index).as_second() - series.start().as_second()).div_euclid(step);
        Some((*series.values().get(usize::try_from(at).ok()?)?)? * ratio)
    };
    let part = |(index, value): (usize, &Option<f64>)| {
        let own = sent(caller, index)?;
        let total = others.iter().map(|other| sent(*other, index)).sum::<Option<f64>>()? + own;
        let share = if total > 0.0 { own / total } else { 0.0 };
        Some((*value)? * share)
    };
    let values = rate.values().iter().enumerate().map(part).collect();
    Series::new(rate.start(), rate.step(), values).unwrap_or_else(|_| rate.clone())
}
