//! Settings that no number can be computed with.

use thiserror::Error;

/// A setting is out of its range.
#[derive(Debug, Clone, PartialEq, Error)]
#[error("`{key}` is {value}; set it to {range}")]
pub struct SettingsError {
    /// Its key.
    pub key: &'static str,
    /// What it is.
    pub value: f64,
    /// What it can be.
    pub range: &'static str,
}

/// Fails unless `value` of `key` is a percentile.
pub(crate) fn check_percentile(key: &'static str, value: f64) -> Result<(), SettingsError> {
    let is_one = value > 0.0 && value <= 100.0;
    is_one.then_some(()).ok_or(SettingsError {
        key,
        value,
        range: "a number above 0 and up to 100",
    })
}

/// Fails unless `value` of `key` is a margin in percent.
pub(crate) fn check_margin(key: &'static str, value: f64) -> Result<(), SettingsError> {
    let is_one = (0.0..=1000.0).contains(&value);
    is_one.then_some(()).ok_or(SettingsError { key, value, range: "a number from 0 to 1000" })
}
