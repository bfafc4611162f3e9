//! How far past days were off what was known before each.

use super::past::{Past, View};
use crate::levels::{Levels, weighted_levels};

/// Last days whose errors are measured.
pub(super) const ERROR_DAYS: i64 = 14;
/// Share an error keeps of its weight per day.
const ERROR_PACE: f64 = 0.93;
/// Days of evidence at which an hour's own spread weighs as much as that of all hours.
const SPREAD_PRIOR: f64 = 5.0;

/// The errors of past days about the medians that were known before each.
pub(super) struct Errors {
    /// Per entry of a day: weight, weighted sum of sizes.
    hours: Vec<(f64, f64)>,
    /// Entry, error, weight.
    all: Vec<(usize, f64, f64)>,
    /// Slots in a day.
    slots: i64,
}

impl Errors {
    pub(super) fn new(past: &Past<'_>) -> Self {
        Self { hours: vec![(0.0, 0.0); past.entries() as usize], all: Vec::new(), slots: past.day }
    }

    /// The errors of the last days, but for the first two of the history, which are forecast from.
    pub(super) fn measured(past: &Past<'_>, view: &View) -> Self {
        let mut errors = Self::new(past);
        let days = (past.history.len() as i64 / past.day - 2).clamp(0, ERROR_DAYS);
        for back in (1..=days).rev() {
            let origin = past.end - back * past.day;
            errors.age();
            errors.add_day(past, origin, &past.entries_after(origin, back, view));
        }
        errors
    }

    /// Weighted sum of the sizes of the errors, and the weight of the days behind it.
    pub(super) fn size(&self) -> (f64, f64) {
        let sum = |(size, total): (f64, f64), (_, error, weight): &(usize, f64, f64)| {
            (size + weight * error.abs(), total + weight)
        };
        let (size, total) = self.all.iter().fold((0.0, 0.0), sum);
        (size, total / self.slots as f64)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Takes in how far the day after `origin` was off the medians of `entries`.
    pub(super) fn add_day(&mut self, past: &Past<'_>, origin: i64, entries: &[Levels]) {
        for n in origin..origin + past.day {
            let entry = ((n - origin) / past.width) as usize;
            if let Some(value) = past.history.max(n) {
                let error = value - entries[entry][0];
                self.hours[entry].0 += 1.0;
                self.hours[entry].1 += error.abs();
                self.all.push((entry, error, 1.0));
            }
        }
    }

    /// Lets what was taken in count less by a day.
    pub(super) fn age(&mut self) {
        for (weight, sum) in &mut self.hours {
            *weight *= ERROR_PACE;
            *sum *= ERROR_PACE;
        }
        self.all.iter_mut().for_each(|(_, _, weight)| *weight *= ERROR_PACE);
    }

    /// The usual size of an error per entry, drawn to that of all, at least `floor`.
    pub(super) fn spreads(&self, floor: f64) -> Vec<f64> {
        let (weight, sum) = self.hours.iter().fold((0.0, 0.0), |t, h| (t.0 + h.0, t.1 + h.1));
        let all = if weight > 0.0 { sum / weight } else { 0.0 };
        let drawn = |(weight, sum): &(f64, f64)| {
            ((sum + SPREAD_PRIOR * all) / (weight + SPREAD_PRIOR)).max(floor)
        };
        self.hours.iter().map(drawn).collect()
    }

    /// Quantiles of the errors in `spreads`.
    pub(super) fn residuals(&self, spreads: &[f64]) -> Levels {
        let scaled =
            self.all.iter().map(|&(entry, error, weight)| (error / spreads[entry], weight));
        weighted_levels(&mut scaled.collect::<Vec<_>>())
    }
}
