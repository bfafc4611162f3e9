//! The request rate of a caller beside the calls it made, sample by sample and in windows.

use mora_core::Series;

use crate::windows::{WINDOW_SECONDS, paired_by_time, window_means};

/// A caller's request rate and its calls to one callee at the same instant, both per second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sample {
    /// Unix seconds.
    pub(super) at: i64,
    pub(super) rate: f64,
    pub(super) calls: f64,
}

/// Samples in order of time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pairs {
    /// Seconds one sample stands for.
    pub(super) step: u32,
    pub(super) samples: Vec<Sample>,
}

/// The sum of the samples in one window, by the window's start in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) at: i64,
    /// Samples in it, at least 1.
    pub(super) samples: f64,
    pub(super) rate: f64,
    pub(super) calls: f64,
}

impl Pairs {
    /// The samples both series have; series on different grids are compared by their windows.
    pub(super) fn new(rate: &Series, calls: &Series) -> Self {
        let step = rate.step().seconds();
        let apart = calls.start().as_second() - rate.start().as_second();
        if calls.step() != rate.step() || apart % i64::from(step) != 0 {
            return Self::of_windows(rate, calls);
        }
        let sample = |(index, rate_at): (usize, &Option<f64>)| {
            let other = usize::try_from(index as i64 - apart / i64::from(step)).ok()?;
            let (calls, rate_at) = ((*calls.values().get(other)?)?, (*rate_at)?);
            Some(Sample { at: rate.time(index).as_second(), rate: rate_at, calls })
        };
        let samples = rate.values().iter().enumerate().filter_map(sample).collect();
        Self { step, samples }
    }

    fn of_windows(rate: &Series, calls: &Series) -> Self {
        let samples = paired_by_time(&window_means(rate), &window_means(calls));
        let sample = |(at, rate, calls)| Sample { at, rate, calls };
        Self { step: WINDOW_SECONDS, samples: samples.into_iter().map(sample).collect() }
    }

    /// Seconds one window spans: a sample that is longer is a window of its own.
    pub(super) fn width(&self) -> i64 {
        i64::from(self.step.max(WINDOW_SECONDS))
    }

    /// The windows in which the caller served anything.
    pub(super) fn windows(&self) -> Vec<Window> {
        let mut windows = self.sums(self.width());
        windows.retain(|window| window.rate > 0.0);
        windows
    }

    /// The samples summed over spans of `width` seconds.
    pub(super) fn sums(&self, width: i64) -> Vec<Window> {
        let mut windows: Vec<Window> = Vec::new();
        for sample in &self.samples {
            let at = sample.at.div_euclid(width) * width;
            match windows.last_mut() {
                Some(last) if last.at == at => last.add(sample),
                _ => windows.push(Window {
                    at,
                    samples: 1.0,
                    rate: sample.rate,
                    calls: sample.calls,
                }),
            }
        }
        windows
    }

    /// The samples from `at` on.
    pub(super) fn since(&self, at: i64) -> Self {
        let first = self.samples.partition_point(|sample| sample.at < at);
        Self { step: self.step, samples: self.samples[first..].to_vec() }
    }
}

impl Window {
    const fn add(&mut self, sample: &Sample) {
        self.samples += 1.0;
        self.rate += sample.rate;
        self.calls += sample.calls;
    }

    /// Calls per request in this window.
    pub(super) fn ratio(&self) -> f64 {
        self.calls / self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn series(start: i64, seconds: u32, values: &[Option<f64>]) -> Series {
        let step = Step::from_seconds(seconds).unwrap();
        Series::new(Timestamp::from_second(start).unwrap(), step, values.to_vec()).unwrap()
    }

    #[test]
    fn samples_are_paired_where_both_were_observed() {
        let rate = series(0, 60, &[Some(1.0), None, Some(3.0), Some(4.0)]);
        let calls = series(60, 60, &[Some(20.0), Some(30.0), Some(40.0), Some(50.0)]);
        let pairs = Pairs::new(&rate, &calls);
        let found: Vec<_> = pairs.samples.iter().map(|s| (s.at, s.rate, s.calls)).collect();
        assert_eq!(found, [(120, 3.0, 30.0), (180, 4.0, 40.0)]);
        assert_eq!(pairs.windows()[0].samples as u32, 2);
    }

    #[test]
    fn series_on_different_grids_are_paired_by_windows() {
        let rate = series(0, 60, &[Some(2.0); 10]);
        let calls = series(30, 30, &[Some(1.0); 19]);
        let pairs = Pairs::new(&rate, &calls);
        assert_eq!((pairs.step, pairs.samples.len()), (300, 2));
    }
}
