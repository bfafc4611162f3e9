use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{CallGraph, CallRatio, Dataset, Series, Step, Trust, WorkloadRef};

use super::*;

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

fn scaled(ratio: f64) -> Series {
    rates(swing().map(|rate| ratio * rate))
}

fn declared(edges: &[(&str, &str)]) -> CallGraph {
    let mut graph = CallGraph::default();
    for (caller, callee) in edges {
        graph.insert(workload(caller), workload(callee), CallRatio::declared());
    }
    graph
}

#[test]
fn ratios_are_learned_from_calls_and_the_callers_own_rate() {
    let datasets = BTreeMap::from([
        observed("frontend", &rates(swing()), &[]),
        observed("cart", &scaled(0.8), &[("frontend", scaled(0.8)), ("unknown", rates(swing()))]),
    ]);
    let graph = learn_call_graph(&datasets);
    let edges: Vec<_> = graph.edges().collect();
    assert_eq!(edges.len(), 1);
    let call = edges[0].2;
    assert!((call.ratio - 0.8).abs() < 1e-9 && call.spread < 1e-6, "{call:?}");
    assert!((call.q10 - 0.8).abs() < 1e-9 && (call.q90 - 0.8).abs() < 1e-9);
    assert_eq!((call.windows, call.trust, call.drift), (120, Trust::Measured, None));
}

#[test]
fn load_no_caller_accounts_for_comes_from_outside() {
    let datasets = BTreeMap::from([
        observed("frontend", &rates(swing()), &[]),
        observed("cart", &rates(swing()), &[("frontend", scaled(0.5))]),
        observed("catalog", &scaled(0.5), &[("frontend", scaled(0.5))]),
    ]);
    let mut graph = learn_call_graph(&datasets);
    graph.insert(workload("unseen"), workload("cart"), CallRatio::declared());
    let share = |name| external_share(&workload(name), &graph, &datasets);
    assert!((share("frontend") - 1.0).abs() < f64::EPSILON);
    assert!((share("cart") - 0.5).abs() < 1e-9, "a call without a ratio takes no part");
    assert!(share("catalog").abs() < f64::EPSILON);
}

#[test]
fn what_is_stated_wins_over_what_is_measured_and_that_over_what_is_declared() {
    let datasets = BTreeMap::from([
        observed("frontend", &rates(swing()), &[]),
        observed("cart", &scaled(0.8), &[("frontend", scaled(0.8))]),
        observed("ads", &scaled(0.5), &[("frontend", scaled(0.5))]),
        observed("mail", &scaled(0.1), &[]),
    ]);
    let mut file = declared(&[("frontend", "ads"), ("frontend", "bank")]);
    file.insert(workload("frontend"), workload("cart"), CallRatio::stated(1.5, 0.0));
    let graph = assemble_graph(&datasets, &declared(&[("frontend", "mail")]), &file);
    let found: Vec<_> = graph.edges().map(|(_, v, c)| (v.name(), c.trust, c.ratio)).collect();
    assert_eq!(found[1], ("bank", Trust::Declared, 0.0));
    assert_eq!(found[2], ("cart", Trust::Stated, 1.5));
    for (at, name, trust, ratio) in
        [(0, "ads", Trust::Measured, 0.5), (3, "mail", Trust::Regressed, 0.1)]
    {
        assert_eq!((found[at].0, found[at].1), (name, trust));
        assert!((found[at].2 - ratio).abs() < 1e-9, "{name}: {}", found[at].2);
    }
}

#[test]
fn a_regression_explains_only_what_the_measured_calls_leave() {
    let hourly = || (0..600).map(|i| 5.0 + f64::from(i % 97) / 30.0);
    let total = swing().zip(hourly()).map(|(front, batch)| 0.8 * front + 2.0 * batch);
    let datasets = BTreeMap::from([
        observed("frontend", &rates(swing()), &[]),
        observed("batch", &rates(hourly()), &[]),
        observed("cart", &rates(total), &[("frontend", scaled(0.8))]),
    ]);
    let graph = assemble_graph(&datasets, &declared(&[("batch", "cart")]), &CallGraph::default());
    let call = graph.get(&workload("batch"), &workload("cart")).unwrap();
    assert_eq!(call.trust, Trust::Regressed);
    assert!((call.ratio - 2.0).abs() < 1e-6, "{}", call.ratio);
}

#[test]
fn an_edge_that_drifted_is_told() {
    let turn = |i: usize| if i < 400 { 0.5 } else { 1.0 };
    let calls = rates(swing().enumerate().map(|(i, rate)| turn(i) * rate));
    let datasets = BTreeMap::from([
        observed("frontend", &rates(swing()), &[]),
        observed("cart", &calls, &[("frontend", calls.clone())]),
    ]);
    let warnings = drift_warnings(&learn_call_graph(&datasets));
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("shop/Deployment/cart 1.000 times per request instead of 0.500"));
}
