//! What is judged, and how.

use mora_core::Step;
use mora_forecast::Holiday;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub(crate) const DAY_SECONDS: u32 = 86_400;

/// How recordings are sampled, how much history a method is given, and which days are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// Shortest spacing of samples; a series recorded more coarsely keeps its own.
    pub sample: Step,
    /// How long a request holds: divides a day; a day at most.
    pub slot: Step,
    /// Days before the first origin, at least 1.
    pub history_days: u32,
    /// Most days of history a method is given, no fewer than `history_days`.
    pub lookback_days: u32,
    /// Most origins per series, the newest ones; all when absent.
    pub origins: Option<usize>,
    /// Share of a series' origins, in (0, 1), that only the safety margin is calibrated on.
    pub validation: f64,
    /// Share of samples, in (0, 1), that may lie above the request.
    pub risk: f64,
    /// Seed of what is drawn at random.
    pub seed: u64,
    /// Days on which usage differs, which MOrA's Prophet learns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub holidays: Vec<Holiday>,
    /// Settings tried for each member of MOrA that has some; 0 means none.
    #[serde(default)]
    pub tuning_budget: u32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sample: Step::from_seconds(300).unwrap_or(Step::MINUTE),
            slot: Step::HOUR,
            history_days: 7,
            lookback_days: 28,
            origins: None,
            validation: 0.3,
            risk: 0.01,
            seed: 0,
            holidays: Vec::new(),
            tuning_budget: 0,
        }
    }
}

/// Why options are refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum OptionsError {
    /// The slot does not fit.
    #[error(
        "a slot of {} s does not fit; use one that divides a day (24 h at most) and is a multiple of the sample of {} s",
        .slot.seconds(), .sample.seconds()
    )]
    Slot {
        /// The slot.
        slot: Step,
        /// The spacing of samples.
        sample: Step,
    },
    /// The history is too short, or longer than the lookback.
    #[error(
        "{history} days of history of at most {lookback} do not fit; use at least 1 and at most the lookback"
    )]
    History {
        /// Days before the first origin.
        history: u32,
        /// Most days a method is given.
        lookback: u32,
    },
    /// A share is not one.
    #[error("{0} is no share; use a number above 0 and below 1, as in 0.3")]
    Share(f64),
    /// Fewer than two origins leave nothing to calibrate on or nothing to judge.
    #[error("{0} origins are too few; use at least 2: one to calibrate on and one to judge")]
    Origins(usize),
}

impl Options {
    /// Fails when a field is out of its range.
    pub fn check(&self) -> Result<(), OptionsError> {
        let (slot, sample) = (self.slot.seconds(), self.sample.seconds());
        if !DAY_SECONDS.is_multiple_of(slot) || !slot.is_multiple_of(sample) {
            return Err(OptionsError::Slot { slot: self.slot, sample: self.sample });
        }
        let (history, lookback) = (self.history_days, self.lookback_days);
        if history == 0 || history > lookback {
            return Err(OptionsError::History { history, lookback });
        }
        let shares = [self.validation, self.risk];
        if let Some(&bad) = shares.iter().find(|share| !(**share > 0.0 && **share < 1.0)) {
            return Err(OptionsError::Share(bad));
        }
        match self.origins {
            Some(few @ ..2) => Err(OptionsError::Origins(few)),
            _ => Ok(()),
        }
    }

    /// Slots in a day.
    #[must_use]
    pub const fn slots(&self) -> usize {
        (DAY_SECONDS / self.slot.seconds()) as usize
    }

    /// How many of `origins` origins, at least 2 of them, the margin is calibrated on: at least 1,
    /// and at least 1 is left to judge.
    #[must_use]
    pub fn validation_origins(&self, origins: usize) -> usize {
        let share = (self.validation * origins as f64).ceil() as usize;
        share.clamp(1, origins.saturating_sub(1).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused() {
        let seconds = |s| Step::from_seconds(s).unwrap();
        let fine = Options::default();
        assert_eq!(fine.check(), Ok(()));
        for slot in [900, 43_200, 86_400].map(seconds) {
            assert_eq!(Options { slot, ..fine.clone() }.check(), Ok(()));
        }
        let bad = [
            Options { slot: seconds(7000), ..fine.clone() },
            Options { slot: seconds(172_800), ..fine.clone() },
            Options { sample: seconds(7200), ..fine.clone() },
            Options { history_days: 0, ..fine.clone() },
            Options { history_days: 29, ..fine.clone() },
            Options { validation: 1.0, ..fine.clone() },
            Options { risk: 0.0, ..fine.clone() },
            Options { origins: Some(1), ..fine },
        ];
        assert!(bad.iter().all(|options| options.check().is_err()));
    }

    #[test]
    fn a_margin_has_at_least_one_origin_and_leaves_one() {
        let options = Options::default();
        let of = |origins| options.validation_origins(origins);
        assert_eq!([of(2), of(3), of(10), of(11)], [1, 1, 3, 4]);
        let most = Options { validation: 0.99, ..options };
        assert_eq!(most.validation_origins(5), 4);
    }
}
