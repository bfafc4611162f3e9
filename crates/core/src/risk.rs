//! What being above the request costs, and what requests at such a price would have cost.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A number that is no price of risk.
#[derive(Debug, Clone, Copy, PartialEq, Error)]
#[error("{0} is not a price of risk; use a finite number above 0, as in 80")]
pub struct RiskPriceError(pub f64);

/// What a share of samples above the request costs, in mean usages; finite and above 0.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct RiskPrice(f64);

impl RiskPrice {
    /// The price unless another is asked for: a minute above the request is as dear as 80 minutes of mean usage.
    pub const DEFAULT: Self = Self(80.0);

    /// The price `mean_usages`; fails unless it is finite and above 0.
    pub fn new(mean_usages: f64) -> Result<Self, RiskPriceError> {
        (mean_usages.is_finite() && mean_usages > 0.0)
            .then_some(Self(mean_usages))
            .ok_or(RiskPriceError(mean_usages))
    }

    /// The price in mean usages.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Default for RiskPrice {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for RiskPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.to_string())
    }
}

impl TryFrom<f64> for RiskPrice {
    type Error = RiskPriceError;

    fn try_from(mean_usages: f64) -> Result<Self, RiskPriceError> {
        Self::new(mean_usages)
    }
}

impl From<RiskPrice> for f64 {
    fn from(price: RiskPrice) -> Self {
        price.0
    }
}

/// What requests at one price would have cost on the days they were tried on.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestRecord {
    /// The price, in mean usages.
    pub price: f64,
    /// Requested divided by used, both summed over the days; at least 0.
    pub overhead: f64,
    /// Share of samples with usage above the request, in [0, 1].
    pub above: f64,
    /// Days behind both.
    pub days: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_price_is_finite_and_above_zero() {
        assert_eq!(RiskPrice::new(80.0), Ok(RiskPrice::DEFAULT));
        for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(RiskPrice::new(bad).is_err(), "{bad}");
        }
    }
}
