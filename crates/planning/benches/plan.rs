//! How long aggregation and policy take: a plan of 24 slots from evidence that is at hand.

use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::Criterion;
use jiff::Timestamp;
use mimalloc::MiMalloc;
use mora_core::{
    Bytes, CallGraph, CallRatio, Capacity, Forecast, Millicores, Quantile, ResourceClaim, Rung,
    Signal, SignalForecast, Skill, Step, WorkloadRef,
};
use mora_planning::{
    BaselineNeed, Evidence, LoadToCpu, Observed, ObservedContainer, ObservedRate, Policy, plan,
};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// That of the coordinator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

const SLOTS: usize = 24;
/// Workloads of one application: an entry and what it calls.
const APPLICATION: usize = 25;
const MEBIBYTE: f64 = 1_048_576.0;

fn workload(index: usize) -> WorkloadRef {
    let (namespace, name) = (format!("app{:04}", index / APPLICATION), format!("w{index:05}"));
    WorkloadRef::deployment(&namespace, &name).unwrap_or_else(|error| panic!("{error}"))
}

fn quantile(probability: f64) -> Quantile {
    Quantile::new(probability).unwrap_or_else(|error| panic!("{error}"))
}

fn signal(level: f64, random: &mut impl Rng) -> SignalForecast {
    let median: Vec<f64> = (0..SLOTS).map(|_| level * random.random_range(0.3..1.0)).collect();
    let path = |(q, factor): (f64, f64)| (quantile(q), median.iter().map(|v| v * factor).collect());
    SignalForecast {
        paths: [(0.5, 1.0), (0.9, 1.1), (0.95, 1.2), (0.99, 1.3)].into_iter().map(path).collect(),
        requests: median.iter().map(|v| v * 1.25).collect(),
        request_records: Vec::new(),
        rung: Rung::Ensemble,
        members: Vec::new(),
        skill: Skill { pinball_ratio: Some(random.random_range(0.6..1.1)), origins: 14 },
        confidence: None,
    }
}

fn forecast(workload: WorkloadRef, random: &mut impl Rng) -> Forecast {
    let levels = [
        (Signal::Cpu, random.random_range(0.05..2.0)),
        (Signal::Memory, random.random_range(50.0..500.0) * MEBIBYTE),
        (Signal::RequestRate, random.random_range(1.0..200.0)),
    ];
    Forecast {
        workload,
        model_version: "v1".to_owned(),
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        data_until: Timestamp::UNIX_EPOCH,
        replicas: 2,
        signals: levels.into_iter().map(|(s, level)| (s, signal(level, random))).collect(),
        warnings: Vec::new(),
    }
}

fn observed(entry: bool, random: &mut impl Rng) -> Observed {
    let cpu = Millicores::new(random.random_range(20..2000));
    let memory = Bytes::from_mebibytes(random.random_range(32..512));
    let container = ObservedContainer {
        claim: ResourceClaim { cpu_request: Some(cpu), ..ResourceClaim::default() },
        cpu_share: 1.0,
        memory_share: 1.0,
        baseline: Ok(BaselineNeed {
            cpu,
            cpu_lower: cpu,
            cpu_upper: cpu,
            memory,
            memory_lower: memory,
            memory_upper: memory,
        }),
        daily_memory: vec![Some(memory); 14],
        oom_kills: std::collections::BTreeSet::new(),
    };
    Observed {
        containers: [("server".to_owned(), container)].into(),
        replicas: 2,
        rate: Some(ObservedRate {
            most: 150.0,
            step: Step::MINUTE,
            levels: [0.5, 0.99].map(|q| (quantile(q), 100.0 * q)).into(),
        }),
        external_share: if entry { 1.0 } else { 0.0 },
        load_to_cpu: LoadToCpu::Slope(0.01),
        data_from: None,
        data_until: None,
        throttled_share: Some(0.01),
        recent: None,
        nowcast: Vec::new(),
    }
}

/// `workloads` workloads in applications of [`APPLICATION`], in a cluster that has 30 % too little for them.
fn evidence(workloads: usize) -> Evidence {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let mut evidence = Evidence {
        observed: BTreeMap::new(),
        forecasts: BTreeMap::new(),
        graph: CallGraph::default(),
        capacity: None,
        cluster: None,
        now: Timestamp::UNIX_EPOCH,
        start: Timestamp::UNIX_EPOCH,
        slot: Step::HOUR,
        slots: SLOTS,
    };
    for index in 0..workloads {
        let (name, place) = (workload(index), index % APPLICATION);
        let seen = observed(place == 0, &mut random);
        evidence.observed.insert(name.clone(), seen);
        evidence.forecasts.insert(name.clone(), Ok(forecast(name.clone(), &mut random)));
        if place > 0 {
            let caller = workload(index - place + random.random_range(0..place));
            let ratio = CallRatio::stated(random.random_range(0.05..1.5), 0.05);
            evidence.graph.insert(caller, name, ratio);
        }
    }
    let free = plan("free", &evidence, &Policy::default());
    evidence.capacity = Some(Capacity {
        cpu_allocatable: free.total_cpu().scaled(0.7),
        memory_allocatable: free.total_memory().scaled(0.7),
        cpu_unmanaged: Millicores::ZERO,
        memory_unmanaged: Bytes::ZERO,
        cap: 1.0,
    });
    evidence
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for workloads in [50, 500, 5000] {
        let (evidence, policy) = (evidence(workloads), Policy::default());
        let made = plan("p", &evidence, &policy);
        assert_eq!(made.recommendations.len(), workloads);
        criterion.bench_function(&format!("plan of {workloads} workloads"), |bench| {
            bench.iter_with_large_drop(|| black_box(plan("p", &evidence, &policy)));
        });
    }
    criterion.final_summary();
}
