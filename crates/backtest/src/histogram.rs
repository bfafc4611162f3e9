//! Weights of values in buckets, as the Vertical Pod Autoscaler keeps them.

/// Each bucket is so many times as wide as the one before (`recommender/model/aggregations_config.go` of
/// kubernetes/autoscaler).
const GROWTH: f64 = 1.05;

/// Weights in buckets of which each is wider than the one before.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    first: f64,
    weights: Vec<f64>,
}

impl Histogram {
    /// Without weight, for values from 0 to `largest`, with a first bucket of width `first`; both above 0.
    #[must_use]
    pub fn new(first: f64, largest: f64) -> Self {
        let mut histogram = Self { first, weights: Vec::new() };
        histogram.weights = vec![0.0; histogram.bucket(largest) + 1];
        histogram
    }

    fn bucket(&self, value: f64) -> usize {
        if value < self.first {
            return 0;
        }
        (value * (GROWTH - 1.0) / self.first + 1.0).log(GROWTH).floor() as usize
    }

    fn start(&self, bucket: usize) -> f64 {
        self.first * (GROWTH.powi(bucket as i32) - 1.0) / (GROWTH - 1.0)
    }

    /// Adds `weight` to the bucket of `value`; a negative one takes back what was added, down to none.
    pub fn add(&mut self, value: f64, weight: f64) {
        let last = self.weights.len() - 1;
        let bucket = self.bucket(value).min(last);
        self.weights[bucket] = (self.weights[bucket] + weight).max(0.0);
    }

    /// The end of the bucket in which the share `probability` of the weight is reached.
    #[must_use]
    pub fn percentile(&self, probability: f64) -> f64 {
        let threshold = probability * self.weights.iter().sum::<f64>();
        let mut passed = 0.0;
        let reached = self.weights.iter().position(|weight| {
            passed += weight;
            passed >= threshold
        });
        self.start(reached.unwrap_or(self.weights.len() - 1) + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_grow_by_a_twentieth_and_a_percentile_is_the_end_of_one() {
        let mut histogram = Histogram::new(1.0, 10.0);
        assert!((histogram.start(2) - 2.05).abs() < 1e-12);
        assert_eq!([0.5, 1.0, 2.04, 2.06].map(|value| histogram.bucket(value)), [0, 1, 1, 2]);
        histogram.add(0.5, 9.0);
        histogram.add(2.06, 1.0);
        assert!((histogram.percentile(0.9) - 1.0).abs() < 1e-12);
        assert!((histogram.percentile(0.91) - 3.1525).abs() < 1e-12);
    }

    #[test]
    fn what_is_taken_back_counts_no_more() {
        let mut histogram = Histogram::new(1.0, 10.0);
        histogram.add(0.5, 1.0);
        let before = histogram.clone();
        histogram.add(8.0, 2.0);
        assert!(histogram.percentile(0.9) > 8.0);
        histogram.add(8.0, -2.0);
        assert_eq!(histogram, before);
    }
}
