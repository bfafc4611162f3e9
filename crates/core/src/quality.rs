//! Whether a series is good enough to be learned from.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Lookback, Series};

/// Fewest observations stability is judged by: two always lie close or far by chance.
const FEWEST_FOR_STABILITY: usize = 3;

/// A bound of the gates that is no share or no length of time.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("{gate} = {value} cannot be used; {wanted}")]
pub struct QualityGatesError {
    gate: &'static str,
    value: f64,
    wanted: &'static str,
}

/// Bounds a series must keep to be learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualityGates {
    /// Least share of the expected steps that were observed, in [0, 1].
    pub completeness: f64,
    /// Most steps missing between the first and the last observed one, as a share in [0, 1].
    pub missing: f64,
    /// Largest coefficient of variation (standard deviation by mean) at the end, above 0; `None` does not judge it.
    pub variation: Option<f64>,
    /// How much of the end the coefficient of variation is taken over, in seconds, above 0.
    pub stable_seconds: u32,
}

impl Default for QualityGates {
    fn default() -> Self {
        Self { completeness: 0.9, missing: 0.05, variation: Some(0.1), stable_seconds: 300 }
    }
}

/// How good a series is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SeriesQuality {
    /// Steps that were expected.
    pub expected: usize,
    /// Steps that were observed.
    pub observed: usize,
    /// Share of the expected steps that were observed, in [0, 1]; 1 where none was expected.
    pub completeness: f64,
    /// Share of the steps between the first and the last observed one that are missing, in [0, 1].
    pub missing: f64,
    /// Standard deviation by mean over the end, 0 where nothing but zeros was observed; `None` where fewer than
    /// three steps of it were observed.
    pub variation: Option<f64>,
}

impl SeriesQuality {
    /// The quality of `series` where it was `expected`, with the variation of the last `stable_seconds` of that.
    #[must_use]
    pub fn of(series: &Series, expected: &Lookback, stable_seconds: u32) -> Self {
        let series = series.between(expected.from, expected.to);
        let observed = series.observed().count();
        let steps = expected.steps();
        let end = jiff::SignedDuration::from_secs(i64::from(stable_seconds));
        let stable_from = expected.to.saturating_sub(end).unwrap_or(expected.from);
        Self {
            expected: steps,
            observed,
            completeness: if steps == 0 { 1.0 } else { share(observed, steps) },
            missing: missing(&series),
            variation: variation(&series.between(stable_from, expected.to)),
        }
    }
}

/// Why a series is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "gate", rename_all = "snake_case")]
pub enum QualityFault {
    /// Too few of the expected steps were observed.
    Incomplete {
        /// Share observed.
        found: f64,
        /// Share wanted.
        least: f64,
    },
    /// Too many steps are missing in between.
    Missing {
        /// Share missing.
        found: f64,
        /// Share allowed.
        most: f64,
    },
    /// It still moves at the end.
    Unstable {
        /// Coefficient of variation.
        found: f64,
        /// The largest allowed.
        most: f64,
        /// Over how many seconds.
        seconds: u32,
    },
    /// Too little was observed at the end to say whether it is stable.
    StabilityUnknown {
        /// Over how many seconds.
        seconds: u32,
    },
}

impl fmt::Display for QualityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let percent = |share: f64| share * 100.0;
        match *self {
            Self::Incomplete { found, least } => write!(
                f,
                "{:.1} % of the steps were observed where {:.1} % are needed",
                percent(found),
                percent(least)
            ),
            Self::Missing { found, most } => write!(
                f,
                "{:.1} % of the steps in between are missing where {:.1} % may be",
                percent(found),
                percent(most)
            ),
            Self::Unstable { found, most, seconds } => write!(
                f,
                "the last {seconds} s vary by {:.1} % of their mean where {:.1} % is stable",
                percent(found),
                percent(most)
            ),
            Self::StabilityUnknown { seconds } => write!(
                f,
                "fewer than {FEWEST_FOR_STABILITY} steps of the last {seconds} s were observed, so that stability is unknown"
            ),
        }
    }
}

/// How good a series is, and why it is not good enough.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityReport {
    /// The figures.
    pub quality: SeriesQuality,
    /// One for each gate that rejects it; empty for a series that is accepted.
    pub faults: Vec<QualityFault>,
}

impl QualityReport {
    /// Whether no gate rejects the series.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        self.faults.is_empty()
    }
}

impl QualityGates {
    /// The gates themselves, if every bound can be kept or broken; fails with the one that cannot.
    pub fn checked(self) -> Result<Self, QualityGatesError> {
        const SHARE: &str = "use a share from 0 to 1, as in 0.9";
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let refuse = |gate, value, wanted| Err(QualityGatesError { gate, value, wanted });
        match self.variation {
            _ if !is_share(self.completeness) => refuse("completeness", self.completeness, SHARE),
            _ if !is_share(self.missing) => refuse("missing", self.missing, SHARE),
            _ if self.stable_seconds == 0 => {
                refuse("stable_seconds", 0.0, "use a number of seconds above 0, as in 300")
            }
            Some(most) if !(most.is_finite() && most > 0.0) => {
                refuse("variation", most, "use a number above 0, as in 0.1")
            }
            _ => Ok(self),
        }
    }

    /// The same gates without the one on stability: for series that need not be flat.
    #[must_use]
    pub const fn without_stability(self) -> Self {
        Self { variation: None, ..self }
    }

    /// What the gates say of `series` where it was `expected`.
    #[must_use]
    pub fn judge(&self, series: &Series, expected: &Lookback) -> QualityReport {
        let quality = SeriesQuality::of(series, expected, self.stable_seconds);
        let SeriesQuality { completeness, missing, variation, .. } = quality;
        let incomplete = (completeness < self.completeness)
            .then_some(QualityFault::Incomplete { found: completeness, least: self.completeness });
        let missing = (missing > self.missing)
            .then_some(QualityFault::Missing { found: missing, most: self.missing });
        let seconds = self.stable_seconds;
        let unstable = self.variation.and_then(|most| match variation {
            None => Some(QualityFault::StabilityUnknown { seconds }),
            Some(found) => {
                (found > most).then_some(QualityFault::Unstable { found, most, seconds })
            }
        });
        let faults = [incomplete, missing, unstable].into_iter().flatten().collect();
        QualityReport { quality, faults }
    }
}

/// The share of steps between the first and the last observed one that are missing; 0 without any observed.
fn missing(series: &Series) -> f64 {
    let observed = |value: &Option<f64>| value.is_some();
    let first = series.values().iter().position(observed);
    let last = series.values().iter().rposition(observed);
    let Some((first, last)) = first.zip(last) else { return 0.0 };
    let span = &series.values()[first..=last];
    share(span.iter().filter(|value| value.is_none()).count(), span.len())
}

/// Standard deviation (of the population) by mean.
fn variation(series: &Series) -> Option<f64> {
    let values: Vec<f64> = series.observed().collect();
    if values.len() < FEWEST_FOR_STABILITY {
        return None;
    }
    let count = values.len() as f64;
    // Divided first, so that the sum of large values stays finite.
    let mean: f64 = values.iter().map(|value| value / count).sum();
    let deviation = values.iter().map(|value| (value - mean).powi(2) / count).sum::<f64>().sqrt();
    // Finite also around a mean of zero, because JSON knows no infinity.
    Some(if deviation == 0.0 { 0.0 } else { (deviation / mean.abs()).min(f64::MAX) })
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests;
