//! Random numbers that depend on where they are used, not on what was drawn before.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for; each purpose has its own streams.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Arrivals,
    Modulation,
    Calls,
    Cpu,
    Memory,
    Balance,
    Replacement,
    PodName,
    SourceOutage,
    WorkloadOutage,
}

/// The boutique's randomness.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noise {
    seed: u64,
}

/// Draws in the order of an index; each draw advances the index by one.
pub(crate) struct Draws(ChaCha8Rng);

impl Noise {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The draws of stream `(purpose, a, b)` from `index` on.
    pub(crate) fn draws(self, purpose: Purpose, a: usize, b: usize, index: i64) -> Draws {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(((purpose as u64) << 32) | ((a as u64) << 16) | b as u64);
        // Shifted by 2^63, so that the order also holds across the Unix epoch.
        let position = (index as u64) ^ (1 << 63);
        rng.set_word_pos(u128::from(position) * 2);
        Draws(rng)
    }
}

impl Draws {
    /// A uniform number in the open interval (0, 1).
    pub(crate) fn uniform(&mut self) -> f64 {
        ((self.0.next_u64() >> 12) as f64 + 0.5) / (1u64 << 52) as f64
    }

    /// A standard normal number.
    pub(crate) fn normal(&mut self) -> f64 {
        normal_quantile(self.uniform())
    }

    /// A Poisson count with `mean` at least 0.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        let uniform = self.uniform();
        if mean > 40.0 {
            return (mean + mean.sqrt() * normal_quantile(uniform)).round().max(0.0);
        }
        poisson_quantile(mean, uniform)
    }
}

fn poisson_quantile(mean: f64, probability: f64) -> f64 {
    let mut count = 0.0;
    let mut term = (-mean).exp();
    let mut cumulative = term;
    while cumulative < probability && term > 0.0 {
        count += 1.0;
        term *= mean / count;
        cumulative += term;
    }
    count
}

/// The standard normal quantile by the approximation of Odeh and Evans (1974), absolute error below 1.5e-8.
fn normal_quantile(probability: f64) -> f64 {
    let tail = probability.min(1.0 - probability);
    let y = (-2.0 * tail.ln()).sqrt();
    let above = -0.322_232_431_088
        + y * (-1.0
            + y * (-0.342_242_088_547 + y * (-0.020_423_121_024_5 + y * -0.000_045_364_221_014_8)));
    let below = 0.099_348_462_606
        + y * (0.588_581_570_495
            + y * (0.531_103_462_366 + y * (0.103_537_752_85 + y * 0.003_856_070_063_4)));
    let z = y + above / below;
    if probability < 0.5 { -z } else { z }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draw_depends_on_its_index_alone() {
        let noise = Noise::new(7);
        let draw = |index| noise.draws(Purpose::Cpu, 1, 2, index).uniform().to_bits();
        let mut running = noise.draws(Purpose::Cpu, 1, 2, -3);
        for index in -3..5 {
            assert_eq!(running.uniform().to_bits(), draw(index), "{index}");
        }
        assert_ne!(draw(0), noise.draws(Purpose::Cpu, 2, 1, 0).uniform().to_bits());
        assert_ne!(draw(0), Noise::new(8).draws(Purpose::Cpu, 1, 2, 0).uniform().to_bits());
    }

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (probability, expected) in [(0.5, 0.0), (0.975, 1.959_964), (0.001, -3.090_232)] {
            assert!((normal_quantile(probability) - expected).abs() < 1e-6, "{probability}");
        }
    }

    #[test]
    fn poisson_counts_have_their_mean_as_mean_and_variance() {
        for mean in [0.3, 5.0, 39.0, 41.0, 400.0] {
            let mut draws = Noise::new(1).draws(Purpose::Arrivals, 0, 0, 0);
            let counts: Vec<f64> = (0..20_000).map(|_| draws.poisson(mean)).collect();
            let average = counts.iter().sum::<f64>() / counts.len() as f64;
            let variance =
                counts.iter().map(|c| (c - average).powi(2)).sum::<f64>() / counts.len() as f64;
            assert!((average / mean - 1.0).abs() < 0.03, "{mean}: mean {average}");
            assert!((variance / mean - 1.0).abs() < 0.05, "{mean}: variance {variance}");
        }
    }
}
