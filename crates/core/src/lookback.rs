//! How much history is wanted, and how densely.

use jiff::Timestamp;

use serde::{Deserialize, Serialize};

use crate::Step;

/// How much history is wanted, and how densely: the multiples of `step` since the Unix epoch that lie
/// at or after `from` and before `to`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lookback {
    /// First instant.
    pub from: Timestamp,
    /// The instant after the last.
    pub to: Timestamp,
    /// Spacing of the series.
    pub step: Step,
}

impl Lookback {
    /// Number of steps.
    #[must_use]
    pub fn steps(&self) -> usize {
        let width = i64::from(self.step.seconds());
        let end = ceil_to(self.to.as_second(), width);
        usize::try_from((end - self.first_second()) / width).unwrap_or(0)
    }

    /// The first step, in seconds since the Unix epoch.
    #[must_use]
    pub fn first_second(&self) -> i64 {
        ceil_to(self.from.as_second(), i64::from(self.step.seconds()))
    }

    /// The instant of step `index`; `None` past representable time.
    #[must_use]
    pub fn time(&self, index: usize) -> Option<Timestamp> {
        let offset = i64::from(self.step.seconds()) * index as i64;
        Timestamp::from_second(self.first_second() + offset).ok()
    }

    /// Whether `time` lies at or after the start and before the end.
    #[must_use]
    pub fn holds(&self, time: Timestamp) -> bool {
        self.from <= time && time < self.to
    }
}

fn ceil_to(second: i64, width: i64) -> i64 {
    -(-second).div_euclid(width) * width
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lookback_counts_the_steps_from_its_start_up_to_its_end() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lookback = |from, to| Lookback { from: at(from), to: at(to), step: Step::MINUTE };
        assert_eq!(lookback(0, 120).steps(), 2);
        assert_eq!(lookback(1, 121).steps(), 2);
        assert_eq!(lookback(1, 60).steps(), 0);
        assert_eq!(lookback(120, 0).steps(), 0);
        assert_eq!(lookback(61, 240).time(1), Some(at(180)));
        assert!(lookback(60, 120).holds(at(60)) && !lookback(60, 120).holds(at(120)));
    }
}
