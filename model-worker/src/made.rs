//! Made models for tests.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use jiff::Timestamp;
use mora_core::{Series, Signal, Step};
use mora_forecast::{FitOptions, SignalModel};

use crate::{Manifest, WorkloadModel};

/// The instant hour 0 starts at, a midnight.
const FIRST: i64 = 1_767_225_600;

/// A daily wave with a ripple.
pub(crate) fn wave(hour: i64) -> f64 {
    let turn = std::f64::consts::TAU * hour as f64 / 24.0;
    10.0 + 4.0 * turn.sin() + 0.4 * (hour as f64 * 1.7).sin() + 0.3 * (hour as f64 * 0.37).cos()
}

/// The start of `hour`.
pub(crate) fn at(hour: i64) -> Timestamp {
    Timestamp::from_second(FIRST + 3600 * hour).unwrap()
}

/// An hourly series over `days`.
pub(crate) fn series(days: Range<i64>, value: impl Fn(i64) -> f64) -> Series {
    let hours = days.start * 24..days.end * 24;
    let values = hours.clone().map(|hour| Some(value(hour))).collect();
    Series::new(at(hours.start), Step::HOUR, values).unwrap()
}

/// A model of such a series.
pub(crate) fn fitted(days: Range<i64>, value: impl Fn(i64) -> f64) -> SignalModel {
    let observe = &mut |_| ControlFlow::Continue(());
    mora_forecast::fit(&series(days, value), &FitOptions::default(), observe).unwrap()
}

/// A version `name` that forecasts CPU by `model`.
pub(crate) fn version(name: &str, model: SignalModel) -> WorkloadModel {
    let signals: BTreeMap<Signal, SignalModel> = [(Signal::Cpu, model)].into();
    WorkloadModel { manifest: manifest(name, &signals), signals }
}

/// The record of such a version, without files.
pub(crate) fn manifest(name: &str, signals: &BTreeMap<Signal, SignalModel>) -> Manifest {
    let cpu = &signals[&Signal::Cpu];
    Manifest {
        schema: Manifest::SCHEMA,
        written_by: "test".to_owned(),
        version: name.to_owned(),
        workload: "shop/cart".parse().unwrap(),
        data_from: cpu.data_from(),
        data_until: cpu.data_until(),
        slot: cpu.slot(),
        replicas: 1,
        seed: 0,
        origins: 14,
        horizon_slots: 24,
        signals: signals.iter().map(|(signal, model)| (*signal, model.summary())).collect(),
        decision: None,
        files: BTreeMap::new(),
    }
}
