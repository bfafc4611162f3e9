//! Times at which nothing was scraped.

use crate::noise::{Noise, Purpose};

const DAY: i64 = 86_400;

/// Outages of the metrics source and of the scraping of single workloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outages {
    noise: Noise,
}

impl Outages {
    pub(crate) const fn new(noise: Noise) -> Self {
        Self { noise }
    }

    /// Whether the whole source was down at each of `seconds`: one day in twelve, for 20 minutes to 3 hours.
    pub(crate) fn of_source(self, seconds: &[i64]) -> Vec<bool> {
        self.on_days(seconds, Purpose::SourceOutage, 0, (1.0 / 12.0, 1200.0, 10_800.0))
    }

    /// Whether `workload` was not scraped at each of `seconds`: one day in six, for 5 to 40 minutes.
    pub(crate) fn of_workload(self, seconds: &[i64], workload: usize) -> Vec<bool> {
        self.on_days(seconds, Purpose::WorkloadOutage, workload, (1.0 / 6.0, 300.0, 2400.0))
    }

    fn on_days(
        self,
        seconds: &[i64],
        purpose: Purpose,
        stream: usize,
        (chance, shortest, longest): (f64, f64, f64),
    ) -> Vec<bool> {
        let outage = |day: i64| {
            let mut draws = self.noise.draws(purpose, stream, 0, day * 4);
            let happens = draws.uniform() < chance;
            let start = draws.uniform() * (DAY as f64 - longest);
            let length = shortest + draws.uniform() * (longest - shortest);
            happens.then_some(start..start + length)
        };
        let mut current = None;
        let missing = |second: &i64| {
            let day = second.div_euclid(DAY);
            let (_, range) = match current.take() {
                Some((known, range)) if known == day => current.insert((day, range)),
                _ => current.insert((day, outage(day))),
            };
            range.as_ref().is_some_and(|r| r.contains(&(second.rem_euclid(DAY) as f64)))
        };
        seconds.iter().map(missing).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_are_rare_and_the_same_from_every_window() {
        let outages = Outages::new(Noise::new(5));
        let seconds: Vec<i64> = (0..90 * 1440).map(|minute| minute * 60).collect();
        let missing = outages.of_workload(&seconds, 4);
        let share = missing.iter().filter(|m| **m).count() as f64 / missing.len() as f64;
        assert!((0.0005..0.01).contains(&share), "{share}");
        assert_eq!(outages.of_workload(&seconds[40_000..], 4), missing[40_000..]);
        assert_ne!(outages.of_workload(&seconds, 5), missing);
    }
}
