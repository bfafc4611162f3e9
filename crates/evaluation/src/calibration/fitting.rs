//! Parameters that follow from the measured series alone.

use mora_cluster_simulator::{Application, Microservice};

use super::{Dataset, FAILING, FEWEST, Indicator, Series, ServiceQuality, Signal, aligned, median};

/// Below this coefficient of variation of the load, idle and busy CPU cannot be told apart.
const STEADY: f64 = 0.05;
/// Memory follows the load where that explains this share of what is left of its variance.
const FOLLOWS: f64 = 0.25;
/// The share of the most requests inside that counts as most.
const NEARLY: f64 = 0.9;

/// A line through points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Line {
    pub(super) level: f64,
    pub(super) slope: f64,
    /// Share of the variance that it explains.
    pub(super) explained: f64,
    /// Root mean square of what it misses.
    pub(super) residual: f64,
}

/// Least squares with neither level nor slope below 0; `usual` is the level where `x` hardly varies. `None` where there are
/// few points or nothing grows.
pub(super) fn line(points: &[(f64, f64)], usual: f64) -> Option<Line> {
    let count = points.len() as f64;
    let mean = |of: &dyn Fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(&|p| p.0), mean(&|p| p.1));
    let (xx, xy) = (mean(&|p| (p.0 - x).powi(2)), mean(&|p| (p.0 - x) * (p.1 - y)));
    if points.len() < FEWEST || x <= 0.0 || y <= 0.0 {
        return None;
    }
    let (mut level, mut slope) = (y - xy / xx * x, xy / xx);
    if xx.sqrt() < STEADY * x {
        level = usual.min(y);
        slope = (y - level) / x;
    }
    if level < 0.0 {
        (level, slope) = (0.0, mean(&|p| p.0 * p.1) / mean(&|p| p.0 * p.0));
    }
    if !slope.is_finite() || slope <= 0.0 {
        return None;
    }
    let missed = mean(&|p| (p.1 - level - slope * p.0).powi(2));
    let spread = mean(&|p| (p.1 - y).powi(2));
    let explained = if spread > 0.0 { 1.0 - missed / spread } else { 1.0 };
    Some(Line { level, slope, explained, residual: missed.sqrt() })
}

/// Claims and replicas as they were.
pub(super) fn deployed(dataset: &Dataset, microservice: &mut Microservice) {
    if let Some(usage) = dataset.containers.get(&microservice.container) {
        microservice.claim = usage.claim;
    }
    let replicas = dataset.replicas.as_ref().and_then(|series| median(series.observed().collect()));
    if let Some(replicas) = replicas {
        microservice.replicas = (replicas.round() as u32).max(1);
    }
}

/// CPU of a request and of a pod without any.
pub(super) fn cpu(
    dataset: &Dataset,
    microservice: &mut Microservice,
    quality: &mut ServiceQuality,
) {
    let points = per_pod(dataset, dataset.signals().get(&Signal::Cpu));
    quality.minutes = points.len();
    let Some(line) = line(&points, microservice.cpu.idle) else { return };
    microservice.cpu.idle = line.level;
    microservice.cpu.per_request = line.slope;
    let mean = points.iter().map(|(_, cpu)| cpu).sum::<f64>() / points.len() as f64;
    quality.cpu_explained = Some(line.explained);
    quality.cpu_residual = Some(line.residual / mean);
}

/// Rate and `other` per pod, in minutes without failures.
fn per_pod(dataset: &Dataset, other: Option<&Series>) -> Vec<(f64, f64)> {
    let Some(rate) = &dataset.request_rate else { return Vec::new() };
    let errors = aligned(rate, dataset.indicators.get(&Indicator::ErrorRatio));
    let replicas = aligned(rate, dataset.replicas.as_ref());
    let other = aligned(rate, other);
    (0..rate.len())
        .filter(|index| errors[*index].unwrap_or(0.0) <= FAILING)
        .filter_map(|index| {
            let pods = replicas[index].unwrap_or(1.0).max(1.0);
            Some((rate.values()[index]? / pods, other[index]? / pods))
        })
        .collect()
}

/// Memory of a pod without requests, and of each request. What caches hold counts as what is there from the start, and so does
/// what grew with the load and stayed when it fell.
pub(super) fn memory(dataset: &Dataset, microservice: &mut Microservice) {
    let Some(usage) = dataset.containers.get(&microservice.container) else { return };
    let Some(rate) = &dataset.request_rate else { return };
    let latency = aligned(rate, dataset.indicators.get(&Indicator::LatencyP50));
    let replicas = aligned(rate, dataset.replicas.as_ref());
    let pods: Vec<Vec<Option<f64>>> =
        usage.memory.values().map(|pod| aligned(rate, Some(pod))).collect();
    let point = |index: usize| {
        let seen: Vec<f64> = pods.iter().filter_map(|pod| pod[index]).collect();
        let count = replicas[index].unwrap_or(seen.len() as f64).max(1.0);
        let inside = rate.values()[index]? * latency[index]? / count;
        (!seen.is_empty()).then(|| (inside, seen.iter().sum::<f64>() / seen.len() as f64))
    };
    let points: Vec<(f64, f64)> = (0..rate.len()).filter_map(point).collect();
    let per_request = given_back(&points).unwrap_or(0.0);
    let grown = fully_grown(&points).iter().map(|(inside, bytes)| bytes - per_request * inside);
    let Some(base) = median(grown.collect()) else { return };
    let memory = &mut microservice.memory;
    memory.cache = 0.0;
    (memory.base, memory.per_request) = (base.max(0.0), per_request);
}

/// From when on a pod had nearly as many requests inside as it ever had.
fn fully_grown(points: &[(f64, f64)]) -> &[(f64, f64)] {
    let most = points.iter().map(|(inside, _)| *inside).fold(0.0, f64::max);
    let from = points.iter().position(|(inside, _)| *inside >= NEARLY * most);
    &points[from.unwrap_or(points.len())..]
}

/// Bytes that each request in a pod takes and gives back, from `points` in order of time; `None` where memory does not follow the load
/// beyond the most that was inside so far.
///
/// Allocators and pools keep what a busier time made them take. A regression of memory on load alone takes that for memory of
/// the requests, by hundreds of mebibytes each where they are brief. So the most that was inside so far is regressed out of
/// both first (Frisch and Waugh, 1933).
pub(super) fn given_back(points: &[(f64, f64)]) -> Option<f64> {
    let highest: Vec<f64> = points
        .iter()
        .scan(0.0, |most: &mut f64, (inside, _)| {
            *most = most.max(*inside);
            Some(*most)
        })
        .collect();
    let (inside, bytes): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let mean = inside.iter().sum::<f64>() / inside.len() as f64;
    let (inside, bytes) = (residuals(&highest, &inside), residuals(&highest, &bytes));
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (varies, spread) = (product(&inside, &inside), product(&bytes, &bytes));
    if points.len() < FEWEST || varies <= (STEADY * mean).powi(2) * points.len() as f64 {
        return None;
    }
    let slope = product(&inside, &bytes) / varies;
    let explained = slope * slope * varies / spread;
    (slope > 0.0 && explained > FOLLOWS).then_some(slope)
}

/// What a line over `x` misses of `y`.
fn residuals(x: &[f64], y: &[f64]) -> Vec<f64> {
    let count = x.len() as f64;
    let (x_mean, y_mean) = (x.iter().sum::<f64>() / count, y.iter().sum::<f64>() / count);
    let both = x.iter().zip(y).map(|(x, y)| (x - x_mean, y - y_mean));
    let (xx, xy) = both.clone().fold((0.0, 0.0), |(xx, xy), (x, y)| (xx + x * x, xy + x * y));
    let slope = if xx > 0.0 { xy / xx } else { 0.0 };
    both.map(|(x, y)| y - slope * x).collect()
}

/// Calls for each request, from calls counted, or from the rates where a callee has but one caller.
pub(super) fn ratios(
    measured: &[Dataset],
    application: &mut Application,
    quality: &mut [ServiceQuality],
) {
    let of = |place: usize| {
        let workload = &application.microservices[place].workload;
        measured.iter().find(|dataset| dataset.workload == *workload)
    };
    let ratio = |caller: usize, callee: usize| -> Option<f64> {
        let (from, to) = (of(caller)?, of(callee)?);
        let requests = from.request_rate.as_ref()?;
        let alone = application.calls.iter().filter(|call| call.callee == callee).count() == 1;
        let of_all = alone.then_some(to.request_rate.as_ref()).flatten();
        let calls = aligned(requests, to.calls.get(&from.workload).or(of_all));
        let pairs = requests.values().iter().zip(calls);
        let pairs = pairs.filter_map(|(requests, calls)| Some(((*requests)?, calls?)));
        let (made, calls) = pairs.fold((0.0, 0.0), |sum, pair| (sum.0 + pair.0, sum.1 + pair.1));
        (made > 0.0).then(|| calls / made)
    };
    let found: Vec<Option<f64>> =
        application.calls.iter().map(|call| ratio(call.caller, call.callee)).collect();
    for (call, ratio) in application.calls.iter_mut().zip(found) {
        if let Some(ratio) = ratio {
            call.ratio = ratio;
            quality[call.caller].ratios += 1;
        }
    }
    application.calls.retain(|call| call.ratio > 0.0);
}
