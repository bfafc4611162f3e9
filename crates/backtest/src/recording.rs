//! Recorded series, resampled to the largest value per sample.

use jiff::Timestamp;
use mora_core::{Series, SeriesError, Step};
use thiserror::Error;

use crate::options::Options;

/// Numbers above this are milliseconds, not seconds: as seconds it is the year 5138.
const MILLISECONDS: f64 = 1e11;

/// Steps below which nothing is taken for a counter: a short ramp may be usage.
const LEAST_PAIRS: usize = 100;

/// One recorded series.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What was measured; recordings of one set are compared and share a safety margin.
    pub set: String,
    /// Its name within the set.
    pub name: String,
    /// The largest value per sample; samples start at multiples of their width since the Unix epoch.
    pub series: Series,
}

/// What was read of one series, in any order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observations {
    points: Vec<(f64, f64)>,
}

/// Why observations form no series.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum ResampleError {
    /// Nothing was observed.
    #[error("it holds no value")]
    Empty,
    /// Two values for one instant.
    #[error("it holds two values for {0}; name the column that tells them apart with --series")]
    Twice(Timestamp),
    /// Its values only ever rise, but for falls to less than half: a running total and not usage.
    #[error(
        "it is a counter: of {pairs} steps {rises} rise and {resets} start again from less than half; give its rate, as rate() of Prometheus does"
    )]
    Counter {
        /// Steps from one value to the next.
        pairs: usize,
        /// Those that rise.
        rises: usize,
        /// Those that start again.
        resets: usize,
    },
    /// It is recorded more coarsely than a slot.
    #[error(
        "it was recorded every {own} s, which is longer than a slot of {slot} s; use a longer --slot"
    )]
    Coarse {
        /// Median spacing of the observations, in seconds.
        own: u32,
        /// The slot, in seconds.
        slot: u32,
    },
    /// It reaches past representable time.
    #[error("its instants span too long a time")]
    Span(#[from] SeriesError),
}

impl Observations {
    /// Adds `value`, finite and at least 0, seen at `instant`: Unix seconds, or milliseconds above 10^11.
    pub fn push(&mut self, instant: f64, value: f64) {
        let second = if instant.abs() >= MILLISECONDS { instant / 1000.0 } else { instant };
        self.points.push((second, value));
    }

    /// The largest value per sample, over the shortest sample that `options` and the recording allow.
    ///
    /// Fails when nothing was observed, an instant has two values, or the recording is coarser than a slot.
    pub fn resample(mut self, options: &Options) -> Result<Series, ResampleError> {
        self.points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let twice = self.points.windows(2).find(|pair| pair[0].0 >= pair[1].0);
        if let Some(pair) = twice {
            return Err(ResampleError::Twice(instant(pair[0].0)));
        }
        self.refuse_counter()?;
        let sample = self.sample(options)?;
        let width = f64::from(sample.seconds());
        let bin = |second: f64| (second / width).floor();
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return Err(ResampleError::Empty);
        };
        let origin = bin(first.0);
        let bins = (bin(last.0) - origin) as usize + 1;
        let mut values: Vec<Option<f64>> = vec![None; bins];
        for &(second, value) in &self.points {
            let cell = &mut values[(bin(second) - origin) as usize];
            *cell = Some(cell.map_or(value, |known| known.max(value)));
        }
        Ok(Series::new(instant(origin * width), sample, values)?)
    }

    /// Fails where the sorted values are those of a counter: over at least a hundred steps most rise, none falls a
    /// little, and at most one in twenty falls to less than half.
    ///
    /// Usage that is measured falls a little every few steps: of all columns of public recordings that this was tried
    /// on (docs/backtest.md), none comes near.
    fn refuse_counter(&self) -> Result<(), ResampleError> {
        let pairs = self.points.len().saturating_sub(1);
        let count = |which: fn(f64, f64) -> bool| {
            self.points.windows(2).filter(|pair| which(pair[0].1, pair[1].1)).count()
        };
        let rises = count(|before, after| after > before);
        let resets = count(|before, after| after < 0.5 * before);
        let falls = count(|before, after| after < before);
        let counts = falls == resets && 2 * rises >= pairs && 20 * resets <= pairs;
        if pairs >= LEAST_PAIRS && counts {
            return Err(ResampleError::Counter { pairs, rises, resets });
        }
        Ok(())
    }

    /// The shortest divisor of a slot that is no shorter than the wanted sample and the recording's spacing.
    fn sample(&self, options: &Options) -> Result<Step, ResampleError> {
        let mut gaps: Vec<f64> = self.points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        gaps.sort_by(f64::total_cmp);
        let own = gaps.get(gaps.len() / 2).map_or(0, |gap| gap.round() as u32);
        let slot = options.slot.seconds();
        let least = own.max(options.sample.seconds());
        let divisor = (least..=slot).find(|width| slot.is_multiple_of(*width));
        divisor.and_then(Step::from_seconds).ok_or(ResampleError::Coarse { own, slot })
    }
}

fn instant(second: f64) -> Timestamp {
    Timestamp::from_second(second.floor() as i64).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations(points: &[(f64, f64)]) -> Observations {
        let mut observations = Observations::default();
        for &(at, value) in points {
            observations.push(at, value);
        }
        observations
    }

    #[test]
    fn a_sample_holds_the_largest_of_its_values_and_gaps_stay() {
        let minutes = [(0, 1.0), (1, 4.0), (2, 2.0), (3, 1.0), (4, 1.0), (5, 3.0), (15, 7.0)];
        let points: Vec<_> = minutes.map(|(m, v)| (f64::from(m) * 60.0 + 300.0, v)).to_vec();
        let series = observations(&points).resample(&Options::default()).unwrap();
        assert_eq!(series.start().as_second(), 300);
        assert_eq!(series.step().seconds(), 300);
        assert_eq!(series.values(), [Some(4.0), Some(3.0), None, Some(7.0)]);
    }

    #[test]
    fn milliseconds_and_a_coarser_recording_are_understood() {
        let points = [0.0, 17.0, 34.0].map(|minute| (1_760_000_400_000.0 + minute * 6e4, 1.0));
        let series = observations(&points).resample(&Options::default()).unwrap();
        // Every 17 minutes: the next width that divides an hour is 20.
        assert_eq!(series.step().seconds(), 1200);
        assert_eq!(series.observed().count(), 2);
    }

    #[test]
    fn a_counter_is_refused_with_its_resets_and_what_only_rises_for_a_while_is_not() {
        let minutes = |count: i32, value: &dyn Fn(i32) -> f64| -> Vec<(f64, f64)> {
            (0..count).map(|n| (60.0 * f64::from(n), value(n))).collect()
        };
        let refused = |points: &[(f64, f64)]| {
            let error = observations(points).resample(&Options::default()).err();
            matches!(error, Some(ResampleError::Counter { .. })).then(|| error.unwrap().to_string())
        };
        let total = |n: i32| f64::from(n) * 0.3 + f64::from(n % 5) * 0.05;
        assert!(refused(&minutes(300, &total)).is_some());
        let restarts = refused(&minutes(300, &|n| total(n % 120))).unwrap();
        assert!(restarts.contains("of 299 steps 297 rise and 2 start again"), "{restarts}");
        assert_eq!(refused(&minutes(90, &total)), None, "a short ramp");
        let leak = |n: i32| 500.0 + total(n % 120) - f64::from(n % 9);
        assert_eq!(refused(&minutes(300, &leak)), None, "memory that grows and falls a little");
        assert_eq!(refused(&minutes(300, &|_| 7.0)), None, "a flat line");
        assert_eq!(refused(&minutes(300, &|n| f64::from(n / 30))), None, "steps");
        let saw = |n: i32| f64::from(n % 10);
        assert_eq!(refused(&minutes(300, &saw)), None, "a saw of ten minutes");
    }

    #[test]
    fn nothing_two_values_at_once_and_days_between_values_are_refused() {
        let refused =
            |points: &[(f64, f64)]| observations(points).resample(&Options::default()).unwrap_err();
        assert_eq!(refused(&[]), ResampleError::Empty);
        assert!(matches!(refused(&[(60.0, 1.0), (60.0, 2.0)]), ResampleError::Twice(_)));
        let coarse = ResampleError::Coarse { own: 86_400, slot: 3600 };
        assert_eq!(refused(&[(0.0, 1.0), (86_400.0, 2.0)]), coarse);
    }
}
