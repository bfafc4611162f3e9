//! What the recommender knows of one workload.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_backtest::Histogram;
use mora_core::{ContainerUsage, Series};

const DAY_SECONDS: f64 = 86_400.0;
const DAY: i64 = 86_400;
/// `--cpu-histogram-decay-half-life` and `--memory-histogram-decay-half-life`.
const HALF_LIFE_SECONDS: f64 = 86_400.0;

/// The smallest bucket and the largest value: 0.01 to 1,000 cores, 10 MB to 1 TB.
const CPU_BUCKETS: (f64, f64) = (0.01, 1000.0);
const MEMORY_BUCKETS: (f64, f64) = (1e7, 1e12);
/// A CPU sample weighs as much as the CPU request of its pod in cores, and at least this.
const LEAST_WEIGHT: f64 = 0.1;

/// `--target-cpu-percentile`, `--recommendation-lower-bound-cpu-percentile`, `--recommendation-upper-bound-cpu-percentile`;
/// the same of memory.
const PERCENTILES: [f64; 3] = [0.5, 0.9, 0.95];
/// `--recommendation-margin-fraction`.
const MARGIN: f64 = 1.15;
/// `--pod-recommendation-min-cpu-millicores` and `--pod-recommendation-min-memory-mb`.
const LEAST_CPU: f64 = 0.025;
const LEAST_MEMORY: f64 = 250.0 * 1_048_576.0;

/// `--oom-bump-up-ratio` and `--oom-min-bump-up-bytes`.
const OOM_RATIO: f64 = 1.2;
const OOM_BYTES: f64 = 100.0 * 1_048_576.0;

/// A recommendation for one resource.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounds {
    pub(super) lower: f64,
    pub(super) target: f64,
    pub(super) upper: f64,
}

impl Bounds {
    pub(super) fn times(self, factor: f64) -> Self {
        let Self { lower, target, upper } = self;
        Self { lower: lower * factor, target: target * factor, upper: upper * factor }
    }

    /// Whether a request is neither too low nor too high.
    pub(super) fn hold(&self, request: f64) -> bool {
        (self.lower..=self.upper).contains(&request)
    }

    /// How far the target is from a request, relative to the request.
    pub(super) fn difference(&self, request: f64) -> f64 {
        (request - self.target).abs() / request.max(f64::MIN_POSITIVE)
    }
}

/// The largest memory of a pod within its day.
#[derive(Debug, Clone, Copy)]
struct Peak {
    day_ends: i64,
    bytes: f64,
}

/// What was seen of one workload, over all its pods.
#[derive(Debug)]
pub(super) struct Estimate {
    /// When a sample weighs what it weighs; older ones less, newer ones more.
    reference: i64,
    cpu: Histogram,
    memory: Histogram,
    peaks: BTreeMap<String, Peak>,
    samples: u64,
    seconds: Option<(i64, i64)>,
}

impl Estimate {
    pub(super) fn new(reference: Timestamp) -> Self {
        Self {
            reference: reference.as_second(),
            cpu: Histogram::new(CPU_BUCKETS.0, CPU_BUCKETS.1),
            memory: Histogram::new(MEMORY_BUCKETS.0, MEMORY_BUCKETS.1),
            peaks: BTreeMap::new(),
            samples: 0,
            seconds: None,
        }
    }

    /// Takes in what was observed of pods that request `cpu_request` cores.
    pub(super) fn observe(&mut self, usage: &ContainerUsage, cpu_request: f64) {
        for series in usage.cpu.values() {
            for (second, cores) in observations(series) {
                self.add_cpu(second, cores, cpu_request);
            }
        }
        for (pod, series) in &usage.memory {
            for (second, bytes) in observations(series) {
                self.add_memory(pod, second, bytes);
            }
        }
        for kill in &usage.oom_kills {
            let used = kill.peak.get() as f64;
            let needed = (used * OOM_RATIO).max(used + OOM_BYTES);
            self.add_memory(&kill.pod, kill.killed.as_second(), needed);
        }
    }

    fn weight(&self, second: i64) -> f64 {
        ((second - self.reference) as f64 / HALF_LIFE_SECONDS).exp2()
    }

    fn add_cpu(&mut self, second: i64, cores: f64, request: f64) {
        self.cpu.add(cores, request.max(LEAST_WEIGHT) * self.weight(second));
        self.samples += 1;
        let (first, last) = self.seconds.unwrap_or((second, second));
        self.seconds = Some((first.min(second), last.max(second)));
    }

    /// Only the largest sample of each pod and day counts, with the age of the end of that day.
    fn add_memory(&mut self, pod: &str, second: i64, bytes: f64) {
        let known = self.peaks.get(pod).copied();
        let next = match known {
            Some(peak) if second < peak.day_ends => {
                if bytes <= peak.bytes {
                    return;
                }
                self.memory.add(peak.bytes, -self.weight(peak.day_ends));
                Peak { bytes, ..peak }
            }
            Some(peak) => {
                let days = (second - peak.day_ends) / DAY + 1;
                Peak { day_ends: peak.day_ends + days * DAY, bytes }
            }
            None => Peak { day_ends: second + DAY, bytes },
        };
        self.memory.add(bytes, self.weight(next.day_ends));
        self.peaks.insert(pod.to_owned(), next);
    }

    /// What is recommended of CPU, in cores, and of memory, in bytes; `None` before anything was seen.
    pub(super) fn bounds(&self) -> Option<(Bounds, Bounds)> {
        let (first, last) = self.seconds?;
        if self.peaks.is_empty() {
            return None;
        }
        let days = (last - first) as f64 / DAY_SECONDS;
        let confidence = days.min(self.samples as f64 / (24.0 * 60.0));
        let cpu = bounds(&self.cpu, confidence, LEAST_CPU);
        Some((cpu, bounds(&self.memory, confidence, LEAST_MEMORY)))
    }
}

/// Bounds lie the further from the target the less was seen: `confidence` is in days of one sample a minute.
fn bounds(histogram: &Histogram, confidence: f64, least: f64) -> Bounds {
    let [lower, target, upper] = PERCENTILES.map(|share| MARGIN * histogram.percentile(share));
    let lower = lower * (1.0 + 0.001 / confidence).powi(-2);
    let upper = upper * (1.0 + 1.0 / confidence);
    let [lower, target, upper] = [lower, target, upper].map(|value| value.max(least));
    Bounds { lower, target, upper }
}

fn observations(series: &Series) -> impl Iterator<Item = (i64, f64)> + '_ {
    let observed = series.values().iter().enumerate();
    observed.filter_map(|(index, value)| Some((series.time(index).as_second(), (*value)?)))
}

#[cfg(test)]
mod tests {
    use mora_core::{Bytes, OomKill, Step};

    use super::*;

    const MEBIBYTE: f64 = 1_048_576.0;
    /// Bucket `n` ends at `first x (1.05^(n + 1) - 1) / 0.05`: 0.1 cores are in bucket 8, 0.4 in 22, 600 MiB in 29.
    const END_OF_01: f64 = 0.2 * 0.551_328_215_978_515_6;
    const END_OF_04: f64 = 0.2 * 2.071_523_755_917_812_3;
    const END_OF_600: f64 = 2e8 * 3.321_942_375_150_668;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn series(start: i64, minutes: i64, value: impl Fn(i64) -> f64) -> Series {
        let values = (start..start + minutes).map(|minute| Some(value(minute))).collect();
        Series::new(at(start), Step::MINUTE, values).unwrap()
    }

    fn usage(days: i64, cpu: impl Fn(i64) -> f64, memory: impl Fn(i64) -> f64) -> ContainerUsage {
        ContainerUsage {
            cpu: [("a".to_owned(), series(0, days * 1440, cpu))].into(),
            memory: [("a".to_owned(), series(0, days * 1440, memory))].into(),
            ..ContainerUsage::default()
        }
    }

    fn seen(usage: &ContainerUsage, days: i64) -> (Bounds, Bounds) {
        let mut estimate = Estimate::new(at(days * 1440));
        estimate.observe(usage, 0.1);
        estimate.bounds().unwrap()
    }

    #[test]
    fn bounds_close_in_with_the_days_that_were_seen() {
        let constant = |days| seen(&usage(days, |_| 0.1, |_| 400.0 * MEBIBYTE), days).0;
        let (one, eight) = (constant(1), constant(8));
        // A constant is in one bucket, all percentiles are its end.
        assert!((one.target - 1.15 * END_OF_01).abs() < 1e-9, "{one:?}");
        assert!((one.target - eight.target).abs() < 1e-12);
        let days = |bounds: Bounds| 1.0 / (bounds.upper / bounds.target - 1.0);
        assert!((days(one) - 1.0).abs() < 0.001 && (days(eight) - 8.0).abs() < 0.001);
        let shrink = (1.0_f64 + 0.001 / days(one)).powi(-2);
        assert!((one.lower / one.target - shrink).abs() < 1e-9);
    }

    #[test]
    fn cpu_is_the_ninetieth_percentile_of_all_pods_and_newer_samples_weigh_more() {
        // The newest of eight days is at 0.4, all others at 0.1: it holds half of the weight.
        let (cpu, _) =
            seen(&usage(8, |minute| if minute < 7 * 1440 { 0.1 } else { 0.4 }, |_| 1.0), 8);
        assert!((cpu.target - 1.15 * END_OF_04).abs() < 1e-9, "{cpu:?}");
        assert!(cpu.upper > cpu.target);
        // One minute in twenty is high: below the 90th, at the 95th percentile.
        let (cpu, _) =
            seen(&usage(8, |minute| if minute % 19 == 0 { 0.4 } else { 0.1 }, |_| 1.0), 8);
        assert!((cpu.target - 1.15 * END_OF_01).abs() < 1e-9, "{cpu:?}");
        assert!(cpu.upper > 1.15 * END_OF_04);
    }

    #[test]
    fn memory_is_the_ninetieth_percentile_of_daily_peaks() {
        let peak_at_noon =
            |minute: i64| (if minute % 1440 == 720 { 600.0 } else { 300.0 }) * MEBIBYTE;
        let (_, memory) = seen(&usage(8, |_| 0.1, peak_at_noon), 8);
        assert!((memory.target - 1.15 * END_OF_600).abs() < 1e-3, "{memory:?}");
        assert!((memory.lower / memory.target - 1.0).abs() < 0.001, "all days peak alike");
    }

    #[test]
    fn little_usage_is_raised_to_the_least_that_is_recommended() {
        let (cpu, memory) = seen(&usage(2, |_| 0.001, |_| 20.0 * MEBIBYTE), 2);
        assert!((cpu.target - 0.025).abs() < 1e-12 && (cpu.lower - 0.025).abs() < 1e-12);
        assert!((memory.target / MEBIBYTE - 250.0).abs() < 1e-9);
        assert!(Estimate::new(at(0)).bounds().is_none());
    }

    #[test]
    fn a_container_that_ran_out_of_memory_is_given_more_than_it_had() {
        let mut usage = usage(1, |_| 0.1, |_| 400.0 * MEBIBYTE);
        let peak = Bytes::from_mebibytes(400);
        usage.oom_kills = [OomKill { killed: at(700), pod: "a".to_owned(), peak }].into();
        let (_, memory) = seen(&usage, 1);
        assert!((1.15 * 500.0..1.15 * 526.0).contains(&(memory.target / MEBIBYTE)), "{memory:?}");
    }
}
