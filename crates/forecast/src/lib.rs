//! Forecasts the distribution of the largest observation in each slot of one signal.
//!
//! [`fit()`] learns a [`SignalModel`] from a [`mora_core::Series`]: it fits the members (seasonal
//! quantiles per hour of the day or week, Prophet, an LSTM, Holt-Winters), back-tests them at rolling daily
//! origins, weighs them per quantile, and calibrates the result on days the members had not seen.
//! A fitted model answers, is saved and is loaded without ever being fitted again.
//!
//! Everything is a function of the series, the options and their seed. Only here are augurs and
//! ort named.

mod alone;
mod back_test;
mod calibration;
mod error;
mod fit;
mod fusion;
mod glitch;
mod held_out;
mod holidays;
mod ladder;
mod levels;
mod members;
mod model;
mod onnx;
mod plan;
mod requests;
#[cfg(test)]
mod robustness;
mod season;
mod slots;
mod tuning;

pub use alone::ProphetAlone;
pub use error::{FitError, ForecastError, LoadError, ObservedTime, RuntimeError, SaveError};
pub use fit::{FitOptions, Progress, fit};
pub use held_out::{BACK_TEST_QUANTILES, BackTestSlot};
pub use holidays::{Holiday, HolidayError};
pub use members::Member;
pub use members::lstm::serve::{LstmProbe, use_onnx_runtime};
pub use members::lstm::train::LstmSettings;
pub use members::prophet::ProphetSettings;
pub use model::{ModelFile, SignalModel};
pub use requests::{DEFAULT_RISK_PRICE, RISK_PRICES};
pub use tuning::Tuning;
