//! Forecasts the distribution of the largest observation in each slot of one signal.
//!
//! [`fit()`] learns a [`SignalModel`] from a [`mora_core::Series`]: it fits the members (seasonal
//! quantiles per hour of the day or week, Prophet, an LSTM), back-tests them at rolling daily
//! origins, weighs them per quantile, and calibrates the result on days the members had not seen.
//! A fitted model answers, is saved and is loaded without ever being fitted again.
//!
//! Everything is a function of the series, the options and their seed. Only here are augurs and
//! ort named.

mod back_test;
mod calibration;
mod error;
mod fit;
mod fusion;
mod ladder;
mod levels;
mod members;
mod model;
mod onnx;
mod season;
mod slots;

pub use error::{FitError, ForecastError, LoadError, ObservedTime, SaveError};
pub use fit::{FitOptions, Progress, fit};
pub use model::{ModelFile, SignalModel};
