//! Probabilities strictly between 0 and 1, and empirical quantiles.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number that is not strictly between 0 and 1.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a quantile; use a probability above 0 and below 1, as in 0.95")]
pub struct QuantileError(pub f64);

/// A probability in the open interval (0, 1); totally ordered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Quantile(f64);

impl Quantile {
    /// The quantile `probability`; fails outside the open interval (0, 1).
    pub fn new(probability: f64) -> Result<Self, QuantileError> {
        (probability > 0.0 && probability < 1.0)
            .then_some(Self(probability))
            .ok_or(QuantileError(probability))
    }

    /// The probability.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Eq for Quantile {}

impl PartialOrd for Quantile {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantile {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl fmt::Display for Quantile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl TryFrom<f64> for Quantile {
    type Error = QuantileError;

    fn try_from(probability: f64) -> Result<Self, QuantileError> {
        Self::new(probability)
    }
}

impl From<Quantile> for f64 {
    fn from(quantile: Quantile) -> Self {
        quantile.0
    }
}

/// The `probability` quantile of `sorted` (ascending, finite) with linear interpolation between
/// order statistics (type 7 of Hyndman and Fan 1996); `None` for an empty slice.
///
/// `probability` is clamped to [0, 1], so 0 is the minimum and 1 the maximum.
#[must_use]
pub fn empirical_quantile(sorted: &[f64], probability: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = probability.clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let above = (below + 1).min(last);
    let fraction = rank - below as f64;
    Some(sorted[below] + fraction * (sorted[above] - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_probabilities_inside_the_open_interval_are_quantiles() {
        assert!(Quantile::new(0.95).is_ok());
        for outside in [0.0, 1.0, -0.1, 95.0, f64::NAN] {
            assert!(Quantile::new(outside).is_err(), "{outside}");
        }
    }

    #[test]
    fn empirical_quantiles_interpolate_between_order_statistics() {
        let sorted = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(empirical_quantile(&sorted, 0.5), Some(2.5));
        assert_eq!(empirical_quantile(&sorted, 1.0), Some(4.0));
        assert_eq!(empirical_quantile(&[7.0], 0.3), Some(7.0));
        assert_eq!(empirical_quantile(&[], 0.3), None);
    }
}
