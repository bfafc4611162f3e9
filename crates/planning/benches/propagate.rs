//! How long propagation takes on random call graphs of 24 slots.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use mora_core::{CallGraph, CallRatio, Quantile, Step, WorkloadRef};
use mora_planning::{Load, Traffic, propagate};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const SLOTS: usize = 24;

fn workload(index: usize) -> WorkloadRef {
    let name = format!("w{index:05}");
    WorkloadRef::deployment("shop", &name).unwrap_or_else(|error| panic!("{error}"))
}

fn call(random: &mut impl Rng) -> CallRatio {
    let ratio = random.random_range(0.05..1.5);
    let dispersion = random.random_range(0.2..4.0);
    CallRatio { dispersion, ..CallRatio::stated(ratio, 0.05 * ratio) }
}

/// Adds an application of workloads from `first` on, each but the first called by one or two before it.
fn application(graph: &mut CallGraph, first: usize, size: usize, random: &mut impl Rng) {
    for callee in 1..size {
        for _ in 0..random.random_range(1..=2) {
            let caller = random.random_range(0..callee);
            let ratio = call(random);
            graph.insert(workload(first + caller), workload(first + callee), ratio);
        }
    }
}

fn entry(random: &mut impl Rng) -> Load {
    let mean: Vec<f64> = (0..SLOTS).map(|_| random.random_range(1.0..100.0)).collect();
    let variance = mean.iter().map(|rate| (0.1 * rate).powi(2)).collect();
    Load { mean, variance, arrivals: vec![0.0; SLOTS] }
}

/// Applications of 10 to 50 workloads, `workloads` together, with one entry each.
fn applications(workloads: usize) -> (CallGraph, BTreeMap<WorkloadRef, Load>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let (mut graph, mut entries, mut first) = (CallGraph::default(), BTreeMap::new(), 0);
    while first < workloads {
        let size = random.random_range(10..=50).min(workloads - first);
        application(&mut graph, first, size, &mut random);
        entries.insert(workload(first), entry(&mut random));
        first += size;
    }
    (graph, entries)
}

/// One application of `workloads` workloads behind one entry.
fn connected(workloads: usize) -> (CallGraph, BTreeMap<WorkloadRef, Load>) {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut graph = CallGraph::default();
    application(&mut graph, 0, workloads, &mut random);
    (graph, [(workload(0), entry(&mut random))].into())
}

fn paths(traffic: &Traffic) -> f64 {
    let quantile = Quantile::new(0.95).unwrap_or_else(|error| panic!("{error}"));
    traffic.loads.values().map(|load| load.upper(quantile, 60).iter().sum::<f64>()).sum()
}

fn benches(criterion: &mut Criterion) {
    for (name, (graph, entries)) in [
        ("50 in applications", applications(50)),
        ("5000 in applications", applications(5000)),
        ("5000 connected", connected(5000)),
    ] {
        let run = || propagate(&graph, &entries, SLOTS, Step::MINUTE);
        criterion.bench_function(&format!("propagate {name}"), |b| b.iter(|| black_box(run())));
        let traffic = run();
        criterion.bench_function(&format!("paths of {name}"), |b| b.iter(|| paths(&traffic)));
    }
}

criterion_group! {
    name = propagation;
    config = Criterion::default().sample_size(20);
    targets = benches
}
criterion_main!(propagation);
