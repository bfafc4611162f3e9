//! Random numbers that depend on where they are used, not on what was drawn before.

use std::f64::consts::TAU;

use mora_cluster_simulator::mixed;

/// What a stream of random numbers is for; each purpose has its own.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose {
    Days = 1,
    Swings,
    Minutes,
    Seconds,
    BurstChance,
    BurstStart,
    BurstLength,
    BurstHeight,
    SurgeHeight,
}

/// One stream of random numbers, by index.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Noise {
    key: u64,
}

impl Noise {
    pub(crate) const fn new(seed: u64, purpose: Purpose) -> Self {
        Self { key: mixed(mixed(seed) ^ purpose as u64) }
    }

    /// Uniform in the open interval (0, 1).
    pub(crate) fn uniform(self, index: i64) -> f64 {
        let bits = mixed(self.key ^ mixed(index as u64));
        ((bits >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal (Box and Muller, 1958).
    pub(crate) fn normal(self, index: i64) -> f64 {
        let (radius, angle) = (self.uniform(2 * index), self.uniform(2 * index + 1));
        (-2.0 * radius.ln()).sqrt() * (TAU * angle).cos()
    }

    /// Standard normal at whole positions, on straight lines between them.
    pub(crate) fn smooth(self, position: f64) -> f64 {
        let (before, fraction) = (position.floor() as i64, position - position.floor());
        self.normal(before) * (1.0 - fraction) + self.normal(before + 1) * fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_their_moments_and_neighbours_know_nothing_of_each_other() {
        let noise = Noise::new(7, Purpose::Minutes);
        let draws: Vec<f64> = (-20_000..20_000).map(|index| noise.normal(index)).collect();
        let count = draws.len() as f64;
        let mean = draws.iter().sum::<f64>() / count;
        let variance = draws.iter().map(|draw| (draw - mean).powi(2)).sum::<f64>() / count;
        let together = draws.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / count;
        // Three standard errors of each.
        assert!(mean.abs() < 0.015 && (variance - 1.0).abs() < 0.022 && together.abs() < 0.015);
    }

    #[test]
    fn streams_differ_by_seed_and_purpose_and_are_continuous() {
        let noise = Noise::new(7, Purpose::Days);
        let other = [Noise::new(8, Purpose::Days), Noise::new(7, Purpose::Swings)];
        assert!(other.iter().all(|other| (other.normal(3) - noise.normal(3)).abs() > 1e-9));
        assert!((noise.smooth(2.0) - noise.normal(2)).abs() < 1e-12);
        assert!((noise.smooth(2.999_999) - noise.normal(3)).abs() < 1e-4);
    }
}
