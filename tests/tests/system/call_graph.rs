//! Call ratios learned on the first half of a recorded day, judged on the second.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;

use jiff::{SignedDuration, Timestamp};
use mora_core::{
    CallGraph, CallRatio, Dataset, Quantile, Series, Step, WorkloadRef, empirical_quantile,
};
use mora_planning::{Load, assemble_graph, learn_call_graph, propagate};
use mora_tests::{BoutiqueDay, Origin};

/// What lies this close to a fault is disturbed by it.
const DISTURBED: SignedDuration = SignedDuration::from_mins(10);
const WINDOW_MINUTES: usize = 15;
/// Requests per second below which a callee counts as rare.
const RARE: f64 = 1.0;
/// Who calls whom, as the application's documentation draws it.
const TOPOLOGY: [(&str, &[&str]); 3] = [
    (
        "frontend",
        &[
            "adservice",
            "cartservice",
            "checkoutservice",
            "currencyservice",
            "productcatalogservice",
            "recommendationservice",
            "shippingservice",
        ],
    ),
    (
        "checkoutservice",
        &[
            "cartservice",
            "currencyservice",
            "emailservice",
            "paymentservice",
            "productcatalogservice",
            "shippingservice",
        ],
    ),
    ("recommendationservice", &["productcatalogservice"]),
];

type Datasets = BTreeMap<WorkloadRef, Dataset>;

/// One half of the day without what faults disturbed.
struct Halves {
    learned: Datasets,
    judged: Datasets,
}

/// What came of one callee; shares but for `mean`.
struct Row {
    callee: String,
    /// Requests per second.
    mean: f64,
    /// Error of 15-minute rates from the observed rates of its callers.
    wape: f64,
    /// The same from the frontend's rate alone.
    wape_from_entry: f64,
    /// One-minute values below the propagated path at 0.99.
    covered: f64,
    /// That path over the propagated mean.
    width: f64,
    /// The observed quantile 0.99 over the observed mean.
    observed_width: f64,
}

fn newest() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

fn halves(day: &BoutiqueDay) -> Halves {
    let rate = day.datasets.iter().find_map(|d| d.request_rate.as_ref()).unwrap();
    let (start, end) = (rate.start(), rate.end());
    let middle = Step::MINUTE.floor(start + (end - start) / 2);
    let part = |from: Timestamp, to: Timestamp| {
        let of = |dataset: &Dataset| {
            let mut kept = Dataset::new(dataset.workload.clone());
            let clean = |series: &Series| undisturbed(&series.between(from, to), &day.faults);
            kept.request_rate = dataset.request_rate.as_ref().map(clean);
            kept.calls = dataset.calls.iter().map(|(u, s)| (u.clone(), clean(s))).collect();
            (dataset.workload.clone(), kept)
        };
        day.datasets.iter().map(of).collect()
    };
    Halves { learned: part(start, middle), judged: part(middle, end) }
}

fn undisturbed(series: &Series, faults: &[Timestamp]) -> Series {
    let near = |at: Timestamp| faults.iter().any(|fault| (at - *fault).abs() <= DISTURBED);
    let values = series.values().iter().enumerate();
    let values = values.map(|(i, value)| value.filter(|_| !near(series.time(i)))).collect();
    Series::new(series.start(), series.step(), values).unwrap()
}

fn rate<'a>(datasets: &'a Datasets, workload: &WorkloadRef) -> &'a Series {
    datasets[workload].request_rate.as_ref().unwrap()
}

fn frontend(datasets: &Datasets) -> WorkloadRef {
    datasets.keys().find(|w| w.name() == "frontend").unwrap().clone()
}

/// Rates by the minute of every workload when only the frontend's is known, and callers before callees.
fn from_entry(graph: &CallGraph, datasets: &Datasets) -> BTreeMap<WorkloadRef, Vec<f64>> {
    let entry = frontend(datasets);
    let one = Load { mean: vec![1.0], variance: vec![0.0], arrivals: vec![0.0] };
    let traffic = propagate(graph, &[(entry.clone(), one)].into(), 1, Step::MINUTE);
    let minutes = rate(datasets, &entry).values();
    let scaled = |gain: f64| minutes.iter().map(|v| gain * v.unwrap_or(0.0)).collect();
    traffic.loads.iter().map(|(w, load)| (w.clone(), scaled(load.mean[0]))).collect()
}

/// Rates by the minute of `callee` by the observed rates of its callers.
fn from_callers(graph: &CallGraph, callee: &WorkloadRef, datasets: &Datasets) -> Vec<f64> {
    let mut sum = vec![0.0; rate(datasets, callee).len()];
    for (caller, call) in graph.callers(callee) {
        let rates = rate(datasets, caller).values();
        sum.iter_mut().zip(rates).for_each(|(s, r)| *s += call.ratio * r.unwrap_or(0.0));
    }
    sum
}

/// The sum of absolute errors of whole windows over the sum of what was observed.
fn wape(observed: &Series, predicted: &[f64]) -> f64 {
    let (mut error, mut total) = (0.0, 0.0);
    for (seen, expected) in
        observed.values().chunks(WINDOW_MINUTES).zip(predicted.chunks(WINDOW_MINUTES))
    {
        let Some(seen) = seen.iter().copied().sum::<Option<f64>>() else { continue };
        error += (seen - expected.iter().sum::<f64>()).abs();
        total += seen;
    }
    error / total
}

/// The load of the frontend in each of 24 hours: as in the first half of the recorded day, whose load is
/// even; by the hour as it was in the simulation, whose load follows the day.
fn entry_load(day: &BoutiqueDay, halves: &Halves) -> Load {
    let of = |series: &Series| {
        let sorted = series.sorted();
        let level = |probability| empirical_quantile(&sorted, probability).unwrap_or(0.0);
        (level(0.5), ((level(0.99) - level(0.5)) / 2.326).powi(2))
    };
    let judged = rate(&halves.judged, &frontend(&halves.judged));
    let hours = judged.len().div_ceil(60);
    let hour = |hour: usize| {
        let from = judged.time(60 * hour);
        of(&judged.between(from, from + SignedDuration::from_hours(1)))
    };
    let slots: Vec<(f64, f64)> = match day.origin {
        Origin::Recorded(_) => vec![of(rate(&halves.learned, &frontend(&halves.learned))); hours],
        Origin::Simulated => (0..hours).map(hour).collect(),
    };
    let (mean, variance) = slots.into_iter().unzip();
    Load { mean, variance, arrivals: vec![0.0; hours] }
}

fn judge(day: &BoutiqueDay, halves: &Halves, graph: &CallGraph) -> Vec<Row> {
    let entry = frontend(&halves.judged);
    let load = entry_load(day, halves);
    let slots = load.mean.len();
    let traffic = propagate(graph, &[(entry.clone(), load)].into(), slots, Step::MINUTE);
    let by_entry = from_entry(graph, &halves.judged);
    let callees: BTreeSet<&WorkloadRef> = graph.edges().map(|(_, callee, _)| callee).collect();
    let row = |callee: &WorkloadRef| {
        let observed = rate(&halves.judged, callee);
        let expected = &traffic.loads[callee];
        let upper = expected.upper(Quantile::new(0.99).unwrap(), 1);
        let minutes = observed.values().iter().enumerate();
        let seen: Vec<(f64, f64)> =
            minutes.filter_map(|(i, v)| Some(((*v)?, upper[i / 60]))).collect();
        let below = seen.iter().filter(|(value, path)| value <= path).count();
        let mean = observed.observed().sum::<f64>() / seen.len() as f64;
        Row {
            callee: callee.name().to_owned(),
            mean,
            wape: wape(observed, &from_callers(graph, callee, &halves.judged)),
            wape_from_entry: wape(observed, &by_entry[callee]),
            covered: below as f64 / seen.len() as f64,
            width: upper.iter().sum::<f64>() / expected.mean.iter().sum::<f64>(),
            observed_width: empirical_quantile(&observed.sorted(), 0.99).unwrap() / mean,
        }
    };
    callees.into_iter().map(row).collect()
}

fn print(title: &str, rows: &[Row]) {
    let mut text = format!(
        "{title}\n{:<24}{:>9}{:>9}{:>13}{:>10}{:>8}{:>12}\n",
        "callee", "rate/s", "WAPE %", "from entry %", "covered", "width", "observed"
    );
    for row in rows {
        text += &format!(
            "{:<24}{:>9.2}{:>9.2}{:>13.2}{:>10.4}{:>8.2}{:>12.2}\n",
            row.callee,
            row.mean,
            100.0 * row.wape,
            100.0 * row.wape_from_entry,
            row.covered,
            row.width,
            row.observed_width
        );
    }
    std::io::stdout().write_all(text.as_bytes()).unwrap();
}

fn assert_bars(rows: &[Row], callees: usize) {
    assert_eq!(rows.len(), callees);
    for row in rows {
        let bar = if row.mean < RARE { 0.10 } else { 0.03 };
        assert!(row.wape <= bar, "{}: WAPE {:.4} above {bar}", row.callee, row.wape);
        assert!(row.covered >= 0.98, "{}: only {:.4} covered", row.callee, row.covered);
        assert!(
            row.width < 1.25 * row.observed_width,
            "{}: a width of {:.2}",
            row.callee,
            row.width
        );
    }
}

#[test]
fn ratios_of_traced_calls_predict_the_second_half_of_the_day() {
    let day = BoutiqueDay::load(newest()).unwrap_or_else(|error| panic!("{error}"));
    let halves = halves(&day);
    let graph = learn_call_graph(&halves.learned);
    let rows = judge(&day, &halves, &graph);
    print("ratios of traced calls", &rows);
    let called: BTreeSet<&WorkloadRef> = graph.edges().map(|(_, callee, _)| callee).collect();
    assert_bars(&rows, called.len());
    assert!(rows.len() >= 9);
}

#[test]
fn ratios_explained_by_request_rates_alone_predict_it_too() {
    let day = BoutiqueDay::load(newest()).unwrap_or_else(|error| panic!("{error}"));
    let mut halves = halves(&day);
    halves.learned.values_mut().for_each(|dataset| dataset.calls.clear());
    let namespace = frontend(&halves.learned).namespace().to_owned();
    let mut declared = CallGraph::default();
    for (caller, callees) in TOPOLOGY {
        for callee in callees {
            let workload = |name| WorkloadRef::deployment(&namespace, name).unwrap();
            declared.insert(workload(caller), workload(callee), CallRatio::declared());
        }
    }
    let graph = assemble_graph(&halves.learned, &declared, &CallGraph::default());
    let told = graph.edges().filter(|(_, _, call)| call.is_known()).count();
    let rows = judge(&day, &halves, &graph);
    print(
        &format!("ratios from request rates alone: {told} of {} calls", graph.edges().count()),
        &rows,
    );
    for row in &rows {
        // One caller may stand for others that rise and fall with it, so the bar is that from the entry.
        let bar = if row.mean < RARE { 0.12 } else { 0.05 };
        assert!(row.wape_from_entry <= bar, "{}: {:.4}", row.callee, row.wape_from_entry);
        assert!(row.covered >= 0.98, "{}: only {:.4} covered", row.callee, row.covered);
    }
}
