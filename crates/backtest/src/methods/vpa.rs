//! The CPU rule of the Vertical Pod Autoscaler's recommender.
//!
//! Constants as in `recommender/model/aggregations_config.go` and `recommender/logic/recommender.go` of
//! kubernetes/autoscaler: buckets that grow by 5 %, a half-life of 24 h, the 90th percentile, and 15 %
//! on top. There the first bucket is as wide as a thousandth of a core. Series here have any unit, so it is a
//! thousandth of the largest sample. Every sample weighs the same before it decays.

use super::Situation;
use crate::answer::Answer;

const GROWTH: f64 = 1.05;
const HALF_LIFE_SECONDS: f64 = 86_400.0;
const PERCENTILE: f64 = 0.9;
const MARGIN: f64 = 1.15;
const FIRST_BUCKET: f64 = 0.001;

/// The decayed percentile plus the margin, all day.
pub(super) fn answer(asked: &Situation<'_>) -> Answer {
    let largest = asked.history.observed().fold(0.0, f64::max);
    if largest <= 0.0 {
        return Answer::held(0.0, asked.slots);
    }
    let mut histogram = Histogram::new(FIRST_BUCKET * largest, largest);
    for (index, value) in asked.history.values().iter().enumerate() {
        let Some(value) = *value else { continue };
        let age = asked.start.as_second() - asked.history.time(index).as_second();
        histogram.add(value, 0.5_f64.powf(age as f64 / HALF_LIFE_SECONDS));
    }
    Answer::held(MARGIN * histogram.percentile(PERCENTILE), asked.slots)
}

/// Weights in buckets of which each is wider than the one before.
struct Histogram {
    first: f64,
    weights: Vec<f64>,
}

impl Histogram {
    /// For values from 0 to `largest`, with a first bucket of width `first`.
    fn new(first: f64, largest: f64) -> Self {
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

    fn add(&mut self, value: f64, weight: f64) {
        let last = self.weights.len() - 1;
        let bucket = self.bucket(value).min(last);
        self.weights[bucket] += weight;
    }

    /// The end of the bucket in which the share `probability` of the weight is reached.
    fn percentile(&self, probability: f64) -> f64 {
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
    use super::super::made::asked;
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
    fn a_sample_a_day_older_weighs_half() {
        // Days of 8, 4, 2 and 1: the two newest hold 12/15 of the weight, the three newest 14/15.
        let day_of = |n: i64| [8.0, 4.0, 2.0, 1.0][(n / 24) as usize];
        let request = asked(4, |n| Some(day_of(n)), answer).request[0];
        assert!((4.0..4.0 * 1.06).contains(&(request / 1.15)), "{request}");
        let constant = asked(4, |_| Some(0.0), answer);
        assert!(constant.request.iter().all(|value| value.abs() < 1e-12));
    }
}
