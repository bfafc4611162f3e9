//! A value over real time, as it was sampled.

use std::collections::BTreeMap;

use mora_core::WorkloadRef;

/// Between samples further apart than this nothing is known, in seconds.
const GAP: f64 = 15.0;
/// How far before the first and after the last sample its value holds, in seconds.
const EDGE: f64 = 2.5;

/// Samples of one value: real seconds since the Unix epoch, ascending, and the value then.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Track(Vec<(f64, f64)>);

impl Track {
    /// The track of `samples`, in any order; of two at one instant the later counts.
    #[must_use]
    pub fn new(samples: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let mut samples: Vec<(f64, f64)> = samples.into_iter().collect();
        samples.sort_by(|a, b| a.0.total_cmp(&b.0));
        samples.dedup_by(|later, kept| {
            let same = later.0 <= kept.0;
            if same {
                kept.1 = later.1;
            }
            same
        });
        Self(samples)
    }

    /// The value at `second`, between two samples on the line from one to the other; `None` where there are none near.
    #[must_use]
    pub fn at(&self, second: f64) -> Option<f64> {
        let next = self.0.partition_point(|(time, _)| *time < second);
        let after = self.0.get(next);
        let before = next.checked_sub(1).and_then(|index| self.0.get(index));
        match (before, after) {
            (Some((t0, v0)), Some((t1, v1))) if t1 - t0 <= GAP => {
                Some(v0 + (v1 - v0) * (second - t0) / (t1 - t0))
            }
            (Some((time, value)), _) if second - time <= EDGE => Some(*value),
            (_, Some((time, value))) if time - second <= EDGE => Some(*value),
            _ => None,
        }
    }

    /// The mean and the largest value between two instants, looked at every second or once; `None` where nothing is known.
    #[must_use]
    pub fn between(&self, (from, to): (f64, f64)) -> Option<(f64, f64)> {
        let looks = (to - from).ceil().max(1.0);
        let look = |index: u32| from + (f64::from(index) + 0.5) * (to - from) / looks;
        let seen: Vec<f64> = (0..looks as u32).filter_map(|index| self.at(look(index))).collect();
        let largest = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        (!seen.is_empty()).then(|| (seen.iter().sum::<f64>() / seen.len() as f64, largest))
    }

    /// The newest value; `None` without a sample.
    #[must_use]
    pub fn last(&self) -> Option<f64> {
        self.0.last().map(|(_, value)| *value)
    }
}

/// What was sampled of one workload. Values that were averaged over some time belong to its middle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WorkloadTracks {
    /// CPU by pod, in cores.
    pub cpu: BTreeMap<String, Track>,
    /// Memory working set by pod, in bytes.
    pub memory: BTreeMap<String, Track>,
    /// Share of periods in which its pods were held back, in [0, 1].
    pub throttled: Track,
    /// Requests per second.
    pub received: Track,
    /// Requests per second that failed.
    pub failed: Track,
    /// Requests per second by the workload that made them.
    pub calls: BTreeMap<WorkloadRef, Track>,
    /// Real seconds since the Unix epoch at which a container was killed for lack of memory.
    pub oom_kills: Vec<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(value: Option<f64>, expected: f64) {
        assert!((value.unwrap() - expected).abs() < 1e-9, "{value:?} is not {expected}");
    }

    #[test]
    fn between_samples_a_value_goes_straight_and_beyond_them_it_holds_for_a_while() {
        let track = Track::new([(12.0, 3.0), (10.0, 1.0), (100.0, 9.0), (12.0, 5.0)]);
        near(track.at(11.0), 3.0);
        near(track.at(8.0), 1.0);
        near(track.at(14.0), 5.0);
        assert_eq!([track.at(7.0), track.at(50.0), track.at(103.0)], [None; 3]);
        near(track.last(), 9.0);
    }

    #[test]
    fn a_short_span_is_looked_at_once_and_a_long_one_every_second() {
        let track = Track::new([(0.0, 0.0), (10.0, 10.0)]);
        assert_eq!(track.between((2.0, 2.5)), Some((2.25, 2.25)));
        assert_eq!(track.between((0.0, 4.0)), Some((2.0, 3.5)));
        assert_eq!(track.between((20.0, 21.0)), None);
    }
}
