//! Confidence intervals by resampling.

use std::collections::BTreeMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// An estimate and the interval it lies in with a stated confidence.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The estimate, of all values.
    pub mean: f64,
    /// Lower end; `None` where fewer than two values, or too few that are defined, say nothing about it.
    pub lower: Option<f64>,
    /// Upper end; `None` likewise.
    pub upper: Option<f64>,
}

/// Resamples values with replacement, the same way each time it is made from the same seed.
///
/// The interval is the expanded percentile interval (T. Hesterberg, "What Teachers Should Know About the Bootstrap", The
/// American Statistician 69 (2015) 371-386): the plain percentile interval of five values is as if their spread were known and
/// too narrow by a third, so that the percentiles are taken further out, at `Phi(-sqrt(n / (n - 1)) * t)` with the quantile
/// `t` of Student's distribution.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    seed: u64,
    resamples: usize,
    confidence: f64,
    /// By the number of values: places of one resample after the other.
    draws: BTreeMap<usize, Vec<u32>>,
}

impl Bootstrap {
    /// As many as are used without further ado.
    pub const RESAMPLES: usize = 10_000;

    /// `resamples` resamples, at least 1, for intervals of `confidence` in (0, 1).
    #[must_use]
    pub fn new(seed: u64, resamples: usize, confidence: f64) -> Self {
        Self { seed, resamples: resamples.max(1), confidence, draws: BTreeMap::new() }
    }

    /// Resamples behind each interval.
    #[must_use]
    pub const fn resamples(&self) -> usize {
        self.resamples
    }

    /// Confidence of the intervals.
    #[must_use]
    pub const fn confidence(&self) -> f64 {
        self.confidence
    }

    /// The mean of `values`, at least one.
    pub fn mean(&mut self, values: &[f64]) -> Interval {
        self.of(values.len(), |places| {
            let chosen = places.iter().map(|&place| values[place as usize]);
            chosen.sum::<f64>() / places.len().max(1) as f64
        })
    }

    /// What `statistic` says of `count` things, given the places of those that are drawn.
    ///
    /// Where it is undefined it may be infinite: an end of the interval that is not finite is `None`.
    pub fn of(&mut self, count: usize, statistic: impl Fn(&[u32]) -> f64) -> Interval {
        let all: Vec<u32> = (0..count as u32).collect();
        let mean = statistic(&all);
        if count < 2 {
            return Interval { mean, lower: None, upper: None };
        }
        let tail = tail(count, self.confidence);
        let draws = self.draws(count);
        let mut seen: Vec<f64> = draws.chunks_exact(count).map(statistic).collect();
        let last = seen.len() - 1;
        let beyond = ((tail * seen.len() as f64) as usize).min(last / 2);
        let lower = *seen.select_nth_unstable_by(beyond, f64::total_cmp).1;
        let upper = *seen.select_nth_unstable_by(last - beyond, f64::total_cmp).1;
        let finite = |end: f64| end.is_finite().then_some(end);
        Interval { mean, lower: finite(lower), upper: finite(upper) }
    }

    fn draws(&mut self, count: usize) -> &[u32] {
        let (seed, wanted) = (self.seed, self.resamples * count);
        self.draws.entry(count).or_insert_with(|| {
            let mut random = ChaCha8Rng::seed_from_u64(seed ^ count as u64);
            (0..wanted).map(|_| random.random_range(0..count as u32)).collect()
        })
    }
}

/// The share of resamples beyond either end.
fn tail(count: usize, confidence: f64) -> f64 {
    let plain = f64::midpoint(1.0, -confidence);
    let freedom = count as f64 - 1.0;
    let student = StudentsT::new(0.0, 1.0, freedom).map(|student| student.inverse_cdf(plain));
    let normal = Normal::standard();
    student.map_or(plain, |quantile| normal.cdf((count as f64 / freedom).sqrt() * quantile))
}

#[cfg(test)]
mod tests {
    use rand_distr::Distribution;

    use super::*;

    #[test]
    fn percentiles_move_out_as_the_published_factor_says() {
        // n = 5: sqrt(5 / 4) * 2.7764 = 3.1042, beyond which lies 0.00095 of a normal distribution.
        assert!((tail(5, 0.95) - 0.000_954).abs() < 1e-5, "{}", tail(5, 0.95));
        assert!((tail(10_000, 0.95) - 0.025).abs() < 1e-4);
    }

    #[test]
    fn the_interval_of_many_values_is_that_of_a_normal_mean() {
        let values: Vec<f64> = (0..400).map(f64::from).collect();
        let interval = Bootstrap::new(1, 10_000, 0.95).mean(&values);
        // Standard deviation 115.47 of 0..400, so half a width of 1.96 * 115.47 / 20 = 11.3.
        assert!((interval.mean - 199.5).abs() < 1e-9);
        assert!((interval.lower.unwrap() - 188.2).abs() < 0.6, "{interval:?}");
        assert!((interval.upper.unwrap() - 210.8).abs() < 0.6, "{interval:?}");
    }

    #[test]
    fn intervals_of_five_values_hold_the_truth_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let normal = rand_distr::StandardNormal;
        let mut bootstrap = Bootstrap::new(2, 2000, 0.95);
        let held = (0..2000).filter(|_| {
            let values: [f64; 5] = std::array::from_fn(|_| normal.sample(&mut random));
            let interval = bootstrap.mean(&values);
            interval.lower.unwrap() <= 0.0 && interval.upper.unwrap() >= 0.0
        });
        let coverage = held.count() as f64 / 2000.0;
        assert!((0.92..=0.98).contains(&coverage), "{coverage}");
    }

    #[test]
    fn one_seed_gives_one_interval_and_one_value_none() {
        let values = [3.0, 1.0, 4.0, 1.5, 9.0];
        let of = |seed| Bootstrap::new(seed, 500, 0.95).mean(&values);
        assert_eq!(of(5), of(5));
        assert_eq!(
            Bootstrap::new(5, 500, 0.95).mean(&[2.0]),
            Interval { mean: 2.0, lower: None, upper: None }
        );
    }

    #[test]
    fn an_end_that_is_undefined_is_missing() {
        let worth = [1.0, 2.0, f64::INFINITY, 4.0];
        let all = |places: &[u32]| places.iter().map(|&place| worth[place as usize]).sum::<f64>();
        let interval = Bootstrap::new(1, 1000, 0.95).of(4, all);
        assert!(interval.lower.is_some() && interval.upper.is_none(), "{interval:?}");
    }
}
