//! Regular time series in which a missing observation stays missing.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::empirical_quantile;

/// The spacing of a series or schedule: a whole, positive number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Step(NonZeroU32);

impl Step {
    /// One minute.
    pub const MINUTE: Self = Self(NonZeroU32::new(60).unwrap());
    /// One hour.
    pub const HOUR: Self = Self(NonZeroU32::new(3600).unwrap());
    /// One day.
    pub const DAY: Self = Self(NonZeroU32::new(86_400).unwrap());

    /// A spacing of `seconds`; `None` for zero.
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        NonZeroU32::new(seconds).map(Self)
    }

    /// The spacing in seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0.get()
    }

    /// `count` spacings as a length of time.
    #[must_use]
    pub fn times(self, count: usize) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.seconds()) * count as i64)
    }

    /// The last multiple of this spacing (counted from the Unix epoch) at or before `time`.
    #[must_use]
    pub fn floor(self, time: Timestamp) -> Timestamp {
        let offset = time.as_second().rem_euclid(i64::from(self.seconds()));
        let floored = time.as_second() - offset;
        Timestamp::from_second(floored).unwrap_or(Timestamp::MIN)
    }
}

/// Why values do not form a series.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum SeriesError {
    /// A value is infinite or not a number.
    #[error(
        "value {value} at index {index} is not finite; leave a missing observation out instead"
    )]
    NotFinite {
        /// Index of the value.
        index: usize,
        /// The value.
        value: f64,
    },
    /// The series would reach past the representable time.
    #[error("{0} values do not fit between the start and the end of representable time")]
    TooLong(usize),
}

/// A regular sequence of observations: `values[i]` was observed at `start + i * step`; `None` is a
/// gap. Present values are finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Series {
    start: Timestamp,
    step: Step,
    values: Vec<Option<f64>>,
}

/// One slot of a resampled series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Mean of the observations in the slot.
    pub mean: f64,
    /// Largest observation in the slot.
    pub max: f64,
    /// Number of observations in the slot, at least 1.
    pub count: u32,
}

impl Series {
    /// A series of `values` from `start`, one per `step`.
    ///
    /// Fails when a present value is not finite or the end is not representable.
    pub fn new(
        start: Timestamp,
        step: Step,
        values: Vec<Option<f64>>,
    ) -> Result<Self, SeriesError> {
        let bad = values.iter().enumerate().find_map(|(index, value)| {
            value.filter(|v| !v.is_finite()).map(|value| SeriesError::NotFinite { index, value })
        });
        if let Some(error) = bad {
            return Err(error);
        }
        start
            .checked_add(step.times(values.len()))
            .map_err(|_| SeriesError::TooLong(values.len()))?;
        Ok(Self { start, step, values })
    }

    /// The instant of the first observation.
    #[must_use]
    pub const fn start(&self) -> Timestamp {
        self.start
    }

    /// The spacing of observations.
    #[must_use]
    pub const fn step(&self) -> Step {
        self.step
    }

    /// The instant one step after the last observation.
    #[must_use]
    pub fn end(&self) -> Timestamp {
        self.time(self.values.len())
    }

    /// The instant of observation `index`.
    #[must_use]
    pub fn time(&self, index: usize) -> Timestamp {
        self.start.saturating_add(self.step.times(index)).unwrap_or(Timestamp::MAX)
    }

    /// The observations in order, gaps included.
    #[must_use]
    pub fn values(&self) -> &[Option<f64>] {
        &self.values
    }

    /// Number of steps, gaps included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether the series has no steps at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The observed values in order, gaps left out.
    pub fn observed(&self) -> impl Iterator<Item = f64> + '_ {
        self.values.iter().copied().flatten()
    }

    /// The instant after the newest observation; `None` where nothing was observed.
    #[must_use]
    pub fn observed_until(&self) -> Option<Timestamp> {
        let last = self.values.iter().rposition(Option::is_some)?;
        Some(self.time(last + 1))
    }

    /// The mean of the observed values; `None` where nothing was observed.
    #[must_use]
    pub fn mean(&self) -> Option<f64> {
        let count = self.observed().count();
        (count > 0).then(|| self.observed().sum::<f64>() / count as f64)
    }

    /// The observed values in ascending order.
    #[must_use]
    pub fn sorted(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.observed().collect();
        values.sort_by(f64::total_cmp);
        values
    }

    /// The `probability` quantile of the observed values, as [`empirical_quantile`] gives it of the sorted ones; `None` where
    /// nothing was observed.
    ///
    /// Histories are long and asked often, and to pick a value takes a fraction of the time of sorting all.
    #[must_use]
    pub fn quantile(&self, probability: f64) -> Option<f64> {
        let mut values: Vec<f64> = self.observed().collect();
        let last = values.len().checked_sub(1)?;
        let rank = probability.clamp(0.0, 1.0) * last as f64;
        let (_, below, above) =
            values.select_nth_unstable_by(rank.floor() as usize, f64::total_cmp);
        let next = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*below);
        empirical_quantile(&[*below, next], rank - rank.floor())
    }

    /// Share of steps that were observed, in [0, 1]; 0 for an empty series.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        if self.values.is_empty() {
            return 0.0;
        }
        self.observed().count() as f64 / self.values.len() as f64
    }

    /// The steps at or after `from` and before `to`.
    #[must_use]
    pub fn between(&self, from: Timestamp, to: Timestamp) -> Self {
        let index = |time: Timestamp| {
            let offset = time.as_second() - self.start.as_second();
            let step = i64::from(self.step.seconds());
            usize::try_from((offset + step - 1).div_euclid(step)).unwrap_or(0).min(self.len())
        };
        let (first, last) = (index(from), index(to));
        let values = self.values[first..last.max(first)].to_vec();
        Self { start: self.time(first), step: self.step, values }
    }

    /// Slots of width `slot` aligned to the Unix epoch, from the slot that holds the first step to
    /// the one that holds the last; a slot without an observation is `None`.
    #[must_use]
    pub fn slots(&self, slot: Step) -> (Timestamp, Vec<Option<Slot>>) {
        let origin = slot.floor(self.start);
        if self.is_empty() {
            return (origin, Vec::new());
        }
        let (width, step) = (i64::from(slot.seconds()), i64::from(self.step.seconds()));
        let into = self.start.as_second() - origin.as_second();
        let index_of = |i: usize| ((into + i as i64 * step) / width) as usize;
        let mut slots: Vec<Option<Slot>> = vec![None; index_of(self.len() - 1) + 1];
        for (i, value) in self.values.iter().enumerate() {
            let Some(value) = *value else { continue };
            let cell = &mut slots[index_of(i)];
            *cell =
                Some(cell.map_or(Slot { mean: value, max: value, count: 1 }, |s| s.with(value)));
        }
        (origin, slots)
    }
}

impl Slot {
    fn with(self, value: f64) -> Self {
        let count = self.count + 1;
        Self {
            mean: self.mean + (value - self.mean) / f64::from(count),
            max: self.max.max(value),
            count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn slots_keep_mean_and_maximum_and_leave_gaps_empty() {
        let values = vec![Some(1.0), Some(3.0), None, None, Some(5.0)];
        let series = Series::new(at(60), Step::MINUTE, values).unwrap();
        let (start, slots) = series.slots(Step::from_seconds(120).unwrap());
        assert_eq!(start, at(0));
        assert_eq!(slots[0], Some(Slot { mean: 1.0, max: 1.0, count: 1 }));
        assert_eq!(slots[1], Some(Slot { mean: 3.0, max: 3.0, count: 1 }));
        assert_eq!(slots[2], Some(Slot { mean: 5.0, max: 5.0, count: 1 }));
        let (_, wide) = series.slots(Step::HOUR);
        assert_eq!(wide, vec![Some(Slot { mean: 3.0, max: 5.0, count: 3 })]);
    }

    #[test]
    fn values_that_are_not_finite_are_refused_by_index() {
        let error = Series::new(at(0), Step::MINUTE, vec![Some(1.0), Some(f64::NAN)]).unwrap_err();
        assert!(matches!(error, SeriesError::NotFinite { index: 1, .. }));
    }

    #[test]
    fn a_window_holds_the_steps_from_its_start_up_to_its_end() {
        let series =
            Series::new(at(0), Step::MINUTE, (0..10).map(|i| Some(f64::from(i))).collect())
                .unwrap();
        let window = series.between(at(61), at(300));
        assert_eq!(window.start(), at(120));
        assert_eq!(window.observed().collect::<Vec<_>>(), vec![2.0, 3.0, 4.0]);
        assert!(series.between(at(6000), at(7000)).is_empty());
        assert_eq!(series.between(at(-600), at(60)).len(), 1);
    }

    #[test]
    fn a_quantile_is_that_of_the_sorted_values() {
        let values = (0..101).map(|i| (i % 7 != 3).then(|| f64::from(i * 37 % 101) - 20.0));
        let series = Series::new(at(0), Step::MINUTE, values.collect()).unwrap();
        for probability in [0.0, 0.05, 0.333, 0.5, 0.95, 0.999, 1.0, 2.0] {
            let sorted = empirical_quantile(&series.sorted(), probability);
            assert_eq!(series.quantile(probability), sorted, "{probability}");
        }
        let gaps = Series::new(at(0), Step::MINUTE, vec![None; 3]).unwrap();
        assert_eq!(gaps.quantile(0.5), None);
    }

    #[test]
    fn coverage_is_the_observed_share() {
        let series =
            Series::new(at(0), Step::MINUTE, vec![Some(1.0), None, None, Some(2.0)]).unwrap();
        assert!((series.coverage() - 0.5).abs() < f64::EPSILON);
    }
}
