//! Counts of latencies by size.

use serde::{Deserialize, Serialize};

/// Buckets in which latencies fall, each 4 % wider than the one before: from 100 microseconds to more than a minute.
const BUCKETS: usize = 352;
const LEAST: f64 = 1e-4;
const GROWTH: f64 = 1.04;
/// The binary logarithm of the growth.
const LOG2_GROWTH: f64 = 0.056_583_528_366_367_514;

/// How many requests took how long.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latencies {
    counts: Vec<f64>,
    sum: f64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0.0; BUCKETS], sum: 0.0 }
    }
}

impl Latencies {
    /// Counts `weight` requests that took `seconds` each.
    pub fn add(&mut self, seconds: f64, weight: f64) {
        let bucket = log2((seconds / LEAST).max(1.0)) / LOG2_GROWTH;
        self.counts[(bucket as usize).min(BUCKETS - 1)] += weight;
        self.sum += seconds * weight;
    }

    /// Counts what `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(own, more)| *own += more);
        self.sum += other.sum;
    }

    /// Forgets all, and keeps the room.
    pub(crate) fn clear(&mut self) {
        self.counts.fill(0.0);
        self.sum = 0.0;
    }

    /// Requests counted.
    #[must_use]
    pub fn count(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// Their mean, in seconds; `None` without a request.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.count();
        (count > 0.0).then(|| self.sum / count)
    }

    /// The latency that the share `quantile` of the requests stay below, in seconds, within 2 %; `None` without a request.
    #[must_use]
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let threshold = quantile * self.count();
        let mut passed = 0.0;
        let reached = self.counts.iter().position(|count| {
            passed += count;
            passed >= threshold && passed > 0.0
        });
        reached.map(|bucket| LEAST * GROWTH.powf(bucket as f64 + 0.5))
    }
}

/// The binary logarithm of a number of at least 1, within 0.0002, less than a hundredth of a bucket: every request needs one.
fn log2(value: f64) -> f64 {
    const FRACTION: u64 = (1 << 52) - 1;
    let bits = value.to_bits();
    let exponent = (bits >> 52) as f64 - 1023.0;
    let fraction = f64::from_bits((bits & FRACTION) | 1.0_f64.to_bits()) - 1.0;
    // Meets the logarithm at both ends of the octave, so that there is no step between octaves.
    let bend = 0.438_306 + fraction * (-0.237_971 + fraction * 0.081_33);
    exponent + fraction * (1.0 + (1.0 - fraction) * bend)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_two_percent_and_the_mean_is_exact() {
        let mut latencies = Latencies::default();
        assert_eq!((latencies.mean(), latencies.quantile(0.5)), (None, None));
        for millis in 1..=1000 {
            latencies.add(f64::from(millis) / 1000.0, 1.0);
        }
        assert!((latencies.mean().unwrap() - 0.5005).abs() < 1e-12);
        for quantile in [0.05, 0.5, 0.95, 0.99] {
            assert!((latencies.quantile(quantile).unwrap() / quantile - 1.0).abs() < 0.021);
        }
    }

    #[test]
    fn the_logarithm_is_within_a_hundredth_of_a_bucket() {
        for step in 0..100_000 {
            let value = 1.0 + f64::from(step) / 1000.0;
            assert!((log2(value) - value.log2()).abs() < 2e-4, "{value}: {}", log2(value));
        }
    }

    #[test]
    fn merged_counts_are_those_of_all_and_extremes_keep_their_place() {
        let (mut one, mut other) = (Latencies::default(), Latencies::default());
        one.add(0.0, 2.0);
        other.add(1e6, 1.0);
        one.merge(&other);
        assert!((one.count() - 3.0).abs() < 1e-12);
        assert!(one.quantile(0.5).unwrap() < 2e-4 && one.quantile(1.0).unwrap() > 60.0);
    }
}
