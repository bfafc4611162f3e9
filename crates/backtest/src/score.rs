//! Scores of one series: its answers held against what was used.

use serde::Serialize;

use crate::answer::{Answer, LEVELS};
use crate::maxima::mean;
use crate::trial::Day;

/// What requests cost and what they missed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Requests {
    /// O: requested divided by used, over the observed samples.
    pub over: f64,
    /// U: share of samples with usage above the request.
    pub under: f64,
    /// Share of days with any such sample.
    pub under_days: f64,
    /// What was used above the request, divided by what was used.
    pub short: f64,
    /// How far the day's largest request is above its largest sample, relative to that sample; mean over days.
    pub peak_error: f64,
    /// Changes of the request from slot to slot, per day.
    pub changes_per_day: f64,
    /// The sum of the sizes of these changes, divided by the mean request, per day.
    pub moved_per_day: f64,
}

/// How well stated quantiles fit the largest sample of each slot.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Quantiles {
    /// Mean of the three pinball losses.
    pub pinball: f64,
    /// Pinball loss of the 0.9 quantile, divided by the mean usage.
    pub pinball_90: f64,
    /// The same of 0.95.
    pub pinball_95: f64,
    /// The same of 0.99.
    pub pinball_99: f64,
    /// Share of slots whose largest sample is not above the median.
    pub coverage_50: f64,
    /// The same of 0.9.
    pub coverage_90: f64,
    /// The same of 0.95.
    pub coverage_95: f64,
    /// The same of 0.99.
    pub coverage_99: f64,
    /// Mean absolute error of the median, divided by what one season ago was off by in the history;
    /// `None` where that was nothing.
    pub mase: Option<f64>,
}

/// Usage in requests: above 1 where usage is above the request; infinite where nothing was requested.
pub(crate) fn ratio(usage: f64, request: f64) -> f64 {
    if usage <= 0.0 { 0.0 } else { usage / request.max(0.0) }
}

/// The samples of `days`, each with its request.
fn requested<'a>(days: &'a [Day], answers: &'a [Answer]) -> impl Iterator<Item = (f64, f64)> + 'a {
    days.iter().zip(answers).flat_map(|(day, answer)| {
        day.usage.iter().map(|&(slot, usage)| (usage, answer.request[slot]))
    })
}

/// The [`ratio`] of every sample of `days`.
pub(crate) fn ratios(days: &[Day], answers: &[Answer]) -> Vec<f64> {
    requested(days, answers).map(|(usage, request)| ratio(usage, request)).collect()
}

/// Share of `ratios` above `margin`: U when every request is that many times as large.
pub(crate) fn under(ratios: &[f64], margin: f64) -> f64 {
    mean(ratios.iter().map(|ratio| f64::from(u8::from(*ratio > margin)))).unwrap_or(0.0)
}

/// Mean of the samples of `days`; 0 without any.
pub(crate) fn mean_usage(days: &[Day]) -> f64 {
    mean(days.iter().flat_map(|day| &day.usage).map(|sample| sample.1)).unwrap_or(0.0)
}

impl Requests {
    /// Of `answers`, one per day of `days`, some of which is used.
    pub(crate) fn of(days: &[Day], answers: &[Answer]) -> Self {
        let sums = requested(days, answers).fold([0.0; 3], |[used, asked, short], (u, r)| {
            [used + u, asked + r, short + (u - r).max(0.0)]
        });
        let [used, asked, short] = sums;
        let missed = |(day, answer): (&Day, &Answer)| {
            day.usage.iter().any(|&(slot, usage)| ratio(usage, answer.request[slot]) > 1.0)
        };
        let pairs = || days.iter().zip(answers);
        let (changes, moved) = changes(answers);
        Self {
            over: asked / used,
            under: under(&ratios(days, answers), 1.0),
            under_days: mean(pairs().map(|pair| f64::from(u8::from(missed(pair))))).unwrap_or(0.0),
            short: short / used,
            peak_error: mean(pairs().filter_map(peak_error)).unwrap_or(0.0),
            changes_per_day: f64::from(changes) / days.len() as f64,
            moved_per_day: moved / days.len() as f64,
        }
    }

    pub(crate) fn mean_of(all: &[Self]) -> Self {
        let of = |field: fn(&Self) -> f64| mean(all.iter().map(field)).unwrap_or(0.0);
        Self {
            over: of(|r| r.over),
            under: of(|r| r.under),
            under_days: of(|r| r.under_days),
            short: of(|r| r.short),
            peak_error: of(|r| r.peak_error),
            changes_per_day: of(|r| r.changes_per_day),
            moved_per_day: of(|r| r.moved_per_day),
        }
    }
}

/// `None` for a day on which nothing is used.
fn peak_error((day, answer): (&Day, &Answer)) -> Option<f64> {
    let used = day.usage.iter().map(|sample| sample.1).fold(0.0, f64::max);
    let asked = answer.request.iter().copied().fold(0.0, f64::max);
    (used > 0.0).then(|| (asked - used) / used)
}

/// Number of changes of the request from slot to slot, and their sizes over the mean request.
fn changes(answers: &[Answer]) -> (u32, f64) {
    let path: Vec<f64> = answers.iter().flat_map(|answer| answer.request.iter().copied()).collect();
    let level = mean(path.iter().copied()).unwrap_or(0.0);
    if level <= 0.0 {
        return (0, 0.0);
    }
    let sizes = path.windows(2).map(|pair| (pair[1] - pair[0]).abs() / level);
    // Requests are set in whole millicores or bytes; a billionth of the mean is no change.
    let real = sizes.filter(|size| *size > 1e-9);
    real.fold((0, 0.0), |(count, sum), size| (count + 1, sum + size))
}

impl Quantiles {
    /// Of `answers`, one per day of `days`; `None` where one states no quantiles or no slot was observed.
    pub(crate) fn of(days: &[Day], answers: &[Answer]) -> Option<Self> {
        let mut pairs: Vec<(&[f64; LEVELS.len()], f64)> = Vec::new();
        for (day, answer) in days.iter().zip(answers) {
            let slots = answer.quantiles.as_ref()?.iter().zip(&day.maxima);
            pairs.extend(slots.filter_map(|(levels, seen)| Some((levels, (*seen)?))));
        }
        let usage = mean_usage(days);
        let over = |score: &dyn Fn(&[f64; LEVELS.len()], f64) -> f64| {
            mean(pairs.iter().map(|(levels, seen)| score(levels, *seen)))
        };
        let loss = |i: usize| over(&|levels, seen| pinball(LEVELS[i], levels[i], seen) / usage);
        let held = |i: usize| over(&|levels, seen| f64::from(u8::from(seen <= levels[i])));
        let error = over(&|levels, seen| (levels[0] - seen).abs())?;
        let scale = mean(days.iter().filter_map(|day| day.naive_error));
        let [pinball_90, pinball_95, pinball_99] = [loss(1)?, loss(2)?, loss(3)?];
        Some(Self {
            pinball: (pinball_90 + pinball_95 + pinball_99) / 3.0,
            pinball_90,
            pinball_95,
            pinball_99,
            coverage_50: held(0)?,
            coverage_90: held(1)?,
            coverage_95: held(2)?,
            coverage_99: held(3)?,
            mase: scale.filter(|scale| *scale > 0.0).map(|scale| error / scale),
        })
    }

    /// `None` of nothing; the scaled error is that of the series that have one.
    pub(crate) fn mean_of(all: &[Self]) -> Option<Self> {
        let of = |field: fn(&Self) -> f64| mean(all.iter().map(field));
        Some(Self {
            pinball: of(|q| q.pinball)?,
            pinball_90: of(|q| q.pinball_90)?,
            pinball_95: of(|q| q.pinball_95)?,
            pinball_99: of(|q| q.pinball_99)?,
            coverage_50: of(|q| q.coverage_50)?,
            coverage_90: of(|q| q.coverage_90)?,
            coverage_95: of(|q| q.coverage_95)?,
            coverage_99: of(|q| q.coverage_99)?,
            mase: mean(all.iter().filter_map(|q| q.mase)),
        })
    }
}

/// The loss of answering `forecast` for the quantile `level` where `seen` came (Koenker and Bassett 1978).
fn pinball(level: f64, forecast: f64, seen: f64) -> f64 {
    let short = seen - forecast;
    (level * short).max((level - 1.0) * short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    /// A day of two slots with two samples each.
    fn day(usage: [f64; 4]) -> Day {
        let [a, b, c, d] = usage;
        Day {
            start: Timestamp::UNIX_EPOCH,
            usage: vec![(0, a), (0, b), (1, c), (1, d)],
            maxima: vec![Some(a.max(b)), Some(c.max(d))],
            naive_error: Some(0.5),
        }
    }

    fn request(first: f64, second: f64) -> Answer {
        Answer { request: vec![first, second], quantiles: None, priced: Vec::new() }
    }

    #[test]
    fn requests_are_scored_as_by_hand() {
        let days = [day([1.0, 2.0, 3.0, 4.0]), day([1.0, 1.0, 2.0, 2.0])];
        let scores = Requests::of(&days, &[request(2.0, 3.0), request(2.0, 2.0)]);
        near(scores.over, 18.0 / 16.0);
        near(scores.under, 1.0 / 8.0);
        near(scores.under_days, 0.5);
        near(scores.short, 1.0 / 16.0);
        near(scores.peak_error, f64::midpoint(-0.25, 0.0));
        // The path is 2, 3, 2, 2: two changes of 1 around a mean of 2.25, in two days.
        near(scores.changes_per_day, 1.0);
        near(scores.moved_per_day, 2.0 / 2.25 / 2.0);
    }

    #[test]
    fn quantiles_are_scored_as_by_hand() {
        let days = [day([1.0, 2.0, 3.0, 4.0])];
        let quantiles = Some(vec![[2.0, 3.0, 3.0, 3.0], [3.0, 3.0, 4.0, 5.0]]);
        let answer = Answer { request: vec![3.0, 4.0], quantiles, priced: Vec::new() };
        let scores = Quantiles::of(&days, &[answer]).unwrap();
        // Losses of 0.9: 0.1 too high by 1, and 0.9 too low by 1; the mean usage is 2.5.
        near(scores.pinball_90, f64::midpoint(0.1, 0.9) / 2.5);
        near(scores.pinball_95, 0.05 / 2.0 / 2.5);
        near(scores.pinball_99, 0.01 / 2.5);
        near(scores.coverage_50, 0.5);
        near(scores.coverage_90, 0.5);
        near(scores.coverage_95, 1.0);
        near(scores.mase.unwrap(), 0.5 / 0.5);
        assert_eq!(Quantiles::of(&days, &[request(1.0, 1.0)]), None);
    }

    #[test]
    fn nothing_used_is_never_above_and_nothing_requested_never_enough() {
        near(ratio(0.0, 0.0), 0.0);
        assert!(ratio(1.0, 0.0).is_infinite());
        near(under(&[0.5, 1.0, 1.5, f64::INFINITY], 1.0), 0.5);
    }
}
