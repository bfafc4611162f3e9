//! From timed samples to a series that ends at a given instant.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Series, SeriesError, Step};

/// Samples by the minute they were taken in, counted from the Unix epoch.
pub(super) type Minutes = BTreeMap<i64, f64>;

/// The minute of Unix second `ts`.
pub(super) const fn minute(ts: i64) -> i64 {
    ts.div_euclid(60)
}

/// How recorded minutes are moved, in minutes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shift {
    minutes: i64,
    last: i64,
}

impl Shift {
    /// Moves minute `recorded` to exactly `newest`.
    pub(super) fn exact(recorded: i64, newest: Timestamp) -> Self {
        let last = minute(newest.as_second());
        Self { minutes: last - recorded, last }
    }

    /// Moves minute `recorded` by whole days to `newest` or up to a day after it; what would come after
    /// `newest` is cut off. The hours of the day stay.
    pub(super) fn whole_days(recorded: i64, newest: Timestamp) -> Self {
        const DAY: i64 = 24 * 60;
        let last = minute(newest.as_second());
        let days = (last - recorded).div_euclid(DAY) + i64::from((last - recorded) % DAY != 0);
        Self { minutes: days * DAY, last }
    }

    /// The instant minute `recorded` is moved to.
    pub(super) fn time(self, recorded: i64) -> Timestamp {
        Timestamp::from_second((recorded + self.minutes) * 60).unwrap_or(Timestamp::MAX)
    }

    /// `samples` moved, as a series by the minute; a minute without a sample is a gap.
    pub(super) fn series(self, samples: &Minutes) -> Result<Series, SeriesError> {
        let first = samples.keys().next().map_or(self.last + 1, |minute| minute + self.minutes);
        let newest = samples.keys().next_back().map_or(self.last, |minute| minute + self.minutes);
        let minutes = first..=newest.min(self.last);
        let values = minutes.map(|at| samples.get(&(at - self.minutes)).copied()).collect();
        let start = Timestamp::from_second(first * 60).unwrap_or(Timestamp::MAX);
        Series::new(start, Step::MINUTE, values)
    }
}

/// `value` at every step at which `like` has an observation.
pub(super) fn constant(like: &Series, value: f64) -> Result<Series, SeriesError> {
    let values = like.values().iter().map(|observed| observed.map(|_| value)).collect();
    Series::new(like.start(), like.step(), values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: i64, minute: i64) -> Timestamp {
        Timestamp::from_second((day * 1440 + minute) * 60).unwrap()
    }

    #[test]
    fn an_exact_shift_ends_at_the_newest_instant_and_keeps_gaps() {
        let samples = Minutes::from([(10, 1.0), (12, 3.0)]);
        let series = Shift::exact(12, at(5, 7)).series(&samples).unwrap();
        assert_eq!(series.values(), [Some(1.0), None, Some(3.0)]);
        assert_eq!(series.time(2), at(5, 7));
    }

    #[test]
    fn a_shift_by_whole_days_keeps_the_hour_and_is_cut_at_the_newest_instant() {
        let samples = Minutes::from([(10, 1.0), (11, 2.0), (12, 3.0)]);
        let series = Shift::whole_days(12, at(5, 11)).series(&samples).unwrap();
        assert_eq!((series.start(), series.values()), (at(5, 10), &[Some(1.0), Some(2.0)][..]));
        let whole = Shift::whole_days(12, at(5, 12)).series(&samples).unwrap();
        assert_eq!((whole.start(), whole.len()), (at(5, 10), 3));
    }
}
