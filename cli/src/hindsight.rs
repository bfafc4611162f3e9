//! What a plan would have cost and missed on a day that is known afterwards.

use jiff::Timestamp;
use mora_core::{ForecastPoint, Recommendation, Series};

/// A request scheme held against what was used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Hindsight {
    requested: f64,
    used: f64,
    samples: u32,
    above: u32,
}

impl Hindsight {
    /// Counts one workload: its usage over the day in cores, and what was requested at each instant.
    pub(crate) fn add(&mut self, usage: &Series, requested: impl Fn(Timestamp) -> f64) {
        for (index, used) in usage.values().iter().enumerate() {
            let Some(used) = *used else { continue };
            let request = requested(usage.time(index));
            self.requested += request;
            self.used += used;
            self.samples += 1;
            self.above += u32::from(used > request);
        }
    }

    /// Requested divided by used: O of the evaluation.
    pub(crate) fn overhead(&self) -> f64 {
        self.requested / self.used
    }

    /// Share of samples with usage above the request: U of the evaluation.
    pub(crate) fn under(&self) -> f64 {
        f64::from(self.above) / f64::from(self.samples.max(1))
    }
}

/// CPU requested at `time` over all replicas, in cores, when requests follow the schedule; the static
/// target where there is none.
pub(crate) fn scheduled_cpu(recommendation: &Recommendation, time: Timestamp) -> f64 {
    let slot = |point: &&ForecastPoint| point.start <= time;
    let point = recommendation.schedule.iter().rev().find(slot);
    let each = point.map_or(recommendation.cpu.target, |point| point.cpu);
    each.cores() * f64::from(recommendation.replicas)
}

/// CPU requested at any time over all replicas, in cores, when the target is set once.
pub(crate) fn static_cpu(recommendation: &Recommendation) -> f64 {
    recommendation.cpu.target.cores() * f64::from(recommendation.replicas)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Step;

    #[test]
    fn overhead_and_shortage_are_counted_over_observed_samples_only() {
        let values = vec![Some(1.0), None, Some(3.0)];
        let usage = Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values).unwrap();
        let mut hindsight = Hindsight::default();
        hindsight.add(&usage, |_| 2.0);
        assert!((hindsight.overhead() - 1.0).abs() < 1e-12);
        assert!((hindsight.under() - 0.5).abs() < 1e-12);
    }
}
