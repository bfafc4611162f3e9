//! The back-test a model keeps, so that it can be held against another model slot by slot.

use jiff::Timestamp;
use mora_core::Step;
use serde::{Deserialize, Serialize};

use crate::back_test::Trial;
use crate::levels::{LEVELS, Levels, STATED, mean_pinball, uncrossed};
use crate::slots::DAY_SECONDS;

/// The quantiles of [`BackTestSlot::levels`], ascending.
pub const BACK_TEST_QUANTILES: [f64; 4] = LEVELS;

/// A slot of a day that took no part in what was said of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackTestSlot {
    /// Start of the slot.
    pub start: Timestamp,
    /// The largest observation in it, in the signal's unit.
    pub observed: f64,
    /// What was said of it at [`BACK_TEST_QUANTILES`], ascending and at least 0.
    pub levels: [f64; 4],
}

impl BackTestSlot {
    /// Mean pinball loss over the quantiles, in the signal's unit, at least 0.
    #[must_use]
    pub fn loss(&self) -> f64 {
        mean_pinball(&self.levels, self.observed)
    }

    /// Whether the slot stayed at or below its 0.95 quantile.
    #[must_use]
    pub fn held(&self) -> bool {
        self.observed <= self.levels[STATED]
    }

    /// What `said` holds of each trial, with slots of width `slot`.
    pub(crate) fn all(said: &[(&Trial, Levels)], slot: Step) -> Vec<Self> {
        let of = |(trial, levels): &(&Trial, Levels)| {
            let start = Timestamp::from_second(trial.slot * i64::from(slot.seconds()));
            let start = start.unwrap_or(Timestamp::MAX);
            Self { start, observed: trial.observed, levels: uncrossed(*levels) }
        };
        said.iter().map(of).collect()
    }

    /// Whether `slots` follow one another on the grid of width `slot` up to slot `end`, with finite values and
    /// ascending levels.
    pub(crate) fn are_sound(slots: &[Self], slot: Step, end: i64) -> bool {
        let width = i64::from(slot.seconds());
        let sound = |s: &Self| {
            let second = s.start.as_second();
            s.start.subsec_nanosecond() == 0
                && second % width == 0
                && second / width < end
                && s.observed.is_finite()
                && s.levels.iter().all(|level| level.is_finite() && *level >= 0.0)
                && s.levels.is_sorted()
        };
        slots.len() <= MOST_DAYS * (DAY_SECONDS / slot.seconds()) as usize
            && slots.iter().all(sound)
            && slots.windows(2).all(|pair| pair[0].start < pair[1].start)
    }
}

/// Days beyond which no back-test goes: more than any history that is collected.
const MOST_DAYS: usize = 3660;

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(hour: i64) -> BackTestSlot {
        let start = Timestamp::from_second(hour * 3600).unwrap();
        BackTestSlot { start, observed: 2.0, levels: [1.0, 2.0, 3.0, 4.0] }
    }

    #[test]
    fn a_slot_counts_its_loss_and_whether_it_held() {
        let above = BackTestSlot { observed: 3.5, ..slot(0) };
        assert!(slot(0).held() && !above.held());
        let expected = (0.5 * 2.5 + 0.9 * 1.5 + 0.95 * 0.5 + 0.01 * 0.5) / 4.0;
        assert!((above.loss() - expected).abs() < 1e-12);
    }

    #[test]
    fn slots_off_the_grid_out_of_order_or_crossing_are_not_sound() {
        let sound = |slots: &[BackTestSlot]| BackTestSlot::are_sound(slots, Step::HOUR, 10);
        assert!(sound(&[]) && sound(&[slot(1), slot(3)]));
        assert!(!sound(&[slot(3), slot(1)]) && !sound(&[slot(2), slot(2)]) && !sound(&[slot(10)]));
        let off = Timestamp::from_second(1800).unwrap();
        assert!(!sound(&[BackTestSlot { start: off, ..slot(0) }]));
        assert!(!sound(&[BackTestSlot { observed: f64::NAN, ..slot(0) }]));
        assert!(!sound(&[BackTestSlot { levels: [1.0, 3.0, 2.0, 4.0], ..slot(0) }]));
        assert!(!sound(&[BackTestSlot { levels: [-1.0, 2.0, 3.0, 4.0], ..slot(0) }]));
    }
}
