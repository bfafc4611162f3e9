//! A recording with the days it is judged on.

use jiff::Timestamp;
use mora_core::{Series, Step};
use thiserror::Error;

use crate::maxima::{Maxima, mean};
use crate::options::{DAY_SECONDS, Options};
use crate::recording::Recording;

/// A day of a recording that is held against requests made at its start.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Day {
    /// Its first instant, midnight UTC.
    pub(crate) start: Timestamp,
    /// The slot of each sample, and the sample.
    pub(crate) usage: Vec<(usize, f64)>,
    /// The largest sample of each slot; `None` where less than half of the slot was observed.
    pub(crate) maxima: Vec<Option<f64>>,
    /// How far one season ago was off in the history before, on average; `None` where that was not seen.
    pub(crate) naive_error: Option<f64>,
}

/// A recording with its origins: at least one to calibrate a margin on, and at least one to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    recording: Recording,
    days: Vec<Day>,
    validation: usize,
}

/// Why a recording cannot be judged.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
pub enum Unsuitable {
    /// Too few days are left after the history.
    #[error(
        "{days:.1} days from {from} to {until} hold {origins} of the 2 days needed after {history} days of history, day and history half observed"
    )]
    TooShort {
        /// Days from the first sample to the last.
        days: f64,
        /// First sample.
        from: Timestamp,
        /// The instant after the last.
        until: Timestamp,
        /// Days that can be judged.
        origins: usize,
        /// Days of history before the first.
        history: u32,
    },
    /// Nothing is used on the days that would be judged.
    #[error("nothing is used on the days that would be judged")]
    Unused,
}

impl Trial {
    /// The trial of `recording`: its origins are the midnights (UTC) after the history of `options`
    /// whose day before and day after are each observed for at least half.
    ///
    /// Fails when fewer than two days are left, or when nothing is used on the judged ones.
    pub fn new(recording: Recording, options: &Options) -> Result<Self, Unsuitable> {
        let series = &recording.series;
        let mut origins: Vec<Timestamp> = midnights(series, options.history_days)
            .into_iter()
            .filter(|origin| is_seen(series, *origin, options))
            .collect();
        let surplus = options.origins.map_or(0, |most| origins.len().saturating_sub(most));
        origins.drain(..surplus);
        if origins.len() < 2 {
            return Err(too_short(series, origins.len(), options));
        }
        let validation = options.validation_origins(origins.len());
        let days: Vec<Day> = origins.iter().map(|origin| day(series, *origin, options)).collect();
        let used: f64 = days[validation..].iter().flat_map(|d| &d.usage).map(|u| u.1).sum();
        if used > 0.0 { Ok(Self { recording, days, validation }) } else { Err(Unsuitable::Unused) }
    }

    /// The recording.
    #[must_use]
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// Number of origins.
    #[must_use]
    pub fn origins(&self) -> usize {
        self.days.len()
    }

    /// Number of origins, the first ones, that only the margin is calibrated on.
    #[must_use]
    pub const fn validation(&self) -> usize {
        self.validation
    }

    /// The first origin that is judged.
    #[must_use]
    pub fn judged_from(&self) -> Timestamp {
        self.days[self.validation].start
    }

    pub(crate) fn days(&self) -> &[Day] {
        &self.days
    }

    /// What a method may know at the start of `day`.
    pub(crate) fn history(&self, day: &Day, options: &Options) -> Series {
        history(&self.recording.series, day.start, options)
    }
}

/// The midnights at least `after` days after the first sample, up to the last sample.
fn midnights(series: &Series, after: u32) -> Vec<Timestamp> {
    let day = i64::from(DAY_SECONDS);
    let first = series.start().as_second().div_euclid(day)
        + i64::from(series.start().as_second().rem_euclid(day) > 0);
    let last = series.end().as_second().div_euclid(day);
    (first + i64::from(after)..=last)
        .filter_map(|number| Timestamp::from_second(number * day).ok())
        .collect()
}

fn history(series: &Series, origin: Timestamp, options: &Options) -> Series {
    series.between(days_from(origin, -i64::from(options.lookback_days)), origin)
}

fn days_from(origin: Timestamp, days: i64) -> Timestamp {
    let second = origin.as_second() + days * i64::from(DAY_SECONDS);
    Timestamp::from_second(second).unwrap_or(origin)
}

/// Whether at least half of the history before `origin` and of the day after was observed.
fn is_seen(series: &Series, origin: Timestamp, options: &Options) -> bool {
    let due = (DAY_SECONDS / series.step().seconds()) as usize;
    let judged = series.between(origin, days_from(origin, 1));
    2 * judged.observed().count() >= due && history(series, origin, options).coverage() >= 0.5
}

fn day(series: &Series, start: Timestamp, options: &Options) -> Day {
    let judged = series.between(start, days_from(start, 1));
    let offset = |index| judged.time(index).as_second() - start.as_second();
    let slot_of = |index| (offset(index) / i64::from(options.slot.seconds())) as usize;
    let usage = judged.values().iter().enumerate();
    let maxima = Maxima::new(&judged, options.slot);
    let first = first_slot(start, options.slot);
    let before = Maxima::new(&history(series, start, options), options.slot);
    Day {
        start,
        usage: usage.filter_map(|(index, value)| Some((slot_of(index), (*value)?))).collect(),
        maxima: (0..options.slots()).map(|slot| maxima.get(first + slot as i64)).collect(),
        naive_error: naive_error(&before, options),
    }
}

fn naive_error(history: &Maxima, options: &Options) -> Option<f64> {
    let season = history.season(options.slots() as i64);
    mean(history.differences(season).map(|(_, off)| off.abs()))
}

/// The number of the slot that starts at `start`.
pub(crate) fn first_slot(start: Timestamp, slot: Step) -> i64 {
    start.as_second().div_euclid(i64::from(slot.seconds()))
}

fn too_short(series: &Series, origins: usize, options: &Options) -> Unsuitable {
    let (from, until) = (series.start(), series.end());
    let days = (until.as_second() - from.as_second()) as f64 / f64::from(DAY_SECONDS);
    Unsuitable::TooShort { days, from, until, origins, history: options.history_days }
}

#[cfg(test)]
pub(crate) mod made {
    use super::*;

    /// An hourly trial of `days` days whose slot `n` holds `value(n)`, one day of history before the first origin.
    pub(crate) fn trial(days: i64, value: impl Fn(i64) -> Option<f64>) -> Trial {
        Trial::new(recording("made", days, value), &options()).unwrap()
    }

    pub(crate) fn recording(
        name: &str,
        days: i64,
        value: impl Fn(i64) -> Option<f64>,
    ) -> Recording {
        let values = (0..days * 24).map(value).collect();
        let series = Series::new(Timestamp::UNIX_EPOCH, Step::HOUR, values).unwrap();
        Recording { set: "load".to_owned(), name: name.to_owned(), series }
    }

    pub(crate) fn options() -> Options {
        Options { sample: Step::HOUR, history_days: 1, ..Options::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::made::{options, recording, trial};
    use super::*;

    fn starts(trial: &Trial) -> Vec<i64> {
        trial.days.iter().map(|day| day.start.as_second() / 86_400).collect()
    }

    #[test]
    fn origins_are_the_midnights_after_the_history_and_the_first_ones_calibrate() {
        let trial = trial(6, |n| Some(n as f64));
        assert_eq!(starts(&trial), [1, 2, 3, 4, 5]);
        assert_eq!((trial.validation(), trial.judged_from().as_second()), (2, 3 * 86_400));
        assert_eq!(trial.days[0].usage[3], (3, 27.0));
        assert_eq!(trial.days[1].naive_error, Some(24.0));
        assert_eq!(trial.history(&trial.days[1], &options()).len(), 48);
    }

    #[test]
    fn days_and_histories_less_than_half_observed_are_left_out() {
        let trial = trial(8, |n| (!(24..90).contains(&n)).then_some(1.0));
        // Days 1 and 2 are not seen, day 3 for a quarter; before day 4 there are 30 of 96 hours.
        assert_eq!(starts(&trial), [6, 7]);
    }

    #[test]
    fn the_newest_origins_are_kept_and_the_lookback_caps_the_history() {
        let options = Options { origins: Some(2), lookback_days: 2, ..options() };
        let trial = Trial::new(recording("made", 9, |_| Some(1.0)), &options).unwrap();
        assert_eq!(starts(&trial), [7, 8]);
        assert_eq!(trial.history(&trial.days[1], &options).len(), 48);
    }

    #[test]
    fn a_short_or_unused_recording_says_what_is_there() {
        let short = Trial::new(recording("made", 2, |_| Some(1.0)), &options()).unwrap_err();
        assert!(matches!(short, Unsuitable::TooShort { origins: 1, .. }));
        assert!(short.to_string().starts_with("2.0 days from 1970-01-01T00:00:00Z"), "{short}");
        let unused = Trial::new(recording("made", 4, |_| Some(0.0)), &options());
        assert_eq!(unused, Err(Unsuitable::Unused));
    }
}
