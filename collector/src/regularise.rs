//! From irregular samples to a regular series in which what is missing stays missing.

use mora_core::Series;

use crate::Lookback;

/// A value observed at an instant, in seconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// The instant.
    pub second: f64,
    /// The value; one that is not finite was not observed.
    pub value: f64,
}

/// One value per step of a lookback; `None` is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells(Vec<Option<f64>>);

impl Cells {
    /// The last finite sample within each step of `lookback`; samples outside it are left out.
    #[must_use]
    pub fn of(samples: impl IntoIterator<Item = Sample>, lookback: &Lookback) -> Self {
        let mut newest: Vec<Option<Sample>> = vec![None; lookback.steps()];
        let (first, width) = (lookback.first_second() as f64, f64::from(lookback.step.seconds()));
        for sample in samples.into_iter().filter(|sample| sample.value.is_finite()) {
            let index = ((sample.second - first) / width).floor();
            // A negative index is not a usize: the cast would turn it into the first step.
            let cell = (index >= 0.0).then(|| newest.get_mut(index as usize)).flatten();
            let Some(cell) = cell else { continue };
            if cell.is_none_or(|known| known.second <= sample.second) {
                *cell = Some(sample);
            }
        }
        Self(newest.into_iter().map(|sample| sample.map(|s| s.value)).collect())
    }

    /// Adds `other` (of the same lookback) step by step; a step is a gap only where both have one.
    pub fn add(&mut self, other: &Self) {
        for (sum, value) in self.0.iter_mut().zip(&other.0) {
            *sum = match (*sum, *value) {
                (Some(a), Some(b)) => Some(a + b),
                (a, b) => a.or(b),
            };
        }
    }

    /// Keeps the larger of this and `other` (of the same lookback) step by step; a step is a gap only where both have
    /// one.
    pub fn raise_to(&mut self, other: &Self) {
        for (most, value) in self.0.iter_mut().zip(&other.0) {
            *most = most.iter().chain(value).copied().reduce(f64::max);
        }
    }

    /// The share this is of `whole` (of the same lookback) step by step, in [0, 1]; a step is a gap where either has one
    /// and where there is nothing to have a share of.
    #[must_use]
    pub fn share_of(&self, whole: &Self) -> Self {
        let share = |(part, whole): (&Option<f64>, &Option<f64>)| {
            let (part, whole) = part.zip(whole.filter(|whole| *whole > 0.0))?;
            Some((part / whole).clamp(0.0, 1.0))
        };
        Self(self.0.iter().zip(&whole.0).map(share).collect())
    }

    /// The same with every observation held to [0, `most`].
    #[must_use]
    pub fn held_to(&self, most: f64) -> Self {
        Self(self.0.iter().map(|value| value.map(|value| value.clamp(0.0, most))).collect())
    }

    /// The series from the first to the last observation; `None` when there is none.
    #[must_use]
    pub fn trimmed(&self, lookback: &Lookback) -> Option<Series> {
        let first = self.0.iter().position(Option::is_some)?;
        let last = self.0.iter().rposition(Option::is_some)?;
        let start = lookback.time(first)?;
        Series::new(start, lookback.step, self.0[first..=last].to_vec()).ok()
    }
}

/// The series of the last sample within each step of `lookback`, from the first to the last
/// observation; `None` when nothing finite was observed.
#[must_use]
pub fn regularise(
    samples: impl IntoIterator<Item = Sample>,
    lookback: &Lookback,
) -> Option<Series> {
    Cells::of(samples, lookback).trimmed(lookback)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn lookback() -> Lookback {
        let at = |second| Timestamp::from_second(second).unwrap();
        Lookback { from: at(90), to: at(600), step: Step::MINUTE }
    }

    fn samples(pairs: &[(f64, f64)]) -> Vec<Sample> {
        pairs.iter().map(|&(second, value)| Sample { second, value }).collect()
    }

    #[test]
    fn the_last_sample_of_a_step_counts_in_whatever_order_samples_come() {
        let series =
            regularise(samples(&[(179.9, 2.0), (121.0, 1.0), (185.5, 3.0)]), &lookback()).unwrap();
        assert_eq!(series.start().as_second(), 120);
        assert_eq!(series.values(), [Some(2.0), Some(3.0)]);
    }

    #[test]
    fn what_is_missing_or_not_a_number_is_a_gap() {
        let pairs = [(120.0, 1.0), (180.0, f64::NAN), (240.0, f64::INFINITY), (360.0, 0.0)];
        let series = regularise(samples(&pairs), &lookback()).unwrap();
        assert_eq!(series.values(), [Some(1.0), None, None, None, Some(0.0)]);
    }

    #[test]
    fn samples_outside_the_lookback_are_left_out() {
        let pairs = [(119.9, 1.0), (-5.0, 1.0), (600.0, 1.0)];
        assert_eq!(regularise(samples(&pairs), &lookback()), None);
        assert_eq!(regularise(samples(&[(599.0, 1.0)]), &lookback()).unwrap().len(), 1);
    }

    #[test]
    fn a_sum_is_a_gap_only_where_both_parts_are() {
        let mut sum = Cells::of(samples(&[(120.0, 1.0), (180.0, 1.0)]), &lookback());
        sum.add(&Cells::of(samples(&[(180.0, 2.0), (300.0, 2.0)]), &lookback()));
        let series = sum.trimmed(&lookback()).unwrap();
        assert_eq!(series.values(), [Some(1.0), Some(3.0), None, Some(2.0)]);
    }

    #[test]
    fn a_share_is_known_only_where_there_is_something_to_share() {
        let part = Cells::of(samples(&[(120.0, 1.0), (180.0, 0.0), (240.0, 1.0)]), &lookback());
        let whole = Cells::of(samples(&[(120.0, 4.0), (180.0, 0.0), (300.0, 1.0)]), &lookback());
        let share = part.share_of(&whole);
        assert_eq!(share.trimmed(&lookback()).unwrap().values(), [Some(0.25)]);
        let mut most = share;
        most.raise_to(&Cells::of(samples(&[(120.0, 0.1), (180.0, 0.1)]), &lookback()));
        assert_eq!(most.trimmed(&lookback()).unwrap().values(), [Some(0.25), Some(0.1)]);
    }
}
