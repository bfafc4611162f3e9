//! The members of the ensemble: each is fitted to a history once, saved, and answers from what it saved.

pub(crate) mod holt_winters;
pub(crate) mod hour_of_week;
pub(crate) mod lstm;
pub(crate) mod naive;
pub(crate) mod prophet;

use serde::{Deserialize, Serialize};

/// A member of the ensemble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Member {
    /// Quantiles of the same hour of earlier days.
    HourOfWeek,
    /// Prophet: a trend with changepoints and seasons.
    Prophet,
    /// A network trained on departures from the hour-of-week profile.
    Lstm,
    /// Damped Holt-Winters smoothing with a day and a week.
    HoltWinters,
}

impl Member {
    /// All members; their order is that of weights and of paths.
    pub const ALL: [Self; 4] = [Self::HourOfWeek, Self::Prophet, Self::Lstm, Self::HoltWinters];

    /// The member's name in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HourOfWeek => "hour_of_week",
            Self::Prophet => "prophet",
            Self::Lstm => "lstm",
            Self::HoltWinters => "holt_winters",
        }
    }
}

/// Made histories for tests.
#[cfg(test)]
pub(crate) mod made {
    use jiff::Timestamp;
    use mora_core::{Series, Step};

    use crate::slots::History;

    /// The slot the made histories start with, at midnight.
    pub(crate) const FIRST: i64 = 19_000 * 24;

    /// An hourly series of `days` days: slot `n` since its start holds `value(n)`.
    pub(crate) fn series(days: i64, value: impl Fn(i64) -> Option<f64>) -> Series {
        let start = Timestamp::from_second(FIRST * 3600).unwrap();
        Series::new(start, Step::HOUR, (0..days * 24).map(value).collect()).unwrap()
    }

    /// As [`series`], in slots.
    pub(crate) fn history(days: i64, value: impl Fn(i64) -> Option<f64>) -> History {
        History::new(&series(days, value), Step::HOUR)
    }

    /// Independent noise of mean 0 and standard deviation 1, near Gaussian.
    pub(crate) fn noise(n: i64) -> f64 {
        let mut state = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66_D1CE_4E5B;
        let uniform = || {
            state ^= state >> 30;
            state = state.wrapping_mul(0xBF58_476D_1CE4_E5B9);
            state ^= state >> 27;
            state = state.wrapping_mul(0x94D0_49BB_1331_11EB);
            state ^= state >> 31;
            (state >> 11) as f64 / (1_u64 << 53) as f64
        };
        std::iter::repeat_with(uniform).take(12).sum::<f64>() - 6.0
    }
}
