//! Random numbers by purpose, fast enough for every single request.

use std::sync::Arc;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson, StandardNormal};

/// Above this mean a Poisson count is drawn by rejection instead of inversion.
const INVERTED: f64 = 30.0;
/// Quantiles in the table of work, which shall stay in the fastest cache.
const QUANTILES: usize = 1024;

/// What a stream of random numbers is for. Each has its own, so that what happens to pods does not change who arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    Arrivals = 1,
    Requests = 2,
    Calls = 3,
    Pods = 4,
    Memory = 5,
    Share = 6,
    Wander = 7,
}

/// One stream of random numbers.
#[derive(Debug, Clone)]
pub(crate) struct Stream(ChaCha8Rng);

impl Stream {
    pub(crate) fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// In [0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        unit(self.bits())
    }

    pub(crate) fn normal(&mut self) -> f64 {
        StandardNormal.sample(&mut self.0)
    }

    /// A count with `mean`; nothing is drawn where it is not above 0.
    pub(crate) fn poisson(&mut self, mean: f64) -> u32 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > INVERTED {
            let count: Option<f64> =
                Poisson::new(mean).ok().map(|poisson| poisson.sample(&mut self.0));
            return count.unwrap_or(mean) as u32;
        }
        let uniform = self.uniform();
        let (mut count, mut term) = (0, (-mean).exp());
        let mut cumulative = term;
        while uniform >= cumulative && term > f64::MIN_POSITIVE {
            count += 1;
            term *= mean / f64::from(count);
            cumulative += term;
        }
        count
    }
}

/// The upper 53 bits as a number in [0, 1).
pub(crate) fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

/// A number in (-1, 1) that belongs to a place, whenever it is asked for.
pub(crate) fn trait_of(seed: u64, purpose: Purpose, a: u64, b: u64) -> f64 {
    let bits = seed ^ (purpose as u64).wrapping_mul(GAMMA);
    let bits = [a, b].into_iter().fold(bits, |bits, part| {
        // Each step of the generator adds gamma once more.
        mixed(bits.wrapping_add(part.wrapping_mul(GAMMA)))
    });
    2.0 * unit(bits) - 1.0
}

const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// One step of the generator `SplitMix64` (Steele, Lea and Flood, 2014): every bit of `value` reaches every bit of what comes out.
#[must_use]
pub const fn mixed(value: u64) -> u64 {
    let value = value.wrapping_add(GAMMA);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// CPU of a request relative to its mean: a Weibull distribution, which at a variation of 1 is the exponential one, as
/// quantiles of equal probability.
#[derive(Debug, Clone)]
pub(crate) struct WorkTable(Arc<[f64]>);

impl WorkTable {
    /// With mean 1 and the coefficient of `variation`.
    pub(crate) fn new(variation: f64) -> Self {
        if variation < 1e-3 {
            return Self(vec![1.0; QUANTILES].into());
        }
        // The larger the exponent, the larger the variation.
        let (mut low, mut high) = (0.01, 8.0);
        for _ in 0..40 {
            let middle = f64::midpoint(low, high);
            if variation_of(&weibull(middle)) < variation { low = middle } else { high = middle }
        }
        Self(weibull(f64::midpoint(low, high)).into())
    }

    /// The quantile that the lower bits choose.
    pub(crate) fn pick(&self, bits: u64) -> f64 {
        self.0[bits as usize % QUANTILES]
    }
}

fn weibull(exponent: f64) -> Vec<f64> {
    let quantile = |index: usize| {
        let above = 1.0 - (index as f64 + 0.5) / QUANTILES as f64;
        (-above.ln()).powf(exponent)
    };
    let values: Vec<f64> = (0..QUANTILES).map(quantile).collect();
    let mean = values.iter().sum::<f64>() / QUANTILES as f64;
    values.into_iter().map(|value| value / mean).collect()
}

fn variation_of(values: &[f64]) -> f64 {
    let square = values.iter().map(|value| (value - 1.0).powi(2)).sum::<f64>();
    (square / values.len() as f64).sqrt()
}

/// How many calls a request makes: a Poisson count, by inversion of a table made once.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counts {
    cumulative: Vec<f64>,
}

impl Counts {
    pub(crate) fn new(mean: f64) -> Self {
        let mut cumulative = Vec::new();
        let (mut term, mut sum, mut count) = ((-mean).exp(), 0.0, 0.0);
        while sum < 1.0 - 1e-12 && count < mean * 4.0 + 60.0 {
            sum += term;
            cumulative.push(sum);
            count += 1.0;
            term *= mean / count;
        }
        Self { cumulative }
    }

    pub(crate) fn pick(&self, uniform: f64) -> usize {
        self.cumulative.iter().take_while(|sum| uniform >= **sum).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_has_its_mean_and_variation() {
        for variation in [0.0, 0.3, 0.6, 1.0, 2.0] {
            let table = WorkTable::new(variation).0;
            assert!((table.iter().sum::<f64>() / QUANTILES as f64 - 1.0).abs() < 1e-9);
            assert!((variation_of(&table) - variation).abs() < 1e-3, "{variation}");
        }
    }

    #[test]
    fn counts_have_their_mean_as_mean_and_variance() {
        let mut stream = Stream::new(1, Purpose::Calls);
        for mean in [0.02_f64, 1.3, 9.4, 29.0, 31.0, 200.0] {
            let table = Counts::new(mean.min(29.0));
            let mut draws = |poisson: bool| -> (f64, f64) {
                let mut draw = || {
                    if poisson {
                        f64::from(stream.poisson(mean))
                    } else {
                        table.pick(stream.uniform()) as f64
                    }
                };
                let counts: Vec<f64> = (0..40_000).map(|_| draw()).collect();
                let average = counts.iter().sum::<f64>() / 40_000.0;
                let square = counts.iter().map(|count| (count - average).powi(2)).sum::<f64>();
                (average, square / 40_000.0)
            };
            let (average, variance) = draws(true);
            assert!((average / mean - 1.0).abs() < 0.08, "{mean}: {average}");
            assert!((variance / mean - 1.0).abs() < 0.12, "{mean}: {variance}");
            let (average, variance) = draws(false);
            assert!((average / mean.min(29.0) - 1.0).abs() < 0.08, "{mean}: {average}");
            assert!((variance / mean.min(29.0) - 1.0).abs() < 0.12, "{mean}: {variance}");
        }
    }

    #[test]
    fn traits_belong_to_places_and_are_even() {
        let of = |place| trait_of(7, Purpose::Share, 3, place);
        assert_eq!(of(1).to_bits(), of(1).to_bits());
        let mean = (0..10_000).map(of).sum::<f64>() / 10_000.0;
        assert!(mean.abs() < 0.03 && of(1).to_bits() != of(2).to_bits(), "{mean}");
    }
}
